//! What can be said of a zone without its history: the verdict, and the transition but for its forecasts.
//!
//! Invariant: a line in a list says the same as the zone's own page, for both say it here; and `verdict` is never empty, nor
//! is `waiting_for` while a transition is under way.

use super::show;
use crate::api::wire::{self, At};
use crate::engine::{
    BOGUS, Status, alarm, awaited, exposed, is_at_rest, is_begun, state_of_transition, summary, unanswering,
};
use crate::model::group::{Group, NEEDS_REPAIR, Standing, Step, algorithm_name};
use crate::model::time::Time;
use crate::store::{Aim, AlgorithmChange, MemberRecord, TransitionRecord, UNFINISHED, ZoneState};
use std::collections::BTreeMap;

/// A zone as it is kept beside its history.
#[derive(Clone, Copy)]
pub(super) struct Gist<'a> {
    pub members: &'a BTreeMap<String, MemberRecord>,
    pub status: &'a Status,
    /// The one that is under way.
    pub transition: Option<&'a TransitionRecord>,
}

/// Of a zone that validators treat as unsigned (RFC 4035 §5.2).
const INSECURE: &str = "the parent has no DS for it, so that resolvers take it for unsigned";

/// The steps of a transition as they are counted, and which of them it is at.
pub(super) struct Course {
    /// Whether each belongs to a leave.
    pub way: Vec<(bool, &'static [Step])>,
    /// From 1.
    pub number: usize,
    pub step: Step,
}

impl Gist<'_> {
    pub fn rest(&self) -> bool {
        is_at_rest(self.status, self.members.len(), self.transition)
    }

