//! What is particular to deSEC, against its stand-in: what its answers mean, records of its own, publication that is stuck,
//! and the account's budget. What every provider does is in `contract`. The stand-in itself is tested here, too: what it does
//! is what deSEC was seen to do.
//!
//! Needs root (network namespaces) and PowerDNS with its SQLite backend.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
#[path = "../common/desec/mod.rs"]
mod desec;
mod limits;
#[path = "../common/pdns.rs"]
#[allow(dead_code)]
mod pdns;
#[path = "../common/proxy.rs"]
#[allow(dead_code)]
mod proxy;
mod publication;
#[path = "../common/records.rs"]
#[allow(dead_code)]
mod records;
#[path = "../rfc2136/servers.rs"]
#[allow(dead_code)]
mod servers;
mod sets;
mod stand_in;

use chorus_providers::{Provider, Rdata, Rrset};
use hickory_proto::rr::RecordType;
use servers::zone;

/// What the name server answers, asked by DNS; `None` for an empty answer.
async fn served(rtype: RecordType) -> Option<Rrset> {
    servers::provider().read(&zone(), &[rtype]).await.unwrap().pop()
}

async fn serial() -> u32 {
    let soa = served(RecordType::SOA).await.unwrap().records.pop_first().unwrap();
    // Serial, refresh, retry, expire and minimum end it.
    let numbers = soa.last_chunk::<20>().unwrap();
    u32::from_be_bytes([numbers[0], numbers[1], numbers[2], numbers[3]])
}

/// The key that everything is signed with.
async fn own_key() -> Rdata {
    let keys = served(RecordType::DNSKEY).await.unwrap().records;
    keys.into_iter().next().unwrap()
}
