//! Versions with the stretches of time in which a resolver may hold them.

use super::Scene;
use super::interval::Interval;
use super::reach::{self, Reach};
use crate::model::dns::{Ds, RecordSet};
use crate::model::history::{Kind, Served, Server, Span};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A version: seen, planned, or one that the parent may make out of a CDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub server: &'a Server,
    pub kind: Kind,
    pub served: Cow<'a, Served>,
    /// When the server may have shown it.
    pub served_in: Interval,
    pub planned: bool,
    /// For a DS set that the parent may publish: whose CDS or CDNSKEY asks for it, or that a person was given it.
    pub asked_at: Option<&'a Server>,
}

/// A version while some resolver may hold it.
#[derive(Clone, Debug)]
pub(super) struct Life<'a> {
    pub item: &'a Item<'a>,
    pub alive: Interval,
}

/// All versions that any server showed.
pub(super) fn seen<'a>(scene: &Scene<'a>) -> Vec<Item<'a>> {
    let tracks = scene.history.tracks().filter(|(server, _, _)| server.is_observed());
    tracks.flat_map(|(server, kind, track)| track.spans.iter().map(move |span| item(server, kind, span))).collect()
}

/// What was sent to an operator, and may be served any moment.
fn coming<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Item<'a>> {
    let tracks = scene.history.tracks();
    tracks.flat_map(|(server, kind, track)| {
        let spans = track.coming.iter().map(|coming| &coming.span);
        spans.map(move |span| Item { planned: true, ..item(server, kind, span) })
    })
}

/// The DS and NS sets that Chorus showed for the registrar: the parent may publish them at any moment.
fn shown_for_registrar<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Item<'a>> {
    let counts = !scene.lifetimes.without.leaves_out(Switch::RegistrarPending);
    let tracks = scene.history.tracks().filter(move |(server, _, _)| counts && !server.is_observed());
    tracks.flat_map(|(server, kind, track)| {
        let spans = track.spans.iter();
        spans.map(move |span| Item { asked_at: Some(server), ..item(server, kind, span) })
    })
}

/// What another server of the same owner showed, and this one may have.
pub(super) fn unseen_versions<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Item<'a>> {
    let tracks = scene.history.tracks();
    tracks.flat_map(|(server, kind, track)| track.unseen.iter().map(move |span| item(server, kind, span)))
}

fn item<'a>(server: &'a Server, kind: Kind, span: &'a Span) -> Item<'a> {
    Item {
        server,
        kind,
        served: Cow::Borrowed(&span.served),
        served_in: Interval { start: span.since.unwrap_or(Time::MIN), end: span.until.unwrap_or(Time::MAX) },
        planned: false,
        asked_at: None,
    }
}

/// All versions of the history, the planned ones, and those that the parent may make out of them; and when each operator
/// could be asked.
pub(super) fn items<'a>(scene: &Scene<'a>, planned: Vec<Item<'a>>) -> (Vec<Item<'a>>, Reach<'a>) {
    let mut items = seen(scene);
    if !scene.lifetimes.without.leaves_out(Switch::InFlight) {
        items.extend(coming(scene));
    }
    items.extend(unseen_versions(scene));
    items.extend(shown_for_registrar(scene));
    items.extend(planned);
    let reach = reach::reach(scene, &items);
    // None of them is a name server set: they change nothing in who can be asked.
    items.extend(reach::enactable(scene, &items, &reach));
    (items, reach)
}

/// When each of the items may be held by a resolver: while its server can be asked and shows it, and until it is dead.
pub(super) fn lives<'a>(scene: &Scene<'_>, items: &'a [Item<'a>], reach: &Reach<'_>) -> Vec<Life<'a>> {
    let mut lives = Vec::new();
    for item in items {
        lives.extend(reach::held_in(scene, reach, item).into_iter().map(|alive| Life { item, alive }));
    }
    lives
}

/// The keys that a DS set stands for, by tag and algorithm; the digest types are the parent's choice (RFC 9975).
pub(super) fn keys_asked(set: &RecordSet) -> BTreeSet<(u16, u8)> {
    set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect()
}
