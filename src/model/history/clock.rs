//! What becomes of a history when the clock that its moments were taken from is set.

use super::History;
use crate::model::time::Time;
use std::time::Duration;

impl History {
    /// The clock that all moments were taken from was set forward by so much: on its scale everything was so much later.
    pub fn postpone(&mut self, by: Duration) {
        for track in self.tracks_mut(|_| true) {
            if let Some(trouble) = &mut track.trouble {
                trouble.since = trouble.since.plus(by);
            }
            for failed in &mut track.failed {
                failed.since = failed.since.map(|at| at.plus(by));
                failed.first_seen = failed.first_seen.plus(by);
                failed.until = failed.until.map(|at| at.plus(by));
            }
            for span in &mut track.spans {
                span.since = span.since.map(|at| at.plus(by));
                span.first_seen = span.first_seen.plus(by);
                span.last_seen = span.last_seen.plus(by);
                span.until = span.until.map(|at| at.plus(by));
                span.gaps.iter_mut().for_each(|gap| gap.postpone(by));
            }
        }
    }

    /// The clock was set back to `now`, or was ahead when this was seen: nothing was seen later than now. What seems to have
    /// been may have been served until this moment.
    pub fn bring_back(&mut self, now: Time) {
        let remaining = self.remaining_times();
        for track in self.tracks_mut(|_| true) {
            if let Some(trouble) = &mut track.trouble {
                trouble.since = trouble.since.min(now);
            }
            let mut next = now;
            for failed in track.failed.iter_mut().rev() {
                failed.bring_back(now, next);
                next = Time(failed.first_seen.0.saturating_sub(1));
            }
            // Spans of one track stay in their order, and begin at moments of their own.
            let mut next = now;
            for span in track.spans.iter_mut().rev() {
                span.until = span.until.map(|at| at.min(now));
                span.last_seen = span.last_seen.min(now);
                span.first_seen = span.first_seen.min(next);
                span.since = span.since.map(|at| at.min(span.first_seen));
                span.gaps.iter_mut().for_each(|gap| gap.bring_back(now));
                next = Time(span.first_seen.0.saturating_sub(1));
            }
        }
        self.restore_deadlines(&remaining);
    }
}
