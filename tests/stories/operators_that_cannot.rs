//! Operators that cannot take part, each for a reason of its own: they are refused before anything is written, or found by
//! reading back, and named with what to change. Meanwhile nothing happens at the good operator that any resolver could notice.
//!
//! A clock that is off by an hour needs the daemon's clock bent, which a namespace cannot do: `providers/tests/rfc2136/refusals`
//! has it, against both servers.

use std::path::PathBuf;

use hickory_proto::rr::RecordType;

use crate::bad_days::waiting;
use crate::lab::process::TsigKey;
use crate::lab::{CHILD, Fault, in_own_network};
use crate::stage::{Agent, BIND, BIND_RSA, Cast, KNOT, LIMIT, Player, Stage};

/// b, under names that each have another credential: refused with these words, before and after the group is told to change.
fn refuses_credentials(name: &'static str, joiner: Player, forbidden: &'static [&'static str]) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, Cast::bad_day(&[BIND, joiner])).await;
        let (a, b) = (&stage.operators[0], &stage.operators[1]);
        let before = [stage.apex(a), stage.apex(b)];
        let other = TsigKey::create(&stage.lab.subdirectory("other-keys"), "another");
        let servers: Vec<String> = b.host_addresses().iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        let credentials: [(&str, &str, &PathBuf, &[&str]); 3] = [
            (
                "wrong-secret",
                &b.key.name,
                &other.secret_file,
                &["the secret of", "chorus-b", "BADSIG", "secret file again"],
            ),
            ("unknown-key", &other.name, &other.secret_file, &["another.", "BADKEY", "has a key of the name another."]),
            ("forbidden", &b.onlooker.name, &b.onlooker.secret_file, forbidden),
        ];
        for (operator, key, secret_file, words) in credentials {
            stage.chorus.ok(&b.add_arguments_as(operator, key, secret_file, &servers)).await;
            let line = stage.chorus.refuses(&["zone", "join", CHILD, operator, "--wait"], 4, words).await;
            assert!(line.starts_with(&format!("chorus: {operator}: 127.0.1.12:53 ")), "{line}");
            let tested = stage.chorus.cli(&["operator", "test", operator, "--zone", CHILD]).await;
            assert_eq!(tested.status, 4, "{}", tested.stdout);
            assert!(tested.stdout.contains(words[0]), "{}", tested.stdout);
            let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", &format!("a,{operator}")]).await;
            assert_eq!(checked.status, 4, "{}", checked.stdout);
            let error = format!("    {operator}: 127.0.1.12:53 ");
            assert!(checked.stdout.contains(words[0]) && checked.stdout.contains(&error), "{}", checked.stdout);
        }
        // The name servers are in order, and nobody listens where updates go.
        let mut arguments = b.add_arguments_as("deaf", &b.key.name, &b.key.secret_file, &servers);
        let update = arguments.iter().position(|argument| argument == "--update").expect("it is said") + 1;
        arguments[update] = "127.0.1.39".into();
        stage.chorus.ok(&arguments).await;
        let words = ["deaf: no connection to 127.0.1.39:53", "listens on TCP"];
        stage.chorus.refuses(&["zone", "join", CHILD, "deaf"], 1, &words).await;
        assert_eq!([stage.apex(a), stage.apex(b)], before, "nothing was written");
        stage.chorus.ok(&["operator", "test", "b", "--zone", CHILD]).await;
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn a_credential_that_bind_does_not_accept_is_refused_before_anything_is_written() {
    refuses_credentials("bind-credentials", BIND, &["refuses updating", "update-policy", "grant"]);
}

#[test]
fn a_credential_that_knot_does_not_accept_is_refused_before_anything_is_written() {
    refuses_credentials("knot-credentials", KNOT, &["BADKEY", "`action: update`", "update-owner-match: equal"]);
}

/// The operator that is in the zone already loses its permission: it is named too, and nothing is written at the newcomer.
#[test]
fn the_present_operator_must_take_updates_as_well() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("present-forbidden", Cast::bad_day(&[BIND, KNOT])).await;
        stage.chorus.start_afresh().await;
        let (a, b) = (&stage.operators[0], &stage.operators[1]);
        let servers: Vec<String> = a.host_addresses().iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        let looking_on = a.add_arguments_as("a", &a.onlooker.name, &a.onlooker.secret_file, &servers);
        stage.chorus.ok(&looking_on).await;
        stage.chorus.ok(&b.add_arguments()).await;
        stage.chorus.ok(&crate::stage::zone_add_arguments("a", &stage.parent.server_arguments(), 5)).await;
        let before = [stage.apex(a), stage.apex(b)];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &["a: 127.0.1.11:53 refuses updating", "grant"]).await;
        assert_eq!([stage.apex(a), stage.apex(b)], before, "nothing was written");
        stage.assert_clean(&["a"]).await;
    });
}

