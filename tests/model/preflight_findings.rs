//! Each finding of a preflight, from facts written by hand: found when it is there, and not when it is not.

use crate::support::{Fixture, all_keys, keys, name};
use chorus::model::dns::{Rdata, RecordSet, RecordType, cds_for};
use chorus::model::group::forecast;
use chorus::model::history::{Failure, Kind, Outcome, Sample, Served};
use chorus::model::preflight::{
    Answered, Denial, Finding, Inspected, Inspection, Severity, Signature, Soa, Validity, check,
};
use chorus::model::time::Time;
use std::collections::BTreeSet;

pub const DAY_S: i64 = 86_400;

/// B joins A; nothing is wrong with either.
pub fn joining() -> (Fixture, Inspection) {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", true);
    f.alone(-1000, "a");
    f.alone(-1000, "b");
    f.sees(-1000, "parent", Kind::Ds, f.ds(&["a"]));
    f.sees(-1000, "parent", Kind::Delegation, f.ns(&["a"]));
    let servers = ["a", "b"].into_iter().flat_map(|operator| f.members[operator].servers.clone());
    let inspection = Inspection { servers: servers.map(in_order).collect(), ..Inspection::default() };
    (f, inspection)
}

fn in_order(server: chorus::model::history::Server) -> Inspected {
    let soa = Soa {
        serial: 7,
        ttl_s: 3600,
        contact: name("hostmaster.example."),
        refresh_s: 7200,
        retry_s: 3600,
        expire_s: 4 * DAY_S as u32,
        minimum_s: 300,
    };
    let answer = Answered::Records { records: address(1), ttl_s: 300 };
    Inspected {
        server,
        udp: Ok(()),
        tcp: Ok(()),
        soa: Some(soa),
        denial: Some(Denial::Nsec),
        signatures: vec![signature(-2 * 3600, 14 * DAY_S)],
        answers: [((name("www.child.example."), RecordType::A), answer)].into(),
        validity: Validity::default(),
    }
}

pub fn address(last: u8) -> RecordSet {
    RecordSet::from([Rdata::from_canonical(vec![192, 0, 2, last])])
}

pub fn signature(inception_s: i64, expiration_s: i64) -> Signature {
    Signature {
        name: name("child.example."),
        covers: RecordType::SOA,
        inception: Time::from_s(inception_s),
        expiration: Time::from_s(expiration_s),
        ttl_s: 3600,
    }
}

pub fn found(f: &Fixture, inspection: &Inspection) -> Vec<Finding> {
    let world = f.world(0);
    let findings = check(&world, inspection, &forecast(&world));
    for finding in &findings {
        assert!(!finding.text.is_empty() && !finding.fix.is_empty(), "{finding:?}");
        assert!(!finding.fix.ends_with('.') && !finding.text.contains(['\n', '\t']), "{finding:?}");
    }
    findings
}

/// Exactly one finding, with this severity, code and these words.
pub fn finds(f: &Fixture, inspection: &Inspection, severity: Severity, code: &str, words: &[&str]) {
    let findings = found(f, inspection);
    let [only] = findings.as_slice() else { panic!("{code} is not the only finding: {findings:#?}") };
    assert_eq!((only.severity, only.code), (severity, code), "{}", only.text);
    for word in words {
        assert!(only.text.contains(word), "{word:?} is missing in {:?}", only.text);
    }
}

/// The notes of two operators whose zones are not listed.
fn all_listed(f: &Fixture, inspection: &mut Inspection) {
    for operator in f.members.keys() {
        let answers = inspection.of(operator).next().unwrap().answers.clone();
        inspection.listings.insert(operator.clone(), answers);
    }
}

/// [`joining`] without anything to be found.
pub fn faultless() -> (Fixture, Inspection) {
    let (f, mut inspection) = joining();
    all_listed(&f, &mut inspection);
    (f, inspection)
}

pub fn of_b(inspection: &mut Inspection, change: impl Fn(&mut Inspected)) {
    inspection.servers[2..].iter_mut().for_each(change);
}

#[test]
fn two_operators_in_order_give_no_finding() {
    let (f, inspection) = faultless();
    assert_eq!(found(&f, &inspection), []);
}

