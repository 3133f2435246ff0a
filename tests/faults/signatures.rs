//! Signatures that have expired, or are about to; and what nobody looked at.

use crate::world::{TTL_S, World, name};
use chorus::api::service::Service;
use chorus::api::wire;
use chorus::model::dns::{RecordSet, ns_rdata};
use chorus::model::history::{Failure, Kind};
use chorus::model::time::Time;

const HOUR_MS: i64 = 3_600_000;

/// Every answer of these operators is bogus, or none is.
fn expire(world: &World, operators: &[&str], expired: bool) {
    let failure = expired.then(|| Failure::Unverifiable("SOA set: the signature has expired".into()));
    for operator in operators {
        for address in &mut world.lock().operator(operator).addresses {
            address.failure = failure.clone();
        }
    }
}

/// The signatures over DNSKEY and SOA end so many milliseconds from now; `None`: nobody knows when.
fn sign_until(world: &World, operator: &str, in_ms: Option<i64>) {
    let mut state = world.lock();
    let expires = in_ms.map(|ms| Time(state.real + ms));
    for kind in [Kind::Dnskey, Kind::Data] {
        state.operator(operator).zone.0.get_mut(&kind).unwrap().expires = expires;
    }
    state.publish(operator);
}

async fn certificate(world: &World) -> wire::Certificate {
    world.controller.certificate("child.example", None, false).await.unwrap()
}

#[tokio::test]
async fn f21_signatures_that_were_expired_for_hours_in_mid_join_are_in_the_certificate() {
    let mut world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    expire(&world, &["a"], true);
    world.until("it is noticed", async |world| !world.events("exposure").await.is_empty()).await;
    let shown = world.shown().await;
    assert!(shown.verdict.starts_with("Some resolvers may fail: "), "{}", shown.verdict);
    assert!(shown.verdict.contains("the signature has expired"), "{}", shown.verdict);
    for _ in 0..4 {
        world.lock().pass(HOUR_MS);
        world.look().await;
    }
    expire(&world, &["a"], false);
    let is_over = async |world: &World| !world.shown().await.verdict.contains("resolvers may fail");
    world.until("it is over", is_over).await;
    // What is known of it is in the store.
    world.restart();
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    let exposures: Vec<&wire::Exposure> = certificate.exposures.iter().collect();
    assert_eq!(exposures.len(), 2, "one for each address: {exposures:#?}");
    for exposure in exposures {
        let lasted = exposure.until.unwrap().time().0 - exposure.from.time().0;
        assert!((4 * HOUR_MS..5 * HOUR_MS).contains(&lasted), "{lasted}: {exposure:?}");
    }
    assert!(certificate.verdict.starts_with("resolvers could fail: from "), "{}", certificate.verdict);
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
}

/// Nobody could query it yet: no resolver met what it served.
#[tokio::test]
async fn a_newcomer_that_nobody_could_query_brings_no_exposure_by_expired_signatures() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    expire(&world, &["b"], true);
    world.waits_for("operator-unreachable").await;
    world.lock().pass(HOUR_MS / 2);
    world.look().await;
    expire(&world, &["b"], false);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    assert!(certificate.verdict.starts_with("no resolver could have failed"), "{}", certificate.verdict);
    world.assert_nobody_failed().await;
}

/// The check before the transition found nothing: that was days before.
#[tokio::test]
async fn a_newcomer_whose_data_rot_after_the_start_is_named_when_they_validate() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.lock().operator("b").addresses[1].rotten = true;
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    let text = world.waits_for("data-bogus").await;
    assert!(text.contains("Waiting to add b to the NS RRset: b: ns2.b.example."), "{text}");
    assert!(text.contains("serves child.example. A: no signature verifies; see whether that server"), "{text}");
    world.keeps_waiting_for("data-bogus", 300_000).await;
    assert!(!world.is_named("b", "a") && !world.is_named("a", "b"), "{}", world.story().await);
    world.lock().operator("b").addresses[1].rotten = false;
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f21_nobody_is_named_whose_signatures_end_before_caches_let_them_go() {
    let world = World::adopted().await;
    sign_until(&world, "a", Some(30 * 24 * HOUR_MS));
    sign_until(&world, "b", Some(24 * HOUR_MS));
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    sign_until(&world, "b", Some(3 * i64::from(TTL_S) * 1000));
    world.lock().pass(2 * i64::from(TTL_S) * 1000);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    let text = world.waits_for("signature-expiring").await;
    assert!(text.contains("Waiting to add b to the NS RRset") && text.contains("ns1.b.example."), "{text}");
    assert!(text.contains("see why the zone is not signed again there"), "{text}");
    world.keeps_waiting_for("signature-expiring", 3000).await;
    assert!(!world.is_named("a", "b"), "{}", world.story().await);
    assert_eq!(world.events("signature-expiring").await.len(), 1, "told once");
    sign_until(&world, "b", Some(24 * HOUR_MS));
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f21_signatures_that_are_about_to_end_at_rest_are_told_of_once_and_are_the_verdict() {
    let world = World::adopted().await;
    sign_until(&world, "a", Some(20 * 60_000));
    world.look().await;
    assert!(world.shown().await.rest, "twenty minutes are many times the TTL of 5 s");
    world.lock().pass(20 * 60_000 - 4000);
    world.look().await;
    let shown = world.shown().await;
    assert!(!shown.rest && shown.verdict.contains("the signature of the "), "{}", shown.verdict);
    assert!(shown.verdict.contains("see why the zone is not signed again there"), "{}", shown.verdict);
    world.look().await;
    assert_eq!(world.events("signature-expiring").await.len(), 1);
    sign_until(&world, "a", Some(24 * HOUR_MS));
    world.look().await;
    assert!(world.shown().await.rest, "{}", world.shown().await.verdict);
}

/// A newcomer that nobody could query yet.
#[tokio::test]
async fn f22_hours_of_a_newcomer_that_nobody_could_query_spoil_no_certificate() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    let silent = |world: &World, failure: Option<Failure>| {
        let mut state = world.lock();
        state.operator("b").addresses.iter_mut().for_each(|address| address.failure = failure.clone());
    };
    silent(&world, Some(Failure::Silent));
    for _ in 0..8 {
        world.look().await;
        world.lock().pass(HOUR_MS / 4);
    }
    silent(&world, None);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    assert!(certificate.verdict.starts_with("no resolver could have failed"), "{}", certificate.verdict);
}

