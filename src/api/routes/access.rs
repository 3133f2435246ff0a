//! Accounts, tokens and the log, over HTTP.

use super::Api;
use super::extract::{Asked, Asker, In, Refused, Who, Wished, to_its_end};
use super::tags::Condition;
use crate::api::idempotency::HoldsSecret;
use crate::api::wire::{
    AccountAdd, AccountChange, AccountLink, AccountList, AccountShow, AuditPage, AuditQuery, AuditVerified, TokenAdd,
    TokenList, TokenMade,
};
use axum::extract::{Extension, Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// All accounts.
#[utoipa::path(get, path = "/accounts", responses(
    (status = 200, body = AccountList, description = "All of them, by name"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn accounts(State(api): State<Api>) -> Result<Json<AccountList>, Refused> {
    Ok(Json(api.gate.accounts().await?))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{name}", responses(
    (status = 200, body = AccountShow, description = "The account"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn account(State(api): State<Api>, In(name): In<String>) -> Result<Json<AccountShow>, Refused> {
    Ok(Json(one(&api, &name).await?))
}

async fn one(api: &Api, name: &str) -> Result<AccountShow, Refused> {
    // It refuses what is not there.
    api.gate.account(name).await?;
    let all = api.gate.accounts().await?;
    all.accounts.into_iter().find(|account| account.name == name).ok_or_else(super::unknown)
}

/// Adds an account, and makes the one-time link by which its owner chooses a password.
#[utoipa::path(post, path = "/accounts",
    request_body(content = AccountAdd, example = json!({"name": "ann", "role": "operator"})),
    responses(
        (status = 201, body = AccountLink, description = "Added. The link is in this answer only"),
        (status = 400, description = "`bad-name`"),
        (status = 409, description = "`exists`, `already-done`"),
    ))]
pub(super) async fn add_account(
    State(api): State<Api>,
    Who(caller): Who,
    Asked(add): Asked<AccountAdd>,
) -> Result<Response, Refused> {
    let added = to_its_end(async move { api.gate.add_account(&caller, add).await }).await?;
    Ok((StatusCode::CREATED, Extension(HoldsSecret), Json(added)).into_response())
}

/// Changes an account's role, disables it, or resets what it signs in with.
#[utoipa::path(patch, path = "/accounts/{name}",
    request_body(content = AccountChange, example = json!({"role": "viewer"})),
    responses(
        (status = 200, body = AccountLink, description = "As it is now; after a reset with a link, which is in this answer only"),
        (status = 409, description = "`last-admin`, `already-done`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(super) async fn change_account(
    State(api): State<Api>,
    Who(caller): Who,
    In(name): In<String>,
    condition: Condition,
    Asked(change): Asked<AccountChange>,
) -> Result<Response, Refused> {
    condition.holds(one(&api, &name)).await?;
    let changed = to_its_end(async move { api.gate.change_account(&caller, &name, change).await }).await?;
    Ok(match changed.path.is_some() {
        true => (Extension(HoldsSecret), Json(changed)).into_response(),
        false => Json(changed).into_response(),
    })
}

/// The caller's tokens; an admin sees those of all.
#[utoipa::path(get, path = "/tokens", responses(
    (status = 200, body = TokenList, description = "Without what they sign in with, the newest first"),
    (status = 304, description = "Still as the tag says"),
))]
pub(super) async fn tokens(State(api): State<Api>, Who(caller): Who) -> Result<Json<TokenList>, Refused> {
    Ok(Json(api.gate.tokens(&caller).await?))
}

/// Makes an API token, which may never do more than whoever makes it.
#[utoipa::path(post, path = "/tokens",
    request_body(content = TokenAdd, example = json!({
        "label": "nightly report", "scopes": ["zones:read"], "below": "example.org", "valid_for_s": 2592000,
    })),
    responses(
        (status = 201, body = TokenMade, description = "Made. The token is in this answer only"),
        (status = 400, description = "`bad-token`, `bad-name`"),
        (status = 409, description = "`already-done`"),
    ))]
pub(super) async fn add_token(
    State(api): State<Api>,
    Who(caller): Who,
    Asked(add): Asked<TokenAdd>,
) -> Result<Response, Refused> {
    let made: TokenMade = to_its_end(async move { api.gate.add_token(&caller, add).await }).await?;
    Ok((StatusCode::CREATED, Extension(HoldsSecret), Json(made)).into_response())
}

/// Revokes a token: it is good for nothing from then on.
#[utoipa::path(delete, path = "/tokens/{id}", responses((status = 204, description = "Revoked")))]
pub(super) async fn revoke_token(
    State(api): State<Api>,
    Who(caller): Who,
    In(id): In<String>,
) -> Result<StatusCode, Refused> {
    to_its_end(async move { api.gate.revoke_token(&caller, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who did what.
///
/// The newest first. For older entries send `next` of the answer as `before`.
#[utoipa::path(get, path = "/audit", params(AuditQuery), responses(
    (status = 200, body = AuditPage, description = "A page of the log"),
    (status = 400, description = "`bad-filter`"),
))]
pub(super) async fn audit(
    Asker(service): Asker,
    Wished(query): Wished<AuditQuery>,
) -> Result<Json<AuditPage>, Refused> {
    Ok(Json(service.audit(query).await?))
}

/// Whether the log is whole: every entry fits the one before.
#[utoipa::path(get, path = "/audit/verify", responses(
    (status = 200, body = AuditVerified, description = "What was found"),
))]
pub(super) async fn verify_audit(Asker(service): Asker) -> Result<Json<AuditVerified>, Refused> {
    Ok(Json(service.verify_audit().await?))
}
