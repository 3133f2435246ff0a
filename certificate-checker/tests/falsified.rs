//! True certificate files of the simulator, with one thing falsified in each: the checker names the claim that is wrong.
#![allow(clippy::unwrap_used)]

use chorus_certificate_checker::{CertificateFile, Claim, FileError, read_file, verify};
use serde_json::{Value, json};

/// A join without exposures, in which everything was looked at.
const CLEAN: &str = include_str!("data/clean.json");
/// A transition in which resolvers could fail.
const EXPOSED: &str = include_str!("data/exposed.json");

const DAY_MS: i64 = 86_400_000;

fn tracks<'v>(file: &'v mut Value, kind: &str) -> Vec<&'v mut Value> {
    let tracks = file["evidence"]["tracks"].as_array_mut().unwrap();
    tracks.iter_mut().filter(|track| track["kind"] == kind && track["whose"] != "public_dns").collect()
}

fn spans<'v>(file: &'v mut Value, kind: &str) -> Vec<&'v mut Value> {
    let of_tracks = tracks(file, kind).into_iter().map(|track| track["spans"].as_array_mut().unwrap());
    of_tracks.flat_map(|spans| spans.iter_mut()).collect()
}

/// The versions that are served at the end.
fn newest<'v>(file: &'v mut Value, kind: &str) -> Vec<&'v mut Value> {
    spans(file, kind).into_iter().filter(|span| span["until_ms"].is_null()).collect()
}

fn fails(file: &mut Value, kind: &str, code: &str, hours: i64) {
    let ended_ms = file["evidence"]["ended_ms"].as_i64().unwrap();
    let from_ms = ended_ms - hours * 3_600_000;
    let failure = json!({ "code": code, "text": "fails" });
    let failed = json!({ "since_ms": from_ms, "first_seen_ms": from_ms, "until_ms": ended_ms - 1, "failure": failure });
    tracks(file, kind)[0]["failed"] = json!([failed]);
}

