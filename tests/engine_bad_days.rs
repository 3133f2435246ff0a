//! What may go wrong around the engine: resolvers, clocks, a store that is older or younger than the clock, and mistakes of
//! ours. No name server answers here, for none is needed: what is tested is that a zone gets its turns. The days on which
//! name servers are bad are in the stories.

#![allow(clippy::unwrap_used, clippy::panic)]

use async_trait::async_trait;
use chorus::engine::{
    ByQuestions, Clock, ConfiguredProviders, Engine, Pace, Ports, Status, Switches, SystemRandom, run,
};
use chorus::model::dns::{Name, Rdata, RecordSet};
use chorus::model::group::Standing;
use chorus::model::history::{History, Kind, Outcome, Sample, Served, Server, Who};
use chorus::model::policy::Policy;
use chorus::model::time::Time;
use chorus::observe::resolve::{Resolve, ResolveError};
use chorus::observe::transport::{NoAnswer, Protocol, Transport};
use chorus::store::{Interface, MasterKey, MemberRecord, OperatorRecord, ParentRecord, Store, ZoneRecord};
use chorus_providers::http::AllowedNets;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::time::timeout;

const NOW: Time = Time(1_800_000_000_000);
const LIMIT: Duration = Duration::from_secs(10);

/// Stands still unless it is set.
struct Hands(AtomicI64);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, _: Time) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Nobody answers. The first question of all may be worse than that.
#[derive(Default)]
struct Nobody {
    asked: AtomicUsize,
    panics_first: bool,
}

#[async_trait]
impl Transport for Nobody {
    async fn exchange(&self, _: SocketAddr, _: Protocol, _: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        if self.asked.fetch_add(1, Ordering::SeqCst) == 0 && self.panics_first {
            panic!("a mistake of ours, as the test wants it");
        }
        Err(NoAnswer::Timeout)
    }
}

/// Answers nothing, and not before so many names were asked for.
struct Patience(Barrier);

#[async_trait]
impl Resolve for Patience {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        self.0.wait().await;
        Err(ResolveError::NoAddress(host.clone()))
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        Err(ResolveError::NoZone(zone.clone()))
    }

    async fn is_zone(&self, _: &Name) -> Result<bool, ResolveError> {
        Ok(false)
    }
}

struct Set {
    engine: Arc<Engine>,
    store: Store,
    clock: Arc<Hands>,
    transport: Arc<Nobody>,
}

/// `names`: so many lookups have to be under way for the resolver to answer any.
async fn set(transport: Nobody, names: usize) -> Set {
    let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
    let clock = Arc::new(Hands(AtomicI64::new(NOW.0)));
    let transport = Arc::new(transport);
    let random = Arc::new(SystemRandom);
    let resolver = Arc::new(Patience(Barrier::new(names)));
    let observe = ByQuestions {
        clock: clock.clone(),
        random: random.clone(),
        transport: transport.clone(),
        resolver: resolver.clone(),
    };
    let engine = Engine::new(Ports {
        clock: clock.clone(),
        random,
        observe: Arc::new(observe),
        transport: transport.clone(),
        resolver,
        providers: Arc::new(ConfiguredProviders {
            store: store.clone(),
            clock: clock.clone(),
            nets: AllowedNets::public_only(),
        }),
        store: Arc::new(store.clone()),
        pace: Pace {
            quickest: Duration::from_millis(300),
            slowest: Duration::from_secs(60),
            rest: Duration::from_secs(300),
        },
        switches: Switches::default(),
    });
    Set { engine: Arc::new(engine), store, clock, transport }
}

fn zone() -> Name {
    Name::from_ascii("child.example.").unwrap()
}

