//! Runs simulated worlds, on all cores, and says what came of them. Exit status 1 when a resolver could have failed, or a
//! world is stuck.

use chorus::sim::{End, Options, Report, run};
use clap::Parser;
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Random worlds around the controller's own engine, judged by simulated resolvers.
#[derive(Parser)]
struct Args {
    /// The seeds to run: A..B, without B.
    #[arg(long, value_parser = seeds, default_value = "0..2000")]
    seeds: Range<u64>,
    /// Stop after so many minutes, whatever is left.
    #[arg(long)]
    minutes: Option<u64>,
    /// Tell everything that happens in this one world.
    #[arg(long)]
    trace: Option<u64>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write it like 0..1000")?;
    let read = |number: &str| number.parse::<u64>().map_err(|e| format!("{number}: {e}"));
    Ok(read(from)?..read(to)?)
}

#[derive(Default)]
struct Total {
    worlds: u64,
    turns: u64,
    crashes: u64,
    ends: BTreeMap<End, u64>,
    failed: Vec<String>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.worlds += 1;
        self.turns += u64::from(report.turns);
        self.crashes += u64::from(report.crashes);
        for (end, count) in &report.ends {
            *self.ends.entry(*end).or_default() += u64::from(*count);
        }
        if report.ends.get(&End::Stuck).is_some_and(|count| *count > 0) {
            self.failed.push(format!("seed {} is stuck {}", report.seed, report.situation));
        }
    }
}

#[allow(clippy::disallowed_methods)]
fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.trace {
        let report = run(seed, &Options { trace: true, ..Options::default() });
        for line in &report.trace {
            println!("{line}");
        }
        println!("{}", report.situation);
        println!("{:?} hash {:016x}", report.ends, report.hash);
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let ends = args.minutes.map(|minutes| began + Duration::from_secs(minutes * 60));
    let (next, stop) = (AtomicU64::new(args.seeds.start), AtomicBool::new(false));
    let total = Mutex::new(Total::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.seeds.end || ends.is_some_and(|ends| Instant::now() >= ends) {
                        return;
                    }
                    let report = run(seed, &Options::default());
                    total.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&report);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = began.elapsed().as_secs_f64();
    println!("{} worlds, {:.0}/s; {} turns, {} crashes; {:?}", total.worlds, total.worlds as f64 / seconds, total.turns, total.crashes, total.ends);
    for failed in total.failed.iter().take(10) {
        println!("{failed}");
    }
    if total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
