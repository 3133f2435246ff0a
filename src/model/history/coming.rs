//! What was sent to an operator and is not served yet at an address: it may be, from one moment to the next.
//!
//! Invariant: a set that was sent counts as one that may be served, from before it was sent until the address shows it, or
//! something that was sent later. A person who thinks better of it in the meantime does not make it unsent.

use super::{Served, Span};
use crate::model::dns::RecordSet;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
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

    /// The version that it may become at an address, signed as what is served there now.
    pub(super) fn span(&self, signed_as: Option<&Span>) -> Span {
        let signers = signed_as.map(|span| span.served.signers.clone()).unwrap_or_default();
        let ttl_s = signed_as.map_or(self.ttl_s, |span| span.served.ttl_s.max(self.ttl_s));
        let served = Served { records: self.records.clone(), ttl_s, signers, expires: None };
        Span { served, since: Some(self.at), first_seen: self.at, last_seen: self.at, until: None }
    }
}
