//! What a transition will do and when each step can be reached at the earliest.
//!
//! Invariant: the moments are those that the guards would give if every server showed each write at once and the parent
//! acted at once. They can only move to later.

use super::Standing;
use super::algorithm::{algorithm_name, algorithms_of, is_of, may_ask, may_retire, may_share};
use super::desired::{cds_and_cdnskey, csync, placed_keys};
use super::guards::{is_in_no_cache, last_question};
use super::ladder::is_admitted;
use super::standing::standing;
use super::view::{Memo, Shown, World};
use crate::model::dns::{Ds, RecordSet, key_that_ds_validates, ns_name};
use crate::model::history::{Kind, Server, Span, Who};
use crate::model::time::Time;
use std::collections::BTreeSet;

/// Records of one RRset that come and go at one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastWrite {
    pub operator: String,
    pub kind: Kind,
    pub add: RecordSet,
    pub remove: RecordSet,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastStep {
    pub title: String,
    /// Who acts: `chorus`, `operator`, `parent`, or `you`.
    pub actor: &'static str,
    pub writes: Vec<ForecastWrite>,
    /// The guard in words, with its numbers; empty where none is needed.
    pub guard: String,
    /// The lengths of time that the guard adds up, in seconds, with what each is.
    pub numbers: Vec<(String, u64)>,
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
    let mut plan = Plan { world, steps: Vec::new(), at: world.now };
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
    if !stepping_down.is_empty() {
        plan.step_down(&stepping_down);
    }
    if !leavers.is_empty() {
        plan.leave(&leavers, !joiners.is_empty());
    }
    Forecast { ends: plan.at, steps: plan.steps }
}

struct Plan<'w, 'a> {
    world: &'w World<'a>,
    steps: Vec<ForecastStep>,
    at: Time,
}

impl Plan<'_, '_> {
    /// All operators from one algorithm to another, from wherever they are. What they do themselves is taken to be done at
    /// once.
    fn algorithm(&mut self, to: u8) {
        let world = self.world;
        let name = algorithm_name(to);
        let of = |operator: &str| algorithms_of(world, operator);
        let lacking: Vec<&String> = world.members.keys().filter(|op| !of(op).contains(&to)).collect();
        if !lacking.is_empty() {
            let title = format!("{} sign everything with {name}, too, and keep their present keys", listed(&lacking));
            self.step(&title, "operator", Vec::new(), String::new());
        }
        let lived = |kind: Kind| {
            let spans = world.history.spans(kind);
            spans.map(move |(s, span)| world.lifetimes.outlives(s, kind, &span.served)).max().unwrap_or_default()
        };
        let wait = |plan: &mut Self, kind: Kind, from: Option<Time>| {
            plan.at = plan.at.max(from.unwrap_or(plan.at.plus(lived(kind))));
            humantime::format_duration(lived(kind))
        };
        let all_new: RecordSet =
            world.members.keys().flat_map(|op| world.own_keys(op)).filter(|k| is_of(k, to)).collect();
        let shared = |op: &String| all_new.is_subset(&world.served(op, Kind::Dnskey));
        // What is still ahead has not begun to make anything die: then the whole time is ahead, too.
        let to_share = !lacking.is_empty() || !world.members.keys().all(shared);
        if to_share {
            let guard = wait(self, Kind::Data, may_share(world, to).from);
            let guard = format!("answers that are not signed with {name} are dead {guard} after they were last served");
            let title = format!("every operator serves the keys of {name} of all");
            self.step(&title, "chorus", Vec::new(), guard);
            self.numbers(&[Kind::Data]);
        }
        let of_others = |span: &Span| span.served.records.iter().filter_map(Ds::read).any(|ds| ds.algorithm != to);
        let to_ask =
            world.parent_servers.iter().any(|server| world.history.current(server, Kind::Ds).is_none_or(of_others));
        if to_ask {
            let guard = wait(self, Kind::Dnskey, may_ask(world, to).from.filter(|_| !to_share));
            let guard = format!("DNSKEY sets without those keys are dead {guard} after they were last served");
            let title = format!("every operator asks for the DS of {name} in place of the present ones");
            self.step(&title, "chorus", Vec::new(), guard);
            self.numbers(&[Kind::Dnskey]);
            let parent = self.parent_acts();
            self.step(&format!("the parent has the DS of {name} and no other"), parent, Vec::new(), String::new());
        }
        let all: Vec<&String> = world.members.keys().collect();
        let with_old: Vec<&String> =
            all.into_iter().filter(|op| of(op).iter().any(|used| *used != to) || lacking.contains(op)).collect();
        if !with_old.is_empty() {
            let guard = wait(self, Kind::Ds, may_retire(world, to).from.filter(|_| !to_ask));
            let guard = format!("DS sets of other algorithms are dead {guard} after they were last served");
            let title = format!("{} take out their keys of other algorithms than {name}", listed(&with_old));
            self.step(&title, "operator", Vec::new(), guard);
            self.numbers(&[Kind::Ds]);
        }
        let guard = wait(self, Kind::Data, None);
        let guard = format!("what they signed is dead {guard} after it was last served");
        self.step("the copies of those keys go at every operator", "chorus", Vec::new(), guard);
        self.numbers(&[Kind::Data]);
    }

