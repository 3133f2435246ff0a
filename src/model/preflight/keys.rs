//! Keys: whether each can be used by all, whether tags and algorithms go together, and how large the DNSKEY answer gets
//! when every operator serves the keys of all.
//!
//! Unequal algorithms and tags that collide now are `group::preflight`'s.

use super::{Finding, Scene, error, listed, note, warning};
use crate::model::dns::{Dnskey, Name, Rdata, RecordSet, key_label, ns_rdata};
use crate::model::history::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// What fits a UDP answer on every path without fragments (DNS flag day 2020).
const UDP_SAFE_OCTETS: usize = 1232;
/// What resolvers offered before that; beyond it, each of them needs TCP.
const UDP_LARGEST_OCTETS: usize = 4096;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for operator in scene.world.members.keys() {
        let own = scene.world.own_keys(operator);
        findings.extend(own.iter().filter_map(|key| unusable(scene, operator, key)));
        findings.extend(weak_algorithms(operator, &own));
        findings.extend(idle_algorithms(scene, operator, &own));
    }
    findings.extend(retired_tags(scene));
    findings.extend(answer_size(scene));
    findings
}

fn unusable(scene: Scene<'_>, operator: &str, key: &Rdata) -> Option<Finding> {
    let Some(read) = Dnskey::read(key) else {
        return Some(warning(
            "key-unusable",
            format!("{operator}: {} has no form that a key can have", key_label(key)),
            "take it out of the DNSKEY set",
        ));
    };
    if read.lacks_algorithm_identifier() {
        // Nobody is kept in a zone because its keys are bad.
        let graded = if scene.is_desired(operator) { error } else { warning };
        return Some(graded(
            "key-malformed",
            format!(
                "{operator}: {} is of a private algorithm and does not begin with {} (RFC 4034 Appendix A.1.1): resolvers \
                 take every answer with it for malformed, and fail for the whole zone",
                key_label(key),
                if read.algorithm == 253 { "a domain name" } else { "an object identifier" }
            ),
            "take it out of the DNSKEY set",
        ));
    }
    if read.is_revoked() {
        return Some(warning(
            "key-revoked",
            format!("{operator}: {} is revoked (flags {}), and validates nothing any more", key_label(key), read.flags),
            "take it out when its revocation has been seen (RFC 5011 §2.1): it is not copied to the other operators, and has no DS",
        ));
    }
    let fit = read.protocol == 3 && matches!(read.flags, 256 | 257);
    (!fit).then(|| {
        warning(
            "key-unusable",
            format!(
                "{operator}: key {} has flags {} and protocol {}: no validator uses it, and it is not copied to others",
                read.key_tag(),
                read.flags,
                read.protocol
            ),
            "use keys with flags 256 or 257 and protocol 3",
        )
    })
}

fn algorithms(keys: &RecordSet) -> BTreeSet<u8> {
    keys.iter().filter_map(Dnskey::read).filter(Dnskey::is_usable).map(|key| key.algorithm).collect()
}

fn weak_algorithms(operator: &str, own: &RecordSet) -> Option<Finding> {
    let weak: Vec<u8> = algorithms(own).into_iter().filter(|number| matches!(number, 1 | 3 | 5 | 6 | 7 | 12)).collect();
    (!weak.is_empty()).then(|| {
        warning(
            "algorithm-weak",
            format!("{operator} uses algorithm {}, which validators may treat as no signature at all", listed(&weak)),
            "change the algorithm of the whole group first, to ECDSAP256SHA256 (13) for instance",
        )
    })
}

/// RFC 4035 §2.2: every RRset is signed with every algorithm of the DNSKEY set. Validators expect only those of the DS set
/// (RFC 6840 §5.11).
fn idle_algorithms(scene: Scene<'_>, operator: &str, own: &RecordSet) -> Option<Finding> {
    let member = scene.world.member(operator)?;
    let spans = member.servers.iter().filter_map(|server| scene.world.history.current(server, Kind::Data));
    let signers: RecordSet = spans.flat_map(|span| span.served.signers.iter().cloned()).collect();
    let signing = algorithms(&signers);
    let idle: Vec<u8> = algorithms(own).into_iter().filter(|number| !signing.contains(number)).collect();
    (!signing.is_empty() && !idle.is_empty()).then(|| {
        let with_ds = algorithms(&scene.world.keys_in_use(operator));
        let text = format!("{operator} has keys of algorithm {}, and signs its data without it", listed(&idle));
        if idle.iter().any(|number| with_ds.contains(number)) {
            let fix = "let it sign everything with each algorithm that it has keys of (RFC 4035 §2.2), or take those keys out";
            return warning("algorithm-unsigned", text, fix);
        }
        let text = format!("{text}: those keys are neither copied to other operators nor asked a DS for");
        note("algorithm-unsigned", text, "nothing, or take those keys out: validators go by the algorithms of the DS RRset")
    })
}

