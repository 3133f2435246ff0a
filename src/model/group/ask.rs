//! What the parent is asked for: one CDS and CDNSKEY set at every operator, and then a DS for each key at every parent server.
//!
//! Invariant: no operator goes on asking for what another one's set has made undone. So all are told, or none; and what takes
//! out a DS that is wanted is put back.

use super::algorithm::asked_at;
use super::cds::asks_to_delete;
use super::cds_waits::{DS_UNUSABLE_FIX, unusable_ds};
use super::dead_leavers::UNCOOPERATIVE;
use super::decision::{Change, Step};
use super::desired::{asked_in_a_pause, cds_and_cdnskey, is_asked_by};
use super::ladder::{Ladder, TTL_UNKNOWN_S, is_admitted};
use super::say::{key_list, names};
use super::strangers::strange_ds;
use super::view::{Member, Shown};
use crate::model::dns::{Rdata, RecordSet, key_that_ds_belongs_to, key_that_ds_validates};
use crate::model::history::Kind;
use crate::model::switches::Switch;

/// The CDS and CDNSKEY sets that an operator is to serve, and does not yet.
struct ToAsk {
    keys: RecordSet,
    cds: RecordSet,
    cdnskey: RecordSet,
    missing: Shown,
    sets: Vec<(Kind, u32, Change)>,
}

impl<'a> Ladder<'a> {
    /// One CDS and CDNSKEY set at every operator, and then a DS for each key at every parent server. True when the parent's
    /// servers have them all.
    pub(super) fn ask_for_ds(&mut self, keys: &RecordSet) -> bool {
        let world = &self.world.clone();
        let going = world.leavers().any(|leaver| world.key_signing_keys(leaver).is_disjoint(keys));
        let ask_step = if going { Step::AwaitLeaverKeys } else { Step::AskForDs };
        let asked = self.write_cds(ask_step, keys);
        let validates =
            |set: &RecordSet, key: &Rdata| set.iter().any(|ds| key_that_ds_validates(world.zone, ds, [key]).is_some());
        let has_all = |set: &RecordSet| keys.iter().all(|key| validates(set, key));
        let has_others = |set: &RecordSet| set.iter().any(|ds| key_that_ds_belongs_to(world.zone, ds, keys).is_none());
        let complete = world.shown(world.parent_servers, Kind::Ds, |_, span| has_all(&span.served.records));
        let exact = world.shown(world.parent_servers, Kind::Ds, |_, span| {
            has_all(&span.served.records) && !has_others(&span.served.records)
        });
        let lacked = |key: &&Rdata| {
            let seen = world.parent_servers.iter().filter_map(|server| world.history.current(server, Kind::Ds));
            let mut sets = seen.map(|span| &span.served.records);
            sets.any(|set| !validates(set, key))
        };
        let missing: RecordSet = keys.iter().filter(lacked).cloned().collect();
        if let Some((code, strange)) = strange_ds(world) {
            let text = format!("{strange}: take it out at the registrar; it is not of Chorus' making");
            self.wait(Step::AwaitDs, code, text, None);
        }
        if let Some(text) = unusable_ds(world, &missing) {
            self.wait(Step::AwaitDs, "ds-unusable", format!("{text}; {DS_UNUSABLE_FIX}"), None);
        }
        let apart: Vec<&String> = world.members.keys().filter(|op| asked_at(world, op, keys) != *keys).collect();
        let not_accepted = (complete != Shown::Everywhere || exact != Shown::Everywhere) && asked && !world.paused;
        if let Some(text) = self.cds_is_not_accepted().filter(|_| not_accepted) {
            self.wait(
                if complete == Shown::Everywhere { Step::AwaitDsGone } else { Step::AwaitDs },
                "cds-signer",
                text,
                None,
            );
        } else if asked && !world.paused {
            match (&complete, &exact) {
                (_, Shown::Everywhere) => {}
                _ if !apart.is_empty() => {
                    let text = format!(
                        "the parent is to have a DS for each of {}, and does not act as long as {} asks for that of a key whose \
                         algorithm not all sign with: that key has to go, or the others have to sign with its algorithm, too",
                        key_list(keys),
                        names(&apart)
                    );
                    self.wait(Step::AwaitDs, "algorithm-operator", text, None);
                }
                (Shown::Everywhere, _) => {
                    self.wait_for_parent(Step::AwaitDsGone, &exact, "DS set", &format!("holds only {}", key_list(keys)))
                }
                _ => self.wait_for_parent(
                    Step::AwaitDs,
                    &complete,
                    "DS set",
                    &format!("has a DS for each of {}, of which {} is missing", key_list(keys), key_list(&missing)),
                ),
            }
        }
        asked && complete == Shown::Everywhere
    }

