//! What the parental agent does about one child, given everything that was read: pure functions, without I/O or clock.
//!
//! Invariant: a change is decided only if every address of every delegated name server was heard, but for those that have been
//! silent for long, all of them ask for the
//! same (RFC 9975), the request is signed down from the DS set that the parent publishes now (RFC 7344 §4.1, RFC 7477
//! §3), and the delegation works at every one of those servers afterwards. Whatever is short of that is no change, with the
//! reason and the server named.
//!
//! `ds` decides about CDS and CDNSKEY, `ns` about CSYNC. How answers are fetched and changes made does not belong here.

mod ds;
mod ns;
mod silence;
#[cfg(test)]
mod tests;

use crate::model::dns::{
    Dnskey, Ds, Name, Rdata, RecordSet, RecordType, Rrsig, SignedSet, USABLE_DIGEST_TYPES, key_that_ds_validates,
    verify,
};
use crate::model::history::Failure;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use ns::{addresses_wanted, in_zone};
pub use silence::Silences;

/// The DS digest types that count in a request: SHA-256 and SHA-384 (IANA's table, RFC 9904).
pub const DIGEST_TYPES: [u8; 2] = USABLE_DIGEST_TYPES;
/// The one that is computed when only the key is given: the one that every validator must know.
pub const DIGEST_TYPE_COMPUTED: u8 = 2;

/// An RRset as one address served it. No records: the server said with authority that there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rrset {
    pub records: RecordSet,
    pub ttl_s: u32,
    /// RDATA of the RRSIG records that cover it, as served, not verified.
    pub signatures: RecordSet,
}

/// What came of one question to one address.
pub type Answer = Result<Rrset, Failure>;

/// The addresses of a name server inside the child, as one address of the child's servers answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAnswers {
    pub a: Answer,
    pub aaaa: Answer,
}

/// Everything that one address answered, all in one pass. What was not asked for is `Err(Failure::Silent)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub host: Name,
    pub address: SocketAddr,
    pub dnskey: Answer,
    pub cds: Answer,
    pub cdnskey: Answer,
    pub csync: Answer,
    pub ns: Answer,
    /// Asked before and after everything else: what lies between is one state of the zone if both are equal.
    pub soa_before: Answer,
    pub soa_after: Answer,
    /// By host; only of hosts inside the child that its NS set names.
    pub hosts: BTreeMap<Name, HostAnswers>,
}

impl Seen {
    /// An address that has not been asked anything.
    pub fn nothing(host: Name, address: SocketAddr) -> Seen {
        let silent = || Err(Failure::Silent);
        Seen {
            host,
            address,
            dnskey: silent(),
            cds: silent(),
            cdnskey: silent(),
            csync: silent(),
            ns: silent(),
            soa_before: silent(),
            soa_after: silent(),
            hosts: BTreeMap::new(),
        }
    }
}

/// `ns2.b.example. (192.0.2.1)`: the port only when it is not 53.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.port() {
            53 => write!(f, "{} ({})", self.host, self.address.ip()),
            _ => write!(f, "{} ({})", self.host, self.address),
        }
    }
}

/// A set at the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub records: RecordSet,
    pub ttl_s: u32,
}

/// What the parent publishes for the child, equal at all of the parent's servers that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtParent {
    pub ds: Held,
    pub ns: Held,
    /// Glue, by host: A and AAAA.
    pub glue: BTreeMap<Name, (Held, Held)>,
}

impl AtParent {
    /// The glue of a host, A or AAAA; empty where there is none.
    pub fn glue_of(&self, host: &Name, rtype: RecordType) -> RecordSet {
        let held = self.glue.get(host).map(|(a, aaaa)| if rtype == RecordType::A { a } else { aaaa });
        held.map(|held| held.records.clone()).unwrap_or_default()
    }
}

/// One child, as it was read just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub child: Name,
    pub parent: AtParent,
    /// Every address of every delegated name server.
    pub servers: Vec<Seen>,
    /// Delegated name servers of which no address is known, each with the reason.
    pub unresolved: BTreeMap<Name, String>,
    /// Every address of the name servers that the child asks for ([`addresses_wanted`]) and that is not in `servers`.
    pub newcomers: Vec<Seen>,
    /// Name servers that the child asks for and of which no address is known, each with the reason.
    pub newcomers_unresolved: BTreeMap<Name, String>,
}

/// What was acted on last for a child: the inception of each signature, by the set (owner and type) that it covers and by
/// the key (DNSKEY RDATA) that made it. What the same key signed earlier is a replay (RFC 7344 §6.2).
///
/// Never compared from one key to another: signers back-date differently (BIND by 60 minutes, Knot by 90, PowerDNS to the
/// start of a week), so of two that sign the same at the same moment one would be taken for a replay for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActedOn(BTreeMap<(Name, RecordType, Rdata), Time>);

