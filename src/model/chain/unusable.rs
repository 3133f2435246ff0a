//! What resolvers could ask for and could not use: answers that do not validate, and name servers of which nothing is known.

use super::Scene;
use super::exposure::Exposure;
use super::interval::{Interval, Union};
use super::lives::Item;
use super::reach::Reach;
use crate::model::dns::{Ds, Name, USABLE_DIGEST_TYPES, name_text, ns_name};
use crate::model::history::{Failure, Kind, Server, Who};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a resolver asks an operator's server for.
const ASKED: [Kind; 3] = [Kind::Dnskey, Kind::Ns, Kind::Data];

/// A name server that resolvers may have been sent to, and of which Chorus knows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    pub host: String,
    /// Who named it, and in which RRset.
    pub named_by: Server,
    pub kind: Kind,
    pub from: Time,
    /// [`Time::MAX`] while it is still named.
    pub until: Time,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stranger { host, named_by, kind, from, until } = self;
        let until = if *until < Time::MAX { format!("until {until}") } else { "and still does".to_owned() };
        write!(
            f,
            "the {kind} RRset at {named_by} named {host} from {from} {until}, and it is not known what {host} serves"
        )
    }
}

/// The stretches in which an address that resolvers could ask gave answers that no validator accepts, or said that the zone
/// does not exist.
pub(super) fn unusable(
    scene: &Scene<'_>,
    items: &[Item<'_>],
    reach: &Reach<'_>,
    from: Time,
    now: Time,
) -> Vec<Exposure> {
    let mut of: BTreeMap<(&Server, bool), (String, Union)> = BTreeMap::new();
    for (server, _, failed) in scene.history.failed().filter(|(_, kind, _)| ASKED.contains(kind)) {
        let Who::Operator(operator) = &server.who else { continue };
        let stretch = Interval { start: failed.begins(), end: failed.until.unwrap_or(Time::MAX) };
        let vanished = failed.failure == Failure::NxDomain;
        let is_bogus = matches!(failed.failure, Failure::Unverifiable(_)) && is_secure(items, &stretch);
        if !(vanished || is_bogus) {
            continue;
        }
        for asked in reach.get(operator.as_str()).map(|reach| reach.within(stretch)).unwrap_or_default() {
            let what = || (format!("{server} {}", failed.failure), Union::default());
            of.entry((server, vanished)).or_insert_with(what).1.add(asked);
        }
    }
    let all = Interval { start: from, end: Time::MAX };
    let stretches = of.into_iter().flat_map(|((server, _), (what, union))| {
        let met = union.within(Interval { start: Time::MIN, end: Time::MAX });
        met.into_iter().map(move |stretch| (server, what.clone(), stretch))
    });
    let of_now = stretches.filter(|(_, _, stretch)| stretch.meets(&all).is_some() && stretch.start <= now);
    let exposure = |(server, what, stretch): (&Server, String, Interval)| Exposure {
        from: stretch.start,
        until: stretch.end,
        what,
        servers: vec![server.clone()],
        insecure: false,
        unusable: true,
    };
    of_now.map(exposure).collect()
}

/// Whether any resolver validates: the parent had a DS that it supports.
fn is_secure(items: &[Item<'_>], stretch: &Interval) -> bool {
    items.iter().filter(|item| item.kind == Kind::Ds && item.served_in.meets(stretch).is_some()).any(|item| {
        let mut ds = item.served.records.iter().filter_map(Ds::read);
        ds.any(|ds| USABLE_DIGEST_TYPES.contains(&ds.digest_type))
    })
}

/// The name servers that were named to resolvers beyond `from`, and that are nobody's whom Chorus knows.
pub(super) fn strangers(
    scene: &Scene<'_>,
    items: &[Item<'_>],
    reach: &Reach<'_>,
    from: Time,
    now: Time,
) -> Vec<Stranger> {
    let mut strangers: Vec<Stranger> = Vec::new();
    for item in items.iter().filter(|item| matches!(item.kind, Kind::Ns | Kind::Delegation)) {
        let unknown = item.served.records.iter().filter_map(|ns| ns_name(ns).ok());
        let unknown: Vec<Name> = unknown.filter(|host| !scene.hosts.contains_key(host)).collect();
        if unknown.is_empty() {
            continue;
        }
        let named = match &item.server.who {
            Who::Operator(name) => reach.get(name.as_str()).map(|r| r.within(item.served_in)).unwrap_or_default(),
            Who::Parent => vec![item.served_in],
            Who::Public => Vec::new(),
        };
        for Interval { start, end } in named {
            let dead = scene.lifetimes.death_after(end, item.server, item.kind, &item.served);
            if dead <= from || start > now {
                continue;
            }
            strangers.extend(unknown.iter().map(|host| Stranger {
                host: name_text(host),
                named_by: item.server.clone(),
                kind: item.kind,
                from: start.max(from),
                until: end,
            }));
        }
    }
    strangers
}
