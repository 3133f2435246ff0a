//! The web interface: pages rendered here, complete without scripts, over the same [`Service`] as the JSON API.
//!
//! * [`draw`]: the picture of a zone and its timeline, as SVG out of what the API answers.
//! * [`session`], [`visit`]: who looks at a page, and the forms they send.
//! * [`events`]: what changes while they look.
//!
//! Invariants: nothing is decided here; every text goes through askama's escaping; no page holds a secret.

pub mod draw;
pub mod events;
pub mod headers;
pub mod session;
pub mod visit;

use crate::api::gate::Gate;
use crate::api::routes;
use crate::api::service::Service;
use axum::Router;
use axum::middleware;
use axum::routing::get;
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
    let api = routes::Api { service: web.service.clone(), gate: web.gate.clone() };
    let gate = web.gate.clone();
    let pages = Router::new().route("/events", get(events::events)).with_state(web);
    Router::new()
        .merge(session::with_sessions(pages, gate, secure))
        .merge(routes::router(api))
        .layer(middleware::from_fn(move |request, next| headers::add(secure, request, next)))
}
