//! The ladder: from what is observed and what is desired to the next writes, or to what is waited for.
//!
//! Invariant: a pure function of the world. Steps are not remembered; each looks whether what it is for has been seen, so
//! that a join, a leave, an undo, a repair after somebody's hand and a key roll are all the same code.

use super::Standing;
use super::algorithm::{algorithm_name, algorithms_of};
use super::decision::{Change, Decision, Step, Wait, Write};
use super::desired::placed_keys;
use super::farewell::farewells;
use super::guards::{Guard, last_question, may_lose_ds, may_lose_key, still_vouching};
use super::missing::missing;
use super::parents::{PARENT_SERVES_ZONE, confirm_command};
use super::reachable::{fading_until, found_by};
use super::reached::{NO_ROUTE, NO_ROUTE_FIX};
use super::roles::UNSUPPORTED;
use super::say::{describe_keys, key_label};
use super::standing::standing;
use super::view::{Member, Memo, ParentMode, Shown, World};
use super::whose::shared_keys;
use crate::model::dns::{RecordSet, plain_text};
use crate::model::history::{Kind, Server};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// TTL for a set that an operator has never served, when nothing else of it tells one.
pub(super) const TTL_UNKNOWN_S: u32 = 3600;

/// What to do next, and what is waited for.
pub fn decide(world: &World<'_>) -> Decision {
    let memo = Memo::of(world.members);
    let world = &World { memo: Some(&memo), ..*world };
    let mut ladder = Ladder { world: *world, writes: Vec::new(), waits: Vec::new() };
    let (parent_ds_keys, parent_ns) = ladder.climb();
    if world.paused && ladder.writes.is_empty() && ladder.waits.is_empty() {
        ladder.wait_for_the_resume();
    }
    if ladder.writes.is_empty() && ladder.waits.is_empty() {
        ladder.wait_for_the_registrar(&parent_ds_keys, &parent_ns);
    }
    let Ladder { writes, mut waits, .. } = ladder;
    let mut writes = world.within_scope(writes);
    if !writes.is_empty() || !waits.is_empty() {
        // The end does not wait for it.
        writes.extend(farewells(world));
    }
    let missing = missing(world);
    // What a repair is needed for is said once.
    waits.retain(|wait| !(wait.code.starts_with("parent-") && missing.iter().any(|item| item.step == wait.step)));
    waits.extend(missing);
    waits.sort_by_key(|wait| wait.step);
    let steps = writes.iter().map(|write| write.step).chain(waits.iter().map(|wait| wait.step));
    Decision {
        step: steps.min().unwrap_or(Step::Settled),
        standings: world.members.keys().map(|name| (name.clone(), standing(world, name))).collect(),
        writes,
        waits,
        parent_ds_keys,
        parent_ns,
    }
}

/// Whether an operator takes part: all but leavers whom nobody can ask any more. Those need not be asked by us either.
pub fn is_present(world: &World<'_>, operator: &str) -> bool {
    world
        .member(operator)
        .is_some_and(|member| member.wanted >= Standing::Trusted || !last_question(world, operator).is_open(world.now))
}

/// Whether an operator may be asked already, because the parent or another operator names it.
pub fn is_admitted(world: &World<'_>, operator: &str) -> bool {
    let others = world.members.iter().filter(|(name, _)| *name != operator && is_present(world, name));
    let named = |server: &Server, kind| {
        let now = world.history.current(server, kind).into_iter();
        let coming = world.history.coming(server, kind).iter().map(|coming| &coming.span);
        let coming = coming.filter(|_| !world.leaves_out(Switch::InFlight));
        now.chain(coming).any(|span| world.names(&span.served.records, operator))
    };
    world.parent_servers.iter().any(|server| named(server, Kind::Delegation))
        || others.flat_map(|(_, at)| &at.servers).any(|server| named(server, Kind::Ns))
}

pub(super) struct Ladder<'a> {
    pub(super) world: World<'a>,
    pub(super) writes: Vec<Write>,
    pub(super) waits: Vec<Wait>,
}

/// What is written of the members' keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Only what makes answers valid: while it is not known what an operator signs with, none of its keys goes.
    Added,
    AddedAndRemoved,
}

