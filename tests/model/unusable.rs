//! Failures as facts of the history, and what they say of resolvers.

use crate::support::{Fixture, all_keys, name};
use chorus::model::chain::{Exposure, Scene, Stranger, judge};
use chorus::model::dns::{RecordSet, ns_rdata};
use chorus::model::history::{FailedSpan, Failure, Kind, Server, Trouble};
use chorus::model::time::Time;

const EXPIRED: &str = "SOA set: the signature has expired";

fn expired() -> Failure {
    Failure::Unverifiable(EXPIRED.into())
}

/// Since, first seen and until, in seconds.
fn moments(failed: &[FailedSpan]) -> Vec<(Option<i64>, i64, Option<i64>)> {
    let s = |at: Time| at.0 / 1000;
    failed.iter().map(|one| (one.since.map(s), s(one.first_seen), one.until.map(s))).collect()
}

fn failed(f: &Fixture, server: &Server) -> Vec<FailedSpan> {
    f.history.track(server, Kind::Data).unwrap().failed.clone()
}

#[test]
fn a_failure_counts_from_the_last_good_answer_until_the_next() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.fails(5, server.clone(), Kind::Data, Failure::Silent);
    f.sees_at(10, server.clone(), Kind::Data, RecordSet::new());
    for at_s in [20, 30] {
        f.fails(at_s, server.clone(), Kind::Data, expired());
    }
    f.fails(40, server.clone(), Kind::Data, Failure::Silent);
    f.sees_at(50, server.clone(), Kind::Data, RecordSet::new());
    f.fails(60, server.clone(), Kind::Data, Failure::Silent);
    let expected = [(None, 5, Some(10)), (Some(10), 20, Some(40)), (Some(10), 40, Some(50)), (Some(50), 60, None)];
    assert_eq!(moments(&failed(&f, &server)), expected);
    f.history.retire(&server, Time::from_s(70));
    assert_eq!(moments(&failed(&f, &server))[3], (Some(50), 60, Some(70)));
    f.history.forget_before(Time::from_s(45));
    assert_eq!(
        moments(&failed(&f, &server)),
        &expected[2..3].iter().copied().chain([(Some(50), 60, Some(70))]).collect::<Vec<_>>()[..]
    );
}

/// What it serves is seen, over TCP.
#[test]
fn silence_over_udp_is_no_failure_of_this_kind() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at(0, server.clone(), Kind::Data, RecordSet::new());
    f.fails(5, server.clone(), Kind::Data, Failure::Silent);
    for at_s in [10, 20, 30] {
        f.fails(at_s, server.clone(), Kind::Data, Failure::SilentOverUdp);
        f.sees_at(at_s, server.clone(), Kind::Data, RecordSet::new());
    }
    assert_eq!(moments(&failed(&f, &server)), [(Some(0), 5, Some(10))]);
}

/// However often an address comes and goes, a bounded number is kept, and none of the time is lost.
#[test]
fn what_fails_again_and_again_becomes_one_failure_that_lasts() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    for at_s in 0..1000 {
        f.sees_at(at_s * 10, server.clone(), Kind::Data, RecordSet::new());
        f.fails(at_s * 10 + 5, server.clone(), Kind::Data, expired());
    }
    let failed = failed(&f, &server);
    assert!(failed.len() <= 32, "{}", failed.len());
    assert_eq!(moments(&failed)[0].0, Some(0));
    let gaps = failed.windows(2).filter(|two| two[0].until.unwrap() > two[1].begins()).count();
    assert_eq!(gaps, 0, "in their order");
}

/// A bogus stretch does not become a silent one, nor the other way round.
#[test]
fn failures_of_different_kinds_stay_apart() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.fails(0, server.clone(), Kind::Data, expired());
    for at_s in (1..200).map(|nth| nth * 100) {
        f.sees_at(at_s, server.clone(), Kind::Data, RecordSet::new());
        f.fails(at_s + 50, server.clone(), Kind::Data, Failure::Silent);
    }
    let failed = failed(&f, &server);
    assert!(failed.len() <= 32, "{}", failed.len());
    let bogus: Vec<FailedSpan> = failed.iter().filter(|one| one.failure == expired()).cloned().collect();
    assert_eq!(moments(&bogus), [(None, 0, Some(100))]);
    let silent: Vec<&FailedSpan> = failed.iter().filter(|one| one.failure == Failure::Silent).collect();
    assert!(silent.iter().any(|one| one.until.is_none()), "the last one is not over");
}

