//! Operators that go on with a roll before the caches of the world can follow. Chorus cannot hold them back. It says so in
//! the same round of observation in which it can be seen, and says when it ends.

use serde_json::{Value, json};

use crate::bad_days::SOON;
use crate::lab::dns::{ds_text, key_tag};
use crate::lab::rolls::ROLL_LIMIT;
use crate::lab::{CHILD, OperatorSpec, Roll, in_own_network, until};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

/// The DNSKEY set of `a` lives in caches for much longer than `b` publishes a new key before it signs with it.
fn a_has_long_ttls(spec: OperatorSpec) -> OperatorSpec {
    if spec.name == "a" { spec.rolls().ttl_s(30) } else { spec.rolls() }
}

async fn pair(name: &'static str, players: &[Player], alter: fn(OperatorSpec) -> OperatorSpec) -> Stage {
    let stage = Stage::set(name, Cast { alter, with_resolvers: false, ..Cast::new(players) }).await;
    stage.command(&["zone", "join", CHILD, "b"]).await;
    stage
}

fn exposures(shown: &Value) -> Vec<Value> {
    shown["exposures"].as_array().cloned().unwrap_or_default()
}

impl Stage {
    /// Until the exposures are over by themselves, not before the end that was told for them, and told twice at most.
    async fn is_over_as_told(&self, told: &[Value]) {
        let ends = told.iter().filter_map(|exposure| exposure["until"].as_str()).max().expect("an end").to_owned();
        let over = |shown: &Value| shown["exposures"] == json!([]);
        let shown = self.chorus.shown_until(CHILD, "the exposure is over", SOON, over).await;
        // Both in RFC 3339, UTC, to the millisecond.
        assert!(shown["updated_at"].as_str() >= Some(&ends), "it was to last until {ends}: {shown:#}");
        let history = self.chorus.json(&["zone", "history", CHILD]).await;
        let events = history["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "exposure");
        let texts: Vec<&str> = events.filter_map(|event| event["text"].as_str()).collect();
        assert!(texts.iter().any(|text| !text.contains("no end in sight")), "{texts:#?}");
    }
}

#[test]
fn an_operator_that_signs_before_old_key_sets_are_dead_is_told_on_with_the_end_of_it() {
    in_own_network(LIMIT, || async {
        let mut stage = pair("signs-too-early", &[BIND, KNOT], a_has_long_ttls).await;
        let old = stage.roll(1, Roll::Zsk);
        let signs = |shown: &Value| {
            let rolls = shown["rolls"].as_array().cloned().unwrap_or_default();
            rolls.iter().any(|roll| roll["state"] == "signing" && roll["tag"] != key_tag(&old))
        };
        let shown = stage.chorus.shown_until(CHILD, "b signs with its new key", ROLL_LIMIT, signs).await;
        // In the round that saw it, or in the answer that this round's end gives, if it was still under way.
        let seen_at = shown["updated_at"].clone();
        let in_the_round = |shown: &Value| !exposures(shown).is_empty() || shown["updated_at"] != seen_at;
        let shown = stage.chorus.shown_until(CHILD, "the end of the round", SOON, in_the_round).await;
        let told = exposures(&shown);
        assert!(!told.is_empty(), "{shown:#}");
        for exposure in &told {
            assert_eq!(exposure["who"], "a, b", "{exposure:#}");
            assert!(exposure["until"].as_str() > shown["updated_at"].as_str(), "it has an end: {exposure:#}");
        }
        assert!(shown["verdict"].as_str().is_some_and(|verdict| verdict.starts_with("Some resolvers may fail")));
        stage.is_over_as_told(&told).await;
        stage.rolled(1, Roll::Zsk, &old).await;
        // The judge saw the same, and nothing after it.
        let verdict = stage.observer.finish();
        assert!(verdict.certain().next().is_some(), "the observer saw nothing: {verdict}");
    });
}

#[test]
fn an_operator_that_drops_its_ksk_before_the_parent_has_the_new_one_is_told_on() {
    in_own_network(LIMIT, || async {
        let mut stage = pair("drops-its-ksk", &[KNOT, BIND], OperatorSpec::rolls).await;
        let old = stage.roll(1, Roll::Ksk);
        let foreign = stage.operators[0].own_keys().to_vec();
        let is_new = |key: &&_| key_tag(key) != key_tag(&old) && key.secure_entry_point();
        let new = stage.operators[1].keys_besides(&foreign).iter().find(is_new).cloned();
        let new = new.expect("BIND publishes it at once");
        let tag = key_tag(&new).to_string();
        // A person's mistake; BIND believes it, and drops the old key.
        stage.operators[1].rndc(&["dnssec", "-checkds", "-key", &tag, "published", CHILD]);
        stage.lab.tell("BIND is told of a DS that nobody has");
        until("the old key is gone", ROLL_LIMIT, || !stage.operators[1].keys().contains(&old)).await;
        // The parent cannot believe a zone that no DS leads to: there is no end in sight.
        let endless = |shown: &Value| {
            let of_parent = |exposure: &Value| exposure["who"] == "b, the parent" && exposure["until"].is_null();
            exposures(shown).iter().any(of_parent)
        };
        stage.chorus.shown_until(CHILD, "an exposure without an end", SOON, endless).await;
        // So a person has to see to the DS.
        stage.parent.update(&[format!("add {CHILD} 5 DS {}", ds_text(CHILD, &new))]);
        let ends = |shown: &Value| {
            let exposures = exposures(shown);
            !exposures.is_empty() && exposures.iter().all(|exposure| exposure["until"].is_string())
        };
        let shown = stage.chorus.shown_until(CHILD, "an exposure with its end", SOON, ends).await;
        stage.is_over_as_told(&exposures(&shown)).await;
        let foreign = stage.operators[0].own_keys().to_vec();
        stage.operators[1].has_rolled(&old, &foreign).await;
        stage.roll_is_over().await;
        stage.assert_group(&["a", "b"]).await;
        let verdict = stage.observer.finish();
        assert!(verdict.certain().next().is_some(), "the observer saw nothing: {verdict}");
    });
}
