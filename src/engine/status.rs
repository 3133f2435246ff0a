//! What the last turn of a zone found: stored for whoever asks in between.

use super::clock::Reading;
use super::course::Reached;
use super::listings::Listed;
use super::looks::LongestGap;
use super::sampling::Sampling;
use crate::model::chain::Exposure;
use crate::model::group::{Asked, Loss, Standing, Step};
use crate::model::history::{Failure, History, Kind, Server, Trouble};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Why nothing happens right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingFor {
    pub step: Step,
    /// Stable, kebab-case.
    pub code: String,
    pub text: String,
    pub until: Option<Time>,
}

/// An address that did not show something when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    pub server: Server,
    pub kind: Kind,
    pub since: Time,
    pub failure: Failure,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}, since {}", self.server, self.failure, self.since)
    }
}

/// A set that was written at an operator, with each moment at which that changed something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenLately {
    pub operator: String,
    #[serde(default)]
    pub kinds: BTreeSet<Kind>,
    pub what: String,
    pub at: Vec<Time>,
}

/// Since when the parent is waited for, and when that was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentAwaited {
    pub since: Time,
    pub told_at: Option<Time>,
}

/// What the clocks showed when they last agreed, and for how many rounds more nothing is written since they did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockWatch {
    pub reading: Reading,
    pub rounds_held: u32,
    /// What happened to the clock.
    pub text: String,
}

/// Since when a fresh resolution fails at the end of a transition, and by what first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    pub since: Time,
    pub text: String,
}

/// Kept as JSON in the store. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub observed_at: Option<Time>,
    pub step: Step,
    pub waiting: Vec<WaitingFor>,
    pub standings: BTreeMap<String, Standing>,
    pub exposures: Vec<Exposure>,
    pub parent_zone: String,
    pub settled: bool,
    /// Whether the parent has a DS; `None` before that was looked at.
    pub secure: Option<bool>,
    /// What the parent should have, as RDATA: DS and NS.
    pub parent_ds: Vec<String>,
    pub parent_ns: Vec<String>,
    /// What is wrong with addresses. No part of what was served, hence not in the spans; but since when is remembered.
    pub unanswered: Vec<Unanswered>,
    /// What was written lately, and with effect: what somebody takes out again and again is not put back for ever.
    pub written: Vec<WrittenLately>,
    /// Why the last turn did not come to its end, if it did not.
    pub trouble: Option<String>,
    /// Events of all that was seen up to here are in the history.
    pub told_at: Option<Time>,
    pub clock: Option<ClockWatch>,
    pub parent_awaited: Option<ParentAwaited>,
    /// What it was asked for and did not show when it was last looked at: how long it takes is measured.
    pub parent_asked: Vec<Asked>,
    pub failing: Option<Failing>,
    pub sampling: Sampling,
    /// What looks like a second controller: nothing but new keys is written until a person asks for it.
    pub second_writer: Option<String>,
    /// What operators lost by nothing that Chorus did.
    pub losses: Vec<Loss>,
    /// How far the transition has come that is under way.
    pub reached: Option<Reached>,
    /// The longest time between two rounds of the transition that is under way.
    pub longest_gap: Option<LongestGap>,
    /// The operators of which it was told that signatures are about to end.
    pub ending: BTreeSet<String>,
    /// When the operators' zones were listed last.
    pub listed: BTreeMap<String, Listed>,
}

impl Default for Status {
    fn default() -> Self {
        Status {
            observed_at: None,
            step: Step::Settled,
            waiting: Vec::new(),
            standings: BTreeMap::new(),
            exposures: Vec::new(),
            parent_zone: String::new(),
            settled: false,
            secure: None,
            parent_ds: Vec::new(),
            parent_ns: Vec::new(),
            unanswered: Vec::new(),
            written: Vec::new(),
            trouble: None,
            told_at: None,
            clock: None,
            parent_awaited: None,
            parent_asked: Vec::new(),
            failing: None,
            sampling: Sampling::default(),
            second_writer: None,
            losses: Vec::new(),
            reached: None,
            longest_gap: None,
            ending: BTreeSet::new(),
            listed: BTreeMap::new(),
        }
    }
}

impl Status {
    /// A status of another version, or a damaged one, is as good as none: the next turn makes a new one.
    pub fn read(text: &str) -> Status {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Puts back what was wrong with addresses into a history that was restored from its spans.
    pub(super) fn restore_troubles(&self, history: &mut History) {
        for Unanswered { server, kind, since, failure } in &self.unanswered {
            history.restore_trouble(server, *kind, Trouble { since: *since, failure: failure.clone() });
        }
    }

    /// Every moment by so much later.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.moments(|at| *at = at.plus(by));
        self.longest_gap.iter_mut().for_each(|longest| longest.gap.postpone(by));
    }

    /// No moment later than `now`.
    pub(super) fn bring_back(&mut self, now: Time) {
        self.moments(|at| *at = (*at).min(now));
        self.longest_gap.iter_mut().for_each(|longest| longest.gap.bring_back(now));
    }

    fn moments(&mut self, mut change: impl FnMut(&mut Time)) {
        let of_writes = self.written.iter_mut().flat_map(|written| written.at.iter_mut());
        let of_failures = self.unanswered.iter_mut().map(|unanswered| &mut unanswered.since);
        let single = [&mut self.observed_at, &mut self.told_at].into_iter().flatten();
        let of_parent = self
            .parent_awaited
            .iter_mut()
            .flat_map(|awaited| std::iter::once(&mut awaited.since).chain(&mut awaited.told_at));
        let of_data = self.sampling.bogus.iter_mut().map(|bogus| &mut bogus.since).chain(&mut self.sampling.at);
        let of_listings =
            self.listed.values_mut().flat_map(|one| std::iter::once(&mut one.tried_at).chain(&mut one.shown_at));
        let of_end = self.failing.iter_mut().map(|failing| &mut failing.since);
        let of_requests = self.parent_asked.iter_mut().map(|asked| &mut asked.at);
        of_writes
            .chain(of_data)
            .chain(of_end)
            .chain(of_listings)
            .chain(of_failures)
            .chain(of_requests)
            .chain(of_parent)
            .chain(single)
            .for_each(&mut change);
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
