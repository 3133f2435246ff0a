//! Whose a zone is: a newcomer that is a secondary of a member, groups that were there before Chorus, and a second controller.

use std::time::Duration;

use hickory_proto::rr::RecordType::{CDS, NS};
use serde_json::Value;

use crate::bad_days::SOON;
use crate::generations::whole;
use crate::lab::parent::start_named;
use crate::lab::process::Running;
use crate::lab::{AtEnds, CHILD, Chorus, Operator, dns, in_own_network, ttl_passes, until, v4, v6};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Stage, zone_add_arguments};

/// A server at the addresses of b that transfers the zone from a, and hands updates on to it.
async fn secondary_of_a(stage: &Stage) -> Running {
    let key = &stage.operators[0].key;
    let zone = format!(
        "zone \"{CHILD}\" {{ type secondary; file \"zone\"; primaries {{ {} key \"{}\"; }}; min-refresh-time 1; \
         max-refresh-time 1; min-retry-time 1; max-retry-time 1; allow-update-forwarding {{ any; }}; }};\n",
        v4(11),
        key.name
    );
    let dir = stage.lab.subdirectory("secondary-of-a");
    let process = start_named(&dir, "named", key, &[v4(12), v6(12)], &zone);
    until("the secondary has the zone", Duration::from_secs(20), || {
        dns::ask(v4(12), CHILD, NS, dns::DIRECT).is_ok_and(|answer| answer.authoritative)
    })
    .await;
    process
}

#[test]
fn a_newcomer_that_is_a_secondary_of_a_member_is_refused_before_anything_is_written() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("secondary-newcomer", Cast::bad_day(&[BIND])).await;
        let _secondary = secondary_of_a(&stage).await;
        let a = &stage.operators[0];
        let before = whole(a);
        let servers = [format!("ns1.opb.example.={}", v4(12)), format!("ns2.opb.example.={}", v6(12))];
        let mut forwarding = a.add_arguments_as("b", &a.key.name, &a.key.secret_file, &servers);
        let update = forwarding.iter().position(|word| *word == v4(11).to_string()).expect("an address for updates");
        forwarding[update] = v4(12).to_string();
        stage.chorus.ok(&forwarding).await;
        // The same server, driven at its primary.
        stage.chorus.ok(&a.add_arguments_as("c", &a.key.name, &a.key.secret_file, &servers)).await;
        for (newcomer, code) in [("b", "keys-shared"), ("c", "interface-shared")] {
            let same = format!("a and {newcomer} sign with the same keys");
            let words = [same.as_str(), "operator set a --name-server"];
            stage.chorus.refuses(&["zone", "join", CHILD, newcomer], 4, &words).await;
            let group = format!("a,{newcomer}");
            let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", &group]).await;
            assert!(checked.status == 4 && checked.stdout.contains(code), "{}", checked.stdout);
            let tested = stage.chorus.cli(&["operator", "test", newcomer, "--zone", CHILD]).await;
            assert!(tested.status == 4 && tested.stdout.contains(code), "{}", tested.stdout);
            let check = ["operator", "check", newcomer, "--zone", CHILD, "--write", "--test-zone"];
            stage.chorus.refuses(&check, 4, &[&same]).await;
        }
        assert_eq!(whole(a), before, "nothing was written");
        stage.assert_clean(&["a"]).await;
    });
}

/// The administrators of a and b have made a group of them: each step waits for what caches may hold.
async fn group_made_by_hand(name: &'static str, b_is_complete: bool) -> (Stage, Value, String) {
    let stage = Stage::set(name, Cast { told: false, ..Cast::bad_day(&[BIND, KNOT]) }).await;
    let (a, b) = (&stage.operators[0], &stage.operators[1]);
    a.update(&b.key_lines(true));
    b.update(&a.key_lines(true));
    ttl_passes(5).await;
    a.update(&b.cds_lines(true));
    if b_is_complete {
        b.update(&a.cds_lines(true));
        until("one CDS set", SOON, || a.served(CDS) == b.served(CDS)).await;
        b.update(&a.ns_lines(true));
    }
    stage.parent.set_ds(&[a, b]).await;
    ttl_passes(5).await;
    a.update(&b.ns_lines(true));
    stage.parent.set_ns(&[a, b]).await;
    stage.lab.tell("a and b are a group");
    let (shown, adopted) = adopt(&stage, &stage.chorus).await;
    (stage, shown, adopted)
}

