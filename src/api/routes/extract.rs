//! From HTTP to values, and how a refusal looks.
//!
//! Invariant: whatever goes wrong, the answer is one `application/problem+json` with a reason code.

use super::Api;
use crate::access::Caller;
use crate::api::service::{Refusal, RefusalKind, Service};
use crate::api::wire::Problem;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The service, for whoever asks.
pub(super) struct Asker(pub Arc<dyn Service>);

impl FromRequestParts<Api> for Asker {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let Who(caller) = Who::from_request_parts(parts, api).await?;
        Ok(Asker(api.service.clone().by(&caller)))
    }
}

/// Whoever asks.
pub(super) struct Who(pub Caller);

impl FromRequestParts<Api> for Who {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Refused> {
        parts.extensions.get::<Caller>().cloned().map(Who).ok_or_else(unknown)
    }
}

/// Nobody knows who asks.
pub(super) fn unknown() -> Refused {
    let fix = "Send the content of the file 'token' in the daemon's data directory, or an API token that is still good";
    let mut answer = refuse(StatusCode::UNAUTHORIZED, "not-authorised", "the token is missing or wrong", fix);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Refused(answer)
}

// --- what was asked ------------------------------------------------------------------------------------------------

/// A JSON body.
pub(super) struct Asked<T>(pub T);

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
                // What was sent may be in it, as long as it was.
                let text: String = text.chars().take(300).collect();
                let text = format!("the body is not what this path takes: {text}");
                let fix = "Send JSON with the fields that the documentation names, of at most 1 MiB";
                Err(Refused(refuse(status, "bad-request", &text, fix)))
            }
        }
    }
}

pub(super) fn not_utf8() -> Refused {
    Refused(refuse(StatusCode::BAD_REQUEST, "bad-request", "the path is not UTF-8", "Mend the path"))
}

/// The one name in the path, percent-decoded.
pub(super) struct In<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for In<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Path::<T>::from_request_parts(parts, state).await.map(|Path(value)| In(value)).map_err(|_| not_utf8())
    }
}

/// The query.
pub(super) struct Wished<T>(pub T);

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

/// Runs a change in a task of its own: when the caller goes away, the handler is dropped where it stands, and the
/// change must not be.
pub(super) async fn to_its_end<T: Send + 'static>(
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

// --- refusals ------------------------------------------------------------------------------------------------------

/// A problem that is ready to be sent.
pub(super) struct Refused(pub Response);

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
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let Refusal { code, text, fix, zone, operator, retry_at, .. } = refusal;
        let (fix, zone, operator) = (fix.map(String::from), zone.map(String::from), operator.map(String::from));
        Refused(problem(Problem { fix, zone, operator, retry_at, ..plain(status, code, &text) }))
    }
}

pub(in crate::api) fn refuse(status: StatusCode, code: &str, text: &str, fix: &str) -> Response {
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
