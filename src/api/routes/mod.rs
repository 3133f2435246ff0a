//! From HTTP to the service and back: every path, with what it asks of whoever asks.
//!
//! Invariants: whatever goes wrong, the answer is one `application/problem+json`; a route cannot be written without saying which
//! permission it needs and which zones it is about; a cookie opens nothing here; a change that was begun is not abandoned because
//! its caller hung up.

mod access;
mod declared;
mod extract;
mod operators;
mod zones;

pub use declared::{Reach, Route};
pub(super) use extract::refuse as refused;

use super::gate::Gate;
use super::service::Service;
use crate::access::Permission::{
    Admin, AuditRead, OperatorsRead, OperatorsWrite, TransitionsPlan, TransitionsRun, ZonesRead, ZonesWrite,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, delete, get, patch, post, put};
use declared::Declared;
use extract::{Refused, refuse, unknown};
use std::sync::Arc;

/// The largest request: an operator with a few hundred name servers is far below.
pub const BODY_MAX: usize = 1 << 20;

/// The most events that one answer has.
pub const HISTORY_MAX: u32 = 1000;

/// What every call needs.
#[derive(Clone)]
pub struct Api {
    pub service: Arc<dyn Service>,
    pub gate: Gate,
}

/// Every call of the API, by path.
fn declared() -> Declared {
    use super::wire::Verb;
    use Reach::{Everything, Filtered, Named};
    let verb = |verb: Verb| post(move |asker, zone, asked| zones::control(asker, zone, verb, asked));
    Declared::default()
        .route("GET", "/operators", OperatorsRead, Everything, get(operators::operators))
        .route("POST", "/operators", OperatorsWrite, Everything, post(operators::add_operator))
        .route("GET", "/operators/{name}", OperatorsRead, Everything, get(operators::operator))
        .route("PATCH", "/operators/{name}", OperatorsWrite, Everything, patch(operators::change_operator))
        .route("POST", "/operators/{name}/rotate", OperatorsWrite, Everything, post(operators::rotate_operator))
        .route("POST", "/operators/{name}/check", OperatorsWrite, Everything, post(operators::check_operator))
        .route("POST", "/operators/{name}/test", OperatorsWrite, Everything, post(operators::test_operator))
        .route("POST", "/key/rotate", Admin, Everything, post(operators::rotate_key))
        .route("GET", "/overview", ZonesRead, Filtered, get(zones::overview))
        .route("GET", "/parents", ZonesRead, Filtered, get(zones::parents))
        .route("GET", "/statistics", ZonesRead, Filtered, get(zones::statistics))
        .route("GET", "/zones", ZonesRead, Filtered, get(zones::zones))
        .route("POST", "/zones", ZonesWrite, Everything, post(zones::add_zone))
        .route("GET", "/zones/{zone}", ZonesRead, Named, get(zones::zone))
        .route("GET", "/zones/{zone}/timeline", ZonesRead, Named, get(zones::timeline))
        .route("GET", "/zones/{zone}/policy", ZonesRead, Named, get(zones::policy))
        .route("PATCH", "/zones/{zone}/policy", ZonesWrite, Named, patch(zones::change_policy))
        .route("GET", "/zones/{zone}/check", TransitionsPlan, Named, get(zones::check))
        .route("POST", "/zones/{zone}/check", TransitionsPlan, Named, post(zones::check_change))
        .route("POST", "/zones/{zone}/plan", TransitionsPlan, Named, post(zones::plan))
        .route("PUT", "/zones/{zone}/operators", TransitionsRun, Named, put(zones::set_group))
        .route("POST", "/zones/{zone}/pause", TransitionsRun, Named, verb(Verb::Pause))
        .route("POST", "/zones/{zone}/resume", TransitionsRun, Named, verb(Verb::Resume))
        .route("POST", "/zones/{zone}/stop", TransitionsRun, Named, verb(Verb::Stop))
        .route("POST", "/zones/{zone}/undo", TransitionsRun, Named, verb(Verb::Undo))
        .route("POST", "/zones/{zone}/try-now", TransitionsRun, Named, verb(Verb::TryNow))
        .route("GET", "/zones/{zone}/history", ZonesRead, Named, get(zones::history))
        .route("GET", "/zones/{zone}/certificate", ZonesRead, Named, get(zones::certificate))
        .route("GET", "/accounts", Admin, Everything, get(access::accounts))
        .route("POST", "/accounts", Admin, Everything, post(access::add_account))
        .route("PATCH", "/accounts/{name}", Admin, Everything, patch(access::change_account))
        // Everybody has tokens of their own, which are never more than they are.
        .route("GET", "/tokens", ZonesRead, Everything, get(access::tokens))
        .route("POST", "/tokens", ZonesRead, Everything, post(access::add_token))
        .route("DELETE", "/tokens/{id}", ZonesRead, Everything, delete(access::revoke_token))
        .route("GET", "/audit", AuditRead, Everything, get(access::audit))
        .route("GET", "/audit/verify", AuditRead, Everything, get(access::verify_audit))
}

/// Every call, with what it asks for.
pub fn table() -> Vec<Route> {
    declared().table
}

/// The API alone.
pub fn router(api: Api) -> Router {
    beside_pages(api).fallback(nothing_here).method_not_allowed_fallback(not_that_method)
}

/// The API beside other things, which say what is nowhere.
pub fn beside_pages(api: Api) -> Router {
    let calls = declared().router.fallback(nothing_here).method_not_allowed_fallback(not_that_method);
    let calls = calls.layer(middleware::from_fn_with_state(api.clone(), recognise));
    Router::new()
        .nest("/api/v1", calls)
        .route("/api/{*path}", any(nothing_here))
        // What is answered to anybody: that it runs, and that it works. Neither names a zone.
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

async fn nothing_here() -> Response {
    refuse(StatusCode::NOT_FOUND, "unknown-path", "there is nothing at this path", "The API is at /api/v1")
}

async fn not_that_method() -> Response {
    let fix = "The Allow header names those that do";
    refuse(StatusCode::METHOD_NOT_ALLOWED, "unknown-method", "this path does not know that method", fix)
}

/// Who asks, by their token. Without one nothing is answered, be there something or not.
async fn recognise(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<super::serve::From>().map(|from| from.0);
    let caller = match presented(&request) {
        Some(text) => api.gate.bearer(text, address).await,
        None => Ok(None),
    };
    let mut answer = match caller {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(None) => unknown().0,
        Err(refusal) => Refused::from(refusal).0,
    };
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn presented(request: &Request) -> Option<&[u8]> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, text) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(text)
}

async fn ready(State(api): State<Api>) -> Result<&'static str, Refused> {
    api.service.ready().await?;
    Ok("ready\n")
}
