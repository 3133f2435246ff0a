//! A service that answers by the name it is asked for, and keeps what it was told.

use crate::sample;
use async_trait::async_trait;
use chorus::access::Caller;
use chorus::api::gate::Gate;
use chorus::api::routes::{self, Api};
use chorus::api::serve::{self, Door};
use chorus::api::service::{Refusal, RefusalKind, Service};
use chorus::api::token::Token;
use chorus::api::wire::*;
use chorus::engine::{SystemClock, SystemRandom};
use chorus::store::{MasterKey, Store};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Base64 of "canary canary canary".
pub const CANARY: &str = "Y2FuYXJ5IGNhbmFyeSBjYW5hcnk=";

#[derive(Default)]
pub struct Fake {
    pub operators: Mutex<Vec<OperatorAdd>>,
    pub zones: Mutex<Vec<ZoneAdd>>,
    /// How the list was asked for.
    pub asked: Mutex<Vec<ZonesQuery>>,
    pub policies: Mutex<Vec<PolicyChange>>,
    pub sets: Mutex<Vec<SetGroup>>,
    pub controls: Mutex<Vec<(Verb, Control)>>,
    pub rotated: Mutex<Vec<OperatorRotate>>,
    /// Verbs of `held.example` end when this can be had.
    pub hold: Arc<tokio::sync::Mutex<()>>,
    looks: AtomicU32,
}

fn refusal(name: &str) -> Result<(), Refusal> {
    let kind = match name.split('.').next().unwrap_or_default() {
        "missing" => RefusalKind::NotFound,
        "invalid" => RefusalKind::Invalid,
        "conflict" => RefusalKind::Conflict,
        "unfit" => RefusalKind::Preflight,
        "down" => RefusalKind::Unavailable,
        "panic" => panic!("as asked"),
        _ => return Ok(()),
    };
    Err(Refusal::new(kind, "as-asked", format!("{name} is refused"))
        .with_fix("Ask for another")
        .with_zone(name)
        .with_operator("b")
        .with_retry_at(Some(sample::at(60))))
}

#[async_trait]
impl Service for Fake {
    fn by(self: Arc<Self>, _: &Caller) -> Arc<dyn Service> {
        self
    }

    async fn overview(&self) -> Result<Overview, Refusal> {
        Ok(sample::overview())
    }

    async fn timeline(&self, zone: &str) -> Result<Timeline, Refusal> {
        refusal(zone).map(|()| sample::timeline())
    }

    async fn parents(&self) -> Result<ParentList, Refusal> {
        Ok(sample::parents())
    }

    async fn statistics(&self, _: u32) -> Result<Statistics, Refusal> {
        Ok(sample::statistics())
    }

    async fn operators(&self) -> Result<OperatorList, Refusal> {
        let names: Vec<String> = self.operators.lock().unwrap().iter().map(|add| add.name.clone()).collect();
        Ok(OperatorList { operators: names.iter().map(|name| sample::operator(name)).collect() })
    }

    async fn operator(&self, name: &str) -> Result<OperatorShow, Refusal> {
        refusal(name).map(|()| sample::operator(name))
    }

    async fn add_operator(&self, operator: OperatorAdd) -> Result<OperatorShow, Refusal> {
        refusal(&operator.name)?;
        let show = sample::operator(&operator.name);
        self.operators.lock().unwrap().push(operator);
        Ok(show)
    }

    async fn change_operator(&self, name: &str, _: OperatorChange) -> Result<OperatorShow, Refusal> {
        refusal(name).map(|()| sample::operator(name))
    }

    async fn rotate_operator(&self, name: &str, rotate: OperatorRotate) -> Result<OperatorRotated, Refusal> {
        refusal(name)?;
        self.rotated.lock().unwrap().push(rotate);
        Ok(OperatorRotated { operator: name.to_owned(), tried_in: vec!["example.org".to_owned()] })
    }

    async fn check_operator(&self, name: &str, check: OperatorCheck) -> Result<Capabilities, Refusal> {
        refusal(name).map(|()| sample::capabilities(name, check.write))
    }

    async fn abilities(&self, name: &str) -> Result<Vec<AbilityShow>, Refusal> {
        refusal(name).map(|()| sample::capabilities(name, true).abilities)
    }

    async fn audit(&self, _: AuditQuery) -> Result<AuditPage, Refusal> {
        Ok(sample::audit())
    }

    async fn verify_audit(&self) -> Result<AuditVerified, Refusal> {
        Ok(sample::audit_verified())
    }

    async fn rotate_key(&self) -> Result<KeyRotated, Refusal> {
        Ok(KeyRotated { resealed: 2 })
    }

    async fn test_operator(&self, name: &str, zone: &str) -> Result<OperatorTest, Refusal> {
        refusal(name)?;
        refusal(zone)?;
        let mut test = sample::operator_test();
        if name == "fit" {
            test.checks.retain(|check| check.outcome != Outcome::Fail);
        }
        Ok(test)
    }

