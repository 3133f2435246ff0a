//! A group of BIND and Knot goes from one algorithm to another. Chorus says who has to do what, and waits; the operators do it
//! with the tools of their own servers. Validators that are strict about algorithms look on all the time.

use hickory_proto::dnssec::rdata::DNSKEY;
use serde_json::Value;
use std::time::Duration;

use crate::lab::operator::OperatorSpec;
use crate::lab::{Algorithm, CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

const STEP: Duration = Duration::from_secs(90);

fn cast() -> Cast {
    // BIND's signatures would live for days with its defaults, and so would its old keys.
    let alter = |spec: OperatorSpec| if spec.name == "a" { spec.rolls() } else { spec };
    Cast { alter, ..Cast::new(&[BIND, KNOT]) }
}

impl Stage {
    async fn look(&self) {
        self.lab.tell(&self.chorus.ok(&["zone", "show", CHILD]).await);
    }
    async fn look_until(&self, holds: impl Fn(&Value) -> bool) {
        let mut last = String::new();
        let begun = std::time::Instant::now();
        loop {
            let shown = self.chorus.json(&["zone", "show", CHILD]).await;
            let now = format!("{}", shown["transition"]["waiting_for"]["text"]);
            if now != last {
                self.look().await;
                last = now;
            }
            if holds(&shown) || begun.elapsed() > STEP { break; }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(begun.elapsed() < STEP);
    }
}

fn asks(shown: &Value, operator: &str, what: &str) -> bool {
    let waiting = &shown["transition"]["waiting_for"];
    let text = waiting["text"].as_str().unwrap_or_default();
    waiting["code"] == "algorithm-operator" && text.starts_with(operator) && text.contains(what)
}

#[test]
fn a_group_rolls_to_ed25519() {
    in_own_network(2 * LIMIT, || async {
        let mut stage = Stage::set("algorithm", cast()).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.look().await;
        let foreign: Vec<Vec<DNSKEY>> = [1, 0].map(|other: usize| stage.operators[other].own_keys().to_vec()).to_vec();
        stage.chorus.ok(&["zone", "algorithm", CHILD, "--to", "ed25519"]).await;
        stage.look_until(|shown| asks(shown, "a ", "too")).await;
        stage.operators[0].sign_with(Algorithm::Ed25519);
        stage.operators[0].publishes_both(&foreign[0]).await;
        stage.lab.tell("a signs with both");
        stage.look_until(|shown| asks(shown, "b ", "too")).await;
        stage.operators[1].sign_with(Algorithm::Ed25519);
        stage.operators[1].publishes_both(&foreign[1]).await;
        stage.lab.tell("b signs with both");
        stage.look_until(|shown| asks(shown, "a ", "out")).await;
        stage.operators[0].told_that_ds_moved(Algorithm::Ecdsa, Algorithm::Ed25519);
        stage.operators[1].told_that_ds_moved(Algorithm::Ecdsa, Algorithm::Ed25519);
        for operator in &mut stage.operators {
            operator.has_only(Algorithm::Ed25519).await;
        }
        stage.look_until(|shown| shown["rest"] == true).await;
        stage.assert_group(&["a", "b"]).await;
        stage.look().await;
        stage.lab.tell(&stage.chorus.ok(&["zone", "history", CHILD]).await);
        stage.lab.tell(&stage.chorus.ok(&["zone", "certificate", CHILD]).await);
        stage.probed(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]);
    });
}
