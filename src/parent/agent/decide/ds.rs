//! CDS and CDNSKEY → the DS set (RFC 7344, 8078, 9975).
//!
//! Invariant: requests are compared as sets of keys, never as text: operators may list different digests of the same key.
//! The DS set never gets empty but for a delete request that the user allowed, and every server's DNSKEY set
//! validates with it, for each of its algorithms.

use super::{
    ActedOn, Chain, DIGEST_TYPE_COMPUTED, DIGEST_TYPES, DsChange, No, Observed, Rrset, Rules, Seen, Signature,
    all_known, covers, heard, tags,
};
use crate::model::dns::{
    DELETE_CDNSKEY, DELETE_CDS, Dnskey, Ds, Name, Rdata, RecordSet, RecordType, key_that_ds_belongs_to,
};
use crate::model::time::Time;
use std::collections::BTreeSet;

/// A key that a request names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Key(Rdata),
    /// A digest whose key no server shows: a key that is not published yet.
    Digest(Rdata),
}

/// What one set of one server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Request {
    Nothing,
    Delete,
    Keys(BTreeSet<Wanted>),
}

pub(super) fn decide(
    observed: &Observed,
    acted_on: &ActedOn,
    rules: Rules,
    now: Time,
) -> Result<Option<(DsChange, String)>, No> {
    let (child, current) = (&observed.child, &observed.parent.ds);
    all_known(&observed.unresolved)?;
    let cds = heard(&observed.servers, "CDS", |seen| &seen.cds)?;
    let cdnskey = heard(&observed.servers, "CDNSKEY", |seen| &seen.cdnskey)?;
    let universe = keys_seen(observed);
    let by_cds = agreed("CDS", &cds, |set| read_cds(child, set, &universe))?;
    let by_cdnskey = agreed("CDNSKEY", &cdnskey, read_cdnskey)?;

    let request = match (by_cds, by_cdnskey) {
        (Request::Nothing, Request::Nothing) => return Ok(None),
        (Request::Nothing, request) | (request, Request::Nothing) => request,
        (a, b) if a == b => a,
        _ => return Err(No::because("CDS and CDNSKEY do not name the same keys: no change")),
    };
    if current.records.is_empty() {
        return Err(No::because(
            "the child asks for DS, but the parent has none and nothing vouches for the child's keys: the first DS is put in \
             by hand",
        ));
    }

    // Judged before who signed it: to the user, that it is refused matters more than that it was also badly signed.
    if request == Request::Delete && !rules.allow_delete {
        return Err(No::because(
            "CDS asks to remove all DS and so to make the zone insecure: refused (allow_delete is false)",
        ));
    }

    let mut signatures = Vec::new();
    for (set_of, rtype) in [(&cds, RecordType::CDS), (&cdnskey, RecordType::CDNSKEY)] {
        for (seen, set) in set_of.iter().filter(|(_, set)| !set.records.is_empty()) {
            signatures.extend(accepted(observed, seen, set, rtype, acted_on, now)?);
        }
    }
    let acted_on = ActedOn::of(&signatures);

    let wanted = match request {
        Request::Delete => {
            let line = format!("DS {} removed, as CDS asks: the zone is insecure from now on", tags(&current.records));
            let change = DsChange { old: current.clone(), new: RecordSet::new(), acted_on };
            return Ok(Some((change, line)));
        }
        Request::Keys(wanted) => wanted,
        Request::Nothing => return Ok(None),
    };
    let left_over = current.records.iter().any(|ds| is_left_over(child, ds, &wanted));
    if wanted == wanted_of(child, &current.records, &universe) && !left_over {
        return Ok(None);
    }
    let new = ds_for(child, &wanted, &cds);
    if new.is_empty() {
        return Err(No::because("CDS holds no digest of a type that counts (SHA-256, SHA-384): no change"));
    }
    for seen in &observed.servers {
        survives(child, &new, seen, now)?;
    }
    let line = format!("DS {} → {}, as CDS asks at all servers", tags(&current.records), tags(&new));
    Ok(Some((DsChange { old: current.clone(), new, acted_on }, line)))
}

