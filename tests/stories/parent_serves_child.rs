//! Servers of the parent that serve the zone itself: they answer from their copy and never refer to it (RFC 1034 §4.3.2). The
//! delegation has to be seen in another way, and an operator whose zone they have a copy of cannot leave.

use serde_json::Value;

use crate::bad_days::{SOON, text, waiting};
use crate::lab::parent::Copies;
use crate::lab::{CHILD, in_own_network};
use crate::parents::hand_over_what_is_shown;
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage, zone_add_arguments};

const CODE: &str = "parent-serves-zone";

/// The zone is adopted from a, whose copy the parent's servers have; the registrar is told by hand.
async fn stage(name: &'static str, copies: Copies) -> (Stage, String) {
    let cast = Cast { told: false, manual_parent: true, ..Cast::bad_day(&[BIND, KNOT]) };
    let mut stage = Stage::set(name, cast).await;
    stage.parent.serves_child(copies).await;
    for operator in &stage.operators {
        stage.chorus.ok(&operator.add_arguments()).await;
    }
    let mut adopt = zone_add_arguments("a", &stage.parent.server_arguments(), 5);
    adopt.extend(["--parent", "manual"].map(str::to_owned));
    let adopted = stage.chorus.ok(&adopt).await;
    (stage, adopted)
}

fn comma(hosts: Vec<String>) -> String {
    hosts.join(",")
}

/// Nobody may transfer the parent zone, and no server of it refers: a person says each time what the delegation is. What was
/// never seen is taken to have a TTL of two days, so that no operator leaves here.
#[test]
fn a_delegation_that_no_server_of_the_parent_shows_is_confirmed_by_a_person() {
    in_own_network(LIMIT, || async {
        let copies = Copies { at_primary: true, at_secondary: true, ..Copies::default() };
        let (stage, adopted) = stage("parent-is-child", copies).await;
        assert!(adopted.contains("serves the zone itself"), "{adopted}");
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["parent"]["notes"].as_array().map(Vec::len), Some(2), "{shown:#}");
        let before = stage.operators.iter().map(|operator| operator.transfer()).collect::<Vec<_>>();
        let words = ["every server of the parent serves", "127.0.1.1:53", "127.0.1.2:53", "--delegation"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b"]).await;
        assert!(checked.status == 4 && checked.stdout.contains(CODE), "{}", checked.stdout);
        let planned = stage.chorus.cli(&["zone", "plan", CHILD, "--operators", "a,b"]).await;
        assert!(planned.stdout.contains(CODE), "{}{}", planned.stdout, planned.stderr);
        let after = stage.operators.iter().map(|operator| operator.transfer()).collect::<Vec<_>>();
        assert_eq!(records(&before), records(&after), "nothing is written");

        let (a, b) = (stage.operators[0].hosts(), stage.operators[1].hosts());
        let confirm = |hosts: Vec<String>| {
            ["zone", "policy", CHILD, "--delegation"]
                .map(str::to_owned)
                .into_iter()
                .chain([comma(hosts)])
                .collect::<Vec<_>>()
        };
        stage.chorus.ok(&confirm(a.clone())).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        handed_over(&stage, "DS", 3).await;
        stage.parent.set_ds(&[&stage.operators[0], &stage.operators[1]]).await;
        let to_confirm = |shown: &Value| waiting(shown)["code"] == CODE && shown["transition"]["step_number"] == 5;
        let waited = text(&stage.chorus.shown_until(CHILD, "the delegation is waited for", SOON, to_confirm).await);
        assert!(
            waited.contains("confirm it") && waited.contains("--delegation ns1.opa.example,ns1.opb.example"),
            "{waited}"
        );
        stage.parent.set_ns(&[&stage.operators[0], &stage.operators[1]]).await;
        stage.chorus.keeps_waiting_for(CODE, 2).await;
        stage.chorus.ok(&confirm([a, b].concat())).await;
        stage.chorus.comes_to_rest().await;
        serving(&stage, &["a", "b"]).await;
    });
}

/// All records without serials and signatures, which change without a hand.
fn records(zones: &[String]) -> Vec<Vec<&str>> {
    zones
        .iter()
        .map(|zone| {
            zone.lines()
                .filter(|line| !["RRSIG", "SOA"].contains(&line.split_whitespace().nth(3).unwrap_or_default()))
                .collect()
        })
        .collect()
}

/// Until something is to be handed to the registrar, in this step, if it is not 0.
async fn handed_over(stage: &Stage, what: &str, step: u64) {
    let in_step = |shown: &Value| step == 0 || shown["transition"]["step_number"] == step;
    let holds = |shown: &Value| waiting(shown)["code"] == "parent-manual" && in_step(shown);
    let shown = stage.chorus.shown_until(CHILD, &format!("{what} can be handed over"), SOON, holds).await;
    stage.lab.tell(&format!("{what}: {}", waiting(&shown)["text"]));
}

async fn serving(stage: &Stage, names: &[&str]) {
    let standings = stage.chorus.standings(CHILD).await;
    let serving = standings.iter().filter(|(_, standing)| standing == "Serving").map(|(name, _)| name.as_str());
    assert_eq!(serving.collect::<Vec<_>>(), names);
}

/// The delegation can be seen in another way, and nothing has to be confirmed. A copy that stays holds the leave.
fn joins_and_leaves(name: &'static str, copies: Copies, servers_with_copy: usize) {
    in_own_network(LIMIT, move || async move {
        let (mut stage, _) = stage(name, copies).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["parent"]["notes"].as_array().map(Vec::len), Some(servers_with_copy), "{shown:#}");
        let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b"]).await;
        assert!(checked.status == 0 && checked.stdout.contains(CODE), "{}", checked.stdout);
        assert_eq!(hand_over_what_is_shown(&stage, &["zone", "join", CHILD, "b"]).await, 2, "first DS, then NS");
        serving(&stage, &["a", "b"]).await;
        for operator in &stage.operators {
            assert_eq!(operator.served(hickory_proto::rr::RecordType::NS).len(), 4, "{}", operator.name());
        }

        // The copies are a's: resolvers that ask the parent there ask a.
        stage.chorus.ok(&["zone", "leave", CHILD, "a"]).await;
        handed_over(&stage, "NS", 2).await;
        stage.parent.set_ns(&[&stage.operators[1]]).await;
        let waited = stage.chorus.waits_for(CODE).await;
        assert!(waited.contains("copy of the zone at a server of the parent"), "{waited}");
        stage.chorus.keeps_waiting_for(CODE, 3).await;
        stage.parent.serves_child(Copies::default()).await;
        stage.lab.tell("the parent's servers have no copy any more");
        handed_over(&stage, "DS", 0).await;
        stage.parent.set_ds(&[&stage.operators[1]]).await;
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["b"]).await;
    });
}

#[test]
fn a_parent_that_serves_the_child_and_lets_its_zone_be_transferred_shows_the_delegation_by_that() {
    joins_and_leaves("parent-transfers", Copies { at_primary: true, at_secondary: true, parent_is_open: true }, 2);
}

#[test]
fn of_the_parents_servers_the_one_that_refers_shows_the_delegation() {
    joins_and_leaves("parent-is-mixed", Copies { at_secondary: true, ..Copies::default() }, 1);
}
