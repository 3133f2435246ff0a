//! A fresh resolution: the zone from the parent's servers down, by every delegated address, as a resolver without a cache
//! goes (RFC 1034 §5.3.3, RFC 4035 §5).
//!
//! Invariant: nothing that Chorus believes of the zone is used where the wire says it. Configured addresses stand in only
//! for a name that cannot be looked up, and that is put down.

use crate::model::dns::{Dnskey, Name, Rdata, RecordSet, RecordType, ns_name};
use crate::model::history::{Failure, Server, Who};
use crate::model::preflight::{Inspected, Validity};
use crate::model::resolution::{Resolution, is_usable_algorithm, is_used, no_chain};
use crate::observe::ask::{Asker, Question, answer, rrset};
use crate::observe::inspect::inspect;
use crate::observe::resolve::{DNS_PORT, Resolve};
use crate::observe::transport::Protocol;
use crate::observe::validity::{checked, keys};
use futures::future::join_all;
use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Where a resolution starts.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    pub zone: &'a Name,
    pub parent_zone: &'a Name,
    /// Every address of the parent's servers.
    pub parent: &'a [Server],
    /// The operators' addresses, as they are configured.
    pub configured: &'a [Server],
}

/// What the servers of the parent said.
#[derive(Default)]
struct Above {
    ds_sets: BTreeSet<RecordSet>,
    hosts: BTreeSet<Name>,
    glue: BTreeMap<Name, BTreeSet<IpAddr>>,
}

/// Resolves and validates the zone.
pub async fn resolve_afresh(asker: Asker<'_>, resolver: &dyn Resolve, start: Start<'_>) -> Resolution {
    let mut found = Resolution { at: Some((asker.clock)()), ..Resolution::default() };
    let above = above(asker, start, &mut found).await;
    let ds: Vec<&RecordSet> = above.ds_sets.iter().collect();
    found.validated = ds.iter().any(|set| set.iter().any(is_used));
    let servers = delegated(resolver, start, &above, &mut found).await;
    let inspection = inspect(asker, start.zone, &servers, BTreeMap::new()).await;
    for seen in &inspection.servers {
        below(start.zone, seen, &ds, &mut found);
    }
    not_seen(&mut found);
    found.conclude(start.zone);
    found
}

