//! Zones on the wire: how they are added, and what is known about them now.
//!
//! `verdict`, `waiting_for.text` and every `trouble` are sentences that a person understands without this program's
//! source; `waiting_for` is there whenever something is awaited.

use super::{At, EndsAfter, EndsAt, LeftShow, StopShow, Takes};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// How the parent learns of new DS and NS sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParentMode {
    /// It reads CDS, CDNSKEY and CSYNC.
    Scan,
    /// A person hands them to a registrar.
    Manual,
}

/// Parts of a zone's policy; what is left out keeps its value (or gets the default, when a zone is added).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_s: Option<u64>,
    /// The largest TTL in the zone; 0: as a listing shows, nothing is said of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_ttl_max_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_pipeline_s: Option<u64>,
    /// Longest time, in seconds, from when Chorus stops showing a DS or NS set until it is handed in to the registrar.
    /// `parent_pipeline_s` is added. It holds for sets that Chorus stops showing after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar_max_s: Option<u64>,
    /// How the parent learns of new DS and NS sets from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentMode>,
    /// What the parent takes, by the name of a profile; `auto`: by the parent zone's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_every_s: Option<u64>,
    /// The longest time between two looks with which a certificate still says that no resolver could have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_max_s: Option<u64>,
    /// The hosts of the delegation, separated by commas, where no server of the parent shows it; empty: not confirmed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<String>,
}

impl PolicyChange {
    pub fn is_empty(&self) -> bool {
        *self == PolicyChange::default()
    }
}

/// `GET` and `PATCH /zones/{zone}/policy`: what is assumed because it cannot be seen. `model::policy` has the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZonePolicy {
    pub slack_s: u64,
    pub stale_s: u64,
    /// As set by the user; `None` when it was not.
    pub data_ttl_max_s: Option<u64>,
    /// What guards use: as set, else what a zone transfer showed, else one day.
    pub data_ttl_max_used_s: u64,
    /// Where that is from: one or two words.
    pub data_ttl_max_from: String,
    pub parent_pipeline_s: u64,
    /// Longest time, in seconds, from when Chorus stops showing a DS or NS set until it is handed in to the registrar.
    /// `parent_pipeline_s` is added.
    #[serde(default)]
    pub registrar_max_s: u64,
    /// What the parent is known to take, by the name of a profile: as set, else by the parent zone's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_profile: Option<String>,
    pub resolver_min_ttl_s: u64,
    pub resolver_max_ttl_s: u64,
    /// How often a few answers of one address are verified at rest; 0: never.
    #[serde(default)]
    pub sample_every_s: u64,
    /// The longest time between two looks with which a certificate still says that no resolver could have failed.
    #[serde(default)]
    pub gap_max_s: u64,
    /// The hosts of the delegation as a person has confirmed them, separated by commas.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delegation: String,
}

/// `POST /zones`: observes and adopts; writes nothing anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneAdd {
    pub zone: String,
    /// The operator that signs and serves it now; either this or `operators`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The operators that sign and serve it now, where it is more than one: the group is taken over as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
    /// The parent's servers; none: found by walking up.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub parent_servers: Vec<SocketAddr>,
    pub parent: ParentMode,
    #[serde(default)]
    pub policy: PolicyChange,
}

/// How far an operator is in: the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Standing {
    Outside,
    Trusted,
    Serving,
}

