//! Samples every address of the parent and of the operators about seven times a second and keeps what changed, for
//! `proof`. It never judges while it watches. One thread per address: a server that answers slowly delays nobody else,
//! and a busy story delays no sample.
//!
//! Signatures are verified when a version first appears; one that does not verify, or is outside its window, counts as
//! absent. A key that no server has shown yet cannot be checked and is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{DigestType, PublicKey};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, Record, RecordType};

use super::operator::Operator;
use super::parent::Parent;
use super::proof::{Content, Digest, History, Key, KeyId, Ms, Outage, Reach, Rigor, Run, ServerId, Verdict};
use super::{CHILD, dns};

const INTERVAL: Duration = Duration::from_millis(140);
/// A datagram that is lost or late on a crowded machine is not an outage, and resolvers ask again, too; three questions in
/// a row without an answer, over more than 4 s, are one, and it began when the last answer came.
const FAILURES_OF_AN_OUTAGE: u32 = 3;

pub struct Observer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    stop: AtomicBool,
    seen: Mutex<Seen>,
    reach: Mutex<Option<(Instant, Arc<Reach>)>>,
}

#[derive(Default)]
struct Seen {
    history: History,
    /// (server, question) -> its newest run in `history.runs`, and the answer's fingerprint
    newest: BTreeMap<(ServerId, &'static str), (usize, Vec<u8>)>,
    keyring: BTreeMap<KeyId, Vec<DNSKEY>>,
}

/// What is asked: a label, the owner, the type. DNSKEY comes first, so that its keys are known to the rest.
const OPERATOR_QUESTIONS: [(&str, &str, RecordType); 6] = [
    ("DNSKEY", CHILD, RecordType::DNSKEY),
    ("SOA", CHILD, RecordType::SOA),
    ("NS", CHILD, RecordType::NS),
    ("CDS", CHILD, RecordType::CDS),
    ("CDNSKEY", CHILD, RecordType::CDNSKEY),
    ("www A", "www.child.example.", RecordType::A),
];
const PARENT_QUESTIONS: [(&str, &str, RecordType); 2] =
    [("DS", CHILD, RecordType::DS), ("delegation", CHILD, RecordType::NS)];

impl Observer {
    /// Start it when the caches of the world may be taken as settled: of earlier times it knows nothing.
    pub fn start(parent: &Parent, operators: &[&Operator]) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            seen: Mutex::default(),
            reach: Mutex::default(),
        });
        let mut observer = Self { shared, threads: Vec::new() };
        for ip in parent.addresses() {
            let server = format!("parent {ip}");
            observer.shared.seen().history.parents.insert(server.clone());
            observer.spawn(server, ip, &PARENT_QUESTIONS);
        }
        for operator in operators {
            observer.watch(operator);
        }
        observer
    }

    /// Adds an operator that was started later.
    pub fn watch(&mut self, operator: &Operator) {
        for (host, ip) in operator.host_addresses() {
            let server = format!("{} {ip}", operator.name());
            self.shared.seen().history.hosts.entry(host).or_default().insert(server.clone());
            self.spawn(server, ip, &OPERATOR_QUESTIONS);
        }
    }

    fn spawn(&mut self, server: ServerId, ip: IpAddr, questions: &'static [(&'static str, &'static str, RecordType)]) {
        let shared = self.shared.clone();
        self.threads.push(std::thread::spawn(move || {
            let mut failing: Option<(Ms, u32)> = None;
            let mut last_good = shared.now();
            while !shared.stop.load(Ordering::Relaxed) {
                let round = Instant::now();
                let started = shared.now();
                let outcome: Result<(), String> = questions
                    .iter()
                    .try_for_each(|(label, owner, rtype)| shared.sample(&server, ip, label, owner, *rtype));
                match outcome {
                    Ok(()) => {
                        if let Some((from, count)) = failing.take()
                            && count >= FAILURES_OF_AN_OUTAGE
                        {
                            shared.end_outage(&server, from);
                        }
                        last_good = started;
                    }
                    Err(why) => {
                        let (from, count) = failing.map_or((last_good, 1), |(from, count)| (from, count + 1));
                        failing = Some((from, count));
                        if count >= FAILURES_OF_AN_OUTAGE {
                            shared.outage(&server, from, why);
                        }
                    }
                }
                std::thread::sleep(INTERVAL.saturating_sub(round.elapsed()));
            }
        }));
    }

    /// For resolvers: which operators can be asked at all, as far as the samples show.
    pub fn reachability(&self) -> Reachability {
        Reachability { shared: self.shared.clone() }
    }

    /// The judgement on what was seen so far.
    pub fn prove_no_exposure(&self) -> Verdict {
        self.history().prove_no_exposure()
    }

    pub fn history(&self) -> History {
        self.shared.history()
    }

    /// Ends the observation and judges it.
    pub fn finish(mut self) -> Verdict {
        self.stop();
        self.prove_no_exposure()
    }

    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Its panic has been printed; a history with a dead watcher must not pass.
            let died = thread.join().is_err();
            assert!(!died || std::thread::panicking(), "a thread of the observer died");
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.threads.is_empty() {
            eprintln!("the observer until now: {}", self.prove_no_exposure());
        }
        self.stop();
    }
}

