//! The time axis: where a moment is, which ticks there are, and how moments and lengths of time are written.
//!
//! Invariant: all in UTC; labels never run into one another, from spans of seconds to spans of months.

use crate::api::wire::At;
use crate::model::time::Time;
use std::time::Duration;

/// Distances of ticks, in seconds.
const STEPS_S: [i64; 24] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    DAY_S,
    2 * DAY_S,
    5 * DAY_S,
    7 * DAY_S,
    14 * DAY_S,
    28 * DAY_S,
    91 * DAY_S,
];
const DAY_S: i64 = 86_400;
/// What a label takes, in px.
const LABEL: f64 = 84.0;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A stretch of time on a stretch of the drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    from: Time,
    to: Time,
    left: f64,
    width: f64,
}

pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) label: String,
    /// Where a day begins to be spoken of.
    pub(super) day: Option<String>,
}

impl Axis {
    pub(super) fn new(from: At, to: At, left: f64, width: f64) -> Axis {
        let (from, to) = (from.time(), to.time());
        // Without a length there is no place for anything.
        Axis { from, to: to.max(Time(from.0.saturating_add(1000))), left, width }
    }

    pub(super) fn left(&self) -> f64 {
        self.left
    }

    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Where a moment is; those outside are at the edge.
    pub(super) fn x(&self, at: At) -> f64 {
        self.place(at.time())
    }

    fn place(&self, at: Time) -> f64 {
        let at = at.clamp(self.from, self.to);
        let part = self.from.until(at).as_secs_f64() / self.from.until(self.to).as_secs_f64();
        self.left + part * self.width
    }

    pub(super) fn shows(&self, at: At) -> bool {
        (self.from..=self.to).contains(&at.time())
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        let span_s = self.from.until(self.to).as_secs_f64();
        let fits = |step: &&i64| span_s / **step as f64 * LABEL <= self.width;
        let step = STEPS_S.iter().find(fits).or(STEPS_S.last()).copied().unwrap_or(DAY_S);
        let mut at = self.from.0.div_euclid(1000 * step).saturating_add(1).saturating_mul(1000 * step);
        let mut ticks = Vec::new();
        let mut day_before = None;
        while at <= self.to.0 {
            let (day, clock) = said(Time(at));
            let is_new = step < DAY_S && day_before.as_ref() != Some(&day);
            let label = match step {
                ..60 => clock,
                60..DAY_S => clock.chars().take(5).collect(),
                _ => day.clone(),
            };
            ticks.push(Tick { x: self.place(Time(at)), label, day: is_new.then(|| day.clone()) });
            day_before = Some(day);
            at = at.saturating_add(1000 * step);
        }
        ticks
    }

    /// A moment as precisely as this axis makes it worth while.
    pub(super) fn moment(&self, at: At) -> String {
        let (day, clock) = said(at.time());
        let minutes: String = clock.chars().take(5).collect();
        match self.from.until(self.to).as_secs() {
            ..7200 => clock,
            7200..86_400 => minutes,
            _ => format!("{day} {minutes}"),
        }
    }

    pub(super) fn year(&self) -> String {
        self.from.to_string().chars().take(4).collect()
    }
}

/// `22 Nov` and `10:00:00`.
fn said(at: Time) -> (String, String) {
    let text = at.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied();
    (format!("{} {}", part(8, 10).trim_start_matches('0'), month.unwrap_or_default()), part(11, 19).to_owned())
}

/// How long ago something was seen.
pub(super) fn age(seen: At, now: At) -> String {
    match seen.time().until(now.time()).as_secs() {
        s @ ..120 => format!("{s} s ago"),
        s @ 120..7200 => format!("{} min ago", s / 60),
        s @ 7200..172_800 => format!("{} h ago", s / 3600),
        s => format!("{} d ago", s / 86_400),
    }
}

/// How long something takes, in one or two units.
pub(super) fn lasting(time: Duration) -> String {
    let s = time.as_secs();
    let of = |large: u64, unit: &str, small: u64, small_unit: &str| match s % large / small {
        0 => format!("{} {unit}", s / large),
        rest => format!("{} {unit} {rest} {small_unit}", s / large),
    };
    match s {
        ..120 => format!("{s} s"),
        120..7200 => of(60, "min", 1, "s"),
        7200..172_800 => of(3600, "h", 60, "min"),
        _ => of(86_400, "d", 3600, "h"),
    }
}
