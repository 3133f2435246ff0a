//! The world around the controller, in virtual time: operators, parent, network, faults. Everything follows from the seed.
//!
//! Invariant: nothing changes but through [`World::advance`] and the few things that a controller or an owner does, and
//! whatever changes, the oracle has judged the time before it.

use super::address::{Address, Content};
use super::catalogue::{OPERATORS, catalogue, label, operator_of_host};
use super::chance::Rng;
use super::edge::Edge;
use super::fate::Fate;
use super::late::Late;
use super::log::Log;
use super::operator::Operator;
use super::oracle::{self, Oracle, View};
use super::parent::{Manner, Parent};
use super::roll::Lives;
use super::whims::Whims;
use crate::engine::Pace;
use crate::model::history::Kind;
use crate::model::policy::Policy;
use std::sync::Arc;

/// What of the network and of the controller's luck is left to chance, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    pub lost: u64,
    pub repeated: u64,
    pub late_ms: i64,
    pub write_fails: u64,
    pub crashes: u64,
}

pub struct World {
    pub now_ms: i64,
    pub rng: Rng,
    pub whims: Whims,
    pub edge: Edge,
    pub late: Late,
    pub log: Log,
    pub operators: Vec<Operator>,
    pub parent: Parent,
    pub addresses: Vec<Address>,
    pub policy: Policy,
    pub pace: Pace,
    pub odds: Odds,
    /// When an operator first did what nobody can mend: what breaks from then on is its own doing.
    pub at_fault_ms: Option<i64>,
    /// Operators that roll keys do not wait for anybody.
    pub hasty: bool,
    /// Now and then an operator puts back what it had before.
    pub reverts: bool,
    /// One of the operators will not live long.
    pub dies: bool,
    /// Whom the owner wants in: those have to have new keys before they sign.
    pub wanted: [bool; OPERATORS as usize],
    pub oracle: Oracle,
    pub(super) view: Vec<oracle::Address>,
    pub(super) view_since_ms: i64,
    /// Until when each operator may be asked by anybody.
    pub(super) asked_until_ms: [i64; OPERATORS as usize],
    /// Since when without a break.
    pub(super) asked_since_ms: [i64; OPERATORS as usize],
    pub(super) fates: Vec<(i64, Fate)>,
    pub version: u32,
    /// Updates that changed something after nobody believed in them any more.
    pub late_arrivals: u32,
    pub(super) rolls_due_ms: i64,
    pub(super) lives: Lives,
}

impl World {
    /// How long a resolver keeps something, with the time that it is on its way to it.
    pub fn life_ms(&self, ttl_s: u32) -> i64 {
        let cached = self.policy.cached(u64::from(ttl_s)) + self.policy.stale() + self.policy.slack();
        i64::try_from(cached.as_millis()).unwrap_or(i64::MAX / 4)
    }

    /// Whoever does not answer now never will, and nothing is on its way to any address.
    pub fn is_quiet(&self) -> bool {
        let comes_back = |address: &Address| !address.answers_at(self.now_ms) && address.silent_until_ms < i64::MAX;
        !self.addresses.iter().any(|address| comes_back(address) || address.next_ms() < i64::MAX)
    }

    /// Whether an update that nobody believes in any more is on its way.
    pub fn is_arriving(&self) -> bool {
        self.fates.iter().any(|(_, fate)| matches!(fate, Fate::Arrives { .. }))
    }

    pub fn never_acts(&self) -> bool {
        self.parent.manner == Manner::Never
    }

    pub fn will(&mut self, after_ms: i64, fate: Fate) {
        self.fates.push((self.now_ms + after_ms, fate));
    }

    pub fn operator(&mut self, number: u8) -> Option<&mut Operator> {
        self.operators.get_mut(usize::from(number))
    }

    /// Lets time pass, with all that happens in it.
    pub fn advance(&mut self, to_ms: i64) {
        loop {
            let next_ms = self.next_ms();
            if next_ms > to_ms {
                break;
            }
            self.now_ms = self.now_ms.max(next_ms);
            self.happen();
        }
        self.now_ms = self.now_ms.max(to_ms);
    }

    fn next_ms(&self) -> i64 {
        let addresses = self.addresses.iter().map(Address::next_ms).min().unwrap_or(i64::MAX);
        let fates = self.fates.iter().map(|(at_ms, _)| *at_ms).min().unwrap_or(i64::MAX);
        addresses.min(fates).min(self.parent.next_ms()).min(self.rolls_due_ms)
    }