/// Resolvers that hold the delegation had nobody to ask.
#[tokio::test]
async fn f21_that_every_name_server_refused_is_in_the_certificate() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    let refuse = |world: &World, failure: Option<Failure>| {
        let mut state = world.lock();
        state.operator("a").addresses.iter_mut().for_each(|address| address.failure = failure.clone());
    };
    refuse(&world, Some(Failure::Refused));
    world.until("it is noticed", async |world| !world.events("exposure").await.is_empty()).await;
    world.lock().pass(HOUR_MS / 2);
    world.look().await;
    refuse(&world, None);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    let [exposure] = &certificate.exposures[..] else { panic!("{:#?}", certificate.exposures) };
    assert!(exposure.what.starts_with("no name server of an NS RRset that resolvers could hold was usable: "));
    assert!(certificate.verdict.starts_with("resolvers could fail: from "), "{}", certificate.verdict);
}

/// The failure was over before the restart, and the stored state still has it.
#[tokio::test]
async fn f21_a_failure_that_was_over_before_a_join_is_not_in_its_certificate() {
    let mut world = World::adopted().await;
    expire(&world, &["a"], true);
    world.until("it is noticed", async |world| !world.events("exposure").await.is_empty()).await;
    expire(&world, &["a"], false);
    let is_over = async |world: &World| !world.shown().await.verdict.contains("resolvers may fail");
    world.until("it is over", is_over).await;
    world.restart();
    world.lock().pass(HOUR_MS / 2);
    world.join("b").await;
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    assert!(certificate.verdict.starts_with("no resolver could have failed"), "{}", certificate.verdict);
}

/// Two equal answers with hours between them prove nothing of the hours.
#[tokio::test]
async fn f22_hours_in_which_chorus_did_not_look_are_named_and_prove_nothing() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.lock().pass(2 * HOUR_MS);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    assert!(certificate.exposures.is_empty());
    let said = "Chorus did not look at the zone";
    assert!(certificate.not_looked_at.iter().any(|not| not.contains(said)), "{:?}", certificate.not_looked_at);
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
}

#[tokio::test]
async fn f22_hours_in_which_an_address_did_not_answer_are_named_and_prove_nothing() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.lock().operator("a").addresses[1].failure = Some(Failure::Silent);
    for _ in 0..8 {
        world.look().await;
        world.lock().pass(HOUR_MS / 4);
    }
    world.lock().operator("a").addresses[1].failure = None;
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    let not = certificate.not_looked_at.join("; ");
    assert!(not.contains("ns2.a.example. (192.0.2.10:53) of a does not answer"), "{not}");
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
}

/// A certificate without a gap says how closely was looked.
#[tokio::test]
async fn the_longest_time_between_two_looks_is_in_every_certificate() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    assert!(certificate.verdict.starts_with("no resolver could have failed"), "{}", certificate.verdict);
    let said = "the longest time between two was ";
    assert!(certificate.assumptions.iter().any(|one| one.contains(said)), "{:?}", certificate.assumptions);
}

#[tokio::test]
async fn f11_a_delegation_to_name_servers_of_nobody_is_in_the_certificate() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    let of_a = world.lock().operators["a"].ns();
    world.lock().parent.set(Kind::Delegation, RecordSet::from([ns_rdata(&name("ns1.stranger.example."))]));
    world.waits_for("ns-unexpected").await;
    world.lock().pass(HOUR_MS / 2);
    world.look().await;
    world.lock().parent.set(Kind::Delegation, of_a);
    world.lock().parent.acts_after_ms = Some(500);
    world.lock().at_once();
    world.comes_to_rest().await;
    let certificate = certificate(&world).await;
    let not = certificate.not_looked_at.join("; ");
    assert!(not.contains("resolvers could ask ns1.stranger.example. from "), "{not}");
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
}
