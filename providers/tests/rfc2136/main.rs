//! The rfc2136 provider against real BIND 9.18 and Knot 3.2: what it changes, what it is refused, and what it makes of a
//! bad network. Needs root (network namespaces), /usr/sbin/named and /usr/sbin/knotd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod proxy;
#[path = "../common/records.rs"]
#[allow(dead_code)]
mod records;
mod refusals;
mod servers;
mod writes;

use chorus_providers::{Provider, Rdata};
use hickory_proto::rr::RecordType;
use records::{cds, csync, dnskeys, exactly, new_key, ns};
use servers::{provider, zone};
use std::collections::BTreeSet;

/// What the server itself serves.
async fn served(rtype: RecordType) -> BTreeSet<Rdata> {
    let sets = provider().read(&zone(), &[rtype]).await.unwrap();
    sets.into_iter().next().map(|set| set.records).unwrap_or_default()
}

/// The server's own key-signing key.
async fn own_ksk() -> Rdata {
    served(RecordType::DNSKEY).await.into_iter().find(|key| key[..2] == [1, 1]).unwrap()
}
