//! What a group lacks for a stable state, and nothing at rest puts right: keys, CDS, DS, NS and delegation.
//!
//! Invariant: says what is seen, and decides nothing. Each item is put right when a person asks (`chorus zone repair`), or
//! where the item says so, by the parent.

use super::algorithm::asked_at;
use super::decision::{Step, Wait};
use super::desired::cds_and_cdnskey;
use super::say::{host_list, key_list};
use super::scope::Scope;
use super::view::{ParentMode, World};
use crate::model::dns::{Rdata, RecordSet, key_that_ds_belongs_to};
use crate::model::history::Kind;

/// The code of each item.
pub const NEEDS_REPAIR: &str = "needs-repair";

/// What is missing, in the order in which a repair brings it about. Empty while a transition is under way, and for a zone with
/// one operator.
pub(super) fn missing(world: &World<'_>) -> Vec<Wait> {
    if world.scope != Scope::Rest || world.members.len() < 2 {
        return Vec::new();
    }
    let mut found = keys(world);
    found.extend(requests(world));
    found.extend(ds(world));
    found.extend(name_servers(world));
    let zone = world.zone.to_ascii();
    let zone = zone.trim_end_matches('.');
    let wait = |(step, text): (Step, String)| {
        let text = format!("{text}; Chorus writes this only when you ask: `chorus zone repair {zone}`");
        Wait { step, code: NEEDS_REPAIR, text, until: None }
    };
    found.into_iter().map(wait).collect()
}

fn keys(world: &World<'_>) -> Vec<(Step, String)> {
    let mut found = Vec::new();
    for at in world.desired() {
        let served = world.served_everywhere(at, Kind::Dnskey);
        for of in world.desired().filter(|of| *of != at) {
            // A key that is not in use is placed nowhere, and missed nowhere.
            let lacks: RecordSet = world
                .keys_in_use(of)
                .into_iter()
                .filter(|key| !served.contains(key) && !world.may_add_key(at, key))
                .collect();
            if !lacks.is_empty() {
                let text = format!("the DNSKEY RRset at {at} lacks {} of {of}", key_list(&lacks));
                found.push((Step::ShareKeys, text));
            }
        }
    }
    found
}

fn ds_keys(world: &World<'_>) -> RecordSet {
    world.desired().flat_map(|name| world.key_signing_keys(name)).collect()
}

fn requests(world: &World<'_>) -> Vec<(Step, String)> {
    let keys = ds_keys(world);
    let mut found = Vec::new();
    for at in world.desired() {
        let asked = asked_at(world, at, &keys);
        let (cds, cdnskey) = cds_and_cdnskey(world, &asked);
        let off: Vec<&str> = [(Kind::Cds, &cds, "CDS"), (Kind::Cdnskey, &cdnskey, "CDNSKEY")]
            .into_iter()
            .filter(|(kind, wanted, _)| world.served(at, *kind) != **wanted && !world.may_ask(at, *kind, wanted))
            .map(|(_, _, name)| name)
            .collect();
        if !off.is_empty() {
            let text =
                format!("{} at {at} are not those that request the DS of {}", off.join(" and "), key_list(&asked));
            found.push((Step::AskForDs, text));
        }
    }
    found
}

fn ds(world: &World<'_>) -> Vec<(Step, String)> {
    let lacks = |key: &Rdata| {
        let mut sets = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
        sets.any(|span| !span.served.records.iter().any(|ds| key_that_ds_belongs_to(world.zone, ds, [key]).is_some()))
    };
    let missing: RecordSet = ds_keys(world).into_iter().filter(|key| lacks(key) && !world.is_new(key)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    vec![(Step::AwaitDs, format!("the parent has no DS of {}", key_list(&missing)))]
}

fn name_servers(world: &World<'_>) -> Vec<(Step, String)> {
    let target = world.ns_of(world.serving());
    let mut found = Vec::new();
    let differs = |what: String, has: &RecordSet| {
        let (lacks, more): (RecordSet, RecordSet) = (&target - has, has - &target);
        match (lacks.is_empty(), more.is_empty()) {
            (true, true) => None,
            (false, true) => Some(format!("{what} lacks {}", host_list(&lacks))),
            (true, false) => Some(format!("{what} names {} as well", host_list(&more))),
            (false, false) => Some(format!("{what} lacks {}, and names {}", host_list(&lacks), host_list(&more))),
        }
    };
    for at in world.serving().filter(|at| !world.may_restore(at, Kind::Ns, &target)) {
        let text = differs(format!("the NS RRset at {at}"), &world.served_everywhere(at, Kind::Ns));
        found.extend(text.map(|text| (Step::NameServers, text)));
    }
    if world.parent == ParentMode::Scan || !found.is_empty() {
        let mut shown =
            world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Delegation));
        let text = shown.find_map(|span| differs("the delegation".into(), &span.served.records));
        found.extend(text.map(|text| (Step::AwaitDelegation, text)));
    }
    found
}
