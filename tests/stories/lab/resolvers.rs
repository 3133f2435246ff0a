//! Validating resolvers that are made to combine what they must be able to combine: for every ordered pair of operators
//! one that was filled by the first and now asks only the second, and a cold one behind a cache that still holds the
//! first one's data. A normal resolver would ask another server and hide the failure; pinned ones cannot.
//!
//! This file sets them up and keeps the book; what each is put through, and when a failure counts, is in `probing`.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use super::observer::{Observer, Reachability};
use super::operator::Operator;
use super::parent::Parent;
use super::probing::{Book, Pair, Pinned};
use super::proof::Ms;
use super::unbound::Unbound;
use super::{Lab, until};

/// Switched resolvers for each ordered pair of operators, filled at different times.
pub const SWITCHING_PER_PAIR: u32 = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// filled and asked at the same operator
    Primed,
    /// DNSKEY, DS and data of the first operator cached, fresh names from the second
    Switched,
    /// answer of the first operator in a cache, DNSKEY from the second, validated by a cold resolver
    OldData,
    /// DS of the parent cached, everything else from the operator
    OldDs,
    /// DNSKEY and answer of the operator in a cache, DS anew, validated by a cold resolver
    OldDnskey,
}

#[derive(Clone, Debug)]
pub struct Probe {
    pub at: Ms,
    pub kind: Kind,
    pub from: &'static str,
    pub to: &'static str,
    pub question: String,
    /// `None`: NOERROR and AD
    pub failure: Option<String>,
}

/// Fewer probes of a pair say nothing about it.
const ENOUGH: usize = 5;

pub struct Resolvers {
    book: Arc<Book>,
    reach: Reachability,
    threads: Vec<JoinHandle<()>>,
    processes: Vec<Unbound>,
}

pub struct Report {
    pub probes: Vec<Probe>,
}

impl Resolvers {
    pub async fn start(lab: &Lab, parent: &Parent, operators: &[&Operator], observer: &Observer) -> Self {
        let mut resolvers =
            Self { book: Arc::default(), reach: observer.reachability(), threads: Vec::new(), processes: Vec::new() };
        let anchors = parent.trust_anchors();
        let stubs = format!(
            "stub-zone:\n  name: \"example.\"\n{}",
            parent.addresses().iter().map(|ip| format!("  stub-addr: {ip}\n")).collect::<String>()
        );
        let mut number = 0;
        let mut unbound = |what: String, validator: bool, upstream: &str| {
            number += 1;
            Unbound::start(lab, &format!("unbound-{what}"), number, validator, &anchors, upstream)
        };
        let forward = |to: &Unbound| format!("forward-zone:\n  name: \".\"\n  forward-addr: {}\n", to.ip);
        let pinned: Vec<Pinned> = operators.iter().map(|operator| Pinned::of(operator)).collect();
        let ds_ttl_s = parent.spec.ds_ttl_s;
        for (from, to) in pinned.iter().flat_map(|from| pinned.iter().map(move |to| (from, to))) {
            let names = format!("{}-{}", from.name, to.name);
            let pair = || Pair {
                from: from.clone(),
                to: to.clone(),
                reach: observer.reachability(),
                book: resolvers.book.clone(),
            };
            let mut threads = Vec::new();
            for phase in 0..SWITCHING_PER_PAIR {
                let started = unbound(format!("{names}-{phase}"), true, &stubs);
                let (pair, resolver) = (pair(), started.resolver());
                threads.push(std::thread::spawn(move || match pair.from.name == pair.to.name {
                    true => pair.keep_old_ds(&resolver, phase, ds_ttl_s),
                    false => pair.keep_switching(&resolver, phase),
                }));
                resolvers.processes.push(started);
            }
            let cache = unbound(format!("{names}-cache"), false, &stubs);
            let cold = unbound(format!("{names}-cold"), true, &forward(&cache));
            let (pair, warm, empty) = (pair(), cache.resolver(), cold.resolver());
            threads.push(std::thread::spawn(move || match pair.from.name == pair.to.name {
                true => pair.keep_old_dnskey(&warm, &empty),
                false => pair.keep_revalidating(&warm, &empty),
            }));
            resolvers.processes.extend([cache, cold]);
            resolvers.threads.extend(threads);
        }
        for unbound in &mut resolvers.processes {
            let control = unbound.control.clone();
            until("unbound answers its control socket", Duration::from_secs(20), || {
                unbound.process.assert_alive();
                UnixStream::connect(&control).is_ok()
            })
            .await;
        }
        resolvers
    }

