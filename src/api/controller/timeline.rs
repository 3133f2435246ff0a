//! A zone's versions over time, with what the next step waits for: out of the history, by the model's own deaths and guards.
//!
//! Invariant: no moment is worked out here that `model::history` and `model::group` give. A version is waited for when
//! without it the wait would end earlier: so says the model itself, asked about a history that has it, and one that has not.

use super::gist::Gist;
use super::under_way;
use super::{Controller, of_engine, plain};
use crate::api::service::Refusal;
use crate::api::wire::{self, At};
use crate::engine::{Picture, Status, state_of};
use crate::model::dns::{Dnskey, Ds, Name, RecordSet, host_address, ns_name};
use crate::model::group::{Step, Wait, World, decide, last_question};
use crate::model::history::{History, Kind, Server, Span, Who};
use crate::model::time::Time;
use crate::store::ZoneState;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much of the past is shown of a zone at rest.
const PAST: Duration = Duration::from_secs(86_400);
/// In the order of the lanes; the first ones are always shown.
const ORDER: [Kind; 8] =
    [Kind::Ds, Kind::Delegation, Kind::Dnskey, Kind::Ns, Kind::Cds, Kind::Cdnskey, Kind::Csync, Kind::Data];
const ALWAYS: usize = 4;

/// One set of records at all addresses that served it at the same time.
#[derive(Clone, Debug)]
struct Version {
    who: Who,
    kind: Kind,
    records: RecordSet,
    ttl_s: u32,
    /// `None`: nothing is known of the time before.
    first_seen: Option<Time>,
    since: Time,
    until: Option<Time>,
    dead: Option<Time>,
    waited_for: bool,
}

impl Controller {
    /// Nobody is asked anything: it is what was seen last.
    pub(super) async fn show_timeline(&self, name: &Name) -> Result<wire::Timeline, Refusal> {
        let (known, status) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        Ok(timeline(&known, &status, self.engine.ports().clock.now()))
    }
}

