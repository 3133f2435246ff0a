//! Which addresses resolvers are sent to, and for how long: a server of a zone is a source of addresses only while something else
//! leads there; and what the check holds against a host that is to be named.

use crate::edge::{B, LIFE_S, a_has, b_is_inside, check_lets_pass, hosts, shows};
use crate::in_flight::{LATER_S, b_is_trusted, names};
use crate::support::{Fixture, name};
use chorus::model::dns::RecordSet;
use chorus::model::group::{decide, reachable, unequal, wanted_addresses};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served, Server};
use chorus::model::time::Time;
use std::collections::BTreeSet;
use std::net::IpAddr;

const HOST: &str = "ns2.child.example.";
const OLD: &str = "198.51.100.199";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(f: &Fixture, host: &str, address: &str) -> Server {
    Server { host: name(host).into(), address: format!("{address}:53").parse().unwrap(), ..f.server("b", 0) }
}

/// b's name server inside the zone had two addresses, and all had both. From second 1000 on all others have one. b was given
/// that one alone; the other is looked at because resolvers are sent there.
fn one_address_is_given_up() -> (Fixture, Server) {
    let mut f = b_is_inside(&[(HOST, B), (HOST, OLD)]);
    let (b, old) = (f.server("b", 0), at(&f, HOST, OLD));
    for server in [&b, &old] {
        shows(&mut f, 0, server.clone(), Kind::Addresses, hosts(&[(HOST, B), (HOST, OLD)]), None);
    }
    f.members.get_mut("b").unwrap().servers.push(old.clone());
    f.members.get_mut("b").unwrap().found.insert(old.clone());
    a_has(&mut f, 1000, &[(HOST, B)]);
    shows(&mut f, 1000, b, Kind::Addresses, hosts(&[(HOST, B)]), None);
    (f, old)
}

fn until(f: &Fixture, now_s: i64, host: &str, address: &str) -> Option<Option<Time>> {
    reachable(&f.world(now_s)).get(&(name(host), ip(address))).map(|known| known.until)
}

#[test]
fn address_that_only_its_own_server_still_has_expires() {
    for is_silent in [true, false] {
        let (mut f, old) = one_address_is_given_up();
        for at_s in [1000, 2000] {
            match is_silent {
                true => f.fails(at_s, old.clone(), Kind::Addresses, Failure::Silent),
                false => shows(&mut f, at_s, old.clone(), Kind::Addresses, hosts(&[(HOST, B), (HOST, OLD)]), None),
            }
        }
        assert_eq!(until(&f, 2001, HOST, OLD), Some(Some(Time::from_s(1000 + LIFE_S))), "silent: {is_silent}");
        assert_eq!(until(&f, 1000 + LIFE_S, HOST, OLD), None);
        let world = f.world(2001);
        assert_eq!(wanted_addresses(&world, &name(HOST)), BTreeSet::from([ip(B)]), "no operator is told to add it");
        assert_eq!(unequal(&world, &[name(HOST)].into(), world.members), Vec::new());
    }
}

#[test]
fn address_that_was_given_and_that_nothing_else_ever_had_expires_after_the_last_look() {
    let mut f = b_is_inside(&[(HOST, B)]);
    let old = at(&f, HOST, OLD);
    shows(&mut f, 0, old.clone(), Kind::Addresses, hosts(&[(HOST, OLD)]), None);
    shows(&mut f, 500, old.clone(), Kind::Addresses, hosts(&[(HOST, OLD)]), None);
    f.fails(600, old, Kind::Addresses, Failure::Silent);
    assert_eq!(until(&f, 601, HOST, OLD), Some(Some(Time::from_s(500 + LIFE_S))));
}

/// Two hosts moved, and the old server of each has the old address of the other.
#[test]
fn old_servers_that_lead_to_each_other_are_reachable_while_they_serve_the_zone() {
    let mut f = b_is_inside(&[]);
    let (second, others) = ("ns3.child.example.", ["198.51.100.198", "198.51.100.182"]);
    f.members.get_mut("b").unwrap().hosts.insert(name(second));
    let old = [at(&f, HOST, OLD), at(&f, second, others[0])];
    let before = hosts(&[(HOST, OLD), (second, others[0])]);
    let after = hosts(&[(HOST, B), (second, others[1])]);
    for server in &old {
        f.members.get_mut("b").unwrap().servers.push(server.clone());
        f.members.get_mut("b").unwrap().found.insert(server.clone());
        shows(&mut f, 0, server.clone(), Kind::Addresses, before.clone(), None);
    }
    let b = f.server("b", 0);
    for (at_s, has) in [(0, before.clone()), (1000, after)] {
        shows(&mut f, at_s, b.clone(), Kind::Addresses, has.clone(), None);
        for nth in 0..2 {
            let server = f.server("a", nth);
            shows(&mut f, at_s, server, Kind::Addresses, has.clone(), None);
        }
    }
    for server in &old {
        shows(&mut f, 50_000, server.clone(), Kind::Addresses, before.clone(), None);
    }
    assert_eq!(until(&f, 50_001, HOST, OLD), Some(None), "a cache may go from one to the other for ever");
    for server in &old {
        f.fails(60_000, server.clone(), Kind::Addresses, Failure::Refused);
    }
    let ends = until(&f, 60_001, HOST, OLD).unwrap().unwrap();
    assert!(ends <= Time::from_s(60_000 + 2 * LIFE_S), "{ends}");
    assert_eq!(wanted_addresses(&f.world(60_001), &name(HOST)), BTreeSet::from([ip(B)]));
    // After each turn it is known since when they answer nothing at all, and no more since when they tell no addresses.
    f.history.forget_troubles();
    for server in &old {
        Kind::OPERATOR.iter().for_each(|kind| f.fails(60_000, server.clone(), *kind, Failure::Refused));
        f.fails(90_000, server.clone(), Kind::Addresses, Failure::Refused);
    }
    assert_eq!(until(&f, 60_001, HOST, OLD).unwrap().unwrap(), ends);
    assert_eq!(until(&f, 90_001, HOST, OLD), None);
}

