//! deSEC (desec.io, or a stack of one's own), driven over its API v1.
//!
//! deSEC signs with a key of its own and publishes DNSKEY, CDS (digest types 2 and 4) and CDNSKEY of it by itself; nobody can
//! take these away, and they are not shown among the stored sets. It answers with the union of its own and the stored ones.
//! So only foreign records are stored, and what a zone serves is both. CSYNC and NS are stored whole.
//!
//! Invariants: no request is made that the account's budget does not permit; a change is one request, done all or not at
//! all, and read back; a write whose answer is lost is not sent again. The API has only whole sets, and no condition: what
//! somebody else stores between our reading and our writing is lost.
//!
//! A change may be stored and not published, or published and not stored: deSEC has several parts, and each can fail by
//! itself. Nothing that the API shows tells these states apart. So what counts is what the name servers answer: when they do
//! not show what is stored, `publish` makes deSEC publish it again.

mod api;
mod budget;
mod gate;
mod plan;
mod publish;
mod reason;
mod scopes;
mod write;

pub use budget::{Budget, Limits, Share, USER_PER_DAY, Wait};
pub use gate::{ClockMs, Gate, Held, InMemory, Unlimited};
pub use plan::{Day, Planned, Queued, by_day};
pub use scopes::Request;

use crate::error::{Doing, NotAsWanted, ProviderError};
use crate::http::{Http, HttpConfig, Interface, RestError, Unusable};
use crate::wanted::{self, absolute, types_of};
use crate::{
    ADDRESS_BELOW, APEX_TEXT, CHECK_LABEL, Capabilities, CdsControl, Change, ForeignDnskey, Listing, Needs, Provider,
    Rdata, Rrset, Wanted, WriteGrouping, WritesAhead,
};
use api::{ADDITIVE_TTL_S, Api, Own, RrsetText, Stored, is_additive};
use async_trait::async_trait;
use hickory_proto::rr::{Name, RecordType};
use reqwest::header::AUTHORIZATION;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use write::Before;

/// The API of desec.io.
pub const URL: &str = "https://desec.io/api/v1";

/// Where desec.io serves every zone.
pub const NAME_SERVERS: [&str; 2] = ["ns1.desec.io", "ns2.desec.org"];

/// How often a change is worked out anew when somebody else makes the same sets at the same moment.
const TRIES: u32 = 3;

/// An account at deSEC.
pub struct Desec {
    http: Http,
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Desec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desec").field("http", &self.http).finish_non_exhaustive()
    }
}

/// What the API shows of a zone's own name.
struct Apex {
    own: Own,
    /// Of the types that were asked for.
    stored: BTreeMap<RecordType, Stored>,
}

impl Apex {
    fn read(api: &Api<'_>, own: Own, texts: Vec<RrsetText>, types: &[RecordType]) -> Result<Apex, RestError> {
        let mut stored = BTreeMap::new();
        for text in &texts {
            if let Some(rtype) = text.apex_type().filter(|rtype| types.contains(rtype)) {
                stored.insert(rtype, text.stored(rtype).map_err(|reason| api.http.malformed(reason))?);
            }
        }
        Ok(Apex { own, stored })
    }

    /// The sets of these types as they are answered.
    fn sets(&self, types: &[RecordType]) -> Vec<Rrset> {
        let mut sets = Vec::new();
        for rtype in types {
            let stored = self.stored.get(rtype);
            let records: BTreeSet<_> = stored.iter().flat_map(|set| set.records.keys()).cloned().collect();
            let records: BTreeSet<_> = self.own.of(*rtype).into_iter().flatten().cloned().chain(records).collect();
            let ttl_s = if is_additive(*rtype) { ADDITIVE_TTL_S } else { stored.map_or(0, |set| set.ttl_s) };
            if !records.is_empty() {
                sets.push(Rrset { rtype: *rtype, ttl_s, records });
            }
        }
        sets
    }
}

/// That it is not known whether a write was done.
#[derive(Debug)]
struct Doubt {
    reason: String,
    /// The server itself says that it failed: what is stored then is not published, whatever else it says.
    failed: bool,
}

impl Desec {
    /// All zones of an account share one `gate`.
    pub fn new(config: &HttpConfig, gate: Arc<dyn Gate>) -> Result<Desec, Unusable> {
        Ok(Desec { http: Http::new(config, AUTHORIZATION, "Token ", Interface::Desec)?, gate })
    }

    fn api<'a>(&'a self, zone: &'a Name) -> Result<Api<'a>, ProviderError> {
        if zone.is_root() {
            return Err(ProviderError::Unsupported { what: String::from("deSEC does not host the root zone") });
        }
        Ok(Api::new(&self.http, self.gate.as_ref(), zone))
    }

