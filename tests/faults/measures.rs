//! What is measured of parents and transitions is what happened, whatever happened to Chorus in between.

use crate::store::{fill, make_room, world};
use crate::world::{World, child};
use chorus::api::service::Service;
use chorus::api::wire::{self, Verb};
use chorus::model::history::Kind;
use chorus::store::ParentAct;

/// How long the parent takes in these tests.
const TAKES_MS: i64 = 2500;
/// A round, a write and the quickest pace, twice each: how exactly anything can be seen.
const SEEN_WITHIN_MS: i64 = 800;

async fn acts(world: &World, what: Kind) -> Vec<ParentAct> {
    let parents = world.store.parents(None).await.unwrap();
    let acts = parents.values().flat_map(|known| known.acts.iter().copied());
    acts.filter(|act| act.what == what).collect()
}

async fn past(world: &World) -> wire::Statistics {
    world.controller.statistics(30).await.unwrap()
}

#[tokio::test]
async fn what_a_parent_took_for_ds_and_for_name_servers_in_a_join_is_measured_once_each() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = Some(TAKES_MS);
    let before = world.controller.parents().await.unwrap();
    assert_eq!((before.parents[0].parent.as_str(), before.parents[0].zones), ("example", 1));
    assert_eq!((before.parents[0].measured, before.parents[0].took_p50_s), (0, None), "never seen is not a nought");
    world.join("b").await;
    world.waits_for("parent-pending").await;
    assert_eq!(world.controller.parents().await.unwrap().parents[0].waiting, 1);
    world.comes_to_rest().await;
    for what in [Kind::Ds, Kind::Delegation] {
        let acts = acts(&world, what).await;
        assert_eq!(acts.len(), 1, "{what}: {acts:?}");
        let took = i64::try_from(acts[0].took.as_millis()).unwrap();
        assert!((took - TAKES_MS).abs() <= SEEN_WITHIN_MS, "{what} took {took}");
    }
    let after = world.controller.parents().await.unwrap();
    let shown = &after.parents[0];
    assert_eq!((shown.measured, shown.waiting, shown.took_max_s, shown.assumed_s), (2, 0, Some(2), 3));
    assert_eq!(shown.by_kind.iter().map(|took| took.kind.as_str()).collect::<Vec<_>>(), ["ds", "ns"]);
    assert!(shown.last_acted_at.is_some());
    // At rest nothing more is seen of it, however often it is looked at.
    for _ in 0..5 {
        world.turn().await;
    }
    assert_eq!(world.controller.parents().await.unwrap().parents[0].measured, 2);
}

#[tokio::test]
async fn a_crash_between_the_measure_and_the_status_neither_doubles_nor_loses_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut world, mut other) = world(dir.path()).await;
    world.lock().parent.acts_after_ms = Some(TAKES_MS);
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.lock().pass(TAKES_MS);
    fill(&mut other, "zones").await;
    assert!(world.engine.turn(&child()).await.is_err());
    assert_eq!(acts(&world, Kind::Ds).await.len(), 1);
    assert_eq!(world.status().await.parent_asked.len(), 1, "the status does not know of it yet");
    make_room(&mut other, "zones").await;
    world.restart();
    world.comes_to_rest().await;
    for what in [Kind::Ds, Kind::Delegation] {
        let acts = acts(&world, what).await;
        assert_eq!(acts.len(), 1, "{what}: {acts:?}");
        assert!((i64::try_from(acts[0].took.as_millis()).unwrap() - TAKES_MS).abs() <= SEEN_WITHIN_MS, "{acts:?}");
    }
    assert!(world.status().await.parent_asked.is_empty());
}

#[tokio::test]
async fn a_parent_that_acts_while_a_person_holds_the_transition_is_measured_and_one_that_never_acts_is_not() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.control(Verb::Pause).await.unwrap();
    world.lock().pass(10_000);
    world.look().await;
    assert!(acts(&world, Kind::Ds).await.is_empty());
    world.lock().at_once();
    world.look().await;
    let acts_seen = acts(&world, Kind::Ds).await;
    assert!(acts_seen.len() == 1 && acts_seen[0].took.as_secs() >= 10, "{acts_seen:?}");
    // What it was asked for and did not do is forgotten with the transition.
    world.control(Verb::Resume).await.unwrap();
    world.until("name servers are awaited", async |world| world.status().await.parent_asked.len() == 1).await;
    world.control(Verb::Undo).await.unwrap();
    world.lock().parent.acts_after_ms = Some(TAKES_MS);
    world.comes_to_rest().await;
    assert!(acts(&world, Kind::Delegation).await.is_empty());
    assert!(world.status().await.parent_asked.is_empty());
}

#[tokio::test]
async fn a_join_is_held_against_its_forecast_and_its_steps_are_measured() {
    let world = World::adopted().await;
    world.join("b").await;
    let running = past(&world).await;
    assert_eq!((running.forecasts.len(), running.forecast_error_p50_percent), (0, None));
    let began = world.elapsed();
    world.comes_to_rest().await;
    let took = u64::try_from((world.elapsed() - began) / 1000).unwrap();
    let past = past(&world).await;
    let forecast = &past.forecasts[0];
    assert_eq!((forecast.zone.as_str(), forecast.ended.as_str()), ("child.example", "done"));
    assert!(forecast.took_s.abs_diff(took) <= 1, "{} and {took}", forecast.took_s);
    assert!(0 < forecast.earliest_s && forecast.earliest_s <= forecast.took_s, "{forecast:?}");
    assert!(forecast.earliest_s < forecast.expected_s, "the parent takes its time: {forecast:?}");
    let error = past.forecast_error_p50_percent.unwrap();
    let off = forecast.expected_s.abs_diff(forecast.took_s) * 100 / forecast.took_s;
    assert!(error.abs_diff(off) <= 100 / forecast.took_s + 1, "{error} and {off}");
    let titles: Vec<&str> = past.steps.iter().map(|step| step.step.as_str()).collect();
    let dying = past.steps.iter().find(|step| step.step == "old DNSKEY and DS sets die").unwrap();
    assert!(titles.contains(&"the parent has the DS of all"), "{titles:?}");
    assert!(dying.times == 1 && dying.took_p50_s >= 4 && dying.took_p50_s <= 7, "a TTL and slack: {dying:?}");
}

#[tokio::test]
async fn a_join_that_is_undone_counts_as_undone_on_the_day_it_ended_and_says_nothing_of_forecasts() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    world.control(Verb::Undo).await.unwrap();
    world.comes_to_rest().await;
    let past = past(&world).await;
    assert_eq!(past.days.len(), 30, "days without any are there, too");
    let today = past.days.last().unwrap();
    assert_eq!(today.day, "2027-01-15");
    assert_eq!((today.started, today.done, today.undone, today.stopped), (1, 0, 1, 0));
    assert_eq!(past.days[0].day, "2026-12-17");
    assert!(past.days[..29].iter().all(|day| day.started + day.done + day.undone + day.stopped == 0));
    assert_eq!(past.forecasts[0].ended, "undone");
    assert_eq!(past.forecast_error_p50_percent, None);
    for days in [0, 367] {
        assert_eq!(world.controller.statistics(days).await.unwrap_err().code, "bad-days");
    }
    assert_eq!(world.controller.statistics(366).await.unwrap().days.len(), 366);
}
