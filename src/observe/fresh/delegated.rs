//! The addresses of the delegated name servers, as a resolver without a cache finds them: glue, the public DNS, and inside the
//! zone by servers that it reached in another way.
//!
//! Invariant: a name that resolvers find no address for is a failure; one that nobody could look up here is not tried. The name
//! of a host inside the zone is never looked up: a resolver that knows it knows it from the delegation of before.

use super::Start;
use super::above::{Above, Referral};
use crate::model::dns::Name;
use crate::model::history::{Server, Who};
use crate::model::resolution::Resolution;
use crate::observe::addresses::look_up_at;
use crate::observe::ask::Asker;
use crate::observe::resolve::{DNS_PORT, Looked, Resolve, ResolveError};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

type Addresses = BTreeMap<Name, BTreeSet<SocketAddr>>;

/// Every address of the delegated name servers.
pub(super) async fn delegated(
    asker: Asker<'_>,
    resolver: &dyn Resolve,
    start: Start<'_>,
    above: &Above,
    found: &mut Resolution,
) -> Vec<Server> {
    let hosts: BTreeSet<&Name> = above.referrals.iter().flat_map(|referral| &referral.hosts).collect();
    let (inside, outside): (Vec<&Name>, Vec<&Name>) = hosts.into_iter().partition(|host| start.zone.zone_of(host));
    let mut addresses = Addresses::new();
    for (host, glue) in above.referrals.iter().flat_map(|referral| &referral.glue) {
        addresses.entry(host.clone()).or_default().extend(glue.iter().map(|ip| with_port(start, *ip)));
    }
    let looked = join_all(outside.iter().map(|host| look_up(asker, resolver, start, host))).await;
    let is_in_doubt = looked.iter().any(|looked| matches!(looked, Err(ResolveError::ServFail { .. })));
    // Whether SERVFAIL is about the name: a resolver that fails for everything says nothing about any name.
    let resolver_works = is_in_doubt && resolver.is_zone(start.parent_zone).await.is_ok();
    for (host, looked) in outside.into_iter().zip(looked) {
        in_public(start, host, looked, resolver_works, &mut addresses, found);
    }
    for referral in above.referrals.iter().filter(|referral| !referral.is_copy) {
        without_way_in(start, referral, &addresses, found);
    }
    in_zone(asker, start, &inside, &mut addresses, found).await;
    servers(start, addresses)
}

/// A server under test may have another port; resolvers use 53.
fn with_port(start: Start<'_>, ip: IpAddr) -> SocketAddr {
    let given = start.configured.iter().map(|server| server.address).find(|address| address.ip() == ip);
    given.unwrap_or(SocketAddr::new(ip, DNS_PORT))
}

/// What resolvers find for a host outside the zone. Where no resolver helps, the parent's servers are asked for hosts in their
/// own zone.
async fn look_up(
    asker: Asker<'_>,
    resolver: &dyn Resolve,
    start: Start<'_>,
    host: &Name,
) -> Result<Looked, ResolveError> {
    let failed = match resolver.look_up(host).await {
        Err(e) if start.parent_zone.zone_of(host) => e,
        looked => return looked,
    };
    let asked = start.parent.iter().map(|server| look_up_at(asker, start.parent_zone, host, server));
    let found = join_all(asked).await.into_iter().flatten();
    found.reduce(Looked::or_both).ok_or(failed)
}

