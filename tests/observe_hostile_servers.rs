//! Servers that lie, stammer or keep silent: each becomes the right failure, and none a panic or an empty set.
//! Real sockets on loopback; what they answer is made up here, octet by octet where hickory would not write it.

#![allow(clippy::unwrap_used, clippy::panic)]

use chorus::model::dns::{Name, RecordType};
use chorus::model::history::Failure;
use chorus::model::time::Time;
use chorus::observe::ask::{Answer, Asker, Question, RandomIds, Reply, answer, judge, rrset};
use chorus::observe::net::NetTransport;
use chorus::observe::resolve::{Resolve, ResolveError, SystemResolver};
use chorus::observe::transport::{NoAnswer, Protocol, Transport};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_proto::rr::{DNSClass, RData, Record};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What a server sends for a query: any number of messages, in this order.
type Answers = dyn Fn(&[u8], Protocol) -> Vec<Vec<u8>> + Send + Sync;

/// A server on both protocols at one port of loopback.
async fn server(answers: impl Fn(&[u8], Protocol) -> Vec<Vec<u8>> + Send + Sync + 'static) -> SocketAddr {
    let answers: Arc<Answers> = Arc::new(answers);
    let (udp, tcp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = tcp.local_addr().unwrap();
    let for_udp = answers.clone();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_535];
        while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
            for answer in for_udp(&buffer[..length], Protocol::Udp) {
                udp.send_to(&answer, client).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let answers = answers.clone();
            tokio::spawn(async move {
                let length = stream.read_u16().await.unwrap();
                let mut query = vec![0; usize::from(length)];
                stream.read_exact(&mut query).await.unwrap();
                for answer in answers(&query, Protocol::Tcp) {
                    let framed = [&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], &answer].concat();
                    stream.write_all(&framed).await.unwrap();
                }
                // Dropped: a server without an answer closes the connection.
            });
        }
    });
    address
}

fn zone() -> Name {
    Name::from_str("music1.example.").unwrap()
}

fn quick() -> NetTransport {
    NetTransport::with_timeouts(Duration::from_millis(800), Duration::from_millis(200))
}

async fn asked(address: SocketAddr, protocol: Protocol, rtype: RecordType) -> Result<Answer, Failure> {
    let transport = quick();
    let asker = Asker { transport: &transport, ids: &RandomIds, clock: &|| Time(0) };
    let question = Question::new(&zone(), rtype);
    let message = asker.ask(address, protocol, &question).await?;
    answer(&message, &question, &zone())
}

/// Asks a server that answers with `change`d good NS answers, over both protocols, and expects the same of both.
async fn both(change: impl Fn(&mut Message) + Send + Sync + 'static) -> Result<Answer, Failure> {
    let address = server(move |query, _| {
        let mut message = good(query);
        change(&mut message);
        vec![message.to_vec().unwrap()]
    })
    .await;
    let udp = asked(address, Protocol::Udp, RecordType::NS).await;
    assert_eq!(udp, asked(address, Protocol::Tcp, RecordType::NS).await);
    udp
}

