//! What is written and what is left alone.

use crate::servers::{ADDRESS, clock};
use crate::servers::{Kind, SECRET, Setting, alone, config, key, provider, start, zone};
use crate::{cds, csync, dnskeys, exactly, new_key, ns, own_ksk, served};
use chorus_providers::Provider;
use chorus_providers::rfc2136::{Rfc2136, Rfc2136Config};
use chorus_providers::tsig::TsigAlgorithm;
use hickory_proto::rr::RecordType::{CDNSKEY, CDS, CSYNC, DNSKEY, NS};
use std::collections::BTreeSet;

async fn joins_and_leaves(kind: Kind) {
    let _server = start(kind, Setting::default()).await;
    let (ksk, zsk, own) = (new_key(257), new_key(256), own_ksk().await);
    let own_keys = served(DNSKEY).await;
    let before = served(NS).await;
    assert_eq!(before, BTreeSet::from([ns("ns1.music1.example."), ns("ns.elsewhere.test.")]));

    let joined = [
        dnskeys(&[&ksk, &zsk], &[]),
        exactly(CDS, [cds(&own), cds(&ksk)]),
        exactly(CDNSKEY, [own.clone(), ksk.clone()]),
        exactly(CSYNC, [csync()]),
        exactly(NS, before.iter().cloned().chain([ns("ns.b.test.")])),
    ];
    let changes = provider().apply(&zone(), &joined).await.unwrap();
    assert_eq!(changes.iter().map(|c| c.rtype).collect::<Vec<_>>(), [DNSKEY, CDNSKEY, CDS, CSYNC, NS]);
    assert!(changes.iter().all(|c| c.removed.is_empty()), "{changes:?}");
    assert_eq!(changes[0].added, BTreeSet::from([ksk.clone(), zsk.clone()]));

    assert_eq!(served(CDS).await, BTreeSet::from([cds(&own), cds(&ksk)]));
    assert_eq!(served(CDNSKEY).await, BTreeSet::from([own.clone(), ksk.clone()]));
    assert_eq!(served(CSYNC).await, BTreeSet::from([csync()]));
    assert!(served(NS).await.contains(&ns("ns.b.test.")));
    assert!(served(DNSKEY).await.is_superset(&own_keys));
    assert_eq!(provider().apply(&zone(), &joined).await.unwrap(), vec![], "a second time there is nothing to do");

    let left = [
        dnskeys(&[], &[&ksk, &zsk]),
        exactly(CDS, [cds(&own)]),
        exactly(CDNSKEY, [own.clone()]),
        exactly(CSYNC, []),
        exactly(NS, before.clone()),
    ];
    let changes = provider().apply(&zone(), &left).await.unwrap();
    assert!(changes.iter().all(|c| c.added.is_empty()), "{changes:?}");
    assert_eq!(changes.len(), 5);
    assert_eq!(served(DNSKEY).await, own_keys);
    assert_eq!(served(NS).await, before);
    assert_eq!(served(CSYNC).await, BTreeSet::new());
    assert_eq!(provider().apply(&zone(), &left).await.unwrap(), vec![]);
}

#[test]
fn bind_takes_foreign_records_of_five_types_at_once_and_gives_them_back() {
    alone(|| joins_and_leaves(Kind::Bind));
}

#[test]
fn knot_takes_foreign_records_of_five_types_at_once_and_gives_them_back() {
    alone(|| joins_and_leaves(Kind::Knot));
}

async fn replaces_all_name_servers(kind: Kind) {
    let _server = start(kind, Setting::default()).await;
    let wanted = [exactly(NS, [ns("ns1.b.test."), ns("ns2.b.test.")])];
    let changes = provider().apply(&zone(), &wanted).await.unwrap();
    assert_eq!((changes[0].added.len(), changes[0].removed.len()), (2, 2));
    assert_eq!(served(NS).await, BTreeSet::from([ns("ns1.b.test."), ns("ns2.b.test.")]));
}

#[test]
fn bind_keeps_no_old_name_server_when_all_are_replaced() {
    alone(|| replaces_all_name_servers(Kind::Bind));
}

#[test]
fn knot_keeps_no_old_name_server_when_all_are_replaced() {
    alone(|| replaces_all_name_servers(Kind::Knot));
}

async fn probes_without_a_change(kind: Kind) {
    let _server = start(kind, Setting::default()).await;
    let provider = provider();
    let types = [DNSKEY, CDS, CDNSKEY, CSYNC, NS];
    // What a server adds by itself at its first key event must not look like the probe's work.
    let (own, key) = (own_ksk().await, new_key(257));
    let wanted = [dnskeys(&[&key], &[]), exactly(CDS, [cds(&own), cds(&key)]), exactly(CDNSKEY, [own, key.clone()])];
    provider.apply(&zone(), &wanted).await.unwrap();
    let soa = || crate::served(hickory_proto::rr::RecordType::SOA);
    let (before, serial) = (provider.read(&zone(), &types).await.unwrap(), soa().await);
    provider.probe(&zone()).await.unwrap();
    assert_eq!(provider.read(&zone(), &types).await.unwrap(), before);
    // BIND raises the serial by itself while it brings its first keys in.
    if kind == Kind::Knot {
        assert_eq!(soa().await, serial, "the serial shows a change");
    }
    for (name, algorithm) in [("ctl384.", TsigAlgorithm::HmacSha384), ("CTL512", TsigAlgorithm::HmacSha512)] {
        let config = Rfc2136Config::new(ADDRESS.parse().unwrap(), key_of(name, algorithm));
        Rfc2136::new(config, clock()).probe(&zone()).await.unwrap();
    }
}

fn key_of(name: &str, algorithm: TsigAlgorithm) -> chorus_providers::tsig::TsigKey {
    key(name, algorithm, SECRET)
}

#[test]
fn probing_bind_changes_nothing_with_any_algorithm() {
    alone(|| probes_without_a_change(Kind::Bind));
}

#[test]
fn probing_knot_changes_nothing_with_any_algorithm() {
    alone(|| probes_without_a_change(Kind::Knot));
}

/// So many hosts that the transfer takes several messages.
async fn lists_the_zone(kind: Kind) {
    let _server = start(kind, Setting { hosts: 1500, ..Setting::default() }).await;
    assert_eq!(provider().largest_ttl_s(&zone()).await.unwrap(), Some(300));
    let stranger = Rfc2136::new(config(ADDRESS, "stranger.", SECRET), clock());
    let refused = stranger.largest_ttl_s(&zone()).await.unwrap_err();
    assert!(refused.forbids_listing(), "{refused:?}");
    let wrong = Rfc2136::new(config(ADDRESS, "ctl.", "another secret"), clock());
    assert_eq!(wrong.largest_ttl_s(&zone()).await.unwrap_err().code(), "tsig-badsig");
}

#[test]
fn the_largest_ttl_in_a_zone_of_bind_is_listed_where_permitted() {
    alone(|| lists_the_zone(Kind::Bind));
}

#[test]
fn the_largest_ttl_in_a_zone_of_knot_is_listed_where_permitted() {
    alone(|| lists_the_zone(Kind::Knot));
}
