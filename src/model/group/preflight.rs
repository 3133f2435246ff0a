//! What has to be true of an operator before it may be let in at all.
//!
//! Invariant: nothing is written while any of this is unmet. The finer checks (content, sizes, lifetimes) belong to
//! `zone check`, not here.

use super::Standing;
use super::addresses::is_led_to_wrongly;
use super::algorithm::algorithms_of;
use super::cds::{DELETE_FIX, delete_requests};
use super::cds_waits::{DS_UNUSABLE_FIX, ds_not_usable};
use super::parents::PARENT_SERVES_ZONE;
use super::reachable::{fading_until, known_by};
use super::reached::{NO_ROUTE, NO_ROUTE_FIX};
use super::roles::{UNSUPPORTED, UNSUPPORTED_FIX};
use super::strangers::stranger;
use super::view::{Shown, World};
use super::whose::shared_keys;
use crate::model::dns::{Dnskey, RecordSet, name_text};
use crate::model::history::{Kind, Server};
use std::collections::{BTreeMap, BTreeSet};

/// Why a desired group cannot be brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Stable, kebab-case.
    pub code: &'static str,
    pub text: String,
    /// What the user can do.
    pub fix: String,
}

/// Everything that speaks against the desired group of this world; empty means that the ladder may be entered.
pub fn preflight(world: &World<'_>) -> Vec<Refused> {
    let mut refused = Vec::new();
    if world.serving().next().is_none() {
        refused.push(Refused {
            code: "last-operator",
            text: format!("{} would have no operator left", name_text(world.zone)),
            fix: "name at least one operator that stays, or replace this one by another".into(),
        });
        return refused;
    }
    let mut algorithms: BTreeMap<&String, BTreeSet<u8>> = BTreeMap::new();
    for (name, member) in world.members {
        let own = world.own_keys(name);
        // Nothing that a leaver without help signs with can be changed, and it has to go all the same.
        let is_compared = !(member.leaves() && member.uncooperative);
        if !own.is_empty() && is_compared {
            let used: BTreeSet<u8> =
                algorithms_of(world, name).into_iter().filter(|used| Some(*used) != world.algorithm).collect();
            // In a roll of the whole group each comes to the new algorithm in its own time.
            if !used.is_empty() || world.algorithm.is_none() {
                algorithms.insert(name, used);
            }
        }
        // A leaver that does not answer must not keep the others from going on. Its keys count nevertheless: they are in the
        // DNSKEY sets of all until it is gone.
        if member.wanted == Standing::Outside {
            continue;
        }
        // What no name leads to any more is waited for, and refuses nothing. What only a wrong record leads to is refused
        // with that record.
        let counts = |server: &&Server| fading_until(world, server).is_none() && !is_led_to_wrongly(world, server);
        let servers: Vec<_> = member.servers.iter().filter(counts).cloned().collect();
        let answering = world.shown(&servers, Kind::Dnskey, |_, span| !span.served.records.is_empty());
        match answering {
            Shown::Unknown(server, why) if world.is_beyond_us(&server) => refused.push(Refused {
                code: UNSUPPORTED,
                text: format!("{name}: {server} {why}"),
                fix: UNSUPPORTED_FIX.into(),
            }),
            Shown::Unknown(server, why) if world.has_no_route(&server) => refused.push(Refused {
                code: NO_ROUTE,
                text: format!("{name}: {server} {why}"),
                fix: NO_ROUTE_FIX.into(),
            }),
            Shown::Unknown(server, why) => refused.push(Refused {
                code: "operator-unreachable",
                text: format!("{name}: {server} {why}{}", known_to_resolvers(world, &server)),
                fix: format!(
                    "see that {} is configured and reachable at every address of {name}, by UDP and TCP{}",
                    name_text(world.zone),
                    or_correct(world, &server)
                ),
            }),
            Shown::NotAt(_) => refused.push(Refused {
                code: "operator-unsigned",
                text: format!("{name} serves {} without DNSKEY: the zone is not signed there", name_text(world.zone)),
                fix: format!("let {name} sign the zone with keys of its own"),
            }),
            Shown::Everywhere if own.is_empty() => refused.push(Refused {
                code: "operator-unsigned",
                text: format!("{name} serves no DNSKEY of its own for {}", name_text(world.zone)),
                fix: format!("let {name} sign the zone with keys of its own"),
            }),
            Shown::Everywhere => {}
        }
    }
    let distinct: BTreeSet<&BTreeSet<u8>> = algorithms.values().collect();
    if distinct.len() > 1 {
        let each: Vec<String> =
            algorithms.iter().map(|(name, used)| format!("{name} uses {}", numbers(used))).collect();
        refused.push(Refused {
            code: "algorithm-mismatch",
            text: format!("the operators sign with different algorithms: {}", each.join(", ")),
            fix: "let all operators sign with the same algorithm (RFC 8901 §4), ECDSAP256SHA256 (13) for instance"
                .into(),
        });
    }
    refused.extend(asking_to_delete(world));
    refused.extend(shared_keys(world).iter().map(|shared| Refused {
        code: "keys-shared",
        text: shared.text(),
        fix: shared.fix(world.zone),
    }));
    refused.extend(colliding_tags(world));
    refused.extend(shared_name_server(world));
    if let Some(text) = stranger(world) {
        refused.push(Refused {
            code: "ns-unexpected",
            text,
            fix: "add every name server of an operator with --name-server, its secondaries too, or take the record out"
                .into(),
        });
    }
    if let Shown::NotAt(_) = world.shown(world.parent_servers, Kind::Ds, |_, span| !span.served.records.is_empty()) {
        refused.push(Refused {
            code: "zone-insecure",
            text: format!("the parent has no DS for {}: the zone is not secure yet", name_text(world.zone)),
            fix: "bring the zone's first DS to the parent with its present operator, then join others".into(),
        });
    }
    refused.extend(ds_not_usable(world).map(|text| Refused { code: "ds-unusable", text, fix: DS_UNUSABLE_FIX.into() }));
    if world.delegation_is_hidden() {
        let servers: Vec<String> = world.parent_servers.iter().map(ToString::to_string).collect();
        refused.push(Refused {
            code: PARENT_SERVES_ZONE,
            text: format!(
                "every server of the parent serves {} itself, so that the delegation cannot be read there: {}",
                world.zone,
                servers.join(", ")
            ),
            fix: "let a server of the parent transfer the parent zone to Chorus, name one that does not serve the zone with \
                  --parent-server, or confirm the delegation: `chorus zone policy ZONE --delegation HOST,...`"
                .into(),
        });
    }
    if let Shown::Unknown(server, why) = world.shown(world.parent_servers, Kind::Ds, |_, _| true) {
        let (code, fix) = if world.has_no_route(&server) {
            (NO_ROUTE, NO_ROUTE_FIX)
        } else {
            ("parent-unreachable", "see that the parent's servers can be reached, or say them with --parent-server")
        };
        refused.push(Refused { code, text: format!("the parent's server {server} {why}"), fix: fix.into() });
    }
    refused
}

