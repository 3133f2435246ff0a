//! Whoever may add an operator says where requests go, and the names in it are theirs: no request may go to a network that
//! `chorus serve --allow-provider-net` does not name, however its address is written, whatever a name is bound to from one
//! moment to the next, and wherever an answer points.
//!
//! Every address of the world that these tests run in takes connections and keeps count of them, so that "refused" means:
//! nothing was connected to. Needs root (network and mount namespaces).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod names;
mod world;

use chorus_providers::desec::{Desec, Unlimited};
use chorus_providers::http::{AllowedNets, ApiKey, HttpConfig, Unusable};
use chorus_providers::powerdns::PowerDns;
use chorus_providers::{Provider, ProviderError};
use hickory_proto::rr::{Name, RecordType};
use names::Names;
use std::net::IpAddr;
use std::sync::Arc;
use world::{World, alone};

const EMPTY_LIST: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What the handshake fails at.
const NOT_TLS: &str = "HTTP/1.1 400 Bad Request\r\n\r\n";

/// Not public, and allowed in [`some_nets`].
const ALLOWED: &str = "198.51.100.7";
const PUBLIC: &str = "9.9.9.9";
const METADATA: &str = "169.254.169.254";

fn some_nets() -> AllowedNets {
    AllowedNets::with(vec!["198.51.100.0/24".parse().unwrap()])
}

fn every_net() -> AllowedNets {
    AllowedNets::with(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()])
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn zone() -> Name {
    Name::from_ascii("music1.example.").unwrap()
}

fn config(url: &str, nets: &AllowedNets) -> HttpConfig {
    let key = ApiKey::from_text("key-for-one-server-only").unwrap();
    // Nothing in this world is slow; what hangs must not hang for long.
    HttpConfig { connect_timeout_ms: 5000, answer_timeout_ms: 8000, ..HttpConfig::new(url, key, nets.clone()) }
}

/// What stands in the way of reading a zone there. `PowerDns` makes several requests for it, and has a connection for each.
async fn failure(url: &str, nets: &AllowedNets) -> String {
    match PowerDns::new(&config(url, nets), "localhost") {
        Ok(provider) => provider.read(&zone(), &[RecordType::DNSKEY]).await.unwrap_err().code().to_owned(),
        Err(Unusable::NotAllowed(error)) => error.code().to_owned(),
        Err(other) => panic!("{url}: {other}"),
    }
}

/// The same, by deSEC's interface.
async fn failure_at_desec(url: &str, nets: &AllowedNets) -> String {
    match Desec::new(&config(url, nets), Arc::new(Unlimited)) {
        Ok(provider) => provider.read(&zone(), &[RecordType::NS]).await.unwrap_err().code().to_owned(),
        Err(Unusable::NotAllowed(error)) => error.code().to_owned(),
        Err(other) => panic!("{url}: {other}"),
    }
}

//----------- Addresses in the URL -------------------------------------------

