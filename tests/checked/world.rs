//! The small world: its size, its state, and how one tick of time passes.
//!
//! Invariant: a state says nothing about absolute time, and nothing that can no longer matter, so that there are few of
//! them: ages are counted from now, what is dead is forgotten (`memory`), and the order in which CDS and NS sets were
//! published is kept as ranks without gaps.

use crate::caches::{Caches, Exposure};
use crate::memory::{Horizon, Memory};
use crate::names::KEYS_EACH;

/// A set of keys, by number: `4 * operator + n`, with the secure entry point bit for n = 0 and 1.
pub type Keys = u16;
/// A set of operators.
pub type Operators = u8;

/// A desired group: who is to serve, and who is only to stay trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    pub serving: Operators,
    pub trusted: Operators,
}

impl Group {
    pub const fn of(serving: Operators) -> Group {
        Group { serving, trusted: 0 }
    }

    pub const fn all(self) -> Operators {
        self.serving | self.trusted
    }
}

/// In ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttls {
    pub ds: u8,
    pub delegation: u8,
    pub dnskey: u8,
    pub cds: u8,
    pub csync: u8,
    pub ns: u8,
    pub data: u8,
}

impl Ttls {
    pub const ONE: Ttls = Ttls { ds: 1, delegation: 1, dnskey: 1, cds: 1, csync: 1, ns: 1, data: 1 };
}

/// How the keys of an operator are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// One key signs everything.
    Csk,
    /// One key signs the DNSKEY, CDS and CDNSKEY sets, another everything else.
    Split,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    Zsk,
    Ksk,
}

/// How large the world is.
#[derive(Clone, Debug)]
pub struct Size {
    /// Whose each address is.
    pub address_of: Vec<u8>,
    pub first: Operators,
    /// What the owner may want.
    pub groups: Vec<Group>,
    /// Whether it may pause a transition and go on with it.
    pub pauses: bool,
    /// Whether it changes its mind while something that was written is not served everywhere yet. What is on its way is in
    /// no history: a key that is about to vanish from a set passes for served, and whoever is wanted again is let in.
    pub hasty: bool,
    /// How often the owner changes its mind; `None`: without end.
    pub changes: Option<u8>,
    /// How often an address' answers get lost.
    pub losses: u8,
    /// How many ticks may pass without a round of the controller. `None`: time waits until it has nothing more to do.
    pub sleeps: Option<u8>,
    pub ttls: Ttls,
    pub design: Design,
    /// The operator that rolls a key, once, and which.
    pub roll: Option<(u8, Roll)>,
    /// The ticks after which a write is served at the latest.
    pub lag: u8,
    /// The addresses that may be late, by bit; all others serve at once what is written.
    pub lagging: u8,
    /// The ticks after which the parent publishes what it read at the latest.
    pub pipeline: u8,
    /// The parent publishes what it reads at once; nobody relies on that.
    pub promptly: bool,
    /// See [`Horizon::last_seen`].
    pub last_seen: bool,
}

impl Size {
    /// Two operators, one address each.
    pub fn new(first: Operators, groups: &[Group]) -> Size {
        let all = groups.iter().fold(first, |all, group| all | group.all());
        Size {
            address_of: crate::names::each(all).collect(),
            first,
            groups: groups.to_vec(),
            pauses: false,
            hasty: false,
            changes: None,
            losses: 0,
            sleeps: None,
            ttls: Ttls::ONE,
            design: Design::Csk,
            roll: None,
            lag: 1,
            lagging: u8::MAX,
            pipeline: 1,
            promptly: false,
            last_seen: false,
        }
    }

    pub fn operators(&self) -> u8 {
        self.address_of.iter().max().unwrap() + 1
    }

    pub fn horizon(&self) -> Horizon {
        Horizon { ttls: self.ttls, pipeline: self.pipeline, last_seen: self.last_seen }
    }

