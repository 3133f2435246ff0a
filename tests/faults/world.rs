//! A zone, two operators, a parent and Chorus' own engine in virtual time: what a fault looks like is written down by the
//! test, second by second, and nothing here waits for anything.
//!
//! Invariant: the engine gets nothing but its ports. Time passes only by what is done: a round of questions, a write, or
//! going on to the moment at which the zone is due.

use crate::places::{Address, Operator, Parent, Zone};
use async_trait::async_trait;
use chorus::api::controller::Controller;
use chorus::api::service::{Refusal, Service};
use chorus::api::wire;
use chorus::engine::{Clock, Engine, NoProvider, Pace, Ports, Providers, Random, Reading, Status, Switches};
use chorus::model::dns::proof::{Fault, Flaw};
use chorus::model::dns::{Name, Rdata, RecordSet, address_rdata};
use chorus::model::group::Standing;
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served, Server};
use chorus::model::policy::Policy;
use chorus::model::preflight::{Contents, Inspected, Inspection, Validity};
use chorus::model::resolution::{Resolution, resolution_of};
use chorus::model::time::Time;
use chorus::observe::fresh::Start;
use chorus::observe::resolve::{Looked, Resolve, ResolveError};
use chorus::observe::round::{Observation, Observe};
use chorus::observe::sampling::{Cursor, Sampled};
use chorus::observe::transport::{NoAnswer, Protocol, Transport};
use chorus::store::{Event, MasterKey, MemberRecord, OperatorRecord, ParentRecord, Records, Store, ZoneRecord};
use chorus_providers::http::RestError;
use chorus_providers::{
    Capabilities, CdsControl, Change, ForeignDnskey, Provider, ProviderError, Rrset, Wanted, WriteGrouping,
};
use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{RData, Record, RecordType};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};

pub const START: Time = Time(1_800_000_000_000);
pub const TTL_S: u32 = 5;
pub const SLACK_S: u64 = 1;
pub const PIPELINE_S: u64 = 3;
/// A round of questions, and a write, take so long.
pub const ROUND_MS: i64 = 10;
const WRITE_MS: i64 = 60;
/// How long it takes to know that an address says nothing.
const SILENCE_MS: i64 = 5000;

pub fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

pub fn child() -> Name {
    name("child.example.")
}

/// What comes to pass at some moment.
pub enum Coming {
    /// A name server has what its operator's interface was told.
    Published(String, usize, Zone),
    Scan,
    Else(Box<dyn FnOnce(&mut State) + Send>),
}

/// No stale serving, and no more than a second for queries in flight.
pub fn policy(ttl_s: u32) -> Policy {
    Policy {
        slack_s: SLACK_S,
        stale_s: 0,
        data_ttl_max_s: Some(ttl_s.into()),
        parent_pipeline_s: PIPELINE_S,
        ..Policy::default()
    }
}

/// Everything outside Chorus.
pub struct State {
    /// Milliseconds that have really passed, on the scale of [`START`].
    pub real: i64,
    /// How far the clock on the wall is ahead of that.
    pub ahead: i64,
    /// How many milliseconds it gains in each second.
    pub gains: i64,
    /// Which start of the machine this is.
    pub boot: String,
    pub operators: BTreeMap<String, Operator>,
    pub parent: Parent,
    /// What a resolver without a cache meets beside what the servers answer.
    pub fails_anew: Option<String>,
    /// The controller was started so.
    pub without_ipv6: bool,
    /// Names that do not exist are answered without a proof of that.
    pub unproven: bool,
    /// What a resolver has in its cache of b's name servers: the TTL that is left. Else names are not looked up.
    pub cached_s: Option<u32>,
    coming: BTreeMap<(i64, u64), Coming>,
    count: u64,
    /// What happened, for whoever reads a failed test.
    pub log: Vec<(i64, String)>,
}

impl State {
    pub fn at(&mut self, at: i64, coming: Coming) {
        self.count += 1;
        self.coming.insert((at, self.count), coming);
    }

    pub fn after(&mut self, ms: i64, what: impl FnOnce(&mut State) + Send + 'static) {
        self.at(self.real + ms, Coming::Else(Box::new(what)));
    }

    pub fn tell(&mut self, text: String) {
        self.log.push((self.real - START.0, text));
    }