    pub fn desired(&self) -> Vec<String> {
        let wanted = self.members.iter().filter(|(_, member)| member.wanted >= Standing::Trusted);
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// What the group lacks, and only a person has put right.
    pub fn to_repair(&self) -> Vec<String> {
        let waits = self.status.waiting.iter().filter(|wait| wait.code == NEEDS_REPAIR && self.transition.is_none());
        waits.map(|wait| wait.text.clone()).collect()
    }

    pub fn verdict(&self) -> String {
        let Gist { members, status, transition } = self;
        let operators: Vec<&str> = members.keys().map(String::as_str).collect();
        let by = joined(&operators);
        if let Some(trouble) = &status.trouble {
            return format!("Cannot be looked after at the moment: {trouble}");
        }
        if let Some(exposure) = exposed(status).filter(|exposure| !exposure.insecure) {
            return format!("Some resolvers may fail: {}", exposure.what);
        }
        if let Some(lost) = exposed(status) {
            return match (status.secure, lost.until < Time::MAX) {
                (Some(true), true) => format!("Secure again; some resolvers take it for unsigned until {}", lost.until),
                _ => format!("Insecure since {}: {INSECURE}, and had one before", lost.from),
            };
        }
        let alarm = alarm(status);
        let waiting = alarm.or(status.waiting.first()).map(|wait| wait.text.as_str());
        match transition {
            Some(running) if running.paused => {
                format!("{}, paused: keys are still shared, nothing else is written", way(running))
            }
            Some(running) => {
                let awaited = awaited(status, running).map(|wait| wait.text.as_str());
                format!("{}: {}", way(running), awaited.unwrap_or("on its way"))
            }
            None if status.observed_at.is_none() => "Not looked at yet".into(),
            None if alarm.is_some() => format!("Signed by {by}; {}", waiting.unwrap_or_default()),
            None if let Some(bogus) = status.waiting.iter().find(|wait| wait.code == BOGUS) => {
                format!("Signed by {by}; some resolvers fail: {}", bogus.text)
            }
            None if members.len() == 1 && !self.rest() => {
                let silent = unanswering(status).map(|one| format!("{} {}", one.server, one.failure));
                format!("Served by {by}, of which {}", silent.unwrap_or_default())
            }
            None if members.len() == 1 && status.secure == Some(false) => {
                format!("Insecure: {INSECURE}; signed by {by}, nothing to do")
            }
            None if members.len() == 1 => format!("Signed by {by}, nothing to do"),
            None if status.secure == Some(false) => {
                format!("Insecure: {INSECURE}; signed by {by}; {}", waiting.unwrap_or("being looked at"))
            }
            None if status.settled => format!("Signed by {by}, the parent agrees, nothing to do"),
            None => format!("Signed by {by}; {}", waiting.unwrap_or("being looked at")),
        }
    }

    /// As in the list of zones.
    pub fn state(&self) -> ZoneState {
        let looked = self.status.observed_at.unwrap_or(Time::MIN);
        summary(self.status, self.members.len(), self.transition, looked).state
    }

    /// What is awaited without a transition; `None` at rest.
    pub fn unsettled(&self) -> Option<wire::WaitingFor> {
        self.trouble()
            .or_else(|| alarm(self.status).or(self.status.waiting.first()).filter(|_| !self.rest()).map(waiting))
    }

    fn trouble(&self) -> Option<wire::WaitingFor> {
        let trouble = self.status.trouble.as_ref()?;
        Some(wire::WaitingFor { code: UNFINISHED.into(), text: trouble.clone(), until: None })
    }

    /// The steps of a transition as they are counted, and which of them it is at.
    pub fn course(&self, transition: &TransitionRecord) -> Course {
        let status = self.status;
        // Whatever it is called: what is ahead is a climb for those who are not in as far as they are wanted, and a descent
        // for those who are further in.
        let at = |op: &str| status.standings.get(op).copied().unwrap_or(Standing::Outside);
        let target = transition.target();
        let begun_at = |op: &str| transition.from.get(op).copied().unwrap_or(Standing::Outside);
        let joins = target.iter().any(|(op, wanted)| {
            at(op).min(begun_at(op)) < *wanted || transition.aim == Aim::Undoing && !transition.to.contains_key(op)
        });
        let leaves = self.members.values().any(|member| member.wanted < Standing::Serving);
        let serving = target.iter().all(|(op, wanted)| at(op) >= *wanted);
        let rolling = transition.algorithm.is_some();
        let way: Vec<(bool, &'static [Step])> = JOIN
            .iter()
            .filter(|_| (joins || transition.is_repair()) && !rolling)
            .map(|steps| (false, *steps))
            .chain(LEAVE.iter().filter(|_| leaves && !rolling).map(|steps| (true, *steps)))
            .chain(ALGORITHM.iter().filter(|_| rolling).map(|steps| (false, *steps)))
            .collect();
        let leaving = leaves && !rolling && (!joins || serving);
        let step = if is_begun(status, transition) {
            status.step
        } else {
            way.first().and_then(|(_, steps)| steps.first()).copied().unwrap_or(Step::ShareKeys)
        };
        let of_it = |(of_leave, _): &&(bool, &[Step])| *of_leave == leaving;
        let at = way.iter().position(|one| of_it(&one) && one.1.contains(&step));
        // A key that is rolled meanwhile may take a step of another way: then it is where this one has come to.
        let come_to = || way.iter().rposition(|one| of_it(&one) && one.1.first().is_some_and(|first| *first <= step));
        let number = at.or_else(come_to).unwrap_or(0) + 1;
        Course { way, number, step }
    }

    /// A transition without what takes its history: when it ends, and how long the ways out take.
    pub fn running(&self, transition: &TransitionRecord) -> wire::TransitionShow {
        let status = self.status;
        let Course { way, number, step } = self.course(transition);
        let rolling = transition.algorithm.is_some();
        let starting = || wire::WaitingFor {
            code: "acting".into(),
            text: format!("{}: being brought about", title(step, rolling)),
            until: None,
        };
        let waits = self.trouble().or_else(|| awaited(status, transition).map(waiting));
        wire::TransitionShow {
            state: on_the_wire(state_of_transition(status, transition)),
            step: title(step, rolling).into(),
            step_number: u32::try_from(number).unwrap_or(1),
            steps: u32::try_from(way.len()).unwrap_or(1),
            waiting_for: Some(waits.unwrap_or_else(starting)),
            ..bare(transition)
        }
    }
}

fn waiting(wait: &crate::engine::WaitingFor) -> wire::WaitingFor {
    wire::WaitingFor { code: wait.code.clone(), text: wait.text.clone(), until: wait.until.and_then(At::known) }
}

/// What the record itself says.
pub(super) fn bare(transition: &TransitionRecord) -> wire::TransitionShow {
    wire::TransitionShow {
        id: transition.id.clone(),
        state: wire::TransitionState::Acting,
        step: title(Step::Settled, false).into(),
        step_number: 1,
        steps: 1,
        waiting_for: None,
        from: transition.from.keys().cloned().collect(),
        to: transition.to.keys().cloned().collect(),
        algorithm: transition.algorithm.map(show::algorithm),
        reason: transition.reason.clone(),
        started: At::clock(transition.started_at),
        ended: transition.ended_at.map(At::clock),
        ends_earliest: None,
        aim: transition.aim.as_str().into(),
        target: transition.target().keys().cloned().collect(),
        paused: transition.paused,
        version: transition.version,
        ends_at: None,
        undo_takes: None,
        stop: None,
    }
}

pub(super) fn on_the_wire(state: ZoneState) -> wire::TransitionState {
    match state {
        ZoneState::Acting => wire::TransitionState::Acting,
        ZoneState::Verifying => wire::TransitionState::Verifying,
        ZoneState::WaitingGuard => wire::TransitionState::WaitingGuard,
        ZoneState::WaitingParent => wire::TransitionState::WaitingParent,
        ZoneState::WaitingOperator => wire::TransitionState::WaitingOperator,
        ZoneState::Blocked => wire::TransitionState::Blocked,
        ZoneState::Paused => wire::TransitionState::Paused,
        // States of zones, not of transitions.
        ZoneState::Exposed | ZoneState::Rest | ZoneState::Unsettled => wire::TransitionState::Other,
    }
}

/// A transition in a few words.
pub(super) fn way(transition: &TransitionRecord) -> String {
    let said = asked(transition);
    match transition.aim {
        Aim::Going => said,
        Aim::Stopping => format!("{said}; it is being stopped, at {}", show::listed(transition.target())),
        Aim::Undoing => format!("{said}; it is being undone"),
    }
}

fn asked(transition: &TransitionRecord) -> String {
    if let Some(AlgorithmChange { from, to }) = transition.algorithm {
        return format!("All go from {} to {}", algorithm_name(from), algorithm_name(to));
    }
    let joins: Vec<&str> = climbing(&transition.from, &transition.to);
    let leaves: Vec<&str> = climbing(&transition.to, &transition.from);
    let verb = |names: &[&str], one: &str, many: &str| {
        format!("{} {}", joined(names), if names.len() == 1 { one } else { many })
    };
    match (joins.is_empty(), leaves.is_empty()) {
        (false, true) => verb(&joins, "joins", "join"),
        (true, false) => verb(&leaves, "leaves", "leave"),
        (false, false) => format!("{} {}", verb(&joins, "replaces", "replace"), joined(&leaves)),
        (true, true) => "What the group lacks is repaired".into(),
    }
}

/// Who is further in with `to` than with `from`.
fn climbing<'a>(from: &Group, to: &'a Group) -> Vec<&'a str> {
    let further = to.iter().filter(|(name, standing)| from.get(*name).is_none_or(|before| before < standing));
    further.map(|(name, _)| name.as_str()).collect()
}

