//! The simulated world: what judges it, and nothing of the controller's own.

pub mod oracle;
