//! When the parent's servers were not looked at while they showed the same. What a parent published in such a gap, and took
//! back before its end, nobody saw.
//!
//! Invariant: errs to one side. A gap that is not remembered any more counts as a part of a longer one.

use super::{History, Kind, Server, Span, Who};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Looks that are no further apart than this count as one that lasts: in a transition there is one every minute, and a round
/// takes its time. The slack of the policy covers what a parent publishes and takes back within a minute.
const APART_MAX: Duration = Duration::from_secs(90);
/// So many are kept for a version.
const KEPT_MAX: usize = 64;

/// Between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from: Time,
    pub until: Time,
}

impl Gap {
    pub fn lasts(&self) -> Duration {
        self.from.until(self.until)
    }

    /// The clock was set forward by so much.
    pub fn postpone(&mut self, by: Duration) {
        (self.from, self.until) = (self.from.plus(by), self.until.plus(by));
    }

    /// The clock was set back to `now`. What lay ahead of it lasted as long all the same.
    pub fn bring_back(&mut self, now: Time) {
        let lasted = self.lasts();
        self.until = self.until.min(now);
        self.from = self.until.minus(lasted);
    }
}

impl Span {
    /// The same was seen again at `at`.
    pub(super) fn seen_again(&mut self, at: Time, is_of_parent: bool) {
        let gap = Gap { from: self.last_seen, until: at };
        if is_of_parent && gap.lasts() > APART_MAX {
            self.gaps.push(gap);
            if self.gaps.len() > KEPT_MAX {
                self.join_gaps(at);
            }
        }
        self.last_seen = self.last_seen.max(at);
    }

    /// Makes one of two neighbours, where that makes the least difference: the longer ago a gap was, the longer it may be.
    fn join_gaps(&mut self, now: Time) {
        let weight = |pair: &[Gap]| match pair {
            [first, second] => {
                let age_ms = second.until.until(now).as_millis().max(1);
                first.from.until(second.until).as_millis() * 1_000 / age_ms
            }
            _ => u128::MAX,
        };
        let closest = self.gaps.windows(2).enumerate().min_by_key(|(_, pair)| weight(pair)).map(|(nth, _)| nth);
        if let Some(nth) = closest {
            let joined = self.gaps.remove(nth + 1);
            if let Some(gap) = self.gaps.get_mut(nth) {
                gap.until = joined.until;
            }
        }
    }

    /// The first look at this version that is known of at `at` or later.
    fn look_after(&self, at: Time) -> Option<Time> {
        if at > self.last_seen {
            return None;
        }
        let within = self.gaps.iter().find(|gap| gap.from < at && at < gap.until);
        Some(within.map_or(at.max(self.first_seen), |gap| gap.until))
    }
}

impl History {
    /// Until when a parent may have served what it published at `published` at the latest, whatever its servers showed before
    /// and after: until each of its servers that shows this kind was seen with something else, at that moment or later.
    /// `None` while one of them was not, though others were.
    pub fn published_until(&self, published: Time, kind: Kind) -> Option<Time> {
        let is_past = self.newest().is_some_and(|newest| published.plus(APART_MAX) < newest);
        if !is_past {
            return Some(published);
        }
        let shows = |server: &&Server| server.who == Who::Parent;
        let tracks = self.tracks_of(kind).filter(|(server, _)| shows(server));
        let shown = tracks.filter(|(_, track)| track.current().is_some() && !track.has_copy());
        // What became a server of the parent later did not serve it then.
        let shown = shown.filter(|(_, track)| track.spans.first().is_some_and(|first| first.first_seen <= published));
        let mut seen = shown.map(|(_, track)| track.spans.iter().find_map(|span| span.look_after(published)));
        seen.try_fold(published, |latest, seen| Some(latest.max(seen?)))
    }
}
