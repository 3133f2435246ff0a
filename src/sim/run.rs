//! One world from its seed to its end: whose turn it is, who crashes, what the owner does, and what came of it all.
//!
//! Invariant: a world ends. After the owner's last action it goes on until every transition has ended, or waits on a parent
//! that never acts or an operator that is dead; anything else is stuck, and a failure. So is anything that is left, when a
//! transition has ended, of operators that nobody wants any more.

use super::adopt::{adopt, settings_of};
use super::catalogue::{catalogue, label, operator_of_label};
use super::leftovers::Leftover;
use super::oracle;
use super::owner::{Owner, Wish};
use super::ports::Surroundings;
use super::records::Memory;
use super::world::World;
use crate::api::controller::Controller;
use crate::api::service::Service;
use crate::api::wire;
use crate::engine::{CHECK_OBJECTS, Engine, Ports, Status, Switches};
use crate::model::dns::unhex;
use crate::model::group::{Standing, is_by_hand};
use crate::model::time::Time;
use crate::store::TransitionState;
use futures::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is fixed from outside.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub switches: Switches,
    /// Keep what happened, to be read.
    pub trace: bool,
    /// After every turn, ask as a person would when it ends, and what happens if it is stopped or undone now.
    pub ask: bool,
    /// Keep the certificate files of the transitions that end.
    pub certificates: bool,
}

/// How a transition, or the world with it, came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Done,
    Undone,
    Stopped,
    WaitsForParent,
    WaitsForDeadOperator,
    Stuck,
}

pub struct Report {
    pub seed: u64,
    pub hash: u64,
    pub turns: u32,
    pub crashes: u32,
    pub ends: BTreeMap<End, u32>,
    /// That the controller could have kept from happening.
    pub glitches: Vec<oracle::Glitch>,
    /// What was left of operators that had been let go.
    pub leftovers: Vec<Leftover>,
    /// What the check before a write held back, though every guard allowed it: the two disagree.
    pub held_back: BTreeSet<String>,
    /// That an operator brought about by itself: it signed too early, took back what it had agreed to, or died.
    pub brought_about: usize,
    /// How many exposures the controller told of.
    pub exposures_told: usize,
    pub counts: BTreeMap<oracle::Class, oracle::Counts>,
    /// What a transition was doing when somebody asked, with how often each was answered in full.
    pub asked: BTreeMap<String, u32>,
    /// Answers that left something open.
    pub unanswered: Vec<String>,
    /// The certificate file of each transition that ended, the newest first.
    pub certificates: Vec<String>,
    pub situation: String,
    pub trace: Vec<String>,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            End::Done => "finished",
            End::Undone => "undone",
            End::Stopped => "stopped",
            End::WaitsForParent => "waiting on a parent that never acts",
            End::WaitsForDeadOperator => "waiting on an operator that is dead",
            End::Stuck => "stuck",
        }
    }
}

impl Report {
    /// What a person should look at; `None` when all is well.
    pub fn failure(&self) -> Option<String> {
        let stuck = self.ends.contains_key(&End::Stuck);
        let what = match () {
            () if stuck => "stuck",
            () if !self.glitches.is_empty() => "a resolver failed",
            () if !self.leftovers.is_empty() => "something is left over",
            () => return None,
        };
        let mut text = format!("seed {}: {what}", self.seed);
        for glitch in self.glitches.iter().take(3) {
            text.push_str(&format!("\n  {glitch}"));
        }
        for leftover in self.leftovers.iter().take(3) {
            text.push_str(&format!("\n  {leftover}"));
        }
        text.push_str(&format!("\n  {}", self.situation));
        Some(text)
    }
}

/// Turns in which nobody published anything, after which nobody will; fewer, where nobody is to be expected to.
const IDLE_TURNS_MAX: u32 = 300;
const IDLE_TURNS_NEVER: u32 = 30;
const IDLE_TURNS_AT_REST: u32 = 3;
const LOST_ANSWERS_MAX: u32 = 20;
const TURNS_MAX: u32 = 6000;

