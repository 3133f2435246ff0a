//! What an inspection saw: plain values, as `observe` and the providers put them together. What they mean is said in the
//! other files of this folder.

use crate::model::ability::Abilities;
use crate::model::dns::proof::Flaw;
use crate::model::dns::{Name, RecordSet, RecordType};
use crate::model::history::{Failure, Server, Who};
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// An answer, as far as it matters whether two servers give the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    Records {
        records: RecordSet,
        ttl_s: u32,
    },
    /// The name is there, the type is not.
    NoData,
    NxDomain,
}

/// What was answered, or listed, by name (in lower case) and type.
pub type Contents = BTreeMap<(Name, RecordType), Answered>;

/// The SOA record without what may differ between operators: serial and first name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    pub serial: u32,
    pub ttl_s: u32,
    pub contact: Name,
    pub refresh_s: u32,
    pub retry_s: u32,
    pub expire_s: u32,
    pub minimum_s: u32,
}

/// How an address proves that something is not there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    Nsec,
    Nsec3 {
        iterations: u16,
        salt: Vec<u8>,
        opt_out: bool,
    },
    /// It said that a name does not exist, and proved nothing.
    None,
}

/// Why an operator's zone could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// It is the operator's word that it may not be; any other failure says nothing of that.
    pub forbidden: bool,
    pub why: String,
    pub fix: String,
}

/// When a signature begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub name: Name,
    pub covers: RecordType,
    pub inception: Time,
    pub expiration: Time,
    /// Of the RRset that it covers.
    pub ttl_s: u32,
}

/// What a validator makes of the answers of one address (RFC 4035 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// Its DNSKEY RRset, signed by one of its keys; empty where the zone is not signed. `None`: nothing of the kind was seen.
    pub keys: Option<RecordSet>,
    /// Those of them that sign it.
    pub signers: RecordSet,
    /// What does not validate with these keys. Each was seen in two answers.
    pub flaws: Vec<Flaw>,
    /// How many answers validate.
    pub verified: usize,
    /// What they prove, as [`Validity::NAME`] and the others say it.
    pub proven: BTreeSet<&'static str>,
    /// The questions that got no answer.
    pub unanswered: Vec<Unanswered>,
}

/// A question that an address did not answer, although it answers others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    pub name: Name,
    pub rtype: RecordType,
    pub failure: Failure,
    /// What it was about: [`Validity::APEX`], [`Validity::NAME`], [`Validity::WILDCARD`] or [`Validity::NO_NAME`].
    pub class: &'static str,
    /// No other question of this class was answered there.
    pub is_all: bool,
}

impl Validity {
    pub const APEX: &str = "the zone's own name";
    pub const NAME: &str = "a name";
    pub const WILDCARD: &str = "a name that a wildcard stands for";
    pub const NO_TYPE: &str = "a missing type";
    pub const NO_NAME: &str = "a missing name";
    pub const DELEGATION: &str = "a delegation";
}

/// What one address of an operator showed beside the samples of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub server: Server,
    pub udp: Result<(), Failure>,
    pub tcp: Result<(), Failure>,
    pub soa: Option<Soa>,
    /// `None`: no name was found that does not exist, or the address did not answer.
    pub denial: Option<Denial>,
    pub signatures: Vec<Signature>,
    /// A sample of names and types; the same questions at every address.
    pub answers: Contents,
    pub validity: Validity,
}

/// What was looked at before a transition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// In the order of the addresses.
    pub servers: Vec<Inspected>,
    /// Of operators that let their zone be listed.
    pub listings: BTreeMap<String, Contents>,
    /// The largest TTL that each listing showed, even of a zone that is too large to compare.
    pub ttls_s: BTreeMap<String, u32>,
    /// The others.
    pub unlisted: BTreeMap<String, Unlisted>,
    /// What was seen of each operator, here or elsewhere.
    pub abilities: Abilities,
    /// The addresses that the operators were given; others are observed because resolvers may be sent there.
    pub given: BTreeSet<Server>,
    /// Name servers that lie below a delegation inside the zone, and that delegation.
    pub delegated: BTreeMap<Name, Name>,
}

impl Inspection {
    /// Every address of one operator.
    pub fn of<'a>(&'a self, operator: &str) -> impl Iterator<Item = &'a Inspected> + use<'a> {
        let who = Who::Operator(operator.to_owned());
        self.servers.iter().filter(move |inspected| inspected.server.who == who)
    }
}
