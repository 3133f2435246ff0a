//! The web interface: pages rendered here, complete without scripts, over the same [`Service`] as the JSON API.
//!
//! * [`routes`]: which path asks for which permission, and leads to which page.
//! * [`visit`], [`here`]: who looks at a page, the forms they send, and what every page begins with.
//! * [`markup`], [`trouble`]: how text, moments and refusals look.
//! * [`draw`]: the picture of a zone and its timeline, as SVG out of what the API answers.
//! * One module for each page or family of pages; their templates have the same names.
//!
//! Invariants: nothing is decided here; every text goes through askama's escaping; no page holds a secret.

pub mod access_pages;
mod audit;
mod change;
mod control;
pub mod draw;
mod forms;
pub mod here;
pub mod markup;
mod operator_forms;
mod operators;
mod overview;
mod past;
mod policy;
mod reasons;
mod reports;
pub mod routes;
mod statics;
pub mod trouble;
pub mod visit;
mod ways;
pub mod words;
mod zone;
mod zone_add;
mod zones;

use crate::api::service::Service;
use std::sync::Arc;

/// What every page needs.
#[derive(Clone)]
pub struct Web {
    pub service: Arc<dyn Service>,
}
