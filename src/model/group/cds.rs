//! CDS and CDNSKEY sets that no parent acts on, that ask for the wrong thing, or that an operator changes by itself: what was
//! seen, in words.
//!
//! Invariant: reads the history and decides nothing. Which sets are wanted is said in `desired`, what is written in `ask`.

use super::ladder::is_present;
use super::say::{key_list, names};
use super::view::World;
use crate::model::dns::{
    Dnskey, Ds, Name, Rdata, RecordSet, is_delete_request, key_that_ds_belongs_to, key_that_ds_validates, set_label,
};
use crate::model::history::{Kind, Server, Span};
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// What can be done about a delete request: by every signer that publishes one by a setting, the setting.
pub const DELETE_FIX: &str = "take it out there before anything else: with Knot set `cds-cdnskey-publish: always` (not \
    `delete-dnssec`), with BIND use a policy that signs (not `dnssec-policy insecure`), with PowerDNS run `pdnsutil \
    unset-publish-cds ZONE` and `pdnsutil unset-publish-cdnskey ZONE` and delete the records if they are stored; elsewhere \
    switch off the removal of DNSSEC";

/// What can be done about a signer that signs CDS with another key than the parent knows.
pub const SIGNER_FIX: &str = "let the operator sign CDS and CDNSKEY with its key-signing key, as it signs DNSKEY (BIND, Knot \
    and PowerDNS do that when they sign by themselves), or tell the registrar by hand: `chorus zone policy ZONE --parent \
    manual`";

/// How long an operator that took CDS records out by itself is left alone with it before they are written there again.
const STRIPPED_LATELY: Duration = Duration::from_secs(86_400);

/// The operators that ask the parent to remove every DS (RFC 8078 §4), each with a sentence. A leaving operator that no
/// resolver can query any more is left out: no parent queries it either.
pub fn delete_requests<'a>(world: &World<'a>) -> Vec<(&'a String, String)> {
    let present = world.members.iter().filter(|(name, _)| is_present(world, name));
    let found = present.filter_map(|(name, member)| {
        let (server, kind) = member.servers.iter().find_map(|server| {
            let kind = [Kind::Cds, Kind::Cdnskey].into_iter().find(|kind| asks_to_delete(world, server, *kind))?;
            Some((server, kind))
        })?;
        let record = if kind == Kind::Cds { "CDS 0 0 0 00" } else { "CDNSKEY 0 3 0 AA==" };
        let text = format!(
            "{name} asks the parent to remove every DS: {record} at {server} (RFC 8078 §4); a parent that acts on it makes \
             the zone insecure"
        );
        Some((name, text))
    });
    found.collect()
}

pub(super) fn asks_to_delete(world: &World<'_>, server: &Server, kind: Kind) -> bool {
    let is_delete = |rdata: &Rdata| is_delete_request(kind.record_type(), rdata);
    world.history.current(server, kind).is_some_and(|span| span.served.records.iter().any(is_delete))
}

/// The keys that every validator accepts because of a DS that the parent's servers showed last.
fn keys_with_ds<'k>(world: &World<'_>, keys: impl IntoIterator<Item = &'k Rdata>) -> RecordSet {
    let sets: Vec<&RecordSet> =
        world.parent_servers.iter().filter_map(|s| Some(&world.history.current(s, Kind::Ds)?.served.records)).collect();
    let validated = |key: &&Rdata| {
        sets.iter().any(|set| set.iter().any(|ds| key_that_ds_validates(world.zone, ds, [*key]).is_some()))
    };
    keys.into_iter().filter(validated).cloned().collect()
}

/// Why the CDS or CDNSKEY set of an operator is not acted on: none of the keys that sign it is both in its DNSKEY set and in
/// the parent's DS set (RFC 7344 §4.1). `None` where that is not so, was not seen, or where nothing of the operator validates:
/// then that is the trouble. A newcomer has no DS yet: its key-signing keys count, for they get one.
pub fn cds_not_accepted(world: &World<'_>, operator: &str) -> Option<String> {
    let member = world.member(operator)?;
    let coming = world.key_signing_keys(operator);
    member.servers.iter().find_map(|server| {
        let signers = &world.history.current(server, Kind::Dnskey)?.served.signers;
        let with_ds = keys_with_ds(world, signers);
        let entries: RecordSet =
            if with_ds.is_empty() { signers.intersection(&coming).cloned().collect() } else { with_ds.clone() };
        if entries.is_empty() {
            return None;
        }
        let sets = [Kind::Cds, Kind::Cdnskey].into_iter();
        let mut sets = sets.filter_map(|kind| Some((kind, world.history.current(server, kind)?)));
        let (kind, span) =
            sets.find(|(_, span)| !span.served.records.is_empty() && span.served.signers.is_disjoint(&entries))?;
        let has = if with_ds.is_empty() { "is going to have" } else { "has" };
        Some(format!(
            "{operator}: the {kind} set at {server} is signed by {}, and not by {}, of which the parent {has} a DS: no parent \
             acts on it (RFC 7344 §4.1)",
            if span.served.signers.is_empty() { "no key".to_owned() } else { signer_list(&span.served.signers) },
            key_list(&entries)
        ))
    })
}

