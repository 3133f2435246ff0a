//! F13, F19, F20: keys that operators roll on their own, people who press buttons at once, resolvers that serve stale data.

use crate::places::key;
use crate::world::{PIPELINE_S, SLACK_S, TTL_S, World, policy};
use chorus::api::service::RefusalKind;
use chorus::api::wire::{self, Verb};
use chorus::model::history::Kind;
use chorus::model::policy::Policy;

#[tokio::test]
async fn f13_a_key_that_an_operator_rolls_in_mid_transition_is_shared_before_anything_goes_on() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    let new = key(256, 13, "the next zsk of a");
    {
        let mut state = world.lock();
        let a = state.operator("a");
        let mut keys = a.zone.records(Kind::Dnskey).clone();
        keys.insert(new.clone());
        a.zone.set(Kind::Dnskey, keys);
        state.publish("a");
    }
    let has_it = |world: &World| {
        world.lock().operators["b"].addresses.iter().all(|at| at.shows.records(Kind::Dnskey).contains(&new))
    };
    let shared = world.until("b has the new key", async |world| has_it(world)).await;
    assert!(!world.is_named("b", "a"), "b is not named with a set that lacks a key");
    let named = world.until("b is named", async |world| world.is_named("b", "a")).await;
    assert!(named - shared >= i64::from(TTL_S) * 1000, "the sets without the new key have to die first");
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f13_an_operator_that_changes_its_algorithm_alone_in_mid_transition_blocks_it_with_the_reason() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    {
        let mut state = world.lock();
        let b = state.operator("b");
        let mut keys = b.zone.records(Kind::Dnskey).clone();
        let (ksk, zsk) = (key(257, 15, "another algorithm"), key(256, 15, "another algorithm, zsk"));
        keys.extend([ksk.clone(), zsk.clone()]);
        b.zone.set(Kind::Dnskey, keys);
        // It signs with both: a key that signs nothing and has no DS is its operator's business.
        for (kind, key) in [(Kind::Dnskey, ksk), (Kind::Ns, zsk.clone()), (Kind::Data, zsk)] {
            b.zone.0.entry(kind).and_modify(|served| served.signers.extend([key]));
        }
        state.publish("b");
    }
    world
        .until("it is told", async |world| world.waiting().await.iter().any(|(code, _)| code.starts_with("algorithm-")))
        .await;
    let (code, text) = world.waiting().await.into_iter().find(|(code, _)| code.starts_with("algorithm-")).unwrap();
    assert!(text.contains("b signs with") && text.contains("ed25519"), "{code}: {text}");
    world.keeps_waiting_for(&code, 60_000).await;
    assert!(!world.is_named("b", "a"));
}

#[tokio::test]
async fn f13_an_operator_with_another_algorithm_keeps_no_key_of_the_others_from_the_others() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.join("c").await;
    world.comes_to_rest().await;
    let foreign = key(256, 15, "another algorithm");
    let new = key(256, 13, "the next zsk of a");
    world.lock().signs_with_key("c", &foreign);
    world.waits_for("algorithm-mismatch").await;
    world.lock().publishes_key("a", &new);
    let has = |world: &World, at: &str, key: &_| world.lock().operators[at].zone.records(Kind::Dnskey).contains(key);
    world.until("b and c have the key of a", async |w| has(w, "b", &new) && has(w, "c", &new)).await;
    world.keeps_waiting_for("algorithm-mismatch", 60_000).await;
    assert!(!has(&world, "a", &foreign) && !has(&world, "b", &foreign), "no algorithm comes where none signs with it");
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn f19_of_two_people_who_press_at_once_at_any_step_one_wins_and_the_zone_ends_in_a_rest_state() {
    let verbs = [Verb::Pause, Verb::Stop, Verb::Undo];
    for rounds in (0..12).step_by(3) {
        for (first, second) in verbs.iter().flat_map(|a| verbs.iter().map(move |b| (*a, *b))) {
            let world = World::adopted().await;
            world.join("b").await;
            for _ in 0..rounds {
                world.turn().await;
            }
            let Some(version) = world.shown().await.transition.map(|shown| shown.version) else {
                continue;
            };
            if world.is_at_rest().await {
                continue;
            }
            let press = |verb| {
                let control = wire::Control { version: Some(version), ..wire::Control::default() };
                world.press(verb, control)
            };
            let (one, other) = tokio::join!(press(first), press(second));
            let refused: Vec<_> = [&one, &other].into_iter().filter_map(|done| done.as_ref().err()).collect();
            assert!(refused.iter().all(|refusal| refusal.kind == RefusalKind::Conflict), "{refused:?}");
            assert!(refused.len() <= 1, "{first:?} and {second:?}: {refused:?}");
            // Twice is once.
            let again = [one, other].into_iter().zip([first, second]).find(|(done, _)| done.is_ok()).unwrap().1;
            let _ = world.press(again, wire::Control::default()).await;
            world.press(Verb::Resume, wire::Control::default()).await.ok();
            world.comes_to_rest().await;
            world.assert_nobody_failed().await;
        }
    }
}

