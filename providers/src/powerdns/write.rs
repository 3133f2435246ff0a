//! From wanted sets to one PATCH, and which settings of the server or the zone stand in its way.
//!
//! Invariants: one PATCH holds the whole change, so it happens all or not at all; own keys are never stored; an empty set
//! is said as a deletion, and the last NS is never deleted. Nothing is sent from here.

use super::api::{Settings, Stored, Zone};
use crate::error::ProviderError;
use crate::{Change, Rdata, Wanted, rdata};
use hickory_proto::rr::{Name, RecordType};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The settings of the server that are looked at.
pub(super) const SERVER_SETTINGS: [&str; 4] =
    ["direct-dnskey", "default-publish-cds", "default-publish-cdnskey", "default-api-rectify"];

/// A setting that has to be another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: &'static str,
    pub what: String,
    pub fix: String,
}

/// Why a change of these types would not be served as it is stored, or would harm the zone. All in one: a person who
/// changes settings wants to know of all of them.
pub(super) fn faults(
    name: &Name,
    types: &[RecordType],
    server: &Settings,
    zone: &Zone,
    metadata: &Settings,
) -> Option<Fault> {
    let mut found: Vec<Fault> = Vec::new();
    let mut fault = |code, what: String, fix: String| found.push(Fault { code, what, fix });
    let kind = zone.kind.to_ascii_lowercase();
    if matches!(kind.as_str(), "slave" | "secondary" | "consumer") {
        fault(
            "zone-is-secondary",
            format!("{name} is of the kind {} there: what is written is lost at the next transfer", zone.kind),
            String::from("Give the URL of the primary server's interface."),
        );
    }
    if on(metadata.get("PRESIGNED")) {
        fault(
            "zone-is-presigned",
            format!("{name} is presigned there: PowerDNS does not sign it"),
            format!("Let PowerDNS sign it (`pdnsutil unset-presigned {name}` and keys of its own)."),
        );
    }
    // Each write puts the SOA anew, and NS sets, without their place in the chain of denials: then the apex is denied.
    let rectified = match metadata.get("API-RECTIFY") {
        Some(value) => value == "1",
        None => zone.api_rectify || on(server.get("default-api-rectify")),
    };
    if !rectified {
        fault(
            "rectify-off",
            format!("writes to {name} are not rectified there: after one, the zone's own name can be denied"),
            format!("Set `default-api-rectify=yes` in pdns.conf, or `pdnsutil set-meta {name} API-RECTIFY 1`."),
        );
    }
    let any = |of: &[RecordType]| types.iter().any(|rtype| of.contains(rtype));
    use RecordType::{CDNSKEY, CDS, DNSKEY};
    if any(&[DNSKEY, CDS, CDNSKEY]) && !on(server.get("direct-dnskey")) {
        fault(
            "direct-dnskey-off",
            String::from("`direct-dnskey` is off: DNSKEYs of others are stored, and left out of every answer"),
            String::from("Set `direct-dnskey=yes` in pdns.conf and restart PowerDNS."),
        );
    }
    for (rtype, key, default) in
        [(CDS, "PUBLISH-CDS", "default-publish-cds"), (CDNSKEY, "PUBLISH-CDNSKEY", "default-publish-cdnskey")]
    {
        let metadata = metadata.get(key);
        if any(&[rtype]) && metadata.map_or(on(server.get(default)), |value| !value.is_empty()) {
            let fix = match metadata {
                Some(_) => format!("`pdnsutil unset-{} {name}`.", key.to_ascii_lowercase()),
                None => format!("Empty `{default}` in pdns.conf and restart PowerDNS."),
            };
            let what =
                format!("PowerDNS puts {rtype} records of its own keys into {name}, or in place of what is stored");
            fault(if rtype == CDS { "publish-cds-on" } else { "publish-cdnskey-on" }, what, fix);
        }
    }
    let code = found.first()?.code;
    let all = |pick: fn(&Fault) -> &str, between| found.iter().map(pick).collect::<Vec<_>>().join(between);
    Some(Fault { code, what: all(|f| &f.what, "; "), fix: all(|f| &f.fix, " ") })
}

fn on(value: Option<&String>) -> bool {
    value.is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "" | "no" | "off" | "0" | "false"))
}

/// Refuses what PowerDNS would do, and nobody can mean: it serves a zone without NS.
pub(super) fn check(wanted: &[Wanted]) -> Result<(), ProviderError> {
    let empty_ns =
        |w: &Wanted| matches!(w, Wanted::Exactly { rtype: RecordType::NS, records, .. } if records.is_empty());
    if wanted.iter().any(empty_ns) {
        let what = String::from("a zone without NS records is not brought about: PowerDNS would serve it");
        return Err(ProviderError::Unsupported { what });
    }
    Ok(())
}

