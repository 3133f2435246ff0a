//! `Idempotency-Key`: a write that is sent again is done once, and answered as it was the first time.
//!
//! Invariants: that a request is under way is committed before its handler runs, so that after a crash nobody is told that
//! nothing was done; an answer that holds a secret is not kept; who lacks the permission now is not shown an answer from before.

use super::gate::Gate;
use super::routes::refused;
use super::service::Refusal;
use crate::access::Caller;
use crate::model::dns::hex;
use crate::model::time::Time;
use crate::store::StoredAnswer;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub const KEY: &str = "idempotency-key";
pub const REPLAYED: &str = "idempotent-replayed";

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// No request takes longer; what has no answer by then was lost.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);

const KEY_LONGEST: usize = 200;

/// Put on an answer that holds a secret: it is not kept.
#[derive(Clone, Copy)]
pub struct HoldsSecret;

/// What is kept, and what is under way in this process.
#[derive(Clone)]
pub struct Answers {
    gate: Gate,
    running: Arc<Mutex<BTreeSet<(String, String)>>>,
}

impl Answers {
    pub fn new(gate: Gate) -> Answers {
        Answers { gate, running: Arc::default() }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeSet<(String, String)>> {
        // The set is whole even if somebody panicked beside it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a request is over, however it ended.
struct Turn {
    answers: Answers,
    of: (String, String),
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.answers.running().remove(&self.of);
    }
}

/// Around every handler that changes something. Without the header it only lets through.
pub async fn once(request: Request, next: Next) -> Response {
    let Some(key) = key_of(request.headers()) else { return next.run(request).await };
    let Some(key) = key else {
        let text = "Idempotency-Key is one header of 1 to 200 visible ASCII characters";
        let fix = "Send a random one, such as a UUID, and the same one again when you repeat the request";
        return refused(StatusCode::BAD_REQUEST, "bad-idempotency-key", text, fix);
    };
    let extensions = request.extensions();
    let (Some(caller), Some(answers)) = (extensions.get::<Caller>().cloned(), extensions.get::<Answers>().cloned())
    else {
        return broken();
    };
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.clone(), parts.uri.clone());
    let whole = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(whole, &()).await {
        Ok(body) => body,
        Err(rejection) => {
            let fix = "Send JSON with the fields that the documentation names, of at most 1 MiB";
            return refused(rejection.status(), "bad-request", &rejection.body_text(), fix);
        }
    };
    let mut hash = Sha256::new();
    for part in [method.as_str().as_bytes(), b"\n", path.to_string().as_bytes(), b"\n", &body] {
        hash.update(part);
    }
    let asked = hex(&hash.finalize());
    let of = (format!("{} {}", caller.name, caller.via()), key);
    let now = answers.gate.now();
    // Before it is stored: what is stored and not in the set was lost.
    let is_first_here = answers.running().insert(of.clone());
    if !is_first_here {
        return again(&answers, &of, &asked, now).await;
    }
    let turn = Turn { answers, of };
    let request = Request::from_parts(parts, Body::from(body));
    // In a task of its own: when the caller goes away the answer is still to be kept.
    let ended = tokio::spawn(async move {
        let (store, (who, key)) = (turn.answers.gate.store(), &turn.of);
        let oldest = Time(now.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX)));
        match store.begin_answer(who, key, &asked, now, oldest).await {
            Ok(None) => kept(&turn, next.run(request).await).await,
            Ok(Some(stored)) => told(stored, &asked, now, false),
            Err(error) => of_store(error),
        }
    });
    ended.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended in a fault of this program");
        broken()
    })
}

/// `None`: there is none; `Some(None)`: it cannot be used.
fn key_of(headers: &HeaderMap) -> Option<Option<String>> {
    let mut all = headers.get_all(KEY).iter();
    let first = all.next()?;
    let fit = |key: &&str| (1..=KEY_LONGEST).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic());
    Some(first.to_str().ok().filter(fit).filter(|_| all.next().is_none()).map(str::to_owned))
}

async fn again(answers: &Answers, of: &(String, String), asked: &str, now: Time) -> Response {
    match answers.gate.store().answer(&of.0, &of.1).await {
        Ok(Some(stored)) => told(stored, asked, now, true),
        // Its first sending is just being stored.
        Ok(None) => still_running(),
        Err(error) => of_store(error),
    }
}

