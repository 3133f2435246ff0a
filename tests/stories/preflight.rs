//! What `zone check` finds on real servers before anything is begun: each time something that resolvers or people would
//! notice later. An error refuses the join, a warning is shown with the plan, and nothing is ever written.

use serde_json::Value;

use crate::lab::{CHILD, Fault, Second, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

/// b has this fault; a has none.
fn with_b(players: &[Player], alter: fn(crate::lab::OperatorSpec) -> crate::lab::OperatorSpec) -> Cast {
    Cast { alter, ..Cast::bad_day(players) }
}

/// The findings of `zone check --operators a,b` as (severity, code, text); the same on paper and as JSON.
async fn checked(stage: &Stage, status: i32) -> Vec<(String, String, String)> {
    let before: Vec<_> = stage.operators.iter().map(|operator| stage.apex(operator)).collect();
    let on_paper = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b"]).await;
    stage.lab.tell(&on_paper.stdout);
    assert_eq!((on_paper.status, on_paper.stderr.as_str()), (status, ""), "{}", on_paper.stdout);
    let as_json = stage.chorus.cli(&["-o", "json", "zone", "check", CHILD, "--operators", "a,b"]).await;
    assert_eq!(as_json.status, status, "{}", as_json.stderr);
    let check: Value = serde_json::from_str(&as_json.stdout).expect("JSON");
    assert_eq!(check["refused"], status == 4);
    assert_eq!(check["addresses"], 4);
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    let findings = check["findings"].as_array().expect("findings").iter();
    let findings: Vec<_> =
        findings.map(|finding| (text(finding, "severity"), text(finding, "code"), text(finding, "text"))).collect();
    for (_, code, _) in &findings {
        assert!(on_paper.stdout.contains(code), "{code} is missing in {}", on_paper.stdout);
    }
    let after: Vec<_> = stage.operators.iter().map(|operator| stage.apex(operator)).collect();
    assert_eq!(before, after, "nothing was written");
    findings
}

fn texts<'a>(findings: &'a [(String, String, String)], severity: &str, code: &str) -> Vec<&'a str> {
    let of = findings.iter().filter(|(s, c, _)| s == severity && c == code);
    of.map(|(_, _, text)| text.as_str()).collect()
}

fn no_errors(findings: &[(String, String, String)]) {
    assert!(findings.iter().all(|(severity, _, _)| severity != "error"), "{findings:#?}");
}

/// Each operator of the laboratory has data of its own, and these two let themselves be listed.
#[test]
fn data_that_differs_is_found_by_zone_transfer_and_told_with_the_plan_and_stops_nobody() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("check-axfr", Cast::bad_day(&[BIND, KNOT])).await;
        let findings = checked(&stage, 0).await;
        no_errors(&findings);
        let differ = texts(&findings, "warning", "zone-content-differs");
        let [differ] = differ.as_slice() else { panic!("{findings:#?}") };
        assert!(differ.starts_with("a and b, by zone transfer: of 3 sets 3 differ ("), "{differ}");
        for set in ["www.child.example. A", "www.child.example. TXT", "*.w.child.example. A"] {
            assert!(differ.contains(set), "{differ}");
        }
        assert_eq!(texts(&findings, "note", "zone-content-sampled"), [""; 0]);
        // ns1 has an IPv4 address only, ns2 an IPv6 address only.
        let families = texts(&findings, "note", "address-family-missing");
        assert!(families[0].contains("no IPv4 address at ns2.opa.example. and ns2.opb.example."), "{families:?}");
        let present = stage.chorus.json(&["zone", "check", CHILD]).await;
        assert_eq!((&present["refused"], &present["to"]), (&false.into(), &serde_json::json!(["a"])));
        let plan = stage.chorus.json(&["zone", "plan", CHILD, "--operators", "a,b"]).await;
        let refusals = plan["refusals"].as_array().expect("refusals");
        let shown = |outcome: &str| refusals.iter().filter(|check| check["outcome"] == outcome).count();
        assert!(refusals.iter().any(|check| check["code"] == "zone-content-differs" && check["outcome"] == "warn"));
        assert_eq!(shown("fail"), 0, "{plan:#}");
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.assert_clean(&["a"]).await;
    });
}