/// The same with octets.
async fn both_octets(answers: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Result<Answer, Failure> {
    let address = server(move |query, _| vec![answers(query)]).await;
    let udp = asked(address, Protocol::Udp, RecordType::NS).await;
    assert_eq!(udp, asked(address, Protocol::Tcp, RecordType::NS).await);
    udp
}

fn ns(host: &str) -> RData {
    RData::NS(NS(Name::from_str(host).unwrap()))
}

fn soa(owner: &Name, ttl: u32, minimum: u32) -> Record {
    Record::from_rdata(owner.clone(), ttl, RData::SOA(SOA::new(zone(), zone(), 1, 2, 3, 4, minimum)))
}

fn good(query: &[u8]) -> Message {
    let query = Message::from_vec(query).unwrap();
    let mut message = Message::response(query.metadata.id, OpCode::Query);
    message.metadata.authoritative = true;
    message.add_queries(query.queries.clone());
    message.add_answer(Record::from_rdata(zone(), 300, ns("ns1.b.example.")));
    message
}

fn malformed(result: Result<Answer, Failure>) -> String {
    match result {
        Err(Failure::Malformed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_answer_is_believed_whatever_the_case_of_its_names() {
    let shout = |message: &mut Message| {
        for record in &mut message.answers {
            record.name = Name::from_str("MUSIC1.example.").unwrap();
        }
        message.queries[0].name = Name::from_str("Music1.Example.").unwrap();
        // A duplicate in other case, and unequal TTLs.
        message.add_answer(Record::from_rdata(zone(), 900, ns("NS1.B.Example.")));
    };
    let answer = both(shout).await.unwrap();
    assert_eq!((answer.records.len(), answer.ttl_s), (1, 900));
}

#[tokio::test]
async fn a_query_offers_edns_1232_with_do_and_without_recursion() {
    let address = server(|query, _| {
        let read = Message::from_vec(query).unwrap();
        let edns = read.edns.as_ref().unwrap();
        assert_eq!((edns.max_payload(), edns.flags().dnssec_ok, edns.version()), (1232, true, 0));
        assert!(!read.metadata.recursion_desired && read.metadata.message_type == MessageType::Query);
        vec![good(query).to_vec().unwrap()]
    });
    asked(address.await, Protocol::Udp, RecordType::NS).await.unwrap();
}

#[tokio::test]
async fn every_error_code_is_a_failure_of_its_own() {
    for (code, failure) in [
        (ResponseCode::Refused, Failure::Refused),
        (ResponseCode::ServFail, Failure::ServFail),
        (ResponseCode::NXDomain, Failure::NxDomain),
        (ResponseCode::FormErr, Failure::Rcode(1)),
        (ResponseCode::NotAuth, Failure::Rcode(9)),
    ] {
        let result = both(move |message| {
            message.metadata.response_code = code;
            message.answers.clear();
        });
        assert_eq!(result.await, Err(failure.clone()));
        // The same without a question section, as some servers send errors.
        let result = both(move |message| {
            message.metadata.response_code = code;
            message.answers.clear();
            message.queries.clear();
        });
        assert_eq!(result.await, Err(failure));
    }
}

#[tokio::test]
async fn answers_without_authority_are_not_believed() {
    assert_eq!(both(|message| message.metadata.authoritative = false).await, Err(Failure::NotAuthoritative));
    let upwards = |message: &mut Message| {
        message.metadata.authoritative = false;
        message.answers.clear();
        message.add_authority(Record::from_rdata(Name::root(), 300, ns("a.root-servers.net.")));
    };
    assert_eq!(both(upwards).await, Err(Failure::NotAuthoritative));
    let nx = |message: &mut Message| {
        message.metadata.authoritative = false;
        message.metadata.response_code = ResponseCode::NXDomain;
    };
    assert_eq!(both(nx).await, Err(Failure::NotAuthoritative));
}

#[tokio::test]
async fn nothing_is_believed_to_be_absent_without_the_soa_of_the_zone() {
    let none = |message: &mut Message| message.answers.clear();
    assert!(malformed(both(none).await).contains("without the SOA record of music1.example."));
    let others = |message: &mut Message| {
        message.answers.clear();
        message.add_authority(soa(&Name::from_str("example.").unwrap(), 300, 300));
    };
    assert!(malformed(both(others).await).contains("without the SOA record"));
    let proper = |message: &mut Message| {
        message.answers.clear();
        message.add_authority(soa(&zone(), 7200, 600));
    };
    assert_eq!(both(proper).await, Ok(Answer { ttl_s: 600, ..Answer::default() }));
}

#[tokio::test]
async fn an_answer_to_another_question_is_malformed() {
    let other_name = |message: &mut Message| message.queries[0].name = Name::from_str("example.").unwrap();
    let other_type = |message: &mut Message| message.queries[0].query_type = RecordType::SOA;
    let other_class = |message: &mut Message| message.queries[0].query_class = DNSClass::CH;
    let two = |message: &mut Message| {
        message.add_query(Query::query(zone(), RecordType::NS));
    };
    let changes: [fn(&mut Message); 5] = [other_name, other_type, other_class, two, |message| message.queries.clear()];
    for change in changes {
        assert_eq!(malformed(both(change).await), "an answer to another question");
    }
    let echo = |message: &mut Message| message.metadata.message_type = MessageType::Query;
    assert_eq!(malformed(both(echo).await), "a question instead of an answer");
    let notify = |message: &mut Message| message.metadata.op_code = OpCode::Notify;
    assert_eq!(malformed(both(notify).await), "an answer to another kind of request");
}

#[tokio::test]
async fn what_does_not_belong_into_the_answer_spoils_it() {
    let alias = |message: &mut Message| {
        let target = RData::CNAME(CNAME(Name::from_str("elsewhere.example.").unwrap()));
        message.answers = vec![Record::from_rdata(zone(), 300, target)];
    };
    assert_eq!(malformed(both(alias).await), "it answers with CNAME where NS was asked for");
    let stray = |message: &mut Message| {
        message.add_answer(Record::from_rdata(Name::from_str("org.").unwrap(), 300, ns("ns1.b.example.")));
    };
    assert!(malformed(both(stray).await).contains("another name or class: org."));
    let chaos = |message: &mut Message| message.answers[0].dns_class = DNSClass::CH;
    assert!(malformed(both(chaos).await).contains("another name or class"));
}

#[tokio::test]
async fn another_id_is_ignored_over_udp_and_malformed_over_tcp() {
    let address = server(|query, protocol| {
        let mut forged = good(query);
        forged.metadata.id = forged.metadata.id.wrapping_add(1);
        forged.answers = vec![Record::from_rdata(zone(), 300, ns("evil.example."))];
        let (forged, right) = (forged.to_vec().unwrap(), good(query).to_vec().unwrap());
        match protocol {
            Protocol::Udp => vec![vec![0], vec![], forged, right],
            Protocol::Tcp => vec![forged, right],
        }
    })
    .await;
    let answer = asked(address, Protocol::Udp, RecordType::NS).await.unwrap();
    assert!(!format!("{answer:?}").contains("6576696c"), "not evil");
    let text = malformed(asked(address, Protocol::Tcp, RecordType::NS).await);
    assert_eq!(text, "an answer with another id");
}

#[tokio::test]
async fn answers_from_another_address_are_never_seen() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut buffer = vec![0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            stranger.send_to(&good(&buffer[..length]).to_vec().unwrap(), client).await.unwrap();
        }
    });
    assert_eq!(asked(address, Protocol::Udp, RecordType::NS).await, Err(Failure::Silent));
}

#[tokio::test]
async fn a_cut_off_answer_is_asked_for_again_over_tcp() {
    let address = server(|query, protocol| {
        let mut message = good(query);
        if protocol == Protocol::Udp {
            message.metadata.truncation = true;
            let mut octets = message.to_vec().unwrap();
            // In the middle of the record.
            octets.truncate(octets.len() - 5);
            return vec![octets];
        }
        vec![message.to_vec().unwrap()]
    })
    .await;
    assert_eq!(asked(address, Protocol::Udp, RecordType::NS).await.unwrap().records.len(), 1);
    let always = |message: &mut Message| message.metadata.truncation = true;
    assert_eq!(malformed(both(always).await), "the answer is cut off over TCP");
}

#[tokio::test]
async fn silence_a_closed_port_and_a_closed_connection_are_silence() {
    let address = server(|_, _| vec![]).await;
    assert_eq!(asked(address, Protocol::Udp, RecordType::NS).await, Err(Failure::Silent));
    assert_eq!(asked(address, Protocol::Tcp, RecordType::NS).await, Err(Failure::Silent));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let error = quick().exchange(closed, protocol, &[0; 12]).await.unwrap_err();
        assert!(matches!(error, NoAnswer::Connection(_)), "{error}");
        assert_eq!(asked(closed, protocol, RecordType::NS).await, Err(Failure::Silent));
    }
    // Accepts, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = quick().exchange(mute.local_addr().unwrap(), Protocol::Tcp, &[0; 12]).await.unwrap_err();
    assert_eq!(error, NoAnswer::Timeout);
}

