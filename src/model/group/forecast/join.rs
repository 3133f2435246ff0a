//! The steps of a join: keys, DS, name servers.

use super::{Plan, listed};
use crate::model::dns::RecordSet;
use crate::model::group::Standing;
use crate::model::group::decision::Step;
use crate::model::group::desired::{cds_and_cdnskey, placed_keys};
use crate::model::group::guards::may_serve;
use crate::model::group::ladder::is_admitted;
use crate::model::history::Kind;

impl Plan<'_, '_> {
    /// Keys, CDS and DS of those that come in.
    pub(super) fn trust(&mut self, newcomers: &[&String]) {
        let world = self.world;
        let members = self.present.clone();
        let keys =
            self.writes(&members, Kind::Dnskey, |at, served| served.union(&placed_keys(world, at)).cloned().collect());
        self.step_if(Step::ShareKeys, "every operator serves the keys of all", keys);
        let ds_keys: RecordSet = members.iter().flat_map(|op| world.key_signing_keys(op)).collect();
        let writes = self.ask_for_ds(&members, &ds_keys);
        self.step_if(Step::AskForDs, "every operator asks the parent for a DS of each key-signing key", writes);
        self.parent_has_ds(Step::AwaitDs, "the parent has the DS of all", &ds_keys, false);
        if world.serving().all(|op| !newcomers.contains(&op)) {
            // Whoever is trusted only is in when caches have forgotten what does not know it.
            let guard = self.imagined.ask(|world| may_serve(world, newcomers));
            self.wait_for(guard.code, "", &guard.causes);
        }
    }

    /// A step of Chorus', if it changes anything.
    fn step_if(&mut self, step: Step, title: &str, writes: Vec<super::ForecastWrite>) {
        if !writes.is_empty() {
            self.step(step, title, "chorus", writes);
        }
    }

    /// The CDS and CDNSKEY RRsets for these keys at these operators.
    pub(super) fn ask_for_ds(&mut self, at: &[&String], keys: &RecordSet) -> Vec<super::ForecastWrite> {
        let (cds, cdnskey) = self.imagined.ask(|world| cds_and_cdnskey(world, keys));
        let mut writes = self.writes(at, Kind::Cds, |_, _| cds.clone());
        writes.extend(self.writes(at, Kind::Cdnskey, |_, _| cdnskey.clone()));
        writes
    }

    /// The name servers of those that come in.
    pub(super) fn name(&mut self, joiners: &[&String]) {
        let world = self.world;
        let members = self.present.clone();
        let admitted: Vec<&String> = world
            .members
            .keys()
            .filter(|op| {
                let named = is_admitted(world, op) && !world.is_lost(op);
                world.member(op).is_some_and(|m| m.wanted == Standing::Serving) || named
            })
            .collect();
        let target = world.ns_of(admitted);
        let newcomers: Vec<&String> = joiners.iter().copied().filter(|op| !is_admitted(world, op)).collect();
        let newcomers = if newcomers.is_empty() { joiners.to_vec() } else { newcomers };
        let guard = self.imagined.ask(|world| may_serve(world, joiners));
        let what = format!("Waiting to add {} to the NS RRset", listed(&newcomers));
        let waits = self.wait_for(guard.code, &what, &guard.causes);
        let ns = self.writes(&members, Kind::Ns, |_, _| target.clone());
        let title = format!("{} in the name server set of all, at the newcomer first", listed(&newcomers));
        if !ns.is_empty() || !waits.is_empty() {
            self.step_after(Step::NameServers, &title, "chorus", ns, waits);
        }
        self.delegation(&target);
    }
}
