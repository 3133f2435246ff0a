//! What NSEC records prove (RFC 4035 §5.4, RFC 6840 §4.1).

use super::denial::contradicts;
use super::sets::{Sets, absolute, ancestor, labels, wildcard_of};
use crate::model::dns::{Name, RecordType};
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC};
use hickory_proto::rr::RData;

struct Nsec {
    owner: Name,
    next: Name,
    rdata: NSEC,
}

impl Nsec {
    fn has(&self, rtype: RecordType) -> bool {
        self.rdata.type_set().contains(rtype)
    }

    /// Whether the name lies between owner and next name. Below a delegation or a DNAME, a record says nothing.
    fn covers(&self, apex: &Name, name: &Name) -> bool {
        let is_last = self.next == *apex;
        let leads_away = self.has(RecordType::NS) && !self.has(RecordType::SOA) || self.has(RecordType::DNAME);
        self.owner < *name && (*name < self.next || is_last) && !(leads_away && self.owner.zone_of(name))
    }
}

pub(super) struct Nsecs {
    apex: Name,
    records: Vec<Nsec>,
}

impl Nsecs {
    pub fn of(apex: &Name, authorities: &Sets) -> Nsecs {
        let read = authorities.of_type(RecordType::NSEC).flat_map(|(owner, set)| {
            set.records.iter().filter_map(move |rdata| match rdata.parse(RecordType::NSEC) {
                Ok(RData::DNSSEC(DNSSECRData::NSEC(rdata))) => {
                    Some(Nsec { owner: owner.clone(), next: absolute(rdata.next_domain_name()), rdata })
                }
                _ => None,
            })
        });
        Nsecs { apex: apex.clone(), records: read.filter(|nsec| apex.zone_of(&nsec.owner)).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn at(&self, name: &Name) -> Option<&Nsec> {
        self.records.iter().find(|nsec| nsec.owner == *name)
    }

    /// Whether the record at this name denies the type.
    pub fn denies(&self, name: &Name, rtype: RecordType) -> bool {
        self.at(name).is_some_and(|nsec| !nsec.has(rtype))
    }

    /// The record that covers this name.
    fn covering(&self, name: &Name) -> Result<&Nsec, String> {
        let covering = self.records.iter().find(|nsec| nsec.covers(&self.apex, name));
        covering.ok_or_else(|| {
            let spans: Vec<String> = self
                .records
                .iter()
                .map(|nsec| format!("{} to {}", nsec.owner.to_ascii(), nsec.next.to_ascii()))
                .collect();
            format!("no NSEC record covers {}; they cover {}", name.to_ascii(), spans.join(", "))
        })
    }

    /// The closest name above `name` that exists, for a record that covers it.
    fn encloser(&self, name: &Name, covering: &Nsec) -> Name {
        let shared = common(name, &covering.owner).max(common(name, &covering.next));
        ancestor(name, shared)
    }

    pub fn no_name(&self, name: &Name) -> Result<(), String> {
        let covering = self.covering(name)?;
        if name.zone_of(&covering.next) {
            return Err(format!(
                "names below {} exist, says the NSEC record of {}",
                name.to_ascii(),
                covering.owner.to_ascii()
            ));
        }
        let Some(wildcard) = wildcard_of(&self.encloser(name, covering)) else { return Ok(()) };
        self.covering(&wildcard).map(|_| ())
    }

    pub fn no_type(&self, name: &Name, rtype: RecordType) -> Result<(), String> {
        if let Some(nsec) = self.at(name) {
            return contradicts(|rtype| nsec.has(rtype), name, rtype).map_or(Ok(()), Err);
        }
        let covering = self.covering(name)?;
        // A name that exists only because others are below it.
        if name.zone_of(&covering.next) {
            return Ok(());
        }
        let encloser = self.encloser(name, covering);
        let wildcard = wildcard_of(&encloser).and_then(|wildcard| self.at(&wildcard));
        match wildcard {
            Some(nsec) => contradicts(|rtype| nsec.has(rtype), &nsec.owner, rtype).map_or(Ok(()), Err),
            None => Err(format!("{} does not exist, and nothing shows a wildcard for it", name.to_ascii())),
        }
    }

    pub fn no_closer_than(&self, name: &Name, encloser: &Name) -> Result<(), String> {
        let covering = self.covering(name)?;
        let found = self.encloser(name, covering);
        if labels(&found) > labels(encloser) || name.zone_of(&covering.next) {
            return Err(format!("{} is closer to it", found.to_ascii()));
        }
        Ok(())
    }

    pub fn insecure_cut(&self, cut: &Name) -> Result<(), String> {
        let Some(nsec) = self.at(cut) else {
            return Err(format!("no NSEC record of {} shows whether it has a DS", cut.to_ascii()));
        };
        match () {
            () if nsec.has(RecordType::SOA) => {
                Err(format!("the NSEC record of {} is that of the child zone", cut.to_ascii()))
            }
            () if nsec.has(RecordType::DS) => {
                Err(format!("the NSEC record of {} says that DS is there", cut.to_ascii()))
            }
            () if !nsec.has(RecordType::NS) => {
                Err(format!("the NSEC record of {} says that NS is not there", cut.to_ascii()))
            }
            () => Ok(()),
        }
    }
}

/// How many of their last labels two names share.
fn common(a: &Name, b: &Name) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}
