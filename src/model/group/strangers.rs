//! What stands at the parent or at an operator and belongs to none of the operators: somebody else put it there.
//!
//! Invariant: what was ever seen as an operator's own is no stranger, however old it is.

use super::ladder::is_present;
use super::say::key_label;
use super::view::World;
use crate::model::dns::{
    Dnskey, Ds, Rdata, RecordSet, ds_label, key_that_ds_belongs_to, key_that_ds_validates, name_text, ns_name,
};
use crate::model::history::Kind;

/// A name server that belongs to none of the operators, and where it is named.
pub(super) fn stranger(world: &World<'_>) -> Option<String> {
    let present = world.members.iter().filter(|(name, _)| is_present(world, name));
    let servers = present.flat_map(|(_, at)| at.servers.iter().map(|server| (server, Kind::Ns)));
    let parents = world.parent_servers.iter().map(|server| (server, Kind::Delegation));
    servers.chain(parents).find_map(|(server, kind)| {
        let records = &world.history.current(server, kind)?.served.records;
        let host =
            records.iter().filter_map(|ns| ns_name(ns).ok()).find(|host| world.operator_of_host(host).is_none())?;
        let host = name_text(&host);
        Some(format!("the {kind} set at {server} names {host}, which belongs to none of the operators"))
    })
}

/// A DS record that belongs to no key that an operator was ever seen with or ever asked for, where it is, and what it is:
/// one of an unknown key, or one of a known key with the digest of another. The digest type alone makes none a stranger.
pub(super) fn strange_ds(world: &World<'_>) -> Option<(&'static str, String)> {
    world.parent_servers.iter().find_map(|server| {
        let records = &world.history.current(server, Kind::Ds)?.served.records;
        let strange = records.iter().find(|ds| !is_known(world, ds))?;
        let mut keys = world.members.keys().flat_map(|name| world.key_signing_keys(name));
        let (code, text) = match key_with_another_digest(world, strange) {
            Some(key) => (
                "ds-digest-mismatch",
                format!(
                    "the DS set at {server} has {} whose digest is not that of {}: no resolver can use it",
                    ds_label(strange),
                    key_label(&key)
                ),
            ),
            None => (
                "ds-unexpected",
                format!("the DS set at {server} has {} of a key that no operator ever had", ds_label(strange)),
            ),
        };
        let validates = |key: &Rdata| records.iter().any(|ds| key_that_ds_validates(world.zone, ds, [key]).is_some());
        Some(match keys.any(|key| validates(&key)) {
            true => (code, text),
            false => (code, format!("{text}, and none of a key that is there: resolvers cannot validate the zone")),
        })
    })
}

fn is_known(world: &World<'_>, ds: &Rdata) -> bool {
    let mut keys = keys_ever_seen(world);
    keys.any(|keys| key_that_ds_belongs_to(world.zone, ds, keys).is_some())
        || world.history.spans(Kind::Cds).any(|(_, span)| span.served.records.contains(ds))
}

fn keys_ever_seen<'a>(world: &World<'a>) -> impl Iterator<Item = &'a RecordSet> + use<'a> {
    let history = world.history;
    let kinds = [Kind::Dnskey, Kind::Cdnskey].into_iter();
    kinds.flat_map(move |kind| history.spans(kind)).map(|(_, span)| &span.served.records)
}

/// The key whose tag and algorithm a DS has, and whose digest it has not.
fn key_with_another_digest(world: &World<'_>, ds: &Rdata) -> Option<Rdata> {
    let ds = Ds::read(ds)?;
    let contradicts = |key: &&Rdata| Dnskey::read(key).is_some_and(|key| ds.contradicts(world.zone, &key));
    keys_ever_seen(world).flatten().find(contradicts).cloned()
}
