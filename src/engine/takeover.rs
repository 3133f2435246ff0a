//! Copies of members' keys that others placed: kept as Chorus's own placements from the moment they are seen.
//!
//! Invariant: nothing is written to an operator here. A placement that is stored is never taken for the operator's own key.

use super::picture::{EngineError, Picture};
use super::turn::Engine;
use crate::model::group::{Belongings, copies};
use crate::model::history::Kind;

impl Engine {
    /// Takes over the copies that a round showed.
    pub(super) async fn take_over(&self, known: &mut Picture) -> Result<(), EngineError> {
        if known.members.len() < 2 {
            return Ok(());
        }
        let found = copies(&known.world());
        self.keep_as_placements(known, found).await
    }

    /// Stores these records as placements.
    pub(crate) async fn keep_as_placements(&self, known: &mut Picture, found: Belongings) -> Result<(), EngineError> {
        let now = self.ports().clock.now();
        for (operator, sets) in found {
            let records: Vec<(Kind, _)> = sets.into_iter().filter(|(_, set)| !set.is_empty()).collect();
            if records.is_empty() {
                continue;
            }
            self.ports().store.intend(&known.record.name, &operator, &records, &[], now).await?;
            let Some(member) = known.members.get_mut(&operator) else { continue };
            for (kind, set) in records {
                member.placements.entry(kind).or_default().extend(set);
            }
        }
        Ok(())
    }
}