#[tokio::test]
async fn one_lost_packet_is_not_silence() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let address = server(move |query, _| match count.fetch_add(1, Ordering::SeqCst) {
        0 => vec![],
        _ => vec![good(query).to_vec().unwrap()],
    });
    asked(address.await, Protocol::Udp, RecordType::NS).await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn octets_that_are_no_message_are_malformed() {
    let header = |query: &[u8], counts: [u8; 8]| [&query[..2], &[0x84, 0], &counts[..]].concat();
    let question = |query: &[u8]| {
        let end = 12 + 16 + 4;
        query[12..end].to_vec()
    };
    // Nothing but an id.
    assert_eq!(malformed(both_octets(|query| query[..2].to_vec()).await), "fewer than 12 octets");
    // Noise.
    malformed(both_octets(|query| [&query[..2], &[0xff; 300][..]].concat()).await);
    // Counts without records.
    malformed(both_octets(move |query| header(query, [0xff; 8])).await);
    malformed(
        both_octets(move |query| [header(query, [0, 1, 0xff, 0xff, 0, 0, 0, 0]), question(query)].concat()).await,
    );
    // A question whose name points at itself, and a record whose name points at itself.
    malformed(
        both_octets(move |query| [header(query, [0, 1, 0, 0, 0, 0, 0, 0]), vec![0xc0, 12, 0, 2, 0, 1]].concat()).await,
    );
    let looping = move |query: &[u8]| {
        let record = [0xc0, 32, 0, 2, 0, 1, 0, 0, 1, 44, 0, 2, 0xc0, 12];
        [header(query, [0, 1, 0, 1, 0, 0, 0, 0]), question(query), record.to_vec()].concat()
    };
    malformed(both_octets(looping).await);
    // RDATA that is longer than the message, and RDATA of a wrong form (an NS record of two octets that are no name).
    for rdata in [vec![0xff, 0xff, 0], vec![0, 2, 63, 1], vec![0, 0]] {
        let broken = move |query: &[u8]| {
            let record = [&[0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 44][..], &rdata].concat();
            [header(query, [0, 1, 0, 1, 0, 0, 0, 0]), question(query), record].concat()
        };
        malformed(both_octets(broken).await);
    }
    // The right form, for comparison.
    let right = move |query: &[u8]| {
        let record = [0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 44, 0, 2, 0xc0, 12];
        [header(query, [0, 1, 0, 1, 0, 0, 0, 0]), question(query), record.to_vec()].concat()
    };
    assert_eq!(both_octets(right).await.unwrap().ttl_s, 300);
}

