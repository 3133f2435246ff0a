//! Puts down what a person is shown for the registrar, before anything is shown: the parent may publish it from then on.
//!
//! Invariant: what `GET /zones/{zone}` shows for the registrar is in the stored history, until the parent has it, or a person
//! says that it will not be handed in, or people have had long enough (`Policy::hand_over_max_s`).

use super::picture::{EngineError, Picture};
use super::turn::Engine;
use crate::model::group::{Decision, to_hand_over};
use crate::model::history::Kind;

impl Engine {
    /// After a round and its decision, before the status that shows it is stored.
    pub(super) async fn hand_over(&self, known: &mut Picture, decision: &Decision) -> Result<(), EngineError> {
        let shown = to_hand_over(&known.world(), decision);
        let acts_within = known.lifetimes.policy.handed_over_acts_within();
        let mut changed = known.history.forget_what_was_enacted(&known.places.parent);
        for kind in Kind::PARENT {
            let records = shown.iter().find(|(of, _)| *of == kind).map(|(_, records)| records);
            changed |= known.history.hand_over(kind, records, known.observed_at, acts_within);
        }
        if changed {
            self.ports.store.set_handed_over(&known.record.name, &known.history).await?;
        }
        Ok(())
    }
}
