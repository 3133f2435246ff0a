//! Tells a secondary every few seconds that its zone has changed (RFC 1996), unless the story holds it back.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::RecordType;

use super::{CHILD, dns, port53};

const EVERY: Duration = Duration::from_secs(3);

pub struct Notifies {
    at: IpAddr,
    held: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Notifies {
    pub fn start(at: IpAddr) -> Self {
        let (held, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_held, is_over) = (held.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                if !is_held.load(Ordering::SeqCst) {
                    notify(at);
                }
                std::thread::park_timeout(EVERY);
            }
        });
        Self { at, held, over, thread: Some(thread) }
    }

    /// From now on the secondary keeps what it has, or goes on.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// Once, whether it is held or not.
    pub fn once(&self) {
        notify(self.at);
    }
}

impl Drop for Notifies {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Nobody waits for the answer: what got lost is said again.
fn notify(at: IpAddr) {
    let mut message = Message::new(1996, MessageType::Query, OpCode::Notify);
    message.metadata.authoritative = true;
    message.add_query(Query::query(dns::name(CHILD), RecordType::SOA));
    let bytes = message.to_vec().expect("a message of one question");
    let any = if at.is_ipv4() { "127.0.0.1:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).expect("a socket");
    let _ = socket.send_to(&bytes, port53(at));
}
