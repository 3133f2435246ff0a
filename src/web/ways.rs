//! What a zone's page says of its transition: what can be asked of it now and why not the rest, when it will be done,
//! and what happens if it is stopped now.
//!
//! Invariants: there is an answer in every state, never an empty one. Whether a verb is taken is for the service to
//! say: what is here only keeps people from asking in vain, and tells them why.

use super::markup::{length, people};
use crate::api::wire::{At, EndsAt, LeftShow, Takes, TransitionShow, TransitionState, Verb, ZoneShow};

/// A button, or the reason why there is none.
pub struct Button {
    pub verb: &'static str,
    pub label: &'static str,
    /// What it does: a few words.
    pub does: &'static str,
    /// Whether one click does it; the others ask first.
    pub at_once: bool,
    pub why_not: Option<&'static str>,
}

/// The transition that is under way.
pub fn under_way(zone: &ZoneShow) -> Option<&TransitionShow> {
    zone.transition.as_ref().filter(|transition| !transition.state.is_over())
}

/// Why no change of the group can be begun now.
pub fn why_no_change(zone: &ZoneShow) -> Option<&'static str> {
    under_way(zone).map(|_| "a transition is under way: it ends first, or is stopped or undone")
}

pub fn buttons(zone: &ZoneShow) -> Vec<Button> {
    let onwards = match under_way(zone).map(|transition| (transition.paused, transition.aim.as_str())) {
        Some((true, "undoing")) => "lets it go on, back: it is being undone",
        Some((true, "stopping")) => "lets it go on, to where it stops",
        _ => "lets it go on, forward",
    };
    let all = [
        (Verb::Pause, "Pause", "holds all writes but the sharing of new keys", true),
        (Verb::Resume, "Resume", onwards, true),
        (Verb::Stop, "Stop…", "goes on to the nearest rest state and stays there", false),
        (Verb::Undo, "Undo…", "goes back to the group from before", false),
        (Verb::TryNow, "Try now", "looks at once, and tries again what failed; guards stay guards", true),
        (Verb::Repair, "Repair…", "puts right what the group lacks", false),
        (
            Verb::RegistrarCancelled,
            "Request cancelled…",
            "stops waiting for a request that the registrar has cancelled",
            false,
        ),
    ];
    let button = |(verb, label, does, at_once): (Verb, _, _, _)| Button {
        verb: verb.name(),
        label,
        does,
        at_once,
        why_not: why_not(verb, zone),
    };
    // Most zones never have a request pending.
    let is_of_use =
        |(verb, ..): &(Verb, _, _, _)| *verb != Verb::RegistrarCancelled || !zone.registrar_pending.is_empty();
    all.into_iter().filter(is_of_use).map(button).collect()
}

/// Why a verb would be refused now.
pub fn why_not(verb: Verb, zone: &ZoneShow) -> Option<&'static str> {
    if verb == Verb::RegistrarCancelled {
        return zone.registrar_pending.is_empty().then_some("no earlier request to the registrar is pending");
    }
    let Some(transition) = under_way(zone) else {
        let last = zone.transition.as_ref().map(|transition| transition.state);
        let led_nowhere =
            zone.transition.as_ref().is_some_and(|last| last.algorithm.is_none() && last.target == last.from);
        return match (verb, last) {
            (Verb::TryNow, _) => None,
            (Verb::Repair, _) if !zone.to_repair.is_empty() => None,
            (Verb::Repair, _) => Some("the group lacks nothing"),
            (Verb::Undo, Some(TransitionState::Stopped)) if led_nowhere => {
                Some("the last transition was stopped where it had begun")
            }
            (Verb::Undo, Some(TransitionState::Done | TransitionState::Stopped)) => None,
            (Verb::Undo, Some(_)) => Some("the last transition left nothing to undo"),
            (Verb::Undo, None) => Some("there was no transition yet"),
            _ => Some("no transition is under way"),
        };
    };
    match verb {
        Verb::Repair => Some("a transition is under way"),
        Verb::Pause if transition.paused => Some("it is paused already"),
        Verb::Resume if !transition.paused && transition.aim == "going" => Some("it is going on"),
        Verb::Stop if transition.algorithm.is_some() => {
            Some("a roll to another algorithm has no rest state on its way")
        }
        Verb::Stop if transition.aim == "stopping" && !transition.paused => Some("it is being stopped already"),
        Verb::Undo if transition.aim == "undoing" && !transition.paused => Some("it is being undone already"),
        _ => None,
    }
}

