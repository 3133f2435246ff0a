//! Configurations of BIND and Knot as signers of one operator, with the settings that a multi-signer group needs and
//! the wrong ones that stories want. Signature validity stays at the servers' defaults: short ones would make every
//! stop of a server a failure of its own.

use std::net::IpAddr;
use std::path::Path;

use super::operator::{Algorithm, Fault, Keys, OperatorSpec};
use super::parent::{configure_named, start_named};
use super::process::{Running, TsigKey};
use super::{CHILD, releases, v4};

/// By how much longer than a DNSKEY TTL operators that roll keys publish a new one before they sign with it: time for
/// others to see and to serve it. The servers' defaults are one hour.
const ROLL_MARGIN_S: u32 = 6;

/// Plain dynamic zone; BIND before 9.20 refuses foreign CDS, and breaks on foreign DNSKEY, when it signs inline.
pub fn configure_bind(dir: &Path, spec: OperatorSpec, key: &TsigKey, onlooker: &TsigKey, addresses: &[IpAddr]) {
    let algorithm = match spec.algorithm {
        Algorithm::Ecdsa => "ecdsap256sha256",
        Algorithm::Ed25519 => "ed25519",
        Algorithm::Rsa2048 => "rsasha256 2048",
        Algorithm::Ed448 => "ed448",
    };
    let keys = match spec.keys {
        Keys::KskZsk => {
            format!("ksk lifetime unlimited algorithm {algorithm}; zsk lifetime unlimited algorithm {algorithm};")
        }
        Keys::NoSep | Keys::NoSepAndStandby => panic!("BIND has no policy without the secure entry point bit"),
        Keys::Csk => format!("csk lifetime unlimited algorithm {algorithm};"),
    };
    let (zone, ttl_s) = (spec.zone, spec.ttl_s);
    // With the default validity a signature is used for nine days, and its key kept as long.
    let (publish_safety, signatures) = match spec.rolls {
        true => (
            ROLL_MARGIN_S,
            "signatures-validity 120; signatures-validity-dnskey 120; signatures-refresh 107; signatures-jitter 0;",
        ),
        false => (1, ""),
    };
    let inline = if spec.fault == Fault::InlineSigning { "yes" } else { "no" };
    let signing = match spec.fault {
        Fault::Unsigned => String::new(),
        _ => format!("dnssec-policy \"split\"; inline-signing {inline};"),
    };
    let more = match spec.fault {
        Fault::Nsec3 => "nsec3param iterations 0 optout no salt-length 8;",
        Fault::ShortSignatures => {
            "signatures-validity PT3H; signatures-validity-dnskey PT3H; signatures-refresh PT1H; signatures-jitter PT0S;"
        }
        _ => "",
    };
    let transferer = if spec.fault == Fault::NoTransfer { onlooker } else { key };
    let zones = format!(
        "{}dnssec-policy \"split\" {{ {more} dnskey-ttl {ttl_s}; max-zone-ttl {}; publish-safety {publish_safety}; \
         retire-safety 1; {signatures} zone-propagation-delay 1; parent-ds-ttl {ttl_s}; parent-propagation-delay 1; purge-keys 0;\n  keys {{ {keys} }}; }};\n\
         zone \"{zone}\" {{ type primary; file \"zone\"; {signing}\n  \
         update-policy {{ grant \"{}\" name \"{zone}\" DNSKEY CDS CDNSKEY CSYNC NS; }};\n  \
         allow-transfer {{ key \"{}\"; key \"{}\"; }}; }};\n",
        onlooker.bind_clause(),
        ttl_s.max(spec.data_ttl_s),
        key.name,
        transferer.name,
        onlooker.name
    );
    configure_named(dir, key, addresses, &zones);
}

pub fn start_bind(dir: &Path, spec: OperatorSpec) -> Running {
    // -n 1: one worker is plenty, and several tests share the machine.
    Running::start(
        "named",
        &releases::program(spec.release, "bind", "named", "bind9"),
        &["-g", "-n", "1", "-c", "named.conf"],
        dir,
        &[],
    )
}

