//! What a change takes of the requests that operators' accounts may make, and until when that is.
//!
//! Invariant: only looked at, nothing is used up. Zones whose changes are under way on the same account go first.

use super::{Controller, of_store};
use crate::api::service::Refusal;
use crate::api::wire;
use crate::engine::Picture;
use crate::model::dns::{Name, read_name};
use crate::model::group::{ForecastStep, forecast};
use crate::model::history::Kind;
use crate::model::time::Time;
use chorus_providers::WritesAhead;

impl Controller {
    pub(super) async fn requests(
        &self,
        known: &Picture,
        steps: &[ForecastStep],
    ) -> Result<Vec<wire::Requests>, Refusal> {
        let mut all = Vec::new();
        for (operator, provider) in self.providers(known).await? {
            let writes = writes_at(steps, &operator.name);
            if writes == 0 || !provider.capabilities().requests_are_limited {
                continue;
            }
            let mut queue = self.ahead(&operator.name, &known.record.name).await?;
            let zones_ahead = queue.len();
            let begins = known.transition.is_none();
            queue.push(WritesAhead { zone: known.record.name.clone(), writes, begins });
            let Some(needs) = provider.needs(&queue).await.and_then(|needs| needs.last().copied()) else { continue };
            all.push(wire::Requests {
                operator: operator.name,
                writes: count(writes),
                requests: count(needs.requests),
                zones_ahead: count(zones_ahead),
                permitted_at: wire::At::clock(Time(i64::try_from(needs.permitted_ms).unwrap_or(i64::MAX))),
            });
        }
        Ok(all)
    }

    /// What is under way on an account in other zones.
    async fn ahead(&self, operator: &str, besides: &Name) -> Result<Vec<WritesAhead>, Refusal> {
        let ports = self.engine.ports();
        let mut queue = Vec::new();
        for zone in ports.store.zones_of(operator).await.map_err(of_store)? {
            let Ok(zone) = read_name(&zone) else { continue };
            if zone == *besides || ports.store.running_transition(&zone).await.map_err(of_store)?.is_none() {
                continue;
            }
            // What is wrong with another zone is told there.
            let Ok((stored, _)) = ports.recall(&zone).await else { continue };
            let writes = writes_at(&forecast(&stored.world()).steps, operator);
            if writes > 0 {
                queue.push(WritesAhead { zone, writes, begins: false });
            }
        }
        Ok(queue)
    }
}

/// What a step changes at one operator is one write. A CSYNC is taken out again, once the parent has acted on it.
fn writes_at(steps: &[ForecastStep], operator: &str) -> usize {
    let of_step = |step: &ForecastStep| {
        let mut writes = step.writes.iter().filter(|write| write.operator == operator).peekable();
        let any = usize::from(writes.peek().is_some());
        any + usize::from(writes.any(|write| write.kind == Kind::Csync && !write.add.is_empty()))
    };
    steps.iter().map(of_step).sum()
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
