//! A fresh resolution over servers that are functions behind the transport: what is a failure, and what is only not tried. With
//! signatures and real servers it is a story (`stories: data_validates`).

#![allow(clippy::unwrap_used, clippy::panic)]

use async_trait::async_trait;
use chorus::model::dns::{Name, RecordType};
use chorus::model::history::{Server, Who};
use chorus::model::resolution::Resolution;
use chorus::model::time::Time;
use chorus::observe::ask::{Asker, QueryIds};
use chorus::observe::fresh::{Start, resolve_afresh};
use chorus::observe::resolve::{Looked, Resolve, ResolveError};
use chorus::observe::transport::{NoAnswer, Protocol, Transport};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA};
use hickory_proto::rr::{RData, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};

const P1: &str = "192.0.2.91";
const P2: &str = "192.0.2.92";
const A1: &str = "192.0.2.1";
const B1: &str = "192.0.2.2";

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn zone() -> Name {
    name("child.example.")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 53)
}

fn says(code: ResponseCode, answers: impl IntoIterator<Item = Record>) -> Message {
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.authoritative = true;
    message.metadata.response_code = code;
    message.add_answers(answers);
    message
}

fn soa(apex: &str) -> Record {
    Record::from_rdata(name(apex), 600, RData::SOA(SOA::new(name(apex), name("h.example."), 7, 2, 3, 4, 300)))
}

fn nothing(apex: &str) -> Message {
    let mut message = says(ResponseCode::NoError, []);
    message.add_authority(soa(apex));
    message
}

fn address(host: &str, of_host: &str) -> Record {
    let data = match ip(of_host) {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name(host), 300, data)
}

/// Name servers with their glue.
type Delegation = Vec<(&'static str, Option<&'static str>)>;

/// A question that is answered with nothing at all.
type Lost = fn(&Name, RecordType) -> bool;

/// Two servers of the parent `example.`, operators of the unsigned zone `child.example.`, and a resolver.
struct World {
    parents: BTreeMap<SocketAddr, Delegation>,
    servers: BTreeSet<SocketAddr>,
    /// In the zone itself.
    in_zone: BTreeMap<&'static str, Record>,
    public: BTreeMap<&'static str, Result<Looked, ResolveError>>,
    resolver_works: bool,
    without_udp: BTreeSet<SocketAddr>,
    without_route: BTreeSet<SocketAddr>,
    lost: BTreeMap<SocketAddr, Lost>,
    ids: AtomicU16,
}

impl World {
    /// Both servers of the parent say the same; the two addresses serve the zone, and everything is in order.
    fn new(delegation: &Delegation) -> World {
        World {
            parents: [(at(P1), delegation.clone()), (at(P2), delegation.clone())].into(),
            servers: [at(A1), at(B1)].into(),
            in_zone: BTreeMap::new(),
            public: BTreeMap::new(),
            resolver_works: true,
            without_udp: BTreeSet::new(),
            without_route: BTreeSet::new(),
            lost: BTreeMap::new(),
            ids: AtomicU16::new(1),
        }
    }

    /// `ns1.a.test` and `ns1.b.test`, of which only the resolver knows the addresses.
    fn outside() -> World {
        let mut world = World::new(&vec![("ns1.a.test.", None), ("ns1.b.test.", None)]);
        world.public = [("ns1.a.test.", known(&[A1])), ("ns1.b.test.", known(&[B1]))].into();
        world
    }

    async fn resolved(&self) -> Resolution {
        let clock = || Time::from_s(1_800_000_000);
        let asker = Asker { transport: self, ids: self, clock: &clock };
        let server =
            |who: Who, host: &str, address: &str| Server { who, host: name(host).into(), address: at(address) };
        let parent = [P1, P2].map(|address| server(Who::Parent, "example.", address));
        let configured = [
            server(Who::Operator("a".into()), "ns1.a.test.", A1),
            server(Who::Operator("b".into()), "ns1.b.test.", B1),
        ];
        let (zone, parent_zone) = (&zone(), &name("example."));
        resolve_afresh(asker, self, Start { zone, parent_zone, parent: &parent, configured: &configured }).await
    }

