//! RDATA as octets in canonical wire form (RFC 4034 §6.2): uncompressed, names in lower case.
//!
//! Invariant: two records are the same record if and only if their [`Rdata`] are equal. Presentation form is never
//! compared, it differs between servers (case, blanks, mnemonics).

use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{
    BinDecodable, BinDecoder, BinEncodable, BinEncoder, NameEncoding, RDataEncoding, Restrict,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// One record's RDATA, canonical. Copies share the octets, and what was worked out from them.
#[derive(Clone)]
pub struct Rdata(Arc<Octets>);

/// Octets, with what follows from them alone, worked out when it is first asked for: a history is judged over and over,
/// and it holds the same records in many versions.
struct Octets {
    wire: Box<[u8]>,
    key_tag: OnceLock<u16>,
    /// The DS record with SHA-256, for the owner that it was first asked for: a key belongs to one zone.
    ds: OnceLock<(Name, Rdata)>,
    host: OnceLock<Option<Name>>,
}

impl PartialEq for Rdata {
    fn eq(&self, other: &Rdata) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.wire == other.0.wire
    }
}

impl Eq for Rdata {}

impl PartialOrd for Rdata {
    fn partial_cmp(&self, other: &Rdata) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rdata {
    fn cmp(&self, other: &Rdata) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.wire.cmp(&other.0.wire) }
    }
}

impl Hash for Rdata {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.wire.hash(state);
    }
}

/// The RDATA of an RRset. The owner, type and TTL are said where it is used.
pub type RecordSet = BTreeSet<Rdata>;

/// RDATA that is not of its type's form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rtype} RDATA cannot be read: {reason}")]
pub struct RdataError {
    pub rtype: RecordType,
    pub reason: String,
}

impl Rdata {
    /// Canonical form of parsed RDATA.
    pub fn of(data: &RData) -> Result<Rdata, RdataError> {
        let failed = |e: &dyn fmt::Display| RdataError { rtype: data.record_type(), reason: e.to_string() };
        let mut wire = Vec::new();
        let mut encoder = BinEncoder::new(&mut wire);
        encoder.set_canonical_form(true);
        encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
        // RFC 4034 §6.2: names inside NS, SOA and the like are lowered, those in types defined later are not.
        let mut encoder = encoder.with_rdata_behavior(RDataEncoding::Canonical);
        data.emit(&mut encoder).map_err(|e| failed(&e))?;
        drop(encoder);
        Ok(Rdata::from_canonical(wire))
    }

    /// Canonical form of RDATA in uncompressed wire form; refuses what is not of the type's form.
    pub fn from_wire(rtype: RecordType, wire: &[u8]) -> Result<Rdata, RdataError> {
        Rdata::of(&parse(rtype, wire)?)
    }

    /// Octets that are known to be canonical: put together here, or stored before.
    pub fn from_canonical(wire: Vec<u8>) -> Rdata {
        let (key_tag, ds, host) = Default::default();
        Rdata(Arc::new(Octets { wire: wire.into(), key_tag, ds, host }))
    }

    pub fn as_wire(&self) -> &[u8] {
        &self.0.wire
    }

    /// RFC 4034 appendix B, of a DNSKEY. Algorithm 1, whose tag is made differently, is not supported by anybody.
    pub(super) fn key_tag(&self) -> u16 {
        *self.0.key_tag.get_or_init(|| {
            let sum = self.as_wire().iter().enumerate().fold(0u32, |sum, (i, octet)| {
                sum.wrapping_add(if i % 2 == 0 { u32::from(*octet) << 8 } else { u32::from(*octet) })
            });
            (sum.wrapping_add(sum >> 16) & 0xffff) as u16
        })
    }

    /// What `make` makes of this DNSKEY for this owner, made once.
    pub(super) fn ds(&self, owner: &Name, make: impl Fn() -> Option<Rdata>) -> Option<Rdata> {
        if self.0.ds.get().is_none() {
            // Whoever comes second makes the same.
            let _ = self.0.ds.set((owner.clone(), make()?));
        }
        match self.0.ds.get() {
            Some((of, ds)) if same_name(of, owner) => Some(ds.clone()),
            _ => make(),
        }
    }

