//! Real name servers, each test's own: BIND or Knot in a network namespace that only this test sees.
//!
//! A test that cannot have its server fails; it is never skipped. All servers sign `music1.example`, listen on the same
//! address and port 53, and take updates signed with `ctl.`, `ctl384.` and `ctl512.`; they know `stranger.` and permit
//! it nothing.

use base64::Engine;
use chorus_providers::Provider;
use chorus_providers::rfc2136::{Rfc2136, Rfc2136Config, UnixClock};
use chorus_providers::tsig::{Secret, TsigAlgorithm, TsigKey};
use hickory_proto::rr::{Name, RecordType};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub const SECRET: &str = "secret-secret-secret-secret-0123";
pub const ADDRESS: &str = "127.0.1.11:53";

/// What differs from the configuration that the facts recommend.
#[derive(Clone, Default)]
pub struct Setting {
    /// BIND: `inline-signing yes`.
    pub inline_signing: bool,
    /// Knot: `dnskey-management` as it is by default.
    pub knot_default_policy: bool,
    pub hosts: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bind,
    Knot,
}

pub struct Server {
    child: Child,
    directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("the server's log:\n{log}");
        }
    }
}

pub fn zone() -> Name {
    Name::from_ascii("music1.example.").unwrap()
}

pub fn clock() -> UnixClock {
    clock_off_by(0)
}

#[allow(clippy::disallowed_methods)]
pub fn clock_off_by(seconds: i64) -> UnixClock {
    Arc::new(move || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        now.checked_add_signed(seconds).unwrap()
    })
}

pub fn key(name: &str, algorithm: TsigAlgorithm, secret: &str) -> TsigKey {
    let secret = Secret::from_octets(secret.as_bytes().to_vec()).unwrap();
    TsigKey::new(Name::from_ascii(name).unwrap(), algorithm, secret)
}

pub fn config(address: &str, name: &str, secret: &str) -> Rfc2136Config {
    let address: SocketAddr = address.parse().unwrap();
    Rfc2136Config::new(address, key(name, TsigAlgorithm::HmacSha256, secret))
}

/// The provider as it should be, reached at `address`.
pub fn provider_at(address: &str) -> Rfc2136 {
    Rfc2136::new(config(address, "ctl.", SECRET), clock())
}

pub fn provider() -> Rfc2136 {
    provider_at(ADDRESS)
}