impl ActedOn {
    /// The oldest of all servers for each set and key: a secondary may lag behind.
    fn of<'s>(signatures: impl IntoIterator<Item = &'s Signature<'s>>) -> ActedOn {
        let mut oldest = BTreeMap::new();
        for signature in signatures {
            let inception = oldest.entry(signature.by()).or_insert(signature.inception);
            *inception = signature.inception.min(*inception);
        }
        ActedOn(oldest)
    }

    /// `Err` says which signature is older than the one that was acted on. One is enough, whatever an unknown key says
    /// beside it: a key that joined since may have signed the old set, too.
    fn no_replay<'s>(&self, signatures: impl IntoIterator<Item = &'s Signature<'s>>) -> Result<(), String> {
        for signature in signatures {
            match self.0.get(&signature.by()) {
                Some(last) if signature.inception < *last => {
                    return Err(format!(
                        "{} of {} at {} was signed at {} by key {}, before the one acted on last ({last}): ignored",
                        signature.rtype,
                        signature.owner,
                        signature.seen,
                        signature.inception,
                        Dnskey::read(&signature.key).map_or(0, |key| key.key_tag()),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds what was acted on just now; what other keys and sets were remembered for, stays.
    pub fn merge(&mut self, newer: ActedOn) {
        self.0.extend(newer.0);
    }
}

/// What the user allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub allow_delete: bool,
}

/// A change of the DS set; `new` is empty only for a delete request that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsChange {
    pub old: Held,
    pub new: RecordSet,
    /// What to remember once the change is made.
    pub acted_on: ActedOn,
}

/// A change of one host's glue of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlueChange {
    pub host: Name,
    pub rtype: RecordType,
    pub old: Held,
    pub new: RecordSet,
}

/// A change of the delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsChange {
    pub old: Held,
    /// Never empty; equal to the old one when only glue changes.
    pub new: RecordSet,
    pub glue: Vec<GlueChange>,
    /// What to remember once the change is made.
    pub acted_on: ActedOn,
}

/// What is to be done for a child, and the sentences that say why or why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    pub ds: Option<DsChange>,
    /// Never together with `ds`: a delegation changes while the DS set that it was judged by stands still.
    pub ns: Option<NsChange>,
    pub verdict: Vec<String>,
    /// Whether the only thing in the way is a server that did not answer: worth asking again soon.
    pub retry: bool,
}

/// Why there is no change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub reason: String,
    pub retry: bool,
}

impl No {
    fn because(reason: impl Into<String>) -> No {
        No { reason: reason.into(), retry: false }
    }
}

/// Decides about one child.
pub fn decide(observed: &Observed, acted_on: &ActedOn, rules: Rules, now: Time) -> Decision {
    let mut decision = Decision::default();
    if observed.servers.is_empty() && observed.unresolved.is_empty() {
        decision.verdict.push("the parent has no delegation: no change".into());
        return decision;
    }
    match ds::decide(observed, acted_on, rules, now) {
        Ok(Some((change, line))) => {
            decision.ds = Some(change);
            decision.verdict.push(line);
        }
        Ok(None) => {}
        Err(no) => {
            decision.retry = no.retry;
            decision.verdict.push(no.reason);
        }
    }
    match ns::decide(observed, acted_on, now) {
        Ok(Some(_)) if decision.ds.is_some() => decision.verdict.push("CSYNC is looked at after the DS change".into()),
        Ok(Some((change, line))) => {
            decision.ns = Some(change);
            decision.verdict.push(line);
        }
        Ok(None) => {}
        // One server that is silent is said once.
        Err(no) if decision.verdict.contains(&no.reason) => {}
        Err(no) => {
            decision.retry |= no.retry;
            decision.verdict.push(no.reason);
        }
    }
    if decision.verdict.is_empty() {
        decision.verdict.push("DS and delegation are as the child asks: no change".into());
    }
    decision
}

/// Every address of every delegated server has to be known before anything is compared.
fn all_known(unresolved: &BTreeMap<Name, String>) -> Result<(), No> {
    match unresolved.first_key_value() {
        None => Ok(()),
        Some((host, reason)) => {
            Err(No { reason: format!("no address of {host} is known ({reason}): no change"), retry: true })
        }
    }
}

/// The answers of all servers for one type, or which server kept its answer back. Silence delays; what is wrong, stops.
fn heard<'s>(
    servers: &'s [Seen],
    what: &str,
    answer: impl Fn(&'s Seen) -> &'s Answer,
) -> Result<Vec<(&'s Seen, &'s Rrset)>, No> {
    let failed = |seen: &Seen, failure: &Failure| No {
        reason: format!("{what}: {seen} {failure}: no change"),
        retry: matches!(failure, Failure::Silent | Failure::NoRoute | Failure::ServFail),
    };
    servers.iter().map(|seen| answer(seen).as_ref().map(|set| (seen, set)).map_err(|f| failed(seen, f))).collect()
}

