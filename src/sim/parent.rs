//! The parent: a registry that acts on CDS, CDNSKEY and CSYNC late, in part, or never.
//!
//! Assumed of it is what RFC 7344 §6.2 asks for: it never lets an older CDS override a newer one, and enacts in the order in
//! which it read, within its pipeline. For CSYNC there is no such rule: there an older set out of a cache, or from a server
//! that lags, does not override a newer one, but what is served is taken. It does not look whether what it is asked for is
//! wise.

use super::chance::Rng;
use crate::model::history::Kind;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Scans {
        /// It acts on what a single address answers, and does not compare.
        one_answer: bool,
        /// It knows nothing of CSYNC: a person hands over the NS set.
        ds_only: bool,
    },
    /// A person hands over everything.
    Manual,
    /// It never does what it is asked for.
    Never,
}

pub struct Parent {
    pub manner: Manner,
    pub ds: Vec<u16>,
    pub delegation: Vec<u16>,
    /// When, DS or delegation, which set.
    enacting: VecDeque<(i64, Kind, Vec<u16>)>,
    /// The versions that were acted on last, and when they were read.
    newest_cds: (u32, i64),
    newest_csync: (u32, i64),
    pub next_scan_ms: i64,
    scan_every_s: (i64, i64),
    pub ds_ttl_s: u32,
    pub delegation_ttl_s: u32,
    lowers_ttl: bool,
    /// From reading to publishing, without what its servers need after that.
    publishes_within_ms: i64,
}

impl Parent {
    pub fn by_chance(rng: &mut Rng, pipeline_s: i64, lag_ms: i64, ds_ttl_s: u32, delegation_ttl_s: u32) -> Parent {
        let manner = match rng.between(0, 99) {
            0..8 => Manner::Never,
            8..20 => Manner::Manual,
            _ => Manner::Scans { one_answer: rng.chance(50), ds_only: rng.chance(20) },
        };
        let longest_s = (pipeline_s / 2).clamp(20, 7200);
        Parent {
            manner,
            ds: Vec::new(),
            delegation: Vec::new(),
            enacting: VecDeque::new(),
            newest_cds: (0, i64::MIN),
            newest_csync: (0, i64::MIN),
            next_scan_ms: i64::MAX,
            scan_every_s: (rng.between(5, longest_s), longest_s),
            ds_ttl_s,
            delegation_ttl_s,
            lowers_ttl: rng.chance(40),
            publishes_within_ms: (pipeline_s * 1000 - lag_ms).max(0),
        }
    }

    /// Whether a person has to tell it the NS set.
    pub fn needs_hand(&self) -> bool {
        matches!(self.manner, Manner::Manual | Manner::Scans { ds_only: true, .. })
    }

    pub fn next_ms(&self) -> i64 {
        self.next_scan_ms.min(self.enacting.front().map_or(i64::MAX, |(at_ms, _, _)| *at_ms))
    }

    pub fn schedule_scan(&mut self, now_ms: i64, rng: &mut Rng) {
        self.next_scan_ms = match self.manner {
            Manner::Scans { .. } => now_ms + rng.between(self.scan_every_s.0, self.scan_every_s.1) * 1000,
            Manner::Manual | Manner::Never => i64::MAX,
        };
    }

    pub(super) fn known(&self, kind: Kind) -> &[u16] {
        let last = self.enacting.iter().rev().find(|(_, of, _)| *of == kind).map(|(_, _, set)| set.as_slice());
        last.unwrap_or(if kind == Kind::Ds { &self.ds } else { &self.delegation })
    }

    /// It has read a set that it is to have: in which version, and how old the answer may be. Says when it will be published,
    /// if that changes anything.
    pub fn reads(
        &mut self,
        now_ms: i64,
        kind: Kind,
        set: &[u16],
        (version, old_ms): (u32, i64),
        rng: &mut Rng,
    ) -> Option<i64> {
        let newest = if kind == Kind::Ds { self.newest_cds } else { self.newest_csync };
        let may_be_old = kind == Kind::Ds || newest.1.saturating_add(old_ms) >= now_ms;
        if set.is_empty() || version < newest.0 && may_be_old || set == self.known(kind) {
            return None;
        }
        *(if kind == Kind::Ds { &mut self.newest_cds } else { &mut self.newest_csync }) = (version, now_ms);
        let delay_ms = if rng.chance(30) { 0 } else { rng.between(0, self.publishes_within_ms) };
        let after_ms = self.enacting.back().map_or(0, |(at_ms, _, _)| *at_ms);
        let at_ms = (now_ms + delay_ms).max(after_ms);
        self.enacting.push_back((at_ms, kind, set.to_vec()));
        Some(at_ms)
    }

    /// What is to be published now: kind, set, TTL.
    pub fn enacts(&mut self, now_ms: i64) -> Option<(Kind, Vec<u16>, u32)> {
        let (_, kind, set) = self.enacting.pop_front_if(|(at_ms, _, _)| *at_ms <= now_ms)?;
        Some(self.publishes(kind, set))
    }

    /// A person has handed a set over; it is published at once, and what was on its way is dropped.
    pub fn is_told(&mut self, kind: Kind, set: Vec<u16>) -> Option<(Kind, Vec<u16>, u32)> {
        if set.is_empty() || set == self.known(kind) {
            return None;
        }
        self.enacting.retain(|(_, of, _)| *of != kind);
        Some(self.publishes(kind, set))
    }

    fn publishes(&mut self, kind: Kind, set: Vec<u16>) -> (Kind, Vec<u16>, u32) {
        let ttl_s = match kind {
            Kind::Ds if self.lowers_ttl => (self.ds_ttl_s / 4).max(1),
            Kind::Ds => self.ds_ttl_s,
            _ if self.lowers_ttl => (self.delegation_ttl_s / 4).max(1),
            _ => self.delegation_ttl_s,
        };
        *(if kind == Kind::Ds { &mut self.ds } else { &mut self.delegation }) = set.clone();
        (kind, set, ttl_s)
    }
}
