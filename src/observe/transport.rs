//! How a DNS question reaches one address and its answer comes back: octets in, octets out.
//!
//! The engine is given a [`Transport`], so that a simulated network can stand in for the real one. Whether an answer may
//! be believed is decided in `ask`.

use async_trait::async_trait;
use std::net::SocketAddr;

/// Which transport protocol to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Udp,
    Tcp,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer in time")]
    Timeout,
    #[error("no connection: {0}")]
    Connection(String),
    /// The kernel of this host knows no way there: nothing was sent.
    #[error("this host has no route to the address")]
    NoRoute,
}

/// What becomes of each message of a zone transfer.
pub type Take<'t> = dyn FnMut(&[u8]) -> Option<bool> + Send + 't;

/// One exchange with one address. An implementation checks that an answer comes from the address that was asked; for
/// UDP it drops what has another id than `query` and goes on waiting.
#[async_trait]
pub trait Transport: Send + Sync {
    async fn exchange(&self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer>;

    /// Asks for a zone transfer over TCP, and hands each message to `take` until that says that it was the last (`Some(false)`)
    /// or that it is none (`None`).
    async fn transfer(&self, _server: SocketAddr, _query: &[u8], _take: &mut Take<'_>) -> Result<(), NoAnswer> {
        Err(NoAnswer::Connection("zones are not transferred here".into()))
    }

    /// Whether the user has said that addresses like this one cannot be observed from here, and are to be left out.
    fn leaves_out(&self, _server: SocketAddr) -> bool {
        false
    }
}
