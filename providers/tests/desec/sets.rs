//! deSEC's own records beside the stored ones, TTLs, name servers, lists, and how many requests it all takes.

use crate::desec::{Server, provider, start};
use crate::records::{cds, cds_of, csync, dnskeys, exactly, new_key, ns};
use crate::servers::{alone, zone};
use crate::{own_key, served};
use chorus_providers::{Category, Provider, Rdata, Wanted};
use hickory_proto::dnssec::DigestType::{SHA256, SHA384};
use hickory_proto::rr::RecordType::{self, CDNSKEY, CDS, CSYNC, DNSKEY, NS};
use std::collections::BTreeSet;

fn stored(server: &Server, rtype: &str) -> usize {
    server.state().stored(rtype).map_or(0, |set| set.records.len())
}

fn with_ttl(wanted: Wanted, seconds: u32) -> Wanted {
    match wanted {
        Wanted::Exactly { rtype, records, .. } => Wanted::Exactly { rtype, ttl_s: seconds, records },
        Wanted::Partly { rtype, with, without, .. } => Wanted::Partly { rtype, ttl_s: seconds, with, without },
    }
}

#[test]
fn own_records_are_served_beside_the_stored_ones_and_never_stored() {
    alone(|| async {
        let server = start().await;
        let (own, foreign) = (own_key().await, new_key(257));
        let digests = |key: &Rdata| [cds_of(key, SHA256), cds_of(key, SHA384)];
        let types = [DNSKEY, CDS, CDNSKEY];
        let before = provider().read(&zone(), &types).await.unwrap();
        let records: Vec<BTreeSet<Rdata>> = before.into_iter().map(|set| set.records).collect();
        assert_eq!(records, [BTreeSet::from([own.clone()]), digests(&own).into(), BTreeSet::from([own.clone()])]);

        let all = digests(&own).into_iter().chain(digests(&foreign));
        let wanted =
            [dnskeys(&[&own, &foreign], &[]), exactly(CDS, all), exactly(CDNSKEY, [own.clone(), foreign.clone()])];
        provider().apply(&zone(), &wanted).await.unwrap();
        assert_eq!(["DNSKEY", "CDS", "CDNSKEY"].map(|rtype| stored(&server, rtype)), [1, 2, 1]);
        for (rtype, count) in [(DNSKEY, 2), (CDS, 4), (CDNSKEY, 2)] {
            let read = provider().read(&zone(), &[rtype]).await.unwrap().pop().unwrap();
            assert_eq!((read.records.len(), Some(read)), (count, served(rtype).await), "{rtype}");
        }

        // What is wanted of its own or not makes no difference.
        let without_own = [exactly(CDS, digests(&foreign)), exactly(CDNSKEY, [foreign])];
        assert_eq!(provider().apply(&zone(), &without_own).await.unwrap(), vec![]);
        let none = [exactly(CDS, []), exactly(CDNSKEY, [])];
        assert_eq!(provider().apply(&zone(), &none).await.unwrap().len(), 2);
        assert_eq!(served(CDS).await.unwrap().records, digests(&own).into());
        assert_eq!((stored(&server, "CDS"), provider().apply(&zone(), &none).await.unwrap()), (0, vec![]));
    });
}

#[test]
fn what_somebody_stored_of_an_own_key_is_no_foreign_one() {
    alone(|| async {
        let server = start().await;
        let own = own_key().await;
        let text = {
            use base64::Engine;
            format!("257 3 13 {}", base64::engine::general_purpose::STANDARD.encode(&own[4..]))
        };
        server.state().write("DNSKEY", 3600, &[&text]);
        let refused = provider().apply(&zone(), &[dnskeys(&[], &[&own])]).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("update-ignored", Category::AskHuman), "{refused}");
        assert_eq!((stored(&server, "DNSKEY"), served(DNSKEY).await.unwrap().records.len()), (0, 1));
        server.state().write("DNSKEY", 3600, &[&text]);
        let foreign = new_key(256);
        assert_eq!(provider().apply(&zone(), &[dnskeys(&[&foreign, &own], &[])]).await.unwrap().len(), 1);
        assert_eq!(stored(&server, "DNSKEY"), 1, "it would stay when the key is gone");
        assert_eq!(served(DNSKEY).await.unwrap().records, BTreeSet::from([own, foreign]));
    });
}

#[test]
fn own_keys_are_read_anew_each_time() {
    alone(|| async {
        let server = start().await;
        assert_eq!(provider().read(&zone(), &[DNSKEY]).await.unwrap()[0].records.len(), 1);
        server.signer.as_ref().unwrap().util("add-zone-key % ksk active published ecdsa256");
        server.signer.as_ref().unwrap().util("add-zone-key % zsk active published ecdsa256");
        let sets = provider().read(&zone(), &[DNSKEY, CDS, CDNSKEY]).await.unwrap();
        assert_eq!(
            sets.iter().map(|set| set.records.len()).collect::<Vec<_>>(),
            [3, 4, 2],
            "CDS of key-signing keys only"
        );
    });
}

