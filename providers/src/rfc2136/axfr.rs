//! The records of a zone, one message after the other, by a transfer (AXFR, RFC 5936) with the update key.
//!
//! Invariant: a transfer counts only when it is complete and its last message is signed; each way to fail is an error of its
//! own. Nothing is kept here.

use super::Rfc2136;
use super::records::{RawMessage, RawRecord};
use crate::error::{CutShort, Doing, ProviderError};
use crate::names::name_text;
use crate::tsig::Disbelief;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use std::time::Duration;
use tokio::time::timeout;

/// How much of a zone is transferred at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub octets: usize,
    /// For a server that sends a little now and then: each message alone comes in time.
    pub duration: Duration,
}

impl Limits {
    /// A few million records, and no more time than a user waits.
    pub const USUAL: Limits = Limits { octets: 512 * 1024 * 1024, duration: Duration::from_secs(60) };
}

impl Rfc2136 {
    /// Hands every record of the zone to `each`, both SOA records included (RFC 5936 §2.2).
    pub(super) async fn axfr(
        &self,
        zone: &Name,
        limits: Limits,
        mut each: impl FnMut(&RawRecord<'_>),
    ) -> Result<(), ProviderError> {
        let why = CutShort::TooLong { after_s: limits.duration.as_secs() };
        let transfer = timeout(limits.duration, self.transfer_messages(zone, limits.octets, &mut each));
        transfer.await.unwrap_or_else(|_| Err(self.cut_short(zone, why)))
    }

    pub(super) fn cut_short(&self, zone: &Name, why: CutShort) -> ProviderError {
        ProviderError::CutShort { server: self.config.update, zone: name_text(zone), why }
    }

    async fn transfer_messages(
        &self,
        zone: &Name,
        octets_max: usize,
        each: &mut impl FnMut(&RawRecord<'_>),
    ) -> Result<(), ProviderError> {
        let server = self.config.update;
        let mut question = Message::query();
        question.add_query(Query::query(zone.clone(), RecordType::AXFR));
        let id = question.metadata.id;
        let (octets, mut signed) = self.sign(question)?;
        let mut connection = self.connect().await?;
        connection.send(&octets).await?;

        let (mut received, mut records, mut soas) = (0, 0_usize, 0_usize);
        loop {
            let octets = connection.receive().await.map_err(|e| self.interrupted(zone, records, e))?;
            received += octets.len();
            if received > octets_max {
                return Err(self.cut_short(zone, CutShort::TooLarge { octets: octets_max }));
            }
            let before = records;
            let unreadable = |reason: String| match before {
                0 => ProviderError::Malformed { server, reason },
                records => self.cut_short(zone, CutShort::Unreadable { records, reason }),
            };
            let message = RawMessage::read(&octets).map_err(unreadable)?;
            if message.id != id || !message.is_response {
                return Err(unreadable(String::from("it does not belong to the question")));
            }
            let believed = signed.check_next_raw(&octets, &message, (self.clock)());
            let is_signed = believed
                .map_err(|disbelief| self.disbelieved(zone, Doing::Transferring, None, &message.envelope, disbelief))?;
            super::outcome(server, zone, Doing::Transferring, None, message.envelope.metadata.response_code)?;
            if message.answers.is_empty() {
                return Err(unreadable(String::from("a message of the transfer is empty")));
            }
            for record in &message.answers {
                let is_soa = record.rtype == RecordType::SOA && record.owner == *zone;
                match (is_soa, soas) {
                    (_, 2..) => return Err(unreadable(String::from("the transfer goes on after its end"))),
                    (false, 0) => return Err(unreadable(String::from("the transfer does not begin with the SOA"))),
                    (true, _) => soas += 1,
                    (false, _) => {}
                }
                records += 1;
                each(record);
            }
            if soas >= 2 {
                let unsigned =
                    || self.disbelieved(zone, Doing::Transferring, None, &message.envelope, Disbelief::Unsigned);
                return if is_signed { Ok(()) } else { Err(unsigned()) };
            }
        }
    }

    /// A connection that ends, or falls silent, in the middle is told from one that brought nothing.
    fn interrupted(&self, zone: &Name, records: usize, error: ProviderError) -> ProviderError {
        match records {
            0 => error,
            records => self.cut_short(zone, CutShort::Interrupted { records, reason: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests;
