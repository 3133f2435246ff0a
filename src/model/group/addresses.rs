//! The addresses of the operators' name servers, compared: the same ones at every operator's zone, as glue, and for one operator
//! alone.
//!
//! Invariant: what is compared is what servers show that a name server's name leads to (`reachable.rs`).

use super::guards::Guard;
use super::reachable::{fading_until, is_led_to, source, versions};
use super::say::outlived;
use super::scope::Scope;
use super::view::{Member, World};
use crate::model::dns::{Name, host_address, ns_name};
use crate::model::history::{Failure, Kind, Server, Span, Who};
use crate::model::switches::Switch;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Of which name a name server is an alias, and by which source.
pub fn alias(world: &World<'_>, host: &Name) -> Option<(String, String)> {
    let written = host.to_lowercase().to_ascii();
    world.history.tracks_of(Kind::Addresses).find_map(|(server, track)| match &track.trouble.as_ref()?.failure {
        Failure::Alias { host, of } if *host == written => Some((of.clone(), source(server, Kind::Addresses))),
        _ => None,
    })
}

/// Whether the public DNS has no address for a host outside the zone, at the last lookup that was answered.
pub fn has_no_address(world: &World<'_>, host: &Name) -> bool {
    let public = Server::public(host.clone().into());
    let track = world.history.track(&public, Kind::Addresses).filter(|track| track.trouble.is_none());
    let span = track.and_then(|track| track.current());
    !world.zone.zone_of(host) && span.is_some_and(|span| span.served.records.is_empty())
}

/// One server whose zone has other addresses for a host inside it than its operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal {
    pub operator: String,
    pub server: Server,
    pub host: Name,
    /// `None`: it was not seen yet.
    pub has: Option<BTreeSet<IpAddr>>,
    pub wanted: BTreeSet<IpAddr>,
    /// Why it was not seen, where the server failed to answer.
    pub failure: Option<String>,
}

impl Unequal {
    /// What is wrong, and what has to be there.
    pub fn text(&self) -> String {
        let Unequal { operator, server, host, has, wanted, failure } = self;
        let wanted = if wanted.is_empty() { "A or AAAA records of its own".into() } else { listed(wanted) };
        let has = match (has, failure) {
            (None, Some(failure)) => {
                return format!(
                    "{operator}: the addresses of {host} were not seen at {server}, which {failure}; it has to serve {wanted}"
                );
            }
            (None, None) => "was not asked yet".into(),
            (Some(has), _) if has.is_empty() => "has no address".into(),
            (Some(has), _) => format!("has {}", listed(has)),
        };
        format!("{operator} ({server}) {has} for {host}, which has to have {wanted}")
    }
}

pub fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

impl World<'_> {
    /// What a server's zone has for a host inside it; `None` while that was not seen.
    fn current_addresses(&self, server: &Server, host: &Name) -> Option<BTreeSet<IpAddr>> {
        let track = self.history.track(server, Kind::Addresses).filter(|track| track.trouble.is_none())?;
        Some(addresses_of(track.current()?, host))
    }
}

fn addresses_of(span: &Span, host: &Name) -> BTreeSet<IpAddr> {
    let pairs = span.served.records.iter().filter_map(host_address);
    pairs.filter(|(of, _)| of == host).map(|(_, address)| address).collect()
}

/// The addresses that a host inside the zone has to have everywhere: those in its own operator's zone, else those given. A
/// server that nothing leads to but an old copy of the zone does not count: it may still name itself there.
pub fn wanted_addresses(world: &World<'_>, host: &Name) -> BTreeSet<IpAddr> {
    let owner = world.operator_of_host(host).and_then(|operator| world.member(operator));
    let servers = owner.map(|member| member.servers.as_slice()).unwrap_or_default();
    let servers: Vec<&Server> = servers.iter().filter(|server| is_led_to(world, server)).collect();
    let served = servers.iter().filter_map(|server| world.current_addresses(server, host)).flatten();
    let served: BTreeSet<IpAddr> = served.collect();
    if !served.is_empty() {
        return served;
    }
    servers.iter().filter(|server| *server.host == *host).map(|server| server.address.ip()).collect()
}

/// Whether only a record that is not as it has to be leads to this server: its host is inside the zone, with other addresses.
pub(super) fn is_led_to_wrongly(world: &World<'_>, server: &Server) -> bool {
    if !world.zone.zone_of(&server.host) || world.leaves_out(Switch::HostAddresses) {
        return false;
    }
    let wanted = wanted_addresses(world, &server.host);
    !wanted.is_empty() && !wanted.contains(&server.address.ip())
}

/// The servers of these operators whose zones differ in the addresses of any of these hosts (RFC 7477 §3.2.2, RFC 9975).
pub fn unequal<'w>(
    world: &World<'w>,
    hosts: &BTreeSet<Name>,
    operators: impl IntoIterator<Item = (&'w String, &'w Member)>,
) -> Vec<Unequal> {
    let inside: Vec<(&Name, BTreeSet<IpAddr>)> = hosts
        .iter()
        .filter(|host| world.zone.zone_of(host))
        .map(|host| (host, wanted_addresses(world, host)))
        .collect();
    if inside.is_empty() || world.leaves_out(Switch::HostAddresses) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (operator, member) in operators {
        let counts = |server: &&Server| is_led_to(world, server) && fading_until(world, server).is_none();
        for server in member.servers.iter().filter(counts) {
            for (host, wanted) in &inside {
                let has = world.current_addresses(server, host);
                if has.as_ref() != Some(wanted) || wanted.is_empty() {
                    let failure = world.history.trouble(server, Kind::Addresses).map(|t| t.failure.to_string());
                    let (server, host, wanted) = (server.clone(), (*host).clone(), wanted.clone());
                    found.push(Unequal { operator: operator.clone(), server, host, has, wanted, failure });
                }
            }
        }
    }
    found
}

