//! `/zones/add`: a zone is adopted. That observes, and writes nothing anywhere.

use super::forms::{PolicyFields, addresses, read};
use super::here::{Answer, Here, Page, Place, go_to, html_with, to_its_end};
use super::markup::{self, zone_path};
use super::trouble::Trouble;
use super::visit::Posted;
use crate::access::Permission;
use crate::api::wire::{ParentMode, ZoneAdd, ZoneShow};
use crate::cli::input;
use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

/// As typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    zone: String,
    operator: String,
    /// Others that sign and serve it as well, with commas or spaces between.
    others: String,
    /// `scan` or `manual`.
    parent: String,
    parent_servers: String,
    slack: String,
    stale: String,
    data_ttl_max: String,
    parent_pipeline: String,
    parent_profile: String,
    sample_every: String,
    #[serde(default)]
    registrar_max: String,
    #[serde(default)]
    gap_max: String,
    delegation: String,
}

impl Fields {
    fn policy(&self) -> PolicyFields {
        PolicyFields {
            slack: self.slack.clone(),
            stale: self.stale.clone(),
            data_ttl_max: self.data_ttl_max.clone(),
            parent_pipeline: self.parent_pipeline.clone(),
            parent_profile: self.parent_profile.clone(),
            parent: String::new(),
            sample_every: self.sample_every.clone(),
            registrar_max: self.registrar_max.clone(),
            gap_max: self.gap_max.clone(),
            delegation: Some(self.delegation.clone()).filter(|hosts| !hosts.trim().is_empty()),
        }
    }

    fn understood(&self) -> Result<ZoneAdd, Trouble> {
        let first = read("operator", &self.operator, input::operator_name)?;
        let others = self.others.split([',', ' ', '\n', '\r', '\t']).filter(|name| !name.is_empty());
        let others: Vec<String> =
            others.map(|name| read("others", name, input::operator_name)).collect::<Result<_, _>>()?;
        let (operator, operators) = match others.as_slice() {
            [] => (Some(first), Vec::new()),
            others => (None, std::iter::once(first).chain(others.iter().cloned()).collect()),
        };
        Ok(ZoneAdd {
            zone: read("zone", &self.zone, input::zone_name)?,
            operator,
            operators,
            parent_servers: addresses("parent's servers", &self.parent_servers)?,
            parent: if self.parent == "manual" { ParentMode::Manual } else { ParentMode::Scan },
            policy: self.policy().change()?,
        })
    }
}

#[derive(Template)]
#[template(path = "zone_add.html")]
struct AddPage {
    page: Page,
    refused: Option<Trouble>,
    operators: Vec<String>,
    fields: Fields,
}

impl AddPage {
    fn delegation(&self) -> &str {
        &self.fields.delegation
    }
}

pub async fn form(here: Here) -> Answer {
    shown(&here, Fields::default(), None).await
}

async fn shown(here: &Here, fields: Fields, refused: Option<Trouble>) -> Answer {
    let operators = match here.visit.caller.may(Permission::OperatorsRead) {
        true => here.service.operators().await?.operators.into_iter().map(|operator| operator.name).collect(),
        false => Vec::new(),
    };
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Zones, "Adopt a zone").crumb("Zones", "/zones");
    html_with(status, &AddPage { page, refused, operators, fields })
}

pub async fn add(here: Here, Posted(fields): Posted<Fields>) -> Answer {
    match adopted(&here, &fields).await {
        Ok(zone) => go_to(&format!("/zones/{}", zone_path(&zone.zone)), "adopted"),
        Err(trouble) => shown(&here, fields, Some(trouble)).await,
    }
}

async fn adopted(here: &Here, fields: &Fields) -> Result<ZoneShow, Trouble> {
    let (add, service) = (fields.understood()?, here.service.clone());
    Ok(to_its_end(async move { service.add_zone(add).await }).await?)
}