/// The daemon is told of a and b, and takes the zone over from both.
async fn adopt(stage: &Stage, chorus: &Chorus) -> (Value, String) {
    for operator in &stage.operators {
        chorus.ok(&operator.add_arguments()).await;
    }
    let mut adopt = zone_add_arguments("a", &stage.parent.server_arguments(), 5);
    adopt[3] = "--operators".into();
    adopt[4] = "a,b".into();
    let adopted = chorus.ok(&adopt).await;
    (chorus.json(&["zone", "show", CHILD]).await, adopted)
}

/// Some rounds of observation go by.
async fn rounds_pass(chorus: &Chorus, rounds: usize) {
    let mut last = Value::Null;
    for _ in 0..=rounds {
        let shown = chorus.shown_until(CHILD, "a new round", SOON, |shown| shown["updated_at"] != last).await;
        last = shown["updated_at"].clone();
    }
}

fn zones(operators: &[Operator]) -> Vec<Vec<String>> {
    operators.iter().map(whole).collect()
}

#[test]
fn a_stable_group_is_adopted_as_it_is_and_is_a_group_like_any_other() {
    in_own_network(LIMIT, || async {
        let (mut stage, shown, adopted) = group_made_by_hand("adopted", true).await;
        assert!(adopted.contains("Signed by a and b") && adopted.contains("nothing to do"), "{adopted}");
        assert_eq!((&shown["rest"], &shown["to_repair"]), (&true.into(), &Value::Null), "{shown:#}");
        let before = zones(&stage.operators);
        rounds_pass(&stage.chorus, 3).await;
        assert_eq!(zones(&stage.operators), before, "nothing is written");
        stage.start_agent();
        stage.command(&["zone", "leave", CHILD, "b"]).await;
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn what_an_adopted_group_lacks_is_said_and_put_right_when_a_person_asks() {
    in_own_network(LIMIT, || async {
        let (mut stage, shown, adopted) = group_made_by_hand("needs-repair", false).await;
        let said = shown["to_repair"].to_string();
        for words in ["CDS and CDNSKEY at b", "the NS RRset at b lacks ns1.opa.example.", "zone repair child.example"] {
            assert!(said.contains(words), "{words}: {said}\n{adopted}");
        }
        assert_eq!(
            (&shown["rest"], &shown["waiting_for"]["code"]),
            (&false.into(), &"needs-repair".into()),
            "{shown:#}"
        );
        let before = zones(&stage.operators);
        rounds_pass(&stage.chorus, 3).await;
        assert_eq!(zones(&stage.operators), before, "nothing is written");
        stage.start_agent();
        stage.command(&["zone", "repair", CHILD]).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!((&shown["rest"], &shown["to_repair"]), (&true.into(), &Value::Null), "{shown:#}");
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&[]).await;
    });
}

/// Another daemon, which knows nothing of the first, takes b out of the group that the first one looks after.
#[test]
fn of_two_daemons_over_one_zone_the_one_at_rest_stops_and_tells() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("second-writer", Cast { agent: Agent::Ours, ..Cast::bad_day(&[BIND, KNOT]) }).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        let wrote = wrote(&stage.chorus).await;
        let mut another = stage.lab.another_chorus().await;
        another.at_ends = Some(AtEnds::new(&stage.lab, &stage.parent));
        let (shown, _) = adopt(&stage, &another).await;
        assert_eq!(shown["rest"], true, "{shown:#}");
        another.ok(&["zone", "leave", CHILD, "b", "--wait", "--timeout", "150s"]).await;
        let told = |shown: &Value| shown["waiting_for"]["code"] == "second-writer";
        let shown = stage.chorus.shown_until(CHILD, "the other one is noticed", SOON, told).await;
        let text = shown["waiting_for"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("another controller") && text.contains("zone try-now child.example"), "{text}");
        assert_eq!(shown["rest"], false);
        assert_eq!(self::wrote(&stage.chorus).await, wrote, "the first one has written nothing against the other");
        for ip in stage.parent.addresses() {
            assert_eq!(crate::lab::parent::referral(ip).map(|hosts| hosts.len()), Some(2), "a alone is delegated to");
        }
        assert_eq!(stage.operators[0].served(NS).len(), 2);
        stage.assert_clean(&[]).await;
    });
}

/// How often a daemon has written.
async fn wrote(chorus: &Chorus) -> usize {
    let history = chorus.json(&["zone", "history", CHILD, "--limit", "1000"]).await;
    history["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "wrote").count()
}