/// b's key may not transfer the zone: names are found along the NSEC chain, and a wildcard by what it stands for.
#[test]
fn data_that_differs_is_found_by_a_sample_where_no_transfer_is_allowed() {
    for (name, players) in [("check-sample-knot", [BIND, KNOT]), ("check-sample-bind", [KNOT, BIND])] {
        in_own_network(LIMIT, move || async move {
            let closed = |spec: crate::lab::OperatorSpec| {
                spec.fault(if spec.name == "b" { Fault::NoTransfer } else { Fault::None })
            };
            let stage = Stage::set(name, with_b(&players, closed)).await;
            let findings = checked(&stage, 0).await;
            no_errors(&findings);
            let differ = texts(&findings, "warning", "zone-content-differs");
            let [differ] = differ.as_slice() else { panic!("{findings:#?}") };
            assert!(differ.starts_with("a and b, by a sample: of "), "{differ}");
            // The wildcard's own name and one below it, and both types of www.
            assert!(differ.contains(" answers 4 differ ("), "{differ}");
            for set in ["www.child.example. A", "www.child.example. TXT", "*.w.child.example. A", ".w.child.example. A"]
            {
                assert!(differ.contains(set), "{differ}");
            }
            let sampled = texts(&findings, "note", "zone-content-sampled");
            assert!(sampled[0].starts_with("the zone was not listed at b: "), "{sampled:?}");
            stage.assert_clean(&["a"]).await;
        });
    }
}

#[test]
fn an_address_without_tcp_is_an_error_that_names_it_and_refuses_the_join() {
    in_own_network(LIMIT, || async {
        let alter =
            |spec: crate::lab::OperatorSpec| spec.second(if spec.name == "b" { Second::UdpOnly } else { Second::Same });
        let stage = Stage::set("check-tcp", with_b(&[BIND, KNOT], alter)).await;
        let findings = checked(&stage, 4).await;
        let blocked = texts(&findings, "error", "tcp-unanswered");
        let address = "b: ns2.opb.example. ([fd00:c0::12]:53) answers by UDP, and does not answer by TCP";
        assert_eq!(blocked, [address]);
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &["[fd00:c0::12]:53"]).await;
        let plan = stage.chorus.cli(&["zone", "plan", CHILD, "--operators", "a,b"]).await;
        assert!(plan.status == 4 && plan.stdout.contains("tcp-unanswered"), "{}", plan.stdout);
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["transition"], Value::Null);
        stage.assert_clean(&["a"]).await;
    });
}

#[test]
fn nsec_beside_nsec3_is_a_note_with_both_parameters_and_a_salt_is_told() {
    for (name, players) in [("check-nsec3-knot", [BIND, KNOT]), ("check-nsec3-bind", [KNOT, BIND])] {
        in_own_network(LIMIT, move || async move {
            let alter =
                |spec: crate::lab::OperatorSpec| spec.fault(if spec.name == "b" { Fault::Nsec3 } else { Fault::None });
            let stage = Stage::set(name, with_b(&players, alter)).await;
            let findings = checked(&stage, 0).await;
            no_errors(&findings);
            let differ = texts(&findings, "note", "nsec-params-differ");
            assert!(differ[0].contains("a uses NSEC and b uses NSEC3 (0 iterations, salt "), "{differ:?}");
            assert_eq!(texts(&findings, "note", "nsec3-salt").len(), 1, "{findings:#?}");
            assert_eq!(texts(&findings, "warning", "nsec3-iterations"), [""; 0]);
            stage.assert_clean(&["a"]).await;
        });
    }
}

#[test]
fn signatures_that_end_before_the_waits_do_are_a_warning_with_the_moment() {
    for (name, players) in [("check-rrsig-knot", [BIND, KNOT]), ("check-rrsig-bind", [KNOT, BIND])] {
        in_own_network(LIMIT, move || async move {
            let alter = |spec: crate::lab::OperatorSpec| {
                spec.fault(if spec.name == "b" { Fault::ShortSignatures } else { Fault::None })
            };
            let stage = Stage::set(name, with_b(&players, alter)).await;
            let findings = checked(&stage, 0).await;
            no_errors(&findings);
            let ending = texts(&findings, "warning", "signature-expiring");
            let [ending] = ending.as_slice() else { panic!("{findings:#?}") };
            assert!(ending.starts_with("b: the signature of child.example. "), "{ending}");
            assert!(ending.contains("in 2h") && ending.contains("a day should be left"), "{ending}");
            // Secondaries of the laboratory may serve for ten days.
            let expire = texts(&findings, "warning", "soa-expire");
            assert!(expire[0].starts_with("b: secondaries may serve for 10days"), "{expire:?}");
            stage.assert_clean(&["a"]).await;
        });
    }
}
