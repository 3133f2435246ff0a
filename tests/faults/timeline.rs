//! The timeline that people are shown, of a zone in the middle of a join, and before it.

use crate::world::World;
use chorus::api::service::Service;
use chorus::api::wire::{Bar, StepState, Timeline};

async fn timeline(world: &World) -> Timeline {
    world.controller.timeline("child.example").await.unwrap()
}

fn waited(timeline: &Timeline) -> Vec<&Bar> {
    timeline.lanes.iter().flat_map(|lane| &lane.bars).filter(|bar| bar.waited_for).collect()
}

#[tokio::test]
async fn the_timeline_of_a_join_shows_the_versions_that_its_guard_waits_for_and_no_other() {
    let world = World::adopted().await;
    let rest = timeline(&world).await;
    assert!(rest.guards.is_empty() && rest.steps.is_empty() && waited(&rest).is_empty(), "{rest:#?}");

    world.join("b").await;
    let is_guarded = async |world: &World| {
        let has_ds = world.lock().parent.ds().len() == 2;
        has_ds && !timeline(world).await.guards.is_empty()
    };
    world.until("the old DS set is waited for", is_guarded).await;
    let shown = timeline(&world).await;
    let lanes: Vec<(&str, &str)> = shown.lanes.iter().map(|lane| (lane.who.as_str(), lane.rtype.as_str())).collect();
    assert_eq!(lanes[..2], [("parent", "DS"), ("parent", "NS")], "{lanes:?}");
    assert!(lanes.contains(&("a", "DNSKEY")) && lanes.contains(&("b", "NS")), "{lanes:?}");

    let bars = waited(&shown);
    assert!(
        !bars.is_empty() && bars.iter().all(|bar| bar.until.is_some() && bar.dead_at > Some(shown.now)),
        "{shown:#?}"
    );
    // The guard of a join opens when the last of them is dead.
    let opens = shown.guards.iter().filter_map(|guard| guard.opens_at).max();
    assert_eq!(bars.iter().filter_map(|bar| bar.dead_at).max(), opens, "{shown:#?}");
    let parent = &shown.lanes[0];
    assert!(parent.bars.iter().any(|bar| bar.waited_for), "the DS set without b: {parent:#?}");
    assert!(parent.bars.iter().any(|bar| bar.until.is_none() && bar.text.starts_with("keys ")), "{parent:#?}");

    assert!(shown.from < shown.now && Some(shown.to) > opens, "{shown:#?}");
    let states: Vec<StepState> = shown.steps.iter().map(|step| step.state).collect();
    use StepState::{Ahead, Done, Now};
    assert_eq!(states, [Done, Done, Done, Now, Ahead]);
    assert_eq!(shown.steps[3].earliest, opens, "{:#?}", shown.steps);
}
