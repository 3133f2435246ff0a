//! What a zone's own history proves: its exposures, and the certificate of a transition.

use super::listings::not_listed_since;
use super::looks::{looks, not_found};
use super::picture::Picture;
use super::status::Status;
use crate::model::chain::{Exposure, Scene, judge};
use crate::model::dns::{Name, stored};
use crate::model::group::last_question;
use crate::model::history::{Changes, Failure, Lifetimes, Who};
use crate::model::resolution::Resolution;
use crate::model::time::Time;
use crate::store::TransitionRecord;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Stored with the transition. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub transition: String,
    pub zone: String,
    pub from: BTreeSet<String>,
    pub to: BTreeSet<String>,
    pub started: Time,
    pub ended: Time,
    /// `done`, `undone` or `stopped`: `to` is where it ended, not what was asked for first.
    #[serde(default = "done")]
    pub end: String,
    pub verdict: String,
    pub exposures: Vec<Exposure>,
    pub pairs: u64,
    pub smallest_slack_ms: Option<u64>,
    pub smallest_slack_what: Option<String>,
    /// The smallest margin, as a sentence: between which two versions it was, and when each expired or appeared.
    #[serde(default)]
    pub margin: Option<String>,
    pub assumptions: Vec<String>,
    /// What could make the verdict wrong and was not looked at: one sentence each.
    #[serde(default)]
    pub not_looked_at: Vec<String>,
    /// The operators that have left, of those that resolvers could query and that answered to the end.
    #[serde(default)]
    pub left: BTreeSet<String>,
    /// The resolution that the transition ended with; `None` in certificates from before there was one.
    #[serde(default)]
    pub resolution: Option<Resolution>,
}

fn done() -> String {
    "done".into()
}

fn scene(known: &Picture) -> Scene<'_> {
    Scene { zone: &known.record.name, history: &known.history, lifetimes: &known.lifetimes, hosts: &known.hosts }
}

/// The exposures of a zone, worked out anew only when something that they follow from has changed.
#[derive(Default)]
pub(super) struct Judged {
    of: Option<Basis>,
    exposures: Vec<Exposure>,
}

/// What exposures follow from.
#[derive(PartialEq)]
struct Basis {
    changes: Changes,
    lifetimes: Lifetimes,
    hosts: BTreeMap<Name, String>,
    transition: Option<String>,
}

impl Judged {
    pub fn look(&mut self, known: &Picture) {
        let basis = Basis {
            changes: known.history.changes(),
            lifetimes: known.lifetimes.clone(),
            hosts: known.hosts.clone(),
            transition: known.transition.as_ref().map(|transition| transition.id.clone()),
        };
        if self.of.as_ref() != Some(&basis) {
            self.exposures = judge(&scene(known), from(known), known.observed_at).exposures;
            self.of = Some(basis);
        }
    }

    /// Those that are not over, or that happened in the transition that is under way.
    pub fn exposures(&self, known: &Picture) -> impl Iterator<Item = &Exposure> {
        let from = from(known);
        self.exposures.iter().filter(move |exposure| exposure.until > from)
    }
}

fn from(known: &Picture) -> Time {
    // A transition may have been started by a clock that was ahead.
    known.transition.as_ref().map_or(known.observed_at, |started| started.started_at.min(known.observed_at))
}

/// Over all pairs of versions that could have met in a cache between the transition's start and its end.
pub(super) fn certificate(
    known: &Picture,
    status: &Status,
    transition: &TransitionRecord,
    resolution: Resolution,
    now: Time,
) -> Certificate {
    let judged = judge(&scene(known), transition.started_at, now);
    let policy = &known.record.policy;
    let gap_max = Duration::from_secs(policy.gap_max_s);
    let looks = looks(&judged.unseen, status.longest_gap.as_ref(), gap_max, transition.started_at, now);
    let mut not_looked_at = not_looked_at(known);
    not_looked_at.extend(looks.too_long);
    not_looked_at.extend(not_listed_since(known, status, transition.started_at, now));
    not_looked_at.extend(judged.strangers.iter().map(ToString::to_string));
    let verdict = verdict(&judged.exposures, judged.pairs, &not_looked_at);
    let listed = |operator: &String| {
        let shown_at = status.listed.get(operator).and_then(|listed| listed.shown_at);
        shown_at.map(|at| format!("; listed last at {at}")).unwrap_or_default()
    };
    let data = known.members.keys().map(|op| format!("{op} {}{}", known.lifetimes.data_ttl(op), listed(op)));
    let data: Vec<String> = data.collect();
    let assumptions = vec![
        format!(
            "resolvers keep records for no longer than their TTL and at most {} s, and serve them stale for at most {} s more",
            policy.resolver_max_ttl_s, policy.stale_s
        ),
        format!("queries in flight, and the difference of clocks, are covered by {} s", policy.slack_s),
        format!("no record of the zone has a longer TTL than: {}", data.join(", ")),
        format!("the parent acts on a CDS or CSYNC at most {} s after it was withdrawn", policy.parent_pipeline_s),
        "the addresses that were asked speak for every server behind them (anycast)".to_owned(),
        looks.assumption,
        "of the time before the zone was adopted nothing is known".to_owned(),
    ];
    Certificate {
        transition: transition.id.clone(),
        zone: stored(&known.record.name),
        from: transition.from.keys().cloned().collect(),
        to: transition.target().keys().cloned().collect(),
        end: transition.aim.end().as_str().into(),
        started: transition.started_at,
        ended: now,
        verdict,
        exposures: judged.exposures,
        pairs: judged.pairs,
        smallest_slack_ms: judged
            .smallest_slack
            .as_ref()
            .map(|slack| u64::try_from(slack.margin().as_millis()).unwrap_or(u64::MAX)),
        smallest_slack_what: judged.smallest_slack.as_ref().map(|slack| slack.what.clone()),
        margin: judged.smallest_slack.as_ref().map(ToString::to_string),
        assumptions,
        not_looked_at,
        left: left(known),
        resolution: Some(resolution),
    }
}

