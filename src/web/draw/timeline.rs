//! The timeline: which version was served when, until when caches hold it, and what the next step waits for.
//!
//! ```text
//!                              now            may go on
//!   DNSKEY  ▐ without b's key ▌//// in caches //│
//!                  ▐ with b's key           ▶   │
//! ```
//!
//! Invariant: no bar and no text covers another in its lane. The moments are the service's; nothing is worked out here but
//! places.

use super::axis::{Axis, lasting};
use super::lanes::{BAR, Band, PLAIN, Placed, SPACE, placed, told};
use super::svg::{Anchor, Look, Paint, Svg, Type};
use crate::api::wire::{StepState, Timeline, TimelineGuard, TimelineStep};

const WIDTH: f64 = 1160.0;
const EDGE: f64 = 12.0;
/// Where the names of lanes are.
const GUTTER: f64 = 108.0;
const PLOT: f64 = WIDTH - GUTTER - 2.0 * EDGE;
const STEP_HEIGHT: f64 = 86.0;
const STEPS_IN_A_ROW: usize = 5;
const LABEL: f64 = 20.0;
const TICKS: f64 = 40.0;

const BESIDE: Type = Type::plain(Paint::Muted);

/// The drawing, for a page that has the classes.
pub fn timeline(t: &Timeline) -> String {
    let axis = Axis::new(t.from, t.to, EDGE + GUTTER, PLOT);
    let steps_bottom = EDGE + STEP_HEIGHT * t.steps.len().div_ceil(STEPS_IN_A_ROW) as f64;
    let opening: Vec<&TimelineGuard> =
        t.guards.iter().filter(|g| g.opens_at.is_some_and(|at| axis.shows(at))).collect();
    let lines_top = steps_bottom + SPACE;
    let ticks_top = lines_top + LABEL * (1 + opening.len().min(GUARD_LINES)) as f64;
    let mut bands: Vec<Band<'_>> = Vec::new();
    let mut y = ticks_top + TICKS;
    let mut before = None;
    for lane in &t.lanes {
        let opens = before.replace(&lane.who) != Some(&lane.who);
        let band = Band { lane, bars: placed(&axis, t, lane), opens, y: y + if opens { SPACE } else { 0.0 } };
        y = band.bottom();
        bands.push(band);
    }
    let flags = if t.steps.iter().any(|step| step.earliest.is_some()) { 28.0 } else { 0.0 };
    let plot_bottom = y + SPACE;
    let said: Vec<(Vec<String>, &TimelineGuard)> =
        t.guards.iter().map(|guard| (PLAIN.wrap(&reason(&axis, t, guard), WIDTH - 5.0 * EDGE, 4), guard)).collect();
    let why = said.iter().map(|(lines, _)| lines.len() as f64 * 17.0 + 18.0).sum::<f64>();
    let height = plot_bottom + flags + why + 46.0;
    let title = format!("Versions of {} over time", t.zone);
    let mut svg = Svg::new("d-timeline", "d-timeline", WIDTH, height, (&title, &described(&axis, t)));
    let mut draw = Draw { svg: &mut svg, axis: &axis, t };
    draw.steps();
    draw.panels(&bands);
    draw.waiting(&opening, (ticks_top + TICKS, plot_bottom));
    draw.ticks(ticks_top, plot_bottom);
    for band in &bands {
        draw.band(band);
    }
    draw.lines(&opening, lines_top, plot_bottom);
    // Over the lines, and each on a ground of its own: a line through a text makes both hard to read.
    draw.tick_labels(ticks_top);
    for band in &bands {
        draw.texts(band);
    }
    draw.flags(plot_bottom);
    draw.reasons(&said, plot_bottom + flags);
    draw.legend(plot_bottom + flags + why + 14.0);
    svg.finish()
}

/// So many guards get a line of their own for their label.
const GUARD_LINES: usize = 3;

fn reason(axis: &Axis, t: &Timeline, guard: &TimelineGuard) -> String {
    match guard.opens_at {
        Some(at) => {
            let left = lasting(t.now.time().until(at.time()));
            format!("Waiting until {} UTC, for {left} more: {}", axis.moment(at), guard.text)
        }
        None => format!("Waiting, nobody can say for how long: {}", guard.text),
    }
}

fn described(axis: &Axis, t: &Timeline) -> String {
    let mut text = String::new();
    for guard in &t.guards {
        text += &format!("{}. ", reason(axis, t, guard).trim_end_matches('.'));
    }
    for lane in &t.lanes {
        for bar in &lane.bars {
            text += &format!("{} {}: {}. ", lane.who, lane.rtype, told(axis, bar));
        }
    }
    text.trim_end().to_owned()
}

