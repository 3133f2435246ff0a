//! The zone's owner: joins, leaves and replaces operators at any moment, through the service that the API and the command
//! line use, and tells a parent that has to be told.

use super::catalogue::label;
use super::chance::Rng;
use super::world::{Fate, World};
use crate::api::wire;
use crate::model::history::Kind;

/// What the owner is going to do, and when.
pub struct Owner {
    rng: Rng,
    pub next_ms: i64,
    pub actions_left: u32,
    pub planned: Option<wire::Change>,
    refusals: u32,
}

/// After so many refusals in a row the owner gives a plan up.
const REFUSALS_MAX: u32 = 12;

impl Owner {
    pub fn new(world: &mut World) -> Owner {
        let mut rng = world.rng.fork();
        let next_ms = world.now_ms + rng.between(1, 400) * 1000;
        let actions_left = u32::try_from(rng.between(1, 4)).unwrap_or(1);
        Owner { rng, next_ms, actions_left, planned: None, refusals: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.actions_left == 0 && self.planned.is_none()
    }

    /// Chooses what to do next; a newcomer's zone is set up first, which takes a while.
    pub fn plan(&mut self, world: &mut World) {
        let all: Vec<u8> = (0..).zip(&world.operators).filter(|(_, op)| !op.dead).map(|(number, _)| number).collect();
        let is_in = |number: &u8| world.wanted.get(usize::from(*number)).copied().unwrap_or(false);
        let inside: Vec<u8> = (0..).zip(&world.wanted).filter(|(_, wanted)| **wanted).map(|(n, _)| n).collect();
        let outside: Vec<u8> = all.iter().copied().filter(|number| !is_in(number)).collect();
        let (new, old) = (self.rng.pick(&outside), self.rng.pick(&inside));
        let change = match (new, old, self.rng.between(0, 2)) {
            (Some(new), _, 0) => wire::Change::Join(label(new)),
            (Some(new), Some(old), 1) => wire::Change::Replace { old: label(old), new: label(new) },
            (_, Some(old), _) if inside.len() > 1 => wire::Change::Leave(label(old)),
            (Some(new), _, _) => wire::Change::Join(label(new)),
            _ => {
                self.actions_left = 0;
                return;
            }
        };
        self.actions_left = self.actions_left.saturating_sub(1);
        self.refusals = 0;
        self.next_ms = world.now_ms + 1;
        let joins = matches!(change, wire::Change::Join(_) | wire::Change::Replace { .. });
        if let Some(new) = new.filter(|_| joins) {
            if world.operators.get(usize::from(new)).is_some_and(|op| !op.serves) {
                let anew = self.rng.chance(50);
                world.set_serving(new, true, anew);
                self.next_ms += self.rng.between(400, 2000) * 1000;
            }
        }
        self.planned = Some(change);
        self.tempt_fate(world);
    }

    /// What happens to operators in the meantime.
    fn tempt_fate(&mut self, world: &mut World) {
        let rng = &mut self.rng;
        for operator in (0..).zip(0..world.operators.len()).map(|(number, _)| number) {
            if rng.chance(25) {
                let key_signing = rng.chance(50);
                world.will(rng.between(0, 5_000_000), Fate::Rolls { operator, key_signing });
            }
        }
        for address in 0..world.addresses.len() {
            if rng.chance(6) {
                let for_ms = rng.between(5_000, 1_800_000);
                world.will(rng.between(0, 5_000_000), Fate::Silent { address, for_ms });
            }
        }
    }

    pub fn accepted(&mut self) {
        self.planned = None;
    }

    pub fn refused(&mut self, now_ms: i64) {
        self.refusals += 1;
        self.next_ms = now_ms + self.rng.between(20, 900) * 1000;
        if self.refusals >= REFUSALS_MAX {
            self.planned = None;
        }
    }

    pub fn waits(&mut self, now_ms: i64) {
        self.next_ms = now_ms + self.rng.between(1, 2000) * 1000;
    }

    /// A parent that a person has to tell is told what the controller says it may have now.
    pub fn tell_parent(&mut self, world: &mut World, ds: Vec<u16>, ns: Vec<u16>) {
        if !world.parent.needs_hand() || !self.rng.chance(40) {
            return;
        }
        let mut sets = vec![(Kind::Delegation, ns)];
        if world.parent.manner == super::parent::Manner::Manual {
            sets.push((Kind::Ds, ds));
        }
        for (kind, mut set) in sets {
            set.sort_unstable();
            world.tell_parent(kind, set);
        }
    }
}
