//! The parent zone `example.`: signed BIND primary (.1) and a secondary (.2), because "the parent has the DS" means
//! every server of the parent. Changes go through RFC 2136 with one TSIG key, like those of a registry's back end.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};

use super::operator::{Hosts, Operator};
use super::process::{Running, TsigKey, binary};
use super::{CHILD, Lab, dns, until, v4, v6};

#[derive(Clone, Copy)]
pub struct ParentSpec {
    pub zone: &'static str,
    pub child: &'static str,
    pub ds_ttl_s: u32,
    pub ns_ttl_s: u32,
    pub negative_ttl_s: u32,
}

impl Default for ParentSpec {
    fn default() -> Self {
        Self { zone: "example.", child: CHILD, ds_ttl_s: 5, ns_ttl_s: 5, negative_ttl_s: 2 }
    }
}

pub struct Parent {
    pub spec: ParentSpec,
    pub key: TsigKey,
    pub dir: PathBuf,
    primary: Running,
    secondary: Running,
    copies: Copies,
}

/// What the parent's servers have beside the parent zone: a copy of the child that follows operator a.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copies {
    pub at_primary: bool,
    pub at_secondary: bool,
    /// Whether anybody may transfer the parent zone.
    pub parent_is_open: bool,
}

impl Parent {
    pub fn start(lab: &Lab, spec: ParentSpec) -> Self {
        let dir = lab.subdirectory("parent");
        let key = TsigKey::create(&dir, "registry");
        std::fs::write(lab.subdirectory("parent/primary").join("zone"), zone_file(spec)).expect("zone file");
        lab.subdirectory("parent/secondary");
        let copies = Copies::default();
        let primary = start_primary(&dir, spec, &key, copies);
        let secondary = start_secondary(&dir, spec, &key, true, copies);
        Self { spec, key, dir, primary, secondary, copies }
    }

    /// Starts its servers again, with copies of the child or without.
    pub async fn serves_child(&mut self, copies: Copies) {
        self.copies = copies;
        self.primary.kill9();
        self.primary = start_primary(&self.dir, self.spec, &self.key, copies);
        self.secondary.kill9();
        self.secondary = start_secondary(&self.dir, self.spec, &self.key, true, copies);
        self.ready().await;
        for (ip, has_copy) in self.addresses().into_iter().zip([
            copies.at_primary,
            copies.at_primary,
            copies.at_secondary,
            copies.at_secondary,
        ]) {
            until(&format!("{ip} answers for the child"), Duration::from_secs(20), || {
                dns::ask(ip, self.spec.child, RecordType::NS, dns::DIRECT)
                    .is_ok_and(|answer| answer.authoritative == has_copy && answer.answers.is_empty() != has_copy)
            })
            .await;
        }
    }

