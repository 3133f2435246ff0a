//! An operator: BIND, Knot or PowerDNS that serves and signs `child.example.` with keys of its own, and takes UPDATE for the apex.
//! Its data says whose answer one got: `www` and the wildcard `*.w` hold 192.0.2.N, N being its number.
//!
//! Host names lie outside the child zone (`ns1.opa.example.` is the IPv4 address, `ns2.opa.example.` the IPv6 one), so
//! that both address families are needed for "every address". Server quirks behind the settings: `signers`.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::rr::RecordType;

use super::notify::Notifies;
use super::process::{Running, TsigKey, binary, run};
use super::signers::Follows;
use super::udp_only::UdpOnly;
use super::{CHILD, Lab, desec, dns, port53, powerdns, signers, until, v4, v6};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Server {
    Bind,
    Knot,
    /// driven by its HTTP API
    PowerDns,
    /// driven by dynamic updates
    PowerDnsByUpdate,
    /// the stand-in for deSEC, with a PowerDNS behind it that serves what it stores
    Desec,
}

impl Server {
    pub fn is_powerdns(self) -> bool {
        matches!(self, Server::PowerDns | Server::PowerDnsByUpdate)
    }

    /// PowerDNS makes no step of a key roll by itself; behind the stand-in for deSEC is one, too.
    pub fn is_rolled_by_hand(self) -> bool {
        self.is_powerdns() || self == Server::Desec
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    KskZsk,
    Csk,
    /// One key without the secure entry point bit signs all. PowerDNS only.
    NoSep,
    /// The same, beside a key with the bit that signs nothing.
    NoSepAndStandby,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    Ecdsa,
    Ed25519,
    Rsa2048,
    Ed448,
}

/// What is at the operator's second (IPv6) address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Second {
    /// the same server
    Same,
    /// a socket that swallows every question
    Silent,
    /// the same server, reached by UDP alone: TCP connections are refused
    UdpOnly,
    /// a secondary that transferred the zone once and never again
    Stale,
    /// a secondary, a process of its own, that is never more than a second or two behind
    Secondary,
    /// the same, and up to three seconds behind, or for as long as the story holds it: time for a person to see a step in
    /// which Chorus writes, and to click
    Late,
}

/// Settings that break a multi-signer operator although it answers NOERROR, or that are worth knowing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    /// BIND with `inline-signing yes`, which breaks before version 9.20
    InlineSigning,
    /// Knot without `dnskey-management: incremental`
    DefaultDnskeyManagement,
    Unsigned,
    /// denies with NSEC3, with a salt
    Nsec3,
    /// signatures that are valid for three hours, and made anew one hour before they end
    ShortSignatures,
    /// the key that may update may not transfer the zone
    NoTransfer,
}

/// Where the names of an operator's name servers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hosts {
    /// in the parent zone: `ns1.opa.example.` with the IPv4 address, `ns2.opa.example.` with the IPv6 one
    Beside,
    /// in the zone itself: `ns1-a.child.example.`, `ns2-a.child.example.`
    Inside,
    /// in the parent zone, and only the one with the IPv6 address
    BesideByIpv6,
}

#[derive(Clone, Copy, Debug)]
pub struct OperatorSpec {
    pub name: &'static str,
    /// The zone that it serves.
    pub zone: &'static str,
    pub hosts: Hosts,
    /// More lines of the zone file.
    pub more: &'static str,
    pub keys: Keys,
    pub algorithm: Algorithm,
    /// of the apex: SOA, NS, DNSKEY, CDS, and of `*.w`
    pub ttl_s: u32,
    /// of `www`: what caches keep longest
    pub data_ttl_s: u32,
    pub second: Second,
    pub fault: Fault,
    /// The version of its server, where it is not the system's: see `releases`.
    pub release: Option<&'static str>,
    /// Timings under which key rolls come to an end within a story, and new keys are published for long enough for a
    /// group: see `signers`.
    pub rolls: bool,
}

impl OperatorSpec {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            zone: CHILD,
            hosts: Hosts::Beside,
            more: "",
            keys: Keys::KskZsk,
            algorithm: Algorithm::Ecdsa,
            ttl_s: 5,
            data_ttl_s: 5,
            second: Second::Same,
            fault: Fault::None,
            release: None,
            rolls: false,
        }
    }

    pub fn rolls(self) -> Self {
        Self { rolls: true, ..self }
    }

    pub fn hosts(self, hosts: Hosts) -> Self {
        Self { hosts, ..self }
    }

    pub fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    pub fn keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    pub fn ttl_s(self, ttl_s: u32) -> Self {
        Self { ttl_s, ..self }
    }

    pub fn data_ttl_s(self, data_ttl_s: u32) -> Self {
        Self { data_ttl_s, ..self }
    }

    pub fn second(self, second: Second) -> Self {
        Self { second, ..self }
    }

    pub fn release(self, release: &'static str) -> Self {
        Self { release: Some(release), ..self }
    }

    pub fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