    /// Keys, CDS and DS of those that come in.
    fn trust(&mut self, newcomers: &[&String]) {
        let world = self.world;
        let members: Vec<&String> = world.members.keys().filter(|op| !world.is_lost(op)).collect();
        let keys =
            self.writes(&members, Kind::Dnskey, |at, served| served.union(&placed_keys(world, at)).cloned().collect());
        self.step("every operator serves the keys of all", "chorus", keys, String::new());
        let ds_keys: RecordSet = members.iter().flat_map(|op| world.key_signing_keys(op)).collect();
        self.ask_for_ds(&members, &ds_keys, "every operator asks the parent for a DS of each key-signing key");
        let parent = self.parent_acts();
        self.step("the parent has the DS of all", parent, Vec::new(), String::new());

        let union: RecordSet = members.iter().flat_map(|op| world.keys_in_use(op)).collect();
        let all_ds = |span: &Span| {
            newcomers.iter().all(|op| {
                let needed = world.key_signing_keys(op);
                span.served.records.iter().any(|ds| key_that_ds_validates(world.zone, ds, &needed).is_some())
            })
        };
        let keys_dead = self.dead_at(|s| !self.unasked(s), Kind::Dnskey, |span| union.is_subset(&span.served.records));
        let ds_dead = self.dead(Kind::Ds, all_ds);
        self.at = self.at.max(keys_dead).max(ds_dead);
    }

    /// The name servers of those that come in.
    fn name(&mut self, joiners: &[&String]) {
        let world = self.world;
        let members: Vec<&String> = world.members.keys().filter(|op| !world.is_lost(op)).collect();
        let guard = format!(
            "DNSKEY sets without the others' keys are dead {} after they were last served, DS sets without the newcomer's {}",
            self.lives(Kind::Dnskey),
            self.lives(Kind::Ds)
        );
        let admitted: Vec<&String> = world
            .members
            .keys()
            .filter(|op| world.member(op).is_some_and(|m| m.wanted == Standing::Serving) || !joiners.contains(op))
            .collect();
        let target = world.ns_of(admitted);
        let newcomers: Vec<&String> = joiners.iter().copied().filter(|op| !is_admitted(world, op)).collect();
        let newcomers = if newcomers.is_empty() { joiners.to_vec() } else { newcomers };
        let ns = self.writes(&members, Kind::Ns, |_, _| target.clone());
        self.step(
            &format!("{} in the name server set of all, at the newcomer first", listed(&newcomers)),
            "chorus",
            ns,
            guard,
        );
        self.numbers(&[Kind::Dnskey, Kind::Ds]);
        self.delegation(&target);
    }

    /// The name servers of those that are not to be named any more.
    fn step_down(&mut self, leavers: &[&String]) {
        let world = self.world;
        let members: Vec<&String> = world.members.keys().filter(|op| !world.is_lost(op)).collect();
        let target = world.ns_of(world.serving());
        let ns = self.writes(&members, Kind::Ns, |_, _| target.clone());
        // Where it is written everywhere already, the parent may still be awaited.
        let told = world.delegation_shown(|span| span.served.records == target);
        if ns.is_empty() && told != Shown::Everywhere {
            self.delegation(&target);
        } else if !ns.is_empty() {
            let own = if leavers.iter().any(|op| world.is_lost(op)) { "" } else { ", its own included" };
            self.step(
                &format!("{} out of the name server set of all{own}", listed(leavers)),
                "chorus",
                ns,
                String::new(),
            );
            self.delegation(&target);
        }
    }

