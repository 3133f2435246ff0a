//! How long a join takes beyond what caches and parent make necessary, to the millisecond, for time is virtual here.

use crate::world::{SLACK_S, TTL_S, World};
use chorus::model::history::{Failure, Kind};
use std::collections::VecDeque;

/// What Chorus may take of its own: rounds, writes and pauses, from one end to the other.
const OWN_MS: i64 = 1500;
/// How soon the parent acts: sooner than the next write is done, and later than one round of questions.
const AT_ONCE_MS: i64 = 50;

/// When the old keys and the old DS set are dead, the parent having acted at `ds`.
fn guard(ds: i64) -> i64 {
    ds + i64::from(TTL_S) * 1000 + SLACK_S as i64 * 1000
}

/// The moment of the first, or of the last, line that says this.
fn when(log: &[(i64, String)], text: &str, from: i64) -> i64 {
    log.iter().find(|(at, line)| *at >= from && line.contains(text)).unwrap().0
}

/// A join of b; what it took beyond the moments that guards and the parent allow.
async fn lost_ms(world: &World) -> i64 {
    let asked = world.elapsed();
    world.join("b").await;
    let ended = world.comes_to_rest().await;
    world.assert_nobody_failed().await;
    let log = world.lock().log.clone();
    let ds = when(&log, "new DS set", asked);
    let named = when(&log, "[NS]", ds);
    let (sharing, naming) = (ds - asked, named - guard(ds));
    let ending = ended - when(&log, "new delegation NS set", named);
    println!("{sharing} ms until the DS, {naming} ms after the guard, {ending} ms after the delegation");
    assert!(naming >= 0, "a guard was not waited for");
    sharing + naming + ending
}

#[tokio::test]
async fn a_parent_that_acts_at_once_costs_no_wait() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = Some(AT_ONCE_MS);
    let lost = lost_ms(&world).await;
    assert!(lost <= OWN_MS, "{lost} ms were lost");
}

#[tokio::test]
async fn an_answer_that_gets_lost_when_the_guard_opens_costs_one_more_round_and_not_a_pause() {
    let places = [("a", Kind::Dnskey), ("b", Kind::Dnskey), ("a", Kind::Cds), ("b", Kind::Ns), ("parent", Kind::Ds)];
    for (who, kind) in places {
        let world = World::adopted().await;
        world.lock().parent.acts_after_ms = Some(AT_ONCE_MS);
        world.join("b").await;
        world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
        let log = world.lock().log.clone();
        let opens = guard(when(&log, "new DS set", 0));
        let before = opens - 20 - world.elapsed();
        world.lock().after(before, move |state| {
            let lost = VecDeque::from([Failure::ServFail]);
            match who {
                "parent" => state.parent.addresses[0].failures.insert(kind, lost),
                _ => state.operator(who).addresses[0].failures.insert(kind, lost),
            };
        });
        world.until("b is named", async |world| world.is_named("a", "b")).await;
        let state = world.lock();
        let named = when(&state.log, "[NS]", opens - 100);
        assert!((opens..opens + 1000).contains(&named), "{who} {kind}: named {} ms after the guard", named - opens);
        let asked_again = state.operators.values().flat_map(|op| &op.addresses).chain(&state.parent.addresses);
        assert!(asked_again.flat_map(|a| a.failures.values()).all(VecDeque::is_empty), "no answer got lost");
    }
}
