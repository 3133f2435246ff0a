//! Operators of every kind beside those of every other: one joins the other, and the one who was there first leaves.

use crate::every_step::{Case, is_full, run};
use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, Cast, KINDS, KNOT, LIMIT, POWERDNS, POWERDNS_CSK, Player, Stage};

fn joins_and_takes_over(name: &'static str, players: [Player; 2]) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, Cast { with_resolvers: !is_full(), ..Cast::new(&players) }).await;
        stage.b_takes_over_from_a().await;
    });
}

#[test]
fn each_kind_of_operator_joins_and_takes_over_at_every_other() {
    let mut cases = Vec::new();
    for (first, player) in KINDS {
        for (second, newcomer) in KINDS.into_iter().filter(|(second, _)| *second != first) {
            let name = format!("{second}-after-{first}");
            cases.push(Case::new(name, move |name| joins_and_takes_over(name, [player, newcomer])));
        }
    }
    run(
        cases,
        &[
            "powerdns-after-bind",
            "desec-after-powerdns",
            "powerdns-by-update-after-desec",
            "knot-after-powerdns-by-update",
        ],
    );
}

/// Three of a kind each: combined keys beside split ones, NSEC3 beside NSEC, TTLs that differ.
#[test]
fn three_unlike_operators_serve_together_and_the_middle_one_is_replaced() {
    in_own_network(2 * LIMIT, || async {
        let alter = |spec: crate::lab::OperatorSpec| match spec.name {
            "b" => spec.ttl_s(8),
            "c" => spec.fault(crate::lab::Fault::Nsec3),
            _ => spec,
        };
        let cast = Cast { alter, ..Cast::new(&[BIND, POWERDNS_CSK, POWERDNS, KNOT]) };
        let stage = Stage::set("three-unlike", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.command(&["zone", "join", CHILD, "c"]).await;
        stage.assert_group(&["a", "b", "c"]).await;
        stage.probed(&["a", "b", "c"]).await;
        stage.command(&["zone", "replace", CHILD, "b", "d"]).await;
        stage.assert_group(&["a", "c", "d"]).await;
        stage.assert_clean(&["a", "b", "c"]).await;
    });
}
