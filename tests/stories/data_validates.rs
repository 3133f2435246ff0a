//! Data that do not validate at one address: refused before anything is written, waited for at the end of a transition,
//! and reported at rest. The keys and the apex are good each time, and so is the operator's other address.

use serde_json::Value;
use std::time::Duration;

use crate::lab::{CHILD, OperatorSpec, Second, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

const SECOND: &str = "ns2.opb.example. ([fd00:c0::12]:53)";

/// b has a second server of its own.
fn with_second(players: &[Player]) -> Cast {
    let alter = |spec: OperatorSpec| spec.second(if spec.name == "b" { Second::Secondary } else { Second::Same });
    Cast { alter, ..Cast::bad_day(players) }
}

/// Whether a line of a zone is of this name (below the zone) and type.
fn is_of(line: &str, name: &str, rtype: &str) -> bool {
    let mut words = line.split_whitespace();
    let owner = words.next().unwrap_or_default();
    owner == format!("{name}.{CHILD}") && words.nth(2) == Some(rtype)
}

fn covers(line: &str, rtype: &str) -> bool {
    line.split_whitespace().nth(3) == Some("RRSIG") && line.split_whitespace().nth(4) == Some(rtype)
}

fn without_signature(line: &str) -> Option<String> {
    (!(is_of(line, "www", "RRSIG") && covers(line, "A"))).then(|| line.to_owned())
}

fn other_address(line: &str) -> Option<String> {
    let changed = if is_of(line, "www", "A") { line.replace("192.0.2.", "198.51.100.") } else { line.to_owned() };
    Some(changed)
}

/// Both the RRset and its signatures have the larger TTL, as a server demands.
fn longer_ttl(line: &str) -> Option<String> {
    let is_www = is_of(line, "www", "A") || is_of(line, "www", "RRSIG") && covers(line, "A");
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if is_www {
        words[1] = "3600";
    }
    Some(if is_www { words.join(" ") } else { line.to_owned() })
}

fn without_wildcard_denial(line: &str) -> Option<String> {
    let is_its = is_of(line, "*.w", "NSEC") || is_of(line, "*.w", "RRSIG") && covers(line, "NSEC");
    (!is_its).then(|| line.to_owned())
}

/// Each check asks for missing names of its own.
fn same_names(text: &str) -> String {
    let mut parts = text.split("chorus-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "chorus-" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

async fn errors(stage: &Stage) -> Vec<(String, String)> {
    let checked = stage.chorus.cli(&["-o", "json", "zone", "check", CHILD, "--operators", "a,b"]).await;
    let check: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(checked.status == 4, check["refused"] == true, "{check:#}");
    let findings = check["findings"].as_array().expect("findings").iter();
    let errors = findings.filter(|finding| finding["severity"] == "error");
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    errors.map(|finding| (text(finding, "code"), text(finding, "text"))).collect()
}

#[test]
fn data_that_do_not_validate_at_one_address_refuse_the_join() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("check-validity", with_second(&[BIND, KNOT])).await;
        assert_eq!(errors(&stage).await, [], "nothing is wrong yet");
        type Change = fn(&str) -> Option<String>;
        let cases: [(Change, &str, &str); 4] = [
            (without_signature, "signature-missing", "www.child.example. A"),
            (other_address, "signature-bogus", "www.child.example. A"),
            (longer_ttl, "ttl-above-signed", "www.child.example. A"),
            (without_wildcard_denial, "denial-unproven", ".w.child.example. "),
        ];
        for (change, code, set) in cases {
            stage.operators[1].doctor_second(change).await;
            let errors = errors(&stage).await;
            let named = |(of, text): &(String, String)| of == code && text.contains(SECOND) && text.contains(set);
            assert!(errors.iter().any(named), "{code}: {errors:#?}");
            assert!(errors.iter().all(|(_, text)| !text.contains("127.0.1.12")), "the other one is good: {errors:#?}");
            let line = stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &[SECOND]).await;
            assert!(
                errors.iter().any(|error| named(error) && same_names(&line).contains(&same_names(&error.1))),
                "{code}: {line}\n{errors:#?}"
            );
            let tested = stage.chorus.cli(&["operator", "test", "b", "--zone", CHILD]).await;
            assert!(tested.status == 4 && tested.stdout.contains(code), "{}", tested.stdout);
        }
        stage.operators[1].cure_second().await;
        assert_eq!(errors(&stage).await, []);
        stage.assert_clean(&["a"]).await;
    });
}

