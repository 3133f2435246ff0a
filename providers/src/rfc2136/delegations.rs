//! Which names a zone delegates, by listing it (AXFR, RFC 5936) with the update key.
//!
//! For whoever acts for a parent zone. Unlike the listing in `transfer`, a server that does not permit it is an error here:
//! the names are not to be had elsewhere. A listing counts only when it is complete and its last message is signed.

use super::{Rfc2136, absolute};
use crate::error::{Doing, ProviderError};
use crate::tsig::Disbelief;
use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;

/// Beyond this a zone is not listed to the end: a few million records.
const TRANSFER_OCTETS_MAX: usize = 512 * 1024 * 1024;

impl Rfc2136 {
    /// The owners of NS records below the apex, in lower case.
    pub async fn delegations(&self, zone: &Name) -> Result<BTreeSet<Name>, ProviderError> {
        let (zone, server) = (absolute(zone), self.config.update);
        let mut question = Message::query();
        question.add_query(Query::query(zone.clone(), RecordType::AXFR));
        let id = question.metadata.id;
        let (octets, mut signed) = self.sign(question)?;
        let mut connection = self.connect().await?;
        connection.send(&octets).await?;

        let malformed = |reason: &str| ProviderError::Malformed { server, reason: reason.to_owned() };
        let (mut received, mut soas, mut names) = (0, 0, BTreeSet::new());
        loop {
            let octets = connection.receive().await?;
            received += octets.len();
            if received > TRANSFER_OCTETS_MAX {
                return Err(malformed("the zone is too large to be listed"));
            }
            let message = Message::from_vec(&octets).map_err(|e| malformed(&e.to_string()))?;
            if message.metadata.id != id || message.metadata.message_type != MessageType::Response {
                return Err(malformed("it does not belong to the question"));
            }
            let complete = signed
                .check_next(&octets, &message, (self.clock)())
                .map_err(|disbelief| self.disbelieved(&zone, Doing::Transferring, None, &message, disbelief))?;
            super::outcome(server, &zone, Doing::Transferring, None, message.metadata.response_code)?;
            if message.answers.is_empty() {
                return Err(malformed("a message of the transfer is empty"));
            }
            for record in &message.answers {
                match record.record_type() {
                    RecordType::SOA => soas += 1,
                    _ if soas == 0 => return Err(malformed("the transfer does not begin with the SOA")),
                    RecordType::NS if record.name != zone && zone.zone_of(&record.name) => {
                        names.insert(record.name.to_lowercase());
                    }
                    _ => {}
                }
            }
            // RFC 5936 §2.2: it begins and ends with the zone's SOA.
            if soas >= 2 {
                return if complete {
                    Ok(names)
                } else {
                    Err(self.disbelieved(&zone, Doing::Transferring, None, &message, Disbelief::Unsigned))
                };
            }
        }
    }
}
