//! What a transition will do and when each step can be reached at the earliest.
//!
//! Invariant: the moments are those that the guards give if every server shows each write at once and the parent acts at
//! once: the guards themselves are asked, about the world as it will look then. They can only move to later. A step that
//! would change nothing is left out.

mod algorithm;
mod imagined;
mod join;
mod leave;

use super::decision::Step;
use super::desired::{cds_and_cdnskey, csync};
use super::guards::Cause;
use super::ladder::{is_admitted, is_present};
use super::standing::standing;
use super::view::{Memo, Shown, World};
use super::{ParentMode, Standing};
use crate::model::dns::{RecordSet, key_that_ds_belongs_to, key_that_ds_validates, ns_name};
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use imagined::Imagined;
use std::collections::BTreeSet;
use std::time::Duration;

/// Records of one RRset that come and go at one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastWrite {
    pub operator: String,
    pub kind: Kind,
    pub add: RecordSet,
    pub remove: RecordSet,
}

/// One thing that has to be waited for before a step, with its own end. Several of one step are waited for at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastWait {
    pub code: &'static str,
    pub text: String,
    /// The lengths of time that this wait adds up, in seconds, with what each is.
    pub numbers: Vec<(String, u64)>,
    /// When it can end at the earliest; `None` where that depends on what has not been seen yet.
    pub until: Option<Time>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastStep {
    pub title: String,
    /// What the planner calls it.
    pub step: Step,
    /// Whether it is a step of a leave.
    pub leaves: bool,
    /// Who acts: `chorus`, `operator`, `parent`, or `you`.
    pub actor: &'static str,
    pub writes: Vec<ForecastWrite>,
    pub waits: Vec<ForecastWait>,
    pub earliest: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub steps: Vec<ForecastStep>,
    pub ends: Time,
}

/// The way from what is observed to the desired group of this world.
pub fn forecast(world: &World<'_>) -> Forecast {
    let memo = Memo::of(world.members);
    let world = &World { memo: Some(&memo), ..*world };
    let present = world.members.keys().filter(|op| is_present(world, op) && !world.takes_no_updates(op)).collect();
    let imagined = Imagined::of(world);
    let mut plan = Plan { world, present, imagined, steps: Vec::new(), leaves: false, at: world.now };
    let everywhere = |op: &String| {
        let named = |kind: Kind, servers: &[Server]| {
            servers
                .iter()
                .all(|s| world.history.current(s, kind).is_some_and(|span| world.names(&span.served.records, op)))
        };
        named(Kind::Delegation, &world.delegating())
            && world.members.values().filter(|m| m.wanted >= Standing::Trusted).all(|m| named(Kind::Ns, &m.servers))
    };
    let joiners: Vec<&String> = world.serving().filter(|op| !everywhere(op)).collect();
    let trusted = |op: &&String| standing(world, op) >= Standing::Trusted;
    let newcomers: Vec<&String> = world.desired().filter(|op| joiners.contains(op) || !trusted(op)).collect();
    let leavers: Vec<&String> = world.leavers().collect();
    // Those that are named and not wanted as name servers: leavers, and those that only stay trusted.
    let stepping_down: Vec<&String> = world
        .members
        .iter()
        .filter(|(op, member)| {
            member.wanted == Standing::Outside || member.wanted < Standing::Serving && is_admitted(world, op)
        })
        .map(|(op, _)| op)
        .collect();
    if let Some(to) = world.algorithm {
        plan.algorithm(to);
    }
    if !newcomers.is_empty() {
        plan.trust(&newcomers);
    }
    if !joiners.is_empty() {
        plan.name(&joiners);
    }
    plan.leaves = true;
    if !stepping_down.is_empty() {
        plan.step_down(&stepping_down);
    }
    if !leavers.is_empty() {
        plan.leave(&leavers);
    }
    Forecast { ends: plan.at, steps: plan.steps }
}

struct Plan<'w, 'a> {
    world: &'w World<'a>,
    /// The operators that are written to before anything of a leaver goes.
    present: Vec<&'w String>,
    imagined: Imagined<'w, 'a>,
    steps: Vec<ForecastStep>,
    leaves: bool,
    at: Time,
}

