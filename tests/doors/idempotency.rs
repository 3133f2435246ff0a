//! `Idempotency-Key`, over a store in memory and a clock that the test sets.

use crate::fake::Fake;
use crate::openapi::{an_admin, send};
use axum::Router;
use chorus::api::gate::Gate;
use chorus::api::routes::{self, Api};
use chorus::api::token::Token;
use chorus::engine::{Clock, SystemRandom};
use chorus::model::time::Time;
use chorus::store::{MasterKey, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

struct Hands(AtomicI64);

#[async_trait::async_trait]
impl Clock for Hands {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, _: Time) {
        std::future::pending().await
    }
}

struct Daemon {
    store: Store,
    clock: Arc<Hands>,
    token: Token,
    service: Arc<Fake>,
    router: Router,
}

const PAUSE: &str = "/zones/slow.example/pause";

impl Daemon {
    async fn new() -> Daemon {
        let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
        let token = Token::new(&mut rand::rng());
        let clock = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        an_admin(&store, clock.now()).await;
        let service = Arc::new(Fake::default());
        let router = routed(&store, &clock, &token, &service);
        Daemon { store, clock, token, service, router }
    }

    fn restart(&mut self) {
        self.router = routed(&self.store, &self.clock, &self.token, &self.service);
    }

    /// Status, whether it is an answer from before, and the answer.
    async fn keyed(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, bool, String) {
        let sent = send((&self.router, &self.token), method, path, &[("idempotency-key", key)], body).await;
        let (status, headers, text) = sent;
        let replayed = headers.get("idempotent-replayed").is_some_and(|value| value == "true");
        if !text.is_empty() {
            let kind = if status < 400 { "application/json" } else { "application/problem+json" };
            assert_eq!(headers["content-type"], kind);
        }
        (status, replayed, text)
    }

    fn done(&self) -> usize {
        self.service.controls.lock().unwrap().len()
    }

    fn passes(&self, s: i64) {
        self.clock.0.fetch_add(s * 1000, Ordering::Relaxed);
    }
}

fn routed(store: &Store, clock: &Arc<Hands>, token: &Token, service: &Arc<Fake>) -> Router {
    let gate = Gate::new(store.clone(), clock.clone(), Arc::new(SystemRandom), token.clone());
    routes::router(Api { service: service.clone(), gate })
}