impl<'a> Ladder<'a> {
    fn climb(&mut self) -> (RecordSet, RecordSet) {
        let mut ds_keys = self.world.desired().flat_map(|op| self.world.key_signing_keys(op)).collect::<RecordSet>();
        for leaver in self.world.leavers() {
            if !may_lose_ds(&self.world, leaver).is_open(self.world.now) {
                ds_keys.extend(self.ds_keys_of_leaver(leaver));
            }
        }
        if let Some(to) = self.world.algorithm {
            self.roll_algorithm(to, &mut ds_keys);
        }
        self.keep_what_vouches(&mut ds_keys);
        self.hold_algorithms_back(&mut ds_keys);
        let ns = self.admitted();
        self.report_delete_requests();
        if !self.every_member_is_signed() {
            // One operator's trouble is no reason that resolvers fail by a rollover of another one.
            if shared_keys(&self.world).is_empty() {
                self.share_keys(Keys::Added);
            }
            return (ds_keys, ns);
        }
        if !self.keys_are_apart() {
            return (ds_keys, ns);
        }
        let keys_shared = self.share_keys(Keys::AddedAndRemoved);
        if keys_shared || self.world.leaves_out(Switch::KeysShared) {
            let ds_complete = self.ask_for_ds(&ds_keys);
            let ns = self.name_servers(ds_complete);
            self.let_leavers_go();
            self.udp_is_answered();
            return (ds_keys, ns);
        }
        self.put_back_cds(&ds_keys);
        (ds_keys, ns)
    }

    /// What a pause holds back is not done, though nothing is written and nothing else is waited for.
    fn wait_for_the_resume(&mut self) {
        let free = decide(&World { paused: false, ..self.world });
        if let Some(write) = free.writes.first() {
            let text = format!("paused; to be written at {} when it is resumed: {}", write.operator, write.why);
            self.wait(write.step, "paused", text, None);
        } else if let Some(wait) = free.waits.into_iter().next() {
            let text = format!("paused; awaited meanwhile: {}", wait.text);
            self.wait(wait.step, "paused", text, wait.until);
        }
    }

    /// The DS of a key that its operator gave up stays as long as a cache may hold a DNSKEY set that no other DS vouches for.
    fn keep_what_vouches(&mut self, ds_keys: &mut RecordSet) {
        for (key, guard) in still_vouching(&self.world, ds_keys) {
            if !guard.is_open(self.world.now) {
                let text = format!("Keeping the DS of {}: {}", key_label(&key), guard.because);
                self.wait_for(Step::AwaitLeaverKeys, &guard, text);
                ds_keys.insert(key);
            }
        }
    }

    /// In a zone that is not signed by all its operators, or with different algorithms, nothing is written but the keys of the
    /// others: no CDS and no NS RRset would be right (RFC 4035 §2.2).
    fn every_member_is_signed(&mut self) -> bool {
        let mut algorithms: BTreeMap<BTreeSet<u8>, &str> = BTreeMap::new();
        // What an operator that takes no updates does with its own zone must not keep Chorus from taking it out.
        let written = self.world.members.iter().filter(|(name, _)| !self.world.takes_no_updates(name));
        for (name, member) in written {
            let own = self.world.own_keys(name);
            // Nothing was ever seen of a newcomer that is not wanted any more, and nobody is going to ask it.
            if own.is_empty() && !is_present(&self.world, name) {
                continue;
            }
            if own.is_empty() {
                let shown = self.world.shown(&member.servers, Kind::Dnskey, |_, span| !span.served.records.is_empty());
                match shown {
                    Shown::Unknown(server, why) => self.unreachable(Step::ShareKeys, name, &server, &why),
                    _ => self.wait(
                        Step::ShareKeys,
                        "operator-unsigned",
                        format!("{name} serves no DNSKEY of its own: its zone is not signed"),
                        None,
                    ),
                }
                return false;
            }
            // In a roll of the whole group each comes to the new algorithm, and leaves the old one, in its own time.
            let mut used = algorithms_of(&self.world, name);
            if let Some(to) = self.world.algorithm {
                used.remove(&to);
                if used.is_empty() {
                    continue;
                }
            }
            algorithms.insert(used, name);
        }
        if algorithms.len() > 1 {
            let used =
                |used: &BTreeSet<u8>| used.iter().map(|one| algorithm_name(*one)).collect::<Vec<_>>().join(" and ");
            let each: Vec<String> =
                algorithms.iter().map(|(algorithms, name)| format!("{name} signs with {}", used(algorithms))).collect();
            let text = format!(
                "the operators use different algorithms: {}; until all use the same, nothing is written but keys, and those only where \
                 the DNSKEY RRset has a key of their algorithm already",
                each.join(", ")
            );
            self.wait(Step::ShareKeys, "algorithm-mismatch", text, None);
            return false;
        }
        true
    }

    /// Where two operators sign with the same keys, there is one signer, and nothing that Chorus could write is right.
    fn keys_are_apart(&mut self) -> bool {
        let shared = shared_keys(&self.world);
        for pair in &shared {
            self.wait(Step::ShareKeys, "keys-shared", format!("{}; {}", pair.text(), pair.fix(self.world.zone)), None);
        }
        shared.is_empty()
    }

