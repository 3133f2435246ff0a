//! From wanted sets to one UPDATE message (RFC 2136), and what its answer means.
//!
//! Invariants: one message holds the whole change, so it happens all or not at all; it changes no record that need not
//! change; it holds only if the sets are still those that the change was computed from. No whole RRset is ever deleted,
//! for servers refuse that for DNSKEY while CDS records exist, and ignore it for NS; but CSYNC is, for PowerDNS (4.7) finds
//! no single CSYNC record that is to go. Nothing is sent from here.

use crate::{Change, Rdata, Rrset, Wanted};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::collections::BTreeSet;

/// An RRset that has to be exactly so for the update to happen (RFC 2136 §2.4.2); no records: it must not exist
/// (§2.4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prerequisite {
    pub owner: Name,
    pub rtype: RecordType,
    pub records: BTreeSet<Rdata>,
}

/// Records to add to and remove from one RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    pub owner: Name,
    /// For what is added. Servers give the whole RRset this TTL.
    pub ttl_s: u32,
    pub change: Change,
}

/// One UPDATE message. Sets that go altogether go first; then adds are put before deletes, both in the order given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    pub prerequisites: Vec<Prerequisite>,
    /// RRsets that are deleted (RFC 2136 §2.5.2).
    pub deleted: Vec<(Name, RecordType)>,
    pub changes: Vec<RecordChange>,
}

impl Update {
    pub(super) fn message(&self, zone: &Name) -> Message {
        let mut message = Message::query();
        message.metadata.message_type = MessageType::Query;
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(zone.clone(), RecordType::SOA));
        for Prerequisite { owner, rtype, records } in &self.prerequisites {
            if records.is_empty() {
                let mut absent = Record::update0(owner.clone(), 0, *rtype);
                absent.dns_class = DNSClass::NONE;
                message.add_answer(absent);
            }
            for rdata in records {
                message.add_answer(record(owner, *rtype, 0, DNSClass::IN, rdata));
            }
        }
        for (owner, rtype) in &self.deleted {
            let mut all = Record::update0(owner.clone(), 0, *rtype);
            all.dns_class = DNSClass::ANY;
            message.add_authority(all);
        }
        for RecordChange { owner, ttl_s, change } in &self.changes {
            for rdata in &change.added {
                message.add_authority(record(owner, change.rtype, *ttl_s, DNSClass::IN, rdata));
            }
        }
        for RecordChange { owner, change, .. } in self.changes.iter().rev() {
            for rdata in &change.removed {
                message.add_authority(record(owner, change.rtype, 0, DNSClass::NONE, rdata));
            }
        }
        message
    }

    /// The type that this update is about, when it is about one only.
    pub(super) fn only_type(&self) -> Option<RecordType> {
        let first = self.changes.first()?.change.rtype;
        self.changes.iter().all(|c| c.change.rtype == first).then_some(first)
    }
}

/// The RDATA goes out octet by octet as given: parsed and put together again it could come out differently.
fn record(owner: &Name, rtype: RecordType, ttl_s: u32, class: DNSClass, rdata: &Rdata) -> Record {
    let data = RData::Unknown { code: rtype, rdata: NULL::with(rdata.clone()) };
    let mut record = Record::from_rdata(owner.clone(), ttl_s, data);
    record.dns_class = class;
    record
}

/// The update that makes these changes to what is there now. `guarded`: which sets have to be as they were read.
pub(super) fn plan(
    zone: &Name,
    wanted: &[Wanted],
    current: &[Rrset],
    changes: &[Change],
    guarded: impl Fn(RecordType) -> bool,
) -> Update {
    let mut update = Update::default();
    for change in changes {
        if guarded(change.rtype) {
            update.prerequisites.push(as_it_is(zone, current, change.rtype));
        }
        let ttl_s = wanted.iter().find(|w| w.rtype() == change.rtype).map_or(0, |w| match w {
            Wanted::Exactly { ttl_s, .. } | Wanted::Partly { ttl_s, .. } => *ttl_s,
        });
        let mut change = change.clone();
        if change.rtype == RecordType::CSYNC && !change.removed.is_empty() {
            update.deleted.push((zone.clone(), change.rtype));
            let kept = current.iter().filter(|set| set.rtype == change.rtype).flat_map(|set| &set.records);
            change.added.extend(kept.filter(|record| !change.removed.contains(*record)).cloned());
            change.removed.clear();
        }
        update.changes.push(RecordChange { owner: zone.clone(), ttl_s, change });
    }
    update
}

pub(super) fn as_it_is(zone: &Name, current: &[Rrset], rtype: RecordType) -> Prerequisite {
    let records = current.iter().find(|rrset| rrset.rtype == rtype).map(|rrset| rrset.records.clone());
    Prerequisite { owner: zone.clone(), rtype, records: records.unwrap_or_default() }
}

/// A change of nothing that needs the permission to change the type: a record is deleted that is not there. Never one added
/// that is there: a server that keeps what it serves apart from what updates change would store it, and an own key that is
/// stored outlives its rollover. `None` where no such record can be said.
pub(super) fn idle_change(zone: &Name, current: &[Rrset], rtype: RecordType) -> Option<RecordChange> {
    let is = current.iter().find(|rrset| rrset.rtype == rtype);
    let removed = BTreeSet::from([absent_record(rtype, is)?]);
    let change = Change { rtype, added: BTreeSet::new(), removed };
    Some(RecordChange { owner: zone.clone(), ttl_s: 0, change })
}