/// `incremental` keeps foreign keys; `always` lets the CDS of Knot's own key be part of the group's set.
pub fn configure_knot(dir: &Path, spec: OperatorSpec, key: &TsigKey, onlooker: &TsigKey, addresses: &[IpAddr]) {
    let algorithm = match spec.algorithm {
        Algorithm::Ecdsa => "algorithm: ecdsap256sha256",
        Algorithm::Ed25519 => "algorithm: ed25519",
        Algorithm::Ed448 => "algorithm: ed448",
        Algorithm::Rsa2048 => "algorithm: rsasha256\n    ksk-size: 2048\n    zsk-size: 2048",
    };
    let keys = match spec.keys {
        Keys::KskZsk => "ksk-lifetime: 0\n    zsk-lifetime: 0",
        Keys::NoSep | Keys::NoSepAndStandby => panic!("Knot has no policy without the secure entry point bit"),
        Keys::Csk => "single-type-signing: on\n    ksk-lifetime: 0",
    };
    let (propagation_s, remotes, submission) = match spec.rolls {
        true => (ROLL_MARGIN_S, knot_watches_the_parent(spec.ttl_s), "\n    ksk-submission: parent"),
        false => (1, String::new(), ""),
    };
    let management = match spec.fault {
        Fault::DefaultDnskeyManagement => "",
        // Knot takes a key that it gives up out of the zone only if it signs before this has passed.
        _ => "\n    dnskey-management: incremental\n    delete-delay: 60",
    };
    let more = match spec.fault {
        Fault::Nsec3 => "\n    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 8",
        Fault::ShortSignatures => "\n    rrsig-lifetime: 3h\n    rrsig-refresh: 1h\n    rrsig-pre-refresh: 10m",
        _ => "",
    };
    let transferers = match spec.fault {
        Fault::NoTransfer => onlooker.name.clone(),
        _ => format!("{}, {}", key.name, onlooker.name),
    };
    let signing = if spec.fault == Fault::Unsigned { "off" } else { "on" };
    let listen: Vec<String> = addresses.iter().map(|ip| format!("{ip}@53")).collect();
    let (zone, ttl_s) = (spec.zone, spec.ttl_s);
    // Knot creates no database directory: the zone would stay SERVFAIL.
    std::fs::create_dir_all(dir.join("db")).expect("database directory");
    let configuration = format!(
        "server:\n    rundir: \"{dir}\"\n    listen: [{}]\n    automatic-acl: off\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\n\
         log:\n  - target: stdout\n    any: info\n\
         database:\n    storage: \"{dir}/db\"\n    journal-db-max-size: 16M\n    kasp-db-max-size: 16M\n    \
         timer-db-max-size: 1M\n\
         key:\n  - id: {key}\n    algorithm: {algorithm_tsig}\n    secret: {secret}\n  - id: {onlooker}\n    \
         algorithm: {algorithm_tsig}\n    secret: {onlooker_secret}\n\
         acl:\n  - id: update\n    key: {key}\n    action: update\n    \
         update-type: [DNSKEY, CDS, CDNSKEY, CSYNC, NS]\n    update-owner: zone\n    update-owner-match: equal\n  \
         - id: transfer\n    key: [{transferers}]\n    action: transfer\n\
         {remotes}policy:\n  - id: ms\n    {algorithm}\n    {keys}\n    dnskey-ttl: {ttl_s}\n    zone-max-ttl: {max_ttl}\n    \
         propagation-delay: {propagation_s}\n    cds-cdnskey-publish: always{submission}{management}{more}\n\
         zone:\n  - domain: \"{zone}\"\n    storage: \"{dir}\"\n    file: zone\n    zonefile-load: difference\n    \
         zonefile-sync: 0\n    journal-content: changes\n    dnssec-signing: {signing}\n    dnssec-policy: ms\n    \
         serial-policy: increment\n    acl: [update, transfer]\n",
        listen.join(", "),
        dir = dir.display(),
        key = key.name,
        algorithm_tsig = TsigKey::ALGORITHM,
        secret = key.secret,
        onlooker = onlooker.name,
        onlooker_secret = onlooker.secret,
        max_ttl = ttl_s.max(spec.data_ttl_s),
    );
    std::fs::write(dir.join("knot.conf"), configuration).expect("configuration");
}

pub fn start_knot(dir: &Path, spec: OperatorSpec) -> Running {
    Running::start("knotd", &releases::program(spec.release, "knot", "knotd", "knot"), &["-c", "knot.conf"], dir, &[])
}

/// Before it goes on with a key-signing key, Knot sees its DS at every server of the parent, and waits until older DS sets
/// are dead: at once, as it does by default, would be too early.
fn knot_watches_the_parent(ds_ttl_s: u32) -> String {
    let servers: String = [1, 2].map(|n| format!("  - id: parent{n}\n    address: {}@53\n", v4(n))).concat();
    format!(
        "remote:\n{servers}submission:\n  - id: parent\n    check-interval: 1\n    parent: [parent1, parent2]\n    \
         parent-delay: {}\n",
        ds_ttl_s + ROLL_MARGIN_S
    )
}

/// When a secondary asks its primary for what is new, after the first transfer.
#[derive(Clone, Copy)]
pub enum Follows {
    /// So many seconds after it has asked. Nobody notifies it.
    EverySeconds(u32),
    WhenNotified,
    /// The SOA refresh of a day keeps it from asking.
    Never,
}

pub fn start_secondary(dir: &Path, key: &TsigKey, primary: IpAddr, at: IpAddr, follows: Follows) -> Running {
    let dir = dir.join("secondary");
    std::fs::create_dir_all(&dir).expect("directory");
    let settings = match follows {
        Follows::EverySeconds(s) => format!(
            "allow-notify {{ none; }}; min-refresh-time {s}; max-refresh-time {s}; min-retry-time 1; max-retry-time 1; "
        ),
        Follows::WhenNotified => "allow-notify { any; }; ".to_owned(),
        Follows::Never => "allow-notify { none; }; ".to_owned(),
    };
    let zones = format!(
        "zone \"{CHILD}\" {{ type secondary; file \"zone\"; primaries {{ {primary} key \"{}\"; }}; {settings}}};\n",
        key.name
    );
    start_named(&dir, "named", key, &[at], &zones)
}
