//! What a history makes of samples: late ones, missing ones, addresses that go and come back.

use crate::support::Fixture;
use chorus::model::dns::RecordSet;
use chorus::model::history::{Failure, Kind};
use chorus::model::time::Time;

#[test]
fn an_address_that_does_not_answer_goes_on_serving_what_it_served_last() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at(0, server.clone(), Kind::Ns, f.ns(&["a"]));
    for at_s in [10, 20] {
        f.fails(at_s, server.clone(), Kind::Ns, Failure::Silent);
    }
    let span = f.history.current(&server, Kind::Ns).unwrap();
    assert_eq!((span.last_seen, span.until), (Time::from_s(0), None));
    assert_eq!(f.lifetimes.death(&server, Kind::Ns, span), None);
    assert_eq!(f.history.trouble(&server, Kind::Ns).unwrap().since, Time::from_s(10));
    f.sees_at(30, server.clone(), Kind::Ns, f.ns(&["a"]));
    assert_eq!(f.history.trouble(&server, Kind::Ns), None);
}

#[test]
fn a_version_may_have_been_served_from_the_last_sample_of_the_one_before_until_the_first_of_the_next() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at(0, server.clone(), Kind::Cds, f.ds(&["a"]));
    f.sees_at(50, server.clone(), Kind::Cds, f.cdnskey(&["a"]));
    f.sees_at(60, server.clone(), Kind::Cds, f.ds(&["a"]));
    let spans = &f.history.track(&server, Kind::Cds).unwrap().spans;
    let times: Vec<_> = spans.iter().map(|span| (span.since, span.until)).collect();
    let s = Time::from_s;
    assert_eq!(times, [(None, Some(s(50))), (Some(s(0)), Some(s(60))), (Some(s(50)), None)]);
}

/// Somebody raised the TTL, and changed the records then, and nobody looked in between.
#[test]
fn a_set_that_goes_with_its_ttl_may_have_had_the_next_ones() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at_with_ttl(0, server.clone(), Kind::Ns, f.ns(&["a"]), 60);
    f.sees_at_with_ttl(50, server.clone(), Kind::Ns, f.ds(&["a"]), 3600);
    f.sees_at_with_ttl(90, server.clone(), Kind::Ns, RecordSet::new(), 7200);
    let spans = &f.history.track(&server, Kind::Ns).unwrap().spans;
    assert_eq!(spans.iter().map(|span| span.served.ttl_s).collect::<Vec<_>>(), [3600, 3600, 7200]);
    let slack_s = f.lifetimes.policy.slack_s as i64;
    assert_eq!(f.lifetimes.death(&server, Kind::Ns, &spans[0]), Some(Time::from_s(50 + 3600 + slack_s)));
}

#[test]
fn a_retired_address_that_comes_back_has_a_version_again() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    for version in [f.ns(&["a"]), f.ds(&["a"])] {
        f.sees_at(0, server.clone(), Kind::Ns, f.ns(&["a"]));
        f.history.retire(&server, Time::from_s(10));
        assert_eq!(f.history.current(&server, Kind::Ns), None);
        f.sees_at(20, server.clone(), Kind::Ns, version);
        let span = f.history.current(&server, Kind::Ns).unwrap();
        assert_eq!((span.since, span.first_seen), (Some(Time::from_s(10)), Time::from_s(20)));
        f.history = Default::default();
    }
}
