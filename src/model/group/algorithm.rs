//! The roll of a whole group to another algorithm, in the order that strict validators need (RFC 6781 §4.1.4, RFC 6840
//! §5.11): signatures before keys, keys before DS, and back out in the opposite order.
//!
//! Invariant: no DNSKEY set names an algorithm that some living answer is not signed with, as far as Chorus places keys;
//! no DS names one that some living DNSKEY set lacks; and until every DS set with the old one is dead, all is signed with
//! both. So the DS of all change from the old algorithm to the new one at once, as the CDS of signers do in a roll of their
//! own. What operators do with their own keys is theirs; they are told when.

use super::decision::Step;
use super::guards::Guard;
use super::ladder::Ladder;
use super::say::{names, outlived};
use super::view::World;
use crate::model::dns::{Dnskey, Ds, Rdata, RecordSet, key_that_ds_belongs_to};
use crate::model::history::{Kind, Served, Who};
use std::collections::BTreeSet;

/// What is signed in every zone, and by what resolvers see of it.
const ANSWERS: [Kind; 3] = [Kind::Dnskey, Kind::Ns, Kind::Data];

/// The names of algorithms as RFC 8624 and the registry have them, lower case.
const NAMES: [(u8, &str); 6] = [
    (8, "rsasha256"),
    (10, "rsasha512"),
    (13, "ecdsap256sha256"),
    (14, "ecdsap384sha384"),
    (15, "ed25519"),
    (16, "ed448"),
];

pub fn algorithm_name(algorithm: u8) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == algorithm);
    known.map_or_else(|| format!("algorithm {algorithm}"), |(_, name)| (*name).to_owned())
}

/// A number or a name of the registry that validators can be expected to know.
pub fn algorithm_number(text: &str) -> Option<u8> {
    let text = text.to_ascii_lowercase();
    NAMES.iter().find(|(number, name)| text == *name || text == number.to_string()).map(|(number, _)| *number)
}

pub(super) fn is_of(key: &Rdata, algorithm: u8) -> bool {
    Dnskey::read(key).is_some_and(|key| key.algorithm == algorithm)
}

/// The algorithms of an operator's own keys that are in use.
pub fn algorithms_of(world: &World<'_>, operator: &str) -> BTreeSet<u8> {
    world.keys_in_use(operator).iter().filter_map(Dnskey::read).map(|key| key.algorithm).collect()
}

/// The algorithms that the parent has a DS of: those that validators expect signatures of.
pub(super) fn signalled(world: &World<'_>) -> BTreeSet<u8> {
    let seen = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
    seen.flat_map(|span| span.served.records.iter().filter_map(Ds::read)).map(|ds| ds.algorithm).collect()
}

/// Whether a key must not be placed at others in a roll to another algorithm: its algorithm is not signalled, and either
/// not the one that all go to, in an undo for instance, or not all is signed with it yet.
pub(super) fn is_held_back<'a>(world: &World<'a>) -> impl Fn(&Rdata) -> bool + use<'a> {
    let expected: Option<BTreeSet<u8>> = world.algorithm.map(|to| {
        let shared = Some(to).filter(|to| may_share(world, *to).is_open(world.now));
        signalled(world).into_iter().chain(shared).collect()
    });
    move |key| {
        let is_expected = |expected: &BTreeSet<u8>| expected.iter().any(|algorithm| is_of(key, *algorithm));
        !expected.as_ref().is_none_or(is_expected)
    }
}

/// The keys of the new algorithm may be placed at others: every answer without a signature by one of them is dead, at
/// every operator.
pub(super) fn may_share(world: &World<'_>, to: u8) -> Guard {
    let signed = |served: &Served| served.signers.is_empty() || served.signers.iter().any(|key| is_of(key, to));
    let mut guard = Guard::open("guard-ttl");
    for kind in ANSWERS {
        for (server, span) in world.history.may_be_served(kind) {
            let Who::Operator(name) = &server.who else { continue };
            if !world.members.contains_key(name) || signed(&span.served) {
                continue;
            }
            guard.and(kind, world.lifetimes.death(server, kind, span), || {
                outlived(world, server, kind, span, &format!("not signed with {}", algorithm_name(to)))
            });
        }
    }
    guard
}

/// The DS of the new algorithm may be asked for: every DNSKEY set without one of the new keys is dead, at every operator.
pub(super) fn may_ask(world: &World<'_>, to: u8) -> Guard {
    let of_all = world.members.keys().flat_map(|operator| world.keys_in_use(operator));
    let new: RecordSet = of_all.filter(|key| is_of(key, to)).collect();
    let mut guard = Guard::open("guard-ttl");
    for (server, span) in world.history.may_be_served(Kind::Dnskey) {
        let member = matches!(&server.who, Who::Operator(name) if world.members.contains_key(name));
        if !member || new.is_subset(&span.served.records) {
            continue;
        }
        guard.and(Kind::Dnskey, world.lifetimes.death(server, Kind::Dnskey, span), || {
            outlived(world, server, Kind::Dnskey, span, &format!("without the keys of {}", algorithm_name(to)))
        });
    }
    guard
}

