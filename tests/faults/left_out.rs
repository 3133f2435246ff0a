//! What is decided outside the model, with each of it in its place and left out (`docs/guards.md`).
#![cfg(feature = "guard-switches")]

use crate::groups::two_controllers;
use crate::world::World;
use chorus::model::switches::Switch;

#[tokio::test]
async fn two_controllers_fight_unless_the_second_one_stops() {
    for left_out in [&[][..], &[Switch::SecondWriter]] {
        let (first, second) = two_controllers(|second| second.leaving_out(left_out)).await;
        for _ in 0..200 {
            first.look().await;
            second.look().await;
            first.lock().pass(500);
        }
        let writes = second.events("wrote").await.len();
        assert_eq!(writes == 0, left_out.is_empty(), "the second one writes {writes} times");
        assert_eq!(second.events("second-writer").await.is_empty(), !left_out.is_empty());
    }
}

#[tokio::test]
async fn a_join_is_done_only_when_the_zone_resolves_anew() {
    for left_out in [&[][..], &[Switch::FreshResolution]] {
        let world = World::adopted().await.leaving_out(left_out);
        world.lock().fails_anew = Some("child.example.: ns1.b. does not answer by UDP".into());
        world.join("b").await;
        if left_out.is_empty() {
            let text = world.waits_for("resolution-fails").await;
            assert!(text.contains("by UDP"), "{text}");
            world.keeps_waiting_for("resolution-fails", 600_000).await;
            world.lock().fails_anew = None;
        }
        world.comes_to_rest().await;
        assert_eq!(world.events("resolution-fails").await.is_empty(), !left_out.is_empty());
    }
}