#[tokio::test]
async fn f20_as_long_as_a_resolver_may_serve_stale_data_the_old_operator_is_kept_consistent() {
    const STALE_S: u64 = 3600;
    const SHORT_S: u32 = 600;
    let world = World::adopted_with(SHORT_S, Policy { stale_s: STALE_S, ..policy(SHORT_S) }).await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.leave("b").await;
    let left = world
        .until("nobody names b", async |world| {
            let ns = world.lock().parent.addresses[0].shows.records(Kind::Delegation).len();
            ns == 2 && !world.is_named("a", "b")
        })
        .await;
    let stale = i64::try_from(STALE_S).unwrap() * 1000;
    let gone = world.until("b's DS is gone", async |world| world.lock().parent.ds().len() == 1).await;
    // Its last question, and after that its DNSKEY set.
    assert!(gone - left >= 2 * stale, "its DS went after {} s", (gone - left) / 1000);
    let keys = |world: &World| world.lock().operators["a"].zone.records(Kind::Dnskey).len();
    world.until("b's keys are gone", async |world| keys(world) == 2).await;
    assert!(world.elapsed() - left >= 2 * stale, "its keys went after {} s", (world.elapsed() - left) / 1000);
    world.comes_to_rest().await;
    let longest =
        2 * stale + i64::try_from(4 * (u64::from(SHORT_S) + SLACK_S) + 4 * PIPELINE_S).unwrap() * 1000 + 600_000;
    assert!(world.elapsed() - left <= longest, "and no longer: {} s", (world.elapsed() - left) / 1000);
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn what_somebody_decided_about_one_transition_is_not_done_to_another() {
    let world = World::adopted().await;
    world.join("b").await;
    world.turn().await;
    let saw = world.shown().await.transition.unwrap();
    world.press(Verb::Undo, wire::Control::default()).await.unwrap();
    world.comes_to_rest().await;
    // A colleague begins anew. Each transition counts its versions from 1.
    world.join("b").await;
    world.turn().await;
    let now = world.shown().await.transition.unwrap();
    assert_ne!(now.id, saw.id);
    assert_eq!(now.version, saw.version);
    for verb in [Verb::Pause, Verb::Stop, Verb::Undo] {
        let control = wire::Control { transition: Some(saw.id.clone()), version: Some(saw.version), reason: None };
        let refusal = world.press(verb, control).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.code), (RefusalKind::Conflict, "transition-changed"), "{verb:?}");
        let after = world.shown().await.transition.unwrap();
        assert_eq!((after.id, after.version), (now.id.clone(), now.version), "{verb:?} changed something");
    }
    world.comes_to_rest().await;
    // Neither at rest: the way back is from the last one, and that is not the one that was seen.
    let control = wire::Control { transition: Some(saw.id), ..wire::Control::default() };
    assert_eq!(world.press(Verb::Undo, control).await.unwrap_err().code, "transition-changed");
    assert!(world.is_at_rest().await);
    let control = wire::Control { transition: Some(now.id), ..wire::Control::default() };
    world.press(Verb::Undo, control).await.unwrap();
    assert!(!world.is_at_rest().await, "the one that was seen is undone");
}

#[tokio::test]
async fn a_reason_is_some_words_and_no_book() {
    let world = World::adopted().await;
    world.join("b").await;
    let control = |length: usize| wire::Control { reason: Some("é".repeat(length)), ..wire::Control::default() };
    let refusal = world.press(Verb::Pause, control(501)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(!world.shown().await.transition.unwrap().paused);
    world.press(Verb::Pause, control(500)).await.unwrap();
    assert!(world.shown().await.transition.unwrap().paused);
}

#[tokio::test]
async fn what_is_paused_does_not_say_that_it_goes_on_by_itself() {
    let world = World::adopted().await;
    world.join("b").await;
    world
        .until("a guard is waited for", async |w| w.waiting().await.iter().any(|(c, _)| c.starts_with("guard-")))
        .await;
    assert!(world.shown().await.next.unwrap().contains("by itself at"));
    world.press(Verb::Pause, wire::Control::default()).await.unwrap();
    world.turn().await;
    let paused = world.shown().await;
    assert!(paused.next.as_deref().unwrap().starts_with("resume it"), "{:?}", paused.next);
    world.press(Verb::Resume, wire::Control::default()).await.unwrap();
    assert!(!world.shown().await.verdict.contains("paused"), "{}", world.shown().await.verdict);
}
