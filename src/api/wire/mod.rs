//! What the requests and answers of the JSON API look like: plain values, the same for the daemon and the command line.
//!
//! Times are RFC 3339 in UTC, durations whole seconds with `_s` in their name, names of zones as the service writes
//! them. Invariants: within `/api/v1` fields are only ever added, so what reads an answer passes over fields and states
//! it does not know; requests refuse unknown fields, for a misspelt one must not silently mean the default.
//!
//! No rules here: what is allowed is for the service to say.

mod access;
mod audit;
mod certificate;
mod check;
mod control;
mod operator;
mod overview;
mod plan;
mod reports;
mod timeline;
mod zone;

pub use access::{
    AccountAdd, AccountChange, AccountLink, AccountList, AccountShow, SessionShow, TokenAdd, TokenList, TokenMade,
    TokenShow,
};
pub use audit::{AuditEntry, AuditPage, AuditQuery, AuditVerified};
pub use certificate::{Certificate, Event, History, Resolution};
pub use check::{CheckRequest, Finding, Severity, ZoneCheck};
pub use control::{Control, EndsAfter, EndsAt, LeftShow, StopShow, Takes, Verb};
pub use operator::{
    AbilityShow, ApiAdd, ApiShow, Capabilities, Check, KeyRotated, NameServer, OperatorAdd, OperatorChange,
    OperatorCheck, OperatorList, OperatorRotate, OperatorRotated, OperatorShow, OperatorTest, Outcome, SecretText,
    TsigAdd, TsigAlgorithm, TsigShow,
};
pub use overview::{OperatorTrouble, Overview, StateCount, ZonesQuery};
pub use plan::{
    Actor, Change, Guard, GuardNumber, Plan, PlanRequest, Requests, SetAnswer, SetGroup, Step, StepState, Write,
};
pub use reports::{DayReport, ForecastReport, ParentList, ParentReport, ParentTook, Statistics, StepReport};
pub use timeline::{Bar, Lane, Timeline, TimelineGuard, TimelineStep};
pub use zone::{
    AlgorithmShow, DsState, Exposure, HandToRegistrar, KeyRole, KeyShow, OperatorStanding, ParentMode, ParentShow,
    ParentTakes, PolicyChange, RegistrarRequest, RollShow, RollState, ServerShow, Standing, TransitionShow,
    TransitionState, WaitingFor, ZoneAdd, ZoneList, ZonePolicy, ZoneShow, ZoneSummary,
};

use crate::model::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::UNIX_EPOCH;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// A moment on the wire: RFC 3339 in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(Time);

/// 9999-12-31T23:59:59Z, the last moment that RFC 3339 can write.
const LAST_S: i64 = 253_402_300_799;

impl At {
    /// `None` for what has no end in sight, or was before all records: the wire has `null` there.
    pub fn known(time: Time) -> Option<At> {
        (0..=LAST_S * 1000).contains(&time.0).then_some(At(time))
    }

    /// For moments that a clock gave.
    pub fn clock(time: Time) -> At {
        At(Time(time.0.clamp(0, LAST_S * 1000)))
    }

    pub fn time(self) -> Time {
        self.0
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        let moment = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        moment.description(Some("RFC 3339, in UTC, to the millisecond")).into()
    }
}

impl ToSchema for At {}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#}", self.0))
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)?;
        let since = at.duration_since(UNIX_EPOCH).map_err(serde::de::Error::custom)?;
        i64::try_from(since.as_millis()).map(|ms| At(Time(ms))).map_err(serde::de::Error::custom)
    }
}

/// What every refused request is answered with: `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI reference; one per `code`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// One sentence for a person.
    pub detail: String,
    /// A reason code; these stay the same for ever.
    pub code: String,
    /// What to do about it: one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<At>,
}
