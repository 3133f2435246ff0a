//! Each guard and each rule of the check is needed: with it left out, some resolver fails in a simulated world in which none
//! fails otherwise, or something of an operator that left is left over; or else a test shows what happens. `docs/guards.md` is
//! the table; this runs exactly its seeds.
//!
//! Seeds mean other worlds as soon as the simulator draws its chances in another order. `CHORUS_FIND_SEEDS=5000 cargo test
//! --features guard-switches --test mutants` looks for new ones below that number, for the lines that no longer hold, and
//! mends the table; what is in it by the name of a test stays.
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
    /// A test that has both sides: the guard in its place, and left out.
    Test {
        file: String,
        name: String,
    },
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
            None => {
                let named = at.trim_matches('`').split_once(": ");
                let (file, name) = named.unwrap_or_else(|| panic!("neither a seed nor a test: {line}"));
                At::Test { file: file.to_owned(), name: name.to_owned() }
            }
        };
        let switch: Switch = switch.trim_matches('`').parse().unwrap();
        let set = set.split(", ").map(|name| name.parse().unwrap()).collect();
        Some(Mutant { switch, what: what.to_owned(), set, at, saw: saw.to_owned() })
    }

    fn line(&self) -> String {
        let set: Vec<&str> = self.set.iter().map(|switch| switch.name()).collect();
        let at = match &self.at {
            At::Seed(seed) => format!("seed {seed}"),
            At::Test { file, name } => format!("`{file}: {name}`"),
        };
        format!("| `{}` | {} | {} | {at} | {} |", self.switch, self.what, set.join(", "), self.saw)
    }

    fn run(&self, seed: u64) -> Report {
        run_without(seed, self.set.iter().copied().collect())
    }

    /// What goes wrong all the same with this switch on, alone or with everything else.
    fn wrong_anyway(&self, seed: u64) -> Option<String> {
        let others: Without = self.set.iter().copied().filter(|switch| *switch != self.switch).collect();
        let wrong = wrong(&run_without(seed, Without::default()));
        wrong.or_else(|| if others.is_empty() { None } else { self::wrong(&run_without(seed, others)) })
    }

    fn shows_at(&self, seed: u64) -> bool {
        wrong(&self.run(seed)).is_some() && self.wrong_anyway(seed).is_none()
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
    run(seed, &Options { switches: engine::Switches { without, ..Default::default() }, ..Options::default() })
}

fn on_all_cores(work: impl Fn() + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(&work);
        }
    });
}

/// The worst that happened, in one line: bogus rather than anything else, and for as long as possible; what was left over, where
/// no resolver failed.
fn wrong(report: &Report) -> Option<String> {
    let length_ms = |glitch: &Glitch| glitch.until_ms - glitch.from_ms;
    let Some(worst) = report.glitches.iter().max_by_key(|glitch| (glitch.kind == Kind::Bogus, length_ms(glitch)))
    else {
        return report.leftovers.first().map(ToString::to_string);
    };
    let parts: Vec<String> = worst.parts.iter().map(part).collect();
    Some(format!("{} for {} s: {}", worst.kind, length_ms(worst) / 1000, parts.join(" with ")))
}

fn part(part: &Part) -> String {
    let whose = match part.whose {
        Whose::Parent => "the parent".into(),
        Whose::Public => "the public DNS".into(),
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
    }
}

#[test]
fn the_tests_that_the_table_names_exist() {
    for mutant in table() {
        let At::Test { file, name } = &mutant.at else { continue };
        assert!(file.starts_with("tests/"), "{file}");
        let tests = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let test = tests.split_once(&format!("#[test]\nfn {name}()"));
        let test = test.or_else(|| tests.split_once(&format!("#[tokio::test]\nasync fn {name}()")));
        let body = test.unwrap_or_else(|| panic!("there is no test {name} in {file}")).1.split_once("\n}").unwrap().0;
        for switch in &mutant.set {
            // Where a whole file is without the check, its tests do not say so each time.
            let said = body.contains(&format!("Switch::{switch:?}")) || *switch == Switch::Check;
            assert!(said, "{name} does not leave {switch} out");
        }
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
            let saw = self::wrong(&mutant.run(seed));
            if saw.as_ref() != Some(&mutant.saw) {
                wrong.lock().unwrap().push(format!("{}, seed {seed}: {saw:?}", mutant.switch));
            }
            if let Some(anyway) = mutant.wrong_anyway(seed) {
                wrong.lock().unwrap().push(format!("with {} on, seed {seed}: {anyway}", mutant.switch));
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

/// Looks for a seed for each line that has one, where what it says does not hold; and writes the table anew.
fn find_seeds(mutants: &mut [Mutant], end: u64) {
    for mutant in &mut *mutants {
        let found = match mutant.at {
            At::Seed(seed) if mutant.shows_at(seed) => Some(seed),
            At::Seed(_) => mutant.search(end),
            At::Test { .. } => continue,
        };
        match found.and_then(|seed| Some((seed, wrong(&mutant.run(seed))?))) {
            Some((seed, saw)) => (mutant.at, mutant.saw) = (At::Seed(seed), saw),
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
