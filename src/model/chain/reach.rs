//! When a resolver could ask an operator at all: the least fixed point over delegations and the NS sets of whoever can be
//! asked already.
//!
//! Invariant: errs towards reachable. A name server set may be used from the first moment it may have been fetched until it
//! is dead; child-centric, parent-centric and sticky resolvers are all covered, for each set counts on its own.

use super::Scene;
use super::interval::{Interval, Union};
use super::lives::{Item, keys_asked};
use crate::model::dns::{Name, RecordSet, cds_for, is_delete_request, ns_name};
use crate::model::history::{Kind, Served, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// After so many turns without an end, sets that keep each other alive are taken to do so for as long as they are served.
const TURNS_MAX: usize = 64;

/// When each operator could be asked.
pub(super) type Reach<'a> = BTreeMap<&'a str, Union>;

/// The least fixed point over these versions.
pub(super) fn reach<'a>(scene: &Scene<'a>, items: &[Item<'a>]) -> Reach<'a> {
    let mut reach: Reach<'a> = BTreeMap::new();
    // A copy of the child at a parent's server names them to whoever asks the parent.
    let named_by_parent =
        |item: &&Item<'a>| item.kind == Kind::Delegation || item.kind == Kind::Ns && item.server.who == Who::Parent;
    let delegations = items.iter().filter(named_by_parent);
    for item in delegations {
        add_to(&mut reach, &named(scene, &item.served.records), usable(scene, item, item.served_in));
    }
    let sets = items.iter().filter(|item| item.kind == Kind::Ns);
    let sets: Vec<_> = sets.map(|item| (item, named(scene, &item.served.records))).collect();
    for turn in 0.. {
        let mut changed = false;
        for (item, named) in &sets {
            let Who::Operator(operator) = &item.server.who else { continue };
            let reached = reach.entry(operator.as_str()).or_default().within(item.served_in);
            for mut exposed in reached {
                if turn >= TURNS_MAX {
                    exposed.end = item.served_in.end;
                }
                changed |= add_to(&mut reach, named, usable(scene, item, exposed));
                for asked in asked_of_the_parent(scene, items, item, exposed) {
                    changed |= add_to(&mut reach, named, asked);
                }
            }
        }
        if !changed || turn > 2 * TURNS_MAX {
            return reach;
        }
    }
    reach
}

/// When in `interval` a resolver could ask a server of `who`. The parent's servers, and the public DNS, can always be asked.
pub(super) fn asked_in(reach: &Reach<'_>, who: &Who, interval: Interval) -> Vec<Interval> {
    match who {
        Who::Parent | Who::Public | Who::Registrar => vec![interval],
        Who::Operator(name) => reach.get(name.as_str()).map(|reach| reach.within(interval)).unwrap_or_default(),
    }
}

/// When a resolver may hold this version.
pub(super) fn held_in(scene: &Scene<'_>, reach: &Reach<'_>, item: &Item<'_>) -> Vec<Interval> {
    asked_in(reach, &item.server.who, item.served_in).into_iter().map(|asked| usable(scene, item, asked)).collect()
}

fn usable(scene: &Scene<'_>, item: &Item<'_>, exposed: Interval) -> Interval {
    let end = match item.server.who {
        Who::Registrar if exposed.end < Time::MAX => {
            scene.lifetimes.published_until(scene.history, exposed.end, item.kind).unwrap_or(Time::MAX)
        }
        _ => exposed.end,
    };
    Interval { start: exposed.start, end: scene.lifetimes.death_after(end, item.server, item.kind, &item.served) }
}

/// A CSYNC beside an NS set lets the parent delegate to it until the CSYNC has been withdrawn, its TTL and the parent's
/// pipeline have passed; unless the parent does so already, when acting on it changes nothing.
fn asked_of_the_parent(scene: &Scene<'_>, items: &[Item<'_>], ns: &Item<'_>, exposed: Interval) -> Vec<Interval> {
    if scene.lifetimes.without.leaves_out(Switch::CheckReach) {
        return Vec::new();
    }
    let delegations = || items.iter().filter(|item| item.kind == Kind::Delegation);
    let ttl_s = delegations().map(|item| u64::from(item.served.ttl_s)).max().unwrap_or(0);
    let csyncs =
        items.iter().filter(|i| i.kind == Kind::Csync && i.server == ns.server && !i.served.records.is_empty());
    // What the parent read earlier it may publish only now, and then go back on it for this set.
    let enacts_another = |together: &Interval| {
        items.iter().filter(|i| i.kind == Kind::Ns && i.served.records != ns.served.records).any(|earlier| {
            items.iter().filter(|c| c.kind == Kind::Csync && c.server == earlier.server).any(|csync| {
                !csync.served.records.is_empty()
                    && csync.served_in.meets(&earlier.served_in).is_some()
                    && read_before(scene, earlier, together)
            })
        })
    };
    let open = csyncs.filter_map(|csync| {
        let together = csync.served_in.meets(&exposed)?;
        let has_another =
            delegations().any(|d| d.served_in.meets(&together).is_some() && d.served.records != ns.served.records);
        let lives_on = scene.lifetimes.cached(u64::from(csync.served.ttl_s.max(ns.served.ttl_s)));
        let enacted = together.end.plus(lives_on).plus(scene.lifetimes.parent_pipeline());
        let served_until =
            scene.lifetimes.published_until(scene.history, enacted, Kind::Delegation).unwrap_or(Time::MAX);
        let end = served_until.plus(scene.lifetimes.outlives_ttl(ttl_s));
        (has_another || enacts_another(&together)).then_some(Interval { start: together.start, end })
    });
    open.collect()
}

/// The operators whose servers an NS set names.
fn named<'a>(scene: &Scene<'a>, ns: &RecordSet) -> Vec<&'a str> {
    let hosts = ns.iter().filter_map(|ns| ns_name(ns).ok());
    hosts.filter_map(|host| scene.hosts.get(&host)).map(String::as_str).collect()
}

