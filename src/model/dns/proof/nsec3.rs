//! What NSEC3 records prove (RFC 5155 §8).
//!
//! Invariant: hashing is bounded. Above [`ITERATIONS_HASHED_MAX`] validators treat the zone as insecure (RFC 9276 §3.2), and
//! nothing is hashed here either.

use super::denial::contradicts;
use super::sets::{Sets, ancestor, labels, wildcard_of};
use crate::model::dns::{Name, RecordType};
use data_encoding::BASE32HEX_NOPAD;
use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC3};
use hickory_proto::rr::RData;
use std::cell::RefCell;
use std::collections::HashMap;

/// Beyond this BIND, Unbound and Knot Resolver do not validate, and answer without the AD bit.
pub(super) const ITERATIONS_HASHED_MAX: u16 = 150;
/// Beyond this validators may answer SERVFAIL (RFC 9276 §3.2).
pub(super) const ITERATIONS_MAX: u16 = 500;

struct Nsec3 {
    hash: Vec<u8>,
    rdata: NSEC3,
}

impl Nsec3 {
    fn has(&self, rtype: RecordType) -> bool {
        self.rdata.type_set().contains(rtype)
    }

    fn covers(&self, hash: &[u8]) -> bool {
        let (owner, next) = (self.hash.as_slice(), self.rdata.next_hashed_owner_name());
        // The last one leads back to the first.
        if owner < next { owner < hash && hash < next } else { hash > owner || hash < next }
    }
}

pub(super) struct Nsec3s {
    apex: Name,
    records: Vec<Nsec3>,
    iterations: u16,
    salt: Vec<u8>,
    hashes: RefCell<HashMap<Name, Vec<u8>>>,
}

/// The closest name above another that exists, and the record that covers the next closer name.
struct Closest<'a> {
    encloser: Name,
    covering: &'a Nsec3,
}

impl Nsec3s {
    /// `None` without any. All must have the parameters of the first (RFC 5155 §8.2).
    pub fn of(apex: &Name, authorities: &Sets) -> Option<Nsec3s> {
        let read = authorities.of_type(RecordType::NSEC3).flat_map(|(owner, set)| {
            set.records.iter().filter_map(move |rdata| match rdata.parse(RecordType::NSEC3) {
                Ok(RData::DNSSEC(DNSSECRData::NSEC3(rdata))) if owner.base_name() == *apex => {
                    let label = owner.iter().next()?.to_ascii_uppercase();
                    Some(Nsec3 { hash: BASE32HEX_NOPAD.decode(&label).ok()?, rdata })
                }
                _ => None,
            })
        });
        let mut records: Vec<Nsec3> = read.collect();
        let first = records.first()?;
        let (iterations, salt) = (first.rdata.iterations(), first.rdata.salt().to_vec());
        records.retain(|one| one.rdata.iterations() == iterations && one.rdata.salt() == salt);
        Some(Nsec3s { apex: apex.clone(), records, iterations, salt, hashes: RefCell::default() })
    }

    /// Whether resolvers validate with these at all.
    fn validates(&self) -> Result<bool, String> {
        if self.iterations > ITERATIONS_MAX {
            return Err(format!(
                "its NSEC3 records have {} iterations, for which validators answer SERVFAIL",
                self.iterations
            ));
        }
        Ok(self.iterations <= ITERATIONS_HASHED_MAX)
    }

    fn hash(&self, name: &Name) -> Vec<u8> {
        if let Some(hash) = self.hashes.borrow().get(name) {
            return hash.clone();
        }
        // A name that exists can be hashed; what cannot matches nothing.
        let hash = Nsec3HashAlgorithm::SHA1.hash(&self.salt, name, self.iterations);
        let hash = hash.map(|digest| digest.as_ref().to_vec()).unwrap_or_default();
        self.hashes.borrow_mut().insert(name.clone(), hash.clone());
        hash
    }

    fn at(&self, name: &Name) -> Option<&Nsec3> {
        let hash = self.hash(name);
        self.records.iter().find(|one| one.hash == hash)
    }

