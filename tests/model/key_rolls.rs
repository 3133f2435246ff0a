//! Operators that roll their keys on their own: which DS has to stay, which copies of keys, and what is told of it.

use crate::support::{Fixture, all_keys, keys};
use chorus::model::chain::{Planned, Scene, check};
use chorus::model::dns::{Dnskey, Rdata, RecordSet, cds_for};
use chorus::model::group::{Change, KeyRole, Phase, Step, Turn, Write, decide, key_turns, rolling};
use chorus::model::history::{Kind, Outcome, Sample, Served};
use chorus::model::switches::Switch;
use chorus::model::time::Time;

/// A key of B's that is not there from the beginning.
pub fn new_key(flags: u16) -> Rdata {
    let mut wire = flags.to_be_bytes().to_vec();
    wire.extend([3, 13]);
    wire.extend([0xab; 64]);
    Rdata::from_canonical(wire)
}

fn tag(key: &Rdata) -> u16 {
    Dnskey::read(key).unwrap().key_tag()
}

/// A and B serve together, at rest; what was before is long dead.
pub fn at_rest() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.together(-1_000_000, &["a", "b"]);
    f.together(-1, &["a", "b"]);
    for (at, other) in [("a", "b"), ("b", "a")] {
        let (key_signing, zone_signing) = keys(other);
        let member = f.members.get_mut(at).unwrap();
        member.placements.insert(Kind::Dnskey, RecordSet::from([key_signing, zone_signing]));
    }
    f
}

fn group_keys() -> RecordSet {
    all_keys(&["a", "b"])
}

/// B shows a set with these signatures at both of its addresses.
fn b_shows(f: &mut Fixture, at_s: i64, kind: Kind, records: &RecordSet, signers: &[&Rdata], ttl_s: u32) {
    for server in f.members["b"].servers.clone() {
        let signers = signers.iter().map(|key| (*key).clone()).collect();
        let served = Served { records: records.clone(), ttl_s, signers, expires: None };
        f.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
    }
}

pub fn asks_for(f: &mut Fixture, at_s: i64, keys: &RecordSet) {
    for operator in ["a", "b"] {
        f.sees(at_s, operator, Kind::Cds, cds_for(&f.zone, keys, &[2]));
        f.sees(at_s, operator, Kind::Cdnskey, keys.clone());
    }
}

/// B publishes a second key-signing key, has a DS for it, and then at 1000 s lets it take over from one moment to the next:
/// until then the first one alone has signed.
pub fn swapped_at_1000(f: &mut Fixture) -> (Rdata, Rdata) {
    let (old, new) = (keys("b").0, new_key(257));
    let both: RecordSet = group_keys().into_iter().chain([new.clone()]).collect();
    f.sees(100, "a", Kind::Dnskey, both.clone());
    f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(new.clone());
    b_shows(f, 100, Kind::Dnskey, &both, &[&old], 3600);
    let vouched = RecordSet::from([keys("a").0, old.clone(), new.clone()]);
    asks_for(f, 200, &vouched);
    f.sees(300, "parent", Kind::Ds, cds_for(&f.zone, &vouched, &[2]));
    let without: RecordSet = both.into_iter().filter(|key| *key != old).collect();
    b_shows(f, 1000, Kind::Dnskey, &without, &[&new], 3600);
    (old, new)
}

pub fn cds_writes(f: &Fixture, now_s: i64) -> Vec<Write> {
    let writes = decide(&f.world(now_s)).writes;
    writes.into_iter().filter(|write| write.sets.iter().any(|(kind, ..)| *kind == Kind::Cds)).collect()
}