#[test]
fn what_forbids_the_ladder_comes_first_as_an_error() {
    let (mut f, mut inspection) = faultless();
    f.fails(1, f.server("b", 0), Kind::Dnskey, Failure::Silent);
    of_b(&mut inspection, |seen| seen.denial = Some(Denial::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: false }));
    let findings = found(&f, &inspection);
    let codes: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.code)).collect();
    assert_eq!(codes, [(Severity::Error, "operator-unreachable"), (Severity::Note, "nsec-params-differ")]);
}

#[test]
fn a_server_with_one_protocol_only_is_an_error_and_a_warning_at_a_leaver() {
    for (udp, code, words) in [
        (true, "tcp-unanswered", ["answers by UDP", "does not answer by TCP"]),
        (false, "udp-unanswered", ["answers by TCP", "does not answer by UDP"]),
    ] {
        for (leaves, severity) in [(false, Severity::Error), (true, Severity::Warning)] {
            let (mut f, mut inspection) = faultless();
            if leaves {
                f = Fixture::new();
                f.member("a", true);
                f.member("b", false);
                f.together(-1000, &["a", "b"]);
            }
            let seen = &mut inspection.servers[3];
            (seen.udp, seen.tcp) = if udp { (Ok(()), Err(Failure::Silent)) } else { (Err(Failure::Silent), Ok(())) };
            finds(&f, &inspection, severity, code, &[words[0], words[1], "b: ns2.b."]);
        }
    }
    // Neither: that is another finding, made from the history.
    let (f, mut inspection) = faultless();
    (inspection.servers[3].udp, inspection.servers[3].tcp) = (Err(Failure::Silent), Err(Failure::Silent));
    assert_eq!(found(&f, &inspection), []);
}

#[test]
fn an_address_family_that_only_some_servers_have_is_a_note_that_names_the_others() {
    let (mut f, inspection) = faultless();
    let b = f.members.get_mut("b").unwrap();
    let mut sixth = b.servers[0].clone();
    sixth.address = "[2001:db8::b]:53".parse().unwrap();
    b.servers.push(sixth.clone());
    for kind in Kind::OPERATOR {
        let served = Served::clone(&f.history.current(&f.server("b", 0), kind).unwrap().served);
        f.history.record(&Sample { at: Time(0), server: sixth.clone(), kind, outcome: Outcome::Served(served) });
    }
    let words = ["no IPv6 address at ns1.a., ns2.a. and ns2.b."];
    finds(&f, &inspection, Severity::Note, "address-family-missing", &words);
}

#[test]
fn serials_are_compared_within_an_operator_and_never_between_two() {
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| seen.soa.as_mut().unwrap().serial = 2_026_112_301);
    assert_eq!(found(&f, &inspection), []);
    inspection.servers[1].soa.as_mut().unwrap().serial = 6;
    finds(
        &f,
        &inspection,
        Severity::Warning,
        "serial-differs",
        &["a: its", "ns1.a.", "serves 7 and ns2.a.", "serves 6"],
    );
}

#[test]
fn keys_that_not_everybody_can_use_are_told_with_their_flags() {
    for (octet, code, words) in
        [(0x81, "key-revoked", "is revoked (flags 385)"), (0x11, "key-unusable", "has flags 273")]
    {
        let (mut f, inspection) = faultless();
        let mut wire = keys("b").0.as_wire().to_vec();
        wire[1] = octet;
        let strange: RecordSet = all_keys(&["b"]).into_iter().chain([Rdata::from_canonical(wire)]).collect();
        f.sees(0, "b", Kind::Dnskey, strange);
        finds(&f, &inspection, Severity::Warning, code, &["b: ", words]);
    }
}

#[test]
fn a_key_of_a_private_algorithm_says_whose_it_is_or_ends_every_change() {
    let name_of_owner = b"\x07private\x07example\x00key";
    for (algorithm, key, words) in [
        (253, &[64, 1, 2][..], Some("does not begin with a domain name")),
        (254, &[9, 1, 2], Some("does not begin with an object identifier")),
        (253, name_of_owner, None),
        (254, &[4, 6, 2, 43, 6, 99], None),
        (254, &[2, 1, 2, 3], Some("does not begin with an object identifier")),
    ] {
        let (mut f, inspection) = faultless();
        let key = Rdata::from_canonical([&[1, 0, 3, algorithm], key].concat());
        let with: RecordSet = all_keys(&["b"]).into_iter().chain([key]).collect();
        f.sees(0, "b", Kind::Dnskey, with);
        let malformed = found(&f, &inspection).into_iter().find(|finding| finding.code == "key-malformed");
        let told = malformed.map(|finding| (finding.severity, words.is_some_and(|words| finding.text.contains(words))));
        assert_eq!(told, words.map(|_| (Severity::Error, true)), "{algorithm}");
    }
}

