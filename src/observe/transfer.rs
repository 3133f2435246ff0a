//! The delegation out of a transfer of the parent zone (AXFR, RFC 5936), where a server of the parent serves the child itself and
//! so never refers to it.
//!
//! Invariant: only a transfer that is complete says anything. One that is refused, too long or damaged leaves the delegation
//! as it was last known, and says why.

use crate::model::dns::{Name, Rdata, RecordSet, address_in, address_rdata, ns_name};
use crate::model::history::{Kind, Outcome, Sample, Served, Server};
use crate::observe::ask::{Asker, Question, Reply, judge};
use chorus_providers::rfc2136::read_message;
use hickory_proto::rr::{DNSClass, Record, RecordType};
use std::collections::{BTreeMap, BTreeSet};

/// Octets beyond which a parent zone is not read to its end: what a registry has cannot be transferred in every round.
const OCTETS_MAX: usize = 64 * 1024 * 1024;

/// What is gathered of the child while the parent zone passes by.
#[derive(Default)]
struct Gathered {
    soas: usize,
    octets: usize,
    ns: RecordSet,
    ttl_s: u32,
    /// Every address record below the parent's apex that may be glue, by its owner.
    addresses: BTreeMap<Name, Vec<(std::net::IpAddr, u32)>>,
    /// Why it was broken off.
    why: Option<String>,
}

/// Asks a server of the parent for the parent zone, and makes the samples of the delegation and its glue out of it. `Err`: why
/// the transfer is not to be had.
pub async fn delegation_by_transfer(
    asker: Asker<'_>,
    zone: &Name,
    parent_zone: &Name,
    server: &Server,
) -> Result<Vec<Sample>, String> {
    let question = Question::new(parent_zone, RecordType::AXFR);
    let id = asker.ids.next();
    let query = question.to_transfer(id).map_err(|failure| failure.to_string())?;
    let mut gathered = Gathered::default();
    let mut take = |octets: &[u8]| gathered.take(id, &question, zone, octets);
    let ended = asker.transport.transfer(server.address, &query, &mut take).await;
    if let Some(why) = gathered.why {
        return Err(why);
    }
    ended.map_err(|error| error.to_string())?;
    if gathered.soas < 2 {
        return Err("it ended before the second SOA record".into());
    }
    let at = (asker.clock)();
    let sample = |kind, records, ttl_s| Sample {
        at,
        server: server.clone(),
        kind,
        outcome: Outcome::Served(Served { records, ttl_s, signers: BTreeSet::new(), expires: None }),
    };
    let (glue, glue_ttl_s) = gathered.glue();
    Ok(vec![sample(Kind::Delegation, gathered.ns, gathered.ttl_s), sample(Kind::Glue, glue, glue_ttl_s)])
}

impl Gathered {
    /// Takes in one message. `None`: it is broken off; `Some(false)`: it has ended; `Some(true)`: there is more.
    fn take(&mut self, id: u16, question: &Question, zone: &Name, octets: &[u8]) -> Option<bool> {
        match self.read(id, question, zone, octets) {
            Ok(more) => Some(more),
            Err(why) => {
                self.why = Some(why);
                None
            }
        }
    }

    fn read(&mut self, id: u16, question: &Question, zone: &Name, octets: &[u8]) -> Result<bool, String> {
        self.octets += octets.len();
        if self.octets > OCTETS_MAX {
            return Err(format!("it is longer than {} MiB", OCTETS_MAX / (1024 * 1024)));
        }
        // Later messages may come without the question (RFC 5936 §2.2.1).
        let message = if self.soas == 0 {
            match judge(id, question, octets).map_err(|failure| format!("the server {failure}"))? {
                Reply::Whole(message) => message,
                Reply::Truncated => return Err("its first message is cut off".into()),
            }
        } else {
            let message = read_message(octets).map_err(|e| format!("a message of it cannot be read: {e}"))?;
            if message.metadata.id != id {
                return Err("a message of it has another id".into());
            }
            message
        };
        if message.answers.is_empty() {
            return Err("a message of it has no records".into());
        }
        for record in &message.answers {
            self.put(zone, record)?;
            if self.soas == 2 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put(&mut self, zone: &Name, record: &Record) -> Result<(), String> {
        match record.record_type() {
            RecordType::SOA => self.soas += 1,
            _ if self.soas == 0 => return Err("it does not begin with an SOA record".into()),
            RecordType::NS if record.name == *zone && record.dns_class == DNSClass::IN => {
                self.ns.insert(Rdata::of(&record.data).map_err(|e| e.to_string())?);
                self.ttl_s = self.ttl_s.max(record.ttl);
            }
            _ => {
                if let Some(address) = address_in(&record.data) {
                    self.addresses.entry(record.name.to_lowercase()).or_default().push((address, record.ttl));
                }
            }
        }
        Ok(())
    }

    /// The addresses of the hosts that the delegation names.
    fn glue(&self) -> (RecordSet, u32) {
        let (mut records, mut ttl_s) = (RecordSet::new(), 0);
        for host in self.ns.iter().filter_map(|ns| ns_name(ns).ok()) {
            for (address, of_it) in self.addresses.get(&host).into_iter().flatten() {
                records.insert(address_rdata(&host, *address));
                ttl_s = ttl_s.max(*of_it);
            }
        }
        (records, ttl_s)
    }
}
