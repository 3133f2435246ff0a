//! The steps of a transition as `zone plan` counts them, and the one that it has reached.
//!
//! Invariant: the number grows as long as the transition goes forward. An address that serves an older version for a while
//! does not take it back: what is waited for says so. It goes back when Chorus has to write again what belongs to an earlier
//! step, or when a person turns the transition round.

use super::status::Status;
use super::summary::is_begun;
use crate::model::group::{Standing, Step, way};
use crate::store::{Aim, MemberRecord, TransitionRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The steps of a transition, and the one it is at.
pub struct Course {
    /// Whether each belongs to a leave.
    pub way: Vec<(bool, &'static [Step])>,
    /// From 1.
    pub number: usize,
    pub step: Step,
}

/// How far a transition has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    transition: String,
    aim: String,
    /// How many steps there were: with another number they are other steps.
    steps: usize,
    number: usize,
    step: Step,
}

/// The steps of a transition, and the furthest that it has reached since it last went back.
pub fn course(status: &Status, members: &BTreeMap<String, MemberRecord>, transition: &TransitionRecord) -> Course {
    let mut course = seen(status, members, transition);
    if let Some(reached) = status.reached.as_ref().filter(|reached| reached.is_beyond(&course, transition)) {
        (course.number, course.step) = (reached.number, reached.step);
    }
    course
}

/// What a round leaves as reached. `before`: what the round before left. `written`: the first step for which the round wrote
/// something.
pub(super) fn reached(
    before: Option<Reached>,
    status: &Status,
    members: &BTreeMap<String, MemberRecord>,
    transition: &TransitionRecord,
    written: Option<Step>,
) -> Option<Reached> {
    let now = seen(status, members, transition);
    let went_back = |reached: &Reached| written.is_some_and(|step| step < reached.step);
    let stays = before.filter(|reached| reached.is_beyond(&now, transition) && !went_back(reached));
    let here = || Reached {
        transition: transition.id.clone(),
        aim: transition.aim.as_str().to_owned(),
        steps: now.way.len(),
        number: now.number,
        step: now.step,
    };
    Some(stays.unwrap_or_else(here))
}

impl Reached {
    fn is_beyond(&self, course: &Course, transition: &TransitionRecord) -> bool {
        self.transition == transition.id
            && self.aim == transition.aim.as_str()
            && self.steps == course.way.len()
            && self.number > course.number
    }
}

/// The step that is read off the last round alone.
fn seen(status: &Status, members: &BTreeMap<String, MemberRecord>, transition: &TransitionRecord) -> Course {
    // Whatever it is called: what is ahead is a climb for those who are not in as far as they are wanted, and a descent
    // for those who are further in.
    let at = |op: &str| status.standings.get(op).copied().unwrap_or(Standing::Outside);
    let target = transition.target();
    let begun_at = |op: &str| transition.from.get(op).copied().unwrap_or(Standing::Outside);
    let joins = target.iter().any(|(op, wanted)| {
        at(op).min(begun_at(op)) < *wanted || transition.aim == Aim::Undoing && !transition.to.contains_key(op)
    });
    let leaves = members.values().any(|member| member.wanted < Standing::Serving);
    let serving = target.iter().all(|(op, wanted)| at(op) >= *wanted);
    let rolling = transition.algorithm.is_some();
    let way = way(joins || transition.is_repair(), leaves, rolling);
    let leaving = leaves && !rolling && (!joins || serving);
    let step = if is_begun(status, transition) {
        status.step
    } else {
        way.first().and_then(|(_, steps)| steps.first()).copied().unwrap_or(status.step)
    };
    let of_it = |(of_leave, _): &&(bool, &[Step])| *of_leave == leaving;
    let at = way.iter().position(|one| of_it(&one) && one.1.contains(&step));
    // A key that is rolled meanwhile may take a step of another way: then it is where this one has come to.
    let come_to = || way.iter().rposition(|one| of_it(&one) && one.1.first().is_some_and(|first| *first <= step));
    let number = at.or_else(come_to).unwrap_or(0) + 1;
    Course { way, number, step }
}
