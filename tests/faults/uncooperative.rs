//! A leaver that answers and takes no updates: the credential is lost, or the contract has ended.

use crate::places::key;
use crate::world::{World, child};
use chorus::api::wire;
use chorus::model::history::{Failure, Kind};
use chorus_providers::{Doing, ProviderError};

fn refused() -> ProviderError {
    ProviderError::Refused {
        server: "192.0.2.1:53".parse().unwrap(),
        zone: child().to_string(),
        doing: Doing::Updating,
        rtype: None,
        keys_apart: false,
        signed: true,
    }
}

/// a and b serve the zone; the interface of a refuses everything.
async fn a_refuses() -> World {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.lock().operator("a").refuses = Some(refused());
    world.lock().parent.acts_after_ms = None;
    world
}

fn keys_at_b(world: &World) -> usize {
    world.lock().operators["b"].addresses[0].shows.records(Kind::Dnskey).len()
}

/// Until the delegation to b alone is to be handed in; then it is.
async fn registrar_delegates_to_b(world: &World) {
    let text = world.waits_for("parent-manual").await;
    assert!(text.contains("asks a as well, which takes no updates"), "{text}");
    let hand = world.shown().await.hand_to_registrar.unwrap();
    assert!(hand.ns.iter().all(|host| host.contains(".b.")), "{hand:?}");
    assert!(hand.ds.is_empty(), "the DS of a stays: {hand:?}");
    let ns = world.lock().operators["b"].ns();
    world.lock().parent.set(Kind::Delegation, ns);
}

#[tokio::test]
async fn f24_uncooperative_leaver_keeps_its_keys_and_ds_until_it_no_longer_serves() {
    let world = a_refuses().await;
    let sent = world.lock().operator("a").sent;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    registrar_delegates_to_b(&world).await;
    let text = world.waits_for("leaver-uncooperative").await;
    assert!(text.contains("until a no longer serves child.example"), "{text}");
    world.keeps_waiting_for("leaver-uncooperative", 600_000).await;
    assert_eq!((keys_at_b(&world), world.lock().parent.ds().len()), (4, 2), "for as long as it may be queried");

    // That Chorus gets no answer says nothing of resolvers.
    let answers = |world: &World, failure: Failure| {
        world.lock().operator("a").addresses.iter_mut().for_each(|address| address.failure = Some(failure.clone()));
    };
    answers(&world, Failure::Silent);
    let advises = async |world: &World| world.waiting().await.iter().any(|(_, text)| text.contains("a --unreachable`"));
    world.until("the way out is told", advises).await;
    world.keeps_waiting_for("leaver-uncooperative", 600_000).await;
    assert_eq!((keys_at_b(&world), world.lock().parent.ds().len()), (4, 2), "resolvers may reach it");
    answers(&world, Failure::Refused);
    world.keeps_waiting_for("leaver-uncooperative", 60_000).await;
    world.change(wire::Change::LeaveUnreachable("a".into())).await.unwrap();
    world.lock().parent.acts_after_ms = Some(500);
    world.comes_to_rest().await;
    assert_eq!((keys_at_b(&world), world.lock().parent.ds().len()), (2, 1));
    assert_eq!(world.lock().operator("a").sent, sent, "nothing is sent to it");
}

#[tokio::test]
async fn f24_lost_credential_in_mid_leave_offers_to_go_on_without_help() {
    let world = a_refuses().await;
    world.lock().operator("a").refuses = None;
    world.change(wire::Change::Leave("a".into())).await.unwrap();
    world.lock().operator("a").refuses = Some(refused());
    let text = world.waits_for("update-refused").await;
    assert!(text.contains("`chorus zone leave child.example a --uncooperative`"), "{text}");
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    assert!(world.shown().await.operators.iter().any(|one| one.operator == "a" && one.uncooperative));
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f24_sole_operator_that_takes_no_updates_is_not_replaced_and_the_reason_is_told() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the keys are shared", async |world| keys_at_b(world) == 4).await;
    let refused = world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap_err();
    assert_eq!(refused.code, "leaver-uncooperative", "{refused:?}");
    assert!(refused.text.contains("could not validate the answers of a newcomer"), "{refused:?}");
    assert!(refused.fix.unwrap().contains("give up DNSSEC"), "what it takes is told");
}

/// The check, which shares no code with the guards, agrees: b changes no CDS while a, which the parent asks, goes on with the old.
#[tokio::test]
async fn f24_no_cds_changes_while_the_parent_asks_an_uncooperative_leaver() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    world.waits_for("parent-manual").await;
    let cds = |world: &World| world.lock().operators["b"].addresses[0].shows.records(Kind::Cds).clone();
    let before = cds(&world);
    assert_eq!(before.len(), 2);
    world.keeps_waiting_for("parent-manual", 120_000).await;
    assert_eq!(cds(&world), before);
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f24_no_leave_without_help_begins_while_another_operator_joins() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.join("c").await;
    world.until("the keys of c are shared", async |world| keys_at_b(world) == 6).await;
    let refused = world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap_err();
    assert_eq!(refused.code, "leaver-uncooperative", "{refused:?}");
    assert!(refused.text.contains("resolvers do not query c yet"), "{refused:?}");
    assert!(refused.fix.unwrap().starts_with("run `chorus zone undo child.example`"), "the way out is told");
}

