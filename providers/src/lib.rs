//! The interfaces that DNS operators are driven through: one trait, and one module per backend.
//!
//! A provider takes the wanted sets and makes the smallest change. It knows nothing of transitions, guards or other
//! operators. What it reports is what an interface said; whether a write counts is for whoever asks every
//! authoritative server afterwards.

mod advice;
pub mod desec;
mod error;
pub mod http;
pub mod names;
pub mod powerdns;
mod rdata;
pub mod rfc2136;
pub mod tsig;
mod wanted;

pub use error::{Category, CutShort, Doing, NotAsWanted, ProviderError};

use async_trait::async_trait;
use hickory_proto::rr::{Name, RecordType};
use std::collections::{BTreeMap, BTreeSet};

/// RDATA in uncompressed wire form, names in lower case.
pub type Rdata = Vec<u8>;

/// What an RRset at a zone's apex should hold. TTLs in seconds: that which the operator serves the set with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole RRset; empty means that there should be none.
    Exactly { rtype: RecordType, ttl_s: u32, records: BTreeSet<Rdata> },
    /// A part of an RRset that the operator has records of its own in (DNSKEY): these should be there, those not, and
    /// all others are left alone.
    Partly { rtype: RecordType, ttl_s: u32, with: BTreeSet<Rdata>, without: BTreeSet<Rdata> },
}

impl Wanted {
    pub fn rtype(&self) -> RecordType {
        match self {
            Wanted::Exactly { rtype, .. } | Wanted::Partly { rtype, .. } => *rtype,
        }
    }
}

/// What was changed in one RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub rtype: RecordType,
    pub added: BTreeSet<Rdata>,
    pub removed: BTreeSet<Rdata>,
}

/// An RRset as the interface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    pub rtype: RecordType,
    pub ttl_s: u32,
    pub records: BTreeSet<Rdata>,
}

/// Every RRset of a zone, by owner (in lower case) and type.
pub type Listing = BTreeMap<(Name, RecordType), Rrset>;

/// Which foreign DNSKEYs an operator carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignDnskey {
    All,
    ZoneSigningOnly,
    None,
    Unknown,
}

/// How far an operator's CDS and CDNSKEY sets can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdsControl {
    Exact,
    /// Its own records are always there.
    AdditiveToOwn,
    Fixed,
    None,
    Unknown,
}

/// How writes are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteGrouping {
    /// Whole RRsets are replaced, one request each or several at once.
    RrsetReplace,
    SingleRecords,
    /// One message changes all or nothing, and only if the prerequisites hold (RFC 2136).
    AtomicWithPrerequisites,
}

/// What an operator's interface can do, as far as it can be known without trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub foreign_dnskey: ForeignDnskey,
    pub cds: CdsControl,
    pub csync: bool,
    pub ns_add_foreign: bool,
    pub ns_remove_own: bool,
    /// Whether the interface tells the operator's own keys from foreign ones.
    pub tells_own_keys: bool,
    pub grouping: WriteGrouping,
    /// Whether an account may make only so many requests: then even asking whether all is well has its price.
    pub requests_are_limited: bool,
}

/// Writes that are ahead in one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritesAhead {
    pub zone: Name,
    pub writes: usize,
    /// Whether the change is still to begin: it is checked first, with a write that changes nothing and a look at the zone.
    pub begins: bool,
}

/// What they take of an account's budget of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    pub requests: usize,
    /// When the last of them is permitted if nobody else uses the account; milliseconds since 1970.
    pub permitted_ms: u64,
}

/// What is tried to see whether a credential may do more than it has to, in words.
pub(crate) const APEX_TEXT: &str = "a TXT record at the apex";
pub(crate) const ADDRESS_BELOW: &str = "an address record below the apex";
/// The name below the apex that is tried: one that nobody has.
pub(crate) const CHECK_LABEL: &str = "_chorus-check-of-permissions";

/// An operator's interface, for any of its zones.
#[async_trait]
pub trait Provider: Send + Sync {
    fn capabilities(&self) -> Capabilities;

    /// The RRsets of these types at the apex, as the interface shows them; absent ones are left out.
    async fn read(&self, zone: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError>;

    /// Makes the smallest change that brings the wanted sets about, all or nothing where the interface can, reads back,
    /// and says what was changed: an empty list when all was as wanted already.
    async fn apply(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError>;

    /// For an operator whose name servers do not show what its interface shows as wanted: makes it publish the zone again,
    /// and leaves no change behind. `served`: the sets that a name server answers in place of the wanted ones; `None` where
    /// another one answers as wanted. False where nothing was done: the interface has no way for that, or it does not show what
    /// is wanted, and [`Provider::apply`] does it.
    async fn publish_again(
        &self,
        _zone: &Name,
        _wanted: &[Wanted],
        _served: Option<&[Rrset]>,
    ) -> Result<bool, ProviderError> {
        Ok(false)
    }

    /// The keys in the zone's DNSKEY RRset that the interface says are not the operator's own; `None` where it does not tell.
    async fn foreign_keys(&self, _zone: &Name) -> Result<Option<BTreeSet<Rdata>>, ProviderError> {
        Ok(None)
    }

    /// Whether the credential is accepted for the zone: a write that changes nothing.
    async fn probe(&self, zone: &Name) -> Result<(), ProviderError>;

    /// Whether writes at this interface were seen to compare with another DNSKEY RRset than the one that is served: then a write
    /// that changes nothing does not show whether other operators' keys are served.
    async fn keeps_keys_apart(&self, _zone: &Name) -> Result<bool, ProviderError> {
        Ok(false)
    }

    /// Takes these records of the apex out, whether or not they are seen: what was accepted may be served only later. Does nothing
    /// where what is read is what is stored, because `apply` is enough there.
    async fn take_out(&self, _zone: &Name, _gone: &[(RecordType, BTreeSet<Rdata>)]) -> Result<(), ProviderError> {
        Ok(())
    }

    /// What the credential may change that Chorus never changes, tried without leaving anything behind; `None` where that
    /// cannot be tried.
    async fn oversteps(&self, _zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        Ok(None)
    }

    /// The largest TTL of any record in the zone, in seconds, with or without DNSKEY, CDS and CDNSKEY, which the name servers are asked
    /// for; `None` where the interface does not show all records.
    async fn largest_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError>;

    /// What the writes in these zones, in this order, take out of a limited budget of requests; `None` where requests are not
    /// limited, or the budget cannot be looked at.
    async fn needs(&self, _queue: &[WritesAhead]) -> Option<Vec<Needs>> {
        None
    }

    /// All RRsets of the zone; `None` where the interface does not show them, or there are too many to be kept.
    async fn list(&self, _zone: &Name) -> Result<Option<Listing>, ProviderError> {
        Ok(None)
    }
}