/// How the host is written, and which address that is.
const SPELLINGS: [(&str, &str); 43] = [
    ("169.254.169.254", METADATA),
    ("169.254.169.254.", METADATA),
    ("2852039166", METADATA),
    ("0xA9FEA9FE", METADATA),
    ("0xa9.0xfe.0xa9.0xfe", METADATA),
    ("0251.0376.0251.0376", METADATA),
    ("169.254.43518", METADATA),
    ("169.16689662", METADATA),
    ("0xa9.254.0251.254", METADATA),
    ("%31%36%39.254.169.254", METADATA),
    ("169\u{3002}254\u{ff0e}169\u{ff61}254", METADATA),
    ("\u{2460}\u{2465}\u{2468}.254.169.254", METADATA),
    ("[::ffff:169.254.169.254]", METADATA),
    ("[::FFFF:A9FE:A9FE]", METADATA),
    ("[0:0:0:0:0:ffff:a9fe:a9fe]", METADATA),
    ("[::169.254.169.254]", "::a9fe:a9fe"),
    ("[::ffff:0:169.254.169.254]", "::ffff:0:a9fe:a9fe"),
    ("127.0.0.1", "127.0.0.1"),
    ("127.1", "127.0.0.1"),
    ("127.0.0.1.", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("017700000001", "127.0.0.1"),
    ("0x7f000001", "127.0.0.1"),
    ("127.9.9.9", "127.9.9.9"),
    ("[::ffff:127.0.0.1]", "127.0.0.1"),
    ("[::ffff:7f00:1]", "127.0.0.1"),
    ("[::1]", "::1"),
    ("10.0.0.1", "10.0.0.1"),
    ("0xa.1", "10.0.0.1"),
    ("172.16.0.1", "172.16.0.1"),
    ("192.168.0.1", "192.168.0.1"),
    ("100.100.100.200", "100.100.100.200"),
    ("192.0.0.192", "192.0.0.192"),
    ("198.18.0.1", "198.18.0.1"),
    ("[fd00:ec2::254]", "fd00:ec2::254"),
    ("[fc00::1]", "fc00::1"),
    ("[fec0::1]", "fec0::1"),
    ("[64:ff9b::10.0.0.1]", "64:ff9b::a00:1"),
    ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe"),
    ("[64:ff9b:1::a00:1]", "64:ff9b:1::a00:1"),
    ("[2002:a9fe:a9fe::]", "2002:a9fe:a9fe::"),
    ("[2001:0:a00:1::]", "2001:0:a00:1::"),
    ("[100::1]", "100::1"),
];

/// The same for addresses to which nobody can connect, in any world.
const NOWHERE: [&str; 9] = [
    "0",
    "0.0.0.0",
    "[::]",
    "[::ffff:0.0.0.0]",
    "[fe80::1]",
    "[ff02::1]",
    "224.0.0.1",
    "255.255.255.255",
    "4294967295",
];

#[test]
fn an_address_that_is_not_allowed_is_refused_however_it_is_written_and_not_connected_to() {
    alone(|| async {
        let mut world = World::start(EMPTY_LIST).await;
        for host in SPELLINGS.map(|(host, _)| host).into_iter().chain(NOWHERE) {
            for scheme in ["http", "https"] {
                for port in ["", ":8081"] {
                    let url = format!("{scheme}://{host}{port}");
                    for nets in [AllowedNets::public_only(), some_nets()] {
                        assert_eq!(failure(&url, &nets).await, "address-not-allowed", "{url}");
                        assert_eq!(failure_at_desec(&url, &nets).await, "address-not-allowed", "{url}");
                    }
                }
            }
        }
        assert_eq!(world.connections().await, [] as [IpAddr; 0]);
    });
}

/// So that the test above shows something: without the refusal there would be a connection.
#[test]
fn where_everything_is_allowed_each_spelling_leads_to_the_address_that_it_stands_for() {
    alone(|| async {
        let mut world = World::start(NOT_FOUND).await;
        for (host, stands_for) in SPELLINGS {
            assert_eq!(failure(&format!("http://{host}"), &every_net()).await, "zone-not-served", "{host}");
            assert_eq!(world.connections().await, [address(stands_for)], "{host}");
        }
    });
}

#[test]
fn a_public_address_is_connected_to_with_tls_and_not_without() {
    alone(|| async {
        let mut world = World::start(NOT_TLS).await;
        for host in [PUBLIC, "[::ffff:9.9.9.9]", "0x09090909"] {
            assert_eq!(failure(&format!("http://{host}"), &some_nets()).await, "without-tls", "{host}");
            assert_eq!(world.connections().await, [] as [IpAddr; 0], "{host}");
            assert_eq!(failure(&format!("https://{host}"), &some_nets()).await, "tls-failed", "{host}");
            assert_eq!(world.connections().await, [address(PUBLIC)], "{host}");
        }
    });
}

//----------- Names ----------------------------------------------------------

#[test]
fn a_connection_goes_to_the_address_that_was_checked_and_the_next_one_is_checked_anew() {
    alone(|| async {
        let forbidden =
            [METADATA, "127.0.0.1", "10.0.0.1", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::a00:1"];
        let kept = ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"];
        let bound = kept.into_iter().zip(forbidden);
        let names = Names::start(bound.map(|(name, later)| (name, vec![vec![ALLOWED], vec![later]])).collect()).await;
        let mut world = World::start(EMPTY_LIST).await;
        for name in kept {
            let url = format!("http://{name}");
            // The keys are read from the first address; the zone would be read from the second one.
            assert_eq!(failure(&url, &some_nets()).await, "address-not-allowed", "{name}");
            assert_eq!(world.connections().await, [address(ALLOWED)], "{name}");
            assert_eq!(names.asked(name), 2, "one question for each connection: what was checked is what is used");
            assert_eq!(failure(&url, &some_nets()).await, "address-not-allowed", "{name}");
            assert_eq!(world.connections().await, [] as [IpAddr; 0], "{name}");
        }
    });
}

#[test]
fn a_name_that_changes_with_every_question_never_leads_elsewhere() {
    alone(|| async {
        let turns = (0..60).map(|turn| vec![if turn % 2 == 0 { PUBLIC } else { METADATA }]).collect();
        let names = Names::start(vec![("turns.test", turns)]).await;
        let mut world = World::start(NOT_TLS).await;
        let mut failures = Vec::new();
        for _ in 0..20 {
            failures.push(failure("https://turns.test", &AllowedNets::public_only()).await);
        }
        let expected: Vec<&str> = ["tls-failed", "address-not-allowed"].into_iter().cycle().take(20).collect();
        assert_eq!((failures, names.asked("turns.test")), (expected.into_iter().map(str::to_owned).collect(), 20));
        assert_eq!(world.connections().await, [address(PUBLIC); 10]);
    });
}

#[test]
fn a_name_with_one_address_that_is_not_allowed_is_refused_whatever_else_it_has() {
    alone(|| async {
        let bound = vec![
            ("metadata.test", vec![vec![METADATA]]),
            ("both.test", vec![vec![PUBLIC, METADATA]]),
            ("both-allowed.test", vec![vec![ALLOWED, "127.0.0.1"]]),
            ("mapped.test", vec![vec![PUBLIC, "::ffff:169.254.169.254"]]),
            ("local.test", vec![vec![PUBLIC, "fd00:ec2::254"]]),
            ("link.test", vec![vec![PUBLIC, "fe80::1"]]),
            ("loopback.test", vec![vec!["2620:fe::fe", "::1"]]),
            ("nat64.test", vec![vec![PUBLIC, "64:ff9b::a9fe:a9fe"]]),
            ("sixtofour.test", vec![vec![PUBLIC, "2002:a9fe:a9fe::"]]),
            ("unspecified.test", vec![vec!["0.0.0.0"]]),
            ("alias.test", vec![vec!["metadata.test"]]),
            ("twice.test", vec![vec!["alias.test"]]),
        ];
        let hosts: Vec<String> = bound.iter().map(|(name, _)| (*name).to_owned()).collect();
        let _names = Names::start(bound).await;
        let mut world = World::start(NOT_FOUND).await;
        // With a dot at its end, and in capital letters, it is the same name.
        for host in hosts.iter().flat_map(|host| [host.clone(), format!("{host}."), host.to_uppercase()]) {
            for nets in [AllowedNets::public_only(), some_nets()] {
                assert_eq!(failure(&format!("https://{host}"), &nets).await, "address-not-allowed", "{host}");
                assert_eq!(failure_at_desec(&format!("https://{host}"), &nets).await, "address-not-allowed", "{host}");
            }
            let without_tls = failure(&format!("http://{host}:8081"), &some_nets()).await;
            assert!(["address-not-allowed", "without-tls"].contains(&without_tls.as_str()), "{host}: {without_tls}");
        }
        assert_eq!(world.connections().await, [] as [IpAddr; 0]);
        // The name server works, and its world as well.
        assert_eq!(failure("http://alias.test", &every_net()).await, "zone-not-served");
        assert_eq!(world.connections().await, [address(METADATA)]);
    });
}

//----------- Answers --------------------------------------------------------

#[test]
fn a_redirection_is_told_and_not_followed() {
    alone(|| async {
        let _names = Names::start(vec![("api.test", vec![vec![ALLOWED]])]).await;
        let mut world = World::start("").await;
        // Not even to where it comes from.
        let elsewhere =
            ["http://169.254.169.254/latest/", "http://127.0.0.1:8081/", "//10.0.0.1/", "http://api.test/x"];
        for status in [301, 302, 303, 307, 308] {
            for to in elsewhere {
                let head = format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0");
                world.answers(&format!("{head}\r\nConnection: close\r\n\r\n"));
                assert_eq!(failure("http://api.test", &some_nets()).await, "redirected", "{status} {to}");
                assert_eq!(failure_at_desec("http://api.test", &some_nets()).await, "redirected", "{status} {to}");
                assert_eq!(world.connections().await, [address(ALLOWED); 2], "{status} {to}");
            }
        }
    });
}

#[test]
fn of_a_link_to_the_next_page_only_the_cursor_is_taken() {
    alone(|| async {
        let link = format!("Link: <http://{METADATA}/latest?cursor=x>; rel=\"first\"");
        let pages = format!("HTTP/1.1 400 Bad Request\r\n{link}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let mut world = World::start(&pages).await;
        let provider = Desec::new(&config(&format!("http://{ALLOWED}"), &some_nets()), Arc::new(Unlimited)).unwrap();
        let error: ProviderError = provider.largest_ttl_s(&zone()).await.unwrap_err();
        assert_eq!(error.code(), "unexpected-status", "{error}");
        assert_eq!(world.connections().await, [address(ALLOWED); 2]);
    });
}