    fn happen(&mut self) {
        let now_ms = self.now_ms;
        for number in 0..self.addresses.len() {
            if self.addresses.get(number).is_some_and(|address| address.next_ms() <= now_ms) {
                self.catch_up(number);
            }
        }
        while let Some(due) = self.fates.iter().position(|(at_ms, _)| *at_ms <= now_ms) {
            let (_, fate) = self.fates.remove(due);
            self.befall(fate);
        }
        if self.parent.next_scan_ms <= now_ms {
            self.parent_scans();
        }
        while let Some((kind, set, ttl_s)) = self.parent.enacts(now_ms) {
            self.parent_publishes(kind, &set, ttl_s);
        }
        self.keys_roll();
    }

    pub(super) fn catch_up(&mut self, number: usize) {
        self.flush();
        let now_ms = self.now_ms;
        if let Some(address) = self.addresses.get_mut(number) {
            for content in address.catch_up(now_ms) {
                let (kind, records) = (content.kind, &content.set.records);
                self.log.tell(now_ms, || format!("{} shows {kind} {records:?}", address.server));
            }
        }
        self.show(number);
        self.rolls_due_ms = self.rolls_due_ms.min(now_ms);
    }

    /// Brings the oracle's view of an address up to date. What was before has been judged.
    pub(super) fn show(&mut self, number: usize) {
        let Some(address) = self.addresses.get(number) else { return };
        let serves = self.serves(address);
        if let Some(view) = self.view.get_mut(number) {
            address.view(self.now_ms, serves, view);
        }
    }

    pub(super) fn show_all(&mut self) {
        for number in 0..self.addresses.len() {
            self.show(number);
        }
    }

    /// The oracle judges the time since it last did: nothing has changed in it.
    pub fn flush(&mut self) {
        let (from_ms, to_ms) = (self.view_since_ms, self.now_ms);
        if from_ms >= to_ms {
            return;
        }
        self.note_askers(from_ms, to_ms);
        for glitch in self.oracle.advance(&View { addresses: &self.view }, from_ms, to_ms) {
            self.log.note(from_ms, format_args!("{glitch}"));
        }
        self.view_since_ms = to_ms;
    }

