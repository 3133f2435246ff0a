//! Who may do what: accounts with a role, sessions, API tokens; and whoever asks, as the log names them.
//!
//! Invariant: a permission is held by a role or a token and asked for by a route; nothing else grants anything. No DNS, no
//! transitions here.

mod attempts;
mod caller;
pub mod one_time_code;
mod password;
mod permission;

pub use attempts::Attempts;
pub use caller::{Caller, Means};
pub use password::{Password, SHORTEST as PASSWORD_SHORTEST};
pub use permission::{Permission, Role};
