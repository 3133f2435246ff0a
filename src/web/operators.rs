//! `/operators`: what each was seen to be able to do, and what troubles it; and each by itself.
//!
//! Invariant: a credential is named, never shown.

use super::forms::given;
use super::here::{Answer, Here, Page, Place, html, html_with, to_its_end};
use super::markup;
use super::trouble::Trouble;
use super::visit::Posted;
use super::words;
use crate::api::wire::{AbilityShow, Capabilities, OperatorCheck, OperatorShow, OperatorTrouble};
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An operator in the list.
struct Row {
    operator: OperatorShow,
    /// By the ability's name.
    abilities: BTreeMap<String, AbilityShow>,
    trouble: Option<OperatorTrouble>,
}

#[derive(Template)]
#[template(path = "operators.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    /// Name and meaning of every ability that is known of any of them, in the service's order.
    abilities: Vec<(String, String)>,
}

pub async fn list(here: Here) -> Answer {
    let operators = here.service.operators().await?.operators;
    let mut silent = here.service.overview().await.map(|overview| overview.silent).unwrap_or_default();
    let (mut rows, mut abilities) = (Vec::new(), Vec::<(String, String)>::new());
    for operator in operators {
        // Nothing known is no trouble: the table says so.
        let known = here.service.abilities(&operator.name).await.unwrap_or_default();
        for one in &known {
            if !abilities.iter().any(|(name, _)| *name == one.ability) {
                abilities.push((one.ability.clone(), one.text.clone()));
            }
        }
        let trouble = silent.iter().position(|trouble| trouble.operator == operator.name).map(|i| silent.remove(i));
        let abilities = known.into_iter().map(|one| (one.ability.clone(), one)).collect();
        rows.push(Row { operator, abilities, trouble });
    }
    let page = here.page(Place::Operators, "Operators");
    html(&ListPage { page, rows, abilities })
}

impl Row {
    fn can(&self, ability: &str) -> (&'static str, &'static str, &'static str) {
        words::can(self.abilities.get(ability))
    }
}

#[derive(Template)]
#[template(path = "operator.html")]
struct OperatorPage {
    page: Page,
    operator: OperatorShow,
    abilities: Vec<AbilityShow>,
    trouble: Option<OperatorTrouble>,
    /// What just came of a check.
    checked: Option<Capabilities>,
    refused: Option<Trouble>,
    fields: CheckFields,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckFields {
    zone: String,
    write: Option<String>,
    test_zone: Option<String>,
}

pub async fn show(here: Here, Path(name): Path<String>) -> Answer {
    shown(&here, &name, CheckFields::default(), None).await
}

/// What came of a check stands on the answer itself: it is kept with the operator, so that nothing is lost.
pub async fn check(here: Here, Path(name): Path<String>, Posted(fields): Posted<CheckFields>) -> Answer {
    let outcome = match given(&fields.zone) {
        None => Err(Trouble::typed("name the zone in which it is to be tried")),
        Some(zone) => {
            let (service, named) = (here.service.clone(), name.clone());
            let check = OperatorCheck { zone, write: fields.write.is_some(), test_zone: fields.test_zone.is_some() };
            to_its_end(async move { service.check_operator(&named, check).await }).await.map_err(Trouble::from)
        }
    };
    shown(&here, &name, fields, Some(outcome)).await
}

async fn shown(here: &Here, name: &str, fields: CheckFields, outcome: Option<Result<Capabilities, Trouble>>) -> Answer {
    let operator = here.service.operator(name).await?;
    let (checked, refused) = match outcome {
        None => (None, None),
        Some(Ok(checked)) => (Some(checked), None),
        Some(Err(trouble)) => (None, Some(trouble)),
    };
    let abilities = match &checked {
        Some(checked) => checked.abilities.clone(),
        None => here.service.abilities(name).await.unwrap_or_default(),
    };
    let silent = here.service.overview().await.map(|overview| overview.silent).unwrap_or_default();
    let trouble = silent.into_iter().find(|trouble| trouble.operator == operator.name);
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Operators, operator.name.clone()).crumb("Operators", "/operators");
    html_with(status, &OperatorPage { page, operator, abilities, trouble, checked, refused, fields })
}
