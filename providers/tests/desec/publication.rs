//! Between what is stored and what is served: late, stored and not published, rolled back and published all the same.

use crate::desec::{Server, Trouble, interface, provider, provider_at, start};
use crate::proxy::{Fault, proxy};
use crate::records::{cds, csync, dnskeys, exactly, new_key, ns};
use crate::servers::{alone, zone};
use crate::{serial, served};
use chorus_providers::{Category, Provider, Rrset, Wanted};
use hickory_proto::rr::RecordType::{CDS, CSYNC, DNSKEY, NS};

fn writes(server: &Server) -> usize {
    server.state().requests().iter().filter(|line| line.starts_with("PATCH")).count()
}

/// As the controller does it when no name server shows what the API has: with what they show instead.
async fn again(wanted: &[Wanted]) -> bool {
    let mut shown: Vec<Rrset> = Vec::new();
    for one in wanted {
        shown.extend(served(one.rtype()).await);
    }
    provider().publish_again(&zone(), wanted, Some(&shown)).await.unwrap()
}

#[test]
fn a_change_that_is_stored_and_not_published_is_told_and_published_again_and_leaves_nothing_behind() {
    alone(|| async {
        let server = start().await;
        let key = new_key(256);
        let wanted = [dnskeys(&[&key], &[]), exactly(CSYNC, [csync()])];
        server.state().trouble = Some((Trouble::Distribution, 1));
        let stuck = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((stuck.code(), stuck.category()), ("update-unpublished", Category::Retry), "{stuck}");
        assert!(stuck.may_have_been_done() && !stuck.advice().contains("Nothing needs to be done"));
        assert_eq!((writes(&server), served(CSYNC).await), (1, None));
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![], "the API shows all of it");
        assert!(again(&wanted).await);
        assert_eq!(writes(&server), 2);
        let keys = served(DNSKEY).await.unwrap();
        assert!(keys.records.contains(&key) && served(CSYNC).await.is_some());
        let state = server.state();
        let ttls = ["DNSKEY", "CSYNC", "NS"].map(|rtype| state.stored(rtype).unwrap().ttl_s);
        assert_eq!((ttls, keys.ttl_s), ([3600; 3], 3600));
    });
}

/// Nothing in the API tells of it: a set that is gone has no time of its own.
#[test]
fn a_deletion_that_is_stored_and_not_published_is_published_again_even_when_nothing_else_is_stored() {
    alone(|| async {
        let server = start().await;
        for foreign in [exactly(CSYNC, [csync()]), exactly(CDS, [cds(&new_key(257))])] {
            let rtype = foreign.rtype();
            let before = served(rtype).await;
            provider().apply(&zone(), std::slice::from_ref(&foreign)).await.unwrap();
            let with = served(rtype).await;
            assert_ne!(with, before);
            server.state().trouble = Some((Trouble::Distribution, 1));
            let none = [exactly(rtype, [])];
            let stuck = provider().apply(&zone(), &none).await.unwrap_err();
            assert_eq!((stuck.code(), served(rtype).await), ("update-unpublished", with));
            assert!(again(&none).await);
            assert_eq!(served(rtype).await, before, "{rtype}");
        }
        assert_eq!(server.state().stored("NS").unwrap().ttl_s, 3600);
    });
}

#[test]
fn what_the_primary_has_and_the_api_rolled_back_is_taken_out_of_the_primary() {
    alone(|| async {
        let server = start().await;
        server.state().trouble = Some((Trouble::RolledBack, 1));
        let wanted = [exactly(NS, [ns("ns.elsewhere.test."), ns("ns1.b.test.")])];
        let unknown = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
        // Somebody's change of another set publishes what the primary has.
        server.state().write("CSYNC", 3600, &["0 0 NS"]);
        assert_eq!(served(NS).await.unwrap().records.len(), 2);
        assert!(served(NS).await.unwrap().records.contains(&ns("ns1.b.test.")));
        // It is not wanted any more; the API never had it.
        let back = [exactly(NS, [ns("ns1.music1.example."), ns("ns.elsewhere.test.")])];
        assert_eq!(provider().apply(&zone(), &back).await.unwrap(), vec![], "an empty difference is no proof");
        assert!(served(NS).await.unwrap().records.contains(&ns("ns1.b.test.")));
        assert!(again(&back).await);
        let now = served(NS).await.unwrap();
        assert_eq!((now.records.contains(&ns("ns1.b.test.")), now.records.len(), now.ttl_s), (false, 2, 3600));
    });
}

