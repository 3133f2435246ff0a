//! Chorus lists the operators' zones again: somebody may have added a record with a longer TTL since the last listing.
//!
//! Invariant: no write that waited for answers to leave the caches is sent while the last attempt to list a zone is older than
//! [`BEFORE_WRITES`]. An operator whose zone cannot be listed now keeps the TTL that was seen, and the certificate says so.

use super::attempts::Attempts;
use super::picture::{EngineError, Picture};
use super::status::Status;
use super::turn::Engine;
use crate::model::group::{Change, Decision, Member, Standing};
use crate::model::history::Kind;
use crate::model::time::Time;
use crate::store::{MemberRecord, OperatorRecord};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a zone is listed in a transition, whatever is waited for.
const EVERY: Duration = Duration::from_secs(86_400);
/// How old a listing may be before a write that rests on it.
const BEFORE_WRITES: Duration = Duration::from_secs(3_600);
/// After an attempt that failed, where an earlier one succeeded.
const AGAIN: Duration = Duration::from_secs(600);

/// When an operator's zone was to be listed last, and when that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub tried_at: Time,
    pub shown_at: Option<Time>,
}

impl Listed {
    /// `rests`: whether a write that is about to be sent rests on it.
    fn is_due(&self, rests: bool, now: Time) -> bool {
        // A moment that lies ahead was said by another clock.
        let is_past = |at: Time, age: Duration| at > now || at.until(now) >= age;
        let (age_max, again) = if rests { (BEFORE_WRITES, AGAIN) } else { (EVERY, EVERY) };
        match self.shown_at {
            Some(shown_at) => is_past(shown_at, age_max) && is_past(self.tried_at, again),
            None => is_past(self.tried_at, age_max),
        }
    }
}

impl Engine {
    /// Lists the zones that are due: at most once an hour, and once a day where no write rests on it. Says whether what was decided is
    /// old by now: a listing showed a longer TTL, or it took long.
    pub(super) async fn learn_ttls(
        &self,
        known: &mut Picture,
        status: &mut Status,
        attempts: &Attempts,
        decision: &Decision,
    ) -> Result<bool, EngineError> {
        let began = self.ports.clock.now();
        let rests = rests_on_listings(known, decision, attempts, began);
        if known.transition.is_none() && !rests {
            return Ok(false);
        }
        // Each transition begins with a listing.
        let begun = known.transition.as_ref().map(|transition| transition.started_at);
        let begun = begun.map(|at| Listed { tried_at: at, shown_at: Some(at) });
        let is_due = |operator: &String| {
            let listed = status.listed.get(operator).copied().into_iter().chain(begun).max_by_key(|one| one.tried_at);
            listed.is_none_or(|listed| listed.is_due(rests, began))
        };
        // Whoever is given up is not asked for anything.
        let due = known.members.iter().filter(|(operator, member)| !member.is_given_up() && is_due(operator));
        let due: Vec<_> =
            due.map(|(operator, _)| (operator.clone(), MemberRecord::wanted(Standing::Serving))).collect();
        if due.is_empty() {
            return Ok(false);
        }
        let operators = self.ports.operators(due.into_iter()).await?;
        let shown = join_all(operators.iter().map(|operator| self.largest_ttl_s(known, &operator.0))).await;
        let mut longer = false;
        for ((OperatorRecord { name, .. }, _), ttl_s) in operators.iter().zip(shown) {
            let before = status.listed.get(name).and_then(|listed| listed.shown_at);
            let tried_at = self.ports.clock.now();
            status.listed.insert(name.clone(), Listed { tried_at, shown_at: ttl_s.map(|_| tried_at).or(before) });
            let Some(ttl_s) = ttl_s else { continue };
            let counted_s = known.lifetimes.data_ttl_s(name);
            let listed = known.listing_showed(name, ttl_s, tried_at);
            longer |= known.lifetimes.data_ttl_s(name) > counted_s;
            self.ports.store.set_zone_ttl(&known.record.name, name, listed).await?;
        }
        Ok(longer || began.until(self.ports.clock.now()) > self.ports.pace.quickest)
    }

    /// `None` where the zone cannot be listed now, whatever the reason: the trouble of one operator is none of the others.
    async fn largest_ttl_s(&self, known: &Picture, operator: &OperatorRecord) -> Option<u32> {
        let provider = self.ports.providers.provider(operator).await.ok()?;
        provider.largest_ttl_s(&known.record.name).await.ok().flatten()
    }
}

/// Whether a decision has a write that is about to be sent and waited for answers to leave the caches: one that takes keys out,
/// and in a roll to another algorithm each of keys.
fn rests_on_listings(known: &Picture, decision: &Decision, attempts: &Attempts, now: Time) -> bool {
    let rolls_algorithm = known.world().algorithm.is_some();
    let sent = decision.writes.iter().filter(|write| attempts.still_waiting(write, now).is_none());
    sent.flat_map(|write| &write.sets).any(|(kind, _, change)| {
        let takes_out = match change {
            Change::Partly { without, .. } => !without.is_empty(),
            Change::Exactly(_) => true,
        };
        *kind == Kind::Dnskey && (takes_out || rolls_algorithm)
    })
}

/// The zones whose last listing is older than a day, though one was tried or the operator takes no updates: one sentence each.
pub(super) fn not_listed_since(known: &Picture, status: &Status, started_at: Time, now: Time) -> Vec<String> {
    let text = |(operator, member): (&String, &Member)| {
        if !known.record.zone_ttls.contains_key(operator) {
            return None;
        }
        let listed = status.listed.get(operator).copied();
        let shown_at = listed.and_then(|listed| listed.shown_at).unwrap_or(started_at).max(started_at);
        let failed = listed.is_some_and(|listed| listed.tried_at > shown_at);
        ((failed || member.is_given_up()) && shown_at.until(now) > EVERY).then(|| {
            format!(
                "the zone at {operator} was not listed since {shown_at}; a record with a longer TTL that was added after that is not \
                 known"
            )
        })
    };
    known.members.iter().filter_map(text).collect()
}
