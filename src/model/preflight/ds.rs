//! DS records as they are at the parent: whose each is, and whether validators can use it. Two questions: a registry may add,
//! keep or translate digest types, and what it made still belongs to a key.

use super::{Finding, Scene, listed, note, warning};
use crate::model::dns::{
    Dnskey, Ds, Rdata, RecordSet, ds_label, key_label, key_that_ds_belongs_to, key_that_ds_validates,
};
use crate::model::group::ds_not_usable;
use crate::model::history::Kind;

const SHA1: u8 = 1;

pub(super) fn findings(scene: Scene<'_>, ds: &RecordSet) -> Vec<Finding> {
    let world = scene.world;
    let keys: RecordSet = world.members.keys().flat_map(|operator| world.served(operator, Kind::Dnskey)).collect();
    let mut findings: Vec<Finding> = ds.iter().filter_map(|ds| mismatch(scene, ds, &keys)).collect();
    // What keeps a transition from beginning is said as an error.
    if ds_not_usable(world).is_none() {
        findings.extend(unusable(scene, ds, &keys));
    }
    findings.extend(without_key(scene, ds, &keys));
    findings
}

/// The key that has the tag and algorithm of a DS, and another digest.
fn contradicted<'k>(scene: Scene<'_>, ds: &Rdata, keys: &'k RecordSet) -> Option<&'k Rdata> {
    let ds = Ds::read(ds)?;
    keys.iter().find(|key| Dnskey::read(key).is_some_and(|key| ds.contradicts(scene.world.zone, &key)))
}

fn mismatch(scene: Scene<'_>, ds: &Rdata, keys: &RecordSet) -> Option<Finding> {
    if key_that_ds_belongs_to(scene.world.zone, ds, keys).is_some() {
        return None;
    }
    let key = contradicted(scene, ds, keys)?;
    Some(warning(
        "ds-digest-mismatch",
        format!(
            "the parent has a {} whose digest is not that of {}: no validator can use it",
            ds_label(ds),
            key_label(key)
        ),
        "have it taken out at the parent, and the DS of the key brought there if it is missing",
    ))
}

/// Keys of which the parent has a DS, and none that every validator can use. SHA-1 is reported by itself.
fn unusable(scene: Scene<'_>, ds: &RecordSet, keys: &RecordSet) -> Vec<Finding> {
    let zone = scene.world.zone;
    let of = |key: &&Rdata| {
        let has = |ds: &&Rdata| key_that_ds_belongs_to(zone, ds, [*key]).is_some();
        let all: Vec<&Rdata> = ds.iter().filter(has).collect();
        let usable = all.iter().any(|ds| key_that_ds_validates(zone, ds, [*key]).is_some());
        let sha1 = all.iter().all(|ds| Ds::read(ds).is_some_and(|ds| ds.digest_type == SHA1));
        (!all.is_empty() && !usable && !sha1).then(|| listed(all.into_iter().map(ds_label)))
    };
    let found = keys.iter().filter(|key| Dnskey::read(key).is_some_and(|key| key.is_usable()));
    let found = found.filter_map(|key| Some((key, of(&key)?)));
    found
        .map(|(key, has)| {
            warning(
                "ds-unusable",
                format!("of {} the parent has {has} only: not every validator can use that", key_label(key)),
                "have a DS of digest type 2 put beside it",
            )
        })
        .collect()
}

fn without_key(scene: Scene<'_>, ds: &RecordSet, keys: &RecordSet) -> Option<Finding> {
    let zone = scene.world.zone;
    let is_lost =
        |ds: &&Rdata| key_that_ds_belongs_to(zone, ds, keys).is_none() && contradicted(scene, ds, keys).is_none();
    let lost: Vec<String> = ds.iter().filter(is_lost).map(ds_label).collect();
    (!lost.is_empty()).then(|| {
        note(
            "ds-without-key",
            format!("the parent has a {} that no served key belongs to", listed(lost)),
            "nothing, if it is a key on its way in or out: the transition asks the parent to take it away",
        )
    })
}
