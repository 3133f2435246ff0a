//! What stands at the parent or at an operator and belongs to none of the operators: somebody else put it there.
//!
//! Invariant: what was ever seen as an operator's own is no stranger, however old it is.

use super::ladder::is_present;
use super::view::World;
use crate::model::dns::{Rdata, ds_label, key_of_ds, ns_name, name_text};
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

/// A DS record of a key that no operator was ever seen with, nor ever asked for, and where it is.
pub(super) fn strange_ds(world: &World<'_>) -> Option<String> {
    world.parent_servers.iter().find_map(|server| {
        let records = &world.history.current(server, Kind::Ds)?.served.records;
        let strange = records.iter().find(|ds| !is_known(world, ds))?;
        let mut keys = world.members.keys().flat_map(|name| world.key_signing_keys(name));
        let text = format!("the DS set at {server} has {} of a key that no operator ever had", ds_label(strange));
        Some(match keys.any(|key| records.iter().any(|ds| key_of_ds(world.zone, ds, [&key]).is_some())) {
            true => text,
            false => format!("{text}, and none of a key that is there: resolvers cannot validate the zone"),
        })
    })
}

fn is_known(world: &World<'_>, ds: &Rdata) -> bool {
    let served = |kind| world.history.spans(kind).map(|(_, span)| &span.served.records);
    served(Kind::Dnskey).any(|keys| key_of_ds(world.zone, ds, keys).is_some())
        || served(Kind::Cds).any(|asked| asked.contains(ds))
        || served(Kind::Cdnskey).any(|keys| key_of_ds(world.zone, ds, keys).is_some())
}