    /// The CDS and CDNSKEY sets for these keys at every operator. True when all serve them.
    fn write_cds(&mut self, step: Step, ds_keys: &RecordSet) -> bool {
        let world = &self.world.clone();
        let (mut asked, mut held) = (true, false);
        // Whom the parent cannot ask yet comes first. So nothing lies between the write that a parent may act on and the look
        // at what it did: a DS set that appears while the old CDS set may still have been there could be taken back for it.
        let mut present = self.present();
        present.sort_by_key(|(name, _)| is_admitted(world, name));
        let heard = self.heard_by_the_parent(&present);
        let silent = self.silent_before_the_parent(&heard);
        for (name, member) in present.iter().copied() {
            let Some(ToAsk { keys, cds, cdnskey, missing, sets }) = self.to_ask(name, member, ds_keys) else {
                continue;
            };
            if let Some(stripped) = self.lacks_what_it_strips(step, (name, member), &keys, &cds, &cdnskey) {
                // Digest types are the parent's choice (RFC 9975); CDNSKEY that one operator lacks makes it do nothing.
                asked &= !stripped.cdnskey;
                continue;
            }
            asked = false;
            let why = format!("CDS and CDNSKEY for {}", key_list(&keys));
            match silent.as_ref().filter(|_| !self.others_say(&heard, name, &cds, &cdnskey)) {
                Some((code, trouble)) => {
                    let text = format!(
                        "{why}, to be written at {name}, have to wait: {trouble}, and a parent that asks it later must not take \
                         back what it was asked for elsewhere"
                    );
                    self.wait(step, code, text, None);
                    held = true;
                }
                None => self.bring_about(step, name, missing, sets, why),
            }
        }
        if held {
            self.put_back_cds(ds_keys);
        }
        asked
    }

    /// What an operator is to ask the parent for, if these keys are to have a DS, and where it does not yet.
    fn to_ask(&self, name: &str, member: &Member, ds_keys: &RecordSet) -> Option<ToAsk> {
        let world = &self.world;
        let mut keys = if world.paused { asked_in_a_pause(world, name) } else { asked_at(world, name, ds_keys) };
        let deletes = |kind| member.servers.iter().any(|server| asks_to_delete(world, server, kind));
        if world.paused && (deletes(Kind::Cds) || deletes(Kind::Cdnskey)) {
            keys.extend(self.kept_in_a_pause(ds_keys));
        }
        if world.paused && keys.is_empty() {
            return None;
        }
        let (cds, cdnskey) = cds_and_cdnskey(world, &keys);
        let ttl_s = world.served_ttl_s(name, Kind::Dnskey).unwrap_or(TTL_UNKNOWN_S);
        let (mut sets, mut missing) = (Vec::new(), Shown::Everywhere);
        for (kind, wanted) in [(Kind::Cds, &cds), (Kind::Cdnskey, &cdnskey)] {
            let shown = world.shown(&member.servers, kind, |_, span| match kind {
                Kind::Cds => is_asked_by(world, &span.served.records, wanted, &keys),
                _ => span.served.records == *wanted,
            });
            if shown != Shown::Everywhere {
                sets.push((kind, ttl_s, Change::Exactly(wanted.clone())));
                missing = shown;
            }
        }
        (missing != Shown::Everywhere).then_some(ToAsk { keys, cds, cdnskey, missing, sets })
    }