    /// Whether the secondary goes on following the primary. Until it does, the parent has done half of what is asked of it.
    pub fn secondary_follows(&mut self, follows: bool) {
        self.secondary.kill9();
        self.secondary = start_secondary(&self.dir, self.spec, &self.key, follows, self.copies);
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
            until(&format!("signed SOA of {} at {ip}", self.spec.zone), limit, || {
                self.primary.assert_alive();
                self.secondary.assert_alive();
                dns::ask(ip, self.spec.zone, RecordType::SOA, dns::DIRECT).is_ok_and(|answer| {
                    answer.authoritative && !dns::rrset(&answer.answers, RecordType::SOA).1.is_empty()
                })
            })
            .await;
        }
    }

    /// The DNSKEY lines that a validating resolver is to trust.
    pub fn trust_anchors(&self) -> Vec<String> {
        let answer = dns::ask_one_that_runs(v4(1), self.spec.zone, RecordType::DNSKEY);
        let keys = dns::dnskeys(&answer.answers);
        assert!(!keys.is_empty(), "the parent zone is not signed");
        keys.iter().map(|key| format!("{} 30 IN DNSKEY {}", self.spec.zone, dns::dnskey_text(key))).collect()
    }

    pub fn update(&self, lines: &[String]) {
        self.key.update(v4(1), self.spec.zone, lines).unwrap_or_else(|error| panic!("parent refused: {error}"));
    }

    /// Replaces the delegation's NS set by the hosts of these operators, with glue for those inside the child.
    pub async fn set_ns(&self, operators: &[&Operator]) {
        let ParentSpec { child, ns_ttl_s, .. } = self.spec;
        let mut lines = vec![format!("delete {child} NS")];
        let hosts: Vec<String> = operators.iter().flat_map(|operator| operator.hosts()).collect();
        lines.extend(hosts.iter().map(|host| format!("add {child} {ns_ttl_s} NS {host}")));
        let inside = operators.iter().filter(|operator| operator.spec.hosts == Hosts::Inside);
        for (host, ip) in inside.flat_map(|operator| operator.host_addresses()) {
            let rtype = if ip.is_ipv4() { "A" } else { "AAAA" };
            lines.extend([format!("delete {host} {rtype}"), format!("add {host} {ns_ttl_s} {rtype} {ip}")]);
        }
        self.update(&lines);
        let wanted: BTreeSet<String> = hosts.into_iter().collect();
        until("the delegation at every parent server", Duration::from_secs(20), || {
            self.addresses().iter().all(|ip| referral_of(*ip, child).is_some_and(|hosts| hosts == wanted))
        })
        .await;
    }

    /// Replaces the DS set by the digests of these operators' own key-signing keys.
    pub async fn set_ds(&self, operators: &[&Operator]) {
        let wanted: Vec<String> = operators.iter().flat_map(|operator| operator.own_ds()).collect();
        let ParentSpec { child, ds_ttl_s, .. } = self.spec;
        let mut lines = vec![format!("delete {child} DS")];
        lines.extend(wanted.iter().map(|ds| format!("add {child} {ds_ttl_s} DS {ds}")));
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
            dns::ask(*ip, self.spec.child, RecordType::DS, dns::DIRECT).is_ok_and(|answer| {
                let (set, _) = dns::rrset(&answer.answers, RecordType::DS);
                set.iter().any(|record| record.data.to_string().to_lowercase() == wanted)
            })
        };
        self.addresses().iter().all(shows)
    }

    /// How many keys it has a DS of, with whatever digest types.
    pub fn ds_count(&self, ip: IpAddr) -> Option<usize> {
        let answer = dns::ask(ip, self.spec.child, RecordType::DS, dns::DIRECT).ok()?;
        let records = dns::rrset(&answer.answers, RecordType::DS).0;
        let keys = records.iter().map(|record| dns::rdata_bytes(record).into_iter().take(3).collect::<Vec<u8>>());
        Some(keys.collect::<BTreeSet<_>>().len())
    }
}

/// The hosts that one parent server refers to.
pub fn referral(ip: IpAddr) -> Option<BTreeSet<String>> {
    referral_of(ip, CHILD)
}

pub fn referral_of(ip: IpAddr, child: &str) -> Option<BTreeSet<String>> {
    let answer = dns::ask(ip, child, RecordType::NS, dns::DIRECT).ok()?;
    let child = dns::name(child);
    let hosts = answer.authorities.iter().chain(&answer.answers).filter_map(|record| match &record.data {
        RData::NS(ns) if record.name == child => Some(ns.0.to_lowercase().to_string()),
        _ => None,
    });
    Some(hosts.collect())
}

fn zone_file(spec: ParentSpec) -> String {
    let mut zone = format!("$TTL 30\n@ SOA ns1 hostmaster 1 1 1 864000 {}\n@ NS ns1\n@ NS ns2\n", spec.negative_ttl_s);
    for number in [1, 2] {
        zone.push_str(&format!("ns{number} A {}\nns{number} AAAA {}\n", v4(number), v6(number)));
    }
    for (letter, number) in ('a'..='e').zip(11..) {
        zone.push_str(&format!("ns1.op{letter} A {}\nns2.op{letter} AAAA {}\n", v4(number), v6(number)));
    }
    zone
}

