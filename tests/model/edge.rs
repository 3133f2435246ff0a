//! What a resolver finds at the edge of a zone: the addresses of its name servers, glue, and a parent's server that has a copy
//! of the zone. Each guard in its place, and left out (`docs/guards.md`).

use crate::in_flight::{LATER_S, b_is_trusted, names};
use crate::support::{Fixture, all_keys, keys, name};
use chorus::model::chain::{Planned, Scene, check};
use chorus::model::dns::{RecordSet, address_rdata};
use chorus::model::group::{Standing, decide, is_present, preflight, reachable};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served, Server};
use chorus::model::switches::Switch;
use chorus::model::time::Time;

/// A TTL of an hour, and 60 s.
pub const LIFE_S: i64 = 3660;
pub const B: &str = "198.51.100.181";

pub fn hosts(pairs: &[(&str, &str)]) -> RecordSet {
    pairs.iter().map(|(host, address)| address_rdata(&name(host), address.parse().unwrap())).collect()
}

pub fn shows(f: &mut Fixture, at_s: i64, server: Server, kind: Kind, records: RecordSet, signer: Option<&str>) {
    let signers = signer.map(|op| RecordSet::from([keys(op).0, keys(op).1])).unwrap_or_default();
    let served = Served { records, ttl_s: 3600, signers, expires: None };
    f.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
}

fn leave_out(f: &mut Fixture, switches: &[Switch]) {
    f.lifetimes.without = switches.iter().copied().collect();
}

pub fn check_lets_pass(f: &Fixture, now_s: i64) -> bool {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let planned = Planned { operator: "a".into(), kind: Kind::Ns, ttl_s: 3600, records: f.ns(&["a", "b"]) };
    check(&scene, &[planned], Time::from_s(now_s)).is_empty()
}

/// The group trusts b, and no NS RRset names it; its name server lies inside the zone, and a has this for it.
pub fn b_is_inside(at_a: &[(&str, &str)]) -> Fixture {
    b_is_inside_since(0, at_a)
}

/// As [`b_is_inside`], and a was first asked then.
pub fn b_is_inside_since(at_s: i64, at_a: &[(&str, &str)]) -> Fixture {
    let mut f = b_is_trusted();
    let inside = name("ns2.child.example.");
    let old: Vec<Server> = f.members["b"].servers.clone();
    let b = f.members.get_mut("b").unwrap();
    b.hosts = [inside.clone()].into();
    b.servers = vec![Server { host: inside.into(), address: format!("{B}:53").parse().unwrap(), ..old[0].clone() }];
    for server in old {
        f.history.retire(&server, Time::from_s(-1_000_000));
    }
    f.sees(0, "b", Kind::Dnskey, all_keys(&["a", "b"]));
    f.sees(0, "b", Kind::Cds, f.ds(&["a", "b"]));
    f.sees(0, "b", Kind::Cdnskey, f.cdnskey(&["a", "b"]));
    f.sees(0, "b", Kind::Csync, RecordSet::new());
    f.sees(0, "b", Kind::Ns, f.ns(&["b"]));
    f.sees(0, "b", Kind::Data, RecordSet::new());
    let b = f.server("b", 0);
    shows(&mut f, 0, b, Kind::Addresses, hosts(&[("ns2.child.example.", B)]), None);
    a_has(&mut f, at_s, at_a);
    f
}

pub fn a_has(f: &mut Fixture, at_s: i64, pairs: &[(&str, &str)]) {
    for nth in 0..2 {
        let server = f.server("a", nth);
        shows(f, at_s, server, Kind::Addresses, hosts(pairs), None);
    }
}

#[test]
fn name_server_inside_the_zone_without_equal_addresses_is_not_named() {
    let equal = [("ns2.child.example.", B)];
    assert!(names(&b_is_inside(&equal), LATER_S) && check_lets_pass(&b_is_inside(&equal), LATER_S));
    for at_a in [&[][..], &[("ns2.child.example.", "192.0.2.77")]] {
        let f = b_is_inside(at_a);
        assert!(!names(&f, LATER_S) && !check_lets_pass(&f, LATER_S));
        let waits = decide(&f.world(LATER_S)).waits;
        assert!(waits.iter().any(|wait| wait.code == "host-addresses-differ" && wait.text.contains(B)), "{waits:?}");
    }
}

#[cfg(feature = "guard-switches")]
#[test]
fn without_the_comparison_a_name_server_is_named_that_one_operator_denies() {
    let mut f = b_is_inside(&[]);
    leave_out(&mut f, &[Switch::HostAddresses]);
    assert!(names(&f, LATER_S) && !check_lets_pass(&f, LATER_S), "the check holds it back by itself");
    leave_out(&mut f, &[Switch::CheckAddresses]);
    assert!(!names(&f, LATER_S) && check_lets_pass(&f, LATER_S), "the ladder waits by itself");
}