#[test]
fn an_algorithm_that_validators_drop_and_one_that_signs_nothing_are_warnings() {
    let (mut f, inspection) = faultless();
    let other = |operator: &str, algorithm: u8| {
        let mut wire = keys(operator).1.as_wire().to_vec();
        (wire[3], wire[10]) = (algorithm, 99);
        Rdata::from_canonical(wire)
    };
    for operator in ["a", "b"] {
        let with = all_keys(&[operator]).into_iter().chain([other(operator, 7)]).collect();
        f.sees(0, operator, Kind::Dnskey, with);
    }
    let found = found(&f, &inspection);
    let texts: Vec<_> = found.iter().map(|finding| (finding.code, finding.text.as_str())).collect();
    assert_eq!(texts.len(), 4, "{texts:#?}");
    for operator in ["a", "b"] {
        assert!(texts.iter().any(|(code, text)| {
            *code == "algorithm-weak" && text.starts_with(&format!("{operator} uses algorithm 7,"))
        }));
        assert!(texts.iter().any(|(code, text)| {
            *code == "algorithm-unsigned" && text.starts_with(&format!("{operator} has keys of algorithm 7,"))
        }));
    }
}

#[test]
fn a_tag_that_is_still_cached_with_another_key_is_a_warning_until_that_key_is_dead() {
    let (mut f, inspection) = faultless();
    // Octets of equal weight change places: another key with the same tag.
    let (key_signing, zone_signing) = keys("b");
    let mut wire = zone_signing.as_wire().to_vec();
    (wire[4], wire[6]) = (wire[4] + 1, wire[6] - 1);
    let retired = Rdata::from_canonical(wire);
    f.sees(-500, "b", Kind::Dnskey, RecordSet::from([key_signing, retired]));
    f.sees(-400, "b", Kind::Dnskey, all_keys(&["b"]));
    let tag = chorus::model::dns::Dnskey::read(&zone_signing).unwrap().key_tag();
    let word = format!("a key with tag {tag} is gone from ns1.b.");
    finds(&f, &inspection, Severity::Warning, "key-tag-retired", &[&word, "may be cached until 1970-01-01T00:54:20Z"]);
    let world = f.world(3260);
    let later = check(&world, &inspection, &forecast(&world));
    assert!(later.iter().all(|finding| finding.code != "key-tag-retired"), "{later:#?}");
}

#[test]
fn the_dnskey_answer_of_the_worst_step_is_a_note_above_1232_octets_and_a_warning_above_4096() {
    for (more, severity, words) in [(5, Severity::Note, "more than 1232"), (25, Severity::Warning, "more than 4096")] {
        let (mut f, inspection) = faultless();
        for operator in ["a", "b"] {
            let extra = (0..more).map(|n| {
                let mut wire = keys(operator).1.as_wire().to_vec();
                (wire[20], wire[21]) = (n, 200 - n * 3);
                Rdata::from_canonical(wire)
            });
            let many = all_keys(&[operator]).into_iter().chain(extra).collect();
            f.sees(0, operator, Kind::Dnskey, many);
        }
        let octets = 12 + 15 + 4 + 11 + (2 * more as usize + 4) * 80 + 12 + 18 + 15 + 64;
        let octets = format!("has {octets} octets");
        finds(&f, &inspection, severity, "dnskey-answer-large", &[&octets, words, "keys of a and b"]);
    }
}

