//! A transition as people and programs are shown it on its zone's page: with when it ends, and how long the ways back take.
//!
//! Invariant: `waiting_for`, `ends_at` and `undo_takes` or the way forward are there as long as it is under way, whatever it
//! is doing; `stop`, where it can be stopped.

use super::gist::{self, Gist};
use super::show;
use crate::api::wire::{self, At};
use crate::engine::Picture;
use crate::model::group::{Forecast, Standing, World, forecast, forecast_to, nearest_rest, parent_latency};
use crate::model::time::Time;
use crate::store::{Aim, TransitionRecord, TransitionState};

pub(super) fn running(
    known: &Picture,
    gist: Gist<'_>,
    transition: &TransitionRecord,
    now: Time,
) -> wire::TransitionShow {
    let world = World { paused: false, now, ..known.world() };
    let ends = forecast(&world);
    let stop = nearest_rest(&world, &transition.from, &transition.to);
    let parent_takes = parent_latency(&world).unwrap_or(known.lifetimes.parent_pipeline() / 2);
    // The parent's steps, and what they take beyond acting at once, are what an estimate can be wrong by.
    let expected = |way: &Forecast| {
        let parents = way.steps.iter().filter(|step| step.actor != "chorus").count();
        way.ends.plus(parent_takes * u32::try_from(parents).unwrap_or(1))
    };
    let takes = |way: &Forecast| wire::Takes {
        earliest_s: now.until(way.ends).as_secs(),
        expected_s: now.until(expected(way)).as_secs(),
    };
    wire::TransitionShow {
        ends_earliest: At::known(ends.ends),
        ends_at: At::known(ends.ends)
            .zip(At::known(expected(&ends)))
            .map(|(earliest, expected)| wire::EndsAt { earliest, expected }),
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
        ..gist::bare(transition)
    }
}
