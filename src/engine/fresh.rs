//! The end of a transition: it is done when the zone resolves and validates from the parent's servers down.

use super::picture::{EngineError, Picture};
use super::status::{Failing, Status, WaitingFor};
use super::turn::Engine;
use crate::model::group::Step;
use crate::model::resolution::Resolution;
use crate::model::switches::Switch;
use crate::model::time::Time;
use crate::observe::fresh::Start;

/// The code of the wait.
pub const RESOLUTION_FAILS: &str = "resolution-fails";

impl Engine {
    /// Resolves the zone, and ends its transition if that succeeds. Returns when it is to be tried again, if it does not.
    /// `settled`: the zone is as it was asked for; a repair that was given up leaves it as it is, whatever resolvers find.
    pub(super) async fn end(
        &self,
        known: &mut Picture,
        status: &mut Status,
        settled: bool,
    ) -> Result<Option<Time>, EngineError> {
        let resolution = self.resolve_afresh(known).await;
        let counts = settled && !self.ports.switches.without.leaves_out(Switch::FreshResolution);
        if counts && resolution.fails() {
            return self.wait_for_resolution(known, status, &resolution).await.map(Some);
        }
        status.failing = None;
        if let Some(transition) = known.transition.take() {
            status.settled = settled;
            self.finish(known, status, &transition, resolution).await?;
            status.written.clear();
        }
        Ok(None)
    }

    async fn resolve_afresh(&self, known: &Picture) -> Resolution {
        let (_, parent) = known.servers();
        let configured: Vec<_> = known.places.operators.values().flatten().cloned().collect();
        let start = Start {
            zone: &known.record.name,
            parent_zone: &known.places.parent_zone,
            parent: &parent,
            configured: &configured,
        };
        self.ports.observe.resolve(start).await
    }

    /// Puts the wait down, and reports it once for each first failure.
    async fn wait_for_resolution(
        &self,
        known: &Picture,
        status: &mut Status,
        resolution: &Resolution,
    ) -> Result<Time, EngineError> {
        let (now, pace) = (self.ports.clock.now(), self.ports.pace);
        let first = resolution.failures.first().cloned().unwrap_or_default();
        let others = match resolution.failures.len() {
            0 | 1 => String::new(),
            all => format!("; and {} more failures", all - 1),
        };
        let text = format!("Waiting until a resolver without a cache succeeds: {first}{others}");
        let before = status.failing.take();
        if before.as_ref().is_none_or(|before| before.text != first) {
            let (zone, id) = (&known.record.name, known.transition.as_ref().map(|transition| transition.id.as_str()));
            tracing::error!(%zone, "a fresh resolution fails: {first}{others}");
            self.ports.store.add_event(zone, now, RESOLUTION_FAILS, &text, id, None).await?;
        }
        let since = before.map_or(now, |before| before.since);
        status.failing = Some(Failing { since, text: first });
        status.settled = false;
        let code = RESOLUTION_FAILS.to_owned();
        status.waiting.insert(0, WaitingFor { step: Step::Settled, code, text, until: None });
        Ok(now.plus((since.until(now) / 20).clamp(pace.quickest * 4, pace.slowest)))
    }
}
