//! What a guard or a rule of the check is for, where the simulator does not show it: each test has both sides, the guard in
//! its place and left out, and what then happens (`docs/guards.md` names it).

use crate::in_flight::{LATER_S, b_is_trusted, names, sent};
use crate::key_rolls::{asks_for, at_rest, cds_writes, new_key, swapped_at_1000};
use crate::preflight_findings::{faultless, found, signature};
use crate::support::{Fixture, all_keys, keys};
use chorus::model::chain::{Objection, Planned, Scene, check, judge};
use chorus::model::dns::{Rdata, RecordSet, cds_for, ns_rdata};
use chorus::model::group::{Change, Standing, Step, decide, forecast};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served};
use chorus::model::preflight::Severity;
use chorus::model::switches::Switch;
use chorus::model::time::Time;
use std::time::Duration;

fn leave_out(f: &mut Fixture, switches: &[Switch]) {
    f.lifetimes.without = switches.iter().copied().collect();
}

/// What the check says to this set.
fn objections(f: &Fixture, now_s: i64, operator: &str, kind: Kind, records: RecordSet) -> Vec<Objection> {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let planned = Planned { operator: operator.into(), kind, ttl_s: 3600, records };
    check(&scene, &[planned], Time::from_s(now_s))
}

fn objections_to_naming_b(f: &Fixture, now_s: i64) -> Vec<Objection> {
    objections(f, now_s, "a", Kind::Ns, f.ns(&["a", "b"]))
}

fn exposures(f: &Fixture, now_s: i64) -> usize {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    judge(&scene, Time::MIN, Time::from_s(now_s)).exposures.len()
}

#[test]
fn a_newcomer_is_named_though_the_removal_of_its_keys_is_on_its_way() {
    for left_out in [&[][..], &[Switch::InFlight]] {
        let mut f = b_is_trusted();
        leave_out(&mut f, left_out);
        let going = RecordSet::from([keys("b").0, keys("b").1]);
        let removal = sent(LATER_S, all_keys(&["a"]), Some((RecordSet::new(), going)));
        for server in f.members["a"].servers.clone() {
            f.history.expect(&server, Kind::Dnskey, &removal);
        }
        let named = names(&f, LATER_S + 1) && objections_to_naming_b(&f, LATER_S + 1).is_empty();
        assert_eq!(named, !left_out.is_empty());
        if named {
            f.sees(LATER_S + 2, "b", Kind::Ns, f.ns(&["a", "b"]));
            f.sees(LATER_S + 3, "a", Kind::Ns, f.ns(&["a", "b"]));
        }
        // The removal shows itself: a's DNSKEY set no longer goes with what b answers, if anybody asks b.
        f.sees(LATER_S + 60, "a", Kind::Dnskey, all_keys(&["a"]));
        assert_eq!(exposures(&f, LATER_S + 61) > 0, named);
    }
}

#[test]
fn a_newcomer_is_named_with_a_server_that_does_not_answer() {
    for (left_out, decided, allowed) in [
        (&[][..], false, false),
        (&[Switch::CheckAnswering], false, true),
        (&[Switch::NoAnswer], true, false),
        (&[Switch::NoAnswer, Switch::CheckAnswering], true, true),
    ] {
        let mut f = b_is_trusted();
        leave_out(&mut f, left_out);
        for kind in Kind::OPERATOR {
            f.fails(LATER_S, f.server("b", 1), kind, Failure::Silent);
        }
        assert_eq!(names(&f, LATER_S + 1), decided, "{left_out:?}");
        assert_eq!(objections_to_naming_b(&f, LATER_S + 1).is_empty(), allowed, "{left_out:?}");
        let writes = decide(&f.world(LATER_S + 1)).writes;
        let silent = ns_rdata(&f.server("b", 1).host);
        let sent_to_it = writes
            .iter()
            .flat_map(|write| &write.sets)
            .any(|(kind, _, change)| *kind == Kind::Ns && format!("{change:?}").contains(&format!("{silent:?}")));
        assert_eq!(sent_to_it, decided, "resolvers are sent to a server that is silent: {left_out:?}");
    }
}

