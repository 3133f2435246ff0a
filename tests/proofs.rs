//! Proofs of real answers: what BIND answers out of one zone, signed by `dnssec-signzone` with NSEC, with NSEC3 (salt, five
//! iterations) and with NSEC3 opt-out. Everything validates; with any signature or needed RRset taken away, it does not.
//!
//! `tests/data/proofs/zone` is the zone; the other files have a name, a type and the answer in hexadecimal on each line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chorus::model::dns::proof::{Fault, Flaw, Proven, Response, ZoneKeys, prove};
use chorus::model::dns::{Name, Rdata, RecordSet, RecordType, unhex};
use chorus::model::time::Time;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;
use std::str::FromStr;

/// 2027-01-15, within the signatures' validity.
const NOW: Time = Time(1_800_000_000_000);

#[derive(Clone)]
struct Answer {
    name: Name,
    rtype: RecordType,
    message: Message,
}

fn name(text: &str) -> Name {
    Name::from_str(&format!("{}.", text.trim_end_matches('.'))).unwrap()
}

fn answers(text: &str) -> Vec<Answer> {
    let read = |line: &str| {
        let hex = line.rsplit(' ').next().unwrap();
        let message = Message::from_vec(&unhex(hex).unwrap()).unwrap();
        let asked = message.queries[0].clone();
        Answer { name: asked.name.to_lowercase(), rtype: asked.query_type, message }
    };
    text.lines().map(read).collect()
}

