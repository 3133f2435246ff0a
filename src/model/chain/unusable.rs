//! What resolvers could ask for and could not use: answers that no validator accepts, that the zone does not exist, and NS
//! RRsets of which no name server answered.

use super::Scene;
use super::exposure::Exposure;
use super::interval::{Interval, Union};
use super::lives::Item;
use super::reach::{Reach, asked_in, held_in};
use crate::model::dns::{Ds, Name, USABLE_DIGEST_TYPES, ns_name};
use crate::model::history::{FailedSpan, Failure, Kind, Server, Track, Who};
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An address, and whether it said that the zone does not exist: otherwise its answers do not validate.
type Unusable<'a> = (&'a Server, bool);

/// The stretches between `from` and `now` in which resolvers could fail though no two versions contradict each other.
pub(super) fn unusable(
    scene: &Scene<'_>,
    items: &[Item<'_>],
    reach: &Reach<'_>,
    from: Time,
    now: Time,
) -> Vec<Exposure> {
    let mut exposures = bogus_or_gone(scene, items, reach);
    exposures.extend(all_failing(scene, items, reach));
    exposures.retain(|exposure| exposure.until > from && exposure.from <= now);
    exposures
}

/// One address is enough: a resolver that gets NXDOMAIN asks no other, and not every validator does after a bogus answer.
fn bogus_or_gone(scene: &Scene<'_>, items: &[Item<'_>], reach: &Reach<'_>) -> Vec<Exposure> {
    let mut of: BTreeMap<Unusable<'_>, (String, Union)> = BTreeMap::new();
    for (server, kind, failed) in scene.history.failed() {
        let vanished = failed.failure == Failure::NxDomain;
        if !is_asked(server, kind, vanished) || !(vanished || is_bogus(failed, items)) {
            continue;
        }
        for mut asked in asked_in(reach, &server.who, stretch(failed)) {
            if vanished {
                asked.end = asked.end.plus(denial_kept(scene, server));
            }
            let what = || (format!("{server} {}", failed.failure), Union::default());
            of.entry((server, vanished)).or_insert_with(what).1.add(asked);
        }
    }
    let each = of.into_iter().flat_map(|((server, _), (what, union))| {
        union.into_intervals().map(move |stretch| exposure(what.clone(), vec![server.clone()], stretch))
    });
    each.collect()
}

/// What a resolver asks an operator's server for, and a parent's server that has a copy of the zone (RFC 1034 §4.3.2). Any
/// server of the parent can say that the zone does not exist.
fn is_asked(server: &Server, kind: Kind, vanished: bool) -> bool {
    match server.who {
        Who::Operator(_) => Kind::COPY.contains(&kind),
        Who::Parent => Kind::COPY.contains(&kind) || vanished && Kind::PARENT.contains(&kind),
        Who::Public | Who::Registrar => false,
    }
}

/// How long caches keep that the zone does not exist (RFC 2308 §5): the SOA record that tells it is not in the history, so it is
/// the largest TTL that this server is known to serve.
fn denial_kept(scene: &Scene<'_>, server: &Server) -> Duration {
    let tracks = scene.history.tracks().filter(|(of, ..)| *of == server);
    let served = tracks.flat_map(|(_, _, track)| &track.spans).map(|span| u64::from(span.served.ttl_s)).max();
    scene.lifetimes.cached(served.unwrap_or_default())
}

/// A resolver that gets no usable answer asks another name server of the RRset that it holds (RFC 1034 §5.3.3): it fails when
/// all of them fail. That all are silent is no more than that Chorus saw nothing.
fn all_failing(scene: &Scene<'_>, items: &[Item<'_>], reach: &Reach<'_>) -> Vec<Exposure> {
    let mut failing: BTreeMap<&Server, Vec<&FailedSpan>> = BTreeMap::new();
    for (server, kind, failed) in scene.history.failed() {
        let is_of_operator = matches!(server.who, Who::Operator(_)) && matches!(kind, Kind::Data | Kind::Dnskey);
        let is_accepted = matches!(failed.failure, Failure::Unverifiable(_)) && !is_bogus(failed, items);
        if is_of_operator && !is_accepted && !matches!(failed.failure, Failure::Unsupported(_)) {
            failing.entry(server).or_default().push(failed);
        }
    }
    if failing.is_empty() {
        return Vec::new();
    }
    let mut held: BTreeMap<BTreeSet<Name>, Union> = BTreeMap::new();
    for item in items.iter().filter(|item| matches!(item.kind, Kind::Ns | Kind::Delegation)) {
        let hosts = item.served.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
        let union = held.entry(hosts).or_default();
        for interval in held_in(scene, reach, item) {
            union.add(interval);
        }
    }
    held.into_iter().flat_map(|(hosts, held)| all_of(scene, &hosts, held, &failing)).collect()
}

