//! The closed formulas of the join and leave guards, with worked numbers. All times in seconds.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::chain::{Planned, Scene, check, judge};
use chorus::model::dns::RecordSet;
use chorus::model::group::{Step, decide};
use chorus::model::history::Kind;
use chorus::model::time::Time;

/// B joins A. The DNSKEY union is written at 0 and shown by A's last server at 120; the DS set of both is shown by the
/// parent's first server at 7200 and by its last at 7500.
fn join(old_ds_ttl_s: u32, new_ds_ttl_s: u32) -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.ds_ttl_s = old_ds_ttl_s;
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    // B's own keys and its servers are as quick as can be; A's second server is late.
    f.sees(0, "b", Kind::Dnskey, all_keys(&["a", "b"]));
    f.sees_at(0, f.server("a", 0), Kind::Dnskey, all_keys(&["a", "b"]));
    f.sees_at(119, f.server("a", 1), Kind::Dnskey, all_keys(&["a"]));
    f.sees_at(120, f.server("a", 1), Kind::Dnskey, all_keys(&["a", "b"]));
    for operator in ["a", "b"] {
        f.sees(130, operator, Kind::Cds, f.ds(&["a", "b"]));
        f.sees(130, operator, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
    }
    f.sees_at(7499, f.server("parent", 1), Kind::Ds, f.ds(&["a"]));
    f.ds_ttl_s = new_ds_ttl_s;
    f.sees_at(7200, f.server("parent", 0), Kind::Ds, f.ds(&["a", "b"]));
    f.sees_at(7500, f.server("parent", 1), Kind::Ds, f.ds(&["a", "b"]));
    f
}

fn ns_write_allowed_at(f: &Fixture, now_s: i64) -> bool {
    let decision = decide(&f.world(now_s));
    decision.writes.iter().any(|write| write.step == Step::NameServers)
}

fn checked_ns_write(f: &Fixture, now_s: i64) -> Vec<Option<Time>> {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let ns =
        |operator: &str| Planned { operator: operator.into(), kind: Kind::Ns, ttl_s: 3600, records: f.ns(&["a", "b"]) };
    check(&scene, &[ns("b"), ns("a")], Time::from_s(now_s)).into_iter().map(|objection| objection.until).collect()
}

#[test]
fn a_newcomer_is_named_when_the_last_ds_set_without_it_is_dead() {
    let f = join(3600, 3600);
    // max(120 + 3600, 7500 + 3600) + 60
    assert!(!ns_write_allowed_at(&f, 11_159));
    assert!(ns_write_allowed_at(&f, 11_160));
    let wait = &decide(&f.world(8000)).waits[0];
    assert_eq!((wait.step, wait.until), (Step::AwaitOldKeysAndDs, Some(Time::from_s(11_160))));
    assert!(wait.text.contains("TTL 3600") && wait.text.contains("without a DS for b"), "{}", wait.text);
}

#[test]
fn the_check_before_the_write_says_the_same_without_knowing_the_ladder() {
    let f = join(3600, 3600);
    assert_eq!(checked_ns_write(&f, 11_160), []);
    let objections = checked_ns_write(&f, 8000);
    assert_eq!(objections.iter().max(), Some(&Some(Time::from_s(11_160))));
    assert!(!checked_ns_write(&f, 11_159).is_empty());
}

#[test]
fn the_ttl_of_the_old_ds_set_counts_when_the_parent_lowers_it_with_the_change() {
    let f = join(86_400, 300);
    // 7500 + 86400 + 60, and not 7500 + 300 + 60
    assert!(!ns_write_allowed_at(&f, 93_959));
    assert!(ns_write_allowed_at(&f, 93_960));
    assert!(!checked_ns_write(&f, 93_959).is_empty());
    assert_eq!(checked_ns_write(&f, 93_960), []);
}

/// B leaves A and B. The NS set of A alone is shown by all by 200, by the parent's first server at 10000 and by its last
/// at 10300.
fn leave() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    for operator in ["a", "b"] {
        let other = if operator == "a" { "b" } else { "a" };
        let placed = all_keys(&[other]);
        f.members.get_mut(operator).unwrap().placements.insert(Kind::Dnskey, placed);
    }
    f.together(-1000, &["a", "b"]);
    for operator in ["a", "b"] {
        f.sees(200, operator, Kind::Ns, f.ns(&["a"]));
    }
    f.sees_at(10_000, f.server("parent", 0), Kind::Delegation, f.ns(&["a"]));
    f.sees_at(10_300, f.server("parent", 1), Kind::Delegation, f.ns(&["a"]));
    f
}

const LAST_QUESTION_S: i64 = 10_300 + 86_400 + 60;

