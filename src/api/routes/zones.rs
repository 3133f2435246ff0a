//! Zones and their transitions, over HTTP.

use super::HISTORY_MAX;
use super::extract::{Asked, Asker, In, Refused, Wished, to_its_end};
use crate::api::wire::{
    Certificate, CheckRequest, Control, History, Overview, ParentList, Plan, PlanRequest, PolicyChange, SetAnswer,
    SetGroup, Statistics, Timeline, Verb, ZoneAdd, ZoneCheck, ZoneList, ZonePolicy, ZoneShow, ZonesQuery,
};
use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

pub(super) async fn zones(Asker(service): Asker, Wished(query): Wished<ZonesQuery>) -> Result<Json<ZoneList>, Refused> {
    Ok(Json(service.zones(query).await?))
}

pub(super) async fn add_zone(Asker(service): Asker, Asked(add): Asked<ZoneAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_zone(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

pub(super) async fn zone(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZoneShow>, Refused> {
    Ok(Json(service.zone(&zone).await?))
}

pub(super) async fn policy(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZonePolicy>, Refused> {
    Ok(Json(service.policy(&zone).await?))
}

pub(super) async fn change_policy(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(change): Asked<PolicyChange>,
) -> Result<Json<ZonePolicy>, Refused> {
    Ok(Json(to_its_end(async move { service.change_policy(&zone, change).await }).await?))
}

pub(super) async fn check(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, None).await?))
}

pub(super) async fn check_change(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(request): Asked<CheckRequest>,
) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, Some(request.change)).await?))
}

pub(super) async fn plan(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(request): Asked<PlanRequest>,
) -> Result<Json<Plan>, Refused> {
    Ok(Json(service.plan(&zone, request.change).await?))
}

pub(super) async fn set_group(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(set): Asked<SetGroup>,
) -> Result<Response, Refused> {
    let answer = to_its_end(async move { service.set_group(&zone, set).await }).await?;
    let status = if answer.transition.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(answer)).into_response())
}

pub(super) async fn control(
    Asker(service): Asker,
    In(zone): In<String>,
    verb: Verb,
    Asked(control): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    Ok(Json(to_its_end(async move { service.control(&zone, verb, control).await }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    limit: Option<u32>,
}

pub(super) async fn history(
    Asker(service): Asker,
    In(zone): In<String>,
    Wished(query): Wished<HistoryQuery>,
) -> Result<Json<History>, Refused> {
    Ok(Json(service.history(&zone, query.limit.unwrap_or(HISTORY_MAX).clamp(1, HISTORY_MAX)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateQuery {
    transition: Option<String>,
}

pub(super) async fn certificate(
    Asker(service): Asker,
    In(zone): In<String>,
    Wished(query): Wished<CertificateQuery>,
) -> Result<Json<Certificate>, Refused> {
    Ok(Json(service.certificate(&zone, query.transition.as_deref()).await?))
}

pub(super) async fn overview(Asker(service): Asker) -> Result<Json<Overview>, Refused> {
    Ok(Json(service.overview().await?))
}

pub(super) async fn timeline(Asker(service): Asker, In(zone): In<String>) -> Result<Json<Timeline>, Refused> {
    Ok(Json(service.timeline(&zone).await?))
}

pub(super) async fn parents(Asker(service): Asker) -> Result<Json<ParentList>, Refused> {
    Ok(Json(service.parents().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatisticsQuery {
    days: Option<u32>,
}

pub(super) async fn statistics(
    Asker(service): Asker,
    Wished(query): Wished<StatisticsQuery>,
) -> Result<Json<Statistics>, Refused> {
    Ok(Json(service.statistics(query.days.unwrap_or(30).clamp(1, 366)).await?))
}
