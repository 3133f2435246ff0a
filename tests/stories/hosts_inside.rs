//! Name servers inside the zone: every operator has to have the same addresses for them before they are named (RFC 7477
//! §3.2.2), and the parent has glue.

use hickory_proto::rr::RecordType;

use crate::lab::{CHILD, Hosts, OperatorSpec, dns, in_own_network, v4, v6};
use crate::parents::hand_over_what_is_shown;
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

/// The addresses of all name servers, at every operator, and a wildcard that stands for any other name.
const ALL: &str =
    "ns1-a A 127.0.1.11\nns2-a AAAA fd00:c0::11\nns1-b A 127.0.1.12\nns2-b AAAA fd00:c0::12\n* A 192.0.2.77\n";

fn with_equal_addresses(spec: OperatorSpec) -> OperatorSpec {
    spec.hosts(Hosts::Inside).more(ALL)
}

/// The newcomer alone knows its name servers. What a has for them is made of its wildcard.
fn with_addresses_at_the_newcomer(spec: OperatorSpec) -> OperatorSpec {
    match spec.name {
        "a" => spec.more("* A 192.0.2.77\n"),
        _ => spec.hosts(Hosts::Inside).more("ns1-b A 127.0.1.12\nns2-b AAAA fd00:c0::12\n"),
    }
}

fn refused(name: &'static str, players: &'static [Player]) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, Cast { alter: with_addresses_at_the_newcomer, ..Cast::bad_day(players) }).await;
        let before = stage.apex(&stage.operators[0]);
        let words = ["a (ns1.opa.example.", "192.0.2.77", "ns1-b.child.example.", "127.0.1.12"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b"]).await;
        assert!(checked.status == 4 && checked.stdout.contains("host-addresses-differ"), "{}", checked.stdout);
        assert!(checked.stdout.contains("fd00:c0::12"), "of the second one, too: {}", checked.stdout);
        assert_eq!(stage.apex(&stage.operators[0]), before, "nothing is written");
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn name_servers_inside_the_zone_that_bind_has_a_wildcard_for_are_refused() {
    refused("inside-unequal-bind", &[BIND, KNOT]);
}

#[test]
fn name_servers_inside_the_zone_that_knot_has_a_wildcard_for_are_refused() {
    refused("inside-unequal-knot", &[KNOT, BIND]);
}

/// The addresses that a referral brings along for the newcomer's name servers.
fn has_glue(stage: &Stage) -> bool {
    let glue = |ip: &std::net::IpAddr, host: &str, rtype| {
        // A referral answers any question below the delegation; the glue is in its additional section.
        dns::ask_one_that_runs(*ip, CHILD, RecordType::NS)
            .additionals
            .iter()
            .any(|record| record.record_type() == rtype && record.name == dns::name(&format!("{host}.{CHILD}")))
    };
    let all = stage.parent.addresses();
    all.iter().all(|ip| glue(ip, "ns1-b", RecordType::A) && glue(ip, "ns2-b", RecordType::AAAA))
}

#[test]
fn name_servers_inside_the_zone_with_equal_addresses_join_and_leave_with_their_glue() {
    in_own_network(LIMIT, || async {
        let cast = Cast { alter: with_equal_addresses, ..Cast::new(&[BIND, KNOT]) };
        let stage = Stage::set("inside-scan", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        assert!(has_glue(&stage));
        stage.command(&["zone", "leave", CHILD, "a"]).await;
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn name_servers_inside_the_zone_join_where_a_person_tells_the_parent() {
    in_own_network(LIMIT, || async {
        let cast = Cast { alter: with_equal_addresses, manual_parent: true, ..Cast::bad_day(&[KNOT, BIND]) };
        let stage = Stage::set("inside-manual", cast).await;
        // A registrar's form asks for the glue of such hosts; here it is there already.
        let glue = |host: &str, rtype: &str, ip: std::net::IpAddr| format!("add {host}.{CHILD} 5 {rtype} {ip}");
        stage.parent.update(&[glue("ns1-b", "A", v4(12)), glue("ns2-b", "AAAA", v6(12))]);
        assert_eq!(hand_over_what_is_shown(&stage, &["zone", "join", CHILD, "b"]).await, 2, "first DS, then NS");
        stage.assert_group(&["a", "b"]).await;
        assert!(has_glue(&stage));
        stage.assert_clean(&["a", "b"]).await;
    });
}
