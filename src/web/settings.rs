//! What somebody can change about their own account; and for admins everybody's.
//!
//! Invariant: a secret is in one answer only, that to the request which made it.

use super::access_pages::{LinkMadePage, SettingsPage, TokenMadePage, TotpPage};
use super::here::{Answer, Here, Place, go_to, html, html_with};
use super::session::{self, Auth};
use super::sign_in::of_attempt;
use super::trouble::Trouble;
use super::visit::Posted;
use super::{Web, password};
use crate::access::{Password, Permission, Role, one_time_code};
use crate::api::gate::Gate;
use crate::api::wire::{AccountAdd, AccountChange, AccountLink, At, TokenAdd};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The session layer's key for a second factor's secret of which no code was shown yet.
const PENDING: &str = "pending-totp";

/// `GET /settings`
pub async fn show(State(web): State<Web>, here: Here, auth: Auth) -> Answer {
    settings(&web.gate, &here, &auth, None).await
}

async fn settings(gate: &Gate, here: &Here, auth: &Auth, refused: Option<Trouble>) -> Answer {
    let caller = &here.visit.caller;
    let everybody = gate.accounts().await?;
    let account = everybody.accounts.iter().find(|account| account.name == caller.name).cloned();
    let account =
        account.ok_or_else(|| Trouble::new(StatusCode::NOT_FOUND, "unknown-account", "the account is gone", ""))?;
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let session = auth.session.id().map(|id| gate.session_name(&id)).unwrap_or_default();
    html_with(
        status,
        &SettingsPage {
            page: here.page(Place::Settings, "Settings"),
            refused,
            account,
            session,
            sessions: gate.sessions(caller).await?,
            tokens: gate.tokens(caller).await?.tokens,
            scopes: caller.permissions.clone(),
            accounts: if caller.may(Permission::Admin) { everybody.accounts } else { Vec::new() },
            now: At::clock(gate.now()),
        },
    )
}

#[derive(Deserialize)]
pub struct NewPassword {
    old: Password,
    password: Password,
    again: Password,
}

/// `POST /settings/password`
pub async fn password(
    State(web): State<Web>,
    here: Here,
    mut auth: Auth,
    Posted(typed): Posted<NewPassword>,
) -> Answer {
    let chosen = match password::twice_the_same(typed.password, &typed.again) {
        Ok(chosen) => web.gate.change_password(&here.visit.caller, typed.old, chosen).await.map_err(of_attempt),
        Err(trouble) => Err(trouble),
    };
    if let Err(trouble) = chosen {
        return settings(&web.gate, &here, &auth, Some(trouble)).await;
    }
    // All others of this account are over with the password; this one goes on.
    let account = web.gate.account(&here.visit.caller.name).await?;
    session::go_on(&mut auth, &account).await?;
    go_to("/settings", "password-changed")
}

/// `GET /settings/totp`
pub async fn totp_form(State(web): State<Web>, here: Here, auth: Auth) -> Answer {
    let secret = web.gate.new_totp_secret();
    let kept = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
    auth.session.insert(PENDING, web.gate.seal_pending(&kept)?).await.map_err(|e| Trouble::of_ours(&e))?;
    totp_page(&here, &secret, None)
}

fn totp_page(here: &Here, secret: &[u8], refused: Option<Trouble>) -> Answer {
    let link = one_time_code::link(&here.visit.caller.name, secret);
    let link = link.ok_or_else(|| Trouble::of_ours(&"no link for a second factor"))?;
    let code = qrcode::QrCode::new(link.as_bytes()).map_err(|e| Trouble::of_ours(&e))?;
    let drawn = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(220, 220).build();
    // A picture in a page is no document of its own.
    let picture = drawn.split_once("?>").map_or(drawn.as_str(), |(_, svg)| svg).to_owned();
    let text = link.split("secret=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned();
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Settings, "One-time codes").crumb("Settings", "/settings");
    html_with(status, &TotpPage { page, refused, picture, secret: text })
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
}

/// `POST /settings/totp`
pub async fn totp(State(web): State<Web>, here: Here, auth: Auth, Posted(typed): Posted<Code>) -> Answer {
    let pending = auth.session.get::<String>(PENDING).await.map_err(|e| Trouble::of_ours(&e))?;
    let secret = pending
        .and_then(|sealed| web.gate.open_pending(&sealed))
        .and_then(|kept| URL_SAFE_NO_PAD.decode(kept.as_bytes()).map(Zeroizing::new).ok());
    let Some(secret) = secret else { return Ok(Redirect::to("/settings/totp").into_response()) };
    if let Err(refusal) = web.gate.set_totp(&here.visit.caller, &secret, &typed.code).await {
        return totp_page(&here, &secret, Some(refusal.into()));
    }
    auth.session.remove::<String>(PENDING).await.map_err(|e| Trouble::of_ours(&e))?;
    go_to("/settings", "account-changed")
}

