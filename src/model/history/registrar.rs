//! DS and NS sets that Chorus shows, or showed, for the registrar: the parent may publish them at any moment, like the sets that
//! CDS and CSYNC ask for.
//!
//! Invariant: a set counts from the first round in which it was shown. When it is shown no more, its end is the moment at which
//! the parent publishes it at the latest. It is forgotten when every server of the parent was seen with it or with one of its
//! kind that was shown later, for people do not go back to an older request (as RFC 7344 §6.2 asks of parents); or when the person
//! says that it will not be handed in.

use super::{History, Kind, Served, Server, Span, Track, Who};
use crate::model::dns::{Ds, RecordSet};
use crate::model::policy::DELEGATION_TTL_UNSEEN_S;
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A set that a person was given, and that the parent may publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrarRequest<'a> {
    /// [`Kind::Ds`] or [`Kind::Delegation`].
    pub kind: Kind,
    pub records: &'a RecordSet,
    /// When it was first shown.
    pub since: Time,
    /// When the parent publishes it at the latest. `None` while Chorus still shows it.
    pub until: Option<Time>,
}

impl History {
    /// A person is shown these records now, and nothing else of this kind; none: nothing is asked of the person. `acts_within`:
    /// how long it may take from the moment at which a set is shown no more until the parent publishes it. Says whether
    /// anything has changed that has to be stored.
    pub fn show_for_registrar(
        &mut self,
        kind: Kind,
        records: Option<&RecordSet>,
        at: Time,
        acts_within: Duration,
    ) -> bool {
        let ttl_s = self.largest_ttl_s(kind);
        let spans = match self.track_mut(&Server::registrar(), kind) {
            Some(track) => &mut track.spans,
            None if records.is_none() => return false,
            None => &mut self.tracks.entry(&Server::registrar(), kind).spans,
        };
        let mut changed = false;
        let mut is_shown = false;
        for span in spans.iter_mut() {
            if records == Some(&span.served.records) {
                // One that is shown again is the same request: what was shown since it was first shown is newer.
                is_shown = true;
                changed |= span.until.take().is_some() || span.served.ttl_s < ttl_s;
                Arc::make_mut(&mut span.served).ttl_s = span.served.ttl_s.max(ttl_s);
                span.last_seen = span.last_seen.max(at);
            } else if span.until.is_none() {
                span.last_seen = span.last_seen.max(at);
                span.until = Some(at.plus(acts_within));
                changed = true;
            }
        }
        let Some(records) = records.filter(|_| !is_shown) else { return changed };
        // Spans of one track begin at moments of their own.
        let newest = spans.iter().map(|span| span.first_seen).max();
        let first = newest.map_or(at, |newest| at.max(Time(newest.0 + 1)));
        let served = Served { records: records.clone(), ttl_s, signers: BTreeSet::new(), expires: None };
        let (since, served) = (Some(first), Arc::new(served));
        spans.push(Span { served, since, first_seen: first, last_seen: first, until: None, gaps: Vec::new() });
        true
    }

    /// Forgets the requests of a kind with whose set each of these servers of the parent was seen, and what was shown before them.
    /// Says whether there was any.
    pub fn forget_enacted_requests(&mut self, of: Kind, parents: &[Server]) -> bool {
        let enacted: Vec<(Kind, Time)> = self
            .registrar_requests()
            .filter(|request| request.kind == of && !parents.is_empty())
            .filter(|request| parents.iter().all(|parent| self.has(parent, request)))
            .map(|request| (request.kind, request.since))
            .collect();
        self.forget_requests(|request| {
            enacted.iter().any(|(kind, since)| *kind == request.kind && request.since <= *since)
        })
    }

    /// A person says that what Chorus showed and shows no more will not be handed in. Says whether there was any.
    pub fn cancel_registrar_requests(&mut self) -> bool {
        self.forget_requests(|request| request.until.is_some())
    }

    /// What a person was given, and the parent may still publish, as far as is known.
    pub fn registrar_requests(&self) -> impl Iterator<Item = RegistrarRequest<'_>> {
        let of = |kind| self.track(&Server::registrar(), kind).map(|track| (kind, track));
        let tracks = Kind::PARENT.into_iter().filter_map(of);
        tracks.flat_map(|(kind, track)| track.spans.iter().map(move |span| request(kind, span)))
    }

    fn forget_requests(&mut self, which: impl Fn(RegistrarRequest<'_>) -> bool) -> bool {
        let mut found = false;
        for kind in Kind::PARENT {
            let Some(Track { spans, .. }) = self.track_mut(&Server::registrar(), kind) else { continue };
            let before = spans.len();
            spans.retain(|span| !which(request(kind, span)));
            found |= spans.len() < before;
        }
        found
    }

    /// How long each set counts after it was shown for the last time, in their order.
    pub(super) fn remaining_times(&mut self) -> Vec<Option<Duration>> {
        for kind in Kind::PARENT {
            // A store gives them back in the order of their ends.
            if let Some(track) = self.track_mut(&Server::registrar(), kind) {
                track.spans.sort_by_key(|span| span.first_seen);
            }
        }
        let tracks = Kind::PARENT.into_iter().filter_map(|kind| self.track(&Server::registrar(), kind));
        let spans = tracks.flat_map(|track| &track.spans);
        spans.map(|span| Some(span.last_seen.until(span.until?))).collect()
    }

    /// Lets each set count for so long again, in their order: its end lies ahead, and the clock was set.
    pub(super) fn restore_deadlines(&mut self, lasts: &[Option<Duration>]) {
        let mut lasts = lasts.iter();
        for kind in Kind::PARENT {
            let Some(track) = self.track_mut(&Server::registrar(), kind) else { continue };
            for (span, lasts) in track.spans.iter_mut().zip(&mut lasts) {
                span.until = lasts.map(|lasts| span.last_seen.plus(lasts));
            }
        }
    }

    /// Whether a server of the parent shows the set, and did so after the person was given it.
    fn has(&self, parent: &Server, request: &RegistrarRequest<'_>) -> bool {
        let Some(track) = self.track(parent, request.kind).filter(|track| track.trouble.is_none()) else {
            return false;
        };
        track.current().is_some_and(|span| {
            span.last_seen > request.since && is_same_request(request.kind, &span.served.records, request.records)
        })
    }

    fn largest_ttl_s(&self, kind: Kind) -> u32 {
        let of_parent = self.spans(kind).filter(|(server, _)| server.who == Who::Parent);
        let largest = of_parent.map(|(_, span)| span.served.ttl_s).max();
        largest.unwrap_or(if kind == Kind::Delegation { DELEGATION_TTL_UNSEEN_S } else { 0 })
    }
}

/// Whether the parent has what these records ask for. Digest types are its own choice (RFC 9975).
pub fn is_same_request(kind: Kind, of_parent: &RecordSet, asked: &RecordSet) -> bool {
    let keys = |set: &RecordSet| -> BTreeSet<(u16, u8)> {
        set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect()
    };
    match kind {
        Kind::Ds => keys(of_parent) == keys(asked),
        _ => of_parent == asked,
    }
}

fn request(kind: Kind, span: &Span) -> RegistrarRequest<'_> {
    RegistrarRequest { kind, records: &span.served.records, since: span.first_seen, until: span.until }
}
