//! Wanted sets against what is there: what has to change, and what of it did not come about.
//!
//! Shared by all providers, so that "as wanted" is one thing: sets of RDATA in wire form are compared, never text, and a
//! TTL alone is no reason to write. How a change is sent is for each interface.

use crate::error::{NotAsWanted, ProviderError};
use crate::{Change, Rdata, Rrset, Wanted};
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;

/// The types that `apply` takes, in the order of their adds. Deletes go the other way round: no server should see, not
/// even within the message, a CDS without the DNSKEYs of its algorithm, or an NS set run empty.
pub(crate) const TYPES: [RecordType; 5] =
    [RecordType::DNSKEY, RecordType::CDNSKEY, RecordType::CDS, RecordType::CSYNC, RecordType::NS];

/// A zone's name as it is sent and compared: in lower case, and from the root.
pub(crate) fn absolute(zone: &Name) -> Name {
    let mut zone = zone.to_lowercase();
    zone.set_fqdn(true);
    zone
}

pub(crate) fn types_of(wanted: &[Wanted]) -> Vec<RecordType> {
    wanted.iter().map(Wanted::rtype).collect()
}

/// Refuses what no interface can be told.
pub(crate) fn check(wanted: &[Wanted]) -> Result<(), ProviderError> {
    let refuse = |what: String| Err(ProviderError::Unsupported { what });
    for (n, one) in wanted.iter().enumerate() {
        let rtype = one.rtype();
        if !TYPES.contains(&rtype) {
            return refuse(format!(
                "{rtype} records are not changed here: only DNSKEY, CDS, CDNSKEY, CSYNC and NS are"
            ));
        }
        if wanted.iter().take(n).any(|earlier| earlier.rtype() == rtype) {
            return refuse(format!("the {rtype} set is wanted in two ways at once: say it once"));
        }
        let records = match one {
            Wanted::Exactly { records, .. } => records,
            Wanted::Partly { with, .. } => with,
        };
        if let Some(long) = records.iter().find(|rdata| u16::try_from(rdata.len()).is_err()) {
            return refuse(format!("a {rtype} record of {} octets: a record has at most 65535", long.len()));
        }
    }
    Ok(())
}

/// What has to change, per type, in the order of [`TYPES`]; types that are as wanted are left out.
pub(crate) fn difference(wanted: &[Wanted], current: &[Rrset]) -> Vec<Change> {
    let nothing = BTreeSet::new();
    let mut changes = Vec::new();
    for rtype in TYPES {
        let is = current.iter().find(|rrset| rrset.rtype == rtype).map_or(&nothing, |rrset| &rrset.records);
        let (added, removed): (BTreeSet<Rdata>, BTreeSet<Rdata>) = match wanted.iter().find(|w| w.rtype() == rtype) {
            None => continue,
            Some(Wanted::Exactly { records, .. }) => {
                (records.difference(is).cloned().collect(), is.difference(records).cloned().collect())
            }
            // A record that is asked for and asked away at once stays: a missing key breaks more than one too many.
            Some(Wanted::Partly { with, without, .. }) => (
                with.difference(is).cloned().collect(),
                without.intersection(is).filter(|rdata| !with.contains(*rdata)).cloned().collect(),
            ),
        };
        if !added.is_empty() || !removed.is_empty() {
            changes.push(Change { rtype, added, removed });
        }
    }
    changes
}

/// What of the wanted is not there.
pub(crate) fn unmet(wanted: &[Wanted], current: &[Rrset]) -> Vec<NotAsWanted> {
    let not_as_wanted =
        |change: Change| NotAsWanted { rtype: change.rtype, missing: change.added, left_over: change.removed };
    difference(wanted, current).into_iter().map(not_as_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(records: &[&[u8]]) -> BTreeSet<Rdata> {
        records.iter().map(|rdata| rdata.to_vec()).collect()
    }

    fn rrset(rtype: RecordType, records: &[&[u8]]) -> Rrset {
        Rrset { rtype, ttl_s: 60, records: set(records) }
    }

    #[test]
    fn a_set_that_differs_in_its_ttl_only_is_not_touched() {
        let wanted = [Wanted::Exactly { rtype: RecordType::CDS, ttl_s: 5, records: set(&[b"a"]) }];
        assert_eq!(difference(&wanted, &[rrset(RecordType::CDS, &[b"a"])]), vec![]);
    }

    #[test]
    fn records_of_the_operator_stay_when_a_part_is_wanted() {
        let wanted = [Wanted::Partly {
            rtype: RecordType::DNSKEY,
            ttl_s: 5,
            with: set(&[b"new", b"there", b"both"]),
            without: set(&[b"old", b"long gone", b"both"]),
        }];
        let is = rrset(RecordType::DNSKEY, &[b"own", b"there", b"old", b"both"]);
        let changes = difference(&wanted, &[is]);
        assert_eq!(changes, vec![Change { rtype: RecordType::DNSKEY, added: set(&[b"new"]), removed: set(&[b"old"]) }]);
    }

    #[test]
    fn what_an_update_cannot_say_is_refused_before_anything_is_sent() {
        let exactly = |rtype| Wanted::Exactly { rtype, ttl_s: 5, records: BTreeSet::new() };
        for wanted in [vec![exactly(RecordType::SOA)], vec![exactly(RecordType::CDS), exactly(RecordType::CDS)]] {
            assert_eq!(check(&wanted).unwrap_err().code(), "unsupported");
        }
    }
}