    /// Lets time pass, and all that comes to pass in it.
    pub fn pass(&mut self, ms: i64) {
        let end = self.real + ms;
        self.ahead += ms * self.gains / 1000;
        while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), coming) = entry.remove_entry();
            self.real = self.real.max(at);
            match coming {
                Coming::Published(operator, index, zone) => {
                    let asks = self.operators.get_mut(&operator).is_some_and(|op| op.addresses[index].publish(zone));
                    if asks && let Some(ms) = self.parent.acts_after_ms {
                        self.at(self.real + ms, Coming::Scan);
                    }
                }
                Coming::Scan => self.scan(),
                Coming::Else(what) => what(self),
            }
        }
        self.real = end;
    }

    fn scan(&mut self) {
        for text in self.parent.scan(&self.operators) {
            self.tell(text);
        }
        if let Some(every) = self.parent.scans_every_ms {
            self.at(self.real + every, Coming::Scan);
        }
    }

    pub fn every_ttl_s(&mut self, ttl_s: u32) {
        let zones = self.operators.values_mut().flat_map(|operator| {
            std::iter::once(&mut operator.zone).chain(operator.addresses.iter_mut().map(|address| &mut address.shows))
        });
        let all = zones.chain(self.parent.addresses.iter_mut().map(|address| &mut address.shows));
        all.flat_map(|zone| zone.0.values_mut()).for_each(|served| served.ttl_s = ttl_s);
    }

    pub fn operator(&mut self, name: &str) -> &mut Operator {
        self.operators.get_mut(name).unwrap()
    }

    /// An operator publishes one more key.
    pub fn publishes_key(&mut self, operator: &str, key: &Rdata) {
        let zone = &mut self.operator(operator).zone;
        let keys = &RecordSet::from([key.clone()]) | zone.records(Kind::Dnskey);
        zone.set(Kind::Dnskey, keys);
        self.publish(operator);
    }

    /// An operator publishes one more key, and signs with it as well.
    pub fn signs_with_key(&mut self, operator: &str, key: &Rdata) {
        for kind in [Kind::Dnskey, Kind::Ns, Kind::Data] {
            let zone = &mut self.operator(operator).zone;
            zone.0.entry(kind).and_modify(|served| served.signers.extend([key.clone()]));
        }
        self.publishes_key(operator, key);
    }

    /// Has every address of an operator serve what its interface has, as far as each follows.
    pub fn publish(&mut self, name: &str) {
        let operator = &self.operators[name];
        let zone = operator.zone.clone();
        let lags: Vec<i64> = operator.addresses.iter().map(|address| address.lag_ms).collect();
        for (index, lag) in lags.into_iter().enumerate() {
            self.at(self.real + lag, Coming::Published(name.to_owned(), index, zone.clone()));
        }
        self.pass(0);
    }
}

/// The ports, all of them.
#[derive(Clone)]
pub struct Outside(pub Arc<Mutex<State>>);

impl Outside {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Clock for Outside {
    fn now(&self) -> Time {
        let state = self.lock();
        Time(state.real + state.ahead)
    }

    fn reading(&self) -> Reading {
        let state = self.lock();
        Reading { wall: Time(state.real + state.ahead), steady_ms: state.real, boot: state.boot.clone() }
    }

    async fn sleep_until(&self, until: Time) {
        let left = self.now().until(until);
        self.lock().pass(i64::try_from(left.as_millis()).unwrap());
    }
}

impl Random for Outside {
    fn fill(&self, octets: &mut [u8]) {
        let mut state = self.lock();
        for octet in octets {
            state.count += 1;
            *octet = ((state.count * 151) >> 3) as u8;
        }
    }
}

#[async_trait]
impl Observe for Outside {
    async fn observe(&self, _: &Name, _: &Name, operators: &[Server], parent: &[Server], _: Protocol) -> Observation {
        let began = self.now();
        let mut samples = Vec::new();
        for (servers, kinds) in [(operators, &Kind::OPERATOR[..]), (parent, &Kind::PARENT[..])] {
            let mut state = self.lock();
            state.pass(ROUND_MS / 2);
            let silent = servers.iter().any(|server| kinds.iter().any(|kind| state.is_silent(server, *kind)));
            let outcomes: Vec<(Server, Kind, Outcome)> = servers
                .iter()
                .flat_map(|server| kinds.iter().map(move |kind| (server, *kind)))
                .map(|(server, kind)| (server.clone(), kind, state.answer(server, kind)))
                .collect();
            if silent {
                state.pass(SILENCE_MS);
            }
            let at = Time(state.real + state.ahead);
            samples.extend(outcomes.into_iter().map(|(server, kind, outcome)| Sample { at, server, kind, outcome }));
        }
        Observation { began, samples }
    }

