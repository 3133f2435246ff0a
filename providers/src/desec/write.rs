//! From wanted sets to the body of one bulk request.
//!
//! Invariants: one request holds the whole change, so it happens all or not at all; what deSEC publishes by itself is never
//! stored; NS records are never deleted altogether, for deSEC would serve the zone without any; a CDS that asks for no DS is
//! never sent, for it would stand beside deSEC's own. Nothing is sent from here.

use super::api::{ADDITIVE_TTL_S, Own, Stored, is_additive};
use crate::error::ProviderError;
use crate::{Change, Rdata, Wanted, rdata, wanted};
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Of all accounts.
pub(super) const TTL_MAX_S: u32 = 86_400;

fn unsupported(what: &str) -> ProviderError {
    ProviderError::Unsupported { what: what.to_owned() }
}

fn without_ns() -> ProviderError {
    unsupported("a zone without NS records is not brought about: deSEC would serve it")
}

/// Refuses what deSEC would do, and nobody can mean.
pub(super) fn check(wanted: &[Wanted]) -> Result<(), ProviderError> {
    for one in wanted {
        let records = match one {
            Wanted::Exactly { records, .. } => records,
            Wanted::Partly { with, .. } => with,
        };
        let whole = matches!(one, Wanted::Exactly { .. });
        if one.rtype() == RecordType::NS && whole && records.is_empty() {
            return Err(without_ns());
        }
        if !records.iter().all(|rdata| may_be_stored(one.rtype(), rdata)) {
            return Err(unsupported(
                "DNSSEC is not ended by CDS at deSEC: it always publishes CDS and CDNSKEY of its own key, and a parent has to \
                 reject those beside one that asks for no DS. Take the DS away at the registrar",
            ));
        }
    }
    Ok(())
}

/// Whether a record is one that is stored at all: not one that asks for no DS (RFC 8078 §4).
pub(super) fn may_be_stored(rtype: RecordType, rdata: &Rdata) -> bool {
    let algorithm_at = match rtype {
        RecordType::CDS => 2,
        RecordType::CDNSKEY => 3,
        _ => return true,
    };
    rdata.get(algorithm_at) != Some(&0)
}

/// What can be had: own CDS and CDNSKEY records are always there, whether they are asked for or not.
pub(super) fn with_own(wanted: &[Wanted], own: &Own) -> Vec<Wanted> {
    let one = |wanted: &Wanted| match wanted {
        Wanted::Exactly { rtype: rtype @ (RecordType::CDS | RecordType::CDNSKEY), ttl_s, records } => {
            let always = own.of(*rtype).into_iter().flatten().cloned();
            Wanted::Exactly { rtype: *rtype, ttl_s: *ttl_s, records: records.iter().cloned().chain(always).collect() }
        }
        other => other.clone(),
    };
    wanted.iter().map(one).collect()
}

/// What is there at the moment of a change.
pub(super) struct Before<'a> {
    pub stored: &'a BTreeMap<RecordType, Stored>,
    pub own: &'a Own,
    pub minimum_ttl_s: u32,
}

/// The body of the request that makes these changes; `None` where none of them can be made (own keys cannot be removed).
pub(super) fn plan(
    before: &Before<'_>,
    wanted: &[Wanted],
    changes: &[Change],
) -> Result<Option<Vec<u8>>, ProviderError> {
    let mut entries = Vec::new();
    for change in changes {
        let stored = before.stored.get(&change.rtype).cloned().unwrap_or_default();
        let removed: BTreeSet<&Rdata> =
            change.removed.iter().filter(|rdata| stored.records.contains_key(*rdata)).collect();
        if change.added.is_empty() && removed.is_empty() {
            continue;
        }
        let Some(said) = wanted.iter().find(|w| w.rtype() == change.rtype) else { continue };
        let (Wanted::Exactly { ttl_s, .. } | Wanted::Partly { ttl_s, .. }) = said;
        let mut contents: BTreeMap<&Rdata, String> = BTreeMap::new();
        for (rdata, content) in &stored.records {
            if !removed.contains(rdata) && !before.own.has(change.rtype, rdata) {
                contents.insert(rdata, content.clone());
            }
        }
        for rdata in &change.added {
            contents.insert(rdata, text(change.rtype, rdata)?);
        }
        if contents.is_empty() && change.rtype == RecordType::NS {
            return Err(without_ns());
        }
        let contents: Vec<String> = contents.into_values().collect();
        let ttl_s = ttl_s_of(change.rtype, *ttl_s, before.minimum_ttl_s);
        entries.push(json!({ "subname": "", "type": change.rtype.to_string(), "ttl": ttl_s, "records": contents }));
    }
    if entries.is_empty() { Ok(None) } else { body(&entries).map(Some) }
}