#[tokio::test]
async fn a_given_resolver_is_asked_and_its_failures_are_sentences() {
    let address = server(|query, _| {
        let mut message = good(query);
        message.metadata.authoritative = false;
        message.metadata.recursion_available = true;
        message.answers.clear();
        let (name, rtype) = (message.queries[0].name.clone(), message.queries[0].query_type);
        let (host, example) = (Name::from_str("ns1.b.example.").unwrap(), Name::from_str("example.").unwrap());
        if name == host && rtype == RecordType::A {
            message.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 7))));
        } else if name == example && rtype == RecordType::SOA {
            message.add_answer(soa(&name, 60, 60));
        } else if name == Name::from_str("broken.example.").unwrap() {
            message.metadata.response_code = ResponseCode::ServFail;
        } else if name == zone() && rtype == RecordType::NS {
            message.add_answer(Record::from_rdata(name, 60, ns("NS1.b.example.")));
        } else {
            message.add_authority(soa(&example, 60, 60));
        }
        vec![message.to_vec().unwrap()]
    });
    let resolver = SystemResolver::at(address.await).unwrap();
    let host = Name::from_str("ns1.b.example.").unwrap();
    assert_eq!(resolver.addresses(&host).await.unwrap(), ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(resolver.addresses(&zone()).await, Err(ResolveError::NoAddress(zone())));
    assert_eq!(resolver.name_servers(&zone()).await.unwrap(), [host.clone()].into());
    assert_eq!(resolver.name_servers(&host).await, Err(ResolveError::NoZone(host)));
    let deep = Name::from_str("a.b.example.").unwrap();
    assert_eq!(resolver.parent_of(&deep).await.unwrap(), Name::from_str("example.").unwrap());
    let broken = resolver.addresses(&Name::from_str("broken.example.").unwrap()).await.unwrap_err();
    assert!(matches!(broken, ResolveError::ServFail { .. }), "{broken:?}");
    assert!(broken.to_string().starts_with("broken.example. A cannot be resolved: "), "{broken}");
}

