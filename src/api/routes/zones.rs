//! Zones and their transitions, over HTTP.

use super::HISTORY_MAX;
use super::extract::{Asked, Asker, In, Refused, Wished, to_its_end};
use super::tags::Condition;
use crate::api::service::Service;
use crate::api::wire::{
    Certificate, CheckRequest, Control, History, Overview, ParentList, Plan, PlanRequest, PolicyChange, SetAnswer,
    SetGroup, Statistics, Timeline, Verb, ZoneAdd, ZoneCheck, ZoneList, ZonePolicy, ZoneShow, ZonesQuery,
};
use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// The list of zones, by name.
///
/// A page at a time: `next` and `previous` of the answer are the `cursor` of the pages beside it, to be sent with the same
/// filters. A cursor names a place and not a page: zones that come or go in between are neither told twice nor passed over.
#[utoipa::path(get, path = "/zones", params(ZonesQuery), responses(
    (status = 200, body = ZoneList, description = "A page of zones"),
    (status = 400, description = "`bad-cursor`, `bad-limit`, `bad-state`, `bad-reason`, `bad-name`, `bad-filter`"),
))]
pub(super) async fn zones(Asker(service): Asker, Wished(query): Wished<ZonesQuery>) -> Result<Json<ZoneList>, Refused> {
    Ok(Json(service.zones(query).await?))
}

