//! The picture of a zone and its timeline, as SVG out of what the API answers.
//!
//! Both are complete without scripts and without a style sheet: presentation attributes give the colours for a file on its
//! own, and the classes of `classes.css` override them in pages, light and dark. Pages put each into an element of the
//! class `d-scroll`: a drawing is as wide as it has to be for its text to be legible.
//!
//! Invariants: well-formed whatever the names in it are ([`svg`] escapes all of them, in one place); no `style`, no script;
//! nothing is told by colour alone. Nothing is decided here, and nothing is looked up.

mod axis;
mod lanes;
mod legend;
mod marks;
mod picture;
mod svg;
#[cfg(test)]
mod tests;
mod timeline;

pub use picture::{picture, picture_alone};
pub use timeline::timeline;

/// The rules for pages' style sheet.
pub const CLASSES: &str = include_str!("classes.css");