fn judge_everything(id: u16, octets: &[u8]) -> bool {
    let question = Question::new(&zone(), RecordType::NS);
    let Ok(Reply::Whole(message)) = judge(id, &question, octets) else { return false };
    let _ = rrset(&message.authorities, &question);
    answer(&message, &question, &zone()).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_judge_survives_random_octets(octets in prop::collection::vec(any::<u8>(), 0..600), id in any::<u16>()) {
        judge_everything(id, &octets);
    }

    /// A good answer with some octets replaced, dropped or added behind: near to what parsers expect.
    #[test]
    fn the_judge_survives_damaged_answers(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let query = Question::new(&zone(), RecordType::NS).to_message(7).unwrap();
        let mut message = good(&query);
        message.add_authority(soa(&zone(), 1, 2));
        message.add_answer(Record::from_rdata(zone(), 300, ns("ns2.music1.example.")));
        let mut octets = message.to_vec().unwrap();
        prop_assert!(judge_everything(7, &octets));
        for (place, octet) in damage {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        if cut {
            octets.truncate(end.index(octets.len()));
        }
        judge_everything(7, &octets);
    }
}

#[tokio::test]
async fn an_address_that_takes_connections_and_says_nothing_keeps_no_other_waiting() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = mute.local_addr().unwrap();
    let healthy = server(|query, _| vec![good(query).to_vec().unwrap()]).await;
    let transport = NetTransport::with_timeouts(Duration::from_secs(5), Duration::from_secs(1));
    let asking: Vec<_> = (0..300)
        .map(|_| {
            let transport = transport.clone();
            tokio::spawn(async move { transport.exchange(silent, Protocol::Tcp, &[0; 12]).await })
        })
        .collect();
    // As many as may be are connected; the others queue.
    let mut held = Vec::new();
    while let Ok(accepted) = tokio::time::timeout(Duration::from_millis(100), mute.accept()).await {
        held.push(accepted.unwrap());
    }
    let asker = Asker { transport: &transport, ids: &RandomIds, clock: &|| Time(0) };
    let question = Question::new(&zone(), RecordType::NS);
    let answered = tokio::time::timeout(Duration::from_secs(2), asker.ask(healthy, Protocol::Tcp, &question)).await;
    assert!(answered.is_ok_and(|answer| answer.is_ok()), "the other address has to wait for the silent one");
    asking.iter().for_each(tokio::task::JoinHandle::abort);
}

/// In a network without any route, as IPv6 is on a host that does not have it; `lo` is down there, too.
#[test]
fn an_address_without_a_route_is_told_apart_from_one_that_keeps_silent() {
    let outcomes = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut outcomes = Vec::new();
            for address in ["[2001:db8::1]:53", "192.0.2.1:53"] {
                for protocol in [Protocol::Udp, Protocol::Tcp] {
                    outcomes.push(asked(address.parse().unwrap(), protocol, RecordType::NS).await.unwrap_err());
                }
            }
            outcomes
        })
    });
    assert_eq!(outcomes.join().unwrap(), vec![Failure::NoRoute; 4]);
}
