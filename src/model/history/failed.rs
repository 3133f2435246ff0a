//! When an address gave no answer that can be used: a fact of the history like every version.
//!
//! Invariant: errs to one side, as spans do. A failure counts from the last good answer before it until the first good one
//! after it. What was served meanwhile is not known; the last version goes on counting as served.

use super::{Failure, History, Kind, Server, Track, Trouble};
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
        if *failure == Failure::SilentOverUdp {
            // What it serves is seen, over TCP.
            return;
        }
        if let Some(open) = self.failed.last_mut().filter(|failed| failed.until.is_none()) {
            if is_alike(&open.failure, failure) {
                return;
            }
            open.until = Some(at);
        }
        let since = self.spans.last().filter(|span| span.until.is_none()).map(|span| span.last_seen);
        self.failed.push(FailedSpan { since, first_seen: at, until: None, failure: failure.clone() });
        if self.failed.len() > KEPT_MAX {
            self.join_the_closest();
        }
    }

    pub(super) fn works_again(&mut self, at: Time) {
        if let Some(open) = self.failed.last_mut().filter(|failed| failed.until.is_none()) {
            open.until = Some(at);
        }
    }

    /// Makes one of two past failures of the same kind, with the shortest time between them. There are fewer kinds than
    /// [`KEPT_MAX`].
    fn join_the_closest(&mut self) {
        let past = self.failed.len().saturating_sub(1);
        let gap_to = |(nth, failed): (usize, &FailedSpan)| {
            let later = self.failed.iter().enumerate().take(past).skip(nth + 1);
            let (next, of_kind) = later.into_iter().find(|(_, other)| is_alike(&other.failure, &failed.failure))?;
            Some((failed.until.unwrap_or(Time::MAX).until(of_kind.begins()), nth, next))
        };
        let closest = self.failed.iter().enumerate().take(past).filter_map(gap_to).min();
        if let Some((_, nth, next)) = closest {
            let joined = self.failed.remove(next);
            if let Some(failed) = self.failed.get_mut(nth) {
                failed.until = failed.until.max(joined.until);
            }
        }
    }
}

/// Whether two failures are the same fact. That a parent's server has a copy of the zone shows itself in two ways.
fn is_alike(a: &Failure, b: &Failure) -> bool {
    let is_copy = |failure: &Failure| matches!(failure, Failure::ServesChild | Failure::NotTransferred(_));
    std::mem::discriminant(a) == std::mem::discriminant(b) || is_copy(a) && is_copy(b)
}

impl FailedSpan {
    /// The clock was set back to `now`. What lay ahead of it lasted as long all the same.
    pub(super) fn bring_back(&mut self, now: Time, next: Time) {
        let lasted = self.until.map(|until| self.begins().until(until));
        self.until = self.until.map(|at| at.min(now));
        self.first_seen = self.first_seen.min(next);
        let begins = self.since.map(|since| since.min(self.first_seen));
        let by_length = self.until.zip(lasted).map(|(until, lasted)| until.minus(lasted));
        self.since = match (begins, by_length) {
            (Some(begins), Some(by_length)) => Some(begins.min(by_length)),
            (None, Some(by_length)) => Some(by_length),
            (begins, None) => begins,
        };
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

    /// Puts back what was wrong with an address at its newest answers.
    pub fn restore_trouble(&mut self, server: &Server, kind: Kind, trouble: Trouble) {
        self.tracks.entry(server, kind).trouble = Some(trouble);
    }
}
