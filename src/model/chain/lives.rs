//! Versions with the stretches of time in which a resolver may hold them.

use super::interval::Interval;
use super::{Scene, reach};
use crate::model::dns::{Ds, RecordSet};
use crate::model::history::{Kind, Served, Server, Who};
use crate::model::time::Time;
use std::collections::BTreeSet;

/// A version: seen, planned, or one that the parent may make out of a CDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub server: Server,
    pub kind: Kind,
    pub served: Served,
    /// When the server may have shown it.
    pub served_in: Interval,
    pub planned: bool,
    /// For a DS set that the parent may publish: whose CDS or CDNSKEY asks for it.
    pub asked_at: Option<Server>,
}

/// A version while some resolver may hold it.
#[derive(Clone, Debug)]
pub(super) struct Life<'a> {
    pub item: &'a Item,
    pub alive: Interval,
}

/// All versions of the history, and the planned ones.
pub(super) fn items(scene: &Scene<'_>, planned: Vec<Item>) -> Vec<Item> {
    let seen = scene.history.tracks().flat_map(|(server, kind, track)| {
        track.spans.iter().map(move |span| Item {
            server: server.clone(),
            kind,
            served: span.served.clone(),
            served_in: Interval { start: span.since.unwrap_or(Time::MIN), end: span.until.unwrap_or(Time::MAX) },
            planned: false,
            asked_at: None,
        })
    });
    let mut items: Vec<Item> = seen.chain(planned).collect();
    let reach = reach::reach(scene, &items);
    items.extend(reach::enactable(scene, &items, &reach));
    items
}

/// When each of the items may be held by a resolver: while its server can be asked and shows it, and until it is dead.
pub(super) fn lives<'a>(scene: &Scene<'_>, items: &'a [Item]) -> Vec<Life<'a>> {
    let reach = reach::reach(scene, items);
    let mut lives = Vec::new();
    for item in items {
        let exposed = match &item.server.who {
            Who::Parent => vec![item.served_in],
            Who::Operator(name) => reach.get(name).map(|r| r.within(item.served_in)).unwrap_or_default(),
        };
        lives.extend(exposed.into_iter().map(|exposed| {
            let end = scene.lifetimes.death_after(exposed.end, &item.server, item.kind, &item.served);
            Life { item, alive: Interval { start: exposed.start, end } }
        }));
    }
    lives
}

/// Whether two DS sets stand for the same keys; the digest types are the parent's choice (RFC 9975).
pub(super) fn same_keys_asked(a: &RecordSet, b: &RecordSet) -> bool {
    let keys =
        |set: &RecordSet| set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect::<BTreeSet<_>>();
    keys(a) == keys(b)
}