/// A TTL that is taken. Where deSEC serves its own whatever is stored, that one is stored.
pub(super) fn ttl_s_of(rtype: RecordType, wanted_s: u32, minimum_s: u32) -> u32 {
    let ttl_s = if is_additive(rtype) { ADDITIVE_TTL_S } else { wanted_s };
    ttl_s.min(TTL_MAX_S).max(minimum_s)
}

/// A write of these sets that says nothing of them.
pub(super) fn nothing(types: &[RecordType]) -> Result<Vec<u8>, ProviderError> {
    let entries: Vec<Value> = types.iter().map(|rtype| json!({ "subname": "", "type": rtype.to_string() })).collect();
    body(&entries)
}

/// A write of all types that Chorus writes that changes nothing: those that are `there` as they are, the others as absent.
pub(super) fn unchanged(there: &[RecordType]) -> Result<Vec<u8>, ProviderError> {
    let entry = |rtype: &RecordType| match there.contains(rtype) {
        true => json!({ "subname": "", "type": rtype.to_string() }),
        false => absent("", *rtype),
    };
    body(&wanted::TYPES.iter().map(entry).collect::<Vec<Value>>())
}

/// That a set which is not there be gone.
pub(super) fn gone(subname: &str, rtype: RecordType) -> Result<Vec<u8>, ProviderError> {
    body(&[absent(subname, rtype)])
}

/// The largest TTL is permitted in every zone.
fn absent(subname: &str, rtype: RecordType) -> Value {
    json!({ "subname": subname, "type": rtype.to_string(), "ttl": TTL_MAX_S, "records": [] })
}

pub(super) fn body(entries: &[Value]) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(entries).map_err(|e| ProviderError::Unsupported { what: e.to_string() })
}

