//! Forecasts: their waits are those that the guards give later, and what does not have to be done is not in them.

use crate::support::{Fixture, all_keys};
use chorus::model::group::{Forecast, ParentMode, Standing, Step, World, decide, forecast, standing};
use chorus::model::history::{Failure, Kind};
use chorus::model::time::Time;

fn steps(forecast: &Forecast) -> Vec<Step> {
    forecast.steps.iter().map(|step| step.step).collect()
}

/// B is taken back after a was given b's keys and asked for b's DS. No NS RRset but b's own ever named b.
fn join_taken_back(parent_has_ds: bool) -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    for (operator, other) in [("a", "b"), ("b", "a")] {
        f.sees(0, operator, Kind::Dnskey, all_keys(&["a", "b"]));
        f.sees(0, operator, Kind::Cds, f.ds(&["a", "b"]));
        f.sees(0, operator, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
        let placements = &mut f.members.get_mut(operator).unwrap().placements;
        placements.insert(Kind::Dnskey, all_keys(&[other]));
    }
    if parent_has_ds {
        f.sees(10, "parent", Kind::Ds, f.ds(&["a", "b"]));
    }
    f
}

#[test]
fn the_undo_of_a_join_waits_for_no_resolver_where_none_could_query_the_newcomer() {
    for parent_has_ds in [false, true] {
        let f = join_taken_back(parent_has_ds);
        let way = forecast(&f.world(20));
        assert_eq!(steps(&way), [Step::AwaitLeaverKeys, Step::AwaitDsGone, Step::AwaitLeaverAnswers]);
        for step in &way.steps {
            assert_eq!((step.earliest, &step.waits), (Time::from_s(20), &Vec::new()), "{step:?}");
            assert!(!step.title.contains("switched off"), "{}", step.title);
            assert!(step.writes.iter().all(|write| write.operator == "a"), "nothing is written at b: {step:?}");
        }
        assert_eq!(way.ends, Time::from_s(20));
    }
}

#[test]
fn the_undo_of_a_join_that_has_done_nothing_has_no_steps() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.alone(-1000, "a");
    f.sees(-1000, "a", Kind::Cds, f.ds(&["a"]));
    f.sees(-1000, "a", Kind::Cdnskey, f.cdnskey(&["a"]));
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    assert_eq!(steps(&forecast(&f.world(0))), []);
}

/// Two operators; b is wanted no more.
fn leave() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    for (operator, other) in [("a", "b"), ("b", "a")] {
        f.members.get_mut(operator).unwrap().placements.insert(Kind::Dnskey, all_keys(&[other]));
    }
    f.together(-1000, &["a", "b"]);
    f
}

#[test]
fn the_waits_of_a_leave_are_those_that_the_guards_give_when_everybody_acts_at_once() {
    let mut f = leave();
    let way = forecast(&f.world(0));
    let order = [Step::NameServers, Step::AwaitDelegation, Step::AwaitLeaverKeys, Step::AwaitDsGone];
    assert_eq!(steps(&way), [&order[..], &[Step::AwaitLeaverAnswers]].concat());
    let ds = &way.steps[2];
    let keys = &way.steps[4];
    // Each wait is a sentence of its own, with its own end: the NS RRsets, the delegation, the leaver's DNSKEY RRsets.
    let ends = |forecast: &Forecast, nth: usize| -> Vec<Option<i64>> {
        forecast.steps[nth].waits.iter().map(|wait| wait.until.map(|at| at.0 / 1000)).collect()
    };
    let mut of_ds = ends(&way, 2);
    of_ds.sort();
    assert_eq!(of_ds, [Some(3660), Some(86_460), Some(86_460 + 3660)], "{:?}", ds.waits);
    assert!(ds.waits.iter().all(|wait| wait.text.matches("TTL").count() == 1), "{:?}", ds.waits);
    assert_eq!(ends(&way, 4), [Some(86_460 + 86_460)], "{:?}", keys.waits);

    for operator in ["a", "b"] {
        f.sees(0, operator, Kind::Ns, f.ns(&["a"]));
    }
    f.sees(0, "parent", Kind::Delegation, f.ns(&["a"]));
    let until = |now_s: i64, step: Step| {
        let decision = decide(&f.world(now_s));
        decision.waits.iter().find(|wait| wait.step == step).and_then(|wait| wait.until)
    };
    assert_eq!(until(86_460, Step::AwaitLeaverKeys), Some(ds.earliest));
    assert_eq!(until(86_460, Step::AwaitLeaverAnswers), Some(keys.earliest));
}

