//! What the engine is given in a simulated world: its clock, its chance, what it observes, what it writes through.
//!
//! Invariant: every answer is there at once, in virtual time; what takes time lets the world go on meanwhile. Only a crash
//! waits.

use super::address::Address;
use super::catalogue::{catalogue, operator_of_label};
use super::crash::Crashes;
use super::fate::Fate;
use super::world::World;
use crate::engine::{Clock, NoProvider, Providers, Random};
use crate::model::dns::proof::{Fault, Flaw};
use crate::model::dns::{Name, Rdata, host_address};
use crate::model::history::{Failure, Kind, Outcome, Sample, Server, Who};
use crate::model::preflight::{Contents, Inspected, Inspection, Validity};
use crate::model::resolution::{Resolution, resolution_of};
use crate::model::time::Time;
use crate::observe::fresh::Start;
use crate::observe::resolve::{Looked, Resolve, ResolveError};
use crate::observe::round::{Observation, Observe};
use crate::observe::transport::{NoAnswer, Protocol, Transport};
use crate::store::OperatorRecord;
use async_trait::async_trait;
use chorus_providers::{
    Capabilities, CdsControl, Change, ForeignDnskey, Provider, ProviderError, Rrset, Wanted, WriteGrouping,
};
use hickory_proto::rr::RecordType;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The world, as the engine's ports see it.
#[derive(Clone)]
pub struct Surroundings {
    world: Arc<Mutex<World>>,
    pub crashes: Arc<Crashes>,
}

impl Surroundings {
    pub fn new(world: World) -> Surroundings {
        Surroundings { world: Arc::new(Mutex::new(world)), crashes: Arc::default() }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        // One thread has it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for Surroundings {
    fn now(&self) -> Time {
        Time(self.world().now_ms)
    }

    async fn sleep_until(&self, _: Time) {
        std::future::pending().await
    }
}

impl Random for Surroundings {
    fn fill(&self, octets: &mut [u8]) {
        let mut world = self.world();
        octets.fill_with(|| world.rng.next() as u8);
    }
}

/// No single question is asked: the parent and all addresses are known.
#[async_trait]
impl Transport for Surroundings {
    async fn exchange(&self, _: SocketAddr, _: Protocol, _: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        Err(NoAnswer::Timeout)
    }
}

#[async_trait]
impl Resolve for Surroundings {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NoAddress(host.clone()))
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        Err(ResolveError::NoZone(zone.clone()))
    }

    async fn is_zone(&self, _: &Name) -> Result<bool, ResolveError> {
        Ok(false)
    }

    /// Out of a cache, now and then: then what was there before is found, with what is left of its TTL.
    async fn look_up(&self, host: &Name) -> Result<Looked, ResolveError> {
        let mut world = self.world();
        if !world.edge.is_mapped {
            return Err(ResolveError::NotHere);
        }
        let (now_ms, is_cached) = (world.now_ms, world.edge.chance(30));
        if world.edge.chance(3) {
            let reason = "no answer".into();
            return Err(ResolveError::Failed { name: host.clone(), rtype: RecordType::A, reason });
        }
        for named in &world.edge.named {
            let ttl_s = named.shows(Kind::Addresses).map_or(0, |content| content.served.ttl_s);
            let since_ms = now_ms - if is_cached { i64::from(ttl_s) * 1000 } else { 0 };
            let Some(content) = named.showed_since(Kind::Addresses, since_ms) else { continue };
            let pairs = content.served.records.iter().filter_map(host_address);
            let addresses: BTreeSet<IpAddr> = pairs.filter(|(of, _)| of == host).map(|(_, address)| address).collect();
            if !addresses.is_empty() {
                return Ok(Looked::Addresses { addresses, ttl_s });
            }
        }
        Ok(Looked::Addresses { addresses: BTreeSet::new(), ttl_s: 60 })
    }
}

