//! `chorus parent-agent`: the agent of a parent zone (RFC 7344 §2.1). It polls the parent's delegations, and makes the DS
//! sets and delegations there follow what the children ask for by CDS, CDNSKEY and CSYNC.
//!
//! `decide` says what is to be done and is pure; `read` asks; `update` changes the parent; `run` goes round.

pub mod config;
pub mod decide;
pub mod read;
pub mod run;
mod update;

pub use config::AgentConfig;
pub use run::{AgentError, run, run_from_file};
