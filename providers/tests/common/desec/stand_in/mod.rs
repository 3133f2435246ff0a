//! A stand-in for deSEC: an HTTP server that behaves as deSEC's API was seen to (its own words for messages), before a real
//! PowerDNS that signs and serves what is stored, as deSEC's does.
//!
//! For tests only. Particular to it are: own DNSKEY, CDS (digest types 2 and 4) and CDNSKEY that are served beside the
//! stored ones and never shown among them; TTL 3600 for these; atomic bulk writes with four shapes of errors; a store that is
//! ahead of what is served (late, or stuck after a failure), or behind it (rolled back after the primary had it); writes that
//! hang and are done late; pages; throttling; policies of tokens. It knows one zone and has no accounts.
//! What is stored is in `State`, which a test may change; rules are in `routes`.

mod canonical;
mod http;
mod routes;
mod throttle;

pub use http::ask;
pub use throttle::Throttle;

use chorus_providers::desec::Day;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

pub const TOKEN: &str = "1234567890abcdefGHJKMNPQrstu";
/// May write CSYNC and NS, and nothing else.
pub const LIMITED_TOKEN: &str = "a-token-that-may-write-little";
/// Has policies for another domain only, and reads all of them.
pub const ELSEWHERE_TOKEN: &str = "a-token-for-some-other-domain";
pub const MINIMUM_TTL_S: u64 = 3600;

/// The zone, and the real PowerDNS that signs and serves it.
#[derive(Clone)]
pub struct Place {
    /// Without the final dot.
    pub zone: String,
    /// Where the signer's API is.
    pub signer: SocketAddr,
    pub signer_key: String,
}

/// An RRset, by subname and type.
pub type Key = (String, String);

#[derive(Clone)]
pub struct Set {
    pub ttl_s: u64,
    pub records: Vec<String>,
    pub created_us: u64,
    pub touched_us: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The signing server cannot be reached: nothing is stored, and the answer is a page.
    Primary,
    /// What is behind it cannot: the change is stored, not published, and the answer is JSON.
    Distribution,
    /// The signing server has the change, what stores it fails after that: it is not stored, it is served with the next change
    /// of anything, and the answer is a page.
    RolledBack,
}

pub struct State {
    pub at: Place,
    pub sets: BTreeMap<Key, Set>,
    pub minimum_ttl_s: u64,
    pub published_us: u64,
    /// Stored, and not yet at the name server.
    pub unpublished: BTreeSet<Key>,
    /// For so many writes.
    pub trouble: Option<(Trouble, usize)>,
    /// What the signing server has of a set in place of what is stored.
    pub signer_has: BTreeMap<Key, Option<Set>>,
    /// The next write is answered and done so many milliseconds later; another one of the zone meanwhile meets it.
    pub hangs_ms: Option<u64>,
    pub hanging: bool,
    /// So many writes meet another one.
    pub conflicts: usize,
    /// Changes stay unpublished, although the API says that all is well, until this is off and `publish` is called.
    pub late: bool,
    pub throttle: Option<Throttle>,
    /// Whether a refusal says for how long.
    pub retry_after: bool,
    /// Unix milliseconds, for throttling; 0: those of the machine's clock.
    pub now_ms: u64,
    pub page: usize,
    /// Which types a token may write at the zone's name; all where there is none.
    pub tokens: BTreeMap<&'static str, Option<BTreeSet<&'static str>>>,
    /// What is said to a write instead of what would be: status, content type and body.
    pub says: Option<(u16, &'static str, String)>,
    /// Method, path with query, and status of each request.
    pub log: Vec<String>,
    last_us: u64,
    reads: usize,
}

impl State {
    /// `sets`: what is stored and served already.
    pub fn new(at: Place, sets: &[(&str, &str, u64, &[&str])]) -> State {
        let mut state = State {
            at,
            sets: BTreeMap::new(),
            minimum_ttl_s: MINIMUM_TTL_S,
            published_us: 0,
            unpublished: BTreeSet::new(),
            trouble: None,
            signer_has: BTreeMap::new(),
            hangs_ms: None,
            hanging: false,
            conflicts: 0,
            late: false,
            throttle: None,
            retry_after: true,
            now_ms: 1_800_000_000_000,
            page: 500,
            tokens: BTreeMap::from([
                (TOKEN, None),
                (LIMITED_TOKEN, Some(BTreeSet::from(["CSYNC", "NS"]))),
                (ELSEWHERE_TOKEN, Some(BTreeSet::new())),
            ]),
            says: None,
            log: Vec::new(),
            last_us: 1_800_000_000_000_000,
            reads: 0,
        };
        for (subname, rtype, ttl_s, records) in sets {
            state.put(
                ((*subname).to_owned(), (*rtype).to_owned()),
                *ttl_s,
                records.iter().map(|r| (*r).to_owned()).collect(),
            );
        }
        state.published_us = state.tick_us();
        state
    }

