//! A small world in virtual seconds: operators with lag and key rolls, a parent that acts late, on single answers or
//! on one server at a time, answers that get lost, and Chorus' core in the middle of it.
//!
//! Everything follows from the seed. What is assumed of the parent is what RFC 7344 §6.2 asks for: it does not let an older
//! CDS override a newer one, and enacts in the order in which it read.

use crate::oracle::{Oracle, Seen, Set, Shown, What};
use chorus::model::chain::{Objection, Planned, Scene, check};
use chorus::model::dns::{Dnskey, Name, Rdata, RecordSet, cds_for, ns_rdata};
use chorus::model::group::{Change, Decision, Member, ParentMode, Standing, World as Group, Write, decide, is_present};
use chorus::model::history::{Failure, History, Kind, Lifetimes, Outcome, Sample, Served, Server, Who};
use chorus::model::policy::Policy;
use chorus::model::switches::Switch;
use chorus::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// splitmix64.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// One address, with what it shows and what is on its way to it.
pub struct Address {
    server: Server,
    pub operator: Option<u8>,
    lag_s: i64,
    shows: BTreeMap<Kind, Shown>,
    coming: Vec<(i64, Kind, Shown)>,
}

impl Address {
    fn will_show(&mut self, at: i64, kind: Kind, shown: Shown) {
        let after = self.coming.iter().map(|coming| coming.0).max().unwrap_or(at);
        self.coming.push(((at + self.lag_s).max(after), kind, shown));
    }

    fn catch_up(&mut self, now: i64) {
        let (here, coming) = std::mem::take(&mut self.coming).into_iter().partition(|coming| coming.0 <= now);
        self.coming = coming;
        self.shows.extend(here.into_iter().map(|(_, kind, shown): (i64, Kind, Shown)| (kind, shown)));
    }
}

/// An operator's primary. Key numbers: `10 * operator + n`; those with n < 5 are key-signing.
struct Operator {
    own: Set,
    signs_keys: Set,
    signs_data: Set,
    zone: BTreeMap<Kind, Set>,
    ttls_s: BTreeMap<Kind, i64>,
    serving: bool,
    rolls: Option<u8>,
}

/// What of the world is left to chance, and what is fixed by a test.
#[derive(Clone, Default)]
pub struct Rules {
    pub without: Vec<Switch>,
    /// No lag, no loss, no late parent, no rolls: for comparisons to the second.
    pub ideal: bool,
    pub operators: Option<u8>,
}

pub struct World {
    pub now: i64,
    pub rng: Rng,
    rules: Rules,
    zone: Name,
    operators: BTreeMap<u8, Operator>,
    pub addresses: Vec<Address>,
    oracle: Oracle,
    rdata: BTreeMap<u8, Rdata>,
    ds: BTreeMap<u8, Rdata>,
    settled: bool,
    serial: u64,
    /// The registry: what it has, and what it is going to publish (when, DS or NS, with which serial).
    registry: BTreeMap<Kind, Set>,
    enacting: Vec<(i64, Kind, Set)>,
    newest: BTreeMap<Kind, u64>,
    next_scan: i64,
    next_poll: i64,
    poll_s: i64,
    loss_percent: u64,
    one_answer: bool,
    ds_ttl_s: i64,
    delegation_ttl_s: i64,
    lowers_ttl: bool,
    pub history: History,
    pub lifetimes: Lifetimes,
    pub members: BTreeMap<String, Member>,
    writing: Vec<(i64, Write)>,
    /// Writes that the check objected to, by what it said, with the first and last second.
    pub held_back: BTreeMap<String, (i64, i64)>,
    pub written: Vec<(i64, Write)>,
    pub failure: Option<String>,
}

pub fn label(operator: u8) -> String {
    char::from(b'a' + operator).to_string()
}

fn number(label: &str) -> u8 {
    label.as_bytes()[0] - b'a'
}

