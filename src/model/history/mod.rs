//! Versions and when they die, and nothing else.
//!
//! A [`History`] keeps, for every server address and kind of RRset, every version that was seen and between which
//! moments a resolver may have fetched it. Invariant: it errs to one side only. A version counts as served from the last
//! sample that showed something else until the first sample that shows something newer; an address that does not answer
//! goes on serving what it last served.
//!
//! Which versions go together is `chain`'s matter, which should exist is `group`'s.

mod clock;
mod coming;
mod death;
mod failed;
mod forget;
mod gaps;
mod lag;
mod listed;
mod registrar;
mod track;
mod tracks;
mod unseen;

pub use coming::{Coming, LAG_MAX, Sent};
pub use death::{DataTtl, Lifetimes};
pub use failed::FailedSpan;
pub use gaps::Gap;
pub use listed::ListedTtl;
pub use registrar::{RegistrarRequest, is_same_request};
pub use track::{Changes, History, Span, Track, Trouble};

use crate::model::dns::{Host, Name, Rdata, RecordSet, RecordType};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// Whose server an address is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Parent,
    /// An operator, by its name.
    Operator(String),
    /// The public DNS, as the configured resolver shows it: one source for each host, whose address means nothing.
    Public,
    /// DS and NS sets shown for the registrar: the parent may publish them (`registrar.rs`).
    Registrar,
}

impl Who {
    pub fn is_operator(&self, name: &str) -> bool {
        matches!(self, Who::Operator(operator) if operator == name)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Parent => f.write_str("the parent"),
            Who::Operator(name) => f.write_str(name),
            Who::Public => f.write_str("the public DNS"),
            Who::Registrar => f.write_str("the registrar"),
        }
    }
}

/// One address of one name server: what can show a version of its own.
// Addresses first: they tell most servers apart, and names are slow to compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Server {
    pub address: SocketAddr,
    pub who: Who,
    pub host: Host,
}

impl Server {
    /// The source that stands for what the public DNS says about `host`.
    pub fn public(host: Host) -> Server {
        Server { address: SocketAddr::from(([0, 0, 0, 0], 0)), who: Who::Public, host }
    }

    /// The source that stands for what was shown for the registrar.
    pub fn registrar() -> Server {
        let host = Host::from(Name::root());
        Server { address: SocketAddr::from(([0, 0, 0, 0], 0)), who: Who::Registrar, host }
    }

    /// Whether what it shows was observed.
    pub fn is_observed(&self) -> bool {
        self.who != Who::Registrar
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.who, Who::Public | Who::Registrar) {
            return self.who.fmt(f);
        }
        write!(f, "{} ({})", self.host, self.address)
    }
}

/// What is sampled. The first two come from the parent's servers, the others from the operators'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    Ds,
    /// The NS set in the parent's referral: unsigned.
    Delegation,
    Dnskey,
    Cds,
    Cdnskey,
    Csync,
    /// The NS set at the apex of the child.
    Ns,
    /// Ordinary answers, as the SOA record shows them: who signs, and for how long they may be kept. Its records are
    /// left empty, for the serial says nothing about a chain.
    Data,
    /// The addresses of the delegation's name servers in the parent's referral, each with its host (`host_address`).
    Glue,
    /// The A and AAAA RRsets of name servers, each address with its host: at an operator's server of hosts inside the zone,
    /// in the public DNS of all others. The largest TTL among them counts.
    Addresses,
}

impl Kind {
    /// In their order.
    pub const ALL: [Kind; 10] = [
        Kind::Ds,
        Kind::Delegation,
        Kind::Dnskey,
        Kind::Cds,
        Kind::Cdnskey,
        Kind::Csync,
        Kind::Ns,
        Kind::Data,
        Kind::Glue,
        Kind::Addresses,
    ];
    pub const PARENT: [Kind; 2] = [Kind::Ds, Kind::Delegation];
    /// What a parent's server is asked for as well when it has a copy of the child zone ([`Failure::ServesChild`]).
    pub const COPY: [Kind; 3] = [Kind::Dnskey, Kind::Ns, Kind::Data];
    pub const OPERATOR: [Kind; 6] = [Kind::Dnskey, Kind::Cds, Kind::Cdnskey, Kind::Csync, Kind::Ns, Kind::Data];