#[tokio::test]
async fn f24_key_that_an_uncooperative_leaver_lacks_is_named_before_anybody_signs_with_it() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    world.lock().publishes_key("b", &key(256, 13, "the next zsk of b"));
    let told = async |world: &World| {
        world
            .waiting()
            .await
            .iter()
            .any(|(code, text)| code == "leaver-uncooperative" && text.contains("b must not sign"))
    };
    world.until("the key is named", told).await;
    world.assert_nobody_failed().await;
}

fn is_uncooperative(shown: &wire::ZoneShow) -> bool {
    shown.operators.iter().any(|one| one.operator == "a" && one.uncooperative)
}

#[tokio::test]
async fn f24_undo_that_is_taken_back_still_sends_nothing_to_an_uncooperative_leaver() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    world.control(wire::Verb::Undo).await.unwrap();
    world.until("b names a again", async |world| world.is_named("b", "a")).await;
    assert!(!is_uncooperative(&world.shown().await), "who is wanted has to take updates");
    world.control(wire::Verb::Resume).await.unwrap();
    let sent = world.lock().operator("a").sent;
    assert!(is_uncooperative(&world.shown().await), "what was declared is not forgotten");
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    assert!(!world.is_named("b", "a"));
    assert_eq!(world.lock().operator("a").sent, sent, "nothing is sent to it");
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f24_undo_writes_to_a_leaver_that_takes_updates_again() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    world.waits_for("parent-manual").await;
    world.lock().operator("a").refuses = None;
    world.control(wire::Verb::Undo).await.unwrap();
    // The delegation to b alone was shown, and may still be handed in.
    world.waits_for("registrar-pending").await;
    world.control(wire::Verb::RegistrarCancelled).await.unwrap();
    world.comes_to_rest().await;
    assert!(!is_uncooperative(&world.shown().await));
    // What was declared for that transition does not count in the next one.
    let sent = world.lock().operator("a").sent;
    world.lock().parent.acts_after_ms = Some(500);
    world.leave("a").await;
    world.comes_to_rest().await;
    assert!(world.lock().operator("a").sent > sent, "it is written to");
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f24_stop_rests_where_nothing_has_to_be_written_to_an_uncooperative_leaver() {
    let world = a_refuses().await;
    let sent = world.lock().operator("a").sent;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    world.control(wire::Verb::Stop).await.unwrap();
    assert!(is_uncooperative(&world.shown().await), "the rest state is the group without a");
    world.keeps_waiting_for("leaver-uncooperative", 60_000).await;
    assert_eq!(world.lock().operator("a").sent, sent, "nothing is sent to it");
}

#[tokio::test]
async fn f24_leaver_that_gives_up_its_signatures_is_taken_out_all_the_same() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    {
        let mut state = world.lock();
        state.operator("a").zone.set(Kind::Dnskey, Default::default());
        state.publish("a");
    }
    world.until("b no longer names a", async |world| !world.is_named("b", "a")).await;
    registrar_delegates_to_b(&world).await;
    // It may sign again with its old keys, and resolvers may still query it.
    world.keeps_waiting_for("leaver-uncooperative", 600_000).await;
    assert_eq!(world.lock().operators["b"].zone.records(Kind::Cds).len(), 2, "its DS stays");
}

/// c is delegated to when its join is undone, and takes no updates from then on.
#[tokio::test]
async fn f24_newcomer_that_takes_no_updates_in_an_undo_stays_until_it_is_gone() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.join("c").await;
    world.until("c is named", async |world| world.is_named("a", "c") && world.is_named("b", "c")).await;
    world.waits_for("parent-pending").await;
    world.lock().operator("c").refuses = Some(refused());
    // The parent has delegated to c, and its CSYNC cannot be withdrawn.
    world.waits_for("update-refused").await;
    world.lock().parent.acts_after_ms = None;
    world.lock().pass(1_000);
    world.control(wire::Verb::Undo).await.unwrap();
    world.change(wire::Change::LeaveUncooperative("c".into())).await.unwrap();
    world.waits_for("parent-manual").await;
    world.keeps_waiting_for("parent-manual", 600_000).await;
    assert_eq!(keys_at_b(&world), 6, "resolvers query c");
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f24_new_algorithm_of_an_uncooperative_leaver_is_asked_of_nobody() {
    let world = a_refuses().await;
    world.change(wire::Change::LeaveUncooperative("a".into())).await.unwrap();
    let foreign = key(257, 15, "another algorithm");
    world.lock().signs_with_key("a", &foreign);
    registrar_delegates_to_b(&world).await;
    world.waits_for("leaver-uncooperative").await;
    world.keeps_waiting_for("leaver-uncooperative", 600_000).await;
    assert_eq!(keys_at_b(&world), 4, "b does not sign with that algorithm");
    assert_eq!(world.lock().operators["b"].zone.records(Kind::Cds).len(), 2, "and the parent is asked for no DS of it");
}