/// A copy shows itself in two ways in each round, and is one failure.
#[test]
fn a_copy_at_a_parents_server_is_one_failure_that_lasts() {
    let mut f = Fixture::new();
    let parent = f.server("parent", 0);
    for at_s in [10, 20, 30] {
        f.fails(at_s, parent.clone(), Kind::Delegation, Failure::ServesChild);
        f.fails(at_s, parent.clone(), Kind::Delegation, Failure::NotTransferred("REFUSED".into()));
    }
    let failed = &f.history.track(&parent, Kind::Delegation).unwrap().failed;
    assert_eq!(moments(failed), [(None, 10, None)]);
}

/// What was wrong at the last answers, as it was stored, opens no failure anew.
#[test]
fn what_was_wrong_when_it_was_stored_opens_no_failure() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at(0, server.clone(), Kind::Data, RecordSet::new());
    f.fails(10, server.clone(), Kind::Data, expired());
    f.sees_at(20, server.clone(), Kind::Data, RecordSet::new());
    let before = failed(&f, &server);
    let trouble = Trouble { since: Time::from_s(10), failure: expired() };
    f.history.restore_trouble(&server, Kind::Data, trouble.clone());
    assert_eq!(failed(&f, &server), before);
    assert_eq!(f.history.trouble(&server, Kind::Data), Some(&trouble));
}

/// An hour that lies ahead of a clock that was set back was an hour.
#[test]
fn a_failure_keeps_its_length_when_the_clock_is_set_back() {
    let mut f = Fixture::new();
    f.member("a", true);
    let server = f.server("a", 0);
    f.sees_at(10_000, server.clone(), Kind::Data, RecordSet::new());
    f.fails(10_100, server.clone(), Kind::Data, expired());
    f.sees_at(13_600, server.clone(), Kind::Data, RecordSet::new());
    f.history.bring_back(Time::from_s(5000));
    let failed = failed(&f, &server);
    assert_eq!(failed[0].until, Some(Time::from_s(5000)));
    assert_eq!(failed[0].begins(), Time::from_s(1400));
}

fn at_rest() -> Fixture {
    with_ds_of(&["a", "b"])
}

fn with_ds_of(operators: &[&str]) -> Fixture {
    let mut f = Fixture::new();
    for operator in ["a", "b"] {
        f.member(operator, true);
    }
    for operator in ["a", "b"] {
        f.sees(0, operator, Kind::Dnskey, all_keys(&["a", "b"]));
        f.sees(0, operator, Kind::Ns, f.ns(&["a", "b"]));
        f.sees(0, operator, Kind::Data, RecordSet::new());
    }
    f.sees(0, "parent", Kind::Ds, f.ds(operators));
    f.sees(0, "parent", Kind::Delegation, f.ns(&["a", "b"]));
    f
}

fn verdict(f: &Fixture) -> (Vec<Exposure>, Vec<Stranger>) {
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let verdict = judge(&scene, Time::from_s(50), Time::from_s(200_000));
    (verdict.exposures, verdict.strangers)
}

/// One exposure for an address and stretch, whatever kinds failed.
fn fails_from_100_to_500(f: &mut Fixture, server: &Server, failure: &Failure) {
    for kind in [Kind::Dnskey, Kind::Ns, Kind::Data] {
        f.fails(100, server.clone(), kind, failure.clone());
    }
    f.sees_at(500, server.clone(), Kind::Dnskey, all_keys(&["a", "b"]));
    f.sees_at(500, server.clone(), Kind::Ns, f.ns(&["a", "b"]));
    f.sees_at(500, server.clone(), Kind::Data, RecordSet::new());
}

#[test]
fn what_does_not_validate_at_an_address_that_resolvers_could_ask_is_an_exposure() {
    let mut f = at_rest();
    assert_eq!(verdict(&f), (Vec::new(), Vec::new()));
    let server = f.server("a", 1);
    fails_from_100_to_500(&mut f, &server, &expired());
    let (exposures, _) = verdict(&f);
    let [exposure] = &exposures[..] else { panic!("{exposures:#?}") };
    assert!(exposure.unusable && exposure.what.contains(EXPIRED), "{exposure:?}");
    assert_eq!((exposure.from, exposure.until), (Time::from_s(0), Time::from_s(500)));
    assert_eq!(exposure.servers, [server]);
}

#[test]
fn silence_of_one_address_is_no_exposure_and_that_the_zone_does_not_exist_is_one() {
    for (failure, exposed) in [(Failure::Silent, 0), (Failure::Refused, 0), (Failure::NxDomain, 1)] {
        let mut f = at_rest();
        let server = f.server("b", 0);
        fails_from_100_to_500(&mut f, &server, &failure);
        assert_eq!(verdict(&f).0.len(), exposed, "{failure}");
    }
}

#[test]
fn without_a_ds_nobody_validates_and_expired_signatures_harm_nobody() {
    let mut f = with_ds_of(&[]);
    let server = f.server("a", 0);
    fails_from_100_to_500(&mut f, &server, &expired());
    assert_eq!(verdict(&f).0.len(), 0);
}

