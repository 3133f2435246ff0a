//! Servers that say no, and servers that say yes and do nothing.

use crate::servers::{ADDRESS, Kind, SECRET, Setting, alone, clock, clock_off_by, config, provider, start, zone};
use crate::{cds, csync, dnskeys, exactly, new_key, own_ksk, served};
use chorus_providers::rfc2136::{RecordChange, Rfc2136, Update};
use chorus_providers::{Category, Change, Provider, ProviderError};
use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType::{CDS, CSYNC, DNSKEY, NS};
use std::collections::BTreeSet;

async fn apply_with(name: &str, secret: &str, clock_off_s: i64) -> ProviderError {
    let provider = Rfc2136::new(config(ADDRESS, name, secret), clock_off_by(clock_off_s));
    let refused = provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
    assert_eq!(served(CSYNC).await, BTreeSet::new(), "nothing is done when refused");
    assert!(!refused.to_string().contains(SECRET) && !format!("{refused:?}").contains(SECRET));
    refused
}

async fn refuses(kind: Kind) {
    let _server = start(kind, Setting::default()).await;

    let wrong_secret = apply_with("ctl.", "another secret", 0).await;
    assert_eq!((wrong_secret.code(), wrong_secret.category()), ("tsig-badsig", Category::AskHuman));

    let unknown = apply_with("nobody.", SECRET, 0).await;
    assert_eq!(unknown.code(), "tsig-badkey");
    let advice = unknown.advice();
    assert!(advice.contains("name nobody.") && advice.contains("update-owner-match: equal"), "{advice}");

    let forbidden = apply_with("stranger.", SECRET, 0).await;
    match kind {
        Kind::Bind => {
            assert!(
                matches!(forbidden, ProviderError::Refused { rtype: Some(CSYNC), .. }),
                "signed and refused: {forbidden:?}"
            );
            assert!(forbidden.advice().contains("grant"), "{}", forbidden.advice());
        }
        Kind::Knot => assert_eq!(forbidden.code(), "tsig-badkey"),
    }
    let probed = Rfc2136::new(config(ADDRESS, "stranger.", SECRET), clock()).probe(&zone()).await.unwrap_err();
    assert_eq!(probed.code(), forbidden.code());

    for (off_s, word) in [(-3600, "behind"), (3600, "ahead of")] {
        let off = apply_with("ctl.", SECRET, off_s).await;
        let ProviderError::BadTime { our_time, their_time: Some(theirs), .. } = off else { panic!("{off:?}") };
        assert!(our_time.abs_diff(theirs).abs_diff(3600) < 30, "{off}");
        assert!(off.advice().contains(word) && off.advice().contains("NTP"), "{}", off.advice());
    }

    let elsewhere = Name::from_ascii("not-there.example.").unwrap();
    let absent = provider().apply(&elsewhere, &[exactly(CSYNC, [csync()])]).await.unwrap_err();
    assert!(matches!(absent.code(), "read-refused" | "zone-not-served"), "{absent:?}");
    let change = Change { rtype: CSYNC, added: BTreeSet::from([csync()]), removed: BTreeSet::new() };
    let update =
        Update { changes: vec![RecordChange { owner: elsewhere.clone(), ttl_s: 5, change }], ..Update::default() };
    let absent = provider().submit(&elsewhere, &update).await.unwrap_err();
    assert_eq!((absent.code(), absent.category()), ("zone-not-served", Category::AskHuman));
}

#[test]
fn each_refusal_of_bind_is_told_from_the_others() {
    alone(|| refuses(Kind::Bind));
}

#[test]
fn each_refusal_of_knot_is_told_from_the_others() {
    alone(|| refuses(Kind::Knot));
}

#[test]
fn bind_with_inline_signing_is_named_with_the_setting_to_change() {
    alone(|| async {
        let _server = start(Kind::Bind, Setting { inline_signing: true, ..Setting::default() }).await;
        let key = new_key(257);
        let wanted = [dnskeys(&[&key], &[])];
        // A write that changes nothing does not show it, but that the server updates another copy than it serves.
        let before = served(DNSKEY).await;
        provider().probe(&zone()).await.unwrap();
        assert!(provider().keeps_keys_apart(&zone()).await.unwrap());
        assert_eq!(served(DNSKEY).await, before);
        let other_copy = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert!(
            matches!(other_copy, ProviderError::ServFail { rtype: Some(DNSKEY), keys_apart: true, .. }),
            "{other_copy:?}"
        );
        assert_eq!(other_copy.category(), Category::AskHuman);

        let mut unguarded = config(ADDRESS, "ctl.", SECRET);
        unguarded.prerequisites = false;
        let failed = Rfc2136::new(unguarded, clock()).apply(&zone(), &wanted).await.unwrap_err();
        assert!(matches!(failed, ProviderError::ServFail { rtype: Some(DNSKEY), .. }), "{failed:?}");
        let refused = provider().apply(&zone(), &[exactly(CDS, [cds(&key)])]).await.unwrap_err();
        assert!(matches!(refused, ProviderError::Refused { rtype: Some(CDS), .. }), "{refused:?}");
        for error in [other_copy, failed, refused] {
            assert!(error.advice().contains("`inline-signing no;`"), "{error}: {}", error.advice());
        }
    });
}