    /// An operator's own keys, `stage` steps into its roll.
    pub fn own_keys(&self, operator: u8, stage: u8) -> Keys {
        let old_and_new = |old: u8, new: u8| match stage {
            0 => 1 << old,
            1 | 2 => 1 << old | 1 << new,
            _ => 1 << new,
        };
        let own: Keys = match (self.design, self.roll.filter(|(op, _)| *op == operator)) {
            (Design::Csk, _) => 0b0001,
            (Design::Split, None) => 0b0101,
            (Design::Split, Some((_, Roll::Zsk))) => 0b0001 | old_and_new(2, 3),
            (Design::Split, Some((_, Roll::Ksk))) => 0b0100 | old_and_new(0, 1),
        };
        own << (operator * KEYS_EACH)
    }

    /// Which keys sign the DNSKEY set, and which everything else.
    pub fn signing_keys(&self, operator: u8, stage: u8) -> (Keys, Keys) {
        let roll = self.roll.filter(|(op, _)| *op == operator).map(|(_, roll)| roll);
        let (keys, data): (Keys, Keys) = match (self.design, roll, stage) {
            (Design::Csk, _, _) => (0b0001, 0b0001),
            (Design::Split, None, _) | (Design::Split, _, 0 | 1) => (0b0001, 0b0100),
            (Design::Split, Some(Roll::Zsk), _) => (0b0001, 0b1000),
            (Design::Split, Some(Roll::Ksk), 2) => (0b0011, 0b0100),
            (Design::Split, Some(Roll::Ksk), _) => (0b0010, 0b0100),
        };
        (keys << (operator * KEYS_EACH), data << (operator * KEYS_EACH))
    }

    /// An operator's zone as it is before anybody shared anything.
    fn alone(&self, operator: u8, stage: u8) -> Zone {
        let (signs_keys, signs_data) = self.signing_keys(operator, stage);
        Zone {
            keys: self.own_keys(operator, stage),
            signs_keys,
            signs_data,
            cds: 0,
            cds_rank: 0,
            csync: false,
            ns: 1 << operator,
            ns_rank: 0,
        }
    }
}

/// An operator's zone, or what one of its addresses shows of it. The CDNSKEY set is always that of the same keys as the CDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    pub keys: Keys,
    pub signs_keys: Keys,
    pub signs_data: Keys,
    pub cds: Keys,
    pub cds_rank: u8,
    pub csync: bool,
    pub ns: Operators,
    pub ns_rank: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub shows: Zone,
    /// Ticks since a write is on its way here.
    pub behind: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parent {
    pub ds: Keys,
    pub ns: Operators,
    /// What it has read and is going to publish, and for how many ticks.
    pub new_ds: Option<(Keys, u8)>,
    pub new_ns: Option<(Operators, u8)>,
    /// It does not go back to what is older than what it took (RFC 7344 §6.2).
    pub newest_cds: u8,
    pub newest_ns: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub primaries: Vec<Zone>,
    pub addresses: Vec<Address>,
    pub parent: Parent,
    pub caches: Caches,
    pub memory: Memory,
    pub stage: u8,
    /// Whom, as the controller saw it last, nobody can ask any more: these may stop serving the zone at any moment.
    pub gone: Operators,
    /// Ticks that began since the controller's last round.
    pub unseen: u8,
    pub changes: Option<u8>,
    pub losses: u8,
    pub exposure: Option<Exposure>,
}

impl World {
    /// The first group at rest, for ever; everybody else alone. The controller has seen nothing yet.
    pub fn new(size: &Size) -> World {
        let all: Keys = crate::names::each(size.first).map(|op| size.own_keys(op, 0)).sum();
        let key_signing = all & 0x3333;
        let several = size.first.count_ones() > 1;
        let zone = |operator: u8| {
            let alone = size.alone(operator, 0);
            if size.first & 1 << operator == 0 {
                return alone;
            }
            Zone { keys: all, cds: if several { key_signing } else { 0 }, ns: size.first, ..alone }
        };
        let primaries: Vec<Zone> = (0..size.operators()).map(zone).collect();
        let address = |op: &u8| Address { shows: primaries[usize::from(*op)], behind: None };
        let mut world = World {
            addresses: size.address_of.iter().map(address).collect(),
            parent: Parent { ds: key_signing, ns: size.first, new_ds: None, new_ns: None, newest_cds: 0, newest_ns: 0 },
            caches: Caches::default(),
            memory: Memory {
                tracks: vec![Vec::new(); crate::controller::tracks(size)],
                silent: 0,
                members: size.first,
                desired: Group::of(size.first),
                paused: false,
                placed: primaries
                    .iter()
                    .enumerate()
                    .map(|(op, zone)| zone.keys & !size.own_keys(op as u8, 0))
                    .collect(),
                running: false,
            },
            stage: 0,
            gone: 0,
            unseen: 0,
            changes: size.changes,
            losses: size.losses,
            exposure: None,
            primaries,
        };
        world.resolvers_ask(size);
        world
    }

