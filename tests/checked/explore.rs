//! Exploring a world from its beginning to the last state, and telling what was found.
//!
//! One thread and breadth first: what is found is always the same, and the shortest there is.

use crate::steps::{Ladder, Step};
use crate::world::{Size, World};
#[cfg(feature = "guard-switches")]
use chorus::model::switches::Switch;
use stateright::{Checker, HasDiscoveries, Model, Path};

/// Fails when a property does not hold in this world, with the shortest way there.
pub fn holds(name: &str, size: Size) {
    let checker = Ladder::new(size, &[]).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let ladder = checker.model();
    println!(
        "{name}: {} states, {} steps between them, the farthest {} from the beginning; {} rounds; every transition ends \
         within {} ticks",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        ladder.controller.rounds_worked_out(),
        ladder.longest_end(),
    );
    let found = checker.discoveries().into_iter().map(|(property, path)| told(ladder, property, path));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{name}: {}", found.join("\n"));
}

/// Whether the checker finds an exposure with these left out; how many steps lead there.
#[cfg(feature = "guard-switches")]
pub fn exposure_without(size: Size, without: &[Switch]) -> Option<usize> {
    let checker = Ladder { safety_only: true, ..Ladder::new(size, without) }
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = checker.discoveries().into_values().next()?;
    Some(path.into_actions().len())
}

/// The way to a state that should not be, for people.
fn told(ladder: &Ladder, property: &str, path: Path<World, Step>) -> String {
    let last = path.last_state().clone();
    let steps: Vec<String> = path.into_actions().iter().map(|step| format!("  {step:?}")).collect();
    let mut text = format!("not so: {property}\n{}\n{last:#?}", steps.join("\n"));
    let mut end = last.clone();
    for group in ladder.size.groups.iter().filter(|_| last.exposure.is_none()) {
        end = last.wanting(*group).filter(|wanting| !ladder.ends(wanting)).unwrap_or(end);
    }
    // Where it does not end: what it is like after a while in which all went well.
    for _ in 0..100 {
        end = ladder.benign(&end).map(|(_, next)| next).unwrap_or(end);
    }
    text.push_str(&ladder.controller.explain(&ladder.view(if last.exposure.is_some() { &last } else { &end }, None)));
    text
}
