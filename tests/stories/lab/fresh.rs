//! Resolvers with an empty cache, Unbound and BIND, which are asked as soon as a transition has ended: the apex, a name, a name
//! that a wildcard stands for and a missing name have to validate, whichever of the servers they choose.
//!
//! Invariant: every end that a story sees with the command line, or that is there when its stage is torn down, is judged once.
//! A story whose zone is to be broken at an end says so before with [`AtEnds::expect_broken`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::Value;

use super::dns::{self, Answer, Ask};
use super::parent::Parent;
use super::process::{Running, binary};
use super::unbound::Unbound;
use super::{Lab, v4};

/// The states in which a transition has come to its end.
const ENDED: [&str; 3] = ["done", "undone", "stopped"];
/// 127.0.3.N for Unbound; BIND needs an address that the interface has.
const UNBOUND: u8 = 250;
const BIND: u8 = 38;
/// Longer than a resolver tries.
const PATIENT: Ask = Ask { recursion: true, checking_disabled: false, limit: Duration::from_secs(12) };
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often resolvers are started anew when they could not reach the servers on a crowded machine.
const ATTEMPTS: usize = 3;

/// What is asked at the ends of a story's transitions, and which have been judged.
pub struct AtEnds {
    dir: PathBuf,
    parent: Vec<IpAddr>,
    parent_zone: &'static str,
    anchors: Vec<String>,
    broken: Cell<Option<&'static str>>,
    judged: RefCell<BTreeSet<String>>,
}

/// A question to a resolver that was not answered as it has to be.
#[derive(Debug)]
pub struct Failed {
    pub resolver: &'static str,
    pub question: String,
    pub why: String,
    /// The servers answered, so that it is no matter of time.
    pub is_certain: bool,
}

impl AtEnds {
    pub fn new(lab: &Lab, parent: &Parent) -> Self {
        Self {
            dir: lab.subdirectory("fresh"),
            parent: parent.addresses(),
            parent_zone: parent.spec.zone,
            anchors: parent.trust_anchors(),
            broken: Cell::new(None),
            judged: RefCell::default(),
        }
    }

    /// From now on the zone does not validate when a transition ends, and this is why.
    pub fn expect_broken(&self, why: &'static str) {
        self.broken.set(Some(why));
    }

