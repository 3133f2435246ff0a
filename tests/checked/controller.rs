//! One round of the controller: from what it remembers and what servers show to writes, by the real model, in the engine's
//! order: observe, decide, check each write together with those before it, send.
//!
//! Invariant: nothing is decided here. A history is put together from the remembered spans, takes in the samples of the
//! round, and is read back; equal rounds are worked out once.

use crate::memory::{Memory, Span};
use crate::names::{Names, each, host, label};
use crate::world::{Group, Keys, Operators, Size, Zone};
use chorus::model::chain::{Planned, Scene, check};
use chorus::model::group::{Change, Member, ParentMode, Standing, World as Seen, Write, decide, is_present};
use chorus::model::history::{self, Failure, History, Kind, Lifetimes, Outcome, Sample, Served, Server};
use chorus::model::policy::Policy;
use chorus::model::switches::Switch;
use chorus::model::time::Time;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

/// The moment that ages are counted from.
const NOW_S: i64 = 1_000;

/// What is remembered of each address; CDNSKEY sets are remembered as the CDS sets that they come with.
const KINDS: [Kind; 5] = [Kind::Dnskey, Kind::Cds, Kind::Csync, Kind::Ns, Kind::Data];

pub fn tracks(size: &Size) -> usize {
    Kind::PARENT.len() + KINDS.len() * size.address_of.len()
}

/// Whose track this is (`None`: the parent's), and of what kind.
pub fn kind_of(index: usize) -> (Option<usize>, Kind) {
    match index.checked_sub(Kind::PARENT.len()) {
        None => (None, Kind::PARENT[index]),
        Some(index) => (Some(index / KINDS.len()), KINDS[index % KINDS.len()]),
    }
}

/// Everything that a round depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub memory: Memory,
    /// What each address shows; ranks are not for the controller to see.
    pub shows: Vec<Zone>,
    pub parent: (Keys, Operators),
    /// Whose answers get lost: 0 for the parent, else an address.
    pub unheard: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    Keys { with: Keys, without: Keys },
    Cds(Keys),
    Csync(bool),
    Ns(Operators),
}

#[derive(Clone, Debug)]
pub struct Round {
    pub memory: Memory,
    pub writes: Vec<(u8, Vec<Set>)>,
    /// Members that the controller takes to be asked by nobody any more.
    pub gone: Operators,
}

pub struct Controller {
    size: Size,
    names: Names,
    lifetimes: Lifetimes,
    rounds: Mutex<HashMap<View, Arc<Round>>>,
}

impl Controller {
    pub fn new(size: &Size, without: &[Switch]) -> Controller {
        let policy = Policy {
            delegation: String::new(),
            parent_profile: None,
            parent_manual: None,
            slack_s: 0,
            stale_s: 0,
            data_ttl_max_s: Some(size.ttls.data.into()),
            parent_pipeline_s: size.pipeline.into(),
            resolver_min_ttl_s: 0,
            resolver_max_ttl_s: 10,
            sample_every_s: 0,
            gap_max_s: 3600,
            registrar_max_s: 0,
        };
        Controller {
            names: Names::new(&size.address_of),
            size: size.clone(),
            lifetimes: Lifetimes { without: without.iter().copied().collect(), ..Lifetimes::new(policy) },
            rounds: Mutex::default(),
        }
    }

    pub fn rounds_worked_out(&self) -> usize {
        self.rounds.lock().unwrap().len()
    }

    pub fn round(&self, view: &View) -> Arc<Round> {
        let known = self.rounds.lock().unwrap().get(view).cloned();
        known.unwrap_or_else(|| {
            let round = Arc::new(self.work_out(view));
            self.rounds.lock().unwrap().insert(view.clone(), round.clone());
            round
        })
    }

    fn ttl_s(&self, kind: Kind) -> u32 {
        let ttls = &self.size.ttls;
        let ttl = match kind {
            Kind::Ds => ttls.ds,
            Kind::Delegation => ttls.delegation,
            Kind::Dnskey => ttls.dnskey,
            Kind::Cds | Kind::Cdnskey => ttls.cds,
            Kind::Csync => ttls.csync,
            Kind::Ns => ttls.ns,
            // The SOA record does not show the largest TTL of the zone.
            Kind::Data => 1,
            Kind::Glue | Kind::Addresses => 0,
        };
        ttl.into()
    }

    fn served(&self, kind: Kind, set: u16, signers: Keys) -> Served {
        Served {
            records: self.names.records(kind, set),
            ttl_s: self.ttl_s(kind),
            signers: self.names.signers(signers),
            expires: None,
        }
    }

    fn track_of(&self, index: usize) -> (&Server, Kind) {
        let (address, kind) = kind_of(index);
        (address.map_or(&self.names.parent, |at| &self.names.addresses[at]), kind)
    }

