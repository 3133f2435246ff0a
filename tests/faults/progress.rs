//! How far a transition has come, as it is shown: the step, what a person hands over, and whom the parent waits for.

use crate::places::{Operator, Zone};
use crate::world::{World, child};
use chorus::api::service::Service;
use chorus::api::wire::{self, ParentMode, PolicyChange};
use chorus::model::dns::{RecordSet, cds_for};
use chorus::model::group::Step;
use chorus::model::history::{Failure, Kind};

async fn number(world: &World) -> u32 {
    world.shown().await.transition.map_or(0, |transition| transition.step_number)
}

fn serves(world: &World, operator: &str, zone: Zone) {
    world.lock().operator(operator).addresses[1].shows = zone;
}

#[tokio::test]
async fn step_number_stays_while_an_address_serves_an_older_version() {
    let world = World::adopted().await;
    let before = world.lock().operators["a"].addresses[1].shows.clone();
    world.join("b").await;
    world.until("the caches are waited for", async |world| number(world).await == 4).await;
    let now = world.lock().operators["a"].addresses[1].shows.clone();
    serves(&world, "a", before);
    world.look().await;
    assert_eq!(world.status().await.step, Step::ShareKeys, "{}", world.story().await);
    let shown = world.shown().await.transition.unwrap();
    assert_eq!((shown.step_number, shown.step.as_str()), (4, "old DNSKEY and DS sets die"));
    assert!(shown.waiting_for.unwrap().text.contains("192.0.2.10"), "what is waited for names the address");
    serves(&world, "a", now);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn step_number_goes_back_where_chorus_writes_an_earlier_step_again() {
    let world = World::adopted().await;
    let before = world.lock().operators["a"].zone.clone();
    world.join("b").await;
    world.until("the caches are waited for", async |world| number(world).await == 4).await;
    {
        // Somebody takes the keys of b out, and what is written after that is served late.
        let mut state = world.lock();
        state.operator("a").zone = before;
        state.publish("a");
        state.operator("a").addresses.iter_mut().for_each(|address| address.lag_ms = 60_000);
    }
    world.look().await;
    assert_eq!(number(&world).await, 1, "{}", world.story().await);
    world.comes_to_rest().await;
}

#[tokio::test]
async fn hand_over_lists_glue_for_name_servers_inside_the_zone() {
    let inside = Operator::with_hosts("d", |i| format!("ns{i}.child.example."));
    let world = World::adopted().await.with_operator(inside).await;
    let manual = PolicyChange { parent: Some(ParentMode::Manual), ..PolicyChange::default() };
    world.controller.change_policy("child.example", manual).await.unwrap();
    world.lock().parent.acts_after_ms = None;
    world.join("d").await;
    world.waits_for("parent-manual").await;
    let hand = world.shown().await.hand_to_registrar.unwrap();
    assert!(hand.glue.is_empty(), "the delegation does not change yet: {hand:?}");
    let ksks: RecordSet = ["a", "d"].iter().map(|op| world.lock().operators[*op].ksk.clone()).collect();
    world.lock().parent.set(Kind::Ds, cds_for(&child(), &ksks, &[2]));
    world.until("the delegation is to change", async |world| number(world).await == 5).await;
    world.waits_for("parent-manual").await;
    let hand = world.shown().await.hand_to_registrar.unwrap();
    assert_eq!(hand.glue, ["ns1.child.example. A 192.0.1.13", "ns2.child.example. A 192.0.2.13"], "{hand:?}");
}

#[tokio::test]
async fn parent_that_asks_a_silent_server_too_is_told_of_with_what_to_hand_over() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.lock().parent.acts_after_ms = None;
    for address in &mut world.lock().operator("b").addresses {
        address.failure = Some(Failure::Silent);
    }
    world.look().await;
    world.change(wire::Change::LeaveUnreachable("b".into())).await.unwrap();
    let text = world.waits_for("parent-silent-server").await;
    assert!(text.contains("ns1.b.example. (192.0.1.11:53)"), "{text}");
    let shown = world.shown().await;
    assert!(shown.next.unwrap().contains("registrar"));
    let hand = shown.hand_to_registrar.unwrap();
    assert_eq!(hand.ns, ["ns1.a.example", "ns2.a.example"]);
    let ns = world.lock().operators["a"].ns();
    world.lock().parent.set(Kind::Delegation, ns);
    world.lock().parent.acts_after_ms = Some(500);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}
