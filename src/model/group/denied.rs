//! Denials that nobody saw: that a name server inside the zone has no address.
//!
//! Invariant: what was first seen at a moment may have been denied until that moment, and a cache keeps the denial
//! (RFC 2308 §5). Whoever has it does not find the name server.

use super::guards::Guard;
use super::view::{Member, World};
use crate::model::dns::{Name, host_address, ns_name};
use crate::model::history::{Kind, Server, Span};
use crate::model::policy::DATA_TTL_MAX_UNKNOWN_S;
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::BTreeSet;

/// Makes the naming of hosts wait until no cache holds a denial from before their addresses were seen.
pub(super) fn no_denial_is_cached(world: &World<'_>, hosts: &BTreeSet<Name>, guard: &mut Guard) {
    if world.leaves_out(Switch::DeniedAddresses) {
        return;
    }
    let inside = hosts.iter().filter(|host| world.zone.zone_of(host) && !is_named_already(world, host));
    for host in inside {
        for server in asked(world) {
            let Some(first_seen) = seen_from_the_first(world, server, host) else { continue };
            let ttl_s = denial_ttl_s(world, server);
            let dead = first_seen.plus(world.lifetimes.outlives_ttl(ttl_s));
            guard.and(Kind::Addresses, Some(dead), || {
                format!(
                    "resolvers may still have cached that {host} has no address (for up to {ttl_s} s): its addresses were \
                     first seen at {server} at {first_seen}"
                )
            });
        }
    }
}

/// The servers that resolvers query already: those of operators that the parent delegates to.
fn asked<'w>(world: &World<'w>) -> Vec<&'w Server> {
    let named = |member: &&Member| member.hosts.iter().any(|host| is_named_already(world, host));
    world.members.values().filter(named).flat_map(|member| &member.servers).collect()
}

/// For how long caches keep a denial: as the SOA record says it (RFC 2308 §5), with the larger of its two TTLs.
fn denial_ttl_s(world: &World<'_>, server: &Server) -> u64 {
    let track = world.history.track(server, Kind::Data);
    let soa = track.into_iter().flat_map(|track| &track.spans).map(|span| u64::from(span.served.ttl_s));
    soa.max().unwrap_or_else(|| world.lifetimes.policy.data_ttl_max_s.unwrap_or(DATA_TTL_MAX_UNKNOWN_S))
}

fn is_named_already(world: &World<'_>, host: &Name) -> bool {
    let mut delegations =
        world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Delegation));
    delegations.any(|span| span.served.records.iter().filter_map(|ns| ns_name(ns).ok()).any(|named| named == *host))
}

/// When a server was first seen with an address of a host, if it was never seen without.
fn seen_from_the_first(world: &World<'_>, server: &Server, host: &Name) -> Option<Time> {
    let has = |span: &&Span| span.served.records.iter().filter_map(host_address).any(|(of, _)| of == *host);
    let track = world.history.track(server, Kind::Addresses)?;
    let all_have = track.spans.iter().all(|span| has(&span));
    track.spans.first().filter(|span| all_have && span.since.is_none()).map(|span| span.first_seen)
}