struct Play {
    around: Surroundings,
    memory: Memory,
    ports: Ports,
    engine: Arc<Engine>,
    owner: Owner,
    crashes: u32,
    turns: u32,
    /// Turns since something changed.
    idle: u32,
    /// Turns that were idle for too long, one after the other, without anything that explains it.
    unexplained: u32,
    ask: bool,
    /// The owner has found out who else writes, and says so.
    tries_now: bool,
    asked: BTreeMap<String, u32>,
    unanswered: Vec<String>,
    seen_events: usize,
    seen: (u32, usize),
    /// Transitions that have ended.
    ended: usize,
    leftovers: Vec<Leftover>,
    held_back: BTreeSet<String>,
}

pub fn run(seed: u64, options: &Options) -> Report {
    let mut play = Play::new(seed, options);
    let ends = play.play_out();
    let certificates = if options.certificates { play.certificates() } else { Vec::new() };
    Report { certificates, ..play.report(seed, ends) }
}

impl Play {
    fn new(seed: u64, options: &Options) -> Play {
        let mut world = World::new(seed, options.trace);
        let owner = Owner::new(&mut world);
        let pace = world.pace;
        let around = Surroundings::new(world);
        let memory = Memory::new(around.crashes.clone());
        adopt(&memory, &around.world());
        let port = Arc::new(around.clone());
        let ports = Ports {
            clock: port.clone(),
            random: port.clone(),
            observe: port.clone(),
            transport: port.clone(),
            resolver: port.clone(),
            providers: port,
            store: Arc::new(memory.clone()),
            pace,
            switches: options.switches.clone(),
        };
        let engine = Arc::new(Engine::new(ports.clone()));
        Play {
            around,
            memory,
            ports,
            engine,
            owner,
            crashes: 0,
            turns: 0,
            idle: 0,
            unexplained: 0,
            ask: options.ask,
            tries_now: false,
            asked: BTreeMap::new(),
            unanswered: Vec::new(),
            seen_events: 0,
            seen: (0, 0),
            ended: 0,
            leftovers: Vec::new(),
            held_back: BTreeSet::new(),
        }
    }

    fn play_out(&mut self) -> BTreeMap<End, u32> {
        let last = loop {
            if let Some(end) = self.is_over() {
                break end;
            }
            self.next();
        };
        let mut ends = BTreeMap::new();
        for transition in &self.memory.tables().transitions {
            let end = match transition.state {
                TransitionState::Running => last,
                TransitionState::Done => End::Done,
                TransitionState::Undone => End::Undone,
                TransitionState::Stopped => End::Stopped,
            };
            *ends.entry(end).or_insert(0) += 1;
        }
        if last == End::Stuck {
            // At rest, too: a controller that goes on writing there has no end of its own.
            ends.entry(last).or_insert(1);
        }
        // Whatever is still on its way arrives, and is judged.
        let mut world = self.around.world();
        let after_ms = world.now_ms + world.life_ms(u32::MAX).min(86_400_000);
        world.advance(after_ms);
        world.flush();
        if last == End::Done {
            let late = world.leftovers(None);
            self.leftovers.extend(late);
        }
        ends
    }

    fn is_over(&mut self) -> Option<End> {
        let explained = self.explanation();
        self.unexplained = if explained == Some(End::Stuck) { self.unexplained + 1 } else { 0 };
        // An answer that got lost may hide for a moment what is waited for.
        explained.filter(|end| *end != End::Stuck || self.unexplained > LOST_ANSWERS_MAX || self.turns >= TURNS_MAX)
    }

