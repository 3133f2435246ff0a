//! Where a transition can come to rest, and how long each way takes: what undo and stop aim at, and what people are told
//! before they choose.
//!
//! Invariant: a rest state is a desired group like any other. Going there is the ladder from what is observed now, under
//! the same guards; nothing here writes or allows anything.

use super::asked::ds_keys;
use super::forecast::{Forecast, forecast};
use super::{Member, Standing, World};
use crate::model::history::{Kind, Who};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who is wanted, and how far in. Who is not named is wanted [`Standing::Outside`].
pub type Group = BTreeMap<String, Standing>;

/// More operators than this on the move at once, and only the two ends and the union of both are looked at.
const MOVERS_MAX: usize = 3;

/// A group that a transition could end in, and the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub group: Group,
    pub forecast: Forecast,
}

/// The world's members, wanted as this group has them.
pub fn wanting(members: &BTreeMap<String, Member>, group: &Group) -> BTreeMap<String, Member> {
    let wanted = |name: &String| group.get(name).copied().unwrap_or(Standing::Outside);
    members.iter().map(|(name, member)| (name.clone(), Member { wanted: wanted(name), ..member.clone() })).collect()
}

/// The way from what is observed to another group.
pub fn forecast_to(world: &World<'_>, group: &Group) -> Forecast {
    let members = wanting(world.members, group);
    forecast(&World { members: &members, paused: false, memo: None, ..*world })
}

/// The rest state that is reached first, between a transition's two ends: an end, or a group in which those on the move
/// are trusted or serving. Of several the one nearest to where the transition was going.
pub fn nearest_rest(world: &World<'_>, from: &Group, to: &Group) -> Rest {
    let at = |group: &Group, name: &String| group.get(name).copied().unwrap_or(Standing::Outside);
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let movers: Vec<&String> = names.iter().copied().filter(|name| at(from, name) != at(to, name)).collect();
    let mut groups = vec![to.clone()];
    if movers.len() <= MOVERS_MAX {
        for mover in &movers {
            let with = |group: &Group, standing| {
                let mut group = group.clone();
                group.insert((*mover).clone(), standing);
                group
            };
            let each = [Standing::Serving, Standing::Trusted, Standing::Outside];
            groups = groups.iter().flat_map(|group| each.map(|standing| with(group, standing))).collect();
        }
    } else {
        groups.push(to.keys().chain(from.keys()).map(|name| (name.clone(), Standing::Serving)).collect());
    }
    groups.insert(0, from.clone());
    groups.insert(0, to.clone());
    let rests = groups.into_iter().map(|mut group| {
        group.retain(|_, standing| *standing != Standing::Outside);
        group
    });
    let rests = rests.filter(|group| group.values().any(|standing| *standing == Standing::Serving));
    let rests = rests.map(|group| Rest { forecast: forecast_to(world, &group), group });
    // An operator that takes no updates stays what it was, and only where nothing has to be written to it.
    let rests = rests.filter(|rest| {
        let writes_to =
            |name: &String| rest.forecast.steps.iter().flat_map(|step| &step.writes).any(|w| w.operator == *name);
        let mut given_up = rest.group.keys().filter(|name| world.takes_no_updates(name));
        given_up.all(|name| rest.group.get(name) == from.get(name) && !writes_to(name))
    });
    // The first of equals is kept: `to`, then `from`.
    let nearest = rests.reduce(|best, rest| if rest.forecast.ends < best.forecast.ends { rest } else { best });
    nearest.unwrap_or_else(|| Rest { group: to.clone(), forecast: forecast_to(world, to) })
}

/// How long this parent took to act on a CDS, at the longest that the history shows; `None` where it shows none.
pub fn parent_latency(world: &World<'_>) -> Option<Duration> {
    let asked: Vec<_> = world
        .history
        .spans(Kind::Cds)
        .filter(|(server, span)| matches!(server.who, Who::Operator(_)) && !span.served.records.is_empty())
        .map(|(_, span)| (ds_keys(&span.served.records), span.first_seen))
        .collect();
    let took = world
        .history
        .spans(Kind::Ds)
        .filter(|(server, ds)| server.is_observed() && ds.since.is_some())
        .filter_map(|(_, ds)| {
            let wanted = ds_keys(&ds.served.records);
            let asked = asked.iter().filter(|(keys, at)| *keys == wanted && *at <= ds.first_seen).map(|(_, at)| *at);
            Some(asked.max()?.until(ds.first_seen))
        });
    took.max()
}