impl Set {
    async fn operator(&self, name: &str, name_servers: &[&str]) {
        let operator = OperatorRecord {
            name: name.into(),
            interface: Interface::Rfc2136 {
                update: "127.0.0.1:1".into(),
                tsig_name: "key.".into(),
                tsig_algorithm: "hmac-sha256".into(),
            },
            name_servers: name_servers.iter().map(|text| (*text).to_owned()).collect(),
            created_at: NOW,
        };
        self.store.add_operator(&operator, b"c2VjcmV0LXNlY3JldC1zZWNyZXQ=", [1; 24]).await.unwrap();
    }

    async fn zone(&self, members: &[&str], due_at: Time, status: &Status) {
        let record = ZoneRecord {
            name: zone(),
            parent: ParentRecord { servers: vec!["127.0.0.1:1".into()], ..ParentRecord::default() },
            policy: Policy::default(),
            members: members.iter().map(|name| ((*name).to_owned(), MemberRecord::wanted(Standing::Serving))).collect(),
            placements: BTreeMap::new(),
            in_flight: Vec::new(),
            zone_ttls: BTreeMap::new(),
            due_at,
            status: status.write(),
            created_at: NOW,
        };
        self.store.add_zone(&record).await.unwrap();
    }

    async fn stored(&self) -> ZoneRecord {
        self.store.zone(&zone()).await.unwrap().unwrap()
    }

    /// Runs the schedule until this is so.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let holds = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // A task of its own: what is asked of the store here must not wait for the schedule to be polled, nor the other way
        // round, for there is one connection.
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(run(self.engine.clone(), async move {
            let _ = stopped.await;
        }));
        assert!(timeout(LIMIT, holds).await.is_ok(), "waited in vain: {what}");
        stop.send(()).unwrap();
        assert!(timeout(LIMIT, running).await.is_ok(), "the schedule does not stop");
    }
}

fn known_parent() -> Status {
    Status { parent_zone: "example.".into(), observed_at: Some(NOW), settled: true, ..Status::default() }
}

fn server(who: Who) -> Server {
    Server { who, host: Name::from_ascii("ns1.a.example.").unwrap().into(), address: "127.0.0.1:2".parse().unwrap() }
}

fn sample(at: Time, record: u8) -> Sample {
    let records = RecordSet::from([Rdata::from_canonical(vec![record; 4])]);
    let served = Served { records, ttl_s: 5, signers: BTreeSet::new(), expires: None };
    Sample { at, server: server(Who::Operator("a".into())), kind: Kind::Dnskey, outcome: Outcome::Served(served) }
}

#[tokio::test]
async fn what_was_found_before_is_still_known_after_a_turn_that_found_nothing() {
    let set = set(Nobody::default(), 1).await;
    set.operator("a", &["ns1.a.example"]).await;
    set.zone(&["a"], NOW, &known_parent()).await;
    set.engine.turn(&zone()).await.unwrap();
    let status = Status::read(&set.stored().await.status);
    assert!(status.trouble.unwrap().contains("ns1.a.example"));
    assert_eq!((status.parent_zone.as_str(), status.observed_at, status.settled), ("example.", Some(NOW), true));
}

#[tokio::test]
async fn a_resolver_without_answers_is_waited_for_once_and_not_for_each_name() {
    let set = set(Nobody::default(), 4).await;
    set.operator("a", &["ns1.a.example", "ns2.a.example"]).await;
    set.operator("b", &["ns1.b.example", "ns2.b.example"]).await;
    set.zone(&["a", "b"], NOW, &known_parent()).await;
    // The resolver answers none of the four before it was asked for all of them.
    assert!(timeout(LIMIT, set.engine.turn(&zone())).await.is_ok(), "one name waits for another");
}

#[tokio::test]
async fn a_turn_that_panics_is_followed_by_another_one() {
    let set = set(Nobody { panics_first: true, ..Nobody::default() }, 1).await;
    set.operator("a", &["ns1.a.example=127.0.0.1:2"]).await;
    set.zone(&["a"], NOW, &known_parent()).await;
    set.until("the turn that panicked is put off", async || set.stored().await.due_at > NOW).await;
    let questions = set.transport.asked.load(Ordering::SeqCst);
    set.clock.0.fetch_add(61_000, Ordering::SeqCst);
    set.until("the next turn asks", async || set.transport.asked.load(Ordering::SeqCst) > questions).await;
}

