//! The budget of requests of an account, kept in the store: it outlives the process, and all zones and operator entries of the
//! account draw on it.
//!
//! Invariant: where it cannot be looked at, nothing is sent.

use super::Clock;
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use chorus_providers::desec::{Budget, Gate, Held, Planned, Queued, Request, Share};
use std::sync::Arc;

/// A store that does not answer is asked again after so long.
const AGAIN_S: u32 = 60;

pub struct StoredBudget {
    pub store: Store,
    pub account: String,
    pub share: Share,
    pub clock: Arc<dyn Clock>,
}

impl StoredBudget {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().0).unwrap_or_default()
    }

    fn lost(&self, error: &StoreError) {
        tracing::error!(account = %self.account, "what the account has used cannot be stored: {error}");
    }
}

#[async_trait]
impl Gate for StoredBudget {
    async fn permit(&self, requests: &[Request]) -> Result<(), Held> {
        let now_ms = self.now_ms();
        let permitted =
            self.store.with_budget(&self.account, |budget| budget.permit_for(self.share, requests, now_ms)).await;
        match permitted {
            Ok(permitted) => permitted.map_err(|wait| wait.held(now_ms)),
            Err(error) => {
                self.lost(&error);
                Err(Held { limit: "what the account has used, which cannot be read".into(), retry_after_s: AGAIN_S })
            }
        }
    }

    async fn given_back(&self, requests: &[Request]) {
        if let Err(error) = self.store.with_budget(&self.account, |budget| budget.given_back(requests)).await {
            self.lost(&error);
        }
    }

    async fn refused(&self, request: &Request, retry_after_s: Option<u32>) {
        let now_ms = self.now_ms();
        let refused = |budget: &mut Budget| {
            budget.refused(request, now_ms, retry_after_s);
        };
        if let Err(error) = self.store.with_budget(&self.account, refused).await {
            self.lost(&error);
        }
    }

    async fn plan(&self, queue: &[Queued]) -> Option<Vec<Planned>> {
        match self.store.budget(&self.account).await {
            Ok(budget) => Some(budget.plan(queue, self.now_ms())),
            Err(error) => {
                self.lost(&error);
                None
            }
        }
    }
}
