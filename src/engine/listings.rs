//! While a transition is under way, Chorus lists the operators' zones again: somebody may have added a record with a longer TTL
//! since it began.
//!
//! Invariant: no write that takes anything away is sent while the last attempt to list a zone is older than [`BEFORE_WRITES`]. A
//! TTL that was seen once counts from then on; an operator whose zone cannot be listed now keeps it.

use super::picture::{EngineError, Picture};
use super::status::Status;
use super::turn::Engine;
use crate::model::group::{Change, Decision, Standing};
use crate::model::history::Kind;
use crate::model::time::Time;
use crate::store::MemberRecord;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a zone is listed in a transition, whatever is waited for.
const EVERY: Duration = Duration::from_secs(86_400);
/// How old a listing may be when something is taken away.
const BEFORE_WRITES: Duration = Duration::from_secs(3_600);

/// When an operator's zone was to be listed last, and when that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub tried_at: Time,
    pub shown_at: Option<Time>,
}

impl Engine {
    /// Lists the zones that are due. Says whether one of them has a longer TTL than was known: then what was decided is old.
    pub(super) async fn learn_ttls(
        &self,
        known: &mut Picture,
        status: &mut Status,
        decision: &Decision,
    ) -> Result<bool, EngineError> {
        if known.transition.is_none() {
            return Ok(false);
        }
        let age_max = if takes_away(decision) { BEFORE_WRITES } else { EVERY };
        let now = self.ports.clock.now();
        // A moment that lies ahead was said by another clock.
        let is_due = |operator: &String| {
            let listed = status.listed.get(operator);
            listed.is_none_or(|listed| listed.tried_at > now || listed.tried_at.until(now) >= age_max)
        };
        let world = known.world();
        let due = known.members.keys().filter(|operator| !world.is_lost(operator) && is_due(operator));
        let due: Vec<_> = due.map(|operator| (operator.clone(), MemberRecord::wanted(Standing::Serving))).collect();
        let mut longer = false;
        for (operator, _) in self.ports.operators(due.into_iter()).await? {
            let provider = self.ports.providers.provider(&operator).await?;
            let shown = provider.largest_ttl_s(&known.record.name).await.ok().flatten();
            let before = status.listed.get(&operator.name).and_then(|listed| listed.shown_at);
            let tried_at = self.ports.clock.now();
            let shown_at = if shown.is_some() { Some(tried_at) } else { before };
            status.listed.insert(operator.name.clone(), Listed { tried_at, shown_at });
            let Some(ttl_s) = shown else { continue };
            let counted_s = known.lifetimes.data_ttl_s(&operator.name);
            known.listing_showed(&operator.name, ttl_s);
            longer |= known.lifetimes.data_ttl_s(&operator.name) > counted_s;
            self.ports.store.saw_zone_ttl(&known.record.name, &operator.name, ttl_s, tried_at).await?;
        }
        Ok(longer)
    }
}

/// Whether a decision writes anything but additional keys: only keys that come in can do no harm to answers in caches.
fn takes_away(decision: &Decision) -> bool {
    decision.writes.iter().flat_map(|write| &write.sets).any(|(kind, _, change)| match change {
        Change::Partly { without, .. } => *kind != Kind::Dnskey || !without.is_empty(),
        Change::Exactly(_) => true,
    })
}