fn timeline(known: &Picture, status: &Status, now: Time) -> wire::Timeline {
    let world = World { now, ..known.world() };
    let mut versions = versions(&world);
    mark(&world, status, &mut versions);
    let guards = guards(status, now);
    let running = known.transition.as_ref();
    let gist = Gist { members: &known.record.members, status, transition: running };
    let steps = running.map(|running| under_way::steps(known, gist, running, now)).unwrap_or_default();

    let begun = running.map_or(Time(now.0.saturating_sub(millis(PAST))), |running| running.started_at);
    let lived = |version: &&Version| version.dead.is_none_or(|dead| dead > begun);
    let deaths = versions.iter().filter(lived).filter_map(|version| version.dead);
    let expected = guards.iter().filter_map(|guard| guard.opens_at).chain(steps.iter().filter_map(|s| s.earliest));
    let last = deaths.chain(expected.map(At::time)).filter(|at| At::known(*at).is_some()).fold(now, Time::max);
    // A twentieth of it as air on both sides.
    let air = Duration::from_millis((begun.until(last).as_millis() / 20).try_into().unwrap_or(u64::MAX));
    let from = Time(begun.0.saturating_sub(millis(air)));
    let to = last.plus(air.max(Duration::from_secs(1)));

    versions.retain(|version| version.dead.is_none_or(|dead| dead > from));
    wire::Timeline {
        zone: plain(&known.record.name),
        from: At::clock(from),
        to: At::clock(to),
        now: At::clock(now),
        lanes: lanes(&versions),
        guards,
        steps,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Every version that was seen; those of several addresses that are the same, and go on from one to another, as one.
fn versions(world: &World<'_>) -> Vec<Version> {
    // Of a leaver that nobody can ask any more, nothing gets into a cache, whatever it serves.
    let ends: BTreeMap<&str, Time> = world
        .leavers()
        .filter_map(|leaver| Some((leaver.as_str(), last_question(world, leaver).from?)))
        .filter(|(_, end)| *end <= world.now)
        .collect();
    let mut versions: Vec<Version> = Vec::new();
    // Addresses, and what a parent's server has of the child, have no lanes.
    let has_lane = |server: &Server, kind| match server.who {
        Who::Parent => Kind::PARENT.contains(&kind),
        Who::Operator(_) => Kind::OPERATOR.contains(&kind),
        Who::Public | Who::Registrar => false,
    };
    for (server, kind, track) in world.history.tracks().filter(|(server, kind, _)| has_lane(server, *kind)) {
        for span in &track.spans {
            let mut seen = version(world, server, kind, span);
            if let Who::Operator(name) = &server.who
                && let Some(end) = ends.get(name.as_str())
                && seen.until.is_none_or(|until| until > *end)
            {
                seen.until = Some((*end).max(seen.since));
                seen.dead = seen.until.map(|until| world.lifetimes.death_after(until, server, kind, &span.served));
            }
            versions.push(seen);
        }
    }
    versions.sort_by_key(|version| version.since);
    let mut merged: Vec<Version> = Vec::new();
    for version in versions {
        let same = |other: &&mut Version| {
            let alike = (&other.who, other.kind, &other.records) == (&version.who, version.kind, &version.records);
            alike && other.until.is_none_or(|until| until >= version.since)
        };
        match merged.iter_mut().find(same) {
            Some(other) => {
                other.ttl_s = other.ttl_s.max(version.ttl_s);
                other.first_seen = other.first_seen.zip(version.first_seen).map(|(a, b)| a.min(b));
                other.until = other.until.zip(version.until).map(|(a, b)| a.max(b));
                other.dead = other.dead.zip(version.dead).map(|(a, b)| a.max(b));
            }
            None => merged.push(version),
        }
    }
    merged
}

fn version(world: &World<'_>, server: &Server, kind: Kind, span: &Span) -> Version {
    // Of ordinary answers only who signs them is known.
    let records = if kind == Kind::Data { &span.served.signers } else { &span.served.records };
    Version {
        who: server.who.clone(),
        kind,
        records: records.clone(),
        ttl_s: world.lifetimes.ttl_s(server, kind, &span.served).try_into().unwrap_or(u32::MAX),
        first_seen: span.since.map(|_| span.first_seen),
        since: span.since.unwrap_or(Time::MIN),
        until: span.until,
        dead: world.lifetimes.death(server, kind, span),
        waited_for: false,
    }
}

fn guards(status: &Status, now: Time) -> Vec<wire::TimelineGuard> {
    let closed = status
        .waiting
        .iter()
        .filter(|wait| state_of(wait) == ZoneState::WaitingGuard && wait.until.is_none_or(|until| until > now));
    let mut guards: Vec<wire::TimelineGuard> = closed
        .map(|wait| wire::TimelineGuard {
            code: wait.code.clone(),
            text: wait.text.clone(),
            opens_at: wait.until.and_then(At::known),
        })
        .collect();
    guards.sort_by_key(|guard| std::cmp::Reverse((guard.opens_at.is_none(), guard.opens_at)));
    guards
}

/// Marks the versions that are served no more, not dead yet, and hold a guard closed.
fn mark(world: &World<'_>, status: &Status, versions: &mut [Version]) {
    let now = world.now;
    let is_dying = |version: &Version| version.until.is_some() && version.dead.is_some_and(|dead| dead > now);
    let closed = |wait: &&Wait| wait.code.starts_with("guard-") && wait.until.is_none_or(|until| until > now);
    let waits: Vec<Wait> = decide(world).waits.iter().filter(closed).cloned().collect();
    if waits.is_empty() {
        return;
    }
    // When each wait ends if only these versions are dying.
    let ends = |dying: &dyn Fn(&Server, Kind, &Span) -> bool| -> BTreeMap<(Step, &'static str), Time> {
        let mut history = History::default();
        for (server, kind, track) in world.history.tracks() {
            for span in &track.spans {
                let dies = is_dying(&version(world, server, kind, span));
                if !dies || dying(server, kind, span) {
                    history.restore(server.clone(), kind, span.clone());
                }
            }
        }
        let without = decide(&World { history: &history, ..*world });
        let mut ends = BTreeMap::new();
        for wait in without.waits {
            let end = wait.until.unwrap_or(Time::MAX);
            let known = ends.entry((wait.step, wait.code)).or_insert(end);
            *known = end.max(*known);
        }
        ends
    };
    let anyway = ends(&|_, _, _| false);
    let last_step = status.waiting.first().map(|wait| wait.step);
    let leaving = |who: &Who| world.leavers().any(|leaver| who.is_operator(leaver));
    for shown in versions.iter_mut().filter(|shown| is_dying(shown)) {
        let alone = ends(&|server, kind, span| {
            let other = version(world, server, kind, span);
            (&other.who, other.kind, &other.records) == (&shown.who, shown.kind, &shown.records)
                && other.since < shown.until.unwrap_or(Time::MAX)
        });
        let longer = |wait: &Wait| {
            let key = (wait.step, wait.code);
            alone.get(&key).copied().unwrap_or(Time::MIN) > anyway.get(&key).copied().unwrap_or(Time::MIN)
        };
        // What a leaver still serves, and nobody can ask for, cannot be taken out of a history without taking the leaver out.
        let of_leaver = leaving(&shown.who)
            && matches!(
                (last_step, shown.kind),
                (Some(Step::AwaitLeaverKeys), Kind::Dnskey) | (Some(Step::AwaitLeaverAnswers), Kind::Data)
            );
        shown.waited_for = of_leaver || waits.iter().any(longer);
    }
}

fn lanes(versions: &[Version]) -> Vec<wire::Lane> {
    // `Who` has the parent before all operators.
    let mut lanes: BTreeMap<(&Who, usize), Vec<&Version>> = BTreeMap::new();
    for version in versions {
        let rank = ORDER.iter().position(|kind| *kind == version.kind).unwrap_or(ORDER.len());
        lanes.entry((&version.who, rank)).or_default().push(version);
    }
    lanes.retain(|(_, rank), bars| *rank < ALWAYS || bars.iter().any(|bar| bar.waited_for));
    let lane = |((who, _), bars): ((&Who, usize), Vec<&Version>)| wire::Lane {
        who: match who {
            Who::Parent => "parent".into(),
            Who::Public => "public".into(),
            Who::Registrar => "registrar".into(),
            Who::Operator(name) => name.clone(),
        },
        rtype: bars.first().map(|bar| lane_name(bar.kind)).unwrap_or_default(),
        bars: bars.into_iter().map(bar).collect(),
    };
    lanes.into_iter().map(lane).collect()
}

fn lane_name(kind: Kind) -> String {
    if kind == Kind::Data { "answers".into() } else { super::show::type_name(kind) }
}

fn bar(version: &Version) -> wire::Bar {
    wire::Bar {
        text: text(version.kind, &version.records),
        ttl_s: version.ttl_s,
        since: version.first_seen.and_then(At::known),
        until: version.until.and_then(At::known),
        dead_at: version.dead.and_then(At::known),
        waited_for: version.waited_for,
    }
}

fn text(kind: Kind, records: &RecordSet) -> String {
    let tags = |tags: BTreeSet<u16>| {
        let listed: Vec<String> = tags.iter().map(u16::to_string).collect();
        format!("{} {}", if listed.len() == 1 { "key" } else { "keys" }, listed.join(", "))
    };
    let keys = || tags(records.iter().filter_map(Dnskey::read).map(|key| key.key_tag()).collect());
    match kind {
        _ if records.is_empty() => if kind == Kind::Data { "unsigned" } else { "none" }.into(),
        Kind::Ds | Kind::Cds => tags(records.iter().filter_map(Ds::read).map(|ds| ds.key_tag).collect()),
        Kind::Dnskey | Kind::Cdnskey => keys(),
        Kind::Data => format!("signed by {}", keys()),
        Kind::Delegation | Kind::Ns => {
            let hosts: Vec<String> =
                records.iter().filter_map(|ns| ns_name(ns).ok()).map(|host| plain(&host)).collect();
            hosts.join(", ")
        }
        Kind::Csync => "asks the parent to follow".into(),
        Kind::Glue | Kind::Addresses => {
            let pairs = records.iter().filter_map(host_address).map(|(host, ip)| format!("{} {ip}", plain(&host)));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}
