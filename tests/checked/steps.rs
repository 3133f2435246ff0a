//! What can happen, as a model for the checker: everything that the world, the owner or the controller may do next.
//!
//! Invariant: nothing here is fair. Every step may be put off for as long as the size of the world lets it, and those without
//! a bound (rounds of the controller, scans of the parent) for ever. A state with an exposure is an end.

use crate::controller::{Controller, Round, Set, View};
use crate::ends::Ends;
use crate::world::{Address, Group, Parent, Roll, Size, World};
use chorus::model::switches::Switch;
use stateright::{Model, Property};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The controller asks everybody and acts; the answers of one (0: the parent, else an address) may get lost.
    Round {
        unheard: Option<u8>,
    },
    /// What was written is served at an address.
    Served(u8),
    /// The parent reads an address' CDS, or its CSYNC and NS.
    ReadsCds(u8),
    ReadsCsync(u8),
    PublishesDs,
    PublishesDelegation,
    Tick,
    /// The owner changes the desired group.
    Wants(Group),
    Pauses,
    Resumes,
    /// An operator goes on with its key roll.
    Rolls,
}

pub struct Ladder {
    pub size: Size,
    pub controller: Controller,
    pub ends: Ends,
    /// Whether it is only looked for exposures.
    pub safety_only: bool,
}

impl Ladder {
    pub fn new(size: Size, without: &[Switch]) -> Ladder {
        let controller = Controller::new(&size, without);
        Ladder { size, controller, ends: Ends::default(), safety_only: false }
    }

    /// The world after a step; `None` where the step changes nothing or cannot be.
    pub fn after(&self, world: &World, step: &Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Round { unheard } => self.round(&mut next, *unheard),
            Step::Served(at) => self.served(&mut next, usize::from(*at))?,
            Step::ReadsCds(at) => reads_cds(&mut next, usize::from(*at), self.size.address_of[usize::from(*at)])?,
            Step::ReadsCsync(at) => reads_csync(&mut next, usize::from(*at), self.size.address_of[usize::from(*at)])?,
            Step::PublishesDs => next.parent.ds = next.parent.new_ds.take()?.0,
            Step::PublishesDelegation => next.parent.ns = next.parent.new_ns.take()?.0,
            Step::Tick => {
                let busy = || self.after(world, &Step::Round { unheard: None }).is_some();
                if !world.may_tick(&self.size) || self.size.sleeps.is_none() && busy() {
                    return None;
                }
                next.tick(&self.size);
            }
            Step::Wants(group) => wants(&mut next, *group)?,
            Step::Pauses => next.memory.paused = next.memory.running,
            Step::Resumes => next.memory.paused = false,
            Step::Rolls => self.rolls(&mut next)?,
        }
        if self.size.promptly {
            next.parent.ds = next.parent.new_ds.take().map_or(next.parent.ds, |new| new.0);
            next.parent.ns = next.parent.new_ns.take().map_or(next.parent.ns, |new| new.0);
        }
        for at in 0..next.addresses.len() {
            if self.size.lag == 0 || self.size.lagging & 1 << at == 0 {
                self.served(&mut next, at);
            }
        }
        next.resolvers_ask(&self.size);
        next.renumber();
        (next != *world).then_some(next)
    }

    pub fn view(&self, world: &World, unheard: Option<u8>) -> View {
        let shows = |address: &Address| {
            let mut shows = address.shows;
            (shows.cds_rank, shows.ns_rank) = (0, 0);
            shows
        };
        View {
            memory: world.memory.clone(),
            shows: world.addresses.iter().map(shows).collect(),
            parent: (world.parent.ds, world.parent.ns),
            unheard,
        }
    }

    fn round(&self, world: &mut World, unheard: Option<u8>) {
        let round = self.controller.round(&self.view(world, unheard));
        let Round { memory, writes, gone, .. } = &*round;
        let members = world.memory.members;
        world.memory = memory.clone();
        world.unseen = 0;
        if unheard.is_some() {
            world.losses -= 1;
        }
        world.gone = *gone;
        for (operator, sets) in writes {
            self.write(world, *operator, sets);
        }
        for operator in crate::names::each(members & !world.memory.members) {
            world.gives_up(&self.size, operator);
        }
    }

    fn write(&self, world: &mut World, operator: u8, sets: &[Set]) {
        let cds_rank = world.next_rank(|zone| zone.cds_rank, world.parent.newest_cds);
        let ns_rank = world.next_rank(|zone| zone.ns_rank, world.parent.newest_ns);
        let zone = &mut world.primaries[usize::from(operator)];
        let before = *zone;
        for set in sets {
            match set {
                Set::Keys { with, without } => zone.keys = (zone.keys | with) & !without,
                Set::Cds(keys) if zone.cds != *keys => (zone.cds, zone.cds_rank) = (*keys, cds_rank),
                Set::Ns(named) if zone.ns != *named => (zone.ns, zone.ns_rank) = (*named, ns_rank),
                Set::Cds(_) | Set::Ns(_) => {}
                Set::Csync(there) => zone.csync = *there,
            }
        }
        if *zone != before {
            self.is_on_its_way(world, operator);
        }
    }

    fn is_on_its_way(&self, world: &mut World, operator: u8) {
        for (address, _) in world.addresses.iter_mut().zip(&self.size.address_of).filter(|(_, of)| **of == operator) {
            address.behind = Some(address.behind.unwrap_or(0));
        }
    }

    fn served(&self, world: &mut World, at: usize) -> Option<()> {
        let address = &mut world.addresses[at];
        address.behind.take()?;
        address.shows = world.primaries[usize::from(self.size.address_of[at])];
        Some(())
    }

    /// Operators that roll keys do it well: a new key signs when every cache knows it, an old one goes when nothing needs
    /// it.
    fn rolls(&self, world: &mut World) -> Option<()> {
        let (operator, roll) = self.size.roll?;
        let member = world.memory.members & 1 << operator != 0;
        let of_it = || world.addresses.iter().zip(&self.size.address_of).filter(|(_, of)| **of == operator);
        let in_step = of_it().all(|(address, _)| address.behind.is_none());
        let (before, after) = (self.size.own_keys(operator, 0), self.size.own_keys(operator, 3));
        let (old, new) = (before & !after, after & !before);
        let vouched = roll == Roll::Zsk || world.caches.all_ds_have(new);
        let next = match world.stage {
            0 => member,
            1 => member && in_step && world.caches.all_keys_have(new) && vouched,
            2 => member && in_step && !world.caches.depends_on(old) && vouched,
            _ => false,
        };
        if !next {
            return None;
        }
        let own = self.size.own_keys(operator, world.stage);
        world.stage += 1;
        let zone = &mut world.primaries[usize::from(operator)];
        zone.keys = zone.keys & !own | self.size.own_keys(operator, world.stage);
        (zone.signs_keys, zone.signs_data) = self.size.signing_keys(operator, world.stage);
        self.is_on_its_way(world, operator);
        Some(())
    }
}

