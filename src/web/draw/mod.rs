//! The picture of a zone and its timeline, as SVG out of what the API answers.

pub mod picture;
pub mod timeline;
