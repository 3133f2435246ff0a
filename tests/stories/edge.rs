//! What resolvers find for the operators' name servers, on real servers: an alias, an address that the operator
//! was not given. The daemon's resolver finds what any other finds.

use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::bad_days::SOON;
use crate::lab::{CHILD, Hosts, OperatorSpec, dns, in_own_network, signers, until, until_found, v4};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Player, Stage, zone_add_arguments};

/// The daemon finds every address by name.
async fn by_name(name: &'static str, players: &[Player]) -> Stage {
    Stage::set(name, Cast { by_name_only: true, ..Cast::bad_day(players) }).await
}

/// Until `zone check` of the pair has an error of this code.
async fn finds(stage: &Stage, code: &str) {
    let check = async || {
        let check = stage.chorus.cli(&["-o", "json", "zone", "check", CHILD, "--operators", "a,b"]).await;
        let check: Value = serde_json::from_str(&check.stdout).expect("JSON");
        let mut findings = check["findings"].as_array().expect("findings").iter();
        findings.any(|finding| finding["severity"] == "error" && finding["code"] == code).then_some(())
    };
    until_found(&format!("an error {code}"), SOON, check).await;
}

#[test]
fn name_server_that_is_an_alias_is_refused_everywhere() {
    in_own_network(LIMIT, || async {
        let stage = by_name("edge-alias", &[BIND, KNOT]).await;
        let (a, b) = (&stage.operators[0], &stage.operators[1]);
        stage.parent.update(&["add alias.example. 1 CNAME ns1.opb.example.".to_owned()]);
        let added = stage
            .chorus
            .cli(&a.add_arguments_as("c", &a.key.name, &a.key.secret_file, &["alias.example.".to_owned()]))
            .await;
        assert_eq!(added.status, 2, "{}", added.stderr);
        assert!(added.stderr.contains("is an alias of ns1.opb.example."), "{}", added.stderr);
        // b's name becomes one after it was added: the secondary of the parent has it as well.
        let host = b.hosts()[0].clone();
        stage.parent.update(&[format!("delete {host}"), format!("add {host} 1 CNAME ns2.opb.example.")]);
        finds(&stage, "name-server-is-alias").await;
        let joined = stage.chorus.cli(&["zone", "join", CHILD, "b"]).await;
        assert_eq!(joined.status, 4, "{}", joined.stderr);
        let tested = stage.chorus.cli(&["operator", "test", "b", "--zone", CHILD]).await;
        assert!(tested.stdout.contains("is an alias of"), "{}", tested.stdout);
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn address_that_only_resolvers_know_and_that_is_silent_blocks() {
    in_own_network(LIMIT, || async {
        let stage = by_name("edge-extra-address", &[BIND, KNOT]).await;
        let b = &stage.operators[1];
        // b is given by its addresses; the DNS has one more, at which no server answers.
        let servers: Vec<String> = b
            .host_addresses()
            .iter()
            .map(|(host, ip)| match ip {
                std::net::IpAddr::V4(v4) => format!("{host}={v4}"),
                std::net::IpAddr::V6(v6) => format!("{host}=[{v6}]"),
            })
            .collect();
        let mut set = vec!["operator".to_owned(), "set".to_owned(), "b".to_owned()];
        set.extend(servers.iter().flat_map(|server| ["--name-server".to_owned(), server.clone()]));
        stage.chorus.ok(&set).await;
        let host = b.hosts()[0].clone();
        stage.parent.update(&[format!("add {host} 1 A 127.0.1.199")]);
        finds(&stage, "address-unreachable").await;
        let joined = stage.chorus.cli(&["zone", "join", CHILD, "b"]).await;
        assert_eq!(joined.status, 4, "{}", joined.stderr);
        assert!(joined.stderr.contains("127.0.1.199"), "{}", joined.stderr);
        stage.assert_clean(&["a"]).await;
    });
}

/// How long caches may keep the address that is taken away.
const ADDRESS_TTL_S: u64 = 20;

/// Such an address counts until its last copy has expired, and what cannot be asked there any more is waited for.
#[test]
fn an_address_that_is_taken_away_from_an_operator_is_waited_for_by_its_ttl() {
    in_own_network(LIMIT, || async {
        let cast = Cast { told: false, agent: Agent::Ours, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("address-goes", cast).await;
        let (a, b) = (&stage.operators[0], &stage.operators[1]);
        let second = signers::start_secondary(&b.dir, &b.key, v4(12), v4(22), signers::Follows::EverySeconds(1));
        let (host, more) = (b.hosts()[0].clone(), v4(22));
        stage.parent.update(&[format!("delete {host} A"), format!("add {host} {ADDRESS_TTL_S} A {}", v4(12))]);
        stage.parent.update(&[format!("add {host} {ADDRESS_TTL_S} A {more}")]);
        let answers = || dns::ask(more, CHILD, RecordType::SOA, dns::DIRECT).is_ok_and(|answer| answer.authoritative);
        until("b's further address answers", SOON, answers).await;
        let given: Vec<String> = b.host_addresses().iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        let with = [given.clone(), vec![format!("{host}={more}")]].concat();
        stage.chorus.ok(&a.add_arguments()).await;
        stage.chorus.ok(&b.add_arguments_as("b", &b.key.name, &b.key.secret_file, &with)).await;
        stage.chorus.ok(&zone_add_arguments("a", &stage.parent.server_arguments(), 5)).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;

        stage.parent.update(&[format!("delete {host} A {more}")]);
        let gone = |ip: &std::net::IpAddr| {
            dns::rrset(&dns::ask_one_that_runs(*ip, &host, RecordType::A).answers, RecordType::A).0.len() == 1
        };
        until("the address is gone at every parent server", SOON, || stage.parent.addresses().iter().all(gone)).await;
        let taken_away = Instant::now();
        let mut set = ["operator", "set", "b"].map(str::to_owned).to_vec();
        set.extend(given.iter().flat_map(|server| ["--name-server".to_owned(), server.clone()]));
        stage.chorus.ok(&set).await;
        drop(second);
        stage.lab.tell("the address is taken away, and silent");
        let waits = |shown: &Value| shown["waiting_for"]["code"] == "guard-address";
        let shown = stage.chorus.shown_until(CHILD, "the address is waited for", SOON, waits).await;
        let awaited = &shown["waiting_for"];
        let text = awaited["text"].as_str().unwrap_or_default();
        assert!(
            text.contains(&format!("{host} ({more}:53)")) && text.contains("caches may send resolvers there"),
            "{text}"
        );
        assert!(awaited["until"].is_string(), "{shown:#}");
        stage.chorus.comes_to_rest().await;
        let waited = taken_away.elapsed();
        assert!(waited >= Duration::from_secs(ADDRESS_TTL_S - 1), "it was waited for {waited:?}");
        stage.assert_clean(&["a", "b"]).await;
    });
}

fn only_ipv6_at_b(spec: OperatorSpec) -> OperatorSpec {
    if spec.name == "b" { spec.hosts(Hosts::BesideByIpv6) } else { spec }
}

/// Names are compared as names (RFC 4343), and one address family is enough.
#[test]
fn a_delegation_in_capitals_and_a_newcomer_by_ipv6_alone_make_no_difference() {
    in_own_network(LIMIT, || async {
        let cast = Cast { told: false, agent: Agent::Ours, alter: only_ipv6_at_b, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("capitals-ipv6", cast).await;
        let capitals = ["NS1.OPA.EXAMPLE.", "Ns2.OpA.Example."].map(|host| format!("add {CHILD} 5 NS {host}"));
        stage.parent.update(&[vec![format!("delete {CHILD} NS")], capitals.to_vec()].concat());
        let b = &stage.operators[1];
        let mut add = b.add_arguments();
        let update = add.iter().position(|word| *word == v4(12).to_string()).expect("an address for updates");
        add[update] = "[fd00:c0::12]:53".to_owned();
        stage.chorus.ok(&stage.operators[0].add_arguments()).await;
        stage.chorus.ok(&add).await;
        stage.chorus.ok(&zone_add_arguments("a", &stage.parent.server_arguments(), 5)).await;
        stage.b_takes_over_from_a().await;
    });
}

/// One in the delegation that refuses the zone, one in the zone's own NS set that nobody knows: neither is anybody's.
#[test]
fn name_servers_that_belong_to_nobody_are_named_when_a_zone_is_adopted() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("nobodys-servers", Cast { told: false, ..Cast::bad_day(&[BIND]) }).await;
        let a = &stage.operators[0];
        stage.chorus.ok(&a.add_arguments()).await;
        let adopt = zone_add_arguments("a", &stage.parent.server_arguments(), 5);
        let lame = "ns1.opc.example.";
        stage.parent.update(&[format!("add {CHILD} 5 NS {lame}")]);
        stage.chorus.refuses(&adopt, 4, &[lame, "none of the operators", "--name-server"]).await;
        stage.parent.update(&[format!("delete {CHILD} NS {lame}")]);
        let ghost = "ghost.op.example.";
        a.update(&[format!("add {CHILD} 5 NS {ghost}")]);
        stage.chorus.refuses(&adopt, 4, &[ghost, "none of the operators", "--name-server"]).await;
        a.update(&[format!("delete {CHILD} NS {ghost}")]);
        // It is a's, and lame: somebody has to see to it before anybody joins.
        let servers: Vec<String> = a.host_addresses().iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        let mut set = ["operator", "set", "a"].map(str::to_owned).to_vec();
        let with = [servers, vec![format!("{lame}={}", v4(2))]].concat();
        set.extend(with.iter().flat_map(|server| ["--name-server".to_owned(), server.clone()]));
        stage.chorus.ok(&set).await;
        stage.chorus.refuses(&adopt, 4, &[&format!("{lame} ({}:53)", v4(2)), "authority"]).await;
        // That they were named and answered nothing is nobody's fault but the story's.
        let verdict = stage.observer.finish();
        let others = verdict.exposures.iter().filter(|exposure| exposure.rule != "every named server answers");
        assert_eq!(others.count(), 0, "{verdict}");
    });
}