    fn note_askers(&mut self, from_ms: i64, to_ms: i64) {
        loop {
            let mut changed = false;
            for address in &self.addresses {
                let (kind, until_ms) = match address.operator {
                    None => (Kind::Delegation, to_ms),
                    Some(operator) => {
                        let asked_ms = self.asked_until_ms.get(usize::from(operator)).copied().unwrap_or(i64::MIN);
                        (Kind::Ns, asked_ms.min(to_ms))
                    }
                };
                let Some(content) = address.shows(kind).filter(|_| until_ms > from_ms) else { continue };
                let until_ms = until_ms + self.life_ms(content.set.ttl_s);
                for host in content.set.records.iter() {
                    let of = usize::from(operator_of_host(*host));
                    let times = self.asked_until_ms.get_mut(of).zip(self.asked_since_ms.get_mut(of));
                    if let Some((asked_ms, since_ms)) = times.filter(|(asked_ms, _)| **asked_ms < until_ms) {
                        if *asked_ms < from_ms {
                            *since_ms = from_ms;
                        }
                        *asked_ms = until_ms;
                        changed = true;
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Who may be asked by somebody, or is to be.
    fn group(&self) -> [bool; OPERATORS as usize] {
        let mut group = self.wanted;
        for (is_in, until_ms) in group.iter_mut().zip(&self.asked_until_ms) {
            *is_in |= *until_ms >= self.now_ms;
        }
        group
    }

    /// An operator's sets are on their way to its addresses.
    pub fn publish(&mut self, operator: u8, kinds: &[Kind]) {
        let Some(op) = self.operators.get(usize::from(operator)) else { return };
        let contents = op.contents(kinds, &mut self.version);
        for content in &contents {
            let (kind, set) = (content.kind, &content.set);
            self.log.note(
                self.now_ms,
                format_args!("{} has {kind} {:?} ttl {} by {:?}", label(operator), set.records, set.ttl_s, set.signers),
            );
        }
        let ready_ms: Vec<i64> = self.addresses.iter().map(|address| address.lag_ms).collect();
        for (address, lag_ms) in self.addresses.iter_mut().zip(ready_ms) {
            if address.mirrors == Some(operator) && !address.is_frozen {
                let lag_ms = self.rng.between(lag_ms / 2, lag_ms);
                address.will_show(self.now_ms + lag_ms, &contents);
            }
        }
    }

    pub(super) fn parent_publishes(&mut self, kind: Kind, set: &[u16], ttl_s: u32) {
        self.log.note(self.now_ms, format_args!("parent has {kind} {set:?} ttl {ttl_s}"));
        self.version += 1;
        let content = Arc::new(Content::new(kind, self.version, set, ttl_s, &[]));
        let glue = if kind == Kind::Delegation { self.glue_for(set) } else { None };
        let contents: Vec<Arc<Content>> = std::iter::once(content).chain(glue).collect();
        for address in self.addresses.iter_mut().filter(|address| address.operator.is_none()) {
            // The whole lag at most: what is published first is shown first, anyway.
            let lag_ms = self.rng.between(0, address.lag_ms);
            address.will_show(self.now_ms + lag_ms, &contents);
        }
    }

    /// Reads one address, or all that are delegated to and only if they agree; some of it may be out of a cache.
    fn parent_scans(&mut self) {
        let (now_ms, mut rng) = (self.now_ms, self.rng.fork());
        self.parent.schedule_scan(now_ms, &mut rng);
        let Manner::Scans { one_answer, ds_only } = self.parent.manner else { return };
        let mut asked: Vec<&Address> = self
            .addresses
            .iter()
            .filter(|at| at.answers_at(now_ms) && self.parent.delegation.contains(&at.host) && at.operator.is_some())
            .filter(|at| self.is_led_to(at) && self.serves(at))
            .collect();
        if one_answer {
            asked = rng.pick(&asked).into_iter().collect();
        }
        let cached = rng.chance(20);
        let read = |kind: Kind| {
            let get = |at: &&'_ Address| -> Option<(Arc<Content>, i64)> {
                let ttl_ms = i64::from(at.shows(kind)?.set.ttl_s) * 1000;
                // No cache has what it could not ask for then.
                let asked_ms = at.operator.and_then(|of| self.asked_since_ms.get(usize::from(of))).unwrap_or(&i64::MIN);
                let since_ms = if cached { (now_ms - ttl_ms).max(*asked_ms).min(now_ms) } else { now_ms };
                Some((at.showed_since(kind, since_ms).cloned()?, ttl_ms + at.lag_ms))
            };
            let answers = asked.iter().map(get).collect::<Option<Vec<_>>>()?;
            let (newest, old_ms) = answers.iter().max_by_key(|(content, _)| content.set.version)?;
            let agree = answers.iter().all(|(other, _)| other.set.records == newest.set.records);
            (agree && !newest.set.records.is_empty()).then(|| (newest.clone(), *old_ms))
        };
        let ds = read(Kind::Cds).map(|cds| (Kind::Ds, cds));
        let ns = if ds_only { None } else { read(Kind::Csync).and(read(Kind::Ns)).map(|ns| (Kind::Delegation, ns)) };
        let found: Vec<(Kind, (Arc<Content>, i64))> = ds.into_iter().chain(ns).collect();
        for (kind, (content, old_ms)) in found {
            let set = &content.set;
            if let Some(at_ms) = self.parent.reads(now_ms, kind, &set.records, (set.version, old_ms), &mut rng) {
                let in_ms = at_ms - now_ms;
                self.log.note(now_ms, format_args!("parent reads {kind} {:?}, to be had in {in_ms} ms", set.records));
            }
        }
    }

    fn keys_roll(&mut self) {
        // Who may be asked is known up to the last flush.
        self.flush();
        let (now_ms, group, mut due_ms) = (self.now_ms, self.group(), i64::MAX);
        let mut changed = Vec::new();
        for op in &mut self.operators {
            let Some(roll) = &mut op.roll else { continue };
            let ready = roll.is_ready(op.number, &self.addresses, &group);
            let next_ms = roll.next_ms(ready, now_ms, self.lives);
            if next_ms > now_ms {
                due_ms = due_ms.min(next_ms);
                continue;
            }
            if roll.hasty {
                self.at_fault_ms.get_or_insert(now_ms);
            }
            self.log.note(now_ms, format_args!("{} goes on rolling: {roll:?}", catalogue().label(op.number)));
            op.go_on_rolling(now_ms);
            changed.push(op.number);
        }
        self.rolls_due_ms = due_ms;
        for number in changed {
            self.publish(number, &Kind::OPERATOR);
            self.rolls_due_ms = self.rolls_due_ms.min(now_ms + 1);
        }
    }

    /// The owner sets the zone up at an operator again, or takes it away there.
    pub fn set_serving(&mut self, operator: u8, serves: bool, anew: bool) {
        self.flush();
        let Some(op) = self.operator(operator).filter(|op| op.serves != serves) else { return };
        if serves {
            op.start_over(anew);
        } else {
            op.serves = false;
            op.roll = None;
        }
        self.log.note(self.now_ms, format_args!("the zone at {}: {serves}", label(operator)));
        if serves {
            self.publish(operator, &Kind::OPERATOR);
        }
        self.show_all();
    }
}