/// The newest valid signature that one key made over a set, as one server serves it.
struct Signature<'s> {
    seen: &'s Seen,
    owner: Name,
    rtype: RecordType,
    key: Rdata,
    inception: Time,
}

impl Signature<'_> {
    /// What inceptions may be compared within.
    fn by(&self) -> (Name, RecordType, Rdata) {
        (self.owner.clone(), self.rtype, self.key.clone())
    }
}

/// The keys among `keys` that are usable and whose signatures over `set` verify at `now`, each with the inception of its
/// newest signature.
fn signatures<'k>(
    child: &Name,
    owner: &Name,
    rtype: RecordType,
    set: &Rrset,
    keys: impl IntoIterator<Item = &'k Rdata>,
    now: Time,
) -> BTreeMap<Rdata, Time> {
    let keys: RecordSet = keys.into_iter().cloned().collect();
    let signed = SignedSet { owner, rtype, records: &set.records, signatures: &set.signatures };
    // One verdict per signature, in their order.
    let verdicts = verify(signed, child, &keys, now).verdicts;
    let mut newest = BTreeMap::new();
    for (rdata, verdict) in set.signatures.iter().zip(verdicts) {
        let (Ok((key, expires)), Some(rrsig)) = (verdict.outcome, Rrsig::read(rdata)) else { continue };
        let lifetime_s = i64::from(rrsig.expiration.wrapping_sub(rrsig.inception));
        let inception = Time(expires.0.saturating_sub(lifetime_s * 1000));
        let known = newest.entry(key).or_insert(inception);
        *known = inception.max(*known);
    }
    newest
}

/// How a server's answers hang on a DS set.
struct Chain<'s> {
    seen: &'s Seen,
    /// Its DNSKEY set, which is signed by each of `entries`.
    keys: &'s RecordSet,
    /// The keys that the DS set stands for and that sign the DNSKEY set.
    entries: BTreeSet<Rdata>,
}

impl<'s> Chain<'s> {
    /// `Err` is the reason why the server's DNSKEY set does not validate with `ds`.
    fn of(child: &Name, ds: &RecordSet, seen: &'s Seen, now: Time) -> Result<Chain<'s>, String> {
        let dnskey = seen.dnskey.as_ref().map_err(|failure| format!("{seen} {failure} when asked for DNSKEY"))?;
        if dnskey.records.is_empty() {
            return Err(format!("{seen} has no DNSKEY"));
        }
        let signed_by = signatures(child, child, RecordType::DNSKEY, dnskey, &dnskey.records, now);
        let covered = |key: &Rdata| ds.iter().any(|ds| covers(child, ds, key));
        let entries: BTreeSet<Rdata> = signed_by.into_keys().filter(covered).collect();
        if entries.is_empty() {
            return Err(format!("no DS leads to a key that signs the DNSKEY set at {seen}"));
        }
        Ok(Chain { seen, keys: &dnskey.records, entries })
    }

    /// The valid signatures by keys of the DNSKEY set, the newest of each; none: the set cannot be believed.
    fn signed(&self, child: &Name, owner: &Name, rtype: RecordType, set: &Rrset, now: Time) -> Vec<Signature<'s>> {
        self.attributed(owner, rtype, signatures(child, owner, rtype, set, self.keys, now))
    }

    /// The same, by keys that are in the DS set only (RFC 7344 §4.1).
    fn signed_by_entry(&self, child: &Name, rtype: RecordType, set: &Rrset, now: Time) -> Vec<Signature<'s>> {
        self.attributed(child, rtype, signatures(child, child, rtype, set, &self.entries, now))
    }

    fn attributed(&self, owner: &Name, rtype: RecordType, by_key: BTreeMap<Rdata, Time>) -> Vec<Signature<'s>> {
        let of_key = |(key, inception)| Signature { seen: self.seen, owner: owner.clone(), rtype, key, inception };
        by_key.into_iter().map(of_key).collect()
    }
}

/// Whether validators accept `key` because of this DS.
fn covers(child: &Name, ds: &Rdata, key: &Rdata) -> bool {
    key_that_ds_validates(child, ds, [key]).is_some()
}

/// Key tags for people, in order: `4711, 12345`.
fn tags<'k>(ds: impl IntoIterator<Item = &'k Rdata>) -> String {
    let tags: BTreeSet<u16> = ds.into_iter().filter_map(Ds::read).map(|ds| ds.key_tag).collect();
    if tags.is_empty() {
        return "none".into();
    }
    tags.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// The addresses of A or AAAA RDATA.
pub(super) fn address_of(rdata: &Rdata) -> Option<IpAddr> {
    match <[u8; 4]>::try_from(rdata.as_wire()) {
        Ok(v4) => Some(IpAddr::from(v4)),
        Err(_) => <[u8; 16]>::try_from(rdata.as_wire()).ok().map(IpAddr::from),
    }
}
