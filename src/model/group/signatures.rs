//! The ends of signatures: they are absolute moments, and whoever caches an answer must not outlive them.
//!
//! A signer signs anew before the TTL of what it signs could outlast the signature (RFC 6781 §4.4.2): one that comes closer to
//! the end has stopped.

use super::guards::Guard;
use super::view::World;
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use std::fmt;

/// The code of the wait, of the event, and of the finding before a transition.
pub const SIGNATURE_EXPIRING: &str = "signature-expiring";

/// A signature that ends before caches would let go what it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub server: Server,
    pub kind: Kind,
    pub at: Time,
    pub ttl_s: u32,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ending { server, kind, at, ttl_s } = self;
        write!(
            f,
            "the signature of the {kind} RRset at {server} ends at {at}, sooner than its TTL of {ttl_s} s runs out in caches: see \
             why the zone is not signed again there"
        )
    }
}

/// Of the signatures over an operator's DNSKEY and SOA RRsets those that end too soon, the next first.
pub fn ending(world: &World<'_>, operator: &str) -> Vec<Ending> {
    let servers = world.member(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
    let shown = servers.iter().flat_map(|server| [Kind::Dnskey, Kind::Data].map(|kind| (server, kind)));
    let ending = shown.filter_map(|(server, kind)| {
        let served = &world.history.current(server, kind)?.served;
        let (at, ttl_s) = (served.expires?, served.ttl_s);
        let lifetimes = world.lifetimes;
        let let_go = world.now.plus(lifetimes.cached(u64::from(ttl_s))).plus(lifetimes.policy.slack());
        (at < let_go).then(|| Ending { server: server.clone(), kind, at, ttl_s })
    });
    let mut ending: Vec<Ending> = ending.collect();
    ending.sort_by_key(|one| one.at);
    ending
}

/// Nobody is named whose signatures are about to end.
pub(super) fn signatures_last(world: &World<'_>, joiner: &str, guard: &mut Guard) {
    if let Some(first) = ending(world, joiner).first() {
        guard.and_coded(SIGNATURE_EXPIRING, first.kind, None, || first.to_string());
    }
}