impl<'w> Plan<'w, '_> {
    fn delegation(&mut self, target: &RecordSet) {
        let shown = self.imagined.ask(|world| world.delegation_shown(|span| span.served.records == *target));
        let follows = self.world.parent_follows_csync() && self.world.uncooperative_and_delegated().is_none();
        let parent = if follows { "parent" } else { "you" };
        let mut writes = Vec::new();
        if parent == "parent" && shown != Shown::Everywhere {
            let wanted = csync(self.world.zone, target.iter().filter_map(|ns| ns_name(ns).ok()));
            writes = self.writes(&self.present.clone(), Kind::Csync, |_, _| wanted.clone());
        }
        self.step(Step::AwaitDelegation, "the parent delegates to the same set", parent, writes);
        let at = self.at;
        self.imagined.parent_shows(Kind::Delegation, target, at);
        for operator in self.present.clone() {
            self.imagined.operator_shows(operator, Kind::Csync, &RecordSet::new(), at);
        }
    }

    /// The step at the parent, if it does not show what it is to have.
    fn parent_has_ds(&mut self, step: Step, title: &str, keys: &RecordSet, only: bool) {
        let wanted = self.imagined.ask(|world| cds_and_cdnskey(world, keys).0);
        let has = |set: &RecordSet| {
            let missing = keys
                .iter()
                .any(|key| !set.iter().any(|ds| key_that_ds_validates(self.world.zone, ds, [key]).is_some()));
            let others = set.iter().any(|ds| key_that_ds_belongs_to(self.world.zone, ds, keys).is_none());
            !(missing || only && others)
        };
        let done = self.imagined.ask(|world| {
            let mut servers = world.parent_servers.iter();
            servers.all(|server| world.history.current(server, Kind::Ds).is_some_and(|s| has(&s.served.records)))
        });
        if done && self.steps.last().is_none_or(|last| last.writes.is_empty()) {
            return;
        }
        let parent = self.parent_acts();
        self.step(step, title, parent, Vec::new());
        if !done {
            self.imagined.parent_shows(Kind::Ds, &wanted, self.at);
        }
    }

    fn parent_acts(&self) -> &'static str {
        match self.world.parent {
            ParentMode::Scan => "parent",
            ParentMode::Manual => "you",
        }
    }

    /// What changes at these operators, if they are to serve this; from then on it is imagined to be served.
    fn writes(
        &mut self,
        at: &[&String],
        kind: Kind,
        wanted: impl Fn(&str, &RecordSet) -> RecordSet,
    ) -> Vec<ForecastWrite> {
        let mut writes = Vec::new();
        for operator in at {
            let served = self.imagined.ask(|world| world.served(operator, kind));
            let wanted = wanted(operator, &served);
            self.imagined.operator_shows(operator, kind, &wanted, self.at);
            writes.push(ForecastWrite {
                operator: (*operator).clone(),
                kind,
                add: wanted.difference(&served).cloned().collect(),
                remove: served.difference(&wanted).cloned().collect(),
            });
        }
        writes.retain(|write| !write.add.is_empty() || !write.remove.is_empty());
        writes
    }

    /// The waits for what is not over yet, each a sentence that begins with `what`. The next step comes after the last of
    /// them: where an end is not known, it is counted as if what has to be seen were seen now.
    fn wait_for(&mut self, code: &'static str, what: &str, causes: &[Cause]) -> Vec<ForecastWait> {
        let begun = self.at;
        let closed = causes.iter().filter(|cause| cause.from.is_none_or(|from| from > begun));
        let waits: Vec<(ForecastWait, Time)> = closed
            .map(|cause| {
                let until = cause.from.filter(|from| *from < Time::MAX);
                let ends = until.unwrap_or_else(|| begun.plus(self.lives(cause.kind)));
                let text = format!("{what}: {}", cause.because);
                (ForecastWait { code, text, numbers: self.numbers(cause.kind), until }, ends)
            })
            .collect();
        self.at = waits.iter().map(|(_, ends)| *ends).fold(begun, Time::max);
        waits.into_iter().map(|(wait, _)| wait).collect()
    }

    /// The longest for which any version of a kind lives on.
    fn lives(&self, kind: Kind) -> Duration {
        let lifetimes = self.world.lifetimes;
        let spans = self.world.history.spans(kind);
        spans.map(|(server, span)| lifetimes.outlives(server, kind, &span.served)).max().unwrap_or_default()
    }

    /// Which lengths of time a wait for versions of this kind adds up.
    fn numbers(&self, kind: Kind) -> Vec<(String, u64)> {
        let lifetimes = self.world.lifetimes;
        let largest = |kind: Kind| {
            let ttls = self.world.history.spans(kind).map(|(server, span)| lifetimes.ttl_s(server, kind, &span.served));
            let what =
                if kind == Kind::Data { "largest TTL of any answer".to_owned() } else { format!("largest {kind} TTL") };
            (what, ttls.max().unwrap_or(0))
        };
        let pipeline = || ("the parent's pipeline".to_owned(), lifetimes.policy.parent_pipeline_s);
        let mut numbers = match kind {
            Kind::Cds | Kind::Cdnskey => vec![largest(kind), pipeline(), largest(Kind::Ds)],
            Kind::Csync => vec![largest(Kind::Ns), pipeline(), largest(Kind::Delegation)],
            _ => vec![largest(kind)],
        };
        numbers.push(("serve-stale allowance".into(), lifetimes.policy.stale_s));
        numbers.push(("slack".into(), lifetimes.policy.slack_s));
        numbers
    }

    fn step(&mut self, step: Step, title: &str, actor: &'static str, writes: Vec<ForecastWrite>) {
        self.step_after(step, title, actor, writes, Vec::new());
    }

    fn step_after(
        &mut self,
        step: Step,
        title: &str,
        actor: &'static str,
        writes: Vec<ForecastWrite>,
        waits: Vec<ForecastWait>,
    ) {
        let (title, leaves, earliest) = (title.to_owned(), self.leaves, self.at);
        self.steps.push(ForecastStep { title, step, leaves, actor, writes, waits, earliest });
    }
}

fn listed(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