#[derive(Deserialize)]
pub struct Present {
    password: Password,
}

/// `POST /settings/totp/off`
pub async fn totp_off(State(web): State<Web>, here: Here, auth: Auth, Posted(typed): Posted<Present>) -> Answer {
    match web.gate.drop_totp(&here.visit.caller, typed.password).await {
        Ok(()) => go_to("/settings", "account-changed"),
        Err(refusal) => settings(&web.gate, &here, &auth, Some(of_attempt(refusal))).await,
    }
}

/// `POST /settings/tokens`. `scope` may be there several times, which the form reader of others does not know.
pub async fn add_token(
    State(web): State<Web>,
    here: Here,
    auth: Auth,
    Posted(fields): Posted<Vec<(String, String)>>,
) -> Answer {
    let of = |name: &'static str| fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
    let scopes = of("scope").filter_map(|text| Permission::ALL.into_iter().find(|scope| scope.name() == text));
    let days = of("days").next().and_then(|days| days.trim().parse::<u64>().ok()).unwrap_or_default();
    let add = TokenAdd {
        label: of("label").next().unwrap_or_default().to_owned(),
        scopes: scopes.collect(),
        below: of("below").next().map(str::to_owned),
        valid_for_s: days.saturating_mul(86_400),
    };
    match web.gate.add_token(&here.visit.caller, add).await {
        Ok(made) => {
            let page = here.page(Place::Settings, "Token").crumb("Settings", "/settings");
            html(&TokenMadePage { page, token: made.token, secret: made.secret })
        }
        Err(refusal) => settings(&web.gate, &here, &auth, Some(refusal.into())).await,
    }
}

/// What a form sends that has buttons only.
type Rest = BTreeMap<String, String>;

/// `POST /settings/tokens/{id}/revoke`
pub async fn revoke_token(
    State(web): State<Web>,
    here: Here,
    Path(id): Path<String>,
    Posted(_): Posted<Rest>,
) -> Answer {
    web.gate.revoke_token(&here.visit.caller, &id).await?;
    go_to("/settings", "token-revoked")
}

/// `POST /settings/sessions/{id}/end`
pub async fn end_session(
    State(web): State<Web>,
    here: Here,
    Path(id): Path<String>,
    Posted(_): Posted<Rest>,
) -> Answer {
    web.gate.end_session(&here.visit.caller, &id).await?;
    go_to("/settings", "session-ended")
}

#[derive(Deserialize)]
pub struct NewAccount {
    name: String,
    role: Role,
}

fn linked(here: &Here, headers: &HeaderMap, made: AccountLink) -> Answer {
    let Some(path) = made.path else { return go_to("/settings", "account-changed") };
    // As the browser names this host: there is no other name that it is sure to be reached by.
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    let page = here.page(Place::Settings, "Link").crumb("Settings", "/settings");
    html(&LinkMadePage { page, account: made.account, link: format!("{origin}{path}"), valid_until: made.valid_until })
}

/// `POST /settings/accounts`
pub async fn add_account(
    State(web): State<Web>,
    here: Here,
    auth: Auth,
    headers: HeaderMap,
    Posted(typed): Posted<NewAccount>,
) -> Answer {
    let add = AccountAdd { name: typed.name.trim().to_owned(), role: typed.role };
    match web.gate.add_account(&here.visit.caller, add).await {
        Ok(made) => linked(&here, &headers, made),
        Err(refusal) => settings(&web.gate, &here, &auth, Some(refusal.into())).await,
    }
}

#[derive(Deserialize)]
pub struct ChangedAccount {
    role: Role,
    #[serde(rename = "do")]
    what: String,
}

/// `POST /settings/accounts/{name}`
pub async fn change_account(
    State(web): State<Web>,
    here: Here,
    auth: Auth,
    headers: HeaderMap,
    Path(name): Path<String>,
    Posted(typed): Posted<ChangedAccount>,
) -> Answer {
    let change = match typed.what.as_str() {
        "role" => AccountChange { role: Some(typed.role), ..AccountChange::default() },
        "disable" => AccountChange { disabled: Some(true), ..AccountChange::default() },
        "enable" => AccountChange { disabled: Some(false), ..AccountChange::default() },
        "reset" => AccountChange { reset: true, ..AccountChange::default() },
        _ => return Err(Trouble::typed("this is no change of an account")),
    };
    match web.gate.change_account(&here.visit.caller, &name, change).await {
        Ok(made) => linked(&here, &headers, made),
        Err(refusal) => settings(&web.gate, &here, &auth, Some(refusal.into())).await,
    }
}

#[derive(Deserialize)]
pub struct Theme {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`
pub async fn theme(State(web): State<Web>, here: Here, Posted(typed): Posted<Theme>) -> Answer {
    web.gate.set_theme(&here.visit.caller, &typed.theme).await?;
    Ok(Redirect::to(super::sign_in::ours(&typed.back)).into_response())
}