/// Any server that somebody may ask: a parent may go by its own referral, or by the child's NS set.
fn reads_cds(world: &mut World, at: usize, operator: u8) -> Option<()> {
    let World { parent, addresses, caches, .. } = world;
    let shows = &addresses[at].shows;
    let news = shows.cds != 0 && shows.cds != parent.ds && shows.cds_rank >= parent.newest_cds;
    if !news || parent.new_ds.is_some() || !caches.is_asked(operator) {
        return None;
    }
    *parent = Parent { new_ds: Some((shows.cds, 0)), newest_cds: shows.cds_rank, ..parent.clone() };
    Some(())
}

fn reads_csync(world: &mut World, at: usize, operator: u8) -> Option<()> {
    let World { parent, addresses, caches, .. } = world;
    let shows = &addresses[at].shows;
    let news = shows.csync && shows.ns != parent.ns && shows.ns_rank >= parent.newest_ns;
    if !news || parent.new_ns.is_some() || !caches.is_asked(operator) {
        return None;
    }
    *parent = Parent { new_ns: Some((shows.ns, 0)), newest_ns: shows.ns_rank, ..parent.clone() };
    Some(())
}

pub fn wants(world: &mut World, group: Group) -> Option<()> {
    let memory = &mut world.memory;
    if memory.desired == group {
        return None;
    }
    memory.desired = group;
    memory.members |= group.all();
    memory.running = true;
    memory.paused = false;
    world.gone &= !group.all();
    world.changes = match world.changes {
        Some(left) => Some(left.checked_sub(1)?),
        None => None,
    };
    Some(())
}

impl Model for Ladder {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        // At rest, and the controller has seen it for as long as matters.
        let mut world = World::new(&self.size);
        self.round(&mut world, None);
        (0..=self.size.horizon().longest()).for_each(|_| world.tick(&self.size));
        self.round(&mut world, None);
        world.renumber();
        vec![world]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.exposure.is_some() {
            return;
        }
        steps.push(Step::Round { unheard: None });
        let addresses = world.addresses.len() as u8;
        if world.losses > 0 {
            steps.extend((0..=addresses).map(|unheard| Step::Round { unheard: Some(unheard) }));
        }
        for at in 0..addresses {
            steps.extend([Step::Served(at), Step::ReadsCds(at), Step::ReadsCsync(at)]);
        }
        steps.extend([Step::PublishesDs, Step::PublishesDelegation, Step::Tick, Step::Rolls]);
        if self.size.hasty || world.addresses.iter().all(|address| address.behind.is_none()) {
            steps.extend(self.size.groups.iter().map(|group| Step::Wants(*group)));
        }
        if self.size.pauses {
            steps.extend([Step::Pauses, Step::Resumes]);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        self.after(world, &step)
    }

    fn properties(&self) -> Vec<Property<Ladder>> {
        let safe = Property::<Ladder>::always(SAFE, |_, world| world.exposure.is_none());
        if self.safety_only {
            return vec![safe];
        }
        vec![
            safe,
            Property::<Ladder>::always(ENDS, |ladder, world| ladder.ends(world)),
            Property::<Ladder>::always(UNDONE, |ladder, world| {
                let groups = ladder.size.groups.iter();
                groups.filter_map(|group| world.wanting(*group)).all(|world| ladder.ends(&world))
            }),
        ]
    }
}

pub const SAFE: &str = "no resolver can fail";
pub const ENDS: &str = "every transition can end";
pub const UNDONE: &str = "every transition can be undone, or be followed by any other";