impl World {
    pub fn new(seed: u64, rules: Rules) -> World {
        let mut rng = Rng(seed);
        let ideal = rules.ideal;
        let count = rules.operators.unwrap_or_else(|| rng.between(2, 4) as u8);
        let policy = Policy {
            slack_s: if ideal { 0 } else { rng.between(0, 5) as u64 },
            stale_s: if rng.chance(50) { 0 } else { rng.between(1, 120) as u64 },
            parent_pipeline_s: rng.between(10, 900) as u64,
            ..Policy::default()
        };
        let mut oracle = Oracle::default();
        oracle.stale_s = policy.stale_s as i64;
        let ttl = |rng: &mut Rng| if rng.chance(25) { rng.between(200, 900) } else { rng.between(5, 200) };
        let (ds_ttl_s, delegation_ttl_s) = (ttl(&mut rng), ttl(&mut rng));
        let mut world = World {
            now: 100_000,
            zone: Name::from_str("child.example.").unwrap(),
            operators: BTreeMap::new(),
            addresses: Vec::new(),
            oracle,
            rdata: BTreeMap::new(),
            ds: BTreeMap::new(),
            settled: false,
            serial: 0,
            registry: BTreeMap::new(),
            enacting: Vec::new(),
            newest: BTreeMap::new(),
            next_scan: 0,
            next_poll: 0,
            poll_s: if ideal { 1 } else { rng.between(5, 40) },
            loss_percent: if ideal || rng.chance(30) { 0 } else { rng.between(1, 2) as u64 },
            one_answer: rng.chance(50),
            ds_ttl_s,
            delegation_ttl_s,
            lowers_ttl: rng.chance(40),
            history: History::default(),
            lifetimes: Lifetimes { without: rules.without.iter().copied().collect(), ..Lifetimes::new(policy) },
            members: BTreeMap::new(),
            writing: Vec::new(),
            held_back: BTreeMap::new(),
            written: Vec::new(),
            failure: None,
            rng: Rng(0),
            rules,
        };
        for index in 1..=rng.between(1, 2) {
            world.address(None, index as u8, if ideal { 0 } else { rng.between(0, 300) });
        }
        for number in 0..count {
            let own: Set =
                if rng.chance(30) { Set::from([10 * number]) } else { Set::from([10 * number, 10 * number + 5]) };
            let ttls_s = Kind::OPERATOR.into_iter().map(|kind| (kind, ttl(&mut rng))).collect::<BTreeMap<_, _>>();
            let data_ttl_s = ttls_s[&Kind::Data];
            world.lifetimes.zone_ttls_s.insert(label(number), data_ttl_s as u32);
            let signs_data = own.iter().copied().max().into_iter().collect();
            let (signs_keys, zone) = (Set::from([10 * number]), BTreeMap::new());
            let rolls = (!ideal && rng.chance(25)).then_some(0);
            world
                .operators
                .insert(number, Operator { own, signs_keys, signs_data, zone, ttls_s, serving: true, rolls });
            for index in 1..=rng.between(1, 2) {
                world.address(Some(number), index as u8, if ideal { 0 } else { rng.between(0, 60) });
            }
        }
        let first: BTreeSet<u8> = (0..if count > 2 && rng.chance(40) { 2 } else { 1 }).collect();
        let ds: Set = first.iter().map(|op| 10 * op).collect();
        let ns: Set = first.iter().flat_map(|op| world.hosts(*op)).collect();
        for number in 0..count {
            let member = first.contains(&number);
            let own_cds = if rng.chance(50) { Set::from([10 * number]) } else { Set::new() };
            // Some newcomers come with everything of the others placed beforehand, by hand.
            let prepared = !member && rng.chance(20);
            let union: Set = first.iter().flat_map(|op| world.operators[op].own.clone()).collect();
            let operator = &world.operators[&number];
            let keys =
                if member || prepared { operator.own.union(&union).copied().collect() } else { operator.own.clone() };
            let hosts = world.hosts(number);
            let names = if member {
                ns.clone()
            } else if prepared {
                ns.union(&hosts).copied().collect()
            } else {
                hosts
            };
            let cds = if member && first.len() > 1 { ds.clone() } else { own_cds };
            let sets =
                [(Kind::Dnskey, keys), (Kind::Cds, cds.clone()), (Kind::Cdnskey, cds), (Kind::Csync, Set::new())];
            for (kind, set) in sets.into_iter().chain([(Kind::Ns, names), (Kind::Data, Set::new())]) {
                world.publish(number, kind, set);
            }
        }
        world.registry = BTreeMap::from([(Kind::Ds, ds.clone()), (Kind::Delegation, ns.clone())]);
        world.parent_publishes(Kind::Ds, ds, ds_ttl_s);
        world.parent_publishes(Kind::Delegation, ns, delegation_ttl_s);
        for address in &mut world.addresses {
            address.catch_up(i64::MAX);
        }
        world.rng = rng;
        world.want(&first);
        world
    }