    /// Sends one write, once. `Ok(None)`: it was done. `Ok(Some)`: it may have been. `Err`: it was not.
    async fn submit(&self, api: &Api<'_>, body: Vec<u8>) -> Result<Option<Doubt>, RestError> {
        let reply = match api.patch(body).await {
            Ok(reply) => reply,
            Err(failed) if failed.sent => {
                return Ok(Some(Doubt { reason: failed.error.to_string(), failed: false }));
            }
            Err(failed) => return Err(failed.error),
        };
        match api.judge(&reply, Doing::Updating) {
            Ok(()) => Ok(None),
            Err(failing @ RestError::Failing { .. }) => Ok(Some(Doubt { reason: failing.to_string(), failed: true })),
            Err(e @ RestError::Malformed { .. }) => Ok(Some(Doubt { reason: e.to_string(), failed: false })),
            Err(refusal) => Err(refusal),
        }
    }

    async fn read_by(&self, api: &Api<'_>, types: &[RecordType]) -> Result<Vec<Rrset>, RestError> {
        let mut distinct = Vec::new();
        for rtype in types {
            if !distinct.contains(rtype) {
                distinct.push(*rtype);
            }
        }
        let with_own = distinct.iter().any(|rtype| is_additive(*rtype));
        api.permit(1 + usize::from(with_own), 0).await?;
        let own = if with_own { api.domain().await?.own } else { Own::default() };
        Ok(Apex::read(api, own, api.apex().await?, &distinct)?.sets(&distinct))
    }

    async fn foreign_keys_by(&self, api: &Api<'_>) -> Result<BTreeSet<Rdata>, RestError> {
        api.permit(2, 0).await?;
        let own = api.domain().await?.own;
        let apex = Apex::read(api, own, api.apex().await?, &[RecordType::DNSKEY])?;
        let stored = apex.stored.get(&RecordType::DNSKEY).into_iter().flat_map(|set| set.records.keys());
        // A key of deSEC's own that is stored, too, is its own all the same.
        Ok(stored.filter(|key| !apex.own.has(RecordType::DNSKEY, key)).cloned().collect())
    }

    async fn apply_by(&self, api: &Api<'_>, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        let types = types_of(wanted);
        for _ in 0..TRIES {
            // For all of it: what may not be written need not be read, again and again.
            api.permit(3, 1).await?;
            let domain = api.domain().await?;
            // What is stored is read last: nothing should come between that and a write.
            let apex = Apex::read(api, domain.own.clone(), api.apex().await?, &types)?;
            let wanted = write::with_own(wanted, &apex.own);
            let changes = wanted::difference(&wanted, &apex.sets(&types));
            if changes.is_empty() {
                return Ok(changes);
            }
            let before = Before { stored: &apex.stored, own: &apex.own, minimum_ttl_s: domain.minimum_ttl_s };
            let submitted = match write::plan(&before, &wanted, &changes)? {
                Some(body) => self.submit(api, body).await,
                None => Ok(None),
            };
            let doubt = match submitted {
                // Somebody else made one of the sets just before. Nothing was done.
                Err(RestError::Rejected { status: 409, .. }) => continue,
                submitted => submitted?,
            };
            tracing::debug!(zone = %api.zone, server = self.http.server(), ?changes, ?doubt, "update sent");
            return self.confirm(api, &wanted, &apex, doubt).await.map(|()| changes);
        }
        let (server, zone) = (self.http.server().to_owned(), api.zone.to_string());
        Err(RestError::Contended { server, zone, tries: TRIES }.into())
    }

    /// Writes all types that Chorus writes, each as it is: a type that is absent is written as absent. deSEC refuses the whole
    /// request when the token's policies forbid one of them, whether that type is there or not.
    async fn probe_by(&self, api: &Api<'_>) -> Result<(), ProviderError> {
        api.permit(1, 1).await?;
        let sets = api.apex().await?;
        let there: Vec<RecordType> = sets.iter().filter_map(RrsetText::apex_type).collect();
        let reply = api.patch(write::unchanged(&there)?).await.map_err(|failed| failed.error)?;
        Ok(api.judge(&reply, Doing::Updating)?)
    }

    /// Each is asked to be gone where it is not: that takes the permission, and changes nothing.
    async fn oversteps_by(&self, api: &Api<'_>) -> Result<Vec<String>, ProviderError> {
        api.permit(1, 2).await?;
        let has_text = api.apex().await?.iter().any(|set| set.apex_type() == Some(RecordType::TXT));
        let mut may = Vec::new();
        for (subname, rtype, what) in [("", RecordType::TXT, APEX_TEXT), (CHECK_LABEL, RecordType::A, ADDRESS_BELOW)] {
            let body = match rtype {
                RecordType::TXT if has_text => write::nothing(&[rtype])?,
                _ => write::gone(subname, rtype)?,
            };
            let reply = api.patch(body).await.map_err(|failed| failed.error)?;
            if !matches!(reply.status, 401 | 403) {
                api.judge(&reply, Doing::Updating)?;
                may.push(what.to_owned());
            }
        }
        Ok(may)
    }

