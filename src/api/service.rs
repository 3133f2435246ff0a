//! What the daemon can be asked to do: one method per call of the API. The engine's side implements [`Service`].
//!
//! Names come as the caller wrote them, percent-decoded and otherwise unchecked: what is not a name is a [`Refusal`] of
//! kind `Invalid`. An implementation never puts a secret into an answer or a refusal.

use super::wire::*;
use crate::access::Caller;
use async_trait::async_trait;
use std::sync::Arc;

/// Why a call was refused, for a person and for a program. `code` is a reason code: they stay the same for ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub kind: RefusalKind,
    pub code: &'static str,
    /// One sentence with the names and numbers, without a full stop.
    pub text: String,
    /// What to do: one sentence, without a full stop.
    pub fix: Option<Box<str>>,
    pub zone: Option<Box<str>>,
    pub operator: Option<Box<str>>,
    pub retry_at: Option<At>,
}

/// Which kind a refusal is decides the status, and the command line's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// No such zone, operator or certificate (404, exit 1).
    NotFound,
    /// The request itself can never be done (400, exit 2).
    Invalid,
    /// It does not go with what is there now: a name in use, a change at the same moment (409, exit 6).
    Conflict,
    /// The zone or an operator is not fit for it: nothing was started (422, exit 4).
    Preflight,
    /// Whoever asks may not do this, whatever it is about (403, exit 1).
    Forbidden,
    /// Not now: the store, the network (503, exit 1).
    Unavailable,
}

impl Refusal {
    pub fn new(kind: RefusalKind, code: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { kind, code, text: text.into(), fix: None, zone: None, operator: None, retry_at: None }
    }

    pub fn with_fix(mut self, fix: impl Into<String>) -> Refusal {
        self.fix = Some(fix.into().into());
        self
    }

    pub fn with_zone(mut self, zone: impl Into<String>) -> Refusal {
        self.zone = Some(zone.into().into());
        self
    }

    pub fn with_operator(mut self, operator: impl Into<String>) -> Refusal {
        self.operator = Some(operator.into().into());
        self
    }

    pub fn with_retry_at(mut self, at: Option<At>) -> Refusal {
        self.retry_at = at;
        self
    }
}

/// See the module. The wire types' documentation says what each answer holds.
#[async_trait]
pub trait Service: Send + Sync {
    /// The same for this caller: what it changes has their name in the log, and they see only zones that they reach.
    fn by(self: Arc<Self>, caller: &Caller) -> Arc<dyn Service>;

    /// Whether it can do its work: its store takes what it has to remember.
    async fn ready(&self) -> Result<(), Refusal> {
        Ok(())
    }

    async fn operators(&self) -> Result<OperatorList, Refusal>;
    async fn operator(&self, name: &str) -> Result<OperatorShow, Refusal>;
    async fn add_operator(&self, operator: OperatorAdd) -> Result<OperatorShow, Refusal>;
    /// How an operator is driven, and where it serves, from now on.
    async fn change_operator(&self, name: &str, change: OperatorChange) -> Result<OperatorShow, Refusal>;
    /// A new credential takes the old one's place once it has been tried.
    async fn rotate_operator(&self, name: &str, rotate: OperatorRotate) -> Result<OperatorRotated, Refusal>;
    /// What it can do, tried in a zone that is named for this.
    async fn check_operator(&self, name: &str, check: OperatorCheck) -> Result<Capabilities, Refusal>;
    /// What it was seen to be able to do; looks at nothing anew.
    async fn abilities(&self, name: &str) -> Result<Vec<AbilityShow>, Refusal>;
    /// Another master key takes the present one's place.
    async fn rotate_key(&self) -> Result<KeyRotated, Refusal>;
    /// Looks, and sends at most writes that change nothing.
    async fn test_operator(&self, name: &str, zone: &str) -> Result<OperatorTest, Refusal>;

    async fn zones(&self, query: ZonesQuery) -> Result<ZoneList, Refusal>;
    /// What needs somebody, over all zones.
    async fn overview(&self) -> Result<Overview, Refusal>;
    /// The zone's versions until they are dead, and what is waited for.
    async fn timeline(&self, zone: &str) -> Result<Timeline, Refusal>;
    /// Parents, with how long they took.
    async fn parents(&self) -> Result<ParentList, Refusal>;
    /// The transitions of the last `days` days.
    async fn statistics(&self, days: u32) -> Result<Statistics, Refusal>;
    /// Adopts: observes, and writes nothing.
    async fn add_zone(&self, zone: ZoneAdd) -> Result<ZoneShow, Refusal>;
    async fn zone(&self, zone: &str) -> Result<ZoneShow, Refusal>;
    async fn policy(&self, zone: &str) -> Result<ZonePolicy, Refusal>;
    async fn change_policy(&self, zone: &str, change: PolicyChange) -> Result<ZonePolicy, Refusal>;

    /// Changes nothing. What preflight would refuse is in the answer, not a refusal.
    /// Looks closely, and sends at most writes that change nothing. Without a change: at the present desired group.
    async fn check(&self, zone: &str, change: Option<Change>) -> Result<ZoneCheck, Refusal>;
    async fn plan(&self, zone: &str, change: Change) -> Result<Plan, Refusal>;
    /// Starts the transition once preflight passed; asking for what is desired already is no error.
    async fn set_group(&self, zone: &str, set: SetGroup) -> Result<SetAnswer, Refusal>;

    /// Pauses, resumes, stops or undoes the transition that is under way, or tries it now.
    async fn control(&self, zone: &str, verb: Verb, control: Control) -> Result<SetAnswer, Refusal>;

    /// Who did what, the newest first.
    async fn audit(&self, query: AuditQuery) -> Result<AuditPage, Refusal>;
    /// Whether the log is whole.
    async fn verify_audit(&self) -> Result<AuditVerified, Refusal>;

    /// The newest `limit` events, oldest first.
    async fn history(&self, zone: &str, limit: u32) -> Result<History, Refusal>;
    /// Of the last finished transition, unless one is named.
    /// `with_evidence`: with what it rests on, too.
    async fn certificate(
        &self,
        zone: &str,
        transition: Option<&str>,
        with_evidence: bool,
    ) -> Result<Certificate, Refusal>;
}
