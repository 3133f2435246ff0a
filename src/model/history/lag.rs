//! Which of several servers of one owner is ahead, and which shows what the others have left behind.
//!
//! Invariant: a server that lags shows, one after the other, the versions that another one showed before it. Its newest version
//! tells nothing of what the owner wants now.

use super::{History, Kind, Server, Span, Track};
use crate::model::time::Time;

impl History {
    /// What these servers of one owner came to show last of a kind, not counting what others of them have replaced since.
    pub fn newest_version(&self, servers: &[Server], kind: Kind) -> Option<&Span> {
        let tracks: Vec<&Track> = servers.iter().filter_map(|server| self.track(server, kind)).collect();
        let mut versions: Vec<(Time, usize, &Track)> = Vec::new();
        for track in &tracks {
            versions.extend(track.spans.iter().enumerate().map(|(nth, span)| (span.first_seen, nth, *track)));
        }
        versions.sort_by_key(|(first_seen, nth, _)| std::cmp::Reverse((*first_seen, *nth)));
        let is_ahead = |nth: usize, track: &Track| !tracks.iter().any(|other| is_left_behind(track, nth, other));
        let (_, nth, track) = versions.into_iter().find(|(_, nth, track)| is_ahead(*nth, track))?;
        track.spans.get(nth)
    }
}

/// Whether `other` showed the records of this version as often as `track` did, before `track` came to it, and other records
/// since.
fn is_left_behind(track: &Track, nth: usize, other: &Track) -> bool {
    let Some(span) = track.spans.get(nth) else { return false };
    let before = other.spans.partition_point(|shown| shown.first_seen < span.first_seen);
    let (shown, own) = (other.spans.get(..before).unwrap_or_default(), track.spans.get(..=nth).unwrap_or_default());
    let moved_on = shown.last().is_some_and(|last| last.served.records != span.served.records);
    let times = |spans| comings(spans, |other| other.served.records == span.served.records).count();
    moved_on && times(shown) >= times(own)
}

/// The first spans of each time that an address came to serve what `is` accepts.
pub(super) fn comings(spans: &[Span], is: impl Fn(&Span) -> bool) -> impl Iterator<Item = &Span> {
    let mut was = false;
    spans.iter().filter(move |span| {
        let had = std::mem::replace(&mut was, is(span));
        was && !had
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::{Rdata, RecordSet};
    use crate::model::history::{Served, Who};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// Each server's versions: which, and since which second.
    fn history(shown: &[&[(u8, i64)]]) -> (History, Vec<Server>) {
        let mut history = History::default();
        let server = |nth: usize| Server {
            who: Who::Operator("a".into()),
            host: "ns1.a.".parse::<crate::model::dns::Name>().expect("a name").into(),
            address: std::net::SocketAddr::from(([192, 0, 2, nth as u8], 53)),
        };
        for (nth, versions) in shown.iter().enumerate() {
            for (version, since_s) in *versions {
                let records = RecordSet::from([Rdata::from_canonical(vec![*version])]);
                let served = Served { records, ttl_s: 60, signers: BTreeSet::new(), expires: None };
                let at = Time(since_s * 1000);
                let span = Span {
                    served: Arc::new(served),
                    since: None,
                    first_seen: at,
                    last_seen: at,
                    until: None,
                    gaps: Vec::new(),
                };
                history.restore(server(nth), Kind::Cds, span);
            }
        }
        (history, (0..shown.len()).map(server).collect())
    }

    fn newest(shown: &[&[(u8, i64)]]) -> Vec<u8> {
        let (history, servers) = history(shown);
        let span = history.newest_version(&servers, Kind::Cds).expect("a version");
        span.served.records.iter().flat_map(|record| record.as_wire().to_vec()).collect()
    }

    #[test]
    fn what_a_server_shows_late_is_not_new() {
        assert_eq!(newest(&[&[(1, 0), (2, 10), (3, 20)], &[(1, 0), (2, 4000)]]), [3]);
        assert_eq!(newest(&[&[(1, 0), (2, 10), (3, 20)], &[(1, 0)]]), [3]);
    }

    #[test]
    fn who_shows_something_first_is_ahead() {
        assert_eq!(newest(&[&[(1, 0)], &[(1, 0), (2, 10)]]), [2]);
    }

    #[test]
    fn what_an_owner_puts_back_is_new_although_it_was_there_before() {
        assert_eq!(newest(&[&[(1, 0), (2, 10), (1, 20)], &[(1, 0), (2, 15)]]), [1]);
        assert_eq!(newest(&[&[(1, 0), (2, 10), (1, 20)], &[(1, 0), (2, 15), (1, 25)]]), [1]);
    }
}
