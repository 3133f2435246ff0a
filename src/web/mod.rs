//! The web interface: pages rendered here, complete without scripts, over the same [`Service`] as the JSON API.
//!
//! * [`routes`]: which path asks for which permission, and leads to which page.
//! * [`visit`], [`here`]: who looks at a page, the forms they send, and what every page begins with.
//! * [`markup`], [`trouble`]: how text, moments and refusals look.
//! * [`draw`]: the picture of a zone and its timeline, as SVG out of what the API answers.
//! * [`session`], [`visit`]: who looks at a page, and the forms they send.
//! * [`events`]: what changes while they look.
//! * One module for each page or family of pages; their templates have the same names.
//!
//! Invariants: nothing is decided here; every text goes through askama's escaping; no page holds a secret.

pub mod access_pages;
mod audit;
mod change;
mod control;
pub mod draw;
pub mod events;
mod forms;
pub mod here;
pub mod markup;
mod operator_forms;
mod operators;
mod overview;
mod password;
mod past;
mod policy;
mod reasons;
mod reports;
pub mod routes;
pub mod session;
mod settings;
mod sign_in;
mod statics;
pub mod trouble;
pub mod visit;
mod ways;
pub mod words;
mod zone;
mod zone_add;
mod zones;

use crate::api::gate::Gate;
use crate::api::headers;
use crate::api::service::Service;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use std::sync::Arc;
use tokio::sync::watch;

/// What every page needs.
#[derive(Clone)]
pub struct Web {
    pub service: Arc<dyn Service>,
    pub gate: Gate,
    pub streams: events::Streams,
    /// Its other end is dropped when the daemon ends.
    pub stopping: watch::Receiver<()>,
}

/// Everything that is served: the pages, and the JSON API beside them. `secure`: browsers come over TLS.
pub fn router(web: Web, secure: bool) -> Router {
    let api = crate::api::routes::Api { service: web.service.clone(), gate: web.gate.clone() };
    let gate = web.gate.clone();
    let pages = routes::all().router.layer(DefaultBodyLimit::max(crate::api::routes::BODY_MAX)).with_state(web);
    Router::new()
        .merge(session::with_sessions(pages, gate, secure))
        .merge(crate::api::routes::beside_pages(api))
        .layer(middleware::from_fn(move |request, next| headers::add(secure, request, next)))
}