    /// Puts every member's keys into every other's DNSKEY set, and takes out those that nothing needs any more. True when
    /// every address shows all of the keys.
    fn share_keys(&mut self, keys: Keys) -> bool {
        let world = &self.world.clone();
        let mut shared = true;
        let signed = self.present().into_iter().filter(|(name, _)| !world.own_keys(name).is_empty());
        for (name, member) in signed {
            let mut with = placed_keys(world, name);
            let mut without = RecordSet::new();
            let served = world.served(name, Kind::Dnskey);
            let placed = member.placements.get(&Kind::Dnskey).cloned().unwrap_or_default();
            let leaving: RecordSet = world.leavers().filter(|l| *l != name).flat_map(|l| world.own_keys(l)).collect();
            let wanted_by_desired: RecordSet = world.desired().flat_map(|op| world.own_keys(op)).collect();
            let orphans = placed.iter().filter(|key| !with.contains(*key)).cloned();
            let going: RecordSet = leaving.difference(&wanted_by_desired).cloned().chain(orphans).collect();
            for key in going.intersection(&served.union(&with).cloned().collect()) {
                let guard = may_lose_key(world, key, name);
                if guard.is_open(world.now) {
                    with.remove(key);
                    if self.world.paused || keys == Keys::Added {
                        continue;
                    }
                    if served.contains(key) && !world.own_keys(name).contains(key) {
                        without.insert(key.clone());
                    }
                } else {
                    let text = format!("Keeping {} in the DNSKEY RRset at {name}: {}", key_label(key), guard.because);
                    self.wait_for(Step::AwaitLeaverAnswers, &guard, text);
                }
            }
            let shown = world.shown(&member.servers, Kind::Dnskey, |_, span| {
                with.is_subset(&span.served.records) && without.is_disjoint(&span.served.records)
            });
            let complete = matches!(shown, Shown::Everywhere);
            let has_all = world.shown(&member.servers, Kind::Dnskey, |_, span| with.is_subset(&span.served.records));
            // What is still to be taken out holds nothing up; what is missing does, whatever else is wrong there.
            let lacks = |server: &Server| {
                world.history.current(server, Kind::Dnskey).is_none_or(|span| !with.is_subset(&span.served.records))
            };
            // A set without those keys may be on its way; it takes nothing out that has to be there.
            let only_takes_out = !without.is_empty() && !member.servers.iter().any(lacks);
            let goes = has_all == Shown::Everywhere || only_takes_out;
            let step = if goes { Step::AwaitLeaverAnswers } else { Step::ShareKeys };
            shared &= has_all == Shown::Everywhere;
            if !complete {
                let why = describe_keys(&with, &without, &served);
                let ttl_s = world.served_ttl_s(name, Kind::Dnskey).unwrap_or(TTL_UNKNOWN_S);
                self.bring_about(step, name, shown, vec![(Kind::Dnskey, ttl_s, Change::Partly { with, without })], why);
            }
        }
        shared
    }

    pub(super) fn present(&self) -> Vec<(&'a String, &'a Member)> {
        let takes_part = |name: &str| is_present(&self.world, name) && !self.world.takes_no_updates(name);
        self.world.members.iter().filter(|(name, _)| takes_part(name)).collect()
    }

    pub(super) fn bring_about(
        &mut self,
        step: Step,
        operator: &str,
        shown: Shown,
        sets: Vec<(Kind, u32, Change)>,
        why: String,
    ) {
        if self.world.paused && !sets.iter().all(|(kind, _, change)| goes_on_in_a_pause(*kind, change)) {
            self.wait(step, "paused", format!("paused; to be written at {operator} when it is resumed: {why}"), None);
            return;
        }
        let missing_at = match shown {
            Shown::Everywhere => return,
            Shown::NotAt(servers) => servers,
            Shown::Unknown(server, trouble) => {
                self.unreachable(step, operator, &server, &trouble);
                vec![server]
            }
        };
        self.writes.push(Write { step, operator: operator.to_owned(), sets, why, missing_at, is_courtesy: false });
    }

    pub(super) fn unreachable(&mut self, step: Step, operator: &str, server: &Server, trouble: &str) {
        if let Some(until) = fading_until(&self.world, server) {
            let text = format!(
                "{operator}: {server} {trouble}; no name server's name leads there any more, and caches may send resolvers \
                 there until {until}"
            );
            self.wait(step, "guard-address", text, Some(until));
            return;
        }
        if self.world.has_no_route(server) {
            self.wait(step, NO_ROUTE, format!("{operator}: {server} {trouble}; {NO_ROUTE_FIX}"), None);
            return;
        }
        let mut text = format!("{operator}: {server} {trouble}; what it served last counts as still served");
        if let Some(source) = found_by(&self.world, server) {
            text.push_str(&format!(
                "; {operator} was not given this address, and resolvers are sent there by {source}: let it serve the zone, or \
                 take the address out there"
            ));
        }
        let beyond_us = self.world.is_beyond_us(server);
        if self.world.is_silent(operator) && !beyond_us {
            let zone = plain_text(self.world.zone);
            text.push_str(&format!("; if it is gone for good: `chorus zone leave {zone} {operator} --unreachable`"));
        }
        self.wait(step, if beyond_us { UNSUPPORTED } else { "operator-unreachable" }, text, None);
    }

