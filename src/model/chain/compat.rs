//! Whether a validator that holds one version accepts another (RFC 4035 §5, RFC 6840 §5.11: one good path is enough).

use crate::model::dns::{Dnskey, Ds, Name};
use crate::model::history::Served;

/// Whether a validator with this DS set accepts this DNSKEY set: some DS covers a key that signs the set. An empty DS set
/// accepts nothing: a zone that was secure must not turn insecure for a moment.
pub fn keys_validate(zone: &Name, ds: &Served, dnskey: &Served) -> bool {
    let signing = || dnskey.signers.iter().filter(|key| dnskey.records.contains(*key)).filter_map(Dnskey::read);
    ds.records.iter().filter_map(Ds::read).any(|ds| signing().any(|key| ds.validates(zone, &key)))
}

/// Whether a validator with this DNSKEY set accepts an answer that these keys signed.
pub fn answer_validates(dnskey: &Served, answer: &Served) -> bool {
    answer.signers.iter().any(|signer| dnskey.records.contains(signer))
}
