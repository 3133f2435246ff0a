//! The sets that each operator should publish, given who is in and how far.
//!
//! Invariant: CDS and CDNSKEY are one identical set at every operator (RFC 8901 §8, RFC 9975), and a key that is needed by
//! anything still alive is in it or beside it.

use super::algorithm::is_held_back;
use super::cds::{insisting, stripped};
use super::view::World;
use crate::model::dns::{
    Dnskey, Ds, Name, Rdata, RecordSet, USABLE_DIGEST_TYPES, cds_for, is_delete_request, key_that_ds_belongs_to,
};
use crate::model::history::Kind;
use std::collections::BTreeSet;

/// SHA-256, which every agent and validator takes (RFC 9904's tables; RFC 10026).
const DIGEST_TYPE: u8 = 2;

/// The keys that should be placed at an operator: those of every other member that are in use, key-signing keys too. A
/// scanner that asks through one resolver may get one operator's DNSKEY set and another's CDS set.
pub(super) fn placed_keys(world: &World<'_>, at: &str) -> RecordSet {
    let others = world.members.keys().filter(|other| *other != at);
    let own = world.own_keys(at);
    let served = world.served(at, Kind::Dnskey);
    // What is there already stays until nothing needs it.
    let is_held_back = is_held_back(world);
    // No algorithm comes into a DNSKEY RRset whose operator does not sign with it (RFC 4035 §2.2). In a roll of the whole group
    // to another algorithm that has an order of its own.
    let algorithm = |key: &Rdata| Dnskey::read(key).map(|key| key.algorithm);
    let has_algorithm: BTreeSet<Option<u8>> = served.iter().map(algorithm).collect();
    let is_new_there = |key: &Rdata| world.algorithm.is_none() && !has_algorithm.contains(&algorithm(key));
    let of_other = |other: &String| {
        let in_use = world.keys_in_use(other);
        let holds = |key: &Rdata| is_held_back(key) || !in_use.contains(key) || is_new_there(key);
        let held_back = |key: &Rdata| !served.contains(key) && holds(key);
        world.own_keys(other).into_iter().filter(|key| !own.contains(key) && !held_back(key)).collect::<RecordSet>()
    };
    others.flat_map(of_other).collect()
}

/// The digest types in use: an operator that publishes CDS for its own keys by itself decides with which. Once in use a
/// type stays: a set that its operator puts back each time it is taken away would never be equal everywhere. Only types that
/// validators can use are taken over: not SHA-1 (RFC 9905), and none that cannot be computed for the others' keys. A type that
/// an operator takes out of its set by itself is given up, unless another operator publishes it by itself.
pub fn digest_types(world: &World<'_>) -> Vec<u8> {
    let mut types = BTreeSet::from([DIGEST_TYPE]);
    for operator in world.members.keys() {
        let own = world.own_keys(operator);
        let of_own = world
            .served(operator, Kind::Cds)
            .into_iter()
            .filter(|cds| key_that_ds_belongs_to(world.zone, cds, &own).is_some());
        types.extend(of_own.filter_map(|cds| Ds::read(&cds).map(|ds| ds.digest_type)));
    }
    types.retain(|digest_type| USABLE_DIGEST_TYPES.contains(digest_type));
    if types.len() > 1 {
        let stripped = world.members.keys().filter_map(|operator| stripped(world, operator));
        let stripped: BTreeSet<u8> = stripped.flat_map(|stripped| stripped.digest_types).collect();
        types.retain(|one| *one == DIGEST_TYPE || !stripped.contains(one) || !insisting(world, *one).is_empty());
    }
    types.into_iter().collect()
}

/// Whether a served CDS set asks for what `wanted` asks for. CDS of further digest types beside those of the same keys change
/// nothing: no parent counts a type that validators cannot use (RFC 9975), and whoever publishes it may not let it go.
pub(super) fn is_asked_by(world: &World<'_>, served: &RecordSet, wanted: &RecordSet, keys: &RecordSet) -> bool {
    let counts = |cds: &&Rdata| {
        let usable = Ds::read(cds).is_some_and(|ds| USABLE_DIGEST_TYPES.contains(&ds.digest_type));
        usable || key_that_ds_belongs_to(world.zone, cds, keys).is_none()
    };
    served == wanted || served.iter().filter(counts).eq(wanted)
}

/// The CDS and CDNSKEY sets that ask for exactly these keys' DS.
pub(super) fn cds_and_cdnskey(world: &World<'_>, keys: &RecordSet) -> (RecordSet, RecordSet) {
    (cds_for(world.zone, keys, &digest_types(world)), keys.clone())
}

/// What an operator asks a DS for while the transition is paused: what it asks for already, and the new keys of those whose
/// keys are among that. Nothing is withdrawn.
pub(super) fn asked_in_a_pause(world: &World<'_>, at: &str) -> RecordSet {
    let mut served = world.served(at, Kind::Cdnskey);
    served.retain(|cdnskey| !is_delete_request(Kind::Cdnskey.record_type(), cdnskey));
    let known = |operator: &&String| !world.own_keys(operator).is_disjoint(&served);
    let rolled = world.members.keys().filter(known).flat_map(|operator| world.key_signing_keys(operator));
    rolled.chain(served.iter().cloned()).collect()
}

/// `CSYNC 0 1 NS [A AAAA]`: act at once, whatever the serial, and take addresses along when name servers are inside the
/// zone (RFC 7477 §2.1).
pub(super) fn csync(zone: &Name, hosts: impl IntoIterator<Item = Name>) -> RecordSet {
    let inside = hosts.into_iter().any(|host| zone.zone_of(&host));
    let mut wire = vec![0, 0, 0, 0, 0, 1];
    // Type bit map, window 0: NS is type 2, A is 1, AAAA is 28 (RFC 4034 §4.1.2).
    wire.extend_from_slice(if inside { &[0, 4, 0x60, 0, 0, 0x08] } else { &[0, 1, 0x20] });
    RecordSet::from([Rdata::from_canonical(wire)])
}