    /// Reads back after a write that was (`doubt` is none) or may have been done.
    async fn confirm(
        &self,
        api: &Api<'_>,
        wanted: &[Wanted],
        before: &Apex,
        doubt: Option<Doubt>,
    ) -> Result<(), ProviderError> {
        let (server, zone) = (self.http.server().to_owned(), api.zone.to_string());
        let types = types_of(wanted);
        let read = async { Apex::read(api, before.own.clone(), api.apex().await?, &types) };
        let now = match read.await {
            Ok(now) => now,
            Err(e) => {
                let said_yes = || format!("it said yes, but could not be read back: {e}");
                let reason = doubt.map_or_else(said_yes, |doubt| doubt.reason);
                return Err(RestError::OutcomeUnknown { server, zone, reason }.into());
            }
        };
        let sets = wanted::unmet(wanted, &now.sets(&types));
        match doubt {
            None if sets.is_empty() => Ok(()),
            None => {
                let unmoved = now.stored == before.stored;
                Err(match unmoved || only_own(&sets, &now.own) {
                    true => RestError::Ignored { server, zone, sets }.into(),
                    false => RestError::Overtaken { server, zone, sets }.into(),
                })
            }
            Some(Doubt { reason, failed: true }) if sets.is_empty() => Err(stuck(api, reason).into()),
            // Only the answer was lost. Whether it was published, the name servers show.
            Some(_) if sets.is_empty() => Ok(()),
            Some(Doubt { reason, .. }) => Err(RestError::OutcomeUnknown { server, zone, reason }.into()),
        }
    }
}

fn stuck(api: &Api<'_>, reason: String) -> RestError {
    RestError::Unpublished { server: api.http.server().to_owned(), zone: api.zone.to_string(), reason }
}

/// Whether nothing is amiss but that own keys are there.
fn only_own(sets: &[NotAsWanted], own: &Own) -> bool {
    sets.iter().all(|set| set.missing.is_empty() && set.left_over.iter().all(|rdata| own.has(set.rtype, rdata)))
}

#[async_trait]
impl Provider for Desec {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            foreign_dnskey: ForeignDnskey::All,
            cds: CdsControl::AdditiveToOwn,
            csync: true,
            ns_add_foreign: true,
            ns_remove_own: true,
            tells_own_keys: true,
            grouping: WriteGrouping::RrsetReplace,
            requests_are_limited: true,
        }
    }

    async fn read(&self, zone: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let read = self.read_by(&api, types).await;
        api.settle().await;
        Ok(read?)
    }

    async fn apply(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        wanted::check(wanted)?;
        write::check(wanted)?;
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let applied = self.apply_by(&api, wanted).await;
        api.settle().await;
        applied
    }

    async fn probe(&self, zone: &Name) -> Result<(), ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let probed = self.probe_by(&api).await;
        api.settle().await;
        probed
    }

    async fn publish_again(
        &self,
        zone: &Name,
        wanted: &[Wanted],
        served: Option<&[Rrset]>,
    ) -> Result<bool, ProviderError> {
        wanted::check(wanted)?;
        write::check(wanted)?;
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let published = self.publish_again_by(&api, wanted, served).await;
        api.settle().await;
        published
    }

    async fn foreign_keys(&self, zone: &Name) -> Result<Option<BTreeSet<Rdata>>, ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let read = self.foreign_keys_by(&api).await;
        api.settle().await;
        Ok(Some(read?))
    }

    /// What deSEC adds to the stored sets has the TTL that is counted with those.
    async fn largest_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let whole = api.whole().await;
        api.settle().await;
        // What deSEC adds records of its own to is asked of the name servers anyway, TTL and all.
        let is_listed = |set: &&RrsetText| !set.apex_type().is_some_and(is_additive);
        let largest = |sets: Vec<RrsetText>| sets.iter().filter(is_listed).map(RrsetText::served_ttl_s).max();
        Ok(whole?.and_then(largest))
    }

    async fn oversteps(&self, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        let zone = absolute(zone);
        let api = Api::new(&self.http, self.gate.as_ref(), &zone);
        let tried = self.oversteps_by(&api).await;
        api.settle().await;
        tried.map(Some)
    }

    async fn needs(&self, queue: &[WritesAhead]) -> Option<Vec<Needs>> {
        let queued = |of: &WritesAhead| match of.begins {
            true => Queued::with_check(&of.zone, of.writes),
            false => Queued::steps(&of.zone, of.writes),
        };
        let queue: Vec<Queued> = queue.iter().map(queued).collect();
        let planned = self.gate.plan(&queue).await?;
        let needs = queue
            .iter()
            .zip(planned)
            .map(|(queued, planned)| Needs { requests: queued.requests.len(), permitted_ms: planned.done_ms });
        Some(needs.collect())
    }

    /// What is stored: own keys, signatures and denials are not among it.
    async fn list(&self, zone: &Name) -> Result<Option<Listing>, ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone)?;
        let whole = api.whole().await;
        api.settle().await;
        let Some(whole) = whole? else { return Ok(None) };
        let sets = whole.iter().map(|set| set.read().map(|(name, set)| ((name, set.rtype), set)));
        Ok(sets.collect::<Option<Listing>>())
    }
}
