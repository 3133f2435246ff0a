//! A real PowerDNS with a SQLite database, in the test's own network and directory.
//!
//! It serves the zone of `servers` at the same address; its interface is beside it. Caches are as by default: what is
//! written has to be seen at once nevertheless. A test that cannot have its server fails.

use crate::servers::{ADDRESS, zone};
use chorus_providers::http::{AllowedNets, ApiKey, HttpConfig};
use chorus_providers::powerdns::PowerDns;
use chorus_providers::rfc2136::Rfc2136;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub const KEY: &str = "key-of-the-interface-0123456789";
pub const INTERFACE: &str = "127.0.1.11:8081";

const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// What differs from the configuration that is asked for.
#[derive(Clone, Default)]
pub struct Setting {
    /// Lines of pdns.conf; the last one of a name counts.
    pub lines: Vec<&'static str>,
    /// Commands of pdnsutil on the zone, before the server starts: `%` is the zone.
    pub commands: Vec<&'static str>,
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

impl Server {
    /// Runs pdnsutil on the server's database while the server runs.
    pub fn util(&self, command: &str) {
        util(self.directory.path(), command);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

pub fn config(address: SocketAddr, key: &str) -> HttpConfig {
    let nets = AllowedNets::with(vec!["127.0.0.0/8".parse().unwrap()]);
    HttpConfig::new(&format!("http://{address}"), ApiKey::from_text(key).unwrap(), nets)
}

/// The provider as it should be, reached at `address`.
pub fn provider_at(address: SocketAddr) -> PowerDns {
    let mut config = config(address, KEY);
    config.answer_timeout_ms = 3000;
    PowerDns::new(&config, "localhost").unwrap()
}

pub fn interface() -> SocketAddr {
    INTERFACE.parse().unwrap()
}

pub fn provider() -> PowerDns {
    provider_at(interface())
}

pub fn major_version() -> u32 {
    let output = Command::new("pdns_server").arg("--version").output().expect("pdns_server");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let at = text.find("Server ").expect("a version") + "Server ".len();
    text[at..].split('.').next().unwrap().parse().unwrap()
}

pub async fn start(setting: &Setting) -> Server {
    start_with(setting, ZONE, &["ksk", "zsk"]).await
}

/// With another zone of the same name, and a key for each of these roles.
pub async fn start_with(setting: &Setting, zone_text: &str, roles: &[&str]) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("pdns.conf"), configuration(path, setting)).unwrap();
    let schema = std::fs::File::open(SCHEMA)
        .unwrap_or_else(|e| panic!("{SCHEMA} (of pdns-backend-sqlite3) is needed for this test: {e}"));
    let made = Command::new("sqlite3").arg(path.join("db.sqlite3")).stdin(schema).status().expect("sqlite3");
    assert!(made.success());
    std::fs::write(path.join("zone"), zone_text).unwrap();
    let load = format!("load-zone % {}/zone", path.display());
    let keys = roles.iter().map(|role| format!("add-zone-key % {role} active published ecdsa256"));
    let given = ["set-meta % SOA-EDIT-API INCREASE".to_owned()];
    let chosen = setting.commands.iter().map(|command| (*command).to_owned());
    let last = ["rectify-zone %".to_owned()];
    for command in [load].into_iter().chain(keys).chain(given).chain(chosen).chain(last) {
        util(path, &command);
    }
    let log = std::fs::File::create(path.join("log")).unwrap();
    let child = Command::new("pdns_server")
        .arg(format!("--config-dir={}", path.display()))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("pdns_server (of pdns-server) is needed for this test: {e}"));
    let server = Server { child, directory };
    let answers = async {
        while tokio::net::TcpStream::connect(INTERFACE).await.is_err()
            || crate::servers::provider()
                .read_at(&zone(), &zone(), &[hickory_proto::rr::RecordType::SOA])
                .await
                .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.expect("PowerDNS serves the zone");
    server
}

fn util(directory: &Path, command: &str) {
    let name = zone().to_ascii();
    let arguments = command.split(' ').map(|word| if word == "%" { name.trim_end_matches('.') } else { word });
    let output = Command::new("pdnsutil")
        .arg(format!("--config-dir={}", directory.display()))
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("pdnsutil (of pdns-server) is needed for this test: {e}"));
    assert!(output.status.success(), "pdnsutil {command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What it takes to be driven by updates, with the keys of the other servers.
pub fn by_updates() -> Setting {
    let commands = vec![
        "import-tsig-key ctl. hmac-sha256 c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM=",
        "set-meta % ALLOW-DNSUPDATE-FROM 127.0.0.0/8",
        "set-meta % TSIG-ALLOW-DNSUPDATE ctl.",
        "set-meta % TSIG-ALLOW-AXFR ctl.",
        "set-meta % SOA-EDIT-DNSUPDATE INCREASE",
    ];
    Setting { lines: vec!["dnsupdate=yes", "allow-axfr-ips="], commands }
}

/// The provider for that, reached at `address`.
pub fn provider_by_updates(address: &str, secret: &str) -> Rfc2136 {
    let mut config = crate::servers::config(address, "ctl.", secret);
    config.answer_timeout_ms = 3000;
    Rfc2136::new(config, crate::servers::clock())
}

/// As that of the other servers; names of name servers are in mixed case.
pub const ZONE: &str = "$ORIGIN music1.example.\n$TTL 5\n@ SOA ns1 hostmaster 1 3600 600 86400 5\n\
    @ NS Ns1.Music1.Example.\n@ NS ns.Elsewhere.test.\nns1 A 127.0.1.11\nwww 300 A 192.0.2.1\n\
    txt TXT \"a;b\" \"\\195\\164 \\\"\"\n";

fn configuration(directory: &Path, setting: &Setting) -> String {
    let directory = directory.display();
    let dns: SocketAddr = ADDRESS.parse().unwrap();
    let api = interface();
    let mut lines: Vec<String> = [
        "launch=gsqlite3".to_owned(),
        format!("gsqlite3-database={directory}/db.sqlite3"),
        "gsqlite3-dnssec=yes".into(),
        "gsqlite3-pragma-synchronous=0".into(),
        format!("local-address={}", dns.ip()),
        format!("local-port={}", dns.port()),
        format!("socket-dir={directory}"),
        "setuid=".into(),
        "setgid=".into(),
        "daemon=no".into(),
        "guardian=no".into(),
        "disable-syslog=yes".into(),
        "write-pid=no".into(),
        "loglevel=5".into(),
        "api=yes".into(),
        format!("api-key={KEY}"),
        format!("webserver-address={}", api.ip()),
        format!("webserver-port={}", api.port()),
        "webserver-allow-from=127.0.0.0/8".into(),
        "security-poll-suffix=".into(),
        "direct-dnskey=yes".into(),
    ]
    .into();
    for line in &setting.lines {
        let name = line.split('=').next().unwrap();
        lines.retain(|other| !other.starts_with(&format!("{name}=")));
        lines.push((*line).to_owned());
    }
    lines.join("\n") + "\n"
}
