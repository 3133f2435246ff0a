//! What of a history is forgotten, once no resolver and no parent can remember it.
//!
//! Invariant: forgetting creates no knowledge. A version tells that its server was seen without it before (`Span::since`), and by
//! that a key is known to be new. So of what is forgotten in a track the newest version stays, as one before which nothing is
//! known: it tells what was there already.

use super::{History, Track};
use crate::model::time::Time;

impl History {
    /// Forgets what ended before `before`. An address that shows nothing any more is forgotten altogether.
    pub fn forget_before(&mut self, before: Time) {
        for track in self.tracks_mut(|track| ended_before(track, before) > 0) {
            let ended = ended_before(track, before);
            if ended == track.spans.len() {
                track.spans.clear();
            } else if let Some(newest) = ended.checked_sub(1) {
                track.spans.drain(..newest);
                if let Some(first) = track.spans.first_mut() {
                    first.since = None;
                }
            }
        }
        for track in self.tracks_mut(|track| has_old_failure(track, before)) {
            track.failed.retain(|failed| failed.until.is_none_or(|until| until >= before));
        }
    }

    /// Whether [`History::forget_before`] would change anything.
    pub fn has_to_forget(&self, before: Time) -> bool {
        self.tracks().any(|(_, _, track)| match ended_before(track, before) {
            0 => false,
            1 => track.spans.len() == 1 || track.spans.first().is_some_and(|first| first.since.is_some()),
            _ => true,
        }) || self.tracks().any(|(_, _, track)| has_old_failure(track, before))
    }
}

fn has_old_failure(track: &Track, before: Time) -> bool {
    track.failed.iter().any(|failed| failed.until.is_some_and(|until| until < before))
}

/// How many of a track's versions ended before `before`.
fn ended_before(track: &Track, before: Time) -> usize {
    track.spans.iter().take_while(|span| span.until.is_some_and(|until| until < before)).count()
}
