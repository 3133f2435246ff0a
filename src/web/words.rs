//! States, standings and outcomes as words: with the class of the stylesheet and the sign that go with them.
//!
//! Invariant: nothing is told by colour alone.

use crate::api::wire::{
    AbilityShow, Actor, DsState, ForecastReport, KeyShow, Outcome, ParentMode, RollState, ServerShow, Severity,
    StepState,
};

/// A state's name, as words.
pub fn state(state: &str) -> &str {
    match state {
        "rest" => "at rest",
        "unsettled" => "not at rest",
        "exposed" => "exposed",
        "attention" => "needs somebody",
        "waiting-guard" => "waiting for caches",
        "waiting-parent" => "waiting for the parent",
        "waiting-operator" => "waiting for an operator",
        other => other,
    }
}

/// A state's mark: never colour alone. The class of the stylesheet and the sign before the words.
pub fn state_mark(state: &str) -> (&'static str, &'static str) {
    match state {
        "rest" | "done" => ("good", "●"),
        "blocked" | "exposed" => ("bad", "▲"),
        "waiting-operator" | "unsettled" => ("warn", "◆"),
        "paused" | "stopped" | "undone" | "superseded" => ("still", "■"),
        _ => ("busy", "◐"),
    }
}

/// A cell of the table of keys: the class, and the words.
pub fn cell(key: &KeyShow, server: &ServerShow) -> (&'static str, &'static str) {
    match (key.published_at.contains(&server.address), key.signing_at.contains(&server.address)) {
        _ if server.last_seen.is_none() => ("still", "not seen yet"),
        (true, true) => ("good", "signs"),
        (true, false) => ("busy", "published"),
        (false, true) => ("bad", "signs, not published"),
        (false, false) => ("", "not there"),
    }
}

pub fn ds(state: &Option<DsState>) -> &'static str {
    match state {
        None => "is to have none",
        Some(DsState::Present) => "at every server",
        Some(DsState::Partial) => "at some servers",
        Some(DsState::Awaited) => "asked for, not there yet",
        Some(DsState::Absent) => "not there",
        Some(DsState::Leaving) => "there, asked to go",
    }
}

pub fn roll(state: &RollState) -> &'static str {
    match state {
        RollState::New => "is published and signs nothing yet",
        RollState::Signing => "signs",
        RollState::Retired => "is published and signs nothing any more",
        RollState::Kept => "was withdrawn, and is kept by the others for what it signed",
        RollState::Other => "is in a state that this program is too old to know",
    }
}

pub fn step(state: &StepState) -> (&'static str, &'static str) {
    match state {
        StepState::Done => ("good", "done"),
        StepState::Now => ("busy", "now"),
        StepState::Ahead => ("still", "ahead"),
    }
}

/// A finding's class of the stylesheet, its sign, and its name.
pub fn severity(severity: &Severity) -> (&'static str, &'static str, &'static str) {
    match severity {
        Severity::Error => ("bad", "▲", "error"),
        Severity::Warning => ("warn", "◆", "warning"),
        Severity::Note => ("still", "●", "note"),
    }
}

/// Who acts, as words.
pub fn actor(actor: &Actor) -> &'static str {
    match actor {
        Actor::Chorus => "Chorus",
        Actor::Operator => "an operator",
        Actor::Parent => "the parent",
        Actor::You => "you",
    }
}

pub fn mode(mode: &ParentMode) -> &'static str {
    match mode {
        ParentMode::Scan => "scans",
        ParentMode::Manual => "told by hand",
    }
}

pub fn outcome(outcome: &Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Pass => ("good", "✓", "passed"),
        Outcome::Warn => ("warn", "◆", "warning"),
        Outcome::Fail => ("bad", "✗", "failed"),
        Outcome::Untried => ("warn", "◆", "not tried"),
    }
}

/// Shape and words: never colour alone.
pub fn can(ability: Option<&AbilityShow>) -> (&'static str, &'static str, &'static str) {
    match ability.and_then(|ability| ability.is_there) {
        Some(true) => ("good", "✓", "can"),
        Some(false) => ("bad", "✗", "cannot"),
        None => ("still", "–", "not tried"),
    }
}

/// What was forecast against what it took, in per cent of what it took; with a sign.
pub fn forecast_error(report: &ForecastReport) -> String {
    let (expected, took) = (i128::from(report.expected_s), i128::from(report.took_s.max(1)));
    let percent = (expected - took) * 100 / took;
    match percent {
        0 => "0 %".to_owned(),
        percent if percent > 0 => format!("+{percent} %"),
        percent => format!("−{} %", -percent),
    }
}

/// An operator's zones, in the list of zones.
pub fn zones_of(operator: &str) -> String {
    format!("/zones?operator={}", super::markup::encoded(operator))
}
