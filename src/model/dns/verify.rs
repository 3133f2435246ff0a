//! Which keys have signed an RRset, and until when (RFC 4034 §3.1.8.1, RFC 4035 §5.3).
//!
//! Invariant: a signature counts only when every check holds, the mathematics last; whatever cannot be checked is a
//! reason, never a success. The octets that were signed are put together here from canonical RDATA, because
//! `hickory-proto` sorts an RRset before it lowers names and so calls good signatures bad; only its mathematics is used.
//!
//! Chains from DS to key to answer are not followed here, and nothing is said about what is missing.

use super::keys::Dnskey;
use super::names::name_text;
use super::rdata::{Rdata, RecordSet, ns_rdata};
use crate::model::time::Time;
use hickory_proto::dnssec::{Algorithm, PublicKey, PublicKeyBuf};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::collections::BTreeSet;
use std::fmt;

/// How far a signer's clock may differ from ours before its signatures are refused. None: a validator that allows
/// none would refuse them too, and the question is what every validator accepts.
pub const CLOCK_SKEW_S: i32 = 0;

/// Public key operations per RRset. Key tags collide at will of whoever makes the keys, so that signatures × keys with
/// the same tag grows without bound (CVE-2023-50387). Three operators that all roll at once need fewer than ten.
pub const OPERATIONS_MAX: usize = 32;

/// An RRSIG, read (RFC 4034 §3.1). Times are serial numbers: seconds since the epoch modulo 2³².
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrsig<'a> {
    pub type_covered: RecordType,
    pub algorithm: u8,
    /// Labels of the owner without root and without a leading `*`.
    pub labels: u8,
    pub original_ttl_s: u32,
    pub expiration: u32,
    pub inception: u32,
    pub key_tag: u16,
    /// In lower case.
    pub signer_name: Name,
    pub signature: &'a [u8],
    /// The fields before the signer's name, as they are signed.
    fixed: &'a [u8],
}

impl<'a> Rrsig<'a> {
    /// `None` when the RDATA is too short, or its name is not one.
    pub fn read(rdata: &'a Rdata) -> Option<Rrsig<'a>> {
        let (fixed, rest) = rdata.as_wire().split_at_checked(18)?;
        let [t1, t2, algorithm, labels, o1, o2, o3, o4, e1, e2, e3, e4, i1, i2, i3, i4, k1, k2] = *fixed else {
            return None;
        };
        let mut decoder = BinDecoder::new(rest);
        let signer_name = Name::read(&mut decoder).ok()?.to_lowercase();
        let signature = rest.get(decoder.index()..)?;
        Some(Rrsig {
            type_covered: RecordType::from(u16::from_be_bytes([t1, t2])),
            algorithm,
            labels,
            original_ttl_s: u32::from_be_bytes([o1, o2, o3, o4]),
            expiration: u32::from_be_bytes([e1, e2, e3, e4]),
            inception: u32::from_be_bytes([i1, i2, i3, i4]),
            key_tag: u16::from_be_bytes([k1, k2]),
            signer_name,
            signature,
            fixed,
        })
    }

    /// The expiration that lies nearest to `now` (RFC 1982, RFC 4034 §3.1.5: at most 68 years away).
    pub fn expires(&self, now: Time) -> Time {
        nearest(self.expiration, now)
    }

    /// The inception that lies nearest to `now`.
    pub fn begins(&self, now: Time) -> Time {
        nearest(self.inception, now)
    }
}

/// The moment with serial number `serial` that lies nearest to `now`.
fn nearest(serial: u32, now: Time) -> Time {
    let now_s = now.0.div_euclid(1000);
    Time::from_s(now_s.saturating_add(i64::from(distance(now_s as u32, serial))))
}

/// RFC 1982: seconds from `from` to `to`, negative when `to` comes before.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

/// An RRset with the signatures that were served beside it.
#[derive(Clone, Copy, Debug)]
pub struct SignedSet<'a> {
    pub owner: &'a Name,
    pub rtype: RecordType,
    pub records: &'a RecordSet,
    /// RDATA of RRSIG records.
    pub signatures: &'a RecordSet,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it cannot be read")]
    Unreadable,
    #[error("it covers {0} records")]
    OtherType(RecordType),
    #[error("it was made by {}, not by the zone", name_text(.0))]
    OtherSigner(Name),
    #[error("it was made for {0} labels, the name has {1}")]
    Labels(u8, u8),
    #[error("it is valid from {0} on")]
    NotYetValid(Time),
    #[error("it has expired at {0}")]
    Expired(Time),
    #[error("it ends before it begins")]
    EndBeforeBeginning,
    #[error("{}", algorithm(*.0))]
    Algorithm(u8),
    #[error("no key with this tag and algorithm that may validate is in the DNSKEY set")]
    NoKey,
    #[error("its key has flags {flags} and protocol {protocol}, and validators use none like that (RFC 4034 §2.1)")]
    Key { flags: u16, protocol: u8 },
    #[error("it does not match the records")]
    Mathematics,
    #[error("it was not tried: more than {OPERATIONS_MAX} public key operations are needed for this RRset")]
    TooManyOperations,
}