/// A well-formed record that is not in the set.
fn absent_record(rtype: RecordType, is: Option<&Rrset>) -> Option<Rdata> {
    let with = |n: u8| -> Option<Rdata> {
        match rtype {
            RecordType::CDS => Some([vec![0, 1, 13, 2], vec![n; 32]].concat()),
            // BIND answers SERVFAIL unless it is the flags of a key and a point on the curve.
            RecordType::DNSKEY | RecordType::CDNSKEY => {
                let flags = [[1, 1], [1, 0]].get(usize::from(n))?.to_vec();
                Some([flags, vec![3, 13], P256_BASE_POINT.to_vec()].concat())
            }
            // Below a name that nobody has (RFC 6761 §6.4).
            RecordType::NS => Some(format!("\x06ns-{n:03}\x07invalid\0").into_bytes()),
            // SOA serial and flags, no types.
            RecordType::CSYNC => Some(vec![n; 4].into_iter().chain([0, 0]).collect()),
            _ => None,
        }
    };
    (0..=u8::MAX).filter_map(with).find(|rdata| is.is_none_or(|rrset| !rrset.records.contains(rdata)))
}

/// The base point of P-256 (FIPS 186-4, D.1.2.3). Everybody knows its private key, which is 1: it may be deleted where it is not,
/// and never be added.
const P256_BASE_POINT: [u8; 64] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d,
    0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
    0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb,
    0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::difference;

    fn set(records: &[&[u8]]) -> BTreeSet<Rdata> {
        records.iter().map(|rdata| rdata.to_vec()).collect()
    }

    fn rrset(rtype: RecordType, records: &[&[u8]]) -> Rrset {
        Rrset { rtype, ttl_s: 60, records: set(records) }
    }

    fn zone() -> Name {
        Name::from_ascii("music1.example.").unwrap()
    }

    #[test]
    fn adds_come_before_deletes_and_the_cds_goes_before_its_key() {
        let wanted = [
            Wanted::Exactly { rtype: RecordType::CDS, ttl_s: 5, records: set(&[b"c2"]) },
            Wanted::Partly { rtype: RecordType::DNSKEY, ttl_s: 7, with: set(&[b"k2"]), without: set(&[b"k1"]) },
        ];
        let current = [rrset(RecordType::CDS, &[b"c1"]), rrset(RecordType::DNSKEY, &[b"k1"])];
        let message = plan(&zone(), &wanted, &current, &difference(&wanted, &current), |_| true).message(&zone());
        let line = |r: &Record| (r.record_type(), r.dns_class, r.ttl);
        use RecordType::{CDS, DNSKEY};
        assert_eq!(
            message.authorities.iter().map(line).collect::<Vec<_>>(),
            vec![
                (DNSKEY, DNSClass::IN, 7),
                (CDS, DNSClass::IN, 5),
                (CDS, DNSClass::NONE, 0),
                (DNSKEY, DNSClass::NONE, 0)
            ]
        );
        assert_eq!(
            message.answers.iter().map(line).collect::<Vec<_>>(),
            vec![(DNSKEY, DNSClass::IN, 0), (CDS, DNSClass::IN, 0)]
        );
    }

    #[test]
    fn a_csync_goes_with_its_set_and_what_is_to_stay_of_it_is_put_back_behind_that() {
        let csync = |records: &[&[u8]]| Wanted::Exactly { rtype: RecordType::CSYNC, ttl_s: 5, records: set(records) };
        let current = [rrset(RecordType::CSYNC, &[b"old", b"kept"])];
        let authorities = |wanted: &[Wanted]| {
            let message = plan(&zone(), wanted, &current, &difference(wanted, &current), |_| true).message(&zone());
            message.authorities.iter().map(|r| (r.dns_class, r.ttl)).collect::<Vec<_>>()
        };
        use DNSClass::{ANY, IN};
        assert_eq!(authorities(&[csync(&[])]), [(ANY, 0)]);
        assert_eq!(authorities(&[csync(&[b"kept", b"new"])]), [(ANY, 0), (IN, 5), (IN, 5)]);
        assert_eq!(authorities(&[csync(&[b"old", b"kept", b"new"])]), [(IN, 5)], "nothing goes");
    }

    #[test]
    fn a_set_that_is_not_there_is_required_not_to_be_there() {
        let wanted = [Wanted::Exactly { rtype: RecordType::CSYNC, ttl_s: 5, records: set(&[b"s"]) }];
        let message = plan(&zone(), &wanted, &[], &difference(&wanted, &[]), |_| true).message(&zone());
        let octets = message.to_vec().unwrap();
        assert_eq!(message.answers.len(), 1);
        // Name (a pointer), type 62, class NONE, TTL 0, no RDATA.
        let prerequisite = [0xc0, 12, 0, 62, 0, 254, 0, 0, 0, 0, 0, 0];
        assert!(octets.windows(12).any(|part| part == prerequisite), "{octets:02x?}");
    }
}
