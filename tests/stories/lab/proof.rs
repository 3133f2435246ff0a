//! The judge: from what every server was seen to serve, which combinations some resolver could have held that do not
//! validate or do not resolve. Pure: histories may be invented, and `proof_worked_numbers` invents some.
//!
//! Every item fetched from a server at a moment when somebody could ask that server may be in a cache until its TTL
//! has passed, together with any other such item. Whom one can ask follows from the NS sets of the parent and of
//! servers that can be asked themselves. Sampling is over-approximated: an old version was served until a sample had
//! shown the new one, the new one since a sample last showed the old one. `certain` exposures hold without that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Milliseconds since the observation began.
pub type Ms = i64;
/// "a 127.0.1.11": who, and at which address.
pub type ServerId = String;
pub type KeyId = (u16, u8);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub id: KeyId,
    /// (digest type, hex) of every digest that a DS might hold
    pub digests: BTreeSet<(u8, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    pub id: KeyId,
    pub digest: (u8, String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// At the parent; empty means "insecure".
    Ds(BTreeSet<Digest>),
    /// Hosts in the parent's referral, which nobody signs.
    Referral(BTreeSet<String>),
    /// `signers`: keys whose signature over the set verifies.
    Dnskey { keys: BTreeSet<Key>, signers: BTreeSet<KeyId> },
    /// The child's own NS set.
    Ns { hosts: BTreeSet<String>, signers: BTreeSet<KeyId> },
    /// Any other signed answer of the child zone.
    Data { what: &'static str, rdata: String, signers: BTreeSet<KeyId> },
    /// The server answers that there is no such RRset; nothing follows from it here.
    Nothing { what: &'static str },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub server: ServerId,
    pub content: Content,
    pub ttl_s: u32,
    /// Last sample that showed something else before, or the first sample at all.
    pub not_before: Ms,
    pub first_seen: Ms,
    pub last_seen: Ms,
    /// First sample that showed something else afterwards, or the end of the observation.
    pub until: Ms,
}

/// A time in which a server did not answer, or not authoritatively.
#[derive(Clone, Debug)]
pub struct Outage {
    pub server: ServerId,
    pub from: Ms,
    pub to: Ms,
    pub why: String,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub runs: Vec<Run>,
    pub outages: Vec<Outage>,
    pub parents: BTreeSet<ServerId>,
    /// host name -> servers at its addresses
    pub hosts: BTreeMap<String, BTreeSet<ServerId>>,
    pub end: Ms,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rigor {
    /// What may have happened between samples counts as having happened.
    Possible,
    /// Only what samples show.
    Certain,
}

#[derive(Clone, Debug)]
pub struct Exposure {
    pub rule: &'static str,
    pub one: String,
    pub other: String,
    pub from: Ms,
    pub to: Ms,
    pub certain: bool,
    pub servers: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Verdict {
    pub exposures: Vec<Exposure>,
    pub versions: usize,
    pub pairs_compared: usize,
}

type Interval = (Ms, Ms);
pub type Reach = BTreeMap<ServerId, Vec<Interval>>;

impl History {
    /// When each server may be asked: least fixpoint over NS sets of parent and reachable servers.
    pub fn reach(&self, rigor: Rigor) -> Reach {
        let always = || vec![(Ms::MIN / 2, Ms::MAX / 2)];
        let mut reach: Reach = self.parents.iter().map(|server| (server.clone(), always())).collect();
        loop {
            let mut next = reach.clone();
            for run in &self.runs {
                let (Content::Referral(hosts) | Content::Ns { hosts, .. }) = &run.content else { continue };
                for (from, to) in lives(run, &reach, rigor) {
                    // Beyond the end nothing is known; without this bound a server that names itself never stops.
                    let to = to.min(self.end + i64::from(run.ttl_s) * 1000);
                    for server in hosts.iter().filter_map(|host| self.hosts.get(host)).flatten() {
                        if !self.parents.contains(server) {
                            add(next.entry(server.clone()).or_default(), (from, to));
                        }
                    }
                }
            }
            if next == reach {
                return reach;
            }
            reach = next;
        }
    }

    pub fn prove_no_exposure(&self) -> Verdict {
        let mut exposures = BTreeMap::new();
        let mut pairs_compared = 0;
        for rigor in [Rigor::Possible, Rigor::Certain] {
            let reach = self.reach(rigor);
            let lives: Vec<(&Run, Vec<Interval>)> =
                self.runs.iter().map(|run| (run, lives(run, &reach, rigor))).filter(|(_, l)| !l.is_empty()).collect();
            let mut found = |rule, one: &Run, other: String, where_: &str, (from, to): Interval| {
                let key = (rule, one.describe(), other.clone());
                let exposure = exposures.entry(key).or_insert_with(|| Exposure {
                    rule,
                    one: one.describe(),
                    other,
                    from,
                    to,
                    certain: false,
                    servers: BTreeSet::new(),
                });
                exposure.from = exposure.from.min(from);
                exposure.to = exposure.to.max(to);
                exposure.certain |= rigor == Rigor::Certain;
                exposure.servers.insert(format!("{} with {where_}", one.server));
            };
            for (one, its_life) in &lives {
                if let (Content::Ds(set), Some(life)) = (&one.content, its_life.first())
                    && set.is_empty()
                {
                    found("the DS set is never empty", one, "no DS: the zone is insecure".into(), "-", *life);
                }
                if let Content::Referral(hosts) | Content::Ns { hosts, .. } = &one.content {
                    self.named_servers_answer(hosts, its_life, |server, why, overlap| {
                        found("every named server answers", one, why, server, overlap);
                    });
                }
                for (other, other_life) in &lives {
                    let Some(rule) = broken_rule(&one.content, &other.content) else { continue };
                    pairs_compared += usize::from(rigor == Rigor::Possible);
                    let Err(why) = rule else { continue };
                    for overlap in its_life.iter().flat_map(|a| other_life.iter().filter_map(|b| meet(*a, *b))) {
                        found(why, one, other.describe(), &other.server, overlap);
                    }
                }
            }
        }
        let mut exposures: Vec<Exposure> = exposures.into_values().collect();
        exposures.sort_by_key(|exposure| (exposure.from, exposure.rule));
        Verdict { exposures, versions: self.runs.len(), pairs_compared }
    }

    fn named_servers_answer(
        &self,
        hosts: &BTreeSet<String>,
        usable: &[Interval],
        mut found: impl FnMut(&str, String, Interval),
    ) {
        for host in hosts {
            let Some(servers) = self.hosts.get(host) else {
                usable.iter().for_each(|life| found(host, format!("{host} has no address"), *life));
                continue;
            };
            for outage in self.outages.iter().filter(|outage| servers.contains(&outage.server)) {
                for overlap in usable.iter().filter_map(|life| meet(*life, (outage.from, outage.to))) {
                    found(&outage.server, format!("{}: {}", outage.server, outage.why), overlap);
                }
            }
        }
    }
}

/// `None`: this pair needs no test. `Some(Err)`: the two do not go together.
fn broken_rule(one: &Content, other: &Content) -> Option<Result<(), &'static str>> {
    match (one, other) {
        (Content::Ds(set), Content::Dnskey { keys, signers }) if !set.is_empty() => {
            let vouched = keys.iter().any(|key| {
                let in_ds = set.iter().any(|ds| ds.id == key.id && key.digests.contains(&ds.digest));
                in_ds && signers.contains(&key.id)
            });
            Some(if vouched { Ok(()) } else { Err("a key of the DS set signs the DNSKEY set") })
        }
        (Content::Dnskey { keys, .. }, Content::Ns { signers, .. } | Content::Data { signers, .. }) => {
            let known = keys.iter().any(|key| signers.contains(&key.id));
            Some(if known { Ok(()) } else { Err("a key of the DNSKEY set signs the answer") })
        }
        _ => None,
    }
}

/// The times in which a cache may hold this version: while it was served by somebody who could be asked, and its TTL.
fn lives(run: &Run, reach: &Reach, rigor: Rigor) -> Vec<Interval> {
    let served = match rigor {
        Rigor::Possible => (run.not_before, run.until),
        Rigor::Certain => (run.first_seen, run.last_seen),
    };
    let ttl = i64::from(run.ttl_s) * 1000;
    let mut lives = Vec::new();
    for (from, to) in reach.get(&run.server).into_iter().flatten() {
        let (from, to) = ((*from).max(served.0), (*to).min(served.1));
        if from <= to {
            add(&mut lives, (from, to + ttl));
        }
    }
    lives
}

/// Touching ends do not meet: what dies at a moment is gone at that moment.
fn meet(one: Interval, other: Interval) -> Option<Interval> {
    let both = (one.0.max(other.0), one.1.min(other.1));
    (both.0 < both.1).then_some(both)
}

/// Adds to a sorted list of disjoint intervals.
fn add(list: &mut Vec<Interval>, new: Interval) {
    list.push(new);
    list.sort_unstable();
    let mut merged: Vec<Interval> = Vec::with_capacity(list.len());
    for interval in list.drain(..) {
        match merged.last_mut() {
            Some(last) if interval.0 <= last.1 => last.1 = last.1.max(interval.1),
            _ => merged.push(interval),
        }
    }
    *list = merged;
}

impl Run {
    fn describe(&self) -> String {
        let ids = |ids: &BTreeSet<KeyId>| ids.iter().map(|(tag, _)| tag.to_string()).collect::<Vec<_>>().join(" ");
        let names = |hosts: &BTreeSet<String>| hosts.iter().cloned().collect::<Vec<_>>().join(" ");
        let what = match &self.content {
            Content::Ds(set) => format!("DS {{{}}}", ids(&set.iter().map(|ds| ds.id).collect())),
            Content::Referral(hosts) => format!("delegation {{{}}}", names(hosts)),
            Content::Dnskey { keys, signers } => {
                format!("DNSKEY {{{}}} signed by {{{}}}", ids(&keys.iter().map(|k| k.id).collect()), ids(signers))
            }
            Content::Ns { hosts, signers } => format!("NS {{{}}} signed by {{{}}}", names(hosts), ids(signers)),
            Content::Data { what, signers, .. } => format!("{what} signed by {{{}}}", ids(signers)),
            Content::Nothing { what } => format!("no {what}"),
        };
        format!("{what} TTL {}", self.ttl_s)
    }
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.exposures.is_empty()
    }

    pub fn certain(&self) -> impl Iterator<Item = &Exposure> {
        self.exposures.iter().filter(|exposure| exposure.certain)
    }

    /// Fails the story with the counterexamples.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "\n{self}");
        assert!(self.pairs_compared > 0, "the observer compared nothing");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "no exposure: {} versions, {} pairs", self.versions, self.pairs_compared);
        }
        writeln!(f, "{} exposures (times in seconds of the observation):", self.exposures.len())?;
        for exposure in &self.exposures {
            let Exposure { rule, one, other, from, to, certain, servers } = exposure;
            writeln!(
                f,
                "- broken: {rule}; from {:.3} to {:.3} ({:.3} s{}):\n    {one}\n    {other}\n    at {}",
                *from as f64 / 1000.0,
                *to as f64 / 1000.0,
                (to - from) as f64 / 1000.0,
                if *certain { "" } else { ", possible between samples" },
                servers.iter().cloned().collect::<Vec<_>>().join("; ")
            )?;
        }
        Ok(())
    }
}
