//! The roll of a whole group from RSASHA256 to ECDSAP256SHA256: operators act one after the other, and Chorus goes on only
//! when what strict validators need is everywhere and what they must not meet is dead.

use crate::support::{Fixture, keys};
use chorus::model::dns::{Rdata, RecordSet, cds_for};
use chorus::model::group::{Change, Decision, Step, World, decide};
use chorus::model::history::{Kind, Outcome, Sample, Served, Server};
use chorus::model::time::Time;

/// Key-signing and zone-signing key of the new algorithm; those of the fixture are taken for the old one.
fn new_keys(operator: &str) -> [Rdata; 2] {
    [257u16, 256].map(|flags| {
        let mut wire = flags.to_be_bytes().to_vec();
        wire.extend([3, 15]);
        wire.extend(operator.bytes().cycle().take(31).chain([flags as u8]));
        Rdata::from_canonical(wire)
    })
}

fn old_keys(operator: &str) -> [Rdata; 2] {
    let (ksk, zsk) = keys(operator);
    [ksk, zsk]
}

fn set(keys: &[[Rdata; 2]]) -> RecordSet {
    keys.iter().flatten().cloned().collect()
}

struct Zone(Fixture);

impl Zone {
    fn shows(&mut self, at_s: i64, server: &Server, kind: Kind, records: RecordSet, signers: RecordSet) {
        let served = Served { records, ttl_s: 3600, signers, expires: None };
        let outcome = Outcome::Served(served);
        self.0.history.record(&Sample { at: Time::from_s(at_s), server: server.clone(), kind, outcome });
    }

    /// One operator's zone: its DNSKEY set, and the pairs of its own keys that sign.
    fn serves(&mut self, at_s: i64, operator: &str, dnskey: &RecordSet, signing: &[[Rdata; 2]]) {
        let [ksks, zsks]: [RecordSet; 2] = [0, 1].map(|i| signing.iter().map(|pair| pair[i].clone()).collect());
        for server in self.0.members[operator].servers.clone() {
            self.shows(at_s, &server, Kind::Dnskey, dnskey.clone(), ksks.clone());
            let ns = self.0.ns(&["a", "b"]);
            self.shows(at_s, &server, Kind::Ns, ns, zsks.clone());
            self.shows(at_s, &server, Kind::Data, RecordSet::new(), zsks.clone());
        }
    }

    fn asks_and_has(&mut self, at_s: i64, keys: &[Rdata]) {
        let ds = cds_for(&self.0.zone, keys, &[2]);
        for operator in ["a", "b"] {
            self.0.sees(at_s, operator, Kind::Cds, ds.clone());
            self.0.sees(at_s, operator, Kind::Cdnskey, keys.iter().cloned().collect());
        }
        self.0.sees(at_s, "parent", Kind::Ds, ds);
    }

    fn decision(&self, now_s: i64, algorithm: Option<u8>) -> Decision {
        decide(&World { algorithm, ..self.0.world(now_s) })
    }
}

fn waits(decision: &Decision, step: Step) -> bool {
    decision.waits.iter().any(|wait| wait.step == step)
}

/// What a write wants in a set, at an operator.
fn wanted(decision: &Decision, operator: &str, kind: Kind) -> Option<RecordSet> {
    let write = decision.writes.iter().find(|write| write.operator == operator)?;
    let (_, _, change) = write.sets.iter().find(|(of, _, _)| *of == kind)?;
    Some(match change {
        Change::Exactly(records) | Change::Partly { with: records, .. } => records.clone(),
    })
}

