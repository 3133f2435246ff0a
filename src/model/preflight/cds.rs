//! CDS and CDNSKEY: whether a parent acts on them, whether every operator keeps them, and how many there will be.

use super::{Finding, Scene, Severity, error, listed, note, warning};
use crate::model::ability::Ability;
use crate::model::dns::{Ds, cds_for, plain_text};
use crate::model::group::{
    DELETE_FIX, ParentMode, SIGNER_FIX, Stripped, cds_not_accepted, delete_requests, digest_types, strip_conflict,
    strip_fix,
};
use crate::model::history::Kind;
use crate::model::parent::Reads;
use std::collections::BTreeSet;

/// .se and .nu take no more CDS records than this for a zone, and no registry is known to take fewer.
const RECORDS_USUAL: usize = 6;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let world = scene.world;
    // Of those that stay or come in it stands in the way of everything, and is said by `group::preflight`.
    let leaving = delete_requests(world).into_iter().filter(|(operator, _)| !scene.is_desired(operator));
    findings.extend(leaving.map(|(_, text)| warning("cds-delete", text, DELETE_FIX)));
    for operator in world.members.keys() {
        findings.extend(signer(scene, operator));
        findings.extend(strips(scene, operator));
    }
    findings.extend(types_beside_sha256(scene));
    findings.extend(profile(scene));
    findings.extend(count(scene));
    findings
}

/// What a parent that scans cannot do stands in the way; where a person tells it, it is worth knowing.
fn severity(scene: Scene<'_>) -> Severity {
    if scene.world.parent == ParentMode::Scan { Severity::Error } else { Severity::Warning }
}

fn signer(scene: Scene<'_>, operator: &str) -> Option<Finding> {
    let text = cds_not_accepted(scene.world, operator)?;
    let severity = if scene.is_desired(operator) { severity(scene) } else { Severity::Warning };
    Some(Finding { severity, ..error("cds-signer", text, SIGNER_FIX) })
}

/// An operator that takes records out by itself which the group needs: seen here, or by a check that may write.
fn strips(scene: Scene<'_>, operator: &String) -> Option<Finding> {
    let world = scene.world;
    let in_a_group = world.members.len() > 1;
    if let Some((stripped, text)) = strip_conflict(world, operator).filter(|_| in_a_group) {
        return Some(Finding { severity: severity(scene), ..error("operator-strips-cds", text, strip_fix(&stripped)) });
    }
    let wanted: BTreeSet<u8> = digest_types(world).into_iter().filter(|of| *of != 2).collect();
    let known = scene.inspection.abilities.get(operator).and_then(|known| known.get(&Ability::KeepCds));
    if let Some(known) = known.filter(|known| !known.is_there && in_a_group && !wanted.is_empty()) {
        let text = format!(
            "{operator} does not keep CDS that it is given (`keep-cds` failed in {} at {}: {}), and the group asks with digest \
             types {}",
            known.zone,
            known.at,
            known.evidence,
            listed(digest_types(world))
        );
        let stripped = Stripped { digest_types: wanted, ..Stripped::default() };
        let fix = format!(
            "{}; then run `chorus operator check {operator} --zone {} --write` again",
            strip_fix(&stripped),
            known.zone
        );
        return Some(Finding { severity: severity(scene), ..error("operator-strips-cds", text, fix) });
    }
    let (cds, cdnskey) = (world.served(operator, Kind::Cds), world.served(operator, Kind::Cdnskey));
    (in_a_group && !cds.is_empty() && cdnskey.is_empty()).then(|| {
        let stripped = Stripped { cdnskey: true, ..Stripped::default() };
        warning(
            "operator-strips-cds",
            format!(
                "{operator} serves CDS and no CDNSKEY: if it is BIND with `cdnskey no`, it takes out all CDNSKEY at every key \
                 event, and a parent does nothing while the operators differ"
            ),
            format!("{}; otherwise nothing", strip_fix(&stripped)),
        )
    })
}

