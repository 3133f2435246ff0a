//! `/zones/{zone}/change`: a transition is chosen, checked and planned, and begun.
//!
//! The choice is in the address, so that a plan can be shown to somebody else. Preflight and plan stand on one page.

use super::forms::given;
use super::here::{Answer, Here, Page, Place, go_to, html_with, to_its_end};
use super::markup;
use super::trouble::Trouble;
use super::visit::Posted;
use super::{ways, words};
use crate::api::service::Refusal;
use crate::api::wire::{Change, Outcome, Plan, SetAnswer, SetGroup, ZoneCheck, ZoneShow};
use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde::Deserialize;

/// The algorithms that signers and validators have in common (RFC 8624); others can be typed on the command line.
const ALGORITHMS: [&str; 5] = ["ecdsap256sha256", "ecdsap384sha384", "ed25519", "rsasha256", "rsasha512"];

/// What was chosen, as it stands in the address and in the last form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// `join`, `leave`, `leave-unreachable`, `leave-uncooperative`, `replace` or `algorithm`.
    kind: String,
    operator: String,
    old: String,
    new: String,
    algorithm: String,
    reason: String,
}

impl Choice {
    fn change(&self) -> Result<Change, Trouble> {
        let chosen = |text: &str| given(text).ok_or_else(|| Trouble::typed("choose an operator"));
        Ok(match self.kind.as_str() {
            "join" => Change::Join(chosen(&self.operator)?),
            "leave" => Change::Leave(chosen(&self.operator)?),
            "leave-unreachable" => Change::LeaveUnreachable(chosen(&self.operator)?),
            "leave-uncooperative" => Change::LeaveUncooperative(chosen(&self.operator)?),
            "replace" => Change::Replace { old: chosen(&self.old)?, new: chosen(&self.new)? },
            "algorithm" => {
                Change::Algorithm(given(&self.algorithm).ok_or_else(|| Trouble::typed("choose an algorithm"))?)
            }
            _ => return Err(Trouble::typed("choose what is to change")),
        })
    }

    fn words(&self) -> String {
        let Choice { operator, old, new, algorithm, .. } = self;
        match self.kind.as_str() {
            "join" => format!("{operator} joins"),
            "leave" => format!("{operator} leaves"),
            "leave-unreachable" => format!("{operator}, which does not answer any more, leaves"),
            "leave-uncooperative" => format!("{operator}, which takes no updates any more, leaves"),
            "replace" => format!("{old} is replaced by {new}"),
            _ => format!("all operators roll to {algorithm}"),
        }
    }
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChoosePage {
    page: Page,
    zone: ZoneShow,
    why_no_change: Option<&'static str>,
    /// Those that could come in.
    outside: Vec<String>,
    refused: Option<Trouble>,
}

impl ChoosePage {
    fn algorithms(&self) -> [&'static str; 5] {
        ALGORITHMS
    }
}

#[derive(Template)]
#[template(path = "change_plan.html")]
struct PlanPage {
    page: Page,
    zone: String,
    choice: Choice,
    words: String,
    check: Option<ZoneCheck>,
    no_check: Option<Trouble>,
    plan: Option<Plan>,
    no_plan: Option<Trouble>,
    refused: Option<Trouble>,
}

impl PlanPage {
    /// The operator that is to leave, if it does not answer: then the page leads to the way without its cooperation.
    fn dead_leaver(&self) -> Option<&str> {
        let code = "leaver-unreachable";
        let check = self.check.iter().flat_map(|check| &check.findings).any(|finding| finding.code == code);
        let plan = self.plan.iter().flat_map(|plan| &plan.refusals).any(|refusal| refusal.code == code);
        match self.choice.kind.as_str() {
            "leave" if check || plan => Some(&self.choice.operator),
            "replace" if check || plan => Some(&self.choice.old),
            _ => None,
        }
    }

    /// Whether preflight or plan say that it would be refused.
    fn stands_in_the_way(&self) -> bool {
        let check = self.check.as_ref().is_some_and(|check| check.refused);
        let plan =
            self.plan.as_ref().is_some_and(|plan| plan.refusals.iter().any(|refusal| refusal.outcome == Outcome::Fail));
        check || plan || self.no_plan.is_some()
    }
}

pub async fn choose(here: Here, Path(zone): Path<String>, Query(choice): Query<Choice>) -> Answer {
    if choice.kind.is_empty() {
        return chosen_from(&here, &zone, None).await;
    }
    match choice.change() {
        Ok(change) => planned(&here, zone, choice, change, None).await,
        Err(trouble) => chosen_from(&here, &zone, Some(trouble)).await,
    }
}

async fn chosen_from(here: &Here, zone: &str, refused: Option<Trouble>) -> Answer {
    let zone = here.service.zone(zone).await?;
    let operators = here.service.operators().await?.operators;
    let names = operators.into_iter().map(|operator| operator.name);
    let outside = names.filter(|name| !zone.desired.contains(name)).collect();
    let page = here.page(Place::Zones, format!("Change {}", zone.zone)).below_zone(&zone.zone);
    let why_no_change = ways::why_no_change(&zone);
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    html_with(status, &ChoosePage { page, why_no_change, zone, outside, refused })
}

fn apart<T>(outcome: Result<T, Refusal>) -> (Option<T>, Option<Trouble>) {
    match outcome {
        Ok(value) => (Some(value), None),
        Err(refusal) => (None, Some(refusal.into())),
    }
}

async fn planned(here: &Here, zone: String, choice: Choice, change: Change, refused: Option<Trouble>) -> Answer {
    let (checked, made) =
        futures::join!(here.service.check(&zone, Some(change.clone())), here.service.plan(&zone, change));
    let (check, mut no_check) = apart(checked);
    let (plan, no_plan) = apart(made);
    // Said once is enough.
    if no_check.as_ref().map(|trouble| &trouble.text) == no_plan.as_ref().map(|trouble| &trouble.text) {
        no_check = None;
    }
    let status = [&refused, &no_plan].into_iter().flatten().next().map_or(StatusCode::OK, |trouble| trouble.status);
    let words = choice.words();
    let page = here.page(Place::Zones, format!("{zone}: {words}")).below_zone(&zone);
    let page = page.crumb("Change", format!("/zones/{}/change", markup::zone_path(&zone)));
    html_with(status, &PlanPage { page, zone, choice, words, check, no_check, plan, no_plan, refused })
}

pub async fn start(here: Here, Path(zone): Path<String>, Posted(choice): Posted<Choice>) -> Answer {
    let change = match choice.change() {
        Ok(change) => change,
        Err(trouble) => return chosen_from(&here, &zone, Some(trouble)).await,
    };
    let set = SetGroup { change: change.clone(), reason: given(&choice.reason) };
    let (service, named) = (here.service.clone(), zone.clone());
    match to_its_end(async move { service.set_group(&named, set).await }).await {
        Ok(SetAnswer { transition, .. }) => {
            let notice = if transition.is_some() { "started" } else { "nothing" };
            go_to(&format!("/zones/{}", markup::zone_path(&zone)), notice)
        }
        Err(refusal) => planned(&here, zone, choice, change, Some(refusal.into())).await,
    }
}