    /// How the world ends, if it goes on like this.
    fn explanation(&self) -> Option<End> {
        let tables = self.memory.tables();
        if tables.running().is_none() {
            let world = self.around.world();
            if self.turns >= TURNS_MAX {
                return Some(End::Stuck);
            }
            // What arrives when all is done, and what the last answers did not show yet, is seen at the next look, and put right.
            let looks = if world.late_arrivals == 0 { 1 } else { IDLE_TURNS_AT_REST };
            let settled = !world.is_arriving() && self.idle >= looks;
            return (settled && self.owner.is_done(None)).then_some(End::Done);
        }
        let world = self.around.world();
        if !self.owner.is_done(tables.running()) && self.turns < TURNS_MAX {
            return None;
        }
        let idle_max = if world.never_acts() { IDLE_TURNS_NEVER } else { IDLE_TURNS_MAX };
        if self.idle < idle_max && self.turns < TURNS_MAX {
            return None;
        }
        let status = tables.zone.as_ref().map(|zone| Status::read(&zone.status)).unwrap_or_default();
        let waits_for = |code: &str| status.waiting.iter().any(|wait| wait.code.starts_with(code));
        let dead = world.operators.iter().any(|op| op.dead);
        match () {
            () if world.never_acts() && waits_for("parent-") => Some(End::WaitsForParent),
            () if dead && waits_for("operator-") => Some(End::WaitsForDeadOperator),
            // Nothing but time is awaited, however many turns it takes.
            () if ends_by_itself(&status, world.now_ms).is_some() && self.turns < TURNS_MAX => None,
            () => Some(End::Stuck),
        }
    }

    /// The controller's turn, or the owner's, whoever comes first.
    fn next(&mut self) {
        let mut due_ms = self.memory.tables().zone.as_ref().map_or(0, |zone| zone.due_at.0);
        if self.idle > IDLE_TURNS_MAX {
            // The turns in between would see nothing new.
            let status = self.memory.tables().zone.as_ref().map(|zone| Status::read(&zone.status)).unwrap_or_default();
            due_ms = ends_by_itself(&status, due_ms).unwrap_or(due_ms);
        }
        let owner_is_done = self.owner.is_done(self.memory.tables().running());
        let owner_ms = if owner_is_done { i64::MAX } else { self.owner.next_ms };
        let crash_at = {
            let mut world = self.around.world();
            world.advance(due_ms.min(owner_ms));
            let odds = world.odds.crashes;
            world.rng.chance(odds).then(|| u32::try_from(world.rng.between(0, 20)).unwrap_or(0))
        };
        self.around.crashes.at(crash_at);
        let crashed = if owner_ms < due_ms { self.owner_acts() } else { self.takes_turn() };
        self.around.crashes.at(None);
        if crashed {
            self.crashes += 1;
            self.engine = Arc::new(Engine::new(self.ports.clone()));
            let mut world = self.around.world();
            let down_ms = world.rng.between(0, 600) * 1000;
            let up_ms = world.now_ms + down_ms;
            let now_ms = world.now_ms;
            world.log.note(now_ms, format_args!("chorus crashes, and is back in {down_ms} ms"));
            world.advance(up_ms);
        }
        self.after();
    }

    fn takes_turn(&mut self) -> bool {
        self.turns += 1;
        if std::mem::take(&mut self.tries_now) {
            let (controller, zone) = (Controller::new(self.engine.clone()), catalogue().zone.to_string());
            let tried = controller.control(&zone, wire::Verb::TryNow, wire::Control::default()).now_or_never();
            return tried.is_none();
        }
        let turned = self.engine.turn(&catalogue().zone).now_or_never();
        if let Some(Err(e)) = &turned {
            let mut world = self.around.world();
            let now_ms = world.now_ms;
            world.log.note(now_ms, format_args!("the turn failed: {e}"));
        }
        if self.ask && turned.is_some() {
            self.asks();
        }
        turned.is_none()
    }

    /// Whatever a transition is doing, people are told when it ends, and what a stop and an undo would mean.
    fn asks(&mut self) {
        let controller = Controller::new(self.engine.clone());
        let shown = controller.zone(&catalogue().zone.to_string()).now_or_never();
        let Some(Ok(shown)) = shown else {
            self.unanswered.push(format!("{shown:?}"));
            return;
        };
        let Some(transition) = shown.transition.filter(|transition| !transition.state.is_over()) else { return };
        let ends = transition.ends_at.as_ref().is_some_and(|ends| ends.earliest <= ends.expected)
            || transition.ends_after.as_ref().is_some_and(|after| !after.what.is_empty());
        let undo = transition.undo_takes.is_some() || transition.aim == "undoing";
        let stop = transition.stop.as_ref().is_some_and(|stop| !stop.serving.is_empty());
        let why = transition.waiting_for.as_ref().is_some_and(|wait| !wait.text.is_empty() && !wait.code.is_empty());
        let doing = format!("{} {}", transition.aim, transition.state.name());
        if ends && undo && stop && why && !shown.verdict.is_empty() {
            *self.asked.entry(doing).or_default() += 1;
        } else {
            self.unanswered.push(format!("{doing}: ends {ends}, undo {undo}, stop {stop}, waits {why}"));
        }
    }

