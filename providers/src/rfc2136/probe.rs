//! What the key may change, tried without changing anything.
//!
//! Invariant: no message of a probe adds a record. Some servers do the deletes of a message before its adds (PowerDNS), and some
//! change another copy than they serve, so a record that is added and deleted at once may stay. Deleting a record that is not
//! there takes the same permission as adding it, at every server.

use super::{RecordChange, Rfc2136, Update, update};
use crate::Change;
use crate::error::ProviderError;
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;

impl Rfc2136 {
    /// Whether the key may change this type.
    pub(super) async fn probe_type(&self, zone: &Name, rtype: RecordType) -> Result<(), ProviderError> {
        let current = self.read_at(zone, zone, &[rtype]).await?;
        let Some(idle) = update::idle_change(zone, &current, rtype) else { return Ok(()) };
        self.submit(zone, &Update { changes: vec![idle], ..Update::default() }).await
    }

    /// What the key may change besides. The records that are deleted here are those that earlier versions added and may have left
    /// behind.
    pub(super) async fn permits_more(&self, zone: &Name) -> Result<Vec<String>, ProviderError> {
        let below = Name::from_ascii(crate::CHECK_LABEL).and_then(|label| label.append_domain(zone));
        let below = below.map_err(|e| ProviderError::Unsupported { what: format!("a name below {zone}: {e}") })?;
        let text = [&[12], b"chorus-check".as_slice()].concat();
        let mut permitted = Vec::new();
        for (owner, rtype, rdata, what) in [
            (zone, RecordType::TXT, text, crate::APEX_TEXT),
            (&below, RecordType::A, vec![192, 0, 2, 1], crate::ADDRESS_BELOW),
        ] {
            let change = Change { rtype, added: BTreeSet::new(), removed: BTreeSet::from([rdata]) };
            let changes = vec![RecordChange { owner: owner.clone(), ttl_s: 0, change }];
            match self.submit(zone, &Update { changes, ..Update::default() }).await {
                Ok(()) => permitted.push(what.to_owned()),
                Err(ProviderError::Refused { .. } | ProviderError::BadKey { .. } | ProviderError::NotAuth { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(permitted)
    }
}
