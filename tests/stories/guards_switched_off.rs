//! The counter-proof: with one guard taken out of the daemon, both judges must see failures. Otherwise all the clean
//! stories would say nothing.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

const SWITCH: &str = "CHORUS_TEST_WITHOUT_GUARD";

#[test]
fn without_the_dnskey_guard_a_join_is_seen_to_fail() {
    in_own_network(LIMIT, || async {
        // With DNSKEY sets that live longer than DS sets; else the guard for the latter covers for the one that is missing.
        let cast = Cast { env: vec![(SWITCH, "dnskey,check")], ttl_s: 15, ..Cast::new(&[BIND, KNOT]) };
        let stage = Stage::set("no-dnskey-guard", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_exposed();
    });
}

#[test]
fn without_the_data_guard_a_leave_is_seen_to_fail() {
    in_own_network(LIMIT, || async {
        let cast = Cast { env: vec![(SWITCH, "data,check")], data_ttl_s: 20, ..Cast::new(&[BIND, KNOT]) };
        let stage = Stage::set("no-data-guard", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.probed(&["a", "b"]).await;
        stage.command(&["zone", "leave", CHILD, "b"]).await;
        stage.assert_exposed();
    });
}
