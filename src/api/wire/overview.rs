//! Many zones at once on the wire: how the list is asked for, and what needs somebody.

use super::{At, ZoneSummary};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The query of `GET /zones`, and of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ZonesQuery {
    /// A state of `TransitionState` (`waiting-guard`), or `rest`, `unsettled`, `exposed`, or `attention`: those that wait for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// In whose group, or in the way to it, this operator is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The parent zone's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The code of what is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The name begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In this state for at least so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_for_s: Option<u64>,
    /// 50 if not said, 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// From the answer before, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// How many zones are in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateCount {
    pub state: String,
    pub zones: u64,
}

/// `GET /overview`: what needs somebody, and what is going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    pub zones: u64,
    /// Every state that a zone is in, by name.
    pub states: Vec<StateCount>,
    /// Those that wait for somebody, the longest waiting first; twenty at most.
    pub attention: Vec<ZoneSummary>,
    /// Guards that end within a day, the next first; twenty at most.
    pub guards: Vec<ZoneSummary>,
    /// Parents that are waited for longer than they ever took, the longest first; twenty at most.
    pub lagging: Vec<ZoneSummary>,
    /// Operators of which an address does not answer, with how many zones that concerns.
    pub silent: Vec<OperatorTrouble>,
    pub now: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorTrouble {
    pub operator: String,
    pub zones: u64,
    /// One of the troubles, as a sentence.
    pub text: String,
}
