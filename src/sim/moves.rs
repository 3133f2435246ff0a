//! What operators and owners do at the edge of the model: addresses are added and given up, data rot at one address, the copy at
//! the parent comes from somebody else.
//!
//! Invariant: all of it is allowed. Every source learns where an operator's hosts lead to, one after the other; nobody adds an
//! address that is not up to date, and what is given up serves until no cache leads there.

use super::address::Address;
use super::catalogue::{SHA384, host_of_lead, label, lead, operator_of_lead};
use super::edge::{SPARE, Source};
use super::fate::Fate;
use super::world::World;
use crate::model::history::Kind;

impl World {
    /// All sources learn of an operator's addresses, one after the other. Returns how long it takes until the last has.
    fn spread_addresses(&mut self, of: u8) -> i64 {
        let slow = self.edge.chance(15);
        let mut last_ms = 0;
        let sources: Vec<Source> = match self.edge.is_inside(of) {
            true => (0..self.operators.len() as u8).map(Source::Zone).chain([Source::Glue]).collect(),
            false => vec![Source::Public],
        };
        for source in sources {
            let longest_s = if slow { 5000 } else { 600 };
            let after_ms = if source == Source::Zone(of) { 0 } else { self.edge.between(0, longest_s) * 1000 };
            self.will(after_ms, Fate::FollowsAddresses { source, of });
            last_ms = last_ms.max(after_ms);
        }
        last_ms
    }

    /// The owner is about to ask for something. Zones learn of the hosts of newcomers, and operators change their addresses.
    pub(super) fn tempt_edge(&mut self, newcomer: Option<u8>) {
        let calm = |world: &World, number: u8| !world.wanted.get(usize::from(number)).is_some_and(|wanted| *wanted);
        if let Some(newcomer) = newcomer.filter(|new| self.edge.rots && calm(self, *new) && self.nobody_asks(*new)) {
            let of: Vec<usize> = (0..self.addresses.len())
                .filter(|nth| {
                    let of_newcomer = |at: &&Address| at.operator == Some(newcomer) && self.is_led_to(at);
                    self.addresses.get(*nth).filter(of_newcomer).is_some()
                })
                .collect();
            let which = usize::try_from(self.edge.between(0, of.len() as i64 - 1)).unwrap_or(0);
            if let Some(address) = of.get(which).copied().filter(|_| self.edge.chance(60)) {
                let number = u8::try_from(self.edge.between(0, 3)).unwrap_or(0);
                let for_ms = self.edge.between(300, 4000) * 1000;
                self.flush();
                if let Some(address) = self.addresses.get_mut(address) {
                    address.rotten = Some(number);
                }
                self.show(address);
                self.log.note(self.now_ms, format_args!("data {number} at address {address} are bogus"));
                self.will(for_ms, Fate::Heals { address });
            }
        }
        if !self.edge.is_mapped {
            return;
        }
        for of in 0..self.operators.len() as u8 {
            self.spread_addresses(of);
        }
        for operator in 0..self.operators.len() as u8 {
            let has = |slot: u8| self.addresses.iter().any(|at| at.operator == Some(operator) && at.slot == slot);
            if has(SPARE) && self.edge.spare_later && self.edge.chance(50) {
                let after_ms = self.edge.between(0, 5_000_000);
                self.will(after_ms, Fate::AddsAddress { operator });
            } else if self.edge.moves && self.edge.chance(40) {
                let longest_ms = if self.edge.chance(50) { 120_000 } else { 3_000_000 };
                let after_ms = self.edge.between(0, longest_ms);
                self.will(after_ms, Fate::GivesAddressUp { operator });
            }
        }
    }

    fn nobody_asks(&self, operator: u8) -> bool {
        self.asked_until_ms.get(usize::from(operator)).is_none_or(|until_ms| *until_ms < self.now_ms)
    }

    pub(super) fn adds_address(&mut self, operator: u8) {
        let spare = self.addresses.iter().find(|at| at.operator == Some(operator) && at.slot == SPARE);
        // Nobody adds an address that is not up to date.
        let is_ready = |at: &&Address| !at.is_frozen && !at.is_gone && at.next_ms() == i64::MAX && at.rotten.is_none();
        let Some(spare) = spare.filter(is_ready) else { return };
        let number = lead(spare.host, operator, SPARE);
        let Some(leads) = self.edge.truth.get_mut(&operator).filter(|leads| !leads.contains(&number)) else { return };
        leads.push(number);
        leads.sort_unstable();
        self.spread_addresses(operator);
    }

