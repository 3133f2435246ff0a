//! A zone in a few columns, out of what its last turn found: where it is, why, and until when.
//!
//! Invariant: said once, for lists and for pages of one zone: what a list filters by is what a page shows. No history is
//! read for it.

use super::status::{Status, Unanswered, WaitingFor};
use super::writes::CHECK_OBJECTS;
use crate::model::chain::Exposure;
use crate::model::group::{NEEDS_REPAIR, REGISTRAR_PENDING, SIGNATURE_EXPIRING, Step, UDP_UNANSWERED, UNCOOPERATIVE};
use crate::model::history::{Failure, Who};
use crate::model::time::Time;
use crate::store::{Summary, TransitionRecord, UNFINISHED, ZoneState};
use std::collections::BTreeMap;

/// Before the first turn of a transition the status is still that of the rest before.
pub fn is_begun(status: &Status, transition: &TransitionRecord) -> bool {
    status.step != Step::Settled || status.observed_at.is_some_and(|at| at >= transition.started_at)
}

/// What a running transition waits for.
pub fn awaited<'s>(status: &'s Status, transition: &TransitionRecord) -> Option<&'s WaitingFor> {
    // Somebody may have resumed it since the last turn.
    // What was reported at rest may be why it was begun only now.
    let looked = status.observed_at.is_some_and(|at| at >= transition.started_at);
    let of_the_rest = |code: &str| ALARMS.contains(&code) || AT_REST.contains(&code);
    let holds =
        |wait: &&WaitingFor| (transition.paused || wait.code != "paused") && (looked || !of_the_rest(&wait.code));
    let worst = |wait: &&WaitingFor| !["ds-digest-mismatch", SIGNATURE_EXPIRING].contains(&wait.code.as_str());
    let first = alarm(status).filter(holds).filter(worst).or_else(|| status.waiting.iter().find(holds));
    first.filter(|_| is_begun(status, transition))
}

/// What a running transition is doing.
pub fn state_of_transition(status: &Status, transition: &TransitionRecord) -> ZoneState {
    match awaited(status, transition) {
        _ if transition.paused => ZoneState::Paused,
        None => ZoneState::Acting,
        Some(wait) => state_of(wait),
    }
}

/// Whether this stays valid for ever with nobody acting. Alone, a zone is left as it is, whatever else is awaited; as long as
/// its operator answers.
pub fn is_at_rest(status: &Status, members: usize, transition: Option<&TransitionRecord>) -> bool {
    transition.is_none()
        && status.observed_at.is_some()
        && status.trouble.is_none()
        && !status.waiting.iter().any(|wait| wait.code == super::BOGUS)
        && alarm(status).is_none()
        && (status.settled || members == 1 && unanswering(status).is_none())
}

/// What an operator asks of the parent by itself that breaks the zone, or that the parent never does, a DS that no resolver
/// can use, and signatures that are about to end: reported of a zone with a single operator as well.
pub fn alarm(status: &Status) -> Option<&WaitingFor> {
    ALARMS.iter().find_map(|code| status.waiting.iter().find(|wait| wait.code == *code))
}

/// The worst first.
const ALARMS: [&str; 4] = ["cds-delete", SIGNATURE_EXPIRING, "cds-signer", "ds-digest-mismatch"];

/// What else is reported of a zone at rest, until a person starts a transition.
const AT_REST: [&str; 3] = [NEEDS_REPAIR, super::contested::SECOND_WRITER, super::BOGUS];

/// An address of an operator that does not answer as it should.
fn unanswering(status: &Status) -> Option<&Unanswered> {
    status.unanswered.iter().find(|one| matches!(one.server.who, Who::Operator(_)))
}

/// The operators that do not answer as they should: of each the address that has failed for the longest time.
pub fn failing(status: &Status) -> BTreeMap<&str, &Unanswered> {
    longest(status, |_| true)
}

fn longest(status: &Status, counts: impl Fn(&Unanswered) -> bool) -> BTreeMap<&str, &Unanswered> {
    let mut longest: BTreeMap<&str, &Unanswered> = BTreeMap::new();
    for one in status.unanswered.iter().filter(|one| counts(one)) {
        let Who::Operator(operator) = &one.server.who else { continue };
        let found = longest.entry(operator).or_insert(one);
        if one.since < found.since {
            *found = one;
        }
    }
    longest
}

/// What some resolver may fail by at the time of the last look. Those of a running transition that are over are kept for its
/// certificate.
pub fn exposed(status: &Status) -> Option<&Exposure> {
    status.exposures.iter().find(|exposure| status.observed_at.is_none_or(|looked| exposure.until > looked))
}

pub fn summary(status: &Status, members: usize, transition: Option<&TransitionRecord>, at: Time) -> Summary {
    let at_rest = is_at_rest(status, members, transition);
    let state = match transition {
        _ if exposed(status).is_some() => ZoneState::Exposed,
        Some(running) => state_of_transition(status, running),
        None if at_rest => ZoneState::Rest,
        None => ZoneState::Unsettled,
    };
    let awaited = match transition {
        Some(running) => awaited(status, running),
        None => alarm(status).or(status.waiting.first()).filter(|_| !at_rest),
    };
    let reason = match (&status.trouble, awaited) {
        (Some(_), _) => UNFINISHED.to_owned(),
        (None, Some(wait)) => wait.code.clone(),
        (None, None) if members == 1 && transition.is_none() && status.secure == Some(false) => "zone-insecure".into(),
        (None, None) => String::new(),
    };
    Summary {
        state,
        reason,
        at,
        until: awaited.and_then(|wait| wait.until).filter(|until| *until < Time::MAX),
        parent_zone: status.parent_zone.clone(),
        late_since: status.parent_awaited.filter(|awaited| awaited.told_at.is_some()).map(|awaited| awaited.since),
        silent: silent(status),
    }
}

