//! What each kind of operator can do, tried on real servers; the matrix is `docs/capabilities.md`. To write it anew, set
//! `CHORUS_WRITE_CAPABILITIES`.

use std::fmt::Write;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::lab::operator::Operator;
use crate::lab::{CHILD, Fault, dns, in_own_network};
use crate::stage::{Agent, BIND, Cast, DESEC, KNOT, LIMIT, POWERDNS, POWERDNS_BY_UPDATE, Stage};

const TYPES: [RecordType; 5] =
    [RecordType::DNSKEY, RecordType::CDS, RecordType::CDNSKEY, RecordType::CSYNC, RecordType::NS];

const HEADS: [&str; 5] = ["BIND 9.18", "Knot 3.2", "PowerDNS 4.7, API", "PowerDNS 4.7, updates", "deSEC (stand-in)"];

const FOREWORD: &str = "# What operators can do

Each value was seen: `chorus operator check NAME --zone ZONE --write` placed a record, found it at every address of the operator,
and took it away again. `D`: by dynamic updates (RFC 2136), `R`: by a REST API, `–`: it cannot. The settings are those of the
README. This table is written by a test that runs the check on real servers; deSEC's column is that of its stand-in.
";

#[test]
fn each_kind_of_operator_can_do_what_the_table_says_and_is_left_as_it_was() {
    in_own_network(2 * LIMIT, || async {
        let players = [BIND, KNOT, POWERDNS, POWERDNS_BY_UPDATE, DESEC];
        let stage = Stage::set("capabilities", Cast::bad_day(&players)).await;
        let mut seen: Vec<Value> = Vec::new();
        for operator in &stage.operators {
            let before = apex(operator);
            let read = stage.chorus.json(&["operator", "check", operator.name(), "--zone", CHILD]).await;
            // Who signs CDS is seen in those that it publishes by itself.
            let known = abilities_that(&read, |is_there| is_there.is_boolean());
            assert!(known.iter().all(|ability| ability == "sign-cds"), "{read:#}");
            assert_eq!(read["interface"]["outcome"], "pass", "{read:#}");
            let arguments =
                ["operator", "check", operator.name(), "--zone", CHILD, "--write", "--test-zone", "-o", "json"];
            let output = stage.chorus.cli(&arguments).await;
            let told = serde_json::from_str(&output.stdout);
            seen.push(told.unwrap_or_else(|_| panic!("{}: {}", operator.name(), output.stderr)));
            assert_eq!(apex(operator), before, "{} is left as it was", operator.name());
            // What was seen is remembered.
            let read = read_after_trial(&stage, operator).await;
            assert_eq!(abilities_that(&read, |is_there| *is_there == true).len(), 10, "{read:#}");
        }
        let plan = stage.chorus.json(&["zone", "plan", CHILD, "--operators", "a,e"]).await;
        let requests = &plan["requests"][0];
        assert_eq!((&requests["operator"], &requests["zones_ahead"]), (&"e".into(), &0.into()), "{plan:#}");
        let (writes, needed) = (requests["writes"].as_u64(), requests["requests"].as_u64());
        // The check before it, and for each write two reads before it and one after it.
        assert!(writes > Some(1) && needed == writes.map(|writes| 3 + 4 * writes), "{requests:#}");
        let table = table(&seen);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/capabilities.md");
        if std::env::var_os("CHORUS_WRITE_CAPABILITIES").is_some() {
            std::fs::write(&path, &table).expect("the table");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), table, "docs/capabilities.md; seen: {seen:#?}");
    });
}

/// The trial has used up what deSEC's account may write in a minute: only whether it takes writes is not tried then, and said so.
async fn read_after_trial(stage: &Stage, operator: &Operator) -> Value {
    let output = stage.chorus.cli(&["operator", "check", operator.name(), "--zone", CHILD, "-o", "json"]).await;
    let read: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
    let interface = (&read["interface"]["code"], &read["interface"]["outcome"]);
    match output.status {
        0 => assert_eq!(interface.1, "pass", "{read:#}"),
        status => {
            assert!(status == 8 && operator.desec.is_some(), "{status}: {read:#}");
            assert_eq!(interface, (&"request-budget-spent".into(), &"untried".into()), "{read:#}");
        }
    }
    read
}

