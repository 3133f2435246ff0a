//! What keeps a parent from acting on CDS, or an operator from serving it, as waits: each named as what it is, because
//! neither time nor another write ends it.

use super::Standing;
use super::cds::{DELETE_FIX, SIGNER_FIX, Stripped, cds_not_accepted, delete_requests, strip_conflict, strip_fix};
use super::decision::Step;
use super::desired::is_asked_by;
use super::ladder::{Ladder, is_admitted};
use super::view::{Member, ParentMode, Shown, World};
use crate::model::dns::{Ds, Rdata, RecordSet, ds_label, key_that_ds_belongs_to, key_that_ds_validates};
use crate::model::history::Kind;

/// What to do about a DS that not every validator can use.
pub(super) const DS_UNUSABLE_FIX: &str = "have a DS of digest type 2 put beside it";

/// The DS records of keys whose DS is missed that are there, and that not every validator can use.
pub(super) fn unusable_ds(world: &World<'_>, missing: &RecordSet) -> Option<String> {
    world.parent_servers.iter().find_map(|server| {
        let records = &world.history.current(server, Kind::Ds)?.served.records;
        let validated = |key: &Rdata| records.iter().any(|ds| key_that_ds_validates(world.zone, ds, [key]).is_some());
        let missing = || missing.iter().filter(|key| !validated(key));
        let unusable = records.iter().find(|ds| key_that_ds_belongs_to(world.zone, ds, missing()).is_some())?;
        Some(format!(
            "the DS set at {server} has {} and none of digest type 2 or 4 for that key: not every validator can use it",
            ds_label(unusable)
        ))
    })
}

/// The same of the operators that stay or come in, where one comes in or goes: the transition could not go on.
pub fn ds_not_usable(world: &World<'_>) -> Option<String> {
    let moves = |(name, member): (&String, &Member)| member.wanted == Standing::Outside || !is_admitted(world, name);
    if !world.members.iter().any(moves) {
        return None;
    }
    let keys: RecordSet = world.desired().flat_map(|operator| world.key_signing_keys(operator)).collect();
    unusable_ds(world, &keys)
}

impl Ladder<'_> {
    /// Whoever asks the parent to remove every DS is reported for as long as it does, whatever else is done or awaited.
    pub(super) fn report_delete_requests(&mut self) {
        for (_, text) in delete_requests(&self.world) {
            self.wait(Step::AskForDs, "cds-delete", format!("{text}; {DELETE_FIX}"), None);
        }
    }

    /// Why a parent that scans will not act on what it is asked for: the CDS of an operator that it queries is signed by no
    /// key that it has a DS of.
    pub(super) fn cds_is_not_accepted(&self) -> Option<String> {
        let world = &self.world;
        if world.parent != ParentMode::Scan {
            return None;
        }
        let mut queried = world.members.keys().filter(|name| is_admitted(world, name));
        let text = queried.find_map(|name| cds_not_accepted(world, name))?;
        Some(format!("{text}; {SIGNER_FIX}"))
    }

    /// Whether all that an operator lacks of its CDS and CDNSKEY sets is what it takes out by itself. Then it is not written
    /// there again, but reported with the setting to change. `Some`: what it takes out. CDNSKEY is put back once all the same.
    pub(super) fn lacks_what_it_strips(
        &mut self,
        step: Step,
        (name, member): (&str, &Member),
        keys: &RecordSet,
        cds: &RecordSet,
        cdnskey: &RecordSet,
    ) -> Option<Stripped> {
        let world = &self.world.clone();
        let (stripped, text) = strip_conflict(world, name)?;
        let is_stripped = |cds: &_| Ds::read(cds).is_some_and(|ds| stripped.digest_types.contains(&ds.digest_type));
        let left: RecordSet = cds.iter().filter(|cds| !is_stripped(cds)).cloned().collect();
        let asks = world.shown(&member.servers, Kind::Cds, |_, span| {
            let served: RecordSet = span.served.records.iter().filter(|cds| !is_stripped(cds)).cloned().collect();
            is_asked_by(world, &served, &left, keys)
        });
        let asks_by_key = world.shown(&member.servers, Kind::Cdnskey, |_, span| {
            span.served.records == *cdnskey || stripped.cdnskey && span.served.records.is_empty()
        });
        if (asks, asks_by_key) != (Shown::Everywhere, Shown::Everywhere) {
            return None;
        }
        self.wait(step, "operator-strips-cds", format!("{text}; {}", strip_fix(&stripped)), None);
        (!stripped.cdnskey || stripped.cdnskey_times > 1).then_some(stripped)
    }

    /// For which keys an operator that asks for the removal of all DS has to ask during a pause: for those that have one.
    pub(super) fn kept_in_a_pause(&self, ds_keys: &RecordSet) -> RecordSet {
        let world = &self.world;
        let of = |key: &&_| {
            world.parent_servers.iter().any(|server| {
                let ds = world.history.current(server, Kind::Ds);
                ds.is_some_and(|span| {
                    span.served.records.iter().any(|ds| key_that_ds_belongs_to(world.zone, ds, [*key]).is_some())
                })
            })
        };
        ds_keys.iter().filter(of).cloned().collect()
    }
}
