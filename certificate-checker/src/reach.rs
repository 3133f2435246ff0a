//! When resolvers can query an operator: while they may hold an NS RRset that names one of its hosts.
//!
//! A resolver takes the delegation from the parent, and replaces it by the NS RRset of the apex, which ranks higher (RFC 2181
//! §5.4.1), from any server that it can query. So the times are a fixpoint: what an operator serves counts while the operator
//! can be queried, and makes others, or itself, queryable for as long as it lives.

use crate::clock;
use crate::evidence::Whose;
use crate::intervals::{Interval, Intervals};
use crate::names::Name;
use crate::versions::{Content, Version, World};
use std::collections::BTreeMap;

/// After so many rounds every NS RRset that still adds something counts as fetched until it is served no more: longer than
/// it can be, and the fixpoint comes at once.
const ROUNDS_MAX: usize = 300;

/// When what can be queried.
pub(crate) struct Reach {
    always: Intervals,
    never: Intervals,
    operators: BTreeMap<String, Intervals>,
    /// Hosts that NS RRsets name, and that belong to no operator of the zone.
    pub strangers: BTreeMap<Name, Intervals>,
}

impl Reach {
    /// When resolvers can query a server of `whose`. The parent always, as far as the zone is concerned.
    pub fn of(&self, whose: &Whose) -> &Intervals {
        match whose {
            Whose::Parent => &self.always,
            Whose::Operator(operator) => self.operators.get(operator).unwrap_or(&self.never),
            Whose::PublicDns => &self.never,
        }
    }

    /// When a resolver may hold this version.
    pub fn lives(&self, version: &Version<'_>) -> Intervals {
        let mut lives = Intervals::default();
        for fetched in self.of(&version.track.whose).within(version.served) {
            lives.add(Interval { until_ms: clock::plus_s(fetched.until_ms, version.life_s), ..fetched });
        }
        lives
    }
}

/// Works out the fixpoint.
pub(crate) fn reach(world: &World<'_>) -> Reach {
    let mut reach = Reach {
        always: Intervals::always(),
        never: Intervals::default(),
        operators: BTreeMap::new(),
        strangers: BTreeMap::new(),
    };
    let sets: Vec<(&Version<'_>, Vec<&Name>)> = world.versions.iter().filter_map(named).collect();
    for round in 0.. {
        let mut has_grown = false;
        for (version, hosts) in &sets {
            let renews_itself = hosts.iter().any(|host| is_of(world, host, &version.track.whose));
            let to_the_end = renews_itself || round > ROUNDS_MAX;
            let fetched: Vec<Interval> = reach.of(&version.track.whose).within(version.served).collect();
            for part in fetched {
                let last_ms = if to_the_end { version.served.until_ms } else { part.until_ms };
                let held = Interval { from_ms: part.from_ms, until_ms: clock::plus_s(last_ms, version.life_s) };
                for host in hosts {
                    let times = match world.hosts.get(*host) {
                        Some(operator) => reach.operators.entry((*operator).to_owned()).or_default(),
                        None => reach.strangers.entry((*host).clone()).or_default(),
                    };
                    has_grown |= times.add(held);
                }
            }
        }
        if !has_grown {
            break;
        }
    }
    reach
}

fn named<'v>(version: &'v Version<'_>) -> Option<(&'v Version<'v>, Vec<&'v Name>)> {
    match &version.content {
        Content::Hosts(hosts) => Some((version, hosts.iter().collect())),
        _ => None,
    }
}

fn is_of(world: &World<'_>, host: &Name, whose: &Whose) -> bool {
    matches!(whose, Whose::Operator(operator) if world.hosts.get(host) == Some(&operator.as_str()))
}
