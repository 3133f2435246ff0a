//! The RRsets of one section with their signatures, and what is wrong with one of them (RFC 4035 §5.3).

use super::ZoneKeys;
use crate::model::dns::rdata::{Rdata, RecordSet};
use crate::model::dns::verify::{Rrsig, SignedSet, verify};
use crate::model::dns::{ns_name, type_text};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No RRSIG record covers the RRset.
    Unsigned,
    /// RRSIG records are there, and none of them verifies: each with its reason.
    BadSignature(String),
    /// The TTL is larger than the one that was signed (RFC 4034 §3.1.4).
    TtlAboveSigned { served_s: u32, signed_s: u32 },
    /// NSEC or NSEC3 records do not prove what the answer says.
    Unproven(String),
    /// The server gave no answer that a resolver can use.
    Unanswered(String),
}

impl Fault {
    /// Stable, kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Unsigned => "signature-missing",
            Fault::BadSignature(_) => "signature-bogus",
            Fault::TtlAboveSigned { .. } => "ttl-above-signed",
            Fault::Unproven(_) => "denial-unproven",
            Fault::Unanswered(_) => "data-unanswered",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unsigned => f.write_str("no RRSIG record covers it"),
            Fault::BadSignature(why) => f.write_str(why),
            Fault::TtlAboveSigned { served_s, signed_s } => {
                write!(f, "its TTL is {served_s} s, and it was signed with a TTL of {signed_s} s")
            }
            Fault::Unproven(why) => f.write_str(why),
            Fault::Unanswered(why) => f.write_str(why),
        }
    }
}

/// A fault with the RRset that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub name: Name,
    pub rtype: RecordType,
    pub fault: Fault,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.name.to_ascii(), type_text(self.rtype), self.fault)
    }
}

pub(super) fn flaw(name: &Name, rtype: RecordType, fault: Fault) -> Flaw {
    Flaw { name: name.clone(), rtype, fault }
}

/// In lower case, with the final dot.
pub(super) fn absolute(name: &Name) -> Name {
    let mut name = name.to_lowercase();
    name.set_fqdn(true);
    name
}

/// The labels of a name, a leading `*` among them.
pub(super) fn labels(name: &Name) -> usize {
    name.iter().count()
}

/// The last labels of a name.
pub(super) fn ancestor(name: &Name, labels: usize) -> Name {
    let skipped = name.iter().count().saturating_sub(labels);
    // A part of a name is no longer than the name.
    Name::from_labels(name.iter().skip(skipped)).map_or_else(|_| Name::root(), |name| absolute(&name))
}

/// `*.` and the name; `None` when that is too long to be a name.
pub(super) fn wildcard_of(name: &Name) -> Option<Name> {
    name.prepend_label("*").ok().map(|name| absolute(&name))
}

/// One RRset.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub records: RecordSet,
    /// The largest.
    pub ttl_s: u32,
    pub signatures: RecordSet,
}

impl Set {
    /// Verifies the set with a key of the zone. Returns the wildcard that it was expanded from, if it was.
    pub fn verify(&self, zone: ZoneKeys<'_>, owner: &Name, rtype: RecordType) -> Result<Option<Name>, Flaw> {
        if self.signatures.is_empty() {
            return Err(flaw(owner, rtype, Fault::Unsigned));
        }
        let read: Vec<Rrsig<'_>> = self.signatures.iter().filter_map(Rrsig::read).collect();
        let signed = |owner: &Name| {
            let set = SignedSet { owner, rtype, records: &self.records, signatures: &self.signatures };
            verify(set, zone.apex, zone.keys, zone.now)
        };
        let direct = signed(owner);
        let source = if direct.is_verified() { None } else { self.wildcard(owner, &read) };
        let is_good = source.as_ref().map_or_else(|| direct.is_verified(), |source| signed(source).is_verified());
        if !is_good {
            let reasons = source.map_or_else(|| direct.reasons(), |source| signed(&source).reasons());
            return Err(flaw(owner, rtype, Fault::BadSignature(reasons)));
        }
        let signed_s = read.iter().map(|rrsig| rrsig.original_ttl_s).max().unwrap_or(self.ttl_s);
        if self.ttl_s > signed_s {
            return Err(flaw(owner, rtype, Fault::TtlAboveSigned { served_s: self.ttl_s, signed_s }));
        }
        Ok(source)
    }

