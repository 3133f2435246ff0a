//! What one server of somebody showed, the others show too, whether anybody looked or not: a version that came to one
//! address and went, and that a sibling was never seen with, was there between two samples or is still on its way there.
//!
//! Invariant: supposed from what was seen alone, and never stored. It only adds versions that may have been served: nothing
//! that was seen counts for less because of it. A sibling has a version behind it when it was seen with it as often, or
//! with one that the other showed after it, and never before; and in any case once no server of theirs lags any more.

use super::lag::comings;
use super::{History, Kind, Served, Server, Span, Track, Who};
use crate::model::time::Time;
use std::time::Duration;

impl History {
    /// Supposes anew which versions were served unseen at somebody's servers. `lag`: after so long a change that one of them
    /// shows is at all of them. Of operators it need not be supposed: what is sent to them is known (`coming`).
    pub fn suppose_unseen(&mut self, of: &Who, lag: Duration) {
        let theirs = || self.tracks().filter(|(server, _, _)| server.who == *of);
        let mut supposed: Vec<(Server, Kind, Vec<Span>)> = Vec::new();
        for (server, kind, track) in theirs() {
            let siblings = theirs().filter(|(other, same, _)| *same == kind && *other != server);
            let refers_since = self.refers_since(server, kind);
            // What one with a copy would refer to is not known, whatever it referred to before.
            let is_hidden = refers_since > Time::MIN && track.current().is_none();
            let (seen, unknown_since) =
                if is_hidden { (&[][..], Time::MIN) } else { (track.spans.as_slice(), Time::MAX) };
            let known_since = seen.first().map_or(unknown_since, |span| span.first_seen);
            let spans = siblings.flat_map(|(_, _, sibling)| unseen((seen, known_since), sibling, lag));
            let spans = spans.filter_map(|span| began_at(span, refers_since)).collect();
            supposed.push((server.clone(), kind, spans));
        }
        for (server, kind, spans) in supposed {
            if self.track(&server, kind).is_some_and(|track| track.unseen != spans)
                && let Some(track) = self.track_mut(&server, kind)
            {
                track.unseen = spans;
            }
        }
    }
}

impl History {
    /// Since when a server of the parent may refer resolvers to the child: one that has a copy of the zone answers with that
    /// (RFC 1034 §4.3.2), and may cease to have it any moment after it was last seen with it.
    fn refers_since(&self, server: &Server, kind: Kind) -> Time {
        if !matches!(kind, Kind::Delegation | Kind::Glue) {
            return Time::MIN;
        }
        let copies = Kind::COPY.iter().filter_map(|copy| self.track(server, *copy));
        copies.filter_map(|copy| copy.spans.last()).map(|span| span.last_seen).max().unwrap_or(Time::MIN)
    }
}

/// What is left of a span from then on.
fn began_at(span: Span, since: Time) -> Option<Span> {
    let since = span.since.unwrap_or(Time::MIN).max(since);
    let lasts = span.until.is_none_or(|until| since < until);
    lasts.then(|| Span { since: Some(since), ..span })
}

/// The versions that `sibling` showed and shows no more, and that may have been, or may still come, where `track` is.
fn unseen<'t>(
    (seen, known_since): (&'t [Span], Time),
    sibling: &'t Track,
    lag: Duration,
) -> impl Iterator<Item = Span> + 't {
    // An address that was given up, or is no longer its owner's, shows nothing new.
    let gone = seen.last().and_then(|span| span.until).unwrap_or(Time::MAX);
    sibling.spans.iter().enumerate().filter_map(move |(nth, shown)| {
        let until = shown.until.filter(|until| until.plus(lag) > known_since)?;
        let since = shown.since.unwrap_or(Time::MIN);
        let (up_to, after) = sibling.spans.split_at_checked(nth + 1)?;
        // One that the address was seen with long before is another time.
        let lately = Time(since.0.saturating_sub(i64::try_from(lag.as_millis()).unwrap_or(i64::MAX)));
        if times(seen, &shown.served, lately) >= times(up_to, &shown.served, lately) {
            return None;
        }
        let is_later = |span: &&Span| {
            let is = |other: &Span| is_same(&other.served, &span.served);
            span.first_seen > since && after.iter().any(is) && !up_to.iter().any(is)
        };
        let behind = seen.iter().find(is_later).map(|span| span.first_seen);
        let until = behind.unwrap_or(Time::MAX).min(until.plus(lag)).min(gone);
        (since < until).then(|| Span { until: Some(until), ..shown.clone() })
    })
}

/// With whatever TTL: servers of one owner may serve a set with different ones.
fn is_same(a: &Served, b: &Served) -> bool {
    a.records == b.records && a.signers == b.signers
}

/// How often a set came, or was there, after `lately`, with a TTL that is no smaller.
fn times(spans: &[Span], set: &Served, lately: Time) -> usize {
    let is = |span: &Span| is_same(&span.served, set) && span.served.ttl_s >= set.ttl_s;
    comings(spans, is).filter(|span| span.until.is_none_or(|until| until > lately)).count()
}
