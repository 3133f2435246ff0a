//! The ladder, driven with servers that do at once what they are told.

use crate::world::{Rules, World, label};
use chorus::model::group::{Standing, Step};
use std::collections::BTreeSet;

/// Runs until all is settled; the steps in which something was written, in order, without repetitions.
fn steps(world: &mut World) -> Vec<Step> {
    let from = world.written.len();
    for _ in 0..20_000 {
        if world.second() && world.is_settled() {
            break;
        }
    }
    assert!(world.is_settled() && world.failure.is_none(), "{:?} {}", world.failure, world.situation());
    let mut steps: Vec<Step> = world.written[from..].iter().map(|(_, write)| write.step).collect();
    steps.dedup();
    steps
}

#[test]
fn a_join_climbs_the_ladder_and_a_leave_descends_it() {
    for seed in 0..4 {
        let mut world = World::new(seed, Rules { ideal: true, operators: Some(2), ..Rules::default() });
        for _ in 0..20 {
            world.second();
        }
        world.want(&BTreeSet::from([0, 1]));
        let up = steps(&mut world);
        let order: BTreeSet<Step> = up.iter().copied().collect();
        assert_eq!(order.into_iter().collect::<Vec<_>>(), up, "seed {seed}: no step twice, none before its turn");
        assert!(up.contains(&Step::AskForDs) && up.contains(&Step::NameServers), "seed {seed}: {up:?}");
        assert_eq!(world.standing(1), Standing::Serving, "seed {seed}");
        // The newcomer's own zone names it first.
        let named = world.written.iter().filter(|(_, w)| w.step == Step::NameServers).map(|(_, w)| w.operator.clone());
        let named: Vec<String> = named.collect();
        assert!(named.first() == Some(&label(1)) || !named.contains(&label(1)), "seed {seed}: {named:?}");

        world.want(&BTreeSet::from([0]));
        let down = steps(&mut world);
        assert_eq!(down.first(), Some(&Step::NameServers), "seed {seed}: {down:?}");
        let [ds, keys] = [Step::AwaitLeaverKeys, Step::AwaitLeaverAnswers].map(|step| down.contains(&step));
        assert!(ds && keys, "seed {seed}: {down:?}");
        assert_eq!(world.members.len(), 1, "seed {seed}: the leaver is out");
    }
}
