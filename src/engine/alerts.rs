//! What somebody has to know of, although nothing can be decided from it: told once, as events.
//!
//! Invariant: an alert changes nothing. What follows from what was seen is the ladder's decision.

use super::picture::Picture;
use super::signatures::signatures_ending;
use super::status::{ParentAwaited, Status};
use crate::model::dns::name_text;
use crate::model::group::{Decision, SIGNATURE_EXPIRING};
use crate::model::history::{Failure, Kind, Who};
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// A parent that is late is told of again after so long.
const AGAIN: Duration = Duration::from_secs(86_400);

/// What stands where it does not belong, or is gone although it is needed.
const ALERTING: [&str; 11] = [
    "ds-unexpected",
    "ds-digest-mismatch",
    "ds-unusable",
    "ns-unexpected",
    "operator-unsigned",
    "operator-strips-cds",
    "algorithm-mismatch",
    "cds-delete",
    "cds-signer",
    "keys-shared",
    "second-writer",
];

pub(super) struct Alert {
    /// Stable, kebab-case.
    pub kind: &'static str,
    pub text: String,
    pub operator: Option<String>,
}

/// What is new since the last round.
pub(super) fn alerts(known: &Picture, status: &mut Status, decision: &Decision, now: Time) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for wait in decision.waits.iter().filter(|wait| ALERTING.contains(&wait.code)) {
        if !status.waiting.iter().any(|before| before.code == wait.code && before.text == wait.text) {
            alerts.push(Alert { kind: wait.code, text: wait.text.clone(), operator: None });
        }
    }
    for (server, kind, track) in known.history.tracks() {
        let vanished = track.trouble.as_ref().is_some_and(|trouble| trouble.failure == Failure::NxDomain);
        let already = |failure: &Failure| *failure == Failure::NxDomain;
        let told = status.unanswered.iter().any(|one| one.server == *server && already(&one.failure));
        let one_is_enough = alerts.iter().any(|alert| alert.kind == "zone-vanished");
        if vanished && !told && !one_is_enough && !track.spans.is_empty() {
            let text = format!(
                "{server} says that {} does not exist (NXDOMAIN, asked for {kind}): nothing is written while it does; see \
                 that the zone is still configured there",
                name_text(&known.record.name)
            );
            let operator = if let Who::Operator(name) = &server.who { Some(name.clone()) } else { None };
            alerts.push(Alert { kind: "zone-vanished", text, operator });
        }
    }
    let ending = signatures_ending(known);
    for (operator, wait) in ending.iter().filter(|(operator, _)| !status.ending.contains(operator)) {
        alerts.push(Alert { kind: SIGNATURE_EXPIRING, text: wait.text.clone(), operator: Some(operator.clone()) });
    }
    // Of an address that does not answer nothing is known: it is not told again when it does.
    let is_in_trouble = |operator: &&String| {
        let servers = known.members.get(*operator).map(|member| member.servers.as_slice()).unwrap_or_default();
        servers
            .iter()
            .any(|server| [Kind::Dnskey, Kind::Data].iter().any(|kind| known.history.trouble(server, *kind).is_some()))
    };
    let mut told: BTreeSet<String> = status.ending.iter().filter(is_in_trouble).cloned().collect();
    told.extend(ending.into_iter().map(|(operator, _)| operator));
    status.ending = told;
    alerts.extend(overdue(known, status, decision, now));
    alerts
}

/// A parent that has not followed within its pipeline: told once, and then daily.
fn overdue(known: &Picture, status: &mut Status, decision: &Decision, now: Time) -> Option<Alert> {
    // A zone that is alone and insecure has not asked to be anything else, whatever CDS its signer publishes.
    let is_wished = known.transition.is_some() || known.members.len() > 1 || super::security::is_secure(known);
    let waits = decision.waits.iter().filter(|_| is_wished);
    let Some(wait) = waits.into_iter().find(|wait| wait.code.starts_with("parent-")) else {
        status.parent_awaited = None;
        return None;
    };
    let awaited = status.parent_awaited.get_or_insert(ParentAwaited { since: now, told_at: None });
    let late = awaited.since.until(now);
    let again = awaited.told_at.is_none_or(|told| told.until(now) >= AGAIN);
    if late <= known.record.policy.parent_pipeline() || !again {
        return None;
    }
    awaited.told_at = Some(now);
    let text = format!(
        "the parent has not followed for {}, and {} s are usual: {}; you may tell the registrar, or `chorus zone stop` or \
         `chorus zone undo`",
        humantime::format_duration(Duration::from_secs(late.as_secs())),
        known.record.policy.parent_pipeline_s,
        wait.text
    );
    Some(Alert { kind: "parent-overdue", text, operator: None })
}
