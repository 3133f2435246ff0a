//! The check before every write: would the world that it makes let incompatible versions meet?
//!
//! Invariant: a write is objected to for what it adds. What is wrong already, without it, is no objection to the write
//! that mends it. While a set is being replaced, the old and the new version both count as served.

use super::Scene;
use super::addresses::{is_delegated, not_found_alike};
use super::exposure::for_each_discord;
use super::interval::Interval;
use super::lives::{Item, items, lives};
use crate::model::dns::{Name, RecordSet, is_delete_request, name_text, ns_name};
use crate::model::history::{Kind, Served, Server, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What an operator's servers will serve after a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub operator: String,
    pub kind: Kind,
    pub ttl_s: u32,
    pub records: RecordSet,
}

/// Why a write must not be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub text: String,
    /// When it will have gone by itself; `None` when time alone does not help.
    pub until: Option<Time>,
}

/// Objections to making these writes at `now`; none means that no resolver can fail because of them, even if the parent
/// acts on what they ask it for at any moment from now on (RFC 7344, RFC 7477).
pub fn check(scene: &Scene<'_>, planned: &[Planned], now: Time) -> Vec<Objection> {
    let after = discords(scene, planned_items(scene, planned, now), now);
    let before = if after.is_empty() { BTreeMap::new() } else { discords(scene, Vec::new(), now) };
    let without = scene.lifetimes.without;
    if without.leaves_out(Switch::Check) {
        return Vec::new();
    }
    let mut objections =
        if without.leaves_out(Switch::CheckAnswering) { Vec::new() } else { unanswered(scene, planned) };
    if !without.leaves_out(Switch::CheckAddresses) {
        objections.extend(not_found_alike(scene, planned, now));
    }
    if !without.leaves_out(Switch::CheckSignatures) {
        objections.extend(ending(scene, planned, now));
    }
    for (what, (why, ends)) in after {
        if before.get(&what).is_none_or(|(_, already)| *already < ends) {
            objections.push(Objection { text: why, until: (ends < Time::MAX).then_some(ends) });
        }
    }
    objections.extend(insecure(planned));
    objections
}

/// The pairs that do not go together and are alive at `now` or later: what is wrong, in words and by which it is compared,
/// with the moment from which they no longer meet.
fn discords<'a>(scene: &Scene<'a>, planned: Vec<Item<'a>>, now: Time) -> BTreeMap<String, (String, Time)> {
    let (items, reach) = items(scene, planned);
    let from_now = Interval { start: now, end: Time::MAX };
    // What is dead by now meets nothing any more.
    let mut lives = lives(scene, &items, &reach);
    lives.retain(|life| life.alive.meets(&from_now).is_some());
    let mut found = BTreeMap::new();
    for_each_discord(scene, &lives, |discord| {
        let rule = if discord.a.item.kind == Kind::Ds { Switch::CheckDs } else { Switch::CheckAnswers };
        if scene.lifetimes.without.leaves_out(rule) {
            return;
        }
        let overlap = discord.a.alive.meets(&discord.b.alive).and_then(|overlap| overlap.meets(&from_now));
        if let Some(overlap) = overlap {
            let found = found.entry(discord.what()).or_insert_with(|| (discord.why(), overlap.end));
            if overlap.end > found.1 {
                *found = (discord.why(), overlap.end);
            }
        }
    });
    found
}

/// The planned sets as versions: at every address of the operator, from now on. The signatures will be made by the keys
/// that sign the set today.
pub(super) fn planned_items<'a>(scene: &Scene<'a>, planned: &[Planned], now: Time) -> Vec<Item<'a>> {
    let servers: BTreeSet<&'a Server> = scene.history.servers().collect();
    let mut items = Vec::new();
    for planned in planned {
        for server in servers.iter().filter(|server| server.who.is_operator(&planned.operator)) {
            let signers = match planned.kind {
                Kind::Dnskey => scene.history.current(server, Kind::Dnskey),
                _ => scene.history.current(server, planned.kind).or(scene.history.current(server, Kind::Data)),
            };
            items.push(Item {
                server,
                kind: planned.kind,
                served: Cow::Owned(Served {
                    records: planned.records.clone(),
                    ttl_s: planned.ttl_s,
                    signers: signers.map(|span| span.served.signers.clone()).unwrap_or_default(),
                    expires: None,
                }),
                served_in: Interval { start: now, end: Time::MAX },
                planned: true,
                asked_at: None,
            });
        }
    }
    items
}

