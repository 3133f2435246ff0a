//! Leavers that answer and take no updates: what is asked of the parent for them, and what the others must not do meanwhile.
//!
//! Invariant: as long as resolvers may query such a leaver, the DS of its keys stay, and no answer of the others needs anything that
//! its DNSKEY RRset lacks without that being told.

use super::algorithm::{algorithms_of, signalled};
use super::dead_leavers::UNCOOPERATIVE;
use super::decision::Step;
use super::guards::last_question;
use super::ladder::Ladder;
use super::say::key_list;
use crate::model::dns::{Dnskey, Rdata, RecordSet, key_that_ds_validates, plain_text};
use crate::model::history::Kind;
use std::collections::BTreeSet;

impl Ladder<'_> {
    /// Those that the parent has to have a DS for while the leaver may be queried. Of an operator that takes no updates these are
    /// the keys that the parent has a DS for, even if it does not serve them now, and no key of an algorithm that not all sign with
    /// (RFC 4035 §2.2).
    pub(super) fn ds_keys_of_leaver(&self, leaver: &str) -> RecordSet {
        let world = &self.world;
        let mut keys = world.key_signing_keys(leaver);
        if !world.takes_no_updates(leaver) {
            return keys;
        }
        let placed = world.member(leaver).and_then(|member| member.placements.get(&Kind::Dnskey));
        let of_leaver = world.history.spans(Kind::Dnskey).filter(|(server, _)| server.who.is_operator(leaver));
        let seen: RecordSet = of_leaver.flat_map(|(_, span)| span.served.records.iter().cloned()).collect();
        let sets = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
        let with_ds =
            sets.flat_map(|span| &span.served.records).filter_map(|ds| key_that_ds_validates(world.zone, ds, &seen));
        keys.extend(with_ds.filter(|key| placed.is_none_or(|placed| !placed.contains(*key))).cloned());
        let used: BTreeSet<u8> = world.desired().flat_map(|operator| algorithms_of(world, operator)).collect();
        keys.retain(|key| Dnskey::read(key).is_some_and(|key| used.contains(&key.algorithm)));
        keys
    }

    /// While resolvers may query a leaver that takes no updates, the parent gets a DS of no algorithm that the leaver does not sign
    /// with (RFC 4035 §2.2), unless it has one already.
    pub(super) fn hold_algorithms_back(&mut self, ds_keys: &mut RecordSet) {
        let world = self.world;
        let is_queried = |leaver: &&String| {
            world.takes_no_updates(leaver)
                && !world.is_lost(leaver)
                && !last_question(&world, leaver).is_open(world.now)
        };
        for leaver in world.leavers().filter(is_queried).filter(|_| world.algorithm.is_none()) {
            let allowed = &signalled(&world) | &algorithms_of(&world, leaver);
            let is_held = |key: &&Rdata| Dnskey::read(key).is_some_and(|key| !allowed.contains(&key.algorithm));
            let held: RecordSet = ds_keys.iter().filter(is_held).cloned().collect();
            if held.is_empty() {
                continue;
            }
            let text = format!(
                "the parent gets no DS of {} while resolvers may query {leaver}, which takes no updates and does not sign with that \
                 algorithm",
                key_list(&held)
            );
            self.wait(Step::AskForDs, "algorithm-mismatch", text, None);
            ds_keys.retain(|key| !held.contains(key));
        }
    }

    /// Resolvers that hold the DNSKEY RRset of a leaver that takes no updates cannot validate what is signed with a key that it
    /// lacks (RFC 8901 §2.1.2), and Chorus cannot give it the key.
    pub(super) fn report_keys_that_it_lacks(&mut self, leaver: &str) {
        let world = self.world;
        let served = world.served(leaver, Kind::Dnskey);
        for operator in world.desired() {
            let lacks: RecordSet = world.keys_in_use(operator).difference(&served).cloned().collect();
            if served.is_empty() || lacks.is_empty() {
                continue;
            }
            let text = format!(
                "{leaver} takes no updates, and its DNSKEY RRset lacks {} of {operator}: {operator} must not sign with that key before \
                 {leaver} no longer serves {}, or resolvers that hold the DNSKEY RRset of {leaver} fail",
                key_list(&lacks),
                plain_text(world.zone)
            );
            self.wait(Step::ShareKeys, UNCOOPERATIVE, text, None);
        }
    }
}
