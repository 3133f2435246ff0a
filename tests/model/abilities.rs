//! What operators can do, read off histories that are written by hand, and held against them before a transition.

use crate::preflight_findings::joining;
use crate::support::{Fixture, all_keys};
use chorus::model::ability::{Ability, Known, shown};
use chorus::model::dns::RecordSet;
use chorus::model::group::{ParentMode, World, forecast};
use chorus::model::history::Kind;
use chorus::model::preflight::{Severity, check};
use chorus::model::time::Time;
use std::collections::BTreeMap;

/// A and B serve together, and B's records are what Chorus placed at A.
fn together() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.alone(0, "a");
    f.alone(0, "b");
    f.together(100, &["a", "b"]);
    let placed = [(Kind::Dnskey, all_keys(&["b"])), (Kind::Cds, f.ds(&["b"])), (Kind::Cdnskey, f.cdnskey(&["b"]))];
    f.members.get_mut("a").unwrap().placements = placed.into();
    f
}

fn seen(f: &Fixture) -> Vec<&'static str> {
    shown(&f.world(1000), "a").into_keys().map(Ability::code).collect()
}

#[test]
fn what_every_address_serves_is_seen_and_nothing_else() {
    let mut f = together();
    assert_eq!(seen(&f), ["add-dnskey", "add-cds", "sign-cds", "add-ns"]);
    // One of the two addresses alone proves nothing.
    let mut g = Fixture::new();
    std::mem::swap(&mut f, &mut g);
    f.member("a", true);
    f.member("b", true);
    f.alone(0, "a");
    f.alone(0, "b");
    f.members.get_mut("a").unwrap().placements = g.members["a"].placements.clone();
    f.sees_at(100, f.server("a", 0), Kind::Dnskey, all_keys(&["a", "b"]));
    f.sees_at(100, f.server("a", 0), Kind::Ns, f.ns(&["a", "b"]));
    assert_eq!(seen(&f), [""; 0]);
    // What nobody placed is the operator's own.
    let mut f = together();
    f.members.get_mut("a").unwrap().placements.clear();
    assert_eq!(seen(&f), ["sign-cds", "add-ns"]);
}

#[test]
fn what_was_there_and_is_gone_was_given_up() {
    let mut f = together();
    f.sees(
        200,
        "a",
        Kind::Csync,
        RecordSet::from([chorus::model::dns::Rdata::from_canonical(vec![0, 0, 0, 0, 0, 0, 0, 1, 0x20])]),
    );
    f.together(250, &["a", "b"]);
    f.alone(300, "a");
    f.alone(400, "a");
    let expected =
        ["add-dnskey", "remove-dnskey", "add-cds", "remove-cds", "add-csync", "remove-csync", "add-ns", "remove-ns"];
    // CSYNC was seen a single time: a version that may only be supposed proves nothing.
    let expected: Vec<_> = expected.into_iter().filter(|code| !code.ends_with("csync")).collect();
    assert_eq!(seen(&f), expected);
    f.sees(500, "a", Kind::Ns, f.ns(&["b"]));
    assert!(seen(&f).contains(&"remove-own-ns"));
}

fn findings(abilities: &[Ability], parent: ParentMode, joins: bool) -> Vec<(&'static str, Severity)> {
    let (mut f, mut inspection) = joining();
    if !joins {
        f = together();
        f.members.get_mut("b").unwrap().wanted = chorus::model::group::Standing::Outside;
    }
    let known = |is_there| Known { is_there, evidence: "update-refused: no".into(), zone: "test.".into(), at: Time(0) };
    let mut of: BTreeMap<Ability, Known> = Ability::ALL.into_iter().map(|ability| (ability, known(true))).collect();
    of.extend(abilities.iter().map(|ability| (*ability, known(false))));
    inspection.abilities.insert("a".into(), of);
    let world = World { parent, ..f.world(0) };
    let found = check(&world, &inspection, &forecast(&world));
    found.into_iter().filter(|f| f.code.starts_with("operator-")).map(|f| (f.code, f.severity)).collect()
}

#[test]
fn who_was_found_unable_is_not_let_in_nor_joined_by_others() {
    use Ability::*;
    let scan = ParentMode::Scan;
    assert_eq!(findings(&[], scan, true), []);
    for (ability, code) in [
        (AddDnskey, "operator-cannot-dnskey"),
        (RemoveDnskey, "operator-cannot-dnskey"),
        (AddCds, "operator-cannot-cds"),
        (RemoveCds, "operator-cannot-cds"),
        (AddCsync, "operator-cannot-csync"),
        (AddNs, "operator-cannot-ns"),
        (RemoveNs, "operator-cannot-ns"),
    ] {
        assert_eq!(findings(&[ability], scan, true), [(code, Severity::Error)]);
        // Nobody is held in a zone for it.
        assert_eq!(findings(&[ability], scan, false), [(code, Severity::Warning)]);
    }
    assert_eq!(findings(&[RemoveOwnNs], scan, true), [("operator-keeps-own-ns", Severity::Warning)]);
    // Where a person tells the registrar, nobody needs CSYNC.
    assert_eq!(findings(&[AddCsync], ParentMode::Manual, true), []);
}
