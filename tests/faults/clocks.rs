//! F8: clocks that jump, go too fast, or are wrong after a start.

use crate::places::Mishap;
use crate::world::{World, policy};
use chorus::model::policy::Policy;

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;
const TTL_S: u32 = 3600;
/// TTL and slack: how long old keys and DS have to be waited for.
const GUARD_MS: i64 = (3600 + 60) * 1000;

async fn world() -> World {
    World::adopted_with(TTL_S, Policy { slack_s: 60, ..policy(TTL_S) }).await
}

/// A join whose parent has just acted; when it did.
async fn until_the_parent_acted(world: &World) -> i64 {
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    world.look().await;
    let log = &world.lock().log;
    log.iter().find(|(_, line)| line.contains("new DS set")).unwrap().0
}

/// When b was named, in time that has really passed.
async fn named(world: &World) -> i64 {
    world.until("b is named", async |world| world.is_named("b", "a")).await
}

#[tokio::test]
async fn f08_a_clock_that_jumps_opens_no_guard_early() {
    for ahead_ms in [DAY_MS, 5 * YEAR_MS, 10_000, -10_000, -DAY_MS] {
        let world = world().await;
        let acted = until_the_parent_acted(&world).await;
        world.lock().pass(600_000);
        world.lock().ahead += ahead_ms;
        let text = world.waits_for("clock-jumped").await;
        assert!(text.contains(if ahead_ms > 0 { "set forward by" } else { "set back by" }), "{text}");
        let shown = world.shown().await.transition.unwrap().waiting_for.unwrap();
        assert_eq!(shown.code, "clock-jumped", "zone show says it: {shown:?}");
        let named = named(&world).await;
        assert!(named - acted >= GUARD_MS, "{ahead_ms}: named {} ms after the parent acted", named - acted);
        // Forward it is known by how much; back, everything counts as seen now, at most.
        let late = if ahead_ms > 0 { 60_000 } else { 700_000 };
        assert!(named - acted <= GUARD_MS + late, "{ahead_ms}: only {} ms after the parent acted", named - acted);
        world.comes_to_rest().await;
        assert_eq!(world.events("clock-jumped").await.len(), 1, "{ahead_ms}");
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn f08_what_is_on_its_way_stays_so_when_the_clock_jumps() {
    for ahead_ms in [2 * DAY_MS, -2 * DAY_MS] {
        let world = world().await;
        // It says yes, and nobody ever sees it.
        world.lock().operator("a").mishaps = (0..1000).map(|_| Mishap::NotApplied).collect();
        world.join("b").await;
        world.look().await;
        let before = world.stored().await.in_flight;
        assert!(!before.is_empty());
        let age_ms = |sent_at: i64, world: &World| world.elapsed() + world.lock().ahead - sent_at;
        let aged = age_ms(before[0].2.at.0, &world);
        world.lock().ahead += ahead_ms;
        world.look().await;
        let after = world.stored().await.in_flight;
        assert_eq!(after.len(), before.len(), "{ahead_ms}: nothing is given up");
        let older = age_ms(after[0].2.at.0, &world) - aged;
        assert!((0..600_000).contains(&older.abs()), "{ahead_ms}: it is {older} ms older");
    }
}

#[tokio::test]
async fn f08_a_clock_that_goes_twice_as_fast_opens_no_guard_early() {
    let world = world().await;
    let acted = until_the_parent_acted(&world).await;
    world.lock().gains = 1000;
    let named = named(&world).await;
    // What is less than a jump is within the slack.
    assert!(named - acted >= GUARD_MS - 60_000, "named {} ms after the parent acted", named - acted);
    assert!(world.events("clock-jumped").await.len() > 10, "it is told again and again");
}

#[tokio::test]
async fn f08_a_clock_that_was_set_while_chorus_was_down_opens_no_guard_early() {
    for ahead_ms in [DAY_MS, -DAY_MS] {
        let mut world = world().await;
        let acted = until_the_parent_acted(&world).await;
        world.restart();
        world.lock().ahead += ahead_ms;
        let named = named(&world).await;
        assert!(named - acted >= GUARD_MS, "{ahead_ms}: named {} ms after the parent acted", named - acted);
        assert_eq!(world.events("clock-jumped").await.len(), 1, "{ahead_ms}");
    }
}

#[tokio::test]
async fn f08_a_machine_that_starts_with_its_clock_behind_waits_from_now_on() {
    let mut world = world().await;
    let acted = until_the_parent_acted(&world).await;
    world.restart();
    world.lock().boot = "second".into();
    world.lock().ahead -= DAY_MS;
    let text = world.waits_for("clock-jumped").await;
    assert!(text.contains("is behind what was seen before"), "{text}");
    let named = named(&world).await;
    assert!((GUARD_MS..GUARD_MS + 60_000).contains(&(named - acted)), "named after {} ms", named - acted);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f08_a_machine_that_starts_with_its_clock_far_ahead_is_told_of() {
    let mut world = world().await;
    world.restart();
    world.lock().boot = "second".into();
    world.lock().ahead += 5 * YEAR_MS;
    world.look().await;
    let told = world.events("clock-unsure").await;
    assert!(told.len() == 1 && told[0].text.contains("set the clock of this machine right"), "{told:?}");
    world.look().await;
    assert_eq!(world.events("clock-unsure").await.len(), 1, "once");
}