#[test]
fn ttls_are_raised_to_the_zone_s_minimum_and_read_as_they_are_served() {
    alone(|| async {
        let server = start().await;
        let wanted = [
            dnskeys(&[&new_key(256)], &[]),
            exactly(CDS, [cds(&new_key(257))]),
            with_ttl(exactly(CSYNC, [csync()]), 7200),
            with_ttl(exactly(NS, [ns("ns1.b.test.")]), 60),
        ];
        provider().apply(&zone(), &wanted).await.unwrap();
        let read = provider().read(&zone(), &[DNSKEY, CDS, CSYNC, NS]).await.unwrap();
        assert_eq!(read.iter().map(|set| set.ttl_s).collect::<Vec<_>>(), [3600, 3600, 7200, 3600]);
        for set in read {
            assert_eq!(served(set.rtype).await.unwrap(), set);
        }
        // Whoever stored it with which TTL, it is served with that of the signer.
        server.state().write("CDNSKEY", 86_400, &["257 3 13 AQID"]);
        for rtype in [CDNSKEY, CDS] {
            let read = provider().read(&zone(), &[rtype]).await.unwrap().pop();
            assert_eq!((read.as_ref().unwrap().ttl_s, &served(rtype).await), (3600, &read));
        }
        assert_eq!(provider().largest_ttl_s(&zone()).await.unwrap(), Some(7200));
        // Where less is allowed, less is had; but not of what the signer gives its own TTL.
        server.state().minimum_ttl_s = 60;
        let wanted = [dnskeys(&[&new_key(256)], &[]), with_ttl(exactly(NS, [ns("ns2.b.test.")]), 60)];
        provider().apply(&zone(), &wanted).await.unwrap();
        let ttls = (served(DNSKEY).await.unwrap().ttl_s, served(NS).await.unwrap().ttl_s);
        assert_eq!((ttls, server.state().stored("DNSKEY").unwrap().ttl_s), ((3600, 60), 3600));
    });
}

#[test]
fn a_zone_without_name_servers_is_not_brought_about() {
    alone(|| async {
        let server = start().await;
        let all = served(NS).await.unwrap().records;
        let away = Wanted::Partly { rtype: NS, ttl_s: 5, with: BTreeSet::new(), without: all.clone() };
        for wanted in [exactly(NS, []), away] {
            let refused = provider().apply(&zone(), &[wanted]).await.unwrap_err();
            assert_eq!((refused.code(), refused.category()), ("unsupported", Category::AskHuman), "{refused}");
        }
        assert_eq!((served(NS).await.unwrap().records, stored(&server, "NS")), (all, 2));
    });
}

#[test]
fn a_cds_that_asks_for_no_ds_is_refused_before_anything_is_sent() {
    alone(|| async {
        let server = start().await;
        for (rtype, rdata) in [(CDS, vec![0; 5]), (CDNSKEY, vec![0, 0, 3, 0, 0])] {
            let refused = provider().apply(&zone(), &[exactly(rtype, [rdata])]).await.unwrap_err();
            assert_eq!(refused.code(), "unsupported");
            assert!(refused.to_string().contains("at the registrar"), "{refused}");
        }
        assert_eq!(server.state().requests(), Vec::<String>::new());
    });
}

#[test]
fn a_change_of_all_sets_is_one_write_between_three_reads() {
    alone(|| async {
        let server = start().await;
        let key = new_key(257);
        let wanted = [
            dnskeys(&[&key], &[]),
            exactly(CDS, [cds(&key)]),
            exactly(CDNSKEY, [key.clone()]),
            exactly(CSYNC, [csync()]),
            exactly(NS, [ns("ns1.b.test.")]),
        ];
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap().len(), 5);
        let zone_path = "/api/v1/domains/music1.example/";
        let (domain, sets, write) =
            (format!("GET {zone_path}"), format!("GET {zone_path}rrsets/"), format!("PATCH {zone_path}rrsets/"));
        assert_eq!(server.state().requests(), [&domain, &sets, &write, &sets].map(String::as_str));
        provider().apply(&zone(), &wanted).await.unwrap();
        assert_eq!(server.state().requests(), [&domain, &sets].map(String::as_str), "nothing is to be written");
        provider().read(&zone(), &[CSYNC, NS]).await.unwrap();
        assert_eq!(server.state().requests(), [&sets].map(String::as_str), "those have nothing to do with keys");
        // Signer and names are asked for as they are spelled there.
        let mixed = hickory_proto::rr::Name::from_ascii("Music1.EXAMPLE").unwrap();
        assert_eq!(provider().read(&mixed, &[NS]).await.unwrap()[0].records.len(), 1);
    });
}

#[test]
fn a_long_list_is_read_page_by_page() {
    alone(|| async {
        let server = start().await;
        let whole = provider().list(&zone()).await.unwrap().unwrap();
        assert_eq!(server.state().requests().len(), 1);
        for page in [1, 2, 3] {
            server.state().page = page;
            assert_eq!(provider().list(&zone()).await.unwrap().unwrap(), whole, "pages of {page}");
            let log = server.state().requests();
            assert_eq!(log.len(), 1 + 4_usize.div_ceil(page), "{log:?}");
            assert_eq!(provider().largest_ttl_s(&zone()).await.unwrap(), Some(7200));
            server.state().requests();
        }
        let types: BTreeSet<RecordType> = whole.keys().map(|(_, rtype)| *rtype).collect();
        assert_eq!((whole.len(), types.contains(&RecordType::TXT)), (4, true));
        // One more than is ever asked for.
        server.with(|state| {
            state.page = 1;
            for n in 0..37 {
                state.put((format!("h{n}"), "A".to_owned()), 3600, vec!["192.0.2.1".to_owned()]);
            }
        });
        assert_eq!(provider().list(&zone()).await.unwrap(), None);
        assert_eq!(provider().largest_ttl_s(&zone()).await.unwrap(), None);
    });
}