/// Takes in what was found for a host outside the zone.
fn in_public(
    start: Start<'_>,
    host: &Name,
    looked: Result<Looked, ResolveError>,
    resolver_works: bool,
    addresses: &mut Addresses,
    found: &mut Resolution,
) {
    let has_glue = addresses.contains_key(host);
    let (name, zone) = (host.to_ascii(), start.zone.to_ascii());
    let mut none = |why: &str| {
        if has_glue {
            found.untried.push(format!("{name} without its glue: {why}"));
        } else {
            found.failures.push(format!("{name}: the delegation of {zone} names it, and {why}"));
        }
    };
    match looked {
        Ok(Looked::Alias(of)) => {
            let of = of.to_ascii();
            let why = format!("it is an alias of {of}, which resolvers do not follow (RFC 2181 §10.3)");
            found.failures.push(format!("{name}: the delegation of {zone} names it, and {why}"));
        }
        Ok(Looked::Addresses { addresses: ips, .. }) if ips.is_empty() => none("resolvers find no address for it"),
        Ok(Looked::Addresses { addresses: ips, .. }) => {
            let of_host = addresses.entry(host.clone()).or_default();
            of_host.extend(ips.iter().map(|ip| with_port(start, *ip)));
        }
        Err(ResolveError::ServFail { rtype, .. }) if resolver_works => {
            none(&format!("the resolver answers SERVFAIL for {rtype}"));
        }
        Err(e) if has_glue => found.untried.push(format!("looking up {name} beside its glue: {e}")),
        Err(e) => {
            let configured = start.configured.iter().filter(|server| *server.host == *host);
            let given: BTreeSet<SocketAddr> = configured.map(|server| server.address).collect();
            let instead = if given.is_empty() { "" } else { "; the configured addresses were asked" };
            found.untried.push(format!("looking up the addresses of {name}: {e}{instead}"));
            if !given.is_empty() {
                addresses.entry(host.clone()).or_default().extend(given);
            }
        }
    }
}

/// A referral leads into the zone by glue, or by a name server outside the zone; without either no resolver gets there from it.
/// Each server of the parent is judged alone, for a resolver asks only one.
fn without_way_in(start: Start<'_>, referral: &Referral, addresses: &Addresses, found: &mut Resolution) {
    let is_inside = |host: &Name| start.zone.zone_of(host);
    let leads = |host: &Name| referral.glue.contains_key(host) || !is_inside(host) && addresses.contains_key(host);
    let without: Vec<&Name> = referral.hosts.iter().filter(|host| is_inside(host) && !leads(host)).collect();
    if without.is_empty() || referral.hosts.iter().any(leads) {
        return;
    }
    let (zone, server) = (start.zone.to_ascii(), &referral.server);
    for host in without {
        found.failures.push(format!(
            "{}: it is inside {zone}, the referral of {server} has no address (glue) for it, and no other name server there \
             can be reached",
            host.to_ascii()
        ));
    }
}

/// Hosts inside the zone that no referral has an address for: the zone's servers that can be reached are asked for theirs.
async fn in_zone(
    asker: Asker<'_>,
    start: Start<'_>,
    inside: &[&Name],
    addresses: &mut Addresses,
    found: &mut Resolution,
) {
    let without: Vec<&&Name> = inside.iter().filter(|host| !addresses.contains_key(**host)).collect();
    let reached = servers(start, addresses.clone());
    for host in without {
        let asked = reached.iter().map(|server| look_up_at(asker, start.zone, host, server));
        let looked = join_all(asked).await.into_iter().flatten().reduce(Looked::or_both);
        let name = host.to_ascii();
        match looked {
            Some(Looked::Alias(of)) => {
                let of = of.to_ascii();
                found
                    .failures
                    .push(format!("{name}: it is an alias of {of}, which resolvers do not follow (RFC 2181 §10.3)"));
            }
            Some(Looked::Addresses { addresses: ips, .. }) if ips.is_empty() => {
                found.failures.push(format!("{name}: neither glue nor the zone has an address for it"));
            }
            Some(Looked::Addresses { addresses: ips, .. }) => {
                addresses.insert((*host).clone(), ips.iter().map(|ip| with_port(start, *ip)).collect());
            }
            None => found
                .untried
                .push(format!("{name}: it has no glue, and no server that can be reached told its address")),
        }
    }
}

fn servers(start: Start<'_>, addresses: Addresses) -> Vec<Server> {
    let who = |host: &Name, address: SocketAddr| {
        let known = |server: &&Server| server.address == address || *server.host == *host;
        let configured = start.configured.iter().find(known);
        configured.map_or_else(|| Who::Operator("an unknown operator".into()), |server| server.who.clone())
    };
    let servers = addresses.into_iter().flat_map(|(host, addresses)| {
        addresses.into_iter().map(move |address| Server {
            who: who(&host, address),
            host: host.clone().into(),
            address,
        })
    });
    servers.collect()
}
