//! `/docs/reasons`: the codes that refusals and waits carry, out of `docs/reasons.md`.
//!
//! Of Markdown only what that file has: headings, paragraphs, tables, code. Each code in a table's first column gets
//! its name as id, so that `/docs/reasons#guard-ttl` leads there.

use super::here::{Answer, Here, Page, Place, html};
use askama::Template;
use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../docs/reasons.md");

/// A piece of a line.
struct Span {
    text: String,
    code: bool,
    /// The name by which it can be linked to.
    id: Option<String>,
}

enum Block {
    Heading(String),
    Paragraph(Vec<Span>),
    Table(Vec<String>, Vec<Vec<Vec<Span>>>),
}

#[derive(Template)]
#[template(path = "reasons.html")]
struct Shown {
    page: Page,
    blocks: Vec<Block>,
}

pub async fn show(here: Here) -> Answer {
    let page = here.page(Place::Elsewhere, "Reason codes");
    html(&Shown { page, blocks: blocks(TEXT) })
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut ids) = (Vec::new(), BTreeSet::new());
    for part in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(heading) = part.strip_prefix("## ") {
            blocks.push(Block::Heading(heading.to_owned()));
        } else if part.starts_with('|') {
            let mut rows = part.lines().map(cells);
            let head = rows.next().unwrap_or_default().into_iter().map(str::to_owned).collect();
            let rows = rows.skip(1).map(|cells| {
                let cells = cells.into_iter().enumerate();
                cells.map(|(column, cell)| spans(cell, (column == 0).then_some(&mut ids))).collect()
            });
            blocks.push(Block::Table(head, rows.collect()));
        } else if !part.starts_with("# ") {
            blocks.push(Block::Paragraph(spans(&part.replace('\n', " "), None)));
        }
    }
    blocks
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

fn spans(text: &str, mut ids: Option<&mut BTreeSet<String>>) -> Vec<Span> {
    let pieces = text.split('`').enumerate().filter(|(_, piece)| !piece.is_empty());
    let span = |(index, piece): (usize, &str)| {
        let code = index % 2 == 1;
        let id = ids.as_mut().filter(|_| code).and_then(|ids| ids.insert(piece.to_owned()).then(|| piece.to_owned()));
        Span { text: piece.to_owned(), code, id }
    };
    pieces.map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_page_can_be_linked_to_once() {
        let mut ids = Vec::new();
        for block in blocks(TEXT) {
            if let Block::Table(head, rows) = block {
                for row in rows {
                    assert_eq!(row.len(), head.len());
                    ids.extend(row.into_iter().flatten().filter_map(|span| span.id));
                }
            }
        }
        for code in ["guard-ttl", "update-server-error", "read-server-error", "transition-changed", "db-unavailable"] {
            assert_eq!(ids.iter().filter(|id| *id == code).count(), 1, "{code}");
        }
    }
}
