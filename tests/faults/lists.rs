//! What lists of zones say: the same as the zone's page, at every moment.

use crate::world::World;
use chorus::api::service::Service;
use chorus::api::wire::{self, Verb, ZonesQuery};

/// The zone's line, held against its page.
async fn line(world: &World) -> wire::ZoneSummary {
    let list = world.controller.zones(ZonesQuery::default()).await.unwrap();
    assert_eq!(list.zones.len(), 1);
    let (line, page) = (list.zones.into_iter().next().unwrap(), world.shown().await);
    assert_eq!((&line.zone, &line.verdict, line.rest), (&page.zone, &page.verdict, page.rest));
    assert_eq!((&line.desired, &line.parent), (&page.desired, &page.parent.zone));
    assert_eq!(line.operators, page.operators.iter().map(|one| one.operator.clone()).collect::<Vec<_>>());
    let running = page.transition.filter(|transition| !transition.state.is_over());
    match &running {
        Some(running) => {
            assert_eq!(line.state, running.state.name());
            assert_eq!(line.waiting_for, running.waiting_for);
            let forecasts = wire::TransitionShow {
                ends_earliest: None,
                ends_at: None,
                ends_after: None,
                undo_takes: None,
                stop: None,
                ..running.clone()
            };
            assert_eq!(line.transition.as_ref(), Some(&forecasts));
        }
        None => assert_eq!(line.state, if page.rest { "rest" } else { "unsettled" }),
    }
    assert!(line.since.is_some_and(|since| since <= list.now));
    let overview = world.controller.overview().await.unwrap();
    let states: Vec<(&str, u64)> = overview.states.iter().map(|count| (count.state.as_str(), count.zones)).collect();
    assert_eq!((overview.zones, states), (1, vec![(line.state.as_str(), 1)]));
    assert!(world.store.counters_agree().await.unwrap());
    line
}

#[tokio::test]
async fn a_line_in_the_list_says_what_the_zones_page_says_after_every_turn_and_every_action() {
    let world = World::adopted().await;
    assert_eq!(line(&world).await.state, "rest");
    world.join("b").await;
    assert_eq!(line(&world).await.state, "acting");
    let mut states = std::collections::BTreeSet::new();
    for turn in 0..400 {
        world.turn().await;
        states.insert(line(&world).await.state);
        match turn {
            5 => drop(world.control(Verb::Pause).await.unwrap()),
            8 => drop(world.control(Verb::Resume).await.unwrap()),
            12 => drop(world.control(Verb::Undo).await.unwrap()),
            14 => drop(world.control(Verb::Resume).await.unwrap()),
            _ => {}
        }
        let now = line(&world).await;
        assert!(turn != 5 || now.state == "paused", "{now:?}");
        states.insert(now.state);
        if turn > 20 && now.rest {
            break;
        }
    }
    assert_eq!(line(&world).await.state, "rest");
    for state in ["acting", "paused", "waiting-guard", "waiting-parent", "rest"] {
        assert!(states.contains(state), "{state} was never seen: {states:?}");
    }
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn an_operator_that_falls_silent_is_in_the_overview_until_it_answers() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let silent = async || world.controller.overview().await.unwrap().silent;
    assert_eq!(silent().await, []);
    for at in &mut world.lock().operator("b").addresses {
        at.failure = Some(chorus::model::history::Failure::Silent);
    }
    world.until("it is noticed", async |_| !silent().await.is_empty()).await;
    let told = silent().await.remove(0);
    assert_eq!((told.operator.as_str(), told.zones), ("b", 1));
    assert!(told.text.contains("does not answer, since"), "{}", told.text);
    for at in &mut world.lock().operator("b").addresses {
        at.failure = None;
    }
    world.until("it is noticed", async |_| silent().await.is_empty()).await;
    line(&world).await;
}

#[tokio::test]
async fn a_parent_that_is_late_and_a_transition_that_waits_for_a_person_are_in_the_overview() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    let lagging = async || world.controller.overview().await.unwrap().lagging;
    world.until("the parent is late", async |_| !lagging().await.is_empty()).await;
    assert_eq!(lagging().await[0].state, "waiting-parent");
    let stuck = |stuck_for_s| ZonesQuery { stuck_for_s: Some(stuck_for_s), ..ZonesQuery::default() };
    assert_eq!(world.controller.zones(stuck(1)).await.unwrap().zones.len(), 1);
    assert_eq!(world.controller.zones(stuck(86_400)).await.unwrap().zones.len(), 0);
    let attention = ZonesQuery { state: Some("attention".into()), ..ZonesQuery::default() };
    assert_eq!(world.controller.zones(attention).await.unwrap().zones.len(), 0);
}

#[tokio::test]
async fn a_list_that_is_asked_for_in_a_way_that_means_nothing_is_refused() {
    let world = World::adopted().await;
    for (query, code) in [
        (ZonesQuery { cursor: Some("bm9uc2Vuc2U".into()), ..ZonesQuery::default() }, "bad-cursor"),
        (ZonesQuery { state: Some("waiting".into()), ..ZonesQuery::default() }, "bad-state"),
        (ZonesQuery { limit: Some(0), ..ZonesQuery::default() }, "bad-limit"),
    ] {
        assert_eq!(world.controller.zones(query).await.unwrap_err().code, code);
    }
}
