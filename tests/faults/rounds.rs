//! A round of questions takes a while, and a guard may open in the middle of it. It counts as closed then: what was sampled
//! before it opened was last seen too early to prove that it was waited for.
#![cfg(feature = "guard-switches")]

use crate::world::{ROUND_MS, World};
use chorus::model::history::Kind;
use chorus::model::switches::Switch;

/// A leave of b has come to where only what caches hold of b is waited for. When that is dead, since the epoch.
async fn caches_are_empty_at(world: &World) -> i64 {
    world.join("b").await;
    world.comes_to_rest().await;
    world.leave("b").await;
    world
        .until("only caches are waited for", async |world| {
            let waiting = world.status().await.waiting;
            !waiting.is_empty() && waiting.iter().all(|wait| wait.until.is_some() && wait.text.starts_with("Keeping "))
        })
        .await;
    world.status().await.waiting.iter().filter_map(|wait| wait.until).map(|until| until.0).max().unwrap()
}

fn has_keys_of_b(world: &World) -> bool {
    world.lock().operators["a"].addresses[0].shows.records(Kind::Dnskey).len() == 4
}

#[test]
fn keys_go_when_their_guard_opens_in_the_middle_of_a_round() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for left_out in [&[][..], &[Switch::RoundStart]] {
        runtime.block_on(async {
            let world = World::adopted().await;
            let dead = caches_are_empty_at(&world).await;
            let world = world.leaving_out(left_out);
            assert!(has_keys_of_b(&world));
            // The operators are sampled just before the guard opens, the parent just after.
            let now = world.lock().real;
            world.lock().pass(dead - now - ROUND_MS / 2 - 2);
            world.look().await;
            assert_eq!(has_keys_of_b(&world), left_out.is_empty());
            world.comes_to_rest().await;
            let exposures = world.events("exposure").await.len();
            assert_eq!(exposures > 0, !left_out.is_empty(), "{exposures} exposures are told");
        });
    }
}