#[test]
fn servers_that_update_what_they_serve_are_not_taken_for_others() {
    for kind in [Kind::Bind, Kind::Knot] {
        alone(move || async move {
            let _server = start(kind, Setting::default()).await;
            assert!(!provider().keeps_keys_apart(&zone()).await.unwrap(), "{kind:?}");
        });
    }
}

#[test]
fn knot_that_says_yes_and_drops_foreign_keys_is_found_by_reading_back() {
    alone(|| async {
        let _server = start(Kind::Knot, Setting { knot_default_policy: true, ..Setting::default() }).await;
        let (key, own) = (new_key(257), own_ksk().await);
        let wanted = [dnskeys(&[&key], &[]), exactly(CDS, [cds(&own), cds(&key)]), exactly(CSYNC, [csync()])];
        let ignored = provider().apply(&zone(), &wanted).await.unwrap_err();
        let ProviderError::Ignored { sets, .. } = &ignored else { panic!("{ignored:?}") };
        assert_eq!(sets.iter().map(|set| set.rtype).collect::<Vec<_>>(), [DNSKEY, CDS], "CSYNC was done");
        assert_eq!(sets[0].missing, BTreeSet::from([key.clone()]));
        assert_eq!((ignored.code(), ignored.category()), ("update-ignored", Category::AskHuman));
        assert!(ignored.advice().contains("`dnskey-management: incremental`"), "{}", ignored.advice());
        assert!(ignored.to_string().contains("DNSKEY (1 missing)"), "{ignored}");
    });
}

#[test]
fn knot_that_puts_its_own_cds_back_is_found_by_reading_back() {
    alone(|| async {
        let _server = start(Kind::Knot, Setting::default()).await;
        let (key, own) = (new_key(257), own_ksk().await);
        let wanted = [dnskeys(&[&key], &[]), exactly(CDS, [cds(&key)])];
        let ignored = provider().apply(&zone(), &wanted).await.unwrap_err();
        let ProviderError::Ignored { sets, .. } = &ignored else { panic!("{ignored:?}") };
        assert_eq!(sets.len(), 1);
        assert_eq!((&sets[0].missing, &sets[0].left_over), (&BTreeSet::new(), &BTreeSet::from([cds(&own)])));
        assert!(ignored.advice().contains("cds-cdnskey-publish"), "{}", ignored.advice());
        assert_eq!(served(CDS).await, BTreeSet::from([cds(&own), cds(&key)]));
    });
}

async fn protects_its_own(kind: Kind) {
    let _server = start(kind, Setting::default()).await;
    let own = own_ksk().await;
    let last = served(NS).await.pop_last().unwrap();
    provider().apply(&zone(), &[exactly(NS, [last.clone()])]).await.unwrap();
    let ignored = provider().apply(&zone(), &[dnskeys(&[], &[&own]), exactly(NS, [])]).await.unwrap_err();
    let ProviderError::Ignored { sets, .. } = &ignored else { panic!("{ignored:?}") };
    let left_over: Vec<_> = sets.iter().map(|set| (set.rtype, set.left_over.clone())).collect();
    assert_eq!(left_over, [(DNSKEY, BTreeSet::from([own])), (NS, BTreeSet::from([last]))]);
    assert!(ignored.advice().contains("key roll only") && ignored.advice().contains("last NS"), "{}", ignored.advice());
}

#[test]
fn what_bind_protects_is_reported_as_left_over() {
    alone(|| protects_its_own(Kind::Bind));
}

#[test]
fn what_knot_protects_is_reported_as_left_over() {
    alone(|| protects_its_own(Kind::Knot));
}

#[test]
fn nothing_listening_is_said_to_be_no_connection() {
    alone(|| async {
        let refused = provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("no-connection", Category::Retry));
        assert!(refused.to_string().contains(ADDRESS), "{refused}");
    });
}

#[test]
fn neither_the_configuration_nor_the_provider_prints_the_secret() {
    let config = config(ADDRESS, "ctl.", SECRET);
    let shown = format!("{config:?}{config:#?}{:?}", Rfc2136::new(config.clone(), clock()));
    let octets = SECRET.as_bytes();
    assert!(shown.contains("ctl.") && shown.contains(ADDRESS), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains(&format!("{octets:?}")), "{shown}");
    assert!(!shown.contains(&format!("{}, {}, {}", octets[0], octets[1], octets[2])), "{shown}");
}