/// When it will be done: a sentence, or the two moments.
pub enum Done {
    Ends(EndsAt, Option<&'static str>),
    Ended(At, &'static str),
    Sentence(&'static str),
    Unknown(String),
}

pub fn done(zone: &ZoneShow) -> Done {
    let Some(transition) = &zone.transition else {
        return Done::Sentence(match zone.rest {
            true => "Nothing is under way. This stays valid for ever with nobody acting.",
            false => "Nothing is under way, and this is no rest state: see above for what it needs.",
        });
    };
    if transition.state.is_over() {
        let how = how_it_ended(transition.state);
        return transition.ended.map_or(Done::Sentence("It is over."), |ended| Done::Ended(ended, how));
    }
    let but = match (transition.paused, transition.state) {
        (true, _) => Some("counted as if it were resumed now: while it is paused, it does not end"),
        (_, TransitionState::Blocked) => Some("if what blocks it were mended now"),
        _ => None,
    };
    match (&transition.ends_at, transition.ends_earliest) {
        (Some(ends), _) => Done::Ends(ends.clone(), but),
        (None, Some(earliest)) => Done::Ends(EndsAt { earliest, expected: earliest }, but),
        (None, None) => match (&transition.ends_after, transition.paused, transition.state) {
            (Some(after), ..) => {
                Done::Unknown(format!("Unknown. It takes at least {} after {}.", length(after.at_least_s), after.what))
            }
            (None, true, _) => Done::Sentence("Not as long as it is paused: resume it, stop it or undo it."),
            (_, _, TransitionState::Blocked) => Done::Sentence("Not before the problem above is solved."),
            _ => Done::Sentence("Unknown: it depends on an event without a fixed end time."),
        },
    }
}

/// The operators that left in the last transition and are still out, and when their servers may be switched off.
pub fn switched_off(zone: &ZoneShow) -> Option<(Vec<String>, At)> {
    let last = zone.transition.as_ref().filter(|transition| transition.state.is_over())?;
    let is_out = |left: &&LeftShow| !zone.operators.iter().any(|one| one.operator == left.operator);
    let left: Vec<&LeftShow> = last.left.iter().filter(is_out).collect();
    let at = left.iter().map(|left| left.unused_from).max_by_key(|at| at.time())?;
    Some((left.iter().map(|left| left.operator.clone()).collect(), at))
}

fn how_it_ended(state: TransitionState) -> &'static str {
    match state {
        TransitionState::Undone => "undone: the zone is back where it was",
        TransitionState::Stopped => "stopped in a rest state on its way",
        TransitionState::Superseded => "another desired group took its place",
        _ => "done",
    }
}

/// What happens if it is stopped now: sentences.
pub fn if_stopped(zone: &ZoneShow) -> String {
    let Some(transition) = under_way(zone) else {
        return match zone.rest {
            true => "There is nothing to stop: nothing is under way, and the zone stays as it is.".to_owned(),
            false => "There is nothing to stop: nothing is under way.".to_owned(),
        };
    };
    match &transition.stop {
        Some(stop) => {
            let trusted = match stop.trusted.as_slice() {
                [] => String::new(),
                trusted => format!("; {} trusted only, and no name server", people(trusted)),
            };
            let serving = people(&stop.serving);
            format!("It would come to rest signed and served by {serving}{trusted}. That takes {}.", takes(&stop.takes))
        }
        None if transition.algorithm.is_some() => {
            "It cannot stop half way: a roll to another algorithm has no rest state between. Pause it, or undo it."
                .to_owned()
        }
        None => "The next rest state on its way is its end.".to_owned(),
    }
}

/// How long the way back takes: a sentence.
pub fn if_undone(zone: &ZoneShow) -> String {
    let Some(transition) = &zone.transition else {
        return "There is nothing to undo: there was no transition yet.".to_owned();
    };
    let from = people(&transition.from);
    match (&transition.undo_takes, transition.state) {
        (Some(way), _) => format!("Back to {from} takes {}.", takes(way)),
        (None, state) if state.is_over() => match why_not(Verb::Undo, zone) {
            None => format!("Back to {from} would be a transition of its own: “Undo…” shows its plan first."),
            Some(_) => "There is nothing to undo.".to_owned(),
        },
        (None, _) if transition.aim == "undoing" => format!("It is on its way back to {from} already."),
        (None, _) => format!("How long the way back to {from} takes is not known yet; “Undo…” shows its plan."),
    }
}

/// `1h at least, about 1d`; `no time` for none at all.
pub fn takes(takes: &Takes) -> String {
    match (takes.earliest_s, takes.expected_s) {
        (0, 0) => "no time: it is there".to_owned(),
        (least, about) if least == about => format!("{} at least", length(least)),
        (0, about) => format!("about {}, and may be at once", length(about)),
        (least, about) => format!("{} at least, about {}", length(least), length(about)),
    }
}