/// Runs a story in a thread and a network namespace of its own.
pub fn alone<F: Future<Output = ()>>(story: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace (needs root)");
        for arguments in ["link set lo up", "addr add 127.0.1.11/32 dev lo"] {
            let done = Command::new("/usr/sbin/ip").args(arguments.split(' ')).status().expect("/usr/sbin/ip");
            assert!(done.success(), "ip {arguments}");
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

pub async fn start(kind: Kind, setting: Setting) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("zone"), zone_file(setting.hosts)).unwrap();
    let (program, arguments) = match kind {
        Kind::Bind => ("/usr/sbin/named", ["-g", "-c"]),
        Kind::Knot => ("/usr/sbin/knotd", ["-v", "-c"]),
    };
    let configuration = path.join("server.conf");
    let text = match kind {
        Kind::Bind => bind(&setting),
        Kind::Knot => knot(&setting, path),
    };
    std::fs::write(&configuration, text).unwrap();
    let log = std::fs::File::create(path.join("log")).unwrap();
    let child = Command::new(program)
        .args(arguments)
        .arg(PathBuf::from(&configuration))
        .current_dir(path)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"));
    let server = Server { child, directory };
    let signed = async {
        loop {
            let types = [RecordType::DNSKEY];
            if provider().read(&zone(), &types).await.is_ok_and(|sets| !sets.is_empty()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), signed).await.expect("the server signs the zone");
    server
}

/// One name server's name is in mixed case: what is read and what is required of it must still be the same.
fn zone_file(hosts: usize) -> String {
    let mut text = String::from(
        "$TTL 5\n@ SOA ns1 hostmaster 1 3600 600 86400 5\n@ NS Ns1.Music1.Example.\n@ NS ns.Elsewhere.test.\n\
         ns1 A 127.0.1.11\nwww 300 A 192.0.2.1\n",
    );
    for n in 0..hosts {
        writeln!(text, "h{n} A 192.0.2.1").unwrap();
    }
    text
}

fn keys() -> [(&'static str, &'static str, String); 4] {
    let secret = base64::engine::general_purpose::STANDARD.encode(SECRET);
    [("ctl.", "hmac-sha256"), ("ctl384.", "hmac-sha384"), ("ctl512.", "hmac-sha512"), ("stranger.", "hmac-sha256")]
        .map(|(name, algorithm)| (name, algorithm, secret.clone()))
}

fn bind(setting: &Setting) -> String {
    let mut text = String::new();
    for (name, algorithm, secret) in keys() {
        writeln!(text, "key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};").unwrap();
    }
    let grants = keys().map(|(name, ..)| match name {
        "stranger." => String::new(),
        _ => format!("grant \"{name}\" name music1.example. DNSKEY CDS CDNSKEY CSYNC NS; "),
    });
    let inline = if setting.inline_signing { "yes" } else { "no" };
    write!(
        text,
        "options {{ directory \".\"; pid-file \"named.pid\"; session-keyfile \"session.key\";
           managed-keys-directory \".\"; key-directory \".\"; listen-on port 53 {{ 127.0.1.11; }};
           listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify no; minimal-responses yes;
           allow-transfer {{ key \"ctl.\"; }}; }};
         controls {{ }};
         dnssec-policy \"split\" {{ dnskey-ttl 5; max-zone-ttl 600; publish-safety 1; retire-safety 1;
           zone-propagation-delay 1; parent-ds-ttl 5; parent-propagation-delay 1; purge-keys 0;
           keys {{ ksk lifetime unlimited algorithm ecdsap256sha256;
             zsk lifetime unlimited algorithm ecdsap256sha256; }}; }};
         zone \"music1.example\" {{ type primary; file \"zone\"; dnssec-policy \"split\"; inline-signing {inline};
           update-policy {{ {} }}; }};\n",
        grants.concat()
    )
    .unwrap();
    text
}

fn knot(setting: &Setting, path: &Path) -> String {
    let path = path.display();
    std::fs::create_dir(format!("{path}/db")).unwrap();
    let mut text = format!(
        "server:\n    rundir: \"{path}\"\n    listen: 127.0.1.11@53\n    automatic-acl: off\n\
         log:\n  - target: stdout\n    any: info\ndatabase:\n    storage: \"{path}/db\"\nkey:\n"
    );
    for (name, algorithm, secret) in keys() {
        writeln!(text, "  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}").unwrap();
    }
    let management = if setting.knot_default_policy { "" } else { "    dnskey-management: incremental\n" };
    write!(
        text,
        "acl:
  - id: update
    key: [ctl., ctl384., ctl512.]
    action: update
    update-type: [DNSKEY, CDS, CDNSKEY, CSYNC, NS]
    update-owner: zone
    update-owner-match: equal
  - id: transfer
    key: ctl.
    action: transfer
policy:
  - id: ms
    algorithm: ecdsap256sha256
    ksk-lifetime: 0
    zsk-lifetime: 0
    dnskey-ttl: 5
    zone-max-ttl: 600
    propagation-delay: 1
    delete-delay: 2
{management}    cds-cdnskey-publish: always
zone:
  - domain: music1.example
    storage: \"{path}\"
    file: zone
    zonefile-load: difference
    zonefile-sync: 0
    journal-content: changes
    dnssec-signing: on
    dnssec-policy: ms
    serial-policy: increment
    acl: [update, transfer]
"
    )
    .unwrap();
    text
}
