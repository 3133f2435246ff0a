//! The ladder's upper half: who is named as name server, how the parent follows, and when leavers are gone.
//!
//! Invariant: a newcomer is named in its own zone first, a leaver is taken out everywhere at once, its own zone included;
//! and the parent is asked only for what every operator serves.

use super::Standing;
use super::dead_leavers::UNCOOPERATIVE;
use super::decision::{Change, Step};
use super::desired::csync;
use super::guards::{last_question, may_lose_ds, may_serve};
use super::ladder::{Ladder, TTL_UNKNOWN_S, is_admitted};
use super::say::{host_list, names};
use super::signatures::signatures_last;
use super::strangers::stranger;
use super::view::{Member, Shown};
use crate::model::dns::{RecordSet, ns_name, plain_text};
use crate::model::history::{Kind, Server};
use crate::model::switches::Switch;

impl Ladder<'_> {
    /// The NS set: newcomers in, under their guard, the newcomer's own zone first; then leavers out, everywhere at once; and
    /// the parent after each. Returns the set that the parent may have now.
    pub(super) fn name_servers(&mut self, ds_complete: bool) -> RecordSet {
        let world = &self.world.clone();
        if let Some(stranger) = stranger(world) {
            let text = format!("{stranger}: add it to the operator it belongs to, or take it out");
            self.wait(Step::NameServers, "ns-unexpected", text, None);
            return self.admitted();
        }
        let present: Vec<(&String, &Member)> = self.present();
        let named_everywhere = |op: &String| {
            present.iter().all(|(_, at)| {
                world.shown(&at.servers, Kind::Ns, |_, s| world.names(&s.served.records, op)) == Shown::Everywhere
            })
        };
        let joiners: Vec<&String> = world.serving().filter(|op| !named_everywhere(op)).collect();
        // By what was seen last: an answer that got lost must not bring a leaver back into the set.
        let names_last = |servers: &[Server], kind, op: &String| {
            servers.iter().all(|s| world.history.current(s, kind).is_some_and(|s| world.names(&s.served.records, op)))
        };
        let joins_done = world.serving().all(|op| {
            names_last(&world.delegating(), Kind::Delegation, op)
                && present.iter().all(|(_, at)| names_last(&at.servers, Kind::Ns, op))
        });
        let stepping_down = world.members.iter().filter(|(_, member)| member.wanted < Standing::Serving);
        let staying = stepping_down
            .map(|(op, _)| op)
            // Nobody is to be sent to one that is gone, for however long the others take.
            .filter(|op| !joins_done && is_admitted(world, op) && !world.is_lost(op));
        let target = world.ns_of(world.serving().chain(staying));
        if !joiners.is_empty() && !ds_complete {
            return self.admitted();
        }
        let newcomers: Vec<&String> = joiners.iter().copied().filter(|op| !is_admitted(world, op)).collect();
        if !joiners.is_empty() {
            let mut guard = may_serve(world, &joiners);
            newcomers.iter().for_each(|newcomer| signatures_last(world, newcomer, &mut guard));
            if !guard.is_open(world.now) {
                let who = if newcomers.is_empty() { &joiners } else { &newcomers };
                let text = format!("Waiting to add {} to the NS RRset: {}", names(who), guard.because);
                self.wait_for(Step::AwaitOldKeysAndDs, &guard, text);
                return self.admitted();
            }
        }
        if !self.hosts_can_be_found(&joiners, &target) {
            return self.admitted();
        }
        let shows_target = |at: &Member| world.shown(&at.servers, Kind::Ns, |_, span| span.served.records == target);
        if present.iter().any(|(_, at)| shows_target(at) != Shown::Everywhere) && !self.udp_is_answered() {
            return self.admitted();
        }
        let newcomers_first = world.leaves_out(Switch::NewcomerFirst)
            || newcomers.iter().all(|op| world.member(op).is_some_and(|at| shows_target(at) == Shown::Everywhere));
        let mut everywhere = true;
        let untold = |name: &String| {
            world.leaves_out(Switch::LeaverTold) && world.member(name).is_some_and(|at| at.wanted == Standing::Outside)
        };
        for (name, member) in &present {
            if untold(name) {
                continue;
            }
            let shown = shows_target(member);
            if shown == Shown::Everywhere {
                continue;
            }
            everywhere = false;
            if newcomers_first || newcomers.contains(name) {
                let ttl_s = world.served_ttl_s(name, Kind::Ns).unwrap_or(TTL_UNKNOWN_S);
                let why = format!("name servers {}", host_list(&target));
                self.bring_about(
                    Step::NameServers,
                    name,
                    shown,
                    vec![(Kind::Ns, ttl_s, Change::Exactly(target.clone()))],
                    why,
                );
            }
        }
        if !everywhere && !world.leaves_out(Switch::NsComplete) {
            return self.admitted();
        }
        self.delegation(&target);
        target
    }

    /// The name servers that may be asked already: what the parent can go on delegating to without any change.
    pub(super) fn admitted(&self) -> RecordSet {
        self.world.ns_of(self.world.members.keys().filter(|op| is_admitted(&self.world, op)))
    }

    /// The parent follows by CSYNC, or a person sees to it; the CSYNC goes when every parent server has the set.
    fn delegation(&mut self, target: &RecordSet) {
        let world = &self.world.clone();
        let moved = world.delegation_shown(|span| span.served.records == *target);
        let done = moved == Shown::Everywhere && self.glue_has_followed(target);
        let wanted = if done || !world.parent_follows_csync() {
            RecordSet::new()
        } else {
            csync(world.zone, target.iter().filter_map(|ns| ns_name(ns).ok()))
        };
        let mut asked = true;
        // Whom the parent does not ask yet comes first, as with CDS: it acts when the last of those whom it asks is written,
        // and no write may be left half done then, by a crash, that nobody wants any more once it has acted.
        let mut present = self.present();
        present.sort_by_key(|(name, _)| world.is_delegated_to(name));
        for (name, member) in present {
            let shown = world.shown(&member.servers, Kind::Csync, |_, span| span.served.records == wanted);
            if shown != Shown::Everywhere {
                asked = false;
                let ttl_s = world.served_ttl_s(name, Kind::Ns).unwrap_or(TTL_UNKNOWN_S);
                let why = if wanted.is_empty() { "CSYNC withdrawn" } else { "CSYNC for the new name servers" };
                self.bring_about(
                    Step::AwaitDelegation,
                    name,
                    shown,
                    vec![(Kind::Csync, ttl_s, Change::Exactly(wanted.clone()))],
                    why.into(),
                );
            }
        }
        if asked && moved != Shown::Everywhere {
            self.wait_for_parent(Step::AwaitDelegation, &moved, "delegation", &format!("names {}", host_list(target)));
        }
    }

    /// What a leaver is still kept for.
    pub(super) fn let_leavers_go(&mut self) {
        let world = &self.world.clone();
        for leaver in world.leavers() {
            let last = last_question(world, leaver);
            let ds = may_lose_ds(world, leaver);
            if world.takes_no_updates(leaver) && !world.is_lost(leaver) && !last.is_open(world.now) {
                self.report_keys_that_it_lacks(leaver);
            }
            if !last.is_open(world.now) {
                if last.from.is_some() {
                    let text = format!("Waiting until resolvers no longer query {leaver}: {}", last.because);
                    self.wait_for(Step::AwaitLastQuestion, &last, text);
                } else if self.writes.is_empty() && self.waits.is_empty() {
                    // Mostly an earlier step says what is missing. Where none does, silence would pass for being settled,
                    // and the leaver be forgotten while it is asked.
                    let mut text = format!("Waiting until resolvers no longer query {leaver}: {}", last.because);
                    let mut code = last.code;
                    if world.takes_no_updates(leaver) {
                        code = UNCOOPERATIVE;
                        text.push_str(&format!(
                            "; {leaver} takes no updates, and resolvers that hold its NS RRset may query it again and again: its keys \
                             and its DS stay, and no other operator may roll keys, until {leaver} no longer serves {}",
                            plain_text(world.zone)
                        ));
                        if world.is_silent(leaver) {
                            text.push_str(&format!(
                                "; it does not answer now: if it is gone for good, run `chorus zone leave {} {leaver} --unreachable`",
                                plain_text(world.zone)
                            ));
                        }
                    }
                    self.wait(Step::AwaitLastQuestion, code, text, None);
                }
            } else if !ds.is_open(world.now) {
                let text = format!("Keeping the DS of {leaver}: {}", ds.because);
                self.wait_for(Step::AwaitLeaverKeys, &ds, text);
            }
        }
    }
}
