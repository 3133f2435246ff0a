//! The guarantee, in random worlds: no resolver fails, every change that the parent goes along with ends, and what the
//! guards allow is not held back by the check for ever.

use crate::world::{Rules, World};
use chorus::model::switches::Switch;
use std::collections::BTreeSet;

/// Runs one seed: a few changes of the desired group, some of them in the midst of another, until all is settled.
fn run(seed: u64, rules: Rules, patience_s: i64) -> Result<World, String> {
    let mut world = World::new(seed, rules);
    let count = world.addresses.iter().filter_map(|a| a.operator).max().unwrap() + 1;
    for _ in 0..60 {
        world.second();
    }
    let changes = world.rng.between(2, 4);
    for change in 1..=changes {
        let everybody: BTreeSet<u8> = (0..count).collect();
        let mut desired: BTreeSet<u8> = everybody.into_iter().filter(|_| world.rng.chance(50)).collect();
        if desired.is_empty() {
            desired.insert(world.rng.between(0, i64::from(count) - 1) as u8);
        }
        world.want(&desired);
        let until = match change {
            _ if change == changes || world.rng.chance(30) => world.now + patience_s,
            _ => world.now + world.rng.between(1, 3000),
        };
        let mut polled_settled = false;
        while world.now < until && !polled_settled {
            polled_settled = world.second() && world.is_settled();
            if let Some(failure) = &world.failure {
                return Err(format!("seed {seed}: {failure}\n{}\n{:#?}", world.situation(), last_writes(&world)));
            }
        }
        if change == changes && !polled_settled {
            let held: Vec<_> = world.held_back.iter().filter(|(_, at)| at.1 > world.now - 1000).collect();
            return Err(format!("seed {seed}: not settled\n{}\nheld back {held:#?}", world.situation()));
        }
    }
    Ok(world)
}

fn last_writes(world: &World) -> Vec<String> {
    let last = world.written.iter().rev().take(60);
    last.map(|(at, w)| format!("{at} {} {:?} {}", w.operator, w.step, w.why)).collect()
}

const PATIENCE_S: i64 = 30_000;

fn runs(seeds: std::ops::Range<u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        match run(seed, Rules::default(), PATIENCE_S) {
            Ok(world) => {
                for (text, (from, to)) in &world.held_back {
                    println!("seed {seed}: held back {from}..{to} {text}");
                }
            }
            Err(e) => {
                println!("{e}\n");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?}");
}

#[test]
fn no_resolver_ever_fails_and_every_change_ends() {
    // Others: `SEEDS=0..500 cargo test --test model`.
    let range = std::env::var("SEEDS").unwrap_or("0..10".into());
    let (from, to) = range.split_once("..").unwrap();
    runs(from.parse().unwrap()..to.parse().unwrap());
}

/// Seeds that showed something while this was written.
#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    for seed in [12, 14, 37, 39] {
        runs(seed..seed + 1);
    }
}

/// With this guard off, and without the check, some world shows a failure: the worlds are hard enough, and the oracle sees.
fn is_needed(guard: &str) {
    let rules = Rules { without: vec![guard.parse().unwrap(), Switch::Check], ..Rules::default() };
    let found = (0..60).find(|seed| {
        let fails = |rules| run(*seed, rules, 4000).is_err_and(|e| !e.contains("not settled"));
        fails(rules.clone()) && !fails(Rules::default())
    });
    assert!(found.is_some(), "no world fails without the guard {guard}");
}

#[test]
fn without_the_dnskey_guard_a_resolver_fails() {
    is_needed("dnskey");
}

#[test]
fn without_the_ds_guard_a_resolver_fails() {
    is_needed("ds");
}

#[test]
fn without_the_ns_guard_a_resolver_fails() {
    is_needed("ns");
}

#[test]
fn without_the_leavers_dnskey_guard_a_resolver_fails() {
    is_needed("leaver-dnskey");
}

#[test]
fn without_the_data_guard_a_resolver_fails() {
    is_needed("data");
}
