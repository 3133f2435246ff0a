//! The addresses that resolvers may be sent to for the operators' name servers: by glue, by the zone itself, by the public DNS.
//!
//! Invariant: an address can be queried until every version that maps a name server's name to it has expired, and is treated
//! as its operator's for as long. A zone's version is such a source only while resolvers can be sent to the server that has it:
//! because the operator was given that server, or by another source. A resolver asks for a host's addresses again when those
//! that it had have expired, so no server of a host keeps that host's own addresses in caches by itself.

use super::guards::{clipped, last_question};
use super::view::World;
use crate::model::dns::{Name, host_address};
use crate::model::history::{Kind, Server, Span, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How an address of a name server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// When the last version with it has expired; `None` while one is served.
    pub until: Option<Time>,
    /// The source that has it the longest, as the object of "by".
    pub source: String,
}

/// A host with one of its addresses.
type Pair = (Name, IpAddr);
type Pairs = BTreeMap<Pair, Known>;

/// What an operator's server has for hosts inside the zone.
struct ZoneCopy<'a> {
    server: &'a Server,
    span: Cow<'a, Span>,
    /// Whether the operator was given this server.
    is_given: bool,
    /// Whether it is the last version that was seen there, whatever ended it for this purpose.
    is_newest: bool,
}

/// The addresses with the time until when resolvers may be sent there, by whatever leads there.
#[derive(Default)]
struct Reach {
    all: Pairs,
    /// Without what servers of the same host have.
    by_others: Pairs,
}

/// Every address that resolvers may be sent to for a name server of an operator, with the time until when.
pub fn reachable(world: &World<'_>) -> BTreeMap<(Name, IpAddr), Known> {
    if world.leaves_out(Switch::Addresses) {
        return BTreeMap::new();
    }
    let copies = copies(world);
    let mut reach = Reach::default();
    for (server, kind, span) in versions(world).filter(|(server, kind, _)| !is_copy(server, *kind)) {
        let until = world.lifetimes.death(server, kind, span);
        for pair in pairs(world, span) {
            reach.add(pair, until, false, || source(server, kind));
        }
    }
    reach.follow(world, &copies);
    // A server that no other source ever led to was given until it was looked at last.
    for ZoneCopy { server, span, .. } in copies.iter().filter(|copy| !copy.is_given && copy.is_newest) {
        let own = (Name::clone(&server.host), server.address.ip());
        if !reach.all.contains_key(&own) && pairs(world, span).any(|pair| pair == own) {
            let until = world.lifetimes.death_after(span.last_seen, server, Kind::Addresses, &span.served);
            reach.add(own, Some(until), false, || source(server, Kind::Addresses));
        }
    }
    reach.follow(world, &copies);
    reach.all.retain(|_, known| known.until.is_none_or(|until| until > world.now));
    reach.all
}

impl Reach {
    /// Puts a source down; says whether it leads there for longer than those that were known.
    fn add(&mut self, pair: Pair, until: Option<Time>, of_same_host: bool, source: impl Fn() -> String) -> bool {
        let longer = |known: Option<&Known>| match known {
            None => true,
            Some(known) => known.until.is_some_and(|old| until.is_none_or(|new| new > old)),
        };
        let mut changed = false;
        for pairs in [Some(&mut self.all), Some(&mut self.by_others).filter(|_| !of_same_host)].into_iter().flatten() {
            if longer(pairs.get(&pair)) {
                pairs.insert(pair.clone(), Known { until, source: source() });
                changed = true;
            }
        }
        changed
    }

    /// Follows what the servers have that can be reached, to the least fixed point.
    fn follow(&mut self, world: &World<'_>, copies: &[ZoneCopy<'_>]) {
        for turn in 0.. {
            let mut changed = false;
            for copy in copies {
                let own = (Name::clone(&copy.server.host), copy.server.address.ip());
                for pair in pairs(world, &copy.span).filter(|pair| copy.is_given || *pair != own) {
                    let of_same_host = pair.0 == own.0 && !copy.is_given;
                    let led_to = if of_same_host { self.by_others.get(&own) } else { self.all.get(&own) };
                    let ends = match led_to {
                        _ if copy.is_given => None,
                        None => continue,
                        // Old servers of several hosts that lead to each other do so for as long as they serve the zone.
                        Some(_) if turn > copies.len() => None,
                        Some(known) => known.until,
                    };
                    if ends.is_some_and(|ends| copy.span.since.unwrap_or(Time::MIN) >= ends) {
                        continue;
                    }
                    let until = [copy.span.until, ends].into_iter().flatten().min();
                    let until = until.map(|until| {
                        world.lifetimes.death_after(until, copy.server, Kind::Addresses, &copy.span.served)
                    });
                    changed |= self.add(pair, until, of_same_host, || source(copy.server, Kind::Addresses));
                }
            }
            if !changed {
                return;
            }
        }
    }
}