    /// An operator takes its last address out of the DNS, where its host keeps another one. It is no longer told anything, and
    /// is switched off when no cache can lead there.
    pub(super) fn gives_address_up(&mut self, operator: u8) {
        // One after the other: two that are given up together lead to each other, and are never without a cache that leads there.
        if self.edge.last_gone_ms > self.now_ms {
            return;
        }
        let Some(leads) = self.edge.truth.get(&operator).filter(|leads| leads.len() > 1).cloned() else { return };
        let host = |number: u16| host_of_lead(number);
        let Some((last, others)) = leads.split_last() else { return };
        let alone = !others.iter().any(|other| host(*other) == host(*last));
        let is_it = |at: &Address| at.operator == Some(operator) && lead(at.host, operator, at.slot) == *last;
        let address = self.addresses.iter().position(is_it);
        let rolls =
            self.operators.get(usize::from(operator)).is_some_and(|op| op.roll.is_some() || !op.serves || op.dead);
        let Some(address) = address.filter(|_| !alone && !rolls && operator_of_lead(*last) == operator) else { return };
        self.log.note(self.now_ms, format_args!("{} gives address {address} up", label(operator)));
        self.edge.truth.insert(operator, others.to_vec());
        // The address itself learns that, and nothing else any more: it would lead resolvers to itself for ever.
        if let Some(address) = self.addresses.get_mut(address) {
            address.forget_what_comes();
        }
        self.follows_addresses(Source::Zone(operator), operator);
        if let Some(address) = self.addresses.get_mut(address) {
            address.is_frozen = true;
        }
        let spread_ms = self.spread_addresses(operator);
        let longest_s = self.edge.ttls_s.iter().copied().chain([self.parent.delegation_ttl_s]).max().unwrap_or(0);
        let lag_ms = self.addresses.iter().map(|address| address.lag_ms).max().unwrap_or(0);
        self.edge.last_gone_ms = self.now_ms + spread_ms + lag_ms + self.life_ms(longest_s) + 30_000;
        self.will(self.edge.last_gone_ms - self.now_ms, Fate::Gone { address });
        let told_ms = self.edge.between(0, 300_000);
        self.will(told_ms, Fate::Settings { operator });
    }

    /// Signers are set up for SHA-384, too: they publish CDS of that type for their own keys at once.
    pub(super) fn stripping_ends(&mut self) {
        self.flush();
        let mut changed = Vec::new();
        for op in self.operators.iter_mut().filter(|op| op.ways.strips) {
            op.ways.strips = false;
            let own = op.signs_keys.iter().map(|key| key | SHA384);
            let cds = op.get(Kind::Cds).iter().copied().chain(own).collect();
            if op.serves && !op.dead && op.set(Kind::Cds, cds) {
                changed.push(op.number);
            }
        }
        changed.into_iter().for_each(|number| self.publish(number, &[Kind::Cds]));
    }

    /// Whoever has a copy of the zone at the parent has it from an operator that stays, or not at all.
    pub(super) fn moves_copy(&mut self) {
        let now_ms = self.now_ms;
        let Some(copy) = self.addresses.iter().position(|at| at.operator.is_none() && at.mirrors.is_some()) else {
            return;
        };
        let from = self.addresses.get(copy).and_then(|at| at.mirrors);
        let stay: Vec<u8> = (0..self.operators.len() as u8)
            .filter(|op| self.wanted.get(usize::from(*op)).copied().unwrap_or(false) && Some(*op) != from)
            .filter(|op| {
                let is_named = |host: &u16| self.parent.delegation.contains(host);
                let op = self.operators.get(usize::from(*op));
                op.is_some_and(|op| op.serves && !op.dead && op.hosts.iter().all(is_named))
            })
            .collect();
        let keeps = self.edge.chance(50);
        let to = self.edge.rng.as_mut().and_then(|rng| rng.pick(&stay)).filter(|_| keeps);
        self.flush();
        let contents =
            to.and_then(|to| self.operators.get(usize::from(to))).map(|op| op.all_contents(&mut self.version));
        self.log.note(now_ms, format_args!("the copy at the parent comes from {:?} now", to.map(label)));
        if let Some(at) = self.addresses.get_mut(copy) {
            at.mirrors = to;
            at.refers = to.is_none();
            match contents {
                Some(contents) => at.will_show(now_ms, &contents),
                None => at.forget_copy(),
            }
        }
        self.show(copy);
    }
}