/// The keys that are meant to lead from the parent into the DNSKEY set, without knowledge of the parent: of those that sign the
/// set those that the operator's CDS set asks a DS for or that have the secure entry point bit; all, where there is none.
pub fn entry_keys(zone: &Name, dnskey_signers: &BTreeSet<Rdata>, cds: &RecordSet) -> RecordSet {
    let is_entry = |key: &&Rdata| {
        Dnskey::read(key).is_some_and(|key| key.is_key_signing())
            || cds.iter().any(|cds| key_that_ds_belongs_to(zone, cds, [*key]).is_some())
    };
    let entries: RecordSet = dnskey_signers.iter().filter(is_entry).cloned().collect();
    if entries.is_empty() { dnskey_signers.clone() } else { entries }
}

fn signer_list(signers: &BTreeSet<Rdata>) -> String {
    let label = set_label(Kind::Dnskey.record_type(), signers);
    label.trim_matches(['{', '}']).to_owned()
}

/// What an operator takes out of its CDS and CDNSKEY sets by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stripped {
    pub digest_types: BTreeSet<u8>,
    pub cdnskey: bool,
    /// How often within the last day all CDNSKEY were gone. Once may be a person's doing, and is put back.
    pub cdnskey_times: usize,
    /// Where and when that was seen.
    pub evidence: String,
}

/// What an operator took out of its sets within the last day and has not served again: CDS of some digest types, while those
/// of other types stayed for the same keys, or CDNSKEY altogether, while CDS stayed. BIND does both at each key event (9.20 and
/// later: `cds-digest-types`, `cdnskey`). A type that appears again in whatever record refutes it.
pub fn stripped(world: &World<'_>, operator: &str) -> Option<Stripped> {
    let member = world.member(operator)?;
    let mut found = Stripped::default();
    for server in &member.servers {
        let spans = |kind| world.history.track(server, kind).map(|track| track.spans.as_slice()).unwrap_or_default();
        let lately = |span: &Span| span.first_seen.plus(STRIPPED_LATELY) > world.now;
        for pair in spans(Kind::Cds).windows(2) {
            let [before, after] = pair else { continue };
            let served = types_of(&world.served(operator, Kind::Cds));
            let mut lost = lost_types(before, after);
            lost.retain(|lost| !served.contains(lost) && was_wanted(world, operator, *lost, after.first_seen));
            if !lost.is_empty() && lately(after) {
                found.evidence = format!("at {server}, at {}", after.first_seen);
                found.digest_types.extend(lost);
            }
        }
        let is_loss = |pair: &&[Span]| match pair {
            [before, after] => {
                !before.served.records.is_empty()
                    && after.served.records.is_empty()
                    && lately(after)
                    && stayed(spans(Kind::Cds), before.last_seen, after.until.unwrap_or(Time::MAX))
            }
            _ => false,
        };
        let losses: Vec<&[Span]> = spans(Kind::Cdnskey).windows(2).filter(is_loss).collect();
        if let Some([_, after]) = losses.last()
            && world.served(operator, Kind::Cdnskey).is_empty()
        {
            found.evidence = format!("at {server}, at {}", after.first_seen);
            found.cdnskey = true;
            found.cdnskey_times = found.cdnskey_times.max(losses.len());
        }
    }
    (found.cdnskey || !found.digest_types.is_empty()).then_some(found)
}

/// Whether the server had CDS records all the time between these moments. A zone that its operator sets up anew loses them together
/// with CDNSKEY.
fn stayed(cds: &[Span], from: Time, until: Time) -> bool {
    let is_between = |span: &&Span| span.first_seen < until && span.until.is_none_or(|end| end > from);
    let mut between = cds.iter().filter(is_between).peekable();
    between.peek().is_some() && between.all(|span| !span.served.records.is_empty())
}

