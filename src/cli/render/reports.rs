//! What was measured, as text: parents, and the transitions of the past.

use super::grid::Grid;
use super::{Look, ago, length};
use crate::api::wire::{DayReport, ForecastReport, ParentList, ParentMode, ParentReport, Statistics};
use std::fmt::Write;
use std::time::Duration;

/// More forecasts than this are for the page, or for `-o json`.
const FORECASTS_SHOWN: usize = 10;

fn seconds(seconds: u64) -> String {
    length(Duration::from_secs(seconds))
}

/// Nothing was measured: that is said, and not left blank.
fn or_never(measured: Option<u64>) -> String {
    measured.map_or_else(|| "never seen".to_owned(), seconds)
}

pub fn parents(list: &ParentList, look: &Look) -> String {
    if list.parents.is_empty() {
        return "no parents yet: there are no zones; adopt one with 'chorus zone add'\n".to_owned();
    }
    let header =
        ["PARENT", "TOLD BY", "ZONES", "WAITING", "SEEN", "HALF WITHIN", "90% WITHIN", "AT MOST", "LAST", "ASSUMED"];
    let mut grid = Grid::new(header);
    for parent in &list.parents {
        let ParentReport { took_p50_s, took_p90_s, took_max_s, .. } = parent;
        grid.row(vec![
            if parent.parent.is_empty() { "not found yet".to_owned() } else { parent.parent.clone() },
            parent.modes.iter().map(told_by).collect::<Vec<_>>().join(", "),
            parent.zones.to_string(),
            parent.waiting.to_string(),
            times(parent.measured),
            or_never(*took_p50_s),
            or_never(*took_p90_s),
            or_never(*took_max_s),
            parent.last_acted_at.map_or_else(|| "never seen".to_owned(), |at| ago(at, list.now)),
            seconds(parent.assumed_s),
        ]);
    }
    let mut text = grid.draw(look);
    for parent in &list.parents {
        if let Some(takes) = &parent.takes {
            let _ = writeln!(text, "\n{}: {takes}", parent.parent);
        }
    }
    let kinds: Vec<_> =
        list.parents.iter().flat_map(|parent| parent.by_kind.iter().map(move |took| (parent, took))).collect();
    if !kinds.is_empty() {
        text.push('\n');
        let mut grid = Grid::new(["PARENT", "FOR", "SEEN", "HALF WITHIN", "90% WITHIN", "AT MOST"]);
        for (parent, took) in kinds {
            grid.row(vec![
                parent.parent.clone(),
                match took.kind.as_str() {
                    "ds" => "DS".to_owned(),
                    "ns" => "name servers".to_owned(),
                    other => other.to_owned(),
                },
                times(took.measured),
                seconds(took.took_p50_s),
                seconds(took.took_p90_s),
                seconds(took.took_max_s),
            ]);
        }
        text.push_str(&grid.draw(look));
    }
    text
}

fn told_by(mode: &ParentMode) -> String {
    match mode {
        ParentMode::Scan => "scan",
        ParentMode::Manual => "you",
    }
    .to_owned()
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

pub fn statistics(past: &Statistics, look: &Look) -> String {
    let of = |count: fn(&DayReport) -> u64| past.days.iter().map(count).sum::<u64>();
    let (started, done) = (of(|day| day.started), of(|day| day.done));
    let (undone, stopped) = (of(|day| day.undone), of(|day| day.stopped));
    let days = past.days.len();
    if started + done + undone + stopped == 0 {
        return format!("no transition began or ended in the last {days} days\n");
    }
    let mut text = format!(
        "transitions of the last {days} days: {started} started, {done} done, {undone} undone, {stopped} stopped\n\n"
    );
    let mut grid = Grid::new(["DAY (UTC)", "STARTED", "DONE", "UNDONE", "STOPPED"]);
    for day in past.days.iter().filter(|day| day.started + day.done + day.undone + day.stopped > 0) {
        let counts = [day.started, day.done, day.undone, day.stopped];
        grid.row(std::iter::once(day.day.clone()).chain(counts.map(|count| count.to_string())).collect());
    }
    text.push_str(&grid.draw(look));
    text.push('\n');
    if past.steps.is_empty() {
        text.push_str("no step was seen to its end\n");
    } else {
        let mut grid = Grid::new(["STEP", "SEEN", "HALF WITHIN", "90% WITHIN"]);
        for step in &past.steps {
            let took = [step.took_p50_s, step.took_p90_s].map(seconds);
            grid.row([step.step.clone(), times(step.times)].into_iter().chain(took).collect());
        }
        text.push_str(&grid.draw(look));
    }
    text.push('\n');
    let _ = match past.forecast_error_p50_percent {
        Some(percent) => writeln!(text, "half of the forecasts were wrong by {percent}% at most"),
        None => writeln!(text, "no forecast has met its end yet"),
    };
    if !past.forecasts.is_empty() {
        let mut grid = Grid::new(["ZONE", "TRANSITION", "AT THE EARLIEST", "EXPECTED", "TOOK", "ENDED"]);
        for ForecastReport { zone, transition, earliest_s, expected_s, took_s, ended, .. } in
            past.forecasts.iter().take(FORECASTS_SHOWN)
        {
            let took = [*earliest_s, *expected_s, *took_s].map(seconds);
            grid.row([zone.clone(), transition.clone()].into_iter().chain(took).chain([ended.clone()]).collect());
        }
        text.push_str(&grid.draw(look));
    }
    text
}
