//! What a person is shown for the registrar: DS and NS sets that the parent may have now.

use super::addresses::GLUE_DIFFERS;
use super::decision::{Decision, Step};
use super::guards::REGISTRAR_PENDING;
use super::ladder::Ladder;
use super::parents::PARENT_SERVES_ZONE;
use super::say::outlived;
use super::view::{ParentMode, World};
use crate::model::dns::{RecordSet, cds_for};
use crate::model::history::{Kind, RegistrarRequest, is_same_request};
use crate::model::switches::Switch;
use crate::model::time::Time;

/// What a wait says for a parent that a person has to tell.
const BY_HAND: [&str; 2] = ["parent-manual", "parent-silent-server"];

/// Whether a wait with this code shows a person what to hand in at the registrar. `until`: its end, if time alone ends it.
pub fn is_by_hand(code: &str, until: Option<Time>, parent: ParentMode) -> bool {
    let asks =
        BY_HAND.contains(&code) || parent == ParentMode::Manual && [GLUE_DIFFERS, PARENT_SERVES_ZONE].contains(&code);
    asks && until.is_none()
}

/// What this decision shows a person for the registrar and the parent does not have: of each kind a set, where there is one.
pub fn shown_for_registrar(world: &World<'_>, decision: &Decision) -> Vec<(Kind, RecordSet)> {
    if !decision.waits.iter().any(|wait| is_by_hand(wait.code, wait.until, world.parent)) {
        return Vec::new();
    }
    let ds = cds_for(world.zone, &decision.parent_ds_keys, &[2]);
    let mut sets = vec![(Kind::Ds, ds), (Kind::Delegation, decision.parent_ns.clone())];
    sets.retain(|(kind, records)| !records.is_empty() && !has_already(world, *kind, records));
    sets
}

/// The sets that Chorus showed for the registrar and no longer shows, and that the parent may still publish or caches may hold.
pub fn pending_requests<'a>(world: &World<'a>) -> Vec<RegistrarRequest<'a>> {
    let may_live = |kind, since| {
        let mut spans =
            world.of_parent(kind).filter(|(server, span)| !server.is_observed() && span.first_seen == since);
        spans.any(|(server, span)| world.death(server, kind, span).is_none_or(|death| death > world.now))
    };
    let requests = world.history.registrar_requests();
    requests.filter(|request| request.until.is_some() && may_live(request.kind, request.since)).collect()
}

/// Whether each of the parent's servers had this set when it was last seen: there is nothing to hand in.
pub fn has_already(world: &World<'_>, kind: Kind, records: &RecordSet) -> bool {
    let mut seen = world.parent_servers.iter().filter_map(|server| world.history.current(server, kind)).peekable();
    seen.peek().is_some() && seen.all(|span| is_same_request(kind, &span.served.records, records))
}

impl Ladder<'_> {
    /// A user may still hand in a set that Chorus showed for the registrar. Unless it is the wanted set, the transition does not
    /// end before that time is over.
    pub(super) fn wait_for_the_registrar(&mut self, ds_keys: &RecordSet, ns: &RecordSet) {
        let world = self.world;
        if world.leaves_out(Switch::RegistrarPending) {
            return;
        }
        let ds = cds_for(world.zone, ds_keys, &[2]);
        for (server, kind, span) in Kind::PARENT.into_iter().flat_map(|kind| {
            let shown = world.of_parent(kind).filter(|(server, _)| !server.is_observed());
            shown.map(move |(server, span)| (server, kind, span))
        }) {
            let wanted = if kind == Kind::Ds { &ds } else { ns };
            let Some(until) = span.until.filter(|until| *until > world.now) else { continue };
            if is_same_request(kind, wanted, &span.served.records) {
                continue;
            }
            let (step, which) = match kind {
                Kind::Ds => (Step::AwaitDsGone, "with keys that are not wanted any more"),
                _ => (Step::AwaitDelegation, "to name servers that are not wanted any more"),
            };
            let why = outlived(&world, server, kind, span, which);
            let text = format!("Waiting until the parent can no longer publish an unwanted DS or NS set: {why}");
            self.wait(step, REGISTRAR_PENDING, text, Some(until));
        }
    }
}
