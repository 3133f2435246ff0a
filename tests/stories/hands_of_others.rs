//! Somebody else's hand in mid-transition: what Chorus put into a zone is taken out, or a stranger is put in. It is put
//! back, or the zone is blocked and says why; nothing that is missing is ever counted as done.

use hickory_proto::rr::RecordType::{CDNSKEY, CDS, DNSKEY, NS};

use crate::bad_days::SOON;
use crate::lab::{CHILD, in_own_network, ttl_passes, until};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

/// The CDS and CDNSKEY sets of one operator are removed while the parent is waited for: they come back, and the transition is
/// where it was.
fn cds_come_back(name: &'static str, players: &'static [Player], at: usize) {
    in_own_network(LIMIT, move || async move {
        let mut stage = Stage::set(name, Cast::bad_day(players)).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        let before = stage.chorus.waits_for("parent-pending").await;
        let operator = &stage.operators[at];
        let asked = [operator.served(CDS), operator.served(CDNSKEY)];
        assert_eq!(asked.each_ref().map(Vec::len), [2, 2], "of both key-signing keys");
        for round in 1..=2 {
            operator.update(&["CDS", "CDNSKEY"].map(|rtype| format!("delete {CHILD} {rtype}")));
            // Knot puts those of its own key back at once, BIND not at all.
            assert_ne!([operator.served(CDS), operator.served(CDNSKEY)], asked, "round {round}");
            until("CDS and CDNSKEY are back", SOON, || [operator.served(CDS), operator.served(CDNSKEY)] == asked).await;
        }
        assert_eq!(stage.chorus.waits_for("parent-pending").await, before);
        stage.chorus.keeps_waiting_for("parent-pending", 2).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["rest"], false, "no CDS is not the same as a parent that is up to date");
        assert_eq!(
            stage.chorus.standings(CHILD).await,
            [("a".into(), "Serving".into()), ("b".into(), "Outside".into())]
        );
        stage.start_agent();
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn f16_cds_that_are_removed_at_bind_are_put_back() {
    cds_come_back("cds-at-bind", &[BIND, KNOT], 0);
}

#[test]
fn f16_cds_that_are_removed_at_knot_are_put_back() {
    cds_come_back("cds-at-knot", &[BIND, KNOT], 1);
}

#[test]
fn f16_keys_that_are_removed_are_put_back_and_the_guard_begins_anew() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("keys-removed", Cast { ttl_s: 8, ..Cast::bad_day(&[BIND, KNOT]) }).await;
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.waits_for("parent-pending").await;
        for (at, foreign) in [(0, 1), (1, 0)] {
            let (operator, keys) = (&stage.operators[at], &stage.operators[foreign]);
            let all = operator.served(DNSKEY);
            operator.update(&keys.key_lines(false));
            assert_eq!(operator.served(DNSKEY).len(), operator.own_keys().len(), "the keys are gone");
            until("the keys are back", SOON, || operator.served(DNSKEY) == all).await;
        }
        // Every DNSKEY set of before would be dead, but for this one.
        ttl_passes(8).await;
        stage.operators[0].update(&stage.operators[1].key_lines(false));
        let removed = std::time::Instant::now();
        stage.start_agent();
        until("a names b", LIMIT, || stage.operators[0].served(NS).len() == 4).await;
        // TTL and slack; the set without b's keys was served when it was removed, at the earliest.
        assert!(removed.elapsed().as_secs() >= 9, "named after {:?}", removed.elapsed());
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn f16_a_name_server_that_nobody_knows_blocks_the_transition_until_it_is_gone() {
    const STRANGER: &str = "ns1.stranger.example.";
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("stranger", Cast::bad_day(&[BIND, KNOT])).await;
        // At the newcomer, whom nobody asks yet, it is refused.
        stage.operators[1].update(&[format!("add {CHILD} 5 NS {STRANGER}")]);
        let words = [STRANGER, "ns1.opb.example. (127.0.1.12:53)", "--name-server"];
        stage.chorus.refuses(&["zone", "join", CHILD, "b"], 4, &words).await;
        stage.operators[1].update(&[format!("delete {CHILD} NS {STRANGER}")]);
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.waits_for("parent-pending").await;
        stage.operators[0].update(&[format!("add {CHILD} 5 NS {STRANGER}")]);
        stage.start_agent();
        let blocked = stage.chorus.waits_for("ns-unexpected").await;
        for word in [STRANGER, "NS set at ns1.opa.example. (127.0.1.11:53)", "take it out"] {
            assert!(blocked.contains(word), "{blocked}");
        }
        let waited = stage.chorus.refuses(&["-q", "zone", "join", CHILD, "b", "--wait"], 4, &["is blocked", STRANGER]);
        waited.await;
        ttl_passes(6).await;
        let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!((&shown["transition"]["state"], &shown["rest"]), (&"blocked".into(), &false.into()));
        assert_eq!(stage.operators[0].served(NS).len(), 3, "the stranger's record is not ours to remove");
        assert_eq!(stage.operators[1].served(NS).len(), 2, "b is not named");
        stage.operators[0].update(&[format!("delete {CHILD} NS {STRANGER}")]);
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["a", "b"]).await;
        // The stranger itself is an exposure, and somebody else's; there is no other.
        let verdict = stage.observer.finish();
        stage.lab.tell(&verdict.to_string());
        for exposure in &verdict.exposures {
            assert!(exposure.other.contains("ns1.stranger.example"), "{verdict}");
        }
    });
}
