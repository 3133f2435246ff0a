//! The view, digested: every RRset gets a number once, and what did not change since the last look costs one comparison.
//!
//! Invariant: says what is served, by whom, and nothing of who asks.

use super::{Address, PLACES, Rrset, Set, View, Whose};
use std::collections::BTreeMap;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Ds,
    /// The NS set in the parent's referral.
    Delegation,
    Dnskey,
    Ns,
    /// Addresses of name servers.
    Leads,
    Answer(u8),
}

/// The number of an RRset: its place in `Scene::known`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub usize);

#[derive(Debug)]
pub(super) struct Known {
    pub what: What,
    pub rrset: Rrset,
}

/// An address, and what it answers.
#[derive(Debug)]
pub(super) struct Spot {
    pub whose: Whose,
    pub host: u16,
    pub place: u16,
    up: bool,
    serves: bool,
    /// Since when it has not answered at all.
    pub silent_since: Option<i64>,
    versions: Vec<u32>,
    shows: Vec<(What, Slot)>,
    pub leads_of: Set,
}

impl Spot {
    /// Whether resolvers come here without any NS set.
    pub fn is_always_asked(&self) -> bool {
        matches!(self.whose, Whose::Parent | Whose::Public)
    }

    /// It answers, and has what it is asked for.
    pub fn answers(&self) -> bool {
        self.up && (self.serves || self.is_always_asked())
    }

    /// It answers, and does not have the zone.
    pub fn is_lame(&self) -> bool {
        self.up && !self.serves && !self.is_always_asked()
    }

    /// What it can be asked for with success.
    pub fn shows(&self) -> &[(What, Slot)] {
        if self.answers() { &self.shows } else { &[] }
    }

    pub fn shown(&self, what: What) -> Option<Slot> {
        self.shows().iter().find(|(at, _)| *at == what).map(|(_, slot)| *slot)
    }

    fn is_as(&self, address: &Address) -> bool {
        (self.whose, self.host, self.up, self.serves) == (address.whose, address.host, address.up, address.serves)
            && self.leads_of == address.leads_of
            && rrsets(address).map(|(_, rrset)| rrset.version).eq(self.versions.iter().copied())
    }
}

#[derive(Debug, Default)]
pub(super) struct Scene {
    pub spots: Vec<Spot>,
    /// Ordinary data that is served somewhere, the signed NS sets included.
    pub data: Vec<What>,
    /// Since when the zone is secure: all of the parent's servers had a DS. An answer without one, fetched later, is a failure;
    /// before, and from servers that are late with the first DS, it is not.
    secure_since: Option<i64>,
    /// Answers without a DS that are served, though the zone was secure.
    pub insecure: Vec<Slot>,
    /// Every address answers.
    pub all_answer: bool,
    /// Hosts are found by address records.
    pub is_mapped: bool,
    /// The hosts inside the zone.
    pub inside: Vec<u16>,
    known: Vec<Known>,
    by_version: BTreeMap<u32, Slot>,
}

impl Scene {
    pub fn look(&mut self, view: &View<'_>, now: i64) {
        let mut changed = self.spots.len() != view.addresses.len();
        self.spots.truncate(view.addresses.len());
        for (i, address) in view.addresses.iter().enumerate() {
            if self.spots.get(i).is_some_and(|spot| spot.is_as(address)) {
                continue;
            }
            changed = true;
            let before = self.spots.get(i).filter(|spot| (spot.whose, spot.host) == (address.whose, address.host));
            let silent_since = (!address.up).then(|| before.and_then(|spot| spot.silent_since).unwrap_or(now));
            let spot = self.spot(address, silent_since);
            match self.spots.get_mut(i) {
                Some(old) => *old = spot,
                None => self.spots.push(spot),
            }
        }
        if changed {
            self.all_answer = self.spots.iter().all(Spot::answers);
            self.data = self.data_served();
            self.is_mapped |= self.known.iter().any(|known| known.what == What::Leads);
            let of_operators = self.spots.iter().filter(|spot| !spot.is_always_asked());
            self.inside = of_operators.flat_map(|spot| spot.leads_of.iter().copied()).collect();
            self.inside.sort_unstable();
            self.inside.dedup();
            self.look_for_ds(now);
        }
    }