impl Standing {
    /// The membership in words that people read; programs read the variant.
    pub fn label(self) -> &'static str {
        use crate::model::group::Standing as Model;
        match self {
            Standing::Outside => Model::Outside,
            Standing::Trusted => Model::Trusted,
            Standing::Serving => Model::Serving,
        }
        .label()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorStanding {
    pub operator: String,
    pub standing: Standing,
    /// How far in it is wanted.
    #[serde(default = "outside")]
    pub wanted: Standing,
    /// A person has said that it does not come back.
    #[serde(default)]
    pub unreachable: bool,
    /// A person has said that it takes no updates any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncooperative: bool,
    /// The address of the operator that failed first, how it failed, and since when: one sentence. `None` while every
    /// address answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
}

fn outside() -> Standing {
    Standing::Outside
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransitionState {
    Planned,
    /// A write is under way.
    Acting,
    /// Written; not every address serves it yet.
    Verifying,
    WaitingGuard,
    WaitingParent,
    /// An operator has to become reachable, or to serve what it accepted.
    WaitingOperator,
    /// Goes on only when a person has done something; `waiting_for` says what.
    Blocked,
    /// A person holds it.
    Paused,
    Done,
    /// It ended where it had begun.
    Undone,
    /// It ended in a rest state on its way.
    Stopped,
    /// Another desired group took its place.
    Superseded,
    /// One that this program is too old to know.
    #[serde(other)]
    Other,
}

impl TransitionState {
    pub fn name(self) -> &'static str {
        match self {
            TransitionState::Planned => "planned",
            TransitionState::Acting => "acting",
            TransitionState::Verifying => "verifying",
            TransitionState::WaitingGuard => "waiting-guard",
            TransitionState::WaitingParent => "waiting-parent",
            TransitionState::WaitingOperator => "waiting-operator",
            TransitionState::Blocked => "blocked",
            TransitionState::Paused => "paused",
            TransitionState::Done => "done",
            TransitionState::Undone => "undone",
            TransitionState::Stopped => "stopped",
            TransitionState::Superseded => "superseded",
            TransitionState::Other => "other",
        }
    }

    pub fn is_over(self) -> bool {
        use TransitionState::{Done, Stopped, Superseded, Undone};
        matches!(self, Done | Undone | Stopped | Superseded)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingFor {
    /// A reason code.
    pub code: String,
    pub text: String,
    /// The earliest moment it can end; `None` when that is not ours to know.
    pub until: Option<At>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransitionShow {
    pub id: String,
    pub state: TransitionState,
    /// The present step's title.
    pub step: String,
    /// Counted from 1.
    pub step_number: u32,
    pub steps: u32,
    pub waiting_for: Option<WaitingFor>,
    /// The desired groups before and after.
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// For the roll of all to another algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<AlgorithmShow>,
    pub reason: Option<String>,
    pub started: At,
    pub ended: Option<At>,
    /// The forecast: no earlier than this.
    pub ends_earliest: Option<At>,
    /// `going`, `stopping` or `undoing`.
    #[serde(default)]
    pub aim: String,
    /// The group that it is on its way to now: that of `to`, of `from`, or a rest state in between.
    #[serde(default)]
    pub target: Vec<String>,
    #[serde(default)]
    pub paused: bool,
    /// Counts what people did to it; to be sent back with the next verb.
    #[serde(default)]
    pub version: i64,
    /// While it is under way, and can be known: when it ends.
    #[serde(default)]
    pub ends_at: Option<EndsAt>,
    /// Instead of `ends_at`, while something is waited for whose end cannot be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_after: Option<EndsAfter>,
    /// When it has ended: who has left, of those that resolvers could query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftShow>,
    /// While it is under way and not being undone: how long the way back takes from now.
    #[serde(default)]
    pub undo_takes: Option<Takes>,
    /// While it is under way: where it would come to rest first. A roll to another algorithm cannot be stopped.
    #[serde(default)]
    pub stop: Option<StopShow>,
}

/// From one algorithm to another, by the names of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlgorithmShow {
    pub from: String,
    pub to: String,
}

/// A combination of versions that some resolver could have held, and that does not validate or resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exposure {
    pub from: At,
    /// `None`: not over.
    pub until: Option<At>,
    pub what: String,
    /// Whose servers or records make it up.
    pub who: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentShow {
    pub mode: ParentMode,
    /// The parent zone's name.
    pub zone: String,
    #[schema(value_type = Vec<String>)]
    pub servers: Vec<SocketAddr>,
    /// DS records in presentation format, as every server shows them.
    pub ds: Vec<String>,
    /// The hosts of the delegation.
    pub ns: Vec<String>,
    /// What is to be known of its servers: `parent-serves-zone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<WaitingFor>,
    /// The profile of what it takes, and that in a sentence, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ParentTakes>,
}

/// What a parent is known to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentTakes {
    /// The profile's name, as for `--parent-profile`.
    pub name: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyRole {
    Ksk,
    Zsk,
    Csk,
}

impl KeyRole {
    pub fn name(self) -> &'static str {
        match self {
            KeyRole::Ksk => "KSK",
            KeyRole::Zsk => "ZSK",
            KeyRole::Csk => "CSK",
        }
    }
}

/// Where a key's DS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DsState {
    /// At every server of the parent.
    Present,
    /// At some of them.
    Partial,
    /// Asked for, not there yet.
    Awaited,
    /// Neither there nor asked for.
    Absent,
    /// There, and asked to go.
    Leaving,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyShow {
    pub tag: u16,
    /// The DNSSEC algorithm number.
    pub algorithm: u8,
    pub role: KeyRole,
    /// The operator whose key it is; `None` when that is not known.
    pub owner: Option<String>,
    /// The `address`es out of `servers` whose DNSKEY set has it.
    #[schema(value_type = Vec<String>)]
    pub published_at: Vec<SocketAddr>,
    /// Those that answer with signatures made with it.
    #[schema(value_type = Vec<String>)]
    pub signing_at: Vec<SocketAddr>,
    /// `None` for keys that are not meant to have one.
    pub ds: Option<DsState>,
}

/// How far a key is in a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RollState {
    /// Published, has not signed yet.
    New,
    Signing,
    /// Published, signs nothing any more.
    Retired,
    /// Withdrawn by its operator; the others keep it for what it signed.
    Kept,
    /// One that this program is too old to know.
    #[serde(other)]
    Other,
}

/// A key of an operator that rolls its keys: those that come, those that go, and those beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollShow {
    pub operator: String,
    pub role: KeyRole,
    pub tag: u16,
    pub algorithm: u8,
    pub state: RollState,
    /// `None`: since before the zone was adopted.
    pub since: Option<At>,
}