fn algorithm(number: u8) -> String {
    match number {
        1 => "algorithm 1 (RSAMD5) must not be used any more (RFC 6944)".into(),
        3 | 6 => format!("algorithm {number} (DSA with SHA-1) must not be used any more (RFC 9905)"),
        5 => "algorithm 5 (RSASHA1) must not be relied on any more (RFC 9905)".into(),
        7 => "algorithm 7 (RSASHA1-NSEC3-SHA1) must not be relied on any more (RFC 9905)".into(),
        12 => "algorithm 12 (ECC-GOST) must not be used any more (RFC 9906)".into(),
        16 => "algorithm 16 (Ed448) cannot be verified here".into(),
        252..=254 => format!("algorithm {number} is a private one, and cannot be verified here"),
        other => format!("algorithm {other} is not known here, and cannot be verified"),
    }
}

/// What became of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Zero where the signature cannot be read.
    pub key_tag: u16,
    pub algorithm: u8,
    /// The DNSKEY that made it and when it expires, or why it does not count.
    pub outcome: Result<(Rdata, Time), Refusal>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature by key {} (alg {}): ", self.key_tag, self.algorithm)?;
        match &self.outcome {
            Ok((_, expires)) => write!(f, "good until {expires}"),
            Err(refusal) => write!(f, "{refusal}"),
        }
    }
}

/// What became of all signatures over one RRset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    pub verdicts: Vec<Verdict>,
    /// The keys whose signatures verify now, as whole DNSKEY RDATA.
    pub signers: BTreeSet<Rdata>,
    /// When the last of those signatures expires.
    pub expires: Option<Time>,
}

impl Verification {
    pub fn is_verified(&self) -> bool {
        !self.signers.is_empty()
    }

    /// Whether there are signatures, and all that is wrong with them is that no validator may, or can here, use the kind of
    /// key that made them.
    pub fn is_beyond_us(&self) -> bool {
        let of_kind = |verdict: &Verdict| matches!(verdict.outcome, Err(Refusal::Algorithm(_) | Refusal::Key { .. }));
        !self.verdicts.is_empty() && self.verdicts.iter().all(of_kind)
    }