#[test]
fn a_newcomer_is_named_whose_signatures_end_soon() {
    for (left_out, decided, allowed) in [
        (&[][..], false, false),
        (&[Switch::CheckSignatures], false, true),
        (&[Switch::SignaturesLast], true, false),
        (&[Switch::SignaturesLast, Switch::CheckSignatures], true, true),
    ] {
        for (kind, lasts_s) in [(Kind::Dnskey, 3600), (Kind::Data, 30)] {
            let mut f = b_is_trusted();
            leave_out(&mut f, left_out);
            let server = f.server("b", 1);
            let served = Served::clone(&f.history.current(&server, kind).unwrap().served);
            let expires = Some(Time::from_s(LATER_S + lasts_s));
            let outcome = Outcome::Served(Served { expires, ..served });
            f.history.record(&Sample { at: Time::from_s(LATER_S), server, kind, outcome });
            assert_eq!(names(&f, LATER_S), decided, "{left_out:?}");
            assert_eq!(objections_to_naming_b(&f, LATER_S).is_empty(), allowed, "{left_out:?}");
            // With signatures that last it is named.
            let server = f.server("b", 1);
            let served = Served::clone(&f.history.current(&server, kind).unwrap().served);
            let outcome = Outcome::Served(Served { expires: Some(Time::from_s(LATER_S + 9000)), ..served });
            f.history.record(&Sample { at: Time::from_s(LATER_S + 1), server, kind, outcome });
            assert!(names(&f, LATER_S + 1) && objections_to_naming_b(&f, LATER_S + 1).is_empty(), "{left_out:?}");
        }
    }
}

/// B leaves. All servers show the NS set without it, but for the second one of a: that lags until 120 s.
fn a_lags_behind() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(-1_000_000, &["a", "b"]);
    f.together(0, &["a", "b"]);
    for (at, other) in [("a", "b"), ("b", "a")] {
        let placed = RecordSet::from([keys(other).0, keys(other).1]);
        f.members.get_mut(at).unwrap().placements.insert(Kind::Dnskey, placed);
    }
    f.members.get_mut("b").unwrap().wanted = Standing::Outside;
    f.sees_at(100, f.server("a", 0), Kind::Ns, f.ns(&["a"]));
    f.sees_at(100, f.server("a", 1), Kind::Ns, f.ns(&["a", "b"]));
    f.sees(100, "b", Kind::Ns, f.ns(&["a"]));
    f
}

/// Everything is still as it was.
fn looks_again(f: &mut Fixture, at_s: i64) {
    let shown = f.history.tracks().filter_map(|(server, kind, _)| {
        let outcome = Outcome::Served(Served::clone(&f.history.current(server, kind)?.served));
        Some(Sample { at: Time::from_s(at_s), server: server.clone(), kind, outcome })
    });
    for sample in shown.collect::<Vec<_>>() {
        f.history.record(&sample);
    }
}

