//! What is over, on the wire: a zone's history, and the certificate of a finished transition.

use super::{At, Exposure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened to a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub at: At,
    /// Such as `desired`, `wrote`, `seen`, `step`, `exposure`, `blocked`.
    pub kind: String,
    pub text: String,
    /// The account that asked for it; `chorus` for what it did by itself.
    #[serde(default)]
    pub who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What only a program would want to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// `GET /zones/{zone}/history?limit=`: the newest events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    pub zone: String,
    pub events: Vec<Event>,
    /// Whether there are older ones than these.
    pub more: bool,
}

/// `GET /zones/{zone}/certificate?transition=`: over all pairs of versions that could have met in a cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    pub transition: String,
    pub zone: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
    pub started: At,
    pub ended: At,
    /// One sentence.
    pub verdict: String,
    pub exposures: Vec<Exposure>,
    pub pairs_checked: u64,
    /// Between the death of a version and the first of what is incompatible with it; negative in an exposure. `None`
    /// when nothing incompatible was ever served.
    pub smallest_slack_s: Option<i64>,
    /// Which two versions that was between.
    pub smallest_slack_what: Option<String>,
    /// The smallest margin as a sentence: which version had expired when, and which one appeared after it.
    #[serde(default)]
    pub margin: Option<String>,
    /// What was not observed but assumed: one sentence each.
    pub assumptions: Vec<String>,
    /// What could make the verdict wrong and was not looked at: one sentence each. With any of these the verdict does not say
    /// that no resolver could have failed.
    #[serde(default)]
    pub not_looked_at: Vec<String>,
    /// The resolution from the parent's servers down that the transition ended with. `None` in old certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// What it rests on: with `evidence=true`. `chorus certificate verify` works the certificate out again from this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<serde_json::Value>,
}

/// What a resolver without a cache found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resolution {
    pub at: Option<At>,
    /// Whether the answers were validated; `false` of an insecure zone.
    pub validated: bool,
    /// The delegated addresses that answered.
    pub addresses: Vec<String>,
    pub answers: u64,
    /// Such as `SOA`, `a name`, `a missing name`.
    pub resolved: Vec<String>,
    /// What could not be tried, and why: one sentence each.
    pub untried: Vec<String>,
}
