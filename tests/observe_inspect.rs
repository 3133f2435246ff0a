//! A closer look at servers that are wrong or hostile: how much is asked, and what is made of the answers. The servers are
//! functions behind the transport; real ones are looked at in the stories.

#![allow(clippy::unwrap_used, clippy::panic)]

use async_trait::async_trait;
use chorus::model::dns::{Name, RecordType};
use chorus::model::history::{Failure, Server, Who};
use chorus::model::preflight::{Answered, Denial, Inspected};
use chorus::model::time::Time;
use chorus::observe::ask::{Asker, QueryIds};
use chorus::observe::inspect::inspect;
use chorus::observe::transport::{NoAnswer, Protocol, Transport};
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{RData, Record};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Mutex;

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn zone() -> Name {
    name("child.example.")
}

/// Answers a question with a message; `None` keeps silent.
type Behaviour = fn(&Name, RecordType, Protocol) -> Option<Message>;

struct Behaves {
    how: Behaviour,
    asked: Mutex<Vec<(Name, RecordType)>>,
}

#[async_trait]
impl Transport for Behaves {
    async fn exchange(&self, _: SocketAddr, protocol: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let query = Message::from_vec(query).unwrap();
        let asked = &query.queries[0];
        self.asked.lock().unwrap().push((asked.name.clone(), asked.query_type));
        let mut message = (self.how)(&asked.name, asked.query_type, protocol).ok_or(NoAnswer::Timeout)?;
        message.metadata.id = query.metadata.id;
        message.add_queries(query.queries);
        Ok(message.to_vec().unwrap())
    }
}

struct OneId;

impl QueryIds for OneId {
    fn next(&self) -> u16 {
        0xabcd
    }
}

fn says(code: ResponseCode, answers: impl IntoIterator<Item = Record>) -> Message {
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.authoritative = true;
    message.metadata.response_code = code;
    message.add_answers(answers);
    message
}

fn soa() -> Record {
    Record::from_rdata(zone(), 600, RData::SOA(SOA::new(zone(), name("h.example."), 7, 2, 3, 4, 300)))
}

fn nsec(owner: &Name, next: Name, types: &[RecordType]) -> Record {
    let nsec = NSEC::new(next, types.iter().copied());
    Record::from_rdata(owner.clone(), 300, RData::DNSSEC(DNSSECRData::NSEC(nsec)))
}

async fn seen(how: Behaviour) -> (Inspected, Vec<(Name, RecordType)>) {
    let transport = Behaves { how, asked: Mutex::default() };
    let clock = || Time::from_s(1_800_000_000);
    let asker = Asker { transport: &transport, ids: &OneId, clock: &clock };
    let who = Who::Operator("a".into());
    let server = Server { who, host: name("ns1.a.").into(), address: "192.0.2.1:53".parse().unwrap() };
    let mut inspection = inspect(asker, &zone(), &[server], BTreeMap::new()).await;
    assert_eq!(inspection.servers.len(), 1);
    (inspection.servers.remove(0), transport.asked.into_inner().unwrap())
}

/// Every name has a successor, and every one of these has all the types there are.
#[tokio::test]
async fn a_chain_of_names_that_never_ends_costs_a_bounded_number_of_questions() {
    let (seen, asked) = seen(|owner, rtype, _| {
        // The zone itself comes before n00001.
        let number =
            owner.iter().next().and_then(|label| std::str::from_utf8(label).ok()?.strip_prefix('n')?.parse().ok());
        let next = zone().prepend_label(format!("n{:05}", number.unwrap_or(0u32) + 1)).unwrap();
        let types: Vec<RecordType> = (1..=60).map(RecordType::from).collect();
        Some(match rtype {
            RecordType::NSEC => says(ResponseCode::NoError, [nsec(owner, next, &types)]),
            RecordType::SOA => says(ResponseCode::NoError, [soa()]),
            _ => says(ResponseCode::NoError, []),
        })
    })
    .await;
    let walked = asked.iter().filter(|(_, rtype)| *rtype == RecordType::NSEC).count();
    assert_eq!(walked, 12);
    assert!(asked.len() <= 12 + 4 + 65 + 12, "{} questions", asked.len());
    // However much there is, the question for a name that is not there is among those that are asked.
    assert!(seen.answers.contains_key(&(name("chorus-abcdabcd.child.example."), RecordType::A)));
}

