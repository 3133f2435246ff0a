//! The marks of the picture: one shape and one word for each state of a key at an address and of a key's DS.
//!
//! Invariant: no two states share a shape, or a word.

use super::svg::{Look, Paint, Svg};
use crate::api::wire::DsState;

/// What an address has of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Publishes it, and signs with it.
    Signs,
    Published,
    /// Not there, though the key is one of the group's.
    Missing,
    /// There, though it is nobody's of the group.
    Unexpected,
    /// Not there, and need not be.
    Without,
    /// The address never answered.
    Unknown,
}

impl Cell {
    pub(super) const ALL: [Cell; 6] =
        [Cell::Signs, Cell::Published, Cell::Missing, Cell::Unexpected, Cell::Without, Cell::Unknown];

    pub(super) fn word(self) -> &'static str {
        match self {
            Cell::Signs => "signs",
            Cell::Published => "published",
            Cell::Missing => "missing",
            Cell::Unexpected => "unexpected",
            Cell::Without => "not here",
            Cell::Unknown => "not seen",
        }
    }

    pub(super) fn meaning(self) -> &'static str {
        match self {
            Cell::Signs => "published, and signs with it",
            Cell::Published => "published, does not sign",
            Cell::Missing => "missing: others have it",
            Cell::Unexpected => "unexpected: nobody's of the group",
            Cell::Without => "not here, need not be",
            Cell::Unknown => "never answered",
        }
    }

    pub(super) fn paint(self) -> Paint {
        match self {
            Cell::Signs => Paint::Good,
            Cell::Published => Paint::Calm,
            Cell::Missing => Paint::Bad,
            Cell::Unexpected => Paint::Odd,
            Cell::Without | Cell::Unknown => Paint::Muted,
        }
    }

    pub(super) fn draw(self, svg: &mut Svg, (x, y): (f64, f64)) {
        let paint = self.paint();
        match self {
            Cell::Signs => svg.circle(Look::fill(paint), (x, y), 7.0),
            Cell::Published => svg.circle(Look::fill(Paint::Ground).and_line(paint, 2.2), (x, y), 6.0),
            Cell::Missing => {
                svg.rect(Look::fill(Paint::Ground).and_line(paint, 1.8).dashed(), (x - 7.0, y - 7.0), (14.0, 14.0), 1.0)
            }
            Cell::Unexpected => {
                svg.path(Look::fill(paint), &[(x, y - 8.0), (x + 8.5, y + 7.0), (x - 8.5, y + 7.0)], true);
                svg.line(Look::line(Paint::Ground, 1.8), (x, y - 3.0), (x, y + 2.2));
                svg.circle(Look::fill(Paint::Ground), (x, y + 4.7), 1.1);
            }
            Cell::Without => svg.line(Look::line(paint, 1.6), (x - 4.0, y), (x + 4.0, y)),
            Cell::Unknown => {
                svg.line(Look::line(paint, 1.6), (x - 4.0, y - 4.0), (x + 4.0, y + 4.0));
                svg.line(Look::line(paint, 1.6), (x - 4.0, y + 4.0), (x + 4.0, y - 4.0));
            }
        }
    }
}

/// Out of date: an hourglass.
pub(super) fn hourglass(svg: &mut Svg, (x, y): (f64, f64)) {
    let outline = [(x - 4.0, y - 5.5), (x + 4.0, y - 5.5), (x - 4.0, y + 5.5), (x + 4.0, y + 5.5)];
    svg.path(Look::fill(Paint::Haze).and_line(Paint::Wait, 1.3), &outline, true);
}

pub(super) const DS_STATES: [DsState; 5] =
    [DsState::Present, DsState::Partial, DsState::Awaited, DsState::Leaving, DsState::Absent];

pub(super) fn ds_word(state: DsState) -> &'static str {
    match state {
        DsState::Present => "present",
        DsState::Partial => "partial",
        DsState::Awaited => "awaited",
        DsState::Absent => "absent",
        DsState::Leaving => "leaving",
    }
}

pub(super) fn ds_meaning(state: DsState) -> &'static str {
    match state {
        DsState::Present => "DS at every server of the parent",
        DsState::Partial => "DS at some of them",
        DsState::Awaited => "DS asked for, not there yet",
        DsState::Absent => "no DS, none asked for",
        DsState::Leaving => "DS there, asked to go",
    }
}

pub(super) fn ds_paint(state: DsState) -> Paint {
    match state {
        DsState::Present => Paint::Good,
        DsState::Partial => Paint::Calm,
        DsState::Awaited => Paint::Wait,
        DsState::Absent => Paint::Muted,
        DsState::Leaving => Paint::Odd,
    }
}

/// A DS is a diamond: full, half, a dashed outline, an outline, or one with an arrow out.
pub(super) fn draw_ds(svg: &mut Svg, state: DsState, (x, y): (f64, f64)) {
    let diamond = [(x, y - 9.0), (x + 9.0, y), (x, y + 9.0), (x - 9.0, y)];
    let paint = ds_paint(state);
    let empty = Look::fill(Paint::Ground).and_line(paint, 1.8);
    match state {
        DsState::Present => svg.path(Look::fill(paint).and_line(paint, 1.8), &diamond, true),
        DsState::Partial => {
            svg.path(empty, &diamond, true);
            svg.path(Look::fill(paint), &[(x, y - 9.0), (x, y + 9.0), (x - 9.0, y)], true);
        }
        DsState::Awaited => svg.path(empty.dashed(), &diamond, true),
        DsState::Absent => {
            svg.path(empty, &diamond, true);
            svg.line(Look::line(paint, 1.6), (x - 4.0, y), (x + 4.0, y));
        }
        DsState::Leaving => {
            svg.path(empty, &diamond, true);
            svg.line(Look::line(paint, 1.8), (x, y - 4.0), (x, y + 3.0));
            svg.path(Look::fill(paint), &[(x - 3.6, y + 0.8), (x + 3.6, y + 0.8), (x, y + 5.2)], true);
        }
    }
}

/// Something is wrong: a triangle that stands on its tip, so that none takes it for a key.
pub(super) fn trouble(svg: &mut Svg, (x, y): (f64, f64)) {
    svg.path(Look::fill(Paint::Bad), &[(x - 5.5, y - 4.5), (x + 5.5, y - 4.5), (x, y + 5.0)], true);
}
