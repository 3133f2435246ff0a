//! What engine and services ask of a store, so that another one can stand in for the database.
//!
//! Invariant: each method is one transaction: all of it is kept, or nothing. What they mean is said at [`Store`].

use super::rotation::FillRandom;
use super::{
    AuditFilter, AuditRecord, Control, Event, MemberRecord, OperatorRecord, PageFrom, ParentMeasures, Past, Signature,
    Store, StoreError, StoredOverview, Summary, TransitionRecord, Trial, Verified, ZoneFilter, ZonePage, ZoneRecord,
};
use crate::model::ability::{Ability, Known};
use crate::model::dns::{Name, RecordSet};
use crate::model::group::Step;
use crate::model::history::{History, Kind, ListedTtl, Sent};
use crate::model::policy::Policy;
use crate::model::time::Time;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Declares the trait, and implements it for [`Store`] by the methods of the same names.
macro_rules! records {
    ($(async fn $name:ident(&self $(, $arg:ident: $of:ty)*) -> $result:ty;)*) => {
        #[async_trait]
        pub trait Records: Send + Sync {
            /// The same store, in whose log this signature stands below what is written.
            fn signed(&self, signature: Signature) -> Arc<dyn Records>;

            $(async fn $name(&self $(, $arg: $of)*) -> Result<$result, StoreError>;)*
        }

        #[async_trait]
        impl Records for Store {
            fn signed(&self, signature: Signature) -> Arc<dyn Records> {
                Arc::new(Store::signed(self, signature))
            }

            $(async fn $name(&self $(, $arg: $of)*) -> Result<$result, StoreError> {
                Store::$name(self $(, $arg)*).await
            })*
        }
    };
}

records! {
    async fn add_operator(&self, operator: &OperatorRecord, secret: &[u8], nonce: [u8; 24]) -> ();
    async fn set_operator(&self, operator: &OperatorRecord) -> ();
    async fn stage_secret(&self, operator: &OperatorRecord, secret: &[u8], nonce: [u8; 24]) -> ();
    async fn take_staged(&self, name: &str, nonce: [u8; 24]) -> ();
    async fn drop_staged(&self, name: &str) -> ();
    async fn rotate_master_key(&self, random: FillRandom) -> u64;
    async fn begin_trial(&self, trial: &Trial) -> ();
    async fn trials(&self) -> Vec<Trial>;
    async fn end_trial(&self, operator: &str, zone: &str) -> ();
    async fn saw_abilities(&self, operator: &str, seen: &BTreeMap<Ability, Known>, by_trial: bool) -> ();
    async fn abilities(&self, operator: &str) -> BTreeMap<Ability, Known>;
    async fn operators(&self) -> Vec<OperatorRecord>;
    async fn operator(&self, name: &str) -> Option<OperatorRecord>;
    async fn zones_of(&self, operator: &str) -> Vec<String>;
    async fn requests_per_day(&self, account: &str) -> u32;
    async fn set_requests_per_day(&self, account: &str, requests: u32) -> ();
    async fn add_zone(&self, zone: &ZoneRecord) -> ();
    async fn zone_names(&self) -> Vec<String>;
    async fn zone_page(&self, filter: &ZoneFilter, from: &PageFrom, limit: u32) -> ZonePage;
    async fn zone_overview(&self, below: Option<&str>, guards_until: Time, limit: u32) -> StoredOverview;
    async fn zone(&self, zone: &Name) -> Option<ZoneRecord>;
    async fn set_policy(&self, zone: &Name, policy: &Policy, at: Time, text: &str) -> ();
    async fn set_zone_ttl(&self, zone: &Name, operator: &str, listed: ListedTtl) -> ();
    async fn due(&self, now: Time, furthest: Time, limit: i64) -> (Vec<String>, Option<Time>);
    async fn set_due(&self, zone: &str, due_at: Time) -> ();
    async fn set_status(&self, zone: &Name, due_at: Time, status: &str, summary: &Summary) -> ();
    async fn history(&self, zone: &Name) -> History;
    async fn record(&self, zone: &Name, history: &History, since: Time) -> ();
    async fn set_registrar_requests(&self, zone: &Name, history: &History) -> ();
    async fn set_right(
        &self, zone: &Name, history: &History, in_flight: &[(String, Kind, Sent)], due_at: Time, status: &str,
        summary: &Summary
    ) -> ();
    async fn forget_before(&self, zone: &Name, before: Time) -> ();
    async fn intend(
        &self, zone: &Name, operator: &str, records: &[(Kind, RecordSet)], sent: &[(Kind, Sent)], at: Time
    ) -> ();
    async fn landed(&self, zone: &Name, operator: &str, kind: Kind, sent_at: Time) -> ();
    async fn start_transition(
        &self, zone: &Name, transition: &TransitionRecord, members: &BTreeMap<String, MemberRecord>, text: &str,
        summary: &Summary
    ) -> ();
    async fn control_transition(&self, zone: &Name, control: &Control) -> ();
    async fn end_transition(
        &self, zone: &Name, transition: &TransitionRecord, certificate: &str, at: Time, text: &str,
        summary: &Summary
    ) -> ();
    async fn running_transition(&self, zone: &Name) -> Option<TransitionRecord>;
    async fn last_transition(&self, zone: &Name) -> Option<TransitionRecord>;
    async fn transitions(&self, zone: &Name) -> Vec<TransitionRecord>;
    async fn evidence(&self, zone: &Name, transition: &str) -> Option<String>;
    async fn add_event(
        &self, zone: &Name, at: Time, kind: &str, text: &str, transition: Option<&str>, operator: Option<&str>
    ) -> ();
    async fn events(&self, zone: &Name, limit: u32) -> Vec<Event>;
    async fn note(&self, kind: &str, text: &str, zone: Option<&Name>, operator: Option<&str>) -> ();
    async fn audit(&self, filter: &AuditFilter) -> Vec<AuditRecord>;
    async fn verify_audit(&self) -> Verified;

    async fn saw_parent_act(&self, zone: &Name, parent: &str, what: Kind, asked_at: Time, acted_at: Time) -> ();
    async fn enter_step(&self, zone: &Name, transition: &str, step: Step, at: Time, text: &str) -> ();
    async fn parents(&self, below: Option<&str>) -> BTreeMap<String, ParentMeasures>;
    async fn past(&self, since: Time, below: Option<&str>) -> Past;
}
