//! The person with a finger over the button: pause, stop, undo, and undo of the undo, in the midst of a join and a leave.
//! The full matrix of steps is in `undo_at_every_step`; here is what each verb promises.

use std::time::Duration;

use serde_json::Value;

use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

async fn shown(stage: &Stage) -> Value {
    let shown = stage.chorus.cli(&["zone", "show", CHILD, "-o", "json"]).await;
    serde_json::from_str(&shown.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", shown.stdout, shown.stderr))
}

/// Until the transition is in this step, or beyond it.
async fn in_step(stage: &Stage, number: u64) {
    loop {
        let transition = &shown(stage).await["transition"];
        if transition["step_number"].as_u64() >= Some(number) || !transition["ended"].is_null() {
            stage.lab.tell(&format!("in step {}: {}", transition["step_number"], transition["step"]));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_join_is_undone_while_its_guards_are_awaited_and_then_the_undo_is_undone() {
    in_own_network(2 * LIMIT, || async {
        let stage = Stage::set("undo-of-undo", Cast::new(&[BIND, KNOT])).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        in_step(&stage, 4).await;
        let plan = stage.chorus.ok(&["zone", "undo", CHILD, "--plan"]).await;
        assert!(plan.contains("from a and b to a"), "{}", plan);
        stage.command(&["zone", "undo", CHILD, "--reason", "not yet"]).await;
        stage.assert_group(&["a"]).await;
        let transition = &shown(&stage).await["transition"];
        assert_eq!(transition["state"], "undone");
        let certificate = stage.chorus.ok(&["zone", "certificate", CHILD]).await;
        assert!(certificate.contains("no resolver could have failed"), "{certificate}");
        // Of an ended transition, by a new one.
        stage.command(&["zone", "undo", CHILD]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn a_leave_is_undone_after_the_leaver_has_lost_its_name_servers_and_resumed_again() {
    in_own_network(2 * LIMIT, || async {
        // Long enough for the way back to be under way still when it is looked at.
        let cast = Cast { ttl_s: 15, data_ttl_s: 15, ..Cast::new(&[BIND, KNOT]) };
        let stage = Stage::set("undo-leave", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.ok(&["zone", "leave", CHILD, "b"]).await;
        in_step(&stage, 3).await;
        // Twice, at the same moment, is as good as once.
        let command = ["zone", "undo", CHILD];
        let both = tokio::join!(stage.chorus.ok(&command), stage.chorus.ok(&command));
        assert!(both.0.contains("being undone") && both.1.contains("being undone"), "{both:?}");
        let transition = shown(&stage).await["transition"].clone();
        assert_eq!((transition["aim"].as_str(), transition["version"].as_i64()), (Some("undoing"), Some(2)));
        stage.command(&["zone", "resume", CHILD]).await;
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn a_join_that_is_stopped_ends_in_a_rest_state_and_can_be_gone_on_with() {
    in_own_network(2 * LIMIT, || async {
        let stage = Stage::set("stop-join", Cast::new(&[BIND, KNOT])).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        in_step(&stage, 3).await;
        stage.command(&["zone", "stop", CHILD]).await;
        let stopped = shown(&stage).await;
        assert_eq!((stopped["rest"].as_bool(), stopped["transition"]["state"].as_str()), (Some(true), Some("stopped")));
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn a_paused_join_writes_nothing_for_longer_than_a_ttl_and_ends_when_it_is_resumed() {
    in_own_network(2 * LIMIT, || async {
        let stage = Stage::set("pause-join", Cast::new(&[BIND, KNOT])).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        in_step(&stage, 4).await;
        stage.chorus.ok(&["zone", "pause", CHILD]).await;
        let before = stage.operators[0].served(hickory_proto::rr::RecordType::NS);
        // The guard opens meanwhile, and is not used: longer than any TTL of the story.
        tokio::time::sleep(Duration::from_secs(9)).await;
        let paused = shown(&stage).await;
        assert_eq!(paused["transition"]["state"], "paused");
        assert_eq!(stage.operators[0].served(hickory_proto::rr::RecordType::NS), before);
        stage.command(&["zone", "resume", CHILD]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
