//! The history itself: which version each address served, and between which moments it may have been fetched.
//!
//! Invariant: the spans of a track follow one another in time, and only the last one is open. An outcome that is a failure
//! never opens, closes or prolongs a span.

use super::tracks::{ServerTracks, Tracks};
use super::{Coming, FailedSpan, Failure, Gap, Kind, LAG_MAX, Outcome, Sample, Sent, Served, Server, Who};
use crate::model::dns::RecordSet;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One version at one address, from first to last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Shared by copies: a history is copied for every turn, and few of its versions change.
    pub served: Arc<Served>,
    /// The last sample that showed something else: it may have been served since then. `None`: nothing is known of the
    /// time before.
    pub since: Option<Time>,
    pub first_seen: Time,
    pub last_seen: Time,
    /// The first sample that showed something newer: it may have been served until then. `None`: it still is.
    pub until: Option<Time>,
    /// At the parent's servers: when nobody looked between the first look and the last one.
    pub gaps: Vec<Gap>,
}

/// The versions that one address served of one kind, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    pub spans: Vec<Span>,
    /// Set while the newest answers are failures.
    pub trouble: Option<Trouble>,
    /// A person has said that the address is silent for good: the last span ended when it fell silent, and still tells what
    /// it had.
    pub lost: bool,
    /// What was sent to the operator and not seen here yet, the oldest first, each with the version that it may become.
    pub coming: Vec<Coming>,
    /// What other servers of the same owner showed, and what may have been here unseen.
    pub unseen: Vec<Span>,
    /// When it failed, the oldest first; the last one may be open.
    pub failed: Vec<FailedSpan>,
}

impl Track {
    /// Every version that was served, or may have been, or may be any moment.
    pub fn all(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().chain(self.coming.iter().map(|coming| &coming.span)).chain(&self.unseen)
    }

    /// What is served, as far as is known: the last version, even while the address does not answer.
    pub fn current(&self) -> Option<&Span> {
        self.spans.last().filter(|span| span.until.is_none() || self.lost)
    }

    /// Whether it answers with a copy of the zone where this belongs.
    pub(super) fn has_copy(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.failure == Failure::ServesChild)
    }

    /// Whether the address was ever asked for it, with whatever outcome.
    fn was_asked_for(&self) -> bool {
        self.current().is_some() || self.trouble.is_some()
    }

    /// What was sent up to what these records show is here, or has been overtaken.
    fn arrived(&mut self, records: &RecordSet) -> Vec<Coming> {
        let last = self.coming.iter().rposition(|coming| coming.is_there(records));
        last.map(|last| self.coming.drain(..=last).collect()).unwrap_or_default()
    }

    /// What is served is served no more.
    fn end(&mut self, at: Time) {
        if let Some(open) = self.spans.last_mut().filter(|span| span.until.is_none()) {
            open.until = Some(at.max(open.last_seen));
        }
    }

    /// The records that are seen at `until` may have been served with the TTL of those before them, with nobody looking.
    fn had_ttl(&mut self, served: &Served, ttl_s: u32, until: Time) {
        let Some(before) = self.spans.last() else { return };
        // Nobody saw it: it appeared after the last look, and just before this one at the latest.
        let first = Time(until.0.saturating_sub(1));
        if before.first_seen < first && before.last_seen <= first {
            let served = Arc::new(Served { ttl_s, ..served.clone() });
            let (since, until) = (Some(before.last_seen), Some(until));
            self.spans.push(Span { served, since, first_seen: first, last_seen: first, until, gaps: Vec::new() });
        }
    }

    /// These were sent, and at `until` the address was seen with something newer, or is asked no more: each may have been
    /// served in between, though nobody saw it.
    fn came_and_went(&mut self, coming: impl Iterator<Item = Coming>, until: Time) {
        for Coming { sent, span, .. } in coming {
            let since = self.spans.last().map_or(sent.at, |before| before.last_seen.max(sent.at));
            // Spans of one track begin at moments of their own.
            let first = self.spans.last().map_or(since, |before| since.max(Time(before.first_seen.0 + 1)));
            let until = until.max(first);
            if let Some(before) = self.spans.last_mut() {
                before.until.get_or_insert(until);
            }
            self.spans.push(Span {
                since: Some(since),
                first_seen: first,
                last_seen: first,
                until: Some(until),
                ..span
            });
        }
    }
}