pub(super) fn text(rtype: RecordType, rdata: &Rdata) -> Result<String, ProviderError> {
    let what = || format!("a {rtype} record is wanted that is none ({} octets)", rdata.len());
    rdata::to_text(rtype, rdata).ok_or_else(|| ProviderError::Unsupported { what: what() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecordType::{CDNSKEY, CDS, CSYNC, DNSKEY, NS};

    const OLD: &str = "256 3 13 AQ==";
    const NEW: &str = "256 3 13 Ag==";

    fn wire(rtype: RecordType, texts: &[&str]) -> BTreeSet<Rdata> {
        texts.iter().map(|text| rdata::from_text(rtype, text).unwrap()).collect()
    }

    /// The entries of the request that brings `wanted` about: type, TTL and contents.
    fn planned(there: &[(RecordType, &[&str])], wanted: Wanted, minimum_ttl_s: u32) -> Result<Vec<String>, String> {
        let stored: BTreeMap<_, _> = there
            .iter()
            .map(|(rtype, texts)| {
                let records = texts.iter().map(|t| (rdata::from_text(*rtype, t).unwrap(), (*t).to_owned())).collect();
                (*rtype, Stored { ttl_s: 60, records })
            })
            .collect();
        let current: Vec<_> = there
            .iter()
            .map(|(rtype, texts)| crate::Rrset { rtype: *rtype, ttl_s: 60, records: wire(*rtype, texts) })
            .collect();
        let wanted = [wanted];
        let changes = crate::wanted::difference(&wanted, &current);
        let own = Own::default();
        let before = Before { stored: &stored, own: &own, minimum_ttl_s };
        let Some(body) = plan(&before, &wanted, &changes).map_err(|e| e.to_string())? else { return Ok(vec![]) };
        let body: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let line = |set: &Value| {
            assert_eq!(set["subname"], "");
            let records: Vec<_> = set["records"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
            format!("{} {} {}", set["type"].as_str().unwrap(), set["ttl"], records.join(", "))
        };
        Ok(body.iter().map(line).collect())
    }

    fn partly(rtype: RecordType, with: &[&str], without: &[&str]) -> Wanted {
        Wanted::Partly { rtype, ttl_s: 5, with: wire(rtype, with), without: wire(rtype, without) }
    }

    #[test]
    fn a_set_is_written_whole_and_what_stays_in_it_as_it_was() {
        let spaced = "256 3 13 AQ ==";
        let lines = planned(&[(DNSKEY, &[spaced])], partly(DNSKEY, &[NEW], &[]), 900).unwrap();
        assert_eq!(lines, [format!("DNSKEY 3600 {spaced}, {NEW}")]);
        let lines = planned(&[(DNSKEY, &[OLD])], partly(DNSKEY, &[], &[OLD]), 900).unwrap();
        assert_eq!(lines, ["DNSKEY 3600 "]);
    }

    #[test]
    fn ttls_are_within_what_the_zone_allows_and_3600_where_nothing_else_is_served() {
        let ns = |ttl_s| Wanted::Exactly { rtype: NS, ttl_s, records: wire(NS, &["a.test."]) };
        for (wanted_s, minimum_s, written_s) in
            [(5, 3600, 3600), (5, 900, 900), (7200, 3600, 7200), (100_000, 900, 86_400)]
        {
            let lines = planned(&[], ns(wanted_s), minimum_s).unwrap();
            assert_eq!(lines, [format!("NS {written_s} a.test.")], "{wanted_s}, {minimum_s}");
        }
        let cds = Wanted::Exactly { rtype: CDS, ttl_s: 60, records: wire(CDS, &["7 13 2 ab"]) };
        assert_eq!(planned(&[], cds.clone(), 900).unwrap(), ["CDS 3600 7 13 2 ab"]);
        assert_eq!(planned(&[], cds, 7200).unwrap(), ["CDS 7200 7 13 2 ab"]);
    }

    #[test]
    fn the_last_name_server_is_not_taken_away() {
        let refused = planned(&[(NS, &["a.test."])], partly(NS, &[], &["a.test."]), 900).unwrap_err();
        assert!(refused.contains("without NS"), "{refused}");
        let nothing = Wanted::Exactly { rtype: NS, ttl_s: 5, records: BTreeSet::new() };
        assert_eq!(check(&[nothing]).unwrap_err().code(), "unsupported");
        assert_eq!(
            planned(&[(NS, &["a.test.", "b.test."])], partly(NS, &[], &["a.test."]), 900).unwrap(),
            ["NS 900 b.test."]
        );
    }

    #[test]
    fn a_record_that_asks_for_no_ds_is_refused() {
        for (rtype, text) in [(CDS, "0 0 0 00"), (CDNSKEY, "0 3 0 AA==")] {
            let wanted = Wanted::Exactly { rtype, ttl_s: 5, records: wire(rtype, &[text]) };
            assert!(check(&[wanted]).unwrap_err().to_string().contains("registrar"), "{text}");
            assert_eq!(check(&[partly(rtype, &[text], &[])]).unwrap_err().code(), "unsupported");
            assert_eq!(check(&[partly(rtype, &[], &[text])]), Ok(()));
        }
        assert_eq!(check(&[partly(CSYNC, &["0 0 NS"], &[])]), Ok(()));
    }
}
