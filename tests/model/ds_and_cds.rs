//! DS and CDS: whose a DS is and whether it can be used are two questions; requests that no parent acts on, that are taken out,
//! or that would make the zone insecure are named as what they are.

use crate::preflight_findings::{faultless, found};
use crate::support::{Fixture, keys};
use chorus::model::ability::{self, Ability};
use chorus::model::chain::{Scene, judge};
use chorus::model::dns::{
    DELETE_CDNSKEY, DELETE_CDS, Dnskey, Rdata, RecordSet, cds_for, key_that_ds_belongs_to, key_that_ds_validates,
};
use chorus::model::group::{Decision, ParentMode, World, decide, digest_types, preflight};
use chorus::model::history::{Kind, Outcome, Sample, Served};
use chorus::model::preflight::Severity;
use chorus::model::time::Time;

/// A DS of a key with a digest of any type; of those that cannot be computed, with some octets.
fn ds(f: &Fixture, key: &Rdata, digest_type: u8) -> Rdata {
    let read = Dnskey::read(key).unwrap();
    read.ds(&f.zone, digest_type).unwrap_or_else(|| {
        let head = read.key_tag().to_be_bytes();
        Rdata::from_canonical([&head[..], &[read.algorithm, digest_type], &[0x5a; 32]].concat())
    })
}

/// The same tag, algorithm and type, and the digest of nothing.
fn with_another_digest(of: &Rdata) -> Rdata {
    let mut wire = of.as_wire().to_vec();
    *wire.last_mut().unwrap() ^= 0xff;
    Rdata::from_canonical(wire)
}

fn delete_cds() -> RecordSet {
    RecordSet::from([Rdata::from_canonical(DELETE_CDS.to_vec())])
}

fn delete_cdnskey() -> RecordSet {
    RecordSet::from([Rdata::from_canonical(DELETE_CDNSKEY.to_vec())])
}

fn group() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(-100_000, &["a", "b"]);
    f
}

/// How many pairs of versions resolvers may fail by.
fn exposed(f: &Fixture, now_s: i64) -> usize {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    judge(&scene, Time::MIN, Time::from_s(now_s)).exposures.len()
}

fn codes(decision: &Decision) -> Vec<&'static str> {
    decision.waits.iter().map(|wait| wait.code).collect()
}

fn text_of<'d>(decision: &'d Decision, code: &str) -> &'d str {
    &decision.waits.iter().find(|wait| wait.code == code).unwrap_or_else(|| panic!("{code}: {:?}", decision.waits)).text
}

/// The records that are to be written at an operator, of one kind.
fn written(decision: &Decision, operator: &str, kind: Kind) -> Option<RecordSet> {
    let of = decision.writes.iter().filter(|write| write.operator == operator);
    of.flat_map(|write| &write.sets).find(|(of, _, _)| *of == kind).map(|(_, _, change)| match change {
        chorus::model::group::Change::Exactly(records) => records.clone(),
        chorus::model::group::Change::Partly { with, .. } => with.clone(),
    })
}

fn sees_signed_by(f: &mut Fixture, at_s: i64, who: &str, kind: Kind, records: RecordSet, signer: Rdata) {
    for server in f.members[who].servers.clone() {
        let signers = RecordSet::from([signer.clone()]);
        let served = Served { records: records.clone(), ttl_s: 3600, signers, expires: None };
        f.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
    }
}

#[test]
fn whose_a_ds_is_and_whether_it_can_be_used_are_two_questions() {
    let f = Fixture::new();
    let (key, other) = (keys("a").0, keys("b").0);
    for (digest_type, usable) in [(1, false), (2, true), (3, false), (4, true), (5, false), (6, false), (200, false)] {
        let ds = ds(&f, &key, digest_type);
        assert_eq!(key_that_ds_belongs_to(&f.zone, &ds, [&other, &key]), Some(&key), "type {digest_type}");
        assert_eq!(key_that_ds_validates(&f.zone, &ds, [&other, &key]).is_some(), usable, "type {digest_type}");
        // A digest that can be computed and differs proves that it is of another key; of other types nothing is known.
        let wrong = with_another_digest(&ds);
        let computable = [1, 2, 4].contains(&digest_type);
        assert_eq!(key_that_ds_belongs_to(&f.zone, &wrong, [&key]).is_none(), computable, "type {digest_type}");
        assert_eq!(key_that_ds_validates(&f.zone, &wrong, [&key]), None);
    }
}