/// A third operator, last seen before b's host was asked for.
fn with_a_third_operator() -> (Fixture, Server) {
    let mut f = b_is_inside(&[(HOST, B)]);
    f.member("c", false);
    let server = f.server("c", 0);
    shows(&mut f, 0, server.clone(), Kind::Addresses, hosts(&[]), None);
    (f, server)
}

#[test]
fn check_does_not_ask_for_addresses_at_an_operator_that_no_resolver_can_query() {
    let (mut f, server) = with_a_third_operator();
    assert!(check_lets_pass(&f, LATER_S), "nothing names it");
    f.sees(1, "parent", Kind::Delegation, f.ns(&["a", "c"]));
    assert!(!check_lets_pass(&f, LATER_S), "resolvers may be sent to it, and it has no address for the host");
    f.fails(2, server.clone(), Kind::Addresses, Failure::Silent);
    f.history.lose(&server);
    assert!(check_lets_pass(&f, LATER_S), "a person has declared it gone");
}

#[test]
fn name_server_without_an_address_in_the_public_dns_is_not_named() {
    let mut f = b_is_trusted();
    let host = f.members["b"].hosts.first().unwrap().clone();
    shows(&mut f, 1, Server::public(host.into()), Kind::Addresses, hosts(&[]), None);
    assert!(!names(&f, LATER_S) && !check_lets_pass(&f, LATER_S));
    let waits = decide(&f.world(LATER_S)).waits;
    assert!(waits.iter().any(|wait| wait.code == "name-server-without-address"), "{waits:?}");
}

#[test]
fn operator_does_not_leave_while_a_name_server_that_stays_cannot_be_found() {
    for is_alias in [true, false] {
        let mut f = Fixture::new();
        f.member("a", true);
        f.member("b", true);
        f.together(0, &["a", "b"]);
        f.members.get_mut("a").unwrap().wanted = chorus::model::group::Standing::Outside;
        assert!(names(&f, 1000), "with nothing else the leaver is taken out");
        let host = f.members["b"].hosts.first().unwrap().clone();
        let public = Server::public(host.clone().into());
        match is_alias {
            true => {
                let alias = Failure::Alias { host: host.to_string(), of: "other.example.".into() };
                f.fails(1, public, Kind::Addresses, alias);
            }
            false => shows(&mut f, 1, public, Kind::Addresses, hosts(&[]), None),
        }
        assert!(!names(&f, 1000));
        let code = if is_alias { "name-server-is-alias" } else { "name-server-without-address" };
        let waits = decide(&f.world(1000)).waits;
        assert!(waits.iter().any(|wait| wait.code == code), "{waits:?}");
    }
}

#[test]
fn silence_over_udp_lasts_since_it_was_found_whatever_is_answered_over_tcp() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    let mut round = |at_s: i64, outcomes: &[Outcome]| {
        let sample = |outcome: &Outcome| Sample {
            at: Time::from_s(at_s),
            server: server.clone(),
            kind: Kind::Data,
            outcome: outcome.clone(),
        };
        f.history.record_round(&outcomes.iter().map(sample).collect::<Vec<_>>());
        f.history.trouble(&server, Kind::Data).map(|trouble| (trouble.since, trouble.failure.clone()))
    };
    let served = Served { records: RecordSet::new(), ttl_s: 60, signers: RecordSet::new(), expires: None };
    let (served, silent) = (Outcome::Served(served), Outcome::Failed(Failure::SilentOverUdp));
    for at_s in [10, 20, 30] {
        let trouble = round(at_s, &[served.clone(), silent.clone()]);
        assert_eq!(trouble, Some((Time::from_s(10), Failure::SilentOverUdp)));
    }
    assert_eq!(round(40, std::slice::from_ref(&served)), None);
    // Not the same silence.
    assert_eq!(round(50, &[served, silent]), Some((Time::from_s(50), Failure::SilentOverUdp)));
}
