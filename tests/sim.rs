//! The guarantee in random worlds: no resolver fails, and every transition ends.
#![allow(clippy::unwrap_used)]

use chorus::sim::{End, Options, Report, run};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs these seeds on all cores.
fn worlds(seeds: std::ops::Range<u64>) -> Vec<Report> {
    let next = AtomicU64::new(seeds.start);
    let reports = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let report = run(seed, &Options::default());
                    reports.lock().unwrap().push(report);
                }
            });
        }
    });
    reports.into_inner().unwrap()
}

#[test]
fn in_two_thousand_worlds_no_resolver_fails_and_every_transition_ends() {
    let reports = worlds(0..2000);
    let failed: Vec<String> = reports.iter().filter_map(Report::failure).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The worlds are worth something only if all of this happens in them.
    let mut ends: BTreeMap<End, u32> = BTreeMap::new();
    for (end, count) in reports.iter().flat_map(|report| &report.ends) {
        *ends.entry(*end).or_default() += count;
    }
    for end in [End::Done, End::Undone, End::Stopped, End::WaitsForParent] {
        assert!(ends.get(&end).is_some_and(|count| *count > 10), "{end:?} is rare: {ends:?}");
    }
    assert!(reports.iter().any(|report| report.crashes > 0), "the controller never crashed");
    assert!(reports.iter().any(|report| report.brought_about > 0 && report.exposures_told > 0), "all signed in time");
}

#[test]
fn the_same_seed_gives_the_same_world_to_the_last_event() {
    for seed in 0..30 {
        let [once, again] = [false, true].map(|trace| run(seed, &Options { trace, ..Options::default() }));
        assert_eq!(once.hash, again.hash, "seed {seed}");
        assert_eq!(once.turns, again.turns, "seed {seed}");
        assert!(!again.trace.is_empty());
    }
    let hashes: std::collections::BTreeSet<u64> = (0..30).map(|seed| run(seed, &Options::default()).hash).collect();
    assert_eq!(hashes.len(), 30, "worlds differ");
}

#[test]
fn whatever_a_transition_is_doing_it_is_told_when_it_ends_and_what_a_stop_and_an_undo_would_mean() {
    let options = Options { ask: true, ..Options::default() };
    let mut asked: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..120 {
        let report = run(seed, &options);
        assert!(report.unanswered.is_empty(), "seed {seed}: {:?}", report.unanswered);
        for (doing, count) in report.asked {
            *asked.entry(doing).or_default() += count;
        }
    }
    for aim in ["going", "stopping", "undoing"] {
        for state in ["verifying", "waiting-guard", "waiting-operator", "waiting-parent"] {
            assert!(asked.contains_key(&format!("{aim} {state}")), "{aim} {state} is missing: {asked:?}");
        }
    }
    assert!(asked.contains_key("going paused") && asked.contains_key("undoing paused"), "{asked:?}");
}