#[test]
fn digest_types_that_a_registry_adds_keeps_or_translates_to_hold_nothing_up() {
    for extra in [1, 3, 4, 5, 6, 200] {
        let mut f = group();
        let mut set = f.ds(&["a", "b"]);
        set.insert(ds(&f, &keys("a").0, extra));
        f.sees(-90_000, "parent", Kind::Ds, set);
        let decision = decide(&f.world(0));
        assert!(decision.is_settled(), "type {extra}: {:?} {:?}", decision.waits, decision.writes);
    }
    let mut f = group();
    let translated = cds_for(&f.zone, &f.cdnskey(&["a", "b"]), &[4]);
    f.sees(-90_000, "parent", Kind::Ds, translated);
    assert!(decide(&f.world(0)).is_settled());
}

#[test]
fn a_key_whose_only_ds_validators_cannot_use_is_named_and_is_no_stranger() {
    for digest_type in [1, 3, 200] {
        let mut f = group();
        let mut set = f.ds(&["a"]);
        set.insert(ds(&f, &keys("b").0, digest_type));
        f.sees(-90_000, "parent", Kind::Ds, set);
        let decision = decide(&f.world(0));
        assert!(text_of(&decision, "ds-unusable").contains(&format!("digest type {digest_type}")));
        assert!(!codes(&decision).contains(&"ds-unexpected"));
    }
    let (mut f, inspection) = faultless();
    let set = RecordSet::from([ds(&f, &keys("a").0, 3)]);
    f.sees(-900, "parent", Kind::Ds, set);
    let codes: Vec<_> = found(&f, &inspection).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["ds-unusable"]);
}

#[test]
fn zone_with_a_ds_that_not_every_validator_can_use_lets_nobody_in_and_fails_for_nobody() {
    for digest_type in [1, 200] {
        let (mut f, inspection) = (Fixture::new(), faultless().1);
        for operator in ["a", "b"] {
            f.member(operator, true);
            f.alone(-1000, operator);
        }
        f.sees(-1000, "parent", Kind::Ds, RecordSet::from([ds(&f, &keys("a").0, digest_type)]));
        f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
        let refused = preflight(&f.world(0));
        assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), ["ds-unusable"], "{refused:?}");
        assert!(refused[0].text.contains(&format!("digest type {digest_type}")), "{refused:?}");
        let errors: Vec<_> = found(&f, &inspection).into_iter().filter(|one| one.severity == Severity::Error).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(exposed(&f, 0), 0, "without a DS that a validator supports the zone is unsigned for it");
        // Beside one that every validator uses it has to lead to a key that signs.
        let others = RecordSet::from([ds(&f, &keys("b").0, 2), ds(&f, &keys("a").0, digest_type)]);
        f.sees(-800, "parent", Kind::Ds, others);
        assert!(exposed(&f, 0) > 0, "{digest_type}");
    }
}

#[test]
fn a_ds_with_the_digest_of_another_key_is_said_to_be_just_that() {
    let mut f = group();
    let wrong = with_another_digest(&ds(&f, &keys("a").0, 2));
    f.sees(-90_000, "parent", Kind::Ds, f.ds(&["a", "b"]).into_iter().chain([wrong.clone()]).collect());
    let decision = decide(&f.world(0));
    assert!(text_of(&decision, "ds-digest-mismatch").contains("whose digest is not that of key"));
    assert!(!codes(&decision).contains(&"ds-unexpected"));
    let (mut f, inspection) = faultless();
    f.sees(-900, "parent", Kind::Ds, f.ds(&["a"]).into_iter().chain([wrong]).collect());
    let findings = found(&f, &inspection);
    assert_eq!(
        findings.iter().map(|f| (f.severity, f.code)).collect::<Vec<_>>(),
        [(Severity::Warning, "ds-digest-mismatch")]
    );
}

