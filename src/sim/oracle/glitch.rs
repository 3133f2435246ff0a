//! What went wrong, told so that a person can follow it: what was in caches, from where, since when, until when.
//!
//! Invariant: a glitch names versions of the world, so that its cause can be looked up. Judging does not belong here.

use super::{Set, What, Whose};
use std::fmt::{self, Display};
use std::ops::AddAssign;

/// A kind of resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Every resolver that could exist.
    Crowd,
    /// Prefers the NS set that the zone's own servers give (RFC 2181 §5.4.1); the parent's when that has expired.
    ChildCentric,
    /// Uses the parent's referral only.
    ParentCentric,
    /// Renews its NS set from the servers it uses, and so never comes back to the parent while one of them answers.
    Sticky,
    /// Validates behind two caches that do not.
    ForwarderChain,
    /// Has nothing in its own cache, behind a warm one that does not validate.
    ColdValidator,
    /// Validates behind a cache that hands out what has expired.
    StaleForwarder,
    /// Keeps everything for a minimum time.
    TtlStretcher,
}

impl Class {
    pub const SINGLE: [Class; 7] = [
        Class::ChildCentric,
        Class::ParentCentric,
        Class::Sticky,
        Class::ForwarderChain,
        Class::ColdValidator,
        Class::StaleForwarder,
        Class::TtlStretcher,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Class::Crowd => "crowd",
            Class::ChildCentric => "child-centric",
            Class::ParentCentric => "parent-centric",
            Class::Sticky => "sticky",
            Class::ForwarderChain => "forwarder-chain",
            Class::ColdValidator => "cold-validator",
            Class::StaleForwarder => "stale-forwarder",
            Class::TtlStretcher => "ttl-stretcher",
        }
    }
}

/// How answers came out. The crowd judges each pair of versions that are in caches together once; single resolvers judge
/// answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub judged: u64,
    pub bogus: u64,
    pub insecure: u64,
    pub unresolvable: u64,
    /// The crowd's only: hosts that could be asked and did not have the zone, or that had no address.
    pub lame: u64,
}

impl Counts {
    pub(super) fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Bogus => self.bogus += 1,
            Kind::Insecure => self.insecure += 1,
            Kind::Unresolvable { .. } => self.unresolvable += 1,
            Kind::Lame | Kind::NoAddress => self.lame += 1,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.judged += other.judged;
        self.bogus += other.bogus;
        self.insecure += other.insecure;
        self.unresolvable += other.unresolvable;
        self.lame += other.lame;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The parts do not validate together.
    Bogus,
    /// The parent says that the zone is not signed, and it was.
    Insecure,
    /// All servers that a cached NS set names fail. `silent`: none of them answers at all, which may be nobody's fault but
    /// theirs; otherwise one of them answers that it does not have the zone.
    Unresolvable { silent: bool },
    /// A server that may be asked answers that it does not have the zone. Resolvers have to try another.
    Lame,
    /// A server that may be asked says that a name server has no address, and caches have an NS set that names it.
    NoAddress,
}

/// Something in a cache, or a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `None`: the server itself.
    pub what: Option<What>,
    pub version: u32,
    pub records: Set,
    pub signers: Set,
    pub ttl_s: u32,
    /// Where it was fetched last.
    pub whose: Whose,
    pub host: u16,
    /// The crowd: since when it has been in caches without a break. A single resolver: when it was fetched.
    pub since_ms: i64,
    /// The last moment at which it may have been fetched, as far as is known.
    pub fetched_ms: i64,
    /// When it is in no cache any more.
    pub until_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glitch {
    pub class: Class,
    pub kind: Kind,
    pub from_ms: i64,
    /// As far as is known when it is said; `Oracle::glitches` knows better later.
    pub until_ms: i64,
    /// DS, DNSKEY and answer, as far as they matter; or the NS set; or the server.
    pub parts: Vec<Part>,
}

impl Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bogus => "bogus",
            Kind::Insecure => "insecure",
            Kind::Unresolvable { silent: true } => "unresolvable (all silent)",
            Kind::Unresolvable { silent: false } => "unresolvable (zone not there)",
            Kind::Lame => "lame",
            Kind::NoAddress => "a name server without an address",
        })
    }
}

impl Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Ds => f.write_str("DS"),
            What::Delegation => f.write_str("delegation"),
            What::Dnskey => f.write_str("DNSKEY"),
            What::Ns => f.write_str("NS"),
            What::Leads => f.write_str("addresses"),
            What::Answer(which) => write!(f, "data {which}"),
        }
    }
}

/// Seconds, with milliseconds only where there are any.
struct Seconds(i64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rem_euclid(1000) {
            0 => write!(f, "{}", self.0.div_euclid(1000)),
            ms => write!(f, "{}.{ms:03}", self.0.div_euclid(1000)),
        }
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (since, until) = (Seconds(self.since_ms), Seconds(self.until_ms));
        match self.whose {
            Whose::Parent => f.write_str("parent")?,
            Whose::Public => f.write_str("public DNS")?,
            Whose::Operator(operator) => write!(f, "operator {operator} host {}", self.host)?,
        }
        let Some(what) = self.what else { return write!(f, " can be asked until {until}") };
        write!(f, ": {what} v{} {:?}", self.version, self.records)?;
        if !self.signers.is_empty() {
            write!(f, " signed by {:?}", self.signers)?;
        }
        write!(f, ", TTL {}, in caches {since}..{until}, last fetched {}", self.ttl_s, Seconds(self.fetched_ms))
    }
}

impl Display for Glitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (Seconds(self.from_ms), Seconds(self.until_ms));
        write!(f, "{} {}, {from}..{until}", self.class, self.kind)?;
        for part in &self.parts {
            write!(f, "\n    {part}")?;
        }
        Ok(())
    }
}
