//! What an operator's keys are for, by what they do: sign the DNSKEY RRset, or have a DS at the parent.
//!
//! The secure entry point bit is a hint that validators ignore (RFC 4034 §2.1.1): a key that signs everything may lack it, and a
//! standby key that signs nothing may have it. Invariant: the DS of a key that signs the DNSKEY RRset and has one is never given
//! up for that of a key that does neither; and a key that nothing is signed with is neither copied nor asked a DS for, unless it
//! may be the next one of an algorithm in use.

use super::view::World;
use crate::model::dns::{Dnskey, Rdata, RecordSet, key_that_ds_belongs_to};
use crate::model::history::{Failure, Kind, Server};
use std::collections::BTreeSet;

/// Of an operator whose signatures are of a kind that cannot be verified here. It answers: it is not unreachable.
pub(crate) const UNSUPPORTED: &str = "algorithm-unsupported";
pub(crate) const UNSUPPORTED_FIX: &str = "let it sign with an algorithm that validators rely on, ECDSAP256SHA256 (13) for instance, and keys of flags 256 or 257 and \
     protocol 3";

/// What an operator does with its keys, as far as it is seen.
struct Use {
    /// The algorithms that it signs anything with.
    algorithms: BTreeSet<u8>,
    signs_keys: RecordSet,
}

fn algorithm(key: &Rdata) -> Option<u8> {
    Dnskey::read(key).map(|key| key.algorithm)
}

fn is_usable(key: &Rdata) -> bool {
    Dnskey::read(key).is_some_and(|key| key.is_usable())
}

fn has_sep(key: &Rdata) -> bool {
    Dnskey::read(key).is_some_and(|key| key.is_key_signing())
}

impl World<'_> {
    fn use_of_keys(&self, operator: &str) -> Use {
        let signers = |kind: Kind| -> RecordSet {
            self.current(operator, kind).flat_map(|span| span.served.signers.iter().cloned()).collect()
        };
        let signs_keys = signers(Kind::Dnskey);
        let own = self.own_keys(operator);
        let all = [Kind::Data, Kind::Ns].into_iter().flat_map(signers).chain(signs_keys.iter().cloned());
        // A key that is not there any more tells nothing of those that are.
        let algorithms = all.filter(|key| own.contains(key)).filter_map(|key| algorithm(&key)).collect();
        Use { algorithms, signs_keys }
    }

    /// Whether what is wrong with an address is that nothing here can verify what it signs with.
    pub fn is_beyond_us(&self, server: &Server) -> bool {
        let mut kinds = Kind::OPERATOR.iter().filter_map(|kind| self.history.trouble(server, *kind));
        kinds.any(|trouble| matches!(trouble.failure, Failure::Unsupported(_)))
    }

    /// Whether any server of the parent has a DS of this key.
    pub fn has_ds(&self, key: &Rdata) -> bool {
        let mut sets = self.parent_servers.iter().filter_map(|server| self.history.current(server, Kind::Ds));
        sets.any(|span| span.served.records.iter().any(|ds| key_that_ds_belongs_to(self.zone, ds, [key]).is_some()))
    }

    /// The operator's keys that validators may need: those that may validate (RFC 4034 §2.1, RFC 5011 §2.1), of an algorithm
    /// that the operator signs with or the parent has a DS of. An algorithm in the DNSKEY RRset alone obliges nobody to
    /// anything (RFC 6840 §5.11): a key of it is its operator's business until it is used.
    pub fn keys_in_use(&self, operator: &str) -> RecordSet {
        let work_out = || {
            let Use { algorithms, .. } = self.use_of_keys(operator);
            let mut own = self.own_keys(operator);
            own.retain(|key| {
                // In a roll of the whole group to another algorithm keys are there before anything is signed with them.
                let of_use = self.algorithm.is_some()
                    || algorithms.is_empty()
                    || algorithm(key).is_some_and(|algorithm| algorithms.contains(&algorithm))
                    || self.has_ds(key);
                is_usable(key) && of_use
            });
            own
        };
        self.memo_of(operator).map_or_else(work_out, |memo| memo.keys_in_use.get_or_init(work_out).clone())
    }

    /// The operator's keys that the parent has to have a DS for.
    pub(super) fn work_out_key_signing_keys(&self, operator: &str) -> RecordSet {
        let own = self.keys_in_use(operator);
        let Use { signs_keys, .. } = self.use_of_keys(operator);
        let with_sep: RecordSet = own.iter().filter(|key| has_sep(key)).cloned().collect();
        // Where a key with the bit signs the DNSKEY RRset, the bit means what it says. Before anything is seen, too.
        if signs_keys.is_empty() || with_sep.iter().any(|key| signs_keys.contains(key)) {
            // A roll to another algorithm is the whole group's business: there the keys of each are looked at on their own.
            let algorithms: BTreeSet<Option<u8>> = with_sep.iter().map(algorithm).collect();
            let of = |wanted| with_sep.iter().filter(|key| algorithm(key) == wanted).cloned().collect();
            let asked = algorithms.into_iter().flat_map(|wanted| self.asked_by_owner(operator, of(wanted)));
            let without_sep = own.iter().filter(|key| !has_sep(key) && signs_keys.contains(*key) && self.has_ds(key));
            return asked.chain(without_sep.cloned()).collect();
        }
        // Keys that sign the DNSKEY RRset without the bit. One with it that signs nothing is wanted only where its operator, or
        // the parent, says so.
        let is_wanted = |key: &&Rdata| signs_keys.contains(*key) || self.has_ds(key) || self.has_own_cds(operator, key);
        own.iter().filter(|key| has_sep(key) || signs_keys.contains(*key)).filter(is_wanted).cloned().collect()
    }

    /// Whether the operator asks for a DS of this key by itself.
    fn has_own_cds(&self, operator: &str, key: &Rdata) -> bool {
        let placed = self.member(operator).and_then(|member| member.placements.get(&Kind::Cds));
        let by_itself = |cds: &&Rdata| !placed.is_some_and(|placed| placed.contains(*cds));
        let served = self.served(operator, Kind::Cds);
        served.iter().filter(by_itself).any(|cds| key_that_ds_belongs_to(self.zone, cds, [key]).is_some())
    }
}
