//! An operator's second address that says nothing, or something old. What it served last counts as still served: no guard
//! starts, and the zone says which address it is waiting for.

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::bad_days::{SOON, text, waiting};
use crate::lab::signers::Follows;
use crate::lab::{CHILD, Second, in_own_network};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Stage};

/// b's second address.
const SECOND: &str = "[fd00:c0::12]:53";

#[test]
fn f09_an_operator_with_a_silent_address_is_refused_and_the_address_is_named() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            alter: |spec| spec.second(if spec.name == "b" { Second::Silent } else { Second::Same }),
            ..Cast::bad_day(&[BIND, KNOT])
        };
        let stage = Stage::set("silent", cast).await;
        let before = stage.apex(&stage.operators[0]);
        let words = ["b: ns2.opb.example", SECOND, "does not answer", "by UDP and TCP"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        let tested = stage.chorus.cli(&["operator", "test", "b", "--zone", CHILD]).await;
        assert!(tested.status == 4 && tested.stdout.contains(SECOND), "{}", tested.stdout);
        assert_eq!(stage.apex(&stage.operators[0]), before);
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn f09_while_an_address_is_stale_nothing_goes_on_and_it_is_named() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            agent: Agent::Ours,
            alter: |spec| spec.second(if spec.name == "b" { Second::Stale } else { Second::Same }),
            ..Cast::bad_day(&[BIND, KNOT])
        };
        let mut stage = Stage::set("stale", cast).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        // At first b's own address may lag as well.
        let stale_alone = format!("not yet served by ns2.opb.example. ({SECOND})");
        let named = |shown: &Value| waiting(shown)["code"] == "operator-lag" && text(shown).contains(&stale_alone);
        stage.chorus.shown_until(CHILD, "the stale address, and no other, is named", SOON, named).await;
        stage.chorus.keeps_waiting_for("operator-lag", 3).await;
        assert_eq!(stage.parent.ds_count(stage.parent.addresses()[0]), Some(1), "b's DS is not asked for yet");
        stage.operators[1].start_secondary(Follows::EverySeconds(1));
        stage.lab.tell("the secondary follows");
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn f09_an_address_that_falls_silent_in_mid_transition_holds_it_up_until_it_comes_back() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            alter: |spec| spec.second(if spec.name == "b" { Second::Secondary } else { Second::Same }),
            ..Cast::bad_day(&[BIND, KNOT])
        };
        let mut stage = Stage::set("falls-silent", cast).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.waits_for("parent-pending").await;
        stage.operators[1].secondary.as_ref().expect("b has one").pause();
        stage.lab.tell("b's second address is silent");
        let unreachable = stage.chorus.waits_for("operator-unreachable").await;
        assert!(unreachable.starts_with("b: ") && unreachable.contains(SECOND), "{unreachable}");
        // The parent acts meanwhile: the last condition of the guard but for the silent address.
        stage.start_agent();
        let parent = stage.parent.addresses()[0];
        crate::lab::until("the parent has both DS", SOON, || stage.parent.ds_count(parent) == Some(2)).await;
        crate::lab::ttl_passes(6).await;
        stage.chorus.keeps_waiting_for("operator-unreachable", 3).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(waiting(&shown)["until"], serde_json::Value::Null, "nobody knows for how long: {}", text(&shown));
        assert_eq!(shown["transition"]["state"], "waiting-operator");
        for operator in &stage.operators {
            assert_eq!(operator.served(RecordType::NS).len(), 2, "nobody is named by {}", operator.name());
        }
        stage.operators[1].secondary.as_ref().expect("b has one").resume();
        stage.lab.tell("b's second address is back");
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
