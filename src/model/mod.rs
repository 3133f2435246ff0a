//! The functional core: everything dangerous is decided here, from observed history and a time that is passed in.
//!
//! Invariant: no I/O, no clock, no async, no randomness (`tests/model_is_pure.rs` fails when a file here names them).
//! Dependencies point one way: `dns ← history ← chain ← group ← ability ← preflight`; `resolution` uses
//! `history` only; `chain` shares no code with `group`.

pub mod ability;
pub mod chain;
pub mod dns;
pub mod group;
pub mod history;
pub mod parent;
pub mod policy;
pub mod preflight;
pub mod resolution;
pub mod switches;
pub mod time;
