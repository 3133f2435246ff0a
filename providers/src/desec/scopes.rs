//! The scopes that deSEC's throttling has, and which request is in which. Besides its scope, every request is in that of the
//! account, which can be set for each: that one is in `budget`, and so is what has been made of each.

use hickory_proto::rr::Name;
use serde::{Deserialize, Serialize};

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// A request, as far as limits go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Request {
    /// Any reading of zones and RRsets.
    Read,
    /// Changing RRsets of a zone, or exporting it as a zone file. By [`Request::write`].
    Write { zone: String },
    /// Creating or deleting a zone.
    Zone,
    /// Tokens, their policies, the account.
    Account,
    /// What sends mail: registration, resets.
    Mail,
    /// An update of addresses by the dynDNS protocol.
    DynDns { zone: String },
}

/// How many requests in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub requests: usize,
    pub window_ms: u64,
}

pub(super) const fn rate(requests: usize, window_ms: u64) -> Rate {
    Rate { requests, window_ms }
}

const CHEAP: [Rate; 2] = [rate(10, SECOND), rate(50, MINUTE)];
const EXPENSIVE: [Rate; 3] = [rate(10, SECOND), rate(300, MINUTE), rate(1000, HOUR)];
const PER_DOMAIN_EXPENSIVE: [Rate; 4] = [rate(2, SECOND), rate(15, MINUTE), rate(100, HOUR), rate(300, DAY)];
const ACCOUNT_ACTIVE: [Rate; 1] = [rate(3, MINUTE)];
const ACCOUNT_PASSIVE: [Rate; 2] = [rate(50, MINUTE), rate(600, HOUR)];
const DYNDNS: [Rate; 1] = [rate(2, 2 * MINUTE)];

impl Request {
    /// A zone has one name here, however it is spelled.
    pub fn write(zone: &Name) -> Request {
        let mut zone = zone.to_lowercase();
        zone.set_fqdn(true);
        Request::Write { zone: zone.to_string() }
    }

    /// The server's name of the scope, which zone it is kept apart for, and its rates.
    pub(super) fn scope(&self) -> (&'static str, Option<&str>, &'static [Rate]) {
        match self {
            Request::Read => ("dns_api_cheap", None, &CHEAP),
            Request::Zone => ("dns_api_expensive", None, &EXPENSIVE),
            Request::Write { zone } => ("dns_api_per_domain_expensive", Some(zone), &PER_DOMAIN_EXPENSIVE),
            Request::Mail => ("account_management_active", None, &ACCOUNT_ACTIVE),
            Request::Account => ("account_management_passive", None, &ACCOUNT_PASSIVE),
            Request::DynDns { zone } => ("dyndns", Some(zone), &DYNDNS),
        }
    }

    pub(super) fn bucket(&self) -> String {
        match self.scope() {
            (scope, None, _) => scope.to_owned(),
            (scope, Some(zone), _) => format!("{scope} {zone}"),
        }
    }
}