    /// Moments that are all different, and later each time. A whole second now and then, which is written shorter.
    pub fn tick_us(&mut self) -> u64 {
        self.last_us += 500_000;
        self.last_us
    }

    pub fn put(&mut self, key: Key, ttl_s: u64, records: Vec<String>) {
        let now_us = self.tick_us();
        let created_us = self.sets.get(&key).map_or(now_us, |set| set.created_us);
        self.sets.insert(key, Set { ttl_s, records, created_us, touched_us: now_us });
    }

    /// As somebody else does it: stored and published.
    pub fn write(&mut self, rtype: &str, ttl_s: u64, records: &[&str]) {
        let key = (String::new(), rtype.to_owned());
        match records {
            [] => drop(self.sets.remove(&key)),
            _ => self.put(key.clone(), ttl_s, records.iter().map(|r| (*r).to_owned()).collect()),
        }
        self.unpublished.insert(key);
        self.publish();
    }

    pub fn stored(&self, rtype: &str) -> Option<&Set> {
        self.sets.get(&(String::new(), rtype.to_owned()))
    }

    /// For throttling.
    #[allow(clippy::disallowed_methods)]
    pub fn clock_ms(&self) -> u64 {
        let since = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if self.now_ms > 0 { self.now_ms } else { u64::try_from(since().as_millis()).unwrap_or_default() }
    }

    /// Requests that were made, without their query and status, since the last time.
    pub fn requests(&mut self) -> Vec<String> {
        let path = |line: &String| line.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ");
        self.log.drain(..).map(|line| path(&line)).collect()
    }

    /// Hands everything on to the name server.
    pub fn publish(&mut self) {
        let name = |subname: &str| match subname {
            "" => format!("{}.", self.at.zone),
            _ => format!("{subname}.{}.", self.at.zone),
        };
        let has = |key: &Key| match self.signer_has.get(key) {
            Some(other) => other.as_ref(),
            None => self.sets.get(key),
        };
        let set = |key: &Key| match has(key) {
            None => json!({ "name": name(&key.0), "type": key.1, "changetype": "DELETE" }),
            Some(set) => {
                let records: Vec<Value> =
                    set.records.iter().map(|r| json!({ "content": r, "disabled": false })).collect();
                json!({ "name": name(&key.0), "type": key.1, "ttl": set.ttl_s, "changetype": "REPLACE", "records": records })
            }
        };
        let rrsets: Vec<Value> = self.unpublished.iter().map(set).collect();
        let body = json!({ "rrsets": rrsets }).to_string();
        let (status, said) = self.signer("PATCH", "", &body).expect("PowerDNS is there");
        assert_eq!(status, 204, "PowerDNS took {body}: {said}");
        self.unpublished.clear();
        self.published_us = self.tick_us();
    }

    fn signer(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let path = format!("/api/v1/servers/localhost/zones/{}.{path}", self.at.zone);
        let headers = [("X-API-Key", self.at.signer_key.as_str()), ("Content-Type", "application/json")];
        ask(self.at.signer, method, &path, &headers, body).map(|(status, _, body)| (status, body))
    }
}

/// `2027-01-15T08:00:00.500000Z`
fn moment(us: u64) -> String {
    let (second, fraction) = (us / 1_000_000, us % 1_000_000);
    let of_day = second % 86_400;
    let day = Day::of(second * 1000);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{day}T{:02}:{:02}:{:02}{fraction}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The API, until it is dropped.
pub struct Server {
    state: Arc<Mutex<State>>,
    interface: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(interface: SocketAddr, state: State) -> Server {
        let listener = TcpListener::bind(interface).unwrap();
        let (state, ended) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let (shared, end) = (state.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, mut stream) = (shared.clone(), stream.unwrap());
                std::thread::spawn(move || {
                    let Some(request) = http::receive(&mut stream) else { return };
                    let mut state = shared.lock().unwrap();
                    if let Some(late_ms) = state.hangs_ms.take_if(|_| request.method != "GET") {
                        state.hanging = true;
                        drop(state);
                        std::thread::sleep(std::time::Duration::from_millis(late_ms));
                        state = shared.lock().unwrap();
                        state.hanging = false;
                    }
                    let response = routes::answer(&mut state, &request);
                    let query: Vec<String> =
                        request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
                    state.log.push(format!("{} {}{query} {}", request.method, request.path, response.status));
                    drop(state);
                    http::send(&mut stream, &response);
                });
            }
        });
        Server { state, interface, ended, thread: Some(thread) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that it looks.
        let _ = TcpStream::connect(self.interface);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
