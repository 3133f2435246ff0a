//! How closely a zone was looked at in a transition: what a certificate rests on between two looks.
//!
//! Invariant: errs to one side. An address was not seen from its last good answer to its next; the zone was not looked at
//! between the beginnings of two rounds.

use super::picture::Picture;
use crate::model::chain::Unseen;
use crate::model::dns::Host;
use crate::model::history::{Failure, Gap, Who};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The longest time between two rounds of a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestGap {
    transition: String,
    #[serde(flatten)]
    pub gap: Gap,
}

/// After another round. `before`: what the rounds before it left, and `last` when the last of them began.
pub(super) fn longest_gap(before: Option<LongestGap>, last: Option<Time>, known: &Picture) -> Option<LongestGap> {
    let transition = known.transition.as_ref()?;
    let before = before.filter(|before| before.transition == transition.id);
    let from = last.unwrap_or(transition.started_at).max(transition.started_at).min(known.observed_at);
    let new = Gap { from, until: known.observed_at };
    let longest = before.map(|before| before.gap).filter(|before| before.lasts() >= new.lasts()).unwrap_or(new);
    Some(LongestGap { transition: transition.id.clone(), gap: longest })
}

/// How closely a transition was watched.
pub(super) struct Looks {
    /// The longest time between two looks, as an assumption in words.
    pub assumption: String,
    /// The gaps that lasted longer than the policy allows and are over: one sentence each.
    pub too_long: Vec<String>,
}

/// Between `started` and `now`. `unseen`: of the addresses that resolvers could ask. `gap_max`: of the policy.
pub(super) fn looks(
    unseen: &[Unseen],
    longest: Option<&LongestGap>,
    gap_max: Duration,
    started: Time,
    now: Time,
) -> Looks {
    let of_zone = longest.map(|longest| Unlooked {
        gap: Gap { from: longest.gap.from.max(started), until: longest.gap.until },
        what: "Chorus did not look at the zone".to_owned(),
    });
    let of_addresses = unseen.iter().map(|unseen| Unlooked {
        gap: Gap { from: unseen.from.max(started), until: unseen.until.min(now) },
        what: match &unseen.server.who {
            Who::Public => not_found(&unseen.server.host, &unseen.failure),
            who => format!("{} of {who} {}", unseen.server, unseen.failure),
        },
    });
    let all: Vec<Unlooked> =
        of_zone.into_iter().chain(of_addresses).filter(|one| one.gap.from < one.gap.until).collect();
    let supposed = "no version appeared and vanished again between two samples that agree";
    let assumption = match all.iter().max_by_key(|one| one.gap.lasts()) {
        Some(longest) => {
            format!("{supposed}; the longest time between two was {} s: {longest}", longest.gap.lasts().as_secs())
        }
        None => supposed.to_owned(),
    };
    let too_long = all.iter().filter(|one| one.gap.lasts() > gap_max && one.gap.until < now);
    Looks {
        assumption,
        too_long: too_long.map(|one| format!("{one}; Chorus does not know what was served meanwhile")).collect(),
    }
}

/// What came of looking for a name server's addresses in the public DNS.
pub(super) fn not_found(host: &Host, failure: &Failure) -> String {
    match failure {
        Failure::Alias { .. } => format!("the public DNS {failure}"),
        _ => format!("the addresses of {host} {failure}"),
    }
}

/// When nothing was seen of an address, or of the whole zone.
struct Unlooked {
    gap: Gap,
    what: String,
}

impl fmt::Display for Unlooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unlooked { gap, what } = self;
        write!(f, "from {} until {} {what}", gap.from, gap.until)
    }
}