    fn address(&mut self, operator: Option<u8>, index: u8, lag_s: i64) {
        let (who, host, net) = match operator {
            None => (Who::Parent, format!("ns{index}.parent."), 0),
            Some(op) => (Who::Operator(label(op)), format!("ns{index}.{}.", label(op)), op + 1),
        };
        let address = format!("198.51.{net}.{index}:53").parse().unwrap();
        let server = Server { who, host: Name::from_str(&host).unwrap().into(), address };
        self.addresses.push(Address { server, operator, lag_s, shows: BTreeMap::new(), coming: Vec::new() });
    }

    /// Numbers of an operator's hosts, one per address: `10 * operator + n`.
    fn hosts(&self, operator: u8) -> Set {
        let count = self.addresses.iter().filter(|address| address.operator == Some(operator)).count() as u8;
        (1..=count).map(|index| 10 * operator + index).collect()
    }

    fn servers(&self, operator: Option<u8>) -> Vec<Server> {
        let of = self.addresses.iter().filter(|address| address.operator == operator);
        of.map(|address| address.server.clone()).collect()
    }

    /// Key 3 of operator 2 is always the same octets, in every world.
    fn key(&mut self, key: u8) -> Rdata {
        let new = || {
            let mut octets = if key % 10 < 5 { vec![1, 1, 3, 13] } else { vec![1, 0, 3, 13] };
            let mut rng = Rng(u64::from(key));
            octets.extend((0..64).map(|_| rng.next() as u8));
            Rdata::from_canonical(octets)
        };
        self.rdata.entry(key).or_insert_with(new).clone()
    }

    fn records(&mut self, kind: Kind, set: &Set) -> RecordSet {
        match kind {
            Kind::Ns | Kind::Delegation => set.iter().map(|host| ns_rdata(&host_name(*host))).collect(),
            Kind::Dnskey | Kind::Cdnskey => set.iter().map(|key| self.key(*key)).collect(),
            Kind::Ds | Kind::Cds => {
                let ds = |key: &u8| {
                    let rdata = self.key(*key);
                    let new = || cds_for(&self.zone, [&rdata], &[2]).pop_first().unwrap();
                    self.ds.entry(*key).or_insert_with(new).clone()
                };
                set.iter().map(ds).collect()
            }
            Kind::Csync => set.iter().map(|_| Rdata::from_canonical(vec![0, 0, 0, 0, 0, 1, 0, 1, 0x20])).collect(),
            Kind::Data | Kind::Glue | Kind::Addresses => RecordSet::new(),
        }
    }

    fn numbers(&mut self, kind: Kind, records: &RecordSet) -> Set {
        if kind == Kind::Csync {
            return records.iter().map(|_| 0).collect();
        }
        let all: Vec<u8> = self.operators.keys().flat_map(|op| (0..10).map(move |n| 10 * op + n)).collect();
        let found: Set = all.into_iter().filter(|n| self.records(kind, &Set::from([*n])).is_subset(records)).collect();
        assert_eq!(found.len(), records.len(), "{kind}: not of this world");
        found
    }

    fn publish(&mut self, operator: u8, kind: Kind, set: Set) {
        self.serial += 1;
        let op = self.operators.get_mut(&operator).unwrap();
        op.zone.insert(kind, set.clone());
        let signers = match kind {
            Kind::Dnskey | Kind::Cds | Kind::Cdnskey => op.signs_keys.clone(),
            _ => op.signs_data.clone(),
        };
        let signers = if set.is_empty() && kind != Kind::Data { Set::new() } else { signers };
        let (now, serial) = (self.now, self.serial);
        let shown = Shown { version: serial, set, ttl_s: op.ttls_s[&kind], signers };
        for address in self.addresses.iter_mut().filter(|address| address.operator == Some(operator)) {
            address.will_show(now, kind, shown.clone());
        }
    }

    fn parent_publishes(&mut self, kind: Kind, set: Set, ttl_s: i64) {
        self.serial += 1;
        let (now, shown) = (self.now, Shown { version: self.serial, set, ttl_s, signers: Set::new() });
        for address in self.addresses.iter_mut().filter(|address| address.operator.is_none()) {
            address.will_show(now, kind, shown.clone());
        }
    }