pub(super) fn joined(names: &[&str]) -> String {
    match names {
        [] => "nobody".into(),
        [one] => (*one).into(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// The steps of a join and of a leave as `zone plan` counts them: what is waited for belongs to the step that it allows.
const JOIN: [&[Step]; 5] = [
    &[Step::ShareKeys],
    &[Step::AskForDs],
    &[Step::AwaitDs],
    &[Step::AwaitOldKeysAndDs, Step::NameServers],
    &[Step::AwaitDelegation],
];
const ALGORITHM: [&[Step]; 6] = [
    &[Step::SignWithBoth],
    &[Step::ShareKeys],
    &[Step::AwaitOldKeysAndDs, Step::AskForDs],
    &[Step::AwaitDs, Step::AwaitLeaverKeys, Step::AwaitDsGone],
    &[Step::AwaitOldAlgorithm],
    &[Step::AwaitLeaverAnswers],
];
const LEAVE: [&[Step]; 5] = [
    &[Step::NameServers],
    &[Step::AwaitDelegation],
    &[Step::AwaitLastQuestion, Step::AwaitLeaverKeys],
    // The parent is asked first: until then the operators publish CDS without the leaver's keys.
    &[Step::AwaitDsGone, Step::AskForDs],
    &[Step::AwaitLeaverAnswers],
];

pub(super) fn title(step: Step, rolling: bool) -> &'static str {
    match step {
        Step::AskForDs | Step::AwaitOldKeysAndDs if rolling => {
            "every operator asks the parent for the DS of the algorithm, and no other"
        }
        Step::AwaitDs | Step::AwaitDsGone | Step::AwaitLeaverKeys if rolling => {
            "the parent has the DS of the algorithm, and no other"
        }
        Step::AwaitLeaverAnswers if rolling => "what the other keys signed dies, and their copies go",
        Step::SignWithBoth => "every operator signs with both algorithms",
        Step::AwaitOldAlgorithm => "every operator takes its keys of other algorithms out",
        Step::ShareKeys => "every operator serves the keys of all",
        Step::AskForDs => "every operator asks the parent for the DS of all",
        Step::AwaitDs => "the parent has the DS of all",
        Step::AwaitOldKeysAndDs => "old DNSKEY and DS sets die",
        Step::NameServers => "every operator serves the new name server set",
        Step::AwaitDelegation => "the parent delegates to the new name server set",
        Step::AwaitLastQuestion => "the leaver cannot be asked any more",
        Step::AwaitLeaverKeys => "the leaver's keys are dead, and its DS may go",
        Step::AwaitDsGone => "the parent drops the leaver's DS",
        Step::AwaitLeaverAnswers => "the leaver's answers die, and its keys go",
        Step::Settled => "all is as desired",
    }
}
