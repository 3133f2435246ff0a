//! What a guard or a rule of the check is for, where the simulator does not show it: each test has both sides, the guard in
//! its place and left out, and what then happens (`docs/guards.md` names it).

use crate::in_flight::{LATER_S, b_is_trusted, names, sent};
use crate::preflight_findings::{faultless, found, signature};
use crate::support::{Fixture, all_keys, keys};
use chorus::model::chain::{Objection, Planned, Scene, check, judge};
use chorus::model::dns::{RecordSet, ns_rdata};
use chorus::model::group::{Standing, Step, decide, forecast};
use chorus::model::history::{Failure, Kind};
use chorus::model::preflight::Severity;
use chorus::model::switches::Switch;
use chorus::model::time::Time;
use std::time::Duration;

fn leave_out(f: &mut Fixture, switches: &[Switch]) {
    f.lifetimes.without = switches.iter().copied().collect();
}

/// What the check says to b being named in a's zone.
fn objections_to_naming_b(f: &Fixture, now_s: i64) -> Vec<Objection> {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let planned = Planned { operator: "a".into(), kind: Kind::Ns, ttl_s: 3600, records: f.ns(&["a", "b"]) };
    check(&scene, &[planned], Time::from_s(now_s))
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
            chorus::model::group::Change::Exactly(records) => records,
            other => panic!("CSYNC is written whole: {other:?}"),
        });
        changes.last().expect("it is asked")
    };
    let mut ends = Vec::new();
    for left_out in [&[][..], &[Switch::NsComplete]] {
        let mut f = a_lags_behind();
        leave_out(&mut f, left_out);
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
        assert_eq!(last.text.contains("may still make of the CSYNC at ns2.a."), early, "{}", last.text);
        ends.push(last.until.expect("it ends"));
    }
    assert!(
        ends[0].until(ends[1]) > Duration::from_secs(172_800),
        "b is needed for the parent's pipeline longer: {ends:?}"
    );
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
