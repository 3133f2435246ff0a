//! `/zones/{zone}/pause` and its kin: first what will happen, then it happens.
//!
//! Invariant: the transition that the visitor saw, and its version, go with the verb. Where it is another by now,
//! nothing is done, and the page shows what is there instead.

use super::forms::given;
use super::here::{Answer, Here, Page, Place, go_to, html_with, to_its_end};
use super::markup;
use super::trouble::Trouble;
use super::visit::Posted;
use super::{ways, words};
use crate::access::Permission;
use crate::api::wire::{Change, Control, Plan, Verb, ZoneShow};
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    page: Page,
    zone: ZoneShow,
    verb: &'static str,
    title: &'static str,
    /// What will happen: sentences.
    happens: String,
    /// Why it cannot be asked now.
    why_not: Option<&'static str>,
    plan: Option<Plan>,
    no_plan: Option<Trouble>,
    refused: Option<Trouble>,
    reason: String,
}

impl ControlPage {
    fn version(&self) -> i64 {
        self.zone.transition.as_ref().map_or(0, |transition| transition.version)
    }

    fn transition(&self) -> &str {
        self.zone.transition.as_ref().map_or("", |transition| transition.id.as_str())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    reason: String,
    transition: String,
    version: String,
}

pub async fn confirm(here: Here, Path(zone): Path<String>, verb: Verb) -> Answer {
    shown(&here, &zone, verb, String::new(), None).await
}

pub async fn act(here: Here, Path(zone): Path<String>, Posted(fields): Posted<Fields>, verb: Verb) -> Answer {
    let control = Control {
        reason: given(&fields.reason),
        transition: given(&fields.transition),
        version: fields.version.trim().parse().ok(),
    };
    let (service, named) = (here.service.clone(), zone.clone());
    match to_its_end(async move { service.control(&named, verb, control).await }).await {
        Ok(_) => go_to(&format!("/zones/{}", markup::zone_path(&zone)), done(verb)),
        Err(refusal) => shown(&here, &zone, verb, fields.reason, Some(refusal.into())).await,
    }
}

fn done(verb: Verb) -> &'static str {
    match verb {
        Verb::Pause => "paused",
        Verb::Resume => "resumed",
        Verb::Stop => "stopping",
        Verb::Undo => "undoing",
        Verb::TryNow => "tried",
        Verb::Repair => "repairing",
        Verb::RegistrarCancelled => "registrar-cancelled",
    }
}

async fn shown(here: &Here, name: &str, verb: Verb, reason: String, refused: Option<Trouble>) -> Answer {
    let zone = match here.service.zone(name).await {
        Ok(zone) => zone,
        // The first trouble says more than what came of looking again.
        Err(refusal) => return Err(refused.unwrap_or_else(|| refusal.into())),
    };
    let change = match verb {
        Verb::Stop if ways::under_way(&zone).is_some() => Some(Change::Stop),
        Verb::Undo if zone.transition.is_some() => Some(Change::Undo),
        _ => None,
    };
    let (mut plan, mut no_plan) = (None, None);
    if let Some(change) = change.filter(|_| here.visit.caller.may(Permission::TransitionsPlan)) {
        match here.service.plan(name, change).await {
            Ok(made) => plan = Some(made),
            Err(refusal) => no_plan = Some(refusal.into()),
        }
    }
    let title = match verb {
        Verb::Pause => "Pause",
        Verb::Resume => "Resume",
        Verb::Stop => "Stop",
        Verb::Undo => "Undo",
        Verb::TryNow => "Try now",
        Verb::Repair => "Repair",
        Verb::RegistrarCancelled => "Request cancelled",
    };
    let why_not = ways::why_not(verb, &zone);
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = here.page(Place::Zones, format!("{title}: {}", zone.zone)).below_zone(&zone.zone);
    let (verb, happens) = (verb.name(), happens(verb, &zone));
    html_with(status, &ControlPage { page, zone, verb, title, happens, why_not, plan, no_plan, refused, reason })
}

fn happens(verb: Verb, zone: &ZoneShow) -> String {
    match verb {
        Verb::Pause => {
            "Nothing more is written for this transition until somebody resumes it. Chorus goes on observing, \
                        and goes on sharing new keys: a key roll does not wait for a pause. Where the zone stands now \
                        stays valid as long as the operators go on to sign."
                .to_owned()
        }
        Verb::Resume => {
            let whither = match ways::under_way(zone).map(|transition| (transition.paused, transition.aim.as_str())) {
                Some((true, "undoing")) => "back to the group from before: it was being undone when it was paused",
                Some((true, "stopping")) => "to the nearest rest state: it was being stopped when it was paused",
                _ => "forward to the group that was asked for",
            };
            format!("It goes on, {whither}. Everything is looked at again before anything is written.")
        }
        Verb::Stop => format!("It goes on to the nearest rest state and ends there. {}", ways::if_stopped(zone)),
        Verb::Undo => format!(
            "The zone goes back to the group from before, by the same ladder and under the same guards; nothing is \
             pulled out at once. {}",
            ways::if_undone(zone)
        ),
        Verb::TryNow => "The zone is looked at now, and what failed is tried again at once. Guards are guards all the \
                         same: what caches still hold is waited for."
            .to_owned(),
        Verb::RegistrarCancelled => {
            let sets = zone.registrar_pending.iter().map(|set| format!("{} {}", set.rtype, set.records.join(", ")));
            format!(
                "Chorus stops waiting for {}. It does not contact the registrar. Confirm only after the registrar has cancelled \
                 the request, or has confirmed that none is open: if the set is handed in later, the parent may delegate to \
                 servers that no longer serve the zone, or publish a DS without a DNSKEY, and resolvers fail. This cannot be undone.",
                sets.collect::<Vec<_>>().join("; ")
            )
        }
        Verb::Repair if zone.to_repair.is_empty() => "The group lacks nothing.".to_owned(),
        Verb::Repair => format!("Chorus puts right what the group lacks: {}.", zone.to_repair.join("; ")),
    }
}
