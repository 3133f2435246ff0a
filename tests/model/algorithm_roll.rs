//! The roll of a whole group from RSASHA256 to ECDSAP256SHA256: operators act one after the other, and Chorus goes on only
//! when what strict validators need is everywhere and what they must not meet is dead.

use crate::support::{Fixture, keys};
use chorus::model::dns::{Rdata, RecordSet, cds_for};
use chorus::model::group::{Change, Decision, Step, World, decide, forecast};
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
    // (d) DNSKEY sets without them die; (e) then their DS are asked for, in place of the old ones: all is signed with both.
    let shared_s = dead_s + 3600 + 60;
    assert!(zone.decision(shared_s - 1, Some(15)).writes.is_empty());
    let decision = zone.decision(shared_s, Some(15));
    let only = [new[0][0].clone(), new[1][0].clone()];
    assert_eq!(wanted(&decision, "a", Kind::Cdnskey), Some(only.iter().cloned().collect()));
    assert_eq!(wanted(&decision, "b", Kind::Cdnskey), Some(only.iter().cloned().collect()));
    zone.asks_and_has(shared_s, &only);
    // (h) DS sets with old ones die; (i) then the operators may take their old keys out.
    let decision = zone.decision(shared_s + 3659, Some(15));
    assert!(waits(&decision, Step::AwaitOldAlgorithm), "{decision:?}");
    assert!(decision.waits.iter().all(|wait| wait.code == "guard-ttl"), "{decision:?}");
    let free_s = shared_s + 3660;
    let decision = zone.decision(free_s, Some(15));
    let told = decision.waits.iter().find(|wait| wait.code == "algorithm-operator").unwrap();
    assert!(told.text.starts_with("a, b may take"), "{}", told.text);
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
    assert!(wait.text.contains("a signs with ecdsap256sha256 and ed25519") && wait.until.is_none(), "{}", wait.text);
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
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("a, b may take the keys of other algorithms than ecdsap256sha256 out"), "{told:?}");
}

#[test]
fn keys_that_are_published_and_do_not_sign_everything_are_no_end_of_the_roll() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    for (operator, i) in [("a", 0), ("b", 1)] {
        let pairs = [[old_keys("a"), old_keys("b")], [new_keys("a"), new_keys("b")]];
        let has = set(&[old_keys("a"), old_keys("b"), new_keys(operator)]);
        zone.serves(100, operator, &has, &[pairs[0][i].clone()]);
    }
    let decision = zone.decision(900_000, Some(15));
    assert!(decision.writes.is_empty(), "{decision:?}");
    let wait = decision.waits.iter().find(|wait| wait.code == "algorithm-operator").unwrap();
    assert!(wait.text.contains("still served by"), "{}", wait.text);
}

/// A signer that rolls by itself publishes the CDS of its new key when it is ready itself, takes back that of the old one,
/// and lets nobody else change that.
#[test]
fn a_signer_that_asks_for_its_own_new_ds_too_early_is_not_fought_with() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let a_has = set(&[old_keys("a"), old_keys("b"), new_keys("a")]);
    zone.serves(100, "a", &a_has, &[old_keys("a"), new_keys("a")]);
    let asks = [new_keys("a")[0].clone(), old_keys("b")[0].clone()];
    zone.0.sees(100, "a", Kind::Cds, cds_for(&zone.0.zone, &asks, &[2]));
    zone.0.sees(100, "a", Kind::Cdnskey, asks.iter().cloned().collect());
    let decision = zone.decision(110, Some(15));
    assert!(decision.writes.is_empty(), "{decision:?}");
    // Undone, it is not fought with either: it is told to take its keys out.
    let decision = zone.decision(110, Some(13));
    assert!(decision.writes.is_empty(), "{decision:?}");
    assert!(decision.waits.iter().any(|wait| wait.code == "algorithm-operator" && wait.text.starts_with("a may take")));
}

#[test]
fn an_operator_that_gives_its_old_keys_up_too_early_gets_the_ds_of_its_new_one_at_once() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    zone.serves(100, "a", &set(&[old_keys("b"), new_keys("a")]), &[new_keys("a")]);
    let decision = zone.decision(110, Some(15));
    assert!(decision.parent_ds_keys.contains(&new_keys("a")[0]), "{decision:?}");
    assert!(decision.parent_ds_keys.contains(&old_keys("b")[0]), "{decision:?}");
}

/// BIND goes back to the algorithm from before with new keys of it. Until those are everywhere, nothing else is asked for.
#[test]
fn a_roll_that_is_undone_neither_shares_the_keys_that_are_given_up_nor_asks_for_their_ds() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let old = [old_keys("a"), old_keys("b")];
    let [ksk, zsk] = old_keys("another of a");
    zone.serves(100, "a", &set(&[old[0].clone(), old[1].clone(), [ksk.clone(), zsk]]), &[old[0].clone()]);
    zone.serves(100, "b", &set(&[old[0].clone(), old[1].clone(), new_keys("b")]), &[old[1].clone(), new_keys("b")]);
    let decision = zone.decision(900_000, Some(13));
    let given_up: RecordSet = new_keys("b").into_iter().collect();
    assert!(decision.parent_ds_keys.is_disjoint(&given_up), "{decision:?}");
    let at_b = wanted(&decision, "b", Kind::Dnskey).unwrap();
    assert!(at_b.contains(&ksk), "{decision:?}");
    assert_eq!(wanted(&decision, "a", Kind::Dnskey), None, "{decision:?}");
}

#[test]
fn whoever_asks_for_the_ds_of_a_key_that_the_others_cannot_go_along_with_is_named_when_a_ds_is_needed() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let mut zone = Zone(f);
    let b_has = set(&[old_keys("a"), old_keys("b"), new_keys("b")]);
    zone.serves(100, "b", &b_has, &[old_keys("b"), new_keys("b")]);
    let asks = [old_keys("a")[0].clone(), new_keys("b")[0].clone()];
    zone.0.sees(100, "b", Kind::Cds, cds_for(&zone.0.zone, &asks, &[2]));
    zone.0.sees(100, "b", Kind::Cdnskey, asks.iter().cloned().collect());
    let needs_no_ds = zone.decision(110, Some(13));
    assert!(!waits(&needs_no_ds, Step::AwaitDs), "{needs_no_ds:?}");
    // Somebody took b's DS out by hand.
    zone.0.sees(120, "parent", Kind::Ds, cds_for(&zone.0.zone, &[old_keys("a")[0].clone()], &[2]));
    let decision = zone.decision(130, Some(13));
    let wait = decision.waits.iter().find(|wait| wait.step == Step::AwaitDs).unwrap();
    assert_eq!(wait.code, "algorithm-operator");
    assert!(wait.text.contains("as long as b asks"), "{}", wait.text);
}

#[test]
fn the_forecast_adds_up_every_wait_that_is_still_ahead() {
    let mut f = Fixture::new();
    f.lifetimes.policy.data_ttl_max_s = Some(7200);
    f.member("a", true);
    f.member("b", true);
    f.together(0, &["a", "b"]);
    let forecast = forecast(&World { algorithm: Some(15), ..f.world(900_000) });
    let from_now: Vec<i64> = forecast.steps.iter().map(|step| (step.earliest.0 - 900_000_000) / 1000).collect();
    // Answers 7260 s, DNSKEY sets 3660 s, DS sets 3660 s, answers again: one after the other.
    assert_eq!(from_now, [0, 7260, 10_920, 10_920, 14_580, 21_840]);
}
