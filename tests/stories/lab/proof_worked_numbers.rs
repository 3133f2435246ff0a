//! The judge on invented histories: the worked numbers of a literal dnssec-automation draft and of the right guards,
//! and one wrong history for every rule, so that a judge that sees nothing is seen itself.
//!
//! Here slack is zero, so the right guards end 60 s earlier than with the slack of the worked example.

use std::collections::BTreeSet;

use super::proof::{Content, Digest, History, Key, Ms, Outage, Run};

const A: (u16, u8) = (1, 13);
const B: (u16, u8) = (2, 13);
const END: Ms = 400_000_000;

fn key(id: (u16, u8)) -> Key {
    Key { id, digests: BTreeSet::from([(2, format!("digest of {}", id.0))]) }
}

fn dnskey(keys: &[(u16, u8)], signer: (u16, u8)) -> Content {
    Content::Dnskey { keys: keys.iter().copied().map(key).collect(), signers: BTreeSet::from([signer]) }
}

fn ds(keys: &[(u16, u8)]) -> Content {
    let digest = |id: &(u16, u8)| Digest { id: *id, digest: (2, format!("digest of {}", id.0)) };
    Content::Ds(keys.iter().map(digest).collect())
}

fn names(operators: &str) -> BTreeSet<String> {
    operators.chars().map(|operator| format!("ns.{operator}")).collect()
}

fn ns(operators: &str, signer: (u16, u8)) -> Content {
    Content::Ns { hosts: names(operators), signers: BTreeSet::from([signer]) }
}

fn data(signer: (u16, u8)) -> Content {
    Content::Data { what: "www A", rdata: String::new(), signers: BTreeSet::from([signer]) }
}

/// Versions of one kind at one server: (content, TTL, begins at second); exact, as if sampled without end.
fn serves(history: &mut History, server: &str, versions: &[(Content, u32, Ms)]) {
    for (index, (content, ttl_s, from_s)) in versions.iter().enumerate() {
        let until = versions.get(index + 1).map_or(END, |next| next.2 * 1000);
        let from = from_s * 1000;
        history.runs.push(Run {
            server: server.into(),
            content: content.clone(),
            ttl_s: *ttl_s,
            not_before: from,
            first_seen: from,
            last_seen: until,
            until,
        });
    }
}

fn world() -> History {
    let host = |operator: &str| (format!("ns.{operator}"), BTreeSet::from([operator.to_owned()]));
    History {
        parents: BTreeSet::from(["p1".to_owned(), "p2".to_owned()]),
        hosts: [host("a"), host("b")].into(),
        end: END,
        ..History::default()
    }
}

/// Adding B: DNSKEY union written at 0, A's last server at 120, DS first at 7200 and last at 7500, NS at `ns_at`.
fn join(ns_at: Ms, old_ds_ttl_s: u32, new_ds_ttl_s: u32) -> History {
    let mut history = world();
    serves(&mut history, "a", &[(dnskey(&[A], A), 3600, -90_000), (dnskey(&[A, B], A), 3600, 120)]);
    serves(&mut history, "b", &[(dnskey(&[B], B), 3600, -90_000), (dnskey(&[A, B], B), 3600, 0)]);
    for (server, signer) in [("a", A), ("b", B)] {
        serves(&mut history, server, &[(data(signer), 86400, -90_000)]);
        let alone = if server == "a" { "a" } else { "b" };
        serves(&mut history, server, &[(ns(alone, signer), 3600, -90_000), (ns("ab", signer), 3600, ns_at)]);
    }
    for (server, at) in [("p1", 7200), ("p2", 7500)] {
        serves(&mut history, server, &[(ds(&[A]), old_ds_ttl_s, -90_000), (ds(&[A, B]), new_ds_ttl_s, at)]);
        serves(&mut history, server, &[(Content::Referral(names("a")), 86400, -90_000)]);
    }
    history
}