    /// Changes the desired group; who is in it no longer stays a member until all is settled.
    pub fn want(&mut self, desired: &BTreeSet<u8>) {
        self.settled = false;
        for member in self.members.values_mut() {
            member.wanted = Standing::Outside;
        }
        for op in desired {
            let hosts = self.hosts(*op).into_iter().map(host_name).collect();
            let new = || Member {
                hosts,
                servers: Vec::new(),
                found: BTreeSet::new(),
                wanted: Standing::Serving,
                unreachable: false,
                uncooperative: false,
                placements: BTreeMap::new(),
            };
            let servers = self.servers(Some(*op));
            let member = self.members.entry(label(*op)).or_insert_with(new);
            (member.wanted, member.servers) = (Standing::Serving, servers);
            if !self.operators[op].serving {
                // It comes back as it was before it ever joined.
                self.operators.get_mut(op).unwrap().serving = true;
                let own = self.operators[op].own.clone();
                let names = self.hosts(*op);
                for (kind, set) in [(Kind::Dnskey, own), (Kind::Ns, names), (Kind::Data, Set::new())] {
                    self.publish(*op, kind, set);
                }
            }
        }
    }

    pub fn group<'a>(&'a self, parents: &'a [Server], now: Time) -> Group<'a> {
        Group {
            zone: &self.zone,
            history: &self.history,
            lifetimes: &self.lifetimes,
            members: &self.members,
            parent_servers: parents,
            parent: ParentMode::Scan,
            now,
            paused: false,
            algorithm: None,
            scope: Default::default(),
            memo: None,
        }
    }

    pub fn decision(&self, now: Time) -> Decision {
        decide(&self.group(&self.servers(None), now))
    }

    pub fn objections(&self, write: &Write, now: Time) -> Vec<Objection> {
        let parents = self.servers(None);
        let group = self.group(&parents, now);
        let planned = write.sets.iter().map(|(kind, ttl_s, change)| {
            let records = match change {
                Change::Exactly(records) => records.clone(),
                Change::Partly { with, without } => group
                    .served(&write.operator, *kind)
                    .union(with)
                    .filter(|r| !without.contains(*r))
                    .cloned()
                    .collect(),
            };
            Planned { operator: write.operator.clone(), kind: *kind, ttl_s: *ttl_s, records }
        });
        let hosts =
            self.members.iter().flat_map(|(op, m)| m.hosts.iter().map(move |h| (h.clone(), op.clone()))).collect();
        let scene = Scene { zone: &self.zone, history: &self.history, lifetimes: &self.lifetimes, hosts: &hosts };
        check(&scene, &planned.collect::<Vec<_>>(), now)
    }

    pub fn standing(&self, operator: u8) -> chorus::model::group::Standing {
        self.decision(Time::from_s(self.now)).standings[&label(operator)]
    }

    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// One second of the world. Chorus polls when it is time to; true when it did.
    pub fn second(&mut self) -> bool {
        self.now += 1;
        let now = self.now;
        self.parent_scans();
        self.keys_roll();
        let due: Vec<Write> = self.writing.extract_if(.., |(at, _)| *at <= now).map(|(_, write)| write).collect();
        for write in due {
            self.apply(&write);
        }
        for address in &mut self.addresses {
            address.catch_up(now);
        }
        self.resolvers_ask();
        if now < self.next_poll || !self.writing.is_empty() {
            return false;
        }
        self.next_poll = now + self.poll_s;
        self.poll();
        true
    }

    fn resolvers_ask(&mut self) {
        let seen = self.addresses.iter().map(|address| {
            let ns = if address.operator.is_none() { Kind::Delegation } else { Kind::Ns };
            let others = address.shows.iter().filter_map(|(kind, shown)| {
                let what = match kind {
                    Kind::Ds => What::Ds,
                    Kind::Dnskey => What::Dnskey,
                    Kind::Delegation => return None,
                    Kind::Data => What::Answer("data"),
                    Kind::Ns => What::Answer("NS"),
                    _ => What::Answer("CDS or CSYNC"),
                };
                Some((what, shown))
            });
            Seen { operator: address.operator, ns: &address.shows[&ns], others: others.collect() }
        });
        let seen: Vec<Seen<'_>> = seen.collect();
        let operators = &self.operators;
        let failure = self.oracle.second(self.now, &seen, |host| host / 10, |op| operators[&op].serving);
        self.failure = self.failure.take().or(failure);
    }

