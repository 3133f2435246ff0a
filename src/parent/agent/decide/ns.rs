//! CSYNC → the delegation's NS set and glue (RFC 7477, 9975 §3.2).
//!
//! Invariant: the NS set that is enacted was served, signed and equal, by every delegated address, between two equal SOA
//! records; it is never empty; and every server in it that is new answers for the zone and validates with the DS set as it is.
//!
//! Glue of hosts that leave the NS set stays: another delegation of the same parent may lean on it.

use super::{
    ActedOn, Answer, Chain, GlueChange, No, NsChange, Observed, Rrset, Seen, Signature, address_of, all_known, heard,
};
use crate::model::dns::{Csync, Name, Rdata, RecordSet, RecordType, ns_name, type_text};
use crate::model::history::Failure;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The one CSYNC record of a set, as far as it may be processed.
fn read(records: &RecordSet) -> Result<Csync, String> {
    let mut all = records.iter();
    let (Some(rdata), None) = (all.next(), all.next()) else {
        return Err(format!("holds {} records instead of one", records.len()));
    };
    let csync = Csync::read(rdata).map_err(|e| format!("is refused: {}", e.reason))?;
    let known = [RecordType::NS, RecordType::A, RecordType::AAAA];
    match csync.types.iter().find(|t| !known.contains(t)) {
        Some(unknown) => Err(format!("asks for {}, which is not processed", type_text(*unknown))),
        None => Ok(csync),
    }
}

/// Whether the addresses of `host` are the child's to say, so that the parent holds them as glue.
pub fn in_zone(child: &Name, host: &Name) -> bool {
    child.zone_of(host)
}

/// The name servers that the child asks for by CSYNC, as far as its servers agree on them, each with the addresses that the
/// child itself gives it: none for a host outside of the child. Nobody has judged the request yet; this is what to ask.
pub fn addresses_wanted(observed: &Observed) -> BTreeMap<Name, BTreeSet<IpAddr>> {
    let mut hosts = BTreeMap::new();
    let Some(first) = observed.servers.first() else { return hosts };
    let csync_everywhere = observed.servers.iter().all(|s| s.csync.as_ref().is_ok_and(|set| !set.records.is_empty()));
    if !csync_everywhere {
        return hosts;
    }
    let Ok(ns) = &first.ns else { return hosts };
    for host in ns.records.iter().filter_map(|ns| ns_name(ns).ok()) {
        let answers = first.hosts.get(&host).into_iter().flat_map(|h| [&h.a, &h.aaaa]);
        let given = answers.filter_map(|answer| answer.as_ref().ok()).flat_map(|set| &set.records);
        hosts.insert(host, given.filter_map(address_of).collect());
    }
    hosts
}

pub(super) fn decide(observed: &Observed, acted_on: &ActedOn, now: Time) -> Result<Option<(NsChange, String)>, No> {
    let (child, parent) = (&observed.child, &observed.parent);
    all_known(&observed.unresolved)?;
    let csync_sets = heard(&observed.servers, "CSYNC", |seen| &seen.csync)?;
    let Some(csync) = agreed_csync(&csync_sets)? else { return Ok(None) };
    if parent.ds.records.is_empty() {
        return Err(No::because("CSYNC: the parent has no DS, so nothing vouches for the child's data: no change"));
    }
    let chains = chains(observed, now)?;
    for (chain, (_, set)) in chains.iter().zip(&csync_sets) {
        signed(observed, chain, child, RecordType::CSYNC, set, now)?;
        unmoved(chain.seen)?;
    }
    for (seen, set) in &csync_sets {
        serial_reached(seen, set)?;
    }

    let mut signatures = Vec::new();
    let wanted = if csync.types.contains(&RecordType::NS) {
        let (records, by) = agreed_set(observed, &chains, child, RecordType::NS, now, |seen| Some(&seen.ns))?;
        signatures.extend(by);
        records
    } else {
        parent.ns.records.clone()
    };
    if wanted.is_empty() {
        return Err(No::because("CSYNC: the child's NS set is empty: no change"));
    }
    let hosts = wanted.iter().map(ns_name).collect::<Result<BTreeSet<Name>, _>>();
    let hosts = hosts.map_err(|e| No::because(format!("CSYNC: the child's NS set cannot be read: {e}: no change")))?;

    let mut glue = Vec::new();
    for host in hosts.iter().filter(|host| in_zone(child, host)) {
        let (changes, by) = glue_of(observed, &chains, &csync, host, now)?;
        signatures.extend(by);
        glue.extend(changes);
    }
    if wanted == parent.ns.records && glue.is_empty() {
        return Ok(None);
    }
    if !csync.is_immediate() {
        return Err(No::because(
            "CSYNC without the immediate flag: waiting for approval, change the delegation by hand",
        ));
    }
    acted_on.no_replay(&signatures).map_err(|reason| No::because(format!("CSYNC: {reason}")))?;
    newcomers_answer(observed, &hosts, &glue, now)?;

    let line = describe(&parent.ns.records, &wanted, &glue);
    let acted_on = ActedOn::of(&signatures);
    Ok(Some((NsChange { old: parent.ns.clone(), new: wanted, glue, acted_on }, line)))
}