/// Digest types beside SHA-256 are kept by every operator only if it is set up so.
fn types_beside_sha256(scene: Scene<'_>) -> Option<Finding> {
    let world = scene.world;
    let wanted: BTreeSet<u8> = digest_types(world).into_iter().filter(|of| *of != 2).collect();
    let has = |operator: &&String| {
        let served = world.served(operator, Kind::Cds);
        let types: BTreeSet<u8> = served.iter().filter_map(Ds::read).map(|ds| ds.digest_type).collect();
        wanted.is_subset(&types)
    };
    let (with, without): (Vec<&String>, Vec<&String>) = world.members.keys().partition(has);
    if wanted.is_empty() || without.is_empty() {
        return None;
    }
    let stripped = Stripped { digest_types: wanted.clone(), ..Stripped::default() };
    Some(note(
        "cds-digest-types",
        format!(
            "{} publishes CDS of digest type {}, so the whole group does: {} has to keep them",
            listed(with),
            listed(&wanted),
            listed(without)
        ),
        format!("{}; Knot and PowerDNS keep them as they are", strip_fix(&stripped)),
    ))
}

/// What the parent is known to take, against what the group is going to ask it for.
fn profile(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let profile = world.lifetimes.policy.parent_profile();
    if !profile.is_known() {
        return Vec::new();
    }
    let mut findings = vec![note(
        "parent-profile",
        format!("the parent is known (profile {}): it {}", profile.name, profile.describe()),
        "nothing; another profile can be said with `--parent-profile`",
    )];
    let group: Vec<&String> = world.desired().collect();
    if profile.single_key && group.len() > 1 {
        let text = format!(
            "the parent takes one key a zone (profile {}): it never acts on the CDNSKEY of {}, and on that of a single one of \
             them it removes the DS of the others",
            profile.name,
            listed(&group)
        );
        let fix = format!(
            "tell the registrar the DS by hand: `chorus zone policy {} --parent manual`, and let no operator publish CDNSKEY of \
             its own keys alone",
            plain_text(world.zone)
        );
        findings.push(match world.parent {
            ParentMode::Scan => error("parent-single-key", text, fix),
            ParentMode::Manual => {
                note("parent-single-key", text, "let no operator publish CDNSKEY of its own keys alone")
            }
        });
    }
    if profile.few_servers_decide && group.len() > 1 {
        findings.push(warning(
            "parent-few-servers",
            format!(
                "the parent acts on what some of the name servers publish (profile {}): CDS of one operator's keys alone \
                 would remove the DS of the others",
                profile.name
            ),
            "let no operator publish CDS of its own keys alone, nor a request to remove all DS",
        ));
    }
    if profile.reads == Reads::Cdnskey && world.parent == ParentMode::Scan {
        let without = group.into_iter().filter(|operator| {
            !world.served(operator, Kind::Cds).is_empty() && world.served(operator, Kind::Cdnskey).is_empty()
        });
        findings.extend(without.map(|operator| {
            warning(
                "parent-reads-cdnskey",
                format!("the parent reads CDNSKEY only (profile {}), and {operator} serves none", profile.name),
                "let it publish CDNSKEY as well (with BIND `cdnskey yes;` in its dnssec-policy)",
            )
        }));
    }
    findings
}

/// CDS records, not keys, are what registries limit.
fn count(scene: Scene<'_>) -> Option<Finding> {
    let world = scene.world;
    let keys: Vec<_> = world.members.keys().flat_map(|operator| world.key_signing_keys(operator)).collect();
    let types = digest_types(world);
    let records = cds_for(world.zone, &keys, &types).len();
    let profile = world.lifetimes.policy.parent_profile();
    let most = profile.max_records.unwrap_or(RECORDS_USUAL);
    if records <= most {
        return None;
    }
    let numbers = format!(
        "the group has {} key-signing keys and asks with digest type{} {}: {records} CDS records",
        keys.len(),
        if types.len() == 1 { "" } else { "s" },
        listed(&types)
    );
    let one_type = if types.len() > 1 { ", or let all operators publish CDS of digest type 2 alone" } else { "" };
    let fix = format!("let key rollovers end and take keys out that are not needed{one_type}");
    Some(match profile.max_records {
        Some(max) => {
            let text =
                format!("{numbers}, and the parent takes {max} (profile {}): it acts on none of them", profile.name);
            Finding { severity: severity(scene), ..error("ds-too-many", text, fix) }
        }
        None => note(
            "ds-many",
            format!("{numbers}, and some registries take {RECORDS_USUAL}"),
            format!("{fix}; or ask the registry what it takes"),
        ),
    })
}
