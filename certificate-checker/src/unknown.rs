//! What the evidence does not show, and what could make a verdict wrong.

use crate::clock;
use crate::evidence::{DataTtlSource, Track, Whose};
use crate::intervals::Interval;
use crate::reach::Reach;
use crate::versions::World;
use std::collections::BTreeSet;

/// One sentence for each thing that is not known.
pub(crate) fn unknown(world: &World<'_>, reach: &Reach) -> Vec<String> {
    let evidence = world.evidence;
    let mut unknown = BTreeSet::new();
    for (host, times) in &reach.strangers {
        if let Some(part) = times.within(world.window()).next() {
            let from = clock::text(part.from_ms);
            unknown.insert(format!(
                "resolvers could be sent to {host}, which belongs to no operator of the zone, from {from}"
            ));
        }
    }
    for track in &evidence.tracks {
        // No resolver fails because of a server that none can query.
        let is_queried =
            |time: &Interval| track.whose == Whose::PublicDns || reach.of(&track.whose).within(*time).next().is_some();
        unknown.extend(gaps(track, world).filter(|(time, _)| is_queried(time)).map(|(_, text)| text));
    }
    if let Some(gap) = evidence.longest_gap {
        let time = Interval { from_ms: gap.from_ms, until_ms: gap.until_ms }.and(world.window());
        if time.until_ms.saturating_sub(time.from_ms) > gap_max_ms(world) {
            let (from, until) = (clock::text(time.from_ms), clock::text(time.until_ms));
            unknown.insert(format!("Chorus did not look at the zone from {from} until {until}"));
        }
    }
    for (operator, ttl) in &evidence.data_ttls {
        if ttl.source == DataTtlSource::Assumed {
            unknown
                .insert(format!("the largest TTL of the data at {operator} is not known: {} s was assumed", ttl.ttl_s));
        }
    }
    unknown.extend(evidence.addresses_left_out.iter().map(|address| format!("{address} was not observed")));
    unknown.into_iter().collect()
}

/// Two equal answers with more time between them prove nothing about the time between.
fn gap_max_ms(world: &World<'_>) -> i64 {
    i64::try_from(world.evidence.policy.gap_max_s).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// The times in which an address showed nothing: longer ones than the policy allows, and those that are not over.
fn gaps<'a>(track: &'a Track, world: &World<'_>) -> impl Iterator<Item = (Interval, String)> + use<'a> {
    let (window, gap_max_ms) = (world.window(), gap_max_ms(world));
    track.failed.iter().filter_map(move |failed| {
        let from_ms = failed.since_ms.unwrap_or(failed.first_seen_ms);
        let time = Interval { from_ms, until_ms: failed.until_ms.unwrap_or(i64::MAX) }.and(window);
        let is_open = failed.until_ms.is_none();
        // What answers over TCP is seen.
        let is_seen = failed.failure.code == "silent_over_udp";
        let is_long = !is_seen && time.until_ms.saturating_sub(time.from_ms) > gap_max_ms;
        (is_open || is_long).then(|| {
            let place = match track.whose {
                Whose::PublicDns => format!("the addresses of {}", track.host),
                _ => format!("{} ({})", track.host, track.address),
            };
            let (from, until) = (clock::text(time.from_ms), clock::text(time.until_ms));
            (time, format!("{place}: {} from {from} until {until}", failed.failure.text))
        })
    })
}
