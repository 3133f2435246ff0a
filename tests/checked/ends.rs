//! Whether a transition ends from here, if nothing more goes wrong: all that is written is served at once, the parent acts
//! on the first server that it asks, nothing gets lost, nobody wants anything else, nobody rolls a key.
//!
//! This is stronger than "an end can be reached", and is asked of every state that the checker comes to, for what is
//! wanted there and for everything else that could be wanted instead. `Property::eventually` is not used: stateright does not
//! see cycles, and a world whose parent may sleep for ever has them everywhere.

use crate::steps::{Ladder, Step, wants};
use crate::world::{Group, World};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

/// More ticks than any transition of this world takes.
const TICKS_MAX: u16 = 60;

#[derive(Default)]
pub struct Ends {
    /// How many ticks it takes from a world, by its hash.
    known: Mutex<HashMap<u64, Option<u16>>>,
}

impl World {
    /// This world after the owner wanted another group.
    pub fn wanting(&self, group: Group) -> Option<World> {
        let mut world = World { changes: None, ..self.clone() };
        wants(&mut world, group)?;
        Some(world)
    }
}

impl Ladder {
    pub fn ends(&self, world: &World) -> bool {
        world.exposure.is_some() || self.ticks_to_the_end(world).is_some()
    }

    /// The longest that it takes from any world that was asked about.
    pub fn longest_end(&self) -> u16 {
        self.ends.known.lock().unwrap().values().flatten().copied().max().unwrap_or(0)
    }

    fn ticks_to_the_end(&self, world: &World) -> Option<u16> {
        let mut way: Vec<(u64, u16)> = Vec::new();
        let mut world = World { changes: None, losses: 0, ..world.clone() };
        world.memory.paused = false;
        let mut ticks = 0;
        let rest = loop {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            let hash = hasher.finish();
            if let Some(known) = self.ends.known.lock().unwrap().get(&hash) {
                break *known;
            }
            if way.iter().any(|(before, _)| *before == hash) || ticks > TICKS_MAX {
                break None;
            }
            way.push((hash, ticks));
            if !world.memory.running {
                break Some(0);
            }
            let Some((step, next)) = self.benign(&world) else { break None };
            ticks += u16::from(step == Step::Tick);
            world = next;
        };
        let mut known = self.ends.known.lock().unwrap();
        known.extend(way.into_iter().map(|(hash, before)| (hash, rest.map(|rest| rest + ticks - before))));
        rest.map(|rest| rest + ticks)
    }

    /// The one step that comes next in a world where all goes well.
    pub fn benign(&self, world: &World) -> Option<(Step, World)> {
        let addresses = 0..world.addresses.len() as u8;
        let mut steps: Vec<Step> = addresses.clone().map(Step::Served).collect();
        steps.extend([Step::PublishesDs, Step::PublishesDelegation]);
        steps.extend(addresses.flat_map(|at| [Step::ReadsCds(at), Step::ReadsCsync(at)]));
        steps.extend([Step::Round { unheard: None }, Step::Tick]);
        steps.into_iter().find_map(|step| Some((step.clone(), self.after(world, &step)?)))
    }
}
