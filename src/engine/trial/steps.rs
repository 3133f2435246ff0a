//! What a trial writes, step by step, and what brings a zone back afterwards.
//!
//! Invariant: what is put back is what is there then, without the trial's own records and with the name server that it took
//! out: whatever else has changed meanwhile stays as it is.

use crate::model::ability::Ability;
use crate::model::dns::{
    Dnskey, Name, Rdata, RecordSet, RecordType, cds_for, hex, is_delete_request, ns_name, ns_rdata, rdata_text, unhex,
};
use crate::model::history::Kind;
use crate::store::Before;
use chorus_providers::{Rrset, Wanted};
use std::collections::BTreeSet;

/// Types whose sets are written whole.
const WHOLE: [Kind; 4] = [Kind::Cds, Kind::Cdnskey, Kind::Csync, Kind::Ns];
/// What has to be read of a zone for [`before`] and [`back`].
pub(super) fn types() -> [RecordType; 4] {
    WHOLE.map(Kind::record_type)
}

/// For sets that are not there yet.
const TTL_S: u32 = 300;

/// One change, and what every address has to show after it.
pub(super) struct Step {
    pub ability: Ability,
    /// What has to have been seen for this to mean anything.
    pub after: Option<Ability>,
    /// Empty: it cannot be tried here.
    pub wanted: Vec<Wanted>,
    pub with: Vec<(Kind, Rdata)>,
    pub without: Vec<(Kind, Rdata)>,
}

/// `hosts`: the NS records of the operator's own servers.
pub(super) fn before(read: &[Rrset], foreign: &Rdata, hosts: &RecordSet) -> Before {
    let set_of = |rtype| read.iter().find(|set| set.rtype == rtype && !set.records.is_empty());
    let sets = types().map(|rtype| {
        let set = set_of(rtype);
        let records = set.map(|set| set.records.iter().map(|octets| hex(octets)).collect()).unwrap_or_default();
        (u16::from(rtype), set.map_or(TTL_S, |set| set.ttl_s), records)
    });
    let ns = set_of(Kind::Ns.record_type()).filter(|set| set.records.len() > 1);
    let own = ns.and_then(|set| set.records.iter().find(|octets| hosts.iter().any(|host| host.as_wire() == **octets)));
    Before { foreign: hex(foreign.as_wire()), sets: sets.to_vec(), own_ns: own.map(|octets| hex(octets)) }
}

pub(super) fn asks_to_delete(rtype: RecordType, octets: &[u8]) -> bool {
    is_delete_request(rtype, &Rdata::from_canonical(octets.to_vec()))
}

/// The trial's own records of a type: none that was there before it.
fn ours(zone: &Name, foreign: &Rdata, before: &Before, kind: Kind) -> RecordSet {
    match kind {
        Kind::Cds => cds_for(zone, [foreign], &[2]),
        Kind::Dnskey | Kind::Cdnskey => RecordSet::from([foreign.clone()]),
        // No flags: without `immediate` nobody acts on it by itself (RFC 7477 §2.1.1.2.1). Type: NS.
        Kind::Csync => {
            let with_serial = |serial| Rdata::from_canonical(vec![0, 0, 0, serial, 0, 0, 0, 1, 0x20]);
            let there = records_of(before, kind).1;
            (0..=u8::MAX).map(with_serial).find(|csync| !there.contains(csync.as_wire())).into_iter().collect()
        }
        Kind::Ns => RecordSet::from([ns_rdata(&Name::from_ascii("ns.chorus-check.invalid.").unwrap_or_default())]),
        Kind::Ds | Kind::Delegation | Kind::Data | Kind::Glue | Kind::Addresses => RecordSet::new(),
    }
}

/// What takes the trial out of the sets that are there `now`.
pub(super) fn back(zone: &Name, before: &Before, now: &[Rrset]) -> Vec<Wanted> {
    let foreign = Rdata::from_canonical(unhex(&before.foreign).unwrap_or_default());
    let own_ns = before.own_ns.as_deref().and_then(unhex);
    let mut wanted = vec![keyed(&foreign, 0, false)];
    for kind in WHOLE {
        let rtype = kind.record_type();
        let Some(set) = now.iter().find(|set| set.rtype == rtype) else { continue };
        let mut records = set.records.clone();
        for record in ours(zone, &foreign, before, kind) {
            records.remove(record.as_wire());
        }
        if kind == Kind::Ns {
            records.extend(own_ns.clone());
        }
        // A zone without name servers was not read right.
        if records != set.records && !(kind == Kind::Ns && records.is_empty()) {
            wanted.push(Wanted::Exactly { rtype, ttl_s: set.ttl_s, records });
        }
    }
    wanted
}