#[test]
fn a_parent_is_asked_by_a_server_that_lags_to_go_back_to_the_leaver() {
    let asks = |f: &Fixture, now_s| {
        let writes = decide(&f.world(now_s)).writes;
        writes.iter().any(|write| write.sets.iter().any(|(kind, ..)| *kind == Kind::Csync))
    };
    let csync = |f: &Fixture, now_s| -> RecordSet {
        let writes = decide(&f.world(now_s)).writes;
        let sets = writes.into_iter().flat_map(|write| write.sets).filter(|(kind, ..)| *kind == Kind::Csync);
        let changes = sets.map(|(_, _, change)| match change {
            Change::Exactly(records) => records,
            other => panic!("CSYNC is written whole: {other:?}"),
        });
        changes.last().expect("it is asked")
    };
    let mut ends = Vec::new();
    for left_out in [&[][..], &[Switch::NsComplete]] {
        let mut f = a_lags_behind();
        leave_out(&mut f, left_out);
        looks_again(&mut f, 101);
        let early = asks(&f, 101);
        assert_eq!(early, !left_out.is_empty());
        if early {
            // Beside the old NS set at the one server, beside the new one at all others. The parent reads one of those.
            let record = csync(&f, 101);
            f.sees(102, "b", Kind::Csync, record.clone());
            f.sees(102, "a", Kind::Csync, record);
            f.sees(110, "parent", Kind::Delegation, f.ns(&["a"]));
        }
        f.sees_at(120, f.server("a", 1), Kind::Ns, f.ns(&["a"]));
        looks_again(&mut f, 121);
        if !early {
            let record = csync(&f, 121);
            f.sees(122, "a", Kind::Csync, record.clone());
            f.sees(122, "b", Kind::Csync, record);
            f.sees(130, "parent", Kind::Delegation, f.ns(&["a"]));
        }
        for operator in ["a", "b"] {
            f.sees(140, operator, Kind::Csync, RecordSet::new());
        }
        let waits = decide(&f.world(141)).waits;
        let last = waits.into_iter().find(|wait| wait.step == Step::AwaitLastQuestion).expect("it is waited for");
        assert_eq!(last.text.contains("requested by the CSYNC at ns2.a."), early, "{}", last.text);
        ends.push(last.until.expect("it ends"));
    }
    assert!(
        ends[0].until(ends[1]) > Duration::from_secs(172_800),
        "b is needed for the parent's pipeline longer: {ends:?}"
    );
}

/// B was named for half a minute, beside a CSYNC; then it was taken back, and the parent has done nothing so far.
fn b_was_taken_back() -> Fixture {
    let mut f = b_is_trusted();
    let placed = RecordSet::from([keys("b").0, keys("b").1]);
    f.members.get_mut("a").unwrap().placements.insert(Kind::Dnskey, placed);
    looks_again(&mut f, LATER_S);
    for operator in ["b", "a"] {
        f.sees(LATER_S + 1, operator, Kind::Ns, f.ns(&["a", "b"]));
        f.sees(LATER_S + 2, operator, Kind::Csync, RecordSet::from([csync()]));
    }
    f.members.get_mut("b").unwrap().wanted = Standing::Outside;
    looks_again(&mut f, LATER_S + 20);
    for operator in ["b", "a"] {
        f.sees(LATER_S + 30, operator, Kind::Ns, f.ns(&["a"]));
        f.sees(LATER_S + 40, operator, Kind::Csync, RecordSet::new());
    }
    f
}

/// `CSYNC 0 1 NS`.
fn csync() -> Rdata {
    Rdata::from_canonical(vec![0, 0, 0, 0, 0, 1, 0, 1, 0x20])
}

#[test]
fn keys_go_of_an_operator_that_the_parent_may_still_delegate_to_for_a_csync() {
    // B's answers are dead, the NS sets that named it, too; the parent may publish what it read for another day.
    let now_s = LATER_S + 100_000;
    for (left_out, decided, allowed) in [
        (&[][..], false, false),
        (&[Switch::CheckReach], false, true),
        (&[Switch::CsyncGun], true, false),
        (&[Switch::CsyncGun, Switch::CheckReach], true, true),
    ] {
        let mut f = b_was_taken_back();
        leave_out(&mut f, left_out);
        looks_again(&mut f, now_s);
        let writes = decide(&f.world(now_s)).writes;
        let mut changes = writes.iter().filter(|write| write.operator == "a").flat_map(|write| &write.sets);
        let goes = changes.any(|(kind, _, change)| {
            *kind == Kind::Dnskey && matches!(change, Change::Partly { without, .. } if !without.is_empty())
        });
        assert_eq!(goes, decided, "{left_out:?}");
        let objections = objections(&f, now_s, "a", Kind::Dnskey, all_keys(&["a"]));
        assert_eq!(objections.is_empty(), allowed, "{left_out:?}: {objections:?}");
        if goes && allowed {
            f.sees(now_s + 1, "a", Kind::Dnskey, all_keys(&["a"]));
        }
        f.sees(now_s + 60, "parent", Kind::Delegation, f.ns(&["a", "b"]));
        assert_eq!(exposures(&f, now_s + 61) > 0, goes && allowed, "{left_out:?}");
    }
}

