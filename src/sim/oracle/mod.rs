//! Stand-in until the oracle is merged.

use std::collections::BTreeMap;
use std::sync::Arc;

pub type Set = Arc<[u16]>;

#[derive(Clone)]
pub struct Rrset {
    pub version: u32,
    pub records: Set,
    pub ttl_s: u32,
    pub signers: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Parent,
    Operator(u8),
}

pub struct Address {
    pub whose: Whose,
    pub host: u16,
    pub up: bool,
    pub serves: bool,
    pub ds: Option<Rrset>,
    pub delegation: Option<Rrset>,
    pub dnskey: Option<Rrset>,
    pub ns: Option<Rrset>,
    pub answers: Vec<(u8, Rrset)>,
}

pub struct View<'a> {
    pub addresses: &'a [Address],
}

pub struct Settings {
    pub stale_s: u32,
    pub ttl_min_s: u32,
    pub ttl_cap_s: u32,
}

pub struct Glitch;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    ChildCentric,
}

#[derive(Default, Clone, Debug)]
pub struct Counts {
    pub judged: u64,
}

pub struct Oracle {
    counts: BTreeMap<Class, Counts>,
}

impl Oracle {
    pub fn new(_seed: u64, _settings: Settings) -> Oracle {
        Oracle { counts: BTreeMap::new() }
    }

    pub fn advance(&mut self, _view: &View<'_>, _from_ms: i64, _to_ms: i64) -> Vec<Glitch> {
        Vec::new()
    }

    pub fn counts(&self) -> &BTreeMap<Class, Counts> {
        &self.counts
    }
}