/// All records that a trial places, by type: those that go with a key before the key, because BIND keeps no CDS without a key
/// of its algorithm.
pub fn placed(zone: &Name, before: &Before) -> Vec<(Kind, RecordSet)> {
    let foreign = Rdata::from_canonical(unhex(&before.foreign).unwrap_or_default());
    let kinds = [Kind::Cds, Kind::Cdnskey, Kind::Csync, Kind::Ns, Kind::Dnskey];
    kinds.map(|kind| (kind, ours(zone, &foreign, before, kind))).to_vec()
}

/// The name server that a trial takes out.
pub(super) fn taken_out(before: &Before) -> Option<Rdata> {
    before.own_ns.as_deref().and_then(unhex).map(Rdata::from_canonical)
}

/// What a trial that came to no end may have left, in words.
pub fn leftovers(zone: &Name, before: &Before) -> String {
    let foreign = Rdata::from_canonical(unhex(&before.foreign).unwrap_or_default());
    let tag = Dnskey::read(&foreign).map_or_else(|| "of the trial".to_owned(), |key| key.key_tag().to_string());
    let csync = ours(zone, &foreign, before, Kind::Csync);
    let csync = csync.iter().map(|rdata| rdata_text(Kind::Csync.record_type(), rdata)).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "the DNSKEY of key {tag}, its CDS and CDNSKEY, the CSYNC {csync} and the name server ns.chorus-check.invalid. may be there"
    );
    let own_ns = before.own_ns.as_deref().and_then(unhex).map(Rdata::from_canonical);
    if let Some(host) = own_ns.and_then(|ns| ns_name(&ns).ok()) {
        text.push_str(&format!(", and its own name server {host} may be missing in its NS RRset"));
    }
    text
}

/// TTL and records as they were.
fn records_of(before: &Before, kind: Kind) -> (u32, BTreeSet<Vec<u8>>) {
    let of = before.sets.iter().find(|(rtype, ..)| *rtype == u16::from(kind.record_type()));
    let octets = |records: &[String]| records.iter().filter_map(|text| unhex(text)).collect();
    of.map_or((TTL_S, BTreeSet::new()), |(_, ttl_s, records)| (*ttl_s, octets(records)))
}

fn keyed(foreign: &Rdata, ttl_s: u32, with: bool) -> Wanted {
    let (key, rtype) = (BTreeSet::from([foreign.as_wire().to_vec()]), Kind::Dnskey.record_type());
    let (with, without) = if with { (key, BTreeSet::new()) } else { (BTreeSet::new(), key) };
    Wanted::Partly { rtype, ttl_s, with, without }
}

