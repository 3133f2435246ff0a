//! An operator of a simulated zone: its keys, its primary's sets, and its peculiarities.
//!
//! Invariant: its own keys are always in its DNSKEY set, whatever is written. When sets arrive at its addresses is the
//! world's matter.

use super::address::Content;
use super::catalogue::{KEYS, SHA384, host_number, inside_host_number, key_number};
use super::chance::Rng;
use super::oracle::Rrset;
use super::roll::Roll;
use crate::model::history::Kind;
use std::sync::Arc;

/// What a real operator may be like. Everything here is allowed to it.
#[derive(Clone, Debug)]
pub struct Ways {
    /// One key that signs everything.
    pub csk: bool,
    /// It publishes CDS and CDNSKEY of its own keys by itself, with SHA-256 or SHA-384.
    pub own_cds: Option<u16>,
    /// It serves every set with its own TTL, whatever was asked for.
    pub forces_ttls: bool,
    /// Its interface shows the whole zone, and so the largest TTL.
    pub shows_zone: bool,
    /// Its name servers have names inside the zone.
    pub inside: bool,
    /// At every event of its own keys it takes out CDS of SHA-384 that are not its own (BIND's `cds-digest-types`).
    pub strips: bool,
}

/// The kinds of RRsets that it has TTLs for.
const KINDS: usize = 8;

pub struct Operator {
    pub number: u8,
    pub ways: Ways,
    pub hosts: Vec<u16>,
    pub own: Vec<u16>,
    pub signs_keys: Vec<u16>,
    pub signs_data: Vec<u16>,
    zone: [Vec<u16>; KINDS],
    ttls_s: [u32; KINDS],
    data_ttls_s: [u32; 3],
    /// It has the zone.
    pub serves: bool,
    pub dead: bool,
    pub roll: Option<Roll>,
    next_key_signing: u16,
    next_zone_signing: u16,
}

const ALL: [Kind; 6] = Kind::OPERATOR;

impl Operator {
    pub fn new(number: u8, ways: Ways, hosts: u16, ttl: impl FnMut() -> u32) -> Operator {
        let ttls: Vec<u32> = std::iter::repeat_with(ttl).take(KINDS + 3).collect();
        let mut ttls_s = [0; KINDS];
        let mut data_ttls_s = [0; 3];
        for (into, from) in ttls_s.iter_mut().chain(&mut data_ttls_s).zip(ttls) {
            *into = from;
        }
        let host = if ways.inside { inside_host_number } else { host_number };
        let mut operator = Operator {
            number,
            ways,
            hosts: (0..hosts).map(|nth| host(number, nth)).collect(),
            own: Vec::new(),
            signs_keys: Vec::new(),
            signs_data: Vec::new(),
            zone: Default::default(),
            ttls_s,
            data_ttls_s,
            serves: true,
            dead: false,
            roll: None,
            next_key_signing: 0,
            next_zone_signing: 0,
        };
        operator.new_keys();
        operator.set_up();
        operator
    }

    fn new_keys(&mut self) {
        let Some(first) = self.next_key(true) else { return };
        let second = if self.ways.csk { None } else { self.next_key(false) };
        self.own = std::iter::once(first).chain(second).collect();
        self.signs_keys = vec![first];
        self.signs_data = vec![second.unwrap_or(first)];
    }

    /// `None` when all numbers are used up.
    pub fn next_key(&mut self, key_signing: bool) -> Option<u16> {
        let (next, offset) =
            if key_signing { (&mut self.next_key_signing, 0) } else { (&mut self.next_zone_signing, KEYS / 2) };
        if *next >= KEYS / 2 {
            return None;
        }
        *next += 1;
        Some(key_number(self.number, offset + *next - 1))
    }

    /// The zone as it is before anybody else is in it. With `anew`, it is signed with new keys.
    pub fn start_over(&mut self, anew: bool) {
        if anew && self.next_key_signing < KEYS / 2 && self.next_zone_signing < KEYS / 2 {
            self.new_keys();
        } else if let Some(roll) = self.roll.take() {
            self.own.retain(|key| *key != roll.new);
            self.signs_keys.retain(|key| *key != roll.new);
            self.signs_data.retain(|key| *key != roll.new);
            for signs in [&mut self.signs_keys, &mut self.signs_data].into_iter().filter(|signs| signs.is_empty()) {
                signs.push(roll.old);
            }
        }
        self.roll = None;
        self.serves = true;
        self.set_up();
    }

    fn set_up(&mut self) {
        self.set(Kind::Dnskey, self.own.clone());
        self.set(Kind::Ns, self.hosts.clone());
        self.set(Kind::Csync, Vec::new());
        let (cds, cdnskey) = self.own_cds();
        self.set(Kind::Cds, cds);
        self.set(Kind::Cdnskey, cdnskey);
    }