/// What is wrong with an address, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub since: Time,
    pub failure: Failure,
}

/// Everything that was seen of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub(super) tracks: Tracks,
}

/// What of a history has changed when it is another one: spans that were opened or closed. Only seeing the same again makes
/// no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    spans: usize,
    open: usize,
    moments: i64,
}

impl History {
    /// Takes in one sample. Samples of one address and kind come in the order of their times.
    pub fn record(&mut self, sample: &Sample) {
        // A server of the parent that had a copy of the zone already showed what it showed beside the copy: by a transfer.
        let had_copy =
            Kind::COPY.iter().any(|kind| self.track(&sample.server, *kind).is_some_and(Track::was_asked_for));
        let track = self.tracks.entry(&sample.server, sample.kind);
        let served = match &sample.outcome {
            Outcome::Failed(failure) => {
                let since = track.trouble.as_ref().map_or(sample.at, |trouble| trouble.since);
                track.has_failed(sample.at, failure);
                if *failure == Failure::ServesChild && !had_copy {
                    // It answers, and with no referral: what it referred to before, it does so no more.
                    track.end(sample.at);
                }
                track.trouble = Some(Trouble { since, failure: failure.clone() });
                return;
            }
            Outcome::Served(served) => served,
        };
        track.works_again(sample.at);
        track.trouble = None;
        track.lost = false;
        let unseen: Vec<Coming> = track.arrived(&served.records);
        let unseen = unseen.into_iter().filter(|coming| !coming.is_within(served)).collect::<Vec<_>>();
        let mut since = None;
        if let Some(last) = track.spans.last_mut() {
            if let Some(until) = last.until {
                // A retired or lost address that is back: what it serves now it may have served ever since.
                since = Some(until);
            } else if same_version(&last.served, served) && unseen.is_empty() {
                last.seen_again(sample.at, sample.server.who == Who::Parent);
                if served.expires != last.served.expires {
                    Arc::make_mut(&mut last.served).expires = served.expires;
                }
                return;
            } else {
                last.until = Some(sample.at);
                since = Some(last.last_seen);
                if may_have_had_ttl_of(&last.served, served) {
                    Arc::make_mut(&mut last.served).ttl_s = served.ttl_s;
                }
                let old_ttl_s = last.served.ttl_s;
                // What was sent tells more exactly which TTL it had, and since when.
                if may_have_had_ttl_of(served, &last.served) && unseen.is_empty() {
                    track.had_ttl(served, old_ttl_s, sample.at);
                }
            }
        }
        track.came_and_went(unseen.into_iter(), sample.at);
        track.spans.push(Span {
            served: Arc::new(served.clone()),
            since,
            first_seen: sample.at,
            last_seen: sample.at,
            until: None,
            gaps: Vec::new(),
        });
    }

    /// Takes in the samples of a round. An address that answers over TCP alone shows something in each round, and is in trouble
    /// all the same: since it was first found silent over UDP.
    pub fn record_round(&mut self, samples: &[Sample]) {
        let failure = Failure::SilentOverUdp;
        let silent = samples.iter().filter(|sample| sample.outcome == Outcome::Failed(failure.clone()));
        let since = |sample: &Sample| {
            let trouble = self.trouble(&sample.server, sample.kind).filter(|trouble| trouble.failure == failure)?;
            Some((sample.server.clone(), sample.kind, trouble.since))
        };
        let still: Vec<(Server, Kind, Time)> = silent.filter_map(since).collect();
        samples.iter().for_each(|sample| self.record(sample));
        for (server, kind, since) in still {
            if let Some(trouble) = self.track_mut(&server, kind).and_then(|track| track.trouble.as_mut()) {
                trouble.since = since;
            }
        }
    }

    /// Puts back a span that was stored; spans of one track in the order of their times.
    pub fn restore(&mut self, server: Server, kind: Kind, span: Span) {
        self.tracks.entry(&server, kind).spans.push(span);
    }