#[test]
fn a_request_to_remove_every_ds_is_an_alarm_and_lets_nobody_in() {
    for (kind, record, who) in [
        (Kind::Cds, delete_cds(), "a"),
        (Kind::Cdnskey, delete_cdnskey(), "a"),
        (Kind::Cds, delete_cds(), "b"),
        (Kind::Cdnskey, delete_cdnskey(), "b"),
    ] {
        let (mut f, inspection) = faultless();
        f.sees(-900, who, kind, record.clone());
        let refused = preflight(&f.world(0));
        assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), ["cds-delete"], "{kind} at {who}");
        assert!(refused[0].text.contains(who) && refused[0].fix.contains("cds-cdnskey-publish"));
        assert_eq!(found(&f, &inspection)[0].code, "cds-delete");
        // Alone, too, though nothing is written there then.
        let mut f = Fixture::new();
        f.member("a", true);
        f.together(-100_000, &["a"]);
        f.sees(-900, "a", kind, record);
        assert!(codes(&decide(&f.world(0))).contains(&"cds-delete"));
    }
}

#[test]
fn in_a_group_a_delete_request_is_written_over_even_during_a_pause() {
    for (kind, record) in [(Kind::Cds, delete_cds()), (Kind::Cdnskey, delete_cdnskey())] {
        for paused in [false, true] {
            let mut f = group();
            f.sees(-900, "b", kind, record.clone());
            let decision = decide(&World { paused, ..f.world(0) });
            assert!(text_of(&decision, "cds-delete").starts_with("b asks the parent to remove every DS"));
            let wanted = if kind == Kind::Cds { f.ds(&["a", "b"]) } else { f.cdnskey(&["a", "b"]) };
            assert_eq!(written(&decision, "b", kind), Some(wanted), "{kind}, paused: {paused}");
            assert_eq!(written(&decision, "a", kind), None);
        }
    }
}

#[test]
fn cds_that_no_key_of_the_ds_set_signs_is_found_before_and_named_while_it_is_waited_for() {
    for kind in [Kind::Cds, Kind::Cdnskey] {
        let (mut f, inspection) = faultless();
        let set = if kind == Kind::Cds { f.ds(&["a"]) } else { f.cdnskey(&["a"]) };
        let other = if kind == Kind::Cds { Kind::Cdnskey } else { Kind::Cds };
        let beside = if kind == Kind::Cds { f.cdnskey(&["a"]) } else { f.ds(&["a"]) };
        f.sees(-900, "a", other, beside);
        sees_signed_by(&mut f, -900, "a", kind, set, keys("a").1);
        let findings = found(&f, &inspection);
        assert_eq!((findings[0].severity, findings[0].code), (Severity::Error, "cds-signer"), "{findings:?}");
        assert!(findings[0].text.contains("RFC 7344"));
    }
    // The same at run time: the parent lacks b's DS, and a signs what asks for it with its ZSK.
    let mut f = group();
    f.sees(-90_000, "parent", Kind::Ds, f.ds(&["a"]));
    assert_eq!(codes(&decide(&f.world(0))).first(), Some(&"parent-pending"));
    let asked = f.ds(&["a", "b"]);
    sees_signed_by(&mut f, -900, "a", Kind::Cds, asked, keys("a").1);
    let decision = decide(&f.world(0));
    assert!(text_of(&decision, "cds-signer").contains("(alg 13, ZSK)"));
    assert!(!codes(&decision).contains(&"parent-pending"));
    assert!(!codes(&decide(&World { parent: ParentMode::Manual, ..f.world(0) })).contains(&"cds-signer"));
    // A parent that has everything is not waited for.
    f.sees(-800, "parent", Kind::Ds, f.ds(&["a", "b"]));
    assert!(decide(&f.world(0)).is_settled());
}

