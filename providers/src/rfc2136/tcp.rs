//! One TCP connection to the server that takes the updates: length-prefixed messages (RFC 1035 §4.2.2).
//!
//! Only TCP is used: an UPDATE over UDP would have to be repeated when it is lost, and a repeated UPDATE fails on its own
//! first copy's work. What is in the messages is not looked at here.

use crate::error::ProviderError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long enough for a far server's handshake with two lost packets (retransmissions at 1 s and 3 s).
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;

/// Knot was seen to take 0.9 s for an update when its one background worker was busy; ten times that.
pub const ANSWER_TIMEOUT_MS: u64 = 10_000;

pub(super) struct Connection {
    server: SocketAddr,
    stream: TcpStream,
    answer_timeout_ms: u64,
}

impl Connection {
    pub(super) async fn open(
        server: SocketAddr,
        connect_timeout_ms: u64,
        answer_timeout_ms: u64,
    ) -> Result<Connection, ProviderError> {
        let failed = |reason: String| ProviderError::Connection { server, reason };
        let stream = timeout(Duration::from_millis(connect_timeout_ms), TcpStream::connect(server))
            .await
            .map_err(|_| failed(format!("not within {connect_timeout_ms} ms")))?
            .map_err(|e| failed(e.to_string()))?;
        // Small messages, and each is waited for: holding one back for more to send would only cost time.
        stream.set_nodelay(true).map_err(|e| failed(e.to_string()))?;
        Ok(Connection { server, stream, answer_timeout_ms })
    }

    /// Sends one message. When this fails the server cannot have the whole message, and so has done nothing.
    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), ProviderError> {
        let server = self.server;
        let length = u16::try_from(message.len()).map_err(|_| ProviderError::Unsupported {
            what: String::from("the message is longer than 65535 octets"),
        })?;
        let mut framed = Vec::with_capacity(2 + message.len());
        framed.extend(length.to_be_bytes());
        framed.extend(message);
        let failed = |reason: String| ProviderError::Connection { server, reason };
        timeout(Duration::from_millis(self.answer_timeout_ms), self.stream.write_all(&framed))
            .await
            .map_err(|_| failed(String::from("it takes no data")))?
            .map_err(|e| failed(e.to_string()))
    }

    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, ProviderError> {
        let (server, after_ms) = (self.server, self.answer_timeout_ms);
        let stream = &mut self.stream;
        let framed = async {
            let length = usize::from(stream.read_u16().await?);
            let mut message = vec![0; length];
            stream.read_exact(&mut message).await?;
            Ok::<_, std::io::Error>(message)
        };
        timeout(Duration::from_millis(after_ms), framed)
            .await
            .map_err(|_| ProviderError::Timeout { server, after_ms })?
            .map_err(|e| ProviderError::Connection { server, reason: format!("it ended before the answer ({e})") })
    }
}