    pub fn known(&self, slot: Slot) -> &Known {
        // Slots are made by `spot` below only, from the length of `known`, which never shrinks.
        &self.known[slot.0]
    }

    pub fn rrset(&self, slot: Slot) -> &Rrset {
        &self.known(slot).rrset
    }

    /// When all servers named fail, how: `Some(None)` if one of them does not have the zone, else since when all are silent.
    /// `found`: whether resolvers find this address for its host.
    pub fn all_fail(&self, named: &[u16], found: impl Fn(&Spot) -> bool) -> Option<Option<i64>> {
        let mut since = i64::MIN;
        let mut lame = false;
        let named = self.spots.iter().filter(|spot| !spot.is_always_asked() && named.contains(&spot.host));
        for spot in named.filter(|spot| found(spot)) {
            if spot.answers() {
                return None;
            }
            lame |= spot.is_lame();
            since = since.max(spot.silent_since.unwrap_or(i64::MIN));
        }
        Some((!lame).then_some(since))
    }

    /// Where a set of addresses leads from this host.
    pub fn places_of(&self, leads: Slot, host: u16) -> impl Iterator<Item = u16> + '_ {
        let to = self.rrset(leads).records.iter().filter(move |lead| **lead / PLACES == host);
        to.map(|lead| lead % PLACES)
    }

    fn spot(&mut self, address: &Address, silent_since: Option<i64>) -> Spot {
        let mut shows = Vec::with_capacity(8);
        for (what, rrset) in rrsets(address) {
            let next = Slot(self.known.len());
            let slot = *self.by_version.entry(rrset.version).or_insert(next);
            if slot == next {
                self.known.push(Known { what, rrset: rrset.clone() });
            }
            debug_assert!(self.known(slot).is(what, rrset), "version {} is two things", rrset.version);
            shows.push((what, slot));
        }
        Spot {
            whose: address.whose,
            host: address.host,
            place: address.place,
            leads_of: address.leads_of.clone(),
            up: address.up,
            serves: address.serves,
            silent_since,
            versions: rrsets(address).map(|(_, rrset)| rrset.version).collect(),
            shows,
        }
    }

    /// Whether an answer without DS that was fetched at this moment makes a signed zone insecure.
    pub fn is_insecure(&self, fetched_ms: i64) -> bool {
        self.secure_since.is_some_and(|since| since <= fetched_ms)
    }

    fn look_for_ds(&mut self, now: i64) {
        let shown = self.spots.iter().filter_map(|spot| spot.shown(What::Ds));
        let (mut without, with): (Vec<Slot>, Vec<Slot>) = shown.partition(|slot| self.rrset(*slot).records.is_empty());
        if without.is_empty() && !with.is_empty() {
            self.secure_since.get_or_insert(now);
        }
        without.sort_unstable();
        without.dedup();
        without.retain(|_| self.secure_since.is_some());
        self.insecure = without;
    }

    fn data_served(&self) -> Vec<What> {
        let shown = self.spots.iter().flat_map(|spot| spot.shows());
        let mut data: Vec<What> =
            shown.filter(|(_, slot)| self.known(*slot).is_data()).map(|(what, _)| *what).collect();
        data.sort_unstable();
        data.dedup();
        data
    }
}

impl Known {
    /// What users ask for, and validators verify with a DNSKEY set.
    pub fn is_data(&self) -> bool {
        match self.what {
            What::Answer(_) => true,
            What::Ns => !self.rrset.signers.is_empty(),
            What::Ds | What::Delegation | What::Dnskey | What::Leads => false,
        }
    }

    fn is(&self, what: What, rrset: &Rrset) -> bool {
        let own = &self.rrset;
        (self.what, own.ttl_s) == (what, rrset.ttl_s) && own.records == rrset.records && own.signers == rrset.signers
    }
}

fn rrsets(address: &Address) -> impl Iterator<Item = (What, &Rrset)> {
    let one = |what, rrset| Option::as_ref(rrset).map(|rrset| (what, rrset)).into_iter();
    one(What::Ds, &address.ds)
        .chain(one(What::Delegation, &address.delegation))
        .chain(one(What::Dnskey, &address.dnskey))
        .chain(one(What::Ns, &address.ns))
        .chain(one(What::Leads, &address.leads))
        .chain(address.answers.iter().map(|(which, rrset)| (What::Answer(*which), rrset)))
}