#[test]
fn the_leavers_ds_goes_when_its_keys_are_dead() {
    let f = leave();
    let ds_write = |now_s| decide(&f.world(now_s)).writes.iter().any(|write| write.step == Step::AwaitLeaverKeys);
    assert_eq!(decide(&f.world(20_000)).waits[0].until, Some(Time::from_s(LAST_QUESTION_S)));
    // 96760 + 3600 + 60
    assert!(!ds_write(100_419));
    assert!(ds_write(100_420));
}

#[test]
fn the_leavers_keys_go_when_its_answers_are_dead_and_not_with_its_ds() {
    let f = leave();
    let key_write =
        |now_s| decide(&f.world(now_s)).writes.iter().any(|w| w.operator == "a" && w.step == Step::AwaitLeaverAnswers);
    // 96760 + 86400 + 60
    assert!(!key_write(183_219));
    assert!(key_write(183_220));
    // At the leaver nothing is written any more that anything waits for.
    assert!(decide(&f.world(183_220)).writes.iter().all(|write| write.operator == "a" || write.is_courtesy));
}

#[test]
fn the_check_lets_neither_go_a_second_earlier() {
    let f = leave();
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let at = |kind, records: &RecordSet, now_s| {
        let planned = Planned { operator: "a".into(), kind, ttl_s: 3600, records: records.clone() };
        check(&scene, &[planned], Time::from_s(now_s)).len()
    };
    let cds = f.ds(&["a"]);
    assert_ne!(at(Kind::Cds, &cds, 100_419), 0);
    assert_eq!(at(Kind::Cds, &cds, 100_420), 0);
    let own = all_keys(&["a"]);
    assert_ne!(at(Kind::Dnskey, &own, 183_219), 0);
    assert_eq!(at(Kind::Dnskey, &own, 183_220), 0);
    assert!(at(Kind::Dnskey, &RecordSet::from([keys("a").0]), 999_999) > 0, "a key that still signs may not go");
}

#[test]
fn stale_serving_prolongs_every_death() {
    let mut f = leave();
    f.lifetimes.policy.stale_s = 3 * 86_400;
    let wait = &decide(&f.world(20_000)).waits[0];
    assert_eq!(wait.until, Some(Time::from_s(LAST_QUESTION_S + 3 * 86_400)));
}

#[test]
fn a_leaver_that_goes_on_naming_itself_can_be_asked_for_ever() {
    let mut f = leave();
    f.sees(300, "b", Kind::Ns, f.ns(&["a", "b"]));
    let decision = decide(&f.world(999_999_999));
    assert!(decision.writes.iter().any(|w| w.operator == "b" && w.step == Step::NameServers), "{decision:?}");
    assert!(decision.writes.iter().all(|w| w.step == Step::NameServers));
}

#[test]
fn the_draft_taken_literally_is_an_exposure_from_the_moment_it_acts_until_the_last_answer_is_dead() {
    // NS-Wait ends at 10000 + 86400; the draft then takes the leaver's keys out at once.
    let mut f = leave();
    f.lifetimes.policy.slack_s = 0;
    for server in 0..2 {
        f.sees_at(96_399, f.server("a", server), Kind::Dnskey, all_keys(&["a", "b"]));
        f.sees_at(96_400, f.server("a", server), Kind::Dnskey, all_keys(&["a"]));
    }
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let verdict = judge(&scene, Time::from_s(0), Time::from_s(200_000));
    let until = verdict.exposures.iter().map(|e| e.until).max();
    assert_eq!(until, Some(Time::from_s(10_300 + 86_400 + 86_400)), "{:?}", verdict.exposures);
    assert!(verdict.exposures.iter().all(|e| e.from == Time::from_s(96_399)));
}

#[test]
fn a_leaver_that_only_a_departed_operator_still_names_can_be_asked_until_that_one_could_not() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.member("c", false);
    f.together(-1000, &["a", "b", "c"]);
    // First c leaves; from its last question at 20 + 86400 + 60 on nobody asks it, and its NS set goes on naming b.
    for operator in ["a", "b", "c"] {
        f.sees(10, operator, Kind::Ns, f.ns(&["a", "b"]));
    }
    f.sees(20, "parent", Kind::Delegation, f.ns(&["a", "b"]));
    // Then b.
    for operator in ["a", "b"] {
        f.sees(100_010, operator, Kind::Ns, f.ns(&["a"]));
    }
    f.sees(100_020, "parent", Kind::Delegation, f.ns(&["a"]));
    let decision = decide(&f.world(100_030));
    assert!(!decision.is_settled());
    let last_question = decision.waits.iter().find(|wait| wait.step == Step::AwaitLastQuestion);
    assert_eq!(last_question.and_then(|wait| wait.until), Some(Time::from_s(100_020 + 86_400 + 60)), "{decision:?}");
}
