//! Verifies the answers of one address, each as its own question, with the DNSKEY RRset that the address serves.
//!
//! Invariant: what does not validate is asked again, with the DNSKEY RRset, before it counts: a zone that was signed again
//! between two answers is not bogus. Names that turn out to belong to another zone are left to that zone.

use crate::model::dns::proof::{Fault, Flaw, Proven, Response, ZoneKeys, denies, prove};
use crate::model::dns::{Name, RecordSet, RecordType, SignedSet, verify};
use crate::model::history::{Failure, Server};
use crate::model::preflight::{Unanswered, Validity};
use crate::model::time::Time;
use crate::observe::ask::{Asker, Question, answer};
use crate::observe::inspect::is_made_up;
use crate::observe::transport::Protocol;
use futures::future::{join, join_all};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;
use std::collections::BTreeSet;

/// Answers that are asked for again. When so many are still wrong, the others are believed to be.
const ASKED_AGAIN_MAX: usize = 12;

/// One question to one address, and its answer.
pub(super) type Asked<'a> = (&'a Name, RecordType, Result<Message, Failure>);

/// Verifies `soa`, the answer for the zone's SOA record, and everything in `asked`, the DNSKEY RRset among it.
pub(super) async fn verified(
    asker: Asker<'_>,
    zone: &Name,
    server: &Server,
    protocol: Protocol,
    soa: &Message,
    asked: &[Asked<'_>],
) -> Validity {
    let (now, unanswered) = ((asker.clock)(), unanswered(zone, asked));
    let (keys, signers) = match served_keys(zone, asked, now) {
        Ok(found) => found,
        Err(flaw) => return Validity { flaws: flaw.into_iter().collect(), unanswered, ..Validity::default() },
    };
    let mut validity = Validity { keys: Some(keys.clone()), signers, unanswered, ..Validity::default() };
    if keys.is_empty() {
        return validity;
    }
    let messages = asked.iter().filter_map(|(name, rtype, message)| Some((*name, *rtype, message.as_ref().ok()?)));
    let mut flawed = Vec::new();
    for (name, rtype, message) in std::iter::once((zone, RecordType::SOA, soa)).chain(messages) {
        match checked(zone, &keys, now, name, rtype, message) {
            Ok(proven) => {
                validity.verified += 1;
                validity.proven.extend(kind(zone, name, &proven));
            }
            Err(flaw) => flawed.push((name, rtype, flaw)),
        }
    }
    let again = flawed.iter().take(ASKED_AGAIN_MAX);
    let again = again.map(|(name, rtype, _)| still_flawed(asker, zone, server, protocol, name, *rtype));
    let again: Vec<Result<Option<Flaw>, Failure>> = join_all(again).await;
    let are_others_wrong = again.iter().all(|again| matches!(again, Ok(Some(_))));
    for ((name, rtype, _), again) in flawed.iter().zip(again) {
        match again {
            Ok(flaw) => validity.flaws.extend(flaw),
            // Neither wrong nor right: nobody knows.
            Err(failure) => {
                let (name, rtype, class) = ((*name).clone(), *rtype, class(zone, name));
                validity.unanswered.push(Unanswered { name, rtype, failure, class, is_all: false });
            }
        }
    }
    let unasked = flawed.into_iter().skip(ASKED_AGAIN_MAX).map(|(_, _, flaw)| flaw);
    validity.flaws.extend(unasked.filter(|_| are_others_wrong));
    validity.flaws.extend(denied(asker, zone, server, protocol, asked).await);
    validity.flaws.dedup();
    validity
}

/// What a question was about.
fn class(zone: &Name, name: &Name) -> &'static str {
    match name {
        name if name == zone => Validity::APEX,
        name if !is_made_up(name) => Validity::NAME,
        name if name.base_name() == *zone => Validity::NO_NAME,
        _ => Validity::WILDCARD,
    }
}

