//! A whole zone, or the largest TTL in it, by listing it.
//!
//! Nothing of the zone is kept that was not asked for. A record that cannot be read has a TTL all the same, which counts.

use super::Rfc2136;
use super::axfr::Limits;
use super::records::RawRecord;
use crate::error::ProviderError;
use crate::{Listing, Rrset};
use hickory_proto::rr::Name;
use std::collections::BTreeSet;

/// Beyond this a zone is not kept: some hundred megabytes, for each operator at once. Its TTLs are still looked at.
const RECORDS_KEPT_MAX: usize = 200_000;

impl Rfc2136 {
    pub(super) async fn transfer_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError> {
        let listed = self.listed(zone, 0).await?;
        Ok(Some(listed.largest_ttl_s))
    }

    /// `None`: the zone is larger than what is kept of one.
    pub(super) async fn transfer_sets(&self, zone: &Name) -> Result<Option<Listing>, ProviderError> {
        let listed = self.listed(zone, RECORDS_KEPT_MAX).await?;
        Ok(Some(listed).filter(|listed| listed.records <= RECORDS_KEPT_MAX).map(|listed| listed.sets))
    }

    async fn listed(&self, zone: &Name, keep: usize) -> Result<Listed, ProviderError> {
        let mut listed = Listed { keep, ..Listed::default() };
        self.axfr(zone, Limits::USUAL, |record| listed.take(record)).await?;
        Ok(listed)
    }
}

#[derive(Default)]
struct Listed {
    largest_ttl_s: u32,
    /// Up to how many records the sets are kept.
    keep: usize,
    records: usize,
    sets: Listing,
}

impl Listed {
    fn take(&mut self, record: &RawRecord<'_>) {
        let negative = record.soa_minimum().unwrap_or_default();
        self.largest_ttl_s = self.largest_ttl_s.max(record.ttl_s).max(negative);
        self.records += 1;
        if self.records <= self.keep {
            let rtype = record.rtype;
            let none = || Rrset { rtype, ttl_s: 0, records: BTreeSet::new() };
            let set = self.sets.entry((record.owner.clone(), rtype)).or_insert_with(none);
            set.ttl_s = set.ttl_s.max(record.ttl_s);
            set.records.insert(record.rdata());
        }
    }
}