    /// Whether the record of this name denies the type.
    pub fn denies(&self, name: &Name, rtype: RecordType) -> bool {
        self.iterations <= ITERATIONS_HASHED_MAX && self.at(name).is_some_and(|at| !at.has(rtype))
    }

    fn covering(&self, name: &Name) -> Result<&Nsec3, String> {
        let hash = self.hash(name);
        let covering = self.records.iter().find(|one| one.covers(&hash));
        covering.ok_or_else(|| {
            let label = BASE32HEX_NOPAD.encode(&hash).to_ascii_lowercase();
            format!("no NSEC3 record covers {} (hash {label})", name.to_ascii())
        })
    }

    /// RFC 5155 §8.3.
    fn closest(&self, name: &Name) -> Result<Closest<'_>, String> {
        for count in (labels(&self.apex)..labels(name)).rev() {
            let encloser = ancestor(name, count);
            let Some(at) = self.at(&encloser) else { continue };
            if at.has(RecordType::DNAME) || at.has(RecordType::NS) && !at.has(RecordType::SOA) {
                return Err(format!("the NSEC3 record of {} is that of a delegation or DNAME", encloser.to_ascii()));
            }
            let covering = self.covering(&ancestor(name, count + 1))?;
            return Ok(Closest { encloser, covering });
        }
        Err(format!("no NSEC3 record shows which name above {} exists", name.to_ascii()))
    }

    pub fn no_name(&self, name: &Name) -> Result<bool, String> {
        if !self.validates()? {
            return Ok(false);
        }
        let Closest { encloser, covering } = self.closest(name)?;
        let opted_out = covering.rdata.opt_out();
        if let Some(wildcard) = wildcard_of(&encloser) {
            self.covering(&wildcard)?;
        }
        Ok(opted_out)
    }

    pub fn no_type(&self, name: &Name, rtype: RecordType) -> Result<bool, String> {
        if !self.validates()? {
            return Ok(false);
        }
        if let Some(at) = self.at(name) {
            return contradicts(|rtype| at.has(rtype), name, rtype).map_or(Ok(false), Err);
        }
        let Closest { encloser, covering } = self.closest(name)?;
        let wildcard = wildcard_of(&encloser);
        if let Some((wildcard, at)) = wildcard.as_ref().and_then(|wildcard| Some((wildcard, self.at(wildcard)?))) {
            return contradicts(|rtype| at.has(rtype), wildcard, rtype).map_or(Ok(false), Err);
        }
        // A delegation without DS, or a name that exists because of one below it (RFC 5155 §8.6, erratum 3441).
        if covering.rdata.opt_out() {
            return Ok(true);
        }
        Err(format!("no NSEC3 record of {} or of a wildcard for it shows which types it has", name.to_ascii()))
    }

    pub fn no_closer_than(&self, name: &Name, encloser: &Name) -> Result<(), String> {
        if !self.validates()? {
            return Ok(());
        }
        self.covering(&ancestor(name, labels(encloser) + 1)).map(|_| ())
    }

    pub fn insecure_cut(&self, cut: &Name) -> Result<(), String> {
        if !self.validates()? {
            return Ok(());
        }
        let Some(at) = self.at(cut) else {
            let opted_out = self.closest(cut)?.covering.rdata.opt_out();
            let why =
                || format!("no NSEC3 record of {} shows whether it has a DS, and opt-out is not set", cut.to_ascii());
            return if opted_out { Ok(()) } else { Err(why()) };
        };
        match () {
            () if at.has(RecordType::SOA) => {
                Err(format!("the NSEC3 record of {} is that of the child zone", cut.to_ascii()))
            }
            () if at.has(RecordType::DS) => {
                Err(format!("the NSEC3 record of {} says that DS is there", cut.to_ascii()))
            }
            () if !at.has(RecordType::NS) => {
                Err(format!("the NSEC3 record of {} says that NS is not there", cut.to_ascii()))
            }
            () => Ok(()),
        }
    }
}