    pub(super) fn wait_for_parent(&mut self, step: Step, shown: &Shown, what: &str, wanted: &str) {
        match shown {
            Shown::Everywhere => {}
            Shown::Unknown(server, _) if self.delegation_is_hidden(shown) => {
                let text = format!(
                    "Waiting until the delegation {wanted}: the parent's server {server} serves the zone itself, and none shows \
                     the delegation; let one of them transfer the parent zone to Chorus, or confirm the delegation once the \
                     registrar has it: `{}`",
                    confirm_command(&self.world)
                );
                self.wait(step, PARENT_SERVES_ZONE, text, None);
            }
            Shown::NotAt(_) if step == Step::AwaitDelegation && self.world.delegation_is_confirmed() => {
                let text = format!(
                    "Waiting until the delegation {wanted}: each server of the parent serves the zone itself, and what counts is \
                     the delegation that you confirmed last; once the parent has the new one, confirm it: `{}`",
                    confirm_command(&self.world)
                );
                self.wait(step, PARENT_SERVES_ZONE, text, None);
            }
            Shown::Unknown(server, trouble) if self.world.has_no_route(server) => {
                let text = format!("the parent's server {server} {trouble}; {NO_ROUTE_FIX}");
                self.wait(step, NO_ROUTE, text, None);
            }
            Shown::Unknown(server, trouble) => {
                self.wait(step, "parent-unreachable", format!("the parent's server {server} {trouble}"), None)
            }
            Shown::NotAt(servers) => {
                let at: Vec<String> = servers.iter().map(Server::to_string).collect();
                let (code, who) = match self.world.parent {
                    ParentMode::Scan if self.world.delegation_is_silent() => (
                        "parent-manual",
                        "none of the name servers that the parent delegates to answers, and it asks no others: you have to tell \
                         the registrar; until the parent's",
                    ),
                    ParentMode::Scan if step == Step::AwaitDelegation && !self.world.parent_follows_csync() => (
                        "parent-manual",
                        "the parent does not process CSYNC: you have to tell the registrar; until the parent's",
                    ),
                    ParentMode::Scan if self.world.uncooperative_and_delegated().is_some() => {
                        let leaver = self.world.uncooperative_and_delegated().unwrap_or_default();
                        let text = format!(
                            "the parent asks {leaver} as well, which takes no updates, and does not act as long as {leaver} asks for \
                             nothing: you have to tell the registrar; until the parent's {what} {wanted}; not yet at {}",
                            at.join(", ")
                        );
                        return self.wait(step, "parent-manual", text, None);
                    }
                    ParentMode::Scan => match self.world.silent_and_delegated() {
                        Some(text) => {
                            let text =
                                format!("{text}; until the parent's {what} {wanted}; not yet at {}", at.join(", "));
                            return self.wait(step, "parent-silent-server", text, None);
                        }
                        None => ("parent-pending", "until the parent's"),
                    },
                    ParentMode::Manual => ("parent-manual", "you have to tell the registrar; until the parent's"),
                };
                self.wait(step, code, format!("{who} {what} {wanted}; not yet at {}", at.join(", ")), None);
            }
        }
    }

    /// Of several guards of one step the one that lasts longest is told.
    pub(super) fn wait_for(&mut self, step: Step, guard: &Guard, text: String) {
        if guard.from.is_none() && step >= Step::AwaitLastQuestion {
            // What has to be seen first is waited for, and told, by an earlier step.
            return;
        }
        match self.waits.iter_mut().find(|wait| wait.step == step && wait.code == guard.code) {
            Some(wait) if wait.until.is_none() || wait.until >= guard.from => {}
            Some(wait) => *wait = Wait { step, code: guard.code, text, until: guard.from },
            None => self.wait(step, guard.code, text, guard.from),
        }
    }

    pub(super) fn wait(&mut self, step: Step, code: &'static str, text: String, until: Option<Time>) {
        self.waits.push(Wait { step, code, text, until });
    }
}

/// A pause holds what a transition is made of. That operators know each other's keys is never put off: a key roll does not
/// wait. What else a roll needs, `ask_for_ds` has worked out so that it only adds.
fn goes_on_in_a_pause(kind: Kind, change: &Change) -> bool {
    match change {
        Change::Partly { without, .. } => without.is_empty(),
        Change::Exactly(_) => matches!(kind, Kind::Cds | Kind::Cdnskey),
    }
}