/// b cannot join, c could; b is refused in preflight with these words, at the plan too.
fn refuses_in_preflight(name: &'static str, cast: Cast, words: &'static [&'static str]) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, cast).await;
        let before = [stage.apex(&stage.operators[0]), stage.apex(&stage.operators[1])];
        stage.chorus.refuses(&["zone", "join", CHILD, "b", "--wait"], 4, words).await;
        stage.chorus.refuses(&["zone", "replace", CHILD, "a", "b"], 4, words).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!((&shown["rest"], &shown["transition"]), (&true.into(), &serde_json::Value::Null));
        assert_eq!([stage.apex(&stage.operators[0]), stage.apex(&stage.operators[1])], before);
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn bind_with_inline_signing_is_refused_with_the_setting_to_change() {
    let cast = Cast {
        alter: |spec| spec.fault(if spec.name == "b" { Fault::InlineSigning } else { Fault::None }),
        ..Cast::bad_day(&[BIND, BIND])
    };
    refuses_in_preflight("inline-signing", cast, &["b: 127.0.1.12:53", "`inline-signing no;`"]);
}

#[test]
fn an_operator_with_another_algorithm_is_refused() {
    let words = &["different algorithms: a uses 13, b uses 8", "same algorithm"];
    refuses_in_preflight("algorithms", Cast::bad_day(&[BIND, BIND_RSA]), words);
}

#[test]
fn an_operator_that_does_not_sign_is_refused() {
    let cast = Cast {
        alter: |spec| spec.fault(if spec.name == "b" { Fault::Unsigned } else { Fault::None }),
        ..Cast::bad_day(&[BIND, KNOT])
    };
    refuses_in_preflight("unsigned", cast, &["b serves child.example", "without DNSKEY", "let b sign the zone"]);
}

#[test]
fn an_operator_without_the_zone_is_refused() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("missing", Cast::bad_day(&[BIND])).await;
        let a = &stage.operators[0];
        let before = stage.apex(a);
        // The parent's server knows of the zone, and does not have it; at the other address nobody listens.
        for (operator, address, words) in [
            ("referring", "127.0.1.2", ["127.0.1.2:53", "it does not have the zone", "configured and reachable"]),
            ("nowhere", "127.0.1.39", ["127.0.1.39:53", "does not answer", "configured and reachable"]),
        ] {
            let server = format!("ns1.opb.example={address}");
            let arguments = a.add_arguments_as(operator, &a.key.name, &a.key.secret_file, &[server]);
            stage.chorus.ok(&arguments).await;
            stage.chorus.refuses(&["zone", "join", CHILD, operator], 4, &words).await;
            let planned = stage.chorus.cli(&["zone", "plan", CHILD, "--operators", &format!("a,{operator}")]).await;
            assert!(planned.status == 4 && planned.stdout.contains(words[1]), "{}{}", planned.stdout, planned.stderr);
            let tested = stage.chorus.cli(&["operator", "test", operator, "--zone", CHILD]).await;
            assert!(tested.status == 4 && tested.stdout.contains(words[1]), "{}{}", tested.stdout, tested.stderr);
        }
        // The very same servers under another name would be counted twice, and are one signer. Resolvers would be sent to b's
        // address for the name that is b's.
        let elsewhere = ["ns1.opb.example. (127.0.1.12:53) does not answer", "resolvers are sent there"];
        for (operator, host, what, more) in [
            (
                "again",
                "ns1.opa.example",
                "ns1.opa.example. is a name server of a and of again",
                ["as further name servers of a", "keys of its own"],
            ),
            ("alias", "ns1.opb.example", "127.0.1.11:53 is a name server of a and of alias", elsewhere),
        ] {
            let servers = [format!("{host}=127.0.1.11")];
            stage.chorus.ok(&a.add_arguments_as(operator, &a.key.name, &a.key.secret_file, &servers)).await;
            let signer = format!("a and {operator} sign with the same keys");
            let driven = format!("a and {operator} are both driven at 127.0.1.11:53");
            let words = [&signer, what, &driven, more[0], more[1]];
            stage.chorus.refuses(&["zone", "join", CHILD, operator], 4, &words).await;
        }
        assert_eq!(stage.apex(a), before);
        stage.assert_clean(&["a"]).await;
    });
}

/// Knot as it comes out of the box says NOERROR and drops foreign keys: only reading back shows it.
#[test]
fn f05_knot_that_says_yes_and_does_nothing_is_found_by_reading_back_and_joins_when_its_settings_are_right() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            agent: Agent::Ours,
            alter: |spec| spec.fault(if spec.name == "b" { Fault::DefaultDnskeyManagement } else { Fault::None }),
            ..Cast::bad_day(&[BIND, KNOT])
        };
        let mut stage = Stage::set("knot-default", cast).await;
        let words = ["b: 127.0.1.12:53", "DNSKEY", "missing", "`dnskey-management: incremental`"];
        let blocked = stage.chorus.cli(&["-q", "zone", "join", CHILD, "b", "--wait", "--timeout", "60s"]).await;
        assert_eq!(blocked.status, 4, "{}", blocked.stderr);
        assert!(words.iter().all(|word| blocked.stderr.contains(word)), "{}", blocked.stderr);
        assert_eq!(blocked.stderr.trim_end().lines().count(), 1, "{}", blocked.stderr);
        stage.chorus.keeps_waiting_for("update-ignored", 2).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["transition"]["state"], "blocked", "{}", waiting(&shown));
        assert_eq!(stage.parent.ds_count(stage.parent.addresses()[0]), Some(1), "b's DS is not asked for");
        assert_eq!(stage.operators[0].served(RecordType::NS).len(), 2, "b is not named");
        stage.operators[1].restart_as(Fault::None);
        stage.lab.tell("Knot is started with dnskey-management: incremental");
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