#[test]
fn every_letter_of_the_safe_order_waits_for_the_one_before_it() {
    let mut f = Fixture::new();
    f.lifetimes.policy.data_ttl_max_s = Some(7200);
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let old = [old_keys("a"), old_keys("b")];
    let new = [new_keys("a"), new_keys("b")];
    assert!(zone.decision(10, None).is_settled());

    // (a) Both have to sign with both. One does, and publishes its keys, as its software will.
    let decision = zone.decision(10, Some(15));
    assert!(waits(&decision, Step::SignWithBoth) && decision.writes.is_empty(), "{decision:?}");
    let a_has = set(&[old[0].clone(), old[1].clone(), new[0].clone()]);
    zone.serves(100, "a", &a_has, &[old[0].clone(), new[0].clone()]);
    let decision = zone.decision(110, Some(15));
    assert!(decision.writes.is_empty(), "no key of the new algorithm is shared yet: {decision:?}");
    assert!(decision.waits.iter().any(|wait| wait.code == "algorithm-operator" && wait.text.starts_with("b ")));

    // (b) Everything is signed with both; what is not lives for the largest TTL of the zone, and the slack.
    let b_has = set(&[old[0].clone(), old[1].clone(), new[1].clone()]);
    zone.serves(200, "b", &b_has, &[old[1].clone(), new[1].clone()]);
    let dead_s = 200 + 7200 + 60;
    assert!(zone.decision(dead_s - 1, Some(15)).writes.is_empty());
    // (c) Now the keys are shared.
    let decision = zone.decision(dead_s, Some(15));
    assert_eq!(wanted(&decision, "a", Kind::Dnskey).map(|with| with.is_superset(&set(&[new[1].clone()]))), Some(true));
    let all = set(&[old[0].clone(), old[1].clone(), new[0].clone(), new[1].clone()]);
    zone.serves(dead_s, "a", &all, &[old[0].clone(), new[0].clone()]);
    zone.serves(dead_s, "b", &all, &[old[1].clone(), new[1].clone()]);
    // (d) DNSKEY sets without them die; (e) then their DS are asked for, beside the old ones.
    let shared_s = dead_s + 3600 + 60;
    assert!(zone.decision(shared_s - 1, Some(15)).writes.is_empty());
    let decision = zone.decision(shared_s, Some(15));
    let both = [old[0][0].clone(), old[1][0].clone(), new[0][0].clone(), new[1][0].clone()];
    assert_eq!(wanted(&decision, "a", Kind::Cdnskey), Some(both.iter().cloned().collect()));
    zone.asks_and_has(shared_s, &both);
    // (f) DS sets without the new ones die; (g) then the old ones go.
    let known_s = shared_s + 3600 + 60;
    let decision = zone.decision(known_s - 1, Some(15));
    assert!(decision.writes.is_empty() && waits(&decision, Step::AwaitLeaverKeys), "{decision:?}");
    let only = [new[0][0].clone(), new[1][0].clone()];
    let decision = zone.decision(known_s, Some(15));
    assert_eq!(wanted(&decision, "b", Kind::Cdnskey), Some(only.iter().cloned().collect()));
    zone.asks_and_has(known_s, &only);
    // (h) DS sets with old ones die; (i) then the operators may take their old keys out.
    let decision = zone.decision(known_s + 3659, Some(15));
    assert!(decision.waits.iter().all(|wait| wait.code == "guard-ttl"), "{decision:?}");
    let free_s = known_s + 3660;
    let decision = zone.decision(free_s, Some(15));
    assert!(decision.waits.iter().any(|wait| wait.code == "algorithm-operator"), "{decision:?}");
    // (j), (k) They do; the others lose those keys when what they signed is dead, and all is settled.
    zone.serves(free_s, "a", &set(&[old[1].clone(), new[0].clone(), new[1].clone()]), &[new[0].clone()]);
    zone.serves(free_s, "b", &set(&[old[0].clone(), new[0].clone(), new[1].clone()]), &[new[1].clone()]);
    for operator in ["a", "b"] {
        let other = if operator == "a" { 1 } else { 0 };
        let member = zone.0.members.get_mut(operator).unwrap();
        member.placements.insert(Kind::Dnskey, set(&[old[other].clone(), new[other].clone()]));
    }
    assert!(!zone.decision(free_s + 7259, Some(15)).is_settled());
    let decision = zone.decision(free_s + 7260, Some(15));
    assert_eq!(decision.writes.len(), 2, "{decision:?}");
    let rest = set(&[new[0].clone(), new[1].clone()]);
    zone.serves(free_s + 7260, "a", &rest, &[new[0].clone()]);
    zone.serves(free_s + 7260, "b", &rest, &[new[1].clone()]);
    let decision = zone.decision(free_s + 7261, Some(15));
    assert!(decision.is_settled(), "{decision:?}");
}

#[test]
fn an_operator_that_changes_its_algorithm_on_its_own_holds_everything_up_and_is_named() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let a_has = set(&[old_keys("a"), old_keys("b"), new_keys("a")]);
    zone.serves(100, "a", &a_has, &[old_keys("a"), new_keys("a")]);
    let decision = zone.decision(110, None);
    assert!(decision.writes.is_empty());
    let wait = decision.waits.iter().find(|wait| wait.code == "algorithm-mismatch").unwrap();
    assert!(wait.text.contains("a signs with {13, 15}") && wait.until.is_none(), "{}", wait.text);
}

#[test]
fn a_roll_that_is_undone_keeps_the_old_ds_and_asks_the_operators_to_take_the_new_keys_out() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let all = set(&[old_keys("a"), old_keys("b"), new_keys("a"), new_keys("b")]);
    zone.serves(100, "a", &all, &[old_keys("a"), new_keys("a")]);
    zone.serves(100, "b", &all, &[old_keys("b"), new_keys("b")]);
    let decision = zone.decision(900_000, Some(13));
    assert!(decision.writes.is_empty(), "{decision:?}");
    let told: Vec<&str> = decision.waits.iter().map(|wait| wait.text.as_str()).collect();
    assert!(told.iter().all(|text| text.contains("other algorithms than ecdsap256sha256 out")), "{told:?}");
    assert_eq!(told.len(), 2);
}
