//! Name servers that resolvers could be sent to, and of which Chorus knows nothing.

use super::Scene;
use super::lives::Item;
use super::reach::{Reach, held_in};
use crate::model::dns::{Name, name_text, ns_name};
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A name server that is no operator's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    pub host: String,
    /// Who named it first, and in which RRset.
    pub named_by: Server,
    pub kind: Kind,
    /// When a resolver could first hold an RRset that names it.
    pub from: Time,
    /// When the last of them had expired from caches; [`Time::MAX`] while it is still named.
    pub until: Time,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stranger { host, named_by, kind, from, until } = self;
        write!(f, "resolvers could ask {host} from {from}")?;
        if *until < Time::MAX {
            write!(f, " until {until}")?;
        }
        write!(f, ", because the {kind} RRset at {named_by} named it, and Chorus does not know what {host} serves")
    }
}

/// Those that a resolver could ask between `from` and `now`, one for each host.
pub(super) fn strangers(
    scene: &Scene<'_>,
    items: &[Item<'_>],
    reach: &Reach<'_>,
    from: Time,
    now: Time,
) -> Vec<Stranger> {
    let mut strangers: BTreeMap<Name, Stranger> = BTreeMap::new();
    for item in items.iter().filter(|item| matches!(item.kind, Kind::Ns | Kind::Delegation)) {
        let hosts = item.served.records.iter().filter_map(|ns| ns_name(ns).ok());
        let unknown: Vec<Name> = hosts.filter(|host| !scene.hosts.contains_key(host)).collect();
        let held = if unknown.is_empty() { Vec::new() } else { held_in(scene, reach, item) };
        let meets = held.iter().filter(|held| held.end > from && held.start <= now);
        for (host, held) in meets.flat_map(|held| unknown.iter().map(move |host| (host, held))) {
            let new = Stranger {
                host: name_text(host),
                named_by: item.server.clone(),
                kind: item.kind,
                from: held.start.max(from),
                until: held.end,
            };
            let known = strangers.entry(host.clone()).or_insert_with(|| new.clone());
            let until = known.until.max(new.until);
            if new.from < known.from {
                *known = new;
            }
            known.until = until;
        }
    }
    strangers.into_values().collect()
}
