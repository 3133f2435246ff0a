//! The truth: what caches may hold at this moment, and whether all of it goes together.
//!
//! A crowd of resolvers asks every server it was ever told of, at every moment, and keeps everything for as long as it may.
//! It shares nothing with `src/model`: no histories, no intervals, no guards, only what servers show and for how many more
//! ticks it is held. Invariant: an entry is held in this tick if and only if it is there, and its number is the ticks that
//! are left to it, this one included.

use crate::world::{Keys, Operators, Ttls, Zone};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caches {
    ds: BTreeMap<Keys, u8>,
    /// DNSKEY sets, with the keys that signed them.
    keys: BTreeMap<(Keys, Keys), u8>,
    /// Answers, by the keys that signed them.
    answers: BTreeMap<Keys, u8>,
    /// Operators that somebody may ask.
    asked: BTreeMap<u8, u8>,
}

/// What no resolver may ever meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Exposure {
    Bogus {
        ds: Keys,
        keys: Keys,
        signed_by: Keys,
    },
    BogusAnswer {
        keys: Keys,
        signed_by: Keys,
    },
    /// An operator that the controller has done with is asked.
    AskedAfterTheLastQuestion(u8),
}

fn hold<K: Ord>(held: &mut BTreeMap<K, u8>, key: K, ttl: u8) -> bool {
    match held.insert(key, ttl) {
        None => true,
        Some(before) => before < ttl,
    }
}

fn age<K: Ord>(held: &mut BTreeMap<K, u8>) {
    held.retain(|_, left| {
        *left -= 1;
        *left > 0
    });
}

impl Caches {
    pub fn is_asked(&self, operator: u8) -> bool {
        self.asked.contains_key(&operator)
    }

    pub fn tick(&mut self) {
        age(&mut self.ds);
        age(&mut self.keys);
        age(&mut self.answers);
        age(&mut self.asked);
    }

    /// Everybody asks everything that can be asked. `zones`: what each address shows, and whose it is.
    pub fn fetch(&mut self, ds: Keys, delegation: Operators, zones: &[(u8, &Zone)], ttls: &Ttls) {
        hold(&mut self.ds, ds, ttls.ds);
        self.told_of(delegation, ttls.delegation);
        loop {
            let mut news = false;
            for (operator, zone) in zones {
                if self.is_asked(*operator) {
                    news |= self.told_of(zone.ns, ttls.ns);
                    hold(&mut self.keys, (zone.keys, zone.signs_keys), ttls.dnskey);
                    hold(&mut self.answers, zone.signs_data, ttls.data);
                }
            }
            if !news {
                return;
            }
        }
    }

    fn told_of(&mut self, operators: Operators, ttl: u8) -> bool {
        let mut news = false;
        for operator in crate::names::each(operators) {
            // Another set that names it may live longer.
            let left = self.asked.get(&operator).copied().unwrap_or(0);
            news |= hold(&mut self.asked, operator, ttl.max(left));
        }
        news
    }

    pub fn exposure(&self) -> Option<Exposure> {
        for &(keys, signed_by) in self.keys.keys() {
            if let Some(&ds) = self.ds.keys().find(|ds| *ds & keys & signed_by == 0) {
                return Some(Exposure::Bogus { ds, keys, signed_by });
            }
            if let Some(&signed_by) = self.answers.keys().find(|signed_by| *signed_by & keys == 0) {
                return Some(Exposure::BogusAnswer { keys, signed_by });
            }
        }
        None
    }

    pub fn all_keys_have(&self, key: Keys) -> bool {
        self.keys.keys().all(|(keys, _)| keys & key != 0)
    }

    pub fn all_ds_have(&self, key: Keys) -> bool {
        self.ds.keys().all(|ds| ds & key != 0)
    }

    /// Whether anything held was signed by this key and no other.
    pub fn depends_on(&self, key: Keys) -> bool {
        self.answers.keys().any(|signed_by| *signed_by == key) || self.keys.keys().any(|(_, by)| *by == key)
    }
}