#[test]
fn a_second_write_that_does_not_come_through_is_made_by_the_next_change() {
    alone(|| async {
        let server = start().await;
        let wanted = [exactly(CSYNC, [csync()])];
        provider().apply(&zone(), &wanted).await.unwrap();
        let none = [exactly(CSYNC, [])];
        server.state().trouble = Some((Trouble::Distribution, 1));
        provider().apply(&zone(), &none).await.unwrap_err();
        // The first of the two writes is the last that comes through.
        let shown: Vec<Rrset> = served(CSYNC).await.into_iter().collect();
        server.state().trouble = Some((Trouble::Distribution, 1));
        let stuck = provider().publish_again(&zone(), &none, Some(&shown)).await.unwrap_err();
        assert_eq!(stuck.code(), "update-unpublished", "{stuck}");
        assert!(!provider().publish_again(&zone(), &none, Some(&shown)).await.unwrap(), "the API has another state");
        assert_eq!(provider().apply(&zone(), &none).await.unwrap().len(), 1);
        assert_eq!(served(CSYNC).await, None);
    });
}

/// One name server shows it already: the others lack the publication, and nothing that is served changes.
#[test]
fn where_a_name_server_shows_the_change_the_zone_is_published_again_by_nothing_that_is_served() {
    alone(|| async {
        let server = start().await;
        let before = serial().await;
        for wanted in [exactly(NS, [ns("ns1.music1.example."), ns("ns.elsewhere.test.")]), exactly(CDS, [])] {
            let was = (served(NS).await, served(DNSKEY).await, served(CDS).await);
            assert!(provider().publish_again(&zone(), &[wanted], None).await.unwrap());
            assert_eq!((served(NS).await, served(DNSKEY).await, served(CDS).await), was);
        }
        assert!(serial().await > before && server.state().stored("DNSKEY").is_none());
        let foreign = [exactly(CDS, [cds(&new_key(257))])];
        provider().apply(&zone(), &foreign).await.unwrap();
        let (was, ttl_s) = (served(CDS).await, server.state().stored("CDS").unwrap().ttl_s);
        assert!(provider().publish_again(&zone(), &foreign, None).await.unwrap());
        assert_eq!((served(CDS).await, server.state().stored("CDS").unwrap().ttl_s), (was, ttl_s));
    });
}

/// The probe moves what deSEC calls `touched`.
#[test]
fn a_probe_is_never_taken_for_a_publication_that_is_stuck() {
    alone(|| async {
        let server = start().await;
        let (wanted, before) = ([exactly(CSYNC, [])], serial().await);
        for _ in 0..2 {
            provider().probe(&zone()).await.unwrap();
            assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
        }
        assert_eq!((serial().await, served(NS).await.unwrap().ttl_s), (before, 3600));
        assert_eq!(server.state().stored("NS").unwrap().ttl_s, 3600);
    });
}

#[test]
fn a_change_whose_answer_is_lost_is_done_and_left_to_the_name_servers_to_show() {
    alone(|| async {
        let server = start().await;
        let proxy = proxy(interface(), |begin| begin.starts_with(b"PATCH "), Fault::ReplyLost).await;
        let lost = provider_at(proxy.address);
        assert_eq!(lost.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap().len(), 1);
        assert_eq!(lost.apply(&zone(), &[exactly(CSYNC, [])]).await.unwrap().len(), 1);
        assert_eq!((proxy.writes(), writes(&server), served(CSYNC).await), (2, 2, None));
    });
}

#[test]
fn a_write_that_hangs_is_unknown_meets_the_next_one_and_is_done_late() {
    alone(|| async {
        let server = start().await;
        let wanted = [exactly(CSYNC, [csync()])];
        server.state().hangs_ms = Some(4000);
        let unknown = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
        let contended = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((contended.code(), contended.category()), ("update-overtaken", Category::Retry), "{contended}");
        while served(CSYNC).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
    });
}

#[test]
fn a_page_instead_of_an_answer_with_nothing_stored_leaves_the_outcome_open() {
    alone(|| async {
        let server = start().await;
        server.state().trouble = Some((Trouble::Primary, 1));
        let unknown = provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
        assert_eq!((writes(&server), served(CSYNC).await), (1, None));
        assert_eq!(provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap().len(), 1);
    });
}

#[test]
fn what_is_only_late_is_waited_for_and_not_written_again() {
    alone(|| async {
        let server = start().await;
        server.state().late = true;
        let wanted = [exactly(CSYNC, [csync()])];
        let before = serial().await;
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap().len(), 1);
        assert_eq!(served(CSYNC).await, None);
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
        assert_eq!((writes(&server), serial().await), (1, before));
        server.state().publish();
        assert!(served(CSYNC).await.is_some());
    });
}
