//! Operators that the parent may ask are told of a new DS together, or none of them: what a silent one goes on serving would
//! take back what the parent has done for the others.

use crate::support::{Fixture, keys};
use chorus::model::dns::{Rdata, RecordSet, cds_for};
use chorus::model::group::{Change, Decision, Step, decide};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served};
use chorus::model::time::Time;

/// A key that b rolls to, and every operator has already; it signs b's DNSKEY set beside the old one.
fn new_key() -> Rdata {
    keys("c").0
}

/// a and b serve the zone; b rolls its key-signing key at 1000 s, and its new key is known everywhere and for long.
fn roll_of_b() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    for who in ["a", "b"] {
        for server in f.members[who].servers.clone() {
            let old = Served::clone(&f.history.current(&server, Kind::Dnskey).unwrap().served);
            let with = |set: &RecordSet| set.iter().cloned().chain([new_key()]).collect::<RecordSet>();
            let signers = if who == "b" { with(&old.signers) } else { old.signers.clone() };
            let served = Served { records: with(&old.records), signers, ..old };
            let outcome = Outcome::Served(served);
            f.history.record(&Sample { at: Time::from_s(1000), server, kind: Kind::Dnskey, outcome });
        }
    }
    let (cds, cdnskey) = (f.ds(&["a", "b"]), f.cdnskey(&["a", "b"]));
    for (who, keys) in [("a", vec![new_key(), keys("b").0, keys("b").1]), ("b", vec![keys("a").0, keys("a").1])] {
        let placements = &mut f.members.get_mut(who).unwrap().placements;
        placements.insert(Kind::Dnskey, keys.into_iter().collect());
        placements.insert(Kind::Cds, cds.clone());
        placements.insert(Kind::Cdnskey, cdnskey.clone());
    }
    f
}

fn cds_written_at(decision: &Decision) -> Vec<&str> {
    let cds = decision.writes.iter().filter(|write| write.sets.iter().any(|(kind, _, _)| *kind == Kind::Cds));
    cds.map(|write| write.operator.as_str()).collect()
}

const LATER_S: i64 = 20_000;

#[test]
fn a_new_ds_is_asked_for_nowhere_while_an_operator_that_the_parent_may_ask_is_silent() {
    let mut f = roll_of_b();
    let all_answer = decide(&f.world(LATER_S));
    assert_eq!(cds_written_at(&all_answer), ["a", "b"], "{all_answer:?}");
    let silent = f.server("b", 1);
    f.fails(LATER_S, silent.clone(), Kind::Cds, Failure::Silent);
    let held = decide(&f.world(LATER_S + 1));
    assert!(cds_written_at(&held).is_empty(), "{held:?}");
    let wait = held.waits.iter().find(|wait| wait.step == Step::AskForDs).unwrap();
    assert_eq!(wait.code, "operator-unreachable");
    assert!(wait.text.contains("b: ns2.b. (") && wait.text.contains("does not answer"), "{}", wait.text);
    // It answers again: all are told.
    let with_all: RecordSet = cds_for(&f.zone, [&keys("a").0, &keys("b").0], &[2]);
    f.sees_at(LATER_S + 10, silent, Kind::Cds, with_all);
    assert_eq!(cds_written_at(&decide(&f.world(LATER_S + 11))), ["a", "b"]);
}

#[cfg(feature = "guard-switches")]
#[test]
fn without_that_a_is_told_and_the_silent_b_goes_on_asking_for_the_old_key_alone() {
    use chorus::model::switches::Switch;
    let mut f = roll_of_b();
    f.fails(LATER_S, f.server("b", 1), Kind::Cds, Failure::Silent);
    assert!(cds_written_at(&decide(&f.world(LATER_S + 1))).is_empty());
    f.lifetimes.without = [Switch::ToldTogether].into_iter().collect();
    assert!(cds_written_at(&decide(&f.world(LATER_S + 1))).contains(&"a"));
}

/// a and b serve the zone, and ask the parent for what it has.
fn at_rest() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    for who in ["a", "b"] {
        f.sees(0, who, Kind::Cds, f.ds(&["a", "b"]));
        f.sees(0, who, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
    }
    f
}

#[test]
fn a_set_that_somebody_damaged_is_put_back_while_another_is_silent_for_that_one_says_the_same() {
    let mut f = at_rest();
    f.fails(100, f.server("b", 1), Kind::Cds, Failure::Silent);
    assert!(cds_written_at(&decide(&f.world(101))).iter().all(|at| *at == "b"), "nothing is wrong at a");
    f.sees(110, "a", Kind::Cds, f.ds(&["b"]));
    let decision = decide(&f.world(111));
    assert!(cds_written_at(&decision).contains(&"a"), "{decision:?}");
}