pub struct Reachability {
    shared: Arc<Shared>,
}

impl Clone for Reachability {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl Reachability {
    /// Whether a resolver may ask this operator now and for `margin` more: by an NS set that was really seen and whose
    /// TTL lasts. With `false`, a failure there would prove nothing.
    pub fn can_be_asked(&self, operator: &str, margin: Duration) -> bool {
        let now = self.shared.now();
        let need = now + margin.as_millis() as Ms;
        let reach = self.shared.reach();
        reach.iter().any(|(server, times)| {
            server.split(' ').next() == Some(operator) && times.iter().any(|(from, to)| *from <= now && need <= *to)
        })
    }

    pub fn now(&self) -> Ms {
        self.shared.now()
    }
}

impl Shared {
    fn now(&self) -> Ms {
        self.began.elapsed().as_millis() as Ms
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no watcher panics while it writes")
    }

    fn history(&self) -> History {
        let seen = self.seen();
        let mut history = seen.history.clone();
        history.end = self.now();
        for (index, _) in seen.newest.values() {
            history.runs[*index].until = history.end;
        }
        history
    }

    fn reach(&self) -> Arc<Reach> {
        let mut cached = self.reach.lock().expect("never poisoned");
        match &*cached {
            Some((at, reach)) if at.elapsed() < Duration::from_millis(60) => reach.clone(),
            _ => {
                let reach = Arc::new(self.history().reach(Rigor::Certain));
                *cached = Some((Instant::now(), reach.clone()));
                reach
            }
        }
    }

    fn outage(&self, server: &ServerId, from: Ms, why: String) {
        let to = self.now();
        let outages = &mut self.seen().history.outages;
        match outages.iter_mut().find(|outage| &outage.server == server && outage.from == from) {
            Some(outage) => outage.to = to,
            None => outages.push(Outage { server: server.clone(), from, to, why }),
        }
    }

    fn end_outage(&self, server: &ServerId, from: Ms) {
        let to = self.now();
        for outage in &mut self.seen().history.outages {
            if &outage.server == server && outage.from == from {
                outage.to = to;
            }
        }
    }

