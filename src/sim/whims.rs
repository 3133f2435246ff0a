//! What operators do to their own part of the zone without asking anybody: they lower TTLs, and roll keys as they
//! please: name by name, or from one moment to the next.
//!
//! Invariant: all of it is allowed to a well-behaved operator, and Chorus has to see it or to allow for it. A stream of chance
//! of its own: a world in which nobody has a whim is as it would be without this.

use super::chance::Rng;
use super::fate::Fate;
use super::operator::Operator;
use super::roll::{Resigning, Way};
use crate::model::history::Kind;

pub struct Whims {
    rng: Rng,
    lower_ttls: bool,
    /// Signers of this world do not sign all anew at once when they change to another key.
    name_by_name: bool,
}

impl Whims {
    pub fn new(seed: u64) -> Whims {
        let mut rng = Rng::new(!seed);
        let (lower_ttls, name_by_name) = (rng.chance(40), rng.chance(50));
        Whims { rng, lower_ttls, name_by_name }
    }

    /// How the next key is rolled.
    pub fn way_of_rolling(&mut self) -> Way {
        let left = if self.name_by_name { u8::try_from(self.rng.between(0, 3)).unwrap_or(0) } else { 0 };
        let resigning = Resigning { left, each_ms: self.rng.between(30, 4000) * 1000 };
        Way { resigning, swaps: self.rng.chance(50) }
    }

    /// What an operator is going to do, and after how long.
    pub fn of(&mut self, operator: &Operator) -> Vec<(i64, Fate)> {
        if !self.lower_ttls {
            return Vec::new();
        }
        let mut fates = Vec::new();
        for kind in [Kind::Dnskey, Kind::Ns] {
            if self.rng.chance(50) {
                let divided_by = u32::try_from(self.rng.between(2, 60)).unwrap_or(2);
                let fate = Fate::LowersTtl { operator: operator.number, kind, divided_by };
                fates.push((self.rng.between(0, 5_000_000), fate));
            }
        }
        fates
    }
}
