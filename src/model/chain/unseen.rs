//! The stretches in which Chorus could not see what an address serves, while resolvers could ask it.

use super::Scene;
use super::interval::{Interval, Union};
use super::reach::{Reach, asked_in};
use crate::model::history::{FailedSpan, Failure, Server};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An address that gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    pub server: Server,
    /// The first of them, if there were several.
    pub failure: Failure,
    pub from: Time,
    /// [`Time::MAX`] while it lasts.
    pub until: Time,
}

/// Those that meet the time from `from` up to `now`. Whatever kinds failed, a stretch of an address is one.
pub(super) fn unseen(scene: &Scene<'_>, reach: &Reach<'_>, from: Time, now: Time) -> Vec<Unseen> {
    let mut of: BTreeMap<&Server, (Vec<&FailedSpan>, Union)> = BTreeMap::new();
    for (server, _, failed) in scene.history.failed() {
        let stretch = Interval { start: failed.begins(), end: failed.until.unwrap_or(Time::MAX) };
        let (all, union) = of.entry(server).or_default();
        all.push(failed);
        for asked in asked_in(reach, &server.who, stretch) {
            union.add(asked);
        }
    }
    let each = of.into_iter().flat_map(|(server, (mut all, union))| {
        all.sort_by_key(|failed| failed.begins());
        union.into_intervals().filter_map(move |Interval { start, end }| {
            let first = all.iter().find(|failed| failed.until.is_none_or(|until| until > start))?;
            Some(Unseen { server: server.clone(), failure: first.failure.clone(), from: start, until: end })
        })
    });
    each.filter(|unseen| unseen.until > from && unseen.from <= now).collect()
}
