//! The log, as it is shown and checked.

use super::{Controller, of_store, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{At, AuditEntry, AuditPage, AuditQuery, AuditVerified};
use crate::model::dns::{plain_of_stored, stored};
use crate::model::time::Time;
use crate::store::{AuditFilter, AuditRecord};

fn shown(entry: AuditRecord) -> AuditEntry {
    AuditEntry {
        sequence: entry.sequence,
        at: At::clock(Time(entry.at)),
        kind: entry.kind,
        text: entry.text,
        who: entry.who,
        via: entry.via,
        address: entry.address,
        zone: entry.zone.map(|zone| plain_of_stored(&zone)),
        operator: entry.operator,
        transition: entry.transition_id,
        hash: entry.hash,
    }
}

impl Controller {
    pub(super) async fn show_audit(&self, query: AuditQuery) -> Result<AuditPage, Refusal> {
        let by_people = match query.by.as_deref() {
            None | Some("") => false,
            Some("people") => true,
            Some(other) => {
                let text = format!("{other} is not what entries can be chosen by");
                return Err(Refusal::new(RefusalKind::Invalid, "bad-filter", text).with_fix("say `people`, or nothing"));
            }
        };
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let limit = i64::from(query.limit.unwrap_or(100).clamp(1, 1000));
        let zone = said(query.zone).map(|zone| zone_name(&zone)).transpose()?;
        let filter = AuditFilter {
            who: said(query.who),
            kind: said(query.kind),
            zone: zone.map(|zone| stored(&zone)),
            by_people,
            before: query.before,
            limit: limit + 1,
        };
        let ports = self.engine.ports();
        let mut entries = ports.store.audit(&filter).await.map_err(of_store)?;
        let more = entries.len() as i64 > limit;
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = entries.last().filter(|_| more).map(|entry| entry.sequence);
        Ok(AuditPage { entries: entries.into_iter().map(shown).collect(), next, now: At::clock(ports.clock.now()) })
    }

    pub(super) async fn check_audit(&self) -> Result<AuditVerified, Refusal> {
        let verified = self.engine.ports().store.verify_audit().await.map_err(of_store)?;
        let (head_sequence, head_hash) = verified.head;
        let entries = u64::try_from(verified.entries).unwrap_or_default();
        Ok(AuditVerified { entries, head_sequence, head_hash, broken: verified.broken })
    }
}
