//! The zone's owner: joins, leaves and replaces operators, pauses, resumes, stops and undoes at any moment, through the service that the API and the command
//! line use, and tells a parent that has to be told.

use super::catalogue::label;
use super::chance::Rng;
use super::fate::Fate;
use super::world::World;
use crate::api::wire;
use crate::model::history::Kind;
use crate::store::{Aim, TransitionRecord};

/// What the owner asks of the controller.
#[derive(Clone, Debug)]
pub enum Wish {
    Change(wire::Change),
    Verb(wire::Verb),
}

/// What the owner is going to do, and when.
pub struct Owner {
    rng: Rng,
    pub next_ms: i64,
    actions_left: u32,
    planned: Option<Wish>,
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

    /// Nothing is planned, and nothing is held that only the owner lets go on.
    pub fn is_done(&self, running: Option<&TransitionRecord>) -> bool {
        self.actions_left == 0 && self.planned.is_none() && !running.is_some_and(|running| running.paused)
    }

    pub fn plans(&self) -> bool {
        self.planned.is_some()
    }

    /// What to ask for now; `None`: nothing yet.
    pub fn wish(&mut self, world: &mut World, running: Option<&TransitionRecord>) -> Option<Wish> {
        if let Some(running) = running {
            // A plan that was made at rest has come too late.
            self.planned = None;
            let in_group = |op: &&super::operator::Operator| running.target().contains_key(&label(op.number));
            let notices = self.rng.chance(40);
            if let Some(dead) = world.operators.iter().filter(|op| op.dead && notices).find(in_group) {
                // Once in a while somebody notices, and gives it up.
                self.waits(world.now_ms);
                return Some(Wish::Change(wire::Change::LeaveUnreachable(label(dead.number))));
            }
            let verb = self.verb(world, running);
            if verb.is_none() {
                self.waits(world.now_ms);
            }
            return verb.map(Wish::Verb);
        }
        if self.planned.is_none() && self.actions_left > 0 {
            self.plan(world);
            return None;
        }
        self.planned.clone()
    }

    /// What to do with a transition that is under way.
    fn verb(&mut self, world: &World, running: &TransitionRecord) -> Option<wire::Verb> {
        let verb = match (running.paused, self.rng.between(0, 99)) {
            (true, 0..60) => wire::Verb::Resume,
            (true, 60..80) => wire::Verb::Undo,
            (true, 80..90) => wire::Verb::Stop,
            (_, _) if self.actions_left == 0 => return None,
            (false, 0..20) => wire::Verb::Pause,
            (false, 20..50) => wire::Verb::Undo,
            (false, 50..70) => wire::Verb::Stop,
            (false, 70..78) => wire::Verb::TryNow,
            // Undone or stopped before: it is to go on after all.
            (false, 78..90) if running.aim != Aim::Going => wire::Verb::Resume,
            // Somebody whose transition goes nowhere gives it up.
            (false, _) if world.never_acts() => wire::Verb::Undo,
            _ => return None,
        };
        self.actions_left = self.actions_left.saturating_sub(u32::from(verb != wire::Verb::Resume));
        Some(verb)
    }

    /// Chooses what to do next; a newcomer's zone is set up first, which takes a while.
    fn plan(&mut self, world: &mut World) {
        let all: Vec<u8> = (0..).zip(&world.operators).filter(|(_, op)| !op.dead).map(|(number, _)| number).collect();
        let is_in = |number: &u8| world.wanted.get(usize::from(*number)).copied().unwrap_or(false);
        let inside: Vec<u8> = (0..).zip(&world.wanted).filter(|(_, wanted)| **wanted).map(|(n, _)| n).collect();
        let outside: Vec<u8> = all.iter().copied().filter(|number| !is_in(number)).collect();
        let (new, old) = (self.rng.pick(&outside), self.rng.pick(&inside));
        let wish = match (new, old, self.rng.between(0, 9)) {
            (_, _, 0) => Wish::Verb(wire::Verb::Undo),
            (Some(new), _, 1..4) => Wish::Change(wire::Change::Join(label(new))),
            (Some(new), Some(old), 4..7) => Wish::Change(wire::Change::Replace { old: label(old), new: label(new) }),
            (_, Some(old), _) if inside.len() > 1 => Wish::Change(wire::Change::Leave(label(old))),
            (Some(new), _, _) => Wish::Change(wire::Change::Join(label(new))),
            _ => {
                self.actions_left = 0;
                return;
            }
        };
        self.actions_left = self.actions_left.saturating_sub(1);
        self.refusals = 0;
        self.next_ms = world.now_ms + 1;
        // Undo may bring back whoever left last.
        let joins = !matches!(wish, Wish::Change(wire::Change::Leave(_)));
        let undoes = matches!(wish, Wish::Verb(_));
        let back = outside.iter().copied().filter(|number| joins && (undoes || Some(*number) == new));
        for number in back.collect::<Vec<_>>() {
            if world.operators.get(usize::from(number)).is_some_and(|op| !op.serves) {
                let anew = self.rng.chance(50);
                world.set_serving(number, true, anew);
                self.next_ms += self.rng.between(400, 2000) * 1000;
            }
        }
        self.planned = Some(wish);
        world.tempt_edge(new);
        self.tempt_fate(world);
    }

