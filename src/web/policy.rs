//! `/zones/{zone}/policy`: what is assumed because it cannot be seen.

use super::forms::PolicyFields;
use super::here::{Answer, Here, Page, Place, go_to, html_with, to_its_end};
use super::markup;
use super::trouble::Trouble;
use super::visit::Posted;
use crate::api::wire::ZonePolicy;
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    page: Page,
    refused: Option<Trouble>,
    zone: String,
    policy: ZonePolicy,
    fields: PolicyFields,
}

impl PolicyPage {
    fn delegation(&self) -> &str {
        self.fields.delegation.as_deref().unwrap_or_default()
    }
}

pub async fn form(here: Here, Path(zone): Path<String>) -> Answer {
    shown(&here, zone, None).await
}

async fn shown(here: &Here, zone: String, typed: Option<(PolicyFields, Trouble)>) -> Answer {
    let policy = here.service.policy(&zone).await?;
    let (fields, refused) = match typed {
        Some((fields, trouble)) => (fields, Some(trouble)),
        None => (PolicyFields::of(&policy), None),
    };
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Zones, format!("Policy of {zone}")).below_zone(&zone);
    html_with(status, &PolicyPage { page, refused, zone, policy, fields })
}

pub async fn change(here: Here, Path(zone): Path<String>, Posted(fields): Posted<PolicyFields>) -> Answer {
    match changed(&here, &zone, &fields).await {
        Ok(()) => go_to(&format!("/zones/{}", markup::zone_path(&zone)), "policy"),
        Err(trouble) => shown(&here, zone, Some((fields, trouble))).await,
    }
}

async fn changed(here: &Here, zone: &str, fields: &PolicyFields) -> Result<(), Trouble> {
    let (change, service, zone) = (fields.change()?, here.service.clone(), zone.to_owned());
    if !change.is_empty() {
        to_its_end(async move { service.change_policy(&zone, change).await }).await?;
    }
    Ok(())
}

impl PolicyFields {
    fn of(policy: &ZonePolicy) -> PolicyFields {
        PolicyFields {
            slack: markup::exact(policy.slack_s),
            stale: markup::exact(policy.stale_s),
            data_ttl_max: policy.data_ttl_max_s.map(markup::exact).unwrap_or_default(),
            parent_pipeline: markup::exact(policy.parent_pipeline_s),
            parent_profile: policy.parent_profile.clone().unwrap_or_default(),
            parent: String::new(),
            sample_every: markup::exact(policy.sample_every_s),
            registrar_max: markup::exact(policy.registrar_max_s),
            gap_max: markup::exact(policy.gap_max_s),
            delegation: Some(policy.delegation.clone()),
        }
    }
}