/// The questions without an answer; whether there is any other of the same class is what makes the difference.
fn unanswered(zone: &Name, asked: &[Asked<'_>]) -> Vec<Unanswered> {
    let answered: BTreeSet<&str> =
        asked.iter().filter(|(_, _, message)| message.is_ok()).map(|(name, ..)| class(zone, name)).collect();
    let failed = asked.iter().filter_map(|(name, rtype, message)| {
        let (failure, class) = (message.as_ref().err()?.clone(), class(zone, name));
        Some(Unanswered { name: (*name).clone(), rtype: *rtype, failure, class, is_all: !answered.contains(class) })
    });
    failed.collect()
}

/// What the question for the DNSKEY RRset brought, as [`keys`] has it.
fn served_keys(zone: &Name, asked: &[Asked<'_>], now: Time) -> Result<(RecordSet, RecordSet), Option<Flaw>> {
    let of_keys = asked.iter().find(|(name, rtype, _)| *name == zone && *rtype == RecordType::DNSKEY);
    let dnskey = of_keys.and_then(|(_, _, message)| message.as_ref().ok()).ok_or(None)?;
    keys(zone, dnskey, now)
}

/// The DNSKEY RRset of an answer, and those of its keys that sign it; both empty where the zone is not signed.
/// `Err(None)`: the answer shows nothing.
pub(super) fn keys(zone: &Name, message: &Message, now: Time) -> Result<(RecordSet, RecordSet), Option<Flaw>> {
    let question = Question::new(zone, RecordType::DNSKEY);
    if message.metadata.response_code != ResponseCode::NoError {
        return Err(None);
    }
    let served = answer(message, &question, zone).map_err(|_| None)?;
    if served.records.is_empty() {
        return Ok((served.records, RecordSet::new()));
    }
    let set =
        SignedSet { owner: zone, rtype: RecordType::DNSKEY, records: &served.records, signatures: &served.signatures };
    let verification = verify(set, zone, &served.records, now);
    if verification.is_verified() {
        return Ok((served.records, verification.signers));
    }
    let fault =
        if served.signatures.is_empty() { Fault::Unsigned } else { Fault::BadSignature(verification.reasons()) };
    Err(Some(Flaw { name: zone.clone(), rtype: RecordType::DNSKEY, fault }))
}

/// RRsets that are served, and that the NSEC or NSEC3 record of their name denies.
async fn denied(asker: Asker<'_>, zone: &Name, server: &Server, protocol: Protocol, asked: &[Asked<'_>]) -> Vec<Flaw> {
    let messages = || asked.iter().filter_map(|(name, rtype, message)| Some((*name, *rtype, message.as_ref().ok()?)));
    let seen: Vec<Record> = messages().flat_map(|(_, _, message)| denials(message)).collect();
    let contradicted = messages().filter(|(name, rtype, message)| {
        has(message, name, *rtype) && *rtype != RecordType::RRSIG && denies(zone, &seen, name, *rtype)
    });
    let again = contradicted.take(ASKED_AGAIN_MAX).map(|(name, rtype, _)| async move {
        // A type that no name has: the answer brings the denial of this name alone.
        let questions = [Question::new(name, rtype), Question::new(name, RecordType::NULL)];
        let [positive, negative] =
            questions.map(|question| async move { asker.ask_for_any(server.address, protocol, &question).await });
        let (positive, negative) = join(positive, negative).await;
        let own = denials(&negative.ok()?);
        let why = "its NSEC or NSEC3 record says that the type is not there, and it is served";
        let is_denied = has(&positive.ok()?, name, rtype) && denies(zone, &own, name, rtype);
        is_denied.then(|| Flaw { name: name.clone(), rtype, fault: Fault::Unproven(why.into()) })
    });
    join_all(again).await.into_iter().flatten().collect()
}

fn denials(message: &Message) -> Vec<Record> {
    let is_denial = |record: &&Record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3);
    message.authorities.iter().filter(is_denial).cloned().collect()
}

fn has(message: &Message, name: &Name, rtype: RecordType) -> bool {
    message.answers.iter().any(|record| record.name == *name && record.record_type() == rtype)
}

/// What one answer proves with these keys.
pub(super) fn checked(
    zone: &Name,
    keys: &RecordSet,
    now: Time,
    name: &Name,
    rtype: RecordType,
    message: &Message,
) -> Result<Proven, Flaw> {
    let code = message.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        let what = match code {
            ResponseCode::ServFail => "it is answered with SERVFAIL".into(),
            ResponseCode::Refused => "it is answered with REFUSED".into(),
            other => format!("it is answered with response code {}", u16::from(other)),
        };
        return Err(Flaw { name: name.clone(), rtype, fault: Fault::Unanswered(what) });
    }
    let response = Response {
        is_nxdomain: code == ResponseCode::NXDomain,
        is_authoritative: message.metadata.authoritative,
        answers: &message.answers,
        authorities: &message.authorities,
    };
    prove(ZoneKeys { apex: zone, keys, now }, name, rtype, response)
}

/// What a proof is of.
fn kind(zone: &Name, name: &Name, proven: &Proven) -> Option<&'static str> {
    Some(match proven {
        Proven::Answer if name == zone => return None,
        Proven::Answer => Validity::NAME,
        Proven::Expanded(_) => Validity::WILDCARD,
        Proven::NoData { .. } => Validity::NO_TYPE,
        Proven::NxDomain { .. } => Validity::NO_NAME,
        Proven::Delegation { .. } => Validity::DELEGATION,
        Proven::Elsewhere => return None,
    })
}

/// Asks again, for the DNSKEY RRset too. `None`: it validates, or is another zone's to prove. `Err`: it got no answer.
pub(super) async fn still_flawed(
    asker: Asker<'_>,
    zone: &Name,
    server: &Server,
    protocol: Protocol,
    name: &Name,
    rtype: RecordType,
) -> Result<Option<Flaw>, Failure> {
    let ask = |name: &Name, rtype: RecordType| {
        let question = Question::new(name, rtype);
        async move { asker.ask_for_any(server.address, protocol, &question).await }
    };
    let (dnskey, message) = join(ask(zone, RecordType::DNSKEY), ask(name, rtype)).await;
    let now = (asker.clock)();
    let keys = match keys(zone, &dnskey?, now) {
        Ok((keys, _)) => keys,
        Err(flaw) => return Ok(flaw),
    };
    let Err(flaw) = checked(zone, &keys, now, name, rtype, &message?) else { return Ok(None) };
    // A server that has a child zone as well answers for names in it with the child's data.
    let labels = name.iter().count();
    let between = (zone.iter().count() + 1..=labels).map(|labels| name.trim_to(labels));
    let keys = &keys;
    let cuts = between.filter(|cut| !cut.is_wildcard()).map(|cut| async move {
        let message = ask(&cut, RecordType::DS).await.ok()?;
        checked(zone, keys, now, &cut, RecordType::DS, &message).ok()
    });
    let is_cut = |proven: &Option<Proven>| matches!(proven, Some(Proven::Answer | Proven::Delegation { .. }));
    let is_delegated = rtype != RecordType::DS && join_all(cuts).await.iter().any(is_cut);
    Ok((!is_delegated).then_some(flaw))
}
