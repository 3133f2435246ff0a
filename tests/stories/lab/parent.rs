//! The parent zone `example.`: signed BIND primary (.1) and a secondary (.2), because "the parent has the DS" means
//! every server of the parent. Changes go through RFC 2136 with one TSIG key, like those of a registry's back end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};

use super::operator::Operator;
use super::process::{Running, TsigKey, binary};
use super::{CHILD, Lab, dns, until, v4, v6};

#[derive(Clone, Copy)]
pub struct ParentSpec {
    pub ds_ttl_s: u32,
    pub ns_ttl_s: u32,
    pub negative_ttl_s: u32,
}

impl Default for ParentSpec {
    fn default() -> Self {
        Self { ds_ttl_s: 5, ns_ttl_s: 5, negative_ttl_s: 2 }
    }
}

pub struct Parent {
    pub spec: ParentSpec,
    pub key: TsigKey,
    pub dir: PathBuf,
    primary: Running,
    secondary: Running,
}

impl Parent {
    pub fn start(lab: &Lab, spec: ParentSpec) -> Self {
        let dir = lab.subdirectory("parent");
        let key = TsigKey::create(&dir, "registry");
        let primary = lab.subdirectory("parent/primary");
        std::fs::write(primary.join("zone"), zone_file(spec)).expect("zone file");
        let zone = format!(
            "dnssec-policy \"one\" {{ dnskey-ttl 30; max-zone-ttl 1d; keys {{ csk lifetime unlimited algorithm \
             ecdsap256sha256; }}; }};\nzone \"example\" {{ type primary; file \"zone\"; dnssec-policy \"one\"; \
             inline-signing no; notify-source {};\n  update-policy {{ grant \"{}\" zonesub ANY; }};\n  notify explicit; also-notify {{ {}; \
             }}; allow-transfer {{ key \"{}\"; }}; }};\n",
            v4(1),
            key.name,
            v4(2),
            key.name
        );
        let primary = start_named(&primary, "named", &key, &[v4(1), v6(1)], &zone);
        lab.subdirectory("parent/secondary");
        let secondary = start_secondary(&dir, &key, true);
        Self { spec, key, dir, primary, secondary }
    }

    /// Whether the secondary goes on following the primary. Until it does, the parent has done half of what is asked of it.
    pub fn secondary_follows(&mut self, follows: bool) {
        self.secondary.kill9();
        self.secondary = start_secondary(&self.dir, &self.key, follows);
    }

    /// All four addresses; every one of them is a place where a resolver may learn the delegation.
    pub fn addresses(&self) -> Vec<IpAddr> {
        vec![v4(1), v6(1), v4(2), v6(2)]
    }

    /// `--parent-server` arguments: each server once.
    pub fn server_arguments(&self) -> Vec<String> {
        [v4(1), v4(2)].iter().flat_map(|ip| ["--parent-server".to_owned(), ip.to_string()]).collect()
    }

    pub async fn ready(&mut self) {
        let limit = Duration::from_secs(30);
        for ip in self.addresses() {
            until(&format!("signed SOA of example. at {ip}"), limit, || {
                self.primary.assert_alive();
                self.secondary.assert_alive();
                dns::ask(ip, "example.", RecordType::SOA, dns::DIRECT).is_ok_and(|answer| {
                    answer.authoritative && !dns::rrset(&answer.answers, RecordType::SOA).1.is_empty()
                })
            })
            .await;
        }
    }

    /// The DNSKEY lines that a validating resolver is to trust.
    pub fn trust_anchors(&self) -> Vec<String> {
        let answer = dns::ask_one_that_runs(v4(1), "example.", RecordType::DNSKEY);
        let keys = dns::dnskeys(&answer.answers);
        assert!(!keys.is_empty(), "the parent zone is not signed");
        keys.iter().map(|key| format!("example. 30 IN DNSKEY {}", dns::dnskey_text(key))).collect()
    }

    pub fn update(&self, lines: &[String]) {
        self.key.update(v4(1), "example.", lines).unwrap_or_else(|error| panic!("parent refused: {error}"));
    }

    /// Replaces the delegation's NS set by the hosts of these operators.
    pub async fn set_ns(&self, operators: &[&Operator]) {
        let mut lines = vec![format!("delete {CHILD} NS")];
        let hosts: Vec<String> = operators.iter().flat_map(|operator| operator.hosts()).collect();
        lines.extend(hosts.iter().map(|host| format!("add {CHILD} {} NS {host}", self.spec.ns_ttl_s)));
        self.update(&lines);
        let wanted: std::collections::BTreeSet<String> = hosts.into_iter().collect();
        until("the delegation at every parent server", Duration::from_secs(20), || {
            self.addresses().iter().all(|ip| referral(*ip).is_some_and(|hosts| hosts == wanted))
        })
        .await;
    }

    /// Replaces the DS set by the digests of these operators' own key-signing keys.
    pub async fn set_ds(&self, operators: &[&Operator]) {
        let wanted: Vec<String> = operators.iter().flat_map(|operator| operator.own_ds()).collect();
        let mut lines = vec![format!("delete {CHILD} DS")];
        lines.extend(wanted.iter().map(|ds| format!("add {CHILD} {} DS {ds}", self.spec.ds_ttl_s)));
        self.update(&lines);
        until("the DS set at every parent server", Duration::from_secs(20), || {
            self.addresses().iter().all(|ip| self.ds_count(*ip) == Some(wanted.len()))
        })
        .await;
    }

