//! What a resolver that starts without a cache finds: the zone, resolved from the parent's servers down.
//!
//! Invariant: only what was seen counts. What could not be tried is neither a success nor a failure, and is named.

use super::dns::{Dnskey, Ds, Name, Rdata, RecordSet, ns_name};
use super::history::{Failure, Kind, Outcome, Sample, Served, Server, Who};
use super::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Stored with the certificate. Fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resolution {
    pub at: Option<Time>,
    /// Whether the answers were validated: whether the parent has a DS that validators use.
    pub validated: bool,
    /// The delegated addresses that answered.
    pub addresses: BTreeSet<String>,
    /// How many answers were validated, or, of an insecure zone, were given.
    pub answers: u64,
    /// What was resolved: `SOA`, a name, a missing name, and so on.
    pub resolved: BTreeSet<String>,
    /// What fails: name, address and reason, one sentence each.
    pub failures: Vec<String>,
    /// What could not be tried, and why.
    pub untried: Vec<String>,
}

impl Resolution {
    pub fn fails(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Puts down that nothing answered, if nothing did.
    pub fn conclude(&mut self, zone: &Name) {
        if self.addresses.is_empty() && self.failures.is_empty() {
            self.failures.push(format!("none of the delegated addresses of {} answers", zone.to_ascii()));
        }
        self.untried.sort();
        self.untried.dedup();
    }
}

/// Whether a validator uses this DS: digest type and algorithm are implemented everywhere (RFC 4035 §5.2, RFC 9904, RFC 9905).
pub fn is_used(ds: &Rdata) -> bool {
    Ds::read(ds).is_some_and(|ds| matches!(ds.digest_type, 2 | 4) && is_usable_algorithm(ds.algorithm))
}

/// Whether signatures of this algorithm are verified here.
pub fn is_usable_algorithm(algorithm: u8) -> bool {
    matches!(algorithm, 8 | 10 | 13 | 14 | 15)
}

/// Why no DS of this set leads to a key that signs the DNSKEY RRset; `None` when one does.
pub fn no_chain(zone: &Name, ds: &RecordSet, keys: &RecordSet, signers: &RecordSet) -> Option<String> {
    let leads =
        |ds: &Rdata, key: &Rdata| Ds::read(ds).zip(Dnskey::read(key)).is_some_and(|(ds, key)| ds.validates(zone, &key));
    if ds.iter().any(|ds| signers.iter().any(|key| leads(ds, key))) {
        return None;
    }
    let covered = ds.iter().any(|ds| keys.iter().any(|key| leads(ds, key)));
    Some(if covered {
        "none of the keys that the parent's DS RRset covers signs the DNSKEY RRset".into()
    } else {
        "the parent's DS RRset covers none of the keys in the DNSKEY RRset".into()
    })
}

/// The resolution that a round of samples amounts to, where no single question can be asked: delegation and DS at the
/// parent's servers, DNSKEY and SOA at the delegated addresses.
pub fn resolution_of(zone: &Name, at: Time, samples: &[Sample]) -> Resolution {
    let mut found = Resolution { at: Some(at), ..Resolution::default() };
    let (mut hosts, mut ds_sets) = (BTreeSet::new(), BTreeSet::new());
    for sample in samples.iter().filter(|sample| sample.server.who == Who::Parent) {
        let Some(served) = served(sample, &mut found) else { continue };
        match sample.kind {
            Kind::Delegation => hosts.extend(served.records.iter().filter_map(|ns| ns_name(ns).ok())),
            Kind::Ds => {
                ds_sets.insert(served.records.clone());
            }
            _ => {}
        }
    }
    found.validated = ds_sets.iter().flatten().any(is_used);
    let delegated = |server: &Server| server.who != Who::Parent && hosts.contains(&*server.host);
    let servers: BTreeSet<&Server> = samples.iter().map(|sample| &sample.server).filter(|s| delegated(s)).collect();
    for server in servers {
        let of = |kind: Kind| samples.iter().find(|sample| sample.server == *server && sample.kind == kind);
        let (Some(dnskey), Some(data)) = (of(Kind::Dnskey), of(Kind::Data)) else { continue };
        let (Some(keys), Some(soa)) = (served(dnskey, &mut found), served(data, &mut found)) else { continue };
        found.addresses.insert(server.to_string());
        found.answers += 1;
        found.resolved.insert("SOA".into());
        if !found.validated {
            continue;
        }
        let broken = ds_sets.iter().find_map(|ds| no_chain(zone, ds, &keys.records, &keys.signers));
        let unsigned = || "no key in the DNSKEY RRset signs the SOA record".to_owned();
        let broken = broken.or_else(|| soa.signers.is_disjoint(&keys.records).then(unsigned));
        found.failures.extend(broken.map(|why| format!("{}: {server}: {why}", zone.to_ascii())));
    }
    found.conclude(zone);
    found
}

/// What a sample shows; else it is put down as failing, or as not tried.
fn served<'s>(sample: &'s Sample, found: &mut Resolution) -> Option<&'s Served> {
    match &sample.outcome {
        Outcome::Served(served) => Some(served),
        Outcome::Failed(failure @ (Failure::Silent | Failure::NoRoute)) => {
            found.untried.push(format!("{} {failure}", sample.server));
            None
        }
        Outcome::Failed(failure) => {
            found.failures.push(format!("{} {failure} (asked for {})", sample.server, sample.kind));
            None
        }
    }
}