/// Every key that any server shows, as a DNSKEY or as a CDNSKEY: what digests are looked up in.
fn keys_seen(observed: &Observed) -> RecordSet {
    let sets = observed.servers.iter().flat_map(|seen| [&seen.dnskey, &seen.cdnskey]);
    sets.filter_map(|answer| answer.as_ref().ok()).flat_map(|set| &set.records).cloned().collect()
}

/// What all servers ask for, or which one of them differs.
fn agreed(
    what: &str,
    sets: &[(&Seen, &Rrset)],
    read: impl Fn(&RecordSet) -> Result<Request, String>,
) -> Result<Request, No> {
    let requests: Vec<(&Seen, Request)> = sets
        .iter()
        .map(|(seen, set)| {
            let request = read(&set.records);
            request.map(|r| (*seen, r)).map_err(|e| No::because(format!("{what} at {seen} {e}: no change")))
        })
        .collect::<Result<_, _>>()?;
    // The one that stands alone is named: of two, the first is taken for the one to compare with.
    let count = |request: &Request| requests.iter().filter(|(_, r)| r == request).count();
    let mut reference: Option<&Request> = None;
    for (_, request) in &requests {
        if reference.is_none_or(|best| count(request) > count(best)) {
            reference = Some(request);
        }
    }
    let Some(reference) = reference else { return Ok(Request::Nothing) };
    match requests.iter().find(|(_, request)| request != reference) {
        None => Ok(reference.clone()),
        Some((seen, Request::Nothing)) => Err(No::because(format!("{seen} has no {what}, the others have: no change"))),
        Some((seen, _)) => Err(No::because(format!("{what} at {seen} differs from the others: no change"))),
    }
}

fn read_cds(child: &Name, records: &RecordSet, universe: &RecordSet) -> Result<Request, String> {
    let is_delete = |rdata: &Rdata| rdata.as_wire() == DELETE_CDS;
    if records.is_empty() {
        return Ok(Request::Nothing);
    }
    if records.iter().all(is_delete) {
        return Ok(Request::Delete);
    }
    if records.iter().any(|rdata| Ds::read(rdata).is_none_or(|ds| ds.algorithm == 0)) {
        return Err("holds a delete record beside others, or one that cannot be read".into());
    }
    let wanted = wanted_of(child, records, universe);
    if wanted.is_empty() {
        return Err("holds no digest of a type that counts (SHA-256, SHA-384)".into());
    }
    Ok(Request::Keys(wanted))
}

fn read_cdnskey(records: &RecordSet) -> Result<Request, String> {
    if records.is_empty() {
        return Ok(Request::Nothing);
    }
    if records.iter().all(|rdata| rdata.as_wire() == DELETE_CDNSKEY) {
        return Ok(Request::Delete);
    }
    for rdata in records {
        let key = Dnskey::read(rdata).ok_or("holds a record that cannot be read")?;
        if key.algorithm == 0 {
            return Err("holds a delete record beside others".into());
        }
        if !key.is_usable() {
            return Err(format!("names key {}, which is revoked or not a zone key", key.key_tag()));
        }
    }
    Ok(Request::Keys(records.iter().cloned().map(Wanted::Key).collect()))
}

/// Whether a DS of a digest type that does not count belongs to none of the wanted keys. Beside those of wanted keys the
/// registry may keep such records; one of another key goes with that key, or nothing would ever take it out.
fn is_left_over(child: &Name, ds: &Rdata, wanted: &BTreeSet<Wanted>) -> bool {
    let Some(read) = Ds::read(ds) else { return true };
    let belongs = |wanted: &Wanted| match wanted {
        Wanted::Key(key) => key_that_ds_belongs_to(child, ds, [key]).is_some(),
        Wanted::Digest(other) => {
            Ds::read(other).is_some_and(|other| (other.key_tag, other.algorithm) == (read.key_tag, read.algorithm))
        }
    };
    !DIGEST_TYPES.contains(&read.digest_type) && !wanted.iter().any(belongs)
}