    async fn resolve(&self, start: Start<'_>) -> Resolution {
        let Observation { began, samples } =
            self.observe(start.zone, start.parent_zone, start.configured, start.parent, Protocol::Tcp).await;
        let mut found = resolution_of(start.zone, began, &samples);
        found.failures.extend(self.lock().fails_anew.clone());
        found
    }

    /// Every operator has the addresses of the name servers inside the zone.
    async fn addresses(&self, zone: &Name, hosts: &BTreeSet<Name>, operators: &[Server], _: Protocol) -> Vec<Sample> {
        let state = self.lock();
        let all = || state.operators.values().flat_map(|operator| &operator.addresses).map(|address| &address.server);
        let inside = all().filter(|server| hosts.contains(&*server.host) && zone.zone_of(&server.host));
        let records: RecordSet = inside.map(|server| address_rdata(&server.host, server.address.ip())).collect();
        let served = Served { records, ttl_s: TTL_S, signers: RecordSet::new(), expires: None };
        let at = Time(state.real + state.ahead);
        let sample = |server: &Server| Sample {
            at,
            server: server.clone(),
            kind: Kind::Addresses,
            outcome: Outcome::Served(served.clone()),
        };
        operators.iter().map(sample).collect()
    }

    async fn inspect(&self, zone: &Name, servers: &[Server], listings: BTreeMap<String, Contents>) -> Inspection {
        let mut state = self.lock();
        let mut inspected = |server: &Server| {
            let rotten = state.place(server).is_some_and(|address| address.rotten);
            let shown = state.place(server).and_then(|address| address.shows.0.get(&Kind::Dnskey));
            let keys = shown.map(|served| served.records.clone());
            let fault = || Fault::BadSignature("no signature verifies".into());
            let flaws = rotten.then(|| Flaw { name: zone.clone(), rtype: RecordType::A, fault: fault() });
            Inspected {
                server: server.clone(),
                udp: Ok(()),
                tcp: Ok(()),
                soa: None,
                denial: None,
                signatures: Vec::new(),
                answers: Contents::new(),
                validity: Validity { keys, flaws: flaws.into_iter().collect(), ..Validity::default() },
            }
        };
        Inspection { servers: servers.iter().map(&mut inspected).collect(), listings, ..Inspection::default() }
    }

    async fn sample(&self, zone: &Name, _: &Server, _: &Cursor) -> Option<Sampled> {
        let mut state = self.lock();
        state.count += 1;
        let made_up = zone.prepend_label(format!("chorus-{:08x}", state.count)).ok()?;
        let flaws = state.unproven.then(|| unproven(&made_up)).into_iter().collect();
        Some(Sampled { verified: 1, flaws, next: None })
    }

    async fn sample_again(&self, _: &Name, _: &Server, name: &Name, _: RecordType) -> Option<Result<(), Flaw>> {
        Some(if self.lock().unproven { Err(unproven(name)) } else { Ok(()) })
    }
}

fn unproven(name: &Name) -> Flaw {
    Flaw { name: name.clone(), rtype: RecordType::A, fault: Fault::Unproven("the answer has no SOA record".into()) }
}

impl State {
    /// Every address, of whomever.
    pub fn everyone(&mut self) -> impl Iterator<Item = &mut Address> {
        let of_operators = self.operators.values_mut().flat_map(|operator| operator.addresses.iter_mut());
        of_operators.chain(self.parent.addresses.iter_mut())
    }

    /// The parent looks now.
    pub fn at_once(&mut self) {
        self.at(self.real, Coming::Scan);
        self.pass(0);
    }

    fn place(&mut self, server: &Server) -> Option<&mut Address> {
        self.everyone().find(|address| address.server == *server)
    }

    fn is_silent(&mut self, server: &Server, kind: Kind) -> bool {
        self.place(server).is_none_or(|address| address.fails(kind) == Some(Failure::Silent))
    }