    fn history(&self, memory: &Memory) -> History {
        let mut history = History::default();
        let at = |age: u8| Time::from_s(NOW_S - i64::from(age));
        // Of two rounds in one tick the one is before the other: a version that one of them showed was there for a moment.
        let just_before = |age: u8| Time(at(age).0 - 1);
        for (index, track) in memory.tracks.iter().enumerate() {
            let (server, kind) = self.track_of(index);
            for span in track {
                let restore = |history: &mut History, kind: Kind| {
                    let (since, last_seen) = (span.since.map(just_before), just_before(span.last_seen));
                    let served = self.served(kind, span.set, span.signers);
                    let until = span.until.map(at);
                    // Somebody looked all the time.
                    let first_seen = since.map_or(just_before(u8::MAX), |since| Time(since.0 + 1)).min(last_seen);
                    let span =
                        history::Span { served: served.into(), since, first_seen, last_seen, until, gaps: Vec::new() };
                    history.restore(server.clone(), kind, span);
                };
                restore(&mut history, kind);
                if kind == Kind::Cds {
                    restore(&mut history, Kind::Cdnskey);
                }
            }
        }
        let servers = std::iter::once(&self.names.parent).chain(&self.names.addresses);
        for (_, server) in servers.enumerate().filter(|(index, _)| memory.silent & 1 << index != 0) {
            self.fails(&mut history, server);
        }
        history
    }

    fn fails(&self, history: &mut History, server: &Server) {
        let kinds: &[Kind] = if *server == self.names.parent { &Kind::PARENT } else { &Kind::OPERATOR };
        for kind in kinds {
            let outcome = Outcome::Failed(Failure::Silent);
            history.record(&Sample { at: Time::from_s(NOW_S), server: server.clone(), kind: *kind, outcome });
        }
    }

    fn shows(&self, history: &mut History, server: &Server, kind: Kind, set: u16, signers: Keys) {
        let outcome = Outcome::Served(self.served(kind, set, signers));
        history.record(&Sample { at: Time::from_s(NOW_S), server: server.clone(), kind, outcome });
    }

    fn members(&self, memory: &Memory) -> BTreeMap<String, Member> {
        let member = |op: u8| {
            let servers = self.names.addresses.iter().zip(&self.size.address_of).filter(|(_, of)| **of == op);
            let placed = self.names.records(Kind::Dnskey, memory.placed[usize::from(op)]);
            let member = Member {
                hosts: [host(op)].into(),
                servers: servers.map(|(server, _)| server.clone()).collect(),
                found: BTreeSet::new(),
                wanted: match memory.desired {
                    Group { serving, .. } if serving & 1 << op != 0 => Standing::Serving,
                    Group { trusted, .. } if trusted & 1 << op != 0 => Standing::Trusted,
                    _ => Standing::Outside,
                },
                unreachable: false,
                uncooperative: false,
                placements: BTreeMap::from([(Kind::Dnskey, placed)]),
            };
            (label(op), member)
        };
        each(memory.members).map(member).collect()
    }

    fn work_out(&self, view: &View) -> Round {
        let mut history = self.history(&view.memory);
        let mut members = self.members(&view.memory);
        let mut memory = view.memory.clone();
        let paused = view.memory.paused;
        let parents = std::slice::from_ref(&self.names.parent);
        let present = |history: &History, members: &BTreeMap<String, Member>| -> Operators {
            let world = self.seen(history, members, parents, paused);
            each(memory.members).filter(|op| is_present(&world, &label(*op))).map(|op| 1 << op).sum()
        };
        let asked = present(&history, &members);
        memory.silent = 0;
        for (index, (server, zone)) in self.names.addresses.iter().zip(&view.shows).enumerate() {
            let index = index as u8 + 1;
            if asked & 1 << self.size.address_of[usize::from(index) - 1] == 0 {
                memory.silent |= view.memory.silent & 1 << index;
            } else if view.unheard == Some(index) {
                memory.silent |= 1 << index;
                self.fails(&mut history, server);
            } else {
                let unless_empty = |set: u16, signers: Keys| if set == 0 { 0 } else { signers };
                let cds_by = unless_empty(zone.cds, zone.signs_keys);
                for (kind, set, signers) in [
                    (Kind::Dnskey, zone.keys, zone.signs_keys),
                    (Kind::Cds, zone.cds, cds_by),
                    (Kind::Cdnskey, zone.cds, cds_by),
                    (Kind::Csync, zone.csync.into(), unless_empty(zone.csync.into(), zone.signs_data)),
                    (Kind::Ns, zone.ns.into(), zone.signs_data),
                    (Kind::Data, 0, zone.signs_data),
                ] {
                    self.shows(&mut history, server, kind, set, signers);
                }
            }
        }
        if view.unheard == Some(0) {
            memory.silent |= 1;
            self.fails(&mut history, &self.names.parent);
        } else {
            self.shows(&mut history, &self.names.parent, Kind::Ds, view.parent.0, 0);
            self.shows(&mut history, &self.names.parent, Kind::Delegation, view.parent.1.into(), 0);
        }
        let decision = decide(&self.seen(&history, &members, parents, paused));
        let gone = memory.members & !memory.desired.all() & !present(&history, &members);
        let mut writes = Vec::new();
        let mut planned = Vec::new();
        // Alone and without a wish, a zone is watched and left as it is.
        let managed = memory.running || memory.members.count_ones() > 1;
        for write in decision.writes.iter().filter(|_| managed) {
            let before = planned.len();
            planned.extend(planned_by(&self.seen(&history, &members, parents, paused), write));
            if self.objected(&history, &members, &planned) {
                planned.truncate(before);
                continue;
            }
            let operator = write.operator.as_bytes()[0] - b'a';
            let sets = self.sets(write);
            for set in &sets {
                if let Set::Keys { with, .. } = set {
                    memory.placed[usize::from(operator)] |= with;
                    let placed = self.names.records(Kind::Dnskey, memory.placed[usize::from(operator)]);
                    let member = members.get_mut(&write.operator).unwrap();
                    member.placements.insert(Kind::Dnskey, placed);
                }
            }
            writes.push((operator, sets));
        }
        if decision.is_settled() && memory.running {
            memory.running = false;
            for op in each(memory.members & !memory.desired.all()) {
                memory.placed[usize::from(op)] = 0;
            }
            memory.members = memory.desired.all();
        }
        memory.tracks = self.remembered(&history);
        memory.forget(&self.size.horizon());
        Round { memory, writes, gone }
    }