/// Adopts a zone: looks at it, and writes nothing anywhere.
#[utoipa::path(post, path = "/zones",
    request_body(content = ZoneAdd, example = json!({"zone": "example.org", "operator": "a", "parent": "scan", "policy": {"slack_s": 60}})),
    responses(
        (status = 201, body = ZoneShow, description = "Adopted"),
        (status = 400, description = "`bad-name`, `bad-duration`"),
        (status = 404, description = "`unknown-operator`"),
        (status = 409, description = "`exists`"),
        (status = 422, description = "`no-addresses`, or the finding that speaks against it"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn add_zone(Asker(service): Asker, Asked(add): Asked<ZoneAdd>) -> Result<Response, Refused> {
    let added = to_its_end(async move { service.add_zone(add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// All that is known of a zone now.
#[utoipa::path(get, path = "/zones/{zone}", responses(
    (status = 200, body = ZoneShow, description = "The zone"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn zone(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZoneShow>, Refused> {
    Ok(Json(service.zone(&zone).await?))
}

/// What is assumed of a zone because it cannot be seen.
#[utoipa::path(get, path = "/zones/{zone}/policy", responses(
    (status = 200, body = ZonePolicy, description = "The policy"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn policy(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZonePolicy>, Refused> {
    Ok(Json(service.policy(&zone).await?))
}

/// Changes parts of a zone's policy.
#[utoipa::path(patch, path = "/zones/{zone}/policy",
    request_body(content = PolicyChange, example = json!({"slack_s": 120})),
    responses(
        (status = 200, body = ZonePolicy, description = "As it is now"),
        (status = 400, description = "`bad-duration`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(super) async fn change_policy(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(change): Asked<PolicyChange>,
) -> Result<Json<ZonePolicy>, Refused> {
    condition.holds(service.policy(&zone)).await?;
    Ok(Json(to_its_end(async move { service.change_policy(&zone, change).await }).await?))
}

/// Looks closely at a zone as it is, and writes at most what changes nothing.
#[utoipa::path(get, path = "/zones/{zone}/check", responses(
    (status = 200, body = ZoneCheck, description = "What was found, the worst first"),
    (status = 422, description = "`no-addresses`"),
    (status = 503, description = "`operator-unusable`"),
))]
pub(super) async fn check(Asker(service): Asker, In(zone): In<String>) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, None).await?))
}

/// What speaks against a change. It is not begun.
#[utoipa::path(post, path = "/zones/{zone}/check",
    request_body(content = CheckRequest, example = json!({"change": {"join": "b"}})),
    responses(
        (status = 200, body = ZoneCheck, description = "What was found, the worst first"),
        (status = 400, description = "`last-operator`, `unknown-algorithm`"),
        (status = 404, description = "`unknown-operator`, `not-a-member`"),
        (status = 409, description = "`in-transition`, `no-transition`, `nothing-to-undo`, `cannot-stop`, `operator-answers`"),
        (status = 422, description = "`no-addresses`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn check_change(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(request): Asked<CheckRequest>,
) -> Result<Json<ZoneCheck>, Refused> {
    Ok(Json(service.check(&zone, Some(request.change)).await?))
}

/// The steps of a change, with what each waits for. It is not begun.
#[utoipa::path(post, path = "/zones/{zone}/plan",
    request_body(content = PlanRequest, example = json!({"change": {"replace": {"old": "a", "new": "b"}}})),
    responses(
        (status = 200, body = Plan, description = "The plan; with refusals it would not be begun"),
        (status = 400, description = "`last-operator`, `unknown-algorithm`"),
        (status = 404, description = "`unknown-operator`, `not-a-member`"),
        (status = 409, description = "`in-transition`, `no-transition`, `nothing-to-undo`, `cannot-stop`, `operator-answers`"),
        (status = 422, description = "`no-addresses`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn plan(
    Asker(service): Asker,
    In(zone): In<String>,
    Asked(request): Asked<PlanRequest>,
) -> Result<Json<Plan>, Refused> {
    Ok(Json(service.plan(&zone, request.change).await?))
}

/// Begins a change of a zone's operators, once nothing speaks against it.
///
/// `If-Match` is compared with the `ETag` of `GET /zones/{zone}`.
#[utoipa::path(put, path = "/zones/{zone}/operators",
    request_body(content = SetGroup, example = json!({"change": {"join": "b"}, "reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "The zone is there already"),
        (status = 202, body = SetAnswer, description = "The transition that is under way now"),
        (status = 400, description = "`last-operator`, `unknown-algorithm`"),
        (status = 404, description = "`unknown-operator`, `not-a-member`"),
        (status = 409, description = "`in-transition`, `transition-changed`, `trial-left-over`, `no-transition`, `nothing-to-undo`, `cannot-stop`, `operator-answers`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "The finding that speaks against it, such as `algorithm-mismatch`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn set_group(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(set): Asked<SetGroup>,
) -> Result<Response, Refused> {
    condition.holds(service.zone(&zone)).await?;
    let answer = to_its_end(async move { service.set_group(&zone, set).await }).await?;
    let status = if answer.transition.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(answer)).into_response())
}

async fn control(
    service: Arc<dyn Service>,
    zone: String,
    verb: Verb,
    condition: Condition,
    control: Control,
) -> Result<Json<SetAnswer>, Refused> {
    condition.holds(service.zone(&zone)).await?;
    Ok(Json(to_its_end(async move { service.control(&zone, verb, control).await }).await?))
}

/// Holds all writes of the transition that is under way, but the sharing of keys.
///
/// Safe at any step, and asking twice is as good as asking once. `version` is compared under the zone's lock, `If-Match` with
/// the `ETag` of `GET /zones/{zone}` before it.
#[utoipa::path(post, path = "/zones/{zone}/pause",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-transition`, `transition-changed`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn pause(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::Pause, condition, asked).await
}

/// Lets a transition go on: after a pause, or forward again after a stop or an undo that was begun.
///
/// Safe at any step, and asking twice is as good as asking once. `version` is compared under the zone's lock, `If-Match` with
/// the `ETag` of `GET /zones/{zone}` before it.
#[utoipa::path(post, path = "/zones/{zone}/resume",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-transition`, `transition-changed`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn resume(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::Resume, condition, asked).await
}

/// Lets a transition go on to the nearest rest state, and end there.
///
/// Safe at any step, and asking twice is as good as asking once. `version` is compared under the zone's lock, `If-Match` with
/// the `ETag` of `GET /zones/{zone}` before it.
#[utoipa::path(post, path = "/zones/{zone}/stop",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-transition`, `transition-changed`, `cannot-stop`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn stop(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::Stop, condition, asked).await
}

/// Goes back to the group from before; of an ended transition, by a new one.
///
/// Safe at any step, and asking twice is as good as asking once. `version` is compared under the zone's lock, `If-Match` with
/// the `ETag` of `GET /zones/{zone}` before it.
#[utoipa::path(post, path = "/zones/{zone}/undo",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-transition`, `transition-changed`, `nothing-to-undo`, `in-transition`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn undo(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::Undo, condition, asked).await
}

/// Looks now, and tries again at once what failed. Guards are guards all the same.
///
/// Safe at any step, and asking twice is as good as asking once. `version` is compared under the zone's lock, `If-Match` with
/// the `ETag` of `GET /zones/{zone}` before it.
#[utoipa::path(post, path = "/zones/{zone}/try-now",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-transition`, `transition-changed`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn try_now(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::TryNow, condition, asked).await
}

/// Puts right what the present group lacks for a stable state, as a transition of its own.
///
/// At rest Chorus writes nothing but new keys of a rollover and repairs of what it placed: `to_repair` of `GET /zones/{zone}`
/// says what it leaves as it is until this is asked for. Asking twice is as good as asking once.
#[utoipa::path(post, path = "/zones/{zone}/repair",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`in-transition`, `transition-changed`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "What speaks against it, as with a join"),
        (status = 503, description = "`operator-unusable`"),
    ))]
