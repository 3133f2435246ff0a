//! Stores the DS and NS sets shown for the registrar before the status shows them: the parent may publish them from then on.
//!
//! Invariant: every set that `GET /zones/{zone}` shows for the registrar is in the stored history until the parent has it, until
//! the user says that it will not be handed in, or until `Policy::registrar_acts_within` has passed.

use super::picture::{EngineError, Picture};
use super::turn::Engine;
use crate::model::group::{Decision, ParentMode, shown_for_registrar};
use crate::model::history::Kind;

impl Engine {
    /// After a round and before its decision: what the parent has will not be handed in again. Where the parent changes a set by
    /// itself, that it has it says nothing of the person who was shown it.
    pub(super) async fn forget_enacted_requests(&self, known: &mut Picture) -> Result<(), EngineError> {
        let world = known.world();
        let scans = world.parent == ParentMode::Scan;
        let (csync, delegating) = (world.parent_follows_csync(), world.delegating());
        let mut changed = !scans && known.history.forget_enacted_requests(Kind::Ds, &known.places.parent);
        changed |= !csync && known.history.forget_enacted_requests(Kind::Delegation, &delegating);
        if changed {
            self.ports.store.set_registrar_requests(&known.record.name, &known.history).await?;
        }
        Ok(())
    }

    /// After a round and its decision, before the status that shows it is stored.
    pub(super) async fn store_registrar_requests(
        &self,
        known: &mut Picture,
        decision: &Decision,
    ) -> Result<(), EngineError> {
        let shown = shown_for_registrar(&known.world(), decision);
        let acts_within = known.lifetimes.policy.registrar_acts_within();
        let mut changed = false;
        for kind in Kind::PARENT {
            let records = shown.iter().find(|(of, _)| *of == kind).map(|(_, records)| records);
            changed |= known.history.show_for_registrar(kind, records, known.observed_at, acts_within);
        }
        if changed {
            self.ports.store.set_registrar_requests(&known.record.name, &known.history).await?;
        }
        Ok(())
    }
}
