//! A bad network between controller and interface: connections are passed on as they are, but for those that begin with
//! a write. It knows no protocol.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub type Meddling = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Clone)]
pub enum Fault {
    /// The write is done, its answer is lost.
    ReplyLost,
    /// The same, and from then on nothing comes through.
    ReplyLostForGood,
    /// The write itself is lost, and its connection ends.
    WriteLost,
    /// The write is swallowed, and no answer comes.
    Silence,
    /// The write is swallowed, and this is answered.
    Answer(Vec<u8>),
    /// Something happens before the write (of this number, from 0) is passed on.
    Before(Meddling),
}

pub struct Proxy {
    pub address: SocketAddr,
    writes: Arc<AtomicUsize>,
}

impl Proxy {
    /// How many writes were sent through it.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

pub async fn proxy(to: SocketAddr, is_write: fn(&[u8]) -> bool, fault: Fault) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    let counter = writes.clone();
    let closed = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if !closed.load(Ordering::SeqCst) {
                tokio::spawn(serve(client, to, is_write, fault.clone(), counter.clone(), closed.clone()));
            }
        }
    });
    Proxy { address, writes }
}

async fn serve(
    mut client: TcpStream,
    to: SocketAddr,
    is_write: fn(&[u8]) -> bool,
    fault: Fault,
    writes: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
) {
    let mut begin = vec![0; 65536];
    let length = client.read(&mut begin).await.unwrap_or(0);
    let begin = &begin[..length];
    let write = is_write(begin);
    let number = if write { writes.fetch_add(1, Ordering::SeqCst) } else { 0 };
    match &fault {
        Fault::WriteLost if write => return,
        Fault::Silence if write => std::future::pending::<()>().await,
        Fault::Answer(octets) if write => {
            let _ = client.write_all(octets).await;
            let _ = client.shutdown().await;
            while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
            return;
        }
        Fault::Before(meddle) if write => meddle(number).await,
        _ => {}
    }
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    if server.write_all(begin).await.is_err() {
        return;
    }
    if !write || matches!(fault, Fault::Before(_)) {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
    if matches!(fault, Fault::ReplyLostForGood) {
        closed.store(true, Ordering::SeqCst);
    }
    // The rest of the write, if there is any, until the server says something: then it is done.
    let (mut from_client, _) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mut said = [0; 1];
    tokio::select! {
        _ = from_server.read(&mut said) => {}
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
    }
}

/// A listener that is no such interface: it answers whatever begins a connection with these octets, and ends it; or, if
/// there are none, never.
pub async fn impostor(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = client.read(&mut [0; 65536]).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let _ = client.write_all(&answer).await;
                let _ = client.shutdown().await;
                // Until the other side has read it: closing with unread octets would reset the connection.
                while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
            });
        }
    });
    address
}
