//! Columns: framed and fitted to the width on a terminal, aligned with two spaces between them in a pipe.

use super::Look;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// What a column is left at least, in characters, when a narrower one stays whole.
const LEAST: usize = 16;

pub struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Grid {
        Grid { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn draw(&self, look: &Look) -> String {
        if look.terminal { self.framed(look.width) } else { self.plain() }
    }

    fn framed(&self, width: u16) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width.max(40)).set_header(&self.header);
        for row in &self.rows {
            table.add_row(row);
        }
        // Narrow columns first, each stays whole if what is left gives the wider ones enough.
        let widths = self.widths();
        let mut narrow_first: Vec<(usize, usize)> = widths.iter().copied().zip(0..).collect();
        narrow_first.sort_unstable();
        let mut room = usize::from(width).saturating_sub(3 * widths.len() + 1);
        for (done, &(own, column)) in narrow_first.iter().enumerate() {
            let wider: usize = narrow_first.iter().skip(done + 1).map(|(width, _)| LEAST.min(*width)).sum();
            if own + wider > room {
                break;
            }
            room -= own;
            if let Some(column) = table.column_mut(column) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        format!("{table}\n")
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    /// Of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let columns = self.lines().map(Vec::len).max().unwrap_or(0);
        let of = |column: usize| {
            self.lines().filter_map(move |line| line.get(column)).map(|cell: &String| cell.chars().count())
        };
        (0..columns).map(|column| of(column).max().unwrap_or(0)).collect()
    }

    fn plain(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for line in self.lines() {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}