#[async_trait]
impl Observe for Surroundings {
    async fn observe(&self, _: &Name, _: &Name, operators: &[Server], parent: &[Server], _: Protocol) -> Observation {
        self.crashes.point().await;
        let mut world = self.world();
        let began = Time(world.now_ms);
        let mut samples = Vec::with_capacity(operators.len() * 6 + parent.len() * 2);
        for (servers, kinds) in [(operators, Kind::OPERATOR.as_slice()), (parent, Kind::PARENT.as_slice())] {
            let takes_ms = world.rng.between(1, 800);
            let at_ms = world.now_ms + takes_ms;
            world.advance(at_ms);
            for server in servers {
                let kinds = asked_for(&world, server, kinds);
                ask(&mut world, server, &kinds, &mut samples);
            }
        }
        Observation { began, samples }
    }

    async fn addresses(&self, _: &Name, hosts: &BTreeSet<Name>, operators: &[Server], _: Protocol) -> Vec<Sample> {
        let mut world = self.world();
        let mut samples = Vec::new();
        if world.edge.is_mapped {
            operators.iter().for_each(|server| ask(&mut world, server, &[Kind::Addresses], &mut samples));
        }
        let asked = |record: &Rdata| host_address(record).is_some_and(|(host, _)| hosts.contains(&host));
        for sample in &mut samples {
            if let Outcome::Served(served) = &mut sample.outcome {
                served.records.retain(asked);
            }
        }
        samples
    }

    async fn inspect(&self, _: &Name, servers: &[Server], listings: BTreeMap<String, Contents>) -> Inspection {
        let world = self.world();
        let servers = servers.iter().map(|server| inspected(&world, server)).collect();
        Inspection { servers, listings, ..Inspection::default() }
    }

    /// As the world is at this moment, without chance: no packet is lost, and no time passes.
    async fn resolve(&self, start: Start<'_>) -> Resolution {
        let world = self.world();
        let mut samples = Vec::new();
        for (servers, kinds) in [(start.configured, Kind::OPERATOR.as_slice()), (start.parent, &Kind::PARENT)] {
            for server in servers {
                let found = kinds.iter().map(|kind| now_at(&world, server, *kind));
                // A copy at the parent answers at once; another server of the parent has to refer to the others.
                samples.extend(found.filter(|sample| sample.outcome != Outcome::Failed(Failure::ServesChild)));
            }
        }
        resolution_of(start.zone, Time(world.now_ms), &samples)
    }
}

/// A server of the parent that has a copy of the zone is looked at as one of the zone's, too; and referrals bring glue along.
fn asked_for(world: &World, server: &Server, kinds: &[Kind]) -> Vec<Kind> {
    let of_parent = server.who == Who::Parent;
    let has_copy =
        world.addresses.iter().any(|at| at.server == *server && at.operator.is_none() && at.mirrors.is_some());
    let glue = [Kind::Glue].into_iter().filter(|_| of_parent && world.edge.is_mapped);
    let copy = Kind::COPY.into_iter().filter(|_| of_parent && has_copy);
    kinds.iter().copied().chain(glue).chain(copy).collect()
}

/// What an address answers that is asked now, `late_ms` ago at the earliest.
fn answers(world: &World, address: &Address, kind: Kind, late_ms: i64) -> Outcome {
    let of_parent_zone = matches!(kind, Kind::Delegation | Kind::Glue);
    let has_copy = address.operator.is_none() && address.mirrors.is_some();
    if of_parent_zone && has_copy && !world.edge.shows_by_transfer {
        return Outcome::Failed(Failure::ServesChild);
    }
    if kind == Kind::Data && address.rotten == Some(0) {
        return Outcome::Failed(Failure::Unverifiable("SOA set: no signature verifies".into()));
    }
    match address.showed_since(kind, world.now_ms - late_ms).filter(|_| address.answers_at(world.now_ms)) {
        Some(content) if world.serves(address) => Outcome::Served(content.served.clone()),
        Some(_) => Outcome::Failed(Failure::Refused),
        None => Outcome::Failed(Failure::Silent),
    }
}

