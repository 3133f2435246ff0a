//! A name server inside the zone whose addresses are new: caches may hold that there were none.
#![cfg(feature = "guard-switches")]

use crate::edge::{B, a_has, b_is_inside, b_is_inside_since};
use crate::in_flight::{LATER_S, names};
use chorus::model::switches::Switch;

const HOST: &str = "ns2.child.example.";
/// a's SOA record has a TTL of an hour; and 60 s.
const DENIED_S: i64 = 3660;

#[test]
fn a_denial_from_before_the_addresses_were_seen_is_waited_for() {
    let seen_s = LATER_S - 100;
    for (left_out, opens_s) in [(&[][..], seen_s + DENIED_S), (&[Switch::DeniedAddresses], LATER_S)] {
        let mut f = b_is_inside_since(seen_s, &[(HOST, B)]);
        f.lifetimes.without = left_out.iter().copied().collect();
        assert!(!left_out.is_empty() || !names(&f, opens_s - 1));
        assert!(names(&f, opens_s), "{left_out:?}");
    }
}

#[test]
fn a_host_that_was_seen_without_addresses_counts_by_that_version() {
    let mut f = b_is_inside(&[]);
    a_has(&mut f, LATER_S, &[(HOST, B)]);
    assert!(!names(&f, LATER_S + DENIED_S - 1) && names(&f, LATER_S + DENIED_S));
}
