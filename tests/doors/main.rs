//! The doors: the JSON API over a service made up for these tests, and the real `chorus` binary against it on loopback.
//! Whether what the daemon says is true is not tested here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod cli;
mod fake;
mod help;
mod idempotency;
mod openapi;
mod sample;
mod text;