/// Operators of which an address does not answer: the longest silent one of each.
fn silent(status: &Status) -> BTreeMap<String, String> {
    let silent = longest(status, |one| matches!(one.failure, Failure::Silent | Failure::SilentOverUdp));
    silent.into_iter().map(|(operator, one)| (operator.to_owned(), one.to_string())).collect()
}

pub fn state_of(wait: &WaitingFor) -> ZoneState {
    match wait.code.as_str() {
        "paused" => ZoneState::Paused,
        // It ends by itself.
        "clock-jumped" => ZoneState::WaitingGuard,
        "operator-lag" => ZoneState::Verifying,
        CHECK_OBJECTS | REGISTRAR_PENDING if wait.until.is_some() => ZoneState::WaitingGuard,
        REGISTRAR_PENDING => ZoneState::WaitingParent,
        "operator-unreachable"
        | "no-answer"
        | "no-connection"
        | "outcome-unknown"
        | "update-overtaken"
        | "update-servfail"
        | "read-servfail"
        | "too-many-requests"
        | "request-budget-spent"
        | "update-unpublished"
        | "update-server-error"
        | "read-server-error"
        | "answer-malformed"
        | "transfer-servfail"
        | "algorithm-operator"
        | UDP_UNANSWERED
        | UNCOOPERATIVE
        | super::RESOLUTION_FAILS => ZoneState::WaitingOperator,
        code if code.starts_with("guard-") => ZoneState::WaitingGuard,
        code if code.starts_with("parent-") => ZoneState::WaitingParent,
        _ => ZoneState::Blocked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::{Kind, Server};
    use std::net::{Ipv4Addr, SocketAddr};

    fn running() -> TransitionRecord {
        TransitionRecord {
            id: "t".into(),
            author: "test".into(),
            reason: None,
            from: BTreeMap::new(),
            to: BTreeMap::new(),
            state: crate::store::TransitionState::Running,
            aim: crate::store::Aim::Going,
            rest: None,
            paused: false,
            algorithm: None,
            version: 1,
            started_at: Time::from_s(1001),
            ended_at: None,
            certificate: None,
            evidence: None,
            forecast: None,
            departed: std::collections::BTreeSet::new(),
        }
    }

    fn looked_at() -> Status {
        Status { observed_at: Some(Time::from_s(1000)), settled: true, ..Status::default() }
    }

    #[test]
    fn a_transition_that_was_begun_because_of_a_wait_at_rest_is_not_blocked_by_it() {
        let wait = |code: &str| WaitingFor { step: Step::AskForDs, code: code.into(), text: "why".into(), until: None };
        for code in ["needs-repair", "second-writer", "data-bogus", "cds-delete"] {
            let status = Status { waiting: vec![wait(code)], step: Step::AskForDs, ..looked_at() };
            assert_eq!(state_of_transition(&status, &running()), ZoneState::Acting, "{code}");
            let status = Status { observed_at: Some(Time::from_s(1002)), ..status };
            assert_eq!(state_of_transition(&status, &running()), ZoneState::Blocked, "{code}");
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_said_to_be_at_rest() {
        let status = looked_at();
        assert!(is_at_rest(&status, 2, None));
        let status = Status { trouble: Some("the parent was not found".into()), ..status };
        assert!(!is_at_rest(&status, 2, None) && !is_at_rest(&status, 1, None));
        assert_eq!(summary(&status, 2, None, Time::from_s(1000)).state, ZoneState::Unsettled);
    }

    #[test]
    fn alone_a_zone_rests_as_long_as_its_operator_answers() {
        let who = Who::Operator("a".into());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        let server = Server { who, host: "ns1.a.example.".parse::<crate::model::dns::Name>().unwrap().into(), address };
        let status = Status { settled: false, ..looked_at() };
        assert!(is_at_rest(&status, 1, None) && !is_at_rest(&status, 2, None));
        let silent = Unanswered { server, kind: Kind::Dnskey, since: Time::from_s(900), failure: Failure::Silent };
        let status = Status { unanswered: vec![silent.clone()], ..status };
        assert!(!is_at_rest(&status, 1, None));
        let parent = Unanswered { server: Server { who: Who::Parent, ..silent.server.clone() }, ..silent };
        assert!(is_at_rest(&Status { unanswered: vec![parent], ..status }, 1, None));
    }

    #[test]
    fn alone_a_zone_that_asks_for_the_removal_of_its_ds_is_not_at_rest_and_needs_somebody() {
        for code in ["cds-delete", "cds-signer", "ds-digest-mismatch", "signature-expiring"] {
            let wait = WaitingFor { step: Step::AskForDs, code: code.into(), text: "why".into(), until: None };
            let status = Status { settled: false, waiting: vec![wait], ..looked_at() };
            assert!(!is_at_rest(&status, 1, None), "{code}");
            let found = summary(&status, 1, None, Time::from_s(1000));
            assert_eq!((found.state, found.reason.as_str()), (ZoneState::Unsettled, code));
            assert!(found.needs_somebody());
        }
    }

    #[test]
    fn an_exposure_that_is_over_is_not_one_that_is_there() {
        let until = |s: i64| Status {
            exposures: vec![Exposure {
                from: Time::from_s(10),
                until: Time::from_s(s),
                what: "answers of a beside keys of b".into(),
                servers: Vec::new(),
                insecure: false,
                unusable: false,
            }],
            ..looked_at()
        };
        assert_eq!(summary(&until(1001), 2, None, Time::from_s(1000)).state, ZoneState::Exposed);
        assert_eq!(summary(&until(1000), 2, None, Time::from_s(1000)).state, ZoneState::Rest);
    }
}