    pub fn so_far(&self) -> Report {
        Report { probes: self.book.probes.lock().expect("never poisoned").clone() }
    }

    pub fn finish(mut self) -> Report {
        self.stop();
        self.so_far()
    }

    /// Goes on until each of these ordered pairs that a resolver may still ask has been probed often enough: a story that
    /// ends quickly leaves the probes of slow kinds little time.
    pub async fn probed(&self, pairs: &[(&str, &str)]) {
        let open = |name: &str| self.reach.can_be_asked(name, Duration::ZERO);
        until("every pair that may be asked is probed", Duration::from_secs(60), || {
            let report = self.so_far();
            needed(pairs).all(|(kind, from, to)| report.count(kind, from, to) >= ENOUGH || !open(from) || !open(to))
        })
        .await;
    }

    fn stop(&mut self) {
        self.book.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let died = thread.join().is_err();
            assert!(!died || std::thread::panicking(), "a thread of the resolvers died");
        }
    }
}

impl Drop for Resolvers {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.threads.is_empty() {
            eprintln!("the resolvers until now: {}", self.so_far());
        }
        self.stop();
    }
}

impl Report {
    pub fn failures(&self) -> Vec<&Probe> {
        self.probes.iter().filter(|probe| probe.failure.is_some()).collect()
    }

    pub fn failures_of(&self, kind: Kind) -> usize {
        self.failures().iter().filter(|probe| probe.kind == kind).count()
    }

    pub fn count(&self, kind: Kind, from: &str, to: &str) -> usize {
        self.probes.iter().filter(|probe| (probe.kind, probe.from, probe.to) == (kind, from, to)).count()
    }

    /// No failure, and each given ordered pair was really probed.
    pub fn assert_clean(&self, pairs: &[(&str, &str)]) {
        assert!(self.failures().is_empty(), "\n{self}");
        for (kind, from, to) in needed(pairs) {
            assert!(self.count(kind, from, to) >= ENOUGH, "{kind:?} {from} -> {to} was hardly probed:\n{self}");
        }
    }
}

/// What has to be probed for these ordered pairs: each pair, and each first operator by itself.
fn needed<'a>(pairs: &[(&'a str, &'a str)]) -> impl Iterator<Item = (Kind, &'a str, &'a str)> {
    let both = |(from, to): &(&'a str, &'a str)| [(Kind::Switched, *from, *to), (Kind::OldData, *from, *to)];
    let alone = |(from, _): &(&'a str, &'a str)| [(Kind::OldDs, *from, *from), (Kind::OldDnskey, *from, *from)];
    pairs.iter().flat_map(move |pair| both(pair).into_iter().chain(alone(pair)))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<(Kind, &str, &str), (usize, usize)> = BTreeMap::new();
        for probe in &self.probes {
            let count = counts.entry((probe.kind, probe.from, probe.to)).or_default();
            count.0 += 1;
            count.1 += usize::from(probe.failure.is_some());
        }
        writeln!(f, "{} probes, {} failures", self.probes.len(), self.failures().len())?;
        for ((kind, from, to), (all, failed)) in counts {
            writeln!(f, "  {kind:?} {from} -> {to}: {all} probes, {failed} failures")?;
        }
        for probe in self.failures().iter().take(20) {
            let Probe { at, kind, from, to, question, failure } = probe;
            let why = failure.as_deref().unwrap_or_default();
            writeln!(f, "- {:.3} s {kind:?} {from} -> {to} {question}: {why}", *at as f64 / 1000.0)?;
        }
        Ok(())
    }
}
