//! When an address gave no answer that a resolver can use: a fact of the history like every version.
//!
//! Invariant: errs to one side, as spans do. A failure counts from the last good answer before it until the first good one
//! after it. What was served meanwhile is not known; the last version goes on counting as served.

use super::{Failure, History, Kind, Server, Track};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};

/// So many are kept for an address and kind: what fails again and again becomes one that lasts.
const KEPT_MAX: usize = 32;

/// A stretch of time in which an address failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSpan {
    /// The last good answer before it. `None`: there was none.
    pub since: Option<Time>,
    pub first_seen: Time,
    /// The first good answer, or another failure, after it. `None`: it fails still.
    pub until: Option<Time>,
    /// The first that was seen of its kind.
    pub failure: Failure,
}

impl FailedSpan {
    /// From when on it may have failed: nothing is claimed of the time before the first look.
    pub fn begins(&self) -> Time {
        self.since.unwrap_or(self.first_seen)
    }
}

impl Track {
    pub(super) fn has_failed(&mut self, at: Time, failure: &Failure) {
        let last_good = self.spans.last().filter(|span| span.until.is_none()).map(|span| span.last_seen);
        let same = |other: &FailedSpan| std::mem::discriminant(&other.failure) == std::mem::discriminant(failure);
        if let Some(last) = self.failed.last_mut() {
            if last.until.is_none() {
                if same(last) {
                    return;
                }
                last.until = Some(at);
            } else if *failure == Failure::SilentOverUdp && same(last) && last.until == last_good {
                // It answered over TCP in the same round.
                last.until = None;
                return;
            }
        }
        self.failed.push(FailedSpan { since: last_good, first_seen: at, until: None, failure: failure.clone() });
        if self.failed.len() > KEPT_MAX {
            let second = self.failed.remove(1);
            if let Some(first) = self.failed.first_mut() {
                first.until = second.until;
            }
        }
    }

    pub(super) fn works_again(&mut self, at: Time) {
        if let Some(open) = self.failed.last_mut().filter(|failed| failed.until.is_none()) {
            open.until = Some(at);
        }
    }
}

impl History {
    /// Every stretch in which an address failed.
    pub fn failed(&self) -> impl Iterator<Item = (&Server, Kind, &FailedSpan)> {
        self.tracks().flat_map(|(server, kind, track)| track.failed.iter().map(move |failed| (server, kind, failed)))
    }

    /// Whether samples at or after `at` opened or closed any.
    pub fn has_failed_since(&self, at: Time) -> bool {
        self.failed().any(|(_, _, failed)| failed.first_seen >= at || failed.until >= Some(at))
    }

    /// Puts back one that was stored; those of one track in the order of their times.
    pub fn restore_failed(&mut self, server: &Server, kind: Kind, failed: FailedSpan) {
        self.tracks.entry(server, kind).failed.push(failed);
    }
}
