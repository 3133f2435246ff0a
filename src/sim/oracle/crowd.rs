//! Every resolver that could exist: who can be asked until when, what may be in some cache until when, and which of that
//! fails together.
//!
//! Invariant: complete and exact to the millisecond, given the view. An operator's host can be asked while an NS set that
//! names it may be in a cache, whoever gave it: resolvers that follow the parent, the child or whoever they asked last are
//! all among the crowd. A server can be asked while a host of its can, and a cache may have an address set that leads there.
//! Items of different kinds are in caches independently of each other.

use super::scene::{Scene, Slot, Spot};
use super::{Class, Counts, Glitch, Kind, Part, Rrset, Settings, What, Whose, lead, rules};

/// A version in caches: the present run without a break.
#[derive(Clone, Copy, Debug)]
struct Held {
    since_ms: i64,
    fetched_ms: i64,
    dies_ms: i64,
    whose: Whose,
    host: u16,
}

const NEVER: Held = Held { since_ms: i64::MIN, fetched_ms: i64::MIN, dies_ms: i64::MIN, whose: Whose::Parent, host: 0 };

/// What a failure that goes on is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Versions(Slot, Option<Slot>),
    /// All servers of this NS set fail, and whether all of them are silent.
    Out(Slot, bool),
    /// By host and place.
    Lame(u16, u16),
    /// A set of addresses that denies this host any.
    NoAddress(Slot, u16),
}

pub(super) struct Crowd {
    settings: Settings,
    /// By host number.
    asked_until: Vec<i64>,
    /// By the number of the address record.
    leads_until: Vec<i64>,
    /// By slot.
    held: Vec<Held>,
    alive: Vec<Slot>,
    news: Vec<Slot>,
    /// Failures that go on, and where they stand among the glitches.
    open: Vec<(Cause, usize)>,
}

impl Crowd {
    pub fn new(settings: Settings) -> Crowd {
        let (asked_until, leads_until, held, alive, news, open) = Default::default();
        Crowd { settings, asked_until, leads_until, held, alive, news, open }
    }

    pub fn advance(&mut self, scene: &Scene, from: i64, to: i64, counts: &mut Counts, glitches: &mut Vec<Glitch>) {
        self.spread(scene, from, to);
        self.fetch(scene, from, to);
        self.follow(scene, from, to, glitches);
        let said = glitches.len();
        if !self.news.is_empty() {
            counts.judged += self.pairs(scene, from, glitches);
        }
        for slot in &scene.insecure {
            let cause = Cause::Versions(*slot, None);
            if !self.open.iter().any(|(open, _)| *open == cause) {
                self.open.push((cause, glitches.len()));
                glitches.push(self.glitch(scene, Kind::Insecure, from, &[*slot]));
            }
        }
        if !scene.all_answer || !self.news.is_empty() {
            self.servers_that_fail(scene, from, to, glitches);
        }
        if scene.is_mapped {
            self.hosts_without_address(scene, from, glitches);
        }
        glitches.iter().skip(said).for_each(|glitch| counts.add(glitch.kind));
    }

    fn asked_until(&self, host: u16) -> i64 {
        self.asked_until.get(usize::from(host)).copied().unwrap_or(i64::MIN)
    }

    /// Whether a cache may still lead from its host to this address.
    fn is_found(&self, scene: &Scene, spot: &Spot, now: i64) -> bool {
        let until = self.leads_until.get(usize::from(lead(spot.host, spot.place)));
        !scene.is_mapped || until.is_some_and(|until| *until > now)
    }

    /// Until when an address can be asked: while an NS set in caches names a host, and an address set leads from it to here.
    fn asked_there_until(&self, scene: &Scene, spot: &Spot) -> i64 {
        if !scene.is_mapped {
            return self.asked_until(spot.host);
        }
        let led_until = |host: u16| self.leads_until.get(usize::from(lead(host, spot.place))).copied();
        let hosts = (0..).zip(&self.asked_until);
        let both = hosts.map(|(host, until)| led_until(host).map_or(i64::MIN, |led| led.min(*until)));
        both.max().unwrap_or(i64::MIN)
    }

    /// Until when this address is asked within the stretch, if it is.
    fn asked_within(&self, scene: &Scene, spot: &Spot, from: i64, to: i64) -> Option<i64> {
        let until = if spot.is_always_asked() { to } else { self.asked_there_until(scene, spot).min(to) };
        (until > from).then_some(until)
    }

