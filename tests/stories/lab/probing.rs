//! What one resolver is put through, again and again, until the story ends. Each loop keeps one kind of item old (from
//! an operator, or from the parent) and has the others fetched anew, which is what some cache in the world does.
//!
//! A failure counts only where asking was legitimate: the operator is named by an NS set that the observer has seen
//! and whose TTL lasts. Failures are followed by a flush, because unbound remembers bad keys for a minute.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::observer::Reachability;
use super::operator::Operator;
use super::resolvers::{Kind, Probe, SWITCHING_PER_PAIR};
use super::unbound::Resolver;
use super::{CHILD, dns};

/// A probe must be over while the operator still may be asked.
const MARGIN: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_millis(150);

const WWW: &str = "www.child.example.";
/// So often a resolver that gives no answer is asked again: six stories on two cores may keep one from its turn for seconds.
const ASKED_AGAIN: usize = 4;

#[derive(Default)]
pub struct Book {
    pub probes: Mutex<Vec<Probe>>,
    pub stop: AtomicBool,
    fresh: AtomicUsize,
}

/// One side of a pair, as threads need it.
#[derive(Clone)]
pub struct Pinned {
    pub name: &'static str,
    addresses: String,
    ttl_s: u32,
    data_ttl_s: u32,
    /// rdata of its address records
    data: Vec<u8>,
}

impl Pinned {
    pub fn of(operator: &Operator) -> Self {
        let addresses: Vec<String> = operator.addresses().iter().map(IpAddr::to_string).collect();
        Self {
            name: operator.name(),
            addresses: addresses.join(" "),
            ttl_s: operator.spec.ttl_s,
            data_ttl_s: operator.spec.data_ttl_s,
            data: vec![192, 0, 2, operator.number],
        }
    }
}

pub struct Pair {
    pub from: Pinned,
    pub to: Pinned,
    pub reach: Reachability,
    pub book: Arc<Book>,
}

impl Pair {
    fn goes_on(&self) -> bool {
        !self.book.stop.load(Ordering::Relaxed)
    }

    fn reachable(&self, operator: &Pinned) -> bool {
        self.reach.can_be_asked(operator.name, MARGIN)
    }

