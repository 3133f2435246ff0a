//! What happens by itself in a world, and what becomes of it: silence, deaths, key rolls, other TTLs, addresses, late writes.
//!
//! Invariant: each happens at its time, once, after the oracle has judged the time before it.

use super::edge::Source;
use super::operator::Operator;
use super::world::World;
use crate::model::history::Kind;

/// Something that happens by itself, at its time.
#[derive(Clone, Debug)]
pub enum Fate {
    Silent {
        address: usize,
        for_ms: i64,
    },
    Speaks,
    Dies {
        operator: u8,
    },
    Reverts {
        operator: u8,
        kind: Kind,
    },
    Rolls {
        operator: u8,
        key_signing: bool,
    },
    /// An operator serves a set with a smaller TTL from now on.
    LowersTtl {
        operator: u8,
        kind: Kind,
        divided_by: u32,
    },
    /// An answer validates again.
    Heals {
        address: usize,
    },
    /// Somebody takes over where an operator's hosts lead to.
    FollowsAddresses {
        source: Source,
        of: u8,
    },
    AddsAddress {
        operator: u8,
    },
    GivesAddressUp {
        operator: u8,
    },
    Gone {
        address: usize,
    },
    /// Chorus is told of an operator's addresses.
    Settings {
        operator: u8,
    },
    /// A person hands in what the controller showed for the parent some time ago.
    HandsIn {
        kind: Kind,
        set: Vec<u16>,
    },
    /// An update that nobody believes in any more arrives after all, if the set is still what it was.
    Arrives {
        operator: u8,
        kind: Kind,
        expects: Vec<u16>,
        records: Vec<u16>,
        ttl_s: u32,
    },
}

impl World {
    pub(super) fn befall(&mut self, fate: Fate) {
        self.log.note(self.now_ms, format_args!("{fate:?}"));
        self.flush();
        let now_ms = self.now_ms;
        if matches!(&fate, Fate::Reverts { operator, .. } | Fate::Rolls { operator, .. } | Fate::LowersTtl { operator, .. }
            if self.is_twin(*operator))
        {
            return;
        }
        match fate {
            Fate::Silent { address, for_ms } => {
                if let Some(address) = self.addresses.get_mut(address) {
                    address.silent_until_ms = address.silent_until_ms.max(now_ms + for_ms);
                }
                self.will(for_ms, Fate::Speaks);
            }
            Fate::Speaks => {}
            Fate::Heals { address } => {
                if let Some(address) = self.addresses.get_mut(address) {
                    address.rotten = None;
                }
            }
            Fate::FollowsAddresses { source, of } => self.follows_addresses(source, of),
            Fate::AddsAddress { operator } => self.adds_address(operator),
            Fate::GivesAddressUp { operator } => self.gives_address_up(operator),
            Fate::Gone { address } => {
                if let Some(address) = self.addresses.get_mut(address) {
                    address.is_gone = true;
                }
                self.rolls_due_ms = now_ms;
            }
            Fate::HandsIn { kind, set } => self.hands_in(kind, set),
            Fate::Settings { operator } => self.edge.settings.push(operator),
            Fate::Dies { operator } => {
                self.at_fault_ms.get_or_insert(now_ms);
                for address in self.addresses.iter_mut().filter(|address| address.operator == Some(operator)) {
                    address.silent_until_ms = i64::MAX;
                }
                if let Some(op) = self.operator(operator) {
                    op.dead = true;
                }
            }
            Fate::Reverts { operator, kind } => {
                self.at_fault_ms.get_or_insert(now_ms);
                let Some(op) = self.operator(operator) else { return };
                let records = if kind == Kind::Ns { op.hosts.clone() } else { Vec::new() };
                if op.set(kind, records) {
                    self.publish(operator, &[kind]);
                }
            }
            Fate::Rolls { operator, key_signing } => {
                let hasty = self.hasty;
                // Nobody would tell the parent: Chorus leaves a zone of one operator alone.
                let alone = self.wanted.iter().filter(|wanted| **wanted).count() < 2;
                let by_itself = |op: &Operator| op.ways.own_cds.is_some() || !(op.ways.csk || key_signing);
                if alone && !self.operators.get(usize::from(operator)).is_some_and(by_itself) {
                    return;
                }
                let way = self.whims.way_of_rolling();
                if self.operator(operator).is_some_and(|op| op.begin_roll(key_signing, hasty, way, now_ms)) {
                    self.publish(operator, &Kind::OPERATOR);
                }
            }
            Fate::LowersTtl { operator, kind, divided_by } => {
                if self.operator(operator).is_some_and(|op| op.serves && op.lower_ttl(kind, divided_by)) {
                    self.publish(operator, &[kind]);
                }
            }
            Fate::Arrives { operator, kind, expects, records, ttl_s } => {
                let Some(op) = self.operator(operator).filter(|op| op.serves && op.get(kind) == expects) else {
                    return;
                };
                op.set_ttl(kind, ttl_s);
                if op.set(kind, records) {
                    self.late_arrivals += 1;
                    self.publish(operator, &[kind]);
                }
            }
        }
        self.show_all();
    }
}
