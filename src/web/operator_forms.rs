//! The forms about operators: added, moved to other addresses, given another credential.
//!
//! Invariant: a secret that was typed goes to the service and nowhere else. A form that is shown again keeps all that
//! was typed but the secret.

use super::forms::{self, given, name_server_lines, name_servers, read, read_given};
use super::here::{Answer, Here, Page, Place, go_to, html_with, to_its_end};
use super::markup::{self, encoded};
use super::trouble::Trouble;
use super::visit::Posted;
use crate::api::wire::{
    ApiAdd, OperatorAdd, OperatorChange, OperatorRotate, OperatorShow, SecretText, TsigAdd, TsigAlgorithm,
};
use crate::cli::input;
use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde::Deserialize;

const KINDS: [(&str, &str); 3] = [
    ("rfc2136", "dynamic updates with a TSIG key: BIND, Knot, PowerDNS"),
    ("powerdns", "the HTTP interface of PowerDNS"),
    ("desec", "deSEC, or another service with its interface"),
];

const REQUESTS: &str = "requests a day";

fn requests(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number of requests"))
}

fn algorithm(text: &str) -> TsigAlgorithm {
    match text {
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => TsigAlgorithm::HmacSha256,
    }
}

/// As typed. The secret is taken out before anything is shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddFields {
    secret: Option<SecretText>,
    name: String,
    provider: String,
    update: String,
    tsig_name: String,
    tsig_algorithm: String,
    url: String,
    server_id: String,
    account: String,
    requests_per_day: String,
    name_servers: String,
}

/// Takes the secret out of a form.
fn taken(secret: &mut Option<SecretText>) -> Result<SecretText, Trouble> {
    let typed = secret.take().filter(|secret| !secret.expose().is_empty());
    typed.ok_or_else(|| Trouble::typed("secret: it is missing"))
}

#[derive(Template)]
#[template(path = "operator_add.html")]
struct AddPage {
    page: Page,
    refused: Option<Trouble>,
    fields: AddFields,
}

impl AddPage {
    fn kinds(&self) -> [(&'static str, &'static str); 3] {
        KINDS
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Kind {
    kind: String,
}

pub async fn add_form(here: Here, Query(Kind { kind }): Query<Kind>) -> Answer {
    let provider = if KINDS.iter().any(|(name, _)| *name == kind) { kind } else { "rfc2136".to_owned() };
    add_shown(&here, AddFields { provider, ..AddFields::default() }, None)
}

fn add_shown(here: &Here, fields: AddFields, refused: Option<Trouble>) -> Answer {
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Operators, "Add an operator").crumb("Operators", "/operators");
    html_with(status, &AddPage { page, refused, fields })
}

pub async fn add(here: Here, Posted(mut fields): Posted<AddFields>) -> Answer {
    let secret = taken(&mut fields.secret);
    match added(&here, &fields, secret).await {
        Ok(operator) => go_to(&format!("/operators/{}", encoded(&operator.name)), "operator-added"),
        Err(trouble) => add_shown(&here, fields, Some(trouble)),
    }
}

async fn added(here: &Here, fields: &AddFields, secret: Result<SecretText, Trouble>) -> Result<OperatorShow, Trouble> {
    let secret = secret?;
    let (tsig, api) = match fields.provider.as_str() {
        "rfc2136" => {
            let name = given(&fields.tsig_name).ok_or_else(|| Trouble::typed("name of the TSIG key: it is missing"))?;
            (Some(TsigAdd { name, algorithm: algorithm(&fields.tsig_algorithm), secret }), None)
        }
        "powerdns" | "desec" => {
            let server_id = given(&fields.server_id).unwrap_or_else(|| "localhost".to_owned());
            let url = given(&fields.url);
            let account = given(&fields.account);
            let requests_per_day = read_given(REQUESTS, &fields.requests_per_day, requests)?;
            (None, Some(ApiAdd { url, server_id, account, requests_per_day, key: secret }))
        }
        _ => return Err(Trouble::typed("choose the kind of interface")),
    };
    let is_rfc2136 = tsig.is_some();
    let update = if is_rfc2136 { read_given("updates to", &fields.update, input::dns_address)? } else { None };
    let add = OperatorAdd {
        name: read("name", &fields.name, input::operator_name)?,
        provider: fields.provider.clone(),
        update,
        tsig,
        own_keys_apart: false,
        api,
        name_servers: name_servers(&fields.name_servers)?,
    };
    let service = here.service.clone();
    Ok(to_its_end(async move { service.add_operator(add).await }).await?)
}

// --- where it is driven --------------------------------------------------------------------------------------------

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SetFields {
    update: String,
    url: String,
    server_id: String,
    /// `None`: the form has no such field. Emptied, the operator is one of the account that has no name.
    account: Option<String>,
    requests_per_day: String,
    name_servers: String,
}

#[derive(Template)]
#[template(path = "operator_set.html")]
struct SetPage {
    page: Page,
    refused: Option<Trouble>,
    operator: OperatorShow,
    fields: SetFields,
}

impl SetPage {
    fn account(&self) -> &str {
        self.fields.account.as_deref().unwrap_or_default()
    }
}

pub async fn set_form(here: Here, Path(name): Path<String>) -> Answer {
    set_shown(&here, &name, None).await
}

async fn set_shown(here: &Here, name: &str, typed: Option<(SetFields, Trouble)>) -> Answer {
    let operator = here.service.operator(name).await?;
    let (fields, refused) = match typed {
        Some((fields, trouble)) => (fields, Some(trouble)),
        None => (SetFields::of(&operator), None),
    };
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = below(here.page(Place::Operators, format!("Change {name}")), name);
    html_with(status, &SetPage { page, refused, operator, fields })
}

fn below(page: Page, name: &str) -> Page {
    page.crumb("Operators", "/operators").crumb(name, format!("/operators/{}", encoded(name)))
}

impl SetFields {
    fn of(operator: &OperatorShow) -> SetFields {
        let api = operator.api.as_ref();
        SetFields {
            update: operator.update.map(|address| address.to_string()).unwrap_or_default(),
            url: api.map(|api| api.url.clone()).unwrap_or_default(),
            server_id: api.and_then(|api| api.server_id.clone()).unwrap_or_default(),
            account: api.map(|api| api.account.clone().unwrap_or_default()),
            requests_per_day: api.and_then(|api| api.requests_per_day).map(|all| all.to_string()).unwrap_or_default(),
            name_servers: name_server_lines(&operator.name_servers).join("\n"),
        }
    }