/// The keys that a DS or CDS set stands for, digest types that do not count left out.
fn wanted_of(child: &Name, ds_set: &RecordSet, universe: &RecordSet) -> BTreeSet<Wanted> {
    let eligible = ds_set.iter().filter(|ds| Ds::read(ds).is_some_and(|ds| DIGEST_TYPES.contains(&ds.digest_type)));
    eligible
        .map(|ds| match universe.iter().find(|key| covers(child, ds, key)) {
            Some(key) => Wanted::Key(key.clone()),
            None => Wanted::Digest(ds.clone()),
        })
        .collect()
}

/// The acceptable signatures over a request, at least one. RFC 7344 §4.1: by a key that is both in the current DS set and in
/// the DNSKEY set of the server that served it.
fn accepted<'s>(
    observed: &Observed,
    seen: &'s Seen,
    set: &Rrset,
    rtype: RecordType,
    acted_on: &ActedOn,
    now: Time,
) -> Result<Vec<Signature<'s>>, No> {
    let child = &observed.child;
    let chain = Chain::of(child, &observed.parent.ds.records, seen, now)
        .map_err(|reason| No::because(format!("{reason}, so its {rtype} cannot be believed: no change")))?;
    let signatures = chain.signed_by_entry(child, rtype, set, now);
    if signatures.is_empty() {
        return Err(No::because(format!(
            "{rtype} at {seen} is not validly signed by a key that is in the DS set: no change"
        )));
    }
    acted_on.no_replay(&signatures).map_err(No::because)?;
    Ok(signatures)
}

/// The DS records for the wanted keys. The digest types are those that every server lists for the key; where they have none
/// in common, or there is no CDS, the one that every validator knows.
fn ds_for(child: &Name, wanted: &BTreeSet<Wanted>, cds: &[(&Seen, &Rrset)]) -> RecordSet {
    let mut ds_set = RecordSet::new();
    for wanted in wanted {
        let key = match wanted {
            Wanted::Digest(ds) => {
                ds_set.insert(ds.clone());
                continue;
            }
            Wanted::Key(rdata) => rdata,
        };
        let Some(key) = Dnskey::read(key) else { continue };
        let digests = DIGEST_TYPES.iter().filter_map(|digest_type| key.ds(child, *digest_type));
        let listed: Vec<Rdata> = digests.filter(|ds| cds.iter().all(|(_, set)| set.records.contains(ds))).collect();
        if listed.is_empty() {
            ds_set.extend(key.ds(child, DIGEST_TYPE_COMPUTED));
        } else {
            ds_set.extend(listed);
        }
    }
    ds_set
}

/// Whether a server's DNSKEY set validates with `new`, for each algorithm in it: a validator may insist on all of them
/// (RFC 4035 §2.2).
fn survives(child: &Name, new: &RecordSet, seen: &Seen, now: Time) -> Result<(), No> {
    let breaks =
        |reason: String| No::because(format!("the DS set that CDS asks for would break {seen}: {reason}: refused"));
    let chain = Chain::of(child, new, seen, now).map_err(breaks)?;
    let signing: BTreeSet<u8> = chain.entries.iter().filter_map(Dnskey::read).map(|key| key.algorithm).collect();
    let asked: BTreeSet<u8> = new.iter().filter_map(Ds::read).map(|ds| ds.algorithm).collect();
    match asked.difference(&signing).next() {
        None => Ok(()),
        Some(algorithm) => Err(breaks(format!("no key of algorithm {algorithm} signs its DNSKEY set"))),
    }
}
