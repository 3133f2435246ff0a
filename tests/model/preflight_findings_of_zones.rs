//! Findings about what the operators serve: signatures, TTLs, SOA, denials, content. The stage is `preflight_findings`'.

use crate::preflight_findings::{DAY_S, address, faultless, finds, found, joining, of_b, signature};
use crate::support::{all_keys, name};
use chorus::model::dns::{RecordSet, RecordType};
use chorus::model::history::{Kind, Outcome, Sample, Served};
use chorus::model::preflight::{Answered, Denial, Severity};
use chorus::model::time::Time;
use std::collections::BTreeSet;

#[test]
fn a_signature_must_outlast_its_ttl_and_should_outlast_the_longest_wait_by_a_day() {
    // The longest wait of this join: a DNSKEY set lives 3600 s and 60 s of slack.
    for (expiration_s, expected) in [
        (3600 + 60 + DAY_S, None),
        (3600 + 60 + DAY_S - 1, Some(Severity::Warning)),
        (3600 + 60, Some(Severity::Warning)),
        (3600 + 59, Some(Severity::Error)),
    ] {
        let (f, mut inspection) = faultless();
        inspection.servers[3].signatures.push(signature(-20 * DAY_S, expiration_s));
        let findings: Vec<_> =
            found(&f, &inspection).into_iter().map(|finding| (finding.severity, finding.code)).collect();
        assert_eq!(findings, expected.map(|severity| (severity, "signature-expiring")).into_iter().collect::<Vec<_>>());
        if expected == Some(Severity::Warning) {
            let words = ["b: the signature of child.example. SOA at ns2.b.", "the longest wait", "is 1h 1m"];
            finds(&f, &inspection, Severity::Warning, "signature-expiring", &words);
        }
    }
}

#[test]
fn a_signature_that_begins_less_than_an_hour_ago_is_a_note() {
    for (inception_s, is_found) in [(-3600, false), (-3599, true)] {
        let (f, mut inspection) = faultless();
        inspection.servers[2].signatures = vec![signature(inception_s, 14 * DAY_S)];
        match is_found {
            true => finds(&f, &inspection, Severity::Note, "signature-inception", &["b: ", "59m 59s ago"]),
            false => assert_eq!(found(&f, &inspection), []),
        }
    }
}

#[test]
fn secondaries_that_outlive_the_signatures_are_a_warning_and_those_that_come_near_a_note() {
    let valid_s = 14 * DAY_S as u32 + 7200;
    for (expire_s, severity) in
        [(valid_s / 3, None), (valid_s / 3 + 1, Some(Severity::Note)), (valid_s, Some(Severity::Warning))]
    {
        let (f, mut inspection) = faultless();
        inspection.servers.iter_mut().for_each(|seen| seen.soa.as_mut().unwrap().expire_s = expire_s);
        let findings: Vec<_> =
            found(&f, &inspection).into_iter().map(|finding| (finding.severity, finding.code)).collect();
        assert_eq!(
            findings,
            vec![severity.map(|severity| (severity, "soa-expire")); 2].into_iter().flatten().collect::<Vec<_>>()
        );
    }
}

#[test]
fn ttls_that_differ_between_operators_are_told_with_both_numbers() {
    let (mut f, inspection) = faultless();
    f.key_ttl_s = 86_400;
    f.sees(0, "b", Kind::Dnskey, all_keys(&["b"]));
    let words = ["DNSKEY TTLs differ: 3600 s at a and 86400 s at b", "counts 86400 s (1day)"];
    finds(&f, &inspection, Severity::Warning, "ttl-differs", &words);
    let (mut f, inspection) = faultless();
    f.ns_ttl_s = 60;
    f.sees(0, "b", Kind::Ns, f.ns(&["b"]));
    finds(&f, &inspection, Severity::Warning, "ttl-differs", &["NS TTLs differ: 3600 s at a and 60 s at b"]);
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| seen.soa.as_mut().unwrap().ttl_s = 400);
    finds(&f, &inspection, Severity::Warning, "ttl-differs", &["SOA TTLs differ: 3600 s at a and 400 s at b"]);
}

#[test]
fn soa_times_that_differ_are_a_warning_and_a_contact_that_differs_a_note() {
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| {
        let soa = seen.soa.as_mut().unwrap();
        (soa.refresh_s, soa.retry_s) = (1, 2);
    });
    let words = ["refresh 7200 at a and 1 at b; retry 3600 at a and 2 at b"];
    finds(&f, &inspection, Severity::Warning, "soa-differs", &words);
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| seen.soa.as_mut().unwrap().contact = name("admin.b."));
    finds(&f, &inspection, Severity::Note, "soa-differs", &["contact hostmaster.example. at a and admin.b. at b"]);
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| seen.soa.as_mut().unwrap().minimum_s = 60);
    let findings = found(&f, &inspection);
    let texts: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(findings.len(), 2, "{texts:?}");
    assert!(texts[0].contains("negative answer TTLs differ: 300 s at a and 60 s at b"), "{texts:?}");
    assert!(texts[1].contains("minimum 300 at a and 60 at b"), "{texts:?}");
}

