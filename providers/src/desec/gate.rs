//! What every request is asked of before it is sent: the account's budget, behind a trait, so that whoever runs the
//! controller can keep it in a store that several of them share.
//!
//! Invariant: permission is given for all requests of a step together, so that none stops half-way for want of the request
//! that reads back what it wrote; and what is permitted is counted at once.

use super::budget::{Budget, Wait};
use super::plan::{Planned, Queued};
use super::scopes::Request;
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// That requests have to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which limit it is for, in words.
    pub limit: String,
    pub retry_after_s: u32,
}

#[async_trait]
pub trait Gate: Send + Sync {
    /// Counts these requests, which are about to be sent; or says until when to wait, and counts nothing.
    async fn permit(&self, requests: &[Request]) -> Result<(), Held>;

    /// Some of what was permitted was not sent.
    async fn given_back(&self, requests: &[Request]);

    /// The server refused one of them with 429.
    async fn refused(&self, request: &Request, retry_after_s: Option<u32>);

    /// When the requests of these zones would be permitted; `None` without limits, or where they cannot be looked at.
    async fn plan(&self, _queue: &[Queued]) -> Option<Vec<Planned>> {
        None
    }
}

/// No limits: for a server of one's own that has none.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

#[async_trait]
impl Gate for Unlimited {
    async fn permit(&self, _: &[Request]) -> Result<(), Held> {
        Ok(())
    }

    async fn given_back(&self, _: &[Request]) {}

    async fn refused(&self, _: &Request, _: Option<u32>) {}
}

/// Unix milliseconds.
pub type ClockMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A budget in memory, for all zones of an account that this process drives. Lost with the process: to keep it, take
/// `snapshot` from time to time and begin with that.
pub struct InMemory {
    budget: Mutex<Budget>,
    clock: ClockMs,
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").finish_non_exhaustive()
    }
}

impl InMemory {
    pub fn new(budget: Budget, clock: ClockMs) -> InMemory {
        InMemory { budget: Mutex::new(budget), clock }
    }

    pub fn snapshot(&self) -> Budget {
        self.locked().clone()
    }

    /// Nothing that is done under the lock can leave the budget half changed.
    fn locked(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    pub fn held(&self, now_ms: u64) -> Held {
        let limit = match self.limit.split_once(' ') {
            Some((scope, zone)) => format!("the limit {scope} of {zone}"),
            None => format!("the account's limit {}", self.limit),
        };
        Held { limit, retry_after_s: self.seconds_from(now_ms).max(1) }
    }
}

#[async_trait]
impl Gate for InMemory {
    async fn permit(&self, requests: &[Request]) -> Result<(), Held> {
        let now_ms = (self.clock)();
        self.locked().permit(requests, now_ms).map_err(|wait| wait.held(now_ms))
    }

    async fn given_back(&self, requests: &[Request]) {
        self.locked().given_back(requests);
    }

    async fn refused(&self, request: &Request, retry_after_s: Option<u32>) {
        let now_ms = (self.clock)();
        tracing::warn!(?request, ?retry_after_s, "deSEC takes no more requests for now");
        self.locked().refused(request, now_ms, retry_after_s);
    }

    async fn plan(&self, queue: &[Queued]) -> Option<Vec<Planned>> {
        // Planned from a copy: nobody waits for the plan.
        Some(self.snapshot().plan(queue, (self.clock)()))
    }
}
