//! What is known of a zone beside its state: its history, the certificate of a transition, and what a check finds.

use super::here::{Answer, Here, Page, Place, html};
use super::markup;
use super::words;
use crate::api::wire::{Certificate, Event, ZoneCheck};
use askama::Template;
use axum::extract::{Path, Query};
use serde::Deserialize;

/// As the API gives at most.
const EVENTS_MOST: u32 = crate::api::routes::HISTORY_MAX;
const EVENTS: u32 = 200;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    page: Page,
    zone: String,
    /// The newest first.
    events: Vec<Event>,
    more: bool,
    limit: u32,
}

impl HistoryPage {
    /// How many the next page shows; `None`: no more than these can be shown.
    fn further(&self) -> Option<u32> {
        (self.more && self.limit < EVENTS_MOST).then_some(EVENTS_MOST)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct HistoryQuery {
    limit: Option<u32>,
}

pub async fn history(here: Here, Path(zone): Path<String>, Query(query): Query<HistoryQuery>) -> Answer {
    let limit = query.limit.unwrap_or(EVENTS).clamp(1, EVENTS_MOST);
    let history = here.service.history(&zone, limit).await?;
    let (zone, mut events, more) = (history.zone, history.events, history.more);
    events.reverse();
    let page = here.page(Place::Zones, format!("History of {zone}")).below_zone(&zone).live(Some(&zone));
    html(&HistoryPage { page, zone, events, more, limit })
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct CertificatePage {
    page: Page,
    certificate: Certificate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct CertificateQuery {
    transition: Option<String>,
}

pub async fn certificate(here: Here, Path(zone): Path<String>, Query(query): Query<CertificateQuery>) -> Answer {
    let certificate = here.service.certificate(&zone, query.transition.as_deref(), false).await?;
    let title = format!("Certificate of {}", certificate.zone);
    let page = here.page(Place::Zones, title).below_zone(&certificate.zone);
    html(&CertificatePage { page, certificate })
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    page: Page,
    check: ZoneCheck,
}

pub async fn check(here: Here, Path(zone): Path<String>) -> Answer {
    let check = here.service.check(&zone, None).await?;
    let page = here.page(Place::Zones, format!("Findings of {}", check.zone)).below_zone(&check.zone);
    html(&CheckPage { page, check })
}
