//! Small transitions, judged: what goes well, and each thing that can go wrong.
#![allow(clippy::unwrap_used)]

mod support;

use chorus_certificate_checker::ExposureKind::{DnskeyAndAnswer, DsAndDnskey, Insecure, UnusableAnswer};
use chorus_certificate_checker::evidence::{DataTtlSource, Kind};
use support::{A, B, HOUR_S, clean_join, rest_of_join, scene};

const NOTHING: Vec<chorus_certificate_checker::ExposureKind> = Vec::new();

fn hour_ms(hour: i64) -> i64 {
    hour * HOUR_S * 1000
}

#[test]
fn a_clean_join_has_no_exposure_and_a_margin() {
    let judged = clean_join().judged();
    assert_eq!(judged.exposures, []);
    assert_eq!(judged.unknown, Vec::<String>::new());
    let margin = judged.smallest_margin.unwrap();
    // The DS RRset without b died an hour and a minute after hour 20; b can be queried from a minute before hour 30 on.
    assert_eq!(margin.ms, hour_ms(30) - 60_000 - (hour_ms(21) + 60_000), "{margin}");
}

#[test]
fn an_ns_set_that_names_b_before_a_has_its_keys_is_exposed() {
    let scene = rest_of_join(scene().dnskey("a", -100, &[A], A).dnskey("a", 40, &[A, B], A), 10, 20, 30);
    assert_eq!(scene.kinds(), [DnskeyAndAnswer]);
    let exposure = scene.first(DnskeyAndAnswer);
    assert_eq!(exposure.from_ms, hour_ms(30) - 60_000, "{exposure}");
    // Resolvers hold the DNSKEY RRset without b for its TTL and the slack after it was served last.
    assert_eq!(exposure.until_ms, hour_ms(41) + 60_000, "{exposure}");
}

#[test]
fn an_ns_set_that_names_b_before_the_parent_has_its_ds_is_exposed() {
    let join = |ds_hour| rest_of_join(scene().dnskey("a", -100, &[A], A).dnskey("a", 10, &[A, B], A), 10, ds_hour, 30);
    assert_eq!(join(35).kinds(), [DsAndDnskey]);
    assert_eq!(join(29).kinds(), [DsAndDnskey], "the DS RRset without b is still in caches");
    assert_eq!(join(28).kinds(), NOTHING);
}

#[test]
fn a_ds_that_leaves_before_the_answers_of_its_operator_is_exposed() {
    let leave = |ns_hour, ds_hour| {
        rest_of_join(scene().dnskey("a", -100, &[A, B], A), -95, -90, -80)
            .delegation(ns_hour, &["a"])
            .ns("a", ns_hour, &["a"], A)
            .ns("b", ns_hour, &["a"], B)
            .ds(ds_hour, &[A])
    };
    assert_eq!(leave(50, 51).kinds(), [DsAndDnskey]);
    assert_eq!(leave(50, 54).kinds(), NOTHING);
}

#[test]
fn a_leaver_that_goes_on_naming_itself_can_be_queried_for_ever() {
    let leave = rest_of_join(scene().dnskey("a", -100, &[A, B], A), -95, -90, -80)
        .delegation(50, &["a"])
        .ns("a", 50, &["a"], A)
        .ds(90, &[A]);
    assert_eq!(leave.kinds(), [DsAndDnskey], "resolvers renew the NS RRset from b");
}

#[test]
fn a_key_that_is_removed_while_answers_by_it_are_cached_is_exposed() {
    let removed = |hour| {
        rest_of_join(scene().dnskey("a", -100, &[A, B], A).dnskey("a", hour, &[A], A), -95, -90, -80)
            .delegation(50, &["a"])
            .ns("a", 50, &["a"], A)
            .ns("b", 50, &["a"], B)
    };
    assert_eq!(removed(52).kinds(), [DnskeyAndAnswer]);
    assert_eq!(removed(54).kinds(), NOTHING);
}

#[test]
fn the_largest_ttl_of_the_data_counts_for_answers() {
    let removed = |hour| {
        let mut scene = rest_of_join(scene().dnskey("a", -100, &[A, B], A).dnskey("a", hour, &[A], A), -95, -90, -80)
            .delegation(50, &["a"])
            .ns("a", 50, &["a"], A)
            .ns("b", 50, &["a"], B);
        scene.0.data_ttls.get_mut("b").unwrap().ttl_s = 20 * 3600;
        scene
    };
    assert_eq!(removed(54).kinds(), [DnskeyAndAnswer]);
    assert_eq!(removed(73).kinds(), NOTHING);
}

#[test]
fn stale_serving_and_limits_of_resolvers_change_every_life() {
    let join = |change: fn(&mut chorus_certificate_checker::evidence::Policy)| {
        let mut scene = clean_join();
        change(&mut scene.0.policy);
        scene.kinds()
    };
    assert_eq!(join(|policy| policy.stale_s = 86_400), [DsAndDnskey, DnskeyAndAnswer]);
    assert_eq!(join(|policy| policy.resolver_min_ttl_s = 86_400), [DsAndDnskey, DnskeyAndAnswer]);
    assert_eq!(join(|policy| (policy.stale_s, policy.resolver_max_ttl_s) = (7 * 3600, 60)), NOTHING);
}

