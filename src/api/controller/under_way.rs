//! A transition as people and programs are shown it on its zone's page: with when it ends, and how long the ways back take.
//!
//! Invariant: `waiting_for`, `ends_at` or `ends_after`, and `undo_takes` or the way forward are there as long as it is under
//! way, whatever it is doing; `stop`, where it can be stopped. A moment is only named where it does not move with the clock.

use super::gist::{self, Gist, title};
use super::show;
use crate::api::wire::{self, At};
use crate::engine::{Course, Picture};
use crate::model::group::{Forecast, Standing, World, forecast, forecast_to, nearest_rest, parent_latency};
use crate::model::time::Time;
use crate::store::{Aim, TransitionRecord, TransitionState};
use std::cmp::Ordering;

/// When a way is expected to end. The parent's steps, and what they take beyond acting at once, are what an estimate can be
/// wrong by.
pub(super) fn expected(world: &World<'_>, way: &Forecast) -> Time {
    let parent_takes = parent_latency(world).unwrap_or(world.lifetimes.parent_pipeline() / 2);
    let parents = way.steps.iter().filter(|step| step.actor != "chorus").count();
    way.ends.plus(parent_takes * u32::try_from(parents).unwrap_or(1))
}

/// The steps for people: what was done, where it is, and what is ahead with the moments of the forecast.
pub(super) fn steps(
    known: &Picture,
    gist: Gist<'_>,
    transition: &TransitionRecord,
    now: Time,
) -> Vec<wire::TimelineStep> {
    let Course { way, number, step } = gist.course(transition);
    let rolling = transition.algorithm.is_some();
    let ahead = forecast(&World { paused: false, now, ..known.world() }).steps;
    // After something whose end cannot be known, no moment is known either.
    let known_from_here = gist.open_end(transition).is_none();
    let each = way.iter().enumerate().map(|(nth, (leaves, steps))| {
        let state = match (nth + 1).cmp(&number) {
            Ordering::Less => wire::StepState::Done,
            Ordering::Equal => wire::StepState::Now,
            Ordering::Greater => wire::StepState::Ahead,
        };
        let of = if state == wire::StepState::Now { Some(step) } else { steps.last().copied() };
        let expected = ahead.iter().find(|step| step.leaves == *leaves && steps.contains(&step.step));
        let expected = expected.filter(|_| known_from_here && state != wire::StepState::Done);
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
    gist: Gist<'_>,
    transition: &TransitionRecord,
    now: Time,
) -> wire::TransitionShow {
    let world = World { paused: false, now, ..known.world() };
    let ends = forecast(&world);
    let open_end = gist.open_end(transition);
    let moment = |at: Time| At::known(at).filter(|_| open_end.is_none());
    let stop = nearest_rest(&world, &transition.from, &transition.to);
    let takes = |way: &Forecast| wire::Takes {
        earliest_s: now.until(way.ends).as_secs(),
        expected_s: now.until(expected(&world, way)).as_secs(),
    };
    wire::TransitionShow {
        ends_earliest: moment(ends.ends),
        ends_at: moment(ends.ends)
            .zip(moment(expected(&world, &ends)))
            .map(|(earliest, expected)| wire::EndsAt { earliest, expected }),
        ends_after: open_end.map(|what| wire::EndsAfter { what, at_least_s: now.until(ends.ends).as_secs() }),
        undo_takes: (transition.aim != Aim::Undoing).then(|| {
            let algorithm = transition.algorithm.map(|change| change.from);
            takes(&forecast_to(&World { algorithm, ..world }, &transition.from))
        }),
        stop: transition.algorithm.is_none().then(|| wire::StopShow {
            serving: stop.group.iter().filter(|(_, s)| **s == Standing::Serving).map(|(op, _)| op.clone()).collect(),
            trusted: show::trusted(&stop.group),
            takes: takes(&stop.forecast),
        }),
        ..gist.running(transition)
    }
}

pub(super) fn ended(transition: &TransitionRecord) -> wire::TransitionShow {
    wire::TransitionShow {
        state: match transition.state {
            TransitionState::Running => wire::TransitionState::Acting,
            TransitionState::Done => wire::TransitionState::Done,
            TransitionState::Undone => wire::TransitionState::Undone,
            TransitionState::Stopped => wire::TransitionState::Stopped,
        },
        paused: false,
        left: left(transition),
        ..gist::bare(transition)
    }
}

/// Resolvers that serve stale records (RFC 8767) may know an operator for so long after the last delegation that names it has
/// expired, and query it.
const STALE_AT_MOST_S: u64 = 7 * 86_400;

/// Who has left and may be shut down, and from when on. Nothing is said of an operator that no resolver could query, of one that
/// did not answer when it left, nor where the transition ended before that was recorded.
fn left(transition: &TransitionRecord) -> Vec<wire::LeftShow> {
    let unused_from = transition.ended_at.and_then(|ended| At::known(ended.plus_s(STALE_AT_MOST_S)));
    let each = transition.departed.iter();
    each.filter_map(|operator| Some(wire::LeftShow { operator: operator.clone(), unused_from: unused_from? })).collect()
}
