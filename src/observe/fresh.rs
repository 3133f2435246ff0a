//! A fresh resolution: the zone from the parent's servers down, by every delegated address, as a resolver without a cache
//! goes (RFC 1034 §5.3.3, RFC 4035 §5).
//!
//! Invariant: nothing that Chorus believes of the zone is used where the wire says it. Configured addresses stand in only
//! for a name that cannot be looked up, and that is put down. Each question is answered, or a failure, or named as not tried.

mod above;
mod delegated;

use crate::model::dns::proof::Flaw;
use crate::model::dns::{Name, RecordSet, type_text};
use crate::model::history::{Failure, Server};
use crate::model::preflight::{Inspected, Validity};
use crate::model::resolution::{Resolution, is_used, no_chain};
use crate::observe::ask::Asker;
use crate::observe::inspect::{inspect, is_made_up};
use crate::observe::resolve::Resolve;
use std::collections::BTreeMap;

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

/// Resolves and validates the zone.
pub async fn resolve_afresh(asker: Asker<'_>, resolver: &dyn Resolve, start: Start<'_>) -> Resolution {
    let mut found = Resolution { at: Some((asker.clock)()), ..Resolution::default() };
    let above = above::above(asker, start, &mut found).await;
    let ds: Vec<&RecordSet> = above.ds_sets.iter().collect();
    found.validated = ds.iter().any(|set| set.iter().any(is_used));
    let servers = delegated::delegated(asker, resolver, start, &above, &mut found).await;
    let inspection = inspect(asker, start.zone, &servers, BTreeMap::new()).await;
    let answers = |seen: &Inspected| !matches!(seen.udp, Err(Failure::Silent | Failure::NoRoute));
    let udp_works = above.udp_works || inspection.servers.iter().any(answers);
    for seen in &inspection.servers {
        if is_reached(start.zone, seen, udp_works, &mut found) {
            below(start.zone, seen, &ds, &mut found);
        }
    }
    not_seen(&mut found);
    found.conclude(start.zone);
    found
}

/// Whether one delegated address answers at all, and by both protocols: resolvers ask by UDP first, and by TCP what does not fit.
/// `udp_works`: some address answered over UDP, so that it is not this host that cannot send it.
fn is_reached(zone: &Name, seen: &Inspected, udp_works: bool, found: &mut Resolution) -> bool {
    let server = &seen.server;
    let soa = format!("{} SOA", zone.to_ascii());
    match (&seen.udp, &seen.tcp) {
        (Ok(()), Ok(())) => {}
        (Err(failure @ (Failure::Silent | Failure::NoRoute)), Err(Failure::Silent | Failure::NoRoute)) => {
            found.untried.push(format!("{server}: it {failure}"));
            return false;
        }
        (Err(failure), Err(_)) => {
            found.failures.push(format!("{soa}: {server} {failure}"));
            return false;
        }
        (Err(Failure::Silent), Ok(())) if !udp_works => {
            found.untried.push(format!("UDP at {server}: no address at all answers over UDP here, only over TCP"));
        }
        (Err(failure), Ok(())) => {
            found.failures.push(format!("{soa}: {server} answers over TCP, and {failure} over UDP"));
        }
        (Ok(()), Err(failure)) => {
            found.failures.push(format!("{soa}: {server} answers over UDP, and {failure} over TCP"));
        }
    }
    found.addresses.insert(server.to_string());
    found.resolved.insert("SOA".into());
    true
}

/// What one delegated address answers: a chain from every DS RRset, every question, and everything validates.
fn below(zone: &Name, seen: &Inspected, ds: &[&RecordSet], found: &mut Resolution) {
    let server = &seen.server;
    let Validity { keys, signers, flaws, verified, proven, unanswered } = &seen.validity;
    for one in unanswered {
        let what = format!("{} {}", stable(&one.name), type_text(one.rtype));
        if one.is_all {
            let of = one.class;
            found
                .failures
                .push(format!("{what}: {server} {}, and no other question about {of} is answered", one.failure));
        } else {
            found.untried.push(format!("{what}: {server} {}", one.failure));
        }
    }
    if !found.validated {
        found.answers += 1 + seen.answers.len() as u64;
        return;
    }
    found.answers += *verified as u64;
    found.failures.extend(flaws.iter().map(|flaw| format!("{} (at {server})", flaw_text(flaw))));
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

/// What stands for the label that is another one in each resolution, so that the same failure is the same text.
const MADE_UP: &str = "chorus-RANDOM";

fn stable(name: &Name) -> String {
    with_stable(name, name.to_ascii())
}

fn flaw_text(flaw: &Flaw) -> String {
    with_stable(&flaw.name, flaw.to_string())
}

fn with_stable(name: &Name, text: String) -> String {
    let label = name.iter().next().filter(|_| is_made_up(name)).map(String::from_utf8_lossy);
    label.map_or(text.clone(), |label| text.replace(&*label, MADE_UP))
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
