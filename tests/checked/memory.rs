//! What the controller remembers from one round to the next, and what of it may be forgotten.
//!
//! Invariant: only what can no longer hold any guard or check back is forgotten. Where that is not plain to see, it is
//! forgotten too early rather than too late: whoever remembers less is allowed more, so that a mistake here shows as an
//! exposure that is none, and never hides one.

use crate::controller::kind_of;
use crate::world::{Group, Keys, Operators, Ttls};
use chorus::model::history::Kind;

/// A version as the controller remembers it: [`chorus::model::history::Span`], in ticks before now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    pub set: u16,
    pub signers: Keys,
    /// `None`: longer ago than anything matters.
    pub since: Option<u8>,
    pub last_seen: u8,
    pub until: Option<u8>,
}

/// All that the controller keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The parent's tracks, then those of each address.
    pub tracks: Vec<Vec<Span>>,
    /// Bit 0: the parent did not answer when it was last asked; the others: the addresses.
    pub silent: u8,
    pub members: Operators,
    pub desired: Group,
    pub paused: bool,
    /// Keys that were put into each operator's zone.
    pub placed: Vec<Keys>,
    pub running: bool,
}

/// How long, in ticks, the end of a version is looked back on.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    pub ttls: Ttls,
    pub pipeline: u8,
    /// Whether anybody asks when a version that has ended was last seen: only a controller that has a guard left out.
    pub last_seen: bool,
}

impl Horizon {
    /// Until nothing that was reached by way of this version is held.
    fn cached(&self, kind: Kind) -> u8 {
        let ttls = &self.ttls;
        let answers = ttls.data.max(ttls.dnskey);
        match kind {
            Kind::Dnskey | Kind::Data => answers,
            Kind::Ds => ttls.ds,
            Kind::Cds | Kind::Cdnskey => ttls.cds + self.pipeline + ttls.ds,
            Kind::Ns => ttls.ns + answers,
            Kind::Delegation => ttls.delegation + answers,
            Kind::Csync | Kind::Glue | Kind::Addresses => self.longest(),
        }
    }

    /// The same by way of what the parent may make of it.
    pub fn longest(&self) -> u8 {
        let ttls = &self.ttls;
        let delegated = ttls.ns.max(ttls.csync) + self.pipeline + ttls.delegation + ttls.data.max(ttls.dnskey);
        delegated.max(ttls.cds + self.pipeline + ttls.ds)
    }
}

fn together(a: &Span, b: &Span) -> bool {
    // Ages: larger is earlier.
    let begins_before_the_end = |a: &Span, b: &Span| match (a.since, b.until) {
        (Some(since), Some(until)) => since >= until,
        _ => true,
    };
    begins_before_the_end(a, b) && begins_before_the_end(b, a)
}

impl Memory {
    pub fn tick(&mut self) {
        for span in self.tracks.iter_mut().flatten() {
            span.since = span.since.map(|age| age.saturating_add(1));
            span.until = span.until.map(|age| age.saturating_add(1));
            span.last_seen = span.last_seen.saturating_add(1);
        }
    }

    pub fn forget(&mut self, horizon: &Horizon) {
        let longest = horizon.longest();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            // That there was no CDS or CSYNC never stands against anything.
            let nothing = |span: &Span| matches!(kind_of(index).1, Kind::Cds | Kind::Csync) && span.set == 0;
            track.retain(|span| span.until.is_none_or(|age| age < longest && !nothing(span)));
        }
        // A set of the parent, or an NS set, counts for longer beside what the parent could act on.
        let asks: Vec<(Option<usize>, Kind, Span)> = (0..self.tracks.len())
            .flat_map(|index| {
                self.tracks[index].iter().map(move |span| (kind_of(index).0, kind_of(index).1, span.clone()))
            })
            .filter(|(_, kind, span)| matches!(kind, Kind::Cds | Kind::Csync) && span.set != 0)
            .collect();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            let (address, kind) = kind_of(index);
            let asked_for = |span: &Span| {
                asks.iter().any(|(at, by, ask)| {
                    let matters = match kind {
                        Kind::Ds => *by == Kind::Cds,
                        Kind::Delegation => *by == Kind::Csync,
                        Kind::Ns => *by == Kind::Csync && *at == address,
                        _ => false,
                    };
                    matters && together(ask, span)
                })
            };
            track.retain(|span| span.until.is_none_or(|age| age < horizon.cached(kind) || asked_for(span)));
        }
        // When a version began matters only beside one that has ended since.
        let oldest = self.tracks.iter().flatten().filter_map(|span| span.until).max();
        for span in self.tracks.iter_mut().flatten() {
            span.since = span.since.filter(|age| oldest.is_some_and(|oldest| *age < oldest));
            let last_seen = span.until.filter(|_| !horizon.last_seen).unwrap_or(span.last_seen);
            span.last_seen = last_seen.min(longest);
        }
    }
}