    /// Judges the end that `zone show` tells of, unless it is none or was judged before.
    pub fn judge(&self, shown: &Value) {
        let transition = &shown["transition"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (zone, id, state) = (text(&shown["zone"]), text(&transition["id"]), text(&transition["state"]));
        if !ENDED.contains(&state.as_str()) || !self.judged.borrow_mut().insert(format!("{id} {state}")) {
            return;
        }
        let since = Instant::now();
        let failed = self.failures(&zone);
        match self.broken.get() {
            Some(why) => assert!(!failed.is_empty(), "{zone} validates, and should not: {why}"),
            None => {
                assert!(failed.is_empty(), "a transition of {zone} ended {state:?}, and resolvers fail: {failed:#?}")
            }
        }
        eprintln!("[fresh] {zone} {state}: asked within {} ms", since.elapsed().as_millis());
    }

    /// What fails at resolvers that have just been started.
    pub fn failures(&self, zone: &str) -> Vec<Failed> {
        let mut failed = Vec::new();
        for _ in 0..ATTEMPTS {
            let unbound = self.unbound();
            let named = self.named();
            failed = asked("Unbound", unbound.ip, zone);
            failed.extend(asked("BIND", v4(BIND), zone));
            drop((unbound, named));
            if failed.is_empty() || failed.iter().any(|failed| failed.is_certain) {
                break;
            }
        }
        failed
    }

    fn unbound(&self) -> Unbound {
        let addresses: String = self.parent.iter().map(|ip| format!("  stub-addr: {ip}\n")).collect();
        let stub = format!("stub-zone:\n  name: \"{}\"\n{addresses}", self.parent_zone);
        Unbound::start_in(self.dir.join("unbound"), UNBOUND, true, &self.anchors, &stub)
    }

    /// A resolver as an administrator of BIND sets it up, but for where it begins.
    fn named(&self) -> Running {
        let dir = self.dir.join("named");
        // What an earlier one wrote is no empty cache.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("directory");
        let anchors: String = self.anchors.iter().map(|anchor| static_key(anchor)).collect();
        let configuration = format!(
            "options {{ directory \".\"; pid-file none; session-keyfile \"session.key\"; managed-keys-directory \".\";\n  \
             listen-on port 53 {{ {}; }}; listen-on-v6 {{ none; }}; recursion yes; allow-recursion {{ any; }};\n  \
             dnssec-validation yes; empty-zones-enable no; notify no; max-cache-size 8m; }};\n\
             trust-anchors {{ {anchors}}};\ncontrols {{ }};\n\
             {}\n",
            v4(BIND),
            self.where_to_begin(&dir)
        );
        std::fs::write(dir.join("named.conf"), configuration).expect("configuration");
        start_resolver(&dir)
    }

    /// The parent's servers; those of the root are hints.
    fn where_to_begin(&self, dir: &Path) -> String {
        if self.parent_zone != "." {
            let addresses: String = self.parent.iter().map(|ip| format!("{ip}; ")).collect();
            return format!(
                "zone \"{}\" {{ type static-stub; server-addresses {{ {addresses}}}; }};",
                self.parent_zone
            );
        }
        let of = |ip: &IpAddr| format!("ns1. {} {ip}\n", if ip.is_ipv4() { "A" } else { "AAAA" });
        let hints: String = self.parent.iter().map(of).collect();
        std::fs::write(dir.join("hints"), format!("$TTL 3600\n. NS ns1.\n{hints}")).expect("hints");
        "zone \".\" { type hint; file \"hints\"; };".to_owned()
    }
}

fn start_resolver(dir: &Path) -> Running {
    Running::start("named", &binary("named", "bind9"), &["-g", "-n", "1", "-c", "named.conf"], dir, &[])
}

/// `OWNER TTL IN DNSKEY FLAGS 3 ALGORITHM DATA` in the form that `trust-anchors` has.
fn static_key(anchor: &str) -> String {
    let words: Vec<&str> = anchor.split_whitespace().collect();
    format!("\"{}\" static-key {} \"{}\"; ", words[0], words[4..7].join(" "), words[7..].concat())
}

/// The four questions, each with the code of its answer.
fn questions(zone: &str) -> [(String, RecordType, ResponseCode); 4] {
    [
        (zone.to_owned(), RecordType::SOA, ResponseCode::NoError),
        (format!("www.{zone}"), RecordType::A, ResponseCode::NoError),
        (format!("fresh.w.{zone}"), RecordType::A, ResponseCode::NoError),
        // Below a name, so that it is missing beside a wildcard at the apex, too.
        (format!("fresh-and-missing.www.{zone}"), RecordType::A, ResponseCode::NXDomain),
    ]
}

fn asked(resolver: &'static str, ip: IpAddr, zone: &str) -> Vec<Failed> {
    let zone = if zone.ends_with('.') { zone.to_owned() } else { format!("{zone}.") };
    let failure = |(name, rtype, rcode): (String, RecordType, ResponseCode)| {
        let (why, is_answered) = match ask(ip, &name, rtype, PATIENT) {
            Ok(answer) if is_right(&answer, rtype, rcode) => return None,
            Ok(answer) => (
                format!(
                    "{}, AD {}, {} records, {:?}",
                    answer.rcode,
                    answer.authentic,
                    dns::rrset(&answer.answers, rtype).0.len(),
                    answer.extended_errors
                ),
                true,
            ),
            Err(error) => (error, false),
        };
        // Without validation: what is answered now was only refused for its signatures.
        let unchecked = ask(ip, &name, rtype, Ask { checking_disabled: true, ..PATIENT });
        let is_certain = is_answered && unchecked.is_ok_and(|answer| answer.rcode != ResponseCode::ServFail);
        Some(Failed { resolver, question: format!("{name} {rtype}"), why, is_certain })
    };
    questions(&zone).into_iter().filter_map(failure).collect()
}

fn is_right(answer: &Answer, rtype: RecordType, rcode: ResponseCode) -> bool {
    let has_records = !dns::rrset(&answer.answers, rtype).0.is_empty();
    answer.authentic && answer.rcode == rcode && has_records == (rcode == ResponseCode::NoError)
}

/// Asks again while there is no socket yet.
fn ask(ip: IpAddr, name: &str, rtype: RecordType, how: Ask) -> Result<Answer, String> {
    let end = Instant::now() + START_LIMIT;
    loop {
        match dns::ask(ip, name, rtype, how) {
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            answer => return answer,
        }
    }
}