    /// What was sent to the operator of this address: it may be served here from now on.
    pub fn expect(&mut self, server: &Server, kind: Kind, sent: &Sent) {
        let track = self.tracks.entry(server, kind);
        // What it changes is what differs from that which was served when it was sent: since then the operator may have made
        // changes of its own, and this may be told anew, after a restart.
        let then = track.spans.iter().rfind(|span| span.first_seen <= sent.at);
        let coming = Coming::new(sent, then);
        let seen_since = track.spans.iter().filter(|span| span.last_seen > sent.at);
        let shown = seen_since.map(|span| span.served.records.clone()).collect::<Vec<_>>();
        let now = track.current().map(|span| span.served.records.clone());
        track.coming.retain(|other| other.sent != *sent);
        track.coming.push(coming);
        // What may have come and gone was put down when these records were seen.
        for records in shown.iter().chain(&now) {
            track.arrived(records);
        }
    }

    /// What was sent there is not expected any more: it was refused, or it has not been seen for longer than any server lags.
    pub fn expect_no_more(&mut self, server: &Server, kind: Kind, sent: &Sent) {
        if let Some(track) = self.track_mut(server, kind) {
            track.coming.retain(|coming| coming.sent != *sent);
        }
    }

    /// What was sent is to be told anew, all of it.
    pub fn expect_nothing(&mut self) {
        for track in self.tracks_mut(|track| !track.coming.is_empty()) {
            track.coming.clear();
        }
    }

    /// Whether an address answered so late that it cannot be behind any more with what was sent.
    pub fn is_overdue(&self, server: &Server, kind: Kind, sent: &Sent) -> bool {
        let after = sent.at.plus(LAG_MAX);
        let answered = |track: &Track| track.spans.last().is_some_and(|span| span.last_seen > after);
        self.track(server, kind).is_some_and(answered)
    }

    /// What was sent and is not seen yet at an address.
    pub fn coming(&self, server: &Server, kind: Kind) -> &[Coming] {
        self.track(server, kind).map(|track| track.coming.as_slice()).unwrap_or_default()
    }

    /// As it is after [`History::restore`]: what is wrong with addresses, what was sent, and what is only supposed, is no
    /// part of what was seen.
    pub fn forget_troubles(&mut self) {
        let is_marked = |track: &Track| {
            track.trouble.is_some() || track.lost || !track.coming.is_empty() || !track.unseen.is_empty()
        };
        for track in self.tracks_mut(is_marked) {
            (track.trouble, track.lost) = (None, false);
            track.coming.clear();
            track.unseen.clear();
        }
    }

    /// An address that the operator no longer has. What it served last may have been fetched until now.
    pub fn retire(&mut self, server: &Server, at: Time) {
        for (_, track) in self.tracks.of_mut(server) {
            track.trouble = None;
            track.works_again(at);
            let coming = std::mem::take(&mut track.coming);
            track.came_and_went(coming.into_iter(), at);
            if let Some(open) = track.spans.last_mut().filter(|span| span.until.is_none()) {
                open.until = Some(at);
            }
        }
    }

    /// What an address served of these kinds it serves no more; of others it does.
    pub fn retire_kinds(&mut self, server: &Server, kinds: &[Kind], at: Time) {
        for (_, track) in self.tracks.of_mut(server).filter(|(kind, _)| kinds.contains(kind)) {
            track.trouble = None;
            track.works_again(at);
            track.end(at);
        }
    }

    /// An address that does not answer and, so a person says, will not answer again: what it served last may have been
    /// fetched until it was first found silent.
    pub fn lose(&mut self, server: &Server) {
        for (_, track) in self.tracks.of_mut(server) {
            let Some(trouble) = &track.trouble else { continue };
            track.lost = true;
            for coming in &mut track.coming {
                coming.span.until = Some(trouble.since.max(coming.sent.at));
            }
            if let Some(open) = track.spans.last_mut().filter(|span| span.until.is_none()) {
                open.until = Some(trouble.since.max(open.last_seen));
            }
        }
    }

    /// The newest moment at which anything was seen.
    pub fn newest(&self) -> Option<Time> {
        let asked = self.tracks().filter(|(server, _, _)| server.is_observed());
        asked
            .flat_map(|(_, _, track)| &track.spans)
            .map(|span| span.last_seen.max(span.until.unwrap_or(Time::MIN)))
            .max()
    }

