//! The steps of a leave, and of the undo of a join: only what has to be taken back.

use super::{Plan, listed};
use crate::model::dns::{RecordSet, key_that_ds_belongs_to};
use crate::model::group::decision::Step;
use crate::model::group::guards::{Cause, last_question, may_lose_ds, may_lose_key};
use crate::model::group::view::Shown;
use crate::model::history::Kind;
use crate::model::time::Time;

impl Plan<'_, '_> {
    /// The name servers of those that are not to be named any more.
    pub(super) fn step_down(&mut self, leavers: &[&String]) {
        let world = self.world;
        let members = self.present.clone();
        let target = world.ns_of(world.serving());
        let ns = self.writes(&members, Kind::Ns, |_, _| target.clone());
        let told = self
            .imagined
            .ask(|world| world.shown(world.parent_servers, Kind::Delegation, |_, span| span.served.records == target));
        if !ns.is_empty() {
            let own = leavers.iter().any(|op| members.contains(op));
            let own = if own { ", its own included" } else { "" };
            let title = format!("{} out of the name server set of all{own}", listed(leavers));
            self.step(Step::NameServers, &title, "chorus", ns);
        }
        // Where it is written everywhere already, the parent may still be awaited.
        if told != Shown::Everywhere {
            self.delegation(&target);
        }
    }

    /// What of leavers goes when no resolver can query them any more, or at once where none ever could.
    pub(super) fn leave(&mut self, leavers: &[&String]) {
        let world = self.world;
        let staying: Vec<&String> = world.desired().filter(|op| !world.is_lost(op)).collect();
        let begun = self.at;
        let (mut waits, mut ds_may_go) = (Vec::new(), begun);
        for leaver in leavers {
            self.at = begun;
            waits.extend(self.until_ds_may_go(leaver));
            ds_may_go = ds_may_go.max(self.at);
        }
        self.at = ds_may_go;
        let ds_keys: RecordSet = staying.iter().flat_map(|op| world.key_signing_keys(op)).collect();
        let writes = self.ask_for_ds(&staying, &ds_keys);
        let title = format!("the DS of {} may go", listed(leavers));
        let is_there = !writes.is_empty() || self.has_ds_of(leavers);
        let mut ds_gone = begun;
        if is_there {
            self.step_after(Step::AwaitLeaverKeys, &title, "chorus", writes, waits);
            self.parent_has_ds(
                Step::AwaitDsGone,
                &format!("the parent has no DS of {}", listed(leavers)),
                &ds_keys,
                true,
            );
            ds_gone = self.at;
        }
        self.at = begun;
        let going: RecordSet = leavers.iter().flat_map(|op| world.own_keys(op)).collect();
        let causes = self.until_keys_may_go(&staying, &going);
        let waits = self.wait_for("guard-ttl", &format!("Keeping the DNSKEYs of {}", listed(leavers)), &causes);
        let keys = self.writes(&staying, Kind::Dnskey, |_, served| served.difference(&going).cloned().collect());
        if !keys.is_empty() {
            let title =
                format!("remove the DNSKEYs of {} at the other operators: it has left the zone", listed(leavers));
            self.step_after(Step::AwaitLeaverAnswers, &title, "chorus", keys, waits);
        }
        self.at = self.at.max(ds_gone);
    }

    /// What has to be over before the DS of a leaver may go: resolvers query it, and then its DNSKEY RRsets are cached.
    fn until_ds_may_go(&mut self, leaver: &str) -> Vec<super::ForecastWait> {
        let (asked, ds) = self.imagined.ask(|world| (last_question(world, leaver), may_lose_ds(world, leaver)));
        let what = format!("Waiting until resolvers no longer query {leaver}");
        let mut waits = self.wait_for(asked.code, &what, &asked.causes);
        if ds.from.is_none() {
            // What comes after an end that is not known is counted from its estimate.
            self.at = self.at.plus(self.lives(Kind::Dnskey));
            return waits;
        }
        let keys: Vec<Cause> = ds.causes.into_iter().filter(|cause| cause.kind == Kind::Dnskey).collect();
        waits.extend(self.wait_for(ds.code, &format!("Keeping the DS of {leaver}"), &keys));
        waits
    }

    /// The longest wait for answers that a key of a leaver signed, wherever that key is to be taken out.
    fn until_keys_may_go(&self, staying: &[&String], going: &RecordSet) -> Vec<Cause> {
        let guards = self.imagined.ask(|world| {
            let at = |at: &&String| {
                let served = world.served(at, Kind::Dnskey);
                going.intersection(&served).map(|key| may_lose_key(world, key, at)).collect::<Vec<_>>()
            };
            staying.iter().flat_map(at).collect::<Vec<_>>()
        });
        let rank = |from: Option<Time>| from.unwrap_or(Time::MAX);
        let longest = guards.into_iter().max_by_key(|guard| rank(guard.from));
        let Some(guard) = longest else { return Vec::new() };
        let of_answers: Vec<Cause> = guard.causes.iter().filter(|cause| cause.kind == Kind::Data).cloned().collect();
        if of_answers.is_empty() { guard.causes } else { of_answers }
    }

    fn has_ds_of(&self, leavers: &[&String]) -> bool {
        let world = self.world;
        let keys: RecordSet = leavers.iter().flat_map(|op| world.key_signing_keys(op)).collect();
        world.history.spans(Kind::Ds).filter(|(server, span)| server.is_observed() && span.until.is_none()).any(
            |(_, span)| span.served.records.iter().any(|ds| key_that_ds_belongs_to(world.zone, ds, &keys).is_some()),
        )
    }
}
