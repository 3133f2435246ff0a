//! Operators and the master key, over HTTP.

use super::extract::{Asked, Asker, In, Refused, Wished, to_its_end};
use crate::api::wire::{
    Capabilities, KeyRotated, OperatorAdd, OperatorChange, OperatorCheck, OperatorList, OperatorRotate,
    OperatorRotated, OperatorShow, OperatorTest,
};
use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

pub(super) async fn operators(Asker(service): Asker) -> Result<Json<OperatorList>, Refused> {
    Ok(Json(service.operators().await?))
}

pub(super) async fn operator(Asker(service): Asker, In(name): In<String>) -> Result<Json<OperatorShow>, Refused> {
    Ok(Json(service.operator(&name).await?))
}

pub(super) async fn add_operator(Asker(service): Asker, Asked(add): Asked<OperatorAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_operator(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

pub(super) async fn change_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Asked(change): Asked<OperatorChange>,
) -> Result<Json<OperatorShow>, Refused> {
    Ok(Json(to_its_end(async move { service.change_operator(&name, change).await }).await?))
}

pub(super) async fn rotate_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Asked(rotate): Asked<OperatorRotate>,
) -> Result<Json<OperatorRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_operator(&name, rotate).await }).await?))
}

pub(super) async fn check_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Asked(check): Asked<OperatorCheck>,
) -> Result<Json<Capabilities>, Refused> {
    Ok(Json(to_its_end(async move { service.check_operator(&name, check).await }).await?))
}

pub(super) async fn rotate_key(Asker(service): Asker) -> Result<Json<KeyRotated>, Refused> {
    Ok(Json(to_its_end(async move { service.rotate_key().await }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestQuery {
    zone: String,
}

pub(super) async fn test_operator(
    Asker(service): Asker,
    In(name): In<String>,
    Wished(query): Wished<TestQuery>,
) -> Result<Json<OperatorTest>, Refused> {
    Ok(Json(service.test_operator(&name, &query.zone).await?))
}