#[test]
fn keys_go_of_an_operator_that_the_parent_may_have_delegated_to_while_nobody_looked() {
    // Whatever the parent has read of the CSYNC it has published long ago; days pass without a look.
    let back_s = LATER_S + 400_000;
    for (left_out, goes_at_once) in [(&[][..], false), (&[Switch::PublishedUnseen], true)] {
        let mut f = b_was_taken_back();
        leave_out(&mut f, left_out);
        looks_again(&mut f, LATER_S + 60);
        looks_again(&mut f, back_s);
        let goes = |f: &Fixture, now_s: i64| {
            let writes = decide(&f.world(now_s)).writes;
            writes.iter().filter(|write| write.operator == "a").flat_map(|write| &write.sets).any(
                |(kind, _, change)| {
                    *kind == Kind::Dnskey && matches!(change, Change::Partly { without, .. } if !without.is_empty())
                },
            )
        };
        assert_eq!(goes(&f, back_s + 1), goes_at_once, "{left_out:?}");
        let objections = objections(&f, back_s + 1, "a", Kind::Dnskey, all_keys(&["a"]));
        assert_eq!(objections.is_empty(), goes_at_once, "{left_out:?}: {objections:?}");
        // The delegation's TTL after that look, then the TTL of what b served to the last who came, and the slack of each.
        let later_s = back_s + 2 * (86_400 + 60);
        looks_again(&mut f, later_s);
        assert!(goes(&f, later_s + 1), "{left_out:?}");
        // What nobody saw: the parent had delegated to b until just before that look.
        let mut truth = b_was_taken_back();
        truth.sees(back_s - 1000, "parent", Kind::Delegation, truth.ns(&["a", "b"]));
        truth.sees(back_s, "parent", Kind::Delegation, truth.ns(&["a"]));
        let gone_s = if goes_at_once { back_s + 2 } else { later_s + 2 };
        looks_again(&mut truth, gone_s - 1);
        truth.sees(gone_s, "a", Kind::Dnskey, all_keys(&["a"]));
        assert_eq!(exposures(&truth, gone_s + 60) > 0, goes_at_once, "{left_out:?}");
    }
}

