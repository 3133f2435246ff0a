//! Whose a key is: told from which operator signs with it, now or earlier, and from which operator published it first.
//!
//! Invariant: every operator signs with keys of its own (RFC 8901 §2.1.2). An operator's synchronisation (Knot's
//! `dnskey-sync`) copies keys between members without Chorus; so a key in an operator's DNSKEY RRset is a copy when that
//! operator never signed with it and another operator did, or published it first.

use super::Standing;
use super::say::key_list;
use super::view::{Member, World};
use crate::model::dns::{Name, Rdata, RecordSet, key_that_ds_belongs_to};
use crate::model::history::{Kind, Span, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of RRsets that are looked at for signatures.
const SIGNED: [Kind; 6] = Kind::OPERATOR;

/// Two operators that sign with the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKeys {
    /// The operator that was seen signing with them first.
    pub signer: String,
    pub other: String,
    pub keys: RecordSet,
}

impl SharedKeys {
    pub fn text(&self) -> String {
        let Self { signer, other, keys } = self;
        format!(
            "{signer} and {other} sign with the same keys ({}): {other} serves the zone that {signer} signs, by zone \
             transfer or from the same server, and is no signer of its own",
            key_list(keys)
        )
    }

    pub fn fix(&self, zone: &Name) -> String {
        let (Self { signer, other, .. }, zone) = (self, zone.to_ascii());
        format!(
            "list the name servers of {other} as further name servers of {signer}: `chorus operator set {signer} \
             --name-server ...` with all of them, then `chorus zone repair {}`, and do not name {other} for this zone; or \
             let {other} sign the zone with keys of its own (RFC 8901 §2.1.2)",
            zone.trim_end_matches('.')
        )
    }

    /// Whether nothing that the group needs depends on telling the two apart: the one that only copies leaves, or both do.
    fn ends_by_itself(&self, members: &BTreeMap<String, Member>) -> bool {
        let leaves = |name: &String| members.get(name).is_none_or(|member| member.wanted == Standing::Outside);
        leaves(&self.other)
    }
}

/// The members that sign with keys of another member, and stay, or lose the signer: nothing can be written for them.
pub fn shared_keys(world: &World<'_>) -> Vec<SharedKeys> {
    let mut found = Vec::new();
    if world.leaves_out(Switch::OwnKeys) {
        return found;
    }
    let names: Vec<&String> = world.members.keys().collect();
    for (index, first) in names.iter().enumerate() {
        for second in names.iter().skip(index + 1) {
            let common = |a: &str, b: &str| -> RecordSet {
                world.signs_with(a).into_iter().filter(|key| world.first_signed(b, key).is_some()).collect()
            };
            let keys: RecordSet = common(first, second).union(&common(second, first)).cloned().collect();
            if keys.is_empty() {
                continue;
            }
            let earliest = |name: &str| keys.iter().filter_map(|key| world.first_signed(name, key)).min();
            let second_is_first = earliest(second) < earliest(first);
            let (signer, other) = if second_is_first { (second, first) } else { (first, second) };
            found.push(SharedKeys { signer: (*signer).clone(), other: (*other).clone(), keys });
        }
    }
    found.retain(|shared| !shared.ends_by_itself(world.members));
    found
}

/// Records at one operator that belong to another member, by operator and kind.
pub type Belongings = BTreeMap<String, BTreeMap<Kind, RecordSet>>;

/// The copies of other members' keys that Chorus did not place and every address of an operator serves: its owner signs with
/// the key. From now on Chorus keeps them as its own placements: it restores them, and removes them when their owner gives
/// them up.
pub fn copies(world: &World<'_>) -> Belongings {
    let signing: RecordSet = world.members.keys().flat_map(|name| world.signs_with(name)).collect();
    let of = |name: &String| {
        let mut keys = world.served_everywhere(name, Kind::Dnskey);
        keys.retain(|key| {
            signing.contains(key)
                && world.first_signed(name, key).is_none()
                && !world.is_placed(name, Kind::Dnskey, key)
        });
        (name.clone(), BTreeMap::from([(Kind::Dnskey, keys)]))
    };
    world.members.keys().map(of).filter(|(_, sets)| sets.values().any(|set| !set.is_empty())).collect()
}

