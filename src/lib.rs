//! Chorus keeps DNSSEC zones that several operators sign at once (RFC 8901 model 2) consistent, and moves them from one
//! group of operators to another without any resolver failing.
//!
//! * [`model`]: the functional core. Histories, chains, ladders. No I/O, no clock, no async, no randomness.
//! * [`observe`]: asks every address of every name server, and turns the answers into samples for the history.
//! * [`engine`]: the loop: zones that are due, observe, plan, check, write, read back, record.
//! * [`parent`]: the ways a parent is reached, and the parental agent.
//! * [`sim`]: the simulated world, in which the engine is tested.
//! * [`store`]: what must survive a crash.
//! * [`access`]: who may do what.
//! * [`api`], [`web`], [`cli`]: doors to the same services.

pub mod access;
pub mod api;
pub mod cli;
pub mod engine;
pub mod model;
pub mod observe;
pub mod parent;
pub mod sim;
pub mod store;
pub mod web;