#[test]
fn other_addresses_are_waited_for_until_they_have_expired() {
    for (left_out, opens_s) in [(&[][..], LATER_S + LIFE_S), (&[Switch::OldAddresses], LATER_S)] {
        if !left_out.is_empty() && !cfg!(feature = "guard-switches") {
            continue;
        }
        let mut f = b_is_inside(&[("ns2.child.example.", "192.0.2.77")]);
        a_has(&mut f, LATER_S, &[("ns2.child.example.", B)]);
        leave_out(&mut f, left_out);
        assert!(!left_out.is_empty() || !names(&f, opens_s - 1));
        assert!(names(&f, opens_s));
    }
}

/// a and b serve the zone, and one of them is to leave: all name the other since second 100.
fn leaves(leaver: &str, stays: &str) -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(-1_000_000, &["a", "b"]);
    f.together(0, &["a", "b"]);
    f.members.get_mut(leaver).unwrap().wanted = Standing::Outside;
    f.sees(100, "a", Kind::Ns, f.ns(&[stays]));
    f.sees(100, "b", Kind::Ns, f.ns(&[stays]));
    f.sees(100, "parent", Kind::Delegation, f.ns(&[stays]));
    f
}

/// The delegation lives for a day, and 60 s.
const GONE_S: i64 = 100 + 86_460;

#[test]
fn leaver_that_another_name_leads_to_can_be_queried_until_that_address_expires() {
    for left_out in [&[][..], &[Switch::Addresses]] {
        if !left_out.is_empty() && !cfg!(feature = "guard-switches") {
            continue;
        }
        let mut f = leaves("b", "a");
        leave_out(&mut f, left_out);
        assert!(!is_present(&f.world(GONE_S), "b"), "with nothing else it is gone");
        let address = f.server("b", 0).address.ip().to_string();
        let public = Server::public(name("ns1.a.").into());
        shows(&mut f, 50, public.clone(), Kind::Addresses, hosts(&[("ns1.a.", &address)]), None);
        assert_eq!(is_present(&f.world(GONE_S), "b"), left_out.is_empty());
        shows(&mut f, GONE_S, public, Kind::Addresses, hosts(&[("ns1.a.", "192.0.2.9")]), None);
        assert_eq!(is_present(&f.world(GONE_S + LIFE_S - 1), "b"), left_out.is_empty());
        assert!(!is_present(&f.world(GONE_S + LIFE_S), "b"));
    }
}

#[test]
fn address_is_reachable_until_every_source_that_had_it_has_expired() {
    let mut f = leaves("b", "a");
    let pair = (name("ns1.a."), "192.0.2.9".parse().unwrap());
    let public = Server::public(name("ns1.a.").into());
    let glue = f.server("parent", 0);
    shows(&mut f, 0, public.clone(), Kind::Addresses, hosts(&[("ns1.a.", "192.0.2.9")]), None);
    shows(&mut f, 0, glue.clone(), Kind::Glue, hosts(&[("ns1.a.", "192.0.2.9")]), None);
    assert_eq!(reachable(&f.world(1))[&pair].until, None);
    shows(&mut f, 100, public, Kind::Addresses, hosts(&[("ns1.a.", "192.0.2.10")]), None);
    assert_eq!(reachable(&f.world(101))[&pair].until, None, "the glue still has it");
    shows(&mut f, 200, glue, Kind::Glue, hosts(&[]), None);
    assert_eq!(reachable(&f.world(201))[&pair].until, Some(Time::from_s(200 + LIFE_S)));
    assert!(!reachable(&f.world(200 + LIFE_S)).contains_key(&pair));
}

#[test]
fn glue_that_differs_from_the_zone_holds_the_leave() {
    for left_out in [&[][..], &[Switch::Glue]] {
        if !left_out.is_empty() && !cfg!(feature = "guard-switches") {
            continue;
        }
        let mut f = b_is_inside(&[("ns2.child.example.", B)]);
        leave_out(&mut f, left_out);
        f.members.get_mut("a").unwrap().wanted = Standing::Outside;
        for who in ["a", "b"] {
            f.sees(100, who, Kind::Ns, f.ns(&["b"]));
        }
        f.sees(100, "parent", Kind::Delegation, f.ns(&["b"]));
        let glue_has = |f: &mut Fixture, at_s: i64, address: &str| {
            for nth in 0..2 {
                let server = f.server("parent", nth);
                shows(f, at_s, server, Kind::Glue, hosts(&[("ns2.child.example.", address)]), None);
            }
        };
        glue_has(&mut f, 100, "192.0.2.77");
        assert_eq!(is_present(&f.world(GONE_S), "a"), left_out.is_empty());
        let waits = decide(&f.world(GONE_S)).waits;
        assert_eq!(waits.iter().any(|wait| wait.code == "glue-differs"), left_out.is_empty(), "{waits:?}");
        glue_has(&mut f, GONE_S, B);
        assert!(!is_present(&f.world(GONE_S + 1), "a"));
    }
}