    fn answer(&mut self, server: &Server, kind: Kind) -> Outcome {
        // The controller's host has no IPv6.
        let nobody = if server.address.is_ipv6() { Failure::NoRoute } else { Failure::Silent };
        self.place(server).map_or(Outcome::Failed(nobody), |address| address.answer(kind))
    }
}

#[async_trait]
impl Transport for Outside {
    /// The parent's servers say that they have the parent, and another server has the addresses of b's name servers; nothing else
    /// is answered here.
    async fn exchange(&self, address: SocketAddr, _: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let query = Message::from_vec(query).map_err(|_| NoAnswer::Timeout)?;
        let asked = query.queries.first().ok_or(NoAnswer::Timeout)?;
        if address.ip().to_string() == SERVES_LOOKED_UP {
            let Ok(Looked::Addresses { addresses, .. }) = self.look_up(&asked.name).await else {
                return Err(NoAnswer::Timeout);
            };
            let mut message = Message::response(query.metadata.id, OpCode::Query);
            message.metadata.authoritative = true;
            message.add_queries(query.queries.clone());
            message.add_answers(addresses.into_iter().filter(|_| asked.query_type == RecordType::A).filter_map(|ip| {
                let IpAddr::V4(ip) = ip else { return None };
                Some(Record::from_rdata(asked.name.clone(), LOOKED_UP_TTL_S, RData::A(ip.into())))
            }));
            return message.to_vec().map_err(|_| NoAnswer::Timeout);
        }
        let is_parents = self.lock().parent.addresses.iter().any(|at| at.server.address == address);
        if !is_parents || asked.name != name("example.") || asked.query_type != RecordType::SOA {
            return Err(NoAnswer::Timeout);
        }
        let soa = SOA::new(name("ns.example."), name("hostmaster.example."), 1, 60, 30, 86_400, 5);
        let mut message = Message::response(query.metadata.id, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_queries(query.queries.clone());
        message.add_answers([Record::from_rdata(name("example."), 5, RData::SOA(soa))]);
        message.to_vec().map_err(|_| NoAnswer::Timeout)
    }

    fn leaves_out(&self, server: SocketAddr) -> bool {
        self.lock().without_ipv6 && server.is_ipv6()
    }
}

/// Whose name servers a resolver has in its cache, and who serves the zone that they are in.
const LOOKED_UP: &str = "b.example.";
const SERVES_LOOKED_UP: &str = "192.0.5.5";
pub const LOOKED_UP_TTL_S: u32 = 3600;

#[async_trait]
impl Resolve for Outside {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        let is_there = self.lock().cached_s.is_some() && *host == name("ns.b.example.");
        is_there.then(|| vec![SERVES_LOOKED_UP.parse().unwrap()]).ok_or_else(|| ResolveError::NoAddress(host.clone()))
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        let is_there = self.lock().cached_s.is_some() && *zone == name(LOOKED_UP);
        is_there.then(|| [name("ns.b.example.")].into()).ok_or_else(|| ResolveError::NoZone(zone.clone()))
    }

    async fn is_zone(&self, zone: &Name) -> Result<bool, ResolveError> {
        Ok(self.lock().cached_s.is_some() && *zone == name(LOOKED_UP))
    }

    async fn look_up(&self, host: &Name) -> Result<Looked, ResolveError> {
        let state = self.lock();
        let ttl_s = state.cached_s.filter(|_| name(LOOKED_UP).zone_of(host)).ok_or(ResolveError::NotHere)?;
        let of = state.operators.values().flat_map(|operator| &operator.addresses).map(|at| &at.server);
        let addresses = of.filter(|server| *server.host == *host).map(|server| server.address.ip()).collect();
        Ok(Looked::Addresses { addresses, ttl_s })
    }
}

#[async_trait]
impl Providers for Outside {
    async fn provider(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        Ok(Arc::new(Interface { outside: self.clone(), operator: operator.name.clone() }))
    }
}

/// An operator's interface.
struct Interface {
    outside: Outside,
    operator: String,
}

#[async_trait]
impl Provider for Interface {
    fn capabilities(&self) -> Capabilities {
        let mut state = self.outside.lock();
        let counted = state.operator(&self.operator).counted;
        let refuses = state.operator(&self.operator).refuses.clone();
        Capabilities {
            foreign_dnskey: ForeignDnskey::All,
            cds: CdsControl::Exact,
            csync: true,
            ns_add_foreign: true,
            ns_remove_own: true,
            tells_own_keys: false,
            grouping: WriteGrouping::AtomicWithPrerequisites,
            requests_are_limited: counted || refuses.as_ref().is_some_and(ProviderError::is_put_off),
        }
    }

