//! The ways a parent is reached, and the parental agent.

pub mod agent;