/// What was shown to a person lives on when it is shown no more: the keys of b stay for as long as the registrar may act, and
/// what it then makes lives.
#[test]
fn keys_go_of_an_operator_that_the_registrar_may_still_delegate_to() {
    const ACTS_WITHIN_S: i64 = 7 * 86_400;
    let now_s = LATER_S + 100_000;
    for (left_out, goes_at_once) in [(&[][..], false), (&[Switch::RegistrarPending], true)] {
        let mut f = b_is_trusted();
        f.members.get_mut("a").unwrap().placements.insert(Kind::Dnskey, RecordSet::from([keys("b").0, keys("b").1]));
        let both = f.ns(&["a", "b"]);
        let within = Duration::from_secs(ACTS_WITHIN_S.unsigned_abs());
        assert!(f.history.show_for_registrar(Kind::Delegation, Some(&both), Time::from_s(LATER_S), within));
        assert!(f.history.show_for_registrar(Kind::Delegation, None, Time::from_s(LATER_S + 10), within));
        f.members.get_mut("b").unwrap().wanted = Standing::Outside;
        leave_out(&mut f, left_out);
        looks_again(&mut f, now_s);
        let goes = |f: &Fixture, now_s: i64| {
            let writes = decide(&f.world(now_s)).writes;
            let mut changes = writes.iter().filter(|write| write.operator == "a").flat_map(|write| &write.sets);
            changes.any(|(kind, _, change)| {
                *kind == Kind::Dnskey && matches!(change, Change::Partly { without, .. } if !without.is_empty())
            })
        };
        assert_eq!(goes(&f, now_s + 1), goes_at_once, "{left_out:?}");
        let objections = objections(&f, now_s + 1, "a", Kind::Dnskey, all_keys(&["a"]));
        assert_eq!(objections.is_empty(), goes_at_once, "{left_out:?}: {objections:?}");
        // The registrar acts.
        let acts_s = LATER_S + ACTS_WITHIN_S - 5;
        let mut truth = f.clone();
        if goes_at_once {
            truth.sees(now_s + 2, "a", Kind::Dnskey, all_keys(&["a"]));
        }
        truth.sees(acts_s, "parent", Kind::Delegation, truth.ns(&["a", "b"]));
        assert_eq!(exposures(&truth, acts_s + 60) > 0, goes_at_once, "{left_out:?}");
        // It does not: the delegation that it could have made, and then what b served, are dead.
        f.sees(now_s + 3, "b", Kind::Ns, f.ns(&["a"]));
        looks_again(&mut f, LATER_S + ACTS_WITHIN_S + 20);
        let later_s = LATER_S + ACTS_WITHIN_S + 20 + 2 * (86_400 + 60);
        looks_again(&mut f, later_s);
        assert!(goes(&f, later_s + 1), "{left_out:?}: {:#?}", decide(&f.world(later_s + 1)));
    }
}

#[test]
fn the_ds_of_a_key_goes_while_a_cache_holds_the_sets_that_it_alone_signed() {
    for left_out in [&[][..], &[Switch::RolledDs]] {
        let mut f = at_rest();
        let (_, new) = swapped_at_1000(&mut f);
        leave_out(&mut f, left_out);
        let before = exposures(&f, 1101);
        let written = !cds_writes(&f, 1001).is_empty();
        assert_eq!(written, !left_out.is_empty());
        if written {
            let kept = RecordSet::from([keys("a").0, new]);
            asks_for(&mut f, 1010, &kept);
            f.sees(1100, "parent", Kind::Ds, cds_for(&f.zone, &kept, &[2]));
        }
        assert_eq!(exposures(&f, 1101) > before, written);
    }
}

#[test]
fn a_transition_starts_though_a_signature_ends_before_caches_let_it_go() {
    for left_out in [&[][..], &[Switch::SignatureLifetime]] {
        let (mut f, mut inspection) = faultless();
        leave_out(&mut f, left_out);
        let ends_s = 3600 + 59;
        inspection.servers[3].signatures.push(signature(-20 * 86_400, ends_s));
        let refused = found(&f, &inspection).iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(refused, left_out.is_empty());
        if !refused {
            // It starts, and the signature ends before the first wait does.
            let steps = forecast(&f.world(0)).steps;
            assert!(steps.iter().any(|step| step.earliest > Time::from_s(ends_s)), "{steps:?}");
        }
    }
}

#[test]
fn a_placed_key_that_signs_nothing_yet_is_not_taken_for_the_operators_own() {
    for left_out in [&[][..], &[Switch::Placements]] {
        let mut f = at_rest();
        leave_out(&mut f, left_out);
        let new = new_key(256);
        f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(new.clone());
        // Both show it for the first time in one round: only what Chorus placed tells whose it is.
        let with_new: RecordSet = all_keys(&["a", "b"]).into_iter().chain([new.clone()]).collect();
        for operator in ["a", "b"] {
            f.sees(100, operator, Kind::Dnskey, with_new.clone());
        }
        assert_eq!(f.world(101).own_keys("a").contains(&new), !left_out.is_empty());
        assert!(f.world(101).own_keys("b").contains(&new));
    }
}
