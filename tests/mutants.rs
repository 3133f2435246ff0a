//! Each guard and each rule of the check is needed: with it left out, some resolver fails in a simulated world in which none
//! fails otherwise. `docs/guards.md` is the table; this runs exactly its seeds.
//!
//! Seeds mean other worlds as soon as the simulator draws its chances in another order. `CHORUS_FIND_SEEDS=5000 cargo test
//! --features guard-switches --test mutants` looks for new ones below that number, for the lines that no longer hold, and
//! mends the table; what is in it by the name of a test of `tests/checked` stays.
#![cfg(feature = "guard-switches")]
#![allow(clippy::unwrap_used, clippy::panic)]

use chorus::engine;
use chorus::model::switches::{Switch, Without};
use chorus::sim::oracle::{Glitch, Kind, Part, Whose};
use chorus::sim::{Options, Report, run};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// So many have to be caught.
const CAUGHT_MIN: usize = 25;

/// A line of the table: what is left out together, where that is seen, what is seen.
#[derive(Clone, Debug)]
struct Mutant {
    switch: Switch,
    what: String,
    set: Vec<Switch>,
    at: At,
    saw: String,
}

#[derive(Clone, Debug, PartialEq)]
enum At {
    Seed(u64),
    /// A test of `tests/checked`.
    Checked(String),
    /// Nothing notices; what is seen says why.
    Nowhere,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/guards.md")
}

impl Mutant {
    fn read(line: &str) -> Option<Mutant> {
        let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
        let [switch, what, set, at, saw] = cells[..] else { panic!("five cells: {line}") };
        let at = match at.strip_prefix("seed ") {
            Some(seed) => At::Seed(seed.parse().unwrap()),
            None if at == "nowhere" => At::Nowhere,
            None => At::Checked(at.trim_matches('`').to_owned()),
        };
        let switch: Switch = switch.trim_matches('`').parse().unwrap();
        let set = set.split(", ").map(|name| name.parse().unwrap()).collect();
        Some(Mutant { switch, what: what.to_owned(), set, at, saw: saw.to_owned() })
    }

    fn line(&self) -> String {
        let set: Vec<&str> = self.set.iter().map(|switch| switch.name()).collect();
        let at = match &self.at {
            At::Seed(seed) => format!("seed {seed}"),
            At::Checked(test) => format!("`{test}`"),
            At::Nowhere => "nowhere".into(),
        };
        format!("| `{}` | {} | {} | {at} | {} |", self.switch, self.what, set.join(", "), self.saw)
    }

    fn run(&self, seed: u64) -> Report {
        run_without(seed, self.set.iter().copied().collect())
    }

    /// What goes wrong all the same with this switch on, alone or with everything else.
    fn wrong_anyway(&self, seed: u64) -> Vec<Glitch> {
        let others: Without = self.set.iter().copied().filter(|switch| *switch != self.switch).collect();
        let mut wrong = run_without(seed, Without::default()).glitches;
        if !others.is_empty() {
            wrong.extend(run_without(seed, others).glitches);
        }
        wrong
    }

    fn shows_at(&self, seed: u64) -> bool {
        !self.run(seed).glitches.is_empty() && self.wrong_anyway(seed).is_empty()
    }

    /// The first seed below `end` that shows it.
    fn search(&self, end: u64) -> Option<u64> {
        let next = AtomicU64::new(0);
        let found = AtomicU64::new(u64::MAX);
        on_all_cores(|| {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end || seed > found.load(Ordering::Relaxed) {
                    return;
                }
                if self.shows_at(seed) {
                    found.fetch_min(seed, Ordering::Relaxed);
                }
            }
        });
        Some(found.into_inner()).filter(|seed| *seed < u64::MAX)
    }
}

fn run_without(seed: u64, without: Without) -> Report {
    run(seed, &Options { switches: engine::Switches { without, ..Default::default() }, trace: false, ask: false })
}

fn on_all_cores(work: impl Fn() + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(&work);
        }
    });
}

/// The worst that happened, in one line: bogus rather than anything else, and for as long as possible.
fn saw(glitches: &[Glitch]) -> String {
    let length_ms = |glitch: &Glitch| glitch.until_ms - glitch.from_ms;
    let Some(worst) = glitches.iter().max_by_key(|glitch| (glitch.kind == Kind::Bogus, length_ms(glitch))) else {
        return "nothing".into();
    };
    let parts: Vec<String> = worst.parts.iter().map(part).collect();
    format!("{} for {} s: {}", worst.kind, length_ms(worst) / 1000, parts.join(" with "))
}

