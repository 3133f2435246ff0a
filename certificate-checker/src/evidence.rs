//! What a certificate rests on: every version of every RRset that Chorus saw at every server, and the assumptions.
//!
//! All times are milliseconds since 1970-01-01T00:00:00Z. All durations are seconds. Fields are only ever added; a reader
//! refuses a [`Evidence::format`] that it does not know.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The format that this crate reads and Chorus writes.
pub const FORMAT: u32 = 1;

/// The evidence of one transition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The transition's id.
    pub transition: String,
    /// The zone's name in presentation format, in lower case.
    pub zone: String,
    /// The operators before the transition.
    pub from: Vec<String>,
    /// The operators that the transition ended with.
    pub to: Vec<String>,
    /// When the transition started.
    pub started_ms: i64,
    /// When the transition ended, and the certificate was written.
    pub ended_ms: i64,
    /// The assumptions about resolvers and the parent.
    pub policy: Policy,
    /// For each operator the largest TTL of any RRset or negative answer in its copy of the zone.
    pub data_ttls: BTreeMap<String, DataTtl>,
    /// Which operator each name server host belongs to. Hosts that are not in here belong to no operator of the zone.
    pub hosts: BTreeMap<String, String>,
    /// What each server address served of each kind of RRset.
    pub tracks: Vec<Track>,
    /// The longest time between the beginnings of two rounds of observation in this transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap: Option<Gap>,
    /// Addresses of name servers that Chorus did not observe because the user said so, each as `host (address)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses_left_out: Vec<String>,
}

/// The assumptions about resolvers and the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Covers queries in flight and the difference of clocks.
    pub slack_s: u64,
    /// How long resolvers go on to use what has expired (RFC 8767 §5).
    pub stale_s: u64,
    /// Resolvers keep records for at least so long, whatever the TTL says.
    #[serde(default)]
    pub resolver_min_ttl_s: u64,
    /// Resolvers keep records for at most so long, whatever the TTL says.
    pub resolver_max_ttl_s: u64,
    /// How long the parent takes from reading CDS or CSYNC until its servers show the outcome.
    pub parent_pipeline_s: u64,
    /// Two equal answers with more time between them prove nothing about the time between.
    #[serde(default = "an_hour_s")]
    pub gap_max_s: u64,
}

fn an_hour_s() -> u64 {
    3600
}

/// The largest TTL of an operator's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataTtl {
    /// The TTL.
    pub ttl_s: u64,
    /// Where it is from.
    pub source: DataTtlSource,
}

/// Where the largest TTL of an operator's data is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataTtlSource {
    /// The user said it.
    Policy,
    /// A listing of the operator's zone showed it.
    Listing,
    /// Neither: the default was assumed.
    Assumed,
}

/// Whose server an address is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// A server of the parent zone.
    Parent,
    /// A server of the operator with this name.
    Operator(String),
    /// What the public DNS says about a host: the address means nothing.
    PublicDns,
}

/// A kind of RRset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The DS RRset, at the parent.
    Ds,
    /// The NS RRset of the parent's referral: not signed.
    Delegation,
    /// The DNSKEY RRset.
    Dnskey,
    /// The CDS RRset.
    Cds,
    /// The CDNSKEY RRset.
    Cdnskey,
    /// The CSYNC RRset.
    Csync,
    /// The NS RRset at the zone's apex.
    Ns,
    /// The SOA RRset, which stands for all ordinary answers. Its records are left out.
    Data,
    /// The addresses of name server hosts in the parent's referral.
    Glue,
    /// The A and AAAA RRsets of name server hosts.
    Addresses,
}

/// What one server address served of one kind, in order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// The address that was queried.
    pub address: SocketAddr,
    /// The name server host that has the address.
    pub host: String,
    /// Whose server it is.
    pub whose: Whose,
    /// The kind of RRset that Chorus queried for.
    pub kind: Kind,
    /// The versions, as they were seen or must be supposed.
    pub spans: Vec<Span>,
    /// When the address gave no answer that a resolver can use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedSpan>,
}

/// A version of an RRset at one address, and when it was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// RDATA in canonical wire form (RFC 4034 §6.2), in hexadecimal. Empty: the server said that there is no such RRset.
    pub records: Vec<String>,
    /// In [`Kind::Glue`] and [`Kind::Addresses`]: the addresses, instead of `records`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<HostAddress>,
    /// As served; for an absent RRset the negative TTL (RFC 2308 §5).
    pub ttl_s: u32,
    /// The keys whose signatures over the answer verified. Always empty in DS and delegation NS RRsets, and where there is no
    /// such RRset: the proof of that is not observed.
    pub signers: Vec<Signer>,
    /// When the last of those signatures expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures_end_ms: Option<i64>,
    /// The last look that showed something else: the version may have been served since then. `None`: nothing is known of
    /// the time before the first look.
    pub since_ms: Option<i64>,
    /// The first look that showed it.
    pub first_seen_ms: i64,
    /// The last look that showed it.
    pub last_seen_ms: i64,
    /// The first look that showed something newer: the version may have been served until then. `None`: it still is.
    pub until_ms: Option<i64>,
    /// How Chorus knows of it.
    #[serde(default)]
    pub basis: Basis,
}

/// How Chorus knows of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The address served it.
    #[default]
    Seen,
    /// Chorus sent it to the operator, and the address did not show it yet.
    Sent,
    /// Another server of the same owner served it, and this one may have done so unseen.
    Supposed,
}

/// The address of a name server host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostAddress {
    /// The host's name.
    pub host: String,
    /// One of its addresses.
    pub address: IpAddr,
}

/// A key by what an RRSIG record names it with (RFC 4034 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signer {
    /// The key tag (RFC 4034 appendix B).
    pub key_tag: u16,
    /// The algorithm number.
    pub algorithm: u8,
}

/// A stretch of time in which an address failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSpan {
    /// The last good answer before it; `None`: there was none.
    pub since_ms: Option<i64>,
    /// The first look that failed.
    pub first_seen_ms: i64,
    /// The first good answer, or another failure, after it. `None`: it still fails.
    pub until_ms: Option<i64>,
    /// How it failed.
    pub failure: Failure,
}

/// How an address failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable: `silent`, `silent_over_udp`, `no_route`, `refused`, `serv_fail`, `nx_domain`, `not_authoritative`, `rcode`,
    /// `malformed`, `unverifiable`, `unsupported`, `serves_child`, `not_transferred`, `alias`, `not_looked_up`.
    pub code: String,
    /// The same as a sentence.
    pub text: String,
}

/// A time in which Chorus did not look at the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the round before it began.
    pub from_ms: i64,
    /// When the round after it began.
    pub until_ms: i64,
}