/// A publishes CDS of types 2 and 4 for its own key by itself; all serve both, b because Chorus put them there.
fn with_types_2_and_4(insists: bool) -> Fixture {
    let mut f = group();
    let both = cds_for(&f.zone, &f.cdnskey(&["a", "b"]), &[2, 4]);
    for operator in ["a", "b"] {
        let foreign = |cds: &&Rdata| key_that_ds_belongs_to(&f.zone, cds, [&keys(operator).0]).is_none();
        let placed = both.iter().filter(|cds| !insists || operator == "b" || foreign(cds)).cloned().collect();
        f.members.get_mut(operator).unwrap().placements.insert(Kind::Cds, placed);
    }
    for operator in ["a", "b"] {
        f.sees(-50_000, operator, Kind::Cds, both.clone());
    }
    assert!(decide(&f.world(-49_000)).is_settled());
    f
}

#[test]
fn an_operator_that_strips_digest_types_is_not_repaired_but_named_with_the_setting() {
    let mut f = with_types_2_and_4(true);
    f.sees(-900, "b", Kind::Cds, f.ds(&["a", "b"]));
    f.sees(-900, "a", Kind::Cds, cds_for(&f.zone, &f.cdnskey(&["a", "b"]), &[2, 4]));
    let decision = decide(&f.world(0));
    let text = text_of(&decision, "operator-strips-cds");
    assert!(text.contains("b takes out CDS of digest type 4") && text.contains("{ sha-256; sha-384; }"), "{text}");
    assert_eq!(decision.writes, []);
    assert!(ability::refuted(&f.world(0), "b").contains_key(&Ability::KeepCds));
    // With the setting its signer publishes its own CDS of that type: then the others' are put back there.
    let own = ds(&f, &keys("b").0, 4);
    f.sees(-600, "b", Kind::Cds, f.ds(&["a", "b"]).into_iter().chain([own]).collect());
    let decision = decide(&f.world(0));
    assert_eq!(codes(&decision), [] as [&str; 0]);
    assert_eq!(written(&decision, "b", Kind::Cds), Some(cds_for(&f.zone, &f.cdnskey(&["a", "b"]), &[2, 4])));
}

#[test]
fn a_digest_type_that_nobody_publishes_by_itself_is_given_up_where_one_strips_it() {
    let mut f = with_types_2_and_4(false);
    assert_eq!(digest_types(&f.world(-49_000)), [2, 4]);
    f.sees(-900, "b", Kind::Cds, f.ds(&["a", "b"]));
    assert_eq!(digest_types(&f.world(0)), [2]);
    let decision = decide(&f.world(0));
    assert!(!codes(&decision).contains(&"operator-strips-cds"));
    assert_eq!(written(&decision, "a", Kind::Cds), Some(f.ds(&["a", "b"])));
}

#[test]
fn an_operator_that_strips_cdnskey_is_named_with_the_setting() {
    let mut f = group();
    f.sees(-900, "b", Kind::Cdnskey, RecordSet::new());
    let decision = decide(&f.world(0));
    assert!(text_of(&decision, "operator-strips-cds").contains("`cdnskey yes;`"));
    // Once it may have been a person: it is put back, and not a second time.
    assert_eq!(written(&decision, "b", Kind::Cdnskey), Some(f.cdnskey(&["a", "b"])));
    f.sees(-800, "b", Kind::Cdnskey, f.cdnskey(&["a", "b"]));
    assert!(decide(&f.world(0)).is_settled());
    f.sees(-700, "b", Kind::Cdnskey, RecordSet::new());
    let decision = decide(&f.world(0));
    assert!(text_of(&decision, "operator-strips-cds").contains("`cdnskey yes;`"));
    assert_eq!(decision.writes, []);
    // A whole day later it is tried again.
    assert_eq!(written(&decide(&f.world(90_000)), "b", Kind::Cdnskey), Some(f.cdnskey(&["a", "b"])));
}