#[test]
fn the_ds_of_a_key_that_was_given_up_stays_until_the_sets_that_it_alone_signed_are_dead() {
    let mut f = at_rest();
    let (old, _) = swapped_at_1000(&mut f);
    let dead_s = 1000 + 3600 + 60;
    assert_eq!(cds_writes(&f, dead_s - 1), []);
    let decision = decide(&f.world(dead_s - 1));
    let wait = decision.waits.iter().find(|wait| wait.step == Step::AwaitLeaverKeys).expect("it is waited for");
    assert_eq!((wait.code, wait.until), ("guard-ttl", Some(Time::from_s(dead_s))));
    assert!(wait.text.contains(&format!("Keeping the DS of key {}", tag(&old))), "{}", wait.text);
    assert!(wait.text.contains("TTL 3600") && wait.text.contains("ns1.b."), "{}", wait.text);
    assert!(decision.parent_ds_keys.contains(&old), "who hands DS over by hand is told the same");

    let writes = cds_writes(&f, dead_s);
    assert_eq!(writes.iter().map(|write| write.operator.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let (_, _, change) = writes[0].sets.iter().find(|(kind, ..)| *kind == Kind::Cdnskey).unwrap();
    assert_eq!(*change, Change::Exactly(RecordSet::from([keys("a").0, new_key(257)])));
}

#[test]
fn the_check_objects_to_the_loss_of_that_ds_exactly_as_long_as_the_guard_does() {
    let mut f = at_rest();
    swapped_at_1000(&mut f);
    let dead = Time::from_s(1000 + 3600 + 60);
    f.lifetimes.without = [Switch::RolledDs].into_iter().collect();
    let [write, _] = cds_writes(&f, 1001).try_into().expect("without the guard the ladder writes at once");
    let hosts = f.hosts();
    let scene = Scene { zone: &f.zone, history: &f.history, lifetimes: &f.lifetimes, hosts: &hosts };
    let planned: Vec<Planned> = write
        .sets
        .iter()
        .map(|(kind, ttl_s, change)| {
            let Change::Exactly(records) = change else { panic!("CDS sets are written whole") };
            Planned { operator: write.operator.clone(), kind: *kind, ttl_s: *ttl_s, records: records.clone() }
        })
        .collect();
    let objections = check(&scene, &planned, Time(dead.0 - 1));
    assert!(objections.iter().any(|objection| objection.until == Some(dead)), "{objections:?}");
    assert_eq!(check(&scene, &planned, dead), []);
}

#[test]
fn a_key_that_signed_beside_its_successor_all_the_time_needs_no_ds_any_more() {
    let mut f = at_rest();
    let (old, new) = (keys("b").0, new_key(257));
    let both: RecordSet = group_keys().into_iter().chain([new.clone()]).collect();
    f.sees(100, "a", Kind::Dnskey, both.clone());
    f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(new.clone());
    b_shows(&mut f, 100, Kind::Dnskey, &both, &[&old, &new], 3600);
    let vouched = RecordSet::from([keys("a").0, old.clone(), new.clone()]);
    asks_for(&mut f, 200, &vouched);
    f.sees(300, "parent", Kind::Ds, cds_for(&f.zone, &vouched, &[2]));
    let without: RecordSet = both.into_iter().filter(|key| *key != old).collect();
    b_shows(&mut f, 9000, Kind::Dnskey, &without, &[&new], 3600);
    for (kind, records) in [(Kind::Cds, cds_for(&f.zone, &vouched, &[2])), (Kind::Cdnskey, vouched)] {
        b_shows(&mut f, 9000, kind, &records, &[&new], 3600);
    }
    assert_eq!(cds_writes(&f, 9000).len(), 2, "the sets of the old key alone ended at 100 s and are dead");
    let kept = decide(&f.world(9001)).waits.into_iter().find(|wait| wait.step == Step::AwaitLeaverAnswers);
    let kept = kept.expect("the key itself stays at A, for what it may have signed");
    assert_eq!(kept.until, Some(Time::from_s(9000 + 86_400 + 60)), "{}", kept.text);
}

#[test]
fn a_key_that_never_had_a_ds_is_not_asked_for_when_it_is_gone() {
    let mut f = at_rest();
    let stray = new_key(257);
    let with: RecordSet = group_keys().into_iter().chain([stray.clone()]).collect();
    b_shows(&mut f, 100, Kind::Dnskey, &with, &[&stray], 3600);
    b_shows(&mut f, 110, Kind::Dnskey, &group_keys(), &[&keys("b").0], 3600);
    assert_eq!(cds_writes(&f, 111), []);
    assert!(!decide(&f.world(111)).parent_ds_keys.contains(&stray));
}

#[test]
fn each_turn_of_a_roll_is_told_once_with_tag_role_and_algorithm_and_copies_are_not() {
    let mut f = at_rest();
    let (old, new) = (keys("b").1, new_key(256));
    let all = group_keys();
    let both: RecordSet = all.iter().cloned().chain([new.clone()]).collect();
    let without: RecordSet = both.iter().filter(|key| **key != old).cloned().collect();
    let soa = RecordSet::new();
    assert_eq!(key_turns(&f.world(0), Time::MIN), [], "what was there when it was first looked at is no news");
    assert_eq!(rolling(&f.world(0)), []);

    b_shows(&mut f, 100, Kind::Dnskey, &both, &[&keys("b").0], 3600);
    b_shows(&mut f, 100, Kind::Data, &soa, &[&old], 3600);
    let phases =
        |f: &Fixture, now_s| rolling(&f.world(now_s)).into_iter().map(|r| (r.key.tag, r.phase)).collect::<Vec<_>>();
    let mut expected = vec![(tag(&old), Phase::Signing), (tag(&new), Phase::New)];
    expected.sort_by_key(|(tag, _)| *tag == self::tag(&new));
    let mut seen = phases(&f, 100);
    seen.sort_by_key(|(tag, _)| *tag == self::tag(&new));
    assert_eq!(seen, expected);

    // The copy at A.
    f.sees(110, "a", Kind::Dnskey, both.clone());
    f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(new.clone());
    for kind in [Kind::Data, Kind::Ns, Kind::Csync] {
        let records = f.history.current(&f.server("b", 0), kind).unwrap().served.records.clone();
        b_shows(&mut f, 5000, kind, &records, &[&new], 3600);
    }
    assert!(
        phases(&f, 5000).contains(&(tag(&old), Phase::Retired))
            && phases(&f, 5000).contains(&(tag(&new), Phase::Signing))
    );
    b_shows(&mut f, 9000, Kind::Dnskey, &without, &[&keys("b").0], 3600);
    assert!(phases(&f, 9000).contains(&(tag(&old), Phase::Kept)), "A keeps it");

    let turns = key_turns(&f.world(9000), Time::from_s(0));
    let told: Vec<_> = turns.iter().map(|t| (t.at, t.turn, t.key.tag)).collect();
    let s = Time::from_s;
    let mut expected = vec![
        (s(100), Turn::Published, tag(&new)),
        (s(5000), Turn::Signs, tag(&new)),
        (s(5000), Turn::SignsNoMore, tag(&old)),
        (s(9000), Turn::Withdrawn, tag(&old)),
    ];
    expected.sort();
    assert_eq!(told, expected);
    assert!(turns.iter().all(|t| t.key.operator == "b" && t.key.role == KeyRole::Zsk && t.key.algorithm == 13));
    assert_eq!(turns[0].to_string(), format!("ZSK {} (algorithm 13) of b is published", tag(&new)));
    assert_eq!(key_turns(&f.world(9000), s(5000)).len(), 1, "what was told is not told again");

    let (a_without, dead) = (without.clone(), 9000 + 86_400 + 60);
    f.sees(dead, "a", Kind::Dnskey, a_without);
    assert_eq!(rolling(&f.world(dead)), [], "the copy is gone: the roll is over");
}

/// A and B have CDS for all; then B publishes a second key-signing key that signs beside the first. `cds`: whether B shows a
/// CDS for the first key, and for the second one.
fn b_rolls_and_shows(f: &mut Fixture, cds: [bool; 2]) -> [Rdata; 2] {
    let keys_of_b = [keys("b").0, new_key(257)];
    let both: RecordSet = group_keys().into_iter().chain([keys_of_b[1].clone()]).collect();
    f.sees(100, "a", Kind::Dnskey, both.clone());
    f.members.get_mut("a").unwrap().placements.get_mut(&Kind::Dnskey).unwrap().insert(keys_of_b[1].clone());
    b_shows(f, 100, Kind::Dnskey, &both, &[&keys_of_b[0], &keys_of_b[1]], 3600);
    let shown = keys_of_b.iter().zip(cds).filter(|(_, shown)| *shown).map(|(key, _)| key.clone());
    let shown: RecordSet = shown.chain([keys("a").0]).collect();
    b_shows(f, 10_000, Kind::Cds, &cds_for(&f.zone, &shown, &[2]), &[&keys_of_b[0]], 3600);
    b_shows(f, 10_000, Kind::Cdnskey, &shown, &[&keys_of_b[0]], 3600);
    keys_of_b
}

#[test]
fn an_operator_with_cds_of_its_own_decides_which_of_its_keys_has_a_ds() {
    for (cds, wanted) in [([true, false], [true, false]), ([true, true], [true, true]), ([false, true], [false, true])]
    {
        let mut f = at_rest();
        let of_a = f.ds(&["a"]);
        f.members.get_mut("b").unwrap().placements.insert(Kind::Cds, of_a);
        let keys_of_b = b_rolls_and_shows(&mut f, cds);
        let asked = decide(&f.world(10_000)).parent_ds_keys;
        assert_eq!(keys_of_b.each_ref().map(|key| asked.contains(key)), wanted, "B shows CDS {cds:?}");
    }
}

#[test]
fn an_operator_that_publishes_no_cds_for_its_new_key_for_a_day_is_not_waited_for_any_longer() {
    let mut f = at_rest();
    let of_a = f.ds(&["a"]);
    f.members.get_mut("b").unwrap().placements.insert(Kind::Cds, of_a);
    let [old, new] = b_rolls_and_shows(&mut f, [true, false]);
    let known_everywhere_s = 100 + 3600 + 60;
    for (now_s, asked) in [(known_everywhere_s + 86_399, false), (known_everywhere_s + 86_400, true)] {
        let keys = decide(&f.world(now_s)).parent_ds_keys;
        assert!(keys.contains(&old) && keys.contains(&new) == asked, "at {now_s}");
    }
}

#[test]
fn of_an_operator_without_cds_of_its_own_every_key_is_asked_for_until_it_withdraws_one() {
    for (cds, wanted) in [([true, false], [true, true]), ([true, true], [true, true]), ([false, true], [false, true])] {
        let mut f = at_rest();
        let all = cds_for(&f.zone, &[keys("a").0, keys("b").0, new_key(257)], &[2]);
        f.members.get_mut("b").unwrap().placements.insert(Kind::Cds, all);
        let keys_of_b = b_rolls_and_shows(&mut f, cds);
        let asked = decide(&f.world(10_000)).parent_ds_keys;
        assert_eq!(keys_of_b.each_ref().map(|key| asked.contains(key)), wanted, "B shows CDS {cds:?}");
    }
}

#[test]
fn an_operator_that_shows_cds_only_for_a_key_that_does_not_sign_is_not_followed() {
    let mut f = at_rest();
    let of_a = f.ds(&["a"]);
    f.members.get_mut("b").unwrap().placements.insert(Kind::Cds, of_a);
    let [old, new] = b_rolls_and_shows(&mut f, [false, true]);
    let both: RecordSet = group_keys().into_iter().chain([new.clone()]).collect();
    b_shows(&mut f, 10_001, Kind::Dnskey, &both, &[&old], 3600);
    let asked = decide(&f.world(10_001)).parent_ds_keys;
    assert!(asked.contains(&old) && asked.contains(&new));
}

#[test]
fn a_key_of_another_algorithm_is_no_successor_whose_ds_its_operator_decides_on_alone() {
    let mut f = at_rest();
    let of_a = f.ds(&["a"]);
    f.members.get_mut("b").unwrap().placements.insert(Kind::Cds, of_a);
    let mut wire = new_key(257).as_wire().to_vec();
    wire[3] = 15;
    let other = Rdata::from_canonical(wire);
    let both: RecordSet = group_keys().into_iter().chain([other.clone()]).collect();
    b_shows(&mut f, 100, Kind::Dnskey, &both, &[&keys("b").0, &other], 3600);
    assert_eq!(f.world(100).key_signing_keys("b"), RecordSet::from([keys("b").0, other]));
}

#[test]
fn an_operator_alone_is_looked_after_until_no_cds_of_ours_asks_for_a_key_that_it_gave_up() {
    let mut f = Fixture::new();
    f.member("a", true);
    f.together(-1_000_000, &["a"]);
    assert!(!f.world(0).serves_placed_records_of_no_member());
    let old = new_key(257);
    let asked = RecordSet::from([keys("a").0, old.clone()]);
    f.sees(10, "a", Kind::Cds, cds_for(&f.zone, &asked, &[2]));
    f.sees(10, "a", Kind::Cdnskey, asked);
    assert!(!f.world(10).serves_placed_records_of_no_member(), "what its operator asks for is its own business");
    f.members.get_mut("a").unwrap().placements.insert(Kind::Cdnskey, RecordSet::from([old]));
    assert!(f.world(10).serves_placed_records_of_no_member());
    let [write] = cds_writes(&f, 10).try_into().expect("one write");
    assert!(write.sets.contains(&(Kind::Cdnskey, 3600, Change::Exactly(f.cdnskey(&["a"])))), "{write:?}");
}

/// An update whose outcome nobody knew arrived when the operator that it was for had been let go.
#[test]
fn an_operator_alone_is_looked_after_until_nothing_of_ours_is_for_an_operator_that_left() {
    for kind in [Kind::Cds, Kind::Dnskey] {
        let mut f = Fixture::new();
        f.member("a", true);
        f.together(-1_000_000, &["a"]);
        let (of_b, both) = match kind {
            Kind::Cds => (f.ds(&["b"]), f.ds(&["a", "b"])),
            _ => (all_keys(&["b"]), all_keys(&["a", "b"])),
        };
        f.sees(10, "a", kind, both);
        assert!(!f.world(10).serves_placed_records_of_no_member(), "what its operator publishes is its own business");
        f.members.get_mut("a").unwrap().placements.insert(kind, of_b);
        assert!(f.world(10).serves_placed_records_of_no_member());
    }
}