/// `key_ttl_s`: of the keys that are there. They would get another one, too, and keep it (RFC 2181 §5.2).
pub(super) fn steps(zone: &Name, foreign: &Rdata, key_ttl_s: u32, before: &Before) -> Vec<Step> {
    // The set as it was, with some records more and some less.
    let set = |kind: Kind, more: &RecordSet, less: Option<&Rdata>| {
        let (ttl_s, mut records) = records_of(before, kind);
        records.extend(more.iter().map(|record| record.as_wire().to_vec()));
        records.retain(|octets| less.is_none_or(|less| less.as_wire() != octets));
        Wanted::Exactly { rtype: kind.record_type(), ttl_s, records }
    };
    let own = |kind: Kind| ours(zone, foreign, before, kind);
    let add = |kind: Kind| set(kind, &own(kind), None);
    let remove = |kind: Kind| set(kind, &RecordSet::new(), None);
    let each = |kinds: &[Kind]| -> Vec<(Kind, Rdata)> {
        kinds.iter().flat_map(|kind| own(*kind).into_iter().map(|record| (*kind, record))).collect()
    };
    let adds =
        |ability, kinds: &[Kind], wanted| Step { ability, after: None, wanted, with: each(kinds), without: Vec::new() };
    let gives_up = |ability, after, kinds: &[Kind], wanted| Step {
        ability,
        after: Some(after),
        wanted,
        with: Vec::new(),
        without: each(kinds),
    };
    let own_ns = before.own_ns.as_deref().and_then(unhex).map(Rdata::from_canonical);
    let fewer = own_ns.iter().map(|own_ns| set(Kind::Ns, &RecordSet::new(), Some(own_ns))).collect();
    let (cds, csync, ns) = ([Kind::Cds, Kind::Cdnskey], [Kind::Csync], [Kind::Ns]);
    use Ability::*;
    vec![
        adds(AddDnskey, &[Kind::Dnskey], vec![keyed(foreign, key_ttl_s, true)]),
        adds(AddCds, &cds, cds.map(add).to_vec()),
        gives_up(RemoveCds, AddCds, &cds, cds.map(remove).to_vec()),
        adds(AddCsync, &csync, csync.map(add).to_vec()),
        gives_up(RemoveCsync, AddCsync, &csync, csync.map(remove).to_vec()),
        adds(AddNs, &ns, ns.map(add).to_vec()),
        gives_up(RemoveNs, AddNs, &ns, ns.map(remove).to_vec()),
        Step {
            ability: RemoveOwnNs,
            after: None,
            wanted: fewer,
            with: Vec::new(),
            without: own_ns.into_iter().map(|own_ns| (Kind::Ns, own_ns)).collect(),
        },
        gives_up(RemoveDnskey, AddDnskey, &[Kind::Dnskey], vec![keyed(foreign, key_ttl_s, false)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn what_changed_meanwhile_stays_and_the_trial_goes() {
        let zone = Name::from_str("child.example.").unwrap();
        let foreign = Rdata::from_canonical(vec![1, 1, 3, 13, 7]);
        let ns = |name: &str| ns_rdata(&Name::from_str(name).unwrap());
        let wire = |records: &[Rdata]| records.iter().map(|record| record.as_wire().to_vec()).collect::<BTreeSet<_>>();
        let rrset =
            |kind: Kind, records: &[Rdata]| Rrset { rtype: kind.record_type(), ttl_s: 5, records: wire(records) };
        let (own, other, joined) = (ns("ns1.a.example."), ns("ns2.a.example."), ns("ns1.b.example."));
        // Such as the trial would write by itself.
        let csync = Rdata::from_canonical(vec![0, 0, 0, 0, 0, 0, 0, 1, 0x20]);
        let read = [rrset(Kind::Ns, &[own.clone(), other.clone()]), rrset(Kind::Csync, std::slice::from_ref(&csync))];
        let before = before(&read, &foreign, &RecordSet::from([own.clone()]));
        assert_eq!(before.own_ns, Some(hex(own.as_wire())));
        let trial = |kind| ours(&zone, &foreign, &before, kind).pop_first().unwrap();
        // In the midst of it somebody else named a server and asked for a DS.
        let asked = Rdata::from_canonical(vec![9; 36]);
        let now = [
            rrset(Kind::Ns, &[other.clone(), trial(Kind::Ns), joined.clone()]),
            rrset(Kind::Cds, &[trial(Kind::Cds), asked.clone()]),
            rrset(Kind::Csync, &[csync.clone(), trial(Kind::Csync)]),
        ];
        let wanted = back(&zone, &before, &now);
        let exactly = |kind: Kind, records: &[Rdata]| Wanted::Exactly {
            rtype: kind.record_type(),
            ttl_s: 5,
            records: wire(records),
        };
        let expected = [
            keyed(&foreign, 0, false),
            exactly(Kind::Cds, &[asked]),
            exactly(Kind::Csync, std::slice::from_ref(&csync)),
            exactly(Kind::Ns, &[own.clone(), other.clone(), joined]),
        ];
        assert_eq!(wanted, expected);
        // Where nothing is left of it, nothing is written.
        assert_eq!(
            back(&zone, &before, &[rrset(Kind::Ns, &[own, other]), rrset(Kind::Csync, &[csync])]),
            [keyed(&foreign, 0, false)]
        );
    }
}
