//! What is refused before the ladder is entered, and what a person is told to hand to the parent.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::dns::{Rdata, RecordSet};
use chorus::model::group::{decide, preflight};
use chorus::model::history::{Failure, Kind};

/// B joins A, or replaces it. All share all keys, the CDS sets are complete, and the parent has A's DS.
fn joining(a_stays: bool) -> Fixture {
    let mut f = Fixture::new();
    f.member("a", a_stays);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    f
}

fn shares(f: &mut Fixture) {
    for operator in ["a", "b"] {
        f.sees(0, operator, Kind::Dnskey, all_keys(&["a", "b"]));
        f.sees(10, operator, Kind::Cds, f.ds(&["a", "b"]));
        f.sees(10, operator, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
    }
}

#[test]
fn the_algorithm_of_an_operator_that_leaves_counts_as_well() {
    for a_stays in [true, false] {
        let mut f = joining(a_stays);
        assert_eq!(preflight(&f.world(0)), []);
        let rsa = |key: &Rdata| {
            let mut wire = key.as_wire().to_vec();
            wire[3] = 8;
            Rdata::from_canonical(wire)
        };
        let (key_signing, zone_signing) = keys("b");
        f.sees(0, "b", Kind::Dnskey, RecordSet::from([rsa(&key_signing), rsa(&zone_signing)]));
        let refused = preflight(&f.world(0));
        assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), ["algorithm-mismatch"]);
        assert!(refused[0].text.contains("a uses 13, b uses 8"), "{}", refused[0].text);
    }
}

#[test]
fn an_address_that_does_not_answer_is_refused_unless_its_operator_leaves() {
    for (a_stays, codes) in [(true, &["operator-unreachable"][..]), (false, &[])] {
        let mut f = joining(a_stays);
        f.fails(1, f.server("a", 1), Kind::Dnskey, Failure::Silent);
        let refused = preflight(&f.world(2));
        assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), codes);
        assert!(refused.iter().all(|refused| refused.text.contains(&f.server("a", 1).to_string())));
    }
}

#[test]
fn a_name_server_belongs_to_exactly_one_operator() {
    let codes = |f: &Fixture| preflight(&f.world(0)).into_iter().map(|refused| refused.code).collect::<Vec<_>>();
    let mut f = joining(true);
    assert_eq!(codes(&f), [""; 0]);
    let stranger = chorus::model::dns::ns_rdata(&crate::support::name("ns.stranger."));
    let with_stranger: RecordSet = f.ns(&["b"]).into_iter().chain([stranger]).collect();
    f.sees_at(0, f.server("b", 1), Kind::Ns, with_stranger);
    assert_eq!(codes(&f), ["ns-unexpected"]);
    let mut f = joining(true);
    let of_a = f.server("a", 0).host.to_lowercase();
    f.members.get_mut("b").unwrap().hosts.insert(of_a);
    assert_eq!(codes(&f), ["name-server-shared"]);
    let mut f = joining(true);
    let of_a = f.server("a", 0).address;
    f.members.get_mut("b").unwrap().servers[1].address = of_a;
    assert!(codes(&f).contains(&"name-server-shared"));
}

#[test]
fn name_servers_are_handed_over_only_when_the_parent_may_delegate_to_them() {
    for a_stays in [true, false] {
        let mut f = joining(a_stays);
        assert_eq!(decide(&f.world(0)).parent_ns, f.ns(&["a"]), "keys are not shared");
        shares(&mut f);
        let decision = decide(&f.world(20));
        assert_eq!(decision.parent_ds_keys, f.cdnskey(&["a", "b"]), "the DS may be handed over");
        assert_eq!(decision.parent_ns, f.ns(&["a"]), "the DS is missing");
        f.sees(100, "parent", Kind::Ds, f.ds(&["a", "b"]));
        assert_eq!(decide(&f.world(100)).parent_ns, f.ns(&["a"]), "old DS and DNSKEY sets are alive");
        assert_eq!(decide(&f.world(100_000)).parent_ns, f.ns(&["a"]), "the operators do not name b yet");
        f.sees(100_000, "b", Kind::Ns, f.ns(&["a", "b"]));
        f.sees(100_001, "a", Kind::Ns, f.ns(&["a", "b"]));
        assert_eq!(decide(&f.world(100_001)).parent_ns, f.ns(&["a", "b"]));
    }
}

#[test]
fn a_parent_that_took_only_half_is_told_with_the_key_that_is_missing() {
    let mut f = joining(true);
    shares(&mut f);
    f.sees_at(100, f.server("parent", 0), Kind::Ds, f.ds(&["a", "b"]));
    f.sees_at(100, f.server("parent", 1), Kind::Ds, f.ds(&["a"]));
    let wait = &decide(&f.world(100)).waits[0];
    let tag = |operator| chorus::model::dns::Dnskey::read(&keys(operator).0).unwrap().key_tag();
    let missing = format!("of which key {} is missing; not yet at ns2.parent.", tag("b"));
    assert!(wait.code == "parent-pending" && wait.text.contains(&missing), "{}", wait.text);
}
