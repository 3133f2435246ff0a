//! `--wait`: looks at a zone until its transition has ended, and shows each step and what is awaited.
//!
//! Waiting changes nothing: Ctrl-C, `--timeout` and a daemon that is being restarted leave the transition going on.
//! Remaining times are counted with the daemon's clock, so a wrong one here shows nothing wrong.

use super::client::{self, Client};
use super::exit::{Exit, Failure};
use super::render;
use crate::api::wire::{At, TransitionShow, TransitionState, ZoneShow};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// The first looks are quick, for much happens at the start; then once a second.
const QUICK: Duration = Duration::from_millis(300);
const QUICK_LOOKS: u32 = 10;
const CALM: Duration = Duration::from_secs(1);
/// A zone that was not observed for so many looks after a change, which take a minute, is not going to be.
const OLD_LOOKS: u32 = 67;

/// Until the transition has ended as it was going to: the zone as it is then, in JSON. Every other end is a [`Failure`]
/// with its exit code. `before`: the last observation before the change that is waited for. A transition that was blocked then does
/// not end the wait.
pub async fn wait(
    client: &Client,
    zone: &str,
    (transition, before): (&TransitionShow, Option<At>),
    timeout: Option<Duration>,
    progress: &mut Progress,
) -> Result<Value, Failure> {
    let id = &transition.id;
    let again = format!("Look again with 'chorus zone show {zone}'");
    let mut last = String::new();
    let timed_out = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        end = look(client, zone, (transition, before), progress, &mut last) => Some(end),
        () = timed_out => None,
        pressed = tokio::signal::ctrl_c() => match pressed {
            Ok(()) => {
                let sentence = format!("detached from transition {id} of {zone}, which goes on");
                Some(Err(Failure::new(Exit::Detached, sentence, again.clone())))
            }
            Err(error) => Some(Err(Failure::internal(&error))),
        },
    };
    progress.end();
    end.unwrap_or_else(|| {
        let waiting = if last.is_empty() { String::new() } else { format!(", waiting for: {last}") };
        let sentence = format!("the time to wait is over; transition {id} of {zone} goes on{waiting}");
        Err(Failure::new(Exit::TimedOut, sentence, again))
    })
}

async fn look(
    client: &Client,
    zone: &str,
    (waited, before): (&TransitionShow, Option<At>),
    progress: &mut Progress,
    last: &mut String,
) -> Result<Value, Failure> {
    let mut looks = 0u32;
    let mut silent = false;
    loop {
        match client.get(&["zones", zone], &[]).await {
            Ok(answer) => {
                silent = false;
                let show: ZoneShow = client::understand(answer.clone())?;
                let is_old = before.is_some() && show.updated_at == before && looks < OLD_LOOKS;
                match state(&show, waited, is_old)? {
                    None => return Ok(answer),
                    Some(transition) => {
                        *last = transition.waiting_for.as_ref().map(|w| w.text.clone()).unwrap_or_default();
                        progress.show(&show, transition);
                    }
                }
            }
            // A daemon that is being restarted is no reason to give up; a wrong token or an unknown zone is.
            Err(failure) if failure.is_silence() => {
                if !silent {
                    progress.say(&failure.to_string());
                }
                silent = true;
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(if looks < QUICK_LOOKS { QUICK } else { CALM }).await;
        looks = looks.saturating_add(1);
    }
}

/// The transition if it is under way, `None` when it is done. `is_old`: nothing was observed since the change that is waited for.
fn state<'a>(show: &'a ZoneShow, waited: &TransitionShow, is_old: bool) -> Result<Option<&'a TransitionShow>, Failure> {
    let (zone, id) = (&show.zone, &waited.id);
    let Some(transition) = &show.transition else { return Ok(None) };
    if transition.id != *id || transition.state == TransitionState::Superseded {
        let sentence = format!("transition {id} of {zone} was superseded: {} is desired now", show.desired.join(","));
        return Err(Failure::new(Exit::Conflict, sentence, format!("See 'chorus zone history {zone}'")));
    }
    match transition.state {
        state if state.is_over() && state == end_of(waited) => Ok(None),
        state if state.is_over() => {
            let with = show.desired.join(",");
            let sentence =
                format!("transition {id} of {zone} ended {}, at {with}: somebody else decided so", state.name());
            Err(Failure::new(Exit::Conflict, sentence, format!("See 'chorus zone history {zone}'")))
        }
        TransitionState::Blocked if !is_old => {
            let why = transition.waiting_for.as_ref().map_or(show.verdict.as_str(), |waiting| waiting.text.as_str());
            let TransitionShow { step_number, steps, .. } = transition;
            let sentence = format!("{zone} is blocked in step {step_number} of {steps}: {why}");
            let fix = show.next.clone().unwrap_or_else(|| format!("See 'chorus zone show {zone}'"));
            Err(Failure::new(Exit::Blocked, sentence, fix))
        }
        _ => Ok(Some(transition)),
    }
}

/// How a transition with this aim ends.
fn end_of(transition: &TransitionShow) -> TransitionState {
    match transition.aim.as_str() {
        "stopping" => TransitionState::Stopped,
        "undoing" => TransitionState::Undone,
        _ => TransitionState::Done,
    }
}

/// How waiting is shown on stderr: one moving line on a terminal, else a line whenever something changed.
pub struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    step: (u32, String),
    line: String,
}

impl Progress {
    pub fn new(quiet: bool) -> Progress {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { quiet, bar, step: (0, String::new()), line: String::new() }
    }

    fn show(&mut self, show: &ZoneShow, transition: &TransitionShow) {
        let line = line(transition);
        let Some(bar) = &self.bar else {
            if line != self.line {
                self.line = line;
                self.say(&self.line);
            }
            return;
        };
        if self.step.0 != transition.step_number {
            if self.step.0 != 0 {
                bar.println(format!("  step {} of {}: {}: done", self.step.0, transition.steps, self.step.1));
            }
            self.step = (transition.step_number, transition.step.clone());
        }
        let until = transition.waiting_for.as_ref().and_then(|waiting| waiting.until);
        let left = until.map(|until| show.now.time().until(until.time())).filter(|left| !left.is_zero());
        let left = left.map(|left| format!("{} left; ", render::length(left))).unwrap_or_default();
        bar.set_message(format!("{left}{line}"));
    }

    fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.println(text),
            // Nothing can be done when stderr is gone.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Without what changes by itself: two looks at the same wait give the same line.
fn line(transition: &TransitionShow) -> String {
    let TransitionShow { step, step_number, steps, state, .. } = transition;
    let start = format!("step {step_number} of {steps}: {step}: {}", state.name());
    match &transition.waiting_for {
        Some(waiting) => {
            let until = waiting.until.map(|until| format!(", until {until}")).unwrap_or_default();
            format!("{start}: {}{until}", waiting.text)
        }
        None => start,
    }
}
