//! One address of a name server: what it shows, what it showed before, and what is on its way to it.
//!
//! Invariant: what was published first is shown first; a secondary lags, and never goes back by itself.

use super::catalogue::{catalogue, place};
use super::oracle;
use crate::model::history::{Kind, Served, Server};
use std::collections::VecDeque;
use std::sync::Arc;

pub const KINDS: usize = 10;

/// Set in the version of what is bogus at one address.
const ROTTEN: u32 = 1 << 31;

/// A version of an RRset: in numbers for oracle and parent, in octets for the controller.
pub struct Content {
    pub kind: Kind,
    pub set: oracle::Rrset,
    /// Of [`Kind::Data`]: the zone's ordinary RRsets.
    pub answers: Vec<(u8, oracle::Rrset)>,
    pub served: Served,
}

impl Content {
    pub fn new(kind: Kind, version: u32, records: &[u16], ttl_s: u32, signers: &[u16]) -> Content {
        let all = catalogue();
        let served = Served {
            records: records.iter().filter_map(|number| all.record(kind, *number)).cloned().collect(),
            ttl_s,
            signers: signers.iter().filter_map(|key| all.record(Kind::Dnskey, *key)).cloned().collect(),
            expires: None,
        };
        let set = oracle::Rrset { version, records: records.into(), ttl_s, signers: signers.into() };
        Content { kind, set, answers: Vec::new(), served }
    }
}

pub struct Address {
    /// `None`: of the parent.
    pub operator: Option<u8>,
    pub server: Server,
    pub host: u16,
    /// Which of the operator's addresses.
    pub slot: u8,
    /// Whose zone it serves: its operator's; of a secondary, that of its primary; at the parent, whose copy it has.
    pub mirrors: Option<u8>,
    /// At the parent: it shows the delegation, though it may have a copy (a transfer of the parent zone does).
    pub refers: bool,
    /// It hears of no change any more.
    pub is_frozen: bool,
    /// It has no zone any more.
    pub is_gone: bool,
    /// An answer whose signatures are bogus here.
    pub rotten: Option<u8>,
    pub lag_ms: i64,
    /// It does not answer until then.
    pub silent_until_ms: i64,
    shows: [Option<Arc<Content>>; KINDS],
    /// What it showed before, and until when.
    before: [Option<(i64, Arc<Content>)>; KINDS],
    coming: VecDeque<(i64, Arc<Content>)>,
}

impl Address {
    pub fn new(operator: Option<u8>, server: Server, host: u16, slot: u8, lag_ms: i64) -> Address {
        Address {
            operator,
            server,
            host,
            slot,
            mirrors: operator,
            refers: operator.is_none(),
            is_frozen: false,
            is_gone: false,
            rotten: None,
            lag_ms,
            silent_until_ms: i64::MIN,
            shows: Default::default(),
            before: Default::default(),
            coming: VecDeque::new(),
        }
    }

    pub fn shows(&self, kind: Kind) -> Option<&Arc<Content>> {
        self.shows.get(kind as usize)?.as_ref()
    }

    /// What somebody may have got who asked at `since_ms` or later.
    pub fn showed_since(&self, kind: Kind, since_ms: i64) -> Option<&Arc<Content>> {
        match self.before.get(kind as usize)? {
            Some((until_ms, content)) if *until_ms > since_ms => Some(content),
            _ => self.shows(kind),
        }
    }

    /// What is on its way does not arrive, and what is sent from now on arrives at once.
    pub fn forget_what_comes(&mut self) {
        self.coming.clear();
        self.lag_ms = 0;
    }

    /// At the parent: the copy is deleted.
    pub fn forget_copy(&mut self) {
        self.coming.retain(|(_, content)| matches!(content.kind, Kind::Ds | Kind::Delegation | Kind::Glue));
        for kind in Kind::OPERATOR.into_iter().chain([Kind::Addresses]) {
            if let Some(shows) = self.shows.get_mut(kind as usize) {
                *shows = None;
            }
        }
    }

    pub fn answers_at(&self, now_ms: i64) -> bool {
        self.silent_until_ms <= now_ms
    }

    pub fn will_show(&mut self, at_ms: i64, contents: &[Arc<Content>]) {
        let at_ms = self.coming.back().map_or(at_ms, |(last_ms, _)| at_ms.max(*last_ms));
        self.coming.extend(contents.iter().map(|content| (at_ms, content.clone())));
    }

    pub fn next_ms(&self) -> i64 {
        self.coming.front().map_or(i64::MAX, |(at_ms, _)| *at_ms)
    }

    /// When the last of what is on its way arrives.
    pub fn last_ms(&self) -> i64 {
        self.coming.back().map_or(i64::MIN, |(at_ms, _)| *at_ms)
    }

    /// Takes over what has arrived, and returns it.
    pub fn catch_up(&mut self, now_ms: i64) -> Vec<Arc<Content>> {
        let mut arrived = Vec::new();
        while let Some((_, content)) = self.coming.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            let kind = content.kind as usize;
            if let (Some(shows), Some(before)) = (self.shows.get_mut(kind), self.before.get_mut(kind)) {
                *before = shows.replace(content.clone()).map(|old| (now_ms, old));
            }
            arrived.push(content);
        }
        arrived
    }

    pub fn view(&self, now_ms: i64, serves: bool, into: &mut oracle::Address) {
        let set = |kind: Kind| self.shows(kind).map(|content| content.set.clone());
        into.up = self.answers_at(now_ms);
        into.serves = serves;
        into.ds = set(Kind::Ds).map(without_digest_types);
        let refers = self.operator.is_some() || self.mirrors.is_none();
        into.delegation = if refers { set(Kind::Delegation) } else { None };
        into.leads = if self.operator.is_none() { set(Kind::Glue).filter(|_| refers) } else { set(Kind::Addresses) };
        into.dnskey = set(Kind::Dnskey);
        into.ns = set(Kind::Ns);
        into.answers.clear();
        for (number, kind) in [(100, Kind::Cds), (101, Kind::Cdnskey), (102, Kind::Csync)] {
            into.answers.extend(set(kind).filter(|set| !set.records.is_empty()).map(|set| (number, set)));
        }
        if let Some(data) = self.shows(Kind::Data) {
            into.answers.extend(data.answers.iter().cloned());
        }
        let bogus = into.answers.iter_mut().filter(|(number, _)| self.rotten == Some(*number));
        bogus.for_each(|(_, set)| (set.version, set.signers) = (set.version | ROTTEN, Arc::default()));
    }

    pub fn empty_view(&self) -> oracle::Address {
        oracle::Address {
            whose: self.operator.map_or(oracle::Whose::Parent, oracle::Whose::Operator),
            host: self.host,
            place: self.operator.map_or(0, |operator| place(operator, self.slot)),
            up: true,
            serves: true,
            ds: None,
            delegation: None,
            dnskey: None,
            ns: None,
            answers: Vec::new(),
            leads: None,
            leads_of: Arc::default(),
        }
    }
}

/// A DS stands for its key, whatever the digest.
fn without_digest_types(mut set: oracle::Rrset) -> oracle::Rrset {
    if set.records.iter().any(|number| number & super::catalogue::SHA384 != 0) {
        let mut keys: Vec<u16> = set.records.iter().map(|number| number & !super::catalogue::SHA384).collect();
        keys.sort_unstable();
        keys.dedup();
        set.records = keys.into();
    }
    set
}
