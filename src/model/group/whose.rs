//! Whose a key is: told from which operator signs with it, now or earlier, and from which operator published it first.
//!
//! Invariant: every operator signs with keys of its own (RFC 8901 §2.1.2). An operator's synchronisation (Knot's
//! `dnskey-sync`) copies keys between members without Chorus; so a key in an operator's DNSKEY RRset is a copy when another
//! operator signed with it first, or published it first, and this one does not sign with it. Whether two operators share keys
//! is told from what they sign with now: one that was a secondary of the other for a while has keys of its own again.

use super::Standing;
use super::ladder::is_admitted;
use super::say::key_list;
use super::view::{Member, World};
use crate::model::dns::{Name, Rdata, RecordSet, key_that_ds_belongs_to, plain_text};
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
    /// Whether resolvers may be sent to the other one already.
    is_named: bool,
}

impl SharedKeys {
    pub fn text(&self) -> String {
        let Self { signer, other, keys, .. } = self;
        format!(
            "{signer} and {other} sign with the same keys ({}): {other} serves the zone that {signer} signs, by zone \
             transfer or from the same server, and is no signer of its own",
            key_list(keys)
        )
    }

    pub fn fix(&self, zone: &Name) -> String {
        let (Self { signer, other, is_named, .. }, zone) = (self, plain_text(zone));
        let leave = if *is_named { format!("run `chorus zone leave {zone} {other}`, then ") } else { String::new() };
        format!(
            "{leave}list the name servers of {other} as further name servers of {signer}: `chorus operator set {signer} \
             --name-server ...` with all of them, and `chorus zone repair {zone}`; or let {other} sign the zone with keys of \
             its own (RFC 8901 §2.1.2)"
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
            let (of_first, of_second) = (world.taken_from(second, first), world.taken_from(first, second));
            let keys: RecordSet = of_first.union(&of_second).cloned().collect();
            if keys.is_empty() {
                continue;
            }
            let earliest = |name: &str| keys.iter().filter_map(|key| world.first_signed(name, key)).min();
            let second_is_first = earliest(second) < earliest(first);
            let (signer, other) = if second_is_first { (second, first) } else { (first, second) };
            let is_named = is_admitted(world, other);
            found.push(SharedKeys { signer: (*signer).clone(), other: (*other).clone(), keys, is_named });
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
            signing.contains(key) && !world.is_signer(name, key) && !world.is_placed(name, Kind::Dnskey, key)
        });
        (name.clone(), BTreeMap::from([(Kind::Dnskey, keys)]))
    };
    world.members.keys().map(of).filter(|(_, sets)| sets.values().any(|set| !set.is_empty())).collect()
}

/// The operator whose keys all of these are, other than `at`: a member, or one that has left. Where several signed with all of
/// them, the one that did so first.
pub fn pusher(world: &World<'_>, at: &str, keys: &RecordSet) -> Option<String> {
    let signed = |who: &Who| {
        let mut first: BTreeMap<&Rdata, Time> = BTreeMap::new();
        let spans = [Kind::Dnskey, Kind::Data].into_iter().flat_map(|kind| world.history.spans(kind));
        for (_, span) in spans.filter(|(server, _)| server.who == *who) {
            for key in span.served.signers.iter().filter(|key| keys.contains(*key)) {
                first.entry(key).and_modify(|at| *at = span.first_seen.min(*at)).or_insert(span.first_seen);
            }
        }
        first
    };
    let names = world.history.servers().filter_map(|server| match &server.who {
        Who::Operator(name) if name != at => Some(name),
        _ => None,
    });
    let names: BTreeSet<&String> = names.collect();
    let since = |name: &'_ &String| {
        let first = signed(&Who::Operator((*name).clone()));
        first.values().max().copied().filter(|_| first.len() == keys.len())
    };
    let owners = names.into_iter().filter_map(|name| Some((since(&name)?, name)));
    owners.min().map(|(_, name)| name.clone())
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

    /// The keys that the operator signs with now and that `signer` signed with before it. Where both were first seen with a key
    /// in one round, both have to sign with it still. A key that an operator no longer signs with proves nothing: it may
    /// have been a secondary of the other for a while.
    fn taken_from(&self, operator: &str, signer: &str) -> RecordSet {
        let (mut keys, of_signer) = (self.signs_with(operator), self.signs_with(signer));
        keys.retain(|key| match (self.first_signed(signer, key), self.first_signed(operator, key)) {
            (Some(there), Some(here)) => there < here || there == here && of_signer.contains(key),
            _ => false,
        });
        keys
    }

    /// Whether the operator signs with a key, or did so and no other member was seen with it earlier.
    pub(super) fn is_signer(&self, operator: &str, key: &Rdata) -> bool {
        let Some(here) = self.first_signed(operator, key) else { return false };
        let is_earlier = |other: &String| {
            self.first_signed(other, key)
                .is_some_and(|there| there < here || there == here && self.signs_with(other).contains(key))
        };
        let mut others = self.members.keys().filter(|other| *other != operator);
        self.signs_with(operator).contains(key) || !others.any(is_earlier)
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
        if self.is_signer(operator, key) {
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
