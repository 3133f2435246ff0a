//! What the servers of the parent say: the DS RRset, and a referral each.

use super::Start;
use crate::model::dns::{Dnskey, Name, Rdata, RecordSet, RecordType, ns_name};
use crate::model::history::{Failure, Server};
use crate::model::resolution::{Resolution, is_usable_algorithm};
use crate::observe::ask::{Asker, Question, answer, rrset};
use crate::observe::transport::Protocol;
use crate::observe::validity::{checked, keys};
use futures::future::join_all;
use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What the servers of the parent said.
#[derive(Default)]
pub(super) struct Above {
    pub ds_sets: BTreeSet<RecordSet>,
    /// One for each server that gave one.
    pub referrals: Vec<Referral>,
    /// Whether any of them answered over UDP.
    pub udp_works: bool,
}

/// The delegation as one server of the parent gives it.
pub(super) struct Referral {
    pub server: Server,
    pub hosts: BTreeSet<Name>,
    /// Of hosts in the parent zone: resolvers believe no other (RFC 5452 §6).
    pub glue: BTreeMap<Name, BTreeSet<IpAddr>>,
    /// It is no referral: the server has a copy of the zone, and answered from it.
    pub is_copy: bool,
}

/// Asks every server of the parent for the DS RRset and the delegation.
pub(super) async fn above(asker: Asker<'_>, start: Start<'_>, found: &mut Resolution) -> Above {
    let questions = [
        Question::new(start.parent_zone, RecordType::DNSKEY),
        Question::new(start.zone, RecordType::DS),
        Question::new(start.zone, RecordType::NS),
    ];
    let asker_of = &asker;
    let asked = start
        .parent
        .iter()
        .map(|server| join_all(questions.iter().map(move |question| ask(*asker_of, server, question))));
    let mut above = Above::default();
    for (server, answers) in start.parent.iter().zip(join_all(asked).await) {
        let mut answers = answers.into_iter();
        let mut by_udp = false;
        let mut next = || {
            let (over_udp, answer) = answers.next().unwrap_or((false, Err(Failure::Silent)));
            by_udp |= over_udp;
            answer
        };
        let (dnskey, ds, ns) = (next(), next(), next());
        let is_silent = |answer: &Result<Message, Failure>| matches!(answer, Err(Failure::Silent | Failure::NoRoute));
        if let (Err(failure), true) = (&ns, is_silent(&ds) && is_silent(&ns)) {
            found.untried.push(format!("{server} of the parent {failure}"));
            continue;
        }
        if by_udp {
            above.udp_works = true;
        } else {
            found.untried.push(format!("UDP at {server} of the parent: it answers over TCP only"));
        }
        match ds.map_err(|e| format!("it {e}")).and_then(|ds| ds_set(asker, start, server, dnskey.as_ref(), &ds, found))
        {
            Ok(set) => {
                above.ds_sets.insert(set);
            }
            Err(why) => found.failures.push(format!("{} DS: {server}: {why}", start.zone.to_ascii())),
        }
        match ns.map_err(|e| format!("it {e}")).and_then(|ns| referral(start, &ns, server)) {
            Ok(referral) => {
                if referral.is_copy {
                    let what = "it serves the zone itself, and shows its NS RRset instead";
                    found.untried.push(format!("the referral of {server}: {what}"));
                }
                above.referrals.push(referral);
            }
            Err(why) => found.failures.push(format!("{} NS: {server}: {why}", start.zone.to_ascii())),
        }
    }
    let parent = start.parent_zone.to_ascii();
    found.untried.push(format!(
        "the chain of trust from the root to {parent}: the DNSKEY RRset of {parent} was taken from its own servers, without validation"
    ));
    above
}

/// Asks over UDP, and over TCP an address that does not answer so: the delegation is known all the same. Returns whether UDP was
/// answered.
async fn ask(asker: Asker<'_>, server: &Server, question: &Question) -> (bool, Result<Message, Failure>) {
    match asker.ask(server.address, Protocol::Udp, question).await {
        Err(Failure::Silent) => (false, asker.ask(server.address, Protocol::Tcp, question).await),
        answered => (true, answered),
    }
}

/// The DS RRset, validated with the parent's keys where it has some.
fn ds_set(
    asker: Asker<'_>,
    start: Start<'_>,
    server: &Server,
    dnskey: Result<&Message, &Failure>,
    message: &Message,
    found: &mut Resolution,
) -> Result<RecordSet, String> {
    let now = (asker.clock)();
    let question = Question::new(start.zone, RecordType::DS);
    let set = answer(message, &question, start.parent_zone).map_err(|e| format!("it {e}"))?.records;
    let parent = start.parent_zone.to_ascii();
    let keys = match dnskey.map(|message| keys(start.parent_zone, message, now)) {
        Ok(Ok((keys, _))) if !keys.is_empty() => keys,
        Ok(Err(Some(_))) if !dnskey.is_ok_and(is_verifiable) => {
            found.untried.push(format!(
                "the signature of the DS RRset: {parent} has no key of an algorithm that is verified here"
            ));
            return Ok(set);
        }
        Ok(Err(Some(flaw))) => return Err(flaw.to_string()),
        Ok(Ok(_)) => {
            found.untried.push(format!("the signature of the DS RRset: {parent} is not signed"));
            return Ok(set);
        }
        _ => {
            found
                .untried
                .push(format!("the signature of the DS RRset: {server} does not answer for the keys of {parent}"));
            return Ok(set);
        }
    };
    let mut apex = start.parent_zone.to_lowercase();
    apex.set_fqdn(true);
    checked(&apex, &keys, now, &question.name, RecordType::DS, message).map(|_| set).map_err(|flaw| flaw.to_string())
}

/// Whether a key of this answer has an algorithm that signatures are verified with.
fn is_verifiable(message: &Message) -> bool {
    let keys = message.answers.iter().filter(|record| record.record_type() == RecordType::DNSKEY);
    keys.filter_map(|record| Rdata::of(&record.data).ok())
        .any(|rdata| Dnskey::read(&rdata).is_some_and(|key| is_usable_algorithm(key.algorithm)))
}

/// Takes the name servers and their glue out of a referral (RFC 1034 §4.3.2).
fn referral(start: Start<'_>, message: &Message, server: &Server) -> Result<Referral, String> {
    let question = Question::new(start.zone, RecordType::NS);
    let is_copy = message.metadata.authoritative && !message.answers.is_empty();
    let section = if is_copy { &message.answers } else { &message.authorities };
    let ours = section.iter().filter(|record| record.name == question.name && record.record_type() == RecordType::NS);
    let set = rrset(&ours.cloned().collect::<Vec<_>>(), &question).map_err(|e| format!("it {e}"))?;
    let hosts: BTreeSet<Name> = set.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
    if hosts.is_empty() {
        return Err("it gives no referral".into());
    }
    let mut glue: BTreeMap<Name, BTreeSet<IpAddr>> = BTreeMap::new();
    for record in &message.additionals {
        let address = match &record.data {
            RData::A(address) => IpAddr::V4(address.0),
            RData::AAAA(address) => IpAddr::V6(address.0),
            _ => continue,
        };
        let host = record.name.to_lowercase();
        if hosts.contains(&host) && start.parent_zone.zone_of(&host) {
            glue.entry(host).or_default().insert(address);
        }
    }
    Ok(Referral { server: server.clone(), hosts, glue, is_copy })
}
