//! DS, DNSKEY and NS records: read from RDATA, and matched with one another.

use crate::evidence::Signer;
use crate::names::Name;
use sha2::{Digest, Sha256, Sha384};

/// Reads hexadecimal. `None` if it is anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

/// A DNSKEY record (RFC 4034 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dnskey {
    rdata: Vec<u8>,
    pub signer: Signer,
}

impl Dnskey {
    pub fn read(rdata: &[u8]) -> Option<Dnskey> {
        let algorithm = *rdata.get(3)?;
        let signer = Signer { key_tag: key_tag(rdata), algorithm };
        (rdata.len() > 4).then(|| Dnskey { rdata: rdata.to_vec(), signer })
    }

    /// Whether a validator may use the key at all: a zone key (RFC 4034 §2.1.1) with protocol 3 (§2.1.2) that is not revoked
    /// (RFC 5011 §2.1).
    pub fn is_usable(&self) -> bool {
        let flags = self.rdata.iter().take(2).fold(0u16, |flags, octet| flags << 8 | u16::from(*octet));
        flags & 0x0100 != 0 && flags & 0x0080 == 0 && self.rdata.get(2) == Some(&3)
    }
}

/// RFC 4034 appendix B: the sum over the RDATA in units of 16 bits.
fn key_tag(rdata: &[u8]) -> u16 {
    let sum = rdata.chunks(2).fold(0u32, |sum, pair| {
        let high = pair.first().map_or(0, |octet| u32::from(*octet) << 8);
        sum.wrapping_add(high).wrapping_add(pair.get(1).map_or(0, |octet| u32::from(*octet)))
    });
    let folded = sum.wrapping_add(sum >> 16) & 0xffff;
    // The mask leaves 16 bits.
    u16::try_from(folded).unwrap_or(u16::MAX)
}

/// A DS record (RFC 4034 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ds {
    signer: Signer,
    digest_type: u8,
    digest: Vec<u8>,
}

impl Ds {
    pub fn read(rdata: &[u8]) -> Option<Ds> {
        let (head, digest) = rdata.split_at_checked(4)?;
        let &[high, low, algorithm, digest_type] = head else { return None };
        let signer = Signer { key_tag: u16::from_be_bytes([high, low]), algorithm };
        Some(Ds { signer, digest_type, digest: digest.to_vec() })
    }

    /// Whether validators use its digest type: SHA-256 (2, RFC 4509) or SHA-384 (4, RFC 6605).
    pub fn is_usable(&self) -> bool {
        matches!(self.digest_type, 2 | 4)
    }

    /// Whether it is the DS of `key` in `zone`: tag, algorithm and digest over owner name and RDATA (RFC 4034 §5.1.4).
    pub fn is_of(&self, zone: &Name, key: &Dnskey) -> bool {
        if self.signer != key.signer || !key.is_usable() {
            return false;
        }
        match self.digest_type {
            2 => Sha256::new().chain_update(zone.as_wire()).chain_update(&key.rdata).finalize()[..] == self.digest[..],
            4 => Sha384::new().chain_update(zone.as_wire()).chain_update(&key.rdata).finalize()[..] == self.digest[..],
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4509 §2.3.
    const KEY: &str = "\
        0100030501039e8a247418e318903b215a848acfd5f37f026bd4062db26c774c690968d5d56df8bfda91e6f36d9a279888f4\
        1333357c5e6029990d10fdf5663062a512763326980a615ddbf17a05ddfcce7e5fb3abcca05a31b0957452d4521e83870789\
        063115bf97f6c308ccf57cdc9ce7fe10f6ed1bd0cc0660038c50dcdb0feb963c2f17";
    const DIGEST: &str = "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a";

    #[test]
    fn hexadecimal_is_read_or_refused() {
        assert_eq!(unhex("00fF"), Some(vec![0, 255]));
        assert_eq!(unhex(""), Some(vec![]));
        for bad in ["0", "0g", "é0"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_ds_belongs_to_the_key_that_its_digest_is_of() {
        let zone = Name::from_text("dskey.example.com").unwrap();
        let key = Dnskey::read(&unhex(KEY).unwrap()).unwrap();
        assert_eq!(key.signer, Signer { key_tag: 60485, algorithm: 5 });
        let mut rdata = unhex(&format!("ec450502{DIGEST}")).unwrap();
        let ds = Ds::read(&rdata).unwrap();
        assert!(ds.is_usable() && ds.is_of(&zone, &key));
        assert!(!ds.is_of(&Name::from_text("example.com").unwrap(), &key), "the owner is part of the digest");
        rdata[5] ^= 1;
        assert!(!Ds::read(&rdata).unwrap().is_of(&zone, &key));
    }

    #[test]
    fn a_revoked_key_is_not_usable() {
        let mut rdata = unhex(KEY).unwrap();
        assert!(Dnskey::read(&rdata).unwrap().is_usable());
        rdata[1] |= 0x80;
        assert!(!Dnskey::read(&rdata).unwrap().is_usable());
    }
}
