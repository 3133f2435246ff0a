//! Servers that update another copy of a set than the one that they serve.
//!
//! PowerDNS answers with keys of its own that are not among the stored records that updates see. BIND 9.20 and later with
//! `inline-signing yes` updates an unsigned copy of the zone, which has no own DNSKEY, CDS and CDNSKEY. A prerequisite that says
//! what is served fails there although nothing has changed. This is found out by what the server does, type by type, and such
//! a set is then written without a prerequisite: records are added and removed one by one, so nothing is lost by that.

use super::{Rfc2136, Update, update};
use crate::error::ProviderError;
use crate::{Change, Rdata, Rrset};
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;

impl Rfc2136 {
    /// Whether the server says that a set is not what it serves, and goes on serving just that.
    pub(super) async fn is_kept_apart(&self, zone: &Name, rtype: RecordType) -> Result<bool, ProviderError> {
        let before = self.read_at(zone, zone, &[rtype]).await?;
        let Some(idle) = update::idle_change(zone, &before, rtype) else { return Ok(false) };
        let prerequisites = vec![update::as_it_is(zone, &before, rtype)];
        match self.submit(zone, &Update { prerequisites, changes: vec![idle], ..Update::default() }).await {
            Ok(()) => Ok(false),
            Err(ProviderError::PrerequisiteFailed { .. }) => {
                let after = self.read_at(zone, zone, &[rtype]).await?;
                Ok(records(&before) == records(&after))
            }
            Err(e) => Err(e),
        }
    }

    /// Deletes records that may be there although they are not served yet, type by type. A type that may not be written was
    /// not written either.
    pub(super) async fn delete_unseen(
        &self,
        zone: &Name,
        gone: &[(RecordType, BTreeSet<Rdata>)],
    ) -> Result<(), ProviderError> {
        for (rtype, removed) in gone {
            let change = Change { rtype: *rtype, added: BTreeSet::new(), removed: removed.clone() };
            let changes = vec![super::RecordChange { owner: zone.clone(), ttl_s: 0, change }];
            match self.submit(zone, &Update { changes, ..Update::default() }).await {
                Ok(()) | Err(ProviderError::Refused { .. } | ProviderError::BadKey { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn records(read: &[Rrset]) -> Vec<&BTreeSet<Rdata>> {
    read.iter().map(|set| &set.records).collect()
}