/// A key that is gone from the servers is still in caches: its tag is taken until it is dead.
fn retired_tags(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let own: RecordSet = world.members.keys().flat_map(|operator| world.own_keys(operator)).collect();
    let mut findings = BTreeMap::new();
    for (server, span) in world.history.spans(Kind::Dnskey) {
        let Some(dead) = world.lifetimes.death(server, Kind::Dnskey, span).filter(|dead| *dead > world.now) else {
            continue;
        };
        for retired in span.served.records.difference(&own).filter_map(Dnskey::read) {
            let twin = own.iter().filter_map(Dnskey::read).find(|key| {
                key.key_tag() == retired.key_tag()
                    && key.algorithm == retired.algorithm
                    && key.public_key != retired.public_key
            });
            if twin.is_some() {
                let tag = retired.key_tag();
                let text = format!(
                    "a key with tag {tag} is gone from {server}, may be cached until {dead}, and another has its tag"
                );
                let fix =
                    "wait until then, or roll the present key: validators try both, and some give up at the first";
                findings.entry(tag).or_insert_with(|| warning("key-tag-retired", text, fix));
            }
        }
    }
    findings.into_values().collect()
}

/// The octets of a DNSKEY answer with these keys and signatures (RFC 1035 §4.1, EDNS without options).
fn octets(zone: &Name, keys: &RecordSet, signers: &RecordSet) -> usize {
    const HEADER: usize = 12;
    const QUESTION_FIXED: usize = 4;
    const EDNS: usize = 11;
    // The owner is a pointer to the question: 2 octets; type, class, TTL, length: 10.
    const RECORD: usize = 12;
    const RRSIG_FIXED: usize = 18;
    // On the wire, with the root's octet.
    let name = ns_rdata(zone).as_wire().len();
    let of_keys: usize = keys.iter().map(|key| RECORD + key.as_wire().len()).sum();
    // The signer's name inside a signature is never compressed.
    let of_signatures: usize = signers.iter().map(|key| RECORD + RRSIG_FIXED + name + signature_octets(key)).sum();
    HEADER + name + QUESTION_FIXED + EDNS + of_keys + of_signatures
}

fn signature_octets(key: &Rdata) -> usize {
    let Some(key) = Dnskey::read(key) else { return 0 };
    match (key.algorithm, key.public_key) {
        (13 | 15, _) => 64,
        (14, _) => 96,
        (16, _) => 114,
        // RSA: as long as the modulus, which follows the exponent and its length (RFC 3110 §2).
        (_, [0, high, low, rest @ ..]) => rest.len().saturating_sub(usize::from(u16::from_be_bytes([*high, *low]))),
        (_, [exponent, rest @ ..]) => rest.len().saturating_sub(usize::from(*exponent)),
        (_, []) => 0,
    }
}

/// The worst step: everybody's keys at everybody, leavers' too, under the signatures of whoever makes the longest.
fn answer_size(scene: Scene<'_>) -> Option<Finding> {
    let world = scene.world;
    let keys: RecordSet = world.members.keys().flat_map(|operator| world.keys_in_use(operator)).collect();
    let signed = world.members.iter().map(|(operator, member)| {
        let spans = member.servers.iter().filter_map(|server| world.history.current(server, Kind::Dnskey));
        let most = spans.map(|span| octets(world.zone, &keys, &span.served.signers)).max();
        (most.unwrap_or_default(), operator)
    });
    let (largest, operator) = signed.max()?;
    if largest <= UDP_SAFE_OCTETS {
        return None;
    }
    let text = format!(
        "with the {} keys of {} the DNSKEY answer of {operator} has {largest} octets: more than {}",
        keys.len(),
        listed(world.members.keys()),
        if largest > UDP_LARGEST_OCTETS { UDP_LARGEST_OCTETS } else { UDP_SAFE_OCTETS }
    );
    Some(if largest > UDP_LARGEST_OCTETS {
        let fix = "use ECDSAP256SHA256 (13) or fewer keys: every resolver has to ask again by TCP, and those that cannot fail";
        warning("dnskey-answer-large", text, fix)
    } else {
        let fix = "nothing, if TCP works everywhere: resolvers ask again by TCP; ECDSAP256SHA256 (13) makes it smaller";
        note("dnskey-answer-large", text, fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn key(flags: u16, algorithm: u8, octets: usize, salt: u8) -> Rdata {
        let mut wire = flags.to_be_bytes().to_vec();
        wire.extend([3, algorithm]);
        wire.extend(if algorithm == 8 { vec![3, 1, 0, 1] } else { Vec::new() });
        wire.extend(vec![salt; octets]);
        Rdata::from_canonical(wire)
    }

    #[test]
    fn the_size_of_a_dnskey_answer_is_that_of_real_servers() {
        let zone = Name::from_str("example.org.").unwrap();
        for (algorithm, length, operators, expected) in [(13, 64, 2, 467), (13, 64, 3, 627), (8, 256, 2, 1443)] {
            let keys: RecordSet =
                (0..operators).flat_map(|n| [key(257, algorithm, length, n), key(256, algorithm, length, n)]).collect();
            let signers = RecordSet::from([key(257, algorithm, length, 0)]);
            assert_eq!(octets(&zone, &keys, &signers), expected, "{operators} operators with algorithm {algorithm}");
        }
    }
}
