//! What no resolver may ever meet, worked out from the world's truth and second by second: a crowd of resolvers that asks
//! every server it could have been told of, every second, and keeps everything for as long as it may.
//!
//! It shares nothing with `src/model`: no histories, no intervals, no guards. Keys, hosts and operators are numbers here.

use std::collections::{BTreeMap, BTreeSet};

pub type Set = BTreeSet<u8>;

/// What an address shows of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// No two versions in a world have the same.
    pub version: u64,
    pub set: Set,
    pub ttl_s: i64,
    pub signers: Set,
}

/// How the oracle tells kinds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Ds,
    Dnskey,
    Answer(&'static str),
}

#[derive(Default)]
pub struct Oracle {
    pub stale_s: i64,
    /// Per operator: the last second in which somebody may ask it.
    asked_until: BTreeMap<u8, i64>,
    /// What is in caches, and the last second in which it is.
    held: BTreeMap<u64, (i64, What, Shown)>,
}

/// An address as the oracle sees it in one second.
pub struct Seen<'a> {
    /// `None`: the parent's.
    pub operator: Option<u8>,
    pub ns: &'a Shown,
    pub others: Vec<(What, &'a Shown)>,
}

impl Oracle {
    /// Whether anybody may ask this operator in this second.
    pub fn is_asked(&self, operator: u8, second: i64) -> bool {
        self.asked_until.get(&operator).is_some_and(|until| *until >= second)
    }

    /// The versions in caches: set and signers.
    pub fn held(&self, what: What) -> impl Iterator<Item = (&Set, &Set)> {
        let held = self.held.values().filter(move |held| held.1 == what);
        held.map(|(_, _, shown)| (&shown.set, &shown.signers))
    }

    fn answers(&self) -> impl Iterator<Item = &(i64, What, Shown)> {
        self.held.values().filter(|held| matches!(held.1, What::Answer(_)) && !held.2.signers.is_empty())
    }

    pub fn answer_signers(&self) -> impl Iterator<Item = &Set> {
        self.answers().map(|held| &held.2.signers)
    }

    /// One second of asking. `operator_of` says whose a host is. Returns what went wrong, if something did.
    pub fn second(
        &mut self,
        second: i64,
        seen: &[Seen<'_>],
        operator_of: impl Fn(u8) -> u8,
        serving: impl Fn(u8) -> bool,
    ) -> Option<String> {
        self.held.retain(|_, held| held.0 >= second);
        let mut news = false;
        let mut asked: BTreeSet<usize> = BTreeSet::new();
        loop {
            let reachable = |at: &Seen<'_>| at.operator.is_none_or(|op| self.is_asked(op, second));
            let Some(next) = (0..seen.len()).find(|i| !asked.contains(i) && reachable(&seen[*i])) else { break };
            asked.insert(next);
            let at = &seen[next];
            if let Some(operator) = at.operator.filter(|op| !serving(*op)) {
                return Some(format!("{second}: operator {operator} may be asked, and does not serve the zone"));
            }
            for host in &at.ns.set {
                let until = self.asked_until.entry(operator_of(*host)).or_insert(second);
                *until = (*until).max(second + at.ns.ttl_s + self.stale_s);
            }
            for (what, shown) in &at.others {
                news |= !self.held.contains_key(&shown.version);
                let held = self.held.entry(shown.version).or_insert_with(|| (second, *what, (*shown).clone()));
                held.0 = second + shown.ttl_s + self.stale_s;
            }
        }
        if news { self.failure(second) } else { None }
    }

    fn failure(&self, second: i64) -> Option<String> {
        for (keys, key_signers) in self.held(What::Dnskey) {
            for (ds, _) in self.held(What::Ds) {
                if !key_signers.iter().any(|key| ds.contains(key) && keys.contains(key)) {
                    return Some(format!("{second}: DS {ds:?} with DNSKEY {keys:?} signed by {key_signers:?}"));
                }
            }
            if let Some((_, what, answer)) = self.answers().find(|held| keys.is_disjoint(&held.2.signers)) {
                return Some(format!("{second}: DNSKEY {keys:?} with {what:?} signed by {:?}", answer.signers));
            }
        }
        None
    }
}
