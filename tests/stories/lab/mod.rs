//! The laboratory: a parent, operators, resolvers, an observer and the program under test, on loopback addresses of a
//! network namespace that only this test sees. Invariant: when the test ends, however it ends, no process is left.
//!
//! Addresses: parent .1 and .2, operators .11 to .15, a fresh BIND .38, Chorus .40; the same numbers under fd00:c0::/64. Port 53 everywhere.

pub mod agent;
pub mod algorithms;
pub mod browser;
pub mod chorus;
#[path = "../../../providers/tests/common/desec/stand_in/mod.rs"]
#[allow(dead_code)]
pub mod desec;
pub mod dns;
mod doctored;
pub mod fresh;
pub mod network;
pub mod notify;
pub mod observer;
pub mod operator;
pub mod parent;
pub mod powerdns;
mod probing;
pub mod process;
pub mod proof;
mod proof_worked_numbers;
pub mod releases;
pub mod resolvers;
pub mod rolls;
pub mod signers;
pub mod udp_only;
pub mod unbound;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use agent::DnssecCdsAgent;
pub use chorus::Chorus;
pub use fresh::AtEnds;
pub use network::in_own_network;
pub use observer::Observer;
pub use operator::{Algorithm, Fault, Hosts, Keys, Operator, OperatorSpec, Second};
pub use parent::{Parent, ParentSpec};
pub use resolvers::Resolvers;
pub use rolls::Roll;
pub use unbound::Unbound;

/// The zone that every story is about.
pub const CHILD: &str = "child.example.";

pub struct Lab {
    name: &'static str,
    dir: Option<tempfile::TempDir>,
    pub started: Instant,
    names_of_operators: RefCell<Vec<&'static str>>,
}

impl Lab {
    pub fn new(name: &'static str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("chorus-{name}-")).tempdir().expect("temporary directory");
        Self { name, dir: Some(dir), started: Instant::now(), names_of_operators: RefCell::default() }
    }

    pub fn path(&self) -> &Path {
        self.dir.as_ref().expect("lives as long as the lab").path()
    }

    pub fn subdirectory(&self, name: &str) -> PathBuf {
        let dir = self.path().join(name);
        std::fs::create_dir_all(&dir).expect("directory in the lab");
        dir
    }

    /// BIND as an operator, started, its first keys made, not yet delegated to.
    pub fn bind(&self, spec: OperatorSpec) -> Operator {
        Operator::start(self, operator::Server::Bind, spec)
    }

    pub fn knot(&self, spec: OperatorSpec) -> Operator {
        Operator::start(self, operator::Server::Knot, spec)
    }

    pub fn parent(&self, spec: ParentSpec) -> Parent {
        Parent::start(self, spec)
    }

    /// Prints one line of the story with its time, so that a failed run can be read.
    pub fn tell(&self, what: &str) {
        eprintln!("[{} {:7.3}s] {what}", self.name, self.started.elapsed().as_secs_f64());
    }

    /// 1 for operator "a", 2 for "b", ...: addresses and data follow from it.
    fn number_of(&self, name: &'static str) -> u8 {
        let number = name.as_bytes()[0] - b'a' + 1;
        assert!(name.len() == 1 && (1..=5).contains(&number), "operators are called a to e, not {name:?}");
        let mut taken = self.names_of_operators.borrow_mut();
        assert!(!taken.contains(&name), "operator {name} exists already");
        taken.push(name);
        number
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("[{}] failed; logs and configurations are kept in {}", self.name, dir.keep().display());
        }
    }
}

pub fn v4(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, number))
}

/// The number is written the same way in decimal (127.0.1.11) and in hexadecimal (fd00:c0::11), for the reader's sake.
pub fn v6(number: u8) -> IpAddr {
    format!("fd00:c0::{number}").parse().expect("an IPv6 address")
}

pub fn port53(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, 53)
}

/// Waits for a state, asking every 50 ms; fails naming what was awaited.
pub async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "waited {} s in vain: {what}", limit.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for what takes asking, such as a command; gives what was found.
pub async fn until_found<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {} s in vain: {what}", limit.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Lets caches run down. The only sleep of the stories: nothing in a server shows that a TTL has passed elsewhere.
pub async fn ttl_passes(ttl_s: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(ttl_s) * 1000 + 700)).await;
}
