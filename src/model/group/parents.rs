//! A parent's server that has a copy of the child zone: it never shows the delegation, and resolvers that ask the parent
//! there are answered from the copy at once (RFC 1034 §4.3.2).
//!
//! Invariant: such a copy counts as one of the child's servers, which resolvers can query as long as they query the parent there.

use super::guards::Guard;
use super::say::{key_label, outlived};
use super::view::{Shown, World};
use crate::model::dns::{RecordSet, plain_text};
use crate::model::history::{Failure, Kind, Server, Span, Who};
use crate::model::switches::Switch;
use std::collections::BTreeSet;

/// The code of everything that is said of such servers.
pub const PARENT_SERVES_ZONE: &str = "parent-serves-zone";

impl<'a> World<'a> {
    /// Whether a parent's server answers with a copy of the child where a referral belongs.
    pub fn serves_child(&self, server: &Server) -> bool {
        let trouble = self.history.trouble(server, Kind::Delegation);
        trouble.is_some_and(|trouble| trouble.failure == Failure::ServesChild)
    }

    /// The parent's servers that have a copy of the child, whether or not the delegation is known in another way.
    pub fn with_copies(&self) -> Vec<&'a Server> {
        let has = |server: &&Server| {
            let mut kinds = Kind::COPY.iter();
            kinds.any(|kind| self.history.current(server, *kind).is_some()) || self.serves_child(server)
        };
        self.parent_servers.iter().filter(has).collect()
    }

    /// The parent's servers that the delegation is seen at: those that serve the child themselves are left out as long as
    /// any other is there.
    pub fn delegating(&self) -> Vec<Server> {
        let refers: Vec<Server> =
            self.parent_servers.iter().filter(|server| !self.serves_child(server)).cloned().collect();
        if refers.is_empty() { self.parent_servers.to_vec() } else { refers }
    }

    /// Whether every server of the parent that can show the delegation shows one that `good` accepts.
    pub fn delegation_shown(&self, good: impl Fn(&Span) -> bool) -> Shown {
        self.shown(&self.delegating(), Kind::Delegation, |_, span| good(span))
    }

    /// Whether no server of the parent shows a delegation, because each of them serves the child itself.
    pub fn delegation_is_hidden(&self) -> bool {
        !self.parent_servers.is_empty() && self.parent_servers.iter().all(|server| self.serves_child(server))
    }

    /// Whether the delegation that counts is the one that a person has confirmed, because each server of the parent has a copy
    /// of the zone. No server shows when it changes.
    pub fn delegation_is_confirmed(&self) -> bool {
        let confirmed = self.lifetimes.policy.confirmed_delegation();
        let copies = self.with_copies();
        let is_confirmed = |server: &Server| {
            let span = self.history.current(server, Kind::Delegation);
            copies.contains(&server) && span.is_some_and(|span| span.served.records == confirmed)
        };
        !confirmed.is_empty() && self.parent_servers.iter().all(is_confirmed)
    }

    /// Every version of the copies of the child at the parent's servers.
    fn copies(&self) -> impl Iterator<Item = (Kind, &'a Server, &'a Span)> + use<'a> {
        let world = *self;
        let left_out = self.leaves_out(Switch::ParentCopy);
        let kinds = Kind::COPY.into_iter().filter(move |_| !left_out);
        let of = move |kind| world.may_be_served(kind).map(move |(server, span)| (kind, server, span));
        kinds.flat_map(of).filter(|(_, server, _)| server.who == Who::Parent)
    }
}

/// The command by which a person confirms the delegation that is wanted.
pub(super) fn confirm_command(world: &World<'_>) -> String {
    let hosts: BTreeSet<String> = world
        .serving()
        .filter_map(|operator| world.member(operator))
        .flat_map(|member| member.hosts.iter().map(plain_text))
        .collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    format!("chorus zone policy {} --delegation {}", plain_text(world.zone), hosts.join(","))
}

/// Makes the last question wait for copies of the leaver's zone at the parent's servers, and for a delegation to be seen.
pub(super) fn no_copy_leads_to(world: &World<'_>, leaver: &str, guard: &mut Guard) {
    let own = world.own_keys(leaver);
    for (kind, server, span) in world.copies() {
        let of_leaver = !span.served.signers.is_disjoint(&own);
        let names_it = kind == Kind::Ns && world.names(&span.served.records, leaver);
        if !of_leaver && !names_it {
            continue;
        }
        guard.and_coded(PARENT_SERVES_ZONE, kind, world.lifetimes.death(server, kind, span), || {
            let what = if of_leaver { format!("that {leaver} signed") } else { format!("that names {leaver}") };
            outlived(world, server, kind, span, &format!("{what}, in the copy of the zone at a server of the parent"))
        });
    }
    if world.delegation_is_hidden() && !world.leaves_out(Switch::Delegation) {
        guard.and_coded(PARENT_SERVES_ZONE, Kind::Delegation, None, || {
            format!(
                "no server of the parent shows the delegation, for each serves the zone itself; let one of them transfer the \
                 parent zone to Chorus, or confirm the delegation without {leaver} once the registrar has it: `{}`",
                confirm_command(world)
            )
        });
    }
}

/// Makes a join wait for the copies' DNSKEY RRsets that lack one of the group's keys.
pub(super) fn copies_have_keys(world: &World<'_>, needed: &RecordSet, guard: &mut Guard) {
    for (kind, server, span) in world.copies().filter(|(kind, ..)| *kind == Kind::Dnskey) {
        if let Some(missing) = needed.difference(&span.served.records).next() {
            guard.and_coded(PARENT_SERVES_ZONE, kind, world.lifetimes.death(server, kind, span), || {
                outlived(
                    world,
                    server,
                    kind,
                    span,
                    &format!("without {}, in the copy at the parent", key_label(missing)),
                )
            });
        }
    }
}

/// Makes a key stay while a copy has answers that it signed.
pub(super) fn copies_not_signed_by(world: &World<'_>, key: &crate::model::dns::Rdata, guard: &mut Guard) {
    for (kind, server, span) in world.copies().filter(|(_, _, span)| span.served.signers.contains(key)) {
        guard.and_coded(PARENT_SERVES_ZONE, kind, world.lifetimes.death(server, kind, span), || {
            outlived(world, server, kind, span, &format!("that {} signed, in the copy at the parent", key_label(key)))
        });
    }
}
