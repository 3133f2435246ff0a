//! The delegation out of a transfer of the parent zone (AXFR, RFC 5936), where a server of the parent serves the child itself and
//! so never refers to it.
//!
//! Invariant: only a transfer that is complete says anything. One that is refused, or too long, leaves the delegation unseen.

use crate::model::dns::{Name, Rdata, RecordSet, address_in, address_rdata, ns_name};
use crate::model::history::{Kind, Outcome, Sample, Served, Server};
use crate::observe::ask::{Asker, Question, Reply, judge};
use hickory_proto::op::Message;
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
}

/// Asks a server of the parent for the parent zone, and makes the samples of the delegation and its glue out of it. Empty
/// where the transfer is not to be had.
pub async fn delegation_by_transfer(asker: Asker<'_>, zone: &Name, parent_zone: &Name, server: &Server) -> Vec<Sample> {
    let question = Question::new(parent_zone, RecordType::AXFR);
    let id = asker.ids.next();
    let Ok(query) = question.to_transfer(id) else { return Vec::new() };
    let mut gathered = Gathered::default();
    let mut take = |octets: &[u8]| gathered.take(id, &question, zone, octets);
    let ended = asker.transport.transfer(server.address, &query, &mut take).await;
    if ended.is_err() || gathered.soas < 2 {
        return Vec::new();
    }
    let at = (asker.clock)();
    let sample = |kind, records, ttl_s| Sample {
        at,
        server: server.clone(),
        kind,
        outcome: Outcome::Served(Served { records, ttl_s, signers: BTreeSet::new(), expires: None }),
    };
    let (glue, glue_ttl_s) = gathered.glue();
    vec![sample(Kind::Delegation, gathered.ns, gathered.ttl_s), sample(Kind::Glue, glue, glue_ttl_s)]
}

impl Gathered {
    /// Takes in one message. `None`: this is no transfer; `Some(false)`: it has ended; `Some(true)`: there is more.
    fn take(&mut self, id: u16, question: &Question, zone: &Name, octets: &[u8]) -> Option<bool> {
        self.octets += octets.len();
        if self.octets > OCTETS_MAX {
            return None;
        }
        // Later messages may come without the question (RFC 5936 §2.2.1).
        let message = if self.soas == 0 {
            let Ok(Reply::Whole(message)) = judge(id, question, octets) else { return None };
            message
        } else {
            Message::from_vec(octets).ok().filter(|message| message.metadata.id == id)?
        };
        for record in &message.answers {
            self.put(zone, record)?;
            if self.soas == 2 {
                return Some(false);
            }
        }
        (!message.answers.is_empty()).then_some(true)
    }

    fn put(&mut self, zone: &Name, record: &Record) -> Option<()> {
        match record.record_type() {
            RecordType::SOA => self.soas += 1,
            _ if self.soas == 0 => return None,
            RecordType::NS if record.name == *zone && record.dns_class == DNSClass::IN => {
                self.ns.insert(Rdata::of(&record.data).ok()?);
                self.ttl_s = self.ttl_s.max(record.ttl);
            }
            _ => {
                if let Some(address) = address_in(&record.data) {
                    self.addresses.entry(record.name.to_lowercase()).or_default().push((address, record.ttl));
                }
            }
        }
        Some(())
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
