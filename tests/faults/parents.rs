//! F10, F11, F12: parents that never act, act by half, or do what nobody asked for.

use crate::places::key;
use crate::world::{PIPELINE_S, SLACK_S, TTL_S, World, child, name, policy};
use chorus::api::wire;
use chorus::model::dns::{RecordSet, cds_for, ns_rdata};
use chorus::model::history::Kind;

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn f10_a_parent_that_never_acts_is_waited_for_and_told_of_once_and_then_daily() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    let began = world.elapsed();
    while world.elapsed() - began < (i64::try_from(PIPELINE_S).unwrap() + 60) * 1000 {
        world.turn().await;
    }
    let told = world.events("parent-overdue").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].text.contains("chorus zone undo"), "{}", told[0].text);
    let writes = world.lock().operators.values().map(|operator| operator.sent).sum::<usize>();
    for _ in 0..3 {
        world.lock().pass(DAY_MS);
        world.look().await;
        world.look().await;
    }
    assert_eq!(world.events("parent-overdue").await.len(), 4, "daily");
    assert_eq!(world.lock().operators.values().map(|operator| operator.sent).sum::<usize>(), writes);
    assert_eq!(world.shown().await.transition.unwrap().state, wire::TransitionState::WaitingParent);
    // It may still come, or the user may turn back.
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f11_a_ds_set_that_one_of_the_parents_servers_lacks_opens_no_guard() {
    let world = World::adopted().await;
    world.lock().parent.forgets = Some(1);
    world.join("b").await;
    world.until("the parent has the DS at one server", async |world| world.lock().parent.ds().len() == 2).await;
    world.keeps_waiting_for("parent-pending", 120_000).await;
    let text = world.waits_for("parent-pending").await;
    assert!(text.contains("198.51.100.2:53") && !text.contains("198.51.100.1:53"), "{text}");
    assert!(!world.is_named("b", "a") && !world.is_named("a", "b"));
    let follows = world.elapsed();
    {
        let mut state = world.lock();
        let ds = state.parent.ds().clone();
        state.parent.forgets = None;
        state.parent.set(Kind::Ds, ds);
    }
    let named = world.until("b is named", async |world| world.is_named("b", "a")).await;
    assert!(named - follows >= i64::from(TTL_S) * 1000 + i64::try_from(SLACK_S).unwrap() * 1000);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f11_a_ds_that_is_taken_away_again_stops_the_join_where_it_is() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    world.look().await;
    let ours = world.lock().parent.ds().clone();
    let alone = cds_for(&child(), [&world.lock().operators["a"].ksk], &[2]);
    world.lock().parent.set(Kind::Ds, alone);
    world.keeps_waiting_for("parent-pending", 60_000).await;
    assert!(!world.is_named("b", "a") && !world.is_named("a", "b"));
    world.lock().parent.set(Kind::Ds, ours);
    let back = world.elapsed();
    let named = world.until("b is named", async |world| world.is_named("b", "a")).await;
    assert!(named - back >= i64::from(TTL_S) * 1000, "the set without b has to die anew");
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

/// As one registrar is reported to do in the middle of a change: for a moment the delegation names servers of its own, with
/// a TTL of four hours.
#[tokio::test]
async fn f11_a_placeholder_with_a_ttl_of_four_hours_is_told_of_and_extends_the_wait_by_it() {
    const LONG_S: u32 = 4 * 3600;
    const SHORT_S: u32 = 600;
    let world = World::adopted_with(SHORT_S, policy(SHORT_S)).await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.lock().pass(10_000);
    world.lock().parent.acts_after_ms = None;
    world.leave("b").await;
    world.waits_for("parent-pending").await;
    let delegate = |world: &World, ns: RecordSet, ttl_s: u32| {
        let mut state = world.lock();
        state.parent.set(Kind::Delegation, ns);
        for address in &mut state.parent.addresses {
            address.shows.0.get_mut(&Kind::Delegation).unwrap().ttl_s = ttl_s;
        }
    };
    let [of_a, of_b] = ["a", "b"].map(|operator| world.lock().operators[operator].ns());
    let placeholder = RecordSet::from([ns_rdata(&name("ns1.placeholder.example."))]);
    delegate(&world, of_b.union(&placeholder).cloned().collect(), LONG_S);
    let text = world.waits_for("ns-unexpected").await;
    assert!(text.contains("ns1.placeholder.example."), "{text}");
    assert_eq!(world.events("ns-unexpected").await.len(), 1, "it is told once");
    world.keeps_waiting_for("ns-unexpected", 60_000).await;
    delegate(&world, of_a, SHORT_S);
    world.lock().parent.acts_after_ms = Some(500);
    let moved = world.elapsed();
    let gone = world.until("b's DS is gone", async |world| world.lock().parent.ds().len() == 1).await;
    assert!(
        gone - moved >= i64::from(LONG_S) * 1000,
        "b could be asked for four hours, and lost its DS after {}",
        gone - moved
    );
    world.comes_to_rest().await;
    assert!(world.elapsed() - moved < i64::from(LONG_S + 2 * SHORT_S) * 1000, "and not for longer");
}

#[tokio::test]
async fn f12_a_ds_set_that_somebody_overwrote_is_told_of_and_not_taken_for_progress() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let ours = world.lock().parent.ds().clone();
    let strange = cds_for(&child(), [&key(257, 13, "of nobody")], &[2]);
    // Beside ours it breaks nothing.
    world.lock().parent.set(Kind::Ds, ours.union(&strange).cloned().collect());
    let text = world.waits_for("ds-unexpected").await;
    assert!(text.contains("of a key that no operator ever had") && !text.contains("cannot validate"), "{text}");
    let shown = world.shown().await;
    assert!(shown.verdict.contains("of a key that no operator ever had"), "{}", shown.verdict);
    // Alone it breaks the zone.
    world.lock().parent.acts_after_ms = None;
    world.lock().parent.set(Kind::Ds, strange);
    world.look().await;
    let text = world.waits_for("ds-unexpected").await;
    assert!(text.contains("resolvers cannot validate the zone"), "{text}");
    assert_eq!(world.events("ds-unexpected").await.len(), 2, "once each");
    world.lock().parent.set(Kind::Ds, ours);
    world.until("all is as desired", async |world| world.status().await.settled).await;
}