/// One sentence. That no resolver could have failed is only said where everything was looked at that could make it false.
fn verdict(exposures: &[Exposure], pairs: u64, not_looked_at: &[String]) -> String {
    let kept_apart = format!(
        "of {pairs} pairs of RRset versions that were checked, no two incompatible ones could be in caches at the same time"
    );
    let unusable: Vec<&Exposure> = exposures.iter().filter(|exposure| exposure.unusable).collect();
    if let Some(first) = unusable.first() {
        let end = if first.until < Time::MAX { format!(" until {}", first.until) } else { String::new() };
        let others = match exposures.len() {
            1 => String::new(),
            2 => "; and 1 more exposure".to_owned(),
            all => format!("; and {} more exposures", all - 1),
        };
        return format!("resolvers could fail: from {}{end} {}{others}", first.from, first.what);
    }
    match (exposures.len(), not_looked_at) {
        (0, []) => format!("no resolver could have failed: {kept_apart}"),
        (0, some) => format!(
            "nothing that was observed could make a resolver fail: {kept_apart}; but not everything was looked at: {}",
            some.join("; ")
        ),
        (1, _) => "1 pair of incompatible RRset versions could have been cached together".into(),
        (n, _) => format!("{n} pairs of incompatible RRset versions could have been cached together"),
    }
}

/// What could make the verdict wrong and was not looked at.
fn not_looked_at(known: &Picture) -> Vec<String> {
    let mut not: Vec<String> = Vec::new();
    let mut silent: BTreeMap<String, (Time, String)> = BTreeMap::new();
    for (server, _, track) in known.history.tracks() {
        let Some(trouble) = &track.trouble else { continue };
        let text = match &server.who {
            Who::Public => {
                format!("{} since {}", not_found(&server.host, &trouble.failure), trouble.since)
            }
            who if trouble.failure == Failure::SilentOverUdp => {
                format!("{server} of {who} {} since {}", trouble.failure, trouble.since)
            }
            who => {
                let failing = format!("{server} of {who} {} since {}", trouble.failure, trouble.since);
                format!("{failing}, so what it serves is not known")
            }
        };
        let known = silent.entry(server.to_string()).or_insert_with(|| (trouble.since, text.clone()));
        if trouble.since < known.0 {
            *known = (trouble.since, text);
        }
    }
    not.extend(silent.into_values().map(|(_, text)| text));
    not.extend(left_out(&known.places.left_out));
    let unknown = |operator: &&String| {
        known.record.policy.data_ttl_max_s.is_none() && !known.lifetimes.zone_ttls_s.contains_key(*operator)
    };
    not.extend(known.members.keys().filter(unknown).map(|operator| {
        format!(
            "the largest TTL in the zone at {operator} is not known, because its zone cannot be listed: {} s was assumed",
            known.lifetimes.data_ttl_s(operator)
        )
    }));
    not
}

/// What was not observed because the user said so.
fn left_out(addresses: &BTreeSet<(Name, IpAddr)>) -> Option<String> {
    let each: Vec<String> = addresses.iter().map(|(host, ip)| format!("{host} ({ip})")).collect();
    (!each.is_empty()).then(|| {
        format!(
            "IPv6 addresses of name servers were not observed, because Chorus runs with --without-ipv6: {}; what is served there is \
             supposed to be what the other addresses serve",
            each.join(", ")
        )
    })
}

/// The leavers that some resolver could query, and that answered to the end.
fn left(known: &Picture) -> BTreeSet<String> {
    let world = known.world();
    let could_be_queried = |leaver: &&String| {
        let gone = world.member(leaver).is_none_or(|member| member.unreachable) || world.is_lost(leaver);
        !gone && last_question(&world, leaver).from.is_some_and(|last| last > Time::MIN)
    };
    world.leavers().filter(could_be_queried).cloned().collect()
}
