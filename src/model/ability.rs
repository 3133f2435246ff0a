//! What an operator can do, as far as it was seen: values, and how they are read off a history.
//!
//! Invariant: an ability is one that every address of the operator showed. What was only sent, or may have come and gone
//! unseen, counts for nothing here; and that something was not seen is no proof that it cannot be.

use super::dns::{Ds, Rdata, RecordSet, key_that_ds_belongs_to, ns_name};
use super::group::{Member, World, cds_not_accepted, entry_keys, stripped};
use super::history::{Kind, Span};
use super::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Within so long a signer looks at its keys twice.
const KEY_EVENTS: Duration = Duration::from_secs(2 * 3600);

/// In the order of the table that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    AddDnskey,
    RemoveDnskey,
    AddCds,
    RemoveCds,
    SignCds,
    KeepCds,
    AddCsync,
    RemoveCsync,
    AddNs,
    RemoveNs,
    RemoveOwnNs,
}

impl Ability {
    pub const ALL: [Ability; 11] = [
        Ability::AddDnskey,
        Ability::RemoveDnskey,
        Ability::AddCds,
        Ability::RemoveCds,
        Ability::SignCds,
        Ability::KeepCds,
        Ability::AddCsync,
        Ability::RemoveCsync,
        Ability::AddNs,
        Ability::RemoveNs,
        Ability::RemoveOwnNs,
    ];

    /// Stable, kebab-case.
    pub fn code(self) -> &'static str {
        match self {
            Ability::AddDnskey => "add-dnskey",
            Ability::RemoveDnskey => "remove-dnskey",
            Ability::AddCds => "add-cds",
            Ability::RemoveCds => "remove-cds",
            Ability::SignCds => "sign-cds",
            Ability::KeepCds => "keep-cds",
            Ability::AddCsync => "add-csync",
            Ability::RemoveCsync => "remove-csync",
            Ability::AddNs => "add-ns",
            Ability::RemoveNs => "remove-ns",
            Ability::RemoveOwnNs => "remove-own-ns",
        }
    }
}

/// What came of looking for one, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub is_there: bool,
    /// What was seen, in words.
    pub evidence: String,
    /// As people write it, without the final dot.
    pub zone: String,
    pub at: Time,
}

/// By operator, then by ability.
pub type Abilities = BTreeMap<String, BTreeMap<Ability, Known>>;

/// Which record of a set tells of which abilities.
struct Sign {
    kinds: &'static [Kind],
    add: Option<Ability>,
    remove: Ability,
    what: &'static str,
}

const SIGNS: [Sign; 5] = [
    Sign {
        kinds: &[Kind::Dnskey],
        add: Some(Ability::AddDnskey),
        remove: Ability::RemoveDnskey,
        what: "a key that was placed there",
    },
    Sign {
        kinds: &[Kind::Cds, Kind::Cdnskey],
        add: Some(Ability::AddCds),
        remove: Ability::RemoveCds,
        what: "CDS and CDNSKEY of another operator's key",
    },
    Sign { kinds: &[Kind::Csync], add: Some(Ability::AddCsync), remove: Ability::RemoveCsync, what: "CSYNC" },
    Sign {
        kinds: &[Kind::Ns],
        add: Some(Ability::AddNs),
        remove: Ability::RemoveNs,
        what: "another operator's name server",
    },
    Sign { kinds: &[Kind::Ns], add: None, remove: Ability::RemoveOwnNs, what: "a name server of its own" },
];

/// What the versions of one address show of the records that a sign is made of.
type Shows = fn(&[Span], &dyn Fn(&Rdata) -> bool) -> bool;

/// What the operator has shown in this zone that it can do, with the evidence.
pub fn shown(world: &World<'_>, operator: &str) -> BTreeMap<Ability, String> {
    let mut seen = BTreeMap::new();
    let Some(member) = world.members.get(operator).filter(|member| !member.servers.is_empty()) else { return seen };
    if signs_cds(world, member) == Some(true) {
        let evidence = format!("{} addresses sign CDS and CDNSKEY with a key that signs DNSKEY", member.servers.len());
        seen.insert(Ability::SignCds, evidence);
    }
    if let Some(evidence) = kept_cds(world, member).filter(|_| stripped(world, operator).is_none()) {
        seen.insert(Ability::KeepCds, evidence);
    }
    let own = world.own_keys(operator);
    for sign in &SIGNS {
        let own_ns = sign.add.is_none();
        let is_sign = |kind: Kind, record: &Rdata| is_sign(world, member, &own, kind, record, own_ns);
        let addresses = member.servers.len();
        let at_all = |shows: Shows| {
            sign.kinds.iter().all(|kind| {
                let spans = |server| world.history.track(server, *kind).map(|track| track.spans.as_slice());
                member.servers.iter().all(|server| shows(spans(server).unwrap_or_default(), &|r| is_sign(*kind, r)))
            })
        };
        if let Some(add) = sign.add.filter(|_| at_all(has)) {
            seen.insert(add, format!("{addresses} addresses serve, or have served, {}", sign.what));
        }
        if at_all(gave_up) {
            seen.insert(sign.remove, format!("{addresses} addresses have served {}, and given it up", sign.what));
        }
    }
    seen
}

