//! The check's rule about names and addresses: every resolver has to find the same addresses for a name server.
//!
//! Invariant: worked out from the versions that are served now at servers that resolvers can query, without what `group` makes of
//! them. An operator that no resolver can query any more is not asked either, and one that a person has declared gone serves
//! nothing: their last versions may be older than a host that is to be named.

use super::Scene;
use super::check::{Objection, Planned, planned_items};
use super::interval::Interval;
use super::lives::items;
use crate::model::dns::{Name, host_address, ns_name};
use crate::model::history::{Failure, Kind, Server, Track, Who};
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Objections to naming hosts that resolvers find differently or not at all, that are aliases, or whose addresses Chorus does not
/// observe.
pub(super) fn not_found_alike(scene: &Scene<'_>, planned: &[Planned], now: Time) -> Vec<Objection> {
    let named = planned.iter().filter(|planned| planned.kind == Kind::Ns);
    let named = named.flat_map(|planned| planned.records.iter().filter_map(|ns| ns_name(ns).ok()));
    // Resolvers are sent to the others already.
    let new: BTreeSet<Name> = named.filter(|host| !is_delegated(scene, host)).collect();
    if new.is_empty() {
        return Vec::new();
    }
    let queried = queried(scene, planned, now);
    new.iter().flat_map(|host| of_host(scene, host, &queried)).collect()
}

/// The operators that a resolver can query now or later, these writes made.
fn queried<'a>(scene: &Scene<'a>, planned: &[Planned], now: Time) -> BTreeSet<&'a str> {
    let (_, reach) = items(scene, planned_items(scene, planned, now));
    let from_now = Interval { start: now, end: Time::MAX };
    reach.into_iter().filter(|(_, when)| !when.within(from_now).is_empty()).map(|(operator, _)| operator).collect()
}

fn of_host(scene: &Scene<'_>, host: &Name, queried: &BTreeSet<&str>) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut inside: BTreeSet<BTreeSet<IpAddr>> = BTreeSet::new();
    let is_source = |server: &Server, track: &Track| match &server.who {
        Who::Public => *server.host == *host,
        Who::Operator(name) => scene.zone.zone_of(host) && queried.contains(name.as_str()) && !track.lost,
        Who::Parent | Who::Registrar => false,
    };
    for (server, track) in scene.history.tracks_of(Kind::Addresses).filter(|(server, track)| is_source(server, track)) {
        if let Some(Failure::Alias { host: alias, of }) = track.trouble.as_ref().map(|trouble| &trouble.failure)
            && *alias == host.to_lowercase().to_ascii()
        {
            objections.push(objection(format!("{host} would be named, and is an alias of {of}")));
        }
        let Some(span) = track.current() else { continue };
        let pairs = span.served.records.iter().filter_map(host_address);
        let addresses: BTreeSet<IpAddr> = pairs.filter(|(of, _)| of == host).map(|(_, address)| address).collect();
        if let Some(stranger) = addresses.iter().find(|address| !is_observed(scene, host, **address)) {
            objections
                .push(objection(format!("{host} would be named, and Chorus does not observe its address {stranger}")));
        }
        match server.who {
            Who::Public if addresses.is_empty() => {
                objections.push(objection(format!("{host} would be named, and the public DNS has no address for it")));
            }
            Who::Public => {}
            _ => {
                inside.insert(addresses);
            }
        }
    }
    if inside.len() > 1 || inside.iter().any(BTreeSet::is_empty) {
        objections.push(objection(format!("{host} would be named, and has not the same addresses at every operator")));
    }
    objections
}

pub(super) fn is_delegated(scene: &Scene<'_>, host: &Name) -> bool {
    let mut delegations = scene
        .history
        .tracks_of(Kind::Delegation)
        .filter(|(server, _)| server.is_observed())
        .filter_map(|(_, track)| track.current());
    delegations.any(|span| span.served.records.iter().any(|ns| ns_name(ns).is_ok_and(|named| named == *host)))
}

fn is_observed(scene: &Scene<'_>, host: &Name, address: IpAddr) -> bool {
    let is = |server: &Server| *server.host == *host && server.address.ip() == address;
    scene.history.tracks_of(Kind::Dnskey).any(|(server, track)| is(server) && track.current().is_some())
}

fn objection(text: String) -> Objection {
    Objection { text, until: None }
}
