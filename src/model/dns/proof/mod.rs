//! Whether one answer of a zone's own server validates (RFC 4035 §5): positive, expanded from a wildcard, "no such type", "no
//! such name", a delegation with or without DS; with NSEC (RFC 4035 §5.4) and NSEC3 (RFC 5155 §8).
//!
//! Invariant: the keys are given, and their own chain is not followed here. What cannot be verified is a [`Flaw`], never a
//! proof. Names below a delegation, and aliases that lead out of the zone, are another zone's to prove.

mod denial;
mod nsec;
mod nsec3;
mod sets;

pub use sets::{Fault, Flaw};

use super::{Name, RecordSet, RecordType};
use crate::model::time::Time;
use denial::Denials;
use hickory_proto::rr::Record;
use nsec::Nsecs;
use nsec3::Nsec3s;
use sets::{Set, Sets, absolute, flaw};

/// Aliases that are followed within one answer, as resolvers limit them too.
const ALIASES_MAX: usize = 12;

/// What an authoritative server answered: its response code, the AA bit and two sections.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// NXDOMAIN; otherwise NOERROR.
    pub is_nxdomain: bool,
    pub is_authoritative: bool,
    pub answers: &'a [Record],
    pub authorities: &'a [Record],
}

/// The zone that answers are verified for.
#[derive(Clone, Copy, Debug)]
pub struct ZoneKeys<'a> {
    pub apex: &'a Name,
    /// Its DNSKEY RRset, which is believed.
    pub keys: &'a RecordSet,
    pub now: Time,
}

/// What an answer proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// The RRset that was asked for.
    Answer,
    /// The RRset, expanded from this wildcard.
    Expanded(Name),
    /// The name has no such type. `opted_out`: or it is below a span that NSEC3 opt-out leaves unsigned.
    NoData {
        opted_out: bool,
    },
    NxDomain {
        opted_out: bool,
    },
    /// The name is at or below this zone cut.
    Delegation {
        cut: Name,
        is_secure: bool,
    },
    /// An alias leads out of the zone, or out of this answer.
    Elsewhere,
}

/// Verifies everything that `response` rests on, as an answer to `name` and `rtype`.
pub fn prove(zone: ZoneKeys<'_>, name: &Name, rtype: RecordType, response: Response<'_>) -> Result<Proven, Flaw> {
    let apex = absolute(zone.apex);
    let zone = ZoneKeys { apex: &apex, ..zone };
    let answers = Sets::of(response.answers);
    let authorities = Sets::of(response.authorities);
    let mut at = absolute(name);
    let mut expanded = None;
    for aliases in 0..ALIASES_MAX {
        if let Some(set) = answers.get(&at, rtype) {
            expanded = positive(zone, &at, rtype, set, &authorities)?.or(expanded);
            return Ok(expanded.map_or(Proven::Answer, Proven::Expanded));
        }
        let Some(target) = alias(zone, &at, &answers, &authorities, &mut expanded)? else {
            let is_cut_short = aliases > 0 && !response.is_nxdomain && authorities.is_empty();
            return if is_cut_short { Ok(Proven::Elsewhere) } else { absent(zone, &at, rtype, response, &authorities) };
        };
        if !zone.apex.zone_of(&target) {
            return Ok(Proven::Elsewhere);
        }
        at = target;
    }
    Err(flaw(&at, rtype, Fault::Unanswered("more than a dozen aliases lead from one to another".into())))
}

/// Whether one of these NSEC or NSEC3 records stands at the name and denies the type: a resolver that keeps it denies what
/// the zone has (RFC 8198).
pub fn denies(apex: &Name, denials: &[Record], name: &Name, rtype: RecordType) -> bool {
    let (apex, name) = (absolute(apex), absolute(name));
    let sets = Sets::of(denials);
    let by_nsec = Nsecs::of(&apex, &sets).denies(&name, rtype);
    by_nsec || Nsec3s::of(&apex, &sets).is_some_and(|nsec3s| nsec3s.denies(&name, rtype))
}

