//! DS and CDS on real servers: requests to remove every DS, digest types that a registry adds or that an operator removes, and
//! parents that take less than a group needs.

use hickory_proto::rr::RecordType::{CDNSKEY, CDS};

use crate::bad_days::SOON;
use crate::lab::{CHILD, in_own_network, until};
use crate::stage::{BIND, Cast, DESEC, KNOT, LIMIT, Stage};

const DELETE: [&str; 2] = ["CDS 0 0 0 00", "CDNSKEY 0 3 0 AA=="];

fn delete_request() -> Vec<String> {
    let taken_out = ["CDS", "CDNSKEY"].map(|rtype| format!("delete {CHILD} {rtype}"));
    taken_out.into_iter().chain(DELETE.map(|record| format!("add {CHILD} 5 {record}"))).collect()
}

/// The zone is left as it is while it has a single operator, and shown, listed and told of as what it is; nobody joins.
#[test]
fn a_request_to_remove_every_ds_is_an_alarm_and_refuses_a_join_until_it_is_gone() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("cds-delete", Cast::bad_day(&[BIND, KNOT])).await;
        let a = &stage.operators[0];
        let own = a.cds_lines(true);
        a.update(&delete_request());
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        let alarmed = |zone: &serde_json::Value| zone["waiting_for"]["code"] == "cds-delete";
        let shown = stage.chorus.shown_until(CHILD, "the alarm", SOON, alarmed).await;
        assert_eq!(shown["rest"], false, "{shown:#}");
        let verdict = shown["verdict"].as_str().unwrap_or_default();
        assert!(verdict.contains("a asks the parent to remove every DS"), "{verdict}");
        let words = ["a asks the parent to remove every DS", "cds-cdnskey-publish: always"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b"]).await;
        assert!(checked.status == 4 && checked.stdout.contains("cds-delete"), "{}", checked.stdout);
        let tested = stage.chorus.cli(&["operator", "test", "a", "--zone", CHILD]).await;
        assert!(tested.status == 4 && tested.stdout.contains("cds-delete"), "{}", tested.stdout);
        let words = ["asks the parent to remove every DS"];
        stage.chorus.refuses(&["operator", "check", "a", "--zone", CHILD, "--write", "--test-zone"], 4, &words).await;
        let listed = stage.chorus.ok(&["zone", "list", "--state", "attention"]).await;
        assert!(listed.contains("child.example"), "{listed}");
        let history = stage.chorus.ok(&["zone", "history", CHILD]).await;
        assert!(history.contains("cds-delete"), "{history}");
        let served = stage.operators[0].served(CDS);
        assert_eq!(served.len(), 1, "nothing was written there: {served:?}");

        let taken_out = DELETE.map(|record| format!("delete {CHILD} {record}"));
        stage.operators[0].update(&taken_out.into_iter().chain(own).collect::<Vec<_>>());
        stage.start_agent();
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        // In a group the right set is written over it.
        let asked = [stage.operators[0].served(CDS), stage.operators[0].served(CDNSKEY)];
        stage.operators[0].update(&delete_request());
        until("the CDS of all are back", SOON, || {
            [stage.operators[0].served(CDS), stage.operators[0].served(CDNSKEY)] == asked
        })
        .await;
        let again = |text: &str| text.matches("cds-delete").count() > 1;
        assert!(again(&stage.chorus.ok(&["zone", "history", CHILD]).await));
        stage.chorus.comes_to_rest().await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// DeSEC publishes CDS of digest types 2 and 4. What BIND 9.20 does at each key event is done by hand here.
#[test]
fn an_operator_that_removes_cds_of_a_digest_type_is_named_with_the_setting_and_not_repaired() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("strips-cds", Cast::bad_day(&[DESEC, BIND])).await;
        stage.start_agent();
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        let all = stage.operators[1].served(CDS);
        // RDATA in hexadecimal: key tag, algorithm, digest type.
        let (sha384, others): (Vec<String>, Vec<String>) = all.iter().cloned().partition(|cds| &cds[6..8] == "04");
        assert_eq!((sha384.len(), others.len()), (2, 2), "{all:?}");
        let cds = |verb: &str, cds: &String| format!("{verb} CDS \\# {} {cds}", cds.len() / 2);
        // BIND 9.18 ignores the deletion of a single CDS record of its own key, and deletes the whole RRset when told so.
        let kept = others.iter().map(|one| cds(&format!("add {CHILD} 5"), one));
        stage.operators[1].update(&std::iter::once(format!("delete {CHILD} CDS")).chain(kept).collect::<Vec<_>>());
        assert_eq!(stage.operators[1].served(CDS), others);
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        let named = |zone: &serde_json::Value| zone["waiting_for"]["code"] == "operator-strips-cds";
        let shown = stage.chorus.shown_until(CHILD, "the operator is named", SOON, named).await;
        let text = shown["waiting_for"]["text"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains("b takes out CDS of digest type 4") && text.contains("sha-256; sha-384"), "{text}");
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        stage.chorus.shown_until(CHILD, "a new round", SOON, |zone| zone["updated_at"] != shown["updated_at"]).await;
        assert_eq!(stage.operators[1].served(CDS), others, "it is not written there again");
        let seen = stage.chorus.cli(&["operator", "check", "b", "--zone", CHILD]).await;
        assert!(seen.stdout.contains("keep-cds"), "{}", seen.stdout);

        // With the setting BIND publishes its own CDS of that type: then it gets the others again.
        let tag = stage.operators[1].own_ds()[0].split_whitespace().next().and_then(|tag| tag.parse::<u16>().ok());
        let tag = format!("{:04X}", tag.expect("a DS begins with a key tag"));
        let own: Vec<String> = sha384.iter().filter(|one| one.starts_with(&tag)).cloned().collect();
        stage.operators[1].update(&own.iter().map(|one| cds(&format!("add {CHILD} 5"), one)).collect::<Vec<_>>());
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        until("all CDS are back", SOON, || stage.operators[1].served(CDS) == all).await;
        stage.chorus.comes_to_rest().await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// The registry keeps DS of types that nothing here can compute, or has always had: nothing waits for them to go.
#[test]
fn digest_types_that_the_registry_adds_hold_up_neither_a_join_nor_the_rest_after_it() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("digest-types", Cast::bad_day(&[BIND, KNOT])).await;
        let add_to = |stage: &Stage, at: usize| {
            let ds = &stage.operators[at].own_ds()[0];
            let words: Vec<&str> = ds.split_whitespace().collect();
            let odd = ["3", "200"]
                .map(|kind| format!("add {CHILD} 5 DS {} {} {kind} {}", words[0], words[1], "5a".repeat(32)));
            stage.parent.update(&odd);
        };
        add_to(&stage, 0);
        stage.start_agent();
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        add_to(&stage, 1);
        stage.chorus.cli(&["zone", "try-now", CHILD]).await;
        stage.chorus.comes_to_rest().await;
        let history = stage.chorus.ok(&["zone", "history", CHILD]).await;
        assert!(!history.contains("ds-unexpected"), "{history}");
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// A parent that takes one key a zone would remove the DS of every other operator.
#[test]
fn a_parent_that_takes_one_key_is_refused_as_a_scanning_one_and_taken_as_a_manual_one() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("single-key", Cast::bad_day(&[BIND, KNOT])).await;
        stage
            .chorus
            .refuses(&["zone", "policy", CHILD, "--parent-profile", "none"], 2, &["no parent profile none"])
            .await;
        stage.chorus.ok(&["zone", "policy", CHILD, "--parent-profile", "ee"]).await;
        let shown = stage.chorus.ok(&["zone", "show", CHILD]).await;
        assert!(shown.contains("takes one key a zone"), "{shown}");
        let words = ["one key a zone (profile ee)", "--parent manual"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        stage.chorus.ok(&["zone", "policy", CHILD, "--parent", "manual"]).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.waits_for("parent-manual").await;
        stage.parent.set_ds(&[&stage.operators[0], &stage.operators[1]]).await;
        stage.chorus.shown_until(CHILD, "b is named", LIMIT, |zone| zone["transition"]["step_number"] == 5).await;
        stage.parent.set_ns(&[&stage.operators[0], &stage.operators[1]]).await;
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// Records, not keys, are what a registry counts: .se takes six.
#[test]
fn more_cds_than_the_parent_takes_are_refused_and_as_many_as_it_takes_are_not() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("cds-count", Cast::bad_day(&[DESEC, BIND, KNOT, BIND])).await;
        stage.chorus.ok(&["zone", "policy", CHILD, "--parent-profile", "se"]).await;
        let words = ["4 key-signing keys", "8 CDS records", "the parent takes 6 (profile se)"];
        stage.chorus.refuses(&["zone", "set", CHILD, "--operators", "a,b,c,d"], 4, &words).await;
        let checked = stage.chorus.cli(&["zone", "check", CHILD, "--operators", "a,b,c,d"]).await;
        assert!(checked.status == 4 && checked.stdout.contains("ds-too-many"), "{}", checked.stdout);
        stage.start_agent();
        stage.command(&["zone", "set", CHILD, "--operators", "a,b,c"]).await;
        for operator in &stage.operators[..3] {
            assert_eq!(operator.served(CDS).len(), 6, "{}", operator.name());
        }
        stage.assert_group(&["a", "b", "c"]).await;
        stage.assert_clean(&[]).await;
    });
}