    /// The wildcard that signatures with fewer labels than the owner were made for (RFC 4035 §5.3.2).
    fn wildcard(&self, owner: &Name, signatures: &[Rrsig<'_>]) -> Option<Name> {
        let signed = usize::from(signatures.iter().map(|rrsig| rrsig.labels).min()?);
        (signed < usize::from(owner.num_labels())).then(|| wildcard_of(&ancestor(owner, signed))).flatten()
    }

    /// Where an alias leads.
    pub fn target(&self, rtype: RecordType) -> Option<Name> {
        let rdata = self.records.first()?;
        match rtype {
            // The wire form of both is one name, and so is that of NS.
            RecordType::CNAME | RecordType::DNAME => ns_name(rdata).ok().map(|name| absolute(&name)),
            _ => None,
        }
    }
}

/// The RRsets of one section, by name and type.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets(BTreeMap<(Name, RecordType), Set>);

impl Sets {
    pub fn of(section: &[Record]) -> Sets {
        let mut sets: BTreeMap<(Name, RecordType), Set> = BTreeMap::new();
        for record in section.iter().filter(|record| record.dns_class == DNSClass::IN) {
            let (owner, rtype) = (absolute(&record.name), record.record_type());
            let Some(rdata) = canonical(record) else { continue };
            if rtype == RecordType::RRSIG {
                if let Some(covered) = Rrsig::read(&rdata).map(|rrsig| rrsig.type_covered) {
                    sets.entry((owner, covered)).or_default().signatures.insert(rdata);
                }
                continue;
            }
            let set = sets.entry((owner, rtype)).or_default();
            set.ttl_s = set.ttl_s.max(record.ttl);
            set.records.insert(rdata);
        }
        sets.retain(|_, set| !set.records.is_empty());
        Sets(sets)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, owner: &Name, rtype: RecordType) -> Option<&Set> {
        self.0.get(&(owner.clone(), rtype))
    }

    /// Every RRset of one type.
    pub fn of_type(&self, rtype: RecordType) -> impl Iterator<Item = (&Name, &Set)> {
        self.0.iter().filter(move |((_, of), _)| *of == rtype).map(|((owner, _), set)| (owner, set))
    }

    /// The DNAME of a name above this one.
    pub fn dname_above(&self, name: &Name) -> Option<(&Name, &Set)> {
        self.of_type(RecordType::DNAME).find(|(owner, _)| owner.zone_of(name) && *owner != name)
    }

    /// The zone cut that this name is at or below, as a referral names it.
    pub fn cut_above(&self, apex: &Name, name: &Name) -> Option<&Name> {
        let is_cut = |owner: &&Name| apex.zone_of(owner) && *owner != apex && owner.zone_of(name);
        self.of_type(RecordType::NS).map(|(owner, _)| owner).find(is_cut)
    }
}

/// RDATA in the canonical form of RFC 4034 §6.2; `None` where it cannot be read.
fn canonical(record: &Record) -> Option<Rdata> {
    let rdata = Rdata::of(&record.data).ok()?;
    // Types with names that are kept as octets: in these the names are lowered by whoever signs. No length of a label has
    // the value of a capital letter.
    let names_from = match (&record.data, u16::from(record.record_type())) {
        // MD, MF, MB, MG, MR, MINFO, RP, DNAME
        (RData::Unknown { .. }, 3 | 4 | 7 | 8 | 9 | 14 | 17 | 39) => 0,
        // AFSDB, RT, PX, KX
        (RData::Unknown { .. }, 18 | 21 | 26 | 36) => 2,
        _ => return Some(rdata),
    };
    let mut octets = rdata.as_wire().to_vec();
    octets.iter_mut().skip(names_from).for_each(|octet| octet.make_ascii_lowercase());
    Some(Rdata::from_canonical(octets))
}