/// The versions at the operators' servers, each until resolvers no longer query its operator. One at a server that the operator
/// was not given ends when that server falls silent: nothing but the DNS says that it should be there.
fn copies<'a>(world: &World<'a>) -> Vec<ZoneCopy<'a>> {
    let leavers = world.leavers().map(|leaver| (leaver.as_str(), last_question(world, leaver).from));
    let ends: BTreeMap<&str, Option<Time>> = leavers.collect();
    let found = versions(world).filter(|(server, kind, _)| is_copy(server, *kind)).filter_map(|(server, _, span)| {
        let (is_given, is_newest) = (is_given(world, server), span.until.is_none());
        let mut span = clipped(span, server, &ends)?;
        if let Some(since) = silent_since(world, server, &span).filter(|_| !is_given && span.until.is_none()) {
            let until = since.max(span.last_seen);
            span.to_mut().until = Some(until);
        }
        Some(ZoneCopy { server, span, is_given, is_newest })
    });
    found.collect()
}

/// Since when a server tells no addresses. Where it has answered nothing at all since it did, that is known for longer: it is kept
/// from turn to turn.
fn silent_since(world: &World<'_>, server: &Server, span: &Span) -> Option<Time> {
    let since = |kind: Kind| world.history.trouble(server, kind).map(|trouble| trouble.since);
    let to_all: Option<Vec<Time>> = Kind::OPERATOR.into_iter().map(since).collect();
    let to_all = to_all.and_then(|all| all.into_iter().max()).filter(|since| span.last_seen <= *since);
    [to_all, since(Kind::Addresses)].into_iter().flatten().min()
}

fn is_copy(server: &Server, kind: Kind) -> bool {
    kind == Kind::Addresses && matches!(server.who, Who::Operator(_))
}

/// Whether the operator was given this server, or it was found under a name that was given.
fn is_given(world: &World<'_>, server: &Server) -> bool {
    let Who::Operator(operator) = &server.who else { return false };
    world.member(operator).is_some_and(|member| member.servers.contains(server) && !member.found.contains(server))
}

fn pairs(world: &World<'_>, span: &Span) -> impl Iterator<Item = Pair> {
    let pairs = span.served.records.iter().filter_map(host_address);
    pairs.filter(|(host, _)| world.operator_of_host(host).is_some()).collect::<Vec<_>>().into_iter()
}

/// Whether a name server's name leads to this server now: the operator was given it, or glue, the public DNS or the zone at
/// a server that was given has its address.
pub(super) fn is_led_to(world: &World<'_>, server: &Server) -> bool {
    let own = (Name::clone(&server.host), server.address.ip());
    let mut served = versions(world).filter(|(_, _, span)| span.until.is_none());
    let leads = |(at, kind, span): (&Server, Kind, &Span)| {
        (!is_copy(at, kind) || is_given(world, at)) && pairs(world, span).any(|pair| pair == own)
    };
    is_given(world, server) || served.any(leads)
}

/// The versions of address sets that count: glue, the operators' zones for hosts inside them, the public DNS for others.
pub(super) fn versions<'a>(world: &World<'a>) -> impl Iterator<Item = (&'a Server, Kind, &'a Span)> + use<'a> {
    let members = world.members;
    let glue = world.may_be_served(Kind::Glue).map(|(server, span)| (server, Kind::Glue, span));
    let hosts = world.may_be_served(Kind::Addresses).filter(move |(server, _)| match &server.who {
        Who::Operator(name) => members.contains_key(name),
        Who::Public | Who::Parent | Who::Registrar => true,
    });
    glue.chain(hosts.map(|(server, span)| (server, Kind::Addresses, span)))
}

pub(super) fn source(server: &Server, kind: Kind) -> String {
    match (&server.who, kind) {
        (Who::Public, _) => "the public DNS".into(),
        (_, Kind::Glue) => format!("the glue at the parent's {server}"),
        (who, _) => format!("the zone of {who} at {server}"),
    }
}

/// Until when resolvers may be sent to an address that every source has dropped; `None` for any other address.
pub(super) fn fading_until(world: &World<'_>, server: &Server) -> Option<Time> {
    reachable(world).get(&(Name::clone(&server.host), server.address.ip())).and_then(|known| known.until)
}

/// By which source an address is known.
pub fn known_by(world: &World<'_>, server: &Server) -> Option<Known> {
    reachable(world).remove(&(Name::clone(&server.host), server.address.ip()))
}

/// By which source resolvers are sent to an address that its operator was not given.
pub(super) fn found_by(world: &World<'_>, server: &Server) -> Option<String> {
    known_by(world, server).filter(|_| !is_given(world, server)).map(|known| known.source)
}
