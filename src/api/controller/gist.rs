//! What can be said of a zone without its history: the verdict, and the transition but for its forecasts.
//!
//! Invariant: a line in a list says the same as the zone's own page, for both say it here; and `verdict` is never empty, nor
//! is `waiting_for` while a transition is under way.

use super::show;
use crate::api::wire::{self, At};
use crate::engine::{
    BOGUS, Course, Status, alarm, awaited, course, exposed, failing, is_at_rest, state_of_transition, summary,
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
const INSECURE: &str = "the parent has no DS for it that resolvers can use, so that they take it for unsigned";

impl Gist<'_> {
    pub fn rest(&self) -> bool {
        is_at_rest(self.status, self.members.len(), self.transition)
    }

    pub fn desired(&self) -> Vec<String> {
        let wanted = self.members.iter().filter(|(_, member)| member.wanted >= Standing::Trusted);
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// What the group lacks, and only a person has put right.
    pub fn lacking(&self) -> Vec<String> {
        let waits = self.status.waiting.iter().filter(|wait| wait.code == NEEDS_REPAIR && self.transition.is_none());
        waits.map(|wait| wait.text.clone()).collect()
    }

    /// The first sentence that a person reads of the zone: the headline, and the reason.
    pub fn verdict(&self) -> String {
        let Said { headline, reason, .. } = self.said();
        match reason {
            Some((joint, reason)) => format!("{headline}{joint}{reason}"),
            None => headline,
        }
    }

    /// The verdict without what is waited for, for a view that shows that beside it.
    pub fn headline(&self) -> String {
        let Said { headline, beside, .. } = self.said();
        format!("{headline}{beside}")
    }

    fn said(&self) -> Said {
        let Gist { members, status, transition } = self;
        let operators: Vec<&str> = members.keys().map(String::as_str).collect();
        let by = joined(&operators);
        if let Some(trouble) = &status.trouble {
            return Said::because("The last check of this zone failed".into(), ": ", trouble);
        }
        if let Some(exposure) = exposed(status).filter(|exposure| !exposure.insecure) {
            return Said::whole(format!("Some resolvers may fail: {}", exposure.what));
        }
        if let Some(lost) = exposed(status) {
            return Said::whole(match (status.secure, lost.until < Time::MAX) {
                (Some(true), true) => format!("Secure again; some resolvers take it for unsigned until {}", lost.until),
                _ => format!("Insecure since {}: {INSECURE}, and had one before", lost.from),
            });
        }
        let alarm = alarm(status);
        match transition {
            Some(running) if running.paused => Said::whole(format!(
                "{}, paused: Chorus still shares new keys between the operators and writes nothing else",
                way(running)
            )),
            Some(running) => {
                let awaited = awaited(status, running).map(|wait| wait.text.as_str());
                Said::because(way(running), ": ", awaited.unwrap_or("in progress"))
            }
            None if status.observed_at.is_none() => Said::whole("Not looked at yet".into()),
            None if let Some(bogus) = status.waiting.iter().find(|wait| wait.code == BOGUS) => {
                Said::because(format!("Signed by {by}{}; some resolvers fail", failures(status)), ": ", &bogus.text)
            }
            None if alarm.is_some() => {
                let text = alarm.map_or("", |wait| wait.text.as_str());
                Said::because(format!("Signed by {by}{}", failures(status)), "; ", text)
            }
            None if members.len() == 1 && !self.rest() => Said::whole(format!("Served by {by}{}", failures(status))),
            None if members.len() == 1 && status.secure == Some(false) => {
                Said::whole(format!("Insecure: {INSECURE}; signed by {by}, nothing to do"))
            }
            None if members.len() == 1 => Said::whole(format!("Signed by {by}, nothing to do")),
            None if status.secure == Some(false) => {
                let waiting = status.waiting.first().map_or("being looked at", |wait| wait.text.as_str());
                Said::because(format!("Insecure: {INSECURE}; signed by {by}{}", failures(status)), "; ", waiting)
            }
            None if status.settled => Said::whole(format!("Signed by {by}, the parent agrees, nothing to do")),
            None => self.unsettled_group(&by),
        }
    }

    /// Two or more operators without a transition, and something to wait for. An operator that does not answer is named
    /// whatever is waited for: the others go on as they are.
    fn unsettled_group(&self, by: &str) -> Said {
        let status = self.status;
        let failing = failures(status);
        let signed = format!("Signed by {by}");
        match status.waiting.first() {
            // Its reason names the server.
            Some(wait) if wait.code == "operator-unreachable" => {
                Said { beside: failing, ..Said::because(signed, "; ", &wait.text) }
            }
            Some(wait) => Said::because(format!("{signed}{failing}"), "; ", &wait.text),
            None => Said::because(format!("{signed}{failing}"), "; ", "being looked at"),
        }
    }

    /// As in the list of zones.
    pub fn state(&self) -> ZoneState {
        let looked = self.status.observed_at.unwrap_or(Time::MIN);
        summary(self.status, self.members.len(), self.transition, looked).state
    }

    /// What is awaited without a transition; `None` at rest.
    pub fn unsettled(&self) -> Option<wire::WaitingFor> {
        let insecure = || {
            let text = format!("a DS at the parent: {INSECURE}");
            let wait = wire::WaitingFor { code: "zone-insecure".into(), text, until: None };
            Some(wait).filter(|_| self.status.secure == Some(false) && self.members.len() == 1)
        };
        self.trouble()
            .or_else(|| alarm(self.status).or(self.status.waiting.first()).filter(|_| !self.rest()).map(waiting))
            .or_else(insecure)
    }

    fn trouble(&self) -> Option<wire::WaitingFor> {
        let trouble = self.status.trouble.as_ref()?;
        Some(wire::WaitingFor { code: UNFINISHED.into(), text: trouble.clone(), until: None })
    }

    /// The steps of a transition as they are counted, and which of them it is at.
    pub fn course(&self, transition: &TransitionRecord) -> Course {
        course(self.status, self.members, transition)
    }

    /// Who or what has to act before the transition goes on, where nobody can know when that is.
    pub fn open_end(&self, transition: &TransitionRecord) -> Option<String> {
        let wait = awaited(self.status, transition);
        let state = state_of_transition(self.status, transition);
        match state {
            ZoneState::Paused => Some("the transition is resumed".into()),
            _ if self.status.trouble.is_some() => Some("the zone can be checked again".into()),
            _ if wait.is_none_or(|wait| wait.until.is_some()) => None,
            ZoneState::WaitingParent if wait.is_some_and(|wait| wait.code == "parent-manual") => {
                Some("you have told the registrar and the parent has published it".into())
            }
            ZoneState::WaitingParent => Some("the parent has acted".into()),
            ZoneState::WaitingOperator => Some("the operator has acted".into()),
            ZoneState::Blocked => Some("the problem above is solved".into()),
            ZoneState::WaitingGuard => Some("what is named above has been seen".into()),
            ZoneState::Acting | ZoneState::Verifying | ZoneState::Exposed | ZoneState::Rest | ZoneState::Unsettled => {
                None
            }
        }
    }

    /// A transition without what takes its history: when it ends, and how long the ways out take.
    pub fn running(&self, transition: &TransitionRecord) -> wire::TransitionShow {
        let status = self.status;
        let Course { way, number, step } = self.course(transition);
        let rolling = transition.algorithm.is_some();
        let starting =
            || wire::WaitingFor { code: "acting".into(), text: "this step is in progress".into(), until: None };
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

/// A verdict in its parts, so that no view has to take a sentence apart.
struct Said {
    headline: String,
    /// What a headline says where no reason follows it.
    beside: String,
    /// What joins it to the headline, and the reason itself.
    reason: Option<(&'static str, String)>,
}

impl Said {
    fn whole(headline: String) -> Said {
        Said { headline, beside: String::new(), reason: None }
    }

    fn because(headline: String, joint: &'static str, reason: &str) -> Said {
        Said { reason: Some((joint, reason.to_owned())), ..Said::whole(headline) }
    }
}

/// The operators that do not answer as they should, each with one address, as the end of a sentence. Empty when all do.
fn failures(status: &Status) -> String {
    let each =
        failing(status).into_values().map(|one| format!("; {} of {} {}", one.server, one.server.who, one.failure));
    each.collect()
}

fn waiting(wait: &crate::engine::WaitingFor) -> wire::WaitingFor {
    wire::WaitingFor { code: wait.code.clone(), text: wait.text.clone(), until: wait.until.and_then(At::known) }
}

/// What the record itself says.
pub(super) fn bare(transition: &TransitionRecord) -> wire::TransitionShow {
    wire::TransitionShow {
        id: transition.id.clone(),
        state: wire::TransitionState::Acting,
        step: ALL_DONE.into(),
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
        ends_after: None,
        left: Vec::new(),
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

/// The step of a transition that has ended.
const ALL_DONE: &str = "all is as desired";

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
        Step::Settled => "a resolver without a cache resolves and validates the zone",
    }
}