#[tokio::test]
async fn a_chain_that_turns_back_or_leaves_the_zone_is_not_followed() {
    let leaving: [(Behaviour, usize); 3] = [
        (
            // The first name after the apex is its own successor.
            |owner, _, _| {
                let next = zone().prepend_label("a").unwrap();
                Some(says(ResponseCode::NoError, [nsec(owner, next, &[RecordType::A])]))
            },
            2,
        ),
        (
            |owner, _, _| {
                Some(says(ResponseCode::NoError, [nsec(owner, name("www.other.example."), &[RecordType::A])]))
            },
            1,
        ),
        (
            |owner, _, _| {
                let next = Name::from_labels([&[0u8][..], b"child", b"example"]).unwrap();
                Some(says(ResponseCode::NoError, [nsec(owner, next, &[RecordType::A])]))
            },
            1,
        ),
    ];
    for (how, followed) in leaving {
        let (_, asked) = seen(how).await;
        assert_eq!(asked.iter().filter(|(_, rtype)| *rtype == RecordType::NSEC).count(), followed, "{asked:?}");
        assert!(asked.iter().all(|(owner, _)| zone().zone_of(owner)), "{asked:?}");
    }
}

#[tokio::test]
async fn each_protocol_is_told_for_itself_and_the_one_that_works_is_used() {
    let (quiet, _) = seen(|_, rtype, protocol| match (rtype, protocol) {
        (_, Protocol::Tcp) => None,
        (RecordType::SOA, _) => Some(says(ResponseCode::NoError, [soa()])),
        _ => Some(says(ResponseCode::NXDomain, [])),
    })
    .await;
    assert_eq!((&quiet.udp, &quiet.tcp), (&Ok(()), &Err(Failure::Silent)));
    assert_eq!(quiet.soa.as_ref().map(|soa| (soa.serial, soa.minimum_s)), Some((7, 300)));
    assert_eq!(quiet.denial, Some(Denial::None), "a name is denied, and nothing proves it");
    let (refusing, asked) = seen(|_, _, _| Some(says(ResponseCode::Refused, []))).await;
    assert_eq!((&refusing.udp, &refusing.tcp), (&Err(Failure::Refused), &Err(Failure::Refused)));
    assert!(refusing.answers.is_empty() && refusing.soa.is_none() && refusing.denial.is_none());
    assert!(asked.len() <= 3, "nothing more is asked of who answers nothing: {asked:?}");
}

/// A server without authority shows nothing, whatever it says; a wildcard is asked for by a name that it stands for.
#[tokio::test]
async fn answers_without_authority_are_left_out_and_a_wildcard_is_asked_for_by_what_it_stands_for() {
    let (forwarder, _) = seen(|owner, rtype, _| {
        let data = RData::A(A::new(192, 0, 2, 1));
        let mut message = match rtype {
            RecordType::SOA => says(ResponseCode::NoError, [soa()]),
            _ => says(ResponseCode::NoError, [Record::from_rdata(owner.clone(), 5, data)]),
        };
        message.metadata.authoritative = false;
        Some(message)
    })
    .await;
    assert!(forwarder.answers.is_empty());
    let (seen, _) = seen(|owner, rtype, _| {
        let wildcard = name("*.w.child.example.");
        let data = RData::A(A::new(192, 0, 2, 1));
        Some(match rtype {
            RecordType::SOA => says(ResponseCode::NoError, [soa()]),
            RecordType::NSEC if *owner == zone() => says(ResponseCode::NoError, [nsec(owner, wildcard, &[])]),
            RecordType::NSEC => says(ResponseCode::NoError, [nsec(owner, zone(), &[RecordType::A])]),
            RecordType::A if name("w.child.example.").zone_of(owner) => {
                says(ResponseCode::NoError, [Record::from_rdata(owner.clone(), 5, data)])
            }
            _ => says(ResponseCode::NXDomain, []),
        })
    })
    .await;
    let below = (name("chorus-abcdabcd.w.child.example."), RecordType::A);
    assert!(matches!(seen.answers.get(&below), Some(Answered::Records { .. })), "{:?}", seen.answers.keys());
    let missing = (name("chorus-abcdabcd.child.example."), RecordType::A);
    assert_eq!(seen.answers.get(&missing), Some(&Answered::NxDomain));
}
