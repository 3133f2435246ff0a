//! Who says whether a resolver could have failed: resolvers with caches, told the truth about what every address serves.
//!
//! Two judges that share only the digest of the view and RFC 4035's two rules:
//! * `crowd`: every resolver that could exist, at every moment. What it finds is complete, and says from when until when.
//! * `handful`: single resolvers of named classes, with real caches, that ask now and then. What one of them meets, the crowd
//!   must have foreseen; the tests hold the two against each other.
//!
//! Invariant: nothing here knows what the controller believes. Keys and hosts are numbers, and no other part of the program
//! is used (`tests/oracle` reads the `use` lines). How the world moves does not belong here.
//!
//! A moment is half-open throughout: what was fetched just before `t` with a TTL of 60 s is in caches before `t + 60 s`, and
//! no longer at it.

mod crowd;
mod glitch;
mod handful;
mod resolver;
mod rules;
mod scene;

pub use glitch::{Class, Counts, Glitch, Kind, Part};
pub use scene::What;

use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers, sorted, without doubles.
pub type Set = Arc<[u16]>;

/// Places are numbered below this.
pub const PLACES: u16 = 16;

/// The record that leads from a host, which NS sets name, to a place, which is one address or more of one server.
pub fn lead(host: u16, place: u16) -> u16 {
    host * PLACES + place % PLACES
}

/// What an address serves of one RRset.
#[derive(Clone, Debug)]
pub struct Rrset {
    /// No two different RRsets in a world have the same. Several addresses may serve one, and one may come back.
    pub version: u32,
    /// Key numbers (DNSKEY, DS), host numbers (NS) or where hosts lead to; of no interest in ordinary data.
    pub records: Set,
    pub ttl_s: u32,
    /// The keys that sign it.
    pub signers: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    Parent,
    /// The rest of the DNS, which resolvers find name servers outside the zone by.
    Public,
    Operator(u8),
}

/// One address of a server, now.
#[derive(Clone, Debug)]
pub struct Address {
    pub whose: Whose,
    /// Several addresses may be one host's. Without meaning at the parent.
    pub host: u16,
    /// Where address records lead to, if there are any in this world.
    pub place: u16,
    /// Whether it answers at all.
    pub up: bool,
    /// Whether it still has the zone. Without meaning at the parent.
    pub serves: bool,
    /// At the parent. A zone without DS is an empty set, with the TTL of the negative answer.
    pub ds: Option<Rrset>,
    pub delegation: Option<Rrset>,
    /// At operators.
    pub dnskey: Option<Rrset>,
    /// Judged like ordinary data too, when signers are given.
    pub ns: Option<Rrset>,
    /// Ordinary data: which, and what. Negative answers are data. The parent has such when it has a copy of the zone; then it
    /// shows no delegation (RFC 1034 §4.3.2).
    pub answers: Vec<(u8, Rrset)>,
    /// The addresses of name servers ([`lead`]): as glue at the parent, in the zone at an operator, those of hosts outside the
    /// zone in the public DNS. If no address has any, every host's addresses are known to every resolver.
    pub leads: Option<Rrset>,
    /// The hosts whose addresses belong there: a set without one of them says that it has none.
    pub leads_of: Set,
}

#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub addresses: &'a [Address],
}

/// What resolvers do beyond what TTLs say, in the worst case.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For how long what has expired may still be used.
    pub stale_s: u32,
    /// What is kept for longer than its TTL says.
    pub ttl_min_s: u32,
    /// Nothing is kept for longer.
    pub ttl_cap_s: u32,
    /// For how long an answer may be on its way: caches count from when it arrives.
    pub flight_s: u32,
    /// For how long all servers of a cached NS set may be silent before that counts as a failure. That a server answers, but
    /// no longer has the zone, counts at once.
    pub silence_s: u32,
    /// How many single resolvers there are beside the crowd, of all classes in turn.
    pub resolvers: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { stale_s: 0, ttl_min_s: 0, ttl_cap_s: 604_800, flight_s: 0, silence_s: 0, resolvers: 14 }
    }
}

impl Settings {
    /// For how long something is on its way or in a cache after a server gave it, stale serving included.
    fn life_ms(&self, ttl_s: u32) -> i64 {
        i64::from(self.flight_s) * 1000 + self.fresh_ms(ttl_s, self.ttl_min_s) + self.stale_ms()
    }

    fn fresh_ms(&self, ttl_s: u32, ttl_min_s: u32) -> i64 {
        i64::from(ttl_s.max(ttl_min_s).min(self.ttl_cap_s)) * 1000
    }

    fn stale_ms(&self) -> i64 {
        i64::from(self.stale_s) * 1000
    }
}

pub struct Oracle {
    scene: scene::Scene,
    crowd: crowd::Crowd,
    handful: handful::Handful,
    counts: BTreeMap<Class, Counts>,
    glitches: Vec<Glitch>,
}

impl Oracle {
    pub fn new(seed: u64, settings: Settings) -> Oracle {
        Oracle {
            scene: scene::Scene::default(),
            crowd: crowd::Crowd::new(settings),
            handful: handful::Handful::new(seed, settings),
            counts: BTreeMap::new(),
            glitches: Vec::new(),
        }
    }

    /// Lets the time from `from_ms` until just before `to_ms` pass, in which everything stays as in `view`. Returns what has
    /// gone wrong that was not said before. Stretches follow one another without a gap.
    pub fn advance(&mut self, view: &View<'_>, from_ms: i64, to_ms: i64) -> Vec<Glitch> {
        if from_ms >= to_ms {
            return Vec::new();
        }
        let said = self.glitches.len();
        self.scene.look(view, from_ms);
        let counts = self.counts.entry(Class::Crowd).or_default();
        self.crowd.advance(&self.scene, from_ms, to_ms, counts, &mut self.glitches);
        self.handful.advance(&self.scene, from_ms, to_ms, &mut self.counts, &mut self.glitches);
        self.glitches.get(said..).unwrap_or_default().to_vec()
    }

    /// What was judged, and how it came out, by class of resolvers.
    pub fn counts(&self) -> &BTreeMap<Class, Counts> {
        &self.counts
    }

    /// Everything that has gone wrong, with the ends as they are known now: a window found earlier may have grown since.
    pub fn glitches(&self) -> &[Glitch] {
        &self.glitches
    }
}
