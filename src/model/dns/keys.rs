//! DNSKEY, DS, CDS and CDNSKEY as the model reads them (RFC 4034, 7344, 8078).
//!
//! Invariant: a key is its whole RDATA. The key tag is for people and for finding candidates; it is never an identity.

use super::rdata::{Rdata, RecordSet};
use hickory_proto::dnssec::DigestType;
use hickory_proto::dnssec::crypto::Digest;
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder, NameEncoding};

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

    /// Whether it is of a private algorithm and does not begin with the algorithm's identifier: a domain name (253), or the length
    /// and BER encoding of an object identifier (254) (RFC 4034 Appendix A.1.1). Resolvers take such an answer for malformed.
    pub fn lacks_algorithm_identifier(&self) -> bool {
        match self.algorithm {
            253 => Name::read(&mut BinDecoder::new(self.public_key)).is_err(),
            254 => {
                let identifier = |(length, rest): (&u8, &'a [u8])| rest.get(..usize::from(*length));
                let identifier = self.public_key.split_first().and_then(identifier);
                !matches!(identifier, Some([0x06, length, octets @ ..]) if octets.len() == usize::from(*length))
            }
            _ => false,
        }
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

    /// Whether this DS is one of `key`: tag and algorithm agree, and the digest does where it can be computed. A digest of a
    /// type that is not implemented here proves nothing against it: registries add, keep and translate digest types.
    /// Says nothing about whether a validator can use the DS: see [`Ds::validates`].
    pub fn belongs_to(&self, owner: &Name, key: &Dnskey<'_>) -> bool {
        self.key_tag == key.key_tag()
            && self.algorithm == key.algorithm
            && key.ds(owner, self.digest_type).is_none_or(|ds| ds == *self.rdata)
    }

    /// Whether every validator may go from this DS to `key`: it belongs to the key, its digest type is one that validators
    /// support (SHA-1 is not, RFC 9905), the digest matches, and the key may validate.
    pub fn validates(&self, owner: &Name, key: &Dnskey<'_>) -> bool {
        USABLE_DIGEST_TYPES.contains(&self.digest_type)
            && key.is_usable()
            && self.key_tag == key.key_tag()
            && self.algorithm == key.algorithm
            && key.ds(owner, self.digest_type).as_ref() == Some(self.rdata)
    }

    /// Whether the digest is of a type that can be computed, and is not that of `key`, though tag and algorithm are.
    pub fn contradicts(&self, owner: &Name, key: &Dnskey<'_>) -> bool {
        self.key_tag == key.key_tag()
            && self.algorithm == key.algorithm
            && key.ds(owner, self.digest_type).is_some_and(|ds| ds != *self.rdata)
    }
}

/// The digest types that every validator can use: SHA-256 and SHA-384 (IANA's table, RFC 9904).
pub const USABLE_DIGEST_TYPES: [u8; 2] = [2, 4];

/// The digest types that some validators support: SHA-1 beside them, which RFC 9905 takes away.
const SUPPORTED_DIGEST_TYPES: [u8; 3] = [1, 2, 4];

/// Whether any validator can use a DS of this digest type. With no other DS a zone is insecure (RFC 4035 §5.2).
pub fn is_ds_supported(ds: &Rdata) -> bool {
    Ds::read(ds).is_some_and(|ds| SUPPORTED_DIGEST_TYPES.contains(&ds.digest_type))
}

/// Which of `keys` a DS or CDS belongs to: the question of who put it there, and of what it asks for.
pub fn key_that_ds_belongs_to<'k>(
    owner: &Name,
    ds: &Rdata,
    keys: impl IntoIterator<Item = &'k Rdata>,
) -> Option<&'k Rdata> {
    let ds = Ds::read(ds)?;
    keys.into_iter().find(|key| Dnskey::read(key).is_some_and(|key| ds.belongs_to(owner, &key)))
}

/// Which of `keys` a validator accepts because of this DS: the question of whether resolvers succeed.
pub fn key_that_ds_validates<'k>(
    owner: &Name,
    ds: &Rdata,
    keys: impl IntoIterator<Item = &'k Rdata>,
) -> Option<&'k Rdata> {
    let ds = Ds::read(ds)?;
    keys.into_iter().find(|key| Dnskey::read(key).is_some_and(|key| ds.validates(owner, &key)))
}

/// Whether a CDS or CDNSKEY record asks the parent to remove every DS (RFC 8078 §4). Algorithm 0 has no other meaning, so
/// that a record with any other field wrong is one as well: an agent may not look at the others.
pub fn is_delete_request(rtype: RecordType, rdata: &Rdata) -> bool {
    match rtype {
        RecordType::CDS => rdata.as_wire().get(2) == Some(&0),
        RecordType::CDNSKEY => rdata.as_wire().get(3) == Some(&0),
        _ => false,
    }
}

/// The CDS set for `keys`: one record per key and digest type (RFC 7344 §3.1; its RDATA is that of DS).
pub fn cds_for<'k>(owner: &Name, keys: impl IntoIterator<Item = &'k Rdata>, digest_types: &[u8]) -> RecordSet {
    // A DS of a key that may not validate leads nowhere (RFC 4034 §5.2).
    let keys = keys.into_iter().filter_map(Dnskey::read).filter(Dnskey::is_usable);
    keys.flat_map(|key| digest_types.iter().filter_map(move |digest| key.ds(owner, *digest)).collect::<Vec<_>>())
        .collect()
}
