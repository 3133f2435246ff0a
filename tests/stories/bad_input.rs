//! Commands that a real daemon must refuse, because it, or the name servers that it asks, know better. One line that says what
//! to do, a documented exit code, and nothing changed anywhere. What needs no name server is in `tests/doors`.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Stage, zone_add_arguments};

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn what_nobody_knows_is_named_with_what_to_do() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("unknown", Cast::bad_day(&[BIND])).await;
        let chorus = &stage.chorus;
        let (no_zone, no_operator) =
            (["there is no zone other.example", "chorus zone add"], ["there is no operator x", "chorus operator add"]);
        for arguments in [
            &["zone", "show", "other.example"][..],
            &["zone", "history", "other.example"],
            &["zone", "certificate", "other.example"],
            &["zone", "policy", "other.example"],
            &["zone", "policy", "other.example", "--slack", "5s"],
            &["zone", "plan", "other.example", "--operators", "a"],
            &["zone", "set", "other.example", "--operators", "a"],
            &["zone", "join", "other.example", "a"],
            &["zone", "leave", "other.example", "a"],
        ] {
            chorus.refuses(arguments, 1, &no_zone).await;
        }
        for arguments in [
            &["operator", "show", "x"][..],
            &["operator", "test", "x", "--zone", CHILD],
            &["zone", "add", "other.example", "--operator", "x"],
            &["zone", "plan", CHILD, "--operators", "a,x"],
            &["zone", "set", CHILD, "--operators", "a,x"],
            &["zone", "join", CHILD, "x"],
            &["zone", "replace", CHILD, "a", "x"],
        ] {
            chorus.refuses(arguments, 1, &no_operator).await;
        }
        for arguments in [&["zone", "leave", CHILD, "x"][..], &["zone", "replace", CHILD, "x", "a"]] {
            chorus.refuses(arguments, 2, &["x is not an operator of child.example", "its operators are a"]).await;
        }
        chorus.refuses(&["zone", "certificate", CHILD], 1, &["no finished transition", "zone show"]).await;
        chorus
            .refuses(&["zone", "certificate", CHILD, "--transition", "t_1"], 1, &["no finished transition t_1"])
            .await;
        for (option, value, hint) in [
            ("--provider", "carrier-pigeon", "rfc2136"),
            ("--update", "ns1.opa.example", "192.0.2.1"),
            ("--tsig-algorithm", "hmac-md5", "hmac-sha256"),
            ("--tsig-name", "a..b", "write it like"),
            ("--name-server", "a name", "such as example.org"),
            ("--name-server", "192.0.2.1", "ns1.example.net=192.0.2.1"),
            ("--name-server", "ns1.opa.example=somewhere", "192.0.2.1"),
        ] {
            let mut arguments = stage.operators[0].add_arguments();
            arguments[2] = "n".into();
            match arguments.iter().position(|argument| argument == option) {
                Some(at) => arguments[at + 1] = value.into(),
                None => panic!("{option} is not said to an operator"),
            }
            chorus.refuses(&arguments, 2, &[hint]).await;
        }
        chorus
            .refuses(&stage.operators[0].add_arguments(), 6, &["operator a is there already", "operator show a"])
            .await;
        assert_eq!(chorus.json(&["operator", "list"]).await["operators"].as_array().map(Vec::len), Some(1));
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn a_zone_that_cannot_be_looked_after_is_not_adopted() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("not-adopted", Cast::bad_day(&[BIND, KNOT])).await;
        let chorus = &stage.chorus;
        let parent = stage.parent.server_arguments();
        let adopt = |zone: &str, operator: &str, parent: &[String]| {
            let mut arguments = zone_add_arguments(operator, parent, 5);
            arguments[2] = zone.to_owned();
            arguments
        };
        chorus.refuses(&adopt(CHILD, "a", &parent), 6, &["zone child.example is there already", "zone show"]).await;
        // Neither BIND nor Knot has it; the parent knows no such name either.
        for operator in ["a", "b"] {
            let words = ["elsewhere.example", operator, "REFUSED", "configured"];
            chorus.refuses(&adopt("elsewhere.example", operator, &parent), 4, &words).await;
        }
        // The zone of the stage is forgotten for the rest: a new daemon with nothing in it.
        let mut stage = stage;
        stage.chorus.start_afresh().await;
        let (chorus, a, b) = (&stage.chorus, &stage.operators[0], &stage.operators[1]);
        let [first, second] = [0, 1].map(|index| format!("{}={}", a.hosts()[index], a.addresses()[index]));
        let key = (&a.key.name, &a.key.secret_file);
        for (name, servers) in [
            ("half", vec![first.clone()]),
            ("wrong-address", vec![first.clone(), format!("{}=127.0.1.39", a.hosts()[1])]),
            ("parents-server", vec![first.clone(), format!("{}=127.0.1.2", a.hosts()[1])]),
            ("unresolvable", vec![first.clone(), "ns2.opa.invalid".to_owned()]),
            ("whole", vec![first.clone(), second.clone()]),
        ] {
            chorus.ok(&a.add_arguments_as(name, key.0, key.1, &servers)).await;
        }
        chorus.ok(&b.add_arguments()).await;
        for (operator, parent, words) in [
            ("half", &parent, &["ns2.opa.example", "--name-server"][..]),
            ("wrong-address", &parent, &["wrong-address: ", "127.0.1.39:53", "does not answer", "UDP and TCP"]),
            ("parents-server", &parent, &["parents-server: ", "127.0.1.2:53", "without authority"]),
            ("unresolvable", &parent, &["ns2.opa.invalid", "HOST=ADDR"]),
            ("whole", &strings(&["--parent-server", "127.0.1.39"]), &["parent of child.example", "--parent-server"]),
            ("whole", &strings(&["--parent-server", "127.0.1.12"]), &["parent of child.example", "--parent-server"]),
            // Serves the zone, and the parent delegates to another.
            ("b", &parent, &["ns1.opa.example", "--name-server"]),
        ] {
            chorus.refuses(&adopt(CHILD, operator, parent), 4, words).await;
        }
        assert_eq!(chorus.json(&["zone", "list"]).await["zones"].as_array().map(Vec::len), Some(0));
        chorus.ok(&adopt(CHILD, "whole", &parent)).await;
        assert_eq!(a.hosts().len(), a.served(hickory_proto::rr::RecordType::NS).len());
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn the_last_operator_cannot_leave() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("last", Cast::bad_day(&[BIND])).await;
        let before = stage.apex(&stage.operators[0]);
        stage.chorus.refuses(&["zone", "leave", CHILD, "a"], 4, &["no operator left", "at least one"]).await;
        stage.chorus.refuses(&["zone", "leave", CHILD, "a", "--wait"], 4, &["no operator left"]).await;
        assert_eq!(stage.chorus.json(&["zone", "show", CHILD]).await["rest"], true);
        assert_eq!(stage.apex(&stage.operators[0]), before);
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn in_a_transition_the_same_wish_is_fine_and_another_one_is_a_conflict() {
    in_own_network(LIMIT, || async {
        let cast = Cast { agent: Agent::Ours, ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("conflict", cast).await;
        let chorus = &stage.chorus;
        let third = stage.operators[1].add_arguments_as(
            "c",
            &stage.operators[1].key.name,
            &stage.operators[1].key.secret_file,
            &["ns1.opc.example=127.0.1.13".to_owned()],
        );
        chorus.ok(&third).await;
        let id = |answer: &serde_json::Value| answer["transition"]["id"].as_str().map(str::to_owned).expect("an id");
        for (verb, other) in [("join", ["leave", CHILD, "a"]), ("leave", ["join", CHILD, "b"])] {
            let begun = id(&chorus.json(&["zone", verb, CHILD, "b"]).await);
            assert_eq!(id(&chorus.json(&["zone", verb, CHILD, "b"]).await), begun, "asked a second time");
            let words = ["in the middle of a transition", "zone undo"];
            chorus.refuses(&[&["zone"][..], &other].concat(), 6, &words).await;
            chorus.refuses(&["zone", "set", CHILD, "--operators", "a,b,c"], 6, &words).await;
            chorus.refuses(&["zone", "join", CHILD, "c", "--wait"], 6, &words).await;
            stage.command(&["zone", verb, CHILD, "b"]).await;
            assert_eq!(id(&chorus.json(&["zone", "show", CHILD]).await), begun, "one transition, not more");
        }
        // What is so already is no error either.
        let nothing = chorus.cli(&["zone", "join", CHILD, "a", "--wait"]).await;
        assert_eq!(nothing.status, 0, "{}", nothing.stderr);
        chorus.refuses(&["zone", "leave", CHILD, "b"], 2, &["b is not an operator", "its operators are a"]).await;
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
