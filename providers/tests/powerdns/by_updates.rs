//! PowerDNS driven by dynamic updates, which see only what is stored, octet by octet: own keys are not, and a name in capital
//! letters is another one than in small ones. The rest of what it does by updates is in `contract`.

use crate::pdns::{by_updates, provider_by_updates, start};
use crate::records::{dnskeys, exactly, new_key, ns};
use crate::servers::{ADDRESS, SECRET, alone, zone};
use crate::{serial, served};
use chorus_providers::{Category, Provider};
use hickory_proto::rr::RecordType::{DNSKEY, NS};

/// Neither an own key, which would outlive its roll, nor a name server in small letters beside the same in capital ones.
#[test]
fn a_probe_of_a_zone_without_foreign_records_stores_nothing() {
    alone(|| async {
        let _server = start(&by_updates()).await;
        let before = (served(DNSKEY).await, served(NS).await, serial().await);
        provider_by_updates(ADDRESS, SECRET).probe(&zone()).await.unwrap();
        assert_eq!((served(DNSKEY).await, served(NS).await, serial().await), before);
    });
}

/// Deletes of a message are done before its adds: a record that was added and deleted in one message would stay.
#[test]
fn what_else_the_key_may_change_is_tried_without_leaving_anything_behind() {
    alone(|| async {
        let _server = start(&by_updates()).await;
        let provider = provider_by_updates(ADDRESS, SECRET);
        let (before, moved) = (provider.list(&zone()).await.unwrap().unwrap(), serial().await);
        let may = provider.oversteps(&zone()).await.unwrap().unwrap();
        assert_eq!(may, ["a TXT record at the apex", "an address record below the apex"]);
        assert_eq!((provider.list(&zone()).await.unwrap().unwrap(), serial().await), (before, moved));
    });
}

/// Nothing is told of it: the answer holds keys that updates do not see.
#[test]
fn powerdns_is_recognised_by_what_it_does() {
    alone(|| async {
        let _server = start(&by_updates()).await;
        let provider = provider_by_updates(ADDRESS, SECRET);
        assert!(provider.keeps_keys_apart(&zone()).await.unwrap());
        let key = new_key(256);
        provider.apply(&zone(), &[dnskeys(&[&key], &[])]).await.unwrap();
        assert_eq!(served(DNSKEY).await.unwrap().records.len(), 3);
        provider.apply(&zone(), &[dnskeys(&[], &[&key])]).await.unwrap();
        assert_eq!(served(DNSKEY).await.unwrap().records.len(), 2);
    });
}

#[test]
fn a_secret_that_powerdns_does_not_accept_is_told_with_the_settings_of_powerdns() {
    alone(|| async {
        let _server = start(&by_updates()).await;
        let refused = provider_by_updates(ADDRESS, "another secret").probe(&zone()).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman), "{refused:?}");
        let advice = refused.advice();
        assert!(advice.contains("TSIG-ALLOW-DNSUPDATE") && !advice.contains("update-policy"), "{advice}");
    });
}

#[test]
fn a_name_server_in_capital_letters_cannot_be_taken_out_which_is_told() {
    alone(|| async {
        let _server = start(&by_updates()).await;
        let left = exactly(NS, [ns("ns.b.test.")]);
        let ignored = provider_by_updates(ADDRESS, SECRET).apply(&zone(), &[left]).await.unwrap_err();
        assert_eq!((ignored.code(), ignored.category()), ("update-ignored", Category::AskHuman), "{ignored}");
        let records = served(NS).await.unwrap().records;
        assert!(records.contains(&ns("ns.elsewhere.test.")), "{records:?}");
    });
}