    fn answer(&self, server: SocketAddr, asked: &Name, rtype: RecordType) -> Option<Message> {
        if let Some(delegation) = self.parents.get(&server) {
            return Some(match rtype {
                RecordType::NS => referral(delegation),
                _ => nothing("example."),
            });
        }
        if !self.servers.contains(&server) || self.lost.get(&server).is_some_and(|lost| lost(asked, rtype)) {
            return None;
        }
        let held = self.in_zone.iter().find(|(host, _)| name(host) == *asked).map(|(_, record)| record.clone());
        Some(match (held, rtype) {
            (Some(record), _) if [rtype, RecordType::CNAME].contains(&record.record_type()) => {
                says(ResponseCode::NoError, [record])
            }
            (Some(_), _) => nothing("child.example."),
            (_, RecordType::SOA) => says(ResponseCode::NoError, [soa("child.example.")]),
            (_, RecordType::A) if *asked == name("www.child.example.") => {
                says(ResponseCode::NoError, [address("www.child.example.", "192.0.2.80")])
            }
            _ if *asked == zone() => nothing("child.example."),
            _ => {
                let mut message = nothing("child.example.");
                message.metadata.response_code = ResponseCode::NXDomain;
                message
            }
        })
    }
}

fn known(addresses: &[&str]) -> Result<Looked, ResolveError> {
    Ok(Looked::Addresses { addresses: addresses.iter().map(|address| ip(address)).collect(), ttl_s: 60 })
}

fn referral(delegation: &Delegation) -> Message {
    let mut message = Message::response(0, OpCode::Query);
    for (host, glue) in delegation {
        message.add_authority(Record::from_rdata(zone(), 3600, RData::NS(NS(name(host)))));
        message.add_additionals(glue.iter().map(|glue| address(host, glue)));
    }
    message
}

#[async_trait]
impl Transport for World {
    async fn exchange(&self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        if self.without_route.contains(&server) {
            return Err(NoAnswer::NoRoute);
        }
        if protocol == Protocol::Udp && self.without_udp.contains(&server) {
            return Err(NoAnswer::Timeout);
        }
        let query = Message::from_vec(query).unwrap();
        let asked = &query.queries[0];
        let mut message = self.answer(server, &asked.name, asked.query_type).ok_or(NoAnswer::Timeout)?;
        message.metadata.id = query.metadata.id;
        message.add_queries(query.queries.clone());
        Ok(message.to_vec().unwrap())
    }
}

impl QueryIds for World {
    fn next(&self) -> u16 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

#[async_trait]
impl Resolve for World {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        match self.look_up(host).await? {
            // As the resolver of a host does: aliases are followed.
            Looked::Alias(_) => Ok(vec![ip(B1)]),
            Looked::Addresses { addresses, .. } if addresses.is_empty() => Err(ResolveError::NoAddress(host.clone())),
            Looked::Addresses { addresses, .. } => Ok(addresses.into_iter().collect()),
        }
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        Err(ResolveError::NoZone(zone.clone()))
    }

    async fn is_zone(&self, name: &Name) -> Result<bool, ResolveError> {
        if self.resolver_works { Ok(true) } else { Err(unanswered(name)) }
    }

    async fn look_up(&self, host: &Name) -> Result<Looked, ResolveError> {
        let found = self.public.iter().find(|(known, _)| name(known) == *host);
        found.map_or_else(|| Err(unanswered(host)), |(_, found)| found.clone())
    }
}

fn unanswered(host: &Name) -> ResolveError {
    ResolveError::Failed { name: host.clone(), rtype: RecordType::A, reason: "no answer within 10 s".into() }
}

fn only<'r>(texts: &'r [String], part: &str) -> &'r str {
    let found: Vec<&String> = texts.iter().filter(|text| text.contains(part)).collect();
    assert_eq!(found.len(), 1, "{part}: {texts:#?}");
    found[0]
}

#[tokio::test]
async fn a_zone_in_order_resolves_at_every_address() {
    let found = World::outside().resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert_eq!(found.addresses.len(), 2, "{found:#?}");
    let glued = World::new(&vec![("ns1.child.example.", Some(A1)), ("ns2.child.example.", Some(B1))]);
    let found = glued.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert_eq!(found.addresses.len(), 2, "{found:#?}");
}

#[tokio::test]
async fn a_name_without_an_address_or_with_an_alias_fails_and_a_dead_resolver_does_not() {
    let mut world = World::outside();
    world.public.insert("ns1.b.test.", known(&[]));
    let found = world.resolved().await;
    let text = only(&found.failures, "ns1.b.test.");
    assert!(text.contains("resolvers find no address for it") && text.contains("child.example."), "{text}");

    world.public.insert("ns1.b.test.", Ok(Looked::Alias(name("real.b.test."))));
    let found = world.resolved().await;
    let text = only(&found.failures, "ns1.b.test.");
    assert!(text.contains("an alias of real.b.test.") && text.contains("RFC 2181"), "{text}");

    let broken = || Err(ResolveError::ServFail { name: name("ns1.b.test."), rtype: RecordType::AAAA });
    world.public.insert("ns1.b.test.", broken());
    let found = world.resolved().await;
    assert!(only(&found.failures, "ns1.b.test.").contains("SERVFAIL for AAAA"), "{found:#?}");
    // One that fails for everything says nothing about any name.
    world.resolver_works = false;
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert!(only(&found.untried, "ns1.b.test.").contains("the configured addresses were asked"), "{found:#?}");

    world.public.clear();
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert!(only(&found.untried, "ns1.a.test.").contains("no answer within 10 s"), "{found:#?}");
    assert_eq!(found.addresses.len(), 2, "{found:#?}");
}

