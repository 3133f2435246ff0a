//! Accounts, tokens and the log, over HTTP.

use super::Api;
use super::extract::{Asked, Asker, In, Refused, Who, Wished, to_its_end};
use crate::api::wire::{
    AccountAdd, AccountChange, AccountLink, AccountList, AuditPage, AuditQuery, AuditVerified, TokenAdd, TokenList,
    TokenMade,
};
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn accounts(State(api): State<Api>) -> Result<Json<AccountList>, Refused> {
    Ok(Json(api.gate.accounts().await?))
}

pub(super) async fn add_account(
    State(api): State<Api>,
    Who(caller): Who,
    Asked(add): Asked<AccountAdd>,
) -> Result<Response, Refused> {
    let added = to_its_end(async move { api.gate.add_account(&caller, add).await }).await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

pub(super) async fn change_account(
    State(api): State<Api>,
    Who(caller): Who,
    In(name): In<String>,
    Asked(change): Asked<AccountChange>,
) -> Result<Json<AccountLink>, Refused> {
    Ok(Json(to_its_end(async move { api.gate.change_account(&caller, &name, change).await }).await?))
}

pub(super) async fn tokens(State(api): State<Api>, Who(caller): Who) -> Result<Json<TokenList>, Refused> {
    Ok(Json(api.gate.tokens(&caller).await?))
}

pub(super) async fn add_token(
    State(api): State<Api>,
    Who(caller): Who,
    Asked(add): Asked<TokenAdd>,
) -> Result<Response, Refused> {
    let made: TokenMade = to_its_end(async move { api.gate.add_token(&caller, add).await }).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

pub(super) async fn revoke_token(
    State(api): State<Api>,
    Who(caller): Who,
    In(id): In<String>,
) -> Result<StatusCode, Refused> {
    to_its_end(async move { api.gate.revoke_token(&caller, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn audit(
    Asker(service): Asker,
    Wished(query): Wished<AuditQuery>,
) -> Result<Json<AuditPage>, Refused> {
    Ok(Json(service.audit(query).await?))
}

pub(super) async fn verify_audit(Asker(service): Asker) -> Result<Json<AuditVerified>, Refused> {
    Ok(Json(service.verify_audit().await?))
}
