//! The zone as it will look when the planned writes are served: what the guards of later steps are asked about.
//!
//! Invariant: every server shows a planned RRset at the moment at which it is planned, with the TTL that it serves now. So a
//! guard that is evaluated here ends at the earliest moment that it can end at.

use crate::model::dns::RecordSet;
use crate::model::group::view::{Member, Memo, World};
use crate::model::history::{History, Kind, Outcome, Sample, Served, Server};
use crate::model::time::Time;
use std::collections::BTreeMap;

pub(super) struct Imagined<'w, 'a> {
    world: &'w World<'a>,
    history: History,
    members: BTreeMap<String, Member>,
}

impl<'w, 'a> Imagined<'w, 'a> {
    pub fn of(world: &'w World<'a>) -> Imagined<'w, 'a> {
        Imagined { world, history: world.history.clone(), members: world.members.clone() }
    }

    /// Asks something about the imagined world. The present moment in it is that of the real one.
    pub fn ask<T>(&self, question: impl FnOnce(&World<'_>) -> T) -> T {
        let memo = Memo::of(&self.members);
        question(&World { history: &self.history, members: &self.members, memo: Some(&memo), ..*self.world })
    }

    /// Every address of an operator shows these records from `at` on. What is new among them counts as placed there by
    /// Chorus.
    pub fn operator_shows(&mut self, operator: &str, kind: Kind, records: &RecordSet, at: Time) {
        if self.world.takes_no_updates(operator) {
            return;
        }
        let served = self.ask(|world| world.served(operator, kind));
        let Some(member) = self.members.get_mut(operator) else { return };
        member.placements.entry(kind).or_default().extend(records.difference(&served).cloned());
        for server in member.servers.clone() {
            self.shows(&server, kind, records, at);
        }
    }

    pub fn parent_shows(&mut self, kind: Kind, records: &RecordSet, at: Time) {
        for server in self.world.parent_servers {
            self.shows(server, kind, records, at);
        }
    }

    fn shows(&mut self, server: &Server, kind: Kind, records: &RecordSet, at: Time) {
        let now = self.history.current(server, kind).map(|span| span.served.clone());
        if now.as_ref().is_some_and(|now| now.records == *records) {
            return;
        }
        // A round of observation comes before every write: what is replaced was seen until then.
        if let Some(now) = &now {
            let outcome = Outcome::Served(Served::clone(now));
            self.history.record(&Sample { at, server: server.clone(), kind, outcome });
        }
        let like = now.or_else(|| Some(self.history.current(server, Kind::Dnskey)?.served.clone()));
        let Some(like) = like else { return };
        let keys = self.history.current(server, Kind::Dnskey).map(|span| span.served.signers.clone());
        let signers = match records.is_empty() {
            true => RecordSet::new(),
            false if like.signers.is_empty() => keys.unwrap_or_default(),
            false => like.signers.clone(),
        };
        let served = Served { records: records.clone(), ttl_s: like.ttl_s, signers, expires: None };
        self.history.record(&Sample { at, server: server.clone(), kind, outcome: Outcome::Served(served) });
    }
}