#[test]
fn more_ds_records_than_registries_usually_take_are_a_note() {
    let (mut f, inspection) = faultless();
    let extra = (0..3u8).flat_map(|n| {
        ["a", "b"].map(|operator| {
            let mut wire = keys(operator).0.as_wire().to_vec();
            (wire[20], wire[21]) = (n, 200 - n * 3);
            (operator, Rdata::from_canonical(wire))
        })
    });
    let extra: Vec<_> = extra.collect();
    for operator in ["a", "b"] {
        let own = extra.iter().filter(|(of, _)| *of == operator).map(|(_, key)| key.clone());
        f.sees(0, operator, Kind::Dnskey, all_keys(&[operator]).into_iter().chain(own).collect());
    }
    finds(&f, &inspection, Severity::Note, "ds-many", &["8 key-signing keys", "8 CDS records", "take 6"]);
}

#[test]
fn ds_records_of_sha_1_are_a_note_beside_others_and_refused_alone() {
    let sha1 = |f: &Fixture| cds_for(&f.zone, [&keys("a").0], &[1]);
    let (mut f, inspection) = faultless();
    f.sees(0, "parent", Kind::Ds, f.ds(&["a"]).into_iter().chain(sha1(&f)).collect());
    finds(&f, &inspection, Severity::Note, "ds-sha1", &["the parent has 1 DS of key", "beside 1 of other types"]);
    f.sees(1, "parent", Kind::Ds, sha1(&f));
    let found = found(&f, &inspection);
    let codes: Vec<_> = found.iter().map(|finding| (finding.severity, finding.code)).collect();
    assert_eq!(codes, [(Severity::Error, "ds-unusable"), (Severity::Warning, "ds-sha1")]);
    assert!(found[1].text.contains("and no other") && found[1].text.contains("RFC 9905"), "{found:?}");
}

#[test]
fn ds_records_that_lead_nowhere_and_operators_without_one_are_told() {
    let (mut f, inspection) = faultless();
    let stranger = cds_for(&f.zone, [&keys("z").0], &[2]);
    f.sees(0, "parent", Kind::Ds, f.ds(&["a"]).into_iter().chain(stranger.clone()).collect());
    finds(&f, &inspection, Severity::Note, "ds-without-key", &["the parent has a DS of key"]);
    f.sees(1, "parent", Kind::Ds, stranger);
    let codes: Vec<_> = found(&f, &inspection).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["ds-missing", "ds-without-key"]);
}

#[test]
fn a_delegation_that_differs_from_the_zone_is_told_with_the_names() {
    let (mut f, inspection) = faultless();
    let half: RecordSet = f.ns(&["a"]).into_iter().take(1).collect();
    f.sees(0, "parent", Kind::Delegation, half);
    let words = ["the NS sets of the parent and of a differ: a alone names ns2.a."];
    finds(&f, &inspection, Severity::Warning, "delegation-differs", &words);
}

#[test]
fn servers_of_the_parent_that_disagree_are_a_warning() {
    let (mut f, inspection) = faultless();
    f.sees_at(0, f.server("parent", 1), Kind::Ds, f.ds(&["a", "b"]));
    finds(&f, &inspection, Severity::Warning, "parent-differs", &["2 different DS sets"]);
}

/// The signer of everything has changed the TTL of nothing: a served set without records has a negative TTL.
/// Every code that the sources can give has its line in the documentation, and the other way round.
#[test]
fn every_code_of_a_finding_is_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let reasons = std::fs::read_to_string(root.join("docs/reasons.md")).unwrap();
    let documented: BTreeSet<String> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|line| line.split(" | ").next().unwrap().split("`").filter(|part| part.contains(char::is_alphabetic)))
        .map(str::to_owned)
        .collect();
    let mut sources = vec![root.join("src/model/group/preflight.rs")];
    sources.extend(std::fs::read_dir(root.join("src/model/preflight")).unwrap().map(|entry| entry.unwrap().path()));
    let mut codes = BTreeSet::new();
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        let literals = text.split("#[cfg(test)]").next().unwrap().split('"').skip(1).step_by(2);
        let is_code = |text: &&str| {
            text.contains('-') && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        codes.extend(literals.filter(is_code).map(str::to_owned));
    }
    assert!(codes.len() > 25, "the findings have moved: {codes:?}");
    let missing: Vec<_> = codes.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/reasons.md: {missing:?}");
    let section = reasons.split("## Findings").nth(1).expect("a section of findings");
    let section = section.split("\n## ").next().unwrap();
    for line in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let code = line.split('`').next().unwrap();
        assert!(codes.contains(code), "docs/reasons.md has {code}, and nothing gives it");
    }
}