/// Name servers that are about to be named have to be known, and every one of their addresses has to have answered when
/// it was last asked.
fn unanswered(scene: &Scene<'_>, planned: &[Planned]) -> Vec<Objection> {
    let mut objections = Vec::new();
    for planned in planned.iter().filter(|planned| planned.kind == Kind::Ns) {
        if planned.records.is_empty() {
            objections
                .push(Objection { text: format!("the NS set of {} would be empty", planned.operator), until: None });
        }
        for host in planned.records.iter().filter_map(|ns| ns_name(ns).ok()) {
            let named: Vec<&Server> =
                scene.history.servers().filter(|s| *s.host == host && matches!(s.who, Who::Operator(_))).collect();
            if !scene.hosts.contains_key(&host) || named.is_empty() {
                let host = name_text(&host);
                let text = format!("{host} would be a name server, and it is not known to which operator it belongs");
                objections.push(Objection { text, until: None });
            }
            for server in named {
                let silent = [Kind::Data, Kind::Dnskey, Kind::Ns].iter().find_map(|kind| {
                    let trouble = scene.history.trouble(server, *kind).map(|t| t.failure.to_string());
                    let nothing = scene.history.current(server, *kind).is_none();
                    trouble.or(nothing.then(|| format!("has never shown its {kind}")))
                });
                if let Some(why) = silent {
                    objections.push(Objection {
                        text: format!("{server} would be named as a name server and {why}"),
                        until: None,
                    });
                }
            }
        }
    }
    objections
}

/// Name servers that nobody names yet, neither the parent nor another operator, need signatures that outlast what caches keep of
/// them (RFC 4035 §5.3.3). How long they keep the SOA record is not in the history.
fn ending(scene: &Scene<'_>, planned: &[Planned], now: Time) -> Vec<Objection> {
    let mut ds = scene
        .history
        .tracks_of(Kind::Ds)
        .filter(|(server, _)| server.is_observed())
        .filter_map(|(_, track)| track.current());
    if !ds.any(|span| !span.served.records.is_empty()) {
        return Vec::new();
    }
    let sets = planned.iter().filter(|planned| planned.kind == Kind::Ns);
    let named = sets.flat_map(|set| &set.records).filter_map(|ns| ns_name(ns).ok());
    let hosts: BTreeSet<Name> =
        named.filter(|host| !is_delegated(scene, host) && !is_named_by_others(scene, host)).collect();
    let servers = scene.history.servers().filter(|s| matches!(s.who, Who::Operator(_)) && hosts.contains(&*s.host));
    let kinds = servers.flat_map(|server| [Kind::Dnskey, Kind::Data].map(|kind| (server, kind)));
    let ending = kinds.filter_map(|(server, kind)| {
        let served = &scene.history.current(server, kind)?.served;
        let kept = if kind == Kind::Dnskey { scene.lifetimes.cached(u64::from(served.ttl_s)) } else { Duration::ZERO };
        let expires = served.expires.filter(|at| *at < now.plus(kept + scene.lifetimes.policy.slack()))?;
        let text = format!(
            "{server} would be named, and its signature of the {kind} RRset ends at {expires}: see why the zone is not signed \
             again there"
        );
        Some(Objection { text, until: None })
    });
    ending.collect()
}

/// Whether an operator's server names a host of another operator.
fn is_named_by_others(scene: &Scene<'_>, host: &Name) -> bool {
    let owner = scene.hosts.get(host);
    let others = scene.history.tracks_of(Kind::Ns).filter(|(server, _)| match &server.who {
        Who::Operator(name) => Some(name) != owner,
        Who::Parent | Who::Public | Who::Registrar => false,
    });
    let mut sets = others.filter_map(|(_, track)| track.current());
    sets.any(|set| set.served.records.iter().any(|ns| ns_name(ns).is_ok_and(|named| named == *host)))
}

/// Nothing that Chorus writes may ask the parent to turn the zone insecure (RFC 8078 §4).
fn insecure(planned: &[Planned]) -> Vec<Objection> {
    let asks = planned.iter().filter(|planned| {
        matches!(planned.kind, Kind::Cds | Kind::Cdnskey)
            && planned.records.iter().any(|record| is_delete_request(planned.kind.record_type(), record))
    });
    asks.map(|p| Objection {
        text: format!("the {} at {} would ask for the removal of all DS", p.kind, p.operator),
        until: None,
    })
    .collect()
}
