//! The JSON API under `/api/v1`: the one door that the command line and, later, the pages go through.
//!
//! * [`wire`]: what requests and answers look like, shared by daemon and command line.
//! * [`service`]: what the engine's side has to be able to do, one method per call.
//! * [`controller`]: that, done with engine, store and model.
//! * [`gate`]: who somebody is, and may do.
//! * [`routes`]: from HTTP to the service and back; the only place where a refusal becomes a status.
//! * `idempotency`: a write that is sent again is done once.
//! * [`headers`]: what every answer says about its use.
//! * [`serve`], [`token`]: the listener, and who may ask.
//!
//! Invariant: no answer holds a secret. Nothing is decided here.

pub mod controller;
pub mod gate;
pub mod headers;
mod idempotency;
pub mod routes;
pub mod serve;
pub mod service;
pub mod tls;
pub mod token;
pub mod wire;
