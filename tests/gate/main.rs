//! Whoever asks: who may do what, how they show who they are, what is kept of it; and whoever asks for too much, too slowly, or
//! from another site. Everything goes through the whole router, or over a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../doors/fake.rs"]
#[allow(dead_code)]
mod fake;
#[path = "../faults/places.rs"]
#[allow(dead_code)]
mod places;
#[path = "../doors/sample.rs"]
mod sample;
#[path = "../faults/world.rs"]
#[allow(dead_code)]
mod world;

mod accounts;
mod audit;
mod audit_is_whole;
mod bodies;
mod forms;
mod frame;
mod house;
mod matrix;
mod secrets;
mod sessions;
mod streams;
mod tls;
mod tokens;
