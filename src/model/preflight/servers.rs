//! Whether every name server can be asked, by both protocols and in both address families, and answers the same within
//! its operator.

use super::{Finding, Inspected, Scene, error, listed, note, warning};
use crate::model::dns::{Name, name_text};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (operator, servers) in scene.inspected() {
        let desired = scene.is_desired(operator);
        findings.extend(servers.iter().filter_map(|inspected| one_protocol(inspected, desired)));
        findings.extend(serials(operator, &servers));
    }
    findings.extend(families(scene));
    findings
}

/// One protocol without the other. An address that answers by neither is `operator-unreachable`.
fn one_protocol(inspected: &Inspected, desired: bool) -> Option<Finding> {
    let Inspected { server, udp, tcp, .. } = inspected;
    let who = &server.who;
    let found = match (udp, tcp) {
        (Ok(()), Err(failure)) => error(
            "tcp-unanswered",
            format!("{who}: {server} answers by UDP, and {failure} by TCP"),
            "open TCP port 53 there: large answers and the scanners of registries need it",
        ),
        (Err(failure), Ok(())) => error(
            "udp-unanswered",
            format!("{who}: {server} answers by TCP, and {failure} by UDP"),
            "open UDP port 53 there: resolvers ask by UDP first",
        ),
        _ => return None,
    };
    // Nobody is kept in a zone because one of its servers is in disorder.
    Some(if desired { found } else { Finding { severity: super::Severity::Warning, ..found } })
}

/// Serials are compared within an operator only: each counts for itself (RFC 9975 §3.2).
fn serials(operator: &str, servers: &[&Inspected]) -> Option<Finding> {
    let shown: Vec<(u32, &Inspected)> =
        servers.iter().filter_map(|inspected| Some((inspected.soa.as_ref()?.serial, *inspected))).collect();
    let distinct: BTreeSet<u32> = shown.iter().map(|(serial, _)| *serial).collect();
    if distinct.len() < 2 {
        return None;
    }
    let each = shown.iter().map(|(serial, inspected)| format!("{} serves {serial}", inspected.server));
    Some(warning(
        "serial-differs",
        format!("{operator}: its addresses have different serials: {}", listed(each)),
        "look at its secondaries if this lasts: a step waits until every address shows what was written",
    ))
}

/// An address family that one name server of the group has and another has not.
fn families(scene: Scene<'_>) -> Option<Finding> {
    let mut of_host: BTreeMap<(&String, &Name), (bool, bool)> = BTreeMap::new();
    for (operator, member) in scene.world.members.iter().filter(|(operator, _)| scene.is_desired(operator)) {
        for server in &member.servers {
            let has = of_host.entry((operator, &server.host)).or_default();
            has.0 |= server.address.is_ipv4();
            has.1 |= server.address.is_ipv6();
        }
    }
    let (any_v4, any_v6) = of_host.values().fold((false, false), |any, has| (any.0 || has.0, any.1 || has.1));
    if !(any_v4 && any_v6) {
        return None;
    }
    let lacking = |family: fn(&(bool, bool)) -> bool, word: &str| {
        let hosts: Vec<String> =
            of_host.iter().filter(|(_, has)| !family(has)).map(|((_, host), _)| name_text(host)).collect();
        (!hosts.is_empty()).then(|| format!("no {word} address at {}", listed(hosts)))
    };
    let lacks: Vec<String> =
        [lacking(|has| has.0, "IPv4"), lacking(|has| has.1, "IPv6")].into_iter().flatten().collect();
    (!lacks.is_empty()).then(|| {
        note(
            "address-family-missing",
            format!("{}, while other name servers of the group have one", lacks.join("; ")),
            "give every name server both, so that resolvers with one family can choose between all; if it has both, give its operator here each of them",
        )
    })
}
