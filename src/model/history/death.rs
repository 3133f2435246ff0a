//! When a version is dead: the one formula that every guard and every check is made of.
//!
//! Invariant: `E(v) = last moment served + min(max(TTL, resolver minimum), resolver maximum) + serve-stale allowance +
//! slack`, with the TTL that was served. Nothing shortens it, not even the expiry of the signatures that were seen: a
//! server may have signed anew between two samples.

use super::{History, Kind, Served, Server, Span, Who};
use crate::model::policy::{DATA_TTL_MAX_UNKNOWN_S, Policy};
use crate::model::switches::{Switch, Without};
use crate::model::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What determines how long a zone's records live on after they were last served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub policy: Policy,
    /// Per operator, the largest TTL of any record that a zone transfer or the operator's interface ever showed.
    pub zone_ttls_s: BTreeMap<String, u32>,
    /// What a test build leaves out; nothing in builds for users.
    pub without: Without,
}

/// The largest TTL of an operator's data, in seconds, by what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataTtl {
    /// By the policy.
    Said(u64),
    /// In a listing of the operator's zone.
    Seen(u64),
    Assumed(u64),
}

impl DataTtl {
    pub fn seconds(self) -> u64 {
        match self {
            DataTtl::Said(ttl_s) | DataTtl::Seen(ttl_s) | DataTtl::Assumed(ttl_s) => ttl_s,
        }
    }
}

impl fmt::Display for DataTtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rests_on = match self {
            DataTtl::Said(_) => "as the policy says (--data-ttl-max)",
            DataTtl::Seen(_) => "the largest that a listing of its zone showed",
            DataTtl::Assumed(_) => "the default: its zone was never listed, and the policy says nothing",
        };
        write!(f, "{} s ({rests_on})", self.seconds())
    }
}

impl Lifetimes {
    pub fn new(policy: Policy) -> Lifetimes {
        Lifetimes { policy, zone_ttls_s: BTreeMap::new(), without: Without::default() }
    }

    /// The TTL that counts for a version. For [`Kind::Data`] it stands for every RRset and negative answer of the
    /// operator, and so is the largest of the zone.
    pub fn ttl_s(&self, server: &Server, kind: Kind, served: &Served) -> u64 {
        let seen = u64::from(served.ttl_s);
        match (&server.who, kind) {
            (Who::Operator(name), Kind::Data) if !self.without.leaves_out(Switch::DataTtl) => {
                seen.max(self.data_ttl_s(name))
            }
            _ => seen,
        }
    }

    /// The largest TTL of ordinary data at an operator: the larger of what the policy says and what was seen, else one day.
    pub fn data_ttl(&self, operator: &str) -> DataTtl {
        let seen = self.zone_ttls_s.get(operator).copied().map(u64::from);
        match (self.policy.data_ttl_max_s, seen) {
            (Some(said), Some(seen)) if seen > said => DataTtl::Seen(seen),
            (Some(said), _) => DataTtl::Said(said),
            (None, Some(seen)) => DataTtl::Seen(seen),
            (None, None) if self.without.leaves_out(Switch::ListingFailed) => DataTtl::Assumed(0),
            (None, None) => DataTtl::Assumed(DATA_TTL_MAX_UNKNOWN_S),
        }
    }

    /// [`Lifetimes::data_ttl`], in seconds.
    pub fn data_ttl_s(&self, operator: &str) -> u64 {
        self.data_ttl(operator).seconds()
    }

    /// How long after the last moment at which it was served a version is dead.
    pub fn outlives(&self, server: &Server, kind: Kind, served: &Served) -> Duration {
        self.outlives_ttl(self.ttl_s(server, kind, served))
    }

    /// How long a resolver may hold what was served with `ttl_s` without serving it stale.
    pub fn cached(&self, ttl_s: u64) -> Duration {
        if self.without.leaves_out(Switch::ResolverMinTtl) {
            return Duration::from_secs(ttl_s.min(self.policy.resolver_max_ttl_s));
        }
        self.policy.cached(ttl_s)
    }

    /// From the parent's reading until its servers show the outcome.
    pub fn parent_pipeline(&self) -> Duration {
        if self.without.leaves_out(Switch::ParentPipeline) { Duration::ZERO } else { self.policy.parent_pipeline() }
    }

    /// [`History::published_until`].
    pub fn published_until(&self, history: &History, published: Time, kind: Kind) -> Option<Time> {
        if self.without.leaves_out(Switch::PublishedUnseen) {
            return Some(published);
        }
        history.published_until(published, kind)
    }

    /// After so long a change that one of the parent's servers shows is at all of them: it is a part of the pipeline.
    pub fn parent_servers_lag(&self) -> Duration {
        if self.without.leaves_out(Switch::Unseen) { Duration::ZERO } else { self.policy.parent_pipeline() }
    }

    pub fn outlives_ttl(&self, ttl_s: u64) -> Duration {
        let kept = |switch, by: Duration| if self.without.leaves_out(switch) { Duration::ZERO } else { by };
        self.cached(ttl_s) + kept(Switch::Stale, self.policy.stale()) + kept(Switch::Slack, self.policy.slack())
    }

    /// When a version that was served for the last time at `last` is dead.
    pub fn death_after(&self, last: Time, server: &Server, kind: Kind, served: &Served) -> Time {
        last.plus(self.outlives(server, kind, served))
    }

    /// When a version is dead; `None` while it may still be served.
    pub fn death(&self, server: &Server, kind: Kind, span: &Span) -> Option<Time> {
        let until =
            if self.without.leaves_out(Switch::UntilNewer) { span.until.map(|_| span.last_seen) } else { span.until };
        until.map(|until| self.death_after(until, server, kind, &span.served))
    }
}