/// How records of a set that others may write to are said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// One by one (EXTEND, PRUNE): what somebody else changes at the same moment stays. Since 5.0.
    Single,
    /// The whole set.
    Whole,
}

/// What is there at the moment of a change.
pub(super) struct Before<'a> {
    pub zone: &'a Name,
    pub stored: &'a BTreeMap<RecordType, Stored>,
    pub soa_edit_api: &'a str,
}

/// The body of the PATCH that makes these changes; `None` where none of them can be made (own keys cannot be removed).
pub(super) fn plan(
    before: &Before<'_>,
    wanted: &[Wanted],
    changes: &[Change],
    manner: Manner,
) -> Result<Option<Vec<u8>>, ProviderError> {
    let mut rrsets = Vec::new();
    for change in changes {
        let stored = before.stored.get(&change.rtype).cloned().unwrap_or_default();
        let added: BTreeSet<&Rdata> = change.added.iter().collect();
        let removed: BTreeSet<&Rdata> =
            change.removed.iter().filter(|rdata| stored.records.contains_key(*rdata)).collect();
        if added.is_empty() && removed.is_empty() {
            continue;
        }
        let said = wanted.iter().find(|w| w.rtype() == change.rtype);
        let (ttl_s, partly) = match said {
            Some(Wanted::Partly { ttl_s, .. }) => (*ttl_s, true),
            Some(Wanted::Exactly { ttl_s, .. }) => (*ttl_s, false),
            None => continue,
        };
        if partly && manner == Manner::Single {
            // One record must not change the TTL of the others.
            let ttl_s = if stored.records.is_empty() { ttl_s } else { stored.ttl_s };
            for (rdata, how) in added.iter().map(|r| (*r, "EXTEND")).chain(removed.iter().map(|r| (*r, "PRUNE"))) {
                let content = stored.records.get(rdata).cloned().map_or_else(|| text(change.rtype, rdata), Ok)?;
                rrsets.push(rrset(before.zone, change.rtype, ttl_s, how, &[content]));
            }
            continue;
        }
        let mut contents: BTreeMap<&Rdata, String> = BTreeMap::new();
        for (rdata, content) in stored.records.iter().filter(|(rdata, _)| !removed.contains(rdata)) {
            contents.insert(rdata, content.clone());
        }
        for rdata in added {
            contents.insert(rdata, text(change.rtype, rdata)?);
        }
        let contents: Vec<String> = contents.into_values().collect();
        let how = if contents.is_empty() { "DELETE" } else { "REPLACE" };
        rrsets.push(rrset(before.zone, change.rtype, ttl_s, how, &contents));
    }
    if rrsets.is_empty() {
        return Ok(None);
    }
    rrsets.extend(next_soa(before));
    let body = serde_json::to_vec(&json!({ "rrsets": rrsets }));
    body.map(Some).map_err(|e| ProviderError::Unsupported { what: e.to_string() })
}

fn text(rtype: RecordType, rdata: &Rdata) -> Result<String, ProviderError> {
    let what = || format!("a {rtype} record is wanted that is none ({} octets)", rdata.len());
    rdata::to_text(rtype, rdata).ok_or_else(|| ProviderError::Unsupported { what: what() })
}

fn rrset(zone: &Name, rtype: RecordType, ttl_s: u32, how: &str, contents: &[String]) -> Value {
    let records: Vec<Value> = contents.iter().map(|content| json!({ "content": content, "disabled": false })).collect();
    let mut set = json!({ "name": rdata::name_text(zone), "type": rtype.to_string(), "ttl": ttl_s, "changetype": how });
    if let (false, Some(set)) = (records.is_empty(), set.as_object_mut()) {
        set.insert(String::from("records"), Value::Array(records));
    }
    set
}