fn is(code: &str, (status, replayed, text): (u16, bool, String), expected: u16) {
    assert!(status == expected && !replayed && text.contains(&format!("\"code\":\"{code}\"")), "{status} {text}");
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once_and_answered_as_it_was_also_after_a_restart() {
    let mut daemon = Daemon::new().await;
    let first = daemon.keyed("k1", "POST", PAUSE, "{}").await;
    assert!(first.0 == 200 && !first.1);
    for restart in [false, true] {
        if restart {
            daemon.restart();
        }
        let again = daemon.keyed("k1", "POST", PAUSE, "{}").await;
        assert_eq!((again.0, again.1, &again.2), (200, true, &first.2));
    }
    assert_eq!(daemon.done(), 1);
    daemon.keyed("k2", "POST", PAUSE, "{}").await;
    send((&daemon.router, &daemon.token), "POST", PAUSE, &[], "{}").await;
    assert_eq!(daemon.done(), 3, "another key is another request, and so is none");
    daemon.passes(24 * 3600 + 1);
    assert!(!daemon.keyed("k1", "POST", PAUSE, "{}").await.1, "it is kept for a day");
    assert_eq!(daemon.done(), 4);
}

#[tokio::test]
async fn refusals_are_kept_with_their_form_and_failures_are_not() {
    let daemon = Daemon::new().await;
    let (status, _, text) = daemon.keyed("k", "POST", "/zones/conflict.example/undo", "{}").await;
    let again = daemon.keyed("k", "POST", "/zones/conflict.example/undo", "{}").await;
    assert_eq!((again.0, again.1, again.2), (409, true, text));
    assert_eq!(status, 409);
    for _ in 0..2 {
        let down = daemon.keyed("d", "POST", "/zones/down.example/undo", "{}").await;
        assert_eq!((down.0, down.1), (503, false), "it may be sent again with the same key");
    }
}

#[tokio::test]
async fn a_key_is_of_one_request_and_of_one_caller() {
    let daemon = Daemon::new().await;
    daemon.keyed("k", "POST", PAUSE, "{}").await;
    is("idempotency-key-reused", daemon.keyed("k", "POST", PAUSE, r#"{"version":4}"#).await, 422);
    is("idempotency-key-reused", daemon.keyed("k", "POST", "/zones/slow.example/stop", "{}").await, 422);
    assert_eq!(daemon.done(), 1);
    let scopes = r#"{"label":"x","scopes":["transitions:run"],"valid_for_s":3600}"#;
    let (_, _, made) = send((&daemon.router, &daemon.token), "POST", "/tokens", &[], scopes).await;
    let secret = serde_json::from_str::<serde_json::Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned();
    let other = [("idempotency-key", "k"), ("authorization", &*format!("Bearer {secret}"))];
    let (status, headers, _) = send((&daemon.router, &daemon.token), "POST", PAUSE, &other, "{}").await;
    assert!(status == 200 && !headers.contains_key("idempotent-replayed"));
    assert_eq!(daemon.done(), 2);
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let daemon = Daemon::new().await;
    for key in ["", "a b", "ä", &"x".repeat(201)] {
        is("bad-idempotency-key", daemon.keyed(key, "POST", PAUSE, "{}").await, 400);
    }
    assert_eq!(daemon.keyed(&"x".repeat(200), "POST", PAUSE, "{}").await.0, 200);
    assert_eq!(daemon.done(), 1);
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_kept_and_what_was_made_is_not_made_twice() {
    let daemon = Daemon::new().await;
    let add = r#"{"name":"ann","role":"viewer"}"#;
    let scopes = r#"{"label":"x","scopes":["zones:read"],"valid_for_s":3600}"#;
    let all =
        [("POST", "/accounts", add), ("PATCH", "/accounts/ann", r#"{"reset":true}"#), ("POST", "/tokens", scopes)];
    for (n, (method, path, body)) in all.into_iter().enumerate() {
        let key = format!("k{n}");
        assert!(daemon.keyed(&key, method, path, body).await.0 < 300, "{path}");
        is("already-done", daemon.keyed(&key, method, path, body).await, 409);
        let kept = daemon.store.answer("local token-file", &key).await.unwrap().unwrap();
        assert!(kept.status.is_some() && kept.body.is_none(), "{path}");
    }
    let (_, _, tokens) = send((&daemon.router, &daemon.token), "GET", "/tokens", &[], "").await;
    assert_eq!(tokens.matches("\"id\"").count(), 1);
    // Without a secret it is kept as any other; an answer without a body, too.
    for _ in 0..2 {
        assert_eq!(daemon.keyed("role", "PATCH", "/accounts/ann", r#"{"role":"operator"}"#).await.0, 200);
    }
    let id =
        serde_json::from_str::<serde_json::Value>(&tokens).unwrap()["tokens"][0]["id"].as_str().unwrap().to_owned();
    for replayed in [false, true] {
        let revoked = daemon.keyed("revoke", "DELETE", &format!("/tokens/{id}"), "").await;
        assert_eq!(revoked, (204, replayed, String::new()));
    }
}

#[tokio::test]
async fn one_that_is_under_way_is_not_begun_again_and_one_that_was_lost_is_told_as_such() {
    let mut daemon = Daemon::new().await;
    let waiting = daemon.service.hold.clone();
    let held = waiting.lock().await;
    let path = "/zones/held.example/pause";
    let (router, token) = (daemon.router.clone(), daemon.token.clone());
    let first =
        tokio::spawn(async move { send((&router, &token), "POST", path, &[("idempotency-key", "k")], "{}").await });
    while daemon.store.answer("local token-file", "k").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    is("request-still-running", daemon.keyed("k", "POST", path, "{}").await, 409);
    is("idempotency-key-reused", daemon.keyed("k", "POST", path, r#"{"version":1}"#).await, 422);
    daemon.passes(301);
    is("outcome-unknown", daemon.keyed("k", "POST", path, "{}").await, 409);
    // The process that ran it is gone.
    daemon.passes(-301);
    let before = daemon.router.clone();
    daemon.restart();
    is("outcome-unknown", daemon.keyed("k", "POST", path, "{}").await, 409);
    daemon.router = before;
    // Its caller hangs up: the answer is kept all the same.
    first.abort();
    drop(held);
    let mut last = daemon.keyed("k", "POST", path, "{}").await;
    while last.0 == 409 {
        tokio::task::yield_now().await;
        last = daemon.keyed("k", "POST", path, "{}").await;
    }
    assert_eq!((last.0, last.1, daemon.done()), (200, true, 1));
}

#[tokio::test]
async fn who_lacks_the_permission_is_refused_before_any_answer_is_looked_for() {
    let daemon = Daemon::new().await;
    let scopes = r#"{"label":"x","scopes":["zones:read"],"valid_for_s":3600}"#;
    let (_, _, made) = send((&daemon.router, &daemon.token), "POST", "/tokens", &[], scopes).await;
    let secret = serde_json::from_str::<serde_json::Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned();
    let other = [("idempotency-key", "k"), ("authorization", &*format!("Bearer {secret}"))];
    for _ in 0..2 {
        let (status, headers, _) = send((&daemon.router, &daemon.token), "POST", PAUSE, &other, "{}").await;
        assert!(status == 403 && !headers.contains_key("idempotent-replayed"));
    }
    assert_eq!(daemon.done(), 0);
}
