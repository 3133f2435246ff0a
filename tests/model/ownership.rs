//! Whose a key is: operators that share keys for a while, keys that are in no use, versions that are forgotten; and what tells
//! a second controller from an operator's own software.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::dns::{Rdata, RecordSet};
use chorus::model::group::{Change, Loss, Scope, Standing, World, decide, losses, second_writer, shared_keys};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served, Server, Span};
use chorus::model::time::Time;
use std::collections::BTreeMap;

const DAY_S: i64 = 86_400;

fn together() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    f
}

fn shows(f: &mut Fixture, at_s: i64, who: &str, kind: Kind, records: RecordSet, signer: Rdata) {
    let servers: Vec<Server> = (0..2).map(|nth| f.server(who, nth)).collect();
    for server in servers {
        let served = Served { records: records.clone(), ttl_s: 3600, signers: [signer.clone()].into(), expires: None };
        f.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
    }
}

/// b serves what a signs.
fn is_secondary(f: &mut Fixture, at_s: i64) {
    shows(f, at_s, "b", Kind::Dnskey, all_keys(&["a", "b"]), keys("a").0);
    shows(f, at_s, "b", Kind::Ns, f.ns(&["a", "b"]), keys("a").1);
    shows(f, at_s, "b", Kind::Data, RecordSet::new(), keys("a").1);
}

fn another_key(algorithm: u8, salt: u8) -> Rdata {
    let mut wire = 256u16.to_be_bytes().to_vec();
    wire.extend([3, algorithm]);
    wire.extend([salt; 64]);
    Rdata::from_canonical(wire)
}

#[test]
fn operator_that_was_a_secondary_for_a_while_shares_no_keys_afterwards() {
    let mut f = together();
    is_secondary(&mut f, 1000);
    let shared = shared_keys(&f.world(1001));
    assert_eq!((shared[0].signer.as_str(), shared[0].other.as_str()), ("a", "b"));
    let fix = shared[0].fix(&f.zone);
    assert!(fix.contains("`chorus zone leave child.example b`") && fix.contains("chorus operator set a"), "{fix}");
    f.together(1600, &["a", "b"]);
    assert_eq!(shared_keys(&f.world(1601)), Vec::new());
    assert_eq!(f.world(1601).own_keys("b"), all_keys(&["b"]), "a's keys are copies there, though b signed with them");
    // A rollover of a goes on.
    let new = another_key(13, 9);
    let with_new = &all_keys(&["a", "b"]) | &RecordSet::from([new.clone()]);
    shows(&mut f, 2000, "a", Kind::Dnskey, with_new, keys("a").0);
    let writes = decide(&f.world(2001)).writes;
    let brings = |change: &Change| matches!(change, Change::Partly { with, .. } if with.contains(&new));
    assert!(writes.iter().any(|w| w.operator == "b" && w.sets.iter().any(|(.., change)| brings(change))), "{writes:?}");
}

#[test]
fn secondary_that_lags_behind_a_rollover_shares_keys_still() {
    let mut f = together();
    is_secondary(&mut f, 1000);
    for kind in [Kind::Dnskey, Kind::Ns, Kind::Data] {
        let records = f.history.current(&f.server("a", 0), kind).unwrap().served.records.clone();
        shows(&mut f, 2000, "a", kind, records, another_key(13, 9));
    }
    assert_eq!(shared_keys(&f.world(2001)).len(), 1);
}

/// All that is served now was there when it was first looked at.
fn adopted(f: &mut Fixture) {
    f.history = f.history.tracks().fold(Default::default(), |mut all, (server, kind, track)| {
        let last = track.spans.last().unwrap();
        all.restore(server.clone(), kind, Span { since: None, ..last.clone() });
        all
    });
}

#[test]
fn join_does_not_wait_for_an_unused_key_in_a_copy_at_the_parent() {
    let mut f = crate::in_flight::b_is_trusted();
    let keys_of_b = &all_keys(&["a", "b"]) | &RecordSet::from([another_key(8, 3)]);
    shows(&mut f, 1, "b", Kind::Dnskey, keys_of_b, keys("b").0);
    let server = f.server("parent", 0);
    f.fails(0, server.clone(), Kind::Delegation, Failure::ServesChild);
    let served = Served { records: all_keys(&["a", "b"]), ttl_s: 3600, signers: [keys("a").0].into(), expires: None };
    f.history.record(&Sample { at: Time(0), server, kind: Kind::Dnskey, outcome: Outcome::Served(served) });
    assert!(crate::in_flight::names(&f, crate::in_flight::LATER_S));
}

#[test]
fn group_at_rest_lacks_no_unused_key() {
    let mut f = together();
    let keys_of_b = &all_keys(&["a", "b"]) | &RecordSet::from([another_key(8, 3)]);
    shows(&mut f, 1, "b", Kind::Dnskey, keys_of_b, keys("b").0);
    adopted(&mut f);
    let waits = decide(&World { scope: Scope::Rest, ..f.world(10_000) }).waits;
    assert!(waits.iter().all(|wait| wait.code != "needs-repair"), "{waits:?}");
}

