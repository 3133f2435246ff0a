//! Operators whose accounts make only so many requests, and that store what they do not publish.

use crate::world::{START, World, child, name, policy, unpublished_at};
use chorus::api::service::{RefusalKind, Service};
use chorus::api::wire::{OperatorRotate, SecretText};
use chorus::engine::Status;
use chorus::model::dns::{Rdata, RecordSet};
use chorus::model::group::Standing;
use chorus::model::history::Kind;
use chorus::store::{Before, MemberRecord, ParentRecord, Trial, ZoneRecord};
use chorus_providers::ProviderError;
use chorus_providers::http::{Interface, RestError};
use std::collections::BTreeMap;

/// The wire tells, whether or not the interface does, and in every step.
#[tokio::test]
async fn what_is_stored_and_not_published_is_published_again() {
    for told in [true, false] {
        let world = World::adopted().await;
        {
            let mut state = world.lock();
            (state.operator("b").counted, state.operator("b").unpublished) = (true, Some(told));
        }
        world.join("b").await;
        let text = world.waits_for("update-unpublished").await;
        assert!(told || text.contains("ns1.b.example"), "{text}");
        assert!(!text.contains("Nothing needs to be done"), "{text}");
        world.comes_to_rest().await;
        // A deletion, of which nothing in the interface tells.
        let again = world.lock().operator("b").published_again;
        world.lock().operator("b").unpublished = Some(told);
        world.leave("a").await;
        world.comes_to_rest().await;
        assert_eq!((again, world.lock().operator("b").published_again), (1, 2), "told: {told}");
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn while_name_servers_lag_the_interface_is_not_asked() {
    let world = World::adopted().await;
    {
        let mut state = world.lock();
        let b = state.operator("b");
        b.counted = true;
        (b.addresses[0].lag_ms, b.addresses[1].lag_ms) = (4_000, 30_000);
    }
    world.join("b").await;
    world.comes_to_rest().await;
    // DNSKEY, CDS with CDNSKEY, NS, CSYNC, and that out again.
    let story = world.story().await;
    let (sent, again) = {
        let mut state = world.lock();
        let b = state.operator("b");
        (b.sent, b.published_again)
    };
    assert_eq!((sent, again), (5, 0), "{story}");
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn a_limit_does_not_hide_what_failed_before_it() {
    let world = World::adopted().await;
    world.join("b").await;
    let zone = child().to_string();
    let refuses: ProviderError = unpublished_at("b");
    assert!(!refuses.is_put_off());
    let forbidden = RestError::Forbidden {
        server: "b".into(),
        zone,
        doing: chorus_providers::Doing::Updating,
        interface: Interface::Desec,
    };
    world.lock().operator("b").refuses = Some(forbidden.into());
    let text = world.waits_for("update-refused").await;
    assert!(text.contains("by the token's policies"), "{text}");
    let limit = RestError::BudgetSpent { server: "b".into(), limit: "that of a day".into(), retry_after_s: 7 };
    world.lock().operator("b").refuses = Some(limit.into());
    for _ in 0..3 {
        world.keeps_waiting_for("update-refused", 20_000).await;
        let text = world.waits_for("update-refused").await;
        assert!(text.contains("by the token's policies") && text.contains("that of a day"), "{text}");
        assert_eq!(text.matches("that of a day").count(), 1, "{text}");
    }
    world.lock().operator("b").refuses = None;
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

async fn with_zones(count: usize) -> World {
    let world = World::adopted().await;
    for n in 0..count {
        let record = ZoneRecord {
            name: name(&format!("zone{n}.example.")),
            parent: ParentRecord { servers: Vec::new(), ..ParentRecord::default() },
            policy: policy(5),
            members: BTreeMap::from([("a".to_owned(), MemberRecord::wanted(Standing::Serving))]),
            placements: BTreeMap::new(),
            in_flight: Vec::new(),
            zone_ttls: BTreeMap::new(),
            due_at: START,
            status: Status::default().write(),
            created_at: START,
        };
        world.store.add_zone(&record).await.unwrap();
    }
    world
}

fn rotate() -> OperatorRotate {
    let secret = SecretText::new("bmV3LW5ldy1uZXctbmV3LW5ldy0=".to_owned().into());
    OperatorRotate { secret, tsig_name: Some("key-2.".into()), tsig_algorithm: None, zone: None }
}

#[tokio::test]
async fn a_credential_is_good_when_it_was_good_in_every_zone() {
    let world = with_zones(9).await;
    world.lock().operator("a").refuses_in = [name("zone8.example.")].into();
    let refusal = world.controller.rotate_operator("a", rotate()).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Preflight, "tsig-badsig"));
    assert!(refusal.text.contains("zone8.example") && refusal.text.contains("the old one stays"), "{}", refusal.text);
    world.lock().operator("a").refuses_in.clear();
    let rotated = world.controller.rotate_operator("a", rotate()).await.unwrap();
    assert_eq!(rotated.tried_in.len(), 10);
}

#[tokio::test]
async fn limits_are_waited_for_while_a_credential_is_tried_and_what_was_tried_is_not_tried_again() {
    let world = with_zones(9).await;
    world.lock().operator("a").puts_off = [3, 4].into();
    world.controller.rotate_operator("a", rotate()).await.unwrap();
    // Longer than anybody waits for an answer.
    let secret = SecretText::new("bmV3ZXItbmV3ZXItbmV3ZXItbmU=".to_owned().into());
    let newer = || OperatorRotate { secret: SecretText::new(secret.expose().to_owned().into()), ..rotate() };
    world.lock().operator("a").puts_off = [3, 86_400].into();
    let refusal = world.controller.rotate_operator("a", newer()).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Unavailable, "request-budget-spent"));
    assert!(
        refusal.text.contains("in 0 of 10 zones") && refusal.text.contains("the old one stays"),
        "{}",
        refusal.text
    );
    world.lock().operator("a").puts_off.clear();
    world.controller.rotate_operator("a", newer()).await.unwrap();
}