/// The operator whose keys all of these are, other than `at`: a member, or one that has left.
pub fn pusher(world: &World<'_>, at: &str, keys: &RecordSet) -> Option<String> {
    let signed = |who: &Who| {
        let spans = world.history.spans(Kind::Dnskey).filter(|(server, _)| server.who == *who);
        let own: RecordSet = spans.flat_map(|(_, span)| span.served.signers.iter().cloned()).collect();
        let spans = world.history.spans(Kind::Data).filter(|(server, _)| server.who == *who);
        spans.fold(own, |all, (_, span)| &all | &span.served.signers)
    };
    let names = world.history.servers().filter_map(|server| match &server.who {
        Who::Operator(name) if name != at => Some(name),
        _ => None,
    });
    let names: BTreeSet<&String> = names.collect();
    let owns = |name: &&String| !keys.is_empty() && keys.is_subset(&signed(&Who::Operator((*name).clone())));
    names.into_iter().find(owns).cloned()
}

/// Everything that belongs to another member where a group is adopted: keys, the CDS and CDNSKEY of those keys, and the
/// name servers of all.
pub fn belongings(world: &World<'_>) -> Belongings {
    let mut found = copies(world);
    let ns = world.ns_of(world.members.keys());
    for name in world.members.keys() {
        let others: RecordSet =
            world.members.keys().filter(|other| *other != name).flat_map(|other| world.own_keys(other)).collect();
        let sets = found.entry(name.clone()).or_default();
        let mut cds = world.served(name, Kind::Cds);
        cds.retain(|cds| key_that_ds_belongs_to(world.zone, cds, &others).is_some());
        sets.insert(Kind::Cds, cds);
        sets.insert(Kind::Cdnskey, &world.served(name, Kind::Cdnskey) & &others);
        sets.insert(Kind::Ns, &world.served(name, Kind::Ns) & &ns);
    }
    found
}

impl<'a> World<'a> {
    pub(super) fn spans_at(&self, operator: &str, kind: Kind) -> impl Iterator<Item = &'a Span> + use<'a> {
        let servers = self.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
        let history = self.history;
        servers.iter().filter_map(move |server| history.track(server, kind)).flat_map(|track| &track.spans)
    }

    /// The keys that the operator signs with now.
    pub(super) fn signs_with(&self, operator: &str) -> RecordSet {
        let current = SIGNED.into_iter().flat_map(|kind| self.spans_at(operator, kind)).filter(|s| s.until.is_none());
        current.flat_map(|span| span.served.signers.iter().cloned()).collect()
    }

    /// When the operator was first seen signing with a key; `None` when it was not.
    pub(super) fn first_signed(&self, operator: &str, key: &Rdata) -> Option<Time> {
        let spans = SIGNED.into_iter().flat_map(|kind| self.spans_at(operator, kind));
        spans.filter(|span| span.served.signers.contains(key)).map(|span| span.first_seen).min()
    }

    pub(super) fn first_published(&self, operator: &str, key: &Rdata) -> Option<&'a Span> {
        let spans = self.spans_at(operator, Kind::Dnskey).filter(|span| span.served.records.contains(key));
        spans.min_by_key(|span| span.first_seen)
    }

    /// Whether Chorus put the key into the operator's DNSKEY RRset.
    pub(super) fn is_placed(&self, operator: &str, kind: Kind, record: &Rdata) -> bool {
        self.member(operator)
            .and_then(|member| member.placements.get(&kind))
            .is_some_and(|placed| placed.contains(record))
    }

    /// Whether a key in the operator's DNSKEY RRset is a copy of another member's key.
    pub(super) fn is_copy(&self, operator: &str, key: &Rdata) -> bool {
        if self.first_signed(operator, key).is_some() {
            return false;
        }
        // The operator was seen without the key when the other one published it already.
        let here = self.first_published(operator, key);
        let without_until = here.and_then(|span| span.since);
        self.members.keys().filter(|other| *other != operator).any(|other| {
            let earlier = || {
                !self.is_placed(other, Kind::Dnskey, key)
                    && self
                        .first_published(other, key)
                        .is_some_and(|there| without_until.is_some_and(|until| there.first_seen <= until))
            };
            self.first_signed(other, key).is_some() || earlier()
        })
    }

    /// Whether another member may have made a key that this one publishes: both were first seen with it in one round, and
    /// none signs with it yet. It is new at one of them, and a copy at the other.
    pub(super) fn owner_is_open(&self, operator: &str, key: &Rdata) -> bool {
        let publishes = |other: &String| {
            self.first_published(other, key).is_some()
                && !self.is_placed(other, Kind::Dnskey, key)
                && !self.is_copy(other, key)
        };
        self.members.keys().filter(|other| *other != operator).any(publishes)
    }
}
