//! What the parent was asked for and does not show yet, and since when it shows it: how long it takes is measured by this.
//!
//! Invariant: a request counts from the moment at which every address served it, and as done at the first moment at which
//! every server of the parent showed it; both as they were seen. Nothing that is decided depends on it.

use super::decision::Decision;
use super::ladder::is_present;
use super::view::World;
use crate::model::dns::{Ds, RecordSet};
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that the parent is to do by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// [`Kind::Ds`], by CDS, or [`Kind::Delegation`], by CSYNC.
    pub what: Kind,
    /// The CDS set, or the NS set.
    pub wanted: RecordSet,
    /// When every address served the request.
    pub at: Time,
}

/// What is awaited of a parent that looks by itself.
pub fn asked(world: &World<'_>, decision: &Decision) -> Vec<Asked> {
    let awaited = decision.waits.iter().filter(|wait| wait.code == PENDING);
    let kinds: BTreeSet<Kind> = awaited.filter_map(|wait| wait.step.at_the_parent()).collect();
    let request = |what: Kind| {
        let (by, wanted) = if what == Kind::Ds { (Kind::Cds, Kind::Cds) } else { (Kind::Csync, Kind::Ns) };
        let (_, at) = served_by_all(world, by)?;
        let (wanted, _) = served_by_all(world, wanted)?;
        // What waits for a record beyond that set is somebody else's doing.
        Some(Asked { what, wanted: wanted.clone(), at }).filter(|asked| acted(world, asked).is_none())
    };
    kinds.into_iter().filter_map(request).collect()
}

/// Since when every server of the parent shows what was asked for, if they do.
pub fn acted(world: &World<'_>, asked: &Asked) -> Option<Time> {
    let is_it = |set: &RecordSet| match asked.what {
        // It may take other digests, or fewer, of the same keys.
        Kind::Ds => ds_keys(set) == ds_keys(&asked.wanted),
        _ => *set == asked.wanted,
    };
    let since = |server: &Server| shows_since(world, server, asked.what, is_it);
    let since: Option<Vec<Time>> = world.parent_servers.iter().map(since).collect();
    since?.into_iter().max()
}

/// The keys that a DS or CDS set is for, by their tags and algorithms.
pub(super) fn ds_keys(set: &RecordSet) -> BTreeSet<(u16, u8)> {
    set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect()
}

/// The set that every address of every operator serves, and since when all do.
fn served_by_all<'a>(world: &World<'a>, kind: Kind) -> Option<(&'a RecordSet, Time)> {
    let present = world.members.iter().filter(|(name, _)| is_present(world, name) && !world.takes_no_updates(name));
    let servers: Vec<&Server> = present.flat_map(|(_, member)| &member.servers).collect();
    let set = &world.history.current(servers.first()?, kind)?.served.records;
    let since: Option<Vec<Time>> =
        servers.iter().map(|server| shows_since(world, server, kind, |other| other == set)).collect();
    Some((set, since?.into_iter().max()?))
}

/// Since when an address shows nothing but sets that `is_it` accepts; `None` if the newest is none of them.
fn shows_since(world: &World<'_>, server: &Server, kind: Kind, is_it: impl Fn(&RecordSet) -> bool) -> Option<Time> {
    let spans = &world.history.track(server, kind)?.spans;
    let shown = spans.iter().rev().take_while(|span| is_it(&span.served.records));
    shown.last().map(|span| span.first_seen)
}

/// As `wait_for_parent` has it: a parent that a person has to tell is not measured.
const PENDING: &str = "parent-pending";