    /// The type to ask for.
    pub fn record_type(self) -> RecordType {
        match self {
            Kind::Ds => RecordType::DS,
            Kind::Delegation | Kind::Ns => RecordType::NS,
            Kind::Dnskey => RecordType::DNSKEY,
            Kind::Cds => RecordType::CDS,
            Kind::Cdnskey => RecordType::CDNSKEY,
            Kind::Csync => RecordType::CSYNC,
            Kind::Data => RecordType::SOA,
            // AAAA beside it.
            Kind::Glue | Kind::Addresses => RecordType::A,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Ds => "DS",
            Kind::Delegation => "delegation NS",
            Kind::Dnskey => "DNSKEY",
            Kind::Cds => "CDS",
            Kind::Cdnskey => "CDNSKEY",
            Kind::Csync => "CSYNC",
            Kind::Ns => "NS",
            Kind::Data => "SOA",
            Kind::Glue => "glue",
            Kind::Addresses => "address",
        })
    }
}

/// A version of an RRset as one address served it: what RFC 1034 calls an RRset, with what a validator makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Empty: the server said, with authority, that there is none.
    pub records: RecordSet,
    /// As served. For an empty set the negative TTL: the smaller of the SOA's TTL and its minimum (RFC 2308 §5).
    pub ttl_s: u32,
    /// The keys, as whole DNSKEY RDATA out of the same server's DNSKEY set, whose signatures over this set verify now.
    /// For DS the keys are the parent's, and not told: always empty there and for a delegation.
    pub signers: BTreeSet<Rdata>,
    /// When the last of those signatures expires.
    pub expires: Option<Time>,
}

/// What came of asking one address for one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Served(Served),
    /// Nothing that can be believed. The last version goes on counting as served.
    Failed(Failure),
}

/// Why an address showed nothing. Each is a different fact, and none of them ever means "in sync".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No answer in time, or no connection.
    Silent,
    /// It answers over TCP, and in no time over UDP, by which resolvers ask first. What it answers over TCP is known.
    SilentOverUdp,
    /// This host has no route to the address (IPv6, mostly): nothing is known of it, and it is not the server's fault.
    NoRoute,
    Refused,
    ServFail,
    /// The server says that the zone's own name does not exist.
    NxDomain,
    /// An answer without authority: the server does not have the zone.
    NotAuthoritative,
    /// Another response code.
    Rcode(u16),
    /// Not a DNS message, another question, another id, RDATA of a wrong form.
    Malformed(String),
    /// The RRset is signed, and no signature over it verifies with the server's own keys, or it is not signed at all
    /// in a zone that is.
    Unverifiable(String),
    /// All signatures over the RRset are of algorithms, or by keys, that cannot be verified here, or that validators do not
    /// use.
    Unsupported(String),
    /// A parent's server that is authoritative for the child, too: it answers with the child's copy, and never shows the
    /// delegation (RFC 1034 §4.3.2).
    ServesChild,
    /// Such a server does not let the parent zone be transferred either, and why.
    NotTransferred(String),
    /// A name server's name is an alias of another name (RFC 2181 §10.3). Both are absolute, in lower case.
    Alias {
        host: String,
        of: String,
    },
    /// The resolver did not find out, and why.
    NotLookedUp(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Silent => f.write_str("does not answer"),
            Failure::SilentOverUdp => f.write_str("answers over TCP, and does not answer over UDP"),
            Failure::NoRoute => f.write_str("cannot be observed from here: this host has no route to the address"),
            Failure::Refused => f.write_str("answers REFUSED"),
            Failure::ServFail => f.write_str("answers SERVFAIL"),
            Failure::NxDomain => f.write_str("says that the zone does not exist (NXDOMAIN)"),
            Failure::NotAuthoritative => f.write_str("answers without authority: it does not have the zone"),
            Failure::Rcode(code) => write!(f, "answers with response code {code}"),
            Failure::Malformed(what) => write!(f, "sends what cannot be read: {what}"),
            Failure::Unverifiable(what) => write!(f, "serves signatures that do not verify: {what}"),
            Failure::Unsupported(what) => write!(f, "serves signatures that cannot be verified here: {what}"),
            Failure::ServesChild => f.write_str("serves the zone itself, so that the delegation cannot be read there"),
            Failure::NotTransferred(why) => {
                write!(f, "serves the zone itself, and the parent zone cannot be transferred from there: {why}")
            }
            Failure::Alias { host, of } => {
                write!(f, "shows {host} as an alias of {of}, which a name server's name must not be (RFC 2181 §10.3)")
            }
            Failure::NotLookedUp(why) => write!(f, "could not be looked up: {why}"),
        }
    }
}

/// One question to one address, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub at: Time,
    pub server: Server,
    pub kind: Kind,
    pub outcome: Outcome,
}
