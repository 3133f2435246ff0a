//! What one server of the parent showed may be at the others, whether anybody saw it there or not: a delegation that came and
//! went while one server lagged counts there, too, until no server of the parent lags any more.

use crate::support::Fixture;
use chorus::model::chain::{Planned, Scene, check};
use chorus::model::group::is_present;
use chorus::model::history::{Failure, Kind, Who};
use chorus::model::time::Time;

/// How long the parent's servers may lag, in these worlds.
const LAG_S: i64 = 7200;
/// A delegation lives for a day, and 60 s.
const LIFE_S: i64 = 86_460;

/// b was to join a, and is let go before the parent's second server has shown what a person had handed over: it lags.
fn delegation_that_came_and_went() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.together(0, &["a", "b"]);
    f.sees(0, "parent", Kind::Delegation, f.ns(&["a"]));
    f.sees(10, "a", Kind::Ns, f.ns(&["a"]));
    f.sees(10, "b", Kind::Ns, f.ns(&["a"]));
    f.sees_at(100, f.server("parent", 0), Kind::Delegation, f.ns(&["a", "b"]));
    f.sees_at(100, f.server("parent", 1), Kind::Delegation, f.ns(&["a"]));
    f.sees_at(200, f.server("parent", 0), Kind::Delegation, f.ns(&["a"]));
    f.sees_at(200, f.server("parent", 1), Kind::Delegation, f.ns(&["a"]));
    f
}

fn supposing(mut f: Fixture) -> Fixture {
    f.lifetimes.policy.parent_pipeline_s = LAG_S.unsigned_abs();
    f.history.suppose_unseen(&Who::Parent, f.lifetimes.parent_servers_lag());
    f
}

/// Whether b may be asked, so that nothing of it may go.
fn is_asked(f: &Fixture, now_s: i64) -> bool {
    is_present(&f.world(now_s), "b")
}

#[test]
fn a_leaver_is_kept_until_the_delegation_that_one_server_showed_cannot_come_at_another_any_more() {
    let seen_only = delegation_that_came_and_went();
    assert!(is_asked(&seen_only, 200 + LIFE_S - 1));
    assert!(!is_asked(&seen_only, 200 + LIFE_S), "the second server is taken at its word");
    let f = supposing(delegation_that_came_and_went());
    assert!(is_asked(&f, 200 + LAG_S + LIFE_S - 1));
    assert!(!is_asked(&f, 200 + LAG_S + LIFE_S));
}

/// A server that has a copy of the zone refers nobody, until it has the copy no more: then it may be behind like any other.
#[test]
fn a_server_that_had_a_copy_may_refer_to_what_the_other_showed_before_it_lost_the_copy() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.together(0, &["a", "b"]);
    let (plain, with_copy) = (f.server("parent", 0), f.server("parent", 1));
    for at_s in [0, 200] {
        f.fails(at_s, with_copy.clone(), Kind::Delegation, Failure::ServesChild);
        for kind in [Kind::Ns, Kind::Dnskey, Kind::Data] {
            f.sees_at(at_s, with_copy.clone(), kind, f.ns(&["a"]));
        }
        f.sees(at_s, "a", Kind::Ns, f.ns(&["a"]));
        f.sees(at_s, "b", Kind::Ns, f.ns(&["a"]));
        f.sees_at(at_s, plain.clone(), Kind::Delegation, f.ns(if at_s == 0 { &["a", "b"] } else { &["a"] }));
    }
    let f = supposing(f);
    let unseen = f.history.track(&with_copy, Kind::Delegation).map(|track| track.unseen.clone()).unwrap_or_default();
    let [span] = unseen.as_slice() else { panic!("{unseen:?}") };
    assert_eq!((span.since, span.until), (Some(Time::from_s(200)), Some(Time::from_s(200 + LAG_S))));
    assert!(is_asked(&f, 200 + LAG_S + LIFE_S - 1));
    assert!(!is_asked(&f, 200 + LAG_S + LIFE_S));
}

#[cfg(feature = "guard-switches")]
#[test]
fn a_leaver_goes_while_a_delegation_to_it_may_be_served_by_a_server_that_lags() {
    use chorus::model::switches::Switch;
    let gone_s = 200 + LIFE_S;
    assert!(is_asked(&supposing(delegation_that_came_and_went()), gone_s));
    let mut f = delegation_that_came_and_went();
    f.lifetimes.without = [Switch::Unseen].into_iter().collect();
    assert!(!is_asked(&supposing(f), gone_s));
}

#[test]
fn the_check_counts_it_too() {
    let objections = |f: &Fixture, now_s: i64| {
        let hosts = f.hosts();
        let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
        let planned = Planned { operator: "a".into(), kind: Kind::Cds, ttl_s: 3600, records: f.ds(&["a"]) };
        let cdnskey = Planned { kind: Kind::Cdnskey, records: f.cdnskey(&["a"]), ..planned.clone() };
        check(&scene, &[planned, cdnskey], Time::from_s(now_s))
    };
    // DNSKEY sets live for another hour, and 60 s, after b can be asked for the last time.
    let gone_s = 200 + LIFE_S + 3660;
    assert!(objections(&delegation_that_came_and_went(), gone_s).is_empty());
    let f = supposing(delegation_that_came_and_went());
    assert!(!objections(&f, gone_s).is_empty(), "b's DS would go while its DNSKEY set may be in caches");
    assert!(objections(&f, gone_s + LAG_S).is_empty());
}

