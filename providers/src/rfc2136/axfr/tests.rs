//! A name server that answers a transfer in a way of its own, and what is made of it.

use super::super::{Rfc2136, Rfc2136Config};
use super::Limits;
use crate::error::{Category, ProviderError};
use crate::names::from_text;
use crate::tsig::{Secret, TsigAlgorithm, TsigKey};
use crate::{Provider, names};
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::tsig as wire;
use hickory_proto::rr::{Name, RecordType, TSigner};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NOW: u64 = 1_795_341_600;
const SECRET: &[u8] = b"a secret of some length";

fn zone() -> Name {
    from_text("child.example").unwrap()
}

/// Owner, type, TTL, RDATA.
type Raw<'a> = (&'a str, u16, u32, &'a [u8]);

const SOA: Raw<'_> = ("child.example", 6, 300, b"\0\0\0\0\0\x01\0\0\0\x3c\0\0\0\x1e\0\x01\x51\x80\0\0\0\x05");

/// What the server does, one after the other.
#[derive(Clone, Copy)]
enum Act<'a> {
    /// A signed message with these records.
    Signed(&'a [Raw<'a>]),
    /// An unsigned message with this response code, and no record.
    Code(u8),
    Octets(&'a [u8]),
    Silence,
    /// A signed message with this record every few milliseconds.
    Trickle(&'a [Raw<'a>]),
}

fn octets(id: u16, code: u8, records: &[Raw<'_>]) -> Vec<u8> {
    let [i1, i2] = id.to_be_bytes();
    let [n1, n2] = u16::try_from(records.len()).unwrap().to_be_bytes();
    let mut message = vec![i1, i2, 0x84, code, 0, 0, n1, n2, 0, 0, 0, 0];
    for (owner, rtype, ttl_s, rdata) in records {
        message.extend(names::wire(&from_text(owner).unwrap()));
        message.extend([&rtype.to_be_bytes()[..], &[0, 1], &ttl_s.to_be_bytes()].concat());
        message.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        message.extend(*rdata);
    }
    message
}

/// Puts a TSIG record behind the message (RFC 8945 §5.3.1); `previous` is the MAC before it.
fn signed(mut message: Vec<u8>, previous: &mut Vec<u8>, first: bool) -> Vec<u8> {
    let name = from_text("ctl").unwrap();
    let algorithm = TsigAlgorithm::HmacSha256;
    let signer = TSigner::new(SECRET.to_vec(), algorithm.into(), name.clone(), 300).unwrap();
    let id = u16::from_be_bytes([message[0], message[1]]);
    let envelope = |mac: Vec<u8>| {
        let mut envelope = Message::new(id, MessageType::Response, OpCode::Query);
        let tsig = wire::TSIG::new(algorithm.into(), NOW, 300, mac, id, None, vec![]);
        envelope.set_signature(Box::new(wire::make_tsig_record(name.clone(), tsig)));
        envelope.to_vec().unwrap()
    };
    let (variables, _) = wire::signed_bitmessage_to_buf(&envelope(vec![0; 32]), None, first).unwrap();
    let mac_length = u16::try_from(previous.len()).unwrap().to_be_bytes();
    let covered = [&mac_length[..], previous, &message, &variables[12..]].concat();
    *previous = signer.sign(&covered).unwrap();
    message.extend(&envelope(previous.clone())[12..]);
    message[11] = 1;
    message
}

async fn send(stream: &mut tokio::net::TcpStream, message: &[u8]) -> bool {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], message].concat()).await.is_ok()
}

/// What comes of a transfer from a server that acts so.
async fn transfer(acts: &[Act<'_>], limits: Limits) -> (Result<Vec<(Name, RecordType, u32)>, ProviderError>, Rfc2136) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = TsigKey::new(
        from_text("ctl").unwrap(),
        TsigAlgorithm::HmacSha256,
        Secret::from_octets(SECRET.to_vec()).unwrap(),
    );
    let mut config = Rfc2136Config::new(listener.local_addr().unwrap(), key);
    config.answer_timeout_ms = 200;
    let provider = Rfc2136::new(config, Arc::new(|| NOW));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = usize::from(stream.read_u16().await.unwrap());
        let mut query = vec![0; length];
        stream.read_exact(&mut query).await.unwrap();
        let query = Message::from_vec(&query).unwrap();
        let (id, mut mac) = (query.metadata.id, query.signature().unwrap().data.mac.clone());
        let mut first = true;
        for act in acts {
            match act {
                Act::Signed(records) => {
                    send(&mut stream, &signed(octets(id, 0, records), &mut mac, first)).await;
                }
                Act::Code(code) => {
                    send(&mut stream, &octets(id, *code, &[])).await;
                }
                Act::Octets(octets) => {
                    send(&mut stream, octets).await;
                }
                // Longer than anybody waits.
                Act::Silence => tokio::time::sleep(Duration::from_secs(600)).await,
                Act::Trickle(records) => loop {
                    let message = signed(octets(id, 0, records), &mut mac, first);
                    first = false;
                    if !send(&mut stream, &message).await {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                },
            }
            first = false;
        }
    };
    let (mut seen, zone) = (Vec::new(), zone());
    let listed = {
        let listing =
            provider.axfr(&zone, limits, |record| seen.push((record.owner.clone(), record.rtype, record.ttl_s)));
        tokio::pin!(server, listing);
        tokio::select! {
            listed = &mut listing => listed,
            () = &mut server => listing.await,
        }
    };
    (listed.map(|()| seen), provider)
}

