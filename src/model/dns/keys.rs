//! DNSKEY, DS, CDS and CDNSKEY as the model reads them (RFC 4034, 7344, 8078).
//!
//! Invariant: a key is its whole RDATA. The key tag is for people and for finding candidates; it is never an identity.

use super::rdata::{Rdata, RecordSet};
use hickory_proto::dnssec::DigestType;
use hickory_proto::dnssec::crypto::Digest;
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

/// The CDS record that asks the parent to remove every DS (RFC 8078 §4).
pub const DELETE_CDS: [u8; 5] = [0, 0, 0, 0, 0];
/// The CDNSKEY record that asks the same.
pub const DELETE_CDNSKEY: [u8; 5] = [0, 0, 3, 0, 0];

/// A DNSKEY or CDNSKEY, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dnskey<'a> {
    pub flags: u16,
    pub protocol: u8,
    pub algorithm: u8,
    pub public_key: &'a [u8],
    rdata: &'a Rdata,
}

impl<'a> Dnskey<'a> {
    /// `None` when the RDATA is too short to be a key.
    pub fn read(rdata: &'a Rdata) -> Option<Dnskey<'a>> {
        match rdata.as_wire() {
            [f1, f2, protocol, algorithm, public_key @ ..] if !public_key.is_empty() => Some(Dnskey {
                flags: u16::from_be_bytes([*f1, *f2]),
                protocol: *protocol,
                algorithm: *algorithm,
                public_key,
                rdata,
            }),
            _ => None,
        }
    }

    pub fn is_zone_key(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// The secure entry point bit: this key, or a key that is both, signs the DNSKEY set.
    pub fn is_key_signing(&self) -> bool {
        self.flags & 0x0001 != 0
    }

    pub fn is_revoked(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// May validate anything at all (RFC 4034 §2.1, RFC 5011 §3).
    pub fn is_usable(&self) -> bool {
        self.is_zone_key() && !self.is_revoked() && self.protocol == 3
    }

    pub fn key_tag(&self) -> u16 {
        self.rdata.key_tag()
    }

    /// The DS record of this key (RFC 4034 §5.1.4); `None` for a digest type that is not implemented.
    pub fn ds(&self, owner: &Name, digest_type: u8) -> Option<Rdata> {
        if digest_type == 2 {
            return self.rdata.ds(owner, || self.digest(owner, digest_type));
        }
        self.digest(owner, digest_type)
    }

    fn digest(&self, owner: &Name, digest_type: u8) -> Option<Rdata> {
        let mut input = Vec::new();
        let mut encoder = BinEncoder::new(&mut input);
        encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
        owner.emit(&mut encoder).ok()?;
        input.extend_from_slice(self.rdata.as_wire());
        let digest = Digest::new(&input, DigestType::from(digest_type)).ok()?;
        let mut ds = self.key_tag().to_be_bytes().to_vec();
        ds.extend([self.algorithm, digest_type]);
        ds.extend_from_slice(digest.as_ref());
        Some(Rdata::from_canonical(ds))
    }
}

/// A DS or CDS, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ds<'a> {
    pub key_tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
    pub digest: &'a [u8],
    rdata: &'a Rdata,
}

impl<'a> Ds<'a> {
    pub fn read(rdata: &'a Rdata) -> Option<Ds<'a>> {
        match rdata.as_wire() {
            [t1, t2, algorithm, digest_type, digest @ ..] if !digest.is_empty() => Some(Ds {
                key_tag: u16::from_be_bytes([*t1, *t2]),
                algorithm: *algorithm,
                digest_type: *digest_type,
                digest,
                rdata,
            }),
            _ => None,
        }
    }

    /// Whether a validator may go from this DS to `key`: tag, algorithm and digest agree, the digest is not SHA-1
    /// (RFC 9905), and the key may validate.
    pub fn covers(&self, owner: &Name, key: &Dnskey<'_>) -> bool {
        self.digest_type >= 2
            && self.key_tag == key.key_tag()
            && self.algorithm == key.algorithm
            && key.is_usable()
            && key.ds(owner, self.digest_type).as_ref() == Some(self.rdata)
    }
}

/// Which of `keys` a DS or CDS stands for.
pub fn key_of_ds<'k>(owner: &Name, ds: &Rdata, keys: impl IntoIterator<Item = &'k Rdata>) -> Option<&'k Rdata> {
    let ds = Ds::read(ds)?;
    keys.into_iter().find(|key| Dnskey::read(key).is_some_and(|key| ds.covers(owner, &key)))
}

/// The CDS set for `keys`: one record per key and digest type (RFC 7344 §3.1; its RDATA is that of DS).
pub fn cds_for<'k>(owner: &Name, keys: impl IntoIterator<Item = &'k Rdata>, digest_types: &[u8]) -> RecordSet {
    // A DS of a key that may not validate leads nowhere (RFC 4034 §5.2).
    let keys = keys.into_iter().filter_map(Dnskey::read).filter(Dnskey::is_usable);
    keys.flat_map(|key| digest_types.iter().filter_map(move |digest| key.ds(owner, *digest)).collect::<Vec<_>>())
        .collect()
}