/// One address of one name server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerShow {
    /// The operator's name, or `parent`.
    pub who: String,
    pub host: String,
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// The last answer that could be used; `None` when there was none yet.
    pub last_seen: Option<At>,
    pub trouble: Option<String>,
}

/// For a parent of mode `manual`, as long as it differs from what should be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandToRegistrar {
    /// RDATA in presentation format. Empty where the parent has these DS records already.
    pub ds: Vec<String>,
    /// Host names. Empty where the parent has this NS RRset already.
    pub ns: Vec<String>,
    /// Address records for the name servers inside the zone, in presentation format: resolvers find those by glue alone
    /// (RFC 9471).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub glue: Vec<String>,
}

/// A DS or NS set that Chorus showed for the registrar and no longer shows, and that the parent does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistrarRequest {
    /// `DS` or `NS`.
    pub rtype: String,
    /// RDATA in presentation format.
    pub records: Vec<String>,
    /// Time when it was first shown.
    pub since: At,
    /// Latest time at which the parent publishes it. After it, caches may still have it.
    pub until: At,
}

/// `GET /zones/{zone}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneShow {
    pub zone: String,
    /// One sentence, the first that anybody should read.
    pub verdict: String,
    /// The verdict without its reason, for a view that shows `waiting_for` beside it.
    #[serde(default)]
    pub headline: String,
    /// Whether this stays valid for ever with nobody acting.
    pub rest: bool,
    /// As in the list of zones: a state of `TransitionState`, or `rest`, `unsettled` or `exposed`.
    #[serde(default)]
    pub state: String,
    /// What is awaited, with or without a transition.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
    pub desired: Vec<String>,
    /// At rest: what the group lacks for a stable state. Chorus writes none of it until a person asks (`POST
    /// /zones/{zone}/repair`). Sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_repair: Vec<String>,
    pub operators: Vec<OperatorStanding>,
    /// The one that is under way, else the last one.
    pub transition: Option<TransitionShow>,
    pub exposures: Vec<Exposure>,
    pub parent: ParentShow,
    pub keys: Vec<KeyShow>,
    /// Key rolls that are under way.
    #[serde(default)]
    pub rolls: Vec<RollShow>,
    pub servers: Vec<ServerShow>,
    #[serde(default)]
    pub hand_to_registrar: Option<HandToRegistrar>,
    /// DS and NS sets that Chorus no longer shows for the registrar and that the parent may still publish. An entry ends when
    /// every server of the parent shows it or a set of its type that was shown later, when its time is over, or by `POST
    /// /zones/{zone}/registrar-cancelled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrar_pending: Vec<RegistrarRequest>,
    pub policy: ZonePolicy,
    /// What to do or to expect next: one sentence.
    #[serde(default)]
    pub next: Option<String>,
    /// The last observation that any of this is from; `None` before the first.
    pub updated_at: Option<At>,
    /// The daemon's clock as it answered: what remaining times are counted from.
    pub now: At,
}

/// A zone in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneSummary {
    pub zone: String,
    pub verdict: String,
    /// The verdict without its reason, for a view that shows `waiting_for` beside it.
    #[serde(default)]
    pub headline: String,
    pub rest: bool,
    pub desired: Vec<String>,
    pub transition: Option<TransitionShow>,
    /// A state of `TransitionState`, or `rest`, `unsettled` or `exposed`.
    #[serde(default)]
    pub state: String,
    /// Since when it is in that state.
    #[serde(default)]
    pub since: Option<At>,
    /// What is awaited, in whatever state.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
    /// Desired, or on their way out.
    #[serde(default)]
    pub operators: Vec<String>,
    /// The parent zone's name.
    #[serde(default)]
    pub parent: String,
}

/// `GET /zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneList {
    pub zones: Vec<ZoneSummary>,
    pub now: At,
    /// The `cursor` of those after these; `None`: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The `cursor` of those before these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}