/// The resolver of the controller's host has the delegation of before in its cache, and finds the name all the same.
#[tokio::test]
async fn a_referral_without_glue_for_names_inside_the_zone_leads_nowhere() {
    let mut world = World::new(&vec![("ns1.child.example.", Some(A1))]);
    world.public.insert("ns1.child.example.", known(&[A1]));
    assert_eq!(world.resolved().await.failures, Vec::<String>::new());
    world.parents.insert(at(P2), vec![("ns1.child.example.", None)]);
    let found = world.resolved().await;
    let text = only(&found.failures, "ns1.child.example.");
    assert!(text.contains(P2) && !text.contains(P1) && text.contains("no address (glue)"), "{text}");
}

#[tokio::test]
async fn a_name_inside_the_zone_without_glue_is_found_by_another_way_in() {
    let mut world = World::new(&vec![("ns1.child.example.", None), ("ns1.a.test.", None)]);
    world.public.insert("ns1.a.test.", known(&[A1]));
    world.in_zone.insert("ns1.child.example.", address("ns1.child.example.", B1));
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert_eq!(found.addresses.len(), 2, "{found:#?}");
    let alias = Record::from_rdata(name("ns1.child.example."), 300, RData::CNAME(CNAME(name("real.b.test."))));
    world.in_zone.insert("ns1.child.example.", alias);
    let found = world.resolved().await;
    assert!(only(&found.failures, "ns1.child.example.").contains("an alias of real.b.test."), "{found:#?}");
    world.in_zone.clear();
    let found = world.resolved().await;
    assert!(only(&found.failures, "ns1.child.example.").contains("neither glue nor the zone"), "{found:#?}");
}

/// Glue for a name of another zone is no way in: resolvers do not believe it.
#[tokio::test]
async fn glue_outside_the_parent_zone_is_not_used() {
    let mut world = World::new(&vec![("ns1.a.test.", Some(A1)), ("ns1.b.test.", Some(B1))]);
    world.public = [("ns1.a.test.", known(&[A1])), ("ns1.b.test.", known(&[]))].into();
    let found = world.resolved().await;
    assert!(only(&found.failures, "ns1.b.test.").contains("resolvers find no address"), "{found:#?}");
    assert_eq!(found.addresses.len(), 1, "{found:#?}");
}

#[tokio::test]
async fn an_address_that_answers_only_over_tcp_fails_unless_udp_works_nowhere() {
    let mut world = World::outside();
    world.without_udp.insert(at(B1));
    let found = world.resolved().await;
    let text = only(&found.failures, B1);
    assert!(text.contains("answers over TCP, and does not answer over UDP"), "{text}");
    world.without_udp.extend([at(A1), at(P1), at(P2)]);
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    assert!(only(&found.untried, B1).contains("no address at all answers over UDP"), "{found:#?}");
    assert!(only(&found.untried, P1).contains("over TCP only"), "{found:#?}");
}

#[tokio::test]
async fn an_address_without_a_route_is_not_tried_and_accuses_nobody() {
    let mut world = World::outside();
    let v6 = "2001:db8::2";
    world.public.insert("ns1.b.test.", known(&[B1, v6]));
    world.without_route.insert(at(v6));
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    let text = only(&found.untried, v6);
    assert!(text.contains("this host has no route to the address") && !text.contains("does not answer"), "{text}");
    world.without_route.extend([at(A1), at(B1)]);
    assert!(world.resolved().await.fails(), "nothing that was delegated to was reached");
}

#[tokio::test]
async fn a_question_without_an_answer_is_named_and_fails_where_nothing_of_its_kind_is_answered() {
    let mut world = World::outside();
    world.lost.insert(at(B1), |asked, rtype| *asked == name("www.child.example.") && rtype == RecordType::AAAA);
    let found = world.resolved().await;
    assert_eq!(found.failures, Vec::<String>::new());
    let text = only(&found.untried, "www.child.example. AAAA");
    assert!(text.contains(B1) && text.contains("does not answer"), "{text}");

    world.lost.insert(at(B1), |asked, _| asked.to_ascii().starts_with("chorus-"));
    let found = world.resolved().await;
    let text = only(&found.failures, "a missing name").to_owned();
    assert!(text.contains(B1) && text.contains("child.example. A"), "{text}");
    // The same failure is the same text, whatever name was made up for it.
    assert_eq!(only(&world.resolved().await.failures, "a missing name"), text);
}