/// Hosts inside the zone may be named: every version of their addresses that differs has expired.
pub(super) fn may_be_named(world: &World<'_>, hosts: &BTreeSet<Name>) -> Guard {
    let mut guard = Guard::open("guard-ttl");
    if world.leaves_out(Switch::OldAddresses) {
        return guard;
    }
    for host in hosts.iter().filter(|host| world.zone.zone_of(host)) {
        let wanted = wanted_addresses(world, host);
        for (server, kind, span) in versions(world)
            .filter(|(server, kind, _)| *kind == Kind::Addresses && matches!(server.who, Who::Operator(_)))
        {
            // What is served is compared elsewhere.
            if span.until.is_some() && addresses_of(span, host) != wanted {
                guard.and(kind, world.lifetimes.death(server, kind, span), || {
                    outlived(world, server, kind, span, &format!("with other addresses for {host}"))
                });
            }
        }
    }
    guard
}

/// Glue that differs from the zone, for hosts inside it that the delegation names: where, and how.
pub fn glue_differs(world: &World<'_>, hosts: &BTreeSet<Name>) -> Option<String> {
    glue_fault(world, hosts, |_, _, _| true)
}

/// A server of the parent that came to delegate to a host inside the zone and has no glue for it: resolvers that ask it find no
/// address. A delegation that Chorus found like that is left as it is.
pub(super) fn glue_missing(world: &World<'_>, hosts: &BTreeSet<Name>) -> Option<String> {
    if world.scope != Scope::Transition {
        return None;
    }
    let was_found = |server: &Server, host: &Name| {
        let first = world.history.track(server, Kind::Delegation).and_then(|track| track.spans.first());
        let names = |span: &Span| span.served.records.iter().any(|ns| ns_name(ns).is_ok_and(|named| named == *host));
        first.is_some_and(|span| span.since.is_none() && names(span))
    };
    glue_fault(world, hosts, |server, host, glue| glue.is_empty() && !was_found(server, host))
}

fn glue_fault(
    world: &World<'_>,
    hosts: &BTreeSet<Name>,
    counts: impl Fn(&Server, &Name, &BTreeSet<IpAddr>) -> bool,
) -> Option<String> {
    if world.leaves_out(Switch::Glue) {
        return None;
    }
    for host in hosts.iter().filter(|host| world.zone.zone_of(host)) {
        let wanted = wanted_addresses(world, host);
        for server in world.parent_servers {
            let Some(glue) = world.history.current(server, Kind::Glue) else { continue };
            let glue = addresses_of(glue, host);
            if glue != wanted && counts(server, host, &glue) {
                let has = if glue.is_empty() { "no address".into() } else { listed(&glue) };
                return Some(format!(
                    "the parent's {server} has {has} as glue for {host}, the zone has {}",
                    listed(&wanted)
                ));
            }
        }
    }
    None
}

/// Makes the last query of the leaver wait for addresses: no cache may send resolvers there for another operator's name server.
pub(super) fn no_other_name_leads_to(world: &World<'_>, leaver: &str, guard: &mut Guard) {
    let Some(member) = world.member(leaver).filter(|_| !world.leaves_out(Switch::Addresses)) else { return };
    let its: BTreeSet<IpAddr> = member.servers.iter().map(|server| server.address.ip()).collect();
    let of_leaver = |name: &str| world.leavers().any(|other| other == name);
    for (server, kind, span) in versions(world) {
        // Resolvers do not query leavers after their last question, so that their zones are no source then.
        if matches!(&server.who, Who::Operator(name) if of_leaver(name)) {
            continue;
        }
        let pairs = span.served.records.iter().filter_map(host_address);
        let other = pairs.into_iter().find(|(host, address)| {
            its.contains(address) && world.operator_of_host(host).is_some_and(|of| !of_leaver(of))
        });
        if let Some((host, address)) = other {
            guard.and(kind, world.lifetimes.death(server, kind, span), || {
                outlived(world, server, kind, span, &format!("that gives {host} the address {address} of {leaver}"))
            });
        }
    }
}

/// The code of a wait for glue.
pub const GLUE_DIFFERS: &str = "glue-differs";

/// What a person can do about glue that differs.
pub(super) const GLUE_FIX: &str =
    "resolvers that ask the parent go by the glue, so have the registrar set it to what the zone has";

/// Makes the last question wait until the glue of those that stay is as their zone has it: resolvers have nothing else.
pub(super) fn glue_is_right(world: &World<'_>, guard: &mut Guard) {
    let stay = world.serving().filter_map(|operator| world.member(operator));
    let hosts: BTreeSet<Name> = stay.flat_map(|member| member.hosts.iter().cloned()).collect();
    if let Some(text) = glue_differs(world, &hosts) {
        guard.and_coded(GLUE_DIFFERS, Kind::Glue, None, || format!("{text}; {GLUE_FIX}"));
    }
}
