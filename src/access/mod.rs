//! Who may do what: accounts with a role, sessions, API tokens; and whoever asks, as the log names them.
//!
//! Invariant: a permission is held by a role or a token and asked for by a route; nothing else grants anything. No DNS, no
//! transitions here.

mod caller;
mod permission;

pub use caller::{Caller, Means};
pub use permission::{Permission, Role};
