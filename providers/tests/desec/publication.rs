//! Between what is stored and what is served: late, stuck, and forced out.

use crate::desec::{Server, Trouble, interface, provider, provider_at, start};
use crate::proxy::{Fault, proxy};
use crate::records::{cds, csync, dnskeys, exactly, new_key};
use crate::servers::{alone, zone};
use crate::{serial, served};
use chorus_providers::{Category, Provider};
use hickory_proto::rr::RecordType::{CDS, CSYNC, DNSKEY, NS};

fn writes(server: &Server) -> usize {
    server.state().requests().iter().filter(|line| line.starts_with("PATCH")).count()
}

#[test]
fn what_is_stored_and_stuck_is_forced_out_at_once_and_by_nothing_that_is_served() {
    alone(|| async {
        let server = start().await;
        let key = new_key(256);
        server.state().trouble = Some((Trouble::Distribution, 1));
        let changes = provider().apply(&zone(), &[dnskeys(&[&key], &[]), exactly(CSYNC, [csync()])]).await.unwrap();
        assert_eq!((changes.len(), writes(&server)), (2, 2));
        let keys = served(DNSKEY).await.unwrap();
        assert!(keys.records.contains(&key) && served(CSYNC).await.is_some());
        // The TTL that was changed is one that is not served.
        let ttl_s = server.state().stored("DNSKEY").unwrap().ttl_s;
        assert_eq!((ttl_s, keys.ttl_s, served(NS).await.unwrap().ttl_s), (3601, 3600, 3600));
        assert_eq!(provider().apply(&zone(), &[dnskeys(&[&key], &[])]).await.unwrap(), vec![]);
        assert_eq!(writes(&server), 0);
    });
}

#[test]
fn what_stays_stuck_is_told_and_forced_out_by_the_next_try() {
    alone(|| async {
        let server = start().await;
        let wanted = [exactly(CSYNC, [csync()])];
        server.state().trouble = Some((Trouble::Distribution, 3));
        for _ in 0..2 {
            let stuck = provider().apply(&zone(), &wanted).await.unwrap_err();
            assert_eq!((stuck.code(), stuck.category()), ("update-unpublished", Category::Retry), "{stuck}");
            assert!(stuck.may_have_been_done() && stuck.advice().contains("forced out"));
            assert_eq!((served(CSYNC).await, server.state().stored("CSYNC").is_some()), (None, true));
        }
        assert_eq!(writes(&server), 3, "the change, and one attempt for each try");
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
        assert!(served(CSYNC).await.is_some());
        assert_eq!(writes(&server), 1);
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
        assert_eq!(writes(&server), 0, "it is out");
    });
}

#[test]
fn what_the_server_failed_at_is_forced_out_whatever_it_says_of_its_publication() {
    alone(|| async {
        let server = start().await;
        server.with(|state| (state.trouble, state.says_published) = (Some((Trouble::Distribution, 1)), true));
        assert_eq!(provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap().len(), 1);
        assert_eq!((writes(&server), served(CSYNC).await.is_some()), (2, true));
    });
}

/// Without a failure that is told: only that it is gone.
#[test]
fn a_withdrawal_whose_answer_is_lost_is_forced_out_to_be_sure() {
    alone(|| async {
        let server = start().await;
        provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap();
        server.state().trouble = Some((Trouble::Distribution, 1));
        let proxy = proxy(interface(), |begin| begin.starts_with(b"PATCH "), Fault::ReplyLost).await;
        let unsure = provider_at(proxy.address).apply(&zone(), &[exactly(CSYNC, [])]).await.unwrap_err();
        assert_eq!((unsure.code(), proxy.writes()), ("update-unpublished", 2), "{unsure}");
        assert_eq!(served(CSYNC).await, None);
    });
}

#[test]
fn a_withdrawal_that_is_stuck_is_forced_out_too() {
    alone(|| async {
        let server = start().await;
        let (foreign, none) = ([exactly(CDS, [cds(&new_key(257))])], [exactly(CDS, [])]);
        for times in [1, 2] {
            provider().apply(&zone(), &foreign).await.unwrap();
            assert_eq!(served(CDS).await.unwrap().records.len(), 3);
            server.state().trouble = Some((Trouble::Distribution, times));
            let withdrawn = provider().apply(&zone(), &none).await;
            assert_eq!(withdrawn.is_ok(), times == 1, "{withdrawn:?}");
            assert_eq!(served(CDS).await.unwrap().records.len(), if times == 1 { 2 } else { 3 });
        }
        assert_eq!(provider().apply(&zone(), &none).await.unwrap(), vec![]);
        assert_eq!(served(CDS).await.unwrap().records.len(), 2, "its own digests");
    });
}

#[test]
fn a_stuck_change_whose_answer_is_lost_is_forced_out() {
    alone(|| async {
        let server = start().await;
        server.state().trouble = Some((Trouble::Distribution, 1));
        let proxy = proxy(interface(), |begin| begin.starts_with(b"PATCH "), Fault::ReplyLost).await;
        // The answer to the second write is lost, too.
        let unsure = provider_at(proxy.address).apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
        assert_eq!((unsure.code(), proxy.writes()), ("update-unpublished", 2), "{unsure}");
        assert!(served(CSYNC).await.is_some());
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
