//! The ladder's guards and the check before every write share no code. Over random worlds they have to agree: when a guard
//! says from when on a write is allowed, the check objects to it until then, and no longer.

use crate::world::{Rules, World};
use chorus::model::group::Step;
use chorus::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What a guard allows, by the step in which it is waited for, and the step in which it is then written.
const GUARDED: [(Step, Step); 3] = [
    (Step::AwaitOldKeysAndDs, Step::NameServers),
    (Step::AwaitLeaverKeys, Step::AwaitLeaverKeys),
    (Step::AwaitLeaverAnswers, Step::AwaitLeaverAnswers),
];

#[test]
fn the_check_never_objects_to_what_a_guard_allows_and_mostly_objects_until_then() {
    // Per step: guards seen, and of them those before which the check objects.
    let mut seen: BTreeMap<Step, (u32, u32)> = BTreeMap::new();
    let mut early = Vec::new();
    for seed in 0..12 {
        let mut world = World::new(seed, Rules { ideal: seed % 2 == 0, operators: Some(2), ..Rules::default() });
        for desired in [vec![0, 1], vec![1], vec![0, 1], vec![0]] {
            world.want(&desired.into_iter().collect::<BTreeSet<u8>>());
            let mut compared = BTreeSet::new();
            for second in 0..8000 {
                let polled = world.second();
                if polled && world.is_settled() {
                    break;
                }
                if !polled || second % 5 != 0 {
                    continue;
                }
                for wait in world.decision(Time::from_s(world.now)).waits {
                    let Some((_, written)) = GUARDED.into_iter().find(|(awaited, _)| *awaited == wait.step) else {
                        continue;
                    };
                    let Some(until) = wait.until.filter(|until| compared.insert((wait.step, *until))) else { continue };
                    for write in world.decision(until).writes.into_iter().filter(|write| write.step == written) {
                        let unanswered = |text: &str| text.contains("does not answer");
                        let objects = |at| world.objections(&write, at).iter().any(|o| !unanswered(&o.text));
                        let count = seen.entry(wait.step).or_default();
                        count.0 += 1;
                        count.1 += u32::from(objects(Time(until.0 - 1)));
                        if objects(until) {
                            early.push(format!("seed {seed}: {write:?}\n{:?}", world.objections(&write, until)));
                        }
                    }
                }
            }
        }
    }
    println!("{seen:?}");
    assert!(early.is_empty(), "{}", early.join("\n"));
    assert_eq!(seen.len(), GUARDED.len(), "each guard was met: {seen:?}");
    for (step, (all, exact)) in seen {
        assert!(exact > 0, "{step:?}: the check never objects before its {all} guards");
    }
}