    /// Every version of a kind that was served, or may have been, or may be any moment, at every address.
    pub fn may_be_served(&self, kind: Kind) -> impl Iterator<Item = (&Server, &Span)> {
        self.tracks_of(kind).flat_map(|(server, track)| track.all().map(move |span| (server, span)))
    }

    /// Every span of a kind, at every address.
    pub fn spans(&self, kind: Kind) -> impl Iterator<Item = (&Server, &Span)> {
        self.tracks_of(kind).flat_map(|(server, track)| track.spans.iter().map(move |span| (server, span)))
    }

    /// What every address showed of a kind.
    pub fn tracks_of(&self, kind: Kind) -> impl Iterator<Item = (&Server, &Track)> {
        self.tracks.servers().filter_map(move |(server, tracks)| Some((server, tracks.get(kind)?)))
    }

    pub fn tracks(&self) -> impl Iterator<Item = (&Server, Kind, &Track)> {
        self.tracks.servers().flat_map(|(server, tracks)| tracks.iter().map(move |(kind, track)| (server, kind, track)))
    }

    pub fn track(&self, server: &Server, kind: Kind) -> Option<&Track> {
        self.tracks.get(server, kind)
    }

    pub(super) fn track_mut(&mut self, server: &Server, kind: Kind) -> Option<&mut Track> {
        self.tracks.get_mut(server, kind)
    }

    pub(super) fn tracks_mut(&mut self, which: impl Fn(&Track) -> bool) -> impl Iterator<Item = &mut Track> {
        self.tracks.matching_mut(which)
    }

    /// What an address serves, as far as is known: its last version, even while it does not answer.
    pub fn current(&self, server: &Server, kind: Kind) -> Option<&Span> {
        self.track(server, kind)?.current()
    }

    pub fn trouble(&self, server: &Server, kind: Kind) -> Option<&Trouble> {
        self.track(server, kind)?.trouble.as_ref()
    }

    /// The addresses that were ever sampled and are not retired.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        let is_there =
            |track: &Track| track.trouble.is_some() || track.spans.last().is_some_and(|span| span.until.is_none());
        let any = move |tracks: &ServerTracks| tracks.iter().any(|(_, track)| is_there(track));
        self.tracks
            .servers()
            .filter(move |(server, tracks)| server.is_observed() && any(tracks))
            .map(|(server, _)| server)
    }

    pub fn changes(&self) -> Changes {
        let mut changes = Changes { spans: 0, open: 0, moments: 0 };
        for (_, _, track) in self.tracks() {
            changes.spans += track.spans.len() + track.failed.len();
            for at in track.failed.iter().flat_map(|failed| [Some(failed.first_seen), failed.until]).flatten() {
                changes.moments = changes.moments.wrapping_mul(31).wrapping_add(at.0);
            }
            for span in &track.spans {
                changes.open += usize::from(span.until.is_none());
                for at in [Some(span.first_seen), span.since, span.until].into_iter().flatten() {
                    changes.moments = changes.moments.wrapping_mul(31).wrapping_add(at.0);
                }
            }
        }
        changes
    }

    /// The spans that samples at or after `at` opened, prolonged or closed; also one that had ended before that, and of which
    /// only the next one tells so: that of an address that was given up, and is back.
    pub fn touched_since(&self, at: Time) -> impl Iterator<Item = (&Server, Kind, &Span)> {
        self.tracks().flat_map(move |(server, kind, track)| {
            let next = track.spans.iter().skip(1).map(Some).chain([None]);
            let touched = track.spans.iter().zip(next).filter(move |(span, next)| {
                span.last_seen >= at || span.until >= Some(at) || next.is_some_and(|next| next.first_seen >= at)
            });
            touched.map(move |(span, _)| (server, kind, span))
        })
    }
}

/// Whether the one set may have been served with the larger TTL of the other, with nobody looking in between: records and TTL
/// changed, and not at once. The TTL of an empty set is the SOA record's matter.
fn may_have_had_ttl_of(old: &Served, new: &Served) -> bool {
    let both = !old.records.is_empty() && !new.records.is_empty();
    both && old.records != new.records && new.ttl_s > old.ttl_s
}

/// New signatures by the same keys do not make a new version: a resolver gets along with either.
fn same_version(a: &Served, b: &Served) -> bool {
    a.records == b.records && a.ttl_s == b.ttl_s && a.signers == b.signers
}
