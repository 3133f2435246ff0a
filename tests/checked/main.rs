//! draft
#![allow(clippy::unwrap_used, clippy::panic)]

mod caches;
mod controller;
mod ends;
mod names;
mod steps;
mod world;

use stateright::{Checker, HasDiscoveries, Model};
use steps::Ladder;
use world::Size;

fn explore(name: &str, size: Size, without: &[&str], without_check: bool) {
    let checker = Ladder::new(size, without, without_check)
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs();
    for second in 0.. {
        std::thread::sleep(std::time::Duration::from_secs(1));
        if checker.is_done() || second > 60 { break; }
        if second % 5 == 0 { println!("{name} {second}: {} states depth {} rounds {}", checker.unique_state_count(), checker.max_depth(), checker.model().controller.rounds_worked_out()); }
    }
    println!(
        "{name}: {} states, {} steps, depth {}, rounds {}, longest end {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().controller.rounds_worked_out(),
        checker.model().longest_end()
    );
    for (name, path) in checker.discoveries() {
        println!("{name}: {} steps", path.clone().into_actions().len());
        let ladder = checker.model();
        for (state, step) in path.clone().into_vec() {
            println!("   {step:?}    {:?}", state.exposure);
        }
        let last = path.last_state();
        println!("   {last:?}");
        println!("   {}", ladder.controller.explain(&ladder.view(last, None)));
        for group in ladder.size.groups.iter() {
            if let Some(mut world) = last.wanting(*group) && !ladder.ends(&world) {
                println!(" wanting {group} never ends:");
                for _ in 0..40 { if let Some((s, w)) = ladder.benign(&world) { println!("    {s:?}"); world = w; } }
                println!("   {world:?}\n   {}", ladder.controller.explain(&ladder.view(&world, None)));
            }
        }
    }
}

#[test]
fn join_and_leave() {
    explore("join/leave", Size::new(1, &[1, 3]), &[], false);
}

#[test]
fn join_and_leave_once() {
    explore("join/leave once", Size { changes: Some(1), ..Size::new(1, &[1, 3]) }, &[], false);
}
