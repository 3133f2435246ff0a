//! Asks every address of every name server of operators and parent, directly, and turns the answers into samples.
//!
//! Invariant: what is not a verified, authoritative answer to the question that was asked is a [`Failure`], never an
//! empty set. Nothing is decided here.
//!
//! [`Failure`]: crate::model::history::Failure

pub mod addresses;
pub mod ask;
pub mod fresh;
pub mod inspect;
pub mod net;
pub mod resolve;
pub mod round;
pub mod sampling;
pub mod transfer;
pub mod transport;
pub mod udp;
mod validity;