/// Nobody comes into, or goes out of, a zone that one of those who stay asks to make insecure: a parent may act on it at any
/// moment (RFC 8078 §4).
fn asking_to_delete(world: &World<'_>) -> Vec<Refused> {
    let stays = |operator: &str| world.member(operator).is_some_and(|member| member.wanted > Standing::Outside);
    let asking = delete_requests(world).into_iter().filter(|(operator, _)| stays(operator));
    asking.map(|(_, text)| Refused { code: "cds-delete", text, fix: DELETE_FIX.into() }).collect()
}

/// By which source resolvers are sent to an address that never showed the zone.
fn known_to_resolvers(world: &World<'_>, server: &Server) -> String {
    let known = known_by(world, server).filter(|_| world.history.current(server, Kind::Dnskey).is_none());
    known.map(|known| format!("; resolvers are sent there by {}", known.source)).unwrap_or_default()
}

/// What else to do about an address that never showed the zone.
fn or_correct(world: &World<'_>, server: &Server) -> String {
    let known = known_by(world, server).filter(|_| world.history.current(server, Kind::Dnskey).is_none());
    let correct = |source| format!("; if {} is none of them, correct {source}", server.address.ip());
    known.map(|known| correct(known.source)).unwrap_or_default()
}

/// What is seen at one address must speak for one operator.
fn shared_name_server(world: &World<'_>) -> Option<Refused> {
    let mut of: BTreeMap<String, &String> = BTreeMap::new();
    for (name, member) in world.members {
        let hosts = member.hosts.iter().map(ToString::to_string);
        let addresses: BTreeSet<String> = member.servers.iter().map(|server| server.address.to_string()).collect();
        for what in hosts.chain(addresses) {
            if let Some(other) = of.insert(what.clone(), name) {
                return Some(Refused {
                    code: "name-server-shared",
                    text: format!("{what} is a name server of {other} and of {name}"),
                    fix: "let every name server belong to one operator, and each operator sign with keys of its own"
                        .into(),
                });
            }
        }
    }
    None
}

/// Two keys of one tag and algorithm make validators try both, and some give up at the first failure.
fn colliding_tags(world: &World<'_>) -> Option<Refused> {
    let keys: RecordSet = world.members.keys().flat_map(|name| world.own_keys(name)).collect();
    let mut seen = BTreeMap::new();
    for key in &keys {
        // What may not validate is tried by no validator.
        let Some(read) = Dnskey::read(key).filter(Dnskey::is_usable) else { continue };
        if let Some(other) = seen.insert((read.key_tag(), read.algorithm), key) {
            let owner =
                |key| world.members.keys().find(|name| world.own_keys(name).contains(key)).cloned().unwrap_or_default();
            return Some(Refused {
                code: "key-tag-collision",
                text: format!(
                    "{} and {} have different keys with the tag {}",
                    owner(other),
                    owner(key),
                    read.key_tag()
                ),
                fix: "roll one of the two keys first".into(),
            });
        }
    }
    None
}

fn numbers(algorithms: &BTreeSet<u8>) -> String {
    algorithms.iter().map(u8::to_string).collect::<Vec<_>>().join(" and ")
}