    /// What of leavers goes after their last question.
    fn leave(&mut self, leavers: &[&String], joined: bool) {
        let world = self.world;
        let staying: Vec<&String> = world.desired().collect();
        let names_leaver = |span: &Span| !leavers.iter().any(|op| world.names(&span.served.records, op));
        let mut last_asked =
            self.at.max(self.dead(Kind::Ns, names_leaver)).max(self.dead(Kind::Delegation, names_leaver));
        let lasts = leavers.iter().map(|leaver| last_question(world, leaver).from);
        if let Some(known) = lasts.reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten() {
            // Nothing names them any more, or nobody was ever told of them.
            last_asked = known;
        }
        if joined && world.parent_follows_csync() {
            // The CSYNC of the join names the leaver: until the parent can no longer act on it, it may be delegated to again.
            let lifetimes = world.lifetimes;
            let of =
                |kind: Kind| world.history.spans(kind).map(|(_, span)| u64::from(span.served.ttl_s)).max().unwrap_or(0);
            let enacted = self.at.plus(lifetimes.cached(of(Kind::Ns))).plus(lifetimes.parent_pipeline());
            last_asked = last_asked.max(enacted.plus(world.lifetimes.outlives_ttl(of(Kind::Delegation))));
        }
        let last_question = format!(
            "nobody can ask {} once the name server sets that name it are dead: {} (operators), {} (parent){}",
            listed(leavers),
            self.lives(Kind::Ns),
            self.lives(Kind::Delegation),
            if joined { ", and the parent can no longer act on the CSYNC that named it" } else { "" }
        );
        let lived = |kind: Kind| {
            let of = world.history.tracks().filter(|(server, of, _)| {
                *of == kind && matches!(&server.who, Who::Operator(name) if leavers.contains(&name))
            });
            of.filter_map(|(server, kind, track)| {
                Some(world.lifetimes.outlives(server, kind, &track.spans.last()?.served))
            })
            .max()
            .unwrap_or_default()
        };
        let begun = self.at;
        self.at = begun.max(last_asked.plus(lived(Kind::Dnskey)));
        let ds_keys: RecordSet = staying.iter().flat_map(|op| world.key_signing_keys(op)).collect();
        let guard = format!(
            "{last_question}; then its DNSKEY sets live for another {}",
            humantime::format_duration(lived(Kind::Dnskey))
        );
        let mark = self.steps.len();
        self.ask_for_ds(&staying, &ds_keys, &format!("the DS of {} may go", listed(leavers)));
        if let Some(step) = self.steps.get_mut(mark) {
            step.guard = guard;
            self.numbers(&[Kind::Ns, Kind::Delegation, Kind::Dnskey]);
        }
        let parent = self.parent_acts();
        self.step(&format!("the parent has no DS of {}", listed(leavers)), parent, Vec::new(), String::new());
        let ds_gone = self.at;
        self.at = begun.max(last_asked.plus(lived(Kind::Data)));
        let going: RecordSet = leavers.iter().flat_map(|op| world.own_keys(op)).collect();
        let keys = self.writes(&staying, Kind::Dnskey, |_, served| served.difference(&going).cloned().collect());
        let guard = format!(
            "its answers live for up to {} after the last question",
            humantime::format_duration(lived(Kind::Data))
        );
        self.step(
            &format!("the keys of {} go: it is out, and may be switched off", listed(leavers)),
            "chorus",
            keys,
            guard,
        );
        self.numbers(&[Kind::Data]);
        self.at = self.at.max(ds_gone);
    }

    fn ask_for_ds(&mut self, at: &[&String], keys: &RecordSet, title: &str) {
        let (cds, cdnskey) = cds_and_cdnskey(self.world, keys);
        let mut writes = self.writes(at, Kind::Cds, |_, _| cds.clone());
        writes.extend(self.writes(at, Kind::Cdnskey, |_, _| cdnskey.clone()));
        self.step(title, "chorus", writes, String::new());
    }

