//! A whole zone, or the largest TTL in it, by listing it (AXFR, RFC 5936) with the update key.
//!
//! Nothing of the zone is kept that was not asked for. A server that does not permit the transfer is no error: what it
//! would have shown is then asked for elsewhere. A transfer counts only when it is complete and its last message is signed.

use super::Rfc2136;
use crate::error::{Doing, ProviderError};
use crate::rdata::canonical;
use crate::tsig::Disbelief;
use crate::{Listing, Rrset};
use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

/// Beyond this a zone is not listed to the end: a few million records, more than a user waits for.
const TRANSFER_OCTETS_MAX: usize = 512 * 1024 * 1024;

/// The same for a server that sends a little now and then: each message alone comes in time.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(60);

/// Beyond this a zone is not kept: some hundred megabytes, for each operator at once. Its TTLs are still looked at.
const RECORDS_KEPT_MAX: usize = 200_000;

impl Rfc2136 {
    pub(super) async fn transfer_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError> {
        let listed = timeout(TRANSFER_TIMEOUT, self.transfer(zone, 0)).await.unwrap_or(Ok(None))?;
        Ok(listed.map(|listed| listed.largest_ttl_s))
    }

    pub(super) async fn transfer_sets(&self, zone: &Name) -> Result<Option<Listing>, ProviderError> {
        let listed = timeout(TRANSFER_TIMEOUT, self.transfer(zone, RECORDS_KEPT_MAX)).await.unwrap_or(Ok(None))?;
        Ok(listed.filter(|listed| listed.records <= RECORDS_KEPT_MAX).map(|listed| listed.sets))
    }

    async fn transfer(&self, zone: &Name, keep: usize) -> Result<Option<Listed>, ProviderError> {
        let server = self.config.update;
        let mut question = Message::query();
        question.add_query(Query::query(zone.clone(), RecordType::AXFR));
        let id = question.metadata.id;
        let (octets, mut signed) = self.sign(question)?;
        let mut connection = self.connect().await?;
        connection.send(&octets).await?;

        let malformed = |reason: String| ProviderError::Malformed { server, reason };
        let mut received = 0;
        let mut listed = Listed { keep, ..Listed::default() };
        loop {
            let octets = connection.receive().await?;
            received += octets.len();
            if received > TRANSFER_OCTETS_MAX {
                return Ok(None);
            }
            let message = Message::from_vec(&octets).map_err(|e| malformed(e.to_string()))?;
            if message.metadata.id != id || message.metadata.message_type != MessageType::Response {
                return Err(malformed(String::from("it does not belong to the question")));
            }
            let complete = match signed.check_next(&octets, &message, (self.clock)()) {
                Ok(complete) => complete,
                // Knot says so for a key without permission.
                Err(Disbelief::BadKey) => return Ok(None),
                Err(Disbelief::Unsigned) if refuses(message.metadata.response_code) => return Ok(None),
                Err(disbelief) => return Err(self.disbelieved(zone, Doing::Transferring, None, &message, disbelief)),
            };
            if refuses(message.metadata.response_code) {
                return Ok(None);
            }
            super::outcome(server, zone, Doing::Transferring, None, message.metadata.response_code)?;
            listed.take(&message).map_err(malformed)?;
            if listed.complete() {
                return if complete {
                    Ok(Some(listed))
                } else {
                    Err(self.disbelieved(zone, Doing::Transferring, None, &message, Disbelief::Unsigned))
                };
            }
        }
    }
}

fn refuses(rcode: ResponseCode) -> bool {
    matches!(rcode, ResponseCode::Refused | ResponseCode::NotAuth | ResponseCode::NotImp)
}

#[derive(Default)]
struct Listed {
    soas: usize,
    largest_ttl_s: u32,
    /// Up to how many records the sets are kept.
    keep: usize,
    records: usize,
    sets: Listing,
}

impl Listed {
    /// A transfer begins and ends with the zone's SOA (RFC 5936 §2.2).
    fn take(&mut self, message: &Message) -> Result<(), String> {
        if message.answers.is_empty() {
            return Err(String::from("a message of the transfer is empty"));
        }
        for record in &message.answers {
            if self.complete() {
                return Err(String::from("the transfer goes on after its end"));
            }
            self.largest_ttl_s = self.largest_ttl_s.max(record.ttl);
            match &record.data {
                // How long "there is no such name" may be kept (RFC 2308 §5).
                RData::SOA(soa) => {
                    self.largest_ttl_s = self.largest_ttl_s.max(soa.minimum);
                    self.soas += 1;
                }
                _ if self.soas == 0 => return Err(String::from("the transfer does not begin with the SOA")),
                _ => {}
            }
            self.records += 1;
            if self.records <= self.keep {
                let (owner, rtype) = (record.name.to_lowercase(), record.record_type());
                let none = || Rrset { rtype, ttl_s: 0, records: BTreeSet::new() };
                let set = self.sets.entry((owner, rtype)).or_insert_with(none);
                set.ttl_s = set.ttl_s.max(record.ttl);
                set.records.insert(canonical(&record.data)?);
            }
        }
        Ok(())
    }

    fn complete(&self) -> bool {
        self.soas >= 2
    }
}
