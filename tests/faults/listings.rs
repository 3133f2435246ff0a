//! The largest TTL of ordinary records is learned again while a transition is under way: somebody adds a record in between.

use crate::world::{TTL_S, World};
use chorus::api::service::Service;
use chorus::model::history::Kind;

const LONG_S: u32 = 1_800;

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

/// a is to leave, and the parent does nothing for more than an hour: the next listing is due.
async fn a_leaves_slowly(world: &World) {
    world.lock().parent.acts_after_ms = None;
    // What it was asked for before is over.
    world.lock().pass(1_000);
    world.leave("a").await;
    world.waits_for("parent-pending").await;
    world.lock().pass(2 * 3_600_000);
    world.look().await;
}

fn parent_acts(world: &World) {
    let mut state = world.lock();
    state.parent.acts_after_ms = Some(500);
    state.at_once();
}

#[tokio::test]
async fn f25_record_with_a_longer_ttl_that_is_added_in_mid_leave_is_waited_for() {
    let world = both_serve().await;
    a_leaves_slowly(&world).await;
    assert_eq!(largest_ttl_s(&world).await, u64::from(TTL_S));
    lists(&world, "a", LONG_S);
    parent_acts(&world);
    world.until("the parent delegates to b alone", is_delegated_to_b_alone).await;
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
    assert!(said.contains(&format!("b {TTL_S} s")) && said.contains("listed last at"), "{said}");
}

#[tokio::test]
async fn f25_zone_that_cannot_be_listed_any_more_keeps_the_longest_ttl_that_was_seen() {
    let world = both_serve().await;
    lists(&world, "a", LONG_S);
    a_leaves_slowly(&world).await;
    assert_eq!(largest_ttl_s(&world).await, u64::from(LONG_S));
    world.lock().operator("a").largest_ttl_s = None;
    world.lock().operator("b").largest_ttl_s = None;
    parent_acts(&world);
    world.until("the parent delegates to b alone", is_delegated_to_b_alone).await;
    let begun = world.elapsed();
    world.waits_for("guard-ttl").await;
    world.keeps_waiting_for("guard-ttl", i64::from(LONG_S) * 900).await;
    // The next attempts fail, too, for more than a day.
    world.lock().pass(2 * 86_400_000);
    world.comes_to_rest().await;
    assert!(world.elapsed() - begun >= i64::from(LONG_S) * 1000);
    let certificate = world.controller.certificate("child.example", None, false).await.unwrap();
    assert!(certificate.verdict.contains("the zone at b was not listed since"), "{}", certificate.verdict);
}

#[tokio::test]
async fn f25_ttl_that_was_lowered_counts_when_caches_have_let_the_old_one_go() {
    let world = both_serve().await;
    let check = async || world.controller.check("child.example", None).await.unwrap();
    lists(&world, "a", LONG_S);
    let codes: Vec<String> = check().await.findings.into_iter().map(|finding| finding.code).collect();
    assert!(codes.iter().any(|code| code == "data-ttl-too-small"), "the policy says {TTL_S} s: {codes:?}");
    lists(&world, "a", TTL_S);
    check().await;
    assert_eq!(largest_ttl_s(&world).await, u64::from(LONG_S), "what was seen counts");
    let begun = world.elapsed();
    // A secondary may lag for a day.
    world.lock().pass(86_400_000);
    assert_eq!(largest_ttl_s(&world).await, u64::from(LONG_S));
    world.until("the lower one counts", async |world| largest_ttl_s(world).await == u64::from(TTL_S)).await;
    assert!(world.elapsed() - begun >= 86_400_000 + i64::from(LONG_S) * 1000);
    // Before a transition, so that it is short.
    let begun = world.elapsed();
    world.leave("a").await;
    world.comes_to_rest().await;
    assert!(world.elapsed() - begun < 60_000, "{} ms", world.elapsed() - begun);
    world.assert_nobody_failed().await;
}