    fn delegation(&mut self, target: &RecordSet) {
        let parent = if self.world.parent_follows_csync() { "parent" } else { "you" };
        let mut writes = Vec::new();
        if parent == "parent" {
            let wanted = csync(self.world.zone, target.iter().filter_map(|ns| ns_name(ns).ok()));
            writes = self.writes(&self.world.members.keys().collect::<Vec<_>>(), Kind::Csync, |_, _| wanted.clone());
        }
        self.step("the parent delegates to the same set", parent, writes, String::new());
    }

    fn parent_acts(&self) -> &'static str {
        match self.world.parent {
            super::ParentMode::Scan => "parent",
            super::ParentMode::Manual => "you",
        }
    }

    /// When what `fresh` does not accept is dead, if it is served until the present step at the longest.
    fn dead(&self, kind: Kind, fresh: impl Fn(&Span) -> bool) -> Time {
        self.dead_at(|_| true, kind, fresh)
    }

    /// Whether no resolver ever queried the operator of a server: no cache has anything of it (see `guards::is_in_no_cache`).
    fn unasked(&self, server: &Server) -> bool {
        let Some(track) = self.world.history.track(server, Kind::Dnskey) else { return false };
        // Until the step at which it is named.
        let ended = |span: &Span| Span { until: Some(span.until.unwrap_or(self.at)), ..span.clone() };
        track.spans.iter().all(|span| is_in_no_cache(self.world, server, &ended(span)))
    }

    fn dead_at(&self, at: impl Fn(&Server) -> bool, kind: Kind, fresh: impl Fn(&Span) -> bool) -> Time {
        let stale = self.world.history.may_be_served(kind).filter(|(server, span)| at(server) && !fresh(span));
        let ends = stale.map(|(server, span)| {
            self.world.lifetimes.death_after(span.until.unwrap_or(self.at), server, kind, &span.served)
        });
        ends.max().unwrap_or(self.at)
    }

    fn lives(&self, kind: Kind) -> humantime::FormattedDuration {
        let spans = self.world.history.spans(kind);
        humantime::format_duration(
            spans
                .filter(|(server, _)| kind != Kind::Dnskey || !self.unasked(server))
                .map(|(server, span)| self.world.lifetimes.outlives(server, kind, &span.served))
                .max()
                .unwrap_or_default(),
        )
    }

    fn writes(&self, at: &[&String], kind: Kind, wanted: impl Fn(&str, &RecordSet) -> RecordSet) -> Vec<ForecastWrite> {
        let writes = at.iter().map(|operator| {
            let served = self.world.served(operator, kind);
            let wanted = wanted(operator, &served);
            ForecastWrite {
                operator: (*operator).clone(),
                kind,
                add: wanted.difference(&served).cloned().collect(),
                remove: served.difference(&wanted).cloned().collect(),
            }
        });
        writes.filter(|write| !write.add.is_empty() || !write.remove.is_empty()).collect()
    }

    /// Says of the step that was planned last which lengths of time its guard adds up.
    fn numbers(&mut self, kinds: &[Kind]) {
        let lifetimes = self.world.lifetimes;
        let largest = |kind: Kind| {
            let spans = self.world.history.spans(kind);
            let spans = spans.filter(|(server, _)| kind != Kind::Dnskey || !self.unasked(server));
            let ttls = spans.map(|(server, span)| lifetimes.ttl_s(server, kind, &span.served));
            let what =
                if kind == Kind::Data { "largest TTL of any answer".to_owned() } else { format!("largest {kind} TTL") };
            (what, ttls.max().unwrap_or(0))
        };
        let mut numbers: Vec<(String, u64)> = kinds.iter().map(|kind| largest(*kind)).collect();
        numbers.push(("serve-stale allowance".into(), lifetimes.policy.stale_s));
        numbers.push(("slack".into(), lifetimes.policy.slack_s));
        if let Some(step) = self.steps.last_mut() {
            step.numbers = numbers;
        }
    }

    fn step(&mut self, title: &str, actor: &'static str, writes: Vec<ForecastWrite>, guard: String) {
        self.steps.push(ForecastStep {
            title: title.to_owned(),
            actor,
            writes,
            guard,
            numbers: Vec::new(),
            earliest: self.at,
        });
    }
}

fn listed(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