    async fn read(&self, _: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        let mut state = self.outside.lock();
        let zone = &state.operator(&self.operator).zone;
        Ok(types.iter().map(|rtype| zone.rrset(*rtype)).collect())
    }

    async fn apply(&self, _: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        let mut state = self.outside.lock();
        state.pass(WRITE_MS / 2);
        let size = |wanted: &Wanted| match wanted {
            Wanted::Exactly { records, .. } => format!("{} records", records.len()),
            Wanted::Partly { with, without, .. } => format!("{} with, {} without", with.len(), without.len()),
        };
        let sizes: Vec<String> = wanted.iter().map(size).collect();
        let types: Vec<RecordType> = wanted.iter().map(Wanted::rtype).collect();
        let sent = format!("{} is sent {types:?}: {}", self.operator, sizes.join(", "));
        state.tell(sent);
        let operator = state.operator(&self.operator);
        operator.sent += 1;
        let done = operator.apply(wanted);
        let unpublished = operator.unpublished;
        if unpublished.is_none() {
            state.publish(&self.operator);
        }
        state.pass(WRITE_MS / 2);
        if unpublished == Some(true) && done.as_ref().is_ok_and(|changes| !changes.is_empty()) {
            return Err(unpublished_at(&self.operator));
        }
        done
    }

    async fn publish_again(&self, _: &Name, _: &[Wanted], _: Option<&[Rrset]>) -> Result<bool, ProviderError> {
        let mut state = self.outside.lock();
        let operator = state.operator(&self.operator);
        operator.published_again += 1;
        operator.unpublished = None;
        state.publish(&self.operator);
        Ok(true)
    }

    async fn probe(&self, zone: &Name) -> Result<(), ProviderError> {
        let mut state = self.outside.lock();
        let operator = state.operator(&self.operator);
        if let Some(retry_after_s) = operator.puts_off.pop_front() {
            let (server, limit) = (self.operator.clone(), "that of a minute".into());
            return Err(RestError::BudgetSpent { server, limit, retry_after_s }.into());
        }
        if operator.refuses_in.contains(zone) {
            let server = operator.addresses[0].server.address;
            return Err(ProviderError::BadSig { server, key: "key-2.".into() });
        }
        match operator.refuses.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    async fn foreign_keys(&self, _: &Name) -> Result<Option<BTreeSet<Vec<u8>>>, ProviderError> {
        let mut state = self.outside.lock();
        let foreign = state.operator(&self.operator).foreign.clone();
        Ok(foreign.map(|keys| keys.iter().map(|key| key.as_wire().to_vec()).collect()))
    }

    async fn largest_ttl_s(&self, _: &Name) -> Result<Option<u32>, ProviderError> {
        Ok(self.outside.lock().operator(&self.operator).largest_ttl_s)
    }
}

pub fn unpublished_at(operator: &str) -> ProviderError {
    let (server, zone) = (operator.to_owned(), child().to_string());
    RestError::Unpublished { server, zone, reason: "HTTP 500".into() }.into()
}

fn record_of(operator: &Operator) -> OperatorRecord {
    let name_server = |a: &Address| format!("{}={}", a.server.host, a.server.address);
    OperatorRecord {
        name: operator.name.clone(),
        interface: chorus::store::Interface::Rfc2136 {
            update: operator.addresses[0].server.address.to_string(),
            tsig_name: "key.".into(),
            tsig_algorithm: "hmac-sha256".into(),
        },
        name_servers: operator.addresses.iter().map(name_server).collect(),
        created_at: START,
    }
}

/// The stage: two operators, a parent, and Chorus.
pub struct World {
    pub outside: Outside,
    pub store: Store,
    /// What the engine is given as its store.
    records: Arc<dyn Records>,
    pub engine: Arc<Engine>,
    pub controller: Controller,
}

impl World {
    /// `a` serves the zone, `b` is ready to join.
    pub async fn new() -> World {
        let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
        World::with(store.clone(), Arc::new(store)).await
    }