#[test]
fn a_set_that_takes_a_ds_out_is_put_back_though_keys_are_not_known_to_be_shared() {
    let mut f = at_rest();
    f.fails(100, f.server("b", 1), Kind::Dnskey, Failure::Silent);
    assert!(cds_written_at(&decide(&f.world(101))).is_empty(), "nothing takes a DS out");
    f.sees(110, "a", Kind::Cds, RecordSet::new());
    assert!(cds_written_at(&decide(&f.world(111))).is_empty(), "no set asks for nothing");
    f.sees(120, "a", Kind::Cds, f.ds(&["b"]));
    let decision = decide(&f.world(121));
    assert_eq!(decision.step, Step::ShareKeys);
    assert_eq!(cds_written_at(&decision), ["a"], "{decision:?}");
    let all = cds_for(&f.zone, [&keys("a").0, &keys("b").0], &[2]);
    let sets = decision.writes.iter().flat_map(|write| &write.sets);
    let cds = sets.filter(|(kind, _, _)| *kind == Kind::Cds).map(|(_, _, change)| change);
    assert!(cds.into_iter().all(|change| *change == Change::Exactly(all.clone())), "{decision:?}");
}

/// b rolls, and asks for its new key by itself; a parent that acts on one answer has done it. b's second address has been
/// silent since before that, and nobody knows what it serves.
#[test]
fn a_set_that_lacks_the_ds_of_a_new_key_is_written_while_its_owner_is_partly_silent_if_the_parent_has_that_ds() {
    let mut f = roll_of_b();
    let with_new: RecordSet = cds_for(&f.zone, [&keys("a").0, &keys("b").0, &new_key()], &[2]);
    for (kind, set) in [(Kind::Cds, with_new.clone()), (Kind::Cdnskey, [keys("a").0, keys("b").0, new_key()].into())] {
        let (old, server) = (f.server("b", 1), f.server("b", 0));
        f.fails(1100, old, kind, Failure::Silent);
        f.sees_at(1100, server, kind, set);
    }
    assert!(!cds_written_at(&decide(&f.world(LATER_S))).contains(&"a"), "it would ask the parent for more than it has");
    f.sees(1200, "parent", Kind::Ds, with_new.clone());
    let decision = decide(&f.world(LATER_S));
    let at_a = decision.writes.iter().filter(|write| write.operator == "a").flat_map(|write| &write.sets);
    let cds = at_a.filter(|(kind, _, _)| *kind == Kind::Cds).map(|(_, _, change)| change.clone()).collect::<Vec<_>>();
    assert_eq!(cds, [Change::Exactly(with_new)], "{decision:?}");
}

#[test]
fn an_operator_that_fails_for_its_damaged_set_alone_gets_it_mended() {
    let mut f = at_rest();
    for index in [0, 1] {
        f.fails(100, f.server("b", index), Kind::Cds, Failure::Unverifiable("its signature has expired".into()));
    }
    assert_eq!(cds_written_at(&decide(&f.world(101))), ["b"], "a asks for the same");
}

#[test]
fn a_ds_is_asked_for_only_when_the_key_is_everywhere_even_while_another_is_being_taken_out() {
    let mut f = roll_of_b();
    // A copy of a key that nobody has any more stands at a, and is to go; a's second server is behind with everything.
    let orphan = keys("d").1;
    f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(orphan.clone());
    for (index, has_new) in [(0, true), (1, false)] {
        let server = f.server("a", index);
        let mut served = Served::clone(&f.history.current(&server, Kind::Dnskey).unwrap().served);
        served.records.insert(orphan.clone());
        if !has_new {
            served.records.remove(&new_key());
        }
        let outcome = Outcome::Served(served);
        f.history.record(&Sample { at: Time::from_s(1100), server, kind: Kind::Dnskey, outcome });
    }
    let decision = decide(&f.world(LATER_S));
    assert_eq!(decision.step, Step::ShareKeys, "{decision:?}");
    assert!(cds_written_at(&decision).is_empty(), "{decision:?}");
}

#[test]
fn where_nobody_answers_whom_the_parent_delegates_to_a_person_has_to_tell_the_registrar() {
    for (delegated, code) in [(["a", "b"].as_slice(), "parent-silent-server"), (&["a"], "parent-manual")] {
        let mut f = Fixture::new();
        f.member("a", false);
        f.member("b", true);
        f.together(0, &["a", "b"]);
        f.sees(0, "parent", Kind::Delegation, f.ns(delegated));
        f.members.get_mut("a").unwrap().unreachable = true;
        for server in f.members["a"].servers.clone() {
            for kind in Kind::OPERATOR {
                f.fails(10, server.clone(), kind, Failure::Silent);
            }
            f.history.lose(&server);
        }
        f.sees(20, "b", Kind::Ns, f.ns(&["b"]));
        let asks = decide(&f.world(25)).writes.into_iter().flat_map(|write| write.sets);
        let csync = asks.into_iter().find_map(|(kind, _, change)| match change {
            Change::Exactly(records) if kind == Kind::Csync => Some(records),
            _ => None,
        });
        f.sees(30, "b", Kind::Csync, csync.unwrap());
        let decision = decide(&f.world(40));
        let wait = decision.waits.iter().find(|wait| wait.step == Step::AwaitDelegation).unwrap();
        assert_eq!(wait.code, code, "{}", wait.text);
        assert_eq!(wait.text.contains("tell the registrar"), code == "parent-manual", "{}", wait.text);
    }
}