    pub fn parse(&self, rtype: RecordType) -> Result<RData, RdataError> {
        parse(rtype, self.as_wire())
    }
}

fn parse(rtype: RecordType, wire: &[u8]) -> Result<RData, RdataError> {
    let failed = |reason: String| RdataError { rtype, reason };
    let length = u16::try_from(wire.len()).map_err(|_| failed("more than 65535 octets".into()))?;
    let mut decoder = BinDecoder::new(wire);
    let data = RData::read(&mut decoder, rtype, Restrict::new(length)).map_err(|e| failed(e.to_string()))?;
    if decoder.is_empty() { Ok(data) } else { Err(failed("octets left over".into())) }
}

/// Whether two names are equal. Most that are equal are written alike, and that is seen quicker.
fn same_name(a: &Name, b: &Name) -> bool {
    a.is_fqdn() == b.is_fqdn() && a.iter().eq(b.iter()) || a == b
}

/// The RDATA of an NS record that names `host`.
pub fn ns_rdata(host: &Name) -> Rdata {
    let mut wire = Vec::new();
    let mut encoder = BinEncoder::new(&mut wire);
    encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
    // Encoding a name that exists fails only when the buffer is full, and a name has at most 255 octets.
    let _ = host.emit(&mut encoder);
    Rdata::from_canonical(wire)
}

/// The host that an NS record names, in lower case.
pub fn ns_name(ns: &Rdata) -> Result<Name, RdataError> {
    match ns.0.host.get_or_init(|| read_host(ns).ok()) {
        Some(host) => Ok(host.clone()),
        None => read_host(ns),
    }
}

fn read_host(ns: &Rdata) -> Result<Name, RdataError> {
    let failed = |reason: String| RdataError { rtype: RecordType::NS, reason };
    let mut decoder = BinDecoder::new(ns.as_wire());
    let name = Name::read(&mut decoder).map_err(|e| failed(e.to_string()))?;
    if decoder.is_empty() { Ok(name.to_lowercase()) } else { Err(failed("octets left over".into())) }
}

impl fmt::Debug for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", hex(self.as_wire()))
    }
}

/// Lower-case hexadecimal.
pub fn hex(octets: &[u8]) -> String {
    let digit = |of: u8| char::from_digit(u32::from(of), 16).unwrap_or_default();
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// Stored as hexadecimal.
impl Serialize for Rdata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(self.as_wire()))
    }
}

impl<'de> Deserialize<'de> for Rdata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unhex(&text).map(Rdata::from_canonical).ok_or_else(|| serde::de::Error::custom("RDATA is not hexadecimal"))
    }
}

/// The octets of a hexadecimal text; `None` when it is not one.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn name_servers_that_differ_in_case_only_are_the_same_record() {
        let shouted =
            Rdata::of(&RData::NS(hickory_proto::rr::rdata::NS(Name::from_str("NS1.B.Example.").unwrap()))).unwrap();
        let plain = ns_rdata(&Name::from_str("ns1.b.example.").unwrap());
        assert_eq!(shouted, plain);
        assert_eq!(ns_name(&plain).unwrap().to_string(), "ns1.b.example.");
    }

    #[test]
    fn rdata_with_octets_left_over_is_refused() {
        let mut wire = ns_rdata(&Name::from_str("ns1.b.example.").unwrap()).as_wire().to_vec();
        wire.push(0);
        assert!(Rdata::from_wire(RecordType::NS, &wire).is_err());
        assert!(Rdata::from_wire(RecordType::DS, &[0, 1, 13]).is_err());
    }

    #[test]
    fn stored_rdata_comes_back_and_damaged_text_is_refused() {
        let rdata = Rdata::from_canonical(vec![0, 255, 16]);
        let text = serde_json::to_string(&rdata).unwrap();
        assert_eq!(text, "\"00ff10\"");
        assert_eq!(serde_json::from_str::<Rdata>(&text).unwrap(), rdata);
        assert!(serde_json::from_str::<Rdata>("\"0g\"").is_err());
        assert!(serde_json::from_str::<Rdata>("\"0ä0\"").is_err());
    }
}