/// What whoever sends a key again is told.
fn told(stored: StoredAnswer, asked: &str, now: Time, runs: bool) -> Response {
    if stored.request != asked {
        let text = "this Idempotency-Key was used for another request";
        let fix = "Use a new key for each request; the same one only to repeat it as it was";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", text, fix);
    }
    let status = stored.status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut answer = match (status, stored.body) {
        (None, _) if runs && stored.at.until(now) < LONGEST => return still_running(),
        (None, _) => {
            let text = "this request was begun and its end was not recorded: it is not known whether it was done";
            let fix = "Look at what it was to change; if that has not happened, send it again with a new key";
            return refused(StatusCode::CONFLICT, "outcome-unknown", text, fix);
        }
        (Some(_), None) => {
            let text = "this was done, and its answer held a secret, which is shown once only";
            let fix = "If the secret did not arrive, take back what was made, and ask for another one with a new key";
            return refused(StatusCode::CONFLICT, "already-done", text, fix);
        }
        (Some(status), Some(body)) if body.is_empty() => status.into_response(),
        (Some(status), Some(body)) => {
            let kind = if status.as_u16() < 400 { "application/json" } else { "application/problem+json" };
            (status, [(header::CONTENT_TYPE, kind)], body).into_response()
        }
    };
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

/// Keeps an answer, and hands it on. Where it cannot be kept the request stays one whose end is not known.
async fn kept(turn: &Turn, answer: Response) -> Response {
    let (store, (who, key)) = (turn.answers.gate.store(), &turn.of);
    let status = answer.status();
    let holds_secret = answer.extensions().get::<HoldsSecret>().is_some();
    let (parts, body) = answer.into_parts();
    let Ok(octets) = to_bytes(body, usize::MAX).await else { return broken() };
    let text = std::str::from_utf8(&octets).ok().filter(|_| !holds_secret);
    let stored = match status.is_server_error() {
        true => store.forget_answer(who, key).await,
        false => store.keep_answer(who, key, status.as_u16(), text).await,
    };
    if let Err(error) = stored {
        tracing::error!(%error, "the answer to a request could not be kept");
    }
    Response::from_parts(parts, Body::from(octets))
}

fn still_running() -> Response {
    let fix = "Wait, and send it again with the same key";
    refused(StatusCode::CONFLICT, "request-still-running", "this request is still under way", fix)
}

fn of_store(error: crate::store::StoreError) -> Response {
    let Refusal { code, text, .. } = super::controller::of_store(error);
    refused(StatusCode::SERVICE_UNAVAILABLE, code, &text, "See that the disk has room, and send it again")
}

fn broken() -> Response {
    let fix = "Look at the daemon's log, and report it";
    refused(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a fault of Chorus itself", fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_header_of_visible_ascii() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(key_of(&headers(&[])), None);
        assert_eq!(key_of(&headers(&["a-1"])), Some(Some("a-1".to_owned())));
        for bad in [&["a b"][..], &[""], &["a", "a"]] {
            assert_eq!(key_of(&headers(bad)), Some(None), "{bad:?}");
        }
        let mut long = HeaderMap::new();
        long.insert(KEY, HeaderValue::from_str(&"x".repeat(200)).unwrap());
        assert!(key_of(&long).flatten().is_some());
        long.insert(KEY, HeaderValue::from_str(&"x".repeat(201)).unwrap());
        assert!(key_of(&long).flatten().is_none());
    }

    #[test]
    fn a_request_without_an_answer_runs_only_while_this_process_says_so_and_not_for_ever() {
        let now = Time::from_s(1_000);
        let begun = |age_s: i64| StoredAnswer {
            request: "r".to_owned(),
            status: None,
            body: None,
            at: Time::from_s(1_000 - age_s),
        };
        let code = async |answer: Response| {
            let octets = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
            serde_json::from_slice::<crate::api::wire::Problem>(&octets).unwrap().code
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert_eq!(code(told(begun(10), "r", now, true)).await, "request-still-running");
            assert_eq!(code(told(begun(300), "r", now, true)).await, "outcome-unknown");
            assert_eq!(code(told(begun(10), "r", now, false)).await, "outcome-unknown");
            assert_eq!(code(told(begun(10), "other", now, true)).await, "idempotency-key-reused");
        });
    }
}
