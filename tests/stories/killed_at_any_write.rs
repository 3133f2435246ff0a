//! kill -9 before and after every write of a join and of a leave. The daemon does it to itself at the N-th write of its
//! life (`CHORUS_TEST_CRASH`); then it is started again and must get to the same end, without exposure.

use std::time::Duration;

use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, COMMAND_LIMIT, Cast, KNOT, LIMIT, Stage};

const SWITCH: &str = "CHORUS_TEST_CRASH";
/// A join of two operators has fewer writes than this; more restarts mean that it does not get on.
const CRASHES_MAX: usize = 40;

/// The daemon is restarted with `crash_at` each time it has died, until the change is done: every write of the change
/// is one that it died at.
async fn crashing_through(stage: &mut Stage, command: &[&str], first: &str, again: &str) -> usize {
    stage.chorus.restart(&[]).await;
    stage.chorus.ok(command).await;
    stage.chorus.restart_without_waiting(&[(SWITCH, first)]);
    let mut crashes = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stage.chorus.has_ended() {
            crashes += 1;
            assert!(crashes < CRASHES_MAX, "{}", stage.chorus.log_end());
            stage.chorus.restart_without_waiting(&[(SWITCH, again)]);
        }
        let shown = stage.chorus.cli(&["zone", "show", CHILD, "-o", "json"]).await;
        if shown.status == 0
            && let Ok(shown) = serde_json::from_str::<serde_json::Value>(&shown.stdout)
            && shown["rest"] == true
        {
            return crashes;
        }
    }
}

fn survives(name: &'static str, first: &'static str, again: &'static str) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = Stage::set(name, Cast::new(&[BIND, KNOT])).await;
        let join = crashing_through(&mut stage, &["zone", "join", CHILD, "b"], first, again).await;
        stage.assert_group(&["a", "b"]).await;
        stage.probed(&["a", "b"]).await;
        let leave = crashing_through(&mut stage, &["zone", "leave", CHILD, "b"], first, again).await;
        stage.assert_group(&["a"]).await;
        stage.lab.tell(&format!("died {join} times in the join and {leave} times in the leave"));
        assert!(join >= 4 && leave >= 3, "too few crashes: {join}, {leave}");
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn f01_killed_after_each_write_in_turn() {
    survives("killed-after-each", "after:1", "after:1");
}

#[test]
fn f01_killed_before_each_write_in_turn() {
    survives("killed-before-each", "before:1", "before:2");
}

/// One crash at the N-th write of a join and of a leave, then a daemon that runs through.
fn survives_one_crash(name: &'static str, crash: &'static str) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = Stage::set(name, Cast::new(&[BIND, KNOT])).await;
        for (verb, group) in [("join", &["a", "b"][..]), ("leave", &["a"][..])] {
            stage.chorus.restart(&[]).await;
            stage.chorus.ok(&["zone", verb, CHILD, "b"]).await;
            stage.chorus.restart_without_waiting(&[(SWITCH, crash)]);
            let done = ["zone", verb, CHILD, "b", "--wait", "--timeout", COMMAND_LIMIT];
            while !stage.chorus.has_ended() && !at_rest(&stage).await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            stage.chorus.restart(&[]).await;
            stage.command(&done[..4]).await;
            stage.assert_group(group).await;
            if verb == "join" {
                stage.probed(group).await;
            }
        }
        stage.assert_clean(&["a", "b"]).await;
    });
}

async fn at_rest(stage: &Stage) -> bool {
    let shown = stage.chorus.cli(&["zone", "show", CHILD, "-o", "json"]).await;
    serde_json::from_str::<serde_json::Value>(&shown.stdout).is_ok_and(|shown| shown["rest"] == true)
}

macro_rules! crashes {
    ($($story:ident: $crash:literal;)*) => {
        $(#[test] fn $story() { survives_one_crash(stringify!($story), $crash); })*
    };
}

crashes! {
    f01_killed_before_the_third_write: "before:3";
    f01_killed_after_the_third_write: "after:3";
}