    /// Reads one address, or all of those that are delegated to and only if they agree; enacts later.
    fn parent_scans(&mut self) {
        let now = self.now;
        if now >= self.next_scan {
            self.next_scan = now + if self.rules.ideal { 1 } else { self.rng.between(5, 200) };
            let delegated: Vec<u8> = self.registry[&Kind::Delegation].iter().map(|host| host / 10).collect();
            let mut asked: Vec<usize> = (0..self.addresses.len())
                .filter(|i| self.addresses[*i].operator.is_some_and(|op| delegated.contains(&op)))
                .collect();
            if self.one_answer {
                asked = vec![asked[self.rng.next() as usize % asked.len()]];
            }
            let read = |kind: Kind| {
                let mut answers = asked.iter().map(|i| &self.addresses[*i].shows[&kind]);
                let first = answers.next()?;
                (answers.all(|other| other.set == first.set) && !first.set.is_empty()).then(|| first.clone())
            };
            let cds = read(Kind::Cds).map(|shown| (Kind::Ds, shown.set, shown.version));
            let ns = read(Kind::Csync).and(read(Kind::Ns)).map(|shown| (Kind::Delegation, shown.set, shown.version));
            for (kind, set, serial) in cds.into_iter().chain(ns) {
                let last = self.enacting.iter().rev().find(|e| e.1 == kind).map(|e| e.2.clone());
                let known = last.unwrap_or_else(|| self.registry[&kind].clone());
                if set == known || serial < self.newest.get(&kind).copied().unwrap_or(0) {
                    continue;
                }
                self.newest.insert(kind, serial);
                // The servers' own lag is part of the pipeline.
                let lag = self.addresses.iter().filter(|a| a.operator.is_none()).map(|a| a.lag_s).max().unwrap_or(0);
                let most = self.lifetimes.policy.parent_pipeline_s as i64 - lag;
                let delay = if self.rules.ideal { 0 } else { self.rng.between(0, most.max(0)) };
                let after = self.enacting.last().map_or(0, |e| e.0);
                self.enacting.push(((now + delay).max(after), kind, set));
            }
        }
        let due: Vec<_> = self.enacting.extract_if(.., |e| e.0 <= now).collect();
        for (_, kind, set) in due {
            self.registry.insert(kind, set.clone());
            let lowered = kind == Kind::Ds && self.lowers_ttl;
            let ttl_s = if kind == Kind::Ds { self.ds_ttl_s } else { self.delegation_ttl_s };
            self.parent_publishes(kind, set, if lowered { (ttl_s / 4).max(1) } else { ttl_s });
        }
    }

    /// Operators that roll keys do it well: a new key signs when every cache knows it, an old one goes when nothing needs it.
    fn keys_roll(&mut self) {
        let start = self.rng.chance(1) && self.rng.chance(20);
        for number in 0..self.operators.len() as u8 {
            let op = &self.operators[&number];
            let (Some(stage), Some(old)) = (op.rolls, op.own.iter().copied().max()) else { continue };
            let member = self.members.contains_key(&label(number)) && op.serving;
            if !member || op.own.len() > 3 || (stage == 0 && old % 10 >= 8) {
                continue;
            }
            let key_signing = old % 10 < 5;
            let (new, fresh) = (old + 1, old);
            let published = |key: u8| self.oracle.held(What::Dnskey).all(|(keys, _)| keys.contains(&key));
            let vouched = |key: u8| self.oracle.held(What::Ds).all(|(ds, _)| ds.contains(&key));
            let mut own = op.own.clone();
            let next = match stage {
                0 if start && (!key_signing || old % 10 < 3) => {
                    own.insert(new);
                    1
                }
                1 if published(fresh) && (!key_signing || vouched(fresh)) => 2,
                2 => {
                    let before = fresh - 1;
                    let needed =
                        self.oracle.answer_signers().any(|signers| signers.contains(&before) && signers.len() == 1);
                    let only = self.oracle.held(What::Dnskey).any(|(_, s)| s.contains(&before) && s.len() == 1);
                    // Nor while an address of its own is behind.
                    let behind = self.addresses.iter().any(|a| {
                        a.operator == Some(number)
                            && (!a.coming.is_empty() || a.shows.values().any(|s| s.signers == Set::from([before])))
                    });
                    if needed || only || behind {
                        continue;
                    }
                    own.remove(&before);
                    0
                }
                _ => continue,
            };
            let foreign: Set = op.zone[&Kind::Dnskey].difference(&op.own).copied().collect();
            let zone = op.zone.clone();
            let op = self.operators.get_mut(&number).unwrap();
            if next == 2 {
                op.signs_data = Set::from([fresh]);
                if key_signing {
                    op.signs_keys.insert(fresh);
                }
            }
            op.own = own.clone();
            op.signs_keys = op.signs_keys.intersection(&own).copied().collect();
            op.rolls = if next == 0 { None } else { Some(next) };
            for (kind, set) in zone {
                let set = if kind == Kind::Dnskey { own.union(&foreign).copied().collect() } else { set };
                self.publish(number, kind, set);
            }
        }
    }

