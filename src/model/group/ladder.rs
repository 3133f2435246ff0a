//! The ladder: from what is observed and what is desired to the next writes, or to what is waited for.
//!
//! Invariant: a pure function of the world. Steps are not remembered; each looks whether what it is for has been seen, so
//! that a join, a leave, an undo, a repair after somebody's hand and a key roll are all the same code.

use super::Standing;
use super::decision::{Change, Decision, Step, Wait, Write};
use super::desired::{asked_in_a_pause, cds_and_cdnskey, csync, placed_keys};
use super::guards::{Guard, last_question, may_lose_ds, may_lose_key, may_serve};
use super::say::{describe_keys, host_list, key_label, key_list, names};
use super::standing::standing;
use super::view::{Member, ParentMode, Shown, World};
use crate::model::dns::{Dnskey, Rdata, RecordSet, key_of_ds, ns_name};
use crate::model::history::{Kind, Server};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// TTL for a set that an operator has never served, when nothing else of it tells one.
const TTL_UNKNOWN_S: u32 = 3600;

/// What to do next, and what is waited for.
pub fn decide(world: &World<'_>) -> Decision {
    let mut ladder = Ladder { world: *world, writes: Vec::new(), waits: Vec::new() };
    let (parent_ds_keys, parent_ns) = ladder.climb();
    let Ladder { writes, mut waits, .. } = ladder;
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
pub(super) fn is_admitted(world: &World<'_>, operator: &str) -> bool {
    let others = world.members.iter().filter(|(name, _)| *name != operator && is_present(world, name));
    let named = |server: &Server, kind| {
        world.history.current(server, kind).is_some_and(|span| world.names(&span.served.records, operator))
    };
    world.parent_servers.iter().any(|server| named(server, Kind::Delegation))
        || others.flat_map(|(_, at)| &at.servers).any(|server| named(server, Kind::Ns))
}

struct Ladder<'a> {
    world: World<'a>,
    writes: Vec<Write>,
    waits: Vec<Wait>,
}

impl<'a> Ladder<'a> {
    fn climb(&mut self) -> (RecordSet, RecordSet) {
        let mut ds_keys = self.world.desired().flat_map(|op| self.world.key_signing_keys(op)).collect::<RecordSet>();
        let ns = self.admitted();
        if !self.every_member_is_signed() {
            return (ds_keys, ns);
        }
        let keys_shared = self.share_keys();
        for leaver in self.world.leavers() {
            if !may_lose_ds(&self.world, leaver).is_open(self.world.now) {
                ds_keys.extend(self.world.key_signing_keys(leaver));
            }
        }
        if keys_shared || self.world.leaves_out(Switch::KeysShared) {
            let ds_complete = self.ask_for_ds(&ds_keys);
            let ns = self.name_servers(ds_complete);
            self.let_leavers_go();
            return (ds_keys, ns);
        }
        (ds_keys, ns)
    }

    /// A zone that is not signed by all its operators, or with different algorithms, is left alone altogether: nothing that
    /// could be written would be right (RFC 4035 §2.2).
    fn every_member_is_signed(&mut self) -> bool {
        let mut algorithms: BTreeMap<BTreeSet<u8>, &str> = BTreeMap::new();
        for (name, member) in self.world.members {
            let own = self.world.own_keys(name);
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
            let zone_keys = own.iter().filter_map(Dnskey::read).filter(Dnskey::is_usable);
            algorithms.insert(zone_keys.map(|key| key.algorithm).collect(), name);
        }
        if algorithms.len() > 1 {
            let each: Vec<String> =
                algorithms.iter().map(|(algorithms, name)| format!("{name} signs with {algorithms:?}")).collect();
            let text = format!("the operators use different algorithms: {}", each.join(", "));
            self.wait(Step::ShareKeys, "algorithm-mismatch", text, None);
            return false;
        }
        true
    }

