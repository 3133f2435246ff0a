//! Parents: one that never acts, one that does half of it, one that a person has to be asked for, one that has to be found.

use serde_json::Value;

use crate::bad_days::{SOON, text, waiting};
use crate::lab::parent::referral;
use crate::lab::{CHILD, in_own_network, until};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Stage};

#[test]
fn f10_a_parent_that_never_acts_is_waited_for_and_the_zone_stays_valid() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("never-acts", Cast { with_resolvers: true, ..Cast::bad_day(&[BIND, KNOT]) }).await;
        let waited = ["zone", "join", CHILD, "b", "--wait", "--timeout", "5s"];
        let timed_out = stage.chorus.cli(&waited).await;
        assert_eq!(timed_out.status, 5, "{}", timed_out.stderr);
        let awaited = stage.chorus.waits_for("parent-pending").await;
        let keys = [stage.key_names(0), stage.key_names(1)].concat();
        for word in keys.iter().map(String::as_str).chain(["DS set", "127.0.1.1:53", "127.0.1.2:53"]) {
            assert!(awaited.contains(word), "no {word}: {awaited}");
        }
        assert!(awaited.contains(&format!("of which {} is missing", keys[1])), "{awaited}");
        stage.chorus.keeps_waiting_for("parent-pending", 4).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(
            (&shown["transition"]["state"], &waiting(&shown)["until"]),
            (&"waiting-parent".into(), &Value::Null)
        );
        assert!(stage.observer.prove_no_exposure().exposures.is_empty(), "what is waited in is valid");
        stage.start_agent();
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn f11_a_parent_with_the_ds_at_one_of_its_servers_only_is_waited_for_by_name_of_the_other() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("half-the-servers", Cast::bad_day(&[BIND, KNOT])).await;
        stage.parent.secondary_follows(false);
        stage.parent.ready().await;
        stage.start_agent();
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        let [primary, _, secondary, _] = stage.parent.addresses()[..] else { panic!("four addresses") };
        until("the primary has both DS", SOON, || stage.parent.ds_count(primary) == Some(2)).await;
        let what = "the secondary alone is waited for";
        let shown = stage.chorus.shown_until(CHILD, what, SOON, |shown| {
            waiting(shown)["code"] == "parent-pending" && !text(shown).contains("127.0.1.1:53")
        });
        let awaited = text(&shown.await);
        let key = &stage.key_names(1)[0];
        for word in ["127.0.1.2:53", &format!("of which {key} is missing")] {
            assert!(awaited.contains(word), "no {word}: {awaited}");
        }
        stage.chorus.keeps_waiting_for("parent-pending", 3).await;
        assert_eq!(stage.parent.ds_count(secondary), Some(1));
        stage.parent.secondary_follows(true);
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        let verdict = stage.observer.finish();
        stage.lab.tell(&verdict.to_string());
        // The secondary was started again twice, and did not answer meanwhile.
        assert!(
            verdict.exposures.iter().all(|exposure| exposure.servers.iter().any(|s| s.starts_with("parent"))),
            "{verdict}"
        );
    });
}

#[test]
fn f11_a_parent_that_took_one_key_of_two_is_waited_for_by_name_of_the_key() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("half-the-keys", Cast::bad_day(&[BIND, KNOT, BIND])).await;
        stage.chorus.ok(&["zone", "set", CHILD, "--operators", "a,b,c"]).await;
        stage.chorus.waits_for("parent-pending").await;
        stage.parent.set_ds(&[&stage.operators[0], &stage.operators[1]]).await;
        let missing = format!("of which {} is missing", stage.key_names(2)[0]);
        let what = "c's key alone is missing";
        stage.chorus.shown_until(CHILD, what, SOON, |shown| text(shown).contains(&missing)).await;
        stage.chorus.keeps_waiting_for("parent-pending", 3).await;
        let standings = stage.chorus.standings(CHILD).await;
        assert_eq!(standings[2], ("c".into(), "Outside".into()));
        stage.start_agent();
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b", "c"]).await;
        stage.assert_clean(&["a", "b", "c"]).await;
    });
}

