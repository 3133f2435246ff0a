//! Records that tests write: real keys, and what is made from them.

use crate::servers::zone;
use chorus_providers::{Rdata, Wanted};
use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::dnssec::{Algorithm, DigestType, PublicKey, PublicKeyBuf, SigningKey};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

/// A DNSKEY with a real P-256 key: BIND takes no others.
pub fn new_key(flags: u16) -> Rdata {
    let pkcs8 = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
    let key = EcdsaSigningKey::from_pkcs8(&pkcs8, Algorithm::ECDSAP256SHA256).unwrap();
    let public = key.to_public_key().unwrap();
    [&flags.to_be_bytes()[..], &[3, 13], public.public_bytes()].concat()
}

pub fn cds(dnskey: &Rdata) -> Rdata {
    cds_of(dnskey, DigestType::SHA256)
}

pub fn cds_of(dnskey: &Rdata, digest_type: DigestType) -> Rdata {
    let public = PublicKeyBuf::new(dnskey[4..].to_vec(), Algorithm::from_u8(dnskey[3]));
    let key = DNSKEY::with_flags(u16::from_be_bytes([dnskey[0], dnskey[1]]), public);
    let digest = key.to_digest(&zone(), digest_type).unwrap();
    [&key.calculate_key_tag().unwrap().to_be_bytes()[..], &[13, u8::from(digest_type)], digest.as_ref()].concat()
}

/// SOA serial 0, flags immediate and soaminimum, types A and NS.
pub fn csync() -> Rdata {
    vec![0, 0, 0, 0, 0, 3, 0, 1, 0x60]
}

pub fn ns(name: &str) -> Rdata {
    Name::from_ascii(name).unwrap().to_bytes().unwrap()
}

pub fn exactly(rtype: RecordType, records: impl IntoIterator<Item = Rdata>) -> Wanted {
    Wanted::Exactly { rtype, ttl_s: 5, records: records.into_iter().collect() }
}

pub fn dnskeys(with: &[&Rdata], without: &[&Rdata]) -> Wanted {
    let set = |keys: &[&Rdata]| keys.iter().map(|key| (*key).clone()).collect();
    Wanted::Partly { rtype: RecordType::DNSKEY, ttl_s: 5, with: set(with), without: set(without) }
}