/// `show` and `check` say what is left where, and whose it is.
#[tokio::test]
async fn what_an_interrupted_trial_left_is_told_with_its_place_and_is_no_operators_own() {
    let world = World::adopted().await;
    let foreign = Rdata::from_canonical([&[1, 1, 3, 13][..], &[9; 64]].concat());
    let before = Before { foreign: chorus::model::dns::hex(foreign.as_wire()), ..Before::default() };
    let trial = Trial { operator: "a".into(), zone: "child.example.".into(), before, started_at: START };
    world.store.begin_trial(&trial).await.unwrap();
    {
        let mut state = world.lock();
        let a = state.operator("a");
        let keys: RecordSet = a.zone.records(Kind::Dnskey).iter().cloned().chain([foreign.clone()]).collect();
        a.zone.set(Kind::Dnskey, keys);
        state.publish("a");
    }
    world.look().await;
    let shown = world.shown().await;
    let waiting = shown.waiting_for.unwrap();
    assert_eq!(waiting.code, "trial-left-over");
    assert!(waiting.text.contains("in child.example at a") && waiting.text.contains("CSYNC"), "{}", waiting.text);
    assert!(shown.next.unwrap().contains("operator check a"));
    assert!(shown.rolls.is_empty(), "no roll of a's");
    let check = world.controller.check("child.example", None).await.unwrap();
    assert!(check.refused && check.findings.iter().any(|finding| finding.code == "trial-left-over"), "{check:?}");
    world.engine.end_trials().await.unwrap();
    world.look().await;
    assert!(world.shown().await.waiting_for.is_none());
    assert!(!world.lock().operator("a").zone.records(Kind::Dnskey).contains(&foreign));
}

/// The TTL that nothing can have been cached with is not waited for; the TTL that something can is.
#[tokio::test]
async fn a_newcomer_that_nobody_could_query_has_nothing_in_caches_and_one_that_was_named_has() {
    let long_ms = 3_600_000;
    let slow = |world: &World| {
        let mut state = world.lock();
        let b = state.operator("b");
        b.zone.0.get_mut(&Kind::Dnskey).unwrap().ttl_s = 3600;
        for address in &mut b.addresses {
            address.shows.0.get_mut(&Kind::Dnskey).unwrap().ttl_s = 3600;
        }
    };
    let world = World::adopted().await;
    slow(&world);
    world.join("b").await;
    assert!(world.comes_to_rest().await < long_ms / 10, "{}", world.story().await);
    world.assert_nobody_failed().await;
    // It was named: whoever queried it may have what it served alone.
    world.leave("b").await;
    world.waits_for("guard-ttl").await;
    // Whoever looks all the time knows that the parent did not go back to it meanwhile.
    for _ in 0..(long_ms + 100_000) / 60_000 {
        world.lock().pass(60_000);
        world.look().await;
    }
    world.comes_to_rest().await;
    {
        let mut state = world.lock();
        let b = state.operator("b");
        let own = RecordSet::from([b.ksk.clone(), b.zsk.clone()]);
        let ns = b.ns();
        b.zone.set(Kind::Dnskey, own);
        b.zone.set(Kind::Ns, ns);
        state.publish("b");
    }
    waits_for_its_keys(&world).await;

    // Named in a's NS RRset, and not any more, before it is to join.
    let world = World::new().await;
    let names = |world: &World, with_b: bool| {
        let mut state = world.lock();
        let mut ns = state.operators["a"].ns();
        ns.extend(state.operators["b"].ns().into_iter().filter(|_| with_b));
        state.operator("a").zone.set(Kind::Ns, ns);
        state.publish("a");
    };
    names(&world, true);
    let world = world.adopt_as_usual().await;
    slow(&world);
    names(&world, false);
    world.turn().await;
    waits_for_its_keys(&world).await;
}

/// b joins, and is not named before its own DNSKEY RRset has expired.
async fn waits_for_its_keys(world: &World) {
    world.join("b").await;
    world.waits_for("guard-ttl").await;
    world.keeps_waiting_for("guard-ttl", 60_000).await;
    assert!(!world.is_named("a", "b"));
    world.lock().pass(3_600_000);
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b"));
}
