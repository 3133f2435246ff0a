//! From HTTP to the [`Service`] and back: paths, the bearer token, and how a refusal looks.
//!
//! Invariants: whatever goes wrong, the answer is one `application/problem+json`; everything but `/healthz` and `/readyz` asks for the
//! token first; a change that was begun is not abandoned because its caller hung up.

use super::service::{Refusal, RefusalKind, Service};
use super::token::Token;
use super::wire::{
    Capabilities, Certificate, CheckRequest, Control, History, KeyRotated, OperatorAdd, OperatorChange, OperatorCheck,
    OperatorList, OperatorRotate, OperatorRotated, OperatorShow, OperatorTest, Plan, PlanRequest, PolicyChange,
    Problem, SetAnswer, SetGroup, Verb, ZoneAdd, ZoneCheck, ZoneList, ZonePolicy, ZoneShow, ZonesQuery,
};
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Json, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The largest request: an operator with a few hundred name servers is far below.
pub const BODY_MAX: usize = 1 << 20;

/// The most events that one answer has.
pub const HISTORY_MAX: u32 = 1000;

type Shared = State<Arc<dyn Service>>;

/// What is answered without a token: that it runs, and that it works. Neither names a zone.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub fn router(service: Arc<dyn Service>, token: Token) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/api/v1/operators", get(operators).post(add_operator))
        .route("/api/v1/operators/{name}", get(operator).patch(change_operator))
        .route("/api/v1/operators/{name}/rotate", post(rotate_operator))
        .route("/api/v1/operators/{name}/check", post(check_operator))
        .route("/api/v1/key/rotate", post(rotate_key))
        .route("/api/v1/operators/{name}/test", post(test_operator))
        .route("/api/v1/zones", get(zones).post(add_zone))
        .route("/api/v1/zones/{zone}", get(zone))
        .route("/api/v1/zones/{zone}/policy", get(policy).patch(change_policy))
        .route("/api/v1/zones/{zone}/check", get(check).post(check_change))
        .route("/api/v1/zones/{zone}/plan", post(plan))
        .route("/api/v1/zones/{zone}/operators", put(set_group))
        .route("/api/v1/zones/{zone}/pause", post(|s: Shared, z, c| control(s, z, Verb::Pause, c)))
        .route("/api/v1/zones/{zone}/resume", post(|s: Shared, z, c| control(s, z, Verb::Resume, c)))
        .route("/api/v1/zones/{zone}/stop", post(|s: Shared, z, c| control(s, z, Verb::Stop, c)))
        .route("/api/v1/zones/{zone}/undo", post(|s: Shared, z, c| control(s, z, Verb::Undo, c)))
        .route("/api/v1/zones/{zone}/try-now", post(|s: Shared, z, c| control(s, z, Verb::TryNow, c)))
        .route("/api/v1/zones/{zone}/history", get(history))
        .route("/api/v1/zones/{zone}/certificate", get(certificate))
        .fallback(|| async {
            refuse(StatusCode::NOT_FOUND, "unknown-path", "there is nothing at this path", "The API is at /api/v1")
        })
        .method_not_allowed_fallback(|| async {
            let fix = "The Allow header names those that do";
            refuse(StatusCode::METHOD_NOT_ALLOWED, "unknown-method", "this path does not know that method", fix)
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(token, authorise))
        .with_state(service)
}

async fn authorise(State(token): State<Token>, request: Request, next: Next) -> Response {
    if !OPEN.contains(&request.uri().path()) && !presented(&request).is_some_and(|text| token.is(text)) {
        let fix = "Send the content of the file 'token' in the daemon's data directory";
        let mut answer = refuse(StatusCode::UNAUTHORIZED, "not-authorised", "the token is missing or wrong", fix);
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return answer;
    }
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn presented(request: &Request) -> Option<&[u8]> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, text) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(text)
}

async fn ready(State(service): Shared) -> Result<&'static str, Refused> {
    service.ready().await?;
    Ok("ready\n")
}

// --- calls ---------------------------------------------------------------------------------------------------------

async fn operators(State(service): Shared) -> Result<Json<OperatorList>, Refused> {
    Ok(Json(service.operators().await?))
}

async fn operator(State(service): Shared, In(name): In<String>) -> Result<Json<OperatorShow>, Refused> {
    Ok(Json(service.operator(&name).await?))
}

async fn add_operator(State(service): Shared, Asked(add): Asked<OperatorAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_operator(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

async fn change_operator(
    State(service): Shared,
    In(name): In<String>,
    Asked(change): Asked<OperatorChange>,
) -> Result<Json<OperatorShow>, Refused> {
    Ok(Json(to_its_end(async move { service.change_operator(&name, change).await }).await?))
}

async fn rotate_operator(
    State(service): Shared,
    In(name): In<String>,
    Asked(rotate): Asked<OperatorRotate>,
) -> Result<Json<OperatorRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_operator(&name, rotate).await }).await?))
}

async fn check_operator(
    State(service): Shared,
    In(name): In<String>,
    Asked(check): Asked<OperatorCheck>,
) -> Result<Json<Capabilities>, Refused> {
    Ok(Json(to_its_end(async move { service.check_operator(&name, check).await }).await?))
}

async fn rotate_key(State(service): Shared) -> Result<Json<KeyRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_key().await }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestQuery {
    zone: String,
}

async fn test_operator(
    State(service): Shared,
    In(name): In<String>,
    Wished(query): Wished<TestQuery>,
) -> Result<Json<OperatorTest>, Refused> {
    Ok(Json(service.test_operator(&name, &query.zone).await?))
}

