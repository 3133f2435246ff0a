//! A transition as people and programs are shown it: which step, what is awaited, when it ends, how long the ways back take.
//!
//! Invariant: `waiting_for`, `ends_at` and `undo_takes` or the way forward are there as long as it is under way, whatever it
//! is doing; `stop`, where it can be stopped.

use super::show;
use crate::api::wire::{self, At};
use crate::engine::{Picture, Status, WaitingFor};
use crate::model::group::{
    Forecast, Group, Standing, Step, World, algorithm_name, forecast, forecast_to, nearest_rest, parent_latency,
};
use crate::model::time::Time;
use crate::store::{Aim, AlgorithmChange, TransitionRecord, TransitionState};
use std::cmp::Ordering;

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
        format!("{} {}", show::joined(names), if names.len() == 1 { one } else { many })
    };
    match (joins.is_empty(), leaves.is_empty()) {
        (false, true) => verb(&joins, "joins", "join"),
        (true, false) => verb(&leaves, "leaves", "leave"),
        (false, false) => format!("{} {}", verb(&joins, "replaces", "replace"), show::joined(&leaves)),
        (true, true) => "Nothing changes".into(),
    }
}

/// Who is further in with `to` than with `from`.
fn climbing<'a>(from: &Group, to: &'a Group) -> Vec<&'a str> {
    let further = to.iter().filter(|(name, standing)| from.get(*name).is_none_or(|before| before < standing));
    further.map(|(name, _)| name.as_str()).collect()
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
    &[Step::AwaitDsGone],
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

/// When a way is expected to end. The parent's steps, and what they take beyond acting at once, are what an estimate can be
/// wrong by.
pub(super) fn expected(world: &World<'_>, way: &Forecast) -> Time {
    let parent_takes = parent_latency(world).unwrap_or(world.lifetimes.parent_pipeline() / 2);
    let parents = way.steps.iter().filter(|step| step.actor != "chorus").count();
    way.ends.plus(parent_takes * u32::try_from(parents).unwrap_or(1))
}