/// What is falsified, and which claim it makes wrong.
type Falsified = (&'static str, Claim, fn(&mut Value));

const FALSIFIED: [Falsified; 25] = [
    ("the verdict admits a failure", Claim::Verdict, |file| {
        file["verdict"] = json!("resolvers could fail: from then on something is bogus");
    }),
    ("the verdict is another sentence", Claim::Verdict, |file| file["verdict"] = json!("all is well")),
    ("the zone is another", Claim::Zone, |file| file["zone"] = json!("another.example")),
    ("the transition is another", Claim::Transition, |file| file["transition"] = json!("t_another")),
    ("an operator from before is missing", Claim::Operators, |file| file["from"] = json!([])),
    ("an operator is added", Claim::Operators, |file| file["to"].as_array_mut().unwrap().push(json!("another"))),
    ("the start is earlier", Claim::Times, |file| file["started"] = json!("2020-01-01T00:00:00.000Z")),
    ("the end is later", Claim::Times, |file| file["ended"] = json!("2099-01-01T00:00:00.000Z")),
    ("the margin is larger", Claim::Margin, |file| {
        file["smallest_slack_s"] = json!(file["smallest_slack_s"].as_i64().unwrap() + 86_400);
    }),
    ("the margin is missing", Claim::Margin, |file| file["smallest_slack_s"] = Value::Null),
    ("an exposure is made up", Claim::Verdict, |file| {
        file["exposures"] = json!([{ "from": file["started"], "until": file["ended"], "what": "made up", "who": "" }]);
    }),
    ("a gap is made up", Claim::Verdict, |file| file["not_looked_at"] = json!(["made up"])),
    ("a version ends after the next one began", Claim::Evidence, |file| {
        let ended = spans(file, "dnskey").into_iter().find(|span| !span["until_ms"].is_null()).unwrap();
        ended["until_ms"] = json!(ended["until_ms"].as_i64().unwrap() + DAY_MS);
    }),
    ("a version was seen before it began", Claim::Evidence, |file| {
        let span = spans(file, "dnskey").into_iter().find(|span| !span["since_ms"].is_null()).unwrap();
        span["first_seen_ms"] = json!(span["since_ms"].as_i64().unwrap() - 1);
    }),
    ("the evidence ends before the last look", Claim::Evidence, |file| {
        file["evidence"]["ended_ms"] = json!(file["evidence"]["started_ms"].as_i64().unwrap() + 1);
    }),
    ("the TTL of DNSKEY RRsets is larger", Claim::Exposures, |file| {
        spans(file, "dnskey").into_iter().for_each(|span| span["ttl_s"] = json!(604_800));
    }),
    ("resolvers serve stale for longer", Claim::Exposures, |file| {
        file["evidence"]["policy"]["stale_s"] = json!(30 * 86_400);
    }),
    ("a DNSKEY RRset lacks a key", Claim::Exposures, |file| {
        for span in newest(file, "dnskey") {
            span["records"].as_array_mut().unwrap().clear();
        }
    }),
    ("another key signed an answer", Claim::Exposures, |file| {
        for span in newest(file, "data") {
            let tag = span["signers"][0]["key_tag"].as_u64().unwrap();
            span["signers"] = json!([{ "key_tag": (tag + 1) % 65_536, "algorithm": 13 }]);
        }
    }),
    ("another key signed a DNSKEY RRset", Claim::Exposures, |file| {
        newest(file, "dnskey").into_iter().for_each(|span| span["signers"] = json!([]));
    }),
    ("a digest of a DS RRset is wrong", Claim::Exposures, |file| {
        for record in newest(file, "ds").into_iter().flat_map(|span| span["records"].as_array_mut().unwrap()) {
            let text = record.as_str().unwrap();
            *record = json!(format!("{}{}", &text[..text.len() - 8], "00000000"));
        }
    }),
    ("a name server host belongs to nobody", Claim::Completeness, |file| {
        file["evidence"]["hosts"].as_object_mut().unwrap().clear();
    }),
    ("an address said that the zone does not exist", Claim::Exposures, |file| {
        fails(file, "delegation", "nx_domain", 1)
    }),
    ("an address was silent for hours", Claim::Completeness, |file| fails(file, "ns", "silent", 3)),
    ("the largest TTL of an operator was assumed", Claim::Completeness, |file| {
        let ttls = file["evidence"]["data_ttls"].as_object_mut().unwrap();
        ttls.values_mut().for_each(|ttl| ttl["source"] = json!("assumed"));
    }),
];

fn read(file: &Value) -> CertificateFile {
    read_file(&file.to_string()).unwrap()
}

#[test]
fn the_true_certificates_agree_with_their_evidence() {
    for text in [CLEAN, EXPOSED] {
        let file = read_file(text).unwrap();
        assert_eq!(verify(&file.certificate, &file.evidence), []);
    }
}

#[test]
fn each_falsified_certificate_is_contradicted_by_name() {
    for (what, claim, falsify) in FALSIFIED {
        let mut file: Value = serde_json::from_str(CLEAN).unwrap();
        falsify(&mut file);
        let CertificateFile { certificate, evidence } = read(&file);
        let found = verify(&certificate, &evidence);
        let said = found.iter().find(|disagreement| disagreement.claim == claim);
        assert!(said.is_some_and(|said| !said.what.is_empty()), "{what}: {found:?}");
    }
}

#[test]
fn an_exposure_that_is_left_out_is_contradicted() {
    let mut file: Value = serde_json::from_str(EXPOSED).unwrap();
    file["exposures"] = json!([]);
    let CertificateFile { certificate, evidence } = read(&file);
    let found = verify(&certificate, &evidence);
    assert!(found.iter().any(|disagreement| disagreement.claim == Claim::Exposures), "{found:?}");
    assert!(found.iter().any(|disagreement| disagreement.claim == Claim::Verdict), "{found:?}");
}

#[test]
fn what_is_no_certificate_file_is_refused_in_one_line() {
    let refused = |text: &str| read_file(text).unwrap_err();
    let changed = |change: fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(CLEAN).unwrap();
        change(&mut file);
        refused(&file.to_string())
    };
    assert!(matches!(refused(""), FileError::NotJson(_)));
    assert!(matches!(refused("[]"), FileError::NotACertificate(_)));
    assert!(matches!(refused("{}"), FileError::NotACertificate(_)));
    assert!(matches!(changed(|file| file["evidence"] = Value::Null), FileError::NoEvidence));
    assert!(matches!(changed(|file| file["evidence"]["format"] = json!(2)), FileError::UnknownFormat(_)));
    assert!(matches!(changed(|file| file["evidence"]["format"] = json!("x")), FileError::UnknownFormat(_)));
    assert!(matches!(changed(|file| file["evidence"] = json!({ "format": 1 })), FileError::BadEvidence(_)));
    assert!(!changed(|file| file["evidence"]["format"] = json!(2)).to_string().contains('\n'));
}