fn table(seen: &[Value]) -> String {
    let mut text = format!("{FOREWORD}\n| ability |");
    for head in HEADS {
        let _ = write!(text, " {head} |");
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(HEADS.len()));
    let abilities = seen[0]["abilities"].as_array().expect("abilities");
    for (nth, ability) in abilities.iter().enumerate() {
        let _ = write!(text, "| `{}`: {} |", text_of(ability, "ability"), text_of(ability, "text"));
        for one in seen {
            let can = one["abilities"][nth]["is_there"] == true;
            let _ = write!(text, " {} |", if can { text_of(one, "way") } else { "–" });
        }
        text.push('\n');
    }
    let _ = write!(text, "| the credential may change more than Chorus needs |");
    for one in seen {
        let cell = match one["oversteps"].as_array() {
            None => "not tried",
            Some(may) if may.is_empty() => "no",
            Some(_) => "yes",
        };
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
    text
}

/// Records and TTL of each of the sets that a trial touches.
fn apex(operator: &Operator) -> [(Vec<String>, Option<u32>); 5] {
    TYPES.map(|rtype| (operator.served(rtype), operator.served_ttl_s(rtype)))
}

fn abilities_that(told: &Value, is: impl Fn(&Value) -> bool) -> Vec<String> {
    let all = told["abilities"].as_array().into_iter().flatten();
    all.filter(|ability| is(&ability["is_there"])).map(|ability| text_of(ability, "ability").to_owned()).collect()
}

/// Nothing is written for it: the history of the zone has it.
#[test]
fn what_a_join_and_a_leave_have_shown_is_told_without_writing() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("seen", Cast { agent: Agent::Ours, ..Cast::bad_day(&[BIND, KNOT]) }).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        let joined = stage.chorus.json(&["operator", "check", "a", "--zone", CHILD]).await;
        let seen = abilities_that(&joined, |is_there| *is_there == true);
        let has = |ability: &str| seen.iter().any(|seen| seen == ability);
        assert!(["add-dnskey", "add-cds", "add-ns"].into_iter().all(has), "{joined:#}");
        assert!(!["remove-dnskey", "remove-cds", "remove-ns", "remove-own-ns"].into_iter().any(has), "{joined:#}");
        stage.command(&["zone", "leave", CHILD, "b"]).await;
        let left = stage.chorus.json(&["operator", "check", "a", "--zone", CHILD]).await;
        let seen = abilities_that(&left, |is_there| *is_there == true);
        for ability in ["add-dnskey", "remove-dnskey", "add-cds", "remove-cds", "add-ns", "remove-ns"] {
            assert!(seen.iter().any(|seen| seen == ability), "{ability}: {left:#}");
        }
        assert_eq!(abilities_that(&left, |is_there| *is_there == false), [""; 0], "{left:#}");
    });
}

/// Knot as it comes out of the box says NOERROR and drops foreign keys.
#[test]
fn an_operator_that_was_found_unable_is_refused_before_anything_is_written() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            alter: |spec| spec.fault(if spec.name == "b" { Fault::DefaultDnskeyManagement } else { Fault::None }),
            ..Cast::bad_day(&[BIND, KNOT])
        };
        let mut stage = Stage::set("unable", cast).await;
        let before = apex(&stage.operators[0]);
        let checked = stage
            .chorus
            .cli(&["operator", "check", "b", "--zone", CHILD, "--write", "--test-zone", "-o", "json"])
            .await;
        assert_eq!(checked.status, 4, "{}", checked.stderr);
        let checked: Value = serde_json::from_str(&checked.stdout).expect("JSON");
        assert!(
            abilities_that(&checked, |is_there| *is_there == false).contains(&"add-dnskey".to_owned()),
            "{checked:#}"
        );
        let words = ["b cannot carry other operators' keys", "`add-dnskey` failed in child.example", "--write` again"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        assert_eq!(apex(&stage.operators[0]), before, "nothing was written");
        stage.operators[1].restart_as(Fault::None);
        let b = stage.operators[1].addresses()[0];
        let serves = || dns::ask(b, CHILD, TYPES[0], dns::DIRECT).is_ok_and(|answer| !answer.answers.is_empty());
        crate::lab::until("Knot serves the zone again", LIMIT, serves).await;
        let checked = stage.chorus.cli(&["operator", "check", "b", "--zone", CHILD, "--write", "--test-zone"]).await;
        assert_eq!(checked.status, 0, "{}{}", checked.stdout, checked.stderr);
        let plan = stage.chorus.json(&["zone", "plan", CHILD, "--operators", "a,b"]).await;
        let refusals = plan["refusals"].as_array().into_iter().flatten();
        let failed: Vec<_> = refusals.filter(|check| check["outcome"] == "fail").collect();
        assert!(failed.is_empty() && !plan["steps"].as_array().expect("steps").is_empty(), "{plan:#}");
        stage.assert_clean(&["a"]).await;
    });
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The daemon dies in the middle of a trial; the next one puts back what was there.
#[test]
fn what_a_trial_left_behind_is_taken_away_at_the_next_start() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("trial-killed", Cast::bad_day(&[KNOT])).await;
        let before = apex(&stage.operators[0]);
        {
            let arguments = ["operator", "check", "a", "--zone", CHILD, "--write", "--test-zone"];
            let check = stage.chorus.cli(&arguments);
            let (operator, foreign) = (&stage.operators[0], before[0].0.len());
            tokio::select! {
                output = check => panic!("it was not interrupted: {}", output.stdout),
                () = crate::lab::until("a foreign key is there", LIMIT, || operator.served(TYPES[0]).len() > foreign) => {}
            }
        }
        stage.chorus.restart(&[]).await;
        let operator = &stage.operators[0];
        crate::lab::until("all is as it was", LIMIT, || apex(operator) == before).await;
    });
}
