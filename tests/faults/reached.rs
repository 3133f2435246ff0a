//! Addresses that are reached in part: over TCP alone, or not from the controller's host, which has no IPv6.

use crate::world::{LOOKED_UP_TTL_S, World, child, name};
use chorus::api::service::{RefusalKind, Service};
use chorus::api::wire::{Change, NameServer, OperatorChange};
use chorus::model::history::{Failure, Kind, Server};
use std::collections::VecDeque;
use std::net::SocketAddr;

const V6: &str = "[2001:db8::12]:53";

async fn with_b() -> World {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world
}

/// UDP port 53 is filtered at the first address; over TCP it is asked in vain for nothing.
fn filter_udp(world: &World, operator: &str, filtered: bool) {
    let failures = if filtered { vec![Failure::SilentOverUdp; 10_000] } else { Vec::new() };
    world.lock().operator(operator).addresses[0].failures = [(Kind::Data, VecDeque::from(failures))].into();
}

#[tokio::test]
async fn nobody_is_named_who_answers_over_tcp_only() {
    let world = World::adopted().await;
    world.join("b").await;
    filter_udp(&world, "b", true);
    let text = world.waits_for("udp-unanswered").await;
    assert!(text.contains("b: ns1.b.example.") && text.contains("open UDP port 53 there"), "{text}");
    world.keeps_waiting_for("udp-unanswered", 60_000).await;
    assert!(!world.is_named("a", "b"), "{}", world.story().await);
    filter_udp(&world, "b", false);
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn nobody_leaves_while_one_that_stays_answers_over_tcp_only_and_that_is_said_at_rest() {
    let world = with_b().await;
    filter_udp(&world, "b", true);
    world.until("it is noticed", async |world| !world.shown().await.rest).await;
    let shown = world.shown().await;
    assert!(shown.headline.contains("answers over TCP, and does not answer over UDP"), "{}", shown.headline);
    world.leave("a").await;
    world.waits_for("udp-unanswered").await;
    world.keeps_waiting_for("udp-unanswered", 60_000).await;
    assert!(world.is_named("b", "a"), "{}", world.story().await);
    filter_udp(&world, "b", false);
    world.comes_to_rest().await;
    assert!(!world.is_named("b", "a"));
}

/// Who is to leave may be as broken as it is: it is no reason to keep it.
#[tokio::test]
async fn one_that_answers_over_tcp_only_may_leave() {
    let world = with_b().await;
    filter_udp(&world, "b", true);
    world.leave("b").await;
    world.comes_to_rest().await;
    assert!(!world.is_named("a", "b"));
}

/// `b` has an address that the controller's host has no route to.
async fn with_ipv6(world: &World) {
    let server = |i: usize, address: &str| NameServer {
        host: format!("ns{i}.b.example"),
        addresses: vec![address.parse::<SocketAddr>().unwrap()],
    };
    let name_servers = vec![server(1, "192.0.1.11:53"), server(1, V6), server(2, "192.0.2.11:53")];
    let change = OperatorChange { name_servers: Some(name_servers), ..OperatorChange::default() };
    world.controller.change_operator("b", change).await.unwrap();
}

#[tokio::test]
async fn an_address_without_a_route_refuses_a_join_with_one_code_and_one_fix() {
    let world = World::adopted().await;
    with_ipv6(&world).await;
    let refusal = world.change(Change::Join("b".into())).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Preflight, "address-without-route"), "{refusal:?}");
    assert!(refusal.fix.unwrap_or_default().contains("--without-ipv6"));
    assert_eq!(world.lock().operator("b").sent, 0);
}

#[tokio::test]
async fn without_ipv6_a_zone_is_managed_and_its_certificate_names_what_was_not_observed() {
    let world = World::adopted().await;
    with_ipv6(&world).await;
    world.lock().without_ipv6 = true;
    world.join("b").await;
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
    let certificate = world.controller.certificate("child.example", None, false).await.unwrap();
    let not = certificate.not_looked_at.iter().find(|not| not.contains("--without-ipv6"));
    let not = not.unwrap_or_else(|| panic!("{certificate:?}"));
    assert!(not.contains("ns1.b.example. (2001:db8::12)"), "{not}");
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
}

/// That nothing can be sent there from here says nothing about the operator.
#[tokio::test]
async fn an_operator_without_a_route_is_not_said_to_be_dead() {
    let world = with_b().await;
    for address in &mut world.lock().operator("b").addresses {
        address.failure = Some(Failure::NoRoute);
    }
    world.leave("b").await;
    let text = world.waits_for("address-without-route").await;
    assert!(text.contains("this host has no route to the address") && !text.contains("--unreachable"), "{text}");
    assert!(world.is_named("a", "a"));
}

/// Each sample asks for another name that does not exist; what is wrong with all of them is one thing for each address.
#[tokio::test]
async fn missing_names_that_are_not_proven_are_one_fault_for_each_address() {
    let world = World::adopted().await;
    world.lock().unproven = true;
    world.until("each address was sampled", async |world| world.events("data-bogus").await.len() >= 2).await;
    for _ in 0..8 {
        world.control(chorus::api::wire::Verb::TryNow).await.ok();
        world.look().await;
        world.lock().pass(3_600_000);
    }
    assert_eq!(world.status().await.sampling.bogus.len(), 2, "{}", world.story().await);
    assert_eq!(world.events("data-bogus").await.len(), 2);
    world.lock().unproven = false;
    world.until("it is over", async |world| world.status().await.sampling.bogus.is_empty()).await;
}

/// A resolver's cache tells how much of a TTL is left. How long caches keep the addresses, a server of their zone tells.
#[tokio::test]
async fn addresses_in_the_public_dns_have_the_ttl_that_their_zone_gives_them() {
    let world = World::adopted().await;
    world.lock().cached_s = Some(7);
    world.join("b").await;
    world.comes_to_rest().await;
    let history = world.store.history(&child()).await.unwrap();
    for host in ["ns1.b.example.", "ns2.b.example."] {
        let seen = history.current(&Server::public(name(host).into()), Kind::Addresses).unwrap();
        assert_eq!((seen.served.records.len(), seen.served.ttl_s), (1, LOOKED_UP_TTL_S), "{host}");
    }
}
