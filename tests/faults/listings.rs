//! The largest TTL of ordinary records is learned again while a transition is under way: somebody adds a record in between.

use crate::world::{TTL_S, World};
use chorus::api::service::Service;
use chorus::model::history::Kind;

const LONG_S: u32 = 3_600;

async fn largest_ttl_s(world: &World) -> u64 {
    world.shown().await.policy.data_ttl_max_used_s
}

fn lists(world: &World, operator: &str, ttl_s: u32) {
    world.lock().operator(operator).largest_ttl_s = Some(ttl_s);
}

fn keys_at_b(world: &World) -> usize {
    world.lock().operators["b"].addresses[0].shows.records(Kind::Dnskey).len()
}

async fn is_delegated_to_b_alone(world: &World) -> bool {
    let state = world.lock();
    let ns = state.operators["b"].ns();
    state.parent.addresses.iter().all(|address| *address.shows.records(Kind::Delegation) == ns)
}

/// a and b serve the zone, and both let it be listed.
async fn both_serve() -> World {
    let world = World::adopted().await;
    ["a", "b"].into_iter().for_each(|operator| lists(&world, operator, TTL_S));
    world.join("b").await;
    world.comes_to_rest().await;
    world
}

#[tokio::test]
async fn f25_record_with_a_longer_ttl_that_is_added_in_mid_leave_is_waited_for() {
    let world = both_serve().await;
    world.leave("a").await;
    world.until("the parent delegates to b alone", is_delegated_to_b_alone).await;
    lists(&world, "a", LONG_S);
    let begun = world.elapsed();
    world.comes_to_rest().await;
    let took_s = (world.elapsed() - begun) / 1000;
    assert!(
        took_s >= i64::from(LONG_S),
        "answers of a may be cached for {LONG_S} s, and its keys went after {took_s} s"
    );
    assert_eq!((keys_at_b(&world), largest_ttl_s(&world).await), (2, u64::from(TTL_S)));
    world.assert_nobody_failed().await;
    let certificate = world.controller.certificate("child.example", None, false).await.unwrap();
    let said = certificate.assumptions.iter().find(|text| text.contains("longer TTL than")).unwrap();
    assert!(said.contains("b 10 s") && said.contains("listed last at"), "{said}");
}

#[tokio::test]
async fn f25_zone_that_cannot_be_listed_any_more_keeps_the_longest_ttl_that_was_seen() {
    let world = both_serve().await;
    lists(&world, "a", LONG_S);
    world.leave("a").await;
    assert_eq!(largest_ttl_s(&world).await, u64::from(LONG_S));
    world.lock().operator("a").largest_ttl_s = None;
    world.until("the parent delegates to b alone", is_delegated_to_b_alone).await;
    world.keeps_waiting_for("guard-ttl", i64::from(LONG_S) * 900).await;
    assert_eq!(keys_at_b(&world), 4);
}

#[tokio::test]
async fn f25_policy_that_says_less_than_was_seen_counts_when_caches_have_let_it_go() {
    let world = both_serve().await;
    lists(&world, "a", LONG_S);
    world.leave("a").await;
    lists(&world, "a", TTL_S);
    assert_eq!(world.stored().await.policy.data_ttl_max_s, Some(u64::from(TTL_S)));
    assert_eq!(largest_ttl_s(&world).await, u64::from(LONG_S), "what was seen counts");
    world.until("the policy counts", async |world| largest_ttl_s(world).await == u64::from(TTL_S)).await;
    assert!(world.elapsed() >= i64::from(LONG_S) * 1000);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}
