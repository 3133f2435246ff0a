//! How long the parent takes, measured as it is waited for.
//!
//! Invariant: what is being measured is part of the status, and is kept in it until the measure is stored. Whoever crashes in
//! between stores the same measure again, which is kept once. Nothing is decided from it here.

use super::picture::{EngineError, Picture};
use super::status::Status;
use super::turn::Engine;
use crate::model::dns::stored;
use crate::model::group::{Asked, Decision, acted, asked};

impl Engine {
    /// Notes what the parent is asked for, and stores how long it took once each of its servers shows it.
    pub(super) async fn measure_parent(
        &self,
        known: &Picture,
        status: &mut Status,
        decision: &Decision,
    ) -> Result<(), EngineError> {
        let world = known.world();
        let mut open: Vec<Asked> = Vec::new();
        for request in &status.parent_asked {
            match acted(&world, request) {
                Some(at) => {
                    let (zone, parent) = (&known.record.name, stored(&known.places.parent_zone));
                    self.ports.store.saw_parent_act(zone, &parent, request.what, request.at, at).await?;
                }
                // What all have come to rest without is not awaited any more.
                None if decision.is_settled() => {}
                None => open.push(request.clone()),
            }
        }
        for request in asked(&world, decision) {
            let same = |other: &Asked| other.what == request.what && other.wanted == request.wanted;
            if !open.iter().any(same) {
                open.retain(|other| other.what != request.what);
                open.push(request);
            }
        }
        status.parent_asked = open;
        Ok(())
    }
}
