//! Whether operators are signers apart from each other: driven at interfaces of their own, with keys of their own.
//!
//! Invariant: nothing is written. Keys are compared as the servers show them now, never as they were configured.

use super::{Controller, of_engine, of_store, plain};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{Check, Outcome};
use crate::engine::{EngineError, Picture};
use crate::model::dns::Name;
use crate::model::group::{Standing, shared_keys};
use crate::model::preflight::{Finding, Severity};
use crate::observe::transport::Protocol;
use crate::store::{Interface, MemberRecord, OperatorRecord, ZoneRecord};

const SHARED_INTERFACE: &str = "interface-shared";

impl Controller {
    /// Findings for members of the zone that are driven at one interface: a write for one changes the other.
    pub(super) async fn shared_interfaces(&self, known: &Picture) -> Result<Vec<Finding>, Refusal> {
        let staying = known.members.iter().filter(|(_, member)| member.wanted > Standing::Outside);
        let names = staying.map(|(name, member)| (name.clone(), MemberRecord::wanted(member.wanted)));
        let operators = self.engine.ports().operators(names).await.map_err(of_engine)?;
        let mut findings = Vec::new();
        for (index, (first, _)) in operators.iter().enumerate() {
            let others = operators.iter().skip(index + 1).map(|(second, _)| second);
            findings.extend(others.filter_map(|second| shared_interface(first, second)));
        }
        Ok(findings)
    }

    /// Checks whether the operator signs the zone with keys of its own, beside the zone's present members.
    pub(super) async fn keys_are_apart(&self, operator: &OperatorRecord, zone: &Name) -> Result<Vec<Check>, Refusal> {
        let stored = self.engine.ports().store.zone(zone).await.map_err(of_store)?;
        let Some(record) = stored else { return Ok(Vec::new()) };
        let mut known = match self.with_operator(record, operator).await {
            Ok(known) => known,
            Err(e) => {
                let fix = "see that the zone's operators and its parent can be looked up, and test again".to_owned();
                let text = format!("the keys of the operators of {} cannot be compared: {e}", plain(zone));
                return Ok(vec![Check { code: "keys-shared".into(), outcome: Outcome::Warn, text, fix: Some(fix) }]);
            }
        };
        self.engine.look(&mut known, Protocol::Tcp).await;
        let of_keys = shared_keys(&known.world()).into_iter().map(|shared| {
            let is_its = shared.signer == operator.name || shared.other == operator.name;
            let (text, fix) = (shared.text(), Some(shared.fix(zone)));
            is_its.then(|| Check { code: "keys-shared".into(), outcome: Outcome::Fail, text, fix })
        });
        let mut checks: Vec<Check> = of_keys.flatten().collect();
        let shared = self.shared_interfaces(&known).await?;
        checks.extend(shared.into_iter().map(|finding| Check {
            code: finding.code.into(),
            outcome: Outcome::Fail,
            text: finding.text,
            fix: Some(finding.fix),
        }));
        if checks.is_empty() && known.members.len() > 1 {
            let others: Vec<&str> = known.members.keys().map(String::as_str).filter(|n| *n != operator.name).collect();
            let text = format!("{} signs with keys of its own, apart from {}", operator.name, others.join(", "));
            checks.push(Check { code: "keys-apart".into(), outcome: Outcome::Pass, text, fix: None });
        }
        Ok(checks)
    }

    /// Refuses an operator that is no signer of its own: what is tried there would be written into a member's zone.
    pub(super) async fn must_be_apart(&self, operator: &OperatorRecord, zone: &Name) -> Result<(), Refusal> {
        let checks = self.keys_are_apart(operator, zone).await?;
        let Some(failed) = checks.into_iter().find(|check| check.outcome == Outcome::Fail) else { return Ok(()) };
        let code = if failed.code == SHARED_INTERFACE { SHARED_INTERFACE } else { "keys-shared" };
        Err(Refusal::new(RefusalKind::Preflight, code, failed.text)
            .with_fix(failed.fix.unwrap_or_default())
            .with_zone(plain(zone))
            .with_operator(&operator.name))
    }

    /// The zone with this operator as a member, if it is none yet.
    async fn with_operator(&self, record: ZoneRecord, operator: &OperatorRecord) -> Result<Picture, EngineError> {
        let ports = self.engine.ports();
        let mut members: Vec<(String, MemberRecord)> = record.members.iter().map(|(n, m)| (n.clone(), *m)).collect();
        if !record.members.contains_key(&operator.name) {
            members.push((operator.name.clone(), MemberRecord::wanted(Standing::Serving)));
        }
        let operators = ports.operators(members.into_iter()).await?;
        let history = ports.store.history(&record.name).await?;
        ports.picture(record, history, operators, None).await
    }
}

/// The finding for two operators that are driven at one interface with one credential.
fn shared_interface(first: &OperatorRecord, second: &OperatorRecord) -> Option<Finding> {
    let at = match (&first.interface, &second.interface) {
        (Interface::Rfc2136 { update, tsig_name, .. }, Interface::Rfc2136 { update: to, tsig_name: name, .. }) => {
            // One server may have views, and tell them apart by the key.
            (update == to && tsig_name.eq_ignore_ascii_case(name)).then(|| format!("{update} with the key {tsig_name}"))
        }
        (Interface::PowerDns { url, server_id }, Interface::PowerDns { url: to, server_id: id }) => {
            (url == to && server_id == id).then(|| format!("{url} (server {server_id})"))
        }
        // A deSEC has each name once.
        (Interface::Desec { url, .. }, Interface::Desec { url: to, .. }) => (url == to).then(|| url.clone()),
        _ => None,
    }?;
    let (first, second) = (&first.name, &second.name);
    Some(Finding {
        code: SHARED_INTERFACE,
        severity: Severity::Error,
        text: format!(
            "{first} and {second} are both driven at {at}: a write for one of them changes the zone of the other"
        ),
        fix: format!(
            "drive {second} at the server that signs its zone (`chorus operator set {second}`); if {second} only serves what \
             {first} signs, list its name servers as further name servers of {first}"
        ),
    })
}
