//! The fault matrix: what goes wrong around Chorus, one test or more for each number of `docs/faults.md`, in virtual time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accounts;
mod answers;
mod clocks;
mod credentials;
mod groups;
mod kept;
mod left_out;
mod lists;
mod measures;
mod no_time_is_lost;
mod old_database;
mod operators;
mod parents;
mod people;
mod places;
mod progress;
mod reached;
mod rounds;
mod sentences;
mod signatures;
mod store;
mod table;
mod timeline;
mod trials;
mod world;
