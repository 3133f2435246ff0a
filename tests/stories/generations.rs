//! Servers of today, one story per generation beside an operator on the system's own server: what an operator can do is tried and
//! leaves the zone as it was; join, ZSK and KSK rollover, undo, both leave. `tests/servers/get` fetches the servers; see
//! `lab/releases`. The full matrix has all of them.

use hickory_proto::rr::RecordType::CDS;

use crate::bad_days::SOON;
use crate::every_step::{Case, JOIN, is_full, run};
use crate::key_rolls;
use crate::lab::operator::Server;
use crate::lab::{CHILD, Fault, Operator, Roll, in_own_network};
use crate::stage::{BIND, Cast, DESEC, KNOT, LIMIT, POWERDNS, POWERDNS_BY_UPDATE, Player, Stage};

const SERVERS: [(&str, Player, &str, Fault); 10] = [
    ("bind-9.20-plain", BIND, "9.20", Fault::None),
    ("bind-9.20-inline", BIND, "9.20", Fault::InlineSigning),
    ("bind-9.21-plain", BIND, "9.21", Fault::None),
    ("bind-9.21-inline", BIND, "9.21", Fault::InlineSigning),
    ("knot-3.4", KNOT, "3.4", Fault::None),
    ("knot-3.5", KNOT, "3.5", Fault::None),
    ("powerdns-4.9-by-api", POWERDNS, "4.9", Fault::None),
    ("powerdns-4.9-by-update", POWERDNS_BY_UPDATE, "4.9", Fault::None),
    ("powerdns-5.1-by-api", POWERDNS, "5.1", Fault::None),
    ("powerdns-5.1-by-update", POWERDNS_BY_UPDATE, "5.1", Fault::None),
];

fn other_than(player: Player) -> Player {
    if player.0 == Server::Bind { KNOT } else { BIND }
}

#[test]
fn each_generation_joins_is_undone_and_leaves() {
    let each = SERVERS.map(|(name, player, release, fault)| {
        Case::new(format!("{name}-members"), move |name| members_change(name, player, release, fault))
    });
    run(each.into(), &["bind-9.20-inline-members", "powerdns-4.9-by-update-members"]);
}

#[test]
fn each_generation_rolls_its_keys_in_a_group() {
    let each = SERVERS.map(|(name, player, release, fault)| {
        Case::new(format!("{name}-keys"), move |name| keys_are_rolled(name, player, release, fault))
    });
    run(each.into(), &["bind-9.20-inline-keys"]);
}

fn members_change(name: &'static str, player: Player, release: &'static str, fault: Fault) {
    in_own_network(2 * LIMIT, move || async move {
        let players = [other_than(player), player];
        let cast = Cast { release_of_b: Some((release, fault)), with_resolvers: !is_full(), ..Cast::new(&players) };
        let mut stage = Stage::set(name, cast).await;
        check_writes_and_leaves_nothing(&stage, "b").await;
        // Nothing is told of how the server keeps its keys.
        stage.comes_to(&["zone", "join", CHILD, "b"], JOIN[3]).await;
        stage.command(&["zone", "undo", CHILD, "--reason", "not yet"]).await;
        stage.assert_group(&["a"]).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.command(&["zone", "leave", CHILD, "a"]).await;
        stage.assert_group(&["b"]).await;
        stage.command(&["zone", "join", CHILD, "a"]).await;
        stage.command(&["zone", "leave", CHILD, "b"]).await;
        stage.assert_group(&["a"]).await;
        // Not while it serves: for a moment the zone has a name server that leads nowhere.
        check_writes_and_leaves_nothing(&stage, "b").await;
        stage.assert_clean(&[]).await;
    });
}

fn keys_are_rolled(name: &'static str, player: Player, release: &'static str, fault: Fault) {
    in_own_network(2 * LIMIT, move || async move {
        let players = [other_than(player), player];
        let cast = Cast { release_of_b: Some((release, fault)), ..key_rolls::cast(&players) };
        let mut stage = Stage::set(name, cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.b_rolls_at_rest(Roll::Zsk).await;
        stage.b_rolls_at_rest(Roll::Ksk).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// BIND 9.20 keeps CDS of the digest types in its `cds-digest-types`, by default type 2 alone, and takes others out at each key
/// event; deSEC publishes types 2 and 4.
#[test]
fn bind_that_strips_cds_of_another_digest_type_is_named_with_the_setting() {
    in_own_network(LIMIT, || async {
        let cast = Cast { release_of_b: Some(("9.20", Fault::None)), ..Cast::bad_day(&[DESEC, BIND]) };
        let mut stage = Stage::set("bind-9.20-strips", cast).await;
        stage.start_agent();
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        assert_eq!(stage.operators[1].served(CDS).len(), 4);
        let _ = stage.roll(1, Roll::Zsk);
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        let named = |zone: &serde_json::Value| zone["waiting_for"]["code"] == "operator-strips-cds";
        let shown = stage.chorus.shown_until(CHILD, "b is named", SOON, named).await;
        let text = shown["waiting_for"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("b takes out CDS of digest type 4") && text.contains("cds-digest-types"), "{text}");
        assert_eq!(stage.operators[1].served(CDS).len(), 2, "it is not written there again");
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// `operator check --write` finds every ability, and the zone is what it was, but for the serial and the signatures.
async fn check_writes_and_leaves_nothing(stage: &Stage, name: &str) {
    let operator = stage.operators.iter().find(|operator| operator.name() == name).expect("an operator of this name");
    let before = whole(operator);
    assert!(before.len() > 5, "{before:#?}");
    let output =
        stage.chorus.cli(&["operator", "check", name, "--zone", CHILD, "--write", "--test-zone", "-o", "json"]).await;
    assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
    let told: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let abilities = told["abilities"].as_array().expect("abilities");
    let are = |there: bool| abilities.iter().filter(|ability| ability["is_there"] == there).count();
    assert!(are(true) >= 9 && are(false) == 0, "{told:#}");
    assert_eq!(whole(operator), before, "{name} is left as it was");
    stage.lab.tell(&format!("{name} was tried, and is as it was"));
}

/// All records that a transfer shows, sorted, without signatures and without the serial.
pub fn whole(operator: &Operator) -> Vec<String> {
    let listed = operator.transfer();
    let mut lines: Vec<String> = listed
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|fields| fields.len() > 4 && fields[3] != "RRSIG")
        .map(|mut fields| {
            if fields[3] == "SOA" {
                fields[6] = "SERIAL".to_owned();
            }
            fields.join(" ")
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}
