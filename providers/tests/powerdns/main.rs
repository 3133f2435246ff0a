//! What is particular to PowerDNS: settings that make it serve something else than it stores, serials, secondaries, and
//! what its interface answers to a write. What every provider does is in `contract`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/pdns.rs"]
#[allow(dead_code)]
mod pdns;
#[path = "../common/proxy.rs"]
#[allow(dead_code)]
mod proxy;
#[path = "../common/records.rs"]
#[allow(dead_code)]
mod records;
#[path = "../rfc2136/servers.rs"]
#[allow(dead_code)]
mod servers;

mod by_updates;
mod settings;
mod writes;

use chorus_providers::{Provider, Rrset};
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
