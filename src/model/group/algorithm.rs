//! The roll of a whole group to another algorithm, in the order that strict validators need (RFC 6781 §4.1.4, RFC 6840
//! §5.11): signatures before keys, keys before DS, and back out in the opposite order.
//!
//! Invariant: no DNSKEY set names an algorithm that some living answer is not signed with, as far as Chorus places keys;
//! no DS names one that some living DNSKEY set lacks; and the last DS of the old one stays until every DS set without the
//! new one is dead. What operators do with their own keys is theirs; they are told when.

use super::decision::Step;
use super::guards::Guard;
use super::ladder::Ladder;
use super::say::outlived;
use super::view::World;
use crate::model::dns::{Dnskey, Ds, Rdata, RecordSet, key_of_ds};
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

/// The algorithms of an operator's own keys.
pub fn algorithms_of(world: &World<'_>, operator: &str) -> BTreeSet<u8> {
    let own = world.own_keys(operator);
    own.iter().filter_map(Dnskey::read).filter(Dnskey::is_usable).map(|key| key.algorithm).collect()
}

/// The keys of the new algorithm may be placed at others: every answer without a signature by one of them is dead, at
/// every operator.
pub(super) fn may_share(world: &World<'_>, to: u8) -> Guard {
    let signed = |served: &Served| served.signers.is_empty() || served.signers.iter().any(|key| is_of(key, to));
    let mut guard = Guard::open("guard-ttl");
    for kind in ANSWERS {
        for (server, span) in world.history.spans(kind) {
            let Who::Operator(name) = &server.who else { continue };
            if !world.members.contains_key(name) || signed(&span.served) {
                continue;
            }
            guard.and(world.lifetimes.death(server, kind, span), || {
                outlived(world, server, kind, span, &format!("not signed with {}", algorithm_name(to)))
            });
        }
    }
    guard
}

/// The DS of the new algorithm may be asked for: every DNSKEY set without one of the new keys is dead, at every operator.
pub(super) fn may_ask(world: &World<'_>, to: u8) -> Guard {
    let of_all = world.members.keys().flat_map(|operator| world.own_keys(operator));
    let new: RecordSet = of_all.filter(|key| is_of(key, to)).collect();
    let mut guard = Guard::open("guard-ttl");
    for (server, span) in world.history.spans(Kind::Dnskey) {
        let member = matches!(&server.who, Who::Operator(name) if world.members.contains_key(name));
        if !member || new.is_subset(&span.served.records) {
            continue;
        }
        guard.and(world.lifetimes.death(server, Kind::Dnskey, span), || {
            outlived(world, server, Kind::Dnskey, span, &format!("without the keys of {}", algorithm_name(to)))
        });
    }
    guard
}

/// The DS of other algorithms may go: every DS set without the new one is dead at every server of the parent.
pub(super) fn may_drop(world: &World<'_>, to: u8) -> Guard {
    has_algorithm(world, to, true, "without a DS of")
}

/// The keys of other algorithms may go: every DS set with one of theirs is dead.
pub(super) fn may_retire(world: &World<'_>, to: u8) -> Guard {
    has_algorithm(world, to, false, "with a DS of another algorithm than")
}

fn has_algorithm(world: &World<'_>, to: u8, some: bool, which: &str) -> Guard {
    let mut guard = Guard::open("guard-ttl");
    for (server, span) in world.history.spans(Kind::Ds) {
        let mut algorithms = span.served.records.iter().filter_map(Ds::read).map(|ds| ds.algorithm);
        let good = if some { algorithms.any(|of| of == to) } else { algorithms.all(|of| of == to) };
        if !good {
            guard.and(world.lifetimes.death(server, Kind::Ds, span), || {
                outlived(world, server, Kind::Ds, span, &format!("{which} {}", algorithm_name(to)))
            });
        }
    }
    guard
}

impl Ladder<'_> {
    /// What a roll to another algorithm awaits, and for which keys a DS is wanted in the meantime.
    pub(super) fn roll_algorithm(&mut self, to: u8, ds_keys: &mut RecordSet) {
        let world = &self.world.clone();
        let name = algorithm_name(to);
        for operator in world.members.keys().filter(|operator| !algorithms_of(world, operator).contains(&to)) {
            let text =
                format!("{operator} has to sign everything with {name}, too, and go on signing with its present keys");
            self.wait(Step::SignWithBoth, "algorithm-operator", text, None);
        }
        let share = may_share(world, to);
        if !share.is_open(world.now) && share.from.is_some() {
            let text = format!("keys of {name} may be shared when no cache holds the {}", share.because);
            self.wait_for(Step::SignWithBoth, &share, text);
        }
        let (ask, drop, retire) = (may_ask(world, to), may_drop(world, to), may_retire(world, to));
        let everybody = world.members.keys().all(|operator| algorithms_of(world, operator).contains(&to));
        if !(everybody && share.is_open(world.now) && ask.is_open(world.now)) {
            if everybody && share.is_open(world.now) && ask.from.is_some() {
                let text = format!("a DS of {name} may be asked for when no cache holds the {}", ask.because);
                self.wait_for(Step::AwaitOldKeysAndDs, &ask, text);
            }
            let has_ds = |key: &Rdata| {
                let seen = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
                seen.flat_map(|span| &span.served.records).any(|ds| key_of_ds(world.zone, ds, [key]).is_some())
            };
            ds_keys.retain(|key| !is_of(key, to) || has_ds(key));
        } else if drop.is_open(world.now) {
            ds_keys.retain(|key| is_of(key, to));
            if retire.is_open(world.now) {
                let with_old = world.members.keys().filter(|operator| algorithms_of(world, operator).len() > 1);
                for operator in with_old {
                    let text =
                        format!("{operator} may take its keys of other algorithms than {name} out of its zone now");
                    self.wait(Step::AwaitOldAlgorithm, "algorithm-operator", text, None);
                }
            } else if retire.from.is_some() {
                let text = format!(
                    "keys of other algorithms than {name} stay as long as a cache holds the {}",
                    retire.because
                );
                self.wait_for(Step::AwaitOldAlgorithm, &retire, text);
            }
        } else if drop.from.is_some() {
            let text =
                format!("the DS of other algorithms than {name} stay as long as a cache holds the {}", drop.because);
            self.wait_for(Step::AwaitLeaverKeys, &drop, text);
        }
    }
}
