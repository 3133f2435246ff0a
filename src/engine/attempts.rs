//! Writes that brought nothing about yet: when each is tried again, and what was in its way.
//!
//! Invariant: a limit of requests never takes the place of the error that came before it; both are told.

use super::status::WaitingFor;
use crate::model::group::Write;
use crate::model::history::Kind;
use crate::model::time::Time;
use chorus_providers::ProviderError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is tried again after so long at the latest.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// The same where requests are counted.
const PATIENCE_MAX_LIMITED: Duration = Duration::from_secs(1800);
const PATIENCE_MIN: Duration = Duration::from_millis(150);

/// After so long without a name server that shows it, what an interface has stored is published again; after twice as long
/// the next time. deSEC's name servers follow within seconds, and within a minute when a NOTIFY was lost.
const SERVED_WITHIN: Duration = Duration::from_secs(90);

/// Writes that brought nothing about, per operator and RRsets.
#[derive(Default)]
pub(super) struct Attempts(BTreeMap<(String, Vec<Kind>), Attempt>);

struct Attempt {
    write: Write,
    times: u32,
    next: Time,
    /// The pause after which it is tried again.
    pause: Duration,
    waiting: WaitingFor,
    /// When the operator is to publish again what it has stored, and how often it did.
    publish: (Time, u32),
    /// The newest error of this write that was no limit of requests.
    trouble: Option<(String, String)>,
}

/// How soon something is tried again.
#[derive(Clone, Copy, Default)]
pub(super) struct Patience {
    /// It may be seen soon.
    pub quick: bool,
    /// The operator has it, and not every name server serves it yet.
    pub lags: bool,
    /// A limit of requests puts it off.
    pub put_off: bool,
    /// Requests to the operator are counted.
    pub limited: bool,
    /// The operator says when.
    pub at_least: Duration,
    /// The operator has published again what it has stored.
    pub published: bool,
    /// The operator says that it has stored a change and not published it.
    pub unpublished: bool,
}

impl Attempts {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn next_try(&self) -> Option<Time> {
        self.0.values().map(|attempt| attempt.next).min()
    }

    /// Forgets the RRsets that are not to be written any more.
    pub fn keep(&mut self, wanted: &[Write]) {
        let wanted: BTreeSet<_> = wanted.iter().map(place).collect();
        self.0.retain(|place, _| wanted.contains(place));
    }

    fn of(&self, write: &Write) -> Option<&Attempt> {
        self.0.get(&place(write)).filter(|attempt| same_sets(&attempt.write, write))
    }

    pub fn still_waiting(&self, write: &Write, now: Time) -> Option<&WaitingFor> {
        let attempt = self.of(write)?;
        // Further away than it was when the pause began: the clock was set back.
        let pausing = attempt.next > now && attempt.next <= now.plus(attempt.pause);
        pausing.then_some(&attempt.waiting)
    }

    /// Whether an event with this code was told of the newest attempt at these RRsets.
    pub fn has_told(&self, write: &Write, code: &str) -> bool {
        let told = |attempt: &Attempt| {
            attempt.waiting.code == code || attempt.trouble.as_ref().is_some_and(|(other, _)| other == code)
        };
        self.0.get(&place(write)).is_some_and(told)
    }

    /// Whether the operator is to publish again what its interface shows as wanted.
    pub fn may_publish_again(&self, write: &Write, now: Time) -> bool {
        self.of(write).is_some_and(|attempt| attempt.publish.0 <= now)
    }

    /// What is told while the operator has published again, and no name server shows it yet.
    pub fn published_again(&self, write: &Write) -> Option<&WaitingFor> {
        self.of(write).filter(|attempt| attempt.publish.1 > 0).map(|attempt| &attempt.waiting)
    }

    /// What is told of an error. A limit of requests puts off the next try; what made the try before it fail is told with it.
    pub fn with_what_is_behind(
        &self,
        write: &Write,
        error: &ProviderError,
        said: String,
        until: Option<Time>,
    ) -> WaitingFor {
        let behind = self.of(write).and_then(|attempt| attempt.trouble.clone()).filter(|_| error.is_put_off());
        let (code, text) = match behind {
            Some((code, text)) => (code, format!("{text}; the next try waits: {error}")),
            None => (error.code().to_owned(), said),
        };
        WaitingFor { step: write.step, code, text, until }
    }

    /// Tried again after a pause that grows.
    pub fn again(&mut self, write: &Write, now: Time, waiting: WaitingFor, patience: Patience) {
        let before = self.0.remove(&place(write)).filter(|attempt| same_sets(&attempt.write, write));
        let times = before.as_ref().map_or(0, |attempt| attempt.times + 1);
        let publish = match before.as_ref().map_or((now.plus(SERVED_WITHIN), 0), |attempt| attempt.publish) {
            (_, often) if patience.published => (now.plus(SERVED_WITHIN * 2u32.saturating_pow(often + 1)), often + 1),
            (_, often) if patience.unpublished => (now, often),
            unchanged => unchanged,
        };
        let first = if patience.quick { PATIENCE_MIN } else { PATIENCE_MIN * 8 };
        let longest = if patience.limited { PATIENCE_MAX_LIMITED } else { PATIENCE_MAX };
        let mut pause = (first * 2u32.saturating_pow(times.min(16))).min(longest).max(patience.at_least);
        // Whether it is served is asked of the name servers: the interface is not asked before something is due there.
        if patience.limited && patience.lags && publish.0 > now {
            pause = pause.max(now.until(publish.0)).min(longest);
        }
        let trouble = match (patience.put_off, patience.lags) {
            (true, _) => before.and_then(|attempt| attempt.trouble),
            (false, true) => None,
            (false, false) => Some((waiting.code.clone(), waiting.text.clone())),
        };
        let next = now.plus(pause);
        let attempt = Attempt { write: write.clone(), times, next, pause, waiting, publish, trouble };
        self.0.insert(place(write), attempt);
    }
}

fn place(write: &Write) -> (String, Vec<Kind>) {
    (write.operator.clone(), write.sets.iter().map(|(kind, _, _)| *kind).collect())
}

fn same_sets(a: &Write, b: &Write) -> bool {
    a.sets == b.sets && a.step == b.step
}
