//! What the marks of the picture mean.
//!
//! Invariant: every mark that the picture can have is here, whether this picture has it or not: a person learns them once.

use super::marks::{self, Cell};
use super::svg::{Look, Paint, Svg, Type};
use crate::api::wire::DsState;

const ITEM: f64 = 24.0;
const TOP: f64 = 22.0;

/// How high the legend is.
pub(super) fn height(width: f64) -> f64 {
    TOP + places(width).iter().map(|(_, y)| *y).fold(0.0, f64::max) + ITEM + 4.0
}

/// Draws it from this corner on.
pub(super) fn draw(svg: &mut Svg, (left, top): (f64, f64), width: f64) {
    svg.line(Look::line(Paint::Line, 1.0), (left, top + 12.0), (left + width, top + 12.0));
    for (item, (x, y)) in items().zip(places(width)) {
        let (x, y) = (left + x, top + TOP + y);
        let at = (x + 10.0, y + 8.0);
        match item {
            Item::Cell(cell) => cell.draw(svg, at),
            Item::Ds(ds) => marks::draw_ds(svg, ds, at),
            Item::Old => marks::hourglass(svg, at),
            Item::Trouble => marks::trouble(svg, at),
        }
        svg.text(Type::plain(Paint::Ink), (x + 26.0, y + 12.0), item.text());
    }
}

enum Item {
    Cell(Cell),
    Old,
    Trouble,
    Ds(DsState),
}

impl Item {
    fn text(&self) -> &'static str {
        match self {
            Item::Cell(cell) => cell.meaning(),
            Item::Old => "old: does not answer, this is its last answer",
            Item::Trouble => "does not answer now",
            Item::Ds(ds) => marks::ds_meaning(*ds),
        }
    }
}

fn items() -> impl Iterator<Item = Item> {
    let cells = Cell::ALL.into_iter().map(Item::Cell);
    cells.chain([Item::Old, Item::Trouble]).chain(marks::DS_STATES.into_iter().map(Item::Ds))
}

/// Where each item of the legend is, in columns, from its corner.
fn places(width: f64) -> Vec<(f64, f64)> {
    let widest = items().map(|item| Type::plain(Paint::Ink).width(item.text())).fold(0.0, f64::max) + 44.0;
    let columns = (width / widest).floor().max(1.0) as usize;
    let rows = items().count().div_ceil(columns);
    let place = |nth: usize| ((nth / rows) as f64 * widest, (nth % rows) as f64 * ITEM);
    items().enumerate().map(|(nth, _)| place(nth)).collect()
}