    /// One zone in each page, if zones below `paged` are asked for.
    async fn zones(&self, query: ZonesQuery) -> Result<ZoneList, Refusal> {
        let mut list = sample::zones();
        if query.parent.as_deref() == Some("paged") {
            let at = query.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap());
            list.next = (at + 1 < list.zones.len()).then(|| (at + 1).to_string());
            list.zones = vec![list.zones.swap_remove(at)];
        }
        self.asked.lock().unwrap().push(query);
        Ok(list)
    }

    async fn add_zone(&self, zone: ZoneAdd) -> Result<ZoneShow, Refusal> {
        refusal(&zone.zone)?;
        self.zones.lock().unwrap().push(zone);
        Ok(sample::zone_at_rest())
    }

    /// `example.org` ends after some looks, `blocked.*` is blocked, `other.*` superseded; `slow.*` never ends; `mended.*` is blocked
    /// until it is looked at again, after the third time that it is shown.
    async fn zone(&self, zone: &str) -> Result<ZoneShow, Refusal> {
        refusal(zone)?;
        let mut show = sample::zone();
        show.zone = zone.to_owned();
        if zone == "hostile.example" {
            show.verdict = "\u{1b}]0;owned\u{7}\nsecond line \u{9b}2J".to_owned();
            show.keys[0].owner = Some("\u{1b}[31ma".to_owned());
        }
        let state = match (zone, self.looks.fetch_add(1, Ordering::Relaxed)) {
            ("example.org", 0..=1) => TransitionState::WaitingGuard,
            ("example.org", 2..=3) => TransitionState::WaitingParent,
            ("example.org", _) => TransitionState::Done,
            ("blocked.example", _) | ("mended.example", 0..=2) => TransitionState::Blocked,
            ("mended.example", _) => {
                show.updated_at = Some(sample::at(0));
                TransitionState::Undone
            }
            ("other.example", _) => TransitionState::Superseded,
            _ => TransitionState::WaitingGuard,
        };
        show.transition = Some(sample::transition(state));
        Ok(show)
    }

    async fn policy(&self, zone: &str) -> Result<ZonePolicy, Refusal> {
        refusal(zone).map(|()| sample::policy())
    }

    async fn change_policy(&self, zone: &str, change: PolicyChange) -> Result<ZonePolicy, Refusal> {
        refusal(zone)?;
        let mut policy = sample::policy();
        policy.slack_s = change.slack_s.unwrap_or(policy.slack_s);
        self.policies.lock().unwrap().push(change);
        Ok(policy)
    }

    async fn check(&self, zone: &str, change: Option<Change>) -> Result<ZoneCheck, Refusal> {
        refusal(zone)?;
        let mut check = sample::zone_check();
        match change {
            None => {
                check.findings.retain(|finding| finding.severity != Severity::Error);
                check.to = check.from.clone();
                check.refused = false;
            }
            Some(Change::Set(operators)) => check.to = operators,
            Some(_) => {}
        }
        Ok(check)
    }

    async fn plan(&self, zone: &str, change: Change) -> Result<Plan, Refusal> {
        refusal(zone)?;
        let mut plan = sample::plan();
        if change == Change::Set(vec!["a".to_owned()]) {
            plan.steps.clear();
        }
        if change == Change::Set(vec!["refused".to_owned()]) {
            plan.refusals = sample::operator_test().checks;
        }
        Ok(plan)
    }

    async fn set_group(&self, zone: &str, set: SetGroup) -> Result<SetAnswer, Refusal> {
        refusal(zone)?;
        let there = set.change == Change::Join("a".to_owned());
        self.sets.lock().unwrap().push(set);
        let transition = (!there).then(|| sample::transition(TransitionState::Acting));
        Ok(SetAnswer { zone: zone.to_owned(), desired: vec!["a".to_owned(), "b".to_owned()], transition })
    }

    async fn control(&self, zone: &str, verb: Verb, control: Control) -> Result<SetAnswer, Refusal> {
        refusal(zone)?;
        if zone == "held.example" {
            drop(self.hold.lock().await);
        }
        self.controls.lock().unwrap().push((verb, control));
        let mut transition = sample::transition(TransitionState::Acting);
        transition.paused = verb == Verb::Pause;
        if zone == "mended.example" {
            (transition.version, transition.aim) = (transition.version + 1, "undoing".to_owned());
        }
        Ok(SetAnswer { zone: zone.to_owned(), desired: vec!["a".to_owned()], transition: Some(transition) })
    }

    async fn history(&self, zone: &str, limit: u32) -> Result<History, Refusal> {
        refusal(zone)?;
        let mut history = sample::history();
        history.events.truncate(limit as usize);
        Ok(history)
    }

    async fn certificate(&self, zone: &str, transition: Option<&str>, _: bool) -> Result<Certificate, Refusal> {
        refusal(zone)?;
        refusal(transition.unwrap_or_default()).map(|()| sample::certificate())
    }
}

/// The API on a random port of loopback, and its token in a file. Ends when dropped.
pub struct Daemon {
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
    pub service: Arc<Fake>,
    _runtime: tokio::runtime::Runtime,
}

impl Daemon {
    pub fn start() -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let token = chorus::api::token::create_or_read(dir.path(), &mut rand::rng()).unwrap();
        let service = Arc::new(Fake::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = runtime.block_on(routed(service.clone(), token));
        let door = Door::plain("127.0.0.1:0".parse().unwrap());
        let listener = serve::bind(&door).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve::serve(listener, door, router, std::future::pending()));
        Daemon { address, dir, service, _runtime: runtime }
    }
}

async fn routed(service: Arc<Fake>, token: Token) -> axum::Router {
    routes::router(Api { service, gate: gate(token).await })
}

/// A gate in front of no accounts, with a clock and a random source of this host.
pub async fn gate(token: Token) -> Gate {
    let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
    Gate::new(store, Arc::new(SystemClock), Arc::new(SystemRandom), token)
}

pub async fn router() -> (axum::Router, Token, Arc<Fake>) {
    let token = Token::new(&mut rand::rng());
    let service = Arc::new(Fake::default());
    (routed(service.clone(), token.clone()).await, token, service)
}