    fn owner_acts(&mut self) -> bool {
        let running = self.memory.tables().running().cloned();
        let wish = self.owner.wish(&mut self.around.world(), running.as_ref());
        let Some(wish) = wish else { return false };
        let text = format!("{wish:?}");
        let controller = Controller::new(self.engine.clone());
        let zone = catalogue().zone.to_string();
        let answer = match wish {
            Wish::Change(change) => controller.set_group(&zone, wire::SetGroup { change, reason: None }).now_or_never(),
            Wish::Verb(verb) => controller.control(&zone, verb, wire::Control::default()).now_or_never(),
        };
        let mut world = self.around.world();
        let now_ms = world.now_ms;
        match &answer {
            Some(Ok(_)) => {
                self.idle = 0;
                world.log.note(now_ms, format_args!("the owner: {text}"));
                self.owner.accepted(now_ms);
            }
            Some(Err(refusal)) => {
                world.log.note(now_ms, format_args!("the owner: {text}: refused: {refusal:?}"));
                self.owner.refused(now_ms);
                self.owner.mends(&mut world, &[refusal.code]);
            }
            None => self.owner.refused(now_ms),
        }
        answer.is_none()
    }

    /// What follows for the world from what the controller has put down.
    fn after(&mut self) {
        let mut tables = self.memory.tables();
        let mut world = self.around.world();
        for operator in std::mem::take(&mut world.edge.settings) {
            if let Some(record) = tables.operators.get_mut(&label(operator)) {
                record.name_servers = settings_of(&world, operator);
            }
        }
        let Some(zone) = &tables.zone else { return };
        let seen = (world.version, tables.transitions.len());
        self.idle = if seen == self.seen && world.is_quiet() { self.idle + 1 } else { 0 };
        self.seen = seen;
        let now_ms = world.now_ms;
        for event in tables.events.iter().skip(self.seen_events) {
            world.log.note(event.at.0, format_args!("{}: {}", event.kind, event.text));
        }
        self.seen_events = tables.events.len();
        let members: BTreeSet<u8> = zone.members.keys().map(|name| operator_of_label(name)).collect();
        for number in (0..).zip(0..world.operators.len()).map(|(number, _)| number) {
            let wanted = zone.members.get(&label(number)).is_some_and(|member| member.wanted != Standing::Outside);
            if let Some(is_in) = world.wanted.get_mut(usize::from(number)) {
                *is_in = wanted;
            }
            let left = tables.transitions.last().is_some_and(|last| {
                last.state != TransitionState::Running
                    && (last.from.contains_key(&label(number)) || last.to.contains_key(&label(number)))
            });
            if left && !members.contains(&number) && !self.owner.plans() {
                // No resolver queries it any more: its owner switches it off.
                world.set_serving(number, false, false);
            }
        }
        let waits = Status::read(&zone.status).waiting;
        let objected = waits.into_iter().filter(|wait| wait.code == CHECK_OBJECTS);
        self.held_back.extend(objected.map(|wait| wait.text));
        let ended = tables.transitions.iter().filter(|one| one.state != TransitionState::Running).count();
        if ended > std::mem::replace(&mut self.ended, ended) {
            let observed = Status::read(&zone.status).observed_at.map_or(now_ms, |at| at.0);
            for leftover in world.leftovers(Some(observed)) {
                world.log.note(now_ms, format_args!("{leftover}"));
                self.leftovers.push(leftover);
            }
        }
        if tables.running().is_some() && !world.never_acts() {
            let status = Status::read(&zone.status);
            let is_shown = status.waiting.iter().any(|wait| is_by_hand(&wait.code, wait.until, zone.parent.mode));
            // Who knows that the parent takes no CSYNC hands name servers in, whether they are shown for it or not.
            let is_known = world.parent.needs_hand();
            let waits = is_shown || is_known && status.waiting.iter().any(|wait| wait.code.starts_with("parent-"));
            let numbers = |texts: &[String]| -> Vec<u16> {
                texts.iter().filter_map(|text| unhex(text)).filter_map(|octets| catalogue().number(&octets)).collect()
            };
            let codes: Vec<&str> = status.waiting.iter().map(|wait| wait.code.as_str()).collect();
            self.owner.mends(&mut world, &codes);
            // What an operator put back looks like the work of another.
            self.tries_now = world.at_fault_ms.is_some() && codes.contains(&"second-writer");
            if waits {
                let (ds, ns) = (numbers(&status.parent_ds), numbers(&status.parent_ns));
                self.owner.tell_parent(&mut world, ds, ns, is_shown);
            }
        }
        let due_ms = zone.due_at.0;
        world.log.note(now_ms, format_args!("due at {due_ms}"));
    }