#[test]
fn a_server_that_showed_it_or_what_came_after_it_has_it_behind_itself() {
    // It shows up late, and is gone when it is asked the next time.
    let mut shown = delegation_that_came_and_went();
    shown.sees_at(250, shown.server("parent", 1), Kind::Delegation, shown.ns(&["a", "b"]));
    shown.sees_at(300, shown.server("parent", 1), Kind::Delegation, shown.ns(&["a"]));
    let shown = supposing(shown);
    assert!(is_asked(&shown, 300 + LIFE_S - 1) && !is_asked(&shown, 300 + LIFE_S));
    // Or the parent goes on to something that it never had before, and the second server does, too.
    let mut later = delegation_that_came_and_went();
    later.member("c", true);
    for server in [0, 1] {
        later.sees_at(400 + server, later.server("parent", server as usize), Kind::Delegation, later.ns(&["a", "c"]));
    }
    let later = supposing(later);
    assert!(is_asked(&later, 401 + LIFE_S - 1) && !is_asked(&later, 401 + LIFE_S));
}

#[test]
fn what_all_servers_showed_in_their_own_time_is_not_supposed_anywhere() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.together(0, &["a", "b"]);
    for (at_s, server) in [(100, 0), (900, 1)] {
        f.sees_at(at_s, f.server("parent", server), Kind::Delegation, f.ns(&["a"]));
    }
    // One that was not there yet when it happened knows nothing of it.
    let unseen = |f: &Fixture| f.history.tracks().map(|(_, _, track)| track.unseen.len()).sum::<usize>();
    assert_eq!(unseen(&supposing(f)), 0);
    let came_and_went = supposing(delegation_that_came_and_went());
    assert_eq!(unseen(&came_and_went), 1);
}

fn unseen(f: &Fixture, index: usize) -> Vec<chorus::model::history::Span> {
    f.history.track(&f.server("parent", index), Kind::Delegation).map(|track| track.unseen.clone()).unwrap_or_default()
}

#[test]
fn a_server_that_goes_to_and_fro_has_not_seen_what_comes_later_because_it_was_seen_with_the_like_before() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.together(0, &["a", "b"]);
    let (one, both) = (f.ns(&["a"]), f.ns(&["a", "b"]));
    // One address stands for several servers: now the one answers, now the other.
    for (at_s, set) in [(10, &one), (20, &both), (30, &one), (40, &both), (50, &one)] {
        f.sees_at(at_s, f.server("parent", 1), Kind::Delegation, set.clone());
    }
    f.sees_at(10, f.server("parent", 0), Kind::Delegation, one.clone());
    let much_later_s = 100_000;
    f.sees_at(much_later_s - 10, f.server("parent", 0), Kind::Delegation, one.clone());
    f.sees_at(much_later_s, f.server("parent", 0), Kind::Delegation, both);
    f.sees_at(much_later_s + 100, f.server("parent", 0), Kind::Delegation, one);
    let f = supposing(f);
    assert_eq!(unseen(&f, 1).len(), 1);
    assert_eq!(unseen(&f, 1)[0].until, Some(Time::from_s(much_later_s + 100 + LAG_S)));
}

#[test]
fn a_server_that_is_added_may_be_behind_with_what_went_elsewhere_shortly_before() {
    let mut f = delegation_that_came_and_went();
    let mut new = f.server("parent", 1);
    new.address.set_port(new.address.port() + 1);
    f.parents.push(new.clone());
    f.sees_at(300, new.clone(), Kind::Delegation, f.ns(&["a"]));
    let f = supposing(f);
    let last = unseen(&f, 2).into_iter().filter_map(|span| span.until).max();
    assert_eq!(last, Some(Time::from_s(200 + LAG_S)));
    let mut f = delegation_that_came_and_went();
    f.parents.push(new.clone());
    f.sees_at(200 + LAG_S, new, Kind::Delegation, f.ns(&["a"]));
    assert!(unseen(&supposing(f), 2).is_empty(), "by then it is nowhere");
}

#[test]
fn a_server_that_is_gone_may_have_shown_it_before_it_went() {
    let mut f = delegation_that_came_and_went();
    let gone = f.server("parent", 1);
    f.history.retire(&gone, Time::from_s(250));
    let f = supposing(f);
    assert_eq!(unseen(&f, 1)[0].until, Some(Time::from_s(250)));
}

#[test]
fn one_that_was_seen_with_a_smaller_ttl_may_have_been_there_with_the_larger() {
    let mut f = delegation_that_came_and_went();
    f.sees_at_with_ttl(150, f.server("parent", 1), Kind::Delegation, f.ns(&["a", "b"]), 60);
    f.sees_at_with_ttl(200, f.server("parent", 1), Kind::Delegation, f.ns(&["a"]), 60);
    assert_eq!(unseen(&supposing(f), 1).len(), 1);
}