    /// Every signature that does not count, with its reason, in one line.
    pub fn reasons(&self) -> String {
        if self.verdicts.is_empty() {
            return "it is not signed".into();
        }
        let refused = self.verdicts.iter().filter(|verdict| verdict.outcome.is_err());
        refused.map(Verdict::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Tries every signature with every key that it may have been made with. `zone` is the zone's own name, `keys` its
/// DNSKEY set. An empty RRset has no signers: nothing is proven about absence here.
pub fn verify(set: SignedSet<'_>, zone: &Name, keys: &RecordSet, now: Time) -> Verification {
    let mut verification = Verification::default();
    if set.records.is_empty() {
        return verification;
    }
    let keys: Vec<_> =
        keys.iter().filter_map(|rdata| Dnskey::read(rdata).map(|key| (key.key_tag(), key, rdata))).collect();
    let mut operations = 0;
    for rdata in set.signatures {
        let Some(rrsig) = Rrsig::read(rdata) else {
            verification.verdicts.push(Verdict { key_tag: 0, algorithm: 0, outcome: Err(Refusal::Unreadable) });
            continue;
        };
        let outcome = worth_trying(&rrsig, set, zone, now).and_then(|()| {
            let candidates = keys
                .iter()
                .filter(|(tag, key, _)| *tag == rrsig.key_tag && key.algorithm == rrsig.algorithm && key.is_usable());
            let unusable = keys
                .iter()
                .find(|(tag, key, _)| *tag == rrsig.key_tag && key.algorithm == rrsig.algorithm && !key.is_usable());
            let mut outcome = Err(unusable
                .map_or(Refusal::NoKey, |(_, key, _)| Refusal::Key { flags: key.flags, protocol: key.protocol }));
            let mut message = None;
            for (_, key, rdata) in candidates {
                if operations >= OPERATIONS_MAX {
                    outcome = Err(Refusal::TooManyOperations);
                    break;
                }
                operations += 1;
                let message = message.get_or_insert_with(|| signed_octets(set, &rrsig));
                let public_key = PublicKeyBuf::new(key.public_key.to_vec(), Algorithm::from_u8(key.algorithm));
                if public_key.verify(message, rrsig.signature).is_ok() {
                    outcome = Ok(((*rdata).clone(), rrsig.expires(now)));
                    break;
                }
                outcome = Err(Refusal::Mathematics);
            }
            outcome
        });
        if let Ok((key, expires)) = &outcome {
            verification.signers.insert(key.clone());
            verification.expires = verification.expires.max(Some(*expires));
        }
        verification.verdicts.push(Verdict { key_tag: rrsig.key_tag, algorithm: rrsig.algorithm, outcome });
    }
    verification
}

/// Everything that RFC 4035 §5.3.1 asks for before the mathematics.
fn worth_trying(rrsig: &Rrsig<'_>, set: SignedSet<'_>, zone: &Name, now: Time) -> Result<(), Refusal> {
    if rrsig.type_covered != set.rtype {
        return Err(Refusal::OtherType(rrsig.type_covered));
    }
    if rrsig.signer_name != zone.to_lowercase() || !zone.zone_of(set.owner) {
        return Err(Refusal::OtherSigner(rrsig.signer_name.clone()));
    }
    // Fewer labels would mean an answer made from a wildcard. The names that are asked for here exist themselves.
    let labels = set.owner.num_labels();
    if rrsig.labels != labels {
        return Err(Refusal::Labels(rrsig.labels, labels));
    }
    let now_serial = now.0.div_euclid(1000) as u32;
    if distance(now_serial, rrsig.inception) > CLOCK_SKEW_S {
        return Err(Refusal::NotYetValid(nearest(rrsig.inception, now)));
    }
    // Valid up to and including the expiration.
    if distance(now_serial, rrsig.expiration) < -CLOCK_SKEW_S {
        return Err(Refusal::Expired(nearest(rrsig.expiration, now)));
    }
    // More than 68 years long: as serial numbers, the end comes before the beginning.
    if distance(rrsig.inception, rrsig.expiration) < 0 {
        return Err(Refusal::EndBeforeBeginning);
    }
    // RSA with SHA-256 and SHA-512, ECDSA with both curves, Ed25519. Not Ed448, which nothing here can verify, and not
    // RSA with SHA-1, which validators may treat as unsigned.
    if !matches!(rrsig.algorithm, 8 | 10 | 13 | 14 | 15) {
        return Err(Refusal::Algorithm(rrsig.algorithm));
    }
    Ok(())
}

/// What the signature was made over: its own fields, then every record in canonical order, each once and with the
/// original TTL. A [`RecordSet`] of canonical RDATA is in that order and without duplicates by its nature.
fn signed_octets(set: SignedSet<'_>, rrsig: &Rrsig<'_>) -> Vec<u8> {
    const CLASS_IN: [u8; 2] = [0, 1];
    let owner = ns_rdata(set.owner);
    let mut octets = rrsig.fixed.to_vec();
    octets.extend_from_slice(ns_rdata(&rrsig.signer_name).as_wire());
    for rdata in set.records {
        // RDATA that came in a message has at most 65535 octets; longer octets match no signature.
        let length = u16::try_from(rdata.as_wire().len()).unwrap_or(u16::MAX);
        octets.extend_from_slice(owner.as_wire());
        octets.extend(u16::from(set.rtype).to_be_bytes());
        octets.extend(CLASS_IN);
        octets.extend(rrsig.original_ttl_s.to_be_bytes());
        octets.extend(length.to_be_bytes());
        octets.extend_from_slice(rdata.as_wire());
    }
    octets
}

#[cfg(test)]
mod tests;
