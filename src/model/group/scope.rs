//! What a decision may write: everything that the group needs while a transition is under way, and at rest only the new keys
//! of a rollover and repairs of what Chorus placed.
//!
//! Invariant: at rest Chorus takes a zone as it is. A difference that it did not make, and that no rollover explains, is
//! reported (`missing.rs`), and is put right only when a person asks for it. So a group that operators made without Chorus
//! can be adopted, and two controllers do not undo each other's work.

use super::decision::{Change, Write};
use super::view::World;
use crate::model::dns::{Rdata, RecordSet, is_delete_request, key_that_ds_belongs_to};
use crate::model::history::Kind;

/// How much a decision may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everything that the group needs: a person asked for the transition that is under way.
    #[default]
    Transition,
    /// New keys of a rollover, and repairs of what Chorus placed.
    Rest,
    /// New keys of a rollover: another controller writes, and a person has to decide.
    NewKeys,
}

impl World<'_> {
    /// Leaves of these writes what the scope allows.
    pub(super) fn within_scope(&self, writes: Vec<Write>) -> Vec<Write> {
        if self.scope == Scope::Transition {
            return writes;
        }
        writes.into_iter().filter_map(|write| self.narrowed(write)).collect()
    }

    fn narrowed(&self, write: Write) -> Option<Write> {
        let at = write.operator.clone();
        // CDS and CDNSKEY ask for the same: both, or none.
        let asking = |kind: Kind| matches!(kind, Kind::Cds | Kind::Cdnskey);
        let may_ask = write.sets.iter().filter(|(kind, ..)| asking(*kind)).all(|(kind, _, change)| match change {
            Change::Exactly(records) => self.may_ask(&at, *kind, records),
            Change::Partly { .. } => false,
        });
        let sets = write.sets.into_iter().filter_map(|(kind, ttl_s, change)| {
            let change = match change {
                Change::Partly { with, without } if kind == Kind::Dnskey => self.keys_within(&at, with, without),
                Change::Exactly(_) if asking(kind) => Some(change).filter(|_| may_ask),
                Change::Exactly(records) => self.may_restore(&at, kind, &records).then_some(Change::Exactly(records)),
                Change::Partly { .. } => None,
            };
            Some((kind, ttl_s, change?))
        });
        let sets: Vec<_> = sets.collect();
        (!sets.is_empty()).then_some(Write { sets, ..write })
    }

    /// Of a change of a DNSKEY RRset the keys that may come and go; `None` when nothing is left of it.
    fn keys_within(&self, at: &str, mut with: RecordSet, mut without: RecordSet) -> Option<Change> {
        let served = self.served_everywhere(at, Kind::Dnskey);
        with.retain(|key| served.contains(key) || self.may_add_key(at, key));
        without.retain(|key| self.scope == Scope::Rest && self.is_placed(at, Kind::Dnskey, key));
        let any = self.served(at, Kind::Dnskey);
        let changes = !with.is_subset(&served) || !without.is_disjoint(&any);
        changes.then_some(Change::Partly { with, without })
    }

    /// Whether a key may be put into an operator's DNSKEY RRset.
    pub(super) fn may_add_key(&self, at: &str, key: &Rdata) -> bool {
        match self.scope {
            Scope::Transition => true,
            Scope::Rest => self.was_placed(at, Kind::Dnskey, key) || self.is_new(key),
            Scope::NewKeys => !self.is_placed(at, Kind::Dnskey, key) && self.is_new(key),
        }
    }

    /// Whether Chorus placed the record and the operator served it. A placement is stored before it is sent: one that never was
    /// served is no part of the zone, and to send it again is no repair.
    fn was_placed(&self, at: &str, kind: Kind, record: &Rdata) -> bool {
        self.is_placed(at, kind, record) && self.spans_at(at, kind).any(|span| span.served.records.contains(record))
    }

    /// Whether a member published the key after Chorus first looked: it is new, and a rollover has begun.
    pub(super) fn is_new(&self, key: &Rdata) -> bool {
        let began = |owner: &String| self.first_published(owner, key).is_some_and(|span| span.since.is_some());
        self.members.keys().any(|owner| self.own_keys(owner).contains(key) && began(owner))
    }

    /// Whether these CDS or CDNSKEY records may take the place of what an operator serves: they differ by a rollover, or by
    /// what Chorus placed.
    pub(super) fn may_ask(&self, at: &str, kind: Kind, wanted: &RecordSet) -> bool {
        match self.scope {
            Scope::Transition => return true,
            Scope::NewKeys => return false,
            Scope::Rest => {}
        }
        let served = self.served(at, kind);
        let key_of = |record: &Rdata| -> Option<Rdata> {
            if kind == Kind::Cdnskey {
                return Some(record.clone());
            }
            let published = self.history.spans(Kind::Dnskey).map(|(_, span)| &span.served.records);
            published.flatten().find(|key| key_that_ds_belongs_to(self.zone, record, [*key]).is_some()).cloned()
        };
        let placed = self.member(at).and_then(|member| member.placements.get(&kind)).into_iter().flatten();
        let placed: RecordSet = placed.filter(|record| self.was_placed(at, kind, record)).cloned().collect();
        let about = |record: &Rdata, key: &Rdata| key_of(record).is_some_and(|of| of == *key);
        // A delete request replaces the whole RRset (RFC 8078 §4), with what Chorus placed in it: the RRset is restored whole.
        let deletes = |record: &Rdata| !placed.is_empty() && is_delete_request(kind.record_type(), record);
        let restores = served.iter().any(deletes);
        let was_served = |record: &Rdata| self.spans_at(at, kind).any(|span| span.served.records.contains(record));
        let may_come = |record: &Rdata| {
            let Some(key) = key_of(record) else { return false };
            // Another digest of a key that is asked for already, or was.
            self.is_new(&key)
                || served.iter().chain(&placed).any(|other| about(other, &key))
                || restores && was_served(record)
        };
        let wanted_keys: RecordSet = self.desired().flat_map(|name| self.own_keys(name)).collect();
        let may_go = |record: &Rdata| {
            self.is_placed(at, kind, record)
                || deletes(record)
                || key_of(record).is_some_and(|key| !wanted_keys.contains(&key))
        };
        wanted.difference(&served).all(may_come) && served.difference(wanted).all(may_go)
    }

    /// Whether these records may take the place of what an operator serves: all that comes and goes was placed by Chorus.
    pub(super) fn may_restore(&self, at: &str, kind: Kind, wanted: &RecordSet) -> bool {
        let served = self.served(at, kind);
        let placed = |record: &Rdata| self.was_placed(at, kind, record);
        match self.scope {
            Scope::Transition => true,
            Scope::Rest => wanted.symmetric_difference(&served).all(placed),
            Scope::NewKeys => false,
        }
    }

    /// What every address of the operator serves of a kind.
    pub(super) fn served_everywhere(&self, operator: &str, kind: Kind) -> RecordSet {
        let servers = self.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
        let mut sets = servers.iter().map(|server| {
            self.history.current(server, kind).map(|span| span.served.records.clone()).unwrap_or_default()
        });
        let first = sets.next().unwrap_or_default();
        sets.fold(first, |all, set| &all & &set)
    }
}
