//! Operators and the master key, over HTTP.

use super::extract::{Asked, Asker, In, Refused, Wished, to_its_end};
use super::tags::Condition;
use crate::api::wire::{
    Capabilities, KeyRotated, OperatorAdd, OperatorChange, OperatorCheck, OperatorList, OperatorRotate,
    OperatorRotated, OperatorShow, OperatorTest,
};
use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// All operators.
#[utoipa::path(get, path = "/operators", responses(
    (status = 200, body = OperatorList, description = "All of them, by name"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn operators(Asker(service): Asker) -> Result<Json<OperatorList>, Refused> {
    Ok(Json(service.operators().await?))
}

/// One operator, without its secret.
#[utoipa::path(get, path = "/operators/{name}", responses(
    (status = 200, body = OperatorShow, description = "The operator"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn operator(Asker(service): Asker, In(name): In<String>) -> Result<Json<OperatorShow>, Refused> {
    Ok(Json(service.operator(&name).await?))
}

/// Adds an operator, with its secret.
///
/// Nothing is sent to it. Which fields are needed depends on `provider`.
#[utoipa::path(post, path = "/operators",
    request_body(content = OperatorAdd, example = json!({
        "name": "a",
        "provider": "rfc2136",
        "update": "192.0.2.1:53",
        "tsig": {"name": "chorus", "algorithm": "hmac-sha256", "secret": "c2l4dGVlbiBvY3RldHMgb3IgbW9yZSwgYXMgZ29vZA=="},
        "name_servers": [{"host": "ns1.a.example", "addresses": ["192.0.2.1:53"]}],
    })),
    responses(
        (status = 201, body = OperatorShow, description = "Added"),
        (status = 400, description = "`bad-name`, `bad-interface`, `bad-secret`, `bad-url`, `no-name-server`, `unknown-provider`"),
        (status = 409, description = "`exists`"),
    ))]
pub(super) async fn add_operator(Asker(service): Asker, Asked(add): Asked<OperatorAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_operator(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// Changes how an operator is driven, and where it serves.
#[utoipa::path(patch, path = "/operators/{name}",
    request_body(content = OperatorChange, example = json!({"update": "192.0.2.2:53"})),
    responses(
        (status = 200, body = OperatorShow, description = "As it is now"),
        (status = 400, description = "`bad-name`, `bad-interface`, `bad-url`, `no-name-server`"),
        (status = 409, description = "`in-use`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(super) async fn change_operator(
    Asker(service): Asker,
    In(name): In<String>,
    condition: Condition,
    Asked(change): Asked<OperatorChange>,
) -> Result<Json<OperatorShow>, Refused> {
    condition.holds(service.operator(&name)).await?;
    Ok(Json(to_its_end(async move { service.change_operator(&name, change).await }).await?))
}

/// Exchanges an operator's credential for another, which is tried first.
#[utoipa::path(post, path = "/operators/{name}/rotate",
    request_body(content = OperatorRotate, example = json!({"secret": "YW5vdGhlciBzZWNyZXQgb2Ygc2l4dGVlbiBvY3RldHM="})),
    responses(
        (status = 200, body = OperatorRotated, description = "The new credential is in use"),
        (status = 400, description = "`bad-secret`, `bad-interface`, `bad-name`, `no-zone-to-try`"),
        (status = 422, description = "The reason why the new credential is refused, such as `tsig-badkey`"),
        (status = 503, description = "`operator-unusable`, or why it could not be tried"),
    ))]
pub(super) async fn rotate_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Asked(rotate): Asked<OperatorRotate>,
) -> Result<Json<OperatorRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_operator(&name, rotate).await }).await?))
}

/// Finds out what an operator can do, in a zone that is named for it.
#[utoipa::path(post, path = "/operators/{name}/check",
    request_body(content = OperatorCheck, example = json!({"zone": "trial.example.org"})),
    responses(
        (status = 200, body = Capabilities, description = "What was seen"),
        (status = 400, description = "`bad-name`"),
        (status = 409, description = "`exists`, `in-transition`, `trial-left-over`"),
        (status = 422, description = "`no-addresses`, `operator-unreachable`, `operator-unsigned`, `trial-zone-secure`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn check_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Asked(check): Asked<OperatorCheck>,
) -> Result<Json<Capabilities>, Refused> {
    Ok(Json(to_its_end(async move { service.check_operator(&name, check).await }).await?))
}

/// Exchanges the master key, and seals every secret anew.
#[utoipa::path(post, path = "/key/rotate", responses(
    (status = 200, body = KeyRotated, description = "The new key is in use"),
    (status = 422, description = "`master-key-given`"),
))]
pub(super) async fn rotate_key(Asker(service): Asker) -> Result<Json<KeyRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_key().await }).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TestQuery {
    /// A zone that the operator serves.
    #[param(example = "example.org")]
    zone: String,
}

/// Looks at an operator in one zone.
///
/// Asks its addresses, and sends at most writes that change nothing.
#[utoipa::path(post, path = "/operators/{name}/test", params(TestQuery), responses(
    (status = 200, body = OperatorTest, description = "What was found, also where it is bad"),
    (status = 400, description = "`bad-name`"),
    (status = 503, description = "`operator-unusable`"),
))]
pub(super) async fn test_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Wished(query): Wished<TestQuery>,
) -> Result<Json<OperatorTest>, Refused> {
    Ok(Json(service.test_operator(&name, &query.zone).await?))
}
