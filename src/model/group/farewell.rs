//! What a leaving operator has of the others: copies of their keys, their CDS and CDNSKEY, a CSYNC. They are taken out there
//! once no resolver queries the operator any more.
//!
//! Invariant: a courtesy. Nothing waits for it, no guard depends on it, and an operator that does not answer, or refuses, is
//! left as it is.

use super::decision::{Change, Step, Write};
use super::ladder::{TTL_UNKNOWN_S, is_present};
use super::scope::Scope;
use super::view::World;
use crate::model::dns::{RecordSet, key_that_ds_belongs_to};
use crate::model::history::Kind;

/// Whether a leaving operator still serves copies, and can be asked to take them out.
pub fn has_copies(world: &World<'_>, leaver: &str) -> bool {
    !sets(world, leaver).is_empty()
}

pub(super) fn farewells(world: &World<'_>) -> Vec<Write> {
    let write = |leaver: &String| {
        let sets = sets(world, leaver);
        (!sets.is_empty()).then(|| Write {
            step: Step::AwaitLeaverAnswers,
            operator: leaver.clone(),
            sets,
            why: format!("no copies of the others' keys and CDS, which {leaver} does not need any more"),
            missing_at: Vec::new(),
            is_courtesy: true,
        })
    };
    world.leavers().filter_map(write).collect()
}

fn sets(world: &World<'_>, leaver: &str) -> Vec<(Kind, u32, Change)> {
    let own = world.own_keys(leaver);
    let leaves = world.leavers().any(|name| name == leaver);
    let may_be_written = leaves && world.scope == Scope::Transition && !world.paused && world.algorithm.is_none();
    if !may_be_written
        || own.is_empty()
        || is_present(world, leaver)
        || world.takes_no_updates(leaver)
        || world.is_silent(leaver)
    {
        return Vec::new();
    }
    let mut sets = Vec::new();
    let ttl_s = |kind| world.served_ttl_s(leaver, kind).unwrap_or(TTL_UNKNOWN_S);
    let without = &world.served(leaver, Kind::Dnskey) - &own;
    if !without.is_empty() {
        sets.push((Kind::Dnskey, ttl_s(Kind::Dnskey), Change::Partly { with: RecordSet::new(), without }));
    }
    for kind in [Kind::Cds, Kind::Cdnskey, Kind::Csync] {
        let served = world.served(leaver, kind);
        let mut kept = served.clone();
        kept.retain(|record| match kind {
            Kind::Cds => key_that_ds_belongs_to(world.zone, record, &own).is_some(),
            Kind::Cdnskey => own.contains(record),
            _ => false,
        });
        if kept != served {
            sets.push((kind, ttl_s(kind), Change::Exactly(kept)));
        }
    }
    sets
}