fn add_to<'a>(reach: &mut Reach<'a>, operators: &[&'a str], usable: Interval) -> bool {
    let mut changed = false;
    for operator in operators {
        changed |= reach.entry(operator).or_default().add(usable);
    }
    changed
}

/// Whether the parent may have read `earlier` before `now` began, and not have published it yet when it did.
fn read_before(scene: &Scene<'_>, earlier: &Item<'_>, now: &Interval) -> bool {
    let lifetimes = scene.lifetimes;
    let fetched = earlier.served_in.end.plus(lifetimes.cached(u64::from(earlier.served.ttl_s)));
    earlier.served_in.start < now.start && now.start < fetched.plus(lifetimes.parent_pipeline())
}

/// The DS sets that CDS and CDNSKEY sets let the parent publish (RFC 7344), as versions of their own: at any moment from
/// when they could be fetched until withdrawn, plus TTL and pipeline. One that asks for what the parent's servers have
/// while it is served, when nothing else is on its way there, changes nothing and is no version. That it does not go back to
/// a set that was replaced before it read the new one is asked of the parent by RFC 7344 §6.2.
pub(super) fn enactable<'a>(scene: &Scene<'a>, items: &[Item<'a>], reach: &Reach<'a>) -> Vec<Item<'a>> {
    if scene.lifetimes.without.leaves_out(Switch::CheckEnactable) {
        return Vec::new();
    }
    let parents = items.iter().filter(|item| item.kind == Kind::Ds);
    let parents: Vec<_> = parents.map(|item| (item, keys_asked(&item.served.records))).collect();
    let Some((template, _)) = parents.iter().find(|(item, _)| item.server.is_observed()) else { return Vec::new() };
    let ttl_s = parents.iter().map(|(item, _)| item.served.ttl_s).max().unwrap_or(0);
    let asking = items.iter().filter(|item| !item.served.records.is_empty());
    let asking = asking.filter_map(|item| asked_ds(scene.zone, item).map(|asked| (item, keys_asked(&asked), asked)));
    let asking: Vec<_> = asking.collect();
    let mut enactable = Vec::new();
    for (item, keys, asked) in &asking {
        let Who::Operator(operator) = &item.server.who else { continue };
        for exposed in reach.get(operator.as_str()).map(|r| r.within(item.served_in)).unwrap_or_default() {
            let mut meeting = parents.iter().filter(|(ds, _)| ds.served_in.meets(&exposed).is_some());
            let in_sync = meeting.all(|(_, of_parent)| of_parent == keys);
            let enacts_another = || {
                let mut others = asking.iter().filter(|(_, other, _)| other != keys);
                others.any(|(earlier, _, _)| read_before(scene, earlier, &item.served_in))
            };
            if in_sync && !enacts_another() {
                continue;
            }
            let lives_on = scene.lifetimes.cached(u64::from(item.served.ttl_s));
            let enacted = exposed.end.plus(lives_on).plus(scene.lifetimes.parent_pipeline());
            let end = scene.lifetimes.published_until(scene.history, enacted, Kind::Ds).unwrap_or(Time::MAX);
            let served = Served { records: asked.clone(), ttl_s, signers: Default::default(), expires: None };
            enactable.push(Item {
                server: template.server,
                kind: Kind::Ds,
                served: Cow::Owned(served),
                served_in: Interval { start: exposed.start, end },
                planned: item.planned,
                asked_at: Some(item.server),
            });
        }
    }
    enactable
}

/// The DS set that a CDS or CDNSKEY set asks for; a delete record asks for none (RFC 8078 §4).
fn asked_ds(zone: &Name, item: &Item<'_>) -> Option<RecordSet> {
    let keep = || -> RecordSet {
        let records = item.served.records.iter();
        records.filter(|record| !is_delete_request(item.kind.record_type(), record)).cloned().collect()
    };
    match item.kind {
        Kind::Cds => Some(keep()),
        Kind::Cdnskey => Some(cds_for(zone, &keep(), &[2])),
        _ => None,
    }
}
