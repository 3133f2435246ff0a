//! Signatures that are about to end.
//!
//! A signer signs anew before the TTL of what it signs could outlast the signature (RFC 6781 §4.4.2). A signer that lets a
//! signature come closer to its end has stopped.

use super::guards::Guard;
use super::view::World;
use crate::model::history::{Kind, Server};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::fmt;
use std::time::Duration;

/// The code of the wait, of the event, and of the finding before a transition.
pub const SIGNATURE_EXPIRING: &str = "signature-expiring";

/// A signature that is about to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub server: Server,
    pub kind: Kind,
    pub at: Time,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ending { server, kind, at } = self;
        write!(
            f,
            "the signature of the {kind} RRset at {server} ends at {at}, and that server does not have a newer one: see why the \
             zone is not signed again there"
        )
    }
}

/// Of the signatures over an operator's DNSKEY and SOA RRsets those that end too soon, the next first. Of an address that does
/// not answer nothing is known.
///
/// A DNSKEY RRset has to be signed for as long as caches keep it. How long they keep the SOA record is not in the history: its
/// signature has to outlast the slack.
pub fn ending(world: &World<'_>, operator: &str) -> Vec<Ending> {
    let servers = world.member(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
    let shown = servers.iter().flat_map(|server| [Kind::Dnskey, Kind::Data].map(|kind| (server, kind)));
    let ending = shown.filter_map(|(server, kind)| {
        let track = world.history.track(server, kind).filter(|track| track.trouble.is_none() && !track.lost)?;
        let served = &track.current()?.served;
        let at = served.expires?;
        let kept = match kind {
            Kind::Dnskey => world.lifetimes.cached(u64::from(served.ttl_s)),
            _ => Duration::ZERO,
        };
        let let_go = world.now.plus(kept + world.lifetimes.policy.slack());
        (at < let_go).then(|| Ending { server: server.clone(), kind, at })
    });
    let mut ending: Vec<Ending> = ending.collect();
    ending.sort_by_key(|one| one.at);
    ending
}

/// No newcomer is named whose signatures are about to end.
pub(super) fn signatures_last(world: &World<'_>, newcomer: &str, guard: &mut Guard) {
    if world.leaves_out(Switch::SignaturesLast) {
        return;
    }
    if let Some(first) = ending(world, newcomer).first() {
        guard.and_coded(SIGNATURE_EXPIRING, first.kind, None, || first.to_string());
    }
}