fn start_primary(dir: &Path, spec: ParentSpec, key: &TsigKey, copies: Copies) -> Running {
    let dir = dir.join("primary");
    let transfers = if copies.parent_is_open { "any".to_owned() } else { format!("key \"{}\"", key.name) };
    let zone = format!(
        "dnssec-policy \"one\" {{ dnskey-ttl 30; max-zone-ttl 1d; keys {{ csk lifetime unlimited algorithm \
         ecdsap256sha256; }}; }};\nzone \"{}\" {{ type primary; file \"zone\"; dnssec-policy \"one\"; \
         inline-signing no; notify-source {};\n  update-policy {{ grant \"{}\" zonesub ANY; }};\n  notify explicit; \
         also-notify {{ {}; }}; allow-transfer {{ {transfers}; }}; }};\n{}",
        spec.zone,
        v4(1),
        key.name,
        v4(2),
        if copies.at_primary { copy(&dir, spec) } else { String::new() }
    );
    start_named(&dir, "named", key, &[v4(1), v6(1)], &zone)
}

fn start_secondary(dir: &Path, spec: ParentSpec, key: &TsigKey, follows: bool, copies: Copies) -> Running {
    let dir = dir.join("secondary");
    let refresh = match follows {
        true => "min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 1;",
        false => "min-refresh-time 3600; max-refresh-time 7200; allow-notify { none; };",
    };
    let primaries = if follows { format!("{} key \"{}\";", v4(1), key.name) } else { "127.0.1.39;".to_owned() };
    let transfers = if copies.parent_is_open { "any".to_owned() } else { format!("key \"{}\"", key.name) };
    let zone = format!(
        "zone \"{}\" {{ type secondary; file \"zone\"; masterfile-format text; primaries {{ {primaries} }}; {refresh} \
         allow-transfer {{ {transfers}; }}; }};\n{}",
        spec.zone,
        if copies.at_secondary { copy(&dir, spec) } else { String::new() }
    );
    start_named(&dir, "named", key, &[v4(2), v6(2)], &zone)
}

/// The child as a secondary of operator a, never more than a second or two behind.
fn copy(dir: &Path, spec: ParentSpec) -> String {
    let key = TsigKey::create(dir, "onlooker-a");
    format!(
        "{}zone \"{}\" {{ type secondary; file \"copy\"; primaries {{ {} key \"{}\"; }}; allow-notify {{ none; }}; \
         min-refresh-time 1; max-refresh-time 1; min-retry-time 1; max-retry-time 1; }};\n",
        key.bind_clause(),
        spec.child,
        v4(11),
        key.name
    )
}

/// Where a named takes orders from `rndc`, on its first address, under the key that it takes updates with.
pub const RNDC_PORT: u16 = 953;

/// named in the foreground, listening on exactly these addresses, knowing one key.
pub fn start_named(dir: &Path, what: &str, key: &TsigKey, addresses: &[IpAddr], zones: &str) -> Running {
    configure_named(dir, key, addresses, zones);
    // -n 1: one worker is plenty, and several tests share the machine.
    Running::start(what, &binary("named", "bind9"), &["-g", "-n", "1", "-c", "named.conf"], dir, &[])
}

pub fn configure_named(dir: &Path, key: &TsigKey, addresses: &[IpAddr], zones: &str) {
    let of = |v4: bool| -> String {
        let mine: Vec<String> = addresses.iter().filter(|ip| ip.is_ipv4() == v4).map(|ip| format!("{ip}; ")).collect();
        if mine.is_empty() { "none; ".to_owned() } else { mine.concat() }
    };
    let configuration = format!(
        "{}options {{ directory \".\"; pid-file \"named.pid\"; session-keyfile \"session.key\"; \
         managed-keys-directory \".\"; key-directory \".\";\n  listen-on port 53 {{ {}}}; listen-on-v6 port 53 {{ {}}};\n  \
         recursion no; dnssec-validation no; check-names primary ignore; notify no; notify-delay 0; minimal-responses yes; empty-zones-enable no;\n  \
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