/// When every address of these hosts that there was failed, while a resolver could hold the NS RRset that names them.
fn all_of(
    scene: &Scene<'_>,
    hosts: &BTreeSet<Name>,
    mut held: Union,
    failing: &BTreeMap<&Server, Vec<&FailedSpan>>,
) -> Vec<Exposure> {
    let tracks = scene.history.tracks_of(Kind::Data);
    let of_hosts = |server: &Server| matches!(server.who, Who::Operator(_)) && hosts.contains(&*server.host);
    let named: Vec<(&Server, &Track)> = tracks.filter(|(server, _)| of_hosts(server)).collect();
    // Of a host that Chorus does not ask nothing is known.
    if hosts.iter().any(|host| !named.iter().any(|(server, _)| *server.host == *host)) {
        return Vec::new();
    }
    let mut failed = Union::default();
    for (server, track) in &named {
        let mut worked = Union::default();
        for span in &track.spans {
            let start = span.since.unwrap_or(span.first_seen);
            worked.add(Interval { start, end: span.until.unwrap_or(Time::MAX) });
        }
        for one in failing.get(server).into_iter().flatten() {
            worked.remove(stretch(one));
            failed.add(stretch(one));
        }
        worked.into_intervals().for_each(|interval| held.remove(interval));
    }
    let stretches = held.into_intervals().flat_map(|held| failed.within(held));
    stretches.filter_map(|interval| none_usable(interval, &named, failing)).collect()
}

/// An exposure, unless all that is known is that none of them answered, or what is wrong is an exposure already.
fn none_usable(
    interval: Interval,
    named: &[(&Server, &Track)],
    failing: &BTreeMap<&Server, Vec<&FailedSpan>>,
) -> Option<Exposure> {
    let is_other = |failure: &Failure| {
        use Failure::{NoRoute, NxDomain, Silent, Unverifiable};
        !matches!(failure, Silent | NoRoute | NxDomain | Unverifiable(_))
    };
    let met = |server: &Server| {
        let all = failing.get(server).into_iter().flatten();
        let mut met: Vec<&Failure> =
            all.filter(|one| stretch(one).meets(&interval).is_some()).map(|one| &one.failure).collect();
        met.sort_by_key(|failure| !is_other(failure));
        met.first().copied()
    };
    let each: Vec<(&Server, &Failure)> = named.iter().filter_map(|(server, _)| Some((*server, met(server)?))).collect();
    if !each.iter().any(|(_, failure)| is_other(failure)) {
        return None;
    }
    let what: Vec<String> = each.iter().map(|(server, failure)| format!("{server} {failure}")).collect();
    let what = format!("no name server of an NS RRset that resolvers could hold was usable: {}", what.join("; "));
    Some(exposure(what, each.into_iter().map(|(server, _)| server.clone()).collect(), interval))
}

fn stretch(failed: &FailedSpan) -> Interval {
    Interval { start: failed.begins(), end: failed.until.unwrap_or(Time::MAX) }
}

fn exposure(what: String, servers: Vec<Server>, stretch: Interval) -> Exposure {
    Exposure { from: stretch.start, until: stretch.end, what, servers, insecure: false, unusable: true }
}

/// Whether validators reject the answer: only while the parent had a DS that they support.
fn is_bogus(failed: &FailedSpan, items: &[Item<'_>]) -> bool {
    let stretch = stretch(failed);
    let mut ds = items.iter().filter(|item| item.kind == Kind::Ds && item.served_in.meets(&stretch).is_some());
    matches!(failed.failure, Failure::Unverifiable(_))
        && ds.any(|item| {
            let mut ds = item.served.records.iter().filter_map(Ds::read);
            ds.any(|ds| USABLE_DIGEST_TYPES.contains(&ds.digest_type))
        })
}