    /// With a store of its own, and what the engine sees of it.
    pub async fn with(store: Store, records: Arc<dyn Records>) -> World {
        let operators = ["a", "b", "c"].map(|name| (name.to_owned(), Operator::new(name)));
        let mut state = State {
            real: START.0,
            ahead: 0,
            gains: 0,
            boot: "first".into(),
            operators: operators.into(),
            parent: Parent::new(),
            without_ipv6: false,
            unproven: false,
            cached_s: None,
            coming: BTreeMap::new(),
            count: 0,
            fails_anew: None,
            log: Vec::new(),
        };
        state.parent.delegate_to(&state.operators["a"]);
        let outside = Outside(Arc::new(Mutex::new(state)));
        let all: Vec<OperatorRecord> = outside.lock().operators.values().map(record_of).collect();
        for record in all {
            store.add_operator(&record, b"c2VjcmV0LXNlY3JldC1zZWNyZXQ=", [1; 24]).await.unwrap();
        }
        let (engine, controller) = start(&outside, records.clone());
        World { outside, store, records, engine, controller }
    }
}

impl World {
    /// Adopts the zone, served by `a`, as a person had done it.
    pub async fn adopted() -> World {
        World::new().await.adopt_as_usual().await
    }

    /// The same with this TTL for everything.
    pub async fn adopted_with(ttl_s: u32, policy: Policy) -> World {
        World::new().await.adopt(ttl_s, policy).await
    }

    pub async fn adopt(self, ttl_s: u32, policy: Policy) -> World {
        self.lock().every_ttl_s(ttl_s);
        let servers = self.outside.lock().parent.addresses.iter().map(|a| a.server.address.to_string()).collect();
        let status = Status { parent_zone: "example.".into(), ..Status::default() };
        let record = ZoneRecord {
            name: child(),
            parent: ParentRecord { servers, ..ParentRecord::default() },
            policy,
            members: BTreeMap::from([("a".to_owned(), MemberRecord::wanted(Standing::Serving))]),
            placements: BTreeMap::new(),
            in_flight: Vec::new(),
            zone_ttls: BTreeMap::new(),
            due_at: START,
            status: status.write(),
            created_at: START,
        };
        self.store.add_zone(&record).await.unwrap();
        self.turn().await;
        self
    }

    /// One operator more.
    pub async fn with_operator(self, operator: Operator) -> World {
        self.store.add_operator(&record_of(&operator), b"c2VjcmV0LXNlY3JldC1zZWNyZXQ=", [1; 24]).await.unwrap();
        self.lock().operators.insert(operator.name.clone(), operator);
        self
    }

    /// kill -9 and a new process: all that it knows is in the store.
    pub fn restart(&mut self) {
        (self.engine, self.controller) = start(&self.outside, self.records.clone());
    }

    /// The same world with an engine that leaves this out.
    #[cfg(feature = "guard-switches")]
    pub fn leaving_out(mut self, switches: &[chorus::model::switches::Switch]) -> World {
        let without = switches.iter().copied().collect();
        let ports = Ports { switches: Switches { without, ..Switches::default() }, ..self.engine.ports().clone() };
        self.engine = Arc::new(Engine::new(ports));
        self.controller = Controller::new(self.engine.clone());
        self
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.outside.lock()
    }

    /// Since the beginning, in milliseconds.
    pub fn elapsed(&self) -> i64 {
        self.lock().real - START.0
    }

    pub async fn change(&self, change: wire::Change) -> Result<wire::SetAnswer, Refusal> {
        self.controller.set_group("child.example", wire::SetGroup { change, reason: None }).await
    }

    pub async fn join(&self, operator: &str) {
        self.change(wire::Change::Join(operator.into())).await.unwrap();
    }

    pub async fn leave(&self, operator: &str) {
        self.change(wire::Change::Leave(operator.into())).await.unwrap();
    }

    /// Adopts the zone with the TTLs and the policy of most tests.
    pub async fn adopt_as_usual(self) -> World {
        self.adopt(TTL_S, policy(TTL_S)).await
    }

    /// A new process with another database.
    pub fn with_store(self, store: Store) -> World {
        let records: Arc<dyn Records> = Arc::new(store.clone());
        let (engine, controller) = start(&self.outside, records.clone());
        World { outside: self.outside, store, records, engine, controller }
    }

