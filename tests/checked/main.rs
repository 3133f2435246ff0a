//! draft
#![allow(clippy::unwrap_used, clippy::panic)]

mod caches;
mod controller;
mod ends;
mod memory;
mod names;
mod steps;
mod world;

use chorus::model::switches::Switch;
use stateright::{Checker, HasDiscoveries, Model};
use steps::Ladder;
use world::{Design, Group, Roll, Size, Ttls};

fn limit() -> usize {
    std::env::var("LIMIT").map_or(20000, |l| l.parse().unwrap())
}

fn explore(name: &str, size: Size, without: &[Switch]) -> bool {
    let began = std::time::Instant::now();
    let checker = Ladder::new(size, without)
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(limit())
        .spawn_bfs()
        .join();
    println!(
        "{name} {without:?}: {} states, {} steps, depth {}, rounds {}, longest end {} done {} {:?} FOUND {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().controller.rounds_worked_out(),
        checker.model().longest_end(),
        checker.is_done(),
        began.elapsed(),
        checker.discoveries().iter().map(|(name, path)| (*name, path.clone().into_actions().len())).collect::<Vec<_>>()
    );
    if !without.is_empty() { return !checker.discoveries().is_empty(); }
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
                println!(" wanting {group:?} never ends:");
                for _ in 0..40 { if let Some((s, w)) = ladder.benign(&world) { println!("    {s:?}"); world = w; } }
                println!("   {world:?}\n   {}", ladder.controller.explain(&ladder.view(&world, None)));
            }
        }
    }
    false
}

const A: Group = Group::of(1);
const B: Group = Group::of(2);
const AB: Group = Group::of(3);
const A_B: Group = Group { serving: 1, trusted: 2 };

fn s(first: u8, groups: &[Group], changes: u8) -> Size {
    Size { changes: Some(changes), ..Size::new(first, groups) }
}

fn sizes() -> Vec<(&'static str, Size)> {
    vec![
        ("join1", s(1, &[A, AB], 1)),
        ("leave1", s(3, &[A, AB], 1)),
        ("join2 nolag", Size { lag: 0, ..s(1, &[A, AB], 2) }),
        ("leave2 nolag", Size { lag: 0, ..s(3, &[A, AB], 2) }),
        ("replace2 nolag", Size { lag: 0, ..s(1, &[A, B], 2) }),
        ("join2 dnskey 2", Size { lag: 0, ttls: Ttls { dnskey: 2, ..Ttls::ONE }, ..s(1, &[A, AB], 2) }),
        ("join1 dnskey 3", Size { lag: 0, ttls: Ttls { dnskey: 3, ..Ttls::ONE }, ..s(1, &[A, AB], 1) }),
        ("leave1 data 2", Size { lag: 0, ttls: Ttls { data: 2, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave1 ds2", Size { lag: 0, ttls: Ttls { ds: 2, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave1 ns2", Size { lag: 0, ttls: Ttls { ns: 3, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave1 deleg2", Size { lag: 0, ttls: Ttls { delegation: 3, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("pause stop nolag", Size { lag: 0, pauses: true, ..s(1, &[A, AB, A_B], 2) }),
        ("loss nolag", Size { lag: 0, losses: 1, ..s(1, &[A, AB], 1) }),
        ("loss leave nolag", Size { lag: 0, losses: 1, ..s(3, &[A, AB], 1) }),
        ("zsk nolag", Size { lag: 0, promptly: true, design: Design::Split, roll: Some((0, Roll::Zsk)), ..s(1, &[A, AB], 1) }),
        ("ksk nolag", Size { lag: 0, promptly: true, design: Design::Split, roll: Some((0, Roll::Ksk)), ..s(1, &[A, AB], 1) }),
        ("zsk leave nolag", Size { lag: 0, promptly: true, design: Design::Split, roll: Some((1, Roll::Zsk)), ..s(3, &[A, AB], 1) }),
        ("ksk leave nolag", Size { lag: 0, promptly: true, design: Design::Split, roll: Some((1, Roll::Ksk)), ..s(3, &[A, AB], 1) }),
        ("two addresses join", Size { promptly: true, address_of: vec![0, 1, 1], ..s(1, &[A, AB], 1) }),
        ("two addresses leave", Size { promptly: true, address_of: vec![0, 0, 1], ..s(3, &[A, AB], 1) }),
        ("sloppy join nolag", Size { lag: 0, sleeps: Some(1), last_seen: true, ..s(1, &[A, AB], 1) }),
        ("sloppy leave nolag", Size { lag: 0, sleeps: Some(1), last_seen: true, ..s(3, &[A, AB], 1) }),
        ("three", Size { lag: 0, promptly: true, ..s(1, &[Group::of(1), Group::of(7)], 1) }),
        ("three replace", Size { lag: 0, promptly: true, ..s(3, &[Group::of(3), Group::of(5)], 1) }),
    ]
}

#[test]
fn all_sizes() {
    for (name, size) in sizes() {
        explore(name, size, &[]);
    }
}

#[test]
fn all_switches() {
    for switch in Switch::ALL {
        if switch.name().starts_with("check") || switch.name().starts_with("old") { continue; }
        for (name, size) in sizes() {
            if explore(name, size, &[*switch, Switch::Check]) { break; }
        }
    }
}
