//! Whether a validator that holds one version accepts another (RFC 4035 §5, RFC 6840 §5.11: one good path is enough).

use crate::model::dns::{Dnskey, Ds, Name, USABLE_DIGEST_TYPES};
use crate::model::history::Served;

/// Whether a validator with this DS set accepts this DNSKEY set: some DS covers a key that signs the set. An empty DS set
/// accepts nothing: a zone that was secure must not turn insecure for a moment.
pub fn keys_validate(zone: &Name, ds: &Served, dnskey: &Served) -> bool {
    let signing = || dnskey.signers.iter().filter(|key| dnskey.records.contains(*key)).filter_map(Dnskey::read);
    ds.records.iter().filter_map(Ds::read).any(|ds| signing().any(|key| ds.validates(zone, &key)))
}

/// Whether no validator fails with this DS set and this DNSKEY set, although [`keys_validate`] is false. A validator that supports
/// the digest type of no DS takes the zone for unsigned (RFC 4035 §5.2, RFC 6840 §5.2). One that still supports SHA-1 fails if
/// only a DS of that type is there and covers no key that signs (RFC 9905).
pub fn is_taken_for_unsigned(zone: &Name, ds: &Served, dnskey: &Served) -> bool {
    let signing = || dnskey.signers.iter().filter(|key| dnskey.records.contains(*key)).filter_map(Dnskey::read);
    let (mut sha1, mut covers) = (false, false);
    for ds in ds.records.iter().filter_map(Ds::read) {
        if USABLE_DIGEST_TYPES.contains(&ds.digest_type) {
            return false;
        }
        if ds.digest_type == 1 {
            (sha1, covers) = (true, covers || signing().any(|key| ds.belongs_to(zone, &key)));
        }
    }
    !sha1 || covers
}

/// Whether a validator with this DNSKEY set accepts an answer that these keys signed.
pub fn answer_validates(dnskey: &Served, answer: &Served) -> bool {
    answer.signers.iter().any(|signer| dnskey.records.contains(signer))
}