#[test]
fn forgetting_makes_no_old_key_a_new_one() {
    let mut f = together();
    // An adopted group in which a never had the zone-signing key of b.
    let lacking = &all_keys(&["a", "b"]) - &RecordSet::from([keys("b").1]);
    shows(&mut f, 0, "a", Kind::Dnskey, lacking, keys("a").0);
    let at_rest = |f: &Fixture, now_s: i64| decide(&World { scope: Scope::Rest, ..f.world(now_s) });
    adopted(&mut f);
    assert!(at_rest(&f, 1).writes.is_empty());
    let mut with_new = all_keys(&["a", "b"]);
    with_new.insert(another_key(13, 9));
    shows(&mut f, 10 * DAY_S, "b", Kind::Dnskey, with_new, keys("b").0);
    let brought = |f: &Fixture, now_s: i64| -> RecordSet {
        let writes = at_rest(f, now_s).writes;
        let sets = writes.into_iter().filter(|write| write.operator == "a").flat_map(|write| write.sets);
        sets.flat_map(|(.., change)| match change {
            Change::Partly { with, .. } => with,
            Change::Exactly(_) => RecordSet::new(),
        })
        .collect()
    };
    let (old, new) = (keys("b").1, another_key(13, 9));
    let only_new = |set: RecordSet| set.contains(&new) && !set.contains(&old);
    assert!(only_new(brought(&f, 10 * DAY_S + 1)));
    let horizon = Time::from_s(20 * DAY_S);
    assert!(!f.history.has_to_forget(horizon), "nothing can be forgotten but what tells which keys are old");
    f.history.forget_before(horizon);
    assert!(only_new(brought(&f, 60 * DAY_S)));
    // Two more versions: the first of all is forgotten, and the second tells what was there.
    shows(&mut f, 30 * DAY_S, "b", Kind::Dnskey, all_keys(&["a", "b"]), keys("b").0);
    assert!(f.history.has_to_forget(Time::from_s(40 * DAY_S)));
    f.history.forget_before(Time::from_s(40 * DAY_S));
    assert!(!f.history.has_to_forget(Time::from_s(40 * DAY_S)));
    let spans = &f.history.track(&f.server("b", 0), Kind::Dnskey).unwrap().spans;
    assert_eq!(spans.iter().map(|span| span.since).collect::<Vec<_>>(), [None, Some(Time::from_s(10 * DAY_S))]);
    assert!(!brought(&f, 80 * DAY_S).contains(&old));
}

/// A group in which Chorus placed at each what the other needs.
fn placed() -> Fixture {
    let mut f = together();
    let (ds, cdnskey) = (f.ds(&["a", "b"]), f.cdnskey(&["a", "b"]));
    for (at, other) in [("a", "b"), ("b", "a")] {
        let sets = [(Kind::Ns, f.ns(&[other])), (Kind::Cds, ds.clone()), (Kind::Cdnskey, cdnskey.clone())];
        let sets = sets.into_iter().chain([(Kind::Dnskey, all_keys(&[other]))]);
        f.members.get_mut(at).unwrap().placements = sets.collect::<BTreeMap<_, _>>();
    }
    f
}

fn after(f: &Fixture, told_s: i64, before: &[Loss]) -> (Vec<Loss>, Option<String>) {
    let (world, told) = (f.world(told_s + 60), Time::from_s(told_s));
    let found = losses(&world, told, &[], before);
    let accused = second_writer(&world, told, &[], &found);
    (found, accused)
}

#[test]
fn losses_that_are_days_apart_are_no_second_controller() {
    for (apart_s, is_accused) in [(60, true), (3 * DAY_S, false)] {
        let mut f = placed();
        f.together(980, &["a", "b"]);
        f.sees(1000, "a", Kind::Ns, f.ns(&["a"]));
        let (first, accused) = after(&f, 990, &[]);
        assert_eq!((first.len(), accused), (1, None));
        f.sees(980 + apart_s, "b", Kind::Ns, f.ns(&["a", "b"]));
        f.sees(1000 + apart_s, "b", Kind::Ns, f.ns(&["b"]));
        let (both, accused) = after(&f, 990 + apart_s, &first);
        assert_eq!((both.len(), accused.is_some()), (2, is_accused), "{accused:?}");
    }
}

#[test]
fn signers_that_take_cdnskey_out_by_themselves_are_no_second_controller() {
    let mut f = placed();
    f.together(980, &["a", "b"]);
    for operator in ["a", "b"] {
        f.sees(1000, operator, Kind::Cdnskey, RecordSet::new());
    }
    assert_eq!(after(&f, 990, &[]), (Vec::new(), None));
    // One that takes out a key and leaves another one does more than a signer does.
    let mut f = placed();
    f.together(980, &["a", "b"]);
    for operator in ["a", "b"] {
        f.sees(1000, operator, Kind::Cdnskey, f.cdnskey(&["a"]));
        f.sees(1000, operator, Kind::Cds, f.ds(&["a"]));
    }
    assert!(after(&f, 990, &[]).1.is_some());
}

/// Each server of the parent has a copy of the zone, and a person has confirmed the delegation to a and b. a leaves.
#[test]
fn confirmed_delegation_is_waited_for_with_the_command_that_confirms_it_again() {
    let mut f = together();
    f.members.get_mut("a").unwrap().wanted = Standing::Outside;
    f.lifetimes.policy.delegation = "ns1.a.,ns2.a.,ns1.b.,ns2.b.".into();
    for nth in 0..2 {
        let server = f.server("parent", nth);
        let served =
            Served { records: all_keys(&["a", "b"]), ttl_s: 3600, signers: [keys("b").0].into(), expires: None };
        f.history.record(&Sample { at: Time(0), server, kind: Kind::Dnskey, outcome: Outcome::Served(served) });
    }
    for at_s in [100, 200] {
        for write in decide(&f.world(at_s)).writes {
            for (kind, _, change) in write.sets {
                let Change::Exactly(records) = change else { continue };
                f.sees(at_s, &write.operator, kind, records);
            }
        }
    }
    let waits = decide(&f.world(300)).waits;
    let command = "`chorus zone policy child.example --delegation ns1.b,ns2.b`";
    let found = waits.iter().find(|wait| wait.code == "parent-serves-zone");
    assert!(found.is_some_and(|wait| wait.text.contains(command)), "{waits:?}");
    assert!(waits.iter().all(|wait| wait.code != "parent-pending"), "{waits:?}");
}
