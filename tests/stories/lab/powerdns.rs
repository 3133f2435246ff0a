//! PowerDNS as the signer of one operator, driven by its HTTP API or by dynamic updates, and its key rolls as an
//! administrator makes them through the API, one step at a time: PowerDNS has no timing of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSKEY;
use serde_json::{Value, json};

use super::operator::{Algorithm, Fault, Keys, Operator, OperatorSpec, Server};
use super::process::{Running, TsigKey, binary, run};
use super::rolls::Roll;
use super::{CHILD, desec, dns, releases, v4};

const FAMILY: &str = "powerdns";
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";
const API_PORT: u16 = 8081;

/// The key of every API in the laboratory.
const API_KEY: &str = "api-key-of-the-laboratory-0123456789";

pub fn api_url(number: u8) -> String {
    format!("http://{}", api_address(number))
}

fn api_address(number: u8) -> SocketAddr {
    SocketAddr::new(v4(number), API_PORT)
}

pub fn api_key_file(dir: &Path) -> PathBuf {
    dir.join("api-key")
}

/// Without its cache of packets: an answer that is under way when a set is written is kept there all the same, for the TTL or
/// 20 s. A zone's slack covers that by default, but not the second of a story.
///
/// Two threads answer: with one, the thread that receives answers itself, and reads its sockets in order, so that under load the
/// later addresses say nothing for a minute. And the dozens of resolvers of a story may have more than 20 connections, the default:
/// those beyond wait until an idle one ends.
pub fn configure(
    dir: &Path,
    server: Server,
    spec: OperatorSpec,
    number: u8,
    key: &TsigKey,
    onlooker: &TsigKey,
    addresses: &[IpAddr],
) {
    std::fs::write(api_key_file(dir), API_KEY).expect("API key");
    std::fs::write(token_file(dir), desec::TOKEN).expect("token");
    let listen: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let shown = dir.display();
    let unpacked = spec.release.map(|release| releases::directory(FAMILY, release));
    let modules =
        unpacked.as_ref().map_or_else(String::new, |at| format!("module-dir={}\n", at.join("modules").display()));
    let configuration = format!(
        "{modules}launch=gsqlite3\ngsqlite3-database={shown}/db.sqlite3\ngsqlite3-dnssec=yes\ngsqlite3-pragma-synchronous=0\n\
         local-address={}\nlocal-port=53\nsocket-dir={shown}\nsetuid=\nsetgid=\ndaemon=no\nguardian=no\n\
         disable-syslog=yes\nwrite-pid=no\nloglevel=5\napi=yes\napi-key={API_KEY}\nwebserver-address={}\n\
         webserver-port={API_PORT}\nwebserver-allow-from=127.0.0.0/8\nsecurity-poll-suffix=\ndirect-dnskey=yes\n\
         dnsupdate=yes\nallow-axfr-ips=\nreceiver-threads=1\ndistributor-threads=2\nsigning-threads=1\n\
         max-tcp-connections=200\n\
         dnssec-key-cache-ttl=0\ncache-ttl=0\n",
        listen.join(","),
        v4(number),
    );
    std::fs::write(dir.join("pdns.conf"), configuration).expect("configuration");
    let database = dir.join("db.sqlite3");
    if database.exists() {
        return;
    }
    let schema = unpacked.map_or_else(|| PathBuf::from(SCHEMA), |at| at.join(format!("root{SCHEMA}")));
    let schema = std::fs::read_to_string(schema).expect("the schema of pdns-backend-sqlite3 is needed");
    let made = run(&binary("sqlite3", "sqlite3"), &[database.to_str().expect("a path in UTF-8")], &schema);
    assert!(made.success, "the database: {}", made.stderr);
    let algorithm = match spec.algorithm {
        Algorithm::Ecdsa => "ecdsa256",
        Algorithm::Ed25519 => "ed25519",
        Algorithm::Rsa2048 => "rsasha256",
        Algorithm::Ed448 => "ed448",
    };
    let size = if spec.algorithm == Algorithm::Rsa2048 { "2048 " } else { "" };
    let words = |command: &str| command.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let zone = spec.zone;
    let mut commands = vec![words(&format!("load-zone {zone} {shown}/zone"))];
    let roles: &[&str] = match (spec.fault, spec.keys) {
        (Fault::Unsigned, _) => &[],
        _ if server == Server::Desec => &["ksk"],
        (_, Keys::KskZsk) => &["ksk", "zsk"],
        (_, Keys::Csk) => &["ksk"],
        (_, Keys::NoSep | Keys::NoSepAndStandby) => &["zsk"],
    };
    commands.extend(
        roles.iter().map(|role| words(&format!("add-zone-key {zone} {role} {size}active published {algorithm}"))),
    );
    if spec.keys == Keys::NoSepAndStandby {
        commands.push(words(&format!("add-zone-key {zone} ksk {size}inactive published {algorithm}")));
    }
    for key in [key, onlooker] {
        commands.push(words(&format!("import-tsig-key {} {} {}", key.name, TsigKey::ALGORITHM, key.secret)));
    }
    let transferer = if spec.fault == Fault::NoTransfer { onlooker } else { key };
    for metadata in [
        "SOA-EDIT-API INCREASE".to_owned(),
        "SOA-EDIT-DNSUPDATE INCREASE".to_owned(),
        "ALLOW-DNSUPDATE-FROM 127.0.0.0/8".to_owned(),
        format!("TSIG-ALLOW-DNSUPDATE {}", key.name),
        format!("TSIG-ALLOW-AXFR {} {}", transferer.name, onlooker.name),
    ] {
        commands.push(words(&format!("set-meta {zone} {metadata}")));
    }
    if server == Server::Desec {
        // It publishes CDS (digest types 2 and 4) and CDNSKEY of its own key, beside what is stored.
        commands.push(words(&format!("set-publish-cds {zone} 2,4")));
        commands.push(words(&format!("set-publish-cdnskey {zone}")));
    }
    if spec.fault == Fault::Nsec3 {
        commands.push(["set-nsec3", zone, "1 0 0 ab"].map(str::to_owned).to_vec());
    }
    commands.push(words(&format!("rectify-zone {zone}")));
    for command in commands {
        util(dir, spec, &command);
    }
}

