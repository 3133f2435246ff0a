//! What was sent to an operator and is not served yet at an address: it may be, from one moment to the next.
//!
//! Invariant: a set that was sent counts as one that may be served, from before it was sent until the address shows it, or
//! something that was sent later. A person who thinks better of it in the meantime does not make it unsent.

use super::{Served, Span};
use crate::model::dns::RecordSet;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Longer than this no server that answers lags behind its primary; what was not seen by then was lost.
pub const LAG_MAX: Duration = Duration::from_secs(86_400);

/// One set that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub at: Time,
    /// The set as it will be, as far as was known when it was sent.
    pub records: RecordSet,
    pub ttl_s: u32,
    /// For a set in which the operator has records of its own: only these come and go.
    pub partly: Option<(RecordSet, RecordSet)>,
}

impl Sent {
    /// Whether an address that serves these records shows what was sent.
    pub fn is_shown_by(&self, records: &RecordSet) -> bool {
        match &self.partly {
            Some((with, without)) => with.is_subset(records) && without.is_disjoint(records),
            None => self.records == *records,
        }
    }

    /// What it adds to these records, and what it takes out of them.
    fn difference(&self, records: &RecordSet) -> (RecordSet, RecordSet) {
        let added = |of: &RecordSet| of.difference(records).cloned().collect();
        match &self.partly {
            Some((with, without)) => (added(with), without.intersection(records).cloned().collect()),
            None => (added(&self.records), records.difference(&self.records).cloned().collect()),
        }
    }

    /// The version that it may become at an address, signed as what is served there now.
    fn span(&self, signed_as: Option<&Span>) -> Span {
        let signers = signed_as.map(|span| span.served.signers.clone()).unwrap_or_default();
        let ttl_s = signed_as.map_or(self.ttl_s, |span| span.served.ttl_s.max(self.ttl_s));
        let served = Arc::new(Served { records: self.records.clone(), ttl_s, signers, expires: None });
        Span { served, since: Some(self.at), first_seen: self.at, last_seen: self.at, until: None, gaps: Vec::new() }
    }
}

/// What was sent, as it is awaited at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    pub sent: Sent,
    /// The version that it may become there.
    pub span: Span,
    /// By this it is known to be there, whatever else the operator changes meanwhile: a set is replaced as a whole. `None`: nothing
    /// was known of the address when this was sent, and it is there when all of it is shown.
    difference: Option<(RecordSet, RecordSet)>,
}

impl Coming {
    /// `now`: what the address serves.
    pub(super) fn new(sent: &Sent, now: Option<&Span>) -> Coming {
        let difference = now.map(|span| sent.difference(&span.served.records));
        Coming { sent: sent.clone(), span: sent.span(now), difference }
    }

    /// Whether who holds what is served now holds nothing that this would have kept longer, or signed otherwise. An operator
    /// that lowers a TTL does not shorten what was fetched before that.
    pub(super) fn is_within(&self, served: &Served) -> bool {
        let Served { records, ttl_s, signers, .. } = &*self.span.served;
        let signed_alike = signers.is_empty() || *signers == served.signers;
        *records == served.records && *ttl_s <= served.ttl_s && signed_alike
    }

    pub(super) fn is_there(&self, records: &RecordSet) -> bool {
        match &self.difference {
            Some((added, removed)) => added.is_subset(records) && removed.is_disjoint(records),
            None => self.sent.is_shown_by(records),
        }
    }
}
