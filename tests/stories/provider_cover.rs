//! All five kinds of operators in a ring, which is turned: in each family of stories every kind stands on every side once.
//! What an operator has to do depends on the side on which it stands, and little on who is at the others: so a covering set
//! says nearly as much as all combinations. The observer alone judges: resolvers of every pair of four operators would be
//! sixty processes. All ordered pairs, for joins and leaves, are in `provider_pairs`, with resolvers.

use std::collections::BTreeSet;

use crate::control_at_every_step::{replacement_undone, undone};
use crate::every_step::{Case, Moment, run};
use crate::key_rolls;
use crate::lab::{CHILD, Keys, Roll, in_own_network};
use crate::stage::{Cast, KINDS, LIMIT, Player, Stage};

/// DNSKEY, CDS and DS of both are there, and the newcomer is named nowhere yet.
const IN_THE_MIDST_OF_A_JOIN: Moment = Moment::In("old DNSKEY and DS sets die");
/// Nobody names the leaver any more, and its keys and DS are still there.
const IN_THE_MIDST_OF_A_LEAVE: Moment = Moment::In("the leaver's keys are dead, and its DS may go");

/// Which kinds stand on the sides of a story, at each turn of the ring.
fn turns<const SIDES: usize>() -> [[(&'static str, Player); SIDES]; KINDS.len()] {
    std::array::from_fn(|turn| std::array::from_fn(|side| KINDS[(turn + side) % KINDS.len()]))
}

fn cases<const SIDES: usize>(what: &'static str, story: fn(&'static str, [Player; SIDES])) -> Vec<Case> {
    let case = |sides: [(&str, Player); SIDES]| {
        let players = sides.map(|(_, player)| player);
        Case::new(format!("{what}-{}", sides.map(|(kind, _)| kind).join("-")), move |name| story(name, players))
    };
    turns().into_iter().map(case).collect()
}

fn assert_covers<const SIDES: usize>() {
    let all: BTreeSet<&str> = KINDS.into_iter().map(|(kind, _)| kind).collect();
    for side in 0..SIDES {
        let there: BTreeSet<&str> = turns::<SIDES>().into_iter().map(|sides| sides[side].0).collect();
        assert_eq!(there, all, "side {side}");
    }
    for sides in turns::<SIDES>() {
        let kinds: BTreeSet<&str> = sides.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds.len(), SIDES, "nobody meets its own kind: {kinds:?}");
    }
}

#[test]
fn on_each_side_of_a_story_every_kind_stands_once() {
    assert_eq!(KINDS.into_iter().map(|(_, (server, ..))| format!("{server:?}")).collect::<BTreeSet<_>>().len(), 5);
    assert_covers::<2>();
    assert_covers::<4>();
}

fn replaced(name: &'static str, players: [Player; 2]) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, Cast { with_resolvers: false, ..Cast::new(&players) }).await;
        stage.command(&["zone", "replace", CHILD, "a", "b"]).await;
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn each_kind_is_replaced_by_another_at_every_turn_of_the_ring() {
    run(cases("replace", replaced), &["replace-knot-powerdns-by-update"]);
}

#[test]
fn joins_and_leaves_of_each_kind_are_undone_at_every_turn_of_the_ring() {
    let story = |name, players| undone(name, players, IN_THE_MIDST_OF_A_JOIN, IN_THE_MIDST_OF_A_LEAVE);
    run(cases("undo", story), &["undo-powerdns-by-update-desec"]);
}

#[test]
fn replacements_of_each_kind_are_undone_at_every_turn_of_the_ring() {
    let story = |name, players| replacement_undone(name, players, IN_THE_MIDST_OF_A_LEAVE);
    run(cases("undo-replace", story), &["undo-replace-desec-bind"]);
}

/// A pair at rest, of which the first of the sides rolls all its keys, one after the other.
fn rolled(name: &'static str, [rolling, beside]: [Player; 2]) {
    let rolls: &[Roll] = match rolling {
        (_, Keys::Csk | Keys::NoSep | Keys::NoSepAndStandby, _) => &[Roll::Csk],
        (_, Keys::KskZsk, _) => &[Roll::Zsk, Roll::Ksk],
    };
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = Stage::set(name, Cast { with_resolvers: false, ..key_rolls::cast(&[beside, rolling]) }).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        for roll in rolls {
            stage.b_rolls_at_rest(*roll).await;
        }
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn keys_of_each_kind_are_rolled_at_every_turn_of_the_ring() {
    run(cases("roll", rolled), &["roll-powerdns-by-update-desec"]);
}

/// The third joins two, and the middle one is replaced by a fourth.
fn three_together(name: &'static str, players: [Player; 4]) {
    in_own_network(2 * LIMIT, move || async move {
        let stage = Stage::set(name, Cast { with_resolvers: false, ..Cast::new(&players) }).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.command(&["zone", "join", CHILD, "c"]).await;
        stage.assert_group(&["a", "b", "c"]).await;
        stage.command(&["zone", "replace", CHILD, "b", "d"]).await;
        stage.assert_group(&["a", "c", "d"]).await;
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn three_kinds_serve_together_at_every_turn_of_the_ring() {
    run(cases("three", three_together), &["three-powerdns-by-update-desec-bind-powerdns"]);
}
