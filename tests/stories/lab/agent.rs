//! A parental agent that we did not write: BIND's `dnssec-cds`, run in a loop as a registry would run it. It follows CDS
//! and CDNSKEY only. There is no CSYNC reader in the distribution, so with this agent the story moves NS by hand.
//!
//! It acts only when every address of every delegated server gives the same CDS and CDNSKEY sets (RFC 9975).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::operator::Operator;
use super::parent::{Parent, referral};
use super::process::{binary, run};
use super::{CHILD, Lab, v4};

pub struct DnssecCdsAgent {
    stop: Arc<AtomicBool>,
    said: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

struct Polling {
    dir: PathBuf,
    hosts: Vec<(String, IpAddr)>,
    ds_ttl_s: u32,
    key_file: PathBuf,
}

impl DnssecCdsAgent {
    pub fn start(lab: &Lab, parent: &Parent, operators: &[&Operator]) -> Self {
        let polling = Polling {
            dir: lab.subdirectory("dnssec-cds"),
            hosts: operators.iter().flat_map(|operator| operator.host_addresses()).collect(),
            ds_ttl_s: parent.spec.ds_ttl_s,
            key_file: parent.key.key_file.clone(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stop_, said_) = (stop.clone(), said.clone());
        let thread = std::thread::spawn(move || {
            while !stop_.load(Ordering::Relaxed) {
                let outcome = polling.poll().unwrap_or_else(|why_not| why_not);
                let mut said = said_.lock().expect("never poisoned");
                if said.last() != Some(&outcome) {
                    said.push(outcome);
                }
                drop(said);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self { stop, said, thread: Some(thread) }
    }

    /// What it did, and why it did nothing, each change of mind once.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("never poisoned").clone()
    }
}

impl Drop for DnssecCdsAgent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if std::thread::panicking() {
            eprintln!("dnssec-cds agent said: {:#?}", self.said());
        }
    }
}

impl Polling {
    fn poll(&self) -> Result<String, String> {
        let delegated = referral(v4(1)).ok_or("the parent does not answer")?;
        let addresses: Vec<IpAddr> =
            self.hosts.iter().filter(|(host, _)| delegated.contains(host)).map(|(_, ip)| *ip).collect();
        let first = *addresses.first().ok_or("nobody is delegated to")?;
        let wanted = signals(first);
        if wanted.is_empty() {
            return Err(format!("no CDS or CDNSKEY at {first}"));
        }
        if let Some(other) = addresses.iter().find(|ip| signals(**ip) != wanted) {
            return Err(format!("{other} has other CDS or CDNSKEY than {first}"));
        }
        let child = ["DNSKEY", "CDS", "CDNSKEY"].map(|rtype| dig(first, rtype, true)).concat();
        let child_file = self.dir.join("child");
        let ds_file = self.dir.join("dsset");
        std::fs::write(&child_file, child).map_err(|error| error.to_string())?;
        std::fs::write(&ds_file, dig(v4(1), "DS", false)).map_err(|error| error.to_string())?;
        let ttl = self.ds_ttl_s.to_string();
        let done = run(
            &binary("dnssec-cds", "bind9-utils"),
            // The start time two hours back: dnssec-cds refuses signatures older than the DS file otherwise.
            &[
                "-u",
                "-s",
                "-7200",
                "-T",
                &ttl,
                "-f",
                &child_file.to_string_lossy(),
                "-d",
                &ds_file.to_string_lossy(),
                CHILD,
            ],
            "",
        );
        if !done.success {
            return Err(format!("dnssec-cds refuses: {}", done.stderr.trim()));
        }
        let lines: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("update ")).collect();
        if lines.is_empty() {
            return Ok("nothing to do".into());
        }
        let script = format!("server {} 53\nzone example.\n{}\nsend\n", v4(1), lines.join("\n"));
        let key_file = self.key_file.to_string_lossy();
        let sent = run(&binary("nsupdate", "bind9-dnsutils"), &["-v", "-k", &key_file], &script);
        if sent.success { Ok(lines.join("; ")) } else { Err(format!("update failed: {}", sent.stderr.trim())) }
    }
}

/// CDS and CDNSKEY rdata, without TTLs.
fn signals(ip: IpAddr) -> BTreeSet<String> {
    let lines = ["CDS", "CDNSKEY"].map(|rtype| dig(ip, rtype, false)).concat();
    lines.lines().map(|line| line.split_whitespace().skip(3).collect::<Vec<_>>().join(" ")).collect()
}

fn dig(ip: IpAddr, rtype: &str, with_signatures: bool) -> String {
    let at = format!("@{ip}");
    let mut arguments =
        vec![at.as_str(), CHILD, rtype, "+noall", "+answer", "+norecurse", "+tcp", "+time=2", "+tries=2"];
    if with_signatures {
        arguments.push("+dnssec");
    }
    run(&binary("dig", "bind9-dnsutils"), &arguments, "").stdout
}
