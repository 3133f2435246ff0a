//! The check's rule about names and addresses: every resolver has to find the same addresses for a name server.
//!
//! Invariant: worked out from the versions that are served now, without what `group` makes of them.

use super::Scene;
use super::check::{Objection, Planned};
use crate::model::dns::{Name, host_address, ns_name};
use crate::model::history::{Failure, Kind, Server, Who};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Objections to naming hosts that resolvers find differently, that are aliases, or whose addresses Chorus does not observe.
pub(super) fn not_found_alike(scene: &Scene<'_>, planned: &[Planned]) -> Vec<Objection> {
    let mut objections = Vec::new();
    let named: BTreeSet<Name> = planned
        .iter()
        .filter(|planned| planned.kind == Kind::Ns)
        .flat_map(|planned| planned.records.iter().filter_map(|ns| ns_name(ns).ok()))
        .collect();
    for host in named {
        if is_delegated(scene, &host) {
            // Resolvers are sent there already.
            continue;
        }
        let mut inside: BTreeSet<BTreeSet<IpAddr>> = BTreeSet::new();
        for (server, track) in scene.history.tracks_of(Kind::Addresses) {
            let is_source = match &server.who {
                Who::Public => *server.host == host,
                Who::Operator(name) => scene.zone.zone_of(&host) && scene.hosts.values().any(|of| of == name),
                Who::Parent => false,
            };
            if !is_source {
                continue;
            }
            if let Some(Failure::Alias { host: alias, of }) = track.trouble.as_ref().map(|trouble| &trouble.failure)
                && *alias == host.to_lowercase().to_ascii()
            {
                objections.push(objection(format!("{host} would be named, and is an alias of {of}")));
            }
            let Some(span) = track.current() else { continue };
            let pairs = span.served.records.iter().filter_map(host_address);
            let addresses: BTreeSet<IpAddr> = pairs.filter(|(of, _)| *of == host).map(|(_, address)| address).collect();
            if let Some(stranger) = addresses.iter().find(|address| !is_observed(scene, &host, **address)) {
                objections.push(objection(format!(
                    "{host} would be named, and Chorus does not observe its address {stranger}"
                )));
            }
            if server.who != Who::Public {
                inside.insert(addresses);
            }
        }
        if inside.len() > 1 || inside.iter().any(BTreeSet::is_empty) {
            objections
                .push(objection(format!("{host} would be named, and has not the same addresses at every operator")));
        }
    }
    objections
}

fn is_delegated(scene: &Scene<'_>, host: &Name) -> bool {
    let mut delegations = scene.history.tracks_of(Kind::Delegation).filter_map(|(_, track)| track.current());
    delegations.any(|span| span.served.records.iter().any(|ns| ns_name(ns).is_ok_and(|named| named == *host)))
}

fn is_observed(scene: &Scene<'_>, host: &Name, address: IpAddr) -> bool {
    let is = |server: &Server| *server.host == *host && server.address.ip() == address;
    scene.history.tracks_of(Kind::Dnskey).any(|(server, track)| is(server) && track.current().is_some())
}

fn objection(text: String) -> Objection {
    Objection { text, until: None }
}