    /// What the controller would do and wait for: for people who read a counter-example.
    pub fn explain(&self, view: &View) -> String {
        let (history, members) = (self.history(&view.memory), self.members(&view.memory));
        let decision =
            decide(&self.seen(&history, &members, std::slice::from_ref(&self.names.parent), view.memory.paused));
        let writes = decision.writes.iter().map(|w| format!("\n  write {:?} at {}: {}", w.step, w.operator, w.why));
        let waits =
            decision.waits.iter().map(|w| format!("\n  wait {:?} {} {:?}: {}", w.step, w.code, w.until, w.text));
        writes.chain(waits).collect()
    }

    fn seen<'a>(
        &'a self,
        history: &'a History,
        members: &'a BTreeMap<String, Member>,
        parent_servers: &'a [Server],
        paused: bool,
    ) -> Seen<'a> {
        Seen {
            zone: &self.names.zone,
            history,
            lifetimes: &self.lifetimes,
            members,
            parent_servers,
            parent: ParentMode::Scan,
            now: Time::from_s(NOW_S),
            paused,
            algorithm: None,
            scope: Default::default(),
            memo: None,
        }
    }

    fn objected(&self, history: &History, members: &BTreeMap<String, Member>, planned: &[Planned]) -> bool {
        let named = members.iter().flat_map(|(op, m)| m.hosts.iter().map(move |h| (h.clone(), op.clone())));
        let hosts = named.collect();
        let scene = Scene { zone: &self.names.zone, history, lifetimes: &self.lifetimes, hosts: &hosts };
        !check(&scene, planned, Time::from_s(NOW_S)).is_empty()
    }

    fn sets(&self, write: &Write) -> Vec<Set> {
        let number = |kind, records| self.names.number(kind, records);
        let sets = write.sets.iter().map(|(kind, _, change)| match (kind, change) {
            (Kind::Dnskey, Change::Partly { with, without }) => {
                Set::Keys { with: number(*kind, with), without: number(*kind, without) }
            }
            (Kind::Cds, Change::Exactly(set)) => Set::Cds(number(*kind, set)),
            // Where only the one of the two lags behind, the other is written with it: they are one in this world.
            (Kind::Cdnskey, Change::Exactly(set)) => Set::Cds(number(*kind, set)),
            (Kind::Csync, Change::Exactly(set)) => Set::Csync(!set.is_empty()),
            (Kind::Ns, Change::Exactly(set)) => Set::Ns(number(*kind, set) as Operators),
            other => panic!("not written in this world: {other:?}"),
        });
        let mut sets: Vec<Set> = sets.collect();
        sets.dedup();
        sets
    }

    /// The history as states keep it.
    fn remembered(&self, history: &History) -> Vec<Vec<Span>> {
        let age = |at: Time| ((NOW_S * 1000 - at.0) / 1000) as u8;
        let track = |index: usize| {
            let (server, kind) = self.track_of(index);
            let spans = history.track(server, kind).map(|track| track.spans.as_slice()).unwrap_or_default();
            let span = |span: &history::Span| Span {
                set: self.names.number(kind, &span.served.records),
                signers: self.names.number(Kind::Dnskey, &span.served.signers),
                since: span.since.map(age),
                last_seen: age(span.last_seen),
                until: span.until.map(age),
            };
            spans.iter().map(span).collect()
        };
        (0..tracks(&self.size)).map(track).collect()
    }
}

/// What the operator's servers will serve after a write.
fn planned_by(world: &Seen<'_>, write: &Write) -> Vec<Planned> {
    let sets = write.sets.iter().map(|(kind, ttl_s, change)| {
        let records = match change {
            Change::Exactly(records) => records.clone(),
            Change::Partly { with, without } => {
                let served = world.served(&write.operator, *kind);
                served.union(with).filter(|record| !without.contains(*record)).cloned().collect()
            }
        };
        Planned { operator: write.operator.clone(), kind: *kind, ttl_s: *ttl_s, records }
    });
    sets.collect()
}
