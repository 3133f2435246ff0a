//! What was sent to an operator and is not served yet: whoever changes his mind in the meantime does not make it unsent.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::chain::{Planned, Scene, check};
use chorus::model::dns::RecordSet;
use chorus::model::group::{Step, decide, is_present};
use chorus::model::history::{Kind, Sent};
use chorus::model::time::Time;

/// A zone of a, in which b is trusted by everybody for long, and named by nobody.
pub fn b_is_trusted() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    for operator in ["a", "b"] {
        f.sees(0, operator, Kind::Dnskey, all_keys(&["a", "b"]));
        f.sees(0, operator, Kind::Cds, f.ds(&["a", "b"]));
        f.sees(0, operator, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
        f.sees(0, operator, Kind::Csync, RecordSet::new());
        f.sees(0, operator, Kind::Ns, f.ns(&[operator]));
        f.sees(0, operator, Kind::Data, RecordSet::new());
    }
    f.sees(0, "parent", Kind::Ds, f.ds(&["a", "b"]));
    f.sees(0, "parent", Kind::Delegation, f.ns(&["a"]));
    f
}

pub fn sent(at_s: i64, records: RecordSet, partly: Option<(RecordSet, RecordSet)>) -> Sent {
    Sent { at: Time::from_s(at_s), records, ttl_s: 3600, partly }
}

pub fn names(f: &Fixture, now_s: i64) -> bool {
    decide(&f.world(now_s)).writes.iter().any(|write| write.step == Step::NameServers)
}

pub const LATER_S: i64 = 10_000;

#[test]
fn a_newcomer_is_not_named_while_the_removal_of_its_keys_is_on_its_way() {
    let mut f = b_is_trusted();
    assert!(names(&f, LATER_S), "with nothing on its way it is named");
    let going = RecordSet::from([keys("b").0, keys("b").1]);
    let removal = sent(LATER_S, all_keys(&["a"]), Some((all_keys(&[]), going)));
    for server in f.members["a"].servers.clone() {
        f.history.expect(&server, Kind::Dnskey, &removal);
    }
    assert!(!names(&f, LATER_S + 1), "a's addresses may lose the keys any moment");
    // Nor would the check let it pass.
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let planned = Planned { operator: "a".into(), kind: Kind::Ns, ttl_s: 3600, records: f.ns(&["a", "b"]) };
    assert!(!check(&scene, &[planned], Time::from_s(LATER_S + 1)).is_empty());
    // It shows itself, and the keys are put back: then all begins anew.
    f.sees(LATER_S + 60, "a", Kind::Dnskey, all_keys(&["a"]));
    assert_eq!(decide(&f.world(LATER_S + 61)).step, Step::ShareKeys);
    f.sees(LATER_S + 120, "a", Kind::Dnskey, all_keys(&["a", "b"]));
    assert!(!names(&f, LATER_S + 120 + 3659));
    assert!(names(&f, LATER_S + 120 + 3660));
}

#[test]
fn a_newcomer_that_is_about_to_be_named_is_not_let_go_as_one_that_nobody_knows() {
    let mut f = b_is_trusted();
    f.members.get_mut("b").unwrap().wanted = chorus::model::group::Standing::Outside;
    assert!(!is_present(&f.world(LATER_S), "b"), "nobody was ever told of it");
    let naming = sent(LATER_S, f.ns(&["a", "b"]), None);
    for server in f.members["a"].servers.clone() {
        f.history.expect(&server, Kind::Ns, &naming);
    }
    assert!(is_present(&f.world(LATER_S + 1), "b"));
    let written = decide(&f.world(LATER_S + 1)).writes;
    assert!(written.iter().all(|write| write.step != Step::AwaitLeaverAnswers), "{written:?}");
}

#[test]
fn what_was_sent_is_there_when_it_shows_what_it_changed_whatever_else_the_operator_does() {
    let mut f = b_is_trusted();
    let server = f.members["a"].servers[0].clone();
    let new = sent(100, f.ds(&["a", "b"]), None);
    f.sees(50, "a", Kind::Cds, f.ds(&["a"]));
    f.history.expect(&server, Kind::Cds, &new);
    assert_eq!(f.history.coming(&server, Kind::Cds).len(), 1);
    // The operator takes its own record out at the same time.
    f.sees(110, "a", Kind::Cds, f.ds(&["b"]));
    assert!(f.history.coming(&server, Kind::Cds).is_empty());
}

/// The versions of a kind at an address, as (TTL, since, until).
fn versions(f: &Fixture, who: &str, kind: Kind) -> Vec<(usize, u32, Option<Time>, Option<Time>)> {
    let track = f.history.track(&f.server(who, 0), kind).unwrap();
    track.spans.iter().map(|s| (s.served.records.len(), s.served.ttl_s, s.since, s.until)).collect()
}

#[test]
fn what_was_sent_with_a_ttl_that_is_lowered_before_anybody_looks_may_be_in_caches_for_as_long_as_it_was_sent_with() {
    let mut f = b_is_trusted();
    let server = f.server("a", 0);
    f.history.expect(&server, Kind::Ns, &sent(100, f.ns(&["a", "b"]), None));
    f.sees_at_with_ttl(160, server, Kind::Ns, f.ns(&["a", "b"]), 826);
    let at = |s| Some(Time::from_s(s));
    let seen = versions(&f, "a", Kind::Ns);
    let both = f.ns(&["a", "b"]).len();
    assert_eq!(seen[1..], [(both, 3600, at(100), at(160)), (both, 826, at(0), None)], "{seen:?}");
}

