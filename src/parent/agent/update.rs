//! Makes a decided change at the parent: one UPDATE message (RFC 2136), then a look at what is served.
//!
//! Invariant: a change holds only if the sets at the parent are still those that it was decided from; it happens all or not
//! at all; and it counts as made only when the parent serves it.

use super::decide::{DsChange, GlueChange, Held, NsChange};
use crate::model::dns::{Name, RecordSet, RecordType};
use chorus_providers::rfc2136::{Prerequisite, RecordChange, Rfc2136, Update};
use chorus_providers::{Change, ProviderError};
use std::collections::BTreeSet;

/// Where glue comes from nothing and no TTL is configured: that of the NS set beside it would be right, and is used; this is
/// for an NS set whose TTL is 0, which no cache would hold.
const TTL_MIN_S: u32 = 1;

/// The update for a DS change.
pub(super) fn ds_update(child: &Name, change: &DsChange, ttl_s: Option<u32>) -> Update {
    let ttl_s = ttl_s.unwrap_or(change.old.ttl_s).max(TTL_MIN_S);
    Update {
        prerequisites: vec![as_it_was(child, RecordType::DS, &change.old)],
        changes: vec![difference(child, RecordType::DS, ttl_s, &change.old.records, &change.new)],
        ..Update::default()
    }
}

/// The update for a change of delegation and glue.
pub(super) fn ns_update(child: &Name, change: &NsChange, ttl_s: Option<u32>) -> Update {
    let ns_ttl_s = ttl_s.unwrap_or(change.old.ttl_s).max(TTL_MIN_S);
    let mut update = Update {
        prerequisites: vec![as_it_was(child, RecordType::NS, &change.old)],
        changes: vec![difference(child, RecordType::NS, ns_ttl_s, &change.old.records, &change.new)],
        ..Update::default()
    };
    for GlueChange { host, rtype, old, new } in &change.glue {
        // No glue seen is no proof that there is none: servers keep what no delegation names. The NS set guards enough.
        if !old.records.is_empty() {
            update.prerequisites.push(as_it_was(host, *rtype, old));
        }
        let glue_ttl_s = ttl_s.unwrap_or(if old.records.is_empty() { ns_ttl_s } else { old.ttl_s }).max(TTL_MIN_S);
        update.changes.push(difference(host, *rtype, glue_ttl_s, &old.records, new));
    }
    update.changes.retain(|c| !c.change.added.is_empty() || !c.change.removed.is_empty());
    update
}

fn octets<'r>(records: impl IntoIterator<Item = &'r crate::model::dns::Rdata>) -> BTreeSet<Vec<u8>> {
    records.into_iter().map(|rdata| rdata.as_wire().to_vec()).collect()
}

fn as_it_was(owner: &Name, rtype: RecordType, held: &Held) -> Prerequisite {
    Prerequisite { owner: owner.clone(), rtype, records: octets(&held.records) }
}

fn difference(owner: &Name, rtype: RecordType, ttl_s: u32, old: &RecordSet, new: &RecordSet) -> RecordChange {
    let change = Change { rtype, added: octets(new.difference(old)), removed: octets(old.difference(new)) };
    RecordChange { owner: owner.clone(), ttl_s, change }
}

/// Sends an update once. `Ok(false)`: whether it was taken is unknown, and has to be read.
pub(super) async fn submit(server: &Rfc2136, parent: &Name, update: &Update) -> Result<bool, ProviderError> {
    match server.submit(parent, update).await {
        Ok(()) => Ok(true),
        Err(ProviderError::OutcomeUnknown { .. } | ProviderError::Unauthenticated { .. }) => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::{Rdata, ns_rdata};
    use crate::parent::agent::decide::ActedOn;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn set<const N: usize>(records: [&[u8]; N]) -> RecordSet {
        records.map(|octets| Rdata::from_canonical(octets.to_vec())).into_iter().collect()
    }

    #[test]
    fn a_ds_change_holds_only_for_the_set_it_was_decided_from_and_keeps_its_ttl() {
        let old = Held { records: set([b"one", b"two"]), ttl_s: 77 };
        let change = DsChange { old, new: set([b"two", b"six"]), acted_on: ActedOn::default() };
        let update = ds_update(&name("child.example."), &change, None);
        let [prerequisite] = update.prerequisites.as_slice() else { panic!("{update:?}") };
        assert_eq!((prerequisite.rtype, prerequisite.records.len()), (RecordType::DS, 2));
        let [made] = update.changes.as_slice() else { panic!("{update:?}") };
        assert_eq!(made.ttl_s, 77);
        assert_eq!(made.change.added, BTreeSet::from([b"six".to_vec()]));
        assert_eq!(made.change.removed, BTreeSet::from([b"one".to_vec()]));
        assert_eq!(ds_update(&name("child.example."), &change, Some(300)).changes[0].ttl_s, 300);
    }

    #[test]
    fn glue_requires_the_old_glue_where_some_was_seen_and_nothing_where_none_was() {
        let (host, ns) = (name("ns3.child.example."), ns_rdata(&name("ns3.child.example.")));
        let held = Held { records: RecordSet::from([ns.clone()]), ttl_s: 60 };
        let glue = |rtype, old: Held, new| GlueChange { host: host.clone(), rtype, old, new };
        let change = NsChange {
            old: held.clone(),
            new: held.records.clone(),
            glue: vec![
                glue(RecordType::A, Held { records: set([&[192, 0, 2, 1]]), ttl_s: 5 }, set([&[192, 0, 2, 2]])),
                glue(RecordType::AAAA, Held::default(), set([&[32; 16]])),
            ],
            acted_on: ActedOn::default(),
        };
        let update = ns_update(&name("child.example."), &change, None);
        let required: Vec<_> = update.prerequisites.iter().map(|p| (p.owner.clone(), p.rtype)).collect();
        assert_eq!(required, [(name("child.example."), RecordType::NS), (host.clone(), RecordType::A)]);
        // The NS set is as it should be, and is not touched.
        let made: Vec<_> = update.changes.iter().map(|c| (c.change.rtype, c.ttl_s)).collect();
        assert_eq!(made, [(RecordType::A, 5), (RecordType::AAAA, 60)]);
    }
}
