//! How closely a zone was looked at in a transition: what a certificate rests on between two looks.
//!
//! Invariant: errs to one side. An address was not seen from its last good answer to its next; the zone was not looked at
//! between the beginnings of two rounds.

use super::picture::Picture;
use crate::model::history::{Failure, Server, Who};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Two equal answers with more between them prove nothing of the time between. An hour: a controller that is upgraded or moved
/// is back by then, and in a transition it looks every minute.
pub const GAP_MAX: Duration = Duration::from_secs(3600);

/// The longest time between two rounds of a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    transition: String,
    pub from: Time,
    pub until: Time,
}

impl Pause {
    fn lasts(&self) -> Duration {
        self.from.until(self.until)
    }
}

/// After another round. `before`: what the rounds before it left, and `last` when the last of them began.
pub(super) fn longest_pause(before: Option<Pause>, last: Option<Time>, known: &Picture) -> Option<Pause> {
    let transition = known.transition.as_ref()?;
    let before = before.filter(|before| before.transition == transition.id);
    let from = last.unwrap_or(transition.started_at).max(transition.started_at).min(known.observed_at);
    let new = Pause { transition: transition.id.clone(), from, until: known.observed_at };
    Some(before.filter(|before| before.lasts() >= new.lasts()).unwrap_or(new))
}

/// A stretch of time in which nothing was seen: of an address, or of the whole zone.
struct Gap<'a> {
    of: Option<(&'a Server, &'a Failure)>,
    from: Time,
    until: Time,
}

impl Gap<'_> {
    fn lasts(&self) -> Duration {
        self.from.until(self.until)
    }
}

impl fmt::Display for Gap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gap { of, from, until } = self;
        match of {
            None => write!(f, "Chorus did not look at the zone from {from} until {until}"),
            Some((server, failure)) if server.who == Who::Public => {
                write!(f, "from {from} until {until} the addresses of {} {failure}", server.host)
            }
            Some((server, failure)) => write!(f, "from {from} until {until} {server} of {} {failure}", server.who),
        }
    }
}

/// How closely a transition was watched.
pub(super) struct Looks {
    /// The longest time without a good answer of some address, as an assumption in words.
    pub assumption: String,
    /// What lasted longer than [`GAP_MAX`], and is over: one sentence each.
    pub too_long: Vec<String>,
}

/// Between `started` and `now`.
pub(super) fn looks(known: &Picture, pause: Option<&Pause>, started: Time, now: Time) -> Looks {
    let pause = pause.map(|pause| Gap { of: None, from: pause.from.max(started), until: pause.until });
    let mut of_address: BTreeMap<&Server, Gap<'_>> = BTreeMap::new();
    for (server, _, failed) in known.history.failed() {
        let until = failed.until.unwrap_or(now).min(now);
        let gap = Gap { of: Some((server, &failed.failure)), from: failed.begins().max(started), until };
        // It answers over TCP, and is seen.
        let is_seen = failed.failure == Failure::SilentOverUdp;
        let is_longer = of_address.get(server).is_none_or(|other| other.lasts() < gap.lasts());
        if gap.from < gap.until && !is_seen && is_longer {
            of_address.insert(server, gap);
        }
    }
    let gaps = || pause.iter().chain(of_address.values());
    let assumption = match gaps().max_by_key(|gap| gap.lasts()) {
        Some(longest) => format!(
            "no version appeared and vanished again between two samples that agree; the longest time between two was {} s: {longest}",
            longest.lasts().as_secs()
        ),
        None => "no version appeared and vanished again between two samples that agree".to_owned(),
    };
    let too_long = gaps().filter(|gap| gap.lasts() > GAP_MAX && gap.until < now);
    Looks {
        assumption,
        too_long: too_long.map(|gap| format!("{gap}; what was served meanwhile is not known")).collect(),
    }
}