#[tokio::test]
async fn a_record_with_odd_rdata_has_a_ttl_that_counts_and_does_not_end_the_listing() {
    // An A record of five octets, an RRSIG of one, and a type that nobody knows.
    let odd: &[Raw<'_>] = &[
        SOA,
        ("a.child.example", 1, 9000, b"\x01\x02\x03\x04\x05"),
        ("b\\047c.child.example", 65_280, 7200, b"\xc0\x0c\xff"),
        ("c.child.example", 46, 60, b"\x00"),
        ("d.child.example", 16, 0x8000_0001, b"\x01x"),
    ];
    let (listed, _) = transfer(&[Act::Signed(odd), Act::Signed(&[SOA])], Limits::USUAL).await;
    let listed = listed.unwrap();
    assert_eq!(listed.iter().map(|(_, _, ttl_s)| *ttl_s).collect::<Vec<_>>(), [300, 9000, 7200, 60, 0, 300]);
    assert_eq!(listed[2].0, from_text("b/c.child.example").unwrap());
    assert_eq!(listed[2].1, RecordType::Unknown(65_280));
}

#[tokio::test]
async fn each_way_for_a_transfer_to_fail_has_a_name_of_its_own() {
    let begun: &[Raw<'_>] = &[SOA, ("a.child.example", 1, 60, b"\x01\x02\x03\x04")];
    let small = Limits { octets: 100, ..Limits::USUAL };
    let short = Limits { duration: Duration::from_millis(100), ..Limits::USUAL };
    let usual = Limits::USUAL;
    for (acts, limits, code, forbids) in [
        (&[Act::Code(5)][..], usual, "transfer-refused", true),
        (&[Act::Code(9)], usual, "zone-not-served", true),
        (&[Act::Code(4)], usual, "unexpected-rcode", true),
        (&[Act::Code(2)], usual, "transfer-servfail", false),
        (&[Act::Signed(begun)], usual, "transfer-interrupted", false),
        (&[Act::Signed(begun), Act::Silence], usual, "transfer-interrupted", false),
        (&[Act::Signed(begun), Act::Octets(b"no message")], usual, "transfer-unreadable", false),
        (&[Act::Signed(&begun[1..])], usual, "answer-malformed", false),
        (&[Act::Octets(b"no message")], usual, "answer-malformed", false),
        (&[Act::Silence], usual, "no-answer", false),
        (&[], usual, "no-connection", false),
        (&[Act::Signed(begun), Act::Signed(begun)], small, "transfer-too-large", false),
        (&[Act::Signed(&[SOA]), Act::Trickle(&begun[1..])], short, "transfer-too-long", false),
    ] {
        let (listed, _) = transfer(acts, limits).await;
        let error = listed.unwrap_err();
        assert_eq!((error.code(), error.forbids_listing()), (code, forbids), "{error}");
        assert!(!error.may_have_been_done() || code == "answer-malformed", "{error}");
        assert!(!error.advice().is_empty() && error.to_string().len() > 20, "{error}");
        let retried = error.category() == Category::Retry;
        assert!(retried || forbids, "{error}");
    }
}

#[tokio::test]
async fn a_message_that_is_signed_with_another_key_is_not_believed_whatever_is_in_it() {
    let mut mac = vec![1; 32];
    let forged = signed(octets(7, 0, &[SOA, SOA]), &mut mac, true);
    let (listed, provider) = transfer(&[Act::Octets(&forged)], Limits::USUAL).await;
    assert_eq!(listed.unwrap_err().code(), "answer-malformed", "another id");
    // Nobody listens any more.
    assert_eq!(provider.largest_ttl_s(&zone()).await.unwrap_err().code(), "no-connection");
}
