//! An address that answers by UDP and refuses TCP: what a firewall makes of a name server. It hands every datagram to the
//! server behind it, and the answer back; it changes nothing.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::port53;

pub struct UdpOnly {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpOnly {
    pub fn start(at: IpAddr, behind: IpAddr) -> Self {
        let front = UdpSocket::bind(port53(at)).expect("the address is free");
        let back = UdpSocket::bind((behind, 0)).expect("a free port");
        back.connect(port53(behind)).expect("UDP connects to nothing");
        // The first wait ends so that the thread can end, the second because an answer may never come.
        front.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        back.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut octets = [0; 65_535];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, asker)) = front.recv_from(&mut octets) else { continue };
                let id = octets[..2].to_vec();
                if back.send(&octets[..length]).is_err() {
                    continue;
                }
                // An answer that came too late belongs to an earlier question.
                while let Ok(length) = back.recv(&mut octets) {
                    if octets[..2] == id {
                        let _ = front.send_to(&octets[..length], asker);
                        break;
                    }
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for UdpOnly {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
