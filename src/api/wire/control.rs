//! What can be done to a transition, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The verbs. Each is safe at any step, and asking twice is as good as asking once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Hold all writes but the sharing of keys.
    Pause,
    /// Go on: after a pause, or forward again after a stop or an undo that was begun.
    Resume,
    /// Go on to the nearest rest state, and end there.
    Stop,
    /// Go back to the group from before; of an ended transition, by a new one.
    Undo,
    /// Look now, and try again at once what failed. Guards are guards all the same.
    TryNow,
    /// Put right what the present group lacks, as a transition of its own. At rest nothing of it is written.
    Repair,
    /// The DS and NS sets that Chorus showed earlier will not be handed in to the registrar.
    RegistrarCancelled,
}

impl Verb {
    pub const ALL: [Verb; 7] =
        [Verb::Pause, Verb::Resume, Verb::Stop, Verb::Undo, Verb::TryNow, Verb::Repair, Verb::RegistrarCancelled];

    pub fn name(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Stop => "stop",
            Verb::Undo => "undo",
            Verb::TryNow => "try-now",
            Verb::Repair => "repair",
            Verb::RegistrarCancelled => "registrar-cancelled",
        }
    }
}

/// `POST /zones/{zone}/{verb}`. The answer is a [`super::SetAnswer`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The id of the transition that the caller saw; when another one runs by now, or ended last, nothing is done (409).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    /// The transition's version that the caller saw; when it is another one by now, nothing is done (409).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// How long a way takes from now, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Takes {
    /// If everybody acts at once.
    pub earliest_s: u64,
    /// With what the parent took before; where that was never seen, half of the policy's pipeline.
    pub expected_s: u64,
}

/// When a way ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndsAt {
    pub earliest: super::At,
    pub expected: super::At,
}

/// What the end of a way depends on, where its moment cannot be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndsAfter {
    /// Such as "the parent acts".
    pub what: String,
    /// How long the way takes after that, if everybody acts at once.
    pub at_least_s: u64,
}

/// An operator that has left, and that resolvers could query before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftShow {
    pub operator: String,
    /// No resolver queries it after this, not even one that serves stale delegations (RFC 8767).
    pub unused_from: super::At,
}

/// Where a transition would stop, if it was stopped now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StopShow {
    /// Who would sign and serve then.
    pub serving: Vec<String>,
    /// Who would be trusted and not be a name server.
    pub trusted: Vec<String>,
    pub takes: Takes,
}