fn code(shown: &Value) -> &str {
    shown["transition"]["waiting_for"]["code"].as_str().unwrap_or_default()
}

/// The parent is told of what is shown, by hand: so the story knows when nothing is left to be written.
#[test]
fn a_transition_is_not_done_while_a_fresh_resolution_fails_and_data_are_sampled_at_rest() {
    in_own_network(LIMIT, || async {
        let cast = Cast { manual_parent: true, ..with_second(&[BIND, KNOT]) };
        let mut stage = Stage::set("fresh-resolution", cast).await;
        let limit = Duration::from_secs(60);
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        let for_ds = |shown: &Value| code(shown) == "parent-manual" && shown["transition"]["step_number"] == 3;
        stage.chorus.shown_until(CHILD, "the DS is waited for", limit, for_ds).await;
        stage.parent.set_ds(&[&stage.operators[0], &stage.operators[1]]).await;
        let for_ns = |shown: &Value| code(shown) == "parent-manual" && shown["transition"]["step_number"] == 5;
        stage.chorus.shown_until(CHILD, "the delegation is waited for", limit, for_ns).await;
        stage.operators[1].doctor_second(without_signature).await;
        stage.parent.set_ns(&[&stage.operators[0], &stage.operators[1]]).await;
        let fails = |shown: &Value| code(shown) == "resolution-fails";
        let shown = stage.chorus.shown_until(CHILD, "the resolution fails", limit, fails).await;
        let text = shown["transition"]["waiting_for"]["text"].as_str().expect("text");
        assert!(text.contains("www.child.example. A: no RRSIG record covers it") && text.contains(SECOND), "{text}");
        assert!(shown["rest"] == false, "{shown:#}");

        stage.operators[1].cure_second().await;
        stage.chorus.shown_until(CHILD, "the transition is done", limit, |shown| shown["rest"] == true).await;
        let certificate = stage.chorus.json(&["zone", "certificate", CHILD]).await;
        let found = &certificate["resolution"];
        assert_eq!(
            (&found["validated"], found["addresses"].as_array().map(Vec::len)),
            (&true.into(), Some(4)),
            "{found:#}"
        );
        for resolved in ["SOA", "a name", "a name that a wildcard stands for", "a missing name", "a missing type"] {
            assert!(found["resolved"].as_array().expect("list").contains(&resolved.into()), "{resolved}: {found:#}");
        }
        let untried = found["untried"].as_array().expect("list");
        assert!(untried.iter().any(|text| text.as_str().is_some_and(|text| text.contains("root"))), "{found:#}");

        stage.chorus.ok(&["zone", "policy", CHILD, "--sample-every", "1s"]).await;
        stage.operators[1].doctor_second(other_address).await;
        let bogus =
            |shown: &Value| shown["verdict"].as_str().is_some_and(|verdict| verdict.contains("does not validate"));
        let shown = stage.chorus.shown_until(CHILD, "the sample shows it", limit, bogus).await;
        let verdict = shown["verdict"].as_str().expect("text");
        assert!(verdict.contains("www.child.example. A") && verdict.contains(SECOND), "{verdict}");
        assert_eq!(shown["rest"], false);
        stage.operators[1].cure_second().await;
        stage.chorus.shown_until(CHILD, "the zone is at rest again", limit, |shown| shown["rest"] == true).await;
        let history = stage.chorus.ok(&["zone", "history", CHILD]).await;
        for kind in ["resolution-fails", "data-bogus", "data-valid-again"] {
            assert!(history.contains(kind), "{kind}: {history}");
        }
    });
}
