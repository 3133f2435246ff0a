//! What cannot be seen from outside, and is therefore assumed: one value each, per zone, with its reason.
//!
//! Everything else that a guard uses was observed. Larger values cost time, smaller ones may cost answers.

use super::dns::{Name, RecordSet, ns_rdata};
use super::parent::{ParentProfile, UNKNOWN};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The assumptions of a zone. All in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Added to every death: queries in flight, servers that answer from several processes, our clock against theirs.
    /// 60 s: a resolver gives a query up after some 10 s; PowerDNS keeps a packet that was under way during a write for 20 s
    /// (`cache-ttl`), and gives it to whoever asks in the same way; hosts with NTP differ by far less than the rest.
    pub slack_s: u64,
    /// How long resolvers may go on to use what has expired (RFC 8767 §5 suggests one to three days).
    /// It counts for every kind of record: a validator behind a forwarder that serves stale data gets stale keys too.
    pub stale_s: u64,
    /// The largest TTL of any RRset or negative answer in the zone. `None`: what a zone transfer showed, else one day,
    /// the default TTL of most zone templates; a zone with longer ones and no transfer has to say so.
    pub data_ttl_max_s: Option<u64>,
    /// From the moment a parent's scanner reads CDS or CSYNC until the parent's servers show the outcome. 48 h: agents
    /// run daily and registries publish within a day; no shorter common bound is known.
    pub parent_pipeline_s: u64,
    /// What the parent takes, by the name of a profile ([`ParentProfile`]): as a person said, else by the parent zone's name.
    /// `None`: nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_profile: Option<String>,
    /// Whether a person tells the parent, whatever the zone was adopted with. `None`: as it was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_manual: Option<bool>,
    /// From when Chorus stops showing a DS or NS set for the registrar until it is handed in, at the longest. A week: a request
    /// lies over a weekend and a holiday; a user who knows better says so (`chorus zone registrar-cancelled`).
    #[serde(default = "registrar_max_s")]
    pub registrar_max_s: u64,
    /// Resolvers that keep records for longer than their TTL says (`cache-min-ttl`). 0: not done by default anywhere.
    pub resolver_min_ttl_s: u64,
    /// Resolvers that keep records for no longer than this. 7 days: the default of BIND, the largest known.
    pub resolver_max_ttl_s: u64,
    /// The hosts of the delegation at the parent, as a person has confirmed them, separated by commas: for a parent of which
    /// every server serves the zone itself, so that none shows it. Empty otherwise.
    #[serde(default)]
    pub delegation: String,
    /// How often a few answers of one address are verified while nothing changes; 0: never. A quarter of an hour: some dozen
    /// queries each time are no load for anybody, and with two operators of two addresses each is looked at every hour.
    #[serde(default = "sample_every_s")]
    pub sample_every_s: u64,
    /// The longest time between two looks of which a certificate still supposes that what both showed was served all along.
    /// An hour: a controller that is upgraded or moved is back by then, and in a transition it looks every minute.
    #[serde(default = "gap_max_s")]
    pub gap_max_s: u64,
}

fn sample_every_s() -> u64 {
    900
}

fn registrar_max_s() -> u64 {
    7 * 86_400
}

fn gap_max_s() -> u64 {
    3600
}

/// The TTL of a delegation that nobody sees: what most registries of top-level domains use, two days.
pub const DELEGATION_TTL_UNSEEN_S: u32 = 172_800;

/// Used where neither policy nor a zone transfer says what the largest TTL is.
pub const DATA_TTL_MAX_UNKNOWN_S: u64 = 86_400;

impl Default for Policy {
    fn default() -> Self {
        Policy {
            slack_s: 60,
            stale_s: 3 * 86_400,
            data_ttl_max_s: None,
            parent_pipeline_s: 48 * 3600,
            parent_profile: None,
            parent_manual: None,
            registrar_max_s: registrar_max_s(),
            resolver_min_ttl_s: 0,
            resolver_max_ttl_s: 7 * 86_400,
            sample_every_s: sample_every_s(),
            gap_max_s: gap_max_s(),
            delegation: String::new(),
        }
    }
}

impl Policy {
    pub fn slack(&self) -> Duration {
        Duration::from_secs(self.slack_s)
    }

    pub fn stale(&self) -> Duration {
        Duration::from_secs(self.stale_s)
    }

    pub fn parent_profile(&self) -> ParentProfile {
        self.parent_profile.as_deref().and_then(ParentProfile::named).unwrap_or(UNKNOWN)
    }

    /// The NS records of the delegation that a person has confirmed; empty where nobody has.
    pub fn confirmed_delegation(&self) -> RecordSet {
        // Where nobody has confirmed anything the text is empty; as a name that would be the root.
        let confirmed = self.delegation.split(',').filter(|host| !host.is_empty());
        let hosts = confirmed.filter_map(|host| host.parse::<Name>().ok());
        hosts.map(|host| ns_rdata(&host)).collect()
    }

    pub fn parent_pipeline(&self) -> Duration {
        Duration::from_secs(self.parent_pipeline_s)
    }

    /// From when Chorus stops showing a set for the registrar until the parent's servers show it, at the longest.
    pub fn registrar_acts_within(&self) -> Duration {
        Duration::from_secs(self.registrar_max_s) + self.parent_pipeline()
    }

    /// What is known of the parent of this name holds where nobody has said otherwise.
    pub fn know_parent(&mut self, parent: &Name) {
        let built_in = || Some(ParentProfile::of_zone(parent)).filter(ParentProfile::is_known);
        if self.parent_profile.is_none() {
            self.parent_profile = built_in().map(|profile| profile.name.to_owned());
        }
    }

    /// How long a resolver may hold what was served with `ttl_s`, signatures and stale serving not counted.
    pub fn cached(&self, ttl_s: u64) -> Duration {
        Duration::from_secs(ttl_s.max(self.resolver_min_ttl_s).min(self.resolver_max_ttl_s))
    }
}
