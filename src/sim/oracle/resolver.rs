//! One resolver: a line of caches, and at its end one that asks servers.
//!
//! Invariant: only what was really fetched is ever handed out, for as long as the class may keep it, and no longer than the
//! settings say. When it is asked, and what the outcome means, do not belong here.

use super::scene::{Scene, Slot, Spot};
use super::{Class, Rrset, Settings, What, Whose};
use rand::RngExt;
use rand::rngs::SmallRng;

/// Something fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub what: What,
    pub slot: Slot,
    pub whose: Whose,
    pub host: u16,
    pub fetched_ms: i64,
    pub expires_ms: i64,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failed {
    /// All servers of this NS set fail; see `Scene::all_fail`.
    Servers { ns: Entry, silent_since: Option<i64> },
    /// Nobody has such data, or the parent is silent: nothing to judge.
    Nothing,
}

/// Expired records are handed out with no more than this (RFC 8767 §4).
const STALE_TTL_MS: i64 = 30_000;
/// So many servers a sticky resolver goes through at once, before it would rather ask the parent.
const HOPS_MAX: usize = 4;

#[derive(Default)]
struct Cache(Vec<Entry>);

impl Cache {
    fn get(&self, what: What) -> Option<Entry> {
        self.0.iter().find(|entry| entry.what == what).copied()
    }

    fn put(&mut self, new: Entry) {
        match self.0.iter_mut().find(|entry| entry.what == new.what) {
            Some(old) => *old = new,
            None => self.0.push(new),
        }
    }
}

pub(super) struct Resolver {
    pub class: Class,
    settings: Settings,
    /// The client's own first; the last belongs to the one that asks servers.
    caches: Vec<Cache>,
    delegation: Option<Entry>,
    ns: Option<Entry>,
    /// By host: where it leads to, where hosts are found by address records.
    leads: Vec<(u16, Entry)>,
}

impl Resolver {
    pub fn new(class: Class, settings: Settings) -> Resolver {
        let depth = match class {
            Class::ForwarderChain => 3,
            Class::StaleForwarder => 2,
            _ => 1,
        };
        let caches = (0..depth).map(|_| Cache::default()).collect();
        Resolver { class, settings, caches, delegation: None, ns: None, leads: Vec::new() }
    }

    /// A moment just before something in the cache next to the client expires, if there is one in the stretch.
    pub fn moment_before_expiry(&self, from: i64, to: i64) -> Option<i64> {
        let entries = self.caches.iter().flat_map(|cache| &cache.0);
        entries.map(|entry| entry.expires_ms - 1).filter(|at| (from..to).contains(at)).min()
    }

    pub fn lookup(&mut self, scene: &Scene, rng: &mut SmallRng, what: What, now: i64) -> Result<Entry, Failed> {
        let mut found = None;
        for (depth, cache) in self.caches.iter().enumerate() {
            let hit = cache.get(what).and_then(|entry| {
                let stale = self.class == Class::StaleForwarder && depth + 1 == self.caches.len();
                still(entry, now, stale, &self.settings, rng)
            });
            if let Some(entry) = hit {
                found = Some((depth, entry));
                break;
            }
        }
        let (depth, entry) = match found {
            Some(hit) => hit,
            None => (self.caches.len(), self.fetch(scene, rng, what, now)?),
        };
        for cache in self.caches.iter_mut().take(depth) {
            cache.put(entry);
        }
        Ok(entry)
    }

