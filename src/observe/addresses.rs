//! The addresses of name servers: inside the zone as an operator's server has them, and in the public DNS.
//!
//! Invariant: an alias is never followed (RFC 2181 §10.3), and a host without an address is not one that was not looked at.

use crate::model::dns::{Name, RecordSet, RecordType, address_in, address_rdata, host_address};
use crate::model::history::{Failure, Kind, Outcome, Sample, Served, Server};
use crate::observe::ask::{Asker, Question, negative_ttl_s, refused};
use crate::observe::resolve::Looked;
use crate::observe::transport::Protocol;
use futures::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use std::collections::BTreeSet;

/// Asks one address of an operator for A and AAAA of every host, and makes one version of the answers.
pub async fn observe_addresses(
    asker: Asker<'_>,
    zone: &Name,
    hosts: &BTreeSet<Name>,
    server: &Server,
    protocol: Protocol,
) -> Sample {
    let questions = hosts.iter().flat_map(|host| [RecordType::A, RecordType::AAAA].map(|rtype| (host, rtype)));
    let answers = questions.map(|(host, rtype)| async move {
        let message = asker.ask_for_any(server.address, protocol, &Question::new(host, rtype)).await?;
        addresses(&message, zone, host)
    });
    let answers: Result<Vec<(RecordSet, u32)>, Failure> = join_all(answers).await.into_iter().collect();
    let served = answers.map(|answers| {
        let ttl_s = answers.iter().map(|(_, ttl_s)| *ttl_s).max().unwrap_or_default();
        let records = answers.into_iter().flat_map(|(records, _)| records).collect();
        Served { records, ttl_s, signers: BTreeSet::new(), expires: None }
    });
    let outcome = served.map_or_else(Outcome::Failed, Outcome::Served);
    Sample { at: (asker.clock)(), server: server.clone(), kind: Kind::Addresses, outcome }
}

/// What a server that is authoritative for `zone` has for a host of this very zone; `None` where it is not, or where the host
/// lies below a delegation.
pub async fn look_up_at(asker: Asker<'_>, zone: &Name, host: &Name, server: &Server) -> Option<Looked> {
    let answers = [RecordType::A, RecordType::AAAA].map(|rtype| async move {
        let message = asker.ask_for_any(server.address, Protocol::Tcp, &Question::new(host, rtype)).await.ok()?;
        message.metadata.authoritative.then(|| addresses(&message, zone, host))
    });
    let (mut found, mut largest) = (BTreeSet::new(), 0);
    for answer in join_all(answers).await {
        match answer? {
            Ok((records, ttl_s)) => {
                found.extend(records.iter().filter_map(host_address).map(|(_, address)| address));
                largest = largest.max(ttl_s);
            }
            Err(Failure::Alias { of, .. }) => return of.parse().ok().map(Looked::Alias),
            Err(_) => return None,
        }
    }
    Some(Looked::Addresses { addresses: found, ttl_s: largest })
}

/// What a message of a server of `zone` says about one type of `host`, with the TTL for which that may be kept.
fn addresses(message: &Message, zone: &Name, host: &Name) -> Result<(RecordSet, u32), Failure> {
    let is_missing = message.metadata.response_code == ResponseCode::NXDomain && message.metadata.authoritative;
    if let Some(failure) = refused(message).filter(|_| !is_missing) {
        return Err(failure);
    }
    let section = if message.metadata.authoritative {
        &message.answers
    } else if is_referral_below(message, zone, host) {
        // The host lies below a delegation inside the zone: what a resolver gets here is glue.
        &message.additionals
    } else {
        return Err(Failure::NotAuthoritative);
    };
    let (mut records, mut ttl_s) = (RecordSet::new(), 0);
    for record in section.iter().filter(|record| record.name == *host) {
        if let RData::CNAME(of) = &record.data {
            let (host, of) = (host.to_lowercase().to_ascii(), of.0.to_lowercase().to_ascii());
            return Err(Failure::Alias { host, of });
        }
        if let Some(address) = address_in(&record.data) {
            records.insert(address_rdata(host, address));
            ttl_s = ttl_s.max(record.ttl);
        }
    }
    if records.is_empty() {
        ttl_s = negative_ttl_s(message, zone).unwrap_or_default();
    }
    Ok((records, ttl_s))
}

fn is_referral_below(message: &Message, zone: &Name, host: &Name) -> bool {
    referral_below(message, zone, host).is_some()
}

/// The delegation inside the zone to which a message refers whoever asks for `host`.
fn referral_below<'m>(message: &'m Message, zone: &Name, host: &Name) -> Option<&'m Name> {
    let refers = |record: &&Record| {
        record.record_type() == RecordType::NS
            && zone.zone_of(&record.name)
            && record.name != *zone
            && record.name.zone_of(host)
    };
    let found = message.authorities.iter().filter(|_| message.answers.is_empty()).find(refers);
    found.map(|record| &record.name)
}

/// The delegation inside the zone below which a host lies, as one server of the zone says; `None` where it lies below none, and
/// where the server does not answer.
pub async fn delegated_at(asker: Asker<'_>, zone: &Name, host: &Name, server: &Server) -> Option<Name> {
    let question = Question::new(host, RecordType::A);
    let message = asker.ask_for_any(server.address, Protocol::Tcp, &question).await.ok()?;
    let refers = !message.metadata.authoritative && refused(&message).is_none();
    referral_below(&message, zone, host).filter(|_| refers).map(Name::to_lowercase)
}
