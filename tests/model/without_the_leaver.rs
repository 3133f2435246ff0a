//! An operator that is gone for good leaves without its cooperation: what it served counts until it fell silent, and what
//! it would have to be told is not waited for. One that is back late, with old data, counts again.

use crate::support::{Fixture, all_keys};
use chorus::model::dns::RecordSet;
use chorus::model::group::{Decision, Step, decide, is_present};
use chorus::model::history::{Failure, Kind};
use chorus::model::time::Time;

/// A zone of a and b in which b falls silent at 1000 s, and is given up; and what a and the parent do then.
fn without_b() -> Fixture {
    let mut f = Fixture::new();
    f.lifetimes.policy.data_ttl_max_s = Some(7200);
    f.member("a", true);
    f.member("b", false);
    f.together(0, &["a", "b"]);
    f.members.get_mut("b").unwrap().unreachable = true;
    silent(&mut f, 1000);
    f
}

fn silent(f: &mut Fixture, at_s: i64) {
    for server in f.members["b"].servers.clone() {
        for kind in Kind::OPERATOR {
            f.fails(at_s, server.clone(), kind, Failure::Silent);
        }
        f.history.lose(&server);
    }
}

fn decision(f: &Fixture, now_s: i64) -> Decision {
    decide(&f.world(now_s))
}

fn written_at(decision: &Decision) -> Vec<&str> {
    decision.writes.iter().map(|write| write.operator.as_str()).collect()
}

#[test]
fn nothing_is_written_at_a_leaver_that_is_gone_and_its_last_question_counts_from_its_silence() {
    let mut f = without_b();
    let first = decision(&f, 1010);
    assert_eq!((first.step, written_at(&first)), (Step::NameServers, vec!["a"]));
    f.sees(1020, "a", Kind::Ns, f.ns(&["a"]));
    f.sees(1030, "parent", Kind::Delegation, f.ns(&["a"]));
    // Nobody can ask it when the parent's old delegation is dead: a day, and the slack. Its own NS sets died before.
    let asked_until = Time::from_s(1030 + 86_400 + 60);
    assert!(is_present(&f.world(asked_until.0 / 1000 - 1), "b"));
    assert!(!is_present(&f.world(asked_until.0 / 1000), "b"));
    // Its DNSKEY sets were to be had until it fell silent, and are dead long before: the DS may go at once.
    let then = decision(&f, asked_until.0 / 1000);
    let ds = then.writes.iter().find(|write| write.operator == "a" && write.step == Step::AwaitLeaverKeys);
    assert!(ds.is_some(), "{then:?}");
}

#[test]
fn an_operator_that_comes_back_late_with_old_data_is_waited_for_and_written_to_again() {
    let mut f = without_b();
    f.sees(1020, "a", Kind::Ns, f.ns(&["a"]));
    f.sees(1030, "parent", Kind::Delegation, f.ns(&["a"]));
    for (kind, records) in [
        (Kind::Dnskey, all_keys(&["a", "b"])),
        (Kind::Cds, f.ds(&["a", "b"])),
        (Kind::Cdnskey, f.cdnskey(&["a", "b"])),
        (Kind::Csync, RecordSet::new()),
        (Kind::Ns, f.ns(&["a", "b"])),
        (Kind::Data, RecordSet::new()),
    ] {
        f.sees(50_000, "b", kind, records);
    }
    let back = decision(&f, 50_010);
    assert!(written_at(&back).contains(&"b"), "{back:?}");
    // What it served in between it may have served all the time: nothing counts from its silence any more.
    let late = decision(&f, 1030 + 86_400 + 61);
    assert!(late.writes.iter().all(|write| write.step == Step::NameServers), "{late:?}");
}

#[test]
fn an_operator_that_is_only_silent_is_still_waited_for() {
    let mut f = without_b();
    f.members.get_mut("b").unwrap().unreachable = false;
    let decision = decision(&f, 1010);
    let wait = decision.waits.iter().find(|wait| wait.code == "operator-unreachable").unwrap();
    assert!(wait.text.contains("chorus zone leave child.example b --unreachable"), "{}", wait.text);
}

#[test]
fn a_newcomer_that_died_before_anybody_was_told_of_it_is_let_go_at_once() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.alone(0, "a");
    f.sees(0, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(0, "parent", Kind::Delegation, f.ns(&["a"]));
    f.alone(0, "b");
    for server in f.members["b"].servers.clone() {
        for kind in Kind::OPERATOR {
            f.fails(10, server.clone(), kind, Failure::Silent);
        }
    }
    assert!(!is_present(&f.world(20), "b"), "its own NS set names it, and reaches nobody");
    let decision = decision(&f, 20);
    assert!(decision.waits.iter().all(|wait| wait.code != "operator-unreachable"), "{decision:?}");
}

#[test]
fn a_leaver_that_is_gone_is_named_no_longer_while_another_operator_joins() {
    let mut f = without_b();
    f.member("c", true);
    f.alone(0, "c");
    for operator in ["a", "c"] {
        f.sees(1000, operator, Kind::Dnskey, all_keys(&["a", "b", "c"]));
        f.sees(1000, operator, Kind::Cds, f.ds(&["a", "b", "c"]));
        f.sees(1000, operator, Kind::Cdnskey, f.cdnskey(&["a", "b", "c"]));
    }
    f.sees(1000, "parent", Kind::Ds, f.ds(&["a", "b", "c"]));
    let decision = decision(&f, 1000 + 250_000);
    let names = decision.writes.iter().find(|write| write.step == Step::NameServers);
    let names = names.unwrap_or_else(|| panic!("{decision:?}"));
    assert_eq!(names.operator, "c");
    let chorus::model::group::Change::Exactly(set) = &names.sets[0].2 else { panic!("{names:?}") };
    assert_eq!(*set, f.ns(&["a", "c"]));
}