#[test]
fn what_was_sent_and_overtaken_before_anybody_looked_may_have_been_served_in_between() {
    let mut f = b_is_trusted();
    let server = f.server("a", 0);
    f.history.expect(&server, Kind::Ns, &sent(100, f.ns(&["b"]), None));
    f.history.expect(&server, Kind::Ns, &sent(130, f.ns(&["a", "b"]), None));
    f.sees_at(160, server, Kind::Ns, f.ns(&["a", "b"]));
    let at = |s| Some(Time::from_s(s));
    let seen = versions(&f, "a", Kind::Ns);
    let (one, both) = (f.ns(&["b"]).len(), f.ns(&["a", "b"]).len());
    assert_eq!(seen[1..], [(one, 3600, at(100), at(160)), (both, 3600, at(0), None)], "{seen:?}");
    // And what was on its way to an address that is no longer the operator's.
    let server = f.server("a", 1);
    f.history.expect(&server, Kind::Ns, &sent(200, f.ns(&["a"]), None));
    f.history.expect(&server, Kind::Ns, &sent(201, f.ns(&["b"]), None));
    f.history.retire(&server, Time::from_s(220));
    let track = f.history.track(&server, Kind::Ns).unwrap();
    assert!(track.coming.is_empty());
    assert_eq!(track.spans.last().map(|span| (&span.served.records, span.until)), Some((&f.ns(&["b"]), at(220))));
    assert!(track.spans.iter().all(|span| span.until.is_some()));
}

#[test]
fn what_arrives_as_it_was_sent_is_one_version() {
    let mut f = b_is_trusted();
    let server = f.server("a", 0);
    f.history.expect(&server, Kind::Ns, &sent(100, f.ns(&["a", "b"]), None));
    f.sees_at(160, server, Kind::Ns, f.ns(&["a", "b"]));
    assert_eq!(versions(&f, "a", Kind::Ns).len(), 2);
}

#[test]
fn what_was_sent_is_given_up_only_where_the_address_answers_and_still_does_not_show_it() {
    let mut f = b_is_trusted();
    let server = f.server("a", 0);
    let lost = sent(100, f.ns(&["a", "b"]), None);
    f.history.expect(&server, Kind::Ns, &lost);
    assert!(!f.history.is_overdue(&server, Kind::Ns, &lost));
    f.fails(200_000, server.clone(), Kind::Ns, chorus::model::history::Failure::Silent);
    assert!(!f.history.is_overdue(&server, Kind::Ns, &lost), "it was silent all the time");
    f.sees_at(200_100, server.clone(), Kind::Ns, f.ns(&["a"]));
    assert!(f.history.is_overdue(&server, Kind::Ns, &lost));
}

#[test]
fn what_arrived_with_a_change_of_the_operators_own_is_not_awaited_again_when_it_is_told_anew() {
    let mut f = b_is_trusted();
    let server = f.server("a", 0);
    f.sees(50, "a", Kind::Cds, f.ds(&["a"]));
    let both = sent(100, f.ds(&["a", "b"]), None);
    f.history.expect(&server, Kind::Cds, &both);
    // The operator adds one of its own at the same time, so that the set as it was sent is never seen.
    f.sees(110, "a", Kind::Cds, f.ds(&["a", "b", "c"]));
    assert!(f.history.coming(&server, Kind::Cds).is_empty());
    // Another address has not shown it, so it is still in flight, and is told to all after a restart.
    f.history.expect(&server, Kind::Cds, &both);
    assert!(f.history.coming(&server, Kind::Cds).is_empty());
    let track = f.history.track(&server, Kind::Cds).unwrap();
    let versions: Vec<&RecordSet> = track.spans.iter().map(|span| &span.served.records).collect();
    assert!(versions.contains(&&f.ds(&["a", "b"])), "it may have been served in between");
}

#[test]
fn whom_the_parent_asks_gets_its_csync_last_so_that_no_half_done_write_outlives_what_the_parent_does() {
    let mut f = b_is_trusted();
    for operator in ["a", "b"] {
        f.sees(LATER_S, operator, Kind::Ns, f.ns(&["a", "b"]));
    }
    let asked = |f: &Fixture| -> Vec<String> {
        let writes = decide(&f.world(LATER_S + 1)).writes;
        let csync = writes.into_iter().filter(|write| write.sets.iter().any(|(kind, ..)| *kind == Kind::Csync));
        csync.map(|write| write.operator).collect()
    };
    assert_eq!(asked(&f), ["b", "a"], "the parent asks a alone, and acts as soon as a has it");
    f.sees(LATER_S, "parent", Kind::Delegation, f.ns(&["b"]));
    assert_eq!(asked(&f), ["a", "b"]);
}

/// An address that is found later shows what was there before, and what was sent is still on its way to it.
#[test]
fn what_was_sent_is_awaited_at_an_address_that_was_not_known_then() {
    let mut f = b_is_trusted();
    let server = chorus::model::history::Server { address: "198.51.100.77:53".parse().unwrap(), ..f.server("a", 0) };
    for partly in [Some((RecordSet::new(), all_keys(&["b"]))), None] {
        let removal = sent(100, all_keys(&["a"]), partly);
        f.history.expect(&server, Kind::Dnskey, &removal);
        assert_eq!(f.history.coming(&server, Kind::Dnskey).len(), 1, "nothing is known of it yet");
        f.sees_at(200, server.clone(), Kind::Dnskey, all_keys(&["a", "b"]));
        assert_eq!(f.history.coming(&server, Kind::Dnskey).len(), 1, "it shows what was there before");
        f.sees_at(300, server.clone(), Kind::Dnskey, all_keys(&["a"]));
        assert!(f.history.coming(&server, Kind::Dnskey).is_empty());
        f.history = b_is_trusted().history;
    }
}