/// What the operator has shown in this zone that it cannot do, with the evidence.
pub fn refuted(world: &World<'_>, operator: &str) -> BTreeMap<Ability, String> {
    let mut seen = BTreeMap::new();
    if let Some(stripped) = stripped(world, operator) {
        let mut parts: Vec<String> =
            stripped.digest_types.iter().map(|digest_type| format!("CDS of digest type {digest_type}")).collect();
        parts.extend(stripped.cdnskey.then(|| "all CDNSKEY".to_owned()));
        let what = parts.join(" and ");
        seen.insert(Ability::KeepCds, format!("it took out {what} by itself, {}", stripped.evidence));
    }
    if let Some(why) = cds_not_accepted(world, operator) {
        seen.insert(Ability::SignCds, why);
    }
    seen
}

/// What it has kept for long enough to have met a key event, which signers have once an hour.
fn kept_cds(world: &World<'_>, member: &Member) -> Option<String> {
    let placed = member.placements.get(&Kind::Cds)?;
    let beside_sha256 = |cds: &&Rdata| Ds::read(cds).is_some_and(|ds| ds.digest_type != 2) && placed.contains(*cds);
    let mut longest = None;
    for server in &member.servers {
        let span = world.history.current(server, Kind::Cds)?;
        span.served.records.iter().find(beside_sha256)?;
        let kept = span.first_seen.until(world.now);
        longest = Some(longest.map_or(kept, |other: Duration| other.min(kept)));
    }
    let kept = longest.filter(|kept| *kept >= KEY_EVENTS)?;
    Some(format!("CDS of other digest types than 2 have been there for {} s", kept.as_secs()))
}

/// Whether every address signs its CDS and CDNSKEY sets with a key that signs its DNSKEY set; `None` where one has neither.
fn signs_cds(world: &World<'_>, member: &Member) -> Option<bool> {
    let mut all = true;
    for server in &member.servers {
        let current = |kind| world.history.current(server, kind);
        let sets = [Kind::Cds, Kind::Cdnskey].into_iter().filter_map(current);
        let mut sets = sets.filter(|span| !span.served.records.is_empty()).peekable();
        sets.peek()?;
        let cds = current(Kind::Cds).map(|span| span.served.records.clone()).unwrap_or_default();
        let entries = entry_keys(world.zone, &current(Kind::Dnskey)?.served.signers, &cds);
        all &= sets.all(|span| !span.served.signers.is_disjoint(&entries));
    }
    Some(all)
}

fn is_sign(world: &World<'_>, member: &Member, own: &RecordSet, kind: Kind, record: &Rdata, own_ns: bool) -> bool {
    let placed = || member.placements.get(&kind).is_some_and(|placed| placed.contains(record));
    match kind {
        Kind::Dnskey | Kind::Cdnskey => placed() && !own.contains(record),
        Kind::Cds => placed() && key_that_ds_belongs_to(world.zone, record, own).is_none(),
        Kind::Ns => ns_name(record).is_ok_and(|host| member.hosts.contains(&host) == own_ns),
        Kind::Csync => true,
        Kind::Ds | Kind::Delegation | Kind::Data | Kind::Glue | Kind::Addresses => false,
    }
}

/// A version that an address was asked for, and not one that is only supposed.
fn was_seen(span: &&Span) -> bool {
    span.until.is_none() || span.last_seen > span.first_seen
}

fn has(spans: &[Span], is: &dyn Fn(&Rdata) -> bool) -> bool {
    spans.iter().filter(was_seen).any(|span| span.served.records.iter().any(is))
}

/// Whether one of these records was there, and later was not.
fn gave_up(spans: &[Span], is: &dyn Fn(&Rdata) -> bool) -> bool {
    let mut before = RecordSet::new();
    spans.iter().filter(was_seen).any(|span| {
        let gone = !before.is_subset(&span.served.records);
        before.extend(span.served.records.iter().filter(|record| is(record)).cloned());
        gone
    })
}
