//! Operators that were found not to be able to do what a transition takes.
//!
//! Invariant: only what was tried and did not come about is held against anyone; whoever was not tried is let in, and found
//! out by reading back.

use super::{Finding, Scene, Severity, error, warning};
use crate::model::ability::{Ability, Known};
use crate::model::group::{ParentMode, Standing, standing};
use std::collections::BTreeMap;

/// Without these nobody can be in a group of several.
struct Needed {
    code: &'static str,
    abilities: [Ability; 2],
    what: &'static str,
    /// For a parent that looks by itself; where a person tells the registrar it is not asked for.
    only_scanned: bool,
}

const NEEDED: [Needed; 5] = [
    Needed {
        code: "operator-cannot-dnskey",
        abilities: [Ability::AddDnskey, Ability::RemoveDnskey],
        what: "carry other operators' keys",
        only_scanned: false,
    },
    Needed {
        code: "operator-cannot-cds",
        abilities: [Ability::AddCds, Ability::RemoveCds],
        what: "carry the CDS of all operators",
        only_scanned: false,
    },
    Needed {
        code: "cds-signer",
        abilities: [Ability::SignCds, Ability::SignCds],
        what: "sign CDS and CDNSKEY so that a parent acts on them",
        only_scanned: true,
    },
    Needed {
        code: "operator-cannot-csync",
        abilities: [Ability::AddCsync, Ability::RemoveCsync],
        what: "carry CSYNC",
        only_scanned: true,
    },
    Needed {
        code: "operator-cannot-ns",
        abilities: [Ability::AddNs, Ability::RemoveNs],
        what: "name other operators' name servers",
        only_scanned: false,
    },
];

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    if world.members.len() < 2 {
        return Vec::new();
    }
    // Nobody is kept in a zone because one of its operators turns out to be unable.
    let lets_in = world.desired().any(|operator| standing(world, operator) == Standing::Outside);
    let of = |operator| scene.inspection.abilities.get(operator).map(|known| (operator, known));
    let mut findings = Vec::new();
    for (operator, known) in world.members.keys().filter_map(of) {
        let needed = NEEDED.iter().filter(|needed| !needed.only_scanned || world.parent == ParentMode::Scan);
        // A leaver, too, has to carry what the newcomers bring, until it is gone.
        let desired = scene.is_desired(operator);
        let severity = if lets_in && desired { Severity::Error } else { Severity::Warning };
        for Needed { code, abilities, what, .. } in needed.filter(|_| desired || lets_in) {
            let Some((evidence, zone)) = failed(known, abilities) else { continue };
            let found = error(
                code,
                format!("{operator} cannot {what}: {evidence}"),
                format!(
                    "have it enabled there, then run `chorus operator check {operator} --zone {zone} --write` again; or \
                     choose another operator"
                ),
            );
            findings.push(Finding { severity, ..found });
        }
        if let Some((evidence, _)) = failed(known, &[Ability::RemoveOwnNs]) {
            findings.push(warning(
                "operator-keeps-own-ns",
                format!(
                    "{operator} cannot be taken out of its own NS set: {evidence}; resolvers that ask it will go on asking it"
                ),
                format!(
                    "when {operator} is to leave, delete the zone there once nobody else names it, then run `chorus zone \
                     leave {} {operator} --unreachable`",
                    world.zone
                ),
            ));
        }
    }
    findings
}

/// The first of these that failed: what was seen, and in which zone.
fn failed<'k>(known: &'k BTreeMap<Ability, Known>, abilities: &[Ability]) -> Option<(String, &'k str)> {
    let seen = abilities.iter().filter_map(|ability| Some((ability, known.get(ability)?)));
    let (ability, known) = seen.into_iter().find(|(_, known)| !known.is_there)?;
    let Known { evidence, zone, at, .. } = known;
    Some((format!("`{}` failed in {zone} at {at} ({evidence})", ability.code()), zone))
}