/// The keys of other algorithms may go: every DS set with one of theirs is dead.
pub(super) fn may_retire(world: &World<'_>, to: u8) -> Guard {
    let mut guard = Guard::open("guard-ttl");
    for (server, span) in world.of_parent(Kind::Ds) {
        if span.served.records.iter().filter_map(Ds::read).any(|ds| ds.algorithm != to) {
            let which = format!("with a DS of another algorithm than {}", algorithm_name(to));
            guard.and_version(world, server, Kind::Ds, span, &which);
        }
    }
    guard
}

/// For which keys an operator's CDS set asks, if `keys` are wanted. A signer that rolls to another algorithm asks for its own
/// new DS as soon as it is ready itself, and neither BIND nor Knot lets anybody else take that back, or put back the old one.
/// So, until the others are ready, its part is left to it. Sets that differ are nothing that a parent should act on.
pub(super) fn asked_at(world: &World<'_>, operator: &str, keys: &RecordSet) -> RecordSet {
    if world.algorithm.is_none() {
        return keys.clone();
    }
    let (own, cds, signalled) = (world.own_keys(operator), world.served(operator, Kind::Cds), signalled(world));
    let has_cds = |key: &&Rdata| cds.iter().any(|cds| key_that_ds_belongs_to(world.zone, cds, [*key]).is_some());
    let asked: RecordSet = own.iter().filter(has_cds).cloned().collect();
    let too_early = |key: &Rdata| !keys.contains(key) && !signalled.iter().any(|algorithm| is_of(key, *algorithm));
    match asked.iter().any(too_early) {
        true => keys.difference(&own).chain(&asked).cloned().collect(),
        false => keys.clone(),
    }
}

impl Ladder<'_> {
    /// What a roll to another algorithm awaits, and for which keys a DS is wanted in the meantime.
    pub(super) fn roll_algorithm(&mut self, to: u8, ds_keys: &mut RecordSet) {
        let world = &self.world.clone();
        let name = algorithm_name(to);
        let of_both = |operator: &&String| algorithms_of(world, operator).contains(&to);
        // Who is gone for good does nothing any more; what it served dies like everything else.
        let there = world.members.keys().filter(|operator| !world.is_lost(operator));
        let (with, without): (Vec<&String>, Vec<&String>) = there.partition(of_both);
        if !without.is_empty() {
            let text = format!(
                "{} must sign everything with {name}, too, and publish those keys; all present keys stay, and go on \
                 signing, until you are told here that they may go",
                names(&without)
            );
            self.wait(Step::SignWithBoth, "algorithm-operator", text, None);
        }
        let (share, ask, retire) = (may_share(world, to), may_ask(world, to), may_retire(world, to));
        if share.from.is_none() && without.is_empty() {
            let text =
                format!("the keys of {name} are there, but not everything is signed with them: {}", share.because);
            self.wait(Step::SignWithBoth, "algorithm-operator", text, None);
        } else if share.from.is_some() && !share.is_open(world.now) {
            let text = format!("Waiting to publish the {name} keys at every operator: {}", share.because);
            self.wait_for(Step::SignWithBoth, &share, text);
        }
        let all_sign = without.is_empty() && share.is_open(world.now);
        if !(all_sign && ask.is_open(world.now)) {
            if all_sign && ask.from.is_some() {
                let text = format!("Waiting to request the DS of the {name} keys: {}", ask.because);
                self.wait_for(Step::AwaitOldKeysAndDs, &ask, text);
            }
            let signalled = signalled(world);
            // Who gave its old keys up already has nothing else that a DS could vouch for.
            let only_new = |operator: &&&String| algorithms_of(world, operator).len() == 1;
            let needed: RecordSet = with.iter().filter(only_new).flat_map(|op| world.key_signing_keys(op)).collect();
            let is_signalled = |key: &Rdata| signalled.iter().any(|algorithm| is_of(key, *algorithm));
            ds_keys.retain(|key| is_signalled(key) || needed.contains(key));
            return;
        }
        ds_keys.retain(|key| is_of(key, to));
        let with_old: Vec<&String> = with.into_iter().filter(|op| algorithms_of(world, op).len() > 1).collect();
        if with_old.is_empty() {
            return;
        }
        if retire.is_open(world.now) {
            let text = format!(
                "{} may take the keys of other algorithms than {name} out now, and stop signing with them",
                names(&with_old)
            );
            self.wait(Step::AwaitOldAlgorithm, "algorithm-operator", text, None);
        } else if retire.from.is_some() {
            let text = format!("Keeping the keys of other algorithms than {name}: {}", retire.because);
            self.wait_for(Step::AwaitOldAlgorithm, &retire, text);
        }
    }
}
