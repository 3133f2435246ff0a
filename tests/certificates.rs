//! The certificates of random worlds, worked out again by the independent checker from the evidence that they carry.
#![allow(clippy::unwrap_used)]

use chorus::sim::{Options, Report, disagreements, run};
use chorus_certificate_checker::{Claim, read_file, verify};
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
                    let report = run(seed, &Options { certificates: true, ..Options::default() });
                    reports.lock().unwrap().push(report);
                }
            });
        }
    });
    reports.into_inner().unwrap()
}

#[test]
fn in_300_worlds_the_checker_agrees_with_every_certificate() {
    let reports = worlds(0..300);
    let found: Vec<String> = reports
        .iter()
        .flat_map(|report| disagreements(report).into_iter().map(|what| format!("seed {}: {what}", report.seed)))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The worlds are worth something only if certificates of each class are among them.
    let files: Vec<_> =
        reports.iter().flat_map(|report| &report.certificates).map(|text| read_file(text).unwrap()).collect();
    let count = |class: &dyn Fn(&chorus_certificate_checker::Certificate) -> bool| {
        files.iter().filter(|file| class(&file.certificate)).count()
    };
    assert!(count(&|certificate| certificate.exposures.is_empty() && certificate.not_looked_at.is_empty()) > 50);
    assert!(count(&|certificate| !certificate.exposures.is_empty()) > 5, "exposures are rare");
    assert!(count(&|certificate| certificate.smallest_slack_s.is_some()) > 50, "margins are rare");
}

#[test]
fn a_certificate_that_hides_its_exposures_is_contradicted() {
    let reports = worlds(0..100);
    let files = reports.iter().flat_map(|report| &report.certificates).map(|text| read_file(text).unwrap());
    let (mut contradicted, mut exposed) = (0, 0);
    for mut file in files.filter(|file| !file.certificate.exposures.is_empty()) {
        file.certificate.exposures.clear();
        let found = verify(&file.certificate, &file.evidence);
        assert!(!found.is_empty(), "the sentence of the verdict does not fit the empty list");
        exposed += 1;
        contradicted += usize::from(found.iter().any(|disagreement| disagreement.claim == Claim::Exposures));
    }
    // Outages of all name servers, and what the parent denied, the checker does not work out.
    assert!(contradicted > 0, "none of {exposed} by what the evidence shows");
}