    /// As `/readyz` has it.
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.controller.ready().await
    }

    pub async fn press(&self, verb: wire::Verb, control: wire::Control) -> Result<wire::SetAnswer, Refusal> {
        self.controller.control("child.example", verb, control).await
    }

    pub async fn control(&self, verb: wire::Verb) -> Result<wire::SetAnswer, Refusal> {
        self.controller.control("child.example", verb, wire::Control::default()).await
    }

    /// One turn, and the time until the next one is due.
    pub async fn turn(&self) {
        let due = self.engine.turn(&child()).await.unwrap();
        self.outside.sleep_until(due).await;
    }

    /// A turn at once, whenever it was due.
    pub async fn look(&self) {
        self.engine.turn(&child()).await.unwrap();
    }

    /// Turns until this is so; says when it was, in milliseconds since the beginning.
    pub async fn until(&self, what: &str, holds: impl AsyncFn(&World) -> bool) -> i64 {
        for _ in 0..2000 {
            self.look().await;
            if holds(self).await {
                return self.elapsed();
            }
            let due = self.stored().await.due_at;
            self.outside.sleep_until(due).await;
        }
        panic!("waited in vain: {what}\n{}", self.story().await)
    }

    /// Until the zone waits for this code; gives the text.
    pub async fn waits_for(&self, code: &str) -> String {
        self.until(code, async |world| world.waiting().await.iter().any(|(waits, _)| waits == code)).await;
        self.waiting().await.into_iter().find(|(waits, _)| waits == code).unwrap().1
    }

    /// For so long nothing else happens than that the zone waits for this.
    pub async fn keeps_waiting_for(&self, code: &str, ms: i64) {
        let end = self.elapsed() + ms;
        while self.elapsed() < end {
            self.turn().await;
            let waiting = self.waiting().await;
            assert!(waiting.iter().any(|(waits, _)| waits == code), "{waiting:?}\n{}", self.story().await);
        }
    }

    pub async fn comes_to_rest(&self) -> i64 {
        self.until("all is as desired", async |world| world.is_at_rest().await).await
    }

    pub async fn is_at_rest(&self) -> bool {
        let shown = self.shown().await;
        shown.rest
    }

    /// As `chorus zone show` has it.
    pub async fn shown(&self) -> wire::ZoneShow {
        self.controller.zone("child.example").await.unwrap()
    }

    pub async fn stored(&self) -> ZoneRecord {
        self.store.zone(&child()).await.unwrap().unwrap()
    }

    pub async fn status(&self) -> Status {
        Status::read(&self.stored().await.status)
    }

    /// Codes and texts of what is waited for.
    pub async fn waiting(&self) -> Vec<(String, String)> {
        self.status().await.waiting.into_iter().map(|wait| (wait.code, wait.text)).collect()
    }

    pub async fn events(&self, kind: &str) -> Vec<Event> {
        let events = self.store.events(&child(), 1000).await.unwrap();
        events.into_iter().filter(|event| event.kind == kind).collect()
    }

    /// No resolver could have failed, says the zone's own history.
    pub async fn assert_nobody_failed(&self) {
        assert_eq!(self.status().await.exposures, Vec::new(), "{}", self.story().await);
        assert_eq!(self.events("exposure").await, Vec::new(), "{}", self.story().await);
    }

    /// Who names whom: as an operator's servers show it.
    pub fn is_named(&self, at: &str, operator: &str) -> bool {
        let state = self.lock();
        state.operators[at].names(&state.operators[operator])
    }

    /// For failed tests.
    pub async fn story(&self) -> String {
        let lines: Vec<String> = self.lock().log.iter().map(|(at, text)| format!("{at:>8} {text}")).collect();
        format!("{}\nat {} waiting for {:#?}", lines.join("\n"), self.elapsed(), self.waiting().await)
    }
}

fn start(outside: &Outside, records: Arc<dyn Records>) -> (Arc<Engine>, Controller) {
    let port = Arc::new(outside.clone());
    let engine = Arc::new(Engine::new(Ports {
        clock: port.clone(),
        random: port.clone(),
        observe: port.clone(),
        transport: port.clone(),
        resolver: port.clone(),
        providers: port,
        store: records,
        pace: Pace::default(),
        switches: Switches::default(),
    }));
    (engine.clone(), Controller::new(engine))
}