async fn zones(State(service): Shared, Wished(query): Wished<ZonesQuery>) -> Result<Json<ZoneList>, Refused> {
    Ok(Json(service.zones(query).await?))
}

async fn add_zone(State(service): Shared, Asked(add): Asked<ZoneAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_zone(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

async fn zone(State(service): Shared, In(zone): In<String>) -> Result<Json<ZoneShow>, Refused> {
    Ok(Json(service.zone(&zone).await?))
}

async fn policy(State(service): Shared, In(zone): In<String>) -> Result<Json<ZonePolicy>, Refused> {
    Ok(Json(service.policy(&zone).await?))
}

async fn change_policy(
    State(service): Shared,
    In(zone): In<String>,
    Asked(change): Asked<PolicyChange>,
) -> Result<Json<ZonePolicy>, Refused> {
    Ok(Json(to_its_end(async move { service.change_policy(&zone, change).await }).await?))
}

async fn check(State(service): Shared, In(zone): In<String>) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, None).await?))
}

async fn check_change(
    State(service): Shared,
    In(zone): In<String>,
    Asked(request): Asked<CheckRequest>,
) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, Some(request.change)).await?))
}

async fn plan(
    State(service): Shared,
    In(zone): In<String>,
    Asked(request): Asked<PlanRequest>,
) -> Result<Json<Plan>, Refused> {
    Ok(Json(service.plan(&zone, request.change).await?))
}

async fn set_group(
    State(service): Shared,
    In(zone): In<String>,
    Asked(set): Asked<SetGroup>,
) -> Result<Response, Refused> {
    let answer = to_its_end(async move { service.set_group(&zone, set).await }).await?;
    let status = if answer.transition.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(answer)).into_response())
}

async fn control(
    State(service): Shared,
    In(zone): In<String>,
    verb: Verb,
    Asked(control): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    Ok(Json(to_its_end(async move { service.control(&zone, verb, control).await }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    limit: Option<u32>,
}

async fn history(
    State(service): Shared,
    In(zone): In<String>,
    Wished(query): Wished<HistoryQuery>,
) -> Result<Json<History>, Refused> {
    Ok(Json(service.history(&zone, query.limit.unwrap_or(HISTORY_MAX).clamp(1, HISTORY_MAX)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateQuery {
    transition: Option<String>,
}

async fn certificate(
    State(service): Shared,
    In(zone): In<String>,
    Wished(query): Wished<CertificateQuery>,
) -> Result<Json<Certificate>, Refused> {
    Ok(Json(service.certificate(&zone, query.transition.as_deref()).await?))
}

/// Runs a change in a task of its own: when the caller goes away, the handler is dropped where it stands, and the
/// change must not be.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::spawn(change).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => {
            tracing::error!(%error, "a request ended in a fault of this program");
            let fix = "Look at the daemon's log, and report it";
            Err(Refused(refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a fault of Chorus itself", fix)))
        }
    }
}

// --- what was asked ------------------------------------------------------------------------------------------------

/// A JSON body.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Asked(body)),
            Err(rejection) => {
                // What serde found wrong is the innermost source; axum's own sentence names the Rust side of it.
                let (status, text) = match &rejection {
                    JsonRejection::JsonDataError(error) => (StatusCode::BAD_REQUEST, innermost(error)),
                    JsonRejection::JsonSyntaxError(error) => (StatusCode::BAD_REQUEST, innermost(error)),
                    other => (other.status(), other.body_text()),
                };
                let text = format!("the body is not what this path takes: {text}");
                let fix = "Send JSON with the fields that the documentation names, of at most 1 MiB";
                Err(Refused(refuse(status, "bad-request", &text, fix)))
            }
        }
    }
}

/// The one name in the path, percent-decoded.
struct In<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for In<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let bad = |_| Refused(refuse(StatusCode::BAD_REQUEST, "bad-request", "the path is not UTF-8", "Mend the path"));
        Path::<T>::from_request_parts(parts, state).await.map(|Path(value)| In(value)).map_err(bad)
    }
}

/// The query.
struct Wished<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Wished<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Query::<T>::from_request_parts(parts, state).await.map(|Query(value)| Wished(value)).map_err(|rejection| {
            let text = format!("the query is not what this path takes: {}", innermost(&rejection));
            Refused(refuse(StatusCode::BAD_REQUEST, "bad-request", &text, "Mend the part after the question mark"))
        })
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

// --- refusals ------------------------------------------------------------------------------------------------------

/// A problem that is ready to be sent.
struct Refused(Response);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let status = match refusal.kind {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Preflight => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let Refusal { code, text, fix, zone, operator, retry_at, .. } = refusal;
        let (fix, zone, operator) = (fix.map(String::from), zone.map(String::from), operator.map(String::from));
        Refused(problem(Problem { fix, zone, operator, retry_at, ..plain(status, code, &text) }))
    }
}

fn refuse(status: StatusCode, code: &str, text: &str, fix: &str) -> Response {
    problem(Problem { fix: Some(fix.to_owned()), ..plain(status, code, text) })
}

fn plain(status: StatusCode, code: &str, text: &str) -> Problem {
    Problem {
        kind: format!("/docs/reasons#{code}"),
        title: status.canonical_reason().unwrap_or("Problem").to_owned(),
        status: status.as_u16(),
        detail: text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "),
        code: code.to_owned(),
        fix: None,
        zone: None,
        operator: None,
        retry_at: None,
    }
}

fn problem(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, Json(problem)).into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}
