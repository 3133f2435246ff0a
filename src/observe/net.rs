//! The real network: UDP and TCP sockets (RFC 1035 §4.2, RFC 7766), each question with a deadline.
//!
//! Invariant: an answer comes from the address that was asked. Every UDP question has a socket of its own, so the
//! kernel picks a new random source port, and the socket is connected, so the kernel drops what others send. Sockets
//! that are open at the same time are bounded. What an answer says is judged in `ask`.

use crate::observe::transport::{NoAnswer, Protocol, Take, Transport};
use async_trait::async_trait;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::timeout;

/// From connecting to the last octet. Longer than a resolver waits; a server that is slower than this is not usable.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(5);
/// For each of [`UDP_TRIES`].
pub const UDP_TIMEOUT: Duration = Duration::from_secs(2);
/// One lost packet is no fact about a server; two in a row are.
pub const UDP_TRIES: u32 = 2;
/// Sockets open at once. Well below the usual limit of 1024 descriptors per process.
pub const SOCKETS_MAX: usize = 256;
/// TCP connections open at once, to all servers.
pub const CONNECTIONS_MAX: usize = 256;
/// TCP connections to one address at once: most servers allow a client some ten to a hundred, and an address that takes
/// connections and says nothing must not keep all others waiting.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 16;
/// Addresses beyond which those that nobody is asking are forgotten.
const ADDRESSES_KEPT: usize = 1024;

/// The network of the host.
#[derive(Clone, Debug)]
pub struct NetTransport {
    tcp_timeout: Duration,
    udp_timeout: Duration,
    without_ipv6: bool,
    sockets: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<SocketAddr, Arc<Semaphore>>>>,
}

impl Default for NetTransport {
    fn default() -> Self {
        NetTransport::with_timeouts(TCP_TIMEOUT, UDP_TIMEOUT)
    }
}

impl NetTransport {
    /// `tcp` is for a whole exchange, `udp` for each of [`UDP_TRIES`].
    pub fn with_timeouts(tcp: Duration, udp: Duration) -> NetTransport {
        NetTransport {
            tcp_timeout: tcp,
            udp_timeout: udp,
            without_ipv6: false,
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            addresses: Arc::default(),
        }
    }

    /// For a host without IPv6, when its user says that IPv6 addresses are not to be observed.
    #[must_use]
    pub fn without_ipv6(self, without_ipv6: bool) -> NetTransport {
        NetTransport { without_ipv6, ..self }
    }

    /// The connections that this address may have.
    fn connections_to(&self, server: SocketAddr) -> Arc<Semaphore> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES_KEPT {
            addresses.retain(|_, limit| Arc::strong_count(limit) > 1);
        }
        let limit = addresses.entry(server);
        limit.or_insert_with(|| Arc::new(Semaphore::new(CONNECTIONS_PER_ADDRESS_MAX))).clone()
    }
}

#[async_trait]
impl Transport for NetTransport {
    async fn exchange(&self, server: SocketAddr, protocol: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let closed = |e: AcquireError| NoAnswer::Connection(e.to_string());
        // Waiting for one's turn is not the server's fault, so it is outside the deadline.
        let answered = match protocol {
            Protocol::Udp => {
                let _turn = self.sockets.acquire().await.map_err(closed)?;
                udp(server, query, self.udp_timeout).await
            }
            Protocol::Tcp => {
                let address = self.connections_to(server);
                // First the address, then all: whoever waits for a busy address is in nobody's way.
                let _turn_there = address.acquire().await.map_err(closed)?;
                let _turn = self.connections.acquire().await.map_err(closed)?;
                match timeout(self.tcp_timeout, tcp(server, query)).await {
                    Ok(answer) => answer.map_err(failed),
                    Err(_) => Err(NoAnswer::Timeout),
                }
            }
        };
        answered.map_err(|error| or_no_route(error, server))
    }

    async fn transfer(&self, server: SocketAddr, query: &[u8], take: &mut Take<'_>) -> Result<(), NoAnswer> {
        let closed = |e: AcquireError| NoAnswer::Connection(e.to_string());
        let _turn = self.connections.acquire().await.map_err(closed)?;
        let ended = match timeout(TRANSFER_TIMEOUT, transfer(server, query, take)).await {
            Ok(ended) => ended.map_err(failed),
            Err(_) => Err(NoAnswer::Timeout),
        };
        ended.map_err(|error| or_no_route(error, server))
    }

    fn leaves_out(&self, server: SocketAddr) -> bool {
        self.without_ipv6 && server.is_ipv6()
    }
}

/// For a whole zone transfer.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(20);

async fn transfer(server: SocketAddr, query: &[u8], take: &mut Take<'_>) -> io::Result<()> {
    let length = u16::try_from(query.len()).map_err(|_| io::Error::other("the question is too long"))?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    loop {
        let length = stream.read_u16().await?;
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await?;
        match take(&message) {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => return Err(io::Error::other("no transfer")),
        }
    }
}

/// Tells a connection that failed on the way from one for which this host has no way at all.
fn or_no_route(error: NoAnswer, server: SocketAddr) -> NoAnswer {
    match error {
        NoAnswer::Connection(_) if !has_route(server) => NoAnswer::NoRoute,
        error => error,
    }
}

/// Whether the kernel has a route to the address, and an address of its own to send from. To connect a UDP socket sends nothing,
/// so that no router on the way and no server can have been the reason.
pub fn has_route(server: SocketAddr) -> bool {
    /// Linux: the host was built or started without this address family.
    const EAFNOSUPPORT: i32 = 97;
    let connected = std::net::UdpSocket::bind(unspecified(server)).and_then(|socket| socket.connect(server));
    connected.err().is_none_or(|error| {
        let has_none = matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable
        );
        !has_none && error.raw_os_error() != Some(EAFNOSUPPORT)
    })
}

/// A local address of the family of `server`, and whatever port is free.
fn unspecified(server: SocketAddr) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn failed(error: io::Error) -> NoAnswer {
    NoAnswer::Connection(error.to_string())
}

async fn tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(query.len()).map_err(|_| io::Error::other("the question is too long"))?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    // Length and message in one segment: some servers read them with one call.
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn udp(server: SocketAddr, query: &[u8], wait: Duration) -> Result<Vec<u8>, NoAnswer> {
    let socket = UdpSocket::bind(unspecified(server)).await.map_err(failed)?;
    socket.connect(server).await.map_err(failed)?;
    let mut last = NoAnswer::Timeout;
    // Both tries use the same socket and id, so that a late answer to the first one serves as well.
    for _ in 0..UDP_TRIES {
        match timeout(wait, send_and_receive(&socket, query)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = failed(error),
            Err(_) => last = NoAnswer::Timeout,
        }
    }
    Err(last)
}

async fn send_and_receive(socket: &UdpSocket, query: &[u8]) -> io::Result<Vec<u8>> {
    socket.send(query).await?;
    let mut buffer = vec![0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Another id: a late answer to somebody else, or a forged one. The right answer may still come.
        if length >= 2 && buffer.get(..2) == query.get(..2) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}
