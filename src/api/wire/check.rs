//! Findings on the wire: what speaks against a change, or is worth knowing before it.

use super::{At, Change};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The change is refused.
    Error,
    Warning,
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// A reason code.
    pub code: String,
    pub severity: Severity,
    /// The evidence: one sentence with names and numbers.
    pub text: String,
    /// What can be done.
    pub fix: String,
}

/// `POST /zones/{zone}/check`: changes nothing. `GET` checks the present desired group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    pub change: Change,
}

/// The answer to [`CheckRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneCheck {
    pub zone: String,
    /// The desired groups before and after; the same where no change was asked about.
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// Whether the change would be refused.
    pub refused: bool,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// How many addresses of the operators were asked.
    pub addresses: u32,
    pub now: At,
}
