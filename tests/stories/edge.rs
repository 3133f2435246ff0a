//! What resolvers find for the operators' name servers, on real servers: an alias, an address that the operator
//! was not given. The daemon's resolver finds what any other finds.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};
use serde_json::Value;

/// The daemon finds every address by name.
async fn by_name(name: &'static str, players: &[Player]) -> Stage {
    Stage::set(name, Cast { by_name_only: true, ..Cast::bad_day(players) }).await
}

async fn codes(stage: &Stage) -> Vec<(String, String)> {
    let check = stage.chorus.cli(&["-o", "json", "zone", "check", CHILD, "--operators", "a,b"]).await;
    let check: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    let findings = check["findings"].as_array().expect("findings").iter();
    findings.map(|finding| (text(finding, "severity"), text(finding, "code"))).collect()
}

fn has(found: &[(String, String)], severity: &str, code: &str) -> bool {
    found.iter().any(|(s, c)| s == severity && c == code)
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
        let mut found = Vec::new();
        for _ in 0..40 {
            found = codes(&stage).await;
            if has(&found, "error", "name-server-is-alias") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        assert!(has(&found, "error", "name-server-is-alias"), "{found:?}");
        let joined = stage.chorus.cli(&["zone", "join", CHILD, "b"]).await;
        assert_eq!(joined.status, 4, "{}", joined.stderr);
        let tested = stage.chorus.cli(&["operator", "test", "b", "--zone", CHILD]).await;
        assert!(tested.stdout.contains("is an alias of"), "{}", tested.stdout);
        stage.assert_clean(&["a"]);
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
        let mut found = Vec::new();
        for _ in 0..40 {
            found = codes(&stage).await;
            if has(&found, "error", "address-unreachable") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        assert!(has(&found, "error", "address-unreachable"), "{found:?}");
        let joined = stage.chorus.cli(&["zone", "join", CHILD, "b"]).await;
        assert_eq!(joined.status, 4, "{}", joined.stderr);
        assert!(joined.stderr.contains("127.0.1.199"), "{}", joined.stderr);
        stage.assert_clean(&["a"]);
    });
}