/// Verifies a set, and that a set from a wildcard is not in the place of a closer name (RFC 4035 §5.3.4).
fn positive(
    zone: ZoneKeys<'_>,
    owner: &Name,
    rtype: RecordType,
    set: &Set,
    authorities: &Sets,
) -> Result<Option<Name>, Flaw> {
    let Some(source) = set.verify(zone, owner, rtype)? else { return Ok(None) };
    let denials = Denials::of(zone, authorities)?;
    denials.no_closer_than(owner, &source.base_name()).map_err(|why| {
        flaw(owner, rtype, Fault::Unproven(format!("the answer comes from {}, and {why}", source.to_ascii())))
    })?;
    Ok(Some(source))
}

/// Where the alias at this name leads; `None` without one.
fn alias(
    zone: ZoneKeys<'_>,
    at: &Name,
    answers: &Sets,
    authorities: &Sets,
    expanded: &mut Option<Name>,
) -> Result<Option<Name>, Flaw> {
    // A DNAME makes the CNAME beside it, which has no signature of its own (RFC 6672 §5.3.1).
    if let Some((owner, set)) = answers.dname_above(at) {
        positive(zone, owner, RecordType::DNAME, set, authorities)?;
        return Ok(set.target(RecordType::DNAME).and_then(|target| redirected(at, owner, &target)));
    }
    let Some(set) = answers.get(at, RecordType::CNAME) else { return Ok(None) };
    if let Some(source) = positive(zone, at, RecordType::CNAME, set, authorities)? {
        *expanded = Some(source);
    }
    Ok(set.target(RecordType::CNAME))
}

/// `at` with `target` in the place of `owner`; `None` when that is too long to be a name.
fn redirected(at: &Name, owner: &Name, target: &Name) -> Option<Name> {
    let kept = usize::from(at.num_labels()).checked_sub(usize::from(owner.num_labels()))?;
    let labels = Name::from_labels(at.iter().take(kept)).ok()?;
    labels.append_domain(target).ok().map(|name| absolute(&name))
}

/// What an answer without the RRset says: a delegation, "no such type" or "no such name".
fn absent(
    zone: ZoneKeys<'_>,
    name: &Name,
    rtype: RecordType,
    response: Response<'_>,
    authorities: &Sets,
) -> Result<Proven, Flaw> {
    if !response.is_nxdomain
        && let Some(cut) = authorities.cut_above(zone.apex, name)
    {
        return delegation(zone, cut, authorities);
    }
    if !response.is_authoritative {
        return Err(flaw(name, rtype, Fault::Unanswered("it is answered without authority".into())));
    }
    let unproven = |why: String| flaw(name, rtype, Fault::Unproven(why));
    let Some(soa) = authorities.get(zone.apex, RecordType::SOA) else {
        return Err(unproven("the answer has no SOA record".into()));
    };
    soa.verify(zone, zone.apex, RecordType::SOA)?;
    let denials = Denials::of(zone, authorities)?;
    if response.is_nxdomain {
        let opted_out = denials.no_name(name).map_err(unproven)?;
        return Ok(Proven::NxDomain { opted_out });
    }
    let opted_out = denials.no_type(name, rtype).map_err(unproven)?;
    // The zone's own server answers so for the DS of a delegation that has none.
    if rtype == RecordType::DS && !opted_out && denials.insecure_cut(name).is_ok() {
        return Ok(Proven::Delegation { cut: name.clone(), is_secure: false });
    }
    Ok(Proven::NoData { opted_out })
}

/// A zone cut: its DS RRset is signed by the zone, or its absence is proven (RFC 4035 §5.2, RFC 5155 §8.9).
fn delegation(zone: ZoneKeys<'_>, cut: &Name, authorities: &Sets) -> Result<Proven, Flaw> {
    if let Some(set) = authorities.get(cut, RecordType::DS) {
        set.verify(zone, cut, RecordType::DS)?;
        return Ok(Proven::Delegation { cut: cut.clone(), is_secure: true });
    }
    let denials = Denials::of(zone, authorities)?;
    denials.insecure_cut(cut).map_err(|why| flaw(cut, RecordType::DS, Fault::Unproven(why)))?;
    Ok(Proven::Delegation { cut: cut.clone(), is_secure: false })
}