#[test]
fn a_csync_that_the_parent_may_still_act_on_is_in_the_forecast_of_an_undo() {
    let mut f = leave();
    // B has just joined: the NS RRset with b and its CSYNC stand everywhere, and the parent has not followed.
    f.sees(-500, "parent", Kind::Delegation, f.ns(&["a"]));
    for operator in ["a", "b"] {
        f.sees(-400, operator, Kind::Csync, chorus::model::dns::RecordSet::from([csync()]));
    }
    let way = forecast(&f.world(0));
    let ds = way.steps.iter().find(|step| step.step == Step::AwaitLeaverKeys).unwrap();
    let csync = ds.waits.iter().find(|wait| wait.text.contains("requested by the CSYNC at")).unwrap();
    let pipeline = f.lifetimes.policy.parent_pipeline_s as i64;
    assert_eq!(csync.until, Some(Time::from_s(3600 + pipeline + 86_460)), "{:?}", ds.waits);
}

fn csync() -> chorus::model::dns::Rdata {
    chorus::model::dns::Rdata::from_canonical(vec![0, 0, 0, 0, 0, 1, 0, 1, 0x20])
}

#[test]
fn a_join_waits_for_keys_and_for_ds_in_two_sentences_each_with_its_own_end() {
    let mut f = Fixture::new();
    f.ds_ttl_s = 7200;
    f.member("a", true);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    for mode in [ParentMode::Scan, ParentMode::Manual] {
        let way = forecast(&World { parent: mode, ..f.world(0) });
        let order = [Step::ShareKeys, Step::AskForDs, Step::AwaitDs, Step::NameServers, Step::AwaitDelegation];
        assert_eq!(steps(&way), order);
        let named = &way.steps[3];
        let mut waits: Vec<(Option<Time>, bool, bool)> = named
            .waits
            .iter()
            .map(|wait| (wait.until, wait.text.contains("DNSKEY RRset"), wait.text.contains("the DS RRset")))
            .collect();
        waits.sort();
        let at = |s| Some(Time::from_s(s));
        assert_eq!(waits, [(at(3660), true, false), (at(7260), false, true)], "{:?}", named.waits);
        assert!(named.waits.iter().all(|wait| wait.numbers.len() == 3), "a TTL, stale serving and slack");
        assert_eq!(named.earliest, Time::from_s(7260));
    }
}

#[test]
fn a_replacement_adds_and_removes_each_name_server_once() {
    let mut f = Fixture::new();
    f.member("a", false);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    let way = forecast(&f.world(0));
    let ns = |leaves: bool| {
        let step = way.steps.iter().find(|step| step.step == Step::NameServers && step.leaves == leaves).unwrap();
        let count = |operator: &str| {
            let write = step.writes.iter().find(|write| write.operator == operator).unwrap();
            (write.add.len(), write.remove.len())
        };
        (count("a"), count("b"))
    };
    assert_eq!(ns(false), ((2, 0), (2, 0)));
    assert_eq!(ns(true), ((0, 2), (0, 2)));
}

#[test]
fn an_operator_that_falls_silent_changes_no_membership() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(-1000, &["a", "b"]);
    for server in f.members["b"].servers.clone() {
        for kind in Kind::OPERATOR {
            f.fails(0, server.clone(), kind, Failure::Silent);
        }
    }
    let world = f.world(10);
    for operator in ["a", "b"] {
        assert_eq!(standing(&world, &operator.to_owned()), Standing::Serving, "{operator}");
    }
    let decision = decide(&world);
    let wait = decision.waits.iter().find(|wait| wait.code == "operator-unreachable").unwrap();
    assert!(wait.text.starts_with("b: ns1.b."), "{}", wait.text);
}