    /// The least fixed point of: whom a server that can be asked names, can be asked for as long as that NS set lives.
    fn spread(&mut self, scene: &Scene, from: i64, to: i64) {
        for round in 0.. {
            let mut changed = false;
            for spot in &scene.spots {
                let Some(last) = self.asked_within(scene, spot, from, to) else { continue };
                let leads = |what: &What| matches!(what, What::Ns | What::Delegation | What::Leads);
                for (what, slot) in spot.shows().iter().filter(|(what, _)| leads(what)) {
                    let set = scene.rrset(*slot);
                    let mut until = last + self.settings.life_ms(set.ttl_s);
                    // The longest way without a loop is shorter than this. So there is one, servers that keep each other
                    // known, and it goes on for as long as the view does.
                    if round > 2 * scene.spots.len() {
                        until = until.max(to);
                    }
                    let known = if *what == What::Leads { &mut self.leads_until } else { &mut self.asked_until };
                    for number in set.records.iter() {
                        changed |= extend(known, *number, until);
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn held(&self, slot: Slot) -> Held {
        self.held.get(slot.0).copied().unwrap_or(NEVER)
    }

    /// Everything that can be asked for is fetched all the time.
    fn fetch(&mut self, scene: &Scene, from: i64, to: i64) {
        self.news.clear();
        let held = &self.held;
        self.alive.retain(|slot| held.get(slot.0).is_some_and(|held| held.dies_ms > from));
        for spot in &scene.spots {
            let Some(last) = self.asked_within(scene, spot, from, to) else { continue };
            for (_, slot) in spot.shows() {
                let dies_ms = last + self.settings.life_ms(scene.rrset(*slot).ttl_s);
                if self.held.len() <= slot.0 {
                    self.held.resize(slot.0 + 1, NEVER);
                }
                let Some(held) = self.held.get_mut(slot.0) else { continue };
                if held.dies_ms <= from {
                    held.since_ms = from;
                    self.news.push(*slot);
                    self.alive.push(*slot);
                }
                if held.dies_ms <= dies_ms {
                    *held = Held { dies_ms, fetched_ms: last, whose: spot.whose, host: spot.host, ..*held };
                }
            }
        }
    }

    /// Failures that go on: until when, as far as is known now.
    fn follow(&mut self, scene: &Scene, from: i64, to: i64, glitches: &mut [Glitch]) {
        let mut open = std::mem::take(&mut self.open);
        open.retain(|(cause, at)| {
            let Some(glitch) = glitches.get_mut(*at) else { return false };
            let dies = |slot: Slot| self.held(slot).dies_ms;
            let until = match cause {
                Cause::Versions(a, b) => b.map_or(dies(*a), |b| dies(b).min(dies(*a))),
                Cause::Out(ns, silent) => {
                    match scene.all_fail(&scene.rrset(*ns).records, |spot| self.is_found(scene, spot, from)) {
                        Some(since) if since.is_some() == *silent => dies(*ns),
                        _ => from,
                    }
                }
                Cause::Lame(host, place) => {
                    let lame = |spot: &&Spot| (spot.host, spot.place) == (*host, *place) && spot.is_lame();
                    let lame = scene.spots.iter().filter(lame);
                    let asked = lame.filter(|spot| self.asked_within(scene, spot, from, to).is_some());
                    asked.map(|spot| self.asked_there_until(scene, spot)).max().unwrap_or(from)
                }
                Cause::NoAddress(leads, host) => dies(*leads).min(self.asked_until(*host)),
            };
            // What died and came back within one step is news, and said anew.
            let over = match cause {
                Cause::Versions(a, b) => self.news.contains(a) || b.is_some_and(|b| self.news.contains(&b)),
                Cause::Out(ns, _) => self.news.contains(ns),
                Cause::NoAddress(leads, _) => self.news.contains(leads),
                Cause::Lame(..) => false,
            };
            if over {
                return false;
            }
            if matches!(cause, Cause::Versions(..)) || until > from {
                glitch.until_ms = until;
            } else {
                glitch.until_ms = glitch.until_ms.min(from);
            }
            for part in &mut glitch.parts {
                if let Some(slot) = self.alive.iter().find(|slot| scene.rrset(**slot).version == part.version) {
                    let held = self.held(*slot);
                    (part.fetched_ms, part.until_ms) = (held.fetched_ms, held.dies_ms);
                }
            }
            until > from
        });
        self.open = open;
    }

    /// Tests what came or came back against everything else that is in caches. Returns how many pairs were judged.
    fn pairs(&mut self, scene: &Scene, from: i64, glitches: &mut Vec<Glitch>) -> u64 {
        let mut judged = 0;
        for (i, new) in self.news.iter().enumerate() {
            // News among themselves once only.
            let earlier_news = self.news.iter().take(i);
            for other in self.alive.iter().filter(|slot| !earlier_news.clone().any(|news| news == *slot)) {
                let Some((upper, lower)) = chained(scene, *new, *other) else { continue };
                judged += 1;
                let goes = match scene.known(upper).what {
                    What::Ds => {
                        let ds = scene.rrset(upper);
                        ds.records.is_empty() || rules::vouches(ds, scene.rrset(lower))
                    }
                    _ => rules::verifies(scene.rrset(upper), scene.rrset(lower)),
                };
                if !goes {
                    self.open.push((Cause::Versions(upper, Some(lower)), glitches.len()));
                    glitches.push(self.glitch(scene, Kind::Bogus, from, &[upper, lower]));
                }
            }
        }
        judged
    }

    fn servers_that_fail(&mut self, scene: &Scene, from: i64, to: i64, glitches: &mut Vec<Glitch>) {
        for slot in &self.alive {
            let known = scene.known(*slot);
            if !matches!(known.what, What::Ns | What::Delegation) {
                continue;
            }
            let found = |spot: &Spot| self.is_found(scene, spot, from);
            let Some(silent_since) = scene.all_fail(&known.rrset.records, found) else { continue };
            let cause = Cause::Out(*slot, silent_since.is_some());
            if self.open.iter().any(|(open, _)| *open == cause) {
                continue;
            }
            let patience = silent_since.map(|since| since.saturating_add(i64::from(self.settings.silence_s) * 1000));
            let begins = patience.unwrap_or(from).max(from);
            if begins < to.min(self.held(*slot).dies_ms) {
                self.open.push((cause, glitches.len()));
                let kind = Kind::Unresolvable { silent: silent_since.is_some() };
                glitches.push(self.glitch(scene, kind, begins, &[*slot]));
            }
        }
        for spot in scene.spots.iter().filter(|spot| spot.is_lame()) {
            let cause = Cause::Lame(spot.host, spot.place);
            if self.asked_within(scene, spot, from, to).is_none() || self.open.iter().any(|(open, _)| *open == cause) {
                continue;
            }
            self.open.push((cause, glitches.len()));
            glitches.push(lame(spot, from, self.asked_there_until(scene, spot)));
        }
    }

    /// Hosts inside the zone that are named, while a cache may have the word of one of the zone's servers that they have no
    /// address.
    fn hosts_without_address(&mut self, scene: &Scene, from: i64, glitches: &mut Vec<Glitch>) {
        for slot in &self.alive {
            let of_zone = matches!(self.held(*slot).whose, Whose::Operator(_));
            if scene.known(*slot).what != What::Leads || !of_zone {
                continue;
            }
            for host in &scene.inside {
                let is_named = self.asked_until(*host) > from;
                if !is_named || scene.places_of(*slot, *host).next().is_some() {
                    continue;
                }
                let cause = Cause::NoAddress(*slot, *host);
                if !self.open.iter().any(|(open, _)| *open == cause) {
                    self.open.push((cause, glitches.len()));
                    glitches.push(self.glitch(scene, Kind::NoAddress, from, &[*slot]));
                }
            }
        }
    }

    fn glitch(&self, scene: &Scene, kind: Kind, from_ms: i64, slots: &[Slot]) -> Glitch {
        let parts: Vec<Part> = slots.iter().map(|slot| self.part(scene, *slot)).collect();
        let until_ms = parts.iter().map(|part| part.until_ms).min().unwrap_or(from_ms);
        Glitch { class: Class::Crowd, kind, from_ms, until_ms, parts }
    }

    fn part(&self, scene: &Scene, slot: Slot) -> Part {
        let (known, held) = (scene.known(slot), self.held(slot));
        let Rrset { version, records, ttl_s, signers } = known.rrset.clone();
        Part {
            what: Some(known.what),
            version,
            records,
            signers,
            ttl_s,
            whose: held.whose,
            host: held.host,
            since_ms: held.since_ms,
            fetched_ms: held.fetched_ms,
            until_ms: held.dies_ms,
        }
    }
}

/// Something is known until then at least. Returns whether that is news.
fn extend(known_until: &mut Vec<i64>, number: u16, until: i64) -> bool {
    let number = usize::from(number);
    if known_until.len() <= number {
        known_until.resize(number + 1, i64::MIN);
    }
    let Some(known) = known_until.get_mut(number) else { return false };
    let grows = *known < until;
    *known = until.max(*known);
    grows
}

/// The two in the order of the chain of trust, when they are next to each other in it.
fn chained(scene: &Scene, a: Slot, b: Slot) -> Option<(Slot, Slot)> {
    let is_pair = |upper: Slot, lower: Slot| match scene.known(upper).what {
        What::Ds => scene.known(lower).what == What::Dnskey,
        What::Dnskey => scene.known(lower).is_data(),
        _ => false,
    };
    if is_pair(a, b) { Some((a, b)) } else { is_pair(b, a).then_some((b, a)) }
}

fn lame(spot: &Spot, from_ms: i64, until_ms: i64) -> Glitch {
    let none = super::Set::default();
    let part = Part {
        what: None,
        version: 0,
        records: none.clone(),
        signers: none,
        ttl_s: 0,
        whose: spot.whose,
        host: spot.host,
        since_ms: from_ms,
        fetched_ms: from_ms,
        until_ms,
    };
    Glitch { class: Class::Crowd, kind: Kind::Lame, from_ms, until_ms, parts: vec![part] }
}
