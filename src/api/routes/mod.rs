//! From HTTP to the service and back: every path, with what it asks of whoever asks.
//!
//! Invariants: whatever goes wrong, the answer is one `application/problem+json`; a route cannot be written without saying which
//! permission it needs and which zones it is about; a cookie opens nothing here; a change that was begun is not abandoned because
//! its caller hung up.

mod access;
mod declared;
mod document;
mod extract;
mod operators;
mod tags;
mod zones;

pub use declared::{Reach, Route};
pub(super) use extract::refuse as refused;

use super::gate::Gate;
use super::idempotency::Answers;
use super::service::Service;
use super::wire::Problem;
use crate::access::Permission::{
    Admin, AuditRead, OperatorsRead, OperatorsWrite, TransitionsPlan, TransitionsRun, ZonesRead, ZonesWrite,
};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use declared::Declared;
use extract::{Refused, refuse, unknown};
use serde_json::Value;
use std::sync::Arc;
use utoipa_axum::routes;

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
    use Reach::{Everything, Filtered, Named};
    Declared::default()
        .route(routes!(operators::operators), OperatorsRead, Everything)
        .route(routes!(operators::add_operator), OperatorsWrite, Everything)
        .route(routes!(operators::operator), OperatorsRead, Everything)
        .route(routes!(operators::change_operator), OperatorsWrite, Everything)
        .route(routes!(operators::rotate_operator), OperatorsWrite, Everything)
        .route(routes!(operators::check_operator), OperatorsWrite, Everything)
        .route(routes!(operators::test_operator), OperatorsWrite, Everything)
        .route(routes!(operators::rotate_key), Admin, Everything)
        .route(routes!(zones::overview), ZonesRead, Filtered)
        .route(routes!(zones::parents), ZonesRead, Filtered)
        .route(routes!(zones::statistics), ZonesRead, Filtered)
        .route(routes!(zones::zones), ZonesRead, Filtered)
        .route(routes!(zones::add_zone), ZonesWrite, Everything)
        .route(routes!(zones::zone), ZonesRead, Named)
        .route(routes!(zones::timeline), ZonesRead, Named)
        .route(routes!(zones::policy), ZonesRead, Named)
        .route(routes!(zones::change_policy), ZonesWrite, Named)
        .route(routes!(zones::check), TransitionsPlan, Named)
        .route(routes!(zones::check_change), TransitionsPlan, Named)
        .route(routes!(zones::plan), TransitionsPlan, Named)
        .route(routes!(zones::set_group), TransitionsRun, Named)
        .route(routes!(zones::pause), TransitionsRun, Named)
        .route(routes!(zones::resume), TransitionsRun, Named)
        .route(routes!(zones::stop), TransitionsRun, Named)
        .route(routes!(zones::undo), TransitionsRun, Named)
        .route(routes!(zones::try_now), TransitionsRun, Named)
        .route(routes!(zones::repair), TransitionsRun, Named)
        .route(routes!(zones::registrar_cancelled), TransitionsRun, Named)
        .route(routes!(zones::history), ZonesRead, Named)
        .route(routes!(zones::certificate), ZonesRead, Named)
        .route(routes!(access::accounts), Admin, Everything)
        .route(routes!(access::add_account), Admin, Everything)
        .route(routes!(access::account), Admin, Everything)
        .route(routes!(access::change_account), Admin, Everything)
        // Everybody has tokens of their own, which are never more than they are.
        .route(routes!(access::tokens), ZonesRead, Everything)
        .route(routes!(access::add_token), ZonesRead, Everything)
        .route(routes!(access::revoke_token), ZonesRead, Everything)
        .route(routes!(access::audit), AuditRead, Everything)
        .route(routes!(access::verify_audit), AuditRead, Everything)
}

/// Every call, with what it asks for.
pub fn table() -> Vec<Route> {
    declared().table
}

/// The API's description, as `GET /api/v1/openapi.json` answers and `docs/openapi.json` has it.
pub fn document() -> Value {
    declared().document.finish()
}

/// The API alone.
pub fn router(api: Api) -> Router {
    beside_pages(api).fallback(nothing_here).method_not_allowed_fallback(not_that_method)
}

/// The API beside other things, which say what is nowhere.
pub fn beside_pages(api: Api) -> Router {
    let described = document();
    let calls = declared()
        .router
        // For whoever is recognised, whatever they may do.
        .route("/openapi.json", get(move || std::future::ready(Json(described.clone()))))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_that_method)
        .layer(Extension(Answers::new(api.gate.clone())))
        .layer(middleware::from_fn_with_state(api.clone(), recognise));
    // Nesting leaves what is nowhere to others: below `/api` that is us, and a token is asked for first.
    let nowhere = any(nothing_here).layer(middleware::from_fn_with_state(api.clone(), recognise));
    Router::new()
        .nest("/api/v1", calls)
        .route("/api/v1/", nowhere.clone())
        .route("/api/{*path}", nowhere)
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