fn part(part: &Part) -> String {
    let whose = match part.whose {
        Whose::Parent => "the parent".into(),
        Whose::Operator(number) => char::from(b'a' + number).to_string(),
    };
    match part.what {
        Some(what) => format!("{what} v{} of {whose} (TTL {})", part.version, part.ttl_s),
        None => format!("a server of {whose}"),
    }
}

fn table() -> Vec<Mutant> {
    std::fs::read_to_string(path()).unwrap().lines().filter_map(Mutant::read).collect()
}

#[test]
fn the_table_has_every_switch_once_and_calls_it_by_what_it_leaves_out() {
    let mut lines: BTreeMap<Switch, Vec<Mutant>> = BTreeMap::new();
    for mutant in table() {
        lines.entry(mutant.switch).or_default().push(mutant);
    }
    for switch in Switch::ALL {
        let [mutant] = &lines.get(switch).unwrap_or_else(|| panic!("docs/guards.md lacks {switch}"))[..] else {
            panic!("docs/guards.md has {switch} twice");
        };
        assert_eq!(mutant.what, switch.what(), "{switch}");
        assert!(mutant.set.contains(switch), "{switch} is not left out in its own line");
        if mutant.at == At::Nowhere {
            assert!(mutant.saw.len() > 40, "why does nothing notice that {switch} is missing?");
        }
    }
    let caught = table().iter().filter(|mutant| mutant.at != At::Nowhere).count();
    assert!(caught >= CAUGHT_MIN, "{caught} are caught");
}

#[test]
fn the_tests_that_the_table_names_exist() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/checked/left_out.rs");
    let tests = std::fs::read_to_string(file).unwrap();
    for mutant in table() {
        let At::Checked(test) = &mutant.at else { continue };
        let body = tests.split_once(&format!("fn {test}()")).unwrap_or_else(|| panic!("there is no test {test}")).1;
        let body = body.split_once("\n}").unwrap().0;
        assert!(body.contains(&format!("Switch::{:?}", mutant.switch)), "{test} does not leave {} out", mutant.switch);
    }
}

#[test]
fn without_a_guard_a_resolver_fails_in_a_world_in_which_none_fails_with_it() {
    let mut mutants = table();
    if let Ok(end) = std::env::var("CHORUS_FIND_SEEDS") {
        find_seeds(&mut mutants, end.parse().unwrap());
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    on_all_cores(|| {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let At::Seed(seed) = mutant.at else { continue };
            let saw = saw(&mutant.run(seed).glitches);
            if saw != mutant.saw {
                wrong.lock().unwrap().push(format!("{}, seed {seed}: {saw}", mutant.switch));
            }
            if let Some(glitch) = mutant.wrong_anyway(seed).first() {
                wrong.lock().unwrap().push(format!("with {} on, seed {seed}: {glitch}", mutant.switch));
            }
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "docs/guards.md says otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn the_two_early_departures_of_the_draft_give_bogus_answers() {
    // dnssec-automation-04 waits neither before it takes the leaver's DS out nor before its keys.
    for mutant in table().iter().filter(|mutant| [Switch::LeaverDnskey, Switch::Data].contains(&mutant.switch)) {
        assert!(matches!(mutant.at, At::Seed(_)) && mutant.saw.starts_with("bogus for "), "{mutant:?}");
    }
}

/// Looks for a seed for each line that has one, or none yet, where what it says does not hold; and writes the table anew.
fn find_seeds(mutants: &mut [Mutant], end: u64) {
    for mutant in &mut *mutants {
        let found = match mutant.at {
            At::Seed(seed) if mutant.shows_at(seed) => Some(seed),
            At::Seed(_) | At::Nowhere => mutant.search(end),
            At::Checked(_) => continue,
        };
        match found {
            Some(seed) => (mutant.at, mutant.saw) = (At::Seed(seed), saw(&mutant.run(seed).glitches)),
            None => println!("{}: nothing below {end}", mutant.switch),
        }
    }
    let mut lines = mutants.iter().map(Mutant::line);
    let text = std::fs::read_to_string(path()).unwrap();
    let anew: Vec<String> = text
        .lines()
        .map(|line| if Mutant::read(line).is_some() { lines.next().unwrap() } else { line.to_owned() })
        .collect();
    std::fs::write(path(), anew.join("\n") + "\n").unwrap();
}