fn util(dir: &Path, spec: OperatorSpec, command: &[String]) {
    let configuration = format!("--config-dir={}", dir.display());
    let arguments: Vec<&str> =
        std::iter::once(configuration.as_str()).chain(command.iter().map(String::as_str)).collect();
    let done = run(&releases::program(spec.release, FAMILY, "pdnsutil", "pdns-server"), &arguments, "");
    assert!(done.success, "pdnsutil {}: {}{}", command.join(" "), done.stdout, done.stderr);
}

pub fn start(dir: &Path, spec: OperatorSpec) -> Running {
    let configuration = format!("--config-dir={}", dir.display());
    let program = releases::program(spec.release, FAMILY, "pdns_server", "pdns-server");
    Running::start("pdns_server", &program, &[&configuration], dir, &[])
}

const DESEC_PORT: u16 = 8080;

pub fn desec_url(number: u8) -> String {
    format!("http://{}/api/v1", SocketAddr::new(v4(number), DESEC_PORT))
}

pub fn token_file(dir: &Path) -> PathBuf {
    dir.join("token")
}

/// The stand-in's API, before the PowerDNS of this operator. Its smallest TTL is that of the story: deSEC's own is an hour.
pub fn start_desec(spec: OperatorSpec, number: u8, hosts: &[String]) -> desec::Server {
    let zone = CHILD.trim_end_matches('.').to_owned();
    let at = desec::Place { zone, signer: api_address(number), signer_key: API_KEY.to_owned() };
    let (ttl_s, data_ttl_s, address) = (u64::from(spec.ttl_s), u64::from(spec.data_ttl_s), format!("192.0.2.{number}"));
    let (hosts, text) = (hosts.iter().map(String::as_str).collect::<Vec<_>>(), format!("\"{}\"", spec.name));
    let sets: [(&str, &str, u64, &[&str]); 4] = [
        ("", "NS", ttl_s, &hosts),
        ("www", "A", data_ttl_s, &[&address]),
        ("www", "TXT", data_ttl_s, &[&text]),
        ("*.w", "A", ttl_s, &[&address]),
    ];
    let mut state = desec::State::new(at, &sets);
    state.minimum_ttl_s = ttl_s;
    // deSEC's own limits, by the machine's clock.
    (state.throttle, state.now_ms) = (Some(desec::Throttle::new(2000)), 0);
    desec::Server::start(SocketAddr::new(v4(number), DESEC_PORT), state)
}

/// What its administrator does with its keys.
impl Operator {
    /// Publishes a new key of the role that is rolled, which signs nothing yet. Returns it.
    pub fn publishes_new(&self, roll: Roll) -> DNSKEY {
        let before = self.keys();
        let role = if roll == Roll::Zsk { "zsk" } else { "ksk" };
        let body = json!({ "keytype": role, "active": false, "published": true, "algorithm": "ecdsa256" });
        self.api("POST", "/cryptokeys", Some(body));
        self.flush();
        self.keys().into_iter().find(|key| !before.contains(key)).expect("the new key is served")
    }

    /// Both have to be said each time: what is left out is set to true.
    pub fn signs_with(&self, key: &DNSKEY, active: bool) {
        let path = format!("/cryptokeys/{}", self.id_of(key));
        self.api("PUT", &path, Some(json!({ "active": active, "published": true })));
        self.flush();
    }

    pub fn withdraws(&self, key: &DNSKEY) {
        self.api("DELETE", &format!("/cryptokeys/{}", self.id_of(key)), None);
        self.flush();
    }

    fn id_of(&self, key: &DNSKEY) -> i64 {
        let plain = |text: &str| text.split_whitespace().skip(3).collect::<String>();
        let wanted = plain(&dns::dnskey_text(key));
        let keys = self.api("GET", "/cryptokeys", None);
        let keys = keys.as_array().expect("a list of keys");
        let known = keys.iter().find(|known| known["dnskey"].as_str().is_some_and(|text| plain(text) == wanted));
        known.and_then(|key| key["id"].as_i64()).expect("a key of its own")
    }

    /// Changes of keys, other than those of records, do not reach its caches.
    fn flush(&self) {
        let path = format!("/api/v1/servers/localhost/cache/flush?domain={CHILD}");
        request(api_address(self.number), "PUT", &path, None);
    }

    fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = format!("/api/v1/servers/localhost/zones/{CHILD}{path}");
        request(api_address(self.number), method, &path, body)
    }
}

fn request(address: SocketAddr, method: &str, path: &str, body: Option<Value>) -> Value {
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok::<_, std::io::Error>(reply)
    };
    let reply = exchange().unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    // The body of an answer may hold a private key.
    assert!(status.starts_with('2'), "{method} {path}: {}", head.lines().next().unwrap_or_default());
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") }
}
