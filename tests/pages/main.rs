//! The pages of the web interface, rendered in this process over a service made up for these tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../doors/fake.rs"]
#[allow(dead_code)]
mod fake;
#[path = "../doors/sample.rs"]
mod sample;

mod access;
mod forms;
mod hostile;
mod html;
mod names;
mod rendering;
mod stage;
