//! The parent's side: which DS records there are, whether they lead anywhere, and whom it delegates to.

use super::{Finding, Scene, listed, note, warning};
use crate::model::dns::{
    Ds, Name, Rdata, RecordSet, USABLE_DIGEST_TYPES, ds_label, key_that_ds_validates, name_text, ns_name,
};
use crate::model::history::Kind;
use std::collections::BTreeSet;

const SHA1: u8 = 1;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let at_parent = |kind: Kind| -> BTreeSet<&RecordSet> {
        let spans = scene.world.parent_servers.iter().filter_map(|server| scene.world.history.current(server, kind));
        spans.map(|span| &span.served.records).collect()
    };
    let (ds, delegation) = (at_parent(Kind::Ds), at_parent(Kind::Delegation));
    for (sets, word) in [(&ds, "DS"), (&delegation, "NS")] {
        if sets.len() > 1 {
            findings.push(warning(
                "parent-differs",
                format!("the parent's servers show {} different {word} sets", sets.len()),
                "wait until they agree: until then each of them may be in caches",
            ));
        }
    }
    let ds: RecordSet = ds.into_iter().flatten().cloned().collect();
    let delegation: RecordSet = delegation.into_iter().flatten().cloned().collect();
    findings.extend(sha1(&ds));
    findings.extend(super::ds::findings(scene, &ds));
    findings.extend(without_ds(scene, &ds, &delegation));
    findings.extend(apex(scene, &delegation));
    findings
}

fn sha1(ds: &RecordSet) -> Option<Finding> {
    let read: Vec<(&Rdata, Ds<'_>)> = ds.iter().filter_map(|rdata| Some((rdata, Ds::read(rdata)?))).collect();
    let weak: Vec<String> =
        read.iter().filter(|(_, ds)| ds.digest_type == SHA1).map(|(rdata, _)| ds_label(rdata)).collect();
    if weak.is_empty() {
        return None;
    }
    let others = read.len() - weak.len();
    let text = format!("the parent has {} {}", weak.len(), listed(weak.iter().map(|label| format!("{label}, SHA-1"))));
    Some(if others == 0 {
        let text = format!("{text}, and no other: validators may treat the zone as insecure (RFC 9905)");
        warning("ds-sha1", text, "bring DS records of digest type 2 to the parent")
    } else {
        note(
            "ds-sha1",
            format!("{text}, beside {others} of other types"),
            "nothing: the transition asks for type 2 alone",
        )
    })
}

fn hosts(ns: &RecordSet) -> BTreeSet<Name> {
    ns.iter().filter_map(|ns| ns_name(ns).ok()).collect()
}

/// Operators that resolvers are sent to, and that the parent vouches for with no DS.
fn without_ds(scene: Scene<'_>, ds: &RecordSet, delegation: &RecordSet) -> Vec<Finding> {
    let world = scene.world;
    // No DS is said elsewhere, and so is SHA-1. Without a DS of a type that validators support the zone is insecure, not bogus.
    if !ds.iter().filter_map(Ds::read).any(|ds| USABLE_DIGEST_TYPES.contains(&ds.digest_type)) {
        return Vec::new();
    }
    let sent_to = world.members.keys().filter(|operator| world.names(delegation, operator));
    let lacking = sent_to.filter(|operator| {
        let keys = world.key_signing_keys(operator);
        !keys.is_empty() && !ds.iter().any(|ds| key_that_ds_validates(world.zone, ds, &keys).is_some())
    });
    let finding = |operator: &String| {
        warning(
            "ds-missing",
            format!(
                "the parent delegates to {operator}, and has no DS of its key-signing keys that validators can use: its answers are bogus"
            ),
            "bring a DS of its key to the parent at once, or take it out of the delegation",
        )
    };
    lacking.map(finding).collect()
}

/// The child's own NS set against the parent's, at whoever the parent delegates to.
fn apex(scene: Scene<'_>, delegation: &RecordSet) -> Vec<Finding> {
    let world = scene.world;
    let parent = hosts(delegation);
    if parent.is_empty() {
        return Vec::new();
    }
    let names = |set: Vec<&Name>| listed(set.into_iter().map(name_text));
    let finding = |operator: &String| {
        let child = hosts(&world.served(operator, Kind::Ns));
        if child.is_empty() || child == parent {
            return None;
        }
        let only_parent: Vec<&Name> = parent.difference(&child).collect();
        let only_child: Vec<&Name> = child.difference(&parent).collect();
        let mut parts = Vec::new();
        if !only_parent.is_empty() {
            parts.push(format!("the parent alone names {}", names(only_parent)));
        }
        if !only_child.is_empty() {
            parts.push(format!("{operator} alone names {}", names(only_child)));
        }
        Some(warning(
            "delegation-differs",
            format!("the NS sets of the parent and of {operator} differ: {}", parts.join(", ")),
            "bring both to the same set; in mid-transition this mends itself",
        ))
    };
    world.members.keys().filter(|operator| world.names(delegation, operator)).filter_map(finding).collect()
}
