//! What a validator asks of three RRsets (RFC 4035 §5), in sets of key numbers.
//!
//! Invariant: this is all that both judges know about DNSSEC. When things are in caches does not belong here.

use super::Rrset;
use std::cmp::Ordering;

/// Whether a DS points to a key that is in the DNSKEY set and signs it.
pub(super) fn vouches(ds: &Rrset, dnskey: &Rrset) -> bool {
    ds.records.iter().any(|key| has(&dnskey.records, *key) && has(&dnskey.signers, *key))
}

/// Whether a key of the DNSKEY set signs the answer.
pub(super) fn verifies(dnskey: &Rrset, answer: &Rrset) -> bool {
    let (mut keys, mut signers) = (dnskey.records.iter().peekable(), answer.signers.iter().peekable());
    while let (Some(key), Some(signer)) = (keys.peek(), signers.peek()) {
        match key.cmp(signer) {
            Ordering::Less => keys.next(),
            Ordering::Greater => signers.next(),
            Ordering::Equal => return true,
        };
    }
    false
}

fn has(set: &[u16], number: u16) -> bool {
    set.binary_search(&number).is_ok()
}