pub struct Operator {
    pub spec: OperatorSpec,
    pub server: Server,
    /// 11 for "a", 12 for "b", ...
    pub number: u8,
    pub key: TsigKey,
    /// Known to the server; permits transfers and nothing else.
    pub onlooker: TsigKey,
    pub dir: PathBuf,
    process: Running,
    pub secondary: Option<Running>,
    /// Who tells a late secondary that there is something new.
    pub notifies: Option<Notifies>,
    silent: Option<(UdpSocket, TcpListener)>,
    udp_only: Option<UdpOnly>,
    /// The API of the stand-in for deSEC.
    pub desec: Option<desec::Server>,
    own_keys: Vec<DNSKEY>,
}

impl Operator {
    pub fn start(lab: &Lab, server: Server, spec: OperatorSpec) -> Self {
        let number = lab.number_of(spec.name) + 10;
        let dir = lab.subdirectory(&format!("operator-{}", spec.name));
        let key = TsigKey::create(&dir, &format!("chorus-{}", spec.name));
        let onlooker = TsigKey::create(&dir, &format!("onlooker-{}", spec.name));
        std::fs::write(dir.join("zone"), zone_file(spec, number)).expect("zone file");
        let process = start_signer(server, &dir, spec, number, &key, &onlooker);
        let silent = (spec.second == Second::Silent).then(|| {
            let address = port53(v6(number));
            (UdpSocket::bind(address).expect("silent address"), TcpListener::bind(address).expect("silent address"))
        });
        let udp_only = (spec.second == Second::UdpOnly).then(|| UdpOnly::start(v6(number), v4(number)));
        let desec = (server == Server::Desec).then(|| powerdns::start_desec(spec, number, &hosts(spec)));
        let (secondary, notifies, own_keys) = (None, None, Vec::new());
        Self {
            spec,
            server,
            number,
            key,
            onlooker,
            dir,
            process,
            secondary,
            notifies,
            silent,
            udp_only,
            desec,
            own_keys,
        }
    }

    /// Signed, and with the CDS that the server publishes by itself; remembers the keys of this moment as its own.
    pub async fn settled(&mut self) {
        let what = format!("operator {} serves its zone, signed", self.spec.name);
        let signed = self.spec.fault != Fault::Unsigned;
        let types: &[RecordType] = match signed {
            false => &[RecordType::SOA],
            // It publishes no CDS by itself.
            true if self.server.is_powerdns() => &[RecordType::SOA, RecordType::DNSKEY],
            true => &[RecordType::SOA, RecordType::DNSKEY, RecordType::CDS],
        };
        until(&what, Duration::from_secs(60), || {
            self.process.assert_alive();
            types.iter().all(|rtype| {
                dns::ask(v4(self.number), self.spec.zone, *rtype, dns::DIRECT).is_ok_and(|answer| {
                    let (set, signatures) = dns::rrset(&answer.answers, *rtype);
                    answer.authoritative && !set.is_empty() && (!signed || !signatures.is_empty())
                })
            })
        })
        .await;
        self.own_keys = self.keys();
        if matches!(self.spec.second, Second::Stale | Second::Secondary | Second::Late) && self.secondary.is_none() {
            self.start_secondary(match self.spec.second {
                Second::Late => Follows::WhenNotified,
                Second::Secondary => Follows::EverySeconds(1),
                _ => Follows::Never,
            });
            let ip = v6(self.number);
            until("the secondary has the zone", Duration::from_secs(20), || {
                dns::ask(ip, self.spec.zone, RecordType::SOA, dns::DIRECT).is_ok_and(|answer| answer.authoritative)
            })
            .await;
        }
    }

    /// The process at the second address; a new one with the old one's zone file if there was one before.
    pub fn start_secondary(&mut self, follows: Follows) {
        self.secondary = None;
        let (primary, at) = (v4(self.number), v6(self.number));
        self.secondary = Some(signers::start_secondary(&self.dir, &self.key, primary, at, follows));
        self.notifies = matches!(follows, Follows::WhenNotified).then(|| Notifies::start(at));
    }

