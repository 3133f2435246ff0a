//! What a person was given for the registrar, and hands in when nobody wants it any more.

use crate::places::Parent;
use crate::world::{World, child, policy};
use chorus::api::service::Service as _;
use chorus::api::wire::{self, ParentMode, PolicyChange};
use chorus::model::dns::{RecordSet, cds_for};
use chorus::model::history::Kind;
use chorus::model::policy::Policy;

const MINUTE_MS: i64 = 60_000;

/// A zone of a, whose parent a person tells; people hand in within two minutes.
async fn told_by_hand() -> World {
    let policy = Policy { registrar_max_s: 120, ..policy(5) };
    let world = World::adopted_with(5, policy).await;
    let manual = PolicyChange { parent: Some(ParentMode::Manual), ..PolicyChange::default() };
    world.controller.change_policy("child.example", manual).await.unwrap();
    world.lock().parent.acts_after_ms = None;
    world
}

fn ksks(world: &World, operators: &[&str]) -> RecordSet {
    operators.iter().map(|operator| world.lock().operators[*operator].ksk.clone()).collect()
}

fn registrar_has(world: &World, change: impl FnOnce(&mut Parent)) {
    change(&mut world.lock().parent);
}

/// The join of b has come to the point at which a person is shown the delegation to both.
async fn join_shows_the_delegation(world: &World) {
    world.join("b").await;
    world.waits_for("parent-manual").await;
    let ds = cds_for(&child(), &ksks(world, &["a", "b"]), &[2]);
    registrar_has(world, |parent| parent.set(Kind::Ds, ds));
    let shows = async |world: &World| world.shown().await.hand_to_registrar.is_some_and(|hand| hand.ns.len() == 4);
    world.until("the delegation to both is shown for the registrar", shows).await;
}

fn delegation_to(world: &World, operators: &[&str]) -> RecordSet {
    operators.iter().flat_map(|operator| world.lock().operators[*operator].ns()).collect()
}

#[tokio::test]
async fn f23_late_delegation_leads_to_an_operator_that_still_serves() {
    let world = told_by_hand().await;
    join_shows_the_delegation(&world).await;
    world.control(wire::Verb::Undo).await.unwrap();
    let text = world.waits_for("registrar-pending").await;
    for part in [
        "that names b",
        "the parent may still publish the delegation",
        "`chorus zone registrar-cancelled child.example`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = world.shown().await;
    assert!(shown.hand_to_registrar.is_none(), "nothing is to be handed in any more: {shown:#?}");
    let [handed] = shown.registrar_pending.as_slice() else { panic!("{:?}", shown.registrar_pending) };
    assert_eq!((handed.rtype.as_str(), handed.records.len()), ("NS", 4), "{handed:?}");
    world.keeps_waiting_for("registrar-pending", MINUTE_MS).await;

    let both = delegation_to(&world, &["a", "b"]);
    registrar_has(&world, |parent| parent.set(Kind::Delegation, both));
    world.waits_for("parent-manual").await;
    assert!(world.shown().await.registrar_pending.is_empty(), "the parent has it");
    let (a, ds) = (delegation_to(&world, &["a"]), cds_for(&child(), &ksks(&world, &["a"]), &[2]));
    registrar_has(&world, |parent| parent.set(Kind::Delegation, a));
    let only_ds = async |world: &World| world.shown().await.hand_to_registrar.is_some_and(|hand| hand.ds.len() == 1);
    world.until("the DS of b is to go", only_ds).await;
    registrar_has(&world, |parent| parent.set(Kind::Ds, ds));
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f23_undo_ends_after_the_longest_registrar_delay() {
    let world = told_by_hand().await;
    join_shows_the_delegation(&world).await;
    world.control(wire::Verb::Undo).await.unwrap();
    world.waits_for("registrar-pending").await;
    let began = world.elapsed();
    let hand = async |world: &World| world.shown().await.hand_to_registrar.is_some_and(|hand| hand.ds.len() == 1);
    world.until("the DS of b is to go", hand).await;
    assert!(world.elapsed() - began > 2 * MINUTE_MS, "after {} ms", world.elapsed() - began);
    let ds = cds_for(&child(), &ksks(&world, &["a"]), &[2]);
    registrar_has(&world, |parent| parent.set(Kind::Ds, ds));
    world.comes_to_rest().await;
    assert!(world.shown().await.registrar_pending.is_empty());
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f23_cancelled_request_causes_no_wait() {
    let world = told_by_hand().await;
    let refused = world.control(wire::Verb::RegistrarCancelled).await.unwrap_err();
    assert_eq!(refused.code, "no-registrar-request", "{refused:?}");
    join_shows_the_delegation(&world).await;
    let refused = world.control(wire::Verb::RegistrarCancelled).await.unwrap_err();
    assert_eq!(refused.code, "registrar-request-shown", "{refused:?}");
    world.control(wire::Verb::Undo).await.unwrap();
    world.waits_for("registrar-pending").await;
    let began = world.elapsed();
    world.control(wire::Verb::RegistrarCancelled).await.unwrap();
    assert_eq!(world.events("registrar-cancelled").await.len(), 1);
    assert!(world.shown().await.registrar_pending.is_empty());
    let hand = async |world: &World| world.shown().await.hand_to_registrar.is_some_and(|hand| hand.ds.len() == 1);
    world.until("the DS of b is to go", hand).await;
    assert!(world.elapsed() - began < MINUTE_MS, "after {} ms", world.elapsed() - began);
}

/// The DS set that names b as well does no harm to anybody, and is not wanted any more: the undo is not done before it can come
/// no more.
#[tokio::test]
async fn f23_late_ds_request_delays_the_end_of_an_undo() {
    let world = told_by_hand().await;
    world.join("b").await;
    world.waits_for("parent-manual").await;
    world.control(wire::Verb::Undo).await.unwrap();
    let text = world.waits_for("registrar-pending").await;
    assert!(
        text.contains("the parent may still publish the DS RRset with keys that are not wanted any more"),
        "{text}"
    );
    let ds = cds_for(&child(), &ksks(&world, &["a", "b"]), &[2]);
    registrar_has(&world, |parent| parent.set(Kind::Ds, ds));
    world.waits_for("parent-manual").await;
    let ds = cds_for(&child(), &ksks(&world, &["a"]), &[2]);
    registrar_has(&world, |parent| parent.set(Kind::Ds, ds));
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

/// What a person was shown is known after a restart, and when the clock is set back it does not end any earlier.
#[tokio::test]
async fn f23_restart_and_clock_set_back_shorten_no_request() {
    let mut world = told_by_hand().await;
    join_shows_the_delegation(&world).await;
    world.control(wire::Verb::Undo).await.unwrap();
    world.waits_for("registrar-pending").await;
    world.restart();
    world.lock().ahead -= 30 * MINUTE_MS;
    world.look().await;
    let began = world.elapsed();
    let goes = async |world: &World| world.shown().await.registrar_pending.is_empty();
    world.until("it can come no more", goes).await;
    assert!(world.elapsed() - began > 2 * MINUTE_MS, "after {} ms", world.elapsed() - began);
}

/// A set that the parent has already is nothing to hand in, and one that it has by now will not be handed in again.
#[tokio::test]
async fn f23_published_request_causes_no_wait() {
    let world = told_by_hand().await;
    join_shows_the_delegation(&world).await;
    let both = delegation_to(&world, &["a", "b"]);
    registrar_has(&world, |parent| parent.set(Kind::Delegation, both));
    world.comes_to_rest().await;
    assert!(world.shown().await.registrar_pending.is_empty());
    world.assert_nobody_failed().await;
}