/// The SOA with the next serial, where PowerDNS does not count it up by itself: secondaries would not see the change.
/// Before 5.0, a zone made with `pdnsutil create-zone` is such a one.
fn next_soa(before: &Before<'_>) -> Option<Value> {
    let counted = ["DEFAULT", "INCREASE", "EPOCH", "SOA-EDIT-INCREASE"];
    if counted.iter().any(|kind| kind.eq_ignore_ascii_case(before.soa_edit_api)) {
        return None;
    }
    let stored = before.stored.get(&RecordType::SOA)?;
    let mut fields: Vec<String> = stored.records.values().next()?.split_ascii_whitespace().map(String::from).collect();
    let serial = fields.get_mut(2)?;
    let number: u32 = serial.parse().ok()?;
    *serial = number.wrapping_add(1).to_string();
    Some(rrset(before.zone, RecordType::SOA, stored.ttl_s, "REPLACE", &[fields.join(" ")]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecordType::{CDS, DNSKEY, SOA};

    const OLD: &str = "256 3 13 AQ==";
    const NEW: &str = "256 3 13 Ag==";

    fn stored(rtype: RecordType, texts: &[&str]) -> (RecordType, Stored) {
        let records = texts.iter().map(|text| (rdata::from_text(rtype, text).unwrap(), (*text).to_owned()));
        (rtype, Stored { ttl_s: 60, records: records.collect() })
    }

    /// The sets of the PATCH that brings `wanted` about: type, how, TTL and contents.
    fn planned(there: &[(RecordType, Stored)], wanted: Wanted, manner: Manner, soa_edit_api: &str) -> Vec<String> {
        let zone = Name::from_ascii("music1.example.").unwrap();
        let stored = there.iter().cloned().collect();
        let before = Before { zone: &zone, stored: &stored, soa_edit_api };
        let current: Vec<_> = there.iter().map(|(rtype, stored)| stored.rrset(*rtype)).collect();
        let wanted = [wanted];
        let changes = crate::wanted::difference(&wanted, &current);
        let body = plan(&before, &wanted, &changes, manner).unwrap().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let line = |set: &Value| {
            let records = set["records"].as_array().map(Vec::as_slice).unwrap_or_default();
            let contents: Vec<_> = records.iter().map(|record| record["content"].as_str().unwrap()).collect();
            assert_eq!(
                (set["name"].as_str(), set.get("records").is_some()),
                (Some("music1.example."), !contents.is_empty())
            );
            let word = |key: &str| set[key].as_str().unwrap().to_owned();
            format!("{} {} {} {}", word("type"), word("changetype"), set["ttl"], contents.join(", "))
        };
        body["rrsets"].as_array().unwrap().iter().map(line).collect()
    }

    fn keys(with: &[&str], without: &[&str]) -> Wanted {
        let set = |texts: &[&str]| texts.iter().map(|text| rdata::from_text(DNSKEY, text).unwrap()).collect();
        Wanted::Partly { rtype: DNSKEY, ttl_s: 5, with: set(with), without: set(without) }
    }

    #[test]
    fn foreign_keys_are_written_one_by_one_where_the_server_can() {
        let there = [stored(DNSKEY, &[OLD])];
        let lines = planned(&there, keys(&[NEW], &[OLD]), Manner::Single, "INCREASE");
        assert_eq!(lines, [format!("DNSKEY EXTEND 60 {NEW}"), format!("DNSKEY PRUNE 60 {OLD}")]);
        let lines = planned(&[], keys(&[NEW], &[]), Manner::Single, "INCREASE");
        assert_eq!(lines, [format!("DNSKEY EXTEND 5 {NEW}")]);
    }

    #[test]
    fn a_whole_set_keeps_what_is_not_to_be_changed_as_it_was_written() {
        let spaced = "256 3 13 AQ ==";
        let lines = planned(&[stored(DNSKEY, &[spaced])], keys(&[NEW], &[]), Manner::Whole, "INCREASE");
        assert_eq!(lines, [format!("DNSKEY REPLACE 5 {spaced}, {NEW}")]);
    }

    #[test]
    fn an_empty_set_is_said_as_a_deletion() {
        let lines = planned(&[stored(DNSKEY, &[OLD])], keys(&[], &[OLD]), Manner::Whole, "INCREASE");
        assert_eq!(lines, ["DNSKEY DELETE 5 "]);
        let nothing = Wanted::Exactly { rtype: CDS, ttl_s: 5, records: BTreeSet::new() };
        let lines = planned(&[stored(CDS, &["7 13 2 ab"])], nothing, Manner::Single, "INCREASE");
        assert_eq!(lines, ["CDS DELETE 5 "]);
    }

    #[test]
    fn the_serial_is_counted_up_where_the_server_does_not() {
        let there = [stored(SOA, &["ns1.b.test. Host.b.test. 4294967295 1 2 3 4"])];
        for counting in ["INCREASE", "default", "EPOCH", "SOA-EDIT-INCREASE"] {
            assert_eq!(planned(&there, keys(&[NEW], &[]), Manner::Single, counting).len(), 1, "{counting}");
        }
        for not_counting in ["", "OFF", "SOA-EDIT", "misspelt"] {
            let lines = planned(&there, keys(&[NEW], &[]), Manner::Single, not_counting);
            assert_eq!(lines[1..], ["SOA REPLACE 60 ns1.b.test. Host.b.test. 0 1 2 3 4"], "{not_counting}");
        }
    }
}
