//! Stories on real name servers: every test starts `named`, `knotd` and `unbound` in a network namespace of its own,
//! drives a group of operators through a change, and lets an observer and validating resolvers judge what happened.
//!
//! Nothing here uses the crate under test: it is met only as a process, through its command line. A shared mistake
//! could otherwise pass on both sides.
//!
//! `self_check` proves the judges themselves, without Chorus: a change made rightly by hand passes, a wrong one is seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(dead_code)] // the laboratory is a vocabulary: not each story uses all of it

mod algorithm_roll;
mod bad_days;
mod bad_input;
mod capabilities;
mod control;
mod control_at_every_step;
mod data_validates;
mod desec;
mod ds_and_cds;
mod edge;
mod every_step;
mod generations;
mod groups;
mod guards_switched_off;
mod hands_of_others;
mod hosts_inside;
mod join_second_operator;
mod key_rolls;
mod killed_at_any_write;
mod lab;
mod leave_operator;
mod looking_around;
mod no_time_is_lost;
mod odd_zones;
mod operators_that_cannot;
mod other_names;
mod pages;
mod parent_serves_child;
mod parents;
mod preflight;
mod provider_cover;
mod provider_pairs;
mod replace_operator;
mod self_check;
mod self_check_cast;
mod signs_too_early;
mod silent_and_stale;
mod stage;