/// Window of the only rule that is broken, in seconds.
fn windows(history: &History) -> Vec<(&'static str, Ms, Ms)> {
    let verdict = history.prove_no_exposure();
    assert!(verdict.exposures.iter().all(|exposure| exposure.certain), "these histories are exact");
    let mut windows: Vec<_> =
        verdict.exposures.iter().map(|exposure| (exposure.rule, exposure.from / 1000, exposure.to / 1000)).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

const DS_RULE: &str = "a key of the DS set signs the DNSKEY set";
const DATA_RULE: &str = "a key of the DNSKEY set signs the answer";

#[test]
fn a_join_that_waits_for_the_last_parent_server_is_clean() {
    let verdict = join(11_100, 3600, 3600).prove_no_exposure();
    verdict.assert_clean();
}

#[test]
fn a_join_one_second_before_the_guard_is_exposed_for_that_second() {
    assert_eq!(windows(&join(11_099, 3600, 3600)), [(DS_RULE, 11_099, 11_100)]);
}

#[test]
fn a_join_by_the_letter_of_the_draft_is_bogus_from_10800_to_11100() {
    assert_eq!(windows(&join(10_800, 3600, 3600)), [(DS_RULE, 10_800, 11_100)]);
}

#[test]
fn a_join_that_reads_the_ds_ttl_after_it_was_lowered_is_bogus_for_a_day() {
    assert_eq!(windows(&join(7_800, 86_400, 300)), [(DS_RULE, 7_800, 93_900)]);
    join(93_900, 86_400, 300).prove_no_exposure().assert_clean();
}

#[test]
fn a_join_before_old_dnskey_sets_are_dead_is_exposed() {
    let mut history = join(11_100, 3600, 3600);
    for run in &mut history.runs {
        if run.content == dnskey(&[A], A) {
            run.ttl_s = 11_100; // served until 120: may be held until 11220
        }
    }
    assert_eq!(windows(&history), [(DATA_RULE, 11_100, 11_220)]);
}

/// Removing B: NS at all children at 200, parent at 10000 and 10300; DS and keys of B go at the given times.
fn leave(ds_at: Ms, keys_at: Ms, b_serves_old_ns: bool) -> History {
    let mut history = world();
    serves(&mut history, "a", &[(dnskey(&[A, B], A), 3600, -90_000), (dnskey(&[A], A), 3600, keys_at)]);
    serves(&mut history, "b", &[(dnskey(&[A, B], B), 3600, -90_000)]);
    for (server, signer) in [("a", A), ("b", B)] {
        serves(&mut history, server, &[(data(signer), 86400, -90_000)]);
        let changes = !(b_serves_old_ns && server == "b");
        let both = (ns("ab", signer), 3600, -90_000);
        let versions = if changes { vec![both, (ns("a", signer), 3600, 200)] } else { vec![both] };
        serves(&mut history, server, &versions);
    }
    for (server, at) in [("p1", 10_000), ("p2", 10_300)] {
        serves(&mut history, server, &[(ds(&[A, B]), 3600, -90_000), (ds(&[A]), 3600, ds_at)]);
        let [before, after] = ["ab", "a"].map(|operators| Content::Referral(names(operators)));
        serves(&mut history, server, &[(before, 86400, -90_000), (after, 86400, at)]);
    }
    history
}

#[test]
fn a_leave_that_waits_for_ns_dnskey_and_data_is_clean() {
    leave(100_300, 183_100, false).prove_no_exposure().assert_clean();
}

#[test]
fn a_leave_one_second_early_is_exposed_on_either_guard() {
    assert_eq!(windows(&leave(100_299, 183_100, false)), [(DS_RULE, 100_299, 100_300)]);
    assert_eq!(windows(&leave(100_300, 183_099, false)), [(DATA_RULE, 183_099, 183_100)]);
}

#[test]
fn a_leave_by_the_letter_of_the_draft_is_bogus_for_a_day() {
    // B's NS set is an answer, too, with a TTL of an hour; its data live for a day.
    let expected = [(DATA_RULE, 96_400, 100_300), (DATA_RULE, 96_400, 183_100), (DS_RULE, 96_400, 100_300)];
    assert_eq!(windows(&leave(96_400, 96_400, false)), expected);
}

#[test]
fn a_leaver_that_keeps_naming_itself_never_gets_out_of_reach() {
    assert!(!leave(100_300, 183_100, true).prove_no_exposure().is_clean());
}

#[test]
fn a_missing_ds_set_and_a_named_server_without_answers_are_exposures() {
    let mut history = join(11_100, 3600, 3600);
    serves(&mut history, "p1", &[(ds(&[]), 60, 20_000)]);
    assert_eq!(windows(&history)[0].0, "the DS set is never empty");
    let mut history = join(11_100, 3600, 3600);
    let outage = |from, to| Outage { server: "b".into(), from, to, why: "silent".into() };
    history.outages.push(outage(0, 11_100_000)); // before anybody was told to ask b
    history.prove_no_exposure().assert_clean();
    history.outages.push(outage(20_000_000, 21_000_000));
    assert_eq!(windows(&history), [("every named server answers", 20_000, 21_000)]);
}

#[test]
fn what_may_have_happened_between_samples_counts_but_is_not_called_certain() {
    let mut history = join(11_100, 3600, 3600);
    for run in &mut history.runs {
        if run.content == ds(&[A]) {
            run.until += 1000; // the sample that showed the new set came a second later
        }
    }
    let verdict = history.prove_no_exposure();
    assert!(!verdict.is_clean() && verdict.certain().next().is_none(), "{verdict}");
}
