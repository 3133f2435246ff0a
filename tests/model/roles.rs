//! What keys are for, by what they do and not by their flags: which have a DS, which are copied, which are left alone.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::dns::{Rdata, RecordSet, cds_for};
use chorus::model::group::{Change, KeyRole, decide, preflight, rolling};
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served};
use chorus::model::time::Time;

fn key(flags: u16, protocol: u8, algorithm: u8) -> Rdata {
    let mut wire = flags.to_be_bytes().to_vec();
    wire.extend([protocol, algorithm]);
    wire.extend([0xab; 64]);
    Rdata::from_canonical(wire)
}

/// B joins A. A signs all with a key of flags 256 that has a DS; `beside` it are keys that sign nothing.
fn with_csk(beside: &[Rdata], ds_of: &[&Rdata]) -> (Fixture, Rdata) {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    let csk = keys("a").1;
    let set: RecordSet = beside.iter().cloned().chain([csk.clone()]).collect();
    shows(&mut f, -999, Kind::Dnskey, &set, &csk);
    f.sees(-1000, "parent", Kind::Ds, cds_for(&f.zone, ds_of.iter().copied(), &[2]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    (f, csk)
}

fn shows(f: &mut Fixture, at_s: i64, kind: Kind, records: &RecordSet, signer: &Rdata) {
    for server in f.members["a"].servers.clone() {
        let signers = RecordSet::from([signer.clone()]);
        let served = Served { records: records.clone(), ttl_s: 3600, signers, expires: None };
        f.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
    }
}

#[test]
fn a_key_without_the_bit_that_signs_all_keeps_its_ds() {
    let csk = keys("a").1;
    for beside in [vec![], vec![key(257, 3, 13)]] {
        let (f, csk) = with_csk(&beside, &[&csk]);
        let world = f.world(0);
        assert_eq!(world.key_signing_keys("a"), RecordSet::from([csk.clone()]), "beside {beside:?}");
        assert_eq!(preflight(&world), []);
        let asked = decide(&world).parent_ds_keys;
        assert!(asked.contains(&csk) && asked.contains(&keys("b").0) && asked.len() == 2, "{asked:?}");
        let rolls = rolling(&world);
        assert!(rolls.iter().all(|roll| roll.key.role != KeyRole::Zsk || roll.key.operator == "b"), "{rolls:?}");
    }
}

#[test]
fn a_standby_key_has_a_ds_where_its_operator_or_the_parent_says_so() {
    let (csk, standby) = (keys("a").1, key(257, 3, 13));
    let (f, _) = with_csk(std::slice::from_ref(&standby), &[&csk, &standby]);
    assert_eq!(f.world(0).key_signing_keys("a"), RecordSet::from([csk.clone(), standby.clone()]));
    let (mut f, _) = with_csk(std::slice::from_ref(&standby), &[&csk]);
    let cds = cds_for(&f.zone, [&standby], &[2]);
    shows(&mut f, -998, Kind::Cds, &cds, &csk);
    assert_eq!(f.world(0).key_signing_keys("a"), RecordSet::from([csk, standby]));
}

#[test]
fn a_zone_signing_key_that_signs_the_keys_as_well_has_no_ds() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.alone(-1000, "a");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    let (ksk, zsk) = keys("a");
    for server in f.members["a"].servers.clone() {
        let signers = RecordSet::from([ksk.clone(), zsk.clone()]);
        let served = Served { records: all_keys(&["a"]), ttl_s: 3600, signers, expires: None };
        f.history.record(&Sample {
            at: Time::from_s(-1),
            server,
            kind: Kind::Dnskey,
            outcome: Outcome::Served(served),
        });
    }
    assert_eq!(f.world(0).key_signing_keys("a"), RecordSet::from([ksk]));
}

#[test]
fn keys_that_nothing_is_signed_with_neither_block_a_join_nor_are_copied_nor_have_a_ds() {
    for (what, odd) in [
        ("revoked", key(257 | 0x80, 3, 13)),
        ("a private algorithm", key(257, 3, 253)),
        ("a pre-published key of RSA", key(257, 3, 8)),
        ("protocol 2", key(256, 2, 13)),
        ("no zone key", key(0, 3, 13)),
        ("no key at all", Rdata::from_canonical(vec![1, 0])),
    ] {
        let mut f = Fixture::new();
        f.member("a", true);
        f.member("b", true);
        f.alone(-1000, "a");
        f.alone(-1000, "b");
        let with: RecordSet = all_keys(&["a"]).into_iter().chain([odd.clone()]).collect();
        f.sees(-999, "a", Kind::Dnskey, with.clone());
        f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
        f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
        assert_eq!(preflight(&f.world(0)), [], "{what}");
        let decision = decide(&f.world(0));
        assert_eq!(decision.parent_ds_keys, RecordSet::from([keys("a").0, keys("b").0]), "{what}");
        let mut changes = decision.writes.iter().flat_map(|write| &write.sets).map(|(_, _, change)| change);
        let copies = |change: &Change| matches!(change, Change::Partly { with, .. } if with.contains(&odd));
        assert!(!changes.any(copies) && decision.writes.len() == 2, "{what}: {:?}", decision.writes);

        // And the join goes on to its end without it.
        let all = all_keys(&["a", "b"]);
        f.sees(10, "a", Kind::Dnskey, with.union(&all).cloned().collect());
        f.sees(10, "b", Kind::Dnskey, all);
        for operator in ["a", "b"] {
            f.sees(20, operator, Kind::Cds, f.ds(&["a", "b"]));
            f.sees(20, operator, Kind::Cdnskey, f.cdnskey(&["a", "b"]));
        }
        f.sees(30, "parent", Kind::Ds, f.ds(&["a", "b"]));
        let writes = decide(&f.world(30 + 3600 + 60)).writes;
        assert!(writes.iter().any(|write| write.sets.iter().any(|(kind, ..)| *kind == Kind::Ns)), "{what}: {writes:?}");
    }
}

#[test]
fn a_key_of_another_algorithm_that_has_a_ds_is_a_mismatch() {
    let rsa = key(257, 3, 8);
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-999, "a", Kind::Dnskey, all_keys(&["a"]).into_iter().chain([rsa.clone()]).collect());
    f.sees(-1000, "parent", Kind::Ds, cds_for(&f.zone, [&keys("a").0, &rsa], &[2]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    let codes: Vec<&str> = preflight(&f.world(0)).iter().map(|refused| refused.code).collect();
    assert_eq!(codes, ["algorithm-mismatch"]);
}

#[test]
fn signatures_that_cannot_be_verified_here_are_refused_as_that_and_not_as_silence() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.alone(-1000, "a");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    for kind in Kind::OPERATOR {
        f.fails(-1, f.server("a", 0), kind, Failure::Unsupported("algorithm 16 (Ed448)".into()));
    }
    let refused = preflight(&f.world(0));
    assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), ["algorithm-unsupported"]);
    assert!(refused[0].text.contains("Ed448") && refused[0].fix.contains("13"), "{refused:?}");
}
