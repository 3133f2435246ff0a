//! The core without servers: guards, checks and ladders on histories that are written by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

mod abilities;
mod algorithm_roll;
mod denied;
mod ds_and_cds;
mod edge;
mod forecasts;
mod gaps;
mod guards_and_check_agree;
mod histories;
mod in_flight;
mod key_rolls;
mod ladder_walks_a_join_and_a_leave;
#[cfg(feature = "guard-switches")]
mod left_out;
mod model_is_pure;
mod oracle;
mod ownership;
mod pauses;
mod preflight_and_handing_over;
mod preflight_findings;
mod preflight_findings_of_zones;
mod reached;
mod registrar;
mod roles;
mod support;
mod told_together;
mod unseen;
mod unusable;
mod without_the_leaver;
mod worked_numbers;
mod world;
