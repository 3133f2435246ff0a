//! Which names a zone delegates, by listing it.
//!
//! For whoever acts for a parent zone. Unlike the listing in `transfer`, the names are not to be had elsewhere.

use super::axfr::Limits;
use super::{Rfc2136, absolute};
use crate::error::ProviderError;
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;
use std::time::Duration;

/// A parent zone is large, and nobody waits for it.
const LIMITS: Limits = Limits { duration: Duration::from_secs(24 * 3600), ..Limits::USUAL };

impl Rfc2136 {
    /// The owners of NS records below the apex, in lower case.
    pub async fn delegations(&self, zone: &Name) -> Result<BTreeSet<Name>, ProviderError> {
        let (zone, mut names) = (absolute(zone), BTreeSet::new());
        let delegates =
            |owner: &Name, rtype: RecordType| rtype == RecordType::NS && *owner != zone && zone.zone_of(owner);
        self.axfr(&zone, LIMITS, |record| {
            if delegates(&record.owner, record.rtype) {
                names.insert(record.owner.clone());
            }
        })
        .await?;
        Ok(names)
    }
}
