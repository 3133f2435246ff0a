//! F9: answers that get lost, refuse, or say what cannot be. Absence of an answer is never evidence.

use crate::world::World;
use chorus::model::dns::RecordSet;
use chorus::model::history::{Failure, Kind};
use std::collections::VecDeque;

#[tokio::test]
async fn f09_what_is_no_answer_opens_no_guard_and_writes_nothing_on() {
    let failures = [
        Failure::Silent,
        Failure::Refused,
        Failure::ServFail,
        Failure::NxDomain,
        Failure::NotAuthoritative,
        Failure::Rcode(9),
        Failure::Malformed("an answer with another id".into()),
        Failure::Unverifiable("DNSKEY set: expired".into()),
    ];
    for failure in failures {
        let world = World::adopted().await;
        world.join("b").await;
        world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
        world.lock().operator("b").addresses[1].failure = Some(failure.clone());
        let text = world.waits_for("operator-unreachable").await;
        assert!(text.contains("192.0.2.11:53") && text.contains(&failure.to_string()), "{failure:?}: {text}");
        world.keeps_waiting_for("operator-unreachable", 120_000).await;
        assert!(!world.is_named("b", "a") && !world.is_named("a", "b"), "{failure:?}: it went on");
        let vanished = world.events("zone-vanished").await;
        assert_eq!(vanished.len(), usize::from(failure == Failure::NxDomain), "{failure:?}: {vanished:?}");
        world.lock().operator("b").addresses[1].failure = None;
        world.comes_to_rest().await;
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn f09_an_empty_dnskey_set_on_a_living_zone_stops_everything_and_is_told() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    let before = world.lock().operators["b"].zone.clone();
    world.lock().operator("b").zone.set(Kind::Dnskey, RecordSet::new());
    world.lock().publish("b");
    world.waits_for("operator-unsigned").await;
    let sent = world.lock().operators.values().map(|operator| operator.sent).sum::<usize>();
    world.keeps_waiting_for("operator-unsigned", 120_000).await;
    assert_eq!(
        world.lock().operators.values().map(|operator| operator.sent).sum::<usize>(),
        sent,
        "nothing is written"
    );
    assert_eq!(world.events("operator-unsigned").await.len(), 1);
    world.lock().operator("b").zone = before;
    world.lock().publish("b");
    world.comes_to_rest().await;
}

#[tokio::test]
async fn f09_a_third_of_all_answers_lost_makes_a_join_late_and_never_wrong() {
    for seed in 0..8u64 {
        let world = World::adopted().await;
        let mut random = seed;
        let mut lost = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % 100 < 2
        };
        world.join("b").await;
        let mut ended = false;
        for _ in 0..4000 {
            {
                // Two in a hundred questions: of the thirty or more of a round about every second round loses one.
                let mut state = world.lock();
                for address in state.everyone() {
                    for kind in Kind::OPERATOR.into_iter().chain(Kind::PARENT) {
                        if lost() {
                            address.failures.insert(kind, VecDeque::from([Failure::ServFail]));
                        }
                    }
                }
            }
            world.turn().await;
            ended = world.is_at_rest().await;
            if ended {
                break;
            }
        }
        assert!(ended, "seed {seed}: it never ends");
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn f09_an_address_that_goes_on_showing_old_sets_holds_the_join_up_and_is_named() {
    let world = World::adopted().await;
    world.lock().operator("b").addresses[1].frozen = true;
    world.join("b").await;
    let text = world.waits_for("operator-lag").await;
    assert!(text.contains("192.0.2.11:53"), "{text}");
    world.keeps_waiting_for("operator-lag", 60_000).await;
    assert_eq!(world.lock().parent.ds().len(), 1, "b's DS is not asked for yet");
    world.lock().operator("b").addresses[1].frozen = false;
    world.lock().publish("b");
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}