    /// One question to one server. `Err`: no answer, or not an authoritative one; the version seen before goes on.
    fn sample(
        &self,
        server: &ServerId,
        ip: IpAddr,
        label: &'static str,
        owner: &str,
        rtype: RecordType,
    ) -> Result<(), String> {
        let sent = self.now();
        let answer = dns::ask(ip, owner, rtype, dns::DIRECT)?;
        let is_referral = label == "delegation";
        if answer.rcode != ResponseCode::NoError || !(answer.authoritative || is_referral) {
            return Err(format!("{label}: {} without authority {}", answer.rcode, !answer.authoritative));
        }
        let section = if is_referral { &answer.authorities } else { &answer.answers };
        let (set, signatures) = dns::rrset(section, rtype);
        if label == "SOA" && set.is_empty() {
            return Err("no SOA in the answer".into());
        }
        let received = self.now();
        let fingerprint = fingerprint(&set, &signatures);
        let mut seen = self.seen();
        let place = (server.clone(), label);
        if let Some((index, last)) = seen.newest.get(&place)
            && *last == fingerprint
        {
            let index = *index;
            seen.history.runs[index].last_seen = sent;
            return Ok(());
        }
        let content = seen.content(label, owner, &set, &signatures);
        let ttl_s = set.iter().map(|record| record.ttl).max().unwrap_or(0);
        let mut not_before = sent;
        if let Some((index, _)) = seen.newest.get(&place) {
            let index = *index;
            let last = &mut seen.history.runs[index];
            last.until = received;
            not_before = last.last_seen;
        }
        let run = Run {
            server: server.clone(),
            content,
            ttl_s,
            not_before,
            first_seen: received,
            last_seen: received,
            until: received,
        };
        seen.history.runs.push(run);
        let index = seen.history.runs.len() - 1;
        seen.newest.insert(place, (index, fingerprint));
        Ok(())
    }
}

impl Seen {
    fn content(&mut self, label: &'static str, owner: &str, set: &[Record], signatures: &[RRSIG]) -> Content {
        if label == "DS" {
            return Content::Ds(set.iter().filter_map(ds).collect());
        }
        let hosts = || -> BTreeSet<String> {
            let host = |record: &Record| match &record.data {
                RData::NS(ns) => Some(ns.0.to_string().to_lowercase()),
                _ => None,
            };
            set.iter().filter_map(host).collect()
        };
        if label == "delegation" {
            return Content::Referral(hosts());
        }
        if label == "DNSKEY" {
            let keys = dns::dnskeys(set);
            for key in &keys {
                let known = self.keyring.entry(key_id(key)).or_default();
                if !known.contains(key) {
                    known.push(key.clone());
                }
            }
            let signers = self.signers(owner, set, signatures);
            return Content::Dnskey { keys: keys.iter().filter_map(usable_key).collect(), signers };
        }
        if set.is_empty() {
            return Content::Nothing { what: label };
        }
        let signers = self.signers(owner, set, signatures);
        if label == "NS" {
            return Content::Ns { hosts: hosts(), signers };
        }
        let mut rdata: Vec<String> = set.iter().map(|record| dns::hex(&dns::rdata_bytes(record))).collect();
        rdata.sort();
        Content::Data { what: label, rdata: rdata.join(" "), signers }
    }

    fn signers(&self, owner: &str, set: &[Record], signatures: &[RRSIG]) -> BTreeSet<KeyId> {
        let unix_now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32);
        let signer = |rrsig: &RRSIG| {
            let id = (rrsig.input().key_tag, u8::from(rrsig.input().algorithm));
            let good = self
                .keyring
                .get(&id)
                .is_none_or(|keys| keys.iter().any(|key| dns::verifies(key, owner, rrsig, set, unix_now)));
            good.then_some(id)
        };
        signatures.iter().filter_map(signer).collect()
    }
}

fn ds(record: &Record) -> Option<Digest> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::DS(ds)) => Some(Digest {
            id: (ds.key_tag(), u8::from(ds.algorithm())),
            digest: (u8::from(ds.digest_type()), dns::hex(ds.digest())),
        }),
        _ => None,
    }
}

fn key_id(key: &DNSKEY) -> KeyId {
    (dns::key_tag(key), u8::from(key.public_key().algorithm()))
}

/// Only zone keys that are not revoked count (RFC 4034 §2.1.1, RFC 5011 §2.1).
fn usable_key(key: &DNSKEY) -> Option<Key> {
    let digests = [DigestType::SHA256, DigestType::SHA384]
        .into_iter()
        .map(|digest_type| (u8::from(digest_type), dns::digest(CHILD, key, digest_type)))
        .collect();
    (key.zone_key() && !key.revoke()).then(|| Key { id: key_id(key), digests })
}

fn fingerprint(set: &[Record], signatures: &[RRSIG]) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = set
        .iter()
        .map(|record| [record.ttl.to_be_bytes().as_slice(), &dns::rdata_bytes(record)].concat())
        .chain(signatures.iter().map(|rrsig| rrsig.sig().to_vec()))
        .collect();
    parts.sort();
    parts.concat()
}