    /// The certificates of all transitions that have ended, as the API gives them to users.
    fn certificates(&self) -> Vec<String> {
        let ended: Vec<String> = {
            let tables = self.memory.tables();
            let has_one = tables.transitions.iter().filter(|transition| transition.certificate.is_some());
            has_one.map(|transition| transition.id.clone()).collect()
        };
        let controller = Controller::new(self.engine.clone());
        let file = |id: String| {
            let found = controller.certificate(&catalogue().zone.to_string(), Some(&id), true).now_or_never();
            match found {
                Some(Ok(certificate)) => serde_json::to_string(&certificate).unwrap_or_default(),
                // What is no JSON is refused by whoever reads it.
                other => format!("there is no certificate of {id}: {other:?}"),
            }
        };
        ended.into_iter().rev().map(file).collect()
    }

    fn report(&self, seed: u64, ends: BTreeMap<End, u32>) -> Report {
        let tables = self.memory.tables();
        let world = self.around.world();
        // With the ends that are known now.
        let silent = oracle::Kind::Unresolvable { silent: true };
        let found = world.oracle.glitches().iter().filter(|glitch| glitch.kind != silent).cloned();
        let at_fault_ms = world.at_fault_ms.unwrap_or(i64::MAX);
        let (glitches, theirs): (Vec<_>, Vec<_>) = found.partition(|glitch| glitch.from_ms < at_fault_ms);
        let status = tables.zone.as_ref().map(|zone| Status::read(&zone.status)).unwrap_or_default();
        let waits = status.waiting.iter().map(|w| format!("\n  {:?} {} {:?}: {}", w.step, w.code, w.until, w.text));
        let manner = world.parent.manner;
        let members = tables.zone.as_ref().map(|zone| format!("{:?}", zone.members)).unwrap_or_default();
        let situation = format!(
            "at {:#}: {manner:?}, members {members}, trouble {:?}, {} turns{}",
            Time(world.now_ms),
            status.trouble,
            self.turns,
            waits.collect::<String>()
        );
        Report {
            seed,
            hash: world.log.hash(),
            turns: self.turns,
            crashes: self.crashes,
            ends,
            glitches,
            leftovers: self.leftovers.clone(),
            held_back: self.held_back.clone(),
            brought_about: theirs.len(),
            exposures_told: tables.events.iter().filter(|event| event.kind == "exposure").count(),
            counts: world.oracle.counts().clone(),
            asked: self.asked.clone(),
            unanswered: self.unanswered.clone(),
            certificates: Vec::new(),
            situation,
            trace: world.log.lines().to_vec(),
        }
    }
}

/// When what is waited for ends by itself.
fn ends_by_itself(status: &Status, now_ms: i64) -> Option<i64> {
    status.waiting.iter().filter_map(|wait| wait.until).map(|until| until.0).filter(|until| *until > now_ms).min()
}