    /// Only what is another than it was.
    fn change(&self, before: &OperatorShow) -> Result<OperatorChange, Trouble> {
        let was = SetFields::of(before);
        let other = |now: &str, was: &str| given(now).filter(|now| now != was);
        let servers = name_servers(&self.name_servers)?;
        Ok(OperatorChange {
            update: read_given("updates to", &self.update, input::dns_address)?.filter(|to| Some(*to) != before.update),
            url: other(&self.url, &was.url),
            server_id: other(&self.server_id, &was.server_id),
            account: self.account.as_deref().map(|name| name.trim().to_owned()).filter(|_| self.account != was.account),
            requests_per_day: read_given(REQUESTS, &self.requests_per_day, requests)?
                .filter(|_| self.requests_per_day != was.requests_per_day),
            name_servers: (servers != before.name_servers).then_some(servers),
        })
    }
}

pub async fn set(here: Here, Path(name): Path<String>, Posted(fields): Posted<SetFields>) -> Answer {
    let before = here.service.operator(&name).await?;
    let changed = async {
        let (change, service, name) = (fields.change(&before)?, here.service.clone(), name.clone());
        if change != OperatorChange::default() {
            to_its_end(async move { service.change_operator(&name, change).await }).await?;
        }
        Ok(())
    };
    match changed.await {
        Ok(()) => go_to(&format!("/operators/{}", encoded(&name)), "operator-changed"),
        Err(trouble) => set_shown(&here, &name, Some((fields, trouble))).await,
    }
}

// --- its credential ------------------------------------------------------------------------------------------------

/// As typed. The secret is taken out before anything is shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RotateFields {
    secret: Option<SecretText>,
    tsig_name: String,
    tsig_algorithm: String,
    zone: String,
}

#[derive(Template)]
#[template(path = "operator_rotate.html")]
struct RotatePage {
    page: Page,
    refused: Option<Trouble>,
    operator: OperatorShow,
    fields: RotateFields,
}

pub async fn rotate_form(here: Here, Path(name): Path<String>) -> Answer {
    rotate_shown(&here, &name, RotateFields::default(), None).await
}

async fn rotate_shown(here: &Here, name: &str, fields: RotateFields, refused: Option<Trouble>) -> Answer {
    let operator = here.service.operator(name).await?;
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = below(here.page(Place::Operators, format!("Exchange the credential of {name}")), name);
    html_with(status, &RotatePage { page, refused, operator, fields })
}

pub async fn rotate(here: Here, Path(name): Path<String>, Posted(mut fields): Posted<RotateFields>) -> Answer {
    let secret = taken(&mut fields.secret);
    match rotated(&here, &name, &fields, secret).await {
        Ok(()) => go_to(&format!("/operators/{}", encoded(&name)), "rotated"),
        Err(trouble) => rotate_shown(&here, &name, fields, Some(trouble)).await,
    }
}

async fn rotated(
    here: &Here,
    name: &str,
    fields: &RotateFields,
    secret: Result<SecretText, Trouble>,
) -> Result<(), Trouble> {
    let rotate = OperatorRotate {
        secret: secret?,
        tsig_name: given(&fields.tsig_name),
        tsig_algorithm: given(&fields.tsig_algorithm).map(|text| algorithm(&text)),
        zone: given(&fields.zone),
    };
    let (service, name) = (here.service.clone(), name.to_owned());
    to_its_end(async move { service.rotate_operator(&name, rotate).await }).await?;
    Ok(())
}