    /// First delegation, secure from the start.
    pub async fn delegate(&self, operators: &[&Operator]) {
        self.set_ns(operators).await;
        self.set_ds(operators).await;
    }

    /// Whether every address has this DS.
    pub fn has_ds(&self, ds_text: &str) -> bool {
        let wanted = ds_text.to_lowercase();
        let shows = |ip: &IpAddr| {
            dns::ask(*ip, CHILD, RecordType::DS, dns::DIRECT).is_ok_and(|answer| {
                let (set, _) = dns::rrset(&answer.answers, RecordType::DS);
                set.iter().any(|record| record.data.to_string().to_lowercase() == wanted)
            })
        };
        self.addresses().iter().all(shows)
    }

    /// How many keys it has a DS of, with whatever digest types.
    pub fn ds_count(&self, ip: IpAddr) -> Option<usize> {
        let answer = dns::ask(ip, CHILD, RecordType::DS, dns::DIRECT).ok()?;
        let records = dns::rrset(&answer.answers, RecordType::DS).0;
        let keys = records.iter().map(|record| dns::rdata_bytes(record).into_iter().take(3).collect::<Vec<u8>>());
        Some(keys.collect::<std::collections::BTreeSet<_>>().len())
    }
}

/// The hosts that one parent server refers to.
pub fn referral(ip: IpAddr) -> Option<std::collections::BTreeSet<String>> {
    let answer = dns::ask(ip, CHILD, RecordType::NS, dns::DIRECT).ok()?;
    let hosts = answer.authorities.iter().chain(&answer.answers).filter_map(|record| match &record.data {
        RData::NS(ns) if record.name.to_string() == CHILD => Some(ns.0.to_string()),
        _ => None,
    });
    Some(hosts.collect())
}

fn zone_file(spec: ParentSpec) -> String {
    let mut zone = format!(
        "$TTL 30\n@ SOA ns1.example. hostmaster.example. 1 1 1 864000 {}\n@ NS ns1.example.\n@ NS ns2.example.\n",
        spec.negative_ttl_s
    );
    for number in [1, 2] {
        zone.push_str(&format!("ns{number} A {}\nns{number} AAAA {}\n", v4(number), v6(number)));
    }
    for (letter, number) in ('a'..='e').zip(11..) {
        zone.push_str(&format!("ns1.op{letter} A {}\nns2.op{letter} AAAA {}\n", v4(number), v6(number)));
    }
    zone
}

fn start_secondary(dir: &std::path::Path, key: &TsigKey, follows: bool) -> Running {
    let refresh = match follows {
        true => "min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 1;",
        false => "min-refresh-time 3600; max-refresh-time 7200; allow-notify { none; };",
    };
    let primaries = if follows { format!("{} key \"{}\";", v4(1), key.name) } else { "127.0.1.39;".to_owned() };
    let zone = format!(
        "zone \"example\" {{ type secondary; file \"zone\"; masterfile-format text; primaries {{ {primaries} }}; {refresh} \
         allow-transfer {{ key \"{}\"; }}; }};\n",
        key.name
    );
    start_named(&dir.join("secondary"), "named", key, &[v4(2), v6(2)], &zone)
}

/// Where a named takes orders from `rndc`, on its first address, under the key that it takes updates with.
pub const RNDC_PORT: u16 = 953;

/// named in the foreground, listening on exactly these addresses, knowing one key.
pub fn start_named(dir: &std::path::Path, what: &str, key: &TsigKey, addresses: &[IpAddr], zones: &str) -> Running {
    configure_named(dir, key, addresses, zones);
    // -n 1: one worker is plenty, and several tests share the machine.
    Running::start(what, &binary("named", "bind9"), &["-g", "-n", "1", "-c", "named.conf"], dir, &[])
}

pub fn configure_named(dir: &std::path::Path, key: &TsigKey, addresses: &[IpAddr], zones: &str) {
    let of = |v4: bool| -> String {
        let mine: Vec<String> = addresses.iter().filter(|ip| ip.is_ipv4() == v4).map(|ip| format!("{ip}; ")).collect();
        if mine.is_empty() { "none; ".to_owned() } else { mine.concat() }
    };
    let configuration = format!(
        "{}options {{ directory \".\"; pid-file \"named.pid\"; session-keyfile \"session.key\"; \
         managed-keys-directory \".\"; key-directory \".\";\n  listen-on port 53 {{ {}}}; listen-on-v6 port 53 {{ {}}};\n  \
         recursion no; dnssec-validation no; notify no; notify-delay 0; minimal-responses yes; empty-zones-enable no;\n  \
         allow-transfer {{ none; }}; rate-limit {{ responses-per-second 0; }}; serial-query-rate 1000; }};\n\
         controls {{ inet {} port {RNDC_PORT} allow {{ any; }} keys {{ \"{}\"; }}; }};\n{zones}",
        key.bind_clause(),
        of(true),
        of(false),
        addresses[0],
        key.name
    );
    std::fs::write(dir.join("named.conf"), configuration).expect("configuration");
}
