//! The matrix: what may happen at any moment, at every moment of a join and of a leave. A selection runs always; with
//! `CHORUS_FULL_MATRIX=1` all of it (`./run-tests full`), with names of cases in place of `1` just those. Which cases there are is decided here, so that what is not selected
//! is not there at all, and nothing is ever skipped.
//!
//! Moments are met exactly: a step that waits is awaited in `zone show`, with the parent's agent stopped where the parent is
//! what is waited for; a step that writes is met by a daemon that dies before the write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lab::CHILD;
use crate::stage::Stage;

const FULL: &str = "CHORUS_FULL_MATRIX";
/// So many cases at once in the full matrix, unless `CHORUS_MATRIX_AT_ONCE` says another number.
const AT_ONCE: usize = 6;
const SWITCH: &str = "CHORUS_TEST_CRASH";
const STEP_LIMIT: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// The daemon has died just before the N-th write of the change.
    BeforeWrite(u8),
    /// `zone show` says this step.
    In(&'static str),
    /// The same, and the parent does not act.
    ParentIdle(&'static str),
}

/// Both operators serve and sign, and CDS of their own are there: keys, CDS, NS, CSYNC, in this order, at one and at the other.
pub const JOIN: [Moment; 7] = [
    Moment::BeforeWrite(1),
    Moment::BeforeWrite(3),
    Moment::ParentIdle("the parent has the DS of all"),
    Moment::In("old DNSKEY and DS sets die"),
    Moment::BeforeWrite(5),
    Moment::BeforeWrite(6),
    Moment::ParentIdle("the parent delegates to the new name server set"),
];

pub const LEAVE: [Moment; 7] = [
    Moment::BeforeWrite(1),
    Moment::BeforeWrite(2),
    Moment::ParentIdle("the parent delegates to the new name server set"),
    Moment::In("the leaver cannot be asked any more"),
    Moment::In("the leaver's keys are dead, and its DS may go"),
    Moment::ParentIdle("the parent drops the leaver's DS"),
    Moment::In("the leaver's answers die, and its keys go"),
];

pub struct Case {
    pub name: String,
    pub story: Box<dyn FnOnce(&'static str) + Send>,
}

impl Case {
    pub fn new(name: String, story: impl FnOnce(&'static str) + Send + 'static) -> Self {
        Self { name, story: Box::new(story) }
    }
}

/// All of it, or some of its cases, by their names.
fn asked_for() -> Option<String> {
    std::env::var(FULL).ok().filter(|value| !value.is_empty())
}

pub fn is_full() -> bool {
    asked_for().is_some()
}

/// Runs the selected cases one after the other, or all of them, some at a time. Fails with the names of those that failed.
pub fn run(cases: Vec<Case>, selected: &[&str]) {
    let asked = asked_for();
    let full = asked.is_some();
    for name in selected {
        assert!(cases.iter().any(|case| case.name == *name), "no case is called {name}");
    }
    let runs = |case: &Case| match asked.as_deref() {
        None => selected.contains(&case.name.as_str()),
        Some("1") => true,
        Some(names) => names.split(',').any(|name| name == case.name),
    };
    let cases: Vec<Case> = cases.into_iter().filter(runs).rev().collect();
    let at_once = std::env::var("CHORUS_MATRIX_AT_ONCE").ok().and_then(|text| text.parse().ok()).unwrap_or(AT_ONCE);
    let (count, began) = (cases.len(), Instant::now());
    let cases = Mutex::new(cases);
    let failed: Mutex<Vec<&'static str>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..if full { at_once } else { 1 } {
            scope.spawn(|| {
                loop {
                    let next = cases.lock().expect("nobody panics here").pop();
                    let Some(Case { name, story }) = next else { return };
                    // A laboratory keeps its name for as long as the process runs.
                    let name: &'static str = name.leak();
                    let since = Instant::now();
                    let good = catch_unwind(AssertUnwindSafe(|| story(name))).is_ok();
                    eprintln!("[{name}] {} after {} s", if good { "ok" } else { "FAILED" }, since.elapsed().as_secs());
                    if !good {
                        failed.lock().expect("nobody panics here").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics here");
    eprintln!("{count} cases, {} failed, {} s", failed.len(), began.elapsed().as_secs());
    assert!(failed.is_empty(), "{} of {count} cases failed: {failed:?}", failed.len());
}

impl Stage {
    /// Gives a command and returns when the moment has come. The daemon may be dead, or the parent idle, until
    /// [`Stage::goes_on`].
    pub async fn comes_to(&mut self, command: &[&str], moment: Moment) {
        match moment {
            Moment::BeforeWrite(nth) => {
                let crash = format!("before:{nth}");
                self.chorus.restart(&[(SWITCH, &crash)]).await;
                // It may die before it answers.
                self.chorus.cli(command).await;
                let dies = async {
                    while !self.chorus.has_ended() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                assert!(tokio::time::timeout(STEP_LIMIT, dies).await.is_ok(), "there is no write {nth}");
            }
            Moment::In(step) => {
                self.chorus.ok(command).await;
                self.in_step(step).await;
            }
            Moment::ParentIdle(step) => {
                // Where the parent has to act before this step, it does.
                let idle_at_once = step == first_of_the_parent(command);
                if idle_at_once {
                    self.agent_acts(false);
                }
                self.chorus.ok(command).await;
                if !idle_at_once {
                    self.passes_to_parent(step).await;
                    self.agent_acts(false);
                }
                self.in_step(step).await;
            }
        }
        self.lab.tell(&format!("{} has come to {moment:?}", command[1]));
    }

    pub async fn goes_on(&mut self, moment: Moment) {
        match moment {
            Moment::BeforeWrite(_) => self.chorus.restart(&[]).await,
            Moment::In(_) => {}
            Moment::ParentIdle(_) => self.agent_acts(true),
        }
        self.lab.tell("it goes on");
    }

    async fn in_step(&self, step: &str) {
        self.chorus.shown_until(CHILD, step, STEP_LIMIT, |shown| shown["transition"]["step"] == step).await;
    }

    /// Until only the guard before the parent's part in `step` is awaited.
    async fn passes_to_parent(&self, step: &str) {
        let before = match step {
            "the parent drops the leaver's DS" => "the leaver's keys are dead, and its DS may go",
            _ => "old DNSKEY and DS sets die",
        };
        self.in_step(before).await;
    }
}

fn first_of_the_parent(command: &[&str]) -> &'static str {
    if command[1] == "leave" {
        "the parent delegates to the new name server set"
    } else {
        "the parent has the DS of all"
    }
}
