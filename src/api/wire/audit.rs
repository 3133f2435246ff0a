//! The log on the wire: who did what, and whether it is whole.

use super::At;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The query of `GET /audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Who did it: an account, or `chorus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The kind of entry, such as `token-made`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// About this zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `people`: only what somebody asked for, and not what Chorus did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// 100 if not said, 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only entries before this sequence: the answer's `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Counted from 1, without gaps.
    pub sequence: i64,
    pub at: At,
    /// Stable, kebab-case.
    pub kind: String,
    pub text: String,
    /// The account; `chorus` for what it did by itself.
    pub who: String,
    /// `session`, `token tok_…`, `token-file`, or empty.
    pub via: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    /// Over this entry and the one before: 64 hexadecimal digits.
    pub hash: String,
}

/// `GET /audit`: the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// What `before` is to be for those before these; `None`: there are none.
    pub next: Option<i64>,
    pub now: At,
}

/// `GET /audit/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    pub entries: u64,
    /// The last entry: keep it elsewhere, for a log that was cut off at its end looks whole without it.
    pub head_sequence: i64,
    pub head_hash: String,
    /// The first that does not fit what is before it, as a sentence; `None`: the log is whole.
    pub broken: Option<String>,
}
