//! Settings with which PowerDNS accepts a write and serves something else, or harms the zone: each is refused, and named.

use crate::pdns::{Setting, provider, start};
use crate::records::{cds, csync, dnskeys, exactly, new_key, ns};
use crate::served;
use crate::servers::{alone, zone};
use chorus_providers::{Category, Provider, Wanted};
use hickory_proto::rr::RecordType::{CDNSKEY, CDS, CSYNC, DNSKEY, NS};

/// With this setting: the probe and each of `refused` fail with this code, and advice that has these words; the other
/// sets are written.
async fn refuses(setting: Setting, code: &str, words: &str, refused: Vec<Wanted>) {
    let _server = start(&setting).await;
    let before = served(DNSKEY).await;
    for wanted in &refused {
        let error = provider().apply(&zone(), std::slice::from_ref(wanted)).await.unwrap_err();
        assert_eq!((error.code(), error.category()), (code, Category::AskHuman), "{wanted:?}: {error}");
        assert!(error.advice().contains(words), "{}", error.advice());
    }
    assert_eq!((served(DNSKEY).await, served(CDS).await, served(CSYNC).await), (before, None, None));
    let probed = provider().probe(&zone()).await.unwrap_err();
    assert_eq!(probed.code(), code, "{probed}");
    let all = [exactly(CSYNC, [csync()]), exactly(NS, [ns("ns1.b.test.")]), exactly(CDS, [cds(&new_key(257))])];
    for other in all.into_iter().filter(|other| refused.iter().all(|wanted| wanted.rtype() != other.rtype())) {
        let rtype = other.rtype();
        if rtype != CDS || code == "publish-cdnskey-on" {
            assert_eq!(provider().apply(&zone(), &[other]).await.unwrap().len(), 1, "{rtype}");
            assert!(served(rtype).await.is_some());
        }
    }
}

fn keys() -> Wanted {
    dnskeys(&[&new_key(256)], &[])
}

fn lines(lines: &[&'static str]) -> Setting {
    Setting { lines: lines.to_vec(), ..Setting::default() }
}

fn commands(commands: &[&'static str]) -> Setting {
    Setting { commands: commands.to_vec(), ..Setting::default() }
}

#[test]
fn without_direct_dnskey_no_key_is_stored_that_would_not_be_served() {
    alone(|| async {
        let key = new_key(257);
        let wanted = vec![keys(), exactly(CDS, [cds(&key)]), exactly(CDNSKEY, [key])];
        refuses(lines(&["direct-dnskey=no"]), "direct-dnskey-off", "`direct-dnskey=yes`", wanted).await;
    });
}

#[test]
fn own_cds_records_that_would_be_mixed_in_are_refused_with_the_setting_that_makes_them() {
    alone(|| async {
        let _server = start(&commands(&["set-publish-cds % 2,4"])).await;
        let own = served(CDS).await.unwrap().records;
        assert_eq!(own.len(), 2, "two digests of the own key");
        let error = provider().apply(&zone(), &[exactly(CDS, [cds(&new_key(257))])]).await.unwrap_err();
        assert_eq!((error.code(), error.category()), ("publish-cds-on", Category::AskHuman), "{error}");
        assert!(error.advice().contains("`pdnsutil unset-publish-cds music1.example.`"), "{}", error.advice());
        assert_eq!(served(CDS).await.unwrap().records, own);
        provider().apply(&zone(), &[keys(), exactly(CDNSKEY, [new_key(257)])]).await.unwrap();
    });
}

#[test]
fn own_cds_records_by_default_are_refused_too_but_where_the_zone_says_otherwise() {
    alone(|| async {
        let wanted = [exactly(CDS, [cds(&new_key(257))])];
        let server = start(&lines(&["default-publish-cds=2"])).await;
        assert!(served(CDS).await.is_some());
        let error = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!(error.code(), "publish-cds-on", "{error}");
        assert!(error.advice().contains("`default-publish-cds`"), "{}", error.advice());
        drop(server);
        // The blank at the end: an empty value, where without it there would be none.
        let setting = Setting { lines: vec!["default-publish-cds=2"], commands: vec!["set-meta % PUBLISH-CDS "] };
        let _server = start(&setting).await;
        assert_eq!(served(CDS).await, None);
        assert_eq!(provider().apply(&zone(), &wanted).await.unwrap().len(), 1);
        assert_eq!(served(CDS).await.unwrap().records.len(), 1);
    });
}

#[test]
fn own_cdnskey_records_are_refused_and_all_else_is_not() {
    alone(|| async {
        let setting = commands(&["set-publish-cdnskey %"]);
        let _server = start(&setting).await;
        let error = provider().apply(&zone(), &[exactly(CDNSKEY, [new_key(257)])]).await.unwrap_err();
        assert_eq!(error.code(), "publish-cdnskey-on", "{error}");
        assert_eq!(provider().probe(&zone()).await.unwrap_err().code(), "publish-cdnskey-on");
        provider().apply(&zone(), &[keys(), exactly(CDS, [cds(&new_key(257))])]).await.unwrap();
    });
}

#[test]
fn a_zone_that_is_not_rectified_is_left_alone() {
    alone(|| async {
        let wanted = || vec![keys(), exactly(CDS, []), exactly(CSYNC, [csync()]), exactly(NS, [ns("ns1.b.test.")])];
        let words = "`default-api-rectify=yes`";
        refuses(lines(&["default-api-rectify=no"]), "rectify-off", words, wanted()).await;
        refuses(commands(&["set-meta % API-RECTIFY 0"]), "rectify-off", words, wanted()).await;
        let setting = Setting { lines: vec!["default-api-rectify=no"], commands: vec!["set-meta % API-RECTIFY 1"] };
        let _server = start(&setting).await;
        provider().probe(&zone()).await.unwrap();
    });
}

#[test]
fn a_zone_that_comes_from_elsewhere_is_left_alone() {
    alone(|| async {
        let wanted = || vec![keys(), exactly(CSYNC, [csync()]), exactly(NS, [ns("ns1.b.test.")])];
        refuses(commands(&["set-kind % slave"]), "zone-is-secondary", "primary server", wanted()).await;
    });
}

#[test]
fn all_settings_that_stand_in_the_way_are_told_at_once() {
    alone(|| async {
        let setting = Setting { lines: vec!["direct-dnskey=no"], commands: vec!["set-publish-cds % 2"] };
        let _server = start(&setting).await;
        let error = provider().probe(&zone()).await.unwrap_err();
        assert_eq!(error.code(), "direct-dnskey-off");
        for word in ["direct-dnskey=yes", "unset-publish-cds"] {
            assert!(error.advice().contains(word), "{}", error.advice());
        }
    });
}

#[test]
fn a_zone_without_name_servers_is_not_brought_about() {
    alone(|| async {
        let _server = start(&Setting::default()).await;
        let refused = provider().apply(&zone(), &[exactly(NS, [])]).await.unwrap_err();
        assert_eq!(refused.code(), "unsupported");
        assert_eq!(served(NS).await.unwrap().records.len(), 2);
    });
}