#[test]
fn denials_may_differ_and_bad_ones_are_told() {
    let nsec3 = |iterations, salt: &[u8]| Denial::Nsec3 { iterations, salt: salt.to_vec(), opt_out: false };
    let (f, mut inspection) = faultless();
    of_b(&mut inspection, |seen| seen.denial = Some(nsec3(0, &[])));
    let words = ["a uses NSEC and b uses NSEC3 (0 iterations, no salt)"];
    finds(&f, &inspection, Severity::Note, "nsec-params-differ", &words);
    for (denial, severity, code, word) in [
        (nsec3(10, &[]), Severity::Warning, "nsec3-iterations", "NSEC3 with 10 iterations"),
        (nsec3(0, &[0xab, 0xcd]), Severity::Note, "nsec3-salt", "the salt abcd"),
    ] {
        let (f, mut inspection) = faultless();
        inspection.servers.iter_mut().for_each(|seen| seen.denial = Some(denial.clone()));
        let findings = found(&f, &inspection);
        let seen: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.code)).collect();
        assert_eq!(seen, [(severity, code); 2]);
        assert!(findings.iter().all(|finding| finding.text.contains(word)), "{findings:?}");
    }
}

#[test]
fn listed_zones_are_compared_set_by_set_without_what_each_operator_has_for_itself() {
    let (f, mut inspection) = faultless();
    let one = |last, ttl_s| Answered::Records { records: address(last), ttl_s };
    let b = inspection.listings.get_mut("b").unwrap();
    for rtype in
        [RecordType::DNSKEY, RecordType::CDS, RecordType::RRSIG, RecordType::NSEC, RecordType::NS, RecordType::SOA]
    {
        b.insert((name("child.example."), rtype), one(9, 5));
    }
    b.insert((name("child.example."), RecordType::Unknown(65_534)), one(9, 5));
    assert_eq!(found(&f, &inspection), []);
    let b = inspection.listings.get_mut("b").unwrap();
    b.insert((name("www.child.example."), RecordType::A), one(1, 600));
    finds(&f, &inspection, Severity::Note, "data-ttl-differs", &["1 of 1 sets", "www.child.example. A"]);
    let b = inspection.listings.get_mut("b").unwrap();
    b.insert((name("www.child.example."), RecordType::A), one(2, 300));
    b.insert((name("sub.child.example."), RecordType::NS), one(3, 300));
    inspection.listings.get_mut("a").unwrap().insert((name("*.w.child.example."), RecordType::A), one(3, 300));
    let words = [
        "a and b, by zone transfer: of 3 sets",
        "1 differ (www.child.example. A)",
        "1 are at a alone (*.w.child.example. A)",
        "1 are at b alone (sub.child.example. NS)",
        "RFC 8198",
    ];
    finds(&f, &inspection, Severity::Warning, "zone-content-differs", &words);
}

#[test]
fn zones_that_are_not_listed_are_compared_by_sample_and_a_question_without_answer_shows_nothing() {
    let (f, mut inspection) = joining();
    finds(&f, &inspection, Severity::Note, "zone-content-sampled", &["not listed at a and b", "1 names and types"]);
    of_b(&mut inspection, |seen| {
        seen.answers.insert((name("mail.child.example."), RecordType::A), Answered::NxDomain);
    });
    assert_eq!(found(&f, &inspection).len(), 1);
    of_b(&mut inspection, |seen| {
        let only_b_answered = Answered::Records { records: address(6), ttl_s: 60 };
        seen.answers.insert((name("only.child.example."), RecordType::A), only_b_answered);
    });
    assert_eq!(found(&f, &inspection).len(), 1);
    inspection.servers[..2].iter_mut().for_each(|seen| {
        let mail = Answered::Records { records: address(5), ttl_s: 60 };
        seen.answers.insert((name("mail.child.example."), RecordType::A), mail);
    });
    let findings = found(&f, &inspection);
    assert_eq!(findings[0].code, "zone-content-differs");
    assert!(
        findings[0].text.contains("a and b, by a sample: of 2 answers 1 are at a alone (mail.child.example. A)"),
        "{findings:?}"
    );
}

#[test]
fn addresses_of_one_operator_that_answer_differently_are_told_without_another_operator() {
    let (f, mut inspection) = faultless();
    let key = (name("www.child.example."), RecordType::A);
    inspection.servers[3].answers.insert(key, Answered::Records { records: address(8), ttl_s: 300 });
    let words = ["b: its 2 addresses answer 1 of 1 questions differently: www.child.example. A"];
    finds(&f, &inspection, Severity::Warning, "zone-content-differs", &words);
}

#[test]
fn the_ttl_of_an_empty_set_is_not_compared() {
    let (mut f, inspection) = faultless();
    let empty = Served { records: RecordSet::new(), ttl_s: 9, signers: BTreeSet::new(), expires: None };
    for server in f.members["b"].servers.clone() {
        let outcome = Outcome::Served(empty.clone());
        f.history.record(&Sample { at: Time(0), server, kind: Kind::Ns, outcome });
    }
    assert!(found(&f, &inspection).iter().all(|finding| finding.code != "ttl-differs"));
}
