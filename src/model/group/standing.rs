//! How far an operator is in, read off what is observed. For people and for the end of a join; no write depends on it.

use super::Standing;
use super::guards::may_serve;
use super::ladder::is_admitted;
use super::view::{Member, World};
use crate::model::dns::key_that_ds_validates;
use crate::model::history::{Kind, Server, Span};

/// Whether every server showed, at its last answer, a set that `good` accepts. A server that does not answer goes on serving
/// what it last served; so an operator that falls silent changes its own membership as little as that of the others.
fn last_shown(world: &World<'_>, servers: &[Server], kind: Kind, good: impl Fn(&Span) -> bool) -> bool {
    let mut last = servers.iter().map(|server| world.history.current(server, kind)).peekable();
    last.peek().is_some() && last.all(|span| span.is_some_and(&good))
}

/// Where an operator stands on the ladder.
pub fn standing(world: &World<'_>, name: &String) -> Standing {
    let Some(member) = world.member(name) else { return Standing::Outside };
    let others = || {
        world
            .members
            .iter()
            .filter(|(other, member)| *other != name && member.wanted >= Standing::Trusted)
            .map(|(_, m)| m)
    };
    let admitted = || {
        let others =
            world.members.iter().filter(|(other, member)| *other != name && member.wanted >= Standing::Trusted);
        others.filter(|(other, _)| is_admitted(world, other)).map(|(_, member)| member)
    };
    let named = |servers: &[Server], kind| last_shown(world, servers, kind, |s| world.names(&s.served.records, name));
    if named(&world.delegating(), Kind::Delegation)
        && named(&member.servers, Kind::Ns)
        && admitted().all(|other| named(&other.servers, Kind::Ns))
    {
        return Standing::Serving;
    }
    let (own, in_use) = (world.own_keys(name), world.keys_in_use(name));
    let key_signing = world.key_signing_keys(name);
    let trusted_by_parent = last_shown(world, world.parent_servers, Kind::Ds, |span| {
        key_signing
            .iter()
            .all(|key| span.served.records.iter().any(|ds| key_that_ds_validates(world.zone, ds, [key]).is_some()))
    });
    let shares = |servers: &[Server]| last_shown(world, servers, Kind::Dnskey, |s| in_use.is_subset(&s.served.records));
    let trusted = if member.wanted >= Standing::Trusted {
        let known = !own.is_empty() && trusted_by_parent && others().all(|other| shares(&other.servers));
        known && may_serve(world, &[name]).is_open(world.now)
    } else {
        let known_at = |other: &Member| {
            other.servers.iter().any(|server| {
                world.history.current(server, Kind::Dnskey).is_some_and(|s| !own.is_disjoint(&s.served.records))
            })
        };
        trusted_by_parent || others().any(known_at)
    };
    if trusted { Standing::Trusted } else { Standing::Outside }
}