    fn poll(&mut self) {
        let parents = self.servers(None);
        let now = Time::from_s(self.now);
        let asked: Vec<usize> = {
            let group = self.group(&parents, now);
            let present = |op: u8| is_present(&group, &label(op));
            (0..self.addresses.len()).filter(|i| self.addresses[*i].operator.is_none_or(present)).collect()
        };
        for i in asked {
            let shows = self.addresses[i].shows.clone();
            for (kind, shown) in shows {
                let server = self.addresses[i].server.clone();
                let records = self.records(kind, &shown.set);
                let signers = shown.signers.iter().map(|key| self.key(*key)).collect();
                // The SOA does not show the largest TTL of the zone.
                let ttl_s = if kind == Kind::Data { shown.ttl_s / 2 } else { shown.ttl_s } as u32;
                let outcome = if self.rng.chance(self.loss_percent) {
                    Outcome::Failed(Failure::Silent)
                } else {
                    Outcome::Served(Served { records, ttl_s, signers, expires: None })
                };
                self.history.record(&Sample { at: now, server, kind, outcome });
            }
        }
        let decision = self.decision(now);
        self.settled = decision.is_settled();
        if self.settled {
            self.members.retain(|_, member| member.wanted == Standing::Serving);
        }
        let group = self.group(&parents, now);
        let out: Vec<u8> =
            self.members.keys().filter(|name| !is_present(&group, name)).map(|name| number(name)).collect();
        for op in out {
            self.operators.get_mut(&op).unwrap().serving = false;
        }
        for write in decision.writes {
            let objections = self.objections(&write, now);
            if objections.is_empty() {
                let delay = if self.rules.ideal { 0 } else { self.rng.between(0, 5) };
                self.intend(&write);
                self.written.push((self.now, write.clone()));
                self.writing.push((self.now + delay, write.clone()));
            }
            // Answers that were lost are asked for again.
            for objection in objections.into_iter().filter(|o| !o.text.contains("does not answer")) {
                let text = format!("{:?} at {}: {}", write.step, write.operator, objection.text);
                self.held_back.entry(text).or_insert((self.now, self.now)).1 = self.now;
            }
        }
    }

    fn intend(&mut self, write: &Write) {
        let member = self.members.get_mut(&write.operator).unwrap();
        for (kind, _, change) in &write.sets {
            let (Change::Exactly(records) | Change::Partly { with: records, .. }) = change;
            member.placements.entry(*kind).or_default().extend(records.iter().cloned());
        }
    }

    fn apply(&mut self, write: &Write) {
        let operator = number(&write.operator);
        for (kind, _, change) in &write.sets {
            let set = match change {
                Change::Exactly(records) => self.numbers(*kind, records),
                Change::Partly { with, without } => {
                    let (with, without) = (self.numbers(*kind, with), self.numbers(*kind, without));
                    let had = &self.operators[&operator].zone[kind];
                    had.union(&with).filter(|key| !without.contains(key)).copied().collect()
                }
            };
            self.publish(operator, *kind, set);
        }
    }

    /// Who is in, what is written and what is waited for: for messages of failed assertions.
    pub fn situation(&self) -> String {
        let decision = self.decision(Time::from_s(self.now));
        let writes = decision.writes.iter().map(|w| format!("\n  write {:?} at {}: {}", w.step, w.operator, w.why));
        let waits =
            decision.waits.iter().map(|w| format!("\n  wait {:?} {} {:?}: {}", w.step, w.code, w.until, w.text));
        let desired: Vec<&String> =
            self.members.iter().filter(|(_, m)| m.wanted == Standing::Serving).map(|(name, _)| name).collect();
        let members: Vec<&String> = self.members.keys().collect();
        let tags: Vec<String> =
            self.rdata.iter().map(|(n, r)| format!("{n}={}", Dnskey::read(r).map_or(0, |key| key.key_tag()))).collect();
        format!(
            "at {}: members {members:?}, desired {desired:?}, keys {tags:?}{}{}",
            self.now,
            writes.collect::<String>(),
            waits.collect::<String>()
        )
    }
}

fn host_name(host: u8) -> Name {
    Name::from_str(&format!("ns{}.{}.", host % 10, label(host / 10))).unwrap()
}