    /// Puts every member's keys into every other's DNSKEY set, and takes out those that nothing needs any more. True when
    /// every address shows all of the keys.
    fn share_keys(&mut self) -> bool {
        let world = &self.world.clone();
        let mut shared = true;
        for (name, member) in self.present() {
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
                    if self.world.paused {
                        continue;
                    }
                    if served.contains(key) && !world.own_keys(name).contains(key) {
                        without.insert(key.clone());
                    }
                } else {
                    let text = format!("{} stays at {name} as long as a cache holds {}", key_label(key), guard.because);
                    self.wait_for(Step::AwaitLeaverAnswers, &guard, text);
                }
            }
            let shown = world.shown(&member.servers, Kind::Dnskey, |_, span| {
                with.is_subset(&span.served.records) && without.is_disjoint(&span.served.records)
            });
            let complete = matches!(shown, Shown::Everywhere);
            let step = if without.is_empty() { Step::ShareKeys } else { Step::AwaitLeaverAnswers };
            shared &= complete || step == Step::AwaitLeaverAnswers;
            if !complete {
                let why = describe_keys(&with, &without, &served);
                let ttl_s = world.served_ttl_s(name, Kind::Dnskey).unwrap_or(TTL_UNKNOWN_S);
                self.bring_about(step, name, shown, vec![(Kind::Dnskey, ttl_s, Change::Partly { with, without })], why);
            }
        }
        shared
    }

    /// One CDS and CDNSKEY set at every operator, and then a DS for each key at every parent server. True when the parent's
    /// servers have them all.
    fn ask_for_ds(&mut self, keys: &RecordSet) -> bool {
        let world = &self.world.clone();
        let mut asked = true;
        let going = world.leavers().any(|leaver| world.key_signing_keys(leaver).is_disjoint(keys));
        let ask_step = if going { Step::AwaitLeaverKeys } else { Step::AskForDs };
        // Whom the parent cannot ask yet comes first. So nothing lies between the write that a parent may act on and the look
        // at what it did: a DS set that appears while the old CDS set may still have been there could be taken back for it.
        let mut present = self.present();
        present.sort_by_key(|(name, _)| is_admitted(world, name));
        for (name, member) in present {
            let mut sets = Vec::new();
            let mut worst = Shown::Everywhere;
            let keys = &if world.paused { asked_in_a_pause(world, name) } else { keys.clone() };
            if world.paused && keys.is_empty() {
                continue;
            }
            let (cds, cdnskey) = cds_and_cdnskey(world, keys);
            let ttl_s = world.served_ttl_s(name, Kind::Dnskey).unwrap_or(TTL_UNKNOWN_S);
            for (kind, wanted) in [(Kind::Cds, &cds), (Kind::Cdnskey, &cdnskey)] {
                let shown = world.shown(&member.servers, kind, |_, span| span.served.records == *wanted);
                if shown != Shown::Everywhere {
                    sets.push((kind, ttl_s, Change::Exactly(wanted.clone())));
                    worst = shown;
                }
            }
            if worst != Shown::Everywhere {
                asked = false;
                let why = format!("CDS and CDNSKEY for {}", key_list(keys));
                self.bring_about(ask_step, name, worst, sets, why);
            }
        }
        let has_all =
            |set: &RecordSet| keys.iter().all(|key| set.iter().any(|ds| key_of_ds(world.zone, ds, [key]).is_some()));
        let has_others = |set: &RecordSet| set.iter().any(|ds| key_of_ds(world.zone, ds, keys).is_none());
        let complete = world.shown(world.parent_servers, Kind::Ds, |_, span| has_all(&span.served.records));
        let exact = world.shown(world.parent_servers, Kind::Ds, |_, span| {
            has_all(&span.served.records) && !has_others(&span.served.records)
        });
        let lacked = |key: &&Rdata| {
            let seen = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
            let mut sets = seen.map(|span| &span.served.records);
            sets.any(|set| !set.iter().any(|ds| key_of_ds(world.zone, ds, [*key]).is_some()))
        };
        let missing: RecordSet = keys.iter().filter(lacked).cloned().collect();
        if asked && !world.paused {
            match (&complete, &exact) {
                (_, Shown::Everywhere) => {}
                (Shown::Everywhere, _) => {
                    self.wait_for_parent(Step::AwaitDsGone, &exact, "DS set", &format!("holds only {}", key_list(keys)))
                }
                _ => self.wait_for_parent(
                    Step::AwaitDs,
                    &complete,
                    "DS set",
                    &format!("has a DS for each of {}, of which {} is missing", key_list(keys), key_list(&missing)),
                ),
            }
        }
        asked && complete == Shown::Everywhere
    }

    /// The NS set: newcomers in, under their guard, the newcomer's own zone first; then leavers out, everywhere at once; and
    /// the parent after each. Returns the set that the parent may have now.
    fn name_servers(&mut self, ds_complete: bool) -> RecordSet {
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
            names_last(world.parent_servers, Kind::Delegation, op)
                && present.iter().all(|(_, at)| names_last(&at.servers, Kind::Ns, op))
        });
        let stepping_down = world.members.iter().filter(|(_, member)| member.wanted < Standing::Serving);
        let staying = stepping_down.map(|(op, _)| op).filter(|op| !joins_done && is_admitted(world, op));
        let target = world.ns_of(world.serving().chain(staying));
        if !joiners.is_empty() && !ds_complete {
            return self.admitted();
        }
        let newcomers: Vec<&String> = joiners.iter().copied().filter(|op| !is_admitted(world, op)).collect();
        if !joiners.is_empty() {
            let guard = may_serve(world, &joiners);
            if !guard.is_open(world.now) {
                let who = if newcomers.is_empty() { &joiners } else { &newcomers };
                let text =
                    format!("{} may be named as name server when no cache holds the {}", names(who), guard.because);
                self.wait_for(Step::AwaitOldKeysAndDs, &guard, text);
                return self.admitted();
            }
        }
        let shows_target = |at: &Member| world.shown(&at.servers, Kind::Ns, |_, span| span.served.records == target);
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
    fn admitted(&self) -> RecordSet {
        self.world.ns_of(self.world.members.keys().filter(|op| is_admitted(&self.world, op)))
    }

    /// The parent follows by CSYNC, or a person sees to it; the CSYNC goes when every parent server has the set.
    fn delegation(&mut self, target: &RecordSet) {
        let world = &self.world.clone();
        let moved = world.shown(world.parent_servers, Kind::Delegation, |_, span| span.served.records == *target);
        let done = moved == Shown::Everywhere;
        let wanted = if done || world.parent == ParentMode::Manual {
            RecordSet::new()
        } else {
            csync(world.zone, target.iter().filter_map(|ns| ns_name(ns).ok()))
        };
        let mut asked = true;
        for (name, member) in self.present() {
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
        if asked && !done {
            self.wait_for_parent(Step::AwaitDelegation, &moved, "delegation", &format!("names {}", host_list(target)));
        }
    }

    /// What a leaver is still kept for.
    fn let_leavers_go(&mut self) {
        let world = &self.world.clone();
        for leaver in world.leavers() {
            let last = last_question(world, leaver);
            let ds = may_lose_ds(world, leaver);
            if !last.is_open(world.now) {
                if last.from.is_some() {
                    let text = format!("{leaver} can be asked as long as a cache holds the {}", last.because);
                    self.wait_for(Step::AwaitLastQuestion, &last, text);
                } else if self.writes.is_empty() && self.waits.is_empty() {
                    // Mostly an earlier step says what is missing. Where none does, silence would pass for being settled,
                    // and the leaver be forgotten while it is asked.
                    self.wait(
                        Step::AwaitLastQuestion,
                        last.code,
                        format!("{leaver} can be asked as long as a cache holds the {}", last.because),
                        None,
                    );
                }
            } else if !ds.is_open(world.now) {
                let text = format!("the DS of {leaver} stays as long as a cache holds its {}", ds.because);
                self.wait_for(Step::AwaitLeaverKeys, &ds, text);
            }
        }
    }

    fn present(&self) -> Vec<(&'a String, &'a Member)> {
        let takes_part = |name: &str| is_present(&self.world, name) && !self.world.is_lost(name);
        self.world.members.iter().filter(|(name, _)| takes_part(name)).collect()
    }

    fn bring_about(&mut self, step: Step, operator: &str, shown: Shown, sets: Vec<(Kind, u32, Change)>, why: String) {
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
        self.writes.push(Write { step, operator: operator.to_owned(), sets, why, missing_at });
    }

    fn unreachable(&mut self, step: Step, operator: &str, server: &Server, trouble: &str) {
        let text = format!("{operator}: {server} {trouble}; what it served last counts as still served");
        self.wait(step, "operator-unreachable", text, None);
    }

    fn wait_for_parent(&mut self, step: Step, shown: &Shown, what: &str, wanted: &str) {
        match shown {
            Shown::Everywhere => {}
            Shown::Unknown(server, trouble) => {
                self.wait(step, "parent-unreachable", format!("the parent's server {server} {trouble}"), None)
            }
            Shown::NotAt(servers) => {
                let at: Vec<String> = servers.iter().map(Server::to_string).collect();
                let (code, who) = match self.world.parent {
                    ParentMode::Scan => ("parent-pending", "until the parent's"),
                    ParentMode::Manual => ("parent-manual", "you have to tell the registrar; until the parent's"),
                };
                self.wait(step, code, format!("{who} {what} {wanted}; not yet at {}", at.join(", ")), None);
            }
        }
    }

    /// Of several guards of one step the one that lasts longest is told.
    fn wait_for(&mut self, step: Step, guard: &Guard, text: String) {
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

    fn wait(&mut self, step: Step, code: &'static str, text: String, until: Option<Time>) {
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

/// A name server that belongs to none of the operators, and where it is named.
pub(super) fn stranger(world: &World<'_>) -> Option<String> {
    let present = world.members.iter().filter(|(name, _)| is_present(world, name));
    let servers = present.flat_map(|(_, at)| at.servers.iter().map(|server| (server, Kind::Ns)));
    let parents = world.parent_servers.iter().map(|server| (server, Kind::Delegation));
    servers.chain(parents).find_map(|(server, kind)| {
        let records = &world.history.current(server, kind)?.served.records;
        let host =
            records.iter().filter_map(|ns| ns_name(ns).ok()).find(|host| world.operator_of_host(host).is_none())?;
        Some(format!("the {kind} set at {server} names {host}, which belongs to none of the operators"))
    })
}