    pub fn resolvers_ask(&mut self, size: &Size) {
        let zones: Vec<(u8, &Zone)> =
            size.address_of.iter().copied().zip(self.addresses.iter().map(|address| &address.shows)).collect();
        self.caches.fetch(self.parent.ds, self.parent.ns, &zones, &size.ttls);
        if self.exposure.is_none() {
            let asked = crate::names::each(self.gone).find(|op| self.caches.is_asked(*op));
            self.exposure = asked.map(Exposure::AskedAfterTheLastQuestion).or_else(|| self.caches.exposure());
        }
    }

    /// Whether time may pass: nothing is due in this tick any more.
    pub fn may_tick(&self, size: &Size) -> bool {
        let late = |since: Option<u8>, most: u8| since.is_some_and(|since| since >= most);
        size.sleeps.is_none_or(|most| self.unseen <= most)
            && !self.addresses.iter().any(|address| late(address.behind, size.lag))
            && !late(self.parent.new_ds.map(|new| new.1), size.pipeline)
            && !late(self.parent.new_ns.map(|new| new.1), size.pipeline)
    }

    pub fn tick(&mut self, size: &Size) {
        let since = self.addresses.iter_mut().filter_map(|address| address.behind.as_mut());
        let new_ds = self.parent.new_ds.as_mut().map(|new| &mut new.1);
        let new_ns = self.parent.new_ns.as_mut().map(|new| &mut new.1);
        since.chain(new_ds).chain(new_ns).for_each(|ticks| *ticks += 1);
        if size.sleeps.is_some() {
            self.unseen += 1;
        }
        self.caches.tick();
        self.memory.tick();
        self.memory.forget(&size.horizon());
        self.resolvers_ask(size);
    }

    /// Who is not in the group any more gives the zone up: what it has is what it had before it ever joined.
    pub fn gives_up(&mut self, size: &Size, operator: u8) {
        let stage = if size.roll.is_some_and(|(op, _)| op == operator) { self.stage } else { 0 };
        let alone = size.alone(operator, stage);
        self.primaries[usize::from(operator)] = alone;
        for (address, _) in self.addresses.iter_mut().zip(&size.address_of).filter(|(_, of)| **of == operator) {
            *address = Address { shows: alone, behind: None };
        }
    }

    /// Puts ranks without gaps in the place of those that are there.
    pub fn renumber(&mut self) {
        let World { primaries, addresses, parent, .. } = self;
        let zones = || primaries.iter().chain(addresses.iter().map(|address| &address.shows));
        let without_gaps = |mut ranks: Vec<u8>| {
            ranks.sort_unstable();
            ranks.dedup();
            move |rank: u8| ranks.iter().position(|other| *other == rank).unwrap() as u8
        };
        // An empty set is never read: its place in the order says nothing.
        let cds = without_gaps(
            zones().filter(|zone| zone.cds != 0).map(|zone| zone.cds_rank).chain([parent.newest_cds]).collect(),
        );
        let ns = without_gaps(zones().map(|zone| zone.ns_rank).chain([parent.newest_ns]).collect());
        for zone in primaries.iter_mut().chain(addresses.iter_mut().map(|address| &mut address.shows)) {
            zone.cds_rank = if zone.cds != 0 { cds(zone.cds_rank) } else { 0 };
            zone.ns_rank = ns(zone.ns_rank);
        }
        (parent.newest_cds, parent.newest_ns) = (cds(parent.newest_cds), ns(parent.newest_ns));
    }

    pub fn next_rank(&self, rank: impl Fn(&Zone) -> u8, newest: u8) -> u8 {
        let zones = self.primaries.iter().chain(self.addresses.iter().map(|address| &address.shows));
        zones.map(rank).chain([newest]).max().unwrap_or(0) + 1
    }
}
