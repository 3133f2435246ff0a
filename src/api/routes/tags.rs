//! Entity tags of single resources: `ETag`, `If-None-Match`, `If-Match`.
//!
//! Rule: the tag is the hash of the JSON without the fields in [`PASSING`], which change by time's passing or by somebody's
//! looking alone. So equal tags say that nothing has happened, and a 304 does not mean that these fields are the same.

use super::extract::{Refused, refuse};
use crate::model::dns::hex;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::openapi::path::Operation;

/// Clocks, when somebody looked or was seen last, and forecasts, which are counted from now.
pub(super) const PASSING: [&str; 9] = [
    "now",
    "updated_at",
    "last_seen",
    "last_seen_at",
    "last_used_at",
    "ends_at",
    "ends_earliest",
    "undo_takes",
    "takes",
];

/// Whether the annotation says that there is a 304, which only a tag can bring.
pub(super) fn is_tagged(operation: &Operation) -> bool {
    operation.responses.responses.contains_key("304")
}

fn tag_of(mut resource: Value) -> String {
    without_passing(&mut resource);
    let digest = Sha256::digest(resource.to_string().as_bytes());
    format!("\"{}\"", hex(digest.get(..16).unwrap_or_default()))
}

fn without_passing(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !PASSING.contains(&name.as_str()));
            fields.values_mut().for_each(without_passing);
        }
        Value::Array(items) => items.iter_mut().for_each(without_passing),
        _ => {}
    }
}

/// Puts the tag on what is found, and answers 304 to those who have it already.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let known = listed(request.headers(), header::IF_NONE_MATCH);
    let answer = next.run(request).await;
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // What a handler of ours has made is all there: it is in memory already.
    let Ok(octets) = to_bytes(body, usize::MAX).await else {
        let fix = "Look at the daemon's log, and report it";
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a fault of Chorus itself", fix);
    };
    let Ok(resource) = serde_json::from_slice(&octets) else { return Response::from_parts(parts, Body::from(octets)) };
    let tag = tag_of(resource);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    // RFC 9110 §13.1.2: the comparison is the weak one.
    if known.iter().any(|one| one == "*" || one.trim_start_matches("W/") == tag) {
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return (StatusCode::NOT_MODIFIED, parts.headers).into_response();
    }
    Response::from_parts(parts, Body::from(octets))
}

fn listed(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// What the caller says that the resource is, if they do.
pub(super) struct Condition(Option<Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Condition, Refused> {
        let given = parts.headers.contains_key(header::IF_MATCH);
        Ok(Condition(given.then(|| listed(&parts.headers, header::IF_MATCH))))
    }
}

impl Condition {
    /// Refuses if the resource is not what the caller saw. It is asked for only where there is a condition.
    pub async fn holds<T: Serialize, E: Into<Refused>>(
        &self,
        present: impl Future<Output = Result<T, E>>,
    ) -> Result<(), Refused> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let present = present.await.map_err(Into::into)?;
        // What was just made to be sent can be written as JSON; if not, no tag fits it.
        let tag = serde_json::to_value(present).map(tag_of).unwrap_or_default();
        if wanted.iter().any(|one| one == "*" || *one == tag) {
            return Ok(());
        }
        let text = "this is not any more what you saw: its ETag is another one than If-Match names";
        let fix = "Look at it again, and decide anew";
        Err(Refused(refuse(StatusCode::PRECONDITION_FAILED, "precondition-failed", text, fix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tag_is_another_one_when_something_happened_and_not_when_time_passed() {
        let zone = |now: u32, verdict: &str| json!({"now": now, "verdict": verdict, "servers": [{"last_seen": now}]});
        assert_eq!(tag_of(zone(1, "at rest")), tag_of(zone(2, "at rest")));
        assert_ne!(tag_of(zone(1, "at rest")), tag_of(zone(1, "waits")));
        assert_eq!(tag_of(json!({})).len(), 34);
    }

    #[tokio::test]
    async fn a_weak_tag_or_another_one_is_no_match_and_no_condition_asks_for_nothing() {
        let is = json!({"slack_s": 60});
        let condition = |tags: &[&str]| Condition(Some(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        let present = || async { Ok::<_, Refused>(is.clone()) };
        let tag = tag_of(is.clone());
        assert!(condition(&["\"x\"", &tag]).holds(present()).await.is_ok());
        assert!(condition(&["*"]).holds(present()).await.is_ok());
        assert!(condition(&[&format!("W/{tag}")]).holds(present()).await.is_err());
        assert!(condition(&[]).holds(present()).await.is_err(), "a header that names nothing matches nothing");
        let never = async { panic!("not asked for") as Result<Value, Refused> };
        assert!(Condition(None).holds(never).await.is_ok());
    }
}
