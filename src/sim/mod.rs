//! The simulated world: operators, a parent, a network and an owner in virtual time, around the engine's own code.
//!
//! Invariant: everything follows from the seed, and nothing here decides anything that the controller should: it runs
//! unchanged, on ports that are this world. Whether a resolver failed is said by [`oracle`], which shares no code with the
//! planner.

mod address;
mod adopt;
mod catalogue;
mod certificates;
mod chance;
mod crash;
mod edge;
mod fate;
mod genesis;
mod late;
mod leftovers;
mod log;
mod moves;
mod operator;
pub mod oracle;
mod owner;
mod parent;
mod ports;
mod records;
mod roll;
mod run;
mod whims;
mod world;

pub use certificates::disagreements;
pub use leftovers::Leftover;
pub use run::{End, Options, Report, run};
