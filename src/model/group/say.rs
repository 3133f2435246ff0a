//! How keys, name servers and versions are called in reasons and waits.

use super::view::World;
use crate::model::dns::{Dnskey, Rdata, RecordSet, name_text, ns_name, plain_text};
use crate::model::history::{Failure, Kind, Server, Span, Trouble, Who};
use crate::model::time::Time;

pub(super) fn key_label(key: &Rdata) -> String {
    match Dnskey::read(key) {
        Some(key) => format!("key {}", key.key_tag()),
        None => "an unreadable key".into(),
    }
}

/// The clause for a version that a guard waits for. `which` says what is wrong with it. In a forecast a server may serve it
/// until a moment that is still to come.
pub(super) fn outlived(world: &World<'_>, server: &Server, kind: Kind, span: &Span, which: &str) -> String {
    let ttl_s = world.lifetimes.ttl_s(server, kind, &span.served);
    let what = if kind == Kind::Delegation { "delegation".to_owned() } else { format!("{kind} RRset") };
    if server.who == Who::Registrar {
        return shown_for_registrar(world, kind, span, &format!("the {what} {which} (TTL {ttl_s} s)"));
    }
    let served = match span.until {
        Some(until) if until > world.now => format!("served by {server} until {until} at the earliest"),
        Some(until) => format!("last served by {server} at {until}"),
        None => format!("still served by {server}"),
    };
    format!("resolvers may still have cached the {what} {which} (TTL {ttl_s} s, {served})")
}

/// The clause for a set that Chorus shows, or showed, for the registrar, with what to do about it.
fn shown_for_registrar(world: &World<'_>, kind: Kind, span: &Span, what: &str) -> String {
    let Span { since, until, last_seen, .. } = span;
    let since = since.unwrap_or(span.first_seen);
    let Some(until) = until else {
        return format!(
            "the parent may publish {what} at any time, because Chorus has shown it for the registrar since {since}"
        );
    };
    let unseen = unseen_parent(world, kind, world.lifetimes.published_until(world.history, *until, kind));
    if *until <= world.now {
        return format!(
            "the parent may have published {what} until {until}; resolvers may still have cached it{unseen}"
        );
    }
    format!(
        "the parent may still publish {what} until {until}, because Chorus showed it for the registrar from {since} until \
         {last_seen}; check with the registrar, and if the request is cancelled, run `chorus zone registrar-cancelled {}`{unseen}",
        plain_text(world.zone)
    )
}

/// Which server of the parent has to be seen before this ends; `until`: when it ends, if none has to be.
pub(super) fn unseen_parent(world: &World<'_>, kind: Kind, until: Option<Time>) -> String {
    if until.is_some() {
        return String::new();
    }
    let trouble =
        |server| world.history.trouble(server, kind).filter(|trouble| trouble.failure != Failure::ServesChild);
    let unseen = world.parent_servers.iter().find_map(|server| Some((server, trouble(server)?)));
    let text = |(server, trouble): (&Server, &Trouble)| {
        format!("; Chorus has to see {server} first, which {} (first seen at {})", trouble.failure, trouble.since)
    };
    unseen.map(text).unwrap_or_default()
}

pub(super) fn key_list(keys: &RecordSet) -> String {
    keys.iter().map(key_label).collect::<Vec<_>>().join(", ")
}

pub(super) fn host_list(ns: &RecordSet) -> String {
    ns.iter().filter_map(|ns| ns_name(ns).ok()).map(|host| name_text(&host)).collect::<Vec<_>>().join(", ")
}

pub(super) fn names(operators: &[&String]) -> String {
    operators.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn describe_keys(with: &RecordSet, without: &RecordSet, served: &RecordSet) -> String {
    let added: RecordSet = with.difference(served).cloned().collect();
    match (added.is_empty(), without.is_empty()) {
        (_, true) => format!("DNSKEY set with {}", key_list(if added.is_empty() { with } else { &added })),
        (true, false) => format!("DNSKEY set without {}", key_list(without)),
        (false, false) => format!("DNSKEY set with {} and without {}", key_list(&added), key_list(without)),
    }
}
