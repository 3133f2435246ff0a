//! The stretches in which Chorus could not see what an address serves, while resolvers could ask it.

use super::Scene;
use super::interval::Interval;
use super::reach::{Reach, asked_in};
use crate::model::history::{Failure, Server};
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

/// Those that meet the time from `from` up to `now`. Whatever kinds failed, what overlaps at an address is one; what only
/// touches is not, for there the address was seen.
pub(super) fn unseen(scene: &Scene<'_>, reach: &Reach<'_>, from: Time, now: Time) -> Vec<Unseen> {
    let mut of: BTreeMap<&Server, Vec<(Interval, &Failure)>> = BTreeMap::new();
    for (server, _, failed) in scene.history.failed() {
        let stretch = Interval { start: failed.begins(), end: failed.until.unwrap_or(Time::MAX) };
        let asked = asked_in(reach, &server.who, stretch).into_iter().map(|asked| (asked, &failed.failure));
        of.entry(server).or_default().extend(asked);
    }
    let mut unseen: Vec<Unseen> = Vec::new();
    for (server, mut stretches) in of {
        stretches.sort_by_key(|(stretch, _)| (stretch.start, stretch.end));
        for (Interval { start, end }, failure) in stretches {
            match unseen.last_mut().filter(|last| last.server == *server && start < last.until) {
                Some(last) => last.until = last.until.max(end),
                None => {
                    unseen.push(Unseen { server: server.clone(), failure: failure.clone(), from: start, until: end })
                }
            }
        }
    }
    unseen.retain(|unseen| unseen.until > from && unseen.from <= now);
    unseen
}