#[tokio::test]
async fn f08_a_clock_that_is_set_back_does_not_keep_a_zone_waiting() {
    let set = set(Nobody::default(), 1).await;
    set.operator("a", &["ns1.a.example=127.0.0.1:2"]).await;
    set.zone(&["a"], NOW.plus_s(86_400), &known_parent()).await;
    set.until("the zone is looked at", async || set.stored().await.due_at <= NOW.plus_s(300)).await;
}

#[tokio::test]
async fn f08_what_is_served_now_is_so_after_a_restart_although_the_clock_was_set_back() {
    let set = set(Nobody::default(), 1).await;
    set.operator("a", &["ns1.a.example=127.0.0.1:2"]).await;
    set.zone(&["a"], NOW, &known_parent()).await;
    let mut history = History::default();
    history.record(&sample(NOW.plus_s(86_400), 1));
    set.store.record(&zone(), &history, NOW).await.unwrap();
    history.record(&sample(NOW, 2));
    set.store.record(&zone(), &history, NOW).await.unwrap();
    let restored = set.store.history(&zone()).await.unwrap();
    let at = server(Who::Operator("a".into()));
    let current = |history: &History| history.current(&at, Kind::Dnskey).map(|span| span.served.records.clone());
    assert_eq!(current(&restored), current(&history));
    assert!(current(&restored).is_some());
}

#[tokio::test]
async fn what_a_long_policy_still_counts_with_is_not_forgotten_and_what_nobody_remembers_is() {
    for (pipeline_days, kept) in [(60, true), (2, false)] {
        let set = set(Nobody::default(), 1).await;
        set.operator("a", &["ns1.a.example=127.0.0.1:2"]).await;
        set.zone(&["a"], NOW, &known_parent()).await;
        let policy = Policy { parent_pipeline_s: pipeline_days * 86_400, ..Policy::default() };
        set.store.set_policy(&zone(), &policy, NOW, "as asked").await.unwrap();
        let mut history = History::default();
        let ended = Time(NOW.0 - 100 * 86_400_000);
        for (before_ms, version) in [(2000, 1), (1000, 2), (0, 3)] {
            history.record(&sample(Time(ended.0 - before_ms), version));
        }
        set.store.record(&zone(), &history, Time::MIN).await.unwrap();
        set.engine.turn(&zone()).await.unwrap();
        let left = set.store.history(&zone()).await.unwrap().spans(Kind::Dnskey).count();
        // The newest of those that nobody remembers stays: it tells that what came after it was not there from the first.
        assert_eq!(left, if kept { 3 } else { 2 }, "with a pipeline of {pipeline_days} days");
    }
}

#[tokio::test]
async fn since_when_an_address_does_not_answer_is_remembered_from_turn_to_turn() {
    let set = set(Nobody::default(), 1).await;
    set.operator("a", &["ns1.a.example=127.0.0.1:2"]).await;
    set.zone(&["a"], NOW, &known_parent()).await;
    for _ in 0..2 {
        set.engine.turn(&zone()).await.unwrap();
        let unanswered = Status::read(&set.stored().await.status).unanswered;
        let mut kinds: Vec<Kind> = unanswered.iter().map(|one| one.kind).collect();
        kinds.sort();
        // A referral shows the glue beside the delegation: without one, neither is known.
        assert_eq!(kinds, [&Kind::PARENT[..], &Kind::OPERATOR, &[Kind::Glue]].concat());
        assert!(unanswered.iter().all(|one| one.since == NOW), "{unanswered:?}");
        set.clock.0.fetch_add(300_000, Ordering::SeqCst);
    }
}