#[test]
fn delegation_to_a_name_server_inside_the_zone_is_complete_with_glue_at_every_server_of_the_parent() {
    let mut f = b_is_inside(&[("ns2.child.example.", B)]);
    for who in ["a", "b"] {
        f.sees(100, who, Kind::Ns, f.ns(&["a", "b"]));
    }
    f.sees(100, "parent", Kind::Delegation, f.ns(&["a", "b"]));
    let glue_has = |f: &mut Fixture, nth: usize, pairs: &[(&str, &str)]| {
        let server = f.server("parent", nth);
        shows(f, 100, server, Kind::Glue, hosts(pairs), None);
    };
    glue_has(&mut f, 0, &[("ns2.child.example.", B)]);
    glue_has(&mut f, 1, &[]);
    let waits = decide(&f.world(200)).waits;
    let wait = waits.iter().find(|wait| wait.code == "glue-differs").unwrap_or_else(|| panic!("{waits:?}"));
    assert!(
        wait.text.contains("192.0.2.2") && wait.text.contains("no address as glue for ns2.child.example."),
        "{wait:?}"
    );
    glue_has(&mut f, 1, &[("ns2.child.example.", B)]);
    assert!(!decide(&f.world(200)).waits.iter().any(|wait| wait.code == "glue-differs"));
}

#[test]
fn leaver_whose_copy_a_server_of_the_parent_has_can_be_queried() {
    for left_out in [&[][..], &[Switch::ParentCopy]] {
        if !left_out.is_empty() && !cfg!(feature = "guard-switches") {
            continue;
        }
        let mut f = leaves("a", "b");
        leave_out(&mut f, left_out);
        let server = f.server("parent", 0);
        f.fails(100, server.clone(), Kind::Delegation, Failure::ServesChild);
        shows(&mut f, 100, server.clone(), Kind::Dnskey, all_keys(&["a", "b"]), Some("a"));
        shows(&mut f, 100, server.clone(), Kind::Data, RecordSet::new(), Some("a"));
        assert_eq!(is_present(&f.world(GONE_S), "a"), left_out.is_empty());
        let waits = decide(&f.world(GONE_S)).waits;
        assert_eq!(waits.iter().any(|wait| wait.code == "parent-serves-zone"), left_out.is_empty(), "{waits:?}");
        // The zone is taken off that server, which refers to the child again.
        f.history.retire_kinds(&server, &Kind::COPY, Time::from_s(GONE_S));
        f.sees_at(GONE_S, server, Kind::Delegation, f.ns(&["b"]));
        assert_eq!(is_present(&f.world(GONE_S + LIFE_S - 1), "a"), left_out.is_empty());
        assert!(!is_present(&f.world(GONE_S + LIFE_S), "a"));
    }
}

#[test]
fn hidden_delegation_holds_the_leave_and_refuses_the_join() {
    let mut f = leaves("a", "b");
    for nth in 0..2 {
        let server = f.server("parent", nth);
        f.fails(101, server, Kind::Delegation, Failure::ServesChild);
    }
    assert!(is_present(&f.world(GONE_S + 1_000_000), "a"));
    let refused = preflight(&f.world(200));
    assert!(refused.iter().any(|refused| refused.code == "parent-serves-zone"), "{refused:?}");
    let f = {
        let mut f = b_is_trusted();
        let server = f.server("parent", 0);
        f.fails(1, server, Kind::Delegation, Failure::ServesChild);
        f
    };
    assert!(names(&f, LATER_S), "the other server of the parent shows it");
}

#[test]
fn newcomer_waits_for_the_dnskey_rrset_of_a_copy_at_the_parent() {
    let mut f = b_is_trusted();
    let server = f.server("parent", 0);
    f.fails(0, server.clone(), Kind::Delegation, Failure::ServesChild);
    shows(&mut f, 0, server.clone(), Kind::Dnskey, all_keys(&["a"]), Some("a"));
    assert!(!names(&f, LATER_S));
    shows(&mut f, LATER_S, server, Kind::Dnskey, all_keys(&["a", "b"]), Some("a"));
    assert!(!names(&f, LATER_S + LIFE_S - 1));
    assert!(names(&f, LATER_S + LIFE_S));
}

#[test]
fn newcomer_that_is_an_alias_is_not_named() {
    let mut f = b_is_trusted();
    let host = f.members["b"].hosts.first().unwrap().clone();
    let alias = Failure::Alias { host: host.to_string(), of: "other.example.".into() };
    f.fails(1, Server::public(host.into()), Kind::Addresses, alias);
    assert!(!names(&f, LATER_S) && !check_lets_pass(&f, LATER_S));
    let waits = decide(&f.world(LATER_S)).waits;
    assert!(waits.iter().any(|wait| wait.code == "name-server-is-alias"), "{waits:?}");
}
