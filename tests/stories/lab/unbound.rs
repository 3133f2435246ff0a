//! unbound as the instrument of `probing`: started with a few lines, steered through its control socket while it runs.
//! It decides nothing. The process belongs to the story's thread; `Resolver` is what other threads may hold of it.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::process::{Running, binary};
use super::{CHILD, Lab};

pub struct Unbound {
    pub process: Running,
    pub ip: IpAddr,
    pub control: PathBuf,
}

/// The part of an unbound that threads use; the process stays with the story's thread.
#[derive(Clone)]
pub struct Resolver {
    pub ip: IpAddr,
    pub control: PathBuf,
}

impl Unbound {
    pub fn start(lab: &Lab, what: &str, number: u8, validator: bool, anchors: &[String], upstream: &str) -> Self {
        Self::start_in(lab.subdirectory(what), number, validator, anchors, upstream)
    }

    pub fn start_in(dir: PathBuf, number: u8, validator: bool, anchors: &[String], upstream: &str) -> Self {
        std::fs::create_dir_all(&dir).expect("directory in the lab");
        let ip = IpAddr::from([127, 0, 3, number]);
        let control = dir.join("control");
        let modules = if validator { "validator iterator" } else { "iterator" };
        let anchors = match validator {
            true => anchors.iter().map(|anchor| format!("  trust-anchor: \"{anchor}\"\n")).collect(),
            false => String::new(),
        };
        let configuration = format!(
            "server:\n  interface: {ip}\n  directory: \"{dir}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
             use-syslog: no\n  logfile: \"\"\n  val-log-level: 2\n  num-threads: 1\n  do-daemonize: no\n  \
             access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n  module-config: \"{modules}\"\n  \
             ede: yes\n  val-bogus-ttl: 1\n  aggressive-nsec: no\n  qname-minimisation: no\n  prefetch: no\n  \
             serve-expired: no\n  harden-algo-downgrade: yes\n  target-fetch-policy: \"0 0 0 0 0\"\n  infra-host-ttl: 1\n  \
             local-zone: \"example.\" nodefault\n  local-zone: \"2.0.192.in-addr.arpa.\" nodefault\n  msg-cache-size: 1m\n  rrset-cache-size: 1m\n  key-cache-size: 1m\n\
             {anchors}remote-control:\n  control-enable: yes\n  control-interface: \"{control}\"\n  control-use-cert: no\n\
             {upstream}",
            dir = dir.display(),
            control = control.display(),
        );
        std::fs::write(dir.join("unbound.conf"), configuration).expect("configuration");
        let process =
            Running::start("unbound", &binary("unbound", "unbound"), &["-d", "-c", "unbound.conf"], &dir, &[]);
        Self { process, ip, control }
    }

    pub fn resolver(&self) -> Resolver {
        Resolver { ip: self.ip, control: self.control.clone() }
    }
}

impl Resolver {
    /// unbound's control protocol is one line on a socket; a process per command would cost more than the probes.
    pub fn control(&self, command: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        let exchange = || {
            let mut stream = UnixStream::connect(&self.control)?;
            stream.write_all(format!("UBCT1 {command}\n").as_bytes())?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply).map(|_| reply)
        };
        loop {
            match exchange() {
                Ok(reply) if reply.starts_with("ok") => return,
                Ok(reply) => panic!("unbound refused `{command}`: {reply}"),
                Err(error) if Instant::now() > end => panic!("unbound does not take `{command}`: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// From now on asks only these addresses (separated by blanks) about the child zone; its cache stays.
    pub fn pin(&self, addresses: &str) {
        self.control(&format!("stub_add {CHILD} {addresses}"));
    }

    /// Everything below the parent's keys, with what unbound remembers of bad keys.
    pub fn flush(&self) {
        self.control("flush_zone example.");
    }
}
