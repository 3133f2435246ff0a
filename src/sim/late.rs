//! People who act late, and on old text: what the controller showed for the registrar is handed in when they get round to it,
//! whether it is shown any more or not.
//!
//! Invariant: nobody takes longer than the policy says, nobody hands the same text in twice, and nobody goes back to an older text
//! when a newer one of its kind was handed in.

use super::chance::Rng;
use super::fate::Fate;
use super::world::World;
use crate::model::history::Kind;

pub struct Late {
    rng: Rng,
    /// How long a person takes at most; 0: what is shown is handed in at once, or not at all.
    pub longest_s: u64,
    /// What people have been given and not handed in yet, the oldest first.
    taken: Vec<(Kind, Vec<u16>)>,
}

impl Late {
    /// `life_s`: for how long records live in this world, about.
    pub fn by_chance(seed: u64, life_s: i64) -> Late {
        let mut rng = Rng::new(seed ^ 0x6c61_7465);
        let longest_s = if rng.chance(50) { rng.between(1, life_s.saturating_mul(2)).unsigned_abs() } else { 0 };
        Late { rng, longest_s, taken: Vec::new() }
    }
}

impl World {
    /// A person tells the parent. What is not shown for the registrar nobody takes along for later.
    pub fn tell_parent(&mut self, kind: Kind, set: Vec<u16>, is_shown: bool) {
        if set == self.parent.known(kind) {
            return;
        }
        let is_taken = self.late.taken.iter().any(|(of, other)| *of == kind && *other == set);
        if self.late.longest_s == 0 || !is_shown || self.late.rng.chance(40) {
            if !is_taken {
                self.late.taken.retain(|(of, _)| *of != kind);
                self.hand_in(kind, set);
            }
            return;
        }
        if !is_taken {
            let longest_ms = i64::try_from(self.late.longest_s).unwrap_or(i64::MAX / 2000) * 1000;
            let after_ms = self.late.rng.between(0, longest_ms);
            self.late.taken.push((kind, set.clone()));
            self.will(after_ms, Fate::HandsIn { kind, set });
        }
    }

    /// What was taken is handed in.
    pub(super) fn hands_in(&mut self, kind: Kind, set: Vec<u16>) {
        let taken = &mut self.late.taken;
        let Some(nth) = taken.iter().position(|(of, other)| *of == kind && *other == set) else { return };
        let mut older = 0..=nth;
        taken.retain(|(of, _)| older.next().is_none() || *of != kind);
        self.hand_in(kind, set);
    }

    fn hand_in(&mut self, kind: Kind, set: Vec<u16>) {
        if let Some((kind, set, ttl_s)) = self.parent.is_told(kind, set) {
            self.parent_publishes(kind, &set, ttl_s);
        }
    }
}
