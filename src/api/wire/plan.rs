//! Changes of a zone's group on the wire: asked for, previewed, under way.
//!
//! A change says what is wanted (`join`) and not what results (`a,b,c`): the service works out the group against the
//! one that is desired at that moment, so that two people who join at the same time both get what they asked for.

use super::{At, TransitionShow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `{"set": ["a", "b"]}`, `{"join": "b"}`, `{"leave": "a"}`, `{"leave-unreachable": "a"}`,
/// `{"leave-uncooperative": "a"}`,
/// `{"algorithm": "ecdsap256sha256"}`,
/// `{"replace": {"old": "a", "new": "b"}}`, `"undo"` or `"stop"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Change {
    Set(Vec<String>),
    Join(String),
    Leave(String),
    /// Leave, by an operator that does not answer any more: nothing is written there, and what it served counts as served
    /// until it fell silent.
    #[serde(rename = "leave-unreachable")]
    LeaveUnreachable(String),
    /// Leave, by an operator that answers and takes no updates. Chorus writes nothing there, and counts what it serves until a
    /// user declares the operator unreachable.
    #[serde(rename = "leave-uncooperative")]
    LeaveUncooperative(String),
    Replace {
        old: String,
        new: String,
    },
    /// The same operators, all of them with keys of another algorithm: its name, such as `ecdsap256sha256`.
    Algorithm(String),
    /// Back to the group from before: of the transition that is under way, else of the last one.
    Undo,
    /// To the rest state that is nearest to where the transition under way is now.
    Stop,
}

/// `POST /zones/{zone}/plan`: changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    pub change: Change,
}

/// `PUT /zones/{zone}/operators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetGroup {
    pub change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to [`SetGroup`]. Asking twice gives the same transition twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetAnswer {
    pub zone: String,
    pub desired: Vec<String>,
    /// `None`: the zone is there already.
    pub transition: Option<TransitionShow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    Done,
    Now,
    Ahead,
}

/// Who has to act for a step to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    Chorus,
    Operator,
    Parent,
    /// The person who reads it: a parent of mode `manual`.
    You,
}

/// What changes in one RRset at one operator. Records as TYPE and RDATA in presentation format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Write {
    pub operator: String,
    pub rtype: String,
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

/// One of the lengths of time that a guard adds up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardNumber {
    /// Such as "largest DNSKEY TTL, served by ns2.b.example".
    pub what: String,
    pub seconds: u64,
}

/// What must hold before the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Guard {
    /// A reason code.
    pub code: String,
    pub text: String,
    #[serde(default)]
    pub numbers: Vec<GuardNumber>,
    /// When it can end at the earliest; `None` when that depends on what has not been seen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Counted from 1.
    pub number: u32,
    pub title: String,
    pub state: StepState,
    pub actor: Actor,
    pub writes: Vec<Write>,
    /// What is awaited before the step is taken; of several the one that ends last.
    pub guard: Option<Guard>,
    /// Everything that is awaited before the step is taken, all of it at the same time: each with its own evidence and its
    /// own end.
    #[serde(default)]
    pub guards: Vec<Guard>,
    /// When the guard can hold at the earliest; `None` when that is not ours to know.
    pub earliest: Option<At>,
}

/// What a change takes of the requests that an operator's account may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requests {
    pub operator: String,
    pub writes: u32,
    /// Each write reads before and after.
    pub requests: u32,
    /// Zones of this account whose changes are under way, and go first.
    pub zones_ahead: u32,
    /// When the last one is permitted, if nobody else uses the account.
    pub permitted_at: At,
}

/// The answer to [`PlanRequest`]. With refusals, the change would not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub zone: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// Those of `to` that are trusted only, and are not to be name servers.
    #[serde(default)]
    pub trusted: Vec<String>,
    /// For the roll of all to another algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<super::AlgorithmShow>,
    /// Empty when the zone is there already.
    pub steps: Vec<Step>,
    /// Of operators whose accounts may make only so many requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Requests>,
    pub ends_earliest: Option<At>,
    /// Those that did not pass, and the warnings.
    pub refusals: Vec<super::Check>,
    pub now: At,
}