#[test]
fn a_server_that_nobody_could_ask_harms_nobody() {
    let mut f = at_rest();
    f.member("c", true);
    let server = f.server("c", 0);
    f.sees_at(60, server.clone(), Kind::Dnskey, all_keys(&["c"]));
    f.fails(100, server, Kind::Dnskey, expired());
    assert_eq!(verdict(&f).0.len(), 0);
}

/// A resolver that gets no answer that it can use asks another name server; here there is none.
#[test]
fn that_all_name_servers_refuse_is_an_exposure_and_that_all_are_silent_is_not() {
    for (failure, exposed) in [(Failure::Silent, 0), (Failure::Refused, 1), (Failure::ServFail, 1)] {
        let mut f = at_rest();
        let all: Vec<Server> = ["a", "b"].iter().flat_map(|who| [f.server(who, 0), f.server(who, 1)]).collect();
        for server in &all[..3] {
            fails_from_100_to_500(&mut f, server, &failure);
        }
        assert_eq!(verdict(&f).0, Vec::new(), "one answered");
        fails_from_100_to_500(&mut f, &all[3], &Failure::Silent);
        let (exposures, _) = verdict(&f);
        assert_eq!(exposures.len(), exposed, "{exposures:#?}");
        for exposure in exposures {
            assert_eq!((exposure.from, exposure.until), (Time::from_s(0), Time::from_s(500)));
            assert_eq!(exposure.servers.len(), 4);
            assert!(exposure.what.starts_with("no name server of an NS RRset"), "{}", exposure.what);
        }
    }
}

/// Whoever holds the delegation alone knows of no other.
#[test]
fn a_delegation_of_which_all_name_servers_refuse_is_an_exposure_though_others_answer() {
    let mut f = at_rest();
    for index in [0, 1] {
        f.sees_at(60, f.server("parent", index), Kind::Delegation, f.ns(&["a"]));
    }
    for index in [0, 1] {
        let server = f.server("a", index);
        fails_from_100_to_500(&mut f, &server, &Failure::Refused);
    }
    let (exposures, _) = verdict(&f);
    let [exposure] = &exposures[..] else { panic!("{exposures:#?}") };
    assert_eq!((exposure.until, exposure.servers.len()), (Time::from_s(500), 2));
}

/// Whoever asks the parent's server for the zone gets its copy.
#[test]
fn a_bogus_copy_at_a_parents_server_is_an_exposure() {
    let mut f = at_rest();
    let parent = f.server("parent", 1);
    f.sees_at(60, parent.clone(), Kind::Data, RecordSet::new());
    f.fails(100, parent.clone(), Kind::Data, expired());
    let (exposures, _) = verdict(&f);
    let [exposure] = &exposures[..] else { panic!("{exposures:#?}") };
    assert_eq!(exposure.servers, [parent]);
}

/// Only what resolvers could ask.
#[test]
fn what_could_not_be_seen_is_told_of_addresses_that_resolvers_could_ask() {
    let mut f = at_rest();
    f.member("c", true);
    for who in ["a", "c"] {
        let server = f.server(who, 0);
        fails_from_100_to_500(&mut f, &server, &Failure::Silent);
    }
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let [unseen] = &judge(&scene, Time::from_s(50), Time::from_s(200_000)).unseen[..] else { panic!() };
    assert_eq!((&unseen.server, &unseen.failure), (&f.server("a", 0), &Failure::Silent));
    assert_eq!((unseen.from, unseen.until), (Time::from_s(0), Time::from_s(500)));
    assert_eq!(judge(&scene, Time::from_s(600), Time::from_s(200_000)).unseen, []);
}

#[test]
fn a_delegation_to_a_host_of_nobody_is_told_with_its_times() {
    let mut f = at_rest();
    let stranger = RecordSet::from([ns_rdata(&name("ns1.stranger."))]);
    f.sees_at(100, f.server("parent", 1), Kind::Delegation, stranger);
    f.sees_at(500, f.server("parent", 1), Kind::Delegation, f.ns(&["a", "b"]));
    let (exposures, strangers) = verdict(&f);
    assert_eq!(exposures, Vec::new());
    let [stranger] = &strangers[..] else { panic!("{strangers:#?}") };
    assert_eq!(
        (stranger.host.as_str(), stranger.from, stranger.until),
        ("ns1.stranger.", Time::from_s(50), Time::from_s(500 + 86_400 + 60)),
        "the TTL of the delegation and the slack"
    );
    assert!(stranger.to_string().starts_with("resolvers could ask ns1.stranger. from "), "{stranger}");
}