    /// The server is started again with other settings, on the data that it has.
    pub fn restart_as(&mut self, fault: Fault) {
        self.process.kill9();
        self.spec.fault = fault;
        self.process = start_signer(self.server, &self.dir, self.spec, self.number, &self.key, &self.onlooker);
    }

    /// The settings are written anew for another algorithm. Its server reads them when it is told to: see `algorithms`.
    pub fn configure(&mut self, algorithm: Algorithm) {
        self.spec.algorithm = algorithm;
        configure_signer(self.server, &self.dir, self.spec, self.number, &self.key, &self.onlooker);
    }

    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    pub fn addresses(&self) -> Vec<IpAddr> {
        vec![v4(self.number), v6(self.number)]
    }

    pub fn host_addresses(&self) -> Vec<(String, IpAddr)> {
        let of = |host: String| {
            let ip = if host.starts_with("ns1") { v4(self.number) } else { v6(self.number) };
            (host, ip)
        };
        self.hosts().into_iter().map(of).collect()
    }

    pub fn hosts(&self) -> Vec<String> {
        hosts(self.spec)
    }

    /// `chorus operator add NAME ...` for this operator.
    pub fn add_arguments(&self) -> Vec<String> {
        let servers: Vec<String> = self.host_addresses().into_iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        self.add_arguments_as(self.name(), &self.key.name, &self.key.secret_file, &servers)
    }

