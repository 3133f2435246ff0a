//! The web interface: pages rendered here, complete without scripts, over the same [`Service`] as the JSON API.
//!
//! * [`draw`]: the picture of a zone and its timeline, as SVG out of what the API answers.
//! * [`visit`]: who looks at a page, and the forms they send.
//!
//! Invariants: nothing is decided here; every text goes through askama's escaping; no page holds a secret.

pub mod draw;
pub mod visit;

use crate::api::service::Service;
use std::sync::Arc;

/// What every page needs.
#[derive(Clone)]
pub struct Web {
    pub service: Arc<dyn Service>,
}
