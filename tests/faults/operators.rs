//! F5, F6, F7, F14, F16: interfaces that do something else than they say, and operators that are gone.

use crate::places::{Mishap, Operator};
use crate::world::{TTL_S, World};
use chorus::api::service::Service;
use chorus::api::wire;
use chorus::model::history::{Failure, Kind};
use chorus_providers::ProviderError;
use chorus_providers::http::RestError;
use std::net::SocketAddr;

const SOON_MS: i64 = 60_000;

#[tokio::test]
async fn f05_a_write_that_is_accepted_and_not_applied_starts_no_guard() {
    for mishap in [Mishap::NotApplied, Mishap::HalfApplied] {
        let world = World::adopted().await;
        // CDS and CDNSKEY are written together: the second write of each is the one with two sets.
        world.lock().operator("a").mishaps.extend([Mishap::NotApplied, Mishap::NotApplied, mishap.clone()]);
        let asked = world.elapsed();
        world.join("b").await;
        let text = world.waits_for("operator-lag").await;
        assert!(text.contains("written at a, and not yet served by"), "{mishap:?}: {text}");
        assert_eq!(world.lock().parent.ds().len(), 1, "{mishap:?}: the parent is not asked before all keys are shared");
        let ended = world.comes_to_rest().await - asked;
        assert!(ended < SOON_MS, "{mishap:?}: it goes on by itself, and ended after {ended} ms");
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn f05_a_signer_that_puts_back_what_was_there_is_found_out_after_three_tries() {
    let world = World::adopted().await;
    world.lock().operator("a").mishaps.extend(std::iter::repeat_n(Mishap::Reverted, 100));
    world.join("b").await;
    let text = world.waits_for("operator-reverted").await;
    assert!(text.starts_with("a takes back what is written there"), "{text}");
    let sent = world.lock().operator("a").sent;
    assert!(sent <= 4, "{sent} writes");
    world.keeps_waiting_for("operator-reverted", 120_000).await;
    assert_eq!(world.lock().operator("a").sent, sent, "no tug-of-war");
    world.lock().operator("a").mishaps.clear();
    world.control(wire::Verb::TryNow).await.unwrap();
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f05_a_write_that_is_applied_late_is_waited_for() {
    let world = World::adopted().await;
    for address in &mut world.lock().operator("b").addresses {
        address.lag_ms = 20_000;
    }
    world.join("b").await;
    world
        .until("the lag is told", async |world| world.waiting().await.iter().any(|(code, _)| code == "operator-lag"))
        .await;
    world
        .until("everybody serves all keys", async |world| {
            let state = world.lock();
            let shared = state.operators["b"].addresses[0].shows.records(Kind::Dnskey).len() == 4;
            assert!(shared || state.parent.ds().len() == 1, "the parent was asked before that");
            shared
        })
        .await;
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

/// The zone gives a name server an address that Chorus was not given, and that lags. What was written is on its way there, too,
/// also for a process that was told to go back before it looked again.
#[tokio::test]
async fn f05_what_is_written_is_awaited_at_addresses_that_were_found_too() {
    let inside = Operator::with_hosts("d", |i| format!("ns{i}.child.example."));
    let world = World::adopted().await.with_operator(inside).await;
    world.lock().operator("d").has_another_address("192.0.9.13:53");
    world.join("d").await;
    world.comes_to_rest().await;
    world.lock().operator("d").addresses[2].lag_ms = 60_000;
    world.join("b").await;
    let all_keys =
        async |world: &World| world.lock().operators["d"].addresses[0].shows.records(Kind::Dnskey).len() == 6;
    world.until("d's first address serves all keys", all_keys).await;
    world.control(wire::Verb::Undo).await.unwrap();
    let text = world.waits_for("operator-lag").await;
    assert!(text.contains("not served yet by ns1.child.example. (192.0.9.13:53)"), "{text}");
    assert!(all_keys(&world).await, "nothing is taken back before it has arrived");
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f06_a_reply_that_is_lost_after_the_write_makes_no_second_write() {
    let sent = async |mishaps: &[Mishap]| {
        let world = World::adopted().await;
        world.lock().operator("a").mishaps.extend(mishaps.iter().cloned());
        world.join("b").await;
        world.comes_to_rest().await;
        world.assert_nobody_failed().await;
        world.outside.lock().operator("a").sent
    };
    let undisturbed = sent(&[]).await;
    let lost = [Mishap::ReplyLost, Mishap::ReplyLost, Mishap::ReplyLost, Mishap::ReplyLost];
    assert_eq!(sent(&lost).await, undisturbed, "what was done is seen by reading back");
}

#[tokio::test]
async fn f07_a_key_that_is_revoked_in_mid_transition_blocks_and_a_new_one_goes_on() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    let server: SocketAddr = "192.0.1.11:53".parse().unwrap();
    world.lock().operator("b").refuses = Some(ProviderError::BadSig { server, key: "key.".into() });
    let text = world.waits_for("tsig-badsig").await;
    assert!(text.starts_with("b: "), "{text}");
    let shown = world.shown().await.transition.unwrap();
    assert_eq!(shown.state, wire::TransitionState::Blocked);
    let events = world.events("tsig-badsig").await.len();
    let sent_to_a = world.lock().operator("a").sent;
    world.keeps_waiting_for("tsig-badsig", 120_000).await;
    assert_eq!(world.events("tsig-badsig").await.len(), events, "it is told once");
    assert_eq!(world.lock().operator("a").sent, sent_to_a, "the newcomer is not named before it names all itself");
    assert!(!world.is_named("a", "b"));
    world.lock().operator("b").refuses = None;
    let mended = world.elapsed();
    assert!(world.comes_to_rest().await - mended < 2 * SOON_MS);
    world.assert_nobody_failed().await;
}

/// Whether it takes updates cannot be tried then, and it is waited for all the same.
#[tokio::test]
async fn an_operator_whose_account_is_at_its_limit_is_joined_when_that_lets_requests_through() {
    let world = World::adopted().await;
    let limit = RestError::BudgetSpent { server: "b".into(), limit: "that of a day".into(), retry_after_s: 7 };
    world.lock().operator("b").refuses = Some(limit.into());
    let check = world.controller.check("child.example", Some(wire::Change::Join("b".into()))).await.unwrap();
    let told = check.findings.iter().find(|finding| finding.code == "request-budget-spent").unwrap();
    assert_eq!((check.refused, told.severity), (false, wire::Severity::Warning), "{check:?}");
    world.join("b").await;
    world.waits_for("request-budget-spent").await;
    world.keeps_waiting_for("request-budget-spent", 60_000).await;
    assert!(!world.is_named("a", "b"));
    world.lock().operator("b").refuses = None;
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f14_an_operator_that_is_gone_for_good_leaves_without_its_help_and_its_keys_stay_until_the_guards_pass() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let gone = world.elapsed();
    for address in &mut world.lock().operator("b").addresses {
        address.failure = Some(Failure::Silent);
    }
    world.look().await;
    let sent = world.lock().operator("b").sent;
    world.change(wire::Change::LeaveUnreachable("b".into())).await.unwrap();
    let no_longer_named = world.until("a names itself alone", async |world| !world.is_named("a", "b")).await;
    let has_keys = |world: &World| world.lock().operators["a"].addresses[0].shows.records(Kind::Dnskey).len() == 4;
    world.until("b's keys are taken out at a", async |world| !has_keys(world)).await;
    // Its last question, and then the answers that it gave to it.
    let least = no_longer_named + 2 * i64::from(TTL_S) * 1000;
    assert!(world.elapsed() >= least, "its keys went {} ms after it was gone", world.elapsed() - gone);
    world.comes_to_rest().await;
    assert_eq!(world.lock().operator("b").sent, sent, "nothing is sent to it");
    assert_eq!(world.lock().parent.ds().len(), 1);
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f14_where_the_parent_delegates_only_to_who_is_gone_a_person_is_told_what_to_hand_over() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    world.lock().parent.acts_after_ms = None;
    world.until("b is named everywhere", async |world| world.is_named("a", "b") && world.is_named("b", "b")).await;
    for address in &mut world.lock().operator("a").addresses {
        address.failure = Some(Failure::Silent);
    }
    world.look().await;
    // As the page asks for it before it offers the button.
    let plan = world.controller.plan("child.example", wire::Change::LeaveUnreachable("a".into())).await.unwrap();
    assert!(!plan.refusals.iter().any(|finding| finding.outcome == wire::Outcome::Fail), "{:?}", plan.refusals);
    world.change(wire::Change::LeaveUnreachable("a".into())).await.unwrap();
    // The parent scans, and has nobody to ask: it will never see what b asks for.
    let text = world.waits_for("parent-manual").await;
    assert!(text.contains("none of the name servers") && text.contains("tell the registrar"), "{text}");
    let shown = world.shown().await;
    let hand = shown.hand_to_registrar.unwrap();
    assert!(hand.ns.iter().all(|host| host.contains(".b.")) && !hand.ns.is_empty(), "{hand:?}");
    assert!(hand.ds.is_empty(), "a's DS stays as long as its DNSKEY sets live: {hand:?}");
    assert!(shown.next.unwrap().contains("registrar"));
    let ns = world.lock().operators["b"].ns();
    world.lock().parent.set(Kind::Delegation, ns);
    world.lock().parent.acts_after_ms = Some(500);
    world.comes_to_rest().await;
    assert_eq!(world.lock().parent.ds().len(), 1);
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f16_what_a_second_writer_takes_out_is_put_back_three_times_and_then_a_person_has_to_look() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let sent = world.lock().operator("a").sent;
    let without = {
        let state = world.lock();
        let b = &state.operators["b"];
        let mut zone = state.operators["a"].zone.clone();
        let keys = zone.records(Kind::Dnskey).iter().filter(|key| **key != b.ksk && **key != b.zsk).cloned().collect();
        zone.set(Kind::Dnskey, keys);
        zone
    };
    for _ in 0..20 {
        world.lock().operator("a").zone = without.clone();
        world.lock().publish("a");
        for _ in 0..3 {
            world.look().await;
            world.lock().pass(20_000);
        }
    }
    let (code, text) = world.waiting().await.remove(0);
    assert_eq!(code, "second-writer", "{text}");
    let repairs = world.lock().operator("a").sent - sent;
    assert!(repairs <= 4, "{repairs} repairs within {} s", 20 * 60);
    assert_eq!(world.events("second-writer").await.len(), 1, "told once");
    // It stays so until a person asks, however long that takes.
    world.lock().pass(2 * 3_600_000);
    world.look().await;
    assert_eq!(world.waiting().await.remove(0).0, "second-writer");
    assert_eq!(world.lock().operator("a").sent - sent, repairs);
    world.control(wire::Verb::TryNow).await.unwrap();
    world.comes_to_rest().await;
}
