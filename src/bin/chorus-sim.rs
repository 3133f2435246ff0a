//! Runs simulated worlds on all cores and says what came of them. Exit status 1 when a resolver failed, something is left
//! over, a world is stuck, or the independent checker disagrees with a certificate.

use chorus::engine::Switches;
use chorus::model::switches::Switch;
use chorus::sim::oracle::{Class, Counts};
use chorus::sim::{End, Options, Report, disagreements, run};
use clap::Parser;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A world is made of many small things that do not live long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Random worlds around the controller's own engine, judged by simulated resolvers.
#[derive(Parser)]
#[command(name = "chorus-sim", version)]
struct Args {
    /// The seeds to run: A..B, without B.
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..2000")]
    seeds: Range<u64>,
    /// Start no more worlds after so many minutes.
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Leave this guard out, in builds that can (`--features guard-switches`).
    #[arg(long, value_name = "NAME")]
    without: Vec<Switch>,
    /// Verify the certificate of every transition that ended with the independent checker.
    #[arg(long)]
    certificates: bool,
    /// Write the certificate files into this directory.
    #[arg(long, value_name = "DIR")]
    certificates_to: Option<PathBuf>,
    /// Tell everything that happens in this one world.
    #[arg(long, value_name = "SEED")]
    trace: Option<u64>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write it like 0..1000")?;
    let read = |number: &str| number.parse::<u64>().map_err(|e| format!("{number}: {e}"));
    Ok(read(from)?..read(to)?)
}

/// So many failures are told in full.
const TOLD_MAX: usize = 5;

#[derive(Default)]
struct Total {
    worlds: u64,
    turns: u64,
    /// Of all event logs, in whatever order the worlds ended: the same seeds, the same number.
    hash: u64,
    crashes: u64,
    brought_about: usize,
    exposures_told: usize,
    ends: BTreeMap<End, u64>,
    judged: BTreeMap<Class, Counts>,
    glitches: usize,
    leftovers: usize,
    held_back: BTreeMap<u64, BTreeSet<String>>,
    certificates: usize,
    disagreements: BTreeMap<u64, Vec<String>>,
    failed: BTreeMap<u64, String>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.worlds += 1;
        self.turns += u64::from(report.turns);
        self.hash = self.hash.wrapping_add(report.hash);
        self.crashes += u64::from(report.crashes);
        self.brought_about += report.brought_about;
        self.exposures_told += report.exposures_told;
        for (end, count) in &report.ends {
            *self.ends.entry(*end).or_default() += u64::from(*count);
        }
        for (class, counts) in &report.counts {
            *self.judged.entry(*class).or_default() += *counts;
        }
        self.glitches += report.glitches.len();
        self.leftovers += report.leftovers.len();
        if !report.held_back.is_empty() {
            self.held_back.insert(report.seed, report.held_back.clone());
        }
        self.certificates += report.certificates.len();
        let disagreements = disagreements(report);
        if !disagreements.is_empty() {
            self.disagreements.insert(report.seed, disagreements);
        }
        if let Some(why) = report.failure() {
            self.failed.insert(report.seed, why);
        }
    }

    fn tell(&self, seconds: f64) {
        println!("worlds       {}, {:.0}/s", self.worlds, self.worlds as f64 / seconds);
        println!("turns        {}, and {} crashes", self.turns, self.crashes);
        println!("event logs   hash {:016x}", self.hash);
        let ends: Vec<String> = self.ends.iter().map(|(end, count)| format!("{count} {}", end.name())).collect();
        println!("transitions  {}", ends.join(", "));
        println!("answers      {:<16} {:>12} {:>8} {:>8} {:>12}", "", "judged", "bogus", "insecure", "unresolvable");
        for (class, c) in &self.judged {
            println!(
                "             {:<16} {:>12} {:>8} {:>8} {:>12}",
                class.name(),
                c.judged,
                c.bogus,
                c.insecure,
                c.unresolvable
            );
        }
        println!("glitches     {}", self.glitches);
        println!(
            "             {} that operators brought about by themselves; {} exposures told by the controller",
            self.brought_about, self.exposures_told
        );
        println!("leftovers    {}", self.leftovers);
        self.tell_what_was_held_back();
        self.tell_certificates();
        for why in self.failed.values().take(TOLD_MAX) {
            println!("\n{why}");
        }
        if self.failed.len() > TOLD_MAX {
            let seeds: Vec<String> = self.failed.keys().skip(TOLD_MAX).map(u64::to_string).collect();
            println!("\nfailed as well: seeds {}", seeds.join(", "));
        }
    }

    /// Guard and check disagree: the one allowed what the other held back.
    fn tell_what_was_held_back(&self) {
        println!(
            "held back    in {} worlds, by the check before a write that every guard allowed",
            self.held_back.len()
        );
        for (seed, texts) in self.held_back.iter().take(TOLD_MAX) {
            for text in texts {
                println!("             seed {seed}: {text}");
            }
        }
    }

    fn tell_certificates(&self) {
        if self.certificates == 0 {
            return;
        }
        println!("certificates {}, of {} worlds the checker disagrees", self.certificates, self.disagreements.len());
        for (seed, disagreements) in &self.disagreements {
            for disagreement in disagreements {
                println!("             seed {seed}: {disagreement}");
            }
        }
    }
}

/// Writes the certificate files of a world. Returns the first that could not be written, and why.
fn write_files(report: &Report, directory: &Path) -> Result<(), String> {
    for (number, text) in report.certificates.iter().enumerate() {
        let file = directory.join(format!("{}-{number}.json", report.seed));
        std::fs::write(&file, text).map_err(|e| format!("{} cannot be written: {e}", file.display()))?;
    }
    Ok(())
}

// The worlds have a clock of their own; this one only says how many of them there are in a second.
#[allow(clippy::disallowed_methods)]
fn main() -> ExitCode {
    let args = Args::parse();
    let switches = Switches { without: args.without.iter().copied().collect(), ..Switches::default() };
    if !args.without.is_empty() && !cfg!(feature = "guard-switches") {
        eprintln!("this build cannot leave guards out: build it with --features guard-switches");
        return ExitCode::from(2);
    }
    let certificates = args.certificates || args.certificates_to.is_some();
    let keep = |report: &Report| {
        let written = args.certificates_to.as_deref().map(|directory| write_files(report, directory));
        if let Some(Err(error)) = written {
            eprintln!("{error}");
        }
    };
    if let Some(seed) = args.trace {
        let report = run(seed, &Options { switches, trace: true, certificates, ..Options::default() });
        for line in &report.trace {
            println!("{line}");
        }
        println!("{}\nhash {:016x}", report.situation, report.hash);
        keep(&report);
        disagreements(&report).iter().for_each(|disagreement| println!("{disagreement}"));
        return match report.failure() {
            Some(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
            None => ExitCode::SUCCESS,
        };
    }
    let began = Instant::now();
    let ends = args.minutes.map(|minutes| began + Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(args.seeds.start);
    let total = Mutex::new(Total::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.seeds.end || ends.is_some_and(|ends| Instant::now() >= ends) {
                        return;
                    }
                    let options = Options { switches: switches.clone(), certificates, ..Options::default() };
                    let report = run(seed, &options);
                    keep(&report);
                    total.lock().unwrap_or_else(PoisonError::into_inner).add(&report);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.tell(began.elapsed().as_secs_f64());
    if total.failed.is_empty() && total.disagreements.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