    /// Whether all the others that the parent may ask served these sets when they were last seen: then one more that does
    /// tells the parent nothing new.
    fn others_say(&self, present: &[(&String, &Member)], name: &str, cds: &RecordSet, cdnskey: &RecordSet) -> bool {
        let world = &self.world;
        let others = present.iter().filter(|(other, _)| *other != name && self.may_be_heard(other));
        let mut servers = others.flat_map(|(_, member)| &member.servers);
        servers.all(|server| {
            let says = |kind, wanted: &RecordSet| {
                world.history.current(server, kind).is_some_and(|span| span.served.records == *wanted)
            };
            says(Kind::Cds, cds) && says(Kind::Cdnskey, cdnskey)
        })
    }

    /// Those that take part, and those that a person has said to take no updates: the parent may ask these, too.
    fn heard_by_the_parent(&self, present: &[(&'a String, &'a Member)]) -> Vec<(&'a String, &'a Member)> {
        let world = &self.world;
        let untold = world.members.iter().filter(|(name, _)| world.takes_no_updates(name) && !world.is_lost(name));
        present.iter().copied().chain(untold).collect()
    }

    /// An operator that the parent may ask and that cannot be told anything now. A parent may act on what a single operator
    /// serves (RFC 9975 is young): a signer that sees the DS of its new key gives the old one up, and the set that the silent
    /// one goes on serving would ask for the old one again. So all are told, or none.
    fn silent_before_the_parent(&self, heard: &[(&'a String, &'a Member)]) -> Option<(&'static str, String)> {
        let world = &self.world;
        let asked = heard.iter().filter(|(name, _)| self.may_be_heard(name) && !world.leaves_out(Switch::ToldTogether));
        asked.flat_map(|(name, member)| [Kind::Cds, Kind::Cdnskey].map(|kind| (name, member, kind))).find_map(
            |(name, member, kind)| match world.shown(&member.servers, kind, |_, _| true) {
                _ if world.takes_no_updates(name) => Some((UNCOOPERATIVE, format!("{name} takes no updates"))),
                Shown::Unknown(server, trouble) => {
                    Some(("operator-unreachable", format!("{name}: {server} {trouble}")))
                }
                _ => None,
            },
        )
    }

    /// Whether the parent may ask an operator for CDS. What an operator that takes no updates says in its own NS RRset, or caches
    /// hold of that, leads no parent to it.
    fn may_be_heard(&self, name: &str) -> bool {
        match self.world.takes_no_updates(name) {
            true => self.world.is_delegated_to(name),
            false => is_admitted(&self.world, name),
        }
    }

    /// A CDS set that would take out a DS which is wanted is put back whatever else is waited for: nobody else's trouble is a
    /// reason to leave it there, and no more is asked of the parent by this than it has.
    pub(super) fn put_back_cds(&mut self, ds_keys: &RecordSet) {
        let world = self.world;
        let has =
            |set: &RecordSet, key: &Rdata| set.iter().any(|ds| key_that_ds_validates(world.zone, ds, [key]).is_some());
        let everywhere = |key: &&Rdata| world.shown(world.parent_servers, Kind::Ds, |_, s| has(&s.served.records, key));
        let kept: RecordSet = ds_keys.iter().filter(|key| everywhere(key) == Shown::Everywhere).cloned().collect();
        let present = self.present();
        // Of whom the parent cannot ask yet, it takes nothing.
        for (name, member) in present.into_iter().filter(|(name, _)| is_admitted(&world, name)) {
            let asks = |server| world.history.current(server, Kind::Cds).map(|span| &span.served.records);
            let mut sets = member.servers.iter().filter_map(asks).filter(|set| !set.is_empty());
            let deletes = member.servers.iter().any(|server| asks_to_delete(&world, server, Kind::Cdnskey));
            if deletes && !kept.is_empty() || sets.any(|set| kept.iter().any(|key| !has(set, key))) {
                // What it asks for beyond that, and rightly, is left to it.
                let served = world.served(name, Kind::Cds);
                let asked = ds_keys.iter().filter(|key| has(&served, key));
                let keys = kept.iter().chain(asked).cloned().collect();
                if let Some(ToAsk { keys, missing, sets, .. }) = self.to_ask(name, member, &keys) {
                    let why = format!("CDS and CDNSKEY for {}, which the parent has", key_list(&keys));
                    self.bring_about(Step::AskForDs, name, missing, sets, why);
                }
            }
        }
    }
}