#[test]
fn a_zone_that_is_set_up_anew_takes_no_cdnskey_out() {
    let mut f = group();
    // B loses both sets at once, as when its zone is made anew; both are put there again.
    for (at_s, asked) in [(-900, false), (-800, true)] {
        let (cds, cdnskey) = (f.ds(&["a", "b"]), f.cdnskey(&["a", "b"]));
        f.sees(at_s, "b", Kind::Cds, if asked { cds } else { RecordSet::new() });
        f.sees(at_s, "b", Kind::Cdnskey, if asked { cdnskey } else { RecordSet::new() });
    }
    assert!(decide(&f.world(0)).is_settled());
    // What goes alone for the first time is put back once.
    f.sees(-700, "b", Kind::Cdnskey, RecordSet::new());
    assert_eq!(written(&decide(&f.world(0)), "b", Kind::Cdnskey), Some(f.cdnskey(&["a", "b"])));
}

#[test]
fn digest_types_that_only_one_publishes_are_a_note_before_the_join() {
    let (mut f, inspection) = faultless();
    f.sees(-900, "a", Kind::Cds, cds_for(&f.zone, &f.cdnskey(&["a"]), &[2, 4]));
    f.sees(-900, "a", Kind::Cdnskey, f.cdnskey(&["a"]));
    let findings = found(&f, &inspection);
    let [only] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((only.severity, only.code), (Severity::Note, "cds-digest-types"));
    assert!(only.fix.contains("cds-digest-types { sha-256; sha-384; }"));
}

#[test]
fn what_a_parent_takes_is_held_against_the_group_that_it_would_get() {
    let (mut f, inspection) = faultless();
    f.lifetimes.policy.parent_profile = Some("ee".into());
    let of = |f: &Fixture| found(f, &inspection).into_iter().map(|f| (f.severity, f.code)).collect::<Vec<_>>();
    assert_eq!(of(&f), [(Severity::Error, "parent-single-key"), (Severity::Note, "parent-profile")]);
    f.lifetimes.policy.parent_profile = Some("namingo".into());
    assert_eq!(of(&f), [(Severity::Warning, "parent-few-servers"), (Severity::Note, "parent-profile")]);
    // Records count, and not keys: two keys with two digest types each are four, and .se takes six.
    f.lifetimes.policy.parent_profile = Some("se".into());
    assert_eq!(of(&f), [(Severity::Note, "parent-profile")]);
    for n in 1..=3 {
        let mut wire = keys("a").0.as_wire().to_vec();
        *wire.last_mut().unwrap() = 100 + n;
        let more = Rdata::from_canonical(wire);
        let had = f.world(0).served("a", Kind::Dnskey);
        f.sees(-900 + i64::from(n), "a", Kind::Dnskey, had.into_iter().chain([more]).collect());
    }
    let own = f.world(0).key_signing_keys("a");
    f.sees(-800, "a", Kind::Cds, cds_for(&f.zone, &own, &[2, 4]));
    f.sees(-800, "a", Kind::Cdnskey, own);
    let findings = found(&f, &inspection);
    let many = findings.iter().find(|finding| finding.code == "ds-too-many").unwrap();
    assert_eq!(many.severity, Severity::Error);
    assert!(many.text.contains("10 CDS records") && many.text.contains("takes 6"), "{}", many.text);
    assert!(many.fix.contains("digest type 2 alone"));
}

#[test]
fn a_parent_that_does_not_process_csync_is_told_by_a_person() {
    let mut f = group();
    f.sees(-90_000, "parent", Kind::Delegation, f.ns(&["a"]));
    assert!(written(&decide(&f.world(0)), "a", Kind::Csync).is_some_and(|csync| !csync.is_empty()));
    f.lifetimes.policy.parent_profile = Some("ch".into());
    let decision = decide(&f.world(0));
    assert!(text_of(&decision, "parent-manual").contains("does not process CSYNC"));
    assert_eq!(decision.writes, []);
}
