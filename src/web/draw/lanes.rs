//! The lanes of the timeline: in which row each bar is, and where its text goes.
//!
//! Invariant: in a row no bar and no text covers another; a text that has no room is in the bar's title.

use super::axis::Axis;
use super::svg::{Paint, Type};
use crate::api::wire::{Bar, Lane, Timeline};

const OWNER: f64 = 26.0;
const ROW: f64 = 30.0;
pub(super) const BAR: f64 = 20.0;
pub(super) const SPACE: f64 = 6.0;
/// So wide is what takes no time.
const LEAST: f64 = 3.0;

pub(super) const PLAIN: Type = Type::plain(Paint::Ink);

/// A bar with its place, and what is written where.
pub(super) struct Placed<'a> {
    pub(super) bar: &'a Bar,
    pub(super) row: usize,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) dead: f64,
    pub(super) in_bar: String,
    pub(super) in_tail: String,
    /// Beside it: where, and whether it ends there.
    pub(super) beside: Option<(f64, bool, String)>,
}

pub(super) struct Band<'a> {
    pub(super) lane: &'a Lane,
    pub(super) bars: Vec<Placed<'a>>,
    /// Whether whose it is has to be said above.
    pub(super) opens: bool,
    pub(super) y: f64,
}

impl Band<'_> {
    fn rows(&self) -> usize {
        self.bars.iter().map(|bar| bar.row + 1).max().unwrap_or(1)
    }

    pub(super) fn top(&self) -> f64 {
        self.y + if self.opens { OWNER } else { 0.0 }
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top() + ROW * self.rows() as f64 + 4.0
    }

    pub(super) fn bar_top(&self, placed: &Placed<'_>) -> f64 {
        self.top() + ROW * placed.row as f64 + (ROW - BAR) / 2.0
    }
}

/// Everything about a bar, in one sentence.
pub(super) fn told(axis: &Axis, bar: &Bar) -> String {
    let since = bar.since.map_or("since before it was first seen".to_owned(), |at| format!("from {}", axis.moment(at)));
    let until = bar.until.map_or("still served".to_owned(), |at| format!("served until {}", axis.moment(at)));
    let dead = bar.dead_at.map_or(String::new(), |at| format!(", in caches until {}", axis.moment(at)));
    let waited = if bar.waited_for { ", waited for" } else { "" };
    format!("{}, TTL {} s, {since}, {until}{dead}{waited}", bar.text, bar.ttl_s)
}

/// Each bar in the first row that has room for it and its text.
pub(super) fn placed<'a>(axis: &Axis, t: &Timeline, lane: &'a Lane) -> Vec<Placed<'a>> {
    let mut taken: Vec<f64> = Vec::new();
    let mut bars: Vec<&Bar> = lane.bars.iter().collect();
    bars.sort_by_key(|bar| (bar.since, bar.until.is_none(), bar.until));
    let place = |bar: &'a Bar| {
        let from = bar.since.map_or(axis.left(), |at| axis.x(at)).min(axis.right() - LEAST);
        let until = axis.x(bar.until.unwrap_or(t.now)).max(from + LEAST);
        let dead = bar.dead_at.map_or(until, |at| axis.x(at).max(until + LEAST));
        let cached = bar.dead_at.map(|at| match bar.waited_for {
            true => format!("waited for: in caches until {}", axis.moment(at)),
            false => format!("in caches until {}", axis.moment(at)),
        });
        let cached = cached.unwrap_or_default();
        let fits = |text: &str, room: f64| PLAIN.width(text) + 14.0 <= room;
        let mut left_over: Vec<&str> = Vec::new();
        let inside = |text: &str, room: f64| if fits(text, room) { text.to_owned() } else { String::new() };
        let (in_bar, in_tail) = (inside(&bar.text, until - from), inside(&cached, dead - until));
        if in_bar.is_empty() {
            left_over.push(&bar.text);
        }
        if in_tail.is_empty() && !cached.is_empty() {
            left_over.push(&cached);
        }
        let text = left_over.join(", ");
        let (left, right) = (from - axis.left() - 2.0 * SPACE, axis.right() - dead - 2.0 * SPACE);
        let beside = match PLAIN.width(&text) {
            _ if text.is_empty() => None,
            width if width <= right => Some((dead + 8.0, false, text)),
            width if width <= left => Some((from - 8.0, true, text)),
            _ if right >= left.max(70.0) => Some((dead + 8.0, false, PLAIN.cut(&text, right))),
            _ if left >= 70.0 => Some((from - 8.0, true, PLAIN.cut(&text, left))),
            _ => None,
        };
        Placed { bar, row: 0, from, until, dead, in_bar, in_tail, beside }
    };
    let mut all: Vec<Placed<'_>> = bars.into_iter().map(place).collect();
    for placed in &mut all {
        let (mut left, mut right) = (placed.from, placed.dead);
        if let Some((x, ends, text)) = &placed.beside {
            let width = PLAIN.width(text);
            (left, right) = if *ends { (x - width, right) } else { (left, x + width) };
        }
        placed.row = taken.iter().position(|until| *until + SPACE <= left).unwrap_or(taken.len());
        match taken.get_mut(placed.row) {
            Some(until) => *until = right,
            None => taken.push(right),
        }
    }
    all
}
