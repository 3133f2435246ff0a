//! The names of the operators' name servers: whether they are aliases, and whether the addresses that resolvers find for them
//! are those that are observed.

use super::{Finding, Scene, error, listed, note, warning};
use crate::model::dns::{Name, RecordType, name_text, type_text};
use crate::model::group::{
    ADDRESSES_DIFFER, ALIAS, GLUE_DIFFERS, Known, NO_ADDRESS, NO_ROUTE, NO_ROUTE_FIX, PARENT_SERVES_ZONE, Unequal,
    alias, glue_differs, has_no_address, listed_addresses, reachable, unequal,
};
use crate::model::history::{Failure, Kind, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let known = reachable(scene.world);
    let mut findings = copies(scene);
    findings.extend(names(scene));
    findings.extend(delegated(scene));
    // Before what follows from it.
    findings.extend(differing(scene));
    findings.extend(unlisted(scene, &known));
    findings.extend(of_others(scene, &known));
    findings.extend(unconfirmed(scene, &known));
    findings
}

/// A name in disorder keeps an operator from joining. It does not keep the others from going on without an operator.
fn graded(scene: Scene<'_>, operator: &str, found: Finding) -> Finding {
    let world = scene.world;
    let mut delegations = world.parent_servers.iter().filter_map(|s| world.history.current(s, Kind::Delegation));
    let is_in = delegations.any(|span| world.names(&span.served.records, operator));
    if scene.is_desired(operator) && !is_in { found } else { Finding { severity: super::Severity::Warning, ..found } }
}

/// Servers of the parent that have a copy of the zone. That no delegation can be seen is an error of its own.
fn copies(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    if world.delegation_is_hidden() {
        return Vec::new();
    }
    let finding = |server: &Server| {
        let keys = world.history.current(server, Kind::Dnskey).map(|span| &span.served.signers);
        let whose = world.members.keys().find(|op| keys.is_some_and(|keys| !keys.is_disjoint(&world.own_keys(op))));
        let signed = whose.map(|operator| format!(", signed by {operator}")).unwrap_or_default();
        warning(
            PARENT_SERVES_ZONE,
            format!(
                "the parent's server {server} serves the zone itself{signed}: resolvers that ask the parent there are answered \
                 from this copy, whatever the delegation says"
            ),
            "take the zone off that server before the operator whose copy it is leaves: until then the leave waits",
        )
    };
    world.with_copies().into_iter().map(finding).collect()
}

/// Every name by itself: an alias, a name without any address, one that could not be looked up.
fn names(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    let mut not_looked_at: BTreeMap<&String, BTreeSet<&Name>> = BTreeMap::new();
    for (operator, member) in world.members {
        for host in &member.hosts {
            let public = Server::public(host.clone().into());
            let track = world.history.track(&public, Kind::Addresses);
            if let Some((of, source)) = alias(world, host) {
                let found = error(
                    ALIAS,
                    format!("{operator}: the name server {host} is an alias of {of} by {source}"),
                    format!(
                        "name {of} as the name server, or give {host} A and AAAA records of its own (RFC 2181 §10.3)"
                    ),
                );
                findings.push(graded(scene, operator, found));
            } else if let Some(Failure::NotLookedUp(reason)) =
                track.and_then(|track| track.trouble.as_ref()).map(|trouble| &trouble.failure)
            {
                not_looked_at.entry(reason).or_default().insert(host);
            } else if has_no_address(world, host) {
                let found = error(
                    NO_ADDRESS,
                    format!(
                        "{operator}: the public DNS has no address for the name server {host}: no resolver reaches it"
                    ),
                    format!("publish A and AAAA records of {host}"),
                );
                findings.push(graded(scene, operator, found));
            }
        }
    }
    findings.extend(not_looked_at.into_iter().map(|(reason, hosts)| {
        note(
            "addresses-not-looked-up",
            format!("the addresses of {} were not compared with the public DNS: {reason}", listed(hosts)),
            "let this host's resolver (/etc/resolv.conf) answer for these names; until then the addresses that were given count",
        )
    }));
    findings
}

/// Name servers below a delegation inside the zone. Their addresses are the child's of the child: the zone has at most glue, which
/// is not signed, so that a parent that processes CSYNC can take no address from it (RFC 7477 §3.2.2).
fn delegated(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    for (operator, member) in world.members {
        for (host, at) in member.hosts.iter().filter_map(|host| Some((host, scene.inspection.delegated.get(host)?))) {
            let what = format!(
                "{operator}: the name server {host} lies below the delegation of {at}, so that {} has no signed address for it",
                name_text(world.zone)
            );
            findings.push(if world.parent_follows_csync() {
                let text = format!("{what}: a parent cannot take it by CSYNC (RFC 7477 §3.2.2)");
                graded(scene, operator, error("name-server-delegated", text, elsewhere(at)))
            } else {
                note("name-server-delegated", what, "give its addresses to the registrar as glue, with the NS records")
            });
        }
    }
    findings
}

fn elsewhere(at: &Name) -> String {
    format!("name a host that does not lie below {}", name_text(at))
}

