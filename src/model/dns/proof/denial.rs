//! The denials in one answer, verified: NSEC or NSEC3, whichever the zone uses.

use super::ZoneKeys;
use super::nsec::Nsecs;
use super::nsec3::Nsec3s;
use super::sets::{Fault, Flaw, Sets, flaw};
use crate::model::dns::{Name, RecordType};

/// Every NSEC or NSEC3 record of an answer.
pub(super) enum Denials {
    None,
    Nsec(Nsecs),
    Nsec3(Nsec3s),
}

const NONE: &str = "the answer has no NSEC or NSEC3 record";

impl Denials {
    /// Verifies all of them. One that comes from a wildcard proves nothing (RFC 4035 §5.4).
    pub fn of(zone: ZoneKeys<'_>, authorities: &Sets) -> Result<Denials, Flaw> {
        for rtype in [RecordType::NSEC, RecordType::NSEC3] {
            for (owner, set) in authorities.of_type(rtype) {
                if set.verify(zone, owner, rtype)?.is_some() {
                    let why = format!("its {rtype} record comes from a wildcard");
                    return Err(flaw(owner, rtype, Fault::BadSignature(why)));
                }
            }
        }
        let nsecs = Nsecs::of(zone.apex, authorities);
        if !nsecs.is_empty() {
            return Ok(Denials::Nsec(nsecs));
        }
        Ok(Nsec3s::of(zone.apex, authorities).map_or(Denials::None, Denials::Nsec3))
    }

    /// That the name does not exist, nor a wildcard for it. Returns whether that rests on opt-out.
    pub fn no_name(&self, name: &Name) -> Result<bool, String> {
        match self {
            Denials::None => Err(NONE.into()),
            Denials::Nsec(nsecs) => nsecs.no_name(name).map(|()| false),
            Denials::Nsec3(nsec3s) => nsec3s.no_name(name),
        }
    }

    /// That the name, or the wildcard for it, does not have the type. Returns whether that rests on opt-out.
    pub fn no_type(&self, name: &Name, rtype: RecordType) -> Result<bool, String> {
        match self {
            Denials::None => Err(NONE.into()),
            Denials::Nsec(nsecs) => nsecs.no_type(name, rtype).map(|()| false),
            Denials::Nsec3(nsec3s) => nsec3s.no_type(name, rtype),
        }
    }

    /// That nothing is closer to the name than `encloser`, so that the wildcard there stands for it.
    pub fn no_closer_than(&self, name: &Name, encloser: &Name) -> Result<(), String> {
        match self {
            Denials::None => Err(NONE.into()),
            Denials::Nsec(nsecs) => nsecs.no_closer_than(name, encloser),
            Denials::Nsec3(nsec3s) => nsec3s.no_closer_than(name, encloser),
        }
    }

    /// That a zone cut has no DS RRset.
    pub fn insecure_cut(&self, cut: &Name) -> Result<(), String> {
        match self {
            Denials::None => Err(NONE.into()),
            Denials::Nsec(nsecs) => nsecs.insecure_cut(cut),
            Denials::Nsec3(nsec3s) => nsec3s.insecure_cut(cut),
        }
    }
}

/// What the bitmap of a matching record says against the answer; `None`: the type is not there.
pub(super) fn contradicts(has: impl Fn(RecordType) -> bool, at: &Name, rtype: RecordType) -> Option<String> {
    let at = at.to_ascii();
    let is_cut = has(RecordType::NS) && !has(RecordType::SOA);
    match rtype {
        _ if has(rtype) => Some(format!("the record at {at} says that {rtype} is there")),
        _ if has(RecordType::CNAME) => Some(format!("the record at {at} says that CNAME is there")),
        // The child's record says nothing of the parent's DS, and the parent's nothing of the child's data (RFC 6840 §4.1).
        RecordType::DS if has(RecordType::SOA) => Some(format!("the record at {at} is that of the child zone")),
        RecordType::DS => None,
        _ if is_cut => Some(format!("the record at {at} is that of a delegation")),
        _ => None,
    }
}
