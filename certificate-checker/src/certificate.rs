//! What a certificate claims, as its file has it.

use serde::{Deserialize, Serialize};

/// The claims of a certificate. The file has more fields; the checker does not judge those.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The transition's id.
    pub transition: String,
    /// The zone's name.
    pub zone: String,
    /// The operators before the transition.
    pub from: Vec<String>,
    /// The operators that it ended with.
    pub to: Vec<String>,
    /// RFC 3339, in UTC.
    pub started: String,
    /// RFC 3339, in UTC.
    pub ended: String,
    /// One sentence.
    pub verdict: String,
    /// The combinations of versions with which resolvers could have failed.
    pub exposures: Vec<ClaimedExposure>,
    /// The smallest time between the death of a version and the first of one that does not go with it. `None`: no
    /// incompatible versions were served.
    #[serde(default)]
    pub smallest_slack_s: Option<i64>,
    /// What could make the verdict wrong and was not looked at.
    #[serde(default)]
    pub not_looked_at: Vec<String>,
}

/// An exposure that the certificate admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedExposure {
    /// RFC 3339, in UTC.
    pub from: String,
    /// RFC 3339, in UTC; `None`: not over.
    #[serde(default)]
    pub until: Option<String>,
    /// What did not go together.
    pub what: String,
}