    fn fetch(&mut self, scene: &Scene, rng: &mut SmallRng, what: What, now: i64) -> Result<Entry, Failed> {
        if what == What::Ds {
            let (spot, slot) = pick(scene, rng, what, |at| at.whose == Whose::Parent).ok_or(Failed::Nothing)?;
            return Ok(self.entry(scene, spot, what, slot, now));
        }
        let ns = match self.servers(scene, rng, now)? {
            Asked::Named(ns) => ns,
            Asked::Copy(spot) => {
                let copy = scene.spots.get(spot).and_then(|at| at.shown(what)).ok_or(Failed::Nothing)?;
                return Ok(self.entry(scene, spot, what, copy, now));
            }
        };
        let named = &scene.rrset(ns.slot).records;
        let reach = self.reach(scene, rng, named, now);
        let Some((spot, slot)) = pick(scene, rng, what, |at| reach.asks(at, named)) else {
            return Err(match scene.all_fail(named, |spot| reach.asks(spot, named)) {
                Some(silent_since) => Failed::Servers { ns, silent_since },
                None => Failed::Nothing,
            });
        };
        let learns = self.class != Class::ParentCentric && ns.what == What::Delegation;
        if learns && let Some(own) = scene.spots.get(spot).and_then(|at| at.shown(What::Ns)) {
            self.ns = Some(self.entry(scene, spot, What::Ns, own, now));
        }
        self.learns_addresses(scene, rng, spot, now);
        Ok(self.entry(scene, spot, what, slot, now))
    }

    /// The NS set that it goes by now; or the parent's server that answered from a copy of the zone.
    fn servers(&mut self, scene: &Scene, rng: &mut SmallRng, now: i64) -> Result<Asked, Failed> {
        if self.class == Class::Sticky {
            self.keep_alive(scene, rng, now + 1);
        }
        let stale = self.class == Class::StaleForwarder;
        let mut usable = |known: Option<Entry>| known.and_then(|e| still(e, now, stale, &self.settings, rng));
        if let Some(known) = usable(self.ns).or_else(|| usable(self.delegation)) {
            return Ok(Asked::Named(known));
        }
        let parents = || {
            let parents = scene.spots.iter().enumerate().filter(|(_, at)| at.whose == Whose::Parent);
            parents.filter(|(_, at)| at.shown(What::Delegation).or_else(|| at.shown(What::Dnskey)).is_some())
        };
        let parent = parents().nth(rng.random_range(0..parents().count().max(1)));
        let (spot, at) = parent.ok_or(Failed::Nothing)?;
        let Some(slot) = at.shown(What::Delegation) else { return Ok(Asked::Copy(spot)) };
        let fresh = self.entry(scene, spot, What::Delegation, slot, now);
        self.delegation = Some(fresh);
        Ok(Asked::Named(fresh))
    }

    /// Where the named hosts can be asked.
    fn reach(&mut self, scene: &Scene, rng: &mut SmallRng, named: &[u16], now: i64) -> Reach {
        if !scene.is_mapped {
            return Reach(None);
        }
        self.leads.retain(|(_, entry)| entry.expires_ms > now);
        let mut places = Vec::new();
        for host in named {
            if !self.leads.iter().any(|(of, _)| of == host) {
                let from = if scene.inside.contains(host) { Whose::Parent } else { Whose::Public };
                let shows = |at: &Spot| {
                    let leads = at.shown(What::Leads);
                    at.whose == from && leads.is_some_and(|leads| scene.places_of(leads, *host).next().is_some())
                };
                let Some((spot, slot)) = pick(scene, rng, What::Leads, shows) else { continue };
                self.leads.push((*host, self.entry(scene, spot, What::Leads, slot, now)));
            }
            let known = self.leads.iter().filter(|(of, _)| of == host);
            places.extend(known.flat_map(|(_, entry)| scene.places_of(entry.slot, *host)));
        }
        Reach(Some(places))
    }

    /// Half of the time it asks the zone itself for the addresses of the hosts inside it, and no longer goes by glue.
    fn learns_addresses(&mut self, scene: &Scene, rng: &mut SmallRng, spot: usize, now: i64) {
        if !scene.is_mapped || rng.random_range(0..2u8) == 0 {
            return;
        }
        let Some(slot) = scene.spots.get(spot).and_then(|at| at.shown(What::Leads)) else { return };
        let own = self.entry(scene, spot, What::Leads, slot, now);
        for (_, entry) in self.leads.iter_mut().filter(|(host, _)| scene.inside.contains(host)) {
            *entry = own;
        }
    }