    /// What happens to operators in the meantime.
    fn tempt_fate(&mut self, world: &mut World) {
        let rng = &mut self.rng;
        if world.dies && world.operators.iter().all(|op| !op.dead) {
            let operator = u8::try_from(rng.between(0, world.operators.len() as i64 - 1)).unwrap_or(0);
            world.will(rng.between(0, 10_000_000), Fate::Dies { operator });
        }
        for operator in (0..).zip(0..world.operators.len()).map(|(number, _)| number) {
            if world.reverts && rng.chance(40) {
                let kind = rng.pick(&[Kind::Dnskey, Kind::Ns, Kind::Cds, Kind::Cdnskey, Kind::Csync]);
                world.will(rng.between(0, 5_000_000), Fate::Reverts { operator, kind: kind.unwrap_or(Kind::Ns) });
            }
            if rng.chance(25) {
                let key_signing = rng.chance(50);
                world.will(rng.between(0, 5_000_000), Fate::Rolls { operator, key_signing });
            }
        }
        let whims: Vec<(i64, Fate)> = world.operators.iter().flat_map(|op| world.whims.of(op)).collect();
        for (after_ms, fate) in whims {
            world.will(after_ms, fate);
        }
        for address in 0..world.addresses.len() {
            if rng.chance(6) {
                let for_ms = rng.between(5_000, 1_800_000);
                world.will(rng.between(0, 5_000_000), Fate::Silent { address, for_ms });
            }
        }
    }

    pub fn accepted(&mut self, now_ms: i64) {
        self.planned = None;
        self.waits(now_ms);
    }

    pub fn refused(&mut self, now_ms: i64) {
        self.refusals += 1;
        self.next_ms = now_ms + self.rng.between(20, 900) * 1000;
        if self.refusals >= REFUSALS_MAX {
            self.planned = None;
        }
    }

    fn waits(&mut self, now_ms: i64) {
        let longest_s = if self.rng.chance(70) { 900 } else { 4000 };
        self.next_ms = now_ms + self.rng.between(1, longest_s) * 1000;
    }

    /// Does what only a person can: changes what the controller's codes say to be in the way.
    pub fn mends(&mut self, world: &mut World, codes: &[&str]) {
        if codes.contains(&"parent-serves-zone") && world.edge.chance(20) {
            world.moves_copy();
        }
        if codes.contains(&"operator-strips-cds") && world.edge.chance(20) {
            world.stripping_ends();
        }
    }

    /// A parent that a person has to tell is told what the controller says it may have now. `is_shown`: for the registrar.
    pub fn tell_parent(&mut self, world: &mut World, ds: Vec<u16>, ns: Vec<u16>, is_shown: bool) {
        if !self.rng.chance(40) {
            return;
        }
        let mut sets = vec![(Kind::Delegation, ns)];
        // One that knows nothing of CSYNC follows CDS by itself, as long as anybody answers it.
        if world.parent.manner == super::parent::Manner::Manual || !world.parent.needs_hand() {
            sets.push((Kind::Ds, ds));
        }
        for (kind, mut set) in sets {
            set.sort_unstable();
            world.tell_parent(kind, set, is_shown);
        }
    }
}
