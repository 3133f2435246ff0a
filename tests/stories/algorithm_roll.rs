//! A group of BIND and Knot goes from one algorithm to another. Chorus says who has to do what, and waits; the operators do it
//! with the tools of their own servers, and in their own time. Resolvers that are strict about algorithms look on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::operator::{OperatorSpec, Server};
use crate::lab::{Algorithm, CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

const OLD: Algorithm = Algorithm::Ecdsa;
const NEW: Algorithm = Algorithm::Ed25519;

fn cast(players: [crate::stage::Player; 2]) -> Cast {
    // BIND's signatures would live for days with its defaults, and so would its old keys. Knot must not look at the parent by
    // itself: its defaults do not.
    let alter: fn(OperatorSpec) -> OperatorSpec = match players[0].0 {
        Server::Bind => |spec| if spec.name == "a" { spec.rolls() } else { spec },
        _ => |spec| if spec.name == "b" { spec.rolls() } else { spec },
    };
    Cast { alter, ..Cast::new(&players) }
}

/// Whether exactly these operators are told to act, and to do this.
fn told(shown: &Value, operators: &str, what: &str) -> bool {
    let waiting = &shown["transition"]["waiting_for"];
    let text = waiting["text"].as_str().unwrap_or_default();
    waiting["code"] == "algorithm-operator" && text.starts_with(&format!("{operators} {what}"))
}

impl Stage {
    async fn told_to(&self, operators: &str, what: &str) -> Value {
        let limit = Duration::from_secs(90);
        let shown = self.chorus.shown_until(CHILD, what, limit, |shown| told(shown, operators, what)).await;
        self.lab.tell(&format!("{}\n{}", shown["transition"]["waiting_for"]["text"], shown["next"]));
        assert_eq!(shown["exposures"], json!([]));
        shown
    }

    /// The operator does what it was told, with its own tools.
    async fn signs_with_both(&mut self, operator: usize) {
        let foreign = self.operators[1 - operator].own_keys().to_vec();
        self.operators[operator].sign_with(NEW);
        self.operators[operator].publishes_both(&foreign).await;
        self.lab.tell(&format!("{} publishes both", self.operators[operator].name()));
    }

    async fn is_back(&mut self, operator: usize) {
        let foreign = self.operators[1 - operator].own_keys().to_vec();
        self.operators[operator].is_back_at(OLD, &self.parent, &foreign).await;
        self.lab.tell(&format!("{} is back", self.operators[operator].name()));
    }

    async fn all_have_only(&mut self, algorithm: Algorithm) {
        for operator in &mut self.operators {
            operator.has_only(algorithm).await;
            self.lab.tell(&format!("{} has only keys of {algorithm:?}", operator.name()));
        }
        self.chorus.comes_to_rest().await;
    }

    /// The parent's DS, and the keys of all, are of this algorithm.
    async fn assert_all_of(&self, algorithm: Algorithm) {
        self.assert_group(&["a", "b"]).await;
        let shown = self.chorus.json(&["zone", "show", CHILD]).await;
        let number = algorithm.number();
        assert!(shown["keys"].as_array().unwrap().iter().all(|key| key["algorithm"] == number), "{shown:#}");
        let of = |ds: &Value| ds.as_str().unwrap_or_default().split(' ').nth(1) == Some(&number.to_string());
        assert!(shown["parent"]["ds"].as_array().unwrap().iter().all(of), "{shown:#}");
        let certificate = self.chorus.ok(&["zone", "certificate", CHILD]).await;
        assert!(certificate.contains("no resolver could have failed"), "{certificate}");
    }
}

#[test]
fn bind_and_knot_go_to_ed25519_each_doing_what_it_is_told_when_it_is_told() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("algorithm", cast([BIND, KNOT])).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        let plan = stage.chorus.ok(&["zone", "algorithm", CHILD, "--to", "ed25519", "--plan"]).await;
        assert!(plan.contains("from ecdsap256sha256 to ed25519: 6 steps"), "{plan}");
        stage.lab.tell(&plan);
        assert_eq!(stage.chorus.json(&["zone", "show", CHILD]).await["rest"], true, "a plan changes nothing");
        stage.chorus.ok(&["zone", "algorithm", CHILD, "--to", "ed25519"]).await;
        stage.told_to("a, b", "must sign everything with ed25519, too").await;
        stage.signs_with_both(0).await;
        stage.told_to("b", "must sign everything with ed25519, too").await;
        stage.signs_with_both(1).await;
        stage.told_to("a, b", "may take the keys of other algorithms than ed25519 out now").await;
        for operator in &stage.operators {
            operator.told_that_ds_moved(OLD, NEW);
        }
        stage.all_have_only(NEW).await;
        stage.assert_all_of(NEW).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn a_roll_to_another_algorithm_is_undone_after_all_sign_with_both() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("algorithm-undo", cast([BIND, KNOT])).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.ok(&["zone", "algorithm", CHILD, "--to", "ed25519"]).await;
        stage.told_to("a, b", "must sign").await;
        stage.signs_with_both(0).await;
        stage.signs_with_both(1).await;
        let plan = stage.chorus.ok(&["zone", "undo", CHILD, "--plan"]).await;
        assert!(plan.contains("from ed25519 to ecdsap256sha256"), "{plan}");
        stage.chorus.ok(&["zone", "undo", CHILD, "--reason", "too early for one of our resolvers"]).await;
        stage.told_to("a, b", "may take the keys of other algorithms than ecdsap256sha256 out now").await;
        // BIND's way back is a key roll, whose DS the parent does not move while Knot asks for that of its new key.
        stage.operators[0].gives_up(NEW, OLD);
        stage.told_to("the parent", "is to have a DS for each").await;
        stage.operators[1].gives_up(NEW, OLD);
        stage.is_back(0).await;
        stage.is_back(1).await;
        stage.chorus.comes_to_rest().await;
        stage.roll_is_over().await;
        assert_eq!(stage.chorus.json(&["zone", "show", CHILD]).await["transition"]["state"], "undone");
        stage.assert_all_of(OLD).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn an_operator_that_changes_its_algorithm_in_the_midst_of_a_join_holds_it_up_until_it_goes_back() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("algorithm-mismatch", cast([KNOT, BIND])).await;
        // So that the join stays in its midst.
        stage.agent_acts(false);
        stage.chorus.ok(&["zone", "join", CHILD, "b"]).await;
        stage.chorus.waits_for("parent-pending").await;
        stage.signs_with_both(1).await;
        let shown = stage.chorus.waits_for("algorithm-mismatch").await;
        assert!(shown.contains("a signs with ecdsap256sha256, b signs with ecdsap256sha256 and ed25519"), "{shown}");
        stage.agent_acts(true);
        stage.chorus.keeps_waiting_for("algorithm-mismatch", 2).await;
        stage.operators[1].gives_up(NEW, OLD);
        stage.is_back(1).await;
        stage.roll_is_over().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}