/// What `zone show` says for the registrar, as lines of an update.
fn lines_of(shown: &Value) -> Vec<String> {
    let values = |key: &str| -> Vec<String> {
        let values = shown["hand_to_registrar"][key].as_array().cloned().unwrap_or_default();
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut lines = Vec::new();
    for (rtype, values) in [("DS", values("ds")), ("NS", values("ns"))] {
        if values.is_empty() {
            continue;
        }
        lines.push(format!("delete {CHILD} {rtype}"));
        // Host names are shown without a final dot, as registrars want them.
        let dot = |value: &String| if rtype == "NS" && !value.ends_with('.') { "." } else { "" };
        lines.extend(values.iter().map(|value| format!("add {CHILD} 5 {rtype} {value}{}", dot(value))));
    }
    assert!(!lines.is_empty(), "{shown:#}");
    lines
}

/// A registrar's form: what `zone show` says at any moment is handed over at once, DS and NS, until the command is done.
pub async fn hand_over_what_is_shown(stage: &Stage, command: &[&str]) -> usize {
    stage.chorus.ok(command).await;
    hand_over_until_rest(stage).await
}

async fn hand_over_until_rest(stage: &Stage) -> usize {
    let mut handed = Vec::new();
    loop {
        let shown = stage
            .chorus
            .shown_until(CHILD, "something to hand over, or the end", SOON, |shown| {
                shown["rest"] == true
                    || (shown["hand_to_registrar"].is_object() && Some(&shown["hand_to_registrar"]) != handed.last())
            })
            .await;
        if shown["rest"] == true {
            return handed.len();
        }
        assert_eq!(waiting(&shown)["code"], "parent-manual", "{shown:#}");
        assert!(shown["next"].as_str().is_some_and(|next| next.contains("registrar")), "{shown:#}");
        let lines = lines_of(&shown);
        stage.lab.tell(&format!("handed over: {}", lines.join("; ")));
        stage.parent.update(&lines);
        handed.push(shown["hand_to_registrar"].clone());
    }
}

/// Somebody at the registrar has the old text on the desk, and enacts it after the undo.
#[test]
fn f23_registrar_that_acts_after_an_undo_meets_an_operator_that_still_serves() {
    in_own_network(LIMIT, || async {
        let cast = Cast { manual_parent: true, with_resolvers: true, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("late-registrar", cast).await;
        stage.chorus.ok(&["zone", "policy", CHILD, "--registrar-max", "1h"]).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        let hands = |shown: &Value| shown["hand_to_registrar"].is_object();
        let shown = stage.chorus.shown_until(CHILD, "the DS is shown for the registrar", SOON, hands).await;
        stage.parent.update(&lines_of(&shown));
        let both = |shown: &Value| shown["hand_to_registrar"]["ns"].as_array().is_some_and(|ns| ns.len() == 4);
        let old =
            stage.chorus.shown_until(CHILD, "the delegation to both is shown for the registrar", SOON, both).await;
        stage.chorus.ok(&["zone", "undo", CHILD]).await;
        stage.chorus.waits_for("registrar-pending").await;
        let shown = stage.chorus.ok(&["zone", "show", CHILD]).await;
        assert!(shown.contains("registrar    NS ns1.opa"), "{shown}");
        assert!(shown.contains("`chorus zone registrar-cancelled child.example`"), "{shown}");
        stage.chorus.keeps_waiting_for("registrar-pending", 8).await;

        stage.lab.tell("the registrar enacts the old text");
        stage.parent.update(&lines_of(&old));
        stage.probed(&["a", "b"]).await;
        assert_eq!(hand_over_until_rest(&stage).await, 2, "first NS, then DS");
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn what_is_shown_for_a_registrar_can_be_handed_over_as_it_is_in_a_join_and_in_a_leave() {
    in_own_network(LIMIT, || async {
        let cast = Cast { manual_parent: true, with_resolvers: true, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("manual", cast).await;
        assert!(stage.chorus.json(&["zone", "show", CHILD]).await["hand_to_registrar"].is_null());
        let waited = stage.chorus.cli(&["zone", "join", CHILD, "b", "--wait", "--timeout", "5s"]).await;
        assert_eq!(waited.status, 5, "{}", waited.stderr);
        let table = stage.chorus.ok(&["zone", "show", CHILD]).await;
        assert!(table.contains(&stage.operators[1].own_ds()[0].to_lowercase()), "the DS can be copied:\n{table}");
        assert_eq!(hand_over_what_is_shown(&stage, &["zone", "join", CHILD, "b"]).await, 2, "first DS, then NS");
        stage.assert_group(&["a", "b"]).await;
        stage.probed(&["a", "b"]).await;
        assert_eq!(hand_over_what_is_shown(&stage, &["zone", "leave", CHILD, "a"]).await, 2, "first NS, then DS");
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn the_parent_and_the_operators_name_servers_are_found_with_a_resolver() {
    in_own_network(LIMIT, || async {
        let cast = Cast { agent: Agent::Ours, by_name_only: true, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("by-name", cast).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        let servers = shown["servers"].as_array().cloned().unwrap_or_default();
        let addresses = |who: &str| {
            let mine = servers.iter().filter(|server| server["who"] == who);
            let mut found: Vec<&str> = mine.filter_map(|server| server["address"].as_str()).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(addresses("parent"), ["127.0.1.1:53", "127.0.1.2:53", "[fd00:c0::1]:53", "[fd00:c0::2]:53"]);
        assert_eq!(addresses("a"), ["127.0.1.11:53", "[fd00:c0::11]:53"]);
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        assert_eq!(referral(stage.parent.addresses()[3]).map(|hosts| hosts.len()), Some(4));
        stage.command(&["zone", "leave", CHILD, "a"]).await;
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
