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
    pub own: &'a BTreeSet<Rdata>,
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
        let added: BTreeSet<&Rdata> = change.added.iter().filter(|rdata| !before.own.contains(*rdata)).collect();
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
    let mut set = json!({ "name": zone.to_ascii(), "type": rtype.to_string(), "ttl": ttl_s, "changetype": how });
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
