//! `/parents` and `/statistics`: what was measured.
//!
//! The bars are drawn here: SVG with attributes alone, for the pages permit no styles of their own.

use super::here::{Answer, Here, Page, Place, html};
use super::markup::{self, escaped};
use super::words;
use crate::api::wire::{DayReport, ForecastReport, ParentList, Statistics};
use askama::Template;
use axum::extract::Query;
use serde::Deserialize;
use std::fmt::Write;

#[derive(Template)]
#[template(path = "parents.html")]
struct ParentsPage {
    page: Page,
    list: ParentList,
}

pub async fn parents(here: Here) -> Answer {
    let list = here.service.parents().await?;
    let page = here.page(Place::Parents, "Parents").live(None);
    html(&ParentsPage { page, list })
}

const DAYS: u32 = 30;
const DAYS_MOST: u32 = 366;

#[derive(Template)]
#[template(path = "statistics.html")]
struct StatisticsPage {
    page: Page,
    statistics: Statistics,
    days: u32,
    /// As SVG.
    bars: String,
    /// As SVG.
    forecasts: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct StatisticsQuery {
    days: Option<u32>,
}

pub async fn statistics(here: Here, Query(query): Query<StatisticsQuery>) -> Answer {
    let days = query.days.unwrap_or(DAYS).clamp(1, DAYS_MOST);
    let statistics = here.service.statistics(days).await?;
    let page = here.page(Place::Statistics, "Statistics");
    let (bars, forecasts) = (bars(&statistics.days), scatter(&statistics.forecasts));
    html(&StatisticsPage { page, statistics, days, bars, forecasts })
}

impl StatisticsPage {
    /// A chart of nothing says nothing.
    fn nothing_happened(&self) -> bool {
        self.statistics.days.iter().all(|day| day.started + day.done + day.undone + day.stopped == 0)
    }

    fn spans(&self) -> &'static [u32] {
        &[7, 30, 90, 366]
    }
}

const HIGH: u64 = 120;
const WIDE: u64 = 720;

/// For each day how many began and how many were done, side by side.
fn bars(days: &[DayReport]) -> String {
    let most = days.iter().map(|day| day.started.max(day.done)).max().unwrap_or_default().max(1);
    let slot = WIDE / u64::try_from(days.len()).unwrap_or(u64::MAX).clamp(1, WIDE);
    let slot = slot.clamp(1, 96);
    let bar = (slot * 2 / 5).max(1);
    let mut svg = format!(
        "<svg class=\"bars\" viewBox=\"0 0 {WIDE} {}\" role=\"img\" \
         aria-label=\"Transitions a day: the table below has the same numbers\">",
        HIGH + 24
    );
    // Writing into a string does not fail.
    let _ = write!(svg, "<line class=\"axis\" x1=\"0\" y1=\"{HIGH}\" x2=\"{WIDE}\" y2=\"{HIGH}\"/>");
    for (index, day) in (0u64..).zip(days) {
        let x = index * slot;
        for (class, count, x) in [("begun", day.started, x), ("done", day.done, x + bar)] {
            let height = count * (HIGH - 8) / most;
            let y = HIGH - height;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{bar}\" height=\"{height}\"><title>{}: {count} {class}</title></rect>",
                escaped(&day.day)
            );
        }
    }
    for (x, anchor, day) in [(0, "start", days.first()), (slot * (days.len() as u64), "end", days.last())] {
        if let Some(day) = day.filter(|_| x == 0 || x > 150) {
            let _ = write!(
                svg,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                HIGH + 16,
                escaped(&day.day)
            );
        }
    }
    svg + "</svg>"
}

/// Forecast to the right, what it took upwards; on the line both are the same.
fn scatter(reports: &[ForecastReport]) -> String {
    const SIDE: u64 = 240;
    let longest = reports.iter().map(|one| one.expected_s.max(one.took_s)).max().unwrap_or_default().max(1);
    let scaled =
        |seconds: u64| u64::try_from(u128::from(seconds) * u128::from(SIDE) / u128::from(longest)).unwrap_or(0);
    let mut svg = format!(
        "<svg class=\"scatter\" viewBox=\"-8 -8 {0} {1}\" role=\"img\" \
         aria-label=\"Forecast against what it took: the table below has the same numbers\">\
         <line class=\"axis\" x1=\"0\" y1=\"{SIDE}\" x2=\"{SIDE}\" y2=\"{SIDE}\"/>\
         <line class=\"axis\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"{SIDE}\"/>\
         <line class=\"same\" x1=\"0\" y1=\"{SIDE}\" x2=\"{SIDE}\" y2=\"0\"/>\
         <text x=\"{SIDE}\" y=\"{2}\" text-anchor=\"end\">forecast → {3}</text>\
         <text x=\"4\" y=\"8\">↑ took</text>",
        SIDE + 16,
        SIDE + 32,
        SIDE + 16,
        markup::length(longest)
    );
    for one in reports {
        let (x, y) = (scaled(one.expected_s), SIDE - scaled(one.took_s));
        let _ = write!(
            svg,
            "<circle class=\"one\" cx=\"{x}\" cy=\"{y}\" r=\"4\"><title>{}: forecast {}, took {}</title></circle>",
            escaped(&one.zone),
            markup::length(one.expected_s),
            markup::length(one.took_s)
        );
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_holds_what_it_is_given_as_text_only() {
        let day = |day: &str| DayReport { day: day.to_owned(), started: 3, done: 0, undone: 0, stopped: 0 };
        let svg = bars(&[day("<img onerror=x>"), day("2026-11-22")]);
        assert!(!svg.contains("<img") && svg.contains("2026-11-22"));
        assert!(!bars(&[]).contains("<rect"));
    }
}
