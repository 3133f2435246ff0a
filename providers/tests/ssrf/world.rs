//! A world in which every address answers: all of IPv4 and IPv6 leads to this machine, where a listener keeps to which address
//! each connection went. So a connection that should not have been made is seen, whatever its address.
//!
//! It is a network and a view of the file system of the test's own: the resolver of the operating system, which Chorus uses,
//! is told to ask the test's name server.

use nix::sched::{CloneFlags, unshare};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Those of URLs that name none, and one more.
const PORTS: [u16; 3] = [80, 443, 8081];

/// Nothing but [`World::connections`] connects to it.
const MARK: &str = "127.77.77.77";

/// Runs a story in a thread of its own, to which the world is as said above.
pub fn alone<F: Future<Output = ()>>(story: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("namespaces (need root)");
        for arguments in ["link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"] {
            run("/usr/sbin/ip", arguments);
        }
        let directory = tempfile::tempdir().unwrap();
        run("/usr/bin/mount", "--make-rprivate /");
        // No search list, and no other source of names than DNS.
        shadow("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch .\noptions timeout:5 attempts:2\n", directory.path());
        shadow("/etc/nsswitch.conf", "hosts: dns\n", directory.path());
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// For this thread, and those that it starts, the file has another content.
fn shadow(file: &str, content: &str, directory: &Path) {
    let other = directory.join(file.replace('/', "-"));
    std::fs::write(&other, content).unwrap();
    run("/usr/bin/mount", &format!("--bind {} {file}", other.display()));
}

fn run(program: &str, arguments: &str) {
    let done = Command::new(program).args(arguments.split(' ')).status().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(done.success(), "{program} {arguments}");
}

pub struct World {
    answer: Arc<Mutex<String>>,
    connected: mpsc::UnboundedReceiver<SocketAddr>,
}

impl World {
    /// Whatever is said to it, this is its answer.
    pub async fn start(answer: &str) -> World {
        let (tell, connected) = mpsc::unbounded_channel();
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        for port in PORTS {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await.unwrap();
            let (tell, answer) = (tell.clone(), answer.clone());
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let to = client.local_addr().unwrap();
                    let _ = tell.send(SocketAddr::new(to.ip().to_canonical(), to.port()));
                    let answer = answer.lock().unwrap().clone();
                    tokio::spawn(reply(client, answer));
                }
            });
        }
        World { answer, connected }
    }

    pub fn answers(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    /// To which addresses connections went since the last time. A connection that waits to be accepted counts: the marks come
    /// after it.
    pub async fn connections(&mut self) -> Vec<IpAddr> {
        let mark: IpAddr = MARK.parse().unwrap();
        let mut marks = Vec::new();
        for port in PORTS {
            marks.push(TcpStream::connect((mark, port)).await.unwrap());
        }
        let mut connections = Vec::new();
        let mut awaited = PORTS.len();
        while awaited > 0 {
            match self.connected.recv().await.unwrap().ip() {
                ip if ip == mark => awaited -= 1,
                ip => connections.push(ip),
            }
        }
        connections
    }
}

async fn reply(mut client: TcpStream, answer: String) {
    let _ = client.read(&mut [0; 65536]).await;
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
    // Until the other side has read it: closing with unread octets would reset the connection.
    while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
}
