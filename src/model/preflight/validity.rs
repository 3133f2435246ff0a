//! Whether everything that an address answers validates (RFC 4035 §5): what does not is SERVFAIL for whoever validates.

use super::{Finding, Inspected, Scene, Severity, error, what};
use crate::model::dns::proof::Flaw;
use crate::model::history::Kind;
use crate::model::switches::Switch;
use std::collections::BTreeMap;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let has_ds = |server| world.history.current(server, Kind::Ds).is_some_and(|ds| !ds.served.records.is_empty());
    let is_secure = world.parent_servers.iter().any(has_ds);
    let mut findings = Vec::new();
    if world.leaves_out(Switch::DataValid) {
        return findings;
    }
    for (operator, servers) in scene.inspected() {
        // Nobody is kept in a zone because its data are bad, and without a DS nobody validates.
        let is_error = is_secure && scene.is_desired(operator);
        let found = servers.iter().flat_map(|seen| of_address(operator, seen));
        let found = found.chain(unsigned(operator, &servers));
        let severity = if is_error { Severity::Error } else { Severity::Warning };
        findings.extend(found.map(|finding| Finding { severity, ..finding }));
    }
    findings
}

/// One finding for each kind of fault at this address, with one name and type of it.
pub fn of_address(operator: &str, seen: &Inspected) -> Vec<Finding> {
    let mut by_code: BTreeMap<&'static str, Vec<&Flaw>> = BTreeMap::new();
    for flaw in &seen.validity.flaws {
        by_code.entry(flaw.fault.code()).or_default().push(flaw);
    }
    let found = by_code.into_iter().filter_map(|(code, flaws)| {
        let (first, others) = flaws.split_first()?;
        let others = match others {
            [] => String::new(),
            [one] => format!("; the same of {}", what(&one.name, one.rtype)),
            [one, rest @ ..] => format!("; the same of {} and {} more", what(&one.name, one.rtype), rest.len()),
        };
        let text = format!("{operator}: {} serves {first}{others}", seen.server);
        Some(error(code, text, fix(code)))
    });
    found.collect()
}

fn fix(code: &str) -> &'static str {
    match code {
        "signature-missing" => "sign the whole zone there, then check again",
        "ttl-above-signed" => "serve the RRset with the TTL that it was signed with, or sign it again",
        "denial-unproven" => {
            "sign the zone there again, so that its NSEC or NSEC3 chain is complete and says what is there"
        }
        "data-unanswered" => "read the log of that server",
        // "signature-bogus"
        _ => "see whether that server has an old copy of the zone, or one that was changed after it was signed",
    }
}

/// Addresses that serve the zone without keys, beside others of the same operator that have them.
fn unsigned<'a>(operator: &'a str, servers: &[&'a Inspected]) -> Vec<Finding> {
    let has_keys =
        |seen: &Inspected, wanted: bool| seen.validity.keys.as_ref().is_some_and(|keys| keys.is_empty() != wanted);
    if !servers.iter().any(|seen| has_keys(seen, true)) {
        return Vec::new();
    }
    let without = servers.iter().filter(|seen| has_keys(seen, false));
    let found = without.map(|seen| {
        let text = format!(
            "{operator}: {} serves the zone unsigned, without a DNSKEY RRset, and other addresses of {operator} serve it signed",
            seen.server
        );
        error("signature-missing", text, fix("signature-missing"))
    });
    found.collect()
}