pub(super) async fn repair(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::Repair, condition, asked).await
}

/// Declares that the sets in `registrar_pending` of `GET /zones/{zone}` will not be handed in to the registrar.
///
/// Chorus does not contact the registrar. Until this call, waits treat each set as one that the parent may publish.
#[utoipa::path(post, path = "/zones/{zone}/registrar-cancelled",
    request_body(content = Control, example = json!({"reason": "CHG-812"})),
    responses(
        (status = 200, body = SetAnswer, description = "As it is now"),
        (status = 409, description = "`no-registrar-request`, `registrar-request-shown`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(super) async fn registrar_cancelled(
    Asker(service): Asker,
    In(zone): In<String>,
    condition: Condition,
    Asked(asked): Asked<Control>,
) -> Result<Json<SetAnswer>, Refused> {
    control(service, zone, Verb::RegistrarCancelled, condition, asked).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// 1000 if not said, and at most.
    limit: Option<u32>,
}

/// What happened to a zone: the newest events, the oldest of them first.
#[utoipa::path(get, path = "/zones/{zone}/history", params(HistoryQuery), responses(
    (status = 200, body = History, description = "The newest events"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn history(
    Asker(service): Asker,
    In(zone): In<String>,
    Wished(query): Wished<HistoryQuery>,
) -> Result<Json<History>, Refused> {
    Ok(Json(service.history(&zone, query.limit.unwrap_or(HISTORY_MAX).clamp(1, HISTORY_MAX)).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CertificateQuery {
    /// Of which transition; not said: of the last that was finished.
    transition: Option<String>,
    /// With the evidence that the certificate rests on.
    #[serde(default)]
    evidence: bool,
}

/// What was proved of a finished transition.
#[utoipa::path(get, path = "/zones/{zone}/certificate", params(CertificateQuery), responses(
    (status = 200, body = Certificate, description = "The certificate"),
    (status = 304, description = "Still as the tag says"),
    (status = 404, description = "`no-certificate`, `no-evidence`"),
))]
pub(super) async fn certificate(
    Asker(service): Asker,
    In(zone): In<String>,
    Wished(query): Wished<CertificateQuery>,
) -> Result<Json<Certificate>, Refused> {
    Ok(Json(service.certificate(&zone, query.transition.as_deref(), query.evidence).await?))
}

/// What needs somebody, over all zones.
#[utoipa::path(get, path = "/overview", responses(
    (status = 200, body = Overview, description = "The overview"),
))]
pub(super) async fn overview(Asker(service): Asker) -> Result<Json<Overview>, Refused> {
    Ok(Json(service.overview().await?))
}

/// The versions that a zone's servers and its parent show, until they are dead in every cache.
#[utoipa::path(get, path = "/zones/{zone}/timeline", responses(
    (status = 200, body = Timeline, description = "The timeline"),
))]
pub(super) async fn timeline(Asker(service): Asker, In(zone): In<String>) -> Result<Json<Timeline>, Refused> {
    Ok(Json(service.timeline(&zone).await?))
}

/// Parents, with how long they took.
#[utoipa::path(get, path = "/parents", responses(
    (status = 200, body = ParentList, description = "By name"),
))]
pub(super) async fn parents(Asker(service): Asker) -> Result<Json<ParentList>, Refused> {
    Ok(Json(service.parents().await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {
    /// 30 if not said, 366 at most.
    days: Option<u32>,
}

/// The transitions of the last days.
#[utoipa::path(get, path = "/statistics", params(StatisticsQuery), responses(
    (status = 200, body = Statistics, description = "Day by day, and over all"),
    (status = 400, description = "`bad-days`"),
))]
pub(super) async fn statistics(
    Asker(service): Asker,
    Wished(query): Wished<StatisticsQuery>,
) -> Result<Json<Statistics>, Refused> {
    Ok(Json(service.statistics(query.days.unwrap_or(30).clamp(1, 366)).await?))
}
