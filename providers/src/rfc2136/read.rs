//! What the server that takes the updates serves at a name, asked over TCP.
//!
//! Reading is not signed: a forged answer leads to prerequisites that fail at the server, or to a write that the
//! observation of all servers does not confirm. Only authoritative answers are taken, a cache must not be read back.

use super::records::read_message;
use super::tcp::Connection;
use super::{Rfc2136, outcome};
use crate::Rrset;
use crate::error::{Doing, ProviderError};
use crate::rdata::canonical;
use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;

impl Rfc2136 {
    /// The RRsets of these types at `owner`, all asked over one connection; absent ones are left out.
    pub async fn read_at(&self, zone: &Name, owner: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        let mut connection = self.connect().await?;
        let mut found: Vec<Rrset> = Vec::new();
        for (n, rtype) in types.iter().enumerate() {
            if types.iter().take(n).any(|earlier| earlier == rtype) {
                continue;
            }
            found.extend(self.ask(&mut connection, zone, owner, *rtype).await?);
        }
        Ok(found)
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        zone: &Name,
        owner: &Name,
        rtype: RecordType,
    ) -> Result<Option<Rrset>, ProviderError> {
        let server = self.config.update;
        let mut question = Message::query();
        question.add_query(Query::query(owner.clone(), rtype));
        let octets = question.to_vec().map_err(|e| ProviderError::Unsupported { what: e.to_string() })?;
        connection.send(&octets).await?;
        let octets = connection.receive().await?;
        let malformed = |reason: String| ProviderError::Malformed { server, reason };
        let answer = read_message(&octets).map_err(malformed)?;
        if answer.metadata.id != question.metadata.id || answer.metadata.message_type != MessageType::Response {
            return Err(malformed(String::from("it does not belong to the question")));
        }
        outcome(server, zone, Doing::Reading, Some(rtype), answer.metadata.response_code)?;
        let asked = answer.queries.iter().any(|q| q.query_type == rtype && q.name == *owner);
        if !asked {
            return Err(malformed(String::from("it repeats another question")));
        }
        if !answer.metadata.authoritative {
            return Err(ProviderError::NotAuth { server, zone: zone.to_string(), doing: Doing::Reading });
        }
        let mut rrset = Rrset { rtype, ttl_s: 0, records: BTreeSet::new() };
        for record in answer.answers.iter().filter(|r| r.record_type() == rtype && r.name == *owner) {
            rrset.ttl_s = rrset.ttl_s.max(record.ttl);
            rrset.records.insert(canonical(&record.data).map_err(malformed)?);
        }
        Ok(if rrset.records.is_empty() { None } else { Some(rrset) })
    }
}