    /// Fill from the first, switch as soon as the second may be asked, ask until the cached DNSKEY set has run out, and
    /// begin anew. The resolvers of a pair fill at different times of the TTL: when something changes, one of them
    /// holds a set that is at least half a TTL older, which is what a guard that was cut short meets.
    pub fn keep_switching(&self, resolver: &Resolver, phase: u32) {
        let period_ms = i64::from(self.from.ttl_s) * 1000;
        let offset_ms = period_ms * i64::from(phase) / i64::from(SWITCHING_PER_PAIR);
        let slot = || (self.reach.now() - offset_ms).div_euclid(period_ms);
        let mut last_slot = None;
        while self.goes_on() {
            if last_slot == Some(slot()) || !self.reachable(&self.from) {
                std::thread::sleep(Duration::from_millis(30));
                continue;
            }
            let this_slot = slot();
            last_slot = Some(this_slot);
            resolver.flush();
            resolver.pin(&self.from.addresses);
            let questions = [(CHILD.to_owned(), RecordType::DNSKEY), (WWW.to_owned(), RecordType::A)];
            if questions.iter().any(|(name, rtype)| !self.probe(resolver, Kind::Primed, name, *rtype)) {
                continue;
            }
            let lasts = || self.goes_on() && slot() == this_slot;
            while lasts() && !self.reachable(&self.to) {
                std::thread::sleep(Duration::from_millis(30));
            }
            resolver.pin(&self.to.addresses);
            while lasts() && self.reachable(&self.to) {
                let fresh = self.book.fresh.fetch_add(1, Ordering::Relaxed);
                if !self.probe(resolver, Kind::Switched, &format!("n{fresh}.w.{CHILD}"), RecordType::A) {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Keeps an answer of the first operator in a cache that does not validate, lets that cache fetch DNSKEY and DS anew
    /// from where they are now, and has a resolver without memory validate the old answer with them. `www`, because the
    /// NSEC of a wildcard answer has the short negative TTL and would end the whole answer early.
    pub fn keep_revalidating(&self, cache: &Resolver, cold: &Resolver) {
        let holds_the_firsts_data = || {
            dns::ask(cache.ip, WWW, RecordType::A, dns::RECURSIVE)
                .is_ok_and(|answer| answer.answers.iter().any(|record| dns::rdata_bytes(record) == self.from.data))
        };
        let mut held_since: Option<Instant> = None;
        while self.goes_on() {
            let old = held_since.is_none_or(|since| since.elapsed() > Duration::from_secs(2));
            if old && self.reachable(&self.from) {
                cache.flush();
                cache.pin(&self.from.addresses);
                let since = Instant::now();
                held_since = holds_the_firsts_data().then_some(since);
            }
            let lasts = |since: Instant| since.elapsed() + MARGIN < Duration::from_secs(self.from.data_ttl_s.into());
            if held_since.is_some_and(lasts) && self.reachable(&self.to) {
                cache.pin(&self.to.addresses);
                cache.control(&format!("flush_type {CHILD} DNSKEY"));
                cache.control(&format!("flush_type {CHILD} DS"));
                cold.flush();
                if holds_the_firsts_data() {
                    self.probe(cold, Kind::OldData, WWW, RecordType::A);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Keeps the DS set of the parent and has everything else fetched from one operator: what a resolver does that comes
    /// to a newcomer for the first time and has asked the parent some time before. `from` and `to` are the same here.
    pub fn keep_old_ds(&self, resolver: &Resolver, phase: u32, ds_ttl_s: u32) {
        let period_ms = i64::from(ds_ttl_s) * 1000;
        let offset_ms = period_ms * i64::from(phase) / i64::from(SWITCHING_PER_PAIR);
        let slot = || (self.reach.now() - offset_ms).div_euclid(period_ms);
        while self.goes_on() {
            let this_slot = slot();
            let lasts = || self.goes_on() && slot() == this_slot;
            resolver.flush();
            let primed =
                dns::ask(resolver.ip, CHILD, RecordType::DS, dns::RECURSIVE).is_ok_and(|answer| answer.authentic);
            while lasts() && !(primed && self.reachable(&self.to)) {
                std::thread::sleep(Duration::from_millis(30));
            }
            if lasts() {
                resolver.pin(&self.to.addresses);
            }
            while lasts() && self.reachable(&self.to) {
                let fresh = self.book.fresh.fetch_add(1, Ordering::Relaxed);
                if !self.probe(resolver, Kind::OldDs, &format!("n{fresh}.w.{CHILD}"), RecordType::A) {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Keeps DNSKEY set and answer of one operator in a cache that does not validate, has DS fetched anew, and a
    /// resolver without memory validate. Goes on after nobody may ask the operator any more, until its TTLs are over.
    pub fn keep_old_dnskey(&self, cache: &Resolver, cold: &Resolver) {
        let mut held_since: Option<Instant> = None;
        let lives = Duration::from_secs(self.from.ttl_s.min(self.from.data_ttl_s).into());
        while self.goes_on() {
            let old = held_since.is_none_or(|since| since.elapsed() > Duration::from_secs(1));
            if old && self.reachable(&self.from) {
                cache.flush();
                cache.pin(&self.from.addresses);
                let since = Instant::now();
                let filled = [(CHILD, RecordType::DNSKEY), (WWW, RecordType::A)].iter().all(|(name, rtype)| {
                    dns::ask(cache.ip, name, *rtype, dns::RECURSIVE).is_ok_and(|answer| !answer.answers.is_empty())
                });
                held_since = filled.then_some(since);
            }
            if held_since.is_some_and(|since| since.elapsed() + MARGIN < lives) {
                cache.control(&format!("flush_type {CHILD} DS"));
                cold.flush();
                self.probe(cold, Kind::OldDnskey, WWW, RecordType::A);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn probe(&self, resolver: &Resolver, kind: Kind, question: &str, rtype: RecordType) -> bool {
        let at = self.reach.now();
        let ask = || dns::ask(resolver.ip, question, rtype, dns::RECURSIVE);
        // As any stub does: a machine at its limit loses a datagram. An answer that is wrong counts at once.
        let failure = match (0..ASKED_AGAIN).find_map(|_| ask().ok()).map_or_else(ask, Ok) {
            Err(why) => Some(why),
            Ok(answer) if answer.rcode != ResponseCode::NoError => {
                let why = answer.extended_errors.iter().map(|(code, text)| format!(" EDE {code} {text}"));
                Some(format!("{}{}", answer.rcode, why.collect::<String>()))
            }
            Ok(answer) if answer.answers.is_empty() => Some("an empty answer".into()),
            Ok(answer) if !answer.authentic => Some("NOERROR, but not validated (no AD)".into()),
            Ok(_) => None,
        };
        let good = failure.is_none();
        let to = if kind == Kind::Primed { &self.from } else { &self.to };
        // What failed because the operator went out of reach meanwhile proves nothing, except where nobody asks it.
        if good || kind == Kind::OldDnskey || self.reach.can_be_asked(to.name, Duration::ZERO) {
            let (from, to) = (self.from.name, to.name);
            let probe = Probe { at, kind, from, to, question: question.to_owned(), failure };
            self.book.probes.lock().expect("never poisoned").push(probe);
        }
        if !good {
            resolver.flush();
            std::thread::sleep(PAUSE);
        }
        good
    }
}
