//! DS and NS sets that were shown for the registrar: which of them the parent may still publish.

use crate::support::Fixture;
use chorus::model::dns::RecordSet;
use chorus::model::history::Kind;
use chorus::model::time::Time;
use std::time::Duration;

const KIND: Kind = Kind::Delegation;
const WITHIN: Duration = Duration::from_secs(1000);

fn shows(f: &mut Fixture, at_s: i64, records: Option<&RecordSet>) {
    f.history.show_for_registrar(KIND, records, Time::from_s(at_s), WITHIN);
}

fn pending(f: &Fixture) -> Vec<(RecordSet, Option<i64>)> {
    let requests = f.history.registrar_requests();
    requests.map(|one| (one.records.clone(), one.until.map(|until| until.0 / 1000))).collect()
}

fn parent_has(f: &mut Fixture, at_s: i64, records: &RecordSet) {
    f.sees(at_s, "parent", KIND, records.clone());
    let parents = f.parents.clone();
    f.history.forget_enacted_requests(KIND, &parents);
}

fn world() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    let both = f.ns(&["a", "b"]);
    f.sees(0, "parent", KIND, both);
    f
}

#[test]
fn newer_request_stays_when_an_older_one_that_was_shown_again_is_enacted() {
    let mut f = world();
    let (a, b) = (f.ns(&["a"]), f.ns(&["b"]));
    shows(&mut f, 10, Some(&b));
    shows(&mut f, 20, Some(&a));
    shows(&mut f, 30, Some(&b));
    assert_eq!(pending(&f), [(b.clone(), None), (a.clone(), Some(1030))], "one entry for each set");
    parent_has(&mut f, 40, &b);
    assert_eq!(pending(&f), [(a, Some(1030))], "the registrar may still come to it");
}

#[test]
fn older_request_goes_when_a_newer_one_is_enacted() {
    let mut f = world();
    let (a, b) = (f.ns(&["a"]), f.ns(&["b"]));
    shows(&mut f, 10, Some(&b));
    shows(&mut f, 20, Some(&a));
    parent_has(&mut f, 30, &a);
    assert_eq!(pending(&f), []);
}

#[test]
fn request_counts_until_each_server_of_the_parent_has_it() {
    let mut f = world();
    let b = f.ns(&["b"]);
    shows(&mut f, 10, Some(&b));
    shows(&mut f, 20, None);
    let parents = f.parents.clone();
    f.sees_at(30, parents[0].clone(), KIND, b.clone());
    f.history.forget_enacted_requests(KIND, &parents);
    assert_eq!(pending(&f), [(b.clone(), Some(1020))]);
    assert!(f.history.cancel_registrar_requests());
    assert_eq!(pending(&f), []);
    assert!(!f.history.cancel_registrar_requests());
    shows(&mut f, 40, Some(&b));
    assert!(!f.history.cancel_registrar_requests(), "it is still shown");
}

#[test]
fn clock_that_is_set_back_leaves_each_request_its_remaining_time() {
    let mut f = world();
    let (a, b) = (f.ns(&["a"]), f.ns(&["b"]));
    shows(&mut f, 1000, Some(&b));
    shows(&mut f, 2000, Some(&a));
    f.history.bring_back(Time::from_s(500));
    assert_eq!(pending(&f), [(b, Some(1500)), (a, None)]);
}