    /// The CDS and CDNSKEY records that it publishes by itself.
    pub fn own_cds(&self) -> (Vec<u16>, Vec<u16>) {
        let Some(digest) = self.ways.own_cds else { return Default::default() };
        (self.signs_keys.iter().map(|key| key | digest).collect(), self.signs_keys.clone())
    }

    pub fn get(&self, kind: Kind) -> &[u16] {
        self.zone.get(kind as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts a set into the primary, with what the operator always adds. Whether that changed anything.
    pub fn set(&mut self, kind: Kind, mut records: Vec<u16>) -> bool {
        match kind {
            Kind::Dnskey => records.extend(&self.own),
            Kind::Cds => records.extend(self.own_cds().0),
            Kind::Cdnskey => records.extend(self.own_cds().1),
            _ => {}
        }
        records.sort_unstable();
        records.dedup();
        let Some(set) = self.zone.get_mut(kind as usize) else { return false };
        let changed = *set != records;
        *set = records;
        changed
    }

    /// Its own keys have changed: its sets follow, and leave what others placed as it is.
    pub fn follow_own_keys(&mut self, gone: Option<u16>) {
        for kind in [Kind::Dnskey, Kind::Cds, Kind::Cdnskey] {
            let strips = self.ways.strips && kind == Kind::Cds;
            let of_gone = |number: &u16| gone == Some(number & !SHA384) || strips && number & SHA384 != 0;
            let kept = self.get(kind).iter().copied().filter(|number| !of_gone(number)).collect();
            self.set(kind, kept);
        }
    }

    /// Whether that changes anything.
    pub fn lower_ttl(&mut self, kind: Kind, divided_by: u32) -> bool {
        let Some(own) = self.ttls_s.get_mut(kind as usize) else { return false };
        let before = std::mem::replace(own, (*own / divided_by.max(1)).max(1));
        *own != before
    }

    pub fn set_ttl(&mut self, kind: Kind, ttl_s: u32) {
        if let Some(own) = self.ttls_s.get_mut(kind as usize).filter(|_| !self.ways.forces_ttls) {
            *own = ttl_s;
        }
    }

    pub fn ttl_s(&self, kind: Kind) -> u32 {
        self.ttls_s.get(kind as usize).copied().unwrap_or_default()
    }

    /// Of everything in the zone.
    pub fn largest_ttl_s(&self) -> u32 {
        self.data_ttls_s.iter().chain(&self.ttls_s).copied().max().unwrap_or_default()
    }

    /// The version of a set that is served from now on; `version` is unique and grows.
    pub fn content(&self, kind: Kind, version: &mut u32) -> Arc<Content> {
        let records = self.get(kind);
        let signers = match kind {
            _ if records.is_empty() && kind != Kind::Data => &[],
            Kind::Dnskey | Kind::Cds | Kind::Cdnskey => self.signs_keys.as_slice(),
            _ => self.signs_data.as_slice(),
        };
        *version += 1;
        let mut content = Content::new(kind, *version, records, self.ttl_s(kind), signers);
        if kind == Kind::Data {
            // The SOA record, and other RRsets, of which one may be that there is none.
            content.answers.push((0, content.set.clone()));
            for (number, ttl_s) in (1..).zip(self.data_ttls_s) {
                *version += 1;
                let signers = self.signs_late(number).map_or(content.set.signers.clone(), |old| [old].into());
                content.answers.push((number, Rrset { version: *version, ttl_s, signers, ..content.set.clone() }));
            }
        }
        Arc::new(content)
    }

    /// The old key, where a roll has not come to this RRset yet.
    fn signs_late(&self, number: u8) -> Option<u16> {
        let roll = self.roll.as_ref().filter(|roll| roll.is_resigning())?;
        (usize::from(number + roll.resigning.left) > self.data_ttls_s.len()).then_some(roll.old)
    }

    pub fn contents(&self, kinds: &[Kind], version: &mut u32) -> Vec<Arc<Content>> {
        kinds.iter().map(|kind| self.content(*kind, version)).collect()
    }

    pub fn all_contents(&self, version: &mut u32) -> Vec<Arc<Content>> {
        self.contents(&ALL, version)
    }
}

impl Ways {
    pub fn by_chance(rng: &mut Rng) -> Ways {
        Ways {
            csk: rng.chance(30),
            own_cds: rng.chance(40).then(|| if rng.chance(30) { SHA384 } else { 0 }),
            forces_ttls: rng.chance(30),
            shows_zone: rng.chance(80),
            inside: false,
            strips: false,
        }
    }
}