/// What one address answers at this moment.
fn now_at(world: &World, server: &Server, kind: Kind) -> Sample {
    let address = world.addresses.iter().find(|at| at.server.address == server.address);
    let outcome = address.map_or(Outcome::Failed(Failure::Silent), |at| answers(world, at, kind, 0));
    Sample { at: Time(world.now_ms), server: server.clone(), kind, outcome }
}

/// What a closer look finds: which answers do not validate.
fn inspected(world: &World, server: &Server) -> Inspected {
    let address = world.addresses.iter().find(|at| at.server.address == server.address);
    let answering = address.filter(|at| world.serves(at) && at.answers_at(world.now_ms));
    let rotten = answering.and_then(|at| at.rotten);
    let heard = || answering.map(|_| ()).ok_or(Failure::Silent);
    let flaw = |number: u8| Flaw {
        name: catalogue().zone.prepend_label(format!("name{number}")).unwrap_or_default(),
        rtype: RecordType::A,
        fault: Fault::BadSignature("no signature verifies".into()),
    };
    let shown = answering.map(|at| answers(world, at, Kind::Dnskey, 0));
    let keys = match shown {
        Some(Outcome::Served(served)) => Some(served.records),
        _ => None,
    };
    let validity = Validity { keys, flaws: rotten.map(flaw).into_iter().collect(), ..Validity::default() };
    Inspected {
        server: server.clone(),
        udp: heard(),
        tcp: heard(),
        soa: None,
        denial: None,
        signatures: Vec::new(),
        answers: Contents::new(),
        validity,
    }
}

/// One address answers, or part of it gets lost; what it says may be a little old.
fn ask(world: &mut World, server: &Server, kinds: &[Kind], samples: &mut Vec<Sample>) {
    let (now_ms, odds) = (world.now_ms, world.odds);
    let lost = if world.rng.chance(odds.lost) { world.rng.between(0, 9) } else { i64::MAX };
    let late_ms = world.rng.between(0, odds.late_ms);
    let repeated = world.rng.chance(odds.repeated);
    let address = world.addresses.iter().find(|at| at.server.address == server.address);
    for (nth, kind) in (0..).zip(kinds) {
        // The sixth and more: all of them.
        let is_heard = lost != nth && !(6..10).contains(&lost);
        let outcome = match address.filter(|_| is_heard) {
            Some(at) => answers(world, at, *kind, late_ms),
            None => Outcome::Failed(Failure::Silent),
        };
        let sample = Sample { at: Time(now_ms), server: server.clone(), kind: *kind, outcome };
        if repeated {
            samples.push(sample.clone());
        }
        samples.push(sample);
    }
}

#[async_trait]
impl Providers for Surroundings {
    async fn provider(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        Ok(Arc::new(Interface { at: self.clone(), operator: operator_of_label(&operator.name) }))
    }
}

/// An operator's interface: its primary.
struct Interface {
    at: Surroundings,
    operator: u8,
}

impl Interface {
    fn server(&self) -> SocketAddr {
        SocketAddr::from(([198, 51, self.operator + 1, 1], 53))
    }

    fn connect(&self) -> Result<MutexGuard<'_, World>, ProviderError> {
        let server = self.server();
        let mut world = self.at.world();
        let takes_ms = world.rng.between(1, 900);
        let at_ms = world.now_ms + takes_ms;
        world.advance(at_ms);
        let now_ms = world.now_ms;
        let answers = world.addresses.iter().find(|at| at.operator == Some(self.operator));
        let answers = answers.is_some_and(|primary| primary.answers_at(now_ms));
        // A secondary hands updates on to its primary.
        let primary = world.primary_of(self.operator);
        let has = |number: u8| world.operators.get(usize::from(number)).is_some_and(|op| op.serves && !op.dead);
        let serves = has(self.operator) && has(primary);
        match (answers, serves) {
            (false, _) => Err(ProviderError::Timeout { server, after_ms: takes_ms.unsigned_abs() }),
            (true, false) => Err(ProviderError::Refused {
                server,
                zone: catalogue().zone.to_string(),
                doing: chorus_providers::Doing::Updating,
                rtype: None,
                keys_apart: false,
                signed: true,
            }),
            (true, true) => Ok(world),
        }
    }
}