    /// What a sticky resolver has done before `end` about an NS set that would have expired: asked the servers that it names
    /// for it, just before. Has to be called at the end of every stretch, for it supposes that nothing changed since.
    pub fn keep_alive(&mut self, scene: &Scene, rng: &mut SmallRng, end: i64) {
        for _ in 0..HOPS_MAX {
            let Some(known) = self.ns.filter(|ns| ns.expires_ms <= end) else { return };
            // What nobody renewed in time is gone, also if a server comes back later.
            self.ns = None;
            let named = &scene.rrset(known.slot).records;
            let reach = self.reach(scene, rng, named, known.expires_ms - 1);
            // The server that it knows as the nearest, while that is named and answers.
            let nearest = |at: &Spot| (at.whose, at.host) == (known.whose, known.host) && reach.asks(at, named);
            let any = |at: &Spot| reach.asks(at, named);
            let picked = pick(scene, rng, What::Ns, nearest).or_else(|| pick(scene, rng, What::Ns, any));
            let Some((spot, slot)) = picked.filter(|_| known.expires_ms > known.fetched_ms) else { return };
            let mut fresh = self.entry(scene, spot, What::Ns, slot, known.expires_ms - 1);
            // A server that names itself is asked again and again, while nothing changes.
            if fresh.expires_ms <= end && scene.rrset(slot).records.contains(&fresh.host) {
                fresh = self.entry(scene, spot, What::Ns, slot, end - 1);
            }
            self.ns = Some(fresh);
        }
        self.ns = self.ns.filter(|ns| ns.expires_ms > end);
    }

    fn entry(&self, scene: &Scene, spot: usize, what: What, slot: Slot, now: i64) -> Entry {
        let (whose, host) = scene.spots.get(spot).map_or((Whose::Parent, 0), |spot| (spot.whose, spot.host));
        let ttl_min_s = if self.class == Class::TtlStretcher { self.settings.ttl_min_s } else { 0 };
        let Rrset { ttl_s, .. } = scene.rrset(slot);
        let expires_ms = now + self.settings.fresh_ms(*ttl_s, ttl_min_s);
        Entry { what, slot, whose, host, fetched_ms: now, expires_ms }
    }
}

/// What a cache makes of an entry: as it is, or stale, for most of its tries to refresh it fail, or nothing.
fn still(entry: Entry, now: i64, stale: bool, settings: &Settings, rng: &mut SmallRng) -> Option<Entry> {
    if now < entry.expires_ms {
        return Some(entry);
    }
    let dies = entry.expires_ms + settings.stale_ms();
    let handed_out = stale && now < dies && rng.random_ratio(31, 32);
    handed_out.then(|| Entry { expires_ms: dies.min(now + STALE_TTL_MS), ..entry })
}

/// Who is asked.
enum Asked {
    /// The servers that an NS set names.
    Named(Entry),
    /// A server of the parent that has a copy of the zone.
    Copy(usize),
}

/// The places that the named hosts lead to; `None` where each host's addresses are known to everybody.
struct Reach(Option<Vec<u16>>);

impl Reach {
    fn asks(&self, at: &Spot, named: &[u16]) -> bool {
        let is_there = |places: &Vec<u16>| places.contains(&at.place);
        !at.is_always_asked() && self.0.as_ref().map_or_else(|| named.contains(&at.host), is_there)
    }
}

/// An address that has it, at random: others are tried while one fails.
fn pick(scene: &Scene, rng: &mut SmallRng, what: What, asks: impl Fn(&Spot) -> bool) -> Option<(usize, Slot)> {
    let able = || {
        let asked = scene.spots.iter().enumerate().filter(|(_, spot)| asks(spot));
        asked.filter_map(|(i, spot)| spot.shown(what).map(|slot| (i, slot)))
    };
    able().nth(rng.random_range(0..able().count().max(1)))
}