    /// The same server under another name, with another key, or with other `HOST[=ADDR]`.
    pub fn add_arguments_as(&self, name: &str, key: &str, secret_file: &Path, servers: &[String]) -> Vec<String> {
        let update = v4(self.number).to_string();
        let secret_file = secret_file.display().to_string();
        let servers = servers.iter().flat_map(|server| ["--name-server".to_owned(), server.clone()]);
        if matches!(self.server, Server::PowerDns | Server::Desec) {
            let (provider, url, secret_file) = match self.server {
                Server::Desec => ("desec", powerdns::desec_url(self.number), powerdns::token_file(&self.dir)),
                _ => ("powerdns", powerdns::api_url(self.number), powerdns::api_key_file(&self.dir)),
            };
            let mut arguments = ["operator", "add", name, "--provider", provider].map(str::to_owned).to_vec();
            arguments.extend(["--api-url".to_owned(), url, "--secret-file".to_owned()]);
            arguments.push(secret_file.display().to_string());
            arguments.extend(servers);
            return arguments;
        }
        let mut arguments: Vec<String> = [
            ["operator", "add"],
            [name, "--provider"],
            ["rfc2136", "--update"],
            [&update, "--tsig-name"],
            [key, "--tsig-algorithm"],
            [TsigKey::ALGORITHM, "--tsig-secret-file"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        arguments.push(secret_file);
        arguments.extend(servers);
        arguments
    }

    /// One UPDATE message to this operator; fails the story when it is refused.
    pub fn update(&self, lines: &[String]) {
        self.try_update(lines).unwrap_or_else(|error| panic!("operator {} refused: {error}", self.name()));
    }

    pub fn try_update(&self, lines: &[String]) -> Result<(), String> {
        self.key.update(v4(self.number), self.spec.zone, lines)
    }

    /// The DNSKEY set as its first address serves it. On a crowded machine an answer may be late.
    pub fn keys(&self) -> Vec<DNSKEY> {
        let ask = || dns::ask(v4(self.number), self.spec.zone, RecordType::DNSKEY, dns::DIRECT).ok();
        let answer = (0..5).find_map(|_| ask()).expect("the operator answers");
        dns::dnskeys(&answer.answers)
    }

    /// After a roll: these are its own keys now.
    pub fn now_owns(&mut self, keys: Vec<DNSKEY>) {
        self.own_keys = keys;
    }

    pub fn own_keys(&self) -> &[DNSKEY] {
        assert!(!self.own_keys.is_empty(), "operator {} has not settled", self.name());
        &self.own_keys
    }

    /// DS rdata of every own key-signing key (of a CSK, too).
    pub fn own_ds(&self) -> Vec<String> {
        let by_bit = !matches!(self.spec.keys, Keys::NoSep | Keys::NoSepAndStandby);
        let signing_keys = self.own_keys().iter().filter(|key| key.secure_entry_point() == by_bit);
        signing_keys.map(|key| dns::ds_text(self.spec.zone, key)).collect()
    }

    /// Update lines that put (`verb` = "add TTL") or take away ("delete") another operator's keys.
    pub fn key_lines(&self, add: bool) -> Vec<String> {
        self.lines(add, "DNSKEY", self.own_keys().iter().map(dns::dnskey_text).collect())
    }

    pub fn cds_lines(&self, add: bool) -> Vec<String> {
        let signing_keys = || self.own_keys().iter().filter(|key| key.secure_entry_point());
        let mut lines = self.lines(add, "CDS", self.own_ds());
        lines.extend(self.lines(add, "CDNSKEY", signing_keys().map(dns::dnskey_text).collect()));
        lines
    }

    pub fn ns_lines(&self, add: bool) -> Vec<String> {
        self.lines(add, "NS", self.hosts())
    }

    fn lines(&self, add: bool, rtype: &str, rdata: Vec<String>) -> Vec<String> {
        let line = |rdata: &String| match add {
            true => format!("add {} {} {rtype} {rdata}", self.spec.zone, self.spec.ttl_s),
            false => format!("delete {} {rtype} {rdata}", self.spec.zone),
        };
        rdata.iter().map(line).collect()
    }

    /// The whole zone as its first address gives it to the key that updates (AXFR), one record a line.
    pub fn transfer(&self) -> String {
        let (at, key_file) = (format!("@{}", v4(self.number)), self.key.key_file.to_string_lossy());
        let arguments = [at.as_str(), "-k", key_file.as_ref(), "+noall", "+answer", self.spec.zone, "AXFR"];
        run(&binary("dig", "bind9-dnsutils"), &arguments, "").stdout
    }

    /// The rdata of an apex RRset as its first address serves it, sorted.
    pub fn served(&self, rtype: RecordType) -> Vec<String> {
        let answer = dns::ask_one_that_runs(v4(self.number), self.spec.zone, rtype);
        let mut texts: Vec<String> =
            dns::rrset(&answer.answers, rtype).0.iter().map(|record| dns::hex(&dns::rdata_bytes(record))).collect();
        texts.sort();
        texts
    }

    /// The TTL with which its first address serves an apex RRset; `None` where there is none.
    pub fn served_ttl_s(&self, rtype: RecordType) -> Option<u32> {
        let answer = dns::ask_one_that_runs(v4(self.number), self.spec.zone, rtype);
        dns::rrset(&answer.answers, rtype).0.first().map(|record| record.ttl)
    }

    pub fn kill9(&mut self) {
        self.process.kill9();
    }
}

fn start_signer(
    server: Server,
    dir: &Path,
    spec: OperatorSpec,
    number: u8,
    key: &TsigKey,
    onlooker: &TsigKey,
) -> Running {
    configure_signer(server, dir, spec, number, key, onlooker);
    match server {
        Server::Bind => signers::start_bind(dir, spec),
        Server::Knot => signers::start_knot(dir, spec),
        Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => powerdns::start(dir, spec),
    }
}

fn configure_signer(server: Server, dir: &Path, spec: OperatorSpec, number: u8, key: &TsigKey, onlooker: &TsigKey) {
    let addresses = match spec.second {
        Second::Same => vec![v4(number), v6(number)],
        _ => vec![v4(number)],
    };
    match server {
        Server::Bind => signers::configure_bind(dir, spec, key, onlooker, &addresses),
        Server::Knot => signers::configure_knot(dir, spec, key, onlooker, &addresses),
        Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => {
            powerdns::configure(dir, server, spec, number, key, onlooker, &addresses)
        }
    }
}

/// First the host with the IPv4 address, then the one with the IPv6 address.
pub fn hosts(spec: OperatorSpec) -> Vec<String> {
    let OperatorSpec { name, zone, hosts, .. } = spec;
    let (_, parent) = zone.split_once('.').expect("the zone has a parent");
    match hosts {
        Hosts::Beside => vec![format!("ns1.op{name}.{parent}"), format!("ns2.op{name}.{parent}")],
        Hosts::BesideByIpv6 => vec![format!("ns2.op{name}.{parent}")],
        Hosts::Inside => vec![format!("ns1-{name}.{zone}"), format!("ns2-{name}.{zone}")],
    }
}

fn zone_file(spec: OperatorSpec, number: u8) -> String {
    let OperatorSpec { name, ttl_s, data_ttl_s, more, .. } = spec;
    let hosts = hosts(spec);
    let ns: String = hosts.iter().map(|host| format!("@ NS {host}\n")).collect();
    format!(
        "$TTL {ttl_s}\n@ SOA {} hostmaster.example. 1 86400 3600 864000 {ttl_s}\n{ns}\
         www {data_ttl_s} A 192.0.2.{number}\nwww {data_ttl_s} TXT \"{name}\"\n*.w {ttl_s} A 192.0.2.{number}\n{more}",
        hosts[0]
    )
}
