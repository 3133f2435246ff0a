//! `/zones`: the list with its filters, a page at a time; and all of it as a table of comma-separated values.
//!
//! Invariant: no cell of that table is a formula for whoever opens it in a spreadsheet.

use super::here::{Answer, Here, Page, Place, html};
use super::markup;
use super::words;
use crate::api::wire::{StateCount, ZoneList, ZoneSummary, ZonesQuery};
use askama::Template;
use axum::extract::Query;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;

const ROWS: u32 = 50;

/// Of one request to the service, for the export.
const ROWS_AT_ONCE: u32 = 1000;

/// The filters, as they stand in the address; empty ones are none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    state: String,
    operator: String,
    parent: String,
    reason: String,
    text: String,
    cursor: String,
}

impl Filter {
    fn query(&self) -> ZonesQuery {
        use super::forms::given;
        ZonesQuery {
            state: given(&self.state),
            operator: given(&self.operator),
            parent: given(&self.parent),
            reason: given(&self.reason),
            text: given(&self.text),
            stuck_for_s: None,
            limit: Some(ROWS),
            cursor: given(&self.cursor),
        }
    }

    fn is_set(&self) -> bool {
        [&self.state, &self.operator, &self.parent, &self.reason, &self.text]
            .iter()
            .any(|field| !field.trim().is_empty())
    }

    /// The same filters with another value of one field, as an address.
    fn with(&self, path: &str, field: &str, value: &str) -> String {
        let fields = [
            ("state", &self.state),
            ("operator", &self.operator),
            ("parent", &self.parent),
            ("reason", &self.reason),
            ("text", &self.text),
        ];
        let kept = fields.into_iter().filter(|(name, _)| *name != field).map(|(name, value)| (name, value.as_str()));
        let pairs = kept.chain([(field, value)]).filter(|(name, value)| !name.is_empty() && !value.trim().is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", markup::encoded(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }

    /// With the cursor of another page.
    fn turned(&self, cursor: &str) -> String {
        self.with("/zones", "cursor", cursor)
    }

    fn in_state(&self, state: &str) -> String {
        self.with("/zones", "state", state)
    }

    fn export(&self) -> String {
        self.with("/zones/export.csv", "", "")
    }
}

#[derive(Template)]
#[template(path = "zones.html")]
struct ZonesPage {
    page: Page,
    filter: Filter,
    list: ZoneList,
    states: Vec<StateCount>,
    all: u64,
}

/// States that the filter offers though no zone may be in them.
const STATES: [&str; 11] = [
    "attention",
    "exposed",
    "blocked",
    "waiting-operator",
    "waiting-parent",
    "waiting-guard",
    "verifying",
    "acting",
    "paused",
    "unsettled",
    "rest",
];

impl ZonesPage {
    fn choices(&self) -> Vec<&'static str> {
        STATES.to_vec()
    }
}

pub async fn list(here: Here, Query(filter): Query<Filter>) -> Answer {
    let list = here.service.zones(filter.query()).await?;
    let overview = here.service.overview().await?;
    let page = here.page(Place::Zones, "Zones").live(None);
    html(&ZonesPage { page, filter, list, states: overview.states, all: overview.zones })
}

pub async fn export(here: Here, Query(filter): Query<Filter>) -> Answer {
    let mut text = String::from("zone,state,verdict,desired,operators,parent,since,waiting_for,reason,until\r\n");
    let mut query = ZonesQuery { limit: Some(ROWS_AT_ONCE), cursor: None, ..filter.query() };
    loop {
        let list = here.service.zones(query.clone()).await?;
        list.zones.iter().for_each(|zone| row(&mut text, zone));
        // A cursor that leads to itself would never come to an end.
        match list.next {
            Some(next) if query.cursor.as_ref() != Some(&next) => query.cursor = Some(next),
            _ => break,
        }
    }
    let frame = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"zones.csv\""),
    ];
    Ok((frame, text).into_response())
}

fn row(text: &mut String, zone: &ZoneSummary) {
    let waiting = zone.waiting_for.as_ref();
    let cells = [
        zone.zone.clone(),
        zone.state.clone(),
        zone.verdict.clone(),
        zone.desired.join(" "),
        zone.operators.join(" "),
        zone.parent.clone(),
        zone.since.map(|at| at.to_string()).unwrap_or_default(),
        waiting.map(|waiting| waiting.text.clone()).unwrap_or_default(),
        waiting.map(|waiting| waiting.code.clone()).unwrap_or_default(),
        waiting.and_then(|waiting| waiting.until).map(|at| at.to_string()).unwrap_or_default(),
    ];
    text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
    text.push_str("\r\n");
}

/// RFC 4180, with what a spreadsheet would work out made text.
fn quoted(cell: &str) -> String {
    let formula = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let visible: String = cell
        .chars()
        .map(|c| if markup::hides(c) { format!("[U+{:04X}]", u32::from(c)) } else { c.to_string() })
        .collect();
    format!("\"{formula}{}\"", visible.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1"] {
            assert!(quoted(cell).starts_with("\"'"), "{cell:?}");
        }
        assert_eq!(quoted("a \"b\",\u{202e}c"), "\"a \"\"b\"\",[U+202E]c\"");
    }

    #[test]
    fn the_address_keeps_the_other_filters_and_forgets_the_place_in_the_list() {
        let filter = Filter { state: "rest".into(), text: "a&b".into(), cursor: "x".into(), ..Filter::default() };
        assert_eq!(filter.in_state("blocked"), "/zones?text=a%26b&state=blocked");
        assert_eq!(filter.turned("y z"), "/zones?state=rest&text=a%26b&cursor=y%20z");
        assert_eq!(filter.export(), "/zones/export.csv?state=rest&text=a%26b");
        assert_eq!(Filter::default().in_state(""), "/zones");
    }
}