fn kind_of(rtype: RecordType) -> Option<Kind> {
    Kind::OPERATOR.into_iter().find(|kind| kind.record_type() == rtype)
}

fn numbers<'o>(records: impl IntoIterator<Item = &'o Vec<u8>>) -> Vec<u16> {
    records.into_iter().filter_map(|octets| catalogue().number(octets)).collect()
}

#[async_trait]
impl Provider for Interface {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            foreign_dnskey: ForeignDnskey::All,
            cds: CdsControl::AdditiveToOwn,
            csync: true,
            ns_add_foreign: true,
            ns_remove_own: true,
            tells_own_keys: false,
            grouping: WriteGrouping::AtomicWithPrerequisites,
            requests_are_limited: false,
        }
    }

    async fn read(&self, _: &Name, _: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        Ok(Vec::new())
    }

    async fn apply(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        self.at.crashes.point().await;
        let applied = self.update(zone, wanted);
        self.at.crashes.point().await;
        applied
    }

    async fn probe(&self, _: &Name) -> Result<(), ProviderError> {
        self.connect().map(|_| ())
    }

    async fn largest_ttl_s(&self, _: &Name) -> Result<Option<u32>, ProviderError> {
        let mut world = self.connect()?;
        let fails_percent = world.edge.listing_fails;
        if world.edge.chance(fails_percent) {
            return Err(ProviderError::Timeout { server: self.server(), after_ms: 30_000 });
        }
        let of_addresses_s = if world.edge.is_mapped { world.edge.ttl_s(self.operator) } else { 0 };
        let shown = world.operator(self.operator).filter(|op| op.ways.shows_zone);
        Ok(shown.map(|op| op.largest_ttl_s().max(of_addresses_s)))
    }
}

impl Interface {
    fn update(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        let server = self.server();
        let mut world = self.connect()?;
        let world = &mut *world;
        let primary = world.primary_of(self.operator);
        let fails = world.rng.chance(world.odds.write_fails);
        // Not sent, done and not heard of, or done later.
        let how = if fails { world.rng.between(1, 3) } else { 0 };
        let mut changes = Vec::new();
        let mut published = Vec::new();
        for set in wanted {
            let Some(kind) = kind_of(set.rtype()) else { continue };
            let Some(op) = world.operators.get_mut(usize::from(primary)) else { continue };
            let had = op.get(kind).to_vec();
            let (ttl_s, records) = match set {
                Wanted::Exactly { ttl_s, records, .. } => (*ttl_s, numbers(records)),
                Wanted::Partly { ttl_s, with, without, .. } => {
                    let without = numbers(without);
                    let mut records = had.clone();
                    records.extend(numbers(with));
                    records.retain(|record| !without.contains(record));
                    (*ttl_s, records)
                }
            };
            if how >= 2 {
                let after_ms = if how == 2 { 0 } else { world.rng.between(0, 20_000) };
                let (operator, expects) = (primary, had);
                world.will(after_ms, Fate::Arrives { operator, kind, expects, records, ttl_s });
                continue;
            }
            if how == 1 {
                continue;
            }
            op.set_ttl(kind, ttl_s);
            if op.set(kind, records) {
                let has = op.get(kind);
                let octets = |numbers: &[u16], but: &[u16]| -> BTreeSet<Vec<u8>> {
                    let those = numbers.iter().filter(|number| !but.contains(number));
                    those.filter_map(|n| catalogue().record(kind, *n)).map(Rdata::as_wire).map(<[u8]>::to_vec).collect()
                };
                changes.push(Change { rtype: set.rtype(), added: octets(has, &had), removed: octets(&had, has) });
                published.push(kind);
            }
        }
        if !published.is_empty() {
            world.publish(primary, &published);
        }
        match how {
            0 => Ok(changes),
            1 => Err(ProviderError::Timeout { server, after_ms: 5000 }),
            _ => Err(ProviderError::OutcomeUnknown { server, zone: zone.to_string(), reason: "no answer".into() }),
        }
    }
}
