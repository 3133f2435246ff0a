//! Rounds of questions to signed, unsigned, broken and parent servers: which samples come out of them. The servers are
//! answers in memory behind the transport that a simulation uses too; real ones are asked in the stories.

#![allow(clippy::unwrap_used, clippy::panic)]

use async_trait::async_trait;
use chorus::model::dns::{Name, Rdata, RecordSet, RecordType, ns_rdata};
use chorus::model::history::{Failure, History, Kind, Outcome, Sample, Served, Server, Who};
use chorus::model::time::Time;
use chorus::observe::ask::{Asker, QueryIds};
use chorus::observe::round::{observe_all, observe_operator_server, observe_parent_server};
use chorus::observe::transport::{NoAnswer, Protocol, Take, Transport};
use chorus::observe::udp::ask_over_udp;
use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{Algorithm, DnssecSigner};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, SOA};
use hickory_proto::rr::{DNSClass, RData, Record, RecordSet as HickorySet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const NOW_S: i64 = 1_800_000_000;
const NOW: Time = Time(NOW_S * 1000);

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn zone() -> Name {
    name("music1.example.")
}

fn parent() -> Name {
    name("example.")
}

fn signer(flags: u16) -> DnssecSigner {
    let pkcs8 = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
    let key = EcdsaSigningKey::from_pkcs8(&pkcs8, Algorithm::ECDSAP256SHA256).unwrap();
    let dnskey = DNSKEY::with_flags(flags, hickory_proto::dnssec::SigningKey::to_public_key(&key).unwrap());
    DnssecSigner::new(dnskey, Box::new(key), zone(), Duration::from_secs(3600))
}

fn dnskey(signer: &DnssecSigner) -> RData {
    RData::DNSSEC(DNSSECRData::DNSKEY(signer.to_dnskey()))
}

fn rdata(data: &RData) -> Rdata {
    Rdata::of(data).unwrap()
}

fn ns(host: &str) -> RData {
    RData::NS(NS(name(host)))
}

fn soa(owner: &Name, ttl: u32, minimum: u32) -> Record {
    Record::from_rdata(owner.clone(), ttl, RData::SOA(SOA::new(zone(), zone(), 1, 2, 3, 4, minimum)))
}

/// What one address answers: per type a message without id and question; NODATA with the SOA for all others.
#[derive(Default)]
struct Authority {
    answers: BTreeMap<RecordType, Message>,
    /// Whose SOA record goes with "there is none".
    apex: Option<Name>,
}

impl Authority {
    fn of(apex: Name) -> Authority {
        Authority { apex: Some(apex), ..Authority::default() }
    }

    fn with(mut self, rtype: RecordType, change: impl FnOnce(&mut Message)) -> Authority {
        let mut message = Message::response(0, OpCode::Query);
        message.metadata.authoritative = true;
        change(&mut message);
        self.answers.insert(rtype, message);
        self
    }

    /// A signed RRset at the zone's apex.
    fn signed(self, ttl: u32, records: &[RData], signers: &[&DnssecSigner]) -> Authority {
        let rtype = records[0].record_type();
        let mut set = HickorySet::with_ttl(zone(), rtype, ttl);
        records.iter().for_each(|data| {
            set.add_rdata(data.clone());
        });
        let inception = (std::time::UNIX_EPOCH + Duration::from_secs(NOW_S as u64 - 10)).into();
        let sigs = signers.iter().map(|signer| RRSIG::from_rrset(&set, DNSClass::IN, inception, signer).unwrap());
        let sigs: Vec<_> = sigs.map(|sig| RData::DNSSEC(DNSSECRData::RRSIG(sig))).collect();
        self.with(rtype, |message| {
            message.add_answers(set.records_without_rrsigs().cloned());
            message.add_answers(sigs.into_iter().map(|sig| Record::from_rdata(zone(), ttl, sig)));
        })
    }
}

/// Answers by address; an address that is not known keeps silent, and one in `without_udp` does so over UDP.
#[derive(Default)]
struct World {
    authorities: BTreeMap<SocketAddr, Authority>,
    without_udp: BTreeSet<SocketAddr>,
    /// The messages of a transfer of the parent zone, from whoever is asked; `None`: there is none.
    transfer: Option<Vec<Vec<u8>>>,
}

impl World {
    fn of(authorities: impl IntoIterator<Item = (SocketAddr, Authority)>) -> World {
        World { authorities: authorities.into_iter().collect(), ..World::default() }
    }
}

#[async_trait]
impl Transport for World {
    async fn transfer(&self, _: SocketAddr, _: &[u8], take: &mut Take<'_>) -> Result<(), NoAnswer> {
        let messages = self.transfer.as_ref().ok_or(NoAnswer::Timeout)?;
        for message in messages {
            match take(message) {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => return Err(NoAnswer::Connection("broken off".into())),
            }
        }
        Err(NoAnswer::Connection("it ended early".into()))
    }

    async fn exchange(&self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        if protocol == Protocol::Udp && self.without_udp.contains(&server) {
            return Err(NoAnswer::Timeout);
        }
        let authority = self.authorities.get(&server).ok_or(NoAnswer::Timeout)?;
        let query = Message::from_vec(query).unwrap();
        let mut message = authority.answers.get(&query.queries[0].query_type).cloned().unwrap_or_else(|| {
            let mut message = Message::response(0, OpCode::Query);
            message.metadata.authoritative = true;
            message.add_authority(soa(authority.apex.as_ref().unwrap(), 600, 300));
            message
        });
        message.metadata.id = query.metadata.id;
        message.add_queries(query.queries);
        Ok(message.to_vec().unwrap())
    }
}

struct Ones;

impl QueryIds for Ones {
    fn next(&self) -> u16 {
        1
    }
}

fn server(who: Who, port: u16) -> Server {
    Server { who, host: name("ns1.b.example.").into(), address: ([127, 0, 0, 1], port).into() }
}

fn operator() -> Server {
    server(Who::Operator("b".into()), 1)
}

async fn operator_round(authority: Authority) -> BTreeMap<Kind, Outcome> {
    let world = World::of([(operator().address, authority)]);
    let asker = Asker { transport: &world, ids: &Ones, clock: &|| NOW };
    let samples = observe_operator_server(asker, &zone(), &operator(), Protocol::Tcp).await;
    assert_eq!(samples.len(), Kind::OPERATOR.len());
    assert!(samples.iter().all(|sample| sample.server == operator() && sample.at == NOW));
    samples.into_iter().map(|Sample { kind, outcome, .. }| (kind, outcome)).collect()
}

fn served(outcome: &Outcome) -> &Served {
    match outcome {
        Outcome::Served(served) => served,
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

fn unverifiable(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed(Failure::Unverifiable(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn signed_zone(ksk: &DnssecSigner, zsk: &DnssecSigner, foreign: &DnssecSigner) -> Authority {
    Authority::of(zone())
        .signed(3600, &[dnskey(ksk), dnskey(zsk), dnskey(foreign)], &[ksk])
        .signed(7200, &[ns("NS1.b.example."), ns("ns1.a.example.")], &[zsk])
        .signed(900, &[soa(&zone(), 900, 1800).data], &[zsk])
}

#[tokio::test]
async fn a_signed_zone_shows_its_sets_with_who_signed_them_and_until_when() {
    let (ksk, zsk, foreign) = (signer(257), signer(256), signer(256));
    let seen = operator_round(signed_zone(&ksk, &zsk, &foreign)).await;
    let [ksk, zsk, foreign] = [&ksk, &zsk, &foreign].map(|signer| rdata(&dnskey(signer)));
    let expires = Some(Time::from_s(NOW_S - 10 + 3600));
    let keys =
        Served { records: [ksk.clone(), zsk.clone(), foreign].into(), ttl_s: 3600, signers: [ksk].into(), expires };
    assert_eq!(served(&seen[&Kind::Dnskey]), &keys);
    let hosts: RecordSet = ["ns1.a.example.", "ns1.b.example."].map(|host| ns_rdata(&name(host))).into();
    let ns = Served { records: hosts, ttl_s: 7200, signers: [zsk.clone()].into(), expires };
    assert_eq!(served(&seen[&Kind::Ns]), &ns);
    // Data: no records, and the larger of the SOA's TTL and its minimum.
    let data = Served { records: RecordSet::new(), ttl_s: 1800, signers: [zsk].into(), expires };
    assert_eq!(served(&seen[&Kind::Data]), &data);
    let none = Served { records: RecordSet::new(), ttl_s: 300, signers: BTreeSet::new(), expires: None };
    for kind in [Kind::Cds, Kind::Cdnskey, Kind::Csync] {
        assert_eq!(served(&seen[&kind]), &none);
    }
}

#[tokio::test]
async fn a_set_that_nobody_signed_or_an_unknown_key_signed_is_unverifiable_and_says_why() {
    let (ksk, zsk, foreign, stranger) = (signer(257), signer(256), signer(256), signer(256));
    let stranger_tag = stranger.calculate_key_tag().unwrap();
    let zone = signed_zone(&ksk, &zsk, &foreign).signed(60, &[ns("ns1.b.example.")], &[&stranger]);
    let zone = zone.signed(60, &[soa(&self::zone(), 60, 60).data], &[]);
    let seen = operator_round(zone).await;
    served(&seen[&Kind::Dnskey]);
    let text = unverifiable(&seen[&Kind::Ns]);
    assert!(text.contains(&format!("signature by key {stranger_tag} (alg 13): no key with this tag")), "{text}");
    assert!(text.contains(&format!("key {} (alg 13, KSK)", ksk.calculate_key_tag().unwrap())), "{text}");
    let text = unverifiable(&seen[&Kind::Data]);
    assert!(text.starts_with("SOA set: it is not signed"), "{text}");
}

#[tokio::test]
async fn keys_that_none_of_them_signs_take_every_signed_set_with_them() {
    let (ksk, zsk, stranger) = (signer(257), signer(256), signer(257));
    let zone = signed_zone(&ksk, &zsk, &zsk).signed(60, &[dnskey(&ksk), dnskey(&zsk)], &[&stranger]);
    let seen = operator_round(zone).await;
    for kind in [Kind::Dnskey, Kind::Ns, Kind::Data] {
        assert!(unverifiable(&seen[&kind]).starts_with("DNSKEY set: "), "{kind}");
    }
    // That there is no CDS was said with authority, and needs no key.
    assert!(served(&seen[&Kind::Cds]).records.is_empty());
}

#[tokio::test]
async fn a_server_that_refuses_dnskey_shows_nothing_that_needs_keys() {
    let (ksk, zsk) = (signer(257), signer(256));
    let refuses = |message: &mut Message| message.metadata.response_code = ResponseCode::Refused;
    let fails = |message: &mut Message| message.metadata.response_code = ResponseCode::ServFail;
    let zone = signed_zone(&ksk, &zsk, &zsk).with(RecordType::DNSKEY, refuses).with(RecordType::NS, fails);
    let seen = operator_round(zone).await;
    assert_eq!(seen[&Kind::Dnskey], Outcome::Failed(Failure::Refused));
    assert_eq!(seen[&Kind::Ns], Outcome::Failed(Failure::ServFail), "its own failure comes first");
    assert_eq!(seen[&Kind::Data], Outcome::Failed(Failure::Refused));
}

#[tokio::test]
async fn an_unsigned_zone_is_served_without_signers() {
    let zone = Authority::of(zone()).signed(60, &[ns("ns1.b.example.")], &[]);
    let seen = operator_round(zone.signed(60, &[soa(&self::zone(), 60, 60).data], &[])).await;
    assert!(served(&seen[&Kind::Dnskey]).records.is_empty());
    let ns = served(&seen[&Kind::Ns]);
    assert_eq!((ns.records.len(), ns.signers.len()), (1, 0));
    assert_eq!(served(&seen[&Kind::Data]).ttl_s, 60);
}

fn ds() -> RData {
    let key = rdata(&dnskey(&signer(257)));
    let ds = chorus::model::dns::Dnskey::read(&key).unwrap().ds(&zone(), 2).unwrap();
    ds.parse(RecordType::DS).unwrap()
}

fn referral(message: &mut Message) {
    message.metadata.authoritative = false;
    message.add_authorities(
        ["NS1.music1.example.", "ns1.b.example."].map(|host| Record::from_rdata(zone(), 172_800, ns(host))),
    );
    for (host, octet) in [("ns1.Music1.example.", 1), ("ns1.music1.example.", 1), ("evil.example.", 9)] {
        message.add_additional(Record::from_rdata(name(host), 60, RData::A(A::new(192, 0, 2, octet))));
    }
}

async fn parent_round(authority: Authority) -> (Outcome, Outcome, Vec<(Name, IpAddr)>) {
    let server = server(Who::Parent, 2);
    let world = World::of([(server.address, authority)]);
    let asker = Asker { transport: &world, ids: &Ones, clock: &|| NOW };
    let view = observe_parent_server(asker, &zone(), &parent(), &server, Protocol::Udp).await;
    let kinds: Vec<_> = view.samples.iter().map(|sample| sample.kind).collect();
    assert_eq!(kinds.get(..3), Some(&[Kind::Ds, Kind::Delegation, Kind::Glue][..]));
    let [ds, delegation, ..] = <[_; 3]>::try_from(view.samples.into_iter().take(3).collect::<Vec<_>>()).unwrap();
    (ds.outcome, delegation.outcome, view.glue.into_iter().collect())
}

#[tokio::test]
async fn the_parent_shows_ds_delegation_and_the_glue_of_its_hosts_only() {
    let set = ds();
    let authority = Authority::of(parent()).with(RecordType::NS, referral).with(RecordType::DS, |message| {
        message.add_answer(Record::from_rdata(zone(), 86_400, set.clone()));
    });
    let (ds, delegation, glue) = parent_round(authority).await;
    let expected = Served { records: [rdata(&set)].into(), ttl_s: 86_400, signers: BTreeSet::new(), expires: None };
    assert_eq!(served(&ds), &expected);
    let hosts: RecordSet = ["ns1.music1.example.", "ns1.b.example."].map(|host| ns_rdata(&name(host))).into();
    assert_eq!((&served(&delegation).records, served(&delegation).ttl_s), (&hosts, 172_800));
    assert_eq!(glue, [(name("ns1.music1.example."), "192.0.2.1".parse().unwrap())]);
}

#[tokio::test]
async fn no_ds_is_an_empty_set_with_the_negative_ttl_of_the_parent() {
    let (ds, _, _) = parent_round(Authority::of(parent()).with(RecordType::NS, referral)).await;
    assert_eq!((served(&ds).records.len(), served(&ds).ttl_s), (0, 300));
}

#[tokio::test]
async fn a_parent_server_that_has_the_child_too_shows_no_delegation() {
    let authority = Authority::of(parent()).signed(60, &[ns("ns1.b.example.")], &[]);
    let (_, delegation, _) = parent_round(authority).await;
    assert_eq!(delegation, Outcome::Failed(Failure::ServesChild));
}

#[tokio::test]
async fn a_server_of_the_child_alone_is_not_taken_for_the_parent() {
    // It says "no DS", but out of the child; that must never be an empty DS set.
    let (ds, _, _) = parent_round(Authority::of(zone()).signed(60, &[ns("ns1.b.example.")], &[])).await;
    assert_eq!(ds, Outcome::Failed(Failure::NotAuthoritative));
    // A DS set that the child signed (it does not belong there) is not the parent's.
    let (ds, _, _) = parent_round(Authority::of(zone()).signed(60, &[self::ds()], &[&signer(257)])).await;
    assert_eq!(ds, Outcome::Failed(Failure::NotAuthoritative));
}

#[tokio::test]
async fn a_server_without_the_parent_zone_shows_neither_ds_nor_delegation() {
    let upwards = |message: &mut Message| {
        message.metadata.authoritative = false;
        message.add_authority(Record::from_rdata(parent(), 60, ns("ns1.b.example.")));
    };
    let cache = |message: &mut Message| {
        message.metadata.authoritative = false;
        message.add_answer(Record::from_rdata(zone(), 60, ns("ns1.b.example.")));
        message.add_authority(Record::from_rdata(zone(), 60, ns("ns1.b.example.")));
    };
    let (ds, delegation, _) =
        parent_round(Authority::default().with(RecordType::DS, upwards).with(RecordType::NS, upwards)).await;
    assert_eq!(ds, Outcome::Failed(Failure::NotAuthoritative));
    assert_eq!(delegation, Outcome::Failed(Failure::NotAuthoritative));
    let (_, delegation, _) = parent_round(Authority::of(parent()).with(RecordType::NS, cache)).await;
    assert_eq!(delegation, Outcome::Failed(Failure::NotAuthoritative));
}

#[tokio::test]
async fn all_servers_are_asked_and_a_silent_one_has_a_failure_for_every_kind() {
    let (ksk, zsk) = (signer(257), signer(256));
    let silent = server(Who::Operator("a".into()), 3);
    let parent_server = server(Who::Parent, 2);
    let servers = [operator(), silent.clone(), parent_server.clone()];
    let world = World::of([
        (operator().address, signed_zone(&ksk, &zsk, &zsk)),
        (parent_server.address, Authority::of(parent()).with(RecordType::NS, referral)),
    ]);
    let ticks = AtomicI64::new(0);
    let clock = || Time(NOW.0 + ticks.fetch_add(1, Ordering::SeqCst));
    let asker = Asker { transport: &world, ids: &Ones, clock: &clock };
    // Typed without its final dot.
    let zone = Name::from_str("Music1.example").unwrap();
    let round = observe_all(asker, &zone, &parent(), &servers, Protocol::Tcp).await;
    assert_eq!(round.samples.len(), 6 + 6 + 3);
    let moments: BTreeSet<Time> = round.samples.iter().map(|sample| sample.at).collect();
    assert_eq!(moments.len(), 14, "each answer has a moment of its own, and glue comes with the delegation");
    for sample in &round.samples {
        let is_silent = sample.outcome == Outcome::Failed(Failure::Silent);
        assert_eq!(is_silent, sample.server == silent, "{sample:?}");
    }
    assert_eq!(round.glue.keys().collect::<Vec<_>>(), [&parent_server]);
}

/// The world as the engine looks at it: a round over TCP, with UDP beside it.
async fn over_both(world: &World, operators: &[Server], parent_servers: &[Server]) -> Vec<Sample> {
    let asker = Asker { transport: world, ids: &Ones, clock: &|| NOW };
    let over_udp = ask_over_udp(asker, &zone(), operators).await;
    let mut samples = observe_all(asker, &zone(), &parent(), operators, Protocol::Tcp).await.samples;
    samples.extend(over_udp.failures(asker, &zone(), parent_servers, &samples).await);
    samples
}

#[tokio::test]
async fn silence_over_udp_is_a_failure_beside_what_tcp_showed_if_udp_works_at_all() {
    let (ksk, zsk) = (signer(257), signer(256));
    let (other, above) = (server(Who::Operator("a".into()), 3), server(Who::Parent, 2));
    let mut world = World::of([
        (operator().address, signed_zone(&ksk, &zsk, &zsk)),
        (other.address, signed_zone(&ksk, &zsk, &zsk)),
        (above.address, Authority::of(parent())),
    ]);
    let (both, parents) = ([operator(), other.clone()], [above.clone()]);
    assert_eq!(over_both(&world, &both, &parents).await.len(), 12);
    world.without_udp.insert(operator().address);
    let samples = over_both(&world, &both, &parents).await;
    let failed: Vec<_> = samples.iter().filter(|sample| matches!(sample.outcome, Outcome::Failed(_))).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let mut history = History::default();
    samples.iter().for_each(|sample| history.record(sample));
    let trouble = history.trouble(&operator(), Kind::Data).map(|trouble| trouble.failure.clone());
    assert_eq!(trouble, Some(Failure::SilentOverUdp));
    assert!(history.current(&operator(), Kind::Data).is_some(), "what TCP shows is known");
    assert!(history.trouble(&other, Kind::Data).is_none());
    // Where UDP works is seen at the parent, when there is no other operator that answers so.
    world.without_udp.insert(other.address);
    assert_eq!(over_both(&world, &both, &parents).await.len(), 14);
    world.without_udp.insert(above.address);
    assert_eq!(over_both(&world, &both, &parents).await.len(), 12, "this host cannot ask over UDP");
}

fn of_transfer(records: Vec<Record>) -> Vec<u8> {
    let mut message = Message::response(1, OpCode::Query);
    message.metadata.authoritative = true;
    message.add_answers(records);
    message.to_vec().unwrap()
}

fn first_of_transfer(records: Vec<Record>) -> Vec<u8> {
    let mut message = Message::from_vec(&of_transfer(records)).unwrap();
    message.add_query(hickory_proto::op::Query::query(parent(), RecordType::AXFR));
    message.to_vec().unwrap()
}

/// A record that a strict reader rejects: an A record of five octets.
fn odd_record() -> Vec<u8> {
    let mut octets = vec![3, b'o', b'd', b'd', 7];
    octets.extend(b"example");
    octets.extend([0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 5, 192, 0, 2, 1, 9]);
    octets
}

/// A message with one more record that it counts.
fn with_odd_record(mut message: Vec<u8>) -> Vec<u8> {
    let count = u16::from_be_bytes([message[6], message[7]]) + 1;
    message[6..8].copy_from_slice(&count.to_be_bytes());
    message.extend(odd_record());
    message
}

#[tokio::test]
async fn a_transfer_that_fails_is_named_and_keeps_the_delegation_that_an_earlier_one_showed() {
    let above = server(Who::Parent, 2);
    let apex = || soa(&parent(), 600, 300);
    let delegation = || Record::from_rdata(zone(), 3600, ns("ns1.b.example."));
    let authority = || Authority::of(parent()).signed(60, &[ns("ns1.b.example.")], &[]);
    let whole = vec![
        first_of_transfer(vec![apex()]),
        with_odd_record(of_transfer(vec![delegation()])),
        of_transfer(vec![apex()]),
    ];
    let round = async |transfer: Option<Vec<Vec<u8>>>| {
        let world = World { transfer, ..World::of([(above.address, authority())]) };
        let asker = Asker { transport: &world, ids: &Ones, clock: &|| NOW };
        observe_parent_server(asker, &zone(), &parent(), &above, Protocol::Tcp).await.samples
    };
    let mut history = History::default();
    round(Some(whole.clone())).await.iter().for_each(|sample| history.record(sample));
    let names_b = |history: &History| {
        let shown = history.current(&above, Kind::Delegation);
        shown.is_some_and(|span| span.served.records.contains(&ns_rdata(&name("ns1.b.example."))))
    };
    assert!(names_b(&history), "odd data of others are no reason not to read on");
    for (transfer, why) in [
        (None, "no answer in time"),
        (Some(whole[..2].to_vec()), "it ended early"),
        (Some(vec![whole[0].clone(), vec![0; 20]]), "another id"),
        (Some(vec![first_of_transfer(vec![delegation()])]), "does not begin with an SOA record"),
    ] {
        round(transfer).await.iter().for_each(|sample| history.record(sample));
        assert!(names_b(&history), "{why}");
        let failure = history.trouble(&above, Kind::Glue).map(|trouble| trouble.failure.to_string()).unwrap();
        assert!(failure.contains("cannot be transferred") && failure.contains(why), "{failure}");
        let delegation = history.trouble(&above, Kind::Delegation).map(|trouble| trouble.failure.clone());
        assert_eq!(delegation, Some(Failure::ServesChild));
    }
}

/// One that referred to the zone until now, and has got a copy: what it referred to before, it does so no more.
#[tokio::test]
async fn a_referral_ends_when_the_parents_server_gets_a_copy_of_the_zone() {
    let above = server(Who::Parent, 2);
    let mut history = History::default();
    for authority in [
        Authority::of(parent()).with(RecordType::NS, referral),
        Authority::of(parent()).signed(60, &[ns("ns1.b.example.")], &[]),
    ] {
        let world = World::of([(above.address, authority)]);
        let asker = Asker { transport: &world, ids: &Ones, clock: &|| NOW };
        let view = observe_parent_server(asker, &zone(), &parent(), &above, Protocol::Tcp).await;
        view.samples.iter().for_each(|sample| history.record(sample));
    }
    assert!(history.current(&above, Kind::Delegation).is_none());
}