/// The CSYNC that all servers have, `None` when none has one. Serials are each server's own (RFC 9975 §3.2).
fn agreed_csync(sets: &[(&Seen, &Rrset)]) -> Result<Option<Csync>, No> {
    if sets.iter().all(|(_, set)| set.records.is_empty()) {
        return Ok(None);
    }
    let mut agreed: Option<Csync> = None;
    for (seen, set) in sets {
        if set.records.is_empty() {
            return Err(No::because(format!("{seen} has no CSYNC, others have: no change")));
        }
        let csync =
            read(&set.records).map_err(|reason| No::because(format!("CSYNC at {seen} {reason}: not processed")))?;
        match &agreed {
            Some(first) if first.types != csync.types || first.is_immediate() != csync.is_immediate() => {
                return Err(No::because(format!("CSYNC at {seen} differs from the others: no change")));
            }
            Some(_) => {}
            None => agreed = Some(csync),
        }
    }
    Ok(agreed)
}

fn chains(observed: &Observed, now: Time) -> Result<Vec<Chain<'_>>, No> {
    let chain = |seen| Chain::of(&observed.child, &observed.parent.ds.records, seen, now);
    let chains = observed.servers.iter().map(chain).collect::<Result<_, _>>();
    chains.map_err(|reason| No::because(format!("CSYNC: {reason}: no change")))
}

/// The valid signatures over what one server said, at least one.
fn signed<'s>(
    observed: &Observed,
    chain: &Chain<'s>,
    owner: &Name,
    rtype: RecordType,
    set: &Rrset,
    now: Time,
) -> Result<Vec<Signature<'s>>, No> {
    let signatures = chain.signed(&observed.child, owner, rtype, set, now);
    if signatures.is_empty() {
        let reason = format!("CSYNC: {rtype} of {owner} at {} is not validly signed: no change", chain.seen);
        return Err(No::because(reason));
    }
    Ok(signatures)
}

/// RFC 7477 §3.1: the zone must not have moved while it was read.
fn unmoved(seen: &Seen) -> Result<(), No> {
    match (&seen.soa_before, &seen.soa_after) {
        (Ok(before), Ok(after)) if before.records == after.records && !before.records.is_empty() => Ok(()),
        (Ok(_), Ok(_)) => {
            Err(No { reason: format!("CSYNC: the zone at {seen} changed while it was read: no change"), retry: true })
        }
        (Err(failure), _) | (_, Err(failure)) => {
            Err(No { reason: format!("CSYNC: {seen} {failure} when asked for SOA: no change"), retry: true })
        }
    }
}

/// soaminimum is a matter between a server's CSYNC and its own SOA.
fn serial_reached(seen: &Seen, set: &Rrset) -> Result<(), No> {
    let csync = read(&set.records).map_err(|reason| No::because(format!("CSYNC at {seen} {reason}: not processed")))?;
    let serial = seen.soa_before.as_ref().ok().and_then(|soa| soa.records.first()).and_then(soa_serial);
    let Some(serial) = serial else {
        return Err(No::because(format!("CSYNC: the SOA at {seen} cannot be read: no change")));
    };
    if csync.allows_serial(serial) {
        return Ok(());
    }
    let reason = format!("CSYNC at {seen} waits for serial {}, its SOA has {serial}: no change", csync.serial);
    Err(No { reason, retry: true })
}

/// SOA RDATA ends in five 32-bit numbers, of which the serial is the first.
fn soa_serial(soa: &Rdata) -> Option<u32> {
    let numbers = soa.as_wire().last_chunk::<20>()?;
    numbers.first_chunk::<4>().map(|serial| u32::from_be_bytes(*serial))
}