fn zones() -> [(&'static str, Vec<Answer>); 3] {
    [
        ("nsec", answers(include_str!("data/proofs/nsec.txt"))),
        ("nsec3", answers(include_str!("data/proofs/nsec3.txt"))),
        ("opt-out", answers(include_str!("data/proofs/optout.txt"))),
    ]
}

fn keys(answers: &[Answer]) -> RecordSet {
    let dnskey = answers.iter().find(|answer| answer.rtype == RecordType::DNSKEY).unwrap();
    let records = dnskey.message.answers.iter().filter(|record| record.record_type() == RecordType::DNSKEY);
    records.map(|record| Rdata::of(&record.data).unwrap()).collect()
}

fn proven_at(keys: &RecordSet, answer: &Answer, now: Time) -> Result<Proven, Flaw> {
    let message = &answer.message;
    let response = Response {
        is_nxdomain: message.metadata.response_code == ResponseCode::NXDomain,
        is_authoritative: message.metadata.authoritative,
        answers: &message.answers,
        authorities: &message.authorities,
    };
    prove(ZoneKeys { apex: &name("child.example"), keys, now }, &answer.name, answer.rtype, response)
}

fn proven(keys: &RecordSet, answer: &Answer) -> Result<Proven, Flaw> {
    proven_at(keys, answer, NOW)
}

#[test]
fn everything_that_bind_answers_is_proven() {
    for (zone, answers) in zones() {
        let keys = keys(&answers);
        assert_eq!(keys.len(), 2);
        for answer in &answers {
            if let Err(flaw) = proven(&keys, answer) {
                panic!("{zone}: {} {}: {flaw}", answer.name, answer.rtype);
            }
        }
    }
}

#[test]
fn each_answer_proves_what_its_question_asked() {
    for (zone, answers) in zones() {
        let keys = keys(&answers);
        let opted_out = zone == "opt-out";
        let of = |text: &str, rtype: RecordType| {
            let answer = answers.iter().find(|answer| answer.name == name(text) && answer.rtype == rtype).unwrap();
            proven(&keys, answer).unwrap()
        };
        let a = |text: &str| of(text, RecordType::A);
        assert_eq!(a("www.child.example"), Proven::Answer);
        assert_eq!(a("chain.child.example"), Proven::Answer);
        assert_eq!(a("x.dn.child.example"), Proven::Answer);
        assert_eq!(a("q.w.child.example"), Proven::Expanded(name("*.w.child.example")));
        assert_eq!(a("towild.child.example"), Proven::Expanded(name("*.w.child.example")));
        assert_eq!(a("q.cw.child.example"), Proven::Expanded(name("*.cw.child.example")));
        assert_eq!(a("*.w.child.example"), Proven::Answer);
        assert_eq!(of("q.w.child.example", RecordType::MX), Proven::NoData { opted_out: false });
        assert_eq!(of("www.child.example", RecordType::TXT), Proven::NoData { opted_out: false });
        assert_eq!(a("ent.child.example"), Proven::NoData { opted_out: false });
        assert_eq!(a("out.child.example"), Proven::Elsewhere);
        assert_eq!(a("tonone.child.example"), Proven::NxDomain { opted_out });
        assert_eq!(a("missing.child.example"), Proven::NxDomain { opted_out });
        assert_eq!(a("z.missing.child.example"), Proven::NxDomain { opted_out });
        let cut = |cut: &str, is_secure| Proven::Delegation { cut: name(cut), is_secure };
        assert_eq!(a("x.ins.child.example"), cut("ins.child.example", false));
        assert_eq!(a("x.sec.child.example"), cut("sec.child.example", true));
        assert_eq!(of("sec.child.example", RecordType::DS), Proven::Answer);
        let no_ds = if opted_out { Proven::NoData { opted_out } } else { cut("ins.child.example", false) };
        assert_eq!(of("ins.child.example", RecordType::DS), no_ds);
    }
}

/// Every RRset of a section, by its records' places.
fn sets(section: &[Record]) -> Vec<(Name, RecordType)> {
    let mut sets: Vec<_> = section.iter().map(|record| (record.name.to_lowercase(), covered(record))).collect();
    sets.sort();
    sets.dedup();
    sets
}

/// The type of a record, or, of an RRSIG record, the type that it covers.
fn covered(record: &Record) -> RecordType {
    if record.record_type() != RecordType::RRSIG {
        return record.record_type();
    }
    let rdata = Rdata::of(&record.data).unwrap();
    let [t1, t2, ..] = rdata.as_wire() else { panic!("too short") };
    RecordType::from(u16::from_be_bytes([*t1, *t2]))
}

/// The answer, with one RRset of either section changed.
fn changed(answer: &Answer, set: &(Name, RecordType), change: impl Fn(&mut Vec<Record>)) -> Answer {
    let mut answer = answer.clone();
    for section in [&mut answer.message.answers, &mut answer.message.authorities] {
        let is_of = |record: &Record| (record.name.to_lowercase(), covered(record)) == *set;
        let (mut ours, others): (Vec<Record>, Vec<Record>) = section.drain(..).partition(is_of);
        change(&mut ours);
        section.extend(others.into_iter().chain(ours));
    }
    answer
}

fn each_set(check: impl Fn(&str, &RecordSet, &Answer, &(Name, RecordType))) {
    for (zone, answers) in zones() {
        let keys = keys(&answers);
        for answer in &answers {
            for set in sets(&answer.message.answers).into_iter().chain(sets(&answer.message.authorities)) {
                // A CNAME that a DNAME makes, and the NS RRset of a delegation, have no signatures.
                let is_unsigned = set.1 == RecordType::NS && set.0 != name("child.example")
                    || set.1 == RecordType::CNAME && set.0 != answer.name && set.0.to_string().contains("dn.")
                    || set.1 == RecordType::CNAME && set.0.base_name() == name("dn.child.example");
                if !is_unsigned {
                    check(zone, &keys, answer, &set);
                }
            }
        }
    }
}

#[test]
fn without_the_signature_of_any_rrset_nothing_is_proven() {
    each_set(|zone, keys, answer, set| {
        let bare = changed(answer, set, |records| records.retain(|record| record.record_type() != RecordType::RRSIG));
        let flaw = proven(keys, &bare).expect_err(&format!("{zone}: {} {} without {set:?}", answer.name, answer.rtype));
        assert_eq!((&flaw.name, flaw.rtype, &flaw.fault), (&set.0, set.1, &Fault::Unsigned), "{zone}");
    });
}

#[test]
fn a_ttl_above_the_signed_one_is_found_and_one_below_is_not() {
    each_set(|zone, keys, answer, set| {
        let ttl = |ttl: u32| changed(answer, set, |records| records.iter_mut().for_each(|record| record.ttl = ttl));
        let flaw = proven(keys, &ttl(9999)).unwrap_err();
        assert_eq!((&flaw.name, flaw.rtype, flaw.fault.code()), (&set.0, set.1, "ttl-above-signed"), "{zone}");
        assert!(proven(keys, &ttl(1)).is_ok());
    });
}

#[test]
fn records_that_were_changed_after_signing_are_found() {
    each_set(|zone, keys, answer, set| {
        // The signatures of another RRset of the same zone.
        let other = |record: &Record| record.record_type() == RecordType::RRSIG;
        let changed = changed(answer, set, |records| {
            let mut signatures: Vec<Record> = records.iter().filter(|record| other(record)).cloned().collect();
            records.retain(|record| !other(record));
            for signature in &mut signatures {
                let mut wire = Rdata::of(&signature.data).unwrap().as_wire().to_vec();
                *wire.last_mut().unwrap() ^= 1;
                signature.data = Rdata::from_canonical(wire).parse(RecordType::RRSIG).unwrap();
            }
            records.extend(signatures);
        });
        let flaw = proven(keys, &changed).unwrap_err();
        assert_eq!((&flaw.name, flaw.rtype, flaw.fault.code()), (&set.0, set.1, "signature-bogus"), "{zone}");
    });
}

/// Denials are needed: an answer from which all NSEC or NSEC3 records of one name were taken proves nothing.
#[test]
fn without_a_denial_that_is_needed_nothing_is_proven() {
    let mut needed = 0;
    each_set(|zone, keys, answer, set| {
        if !matches!(set.1, RecordType::NSEC | RecordType::NSEC3 | RecordType::SOA) || answer.rtype == RecordType::SOA {
            return;
        }
        let without = changed(answer, set, Vec::clear);
        // Within a span of opt-out there may be names without NSEC3 records (RFC 5155 §8.5, erratum 3441): then it is insecure.
        let is_proven = !matches!(proven(keys, &without), Err(_) | Ok(Proven::NoData { opted_out: true }));
        assert!(!is_proven, "{zone}: {} {} without {set:?}", answer.name, answer.rtype);
    });
    for (_, answers) in zones() {
        needed += answers.iter().filter(|answer| !answer.message.authorities.is_empty()).count();
    }
    assert!(needed > 40, "{needed}");
}

#[test]
fn signatures_count_from_their_inception_to_their_expiration() {
    let [(_, answers), ..] = zones();
    let keys = keys(&answers);
    let www = answers.iter().find(|answer| answer.name == name("www.child.example")).unwrap();
    let at = |text: &str| {
        let at = humantime::parse_rfc3339(text).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        proven_at(&keys, www, Time::from_s(i64::try_from(at.as_secs()).unwrap()))
    };
    assert!(at("2025-12-31T23:59:59Z").unwrap_err().to_string().contains("it is valid from"));
    assert!(at("2026-01-01T00:00:00Z").is_ok());
    assert!(at("2036-01-01T00:00:01Z").unwrap_err().to_string().contains("expired"));
}

/// The denial of one question is no denial of another one.
#[test]
fn a_denial_of_another_name_or_type_proves_nothing() {
    for (zone, answers) in zones() {
        let keys = keys(&answers);
        let of = |text: &str, rtype: RecordType| {
            answers.iter().find(|answer| answer.name == name(text) && answer.rtype == rtype).unwrap().clone()
        };
        let as_if_for = |mut answer: Answer, text: &str, rtype: RecordType| {
            (answer.name, answer.rtype) = (name(text), rtype);
            proven(&keys, &answer).expect_err(zone).fault.code()
        };
        let no_txt = of("www.child.example", RecordType::TXT);
        assert_eq!(as_if_for(no_txt.clone(), "www.child.example", RecordType::A), "denial-unproven");
        assert_eq!(as_if_for(no_txt, "mail.child.example", RecordType::TXT), "denial-unproven");
        let missing = of("missing.child.example", RecordType::A);
        assert_eq!(as_if_for(missing.clone(), "www.child.example", RecordType::A), "denial-unproven");
        assert_eq!(as_if_for(missing, "q.w.child.example", RecordType::A), "denial-unproven");
        // Of a delegation, the parent's record says nothing of what is in the child.
        let no_ds = of("ins.child.example", RecordType::DS);
        if zone != "opt-out" {
            assert_eq!(as_if_for(no_ds, "ins.child.example", RecordType::TXT), "denial-unproven");
        }
        // A wildcard must not stand in for a name that exists.
        let mut expanded = of("q.w.child.example", RecordType::A);
        expanded.message.authorities.clear();
        assert_eq!(proven(&keys, &expanded).unwrap_err().fault.code(), "denial-unproven");
    }
}
