//! A zone's versions over time, on the wire: `GET /zones/{zone}/timeline`.

use super::At;
use serde::{Deserialize, Serialize};

/// What the timeline of a zone shows: each version that was served, until it is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pub zone: String,
    /// What is shown of the past begins here.
    pub from: At,
    /// The last moment at which anything ends or is expected.
    pub to: At,
    pub now: At,
    /// DS and NS of the parent first, then DNSKEY and NS of each operator; others where they are waited for.
    pub lanes: Vec<Lane>,
    /// What has to be dead before the next step, the latest first.
    pub guards: Vec<TimelineGuard>,
    /// The steps of the transition that is under way, with their forecasts.
    pub steps: Vec<TimelineStep>,
}

/// The versions of one RRset of the parent or of an operator; addresses that show the same together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// `parent`, or the operator's name.
    pub who: String,
    /// `DS`, `DNSKEY` or `NS`; where they are waited for, also `CDS`, `CDNSKEY`, `CSYNC`, and `answers` for all other data.
    pub rtype: String,
    pub bars: Vec<Bar>,
}

/// One version: a set of records with the TTL that it was served with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Such as `keys 4711, 19708` or `ns1.a.example, ns1.b.example`.
    pub text: String,
    /// The largest that it was served with.
    pub ttl_s: u32,
    /// When it was first seen; `None`: it was there when the zone was adopted.
    pub since: Option<At>,
    /// Since then no address serves it any more, or nobody can ask one that does; `None`: it is still served.
    pub until: Option<At>,
    /// When the last cache has lost it; `None` while it is served.
    pub dead_at: Option<At>,
    /// What the next step waits for is among what this may still do in caches.
    pub waited_for: bool,
}

/// A guard that is not open yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineGuard {
    /// A reason code.
    pub code: String,
    pub text: String,
    /// `None` when that is not ours to know.
    pub opens_at: Option<At>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineStep {
    pub title: String,
    pub state: super::StepState,
    pub earliest: Option<At>,
}