fn types_of(cds: &RecordSet) -> BTreeSet<u8> {
    cds.iter().filter_map(Ds::read).map(|ds| ds.digest_type).collect()
}

/// The digest types that went from one version to the next, although the keys of those records are still asked for.
pub(super) fn lost_types(before: &Span, after: &Span) -> BTreeSet<u8> {
    let kept = types_of(&after.served.records);
    let of_key = |set: &RecordSet| -> BTreeSet<(u16, u8)> {
        set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect()
    };
    let keys = of_key(&after.served.records);
    let gone = types_of(&before.served.records).into_iter().filter(|of| !kept.contains(of));
    let still_asked = |digest_type: &u8| {
        let of = before.served.records.iter().filter_map(Ds::read).filter(|ds| ds.digest_type == *digest_type);
        of.into_iter().all(|ds| keys.contains(&(ds.key_tag, ds.algorithm)))
    };
    gone.filter(still_asked).collect()
}

/// Whether another operator served CDS of this type at that moment: what Chorus gives up itself, all give up.
fn was_wanted(world: &World<'_>, operator: &str, digest_type: u8, at: Time) -> bool {
    let others = world.members.iter().filter(|(name, _)| *name != operator);
    let mut spans = others.flat_map(|(_, member)| &member.servers).flat_map(|server| {
        let track = world.history.track(server, Kind::Cds);
        track.map(|track| track.spans.as_slice()).unwrap_or_default()
    });
    spans.any(|span| {
        span.first_seen <= at
            && span.until.is_none_or(|until| until > at)
            && types_of(&span.served.records).contains(&digest_type)
    })
}

/// The operators that publish CDS of this type for keys of their own by themselves, and are still there to do so.
pub(super) fn insisting<'a>(world: &World<'a>, digest_type: u8) -> Vec<&'a String> {
    let insists = |(name, member): &(&'a String, &super::view::Member)| {
        let (own, placed) = (world.own_keys(name), member.placements.get(&Kind::Cds));
        is_present(world, name)
            && world.served(name, Kind::Cds).iter().any(|cds| {
                Ds::read(cds).is_some_and(|ds| ds.digest_type == digest_type)
                    && !placed.is_some_and(|placed| placed.contains(cds))
                    && key_that_ds_belongs_to(world.zone, cds, &own).is_some()
            })
    };
    world.members.iter().filter(insists).map(|(name, _)| name).collect()
}

/// What to set at a signer that takes out CDS of these types, or CDNSKEY.
pub fn strip_fix(stripped: &Stripped) -> String {
    let mut settings = Vec::new();
    if !stripped.digest_types.is_empty() {
        let types: BTreeSet<u8> = stripped.digest_types.iter().copied().chain([2]).collect();
        let types: Vec<String> = types.into_iter().map(digest_name).collect();
        settings.push(format!("`cds-digest-types {{ {}; }};`", types.join("; ")));
    }
    if stripped.cdnskey {
        settings.push("`cdnskey yes;`".into());
    }
    format!("with BIND 9.20 or later set {} in its dnssec-policy there, then `rndc reconfig`", settings.join(" and "))
}

/// As BIND writes digest types.
fn digest_name(digest_type: u8) -> String {
    match digest_type {
        1 => "sha-1".into(),
        2 => "sha-256".into(),
        4 => "sha-384".into(),
        other => other.to_string(),
    }
}

/// What an operator takes out although the group needs it, in a sentence without what to do; `None` where it takes out
/// nothing, or nothing that is needed.
pub fn strip_conflict(world: &World<'_>, operator: &str) -> Option<(Stripped, String)> {
    let mut stripped = stripped(world, operator)?;
    stripped.digest_types.retain(|digest_type| !insisting(world, *digest_type).is_empty());
    let mut parts = Vec::new();
    for digest_type in &stripped.digest_types {
        let by = names(&insisting(world, *digest_type));
        parts.push(format!("CDS of digest type {digest_type}, which {by} publishes for its own keys"));
    }
    if stripped.cdnskey {
        parts.push("all CDNSKEY".into());
    }
    if parts.is_empty() {
        return None;
    }
    let text = format!("{operator} takes out {} by itself (seen {})", parts.join(" and "), stripped.evidence);
    Some((stripped, text))
}