struct Draw<'d> {
    svg: &'d mut Svg,
    axis: &'d Axis,
    t: &'d Timeline,
}

impl Draw<'_> {
    fn steps(&mut self) {
        let count = self.t.steps.len().clamp(1, STEPS_IN_A_ROW);
        let width = (WIDTH - 2.0 * EDGE) / count as f64;
        for (nth, step) in self.t.steps.iter().enumerate() {
            let x = EDGE + (nth % STEPS_IN_A_ROW) as f64 * width;
            let y = EDGE + (nth / STEPS_IN_A_ROW) as f64 * STEP_HEIGHT + 11.0;
            self.svg.group("d-step", &step.title);
            if nth % STEPS_IN_A_ROW + 1 < count && nth + 1 < self.t.steps.len() {
                let paint = if step.state == StepState::Done { Paint::Good } else { Paint::Line };
                self.svg.line(Look::line(paint, 2.0), (x + 22.0, y), (x + width, y));
            }
            self.step_mark(step.state, nth + 1, (x + 11.0, y));
            let (word, set) = said(step.state);
            let when = match step.earliest {
                Some(at) if step.state != StepState::Done => format!("{word}, not before {}", self.axis.moment(at)),
                _ => word.to_owned(),
            };
            let room = width - SPACE * 2.0;
            for (line, text) in PLAIN.wrap(&step.title, room, 2).iter().enumerate() {
                self.svg.text(PLAIN, (x, y + 42.0 + 15.0 * line as f64), text);
            }
            self.svg.text_in(set, (x, y + 26.0), room, &when);
            self.svg.close();
        }
    }

    /// Done: full, with a tick; now: a double ring; ahead: a dashed ring.
    fn step_mark(&mut self, state: StepState, number: usize, (x, y): (f64, f64)) {
        match state {
            StepState::Done => {
                self.svg.circle(Look::fill(Paint::Good), (x, y), 10.0);
                let tick = [(x - 4.5, y + 0.5), (x - 1.0, y + 4.0), (x + 5.0, y - 3.5)];
                self.svg.path(Look::line(Paint::Ground, 2.0), &tick, false);
            }
            StepState::Now => {
                self.svg.circle(Look::fill(Paint::Haze).and_line(Paint::Wait, 2.5), (x, y), 10.0);
                self.svg.text(PLAIN.at(Anchor::Middle), (x, y + 4.5), &number.to_string());
            }
            StepState::Ahead => {
                self.svg.circle(Look::fill(Paint::Ground).and_line(Paint::Muted, 1.5).dashed(), (x, y), 10.0);
                self.svg.text(BESIDE.at(Anchor::Middle), (x, y + 4.5), &number.to_string());
            }
        }
    }

    fn panels(&mut self, bands: &[Band<'_>]) {
        for (nth, band) in bands.iter().enumerate().filter(|(_, band)| band.opens) {
            let own = bands.iter().skip(nth + 1).take_while(|other| !other.opens);
            let bottom = own.last().unwrap_or(band).bottom();
            self.svg.rect(Look::fill(Paint::Panel), (EDGE, band.y), (WIDTH - 2.0 * EDGE, bottom - band.y), 8.0);
        }
    }

    /// The time that is still to be waited.
    fn waiting(&mut self, opening: &[&TimelineGuard], (top, bottom): (f64, f64)) {
        let Some(last) = opening.iter().filter_map(|guard| guard.opens_at).max() else { return };
        let (from, to) = (self.axis.x(self.t.now), self.axis.x(last));
        if to > from {
            self.svg.rect(Look::fill(Paint::Haze), (from, top), (to - from, bottom - top), 0.0);
        }
    }

    fn ticks(&mut self, top: f64, bottom: f64) {
        for tick in self.axis.ticks() {
            self.svg.line(Look::line(Paint::Line, 1.0), (tick.x, top + 35.0), (tick.x, bottom));
        }
    }

    fn tick_labels(&mut self, top: f64) {
        let text = format!("UTC, {}", self.axis.year());
        self.svg.text(BESIDE, (EDGE, top + 30.0), &text);
        for tick in self.axis.ticks() {
            let anchor = if tick.x > self.axis.right() - 24.0 { Anchor::End } else { Anchor::Middle };
            if let Some(day) = &tick.day {
                self.on_ground(BESIDE.at(anchor), (tick.x, top + 15.0), day);
            }
            self.on_ground(BESIDE.at(anchor), (tick.x, top + 30.0), &tick.label);
        }
    }

    fn on_ground(&mut self, set: Type, (x, y): (f64, f64), text: &str) {
        let width = set.width(text) + 6.0;
        let left = set.left(x, width - 6.0) - 3.0;
        self.svg.rect(Look::fill(Paint::Ground), (left, y - 11.5), (width, 15.0), 3.0);
        self.svg.text(set, (x, y), text);
    }

    fn band(&mut self, band: &Band<'_>) {
        if band.opens {
            let who = if band.lane.who == "parent" { "the parent" } else { band.lane.who.as_str() };
            self.svg.text_in(Type::bold(Paint::Ink), (EDGE * 2.0, band.y + 19.0), GUTTER + PLOT / 3.0, who);
        }
        self.svg.text_in(BESIDE, (EDGE * 2.0, band.top() + 19.0), GUTTER - EDGE * 2.0, &band.lane.rtype);
        for placed in &band.bars {
            self.bar(placed, band.bar_top(placed));
        }
    }

    fn bar(&mut self, placed: &Placed<'_>, y: f64) {
        let Placed { bar, from, until, dead, .. } = placed;
        let mid = y + BAR / 2.0;
        self.svg.group(if bar.waited_for { "d-bar d-waited" } else { "d-bar" }, &told(self.axis, bar));
        if dead > until {
            let look = match bar.waited_for {
                true => Look::hatch().and_line(Paint::Wait, 2.0),
                false => Look::faint().and_line(Paint::Line, 1.0),
            };
            self.svg.rect(look, (*until, y + 1.0), (dead - until, BAR - 2.0), 0.0);
        }
        // Open to the left: nothing is known of the time before, or it is off the drawing.
        let left = match bar.since {
            Some(at) if self.axis.shows(at) => vec![(*from, y), (*from, y + BAR)],
            _ => vec![(*from, y), (from + 4.0, mid), (*from, y + BAR)],
        };
        // Open to the right: still served.
        let right = match bar.until {
            None if until - from > 14.0 => vec![(until - 7.0, y + BAR), (*until, mid), (until - 7.0, y)],
            _ => vec![(*until, y + BAR), (*until, y)],
        };
        let outline: Vec<(f64, f64)> = left.into_iter().chain(right).collect();
        let (fill, line) = match bar.until {
            None => (Paint::Tint, Paint::Good),
            Some(_) => (Paint::Ground, Paint::Calm),
        };
        self.svg.path(Look::fill(fill).and_line(line, 1.5), &outline, true);
        if !placed.in_bar.is_empty() {
            self.svg.text(PLAIN, (from + 8.0, mid + 4.0), &placed.in_bar);
        }
        self.svg.close();
    }

    fn texts(&mut self, band: &Band<'_>) {
        for placed in &band.bars {
            let Placed { bar, until, dead, in_tail, .. } = placed;
            let base = band.bar_top(placed) + BAR / 2.0 + 4.0;
            if !in_tail.is_empty() {
                let set = if bar.waited_for { Type::plain(Paint::Wait) } else { BESIDE };
                // Behind the line of now where there is room: it is the time that is left.
                let now = self.axis.x(self.t.now);
                let behind = *until < now && now + set.width(in_tail) + 14.0 <= *dead;
                let x = if behind { now } else { *until } + 7.0;
                self.on_ground(set, (x, base), in_tail);
            }
            if let Some((x, ends, text)) = &placed.beside {
                let set = if bar.waited_for { Type::plain(Paint::Wait) } else { PLAIN };
                self.on_ground(set.at(if *ends { Anchor::End } else { Anchor::Start }), (*x, base), text);
            }
        }
    }

    fn lines(&mut self, opening: &[&TimelineGuard], top: f64, bottom: f64) {
        let now = self.axis.x(self.t.now);
        self.svg.line(Look::line(Paint::Ink, 2.0), (now, top + 4.0), (now, bottom));
        let text = format!("now {}", self.axis.moment(self.t.now));
        self.flag(now, top + 13.0, PLAIN, &text);
        for (nth, guard) in opening.iter().enumerate() {
            let Some(at) = guard.opens_at else { continue };
            let (x, y) = (self.axis.x(at), top + LABEL * (1 + nth.min(GUARD_LINES - 1)) as f64);
            self.svg.group("d-guard", &guard.text);
            self.svg.line(Look::line(Paint::Wait, 2.5).dashed(), (x, y + 4.0), (x, bottom));
            if nth < GUARD_LINES {
                let number = if self.t.guards.len() > 1 { format!("({}) ", nth + 1) } else { String::new() };
                let left = lasting(self.t.now.time().until(at.time()));
                let text = format!("{number}may go on {}, in {left}", self.axis.moment(at));
                self.flag(x, y + 13.0, Type::plain(Paint::Wait), &text);
            }
            self.svg.close();
        }
    }

    /// A text beside a line, on the side that has room.
    fn flag(&mut self, x: f64, y: f64, set: Type, text: &str) {
        let ends = x + set.width(text) + 2.0 * SPACE > self.axis.right();
        let (set, x) = if ends { (set.at(Anchor::End), x - SPACE) } else { (set, x + SPACE) };
        self.on_ground(set, (x, y), text);
    }

    /// The numbers of the steps ahead, where they can be reached at the earliest; those at one place together.
    fn flags(&mut self, y: f64) {
        let mut together: Vec<(f64, Vec<usize>)> = Vec::new();
        for (nth, TimelineStep { earliest, .. }) in self.t.steps.iter().enumerate() {
            let Some(at) = earliest.filter(|at| self.axis.shows(*at) && *at >= self.t.now) else { continue };
            let x = self.axis.x(at);
            match together.last_mut() {
                Some((place, numbers)) if (*place - x).abs() < 44.0 => numbers.push(nth + 1),
                _ => together.push((x, vec![nth + 1])),
            }
        }
        if !together.is_empty() {
            self.svg.text(BESIDE, (EDGE, y + 18.0), "steps, earliest");
        }
        for (x, numbers) in together {
            let text = match numbers.as_slice() {
                [first, .., last] => format!("{first}–{last}"),
                [one] => one.to_string(),
                [] => continue,
            };
            let width = PLAIN.width(&text) + 14.0;
            self.svg.line(Look::line(Paint::Muted, 1.0), (x, y - 4.0), (x, y + 4.0));
            let at = (x - width / 2.0, y + 4.0);
            self.svg.rect(Look::fill(Paint::Ground).and_line(Paint::Muted, 1.5), at, (width, 20.0), 10.0);
            self.svg.text(PLAIN.at(Anchor::Middle), (x, y + 18.5), &text);
        }
    }

    fn reasons(&mut self, said: &[(Vec<String>, &TimelineGuard)], top: f64) {
        let mut y = top + 8.0;
        for (nth, (lines, _)) in said.iter().enumerate() {
            let height = lines.len() as f64 * 17.0 + 10.0;
            self.svg.rect(Look::fill(Paint::Haze), (EDGE, y), (WIDTH - 2.0 * EDGE, height), 6.0);
            self.svg.rect(Look::fill(Paint::Wait), (EDGE, y), (4.0, height), 0.0);
            if said.len() > 1 {
                self.svg.text(Type::bold(Paint::Wait), (EDGE + 12.0, y + 18.0), &format!("({})", nth + 1));
            }
            let x = EDGE + if said.len() > 1 { 38.0 } else { 14.0 };
            for (line, text) in lines.iter().enumerate() {
                self.svg.text(PLAIN, (x, y + 18.0 + 17.0 * line as f64), text);
            }
            y += height + 8.0;
        }
    }

    fn legend(&mut self, y: f64) {
        let mut x = EDGE;
        let size = (26.0, 14.0);
        let items: [(Look, &str); 5] = [
            (Look::fill(Paint::Tint).and_line(Paint::Good, 1.5), "served now"),
            (Look::fill(Paint::Ground).and_line(Paint::Calm, 1.5), "was served"),
            (Look::faint().and_line(Paint::Line, 1.0), "no longer served, still in caches"),
            (Look::hatch().and_line(Paint::Wait, 2.0), "still in caches, and waited for"),
            (Look::fill(Paint::Haze), "time still to wait"),
        ];
        for (look, text) in items {
            self.svg.rect(look, (x, y), size, 0.0);
            self.svg.text(PLAIN, (x + 34.0, y + 11.5), text);
            x += 34.0 + PLAIN.width(text) + 24.0;
        }
    }
}

fn said(state: StepState) -> (&'static str, Type) {
    match state {
        StepState::Done => ("done", Type::plain(Paint::Good)),
        StepState::Now => ("now", Type::plain(Paint::Wait)),
        StepState::Ahead => ("ahead", BESIDE),
    }
}