/// Addresses that resolvers are sent to, and that the operator was not given.
fn unlisted(scene: Scene<'_>, known: &BTreeMap<(Name, IpAddr), Known>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    let servers = world.members.iter().flat_map(|(operator, m)| m.servers.iter().map(move |server| (operator, server)));
    for (operator, server) in servers.filter(|(_, server)| !scene.inspection.given.contains(*server)) {
        let Some(Known { until, source }) = known.get(&(Name::clone(&server.host), server.address.ip())) else {
            continue;
        };
        let what = format!(
            "{operator}: resolvers are sent to {server} by {source}, and {operator} was not given this address"
        );
        let trouble = Kind::OPERATOR.iter().find_map(|kind| world.history.trouble(server, *kind));
        let answers = trouble.is_none() && world.history.current(server, Kind::Dnskey).is_some();
        findings.push(match (until, answers) {
            (Some(until), _) => note(
                "address-unlisted",
                format!("{what}; that source has dropped it, and caches may hold it until {until}"),
                "nothing: it is observed until then",
            ),
            (None, true) => warning(
                "address-unlisted",
                format!("{what}; it is observed like the others"),
                format!("add it with --name-server to {operator}, or take it out of the DNS"),
            ),
            (None, false) if world.has_no_route(server) => {
                error(NO_ROUTE, format!("{what}; it {}", Failure::NoRoute), NO_ROUTE_FIX)
            }
            (None, false) => error(
                "address-unreachable",
                match trouble {
                    Some(trouble) => format!("{what}; it {}", trouble.failure),
                    None => format!("{what}; it has not shown the zone"),
                },
                "let it serve the zone, or take the address out of the DNS",
            ),
        });
    }
    findings
}

/// What resolvers find for one operator's name must not be another operator's address.
fn of_others(scene: Scene<'_>, known: &BTreeMap<(Name, IpAddr), Known>) -> Vec<Finding> {
    let world = scene.world;
    let served = known.iter().filter(|(_, known)| known.until.is_none());
    let finding = |((host, address), known): (&(Name, IpAddr), &Known)| {
        let owner = world.operator_of_host(host)?;
        let (other, _) = world.members.iter().find(|(other, member)| {
            *other != owner && member.servers.iter().any(|server| server.address.ip() == *address)
        })?;
        let text =
            format!("{host} of {owner} has the address {address} by {}, which is an address of {other}", known.source);
        Some(error("name-server-shared", text, "let every name lead to servers of one operator"))
    };
    served.filter_map(finding).collect()
}

/// Addresses that were given, and that no source has although it could be asked.
fn unconfirmed(scene: Scene<'_>, known: &BTreeMap<(Name, IpAddr), Known>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    for (operator, member) in world.members {
        for server in member.servers.iter().filter(|server| scene.inspection.given.contains(*server)) {
            let host = Name::clone(&server.host);
            let found: BTreeSet<IpAddr> =
                known.iter().filter(|((of, _), _)| *of == host).map(|((_, address), _)| *address).collect();
            if !found.is_empty() && !found.contains(&server.address.ip()) {
                findings.push(warning(
                    "address-unconfirmed",
                    format!(
                        "{operator} was given {} for {host}, and resolvers find {}",
                        server.address.ip(),
                        listed_addresses(&found)
                    ),
                    format!("correct the addresses of {host} in the DNS, or those that {operator} was given"),
                ));
            }
        }
    }
    findings
}

/// Name servers inside the zone: the same addresses at every operator, and as glue.
fn differing(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let desired: BTreeSet<Name> =
        world.serving().filter_map(|op| world.member(op)).flat_map(|member| member.hosts.iter().cloned()).collect();
    let unequal = unequal(world, &desired, world.members.iter().filter(|(op, _)| scene.is_desired(op)));
    let mut by_set: BTreeMap<(&String, &Name), &Unequal> = BTreeMap::new();
    for one in unequal.iter().filter(|one| world.history.trouble(&one.server, Kind::Addresses).is_none()) {
        by_set.entry((&one.operator, &one.host)).or_insert(one);
    }
    let mut findings: Vec<Finding> = by_set
        .into_iter()
        .map(|((operator, host), one)| {
            let fix = match scene.inspection.delegated.get(host) {
                Some(at) => elsewhere(at),
                None => format!("at {operator}: {}", records(host, one)),
            };
            let owner = world.operator_of_host(host).unwrap_or(operator);
            graded(scene, owner, error(ADDRESSES_DIFFER, format!("{} (RFC 7477 §3.2.2)", one.text()), fix))
        })
        .collect();
    findings.extend(glue_differs(world, &in_delegation(scene, &desired)).map(|text| {
        warning(GLUE_DIFFERS, text, "bring the glue at the parent to what the zone has: no operator leaves before that")
    }));
    findings
}

/// Of these hosts the ones that the parent delegates to.
fn in_delegation(scene: Scene<'_>, hosts: &BTreeSet<Name>) -> BTreeSet<Name> {
    let world = scene.world;
    let delegations = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Delegation));
    let named: BTreeSet<Name> = delegations
        .flat_map(|span| span.served.records.iter().filter_map(|ns| crate::model::dns::ns_name(ns).ok()))
        .collect();
    hosts.intersection(&named).cloned().collect()
}

/// The records that have to be added and removed.
fn records(host: &Name, one: &Unequal) -> String {
    let record = |address: &IpAddr| {
        let rtype = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        format!("`{host} {} {address}`", type_text(rtype))
    };
    let has = one.has.clone().unwrap_or_default();
    let add: Vec<String> = one.wanted.difference(&has).map(record).collect();
    let remove: Vec<String> = has.difference(&one.wanted).map(record).collect();
    match (add.is_empty(), remove.is_empty()) {
        (false, true) => format!("add {}", listed(add)),
        (true, false) => format!("remove {}", listed(remove)),
        (false, false) => format!("add {}, so that it is not {}", listed(add), listed(remove)),
        (true, true) => format!("give {host} an A or AAAA record"),
    }
}
