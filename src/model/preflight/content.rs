//! Whether all operators give the same answers: by listing the zones where that is allowed, else by a sample of names
//! and types that every address was asked for.
//!
//! What each operator has for itself by nature is no difference: keys and what is made from them, signatures, denials, and
//! at the apex NS and SOA.

use super::{Answered, Contents, Finding, Inspection, Scene, listed, note, warning, what};
use crate::model::dns::{Name, RecordType};
use std::collections::{BTreeMap, BTreeSet};

/// BIND keeps the state of its signing in records of this type.
const BIND_PRIVATE: u16 = 65_534;
/// A digest of the whole zone, signatures included (RFC 8976).
const ZONEMD: u16 = 63;

const BY_SAMPLE: &str = "by a sample";

type Key<'a> = &'a (Name, RecordType);

/// Whether a difference between operators would be one of content.
fn is_content(zone: &Name, (name, rtype): Key<'_>) -> bool {
    let own = match *rtype {
        RecordType::DNSKEY | RecordType::CDS | RecordType::CDNSKEY | RecordType::CSYNC | RecordType::RRSIG => true,
        RecordType::NSEC | RecordType::NSEC3 | RecordType::NSEC3PARAM => true,
        RecordType::NS | RecordType::SOA => name == zone,
        RecordType::Unknown(number) => matches!(number, BIND_PRIVATE | ZONEMD),
        _ => false,
    };
    !own
}

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let members: Vec<&String> = scene.world.members.keys().collect();
    let mut findings = within(scene);
    for (n, a) in members.iter().enumerate() {
        for b in members.iter().skip(n + 1) {
            findings.extend(between(scene, a, b));
        }
    }
    findings.extend(only_sampled(scene, &members));
    findings
}

fn listing<'a>(inspection: &'a Inspection, operator: &str) -> Option<&'a Contents> {
    inspection.listings.get(operator)
}

/// What an operator answers at its first address that was asked; its others are compared with it.
fn sample<'a>(scene: Scene<'a>, operator: &str) -> Option<&'a Contents> {
    scene.inspection.of(operator).map(|seen| &seen.answers).find(|answers| !answers.is_empty())
}

fn between(scene: Scene<'_>, a: &str, b: &str) -> Option<Finding> {
    let zone = scene.world.zone;
    let (one, other, how) = match (listing(scene.inspection, a), listing(scene.inspection, b)) {
        (Some(one), Some(other)) => (one, other, "by zone transfer"),
        _ => (sample(scene, a)?, sample(scene, b)?, BY_SAMPLE),
    };
    let is_sample = how == BY_SAMPLE;
    let compared_are = if is_sample { "answers" } else { "sets" };
    let keys: BTreeSet<Key<'_>> = one.keys().chain(other.keys()).filter(|key| is_content(zone, key)).collect();
    let (mut differ, mut only_a, mut only_b, mut ttls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut compared = 0;
    for key in keys {
        let (here, there) = (one.get(key), other.get(key));
        // A question that one side did not answer shows nothing about it.
        if is_sample && (here.is_none() || there.is_none()) {
            continue;
        }
        compared += 1;
        match (here, there) {
            (
                Some(Answered::Records { records: r1, ttl_s: t1 }),
                Some(Answered::Records { records: r2, ttl_s: t2 }),
            ) => {
                if r1 != r2 {
                    differ.push(key);
                } else if t1 != t2 {
                    ttls.push(key);
                }
            }
            (Some(Answered::Records { .. }), _) => only_a.push(key),
            (_, Some(Answered::Records { .. })) => only_b.push(key),
            _ => {}
        }
    }
    if differ.is_empty() && only_a.is_empty() && only_b.is_empty() {
        return (!ttls.is_empty()).then(|| {
            note(
                "data-ttl-differs",
                format!(
                    "{a} and {b}, {how}: {} of {compared} {compared_are} have unequal TTLs: {}",
                    ttls.len(),
                    few(&ttls)
                ),
                "nothing has to be done: every wait counts the larger one",
            )
        });
    }
    let part =
        |keys: &[Key<'_>], how: String| (!keys.is_empty()).then(|| format!("{} {how} ({})", keys.len(), few(keys)));
    let parts = [
        part(&differ, "differ".into()),
        part(&only_a, format!("are at {a} alone")),
        part(&only_b, format!("are at {b} alone")),
    ];
    let denied = if only_a.is_empty() && only_b.is_empty() {
        ""
    } else {
        "; a resolver that keeps the denial of one operator denies what the other has (RFC 8198)"
    };
    Some(warning(
        "zone-content-differs",
        format!("{a} and {b}, {how}: of {compared} {compared_are} {}{denied}", listed(parts.into_iter().flatten())),
        "bring the same data to both, unless both answers are meant to be given",
    ))
}

/// The addresses of one operator against each other.
fn within(scene: Scene<'_>) -> Vec<Finding> {
    let zone = scene.world.zone;
    let mut findings = Vec::new();
    for (operator, servers) in scene.inspected() {
        let mut answers: BTreeMap<Key<'_>, Vec<&Answered>> = BTreeMap::new();
        for (key, answered) in servers.iter().flat_map(|seen| &seen.answers) {
            if is_content(zone, key) {
                answers.entry(key).or_default().push(answered);
            }
        }
        let unequal = answers
            .iter()
            .filter(|(_, given)| given.windows(2).any(|pair| matches!(pair, [one, other] if !same(one, other))));
        let differ: Vec<Key<'_>> = unequal.map(|(key, _)| *key).collect();
        if !differ.is_empty() {
            findings.push(warning(
                "zone-content-differs",
                format!(
                    "{operator}: its {} addresses answer {} of {} questions differently: {}",
                    servers.len(),
                    differ.len(),
                    answers.len(),
                    few(&differ)
                ),
                "look at its secondaries, unless it answers by the asker's place",
            ));
        }
    }
    findings
}

/// The first few, and how many more there are.
fn few(keys: &[Key<'_>]) -> String {
    const SHOWN: usize = 4;
    let mut shown: Vec<String> = keys.iter().take(SHOWN).map(|(name, rtype)| what(name, *rtype)).collect();
    if keys.len() > SHOWN {
        shown.push(format!("{} more", keys.len() - SHOWN));
    }
    listed(shown)
}

/// TTLs are those of a cache at some servers; records are what counts.
fn same(one: &Answered, other: &Answered) -> bool {
    match (one, other) {
        (Answered::Records { records: a, .. }, Answered::Records { records: b, .. }) => a == b,
        _ => one == other,
    }
}

fn only_sampled(scene: Scene<'_>, members: &[&String]) -> Option<Finding> {
    let unlisted: Vec<&&String> =
        members.iter().filter(|operator| listing(scene.inspection, operator).is_none()).collect();
    let questions = |asked: &Contents| asked.keys().filter(|key| is_content(scene.world.zone, key)).count();
    let asked = unlisted.iter().filter_map(|operator| sample(scene, operator)).map(questions).max()?;
    (members.len() > 1).then(|| {
        note(
            "zone-content-sampled",
            format!("the zone was not listed at {}: {asked} names and types were compared, not all", listed(unlisted)),
            "see that it can be listed, so that all of the zone is compared and its largest TTL is known",
        )
    })
}
