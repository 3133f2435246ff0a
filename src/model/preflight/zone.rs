//! What operators may differ in and better do not: TTLs, the SOA record, and how they deny that something exists.

use super::{Denial, Finding, Scene, Soa, listed, note, seconds, warning};
use crate::model::dns::{hex, name_text};
use crate::model::history::Kind;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    let soas: BTreeMap<&String, &Soa> = scene
        .inspected()
        .filter_map(|(operator, servers)| Some((operator, servers.iter().find_map(|seen| seen.soa.as_ref())?)))
        .collect();
    for (set, kind) in [("DNSKEY", Kind::Dnskey), ("NS", Kind::Ns)] {
        let ttls = world.members.keys().filter_map(|operator| {
            // The TTL of an empty set is a negative one.
            (!world.served(operator, kind).is_empty()).then_some(())?;
            Some((operator, world.served_ttl_s(operator, kind)?))
        });
        findings.extend(ttl_differs(set, ttls.collect()));
    }
    let of_soas = |ttl: fn(&Soa) -> u32| soas.iter().map(|(operator, soa)| (*operator, ttl(soa))).collect();
    findings.extend(ttl_differs("SOA", of_soas(|soa| soa.ttl_s)));
    findings.extend(ttl_differs("negative answer", of_soas(|soa| soa.minimum_s.min(soa.ttl_s))));
    findings.extend(soa_differs(&soas));
    findings.extend(denials(scene));
    findings
}

fn ttl_differs(set: &str, ttls: BTreeMap<&String, u32>) -> Option<Finding> {
    let distinct: BTreeSet<u32> = ttls.values().copied().collect();
    let largest = distinct.last()?;
    (distinct.len() > 1).then(|| {
        let each = ttls.iter().map(|(operator, ttl_s)| format!("{ttl_s} s at {operator}"));
        warning(
            "ttl-differs",
            format!("{set} TTLs differ: {}; every wait counts {}", listed(each), seconds(u64::from(*largest))),
            "set the same TTL at all operators, a small one for the time of the transition",
        )
    })
}

fn soa_differs(soas: &BTreeMap<&String, &Soa>) -> Vec<Finding> {
    type Field = (&'static str, fn(&Soa) -> String);
    const TIMES: [Field; 4] = [
        ("refresh", |soa| soa.refresh_s.to_string()),
        ("retry", |soa| soa.retry_s.to_string()),
        ("expire", |soa| soa.expire_s.to_string()),
        ("minimum", |soa| soa.minimum_s.to_string()),
    ];
    let differs = |(field, value): &Field| {
        let distinct: BTreeSet<String> = soas.values().map(|soa| value(soa)).collect();
        let each = soas.iter().map(|(operator, soa)| format!("{} at {operator}", value(soa)));
        (distinct.len() > 1).then(|| format!("{field} {}", listed(each)))
    };
    let fix = "use the same SOA values at all operators; serial and first name server may differ";
    let times: Vec<String> = TIMES.iter().filter_map(differs).collect();
    let contact: Field = ("contact", |soa| name_text(&soa.contact));
    let mut findings = Vec::new();
    if !times.is_empty() {
        findings.push(warning("soa-differs", format!("the SOA records differ: {}", times.join("; ")), fix));
    }
    findings.extend(
        differs(&contact).map(|contact| note("soa-differs", format!("the SOA records differ: {contact}"), fix)),
    );
    findings
}

/// Differing ways are allowed (RFC 8901 §5), for each answer is proven by the server that gives it.
fn denials(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ways: BTreeMap<&String, BTreeSet<&Denial>> = BTreeMap::new();
    for (operator, servers) in scene.inspected() {
        let of: BTreeSet<&Denial> = servers.iter().filter_map(|seen| seen.denial.as_ref()).collect();
        if of.is_empty() {
            continue;
        }
        findings.extend(of.iter().filter_map(|denial| bad_denial(operator, denial)));
        ways.insert(operator, of);
    }
    let distinct: BTreeSet<&BTreeSet<&Denial>> = ways.values().collect();
    if distinct.len() > 1 {
        let each =
            ways.iter().map(|(operator, of)| format!("{operator} uses {}", listed(of.iter().map(|way| said(way)))));
        findings.push(note(
            "nsec-params-differ",
            format!("the operators deny names in different ways: {}", listed(each)),
            "nothing has to be done (RFC 8901 §5); with the same way everywhere resolvers can use their caches better",
        ));
    }
    findings
}

fn said(denial: &Denial) -> String {
    match denial {
        Denial::Nsec => "NSEC".into(),
        Denial::None => "no proof at all".into(),
        Denial::Nsec3 { iterations, salt, opt_out } => {
            let salt = if salt.is_empty() { "no salt".into() } else { format!("salt {}", hex(salt)) };
            let opt_out = if *opt_out { ", opt-out" } else { "" };
            format!("NSEC3 ({iterations} iterations, {salt}{opt_out})")
        }
    }
}

fn bad_denial(operator: &str, denial: &Denial) -> Option<Finding> {
    match denial {
        Denial::Nsec3 { iterations, .. } if *iterations > 0 => Some(warning(
            "nsec3-iterations",
            format!(
                "{operator} uses NSEC3 with {iterations} iterations: validators may answer SERVFAIL, or not validate"
            ),
            "set the iterations to 0 (RFC 9276 §3.1)",
        )),
        Denial::Nsec3 { salt, .. } if !salt.is_empty() => Some(note(
            "nsec3-salt",
            format!("{operator} uses NSEC3 with the salt {}, which protects nothing", hex(salt)),
            "use NSEC3 without salt (RFC 9276 §3.1)",
        )),
        _ => None,
    }
}