#[test]
fn without_ds_nothing_is_validated() {
    let unsigned = rest_of_join(scene().dnskey("a", -100, &[A], A).dnskey("a", 40, &[A, B], A), 10, 20, 30);
    let mut unsigned = unsigned;
    unsigned.0.tracks.retain(|track| track.kind != Kind::Ds);
    assert_eq!(unsigned.raw_ds(-100, Vec::new()).kinds(), NOTHING);
}

#[test]
fn a_ds_that_vanishes_makes_the_zone_insecure() {
    let scene = clean_join().raw_ds(60, Vec::new());
    assert_eq!(scene.kinds(), [Insecure]);
    let first_ds = |records| {
        let mut scene = clean_join();
        scene.0.tracks.retain(|track| track.kind != Kind::Ds);
        scene.raw_ds(-100, records).ds(5, &[A]).ds(20, &[A, B]).kinds()
    };
    assert_eq!(first_ds(Vec::new()), NOTHING, "before the first DS the zone is rightly insecure");
    assert_eq!(first_ds(vec![A.ds_of_type(1)]), NOTHING, "validators do not use SHA-1 digests");
}

#[test]
fn nxdomain_at_a_named_server_is_an_exposure() {
    let scene = |operator: &str, hours| clean_join().failed(operator, Kind::Ns, hours, "nx_domain");
    assert_eq!(scene("a", (50, Some(51))).kinds(), [UnusableAnswer]);
    assert_eq!(scene("b", (50, Some(51))).kinds(), [UnusableAnswer]);
    assert_eq!(scene("b", (15, Some(16))).kinds(), NOTHING, "no resolver is sent to b yet");
    assert_eq!(scene("b", (29, Some(31))).first(UnusableAnswer).from_ms, hour_ms(30) - 60_000);
    assert_eq!(clean_join().failed("a", Kind::Ns, (50, Some(51)), "unverifiable").kinds(), [UnusableAnswer]);
    assert_eq!(clean_join().failed("a", Kind::Ns, (50, Some(51)), "silent").kinds(), NOTHING);
}

#[test]
fn a_stranger_in_an_ns_set_is_not_known() {
    let scene = clean_join().ns("a", 50, &["a", "b", "stranger"], A);
    let unknown = scene.judged().unknown;
    assert!(unknown.len() == 1 && unknown[0].contains("ns1.stranger.example"), "{unknown:?}");
}

#[test]
fn what_was_not_looked_at_is_not_known() {
    let gap = |until| clean_join().failed("a", Kind::Ns, (50, until), "silent").judged().unknown.len();
    assert_eq!(gap(Some(51)), 0, "an hour is no gap");
    assert_eq!(gap(Some(52)), 1);
    assert_eq!(gap(None), 1);
    assert_eq!(clean_join().failed("a", Kind::Ns, (50, Some(60)), "silent_over_udp").judged().unknown.len(), 0);
    assert_eq!(clean_join().without_looks(10, 12).judged().unknown.len(), 1);
    assert_eq!(clean_join().without_looks(-12, 1).judged().unknown.len(), 0, "it was over soon after the start");
    let mut assumed = clean_join();
    assumed.0.data_ttls.get_mut("b").unwrap().source = DataTtlSource::Assumed;
    assumed.0.addresses_left_out = vec!["ns1.a.example (2001:db8::1)".into()];
    assert_eq!(assumed.judged().unknown.len(), 2);
}

#[test]
fn what_ended_before_the_start_does_not_count() {
    let mut scene = rest_of_join(scene().dnskey("a", -100, &[A], A).dnskey("a", -70, &[A, B], A), -95, -90, -80);
    assert_eq!(scene.kinds(), NOTHING);
    scene.0.started_ms = hour_ms(-75);
    assert_eq!(scene.kinds(), [DnskeyAndAnswer]);
}

#[test]
fn evidence_that_cannot_be_read_is_refused_in_one_sentence() {
    let refused = |change: fn(&mut chorus_certificate_checker::Evidence)| {
        let mut scene = clean_join();
        change(&mut scene.0);
        chorus_certificate_checker::judge(&scene.0).unwrap_err()
    };
    assert!(refused(|evidence| evidence.zone = "a..b".into()).contains("is no name"));
    assert!(refused(|evidence| evidence.tracks[0].spans[0].records[0] = "0g".into()).contains("cannot be read"));
    assert!(refused(|evidence| evidence.tracks[0].spans[0].until_ms = Some(0)).contains("not in order"));
    assert!(refused(|evidence| evidence.tracks[0].spans[0].until_ms = None).contains("not in order"));
}

#[test]
fn two_operators_that_name_only_each_other_stay_queryable() {
    let scene = rest_of_join(scene().dnskey("a", -100, &[A, B], A), -95, -90, -80)
        .delegation(50, &["a"])
        .ns("a", 50, &["b"], A)
        .ns("b", 50, &["a"], B)
        .ds(99, &[A]);
    assert_eq!(scene.kinds(), [DsAndDnskey], "a sends resolvers to b as long as it serves that NS RRset");
    assert_eq!(scene.first(DsAndDnskey).from_ms, hour_ms(99) - 60_000);
    assert_eq!(B.signer().algorithm, 13);
}