/// Asks every server of the parent for the DS RRset and the delegation.
async fn above(asker: Asker<'_>, start: Start<'_>, found: &mut Resolution) -> Above {
    let questions = [
        Question::new(start.parent_zone, RecordType::DNSKEY),
        Question::new(start.zone, RecordType::DS),
        Question::new(start.zone, RecordType::NS),
    ];
    let asker_of = &asker;
    let asked = start.parent.iter().map(|server| {
        join_all(questions.iter().map(move |question| asker_of.ask(server.address, Protocol::Udp, question)))
    });
    let mut above = Above::default();
    for (server, answers) in start.parent.iter().zip(join_all(asked).await) {
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or(Err(Failure::Silent));
        let (dnskey, ds, ns) = (next(), next(), next());
        if let (Err(Failure::Silent), Err(Failure::Silent)) = (&ds, &ns) {
            found.untried.push(format!("{server} of the parent does not answer"));
            continue;
        }
        match ds.map_err(|e| e.to_string()).and_then(|ds| ds_set(asker, start, server, dnskey.as_ref(), &ds, found)) {
            Ok(set) => {
                above.ds_sets.insert(set);
            }
            Err(why) => found.failures.push(format!("{} DS: {server}: {why}", start.zone.to_ascii())),
        }
        match ns.map_err(|e| e.to_string()).and_then(|ns| referral(start.zone, &ns, server, &mut above, found)) {
            Ok(()) => {}
            Err(why) => found.failures.push(format!("{} NS: {server}: {why}", start.zone.to_ascii())),
        }
    }
    let parent = start.parent_zone.to_ascii();
    found.untried.push(format!("the chain from the root to the keys of {parent}: its servers were believed for those"));
    above
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
fn referral(
    zone: &Name,
    message: &Message,
    server: &Server,
    above: &mut Above,
    found: &mut Resolution,
) -> Result<(), String> {
    let question = Question::new(zone, RecordType::NS);
    let section = if message.metadata.authoritative && !message.answers.is_empty() {
        found
            .untried
            .push(format!("the referral of {server}: it serves the zone itself, and shows its NS RRset instead"));
        &message.answers
    } else {
        &message.authorities
    };
    let ours = section.iter().filter(|record| record.name == question.name && record.record_type() == RecordType::NS);
    let set = rrset(&ours.cloned().collect::<Vec<_>>(), &question).map_err(|e| format!("it {e}"))?;
    let hosts: BTreeSet<Name> = set.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
    if hosts.is_empty() {
        return Err("it gives no referral".into());
    }
    for record in &message.additionals {
        let address = match &record.data {
            RData::A(address) => IpAddr::V4(address.0),
            RData::AAAA(address) => IpAddr::V6(address.0),
            _ => continue,
        };
        let host = record.name.to_lowercase();
        if hosts.contains(&host) {
            above.glue.entry(host).or_default().insert(address);
        }
    }
    above.hosts.extend(hosts);
    Ok(())
}

/// Every address of the delegated name servers: glue, or what the public DNS says.
async fn delegated(resolver: &dyn Resolve, start: Start<'_>, above: &Above, found: &mut Resolution) -> Vec<Server> {
    let unglued: Vec<&Name> = above.hosts.iter().filter(|host| !above.glue.contains_key(host)).collect();
    let looked_up = join_all(unglued.iter().map(|host| resolver.addresses(host))).await;
    let mut addresses: BTreeMap<&Name, BTreeSet<SocketAddr>> = BTreeMap::new();
    // A server under test may have another port; resolvers use 53.
    let with_port = |ip: &IpAddr| {
        let given = start.configured.iter().map(|server| server.address).find(|address| address.ip() == *ip);
        given.unwrap_or(SocketAddr::new(*ip, DNS_PORT))
    };
    for (host, glue) in &above.glue {
        addresses.entry(host).or_default().extend(glue.iter().map(with_port));
    }
    for (host, answer) in unglued.into_iter().zip(looked_up) {
        match answer {
            Ok(ips) => addresses.entry(host).or_default().extend(ips.iter().map(with_port)),
            Err(_) if start.zone.zone_of(host) => {
                let (zone, host) = (start.zone.to_ascii(), host.to_ascii());
                found
                    .failures
                    .push(format!("{host}: the delegation of {zone} has no address for it, and it is in the zone"));
            }
            Err(e) => {
                let configured = start.configured.iter().filter(|server| *server.host == *host);
                let given: BTreeSet<SocketAddr> = configured.map(|server| server.address).collect();
                let instead = if given.is_empty() { "" } else { "; the configured addresses were asked" };
                found.untried.push(format!("looking up the addresses of {}: {e}{instead}", host.to_ascii()));
                addresses.entry(host).or_default().extend(given);
            }
        }
    }
    let who = |host: &Name, address: SocketAddr| {
        let known = |server: &&Server| server.address == address || *server.host == *host;
        let configured = start.configured.iter().find(known);
        configured.map_or_else(|| Who::Operator("an unknown operator".into()), |server| server.who.clone())
    };
    let servers = addresses.into_iter().flat_map(|(host, addresses)| {
        addresses.into_iter().map(move |address| Server { who: who(host, address), host: host.clone().into(), address })
    });
    servers.collect()
}

/// What one delegated address answers: reached at all, a chain from every DS RRset, and everything validates.
fn below(zone: &Name, seen: &Inspected, ds: &[&RecordSet], found: &mut Resolution) {
    let server = &seen.server;
    let failure = match (&seen.udp, &seen.tcp) {
        (Err(udp), Err(_)) => Some(udp),
        _ => None,
    };
    match failure {
        Some(Failure::Silent) => {
            let family = if server.address.is_ipv6() { ", or IPv6 does not work here" } else { "" };
            found.untried.push(format!("{server} does not answer{family}"));
            return;
        }
        Some(failure) => {
            found.failures.push(format!("{} SOA: {server} {failure}", zone.to_ascii()));
            return;
        }
        None => {}
    }
    found.addresses.insert(server.to_string());
    found.resolved.insert("SOA".into());
    let Validity { keys, signers, flaws, verified, proven } = &seen.validity;
    if !found.validated {
        found.answers += 1 + seen.answers.len() as u64;
        return;
    }
    found.answers += *verified as u64;
    found.failures.extend(flaws.iter().map(|flaw| format!("{flaw} (at {server})")));
    let broken = match keys {
        None if flaws.is_empty() => Some("it does not answer for the DNSKEY RRset".to_owned()),
        None => None,
        Some(keys) if keys.is_empty() => Some("it has no DNSKEY RRset, and the parent has a DS".to_owned()),
        Some(keys) => {
            let used = ds.iter().filter(|set| set.iter().any(is_used));
            used.into_iter().find_map(|set| no_chain(zone, set, keys, signers))
        }
    };
    found.failures.extend(broken.map(|why| format!("{} DNSKEY: {server}: {why}", zone.to_ascii())));
    found.resolved.extend(proven.iter().map(|what| (*what).to_owned()));
}

/// Names what a resolver may be asked for and was not seen here.
fn not_seen(found: &mut Resolution) {
    if !found.validated {
        found.untried.push("validation: the parent has no DS that validators use, so the zone is insecure".into());
        return;
    }
    for (what, why) in [
        (Validity::NAME, "a name below the zone's own: none is known"),
        (Validity::WILDCARD, "a wildcard: none is known"),
        (Validity::NO_NAME, "a missing name: each that was asked for exists"),
    ] {
        if !found.resolved.contains(what) {
            found.untried.push(why.into());
        }
    }
}