/// A set that every server serves equal and signed, with the signatures of all of them; NODATA at all is the empty set.
fn agreed_set<'s>(
    observed: &'s Observed,
    chains: &[Chain<'s>],
    owner: &Name,
    rtype: RecordType,
    now: Time,
    answer: impl Fn(&'s Seen) -> Option<&'s Answer>,
) -> Result<(RecordSet, Vec<Signature<'s>>), No> {
    let mut agreed: Option<&RecordSet> = None;
    let mut signatures = Vec::new();
    for (seen, chain) in observed.servers.iter().zip(chains) {
        let set = match answer(seen) {
            Some(Ok(set)) => set,
            Some(Err(Failure::NotAuthoritative)) if owner != &observed.child => {
                return Err(No::because(format!(
                    "CSYNC: {seen} has no {rtype} of {owner} with its own signature, as below a delegation inside the child (RFC \
                     7477 §3.2.2): no change"
                )));
            }
            Some(Err(failure)) => {
                let reason = format!("CSYNC: {seen} {failure} when asked for {rtype} of {owner}: no change");
                return Err(No { reason, retry: true });
            }
            None => {
                let reason = format!("CSYNC: {rtype} of {owner} was not read at {seen}: no change");
                return Err(No { reason, retry: true });
            }
        };
        if !set.records.is_empty() {
            signatures.extend(signed(observed, chain, owner, rtype, set, now)?);
        }
        match agreed {
            Some(first) if *first != set.records => {
                return Err(No::because(format!(
                    "CSYNC: {rtype} of {owner} at {seen} differs from the others: no change"
                )));
            }
            _ => agreed = Some(&set.records),
        }
    }
    Ok((agreed.cloned().unwrap_or_default(), signatures))
}

/// The glue changes of one host inside the child.
fn glue_of<'s>(
    observed: &'s Observed,
    chains: &[Chain<'s>],
    csync: &Csync,
    host: &Name,
    now: Time,
) -> Result<(Vec<GlueChange>, Vec<Signature<'s>>), No> {
    let (old_a, old_aaaa) = observed.parent.glue.get(host).cloned().unwrap_or_default();
    let mut changes = Vec::new();
    let mut signatures = Vec::new();
    let mut left = 0;
    for (rtype, old) in [(RecordType::A, old_a), (RecordType::AAAA, old_aaaa)] {
        if !csync.types.contains(&rtype) {
            left += old.records.len();
            continue;
        }
        let (new, by) = agreed_set(observed, chains, host, rtype, now, |seen| {
            seen.hosts.get(host).map(|answers| if rtype == RecordType::A { &answers.a } else { &answers.aaaa })
        })?;
        // An absence is not signed as far as this agent reads; glue goes only when something signed takes its place.
        if new.is_empty() && !old.records.is_empty() {
            return Err(No::because(format!(
                "CSYNC: the child shows no {rtype} of {host} any more; glue is removed by hand: no change"
            )));
        }
        left += new.len();
        signatures.extend(by);
        if new != old.records {
            changes.push(GlueChange { host: host.clone(), rtype, old, new });
        }
    }
    if left == 0 {
        return Err(No::because(format!(
            "CSYNC: {host} lies inside of the child and would be without glue: no change"
        )));
    }
    Ok((changes, signatures))
}

/// Every address that a resolver would be sent to for the first time has to serve the zone already, validating with the DS
/// set that stands.
fn newcomers_answer(observed: &Observed, hosts: &BTreeSet<Name>, glue: &[GlueChange], now: Time) -> Result<(), No> {
    let old_hosts: BTreeSet<Name> = observed.parent.ns.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
    let refused = |reason: String| No { reason: format!("CSYNC: {reason}: no change"), retry: true };
    for host in hosts {
        if let Some(reason) = observed.newcomers_unresolved.get(host) {
            return Err(refused(format!("no address of {host} is known ({reason})")));
        }
        let added: BTreeSet<IpAddr> = {
            let changes = glue.iter().filter(|change| change.host == *host);
            changes.flat_map(|change| change.new.difference(&change.old.records)).filter_map(address_of).collect()
        };
        let asked = observed.servers.iter().chain(&observed.newcomers).any(|s| s.host == *host);
        // New glue is looked at below, by address; a host without any has to have been asked under its name.
        if !old_hosts.contains(host) && added.is_empty() && !asked {
            return Err(refused(format!("no address of {host} was asked")));
        }
        // By address alone: two hosts may share one, which was then asked once.
        let everybody = || observed.servers.iter().chain(&observed.newcomers);
        if let Some(address) = added.iter().find(|ip| !everybody().any(|s| s.address.ip() == **ip)) {
            return Err(refused(format!("{host} at {address} was not asked")));
        }
    }
    for seen in &observed.newcomers {
        serves(observed, seen, now).map_err(refused)?;
    }
    Ok(())
}

fn serves(observed: &Observed, seen: &Seen, now: Time) -> Result<(), String> {
    let chain = Chain::of(&observed.child, &observed.parent.ds.records, seen, now)?;
    let soa = seen.soa_before.as_ref().map_err(|failure| format!("{seen} {failure} when asked for SOA"))?;
    let signed = !chain.signed(&observed.child, &observed.child, RecordType::SOA, soa, now).is_empty();
    if signed && !soa.records.is_empty() { Ok(()) } else { Err(format!("SOA at {seen} is not validly signed")) }
}

fn describe(old: &RecordSet, new: &RecordSet, glue: &[GlueChange]) -> String {
    let names = |set: Vec<&Rdata>| -> String {
        let names = set.into_iter().filter_map(|ns| ns_name(ns).ok()).map(|name| name.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    let (added, removed) = (names(new.difference(old).collect()), names(old.difference(new).collect()));
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("{added} added"));
    }
    if !removed.is_empty() {
        parts.push(format!("{removed} removed"));
    }
    if !glue.is_empty() {
        let hosts: BTreeSet<String> = glue.iter().map(|change| change.host.to_string()).collect();
        parts.push(format!("glue of {} set", hosts.into_iter().collect::<Vec<_>>().join(", ")));
    }
    format!("delegation: {}, as CSYNC asks at all servers", parts.join("; "))
}
