//! What the oracle costs in a typical simulated world: prints figures, asserts nothing.
//!
//! `cargo bench --bench oracle`
#![allow(clippy::disallowed_methods)]

use chorus::sim::oracle::{Address, Oracle, Rrset, Set, Settings, View, Whose};
use std::time::Instant;

fn rrset(version: u32, records: &[u16], ttl_s: u32, signers: &[u16]) -> Option<Rrset> {
    Some(Rrset { version, records: records.into(), ttl_s, signers: Set::from(signers) })
}

/// Two parents' addresses and three operators with two each.
fn addresses() -> Vec<Address> {
    let hosts: Vec<u16> = (1..=6).collect();
    let keys: Vec<u16> = (0..6).collect();
    let at = |i: u16| {
        let operator = i.saturating_sub(2) / 2;
        let (version, is_parent) = (u32::from(operator) * 10, i < 2);
        let data = |which: u8, ttl_s| rrset(version + 2 + u32::from(which), &[], ttl_s, &[2 * operator + 1]);
        Address {
            whose: if is_parent { Whose::Parent } else { Whose::Operator(operator as u8) },
            host: i.saturating_sub(1),
            place: 0,
            leads: None,
            leads_of: Set::default(),
            up: true,
            serves: true,
            ds: rrset(1000, &[0, 2, 4], 3600, &[]).filter(|_| is_parent),
            delegation: rrset(1001, &hosts, 86_400, &[]).filter(|_| is_parent),
            dnskey: rrset(version, &keys, 3600, &[2 * operator]).filter(|_| !is_parent),
            ns: rrset(version + 1, &hosts, 3600, &[2 * operator + 1]).filter(|_| !is_parent),
            answers: [(0, 300), (1, 86_400), (2, 1800), (3, 900)]
                .into_iter()
                .filter_map(|(which, ttl_s)| Some((which, data(which, ttl_s).filter(|_| !is_parent)?)))
                .collect(),
        }
    };
    (0..8).map(at).collect()
}

fn main() {
    const WORLDS: u64 = 300;
    const CALLS: u32 = 500;
    for resolvers in [0, 14] {
        let begun = Instant::now();
        let mut glitches = 0;
        for seed in 0..WORLDS {
            let mut oracle = Oracle::new(seed, Settings { resolvers, stale_s: 3600, ..Settings::default() });
            let mut addresses = addresses();
            for call in 0..CALLS {
                // Every call, one address serves a new version of something, which goes with all the others.
                let at = 2 + (call % 6) as usize;
                if let Some(set) = addresses.get_mut(at).and_then(|address| address.dnskey.as_mut()) {
                    set.version = 10_000 + call;
                }
                let from = i64::from(call) * 600_000;
                glitches += oracle.advance(&View { addresses: &addresses }, from, from + 600_000).len();
            }
        }
        let each = begun.elapsed() / WORLDS as u32;
        println!("crowd and {resolvers} resolvers: {each:?} for a world of {CALLS} stretches, {glitches} glitches");
    }
}
