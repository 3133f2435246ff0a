//! A bad network between controller and server: passes questions on, and does something to each update.
//!
//! It knows of DNS only the opcode in the header.

use crate::servers::ADDRESS;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Meddling = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Clone)]
pub enum Fault {
    /// The update is done, its answer is lost.
    ReplyLost,
    /// The update itself is lost, and the connection ends.
    UpdateLost,
    /// The update is taken and no answer comes.
    Silence,
    /// An unsigned NOERROR is answered instead of the server's; the update is lost.
    ForgedYes,
    /// The update is done, the signature is cut off the answer.
    SignatureLost,
    /// The last octet of the answer's signature is changed.
    SignatureWrong,
    /// The answer is not DNS.
    Garbage,
    /// Something happens before the update (of this number, from 0) is passed on.
    Before(Meddling),
}

/// Listens at the returned address and counts the updates that pass.
pub async fn proxy(fault: Fault) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let updates = Arc::new(AtomicUsize::new(0));
    let counter = updates.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, fault.clone(), counter.clone()));
        }
    });
    (address, updates)
}

/// A listener that is no name server: it answers everything with these octets, or, if there are none, never.
pub async fn impostor(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            while receive(&mut client).await.is_some() {
                match answer.is_empty() {
                    true => std::future::pending::<()>().await,
                    false => send(&mut client, &answer).await,
                }
            }
        }
    });
    address
}

async fn serve(mut client: TcpStream, fault: Fault, updates: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect(ADDRESS).await.unwrap();
    while let Some(question) = receive(&mut client).await {
        let is_update = question[2] >> 3 & 0xf == 5;
        if !is_update {
            send(&mut server, &question).await;
            let answer = receive(&mut server).await.unwrap();
            send(&mut client, &answer).await;
            continue;
        }
        let number = updates.fetch_add(1, Ordering::SeqCst);
        // Header only: id, response, opcode UPDATE, NOERROR, no records.
        let unsigned = [&question[..2], &[0xa8, 0], &[0; 8]].concat();
        match &fault {
            Fault::UpdateLost => return,
            Fault::Silence => {
                std::future::pending::<()>().await;
            }
            Fault::ForgedYes => {
                send(&mut client, &unsigned).await;
                continue;
            }
            Fault::Before(meddle) => meddle(number).await,
            _ => {}
        }
        send(&mut server, &question).await;
        let mut answer = receive(&mut server).await.unwrap();
        match &fault {
            Fault::ReplyLost => return,
            Fault::SignatureLost => answer = unsigned,
            // After the MAC come the id, the error and the length of other data: 2 octets each.
            Fault::SignatureWrong => {
                let last_of_mac = answer.len() - 7;
                answer[last_of_mac] ^= 1;
            }
            Fault::Garbage => answer = vec![0xff; 40],
            _ => {}
        }
        send(&mut client, &answer).await;
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn send(stream: &mut TcpStream, message: &[u8]) {
    let framed = [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat();
    let _ = stream.write_all(&framed).await;
}
