//! What was measured, on the wire: parents, and the transitions of the past.

use super::{At, ParentMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /parents`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentList {
    pub parents: Vec<ParentReport>,
    pub now: At,
}

/// A parent zone, over all zones below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentReport {
    /// Its name; empty before it was found.
    pub parent: String,
    pub modes: Vec<ParentMode>,
    pub zones: u64,
    /// How many are waiting for it now.
    pub waiting: u64,
    /// How often it was seen to act, and how long it took from the request's being served everywhere; none: never seen.
    pub measured: u64,
    pub took_p50_s: Option<u64>,
    pub took_p90_s: Option<u64>,
    pub took_max_s: Option<u64>,
    pub last_acted_at: Option<At>,
    /// The same for DS and for name servers; empty where nothing was measured.
    #[serde(default)]
    pub by_kind: Vec<ParentTook>,
    /// What is assumed where nothing was measured: the largest `parent_pipeline_s` of its zones.
    pub assumed_s: u64,
    /// What a parent of this name is known to take, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
}

/// How long a parent took for one kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentTook {
    /// `ds` or `ns`.
    pub kind: String,
    pub measured: u64,
    pub took_p50_s: u64,
    pub took_p90_s: u64,
    pub took_max_s: u64,
}

/// `GET /statistics?days=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// The newest last; days without any are there, too.
    pub days: Vec<DayReport>,
    /// How long each step took where it came to its end and nobody interrupted it, in the order in which they are climbed.
    /// Of the newest five thousand.
    pub steps: Vec<StepReport>,
    /// The newest first, a hundred at most.
    pub forecasts: Vec<ForecastReport>,
    /// Half of the forecasts were wrong by at most so much, in per cent of how long it took: over those that were done and
    /// that nobody paused, stopped or undid in between, the newest five thousand. `None` without any.
    pub forecast_error_p50_percent: Option<u64>,
    pub now: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayReport {
    /// Such as `2026-11-25`, in UTC.
    pub day: String,
    pub started: u64,
    pub done: u64,
    pub undone: u64,
    pub stopped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepReport {
    pub step: String,
    pub times: u64,
    pub took_p50_s: u64,
    pub took_p90_s: u64,
}

/// What was forecast as a transition began, and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastReport {
    pub zone: String,
    pub transition: String,
    pub started: At,
    pub earliest_s: u64,
    pub expected_s: u64,
    pub took_s: u64,
    /// `done`, `undone` or `stopped`.
    pub ended: String,
}