/// The steps of a transition as they are counted, and which of them it is at.
struct Course {
    /// Whether each belongs to a leave.
    way: Vec<(bool, &'static [Step])>,
    /// From 1.
    number: usize,
    step: Step,
    begun: bool,
}

fn course(known: &Picture, status: &Status, transition: &TransitionRecord) -> Course {
    // Whatever it is called: what is ahead is a climb for those who are not in as far as they are wanted, and a descent for
    // those who are further in.
    let at = |op: &str| status.standings.get(op).copied().unwrap_or(Standing::Outside);
    let target = transition.target();
    let begun_at = |op: &str| transition.from.get(op).copied().unwrap_or(Standing::Outside);
    let joins = target.iter().any(|(op, wanted)| {
        at(op).min(begun_at(op)) < *wanted || transition.aim == Aim::Undoing && !transition.to.contains_key(op)
    });
    let leaves = known.members.values().any(|member| member.wanted < Standing::Serving);
    let serving = target.iter().all(|(op, wanted)| at(op) >= *wanted);
    let way: Vec<(bool, &'static [Step])> = JOIN
        .iter()
        .filter(|_| joins && transition.algorithm.is_none())
        .map(|steps| (false, *steps))
        .chain(LEAVE.iter().filter(|_| leaves && transition.algorithm.is_none()).map(|steps| (true, *steps)))
        .chain(ALGORITHM.iter().filter(|_| transition.algorithm.is_some()).map(|steps| (false, *steps)))
        .collect();
    let leaving = leaves && transition.algorithm.is_none() && (!joins || serving);
    // Before the first turn the status is still that of the rest before.
    let begun = status.step != Step::Settled || status.observed_at.is_some_and(|at| at >= transition.started_at);
    let step = if begun {
        status.step
    } else {
        way.first().and_then(|(_, steps)| steps.first()).copied().unwrap_or(Step::ShareKeys)
    };
    let number =
        way.iter().position(|(of_leave, steps)| steps.contains(&step) && *of_leave == leaving).unwrap_or(0) + 1;
    Course { way, number, step, begun }
}

/// The steps for people: what was done, where it is, and what is ahead with the moments of the forecast.
pub(super) fn steps(
    known: &Picture,
    status: &Status,
    transition: &TransitionRecord,
    now: Time,
) -> Vec<wire::TimelineStep> {
    let Course { way, number, step, .. } = course(known, status, transition);
    let rolling = transition.algorithm.is_some();
    let ahead = forecast(&World { paused: false, now, ..known.world() }).steps;
    // A forecast has these very steps, without those at its beginning that are done; unless some are to be trusted only.
    let alike = transition.target().values().all(|wanted| *wanted == Standing::Serving) && ahead.len() <= way.len();
    let passed = way.len().saturating_sub(ahead.len());
    let each = way.iter().enumerate().map(|(nth, (_, steps))| {
        let state = match (nth + 1).cmp(&number) {
            Ordering::Less => wire::StepState::Done,
            Ordering::Equal => wire::StepState::Now,
            Ordering::Greater => wire::StepState::Ahead,
        };
        let of = if state == wire::StepState::Now { Some(step) } else { steps.last().copied() };
        let expected = nth.checked_sub(passed).and_then(|nth| ahead.get(nth));
        let expected = expected.filter(|_| alike && state != wire::StepState::Done);
        wire::TimelineStep {
            title: title(of.unwrap_or(step), rolling).into(),
            state,
            earliest: expected.and_then(|step| At::known(step.earliest)),
        }
    });
    each.collect()
}

pub(super) fn running(
    known: &Picture,
    status: &Status,
    transition: &TransitionRecord,
    now: Time,
) -> wire::TransitionShow {
    let Course { way, number, step, begun } = course(known, status, transition);
    let rolling = transition.algorithm.is_some();
    let waiting = status.waiting.first().filter(|_| begun);
    let state = match waiting {
        _ if transition.paused => wire::TransitionState::Paused,
        None => wire::TransitionState::Acting,
        Some(wait) => state_of(wait),
    };
    let waiting_for = waiting.map(|wait| wire::WaitingFor {
        code: wait.code.clone(),
        text: wait.text.clone(),
        until: wait.until.and_then(At::known),
    });
    let trouble = status.trouble.as_ref().map(|text| wire::WaitingFor {
        code: "observation-failed".into(),
        text: text.clone(),
        until: None,
    });
    let starting = || wire::WaitingFor {
        code: "acting".into(),
        text: format!("{}: being brought about", title(step, rolling)),
        until: None,
    };
    let world = World { paused: false, now, ..known.world() };
    let ends = forecast(&world);
    let stop = nearest_rest(&world, &transition.from, &transition.to);
    let takes = |way: &Forecast| wire::Takes {
        earliest_s: now.until(way.ends).as_secs(),
        expected_s: now.until(expected(&world, way)).as_secs(),
    };
    wire::TransitionShow {
        id: transition.id.clone(),
        state,
        step: title(step, rolling).into(),
        step_number: u32::try_from(number).unwrap_or(1),
        steps: u32::try_from(way.len()).unwrap_or(1),
        waiting_for: Some(trouble.or(waiting_for).unwrap_or_else(starting)),
        from: transition.from.keys().cloned().collect(),
        to: transition.to.keys().cloned().collect(),
        algorithm: transition.algorithm.map(show::algorithm),
        reason: transition.reason.clone(),
        started: At::clock(transition.started_at),
        ended: None,
        ends_earliest: At::known(ends.ends),
        aim: transition.aim.as_str().into(),
        target: transition.target().keys().cloned().collect(),
        paused: transition.paused,
        version: transition.version,
        ends_at: At::known(ends.ends)
            .zip(At::known(expected(&world, &ends)))
            .map(|(earliest, expected)| wire::EndsAt { earliest, expected }),
        undo_takes: (transition.aim != Aim::Undoing).then(|| {
            let algorithm = transition.algorithm.map(|change| change.from);
            takes(&forecast_to(&World { algorithm, ..world }, &transition.from))
        }),
        stop: (!rolling).then(|| wire::StopShow {
            serving: stop.group.iter().filter(|(_, s)| **s == Standing::Serving).map(|(op, _)| op.clone()).collect(),
            trusted: show::trusted(&stop.group),
            takes: takes(&stop.forecast),
        }),
    }
}

pub(super) fn ended(transition: &TransitionRecord) -> wire::TransitionShow {
    wire::TransitionShow {
        id: transition.id.clone(),
        state: match transition.state {
            TransitionState::Running => wire::TransitionState::Acting,
            TransitionState::Done => wire::TransitionState::Done,
            TransitionState::Undone => wire::TransitionState::Undone,
            TransitionState::Stopped => wire::TransitionState::Stopped,
        },
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
        paused: false,
        version: transition.version,
        ends_at: None,
        undo_takes: None,
        stop: None,
    }
}

pub(super) fn state_of(wait: &WaitingFor) -> wire::TransitionState {
    match wait.code.as_str() {
        "paused" => wire::TransitionState::Paused,
        // It ends by itself.
        "clock-jumped" => wire::TransitionState::WaitingGuard,
        "operator-lag" => wire::TransitionState::Verifying,
        "invariant-refused" if wait.until.is_some() => wire::TransitionState::WaitingGuard,
        "operator-unreachable"
        | "no-answer"
        | "no-connection"
        | "outcome-unknown"
        | "update-overtaken"
        | "update-servfail"
        | "read-servfail"
        | "too-many-requests"
        | "request-budget-spent"
        | "update-unpublished"
        | "update-server-error"
        | "read-server-error"
        | "algorithm-operator" => wire::TransitionState::WaitingOperator,
        code if code.starts_with("guard-") => wire::TransitionState::WaitingGuard,
        code if code.starts_with("parent-") => wire::TransitionState::WaitingParent,
        _ => wire::TransitionState::Blocked,
    }
}
