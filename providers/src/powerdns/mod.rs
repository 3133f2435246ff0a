//! PowerDNS Authoritative (4.7 and later), driven over its HTTP API.
//!
//! PowerDNS makes DNSKEYs of its own keys by itself, and answers with those and the stored ones. So only foreign keys are
//! stored, and what an operator serves is its published keys and what is stored. CDS, CDNSKEY, CSYNC and NS are stored
//! whole.
//!
//! Invariants: a change is one PATCH, done all or not at all, and read back; a write whose answer is lost is not sent
//! again; with a setting that would leave stored records out of answers, nothing is written. The API shows what is
//! stored even where it is not served: that it is served is seen by whoever asks the name servers. Up to 4.9 the API has
//! only whole sets, and no condition: what somebody else stores between our reading and our writing is lost (a millisecond;
//! from 5.0 on foreign keys are written one by one).

mod api;
mod write;

use crate::error::{Doing, NotAsWanted, ProviderError};
use crate::http::{Http, HttpConfig, Interface, RestError, Unusable};
use crate::wanted::{self, absolute, types_of};
use crate::{
    ADDRESS_BELOW, APEX_TEXT, CHECK_LABEL, Capabilities, CdsControl, Change, ForeignDnskey, Listing, Provider, Rdata,
    Rrset, Wanted, WriteGrouping, rdata,
};
use api::{Api, Stored, Zone};
use async_trait::async_trait;
use hickory_proto::rr::{Name, RecordType};
use reqwest::header::HeaderName;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use write::{Before, Manner};

/// Since when EXTEND and PRUNE are there.
const SINGLE_SINCE: u32 = 5;

/// An operator that runs PowerDNS.
pub struct PowerDns {
    http: Http,
    server_id: String,
}

impl fmt::Debug for PowerDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerDns").field("http", &self.http).field("server_id", &self.server_id).finish()
    }
}

/// What the API shows of a zone's apex.
struct Apex {
    zone: Zone,
    /// Only where DNSKEYs were asked for.
    own: BTreeSet<Rdata>,
    stored: BTreeMap<RecordType, Stored>,
}

impl Apex {
    /// The sets of these types as they are answered: own keys among the DNSKEYs, with the TTL that they have.
    fn sets(&self, types: &[RecordType]) -> Vec<Rrset> {
        let mut sets = Vec::new();
        for rtype in types {
            let mut set =
                self.stored.get(rtype).map_or_else(|| Stored::default().rrset(*rtype), |set| set.rrset(*rtype));
            if *rtype == RecordType::DNSKEY {
                set.records.extend(self.own.iter().cloned());
                set.ttl_s = self.negative_ttl_s().unwrap_or(set.ttl_s);
            }
            if !set.records.is_empty() {
                sets.push(set);
            }
        }
        sets
    }

    /// PowerDNS gives DNSKEYs the last field of the SOA as TTL, whatever is stored.
    fn negative_ttl_s(&self) -> Option<u32> {
        let soa = self.stored.get(&RecordType::SOA)?.records.keys().next()?;
        soa.last_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))
    }
}

impl PowerDns {
    /// `server_id` is `localhost` for every PowerDNS that is asked directly.
    pub fn new(config: &HttpConfig, server_id: &str) -> Result<PowerDns, Unusable> {
        let http = Http::new(config, HeaderName::from_static("x-api-key"), "", Interface::PowerDns)?;
        Ok(PowerDns { http, server_id: server_id.to_owned() })
    }

    fn api<'a>(&'a self, zone: &'a Name) -> Api<'a> {
        Api { http: &self.http, server_id: &self.server_id, zone }
    }

    /// What is stored is read last: nothing should come between that and a write.
    async fn apex(&self, api: &Api<'_>, types: &[RecordType]) -> Result<Apex, RestError> {
        let own = if types.contains(&RecordType::DNSKEY) { api.own_keys().await? } else { BTreeSet::new() };
        let zone = api.apex().await?;
        let mut stored = BTreeMap::new();
        for rtype in types.iter().chain([&RecordType::SOA]) {
            stored.insert(*rtype, api.stored(&zone, *rtype)?);
        }
        Ok(Apex { zone, own, stored })
    }

    /// Refuses where a setting stands in the way of writing these types.
    async fn check_settings(&self, api: &Api<'_>, types: &[RecordType]) -> Result<(), RestError> {
        let server = api.config(&write::SERVER_SETTINGS).await?;
        let metadata = api.metadata().await?;
        let zone = api.apex().await?;
        match write::faults(api.zone, types, &server, &zone, &metadata) {
            None => Ok(()),
            Some(write::Fault { code, what, fix }) => {
                Err(RestError::Setting { server: self.http.server().to_owned(), code, what, fix })
            }
        }
    }

    async fn manner(&self, api: &Api<'_>, types: &[RecordType]) -> Result<Manner, RestError> {
        if !types.contains(&RecordType::DNSKEY) {
            return Ok(Manner::Whole);
        }
        let version = api.server().await?.version;
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
        Ok(if major >= SINGLE_SINCE { Manner::Single } else { Manner::Whole })
    }

    /// Sends one PATCH, once. `Ok(None)`: it was done. `Ok(Some(reason))`: it may have been. `Err`: it was not.
    async fn submit(&self, api: &Api<'_>, body: Vec<u8>) -> Result<Option<String>, RestError> {
        let reply = match api.patch(body).await {
            Ok(reply) => reply,
            Err(failed) if failed.sent => return Ok(Some(failed.error.to_string())),
            Err(failed) => return Err(failed.error),
        };
        match self.http.judge(&reply, &api.zone.to_string(), Doing::Updating) {
            Ok(()) => Ok(None),
            Err(unsure @ (RestError::Failing { .. } | RestError::Malformed { .. })) => Ok(Some(unsure.to_string())),
            Err(refusal) => Err(refusal),
        }
    }

    /// Primary servers tell their secondaries by themselves, but some only once a minute.
    async fn notify(&self, api: &Api<'_>, zone: &Zone) {
        if matches!(zone.kind.to_ascii_lowercase().as_str(), "master" | "primary" | "producer") {
            let told = api.put(&["notify"], None).await.map(|reply| reply.status).map_err(|failed| failed.error);
            tracing::debug!(zone = %api.zone, server = self.http.server(), ?told, "secondaries notified");
        }
    }

    /// Reads back after a PATCH that was (`doubt` is none) or may have been done.
    async fn confirm(
        &self,
        api: &Api<'_>,
        wanted: &[Wanted],
        before: &Apex,
        doubt: Option<String>,
    ) -> Result<(), ProviderError> {
        let (server, zone) = (self.http.server().to_owned(), api.zone.to_string());
        let types = types_of(wanted);
        let now = match self.apex(api, &types).await {
            Ok(now) => now,
            Err(e) => {
                let reason = doubt.unwrap_or_else(|| format!("it said yes, but could not be read back: {e}"));
                return Err(RestError::OutcomeUnknown { server, zone, reason }.into());
            }
        };
        let sets = wanted::unmet(wanted, &now.sets(&types));
        if sets.is_empty() {
            return Ok(());
        }
        if let Some(reason) = doubt {
            return Err(RestError::OutcomeUnknown { server, zone, reason }.into());
        }
        // The serial moves with each write.
        let unmoved = types.iter().all(|rtype| now.stored.get(rtype) == before.stored.get(rtype));
        Err(match unmoved || only_own(&sets, &now.own) {
            true => RestError::Ignored { server, zone, sets }.into(),
            false => RestError::Overtaken { server, zone, sets }.into(),
        })
    }
}

/// Whether nothing is amiss but that own keys are there.
fn only_own(sets: &[NotAsWanted], own: &BTreeSet<Rdata>) -> bool {
    sets.iter().all(|set| set.missing.is_empty() && set.left_over.is_subset(own))
}

#[async_trait]
impl Provider for PowerDns {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            foreign_dnskey: ForeignDnskey::All,
            // With the settings that are insisted on.
            cds: CdsControl::Exact,
            csync: true,
            ns_add_foreign: true,
            ns_remove_own: true,
            tells_own_keys: true,
            grouping: WriteGrouping::RrsetReplace,
            requests_are_limited: false,
        }
    }

    async fn read(&self, zone: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        let zone = absolute(zone);
        let mut distinct = Vec::new();
        for rtype in types {
            if !distinct.contains(rtype) {
                distinct.push(*rtype);
            }
        }
        Ok(self.apex(&self.api(&zone), &distinct).await?.sets(&distinct))
    }

    async fn apply(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        wanted::check(wanted)?;
        write::check(wanted)?;
        let (zone, types) = (absolute(zone), types_of(wanted));
        let api = self.api(&zone);
        self.check_settings(&api, &types).await?;
        let mut manner = self.manner(&api, &types).await?;
        loop {
            let apex = self.apex(&api, &types).await?;
            let changes = wanted::difference(wanted, &apex.sets(&types));
            if changes.is_empty() {
                return Ok(changes);
            }
            let before = Before { zone: &zone, stored: &apex.stored, soa_edit_api: &apex.zone.soa_edit_api };
            let submitted = match write::plan(&before, wanted, &changes, manner)? {
                Some(body) => self.submit(&api, body).await,
                None => Ok(None),
            };
            tracing::debug!(zone = %zone, server = self.http.server(), ?changes, ?submitted, "update sent");
            let doubt = match submitted {
                // Early versions that have EXTEND take fewer of them at once. Nothing was done.
                Err(RestError::Rejected { .. }) if manner == Manner::Single => {
                    manner = Manner::Whole;
                    continue;
                }
                submitted => submitted?,
            };
            self.notify(&api, &apex.zone).await;
            return self.confirm(&api, wanted, &apex, doubt).await.map(|()| changes);
        }
    }

    /// The zone's account, a free text, is written as it is: unlike a PATCH, which moves the serial even if it changes
    /// nothing.
    async fn probe(&self, zone: &Name) -> Result<(), ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone);
        self.check_settings(&api, &wanted::TYPES).await?;
        api.own_keys().await?;
        let account = api.apex().await?.account;
        let body = serde_json::to_vec(&json!({ "account": account }));
        let body = body.map_err(|e| ProviderError::Unsupported { what: e.to_string() })?;
        let reply = api.put(&[], Some(body)).await.map_err(|failed| failed.error)?;
        Ok(self.http.judge(&reply, &zone.to_string(), Doing::Updating)?)
    }

    /// Each is asked to be gone where it is not, which moves the serial and nothing else. What is there is not touched.
    async fn oversteps(&self, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        let zone = absolute(zone);
        let api = self.api(&zone);
        let apex = api.apex().await?;
        let below = format!("{CHECK_LABEL}.{}", rdata::name_text(&zone));
        let mut may = Vec::new();
        let tries = [(rdata::name_text(&zone), RecordType::TXT, APEX_TEXT), (below, RecordType::A, ADDRESS_BELOW)];
        for (name, rtype, what) in tries {
            // Disabled ones, too, which are in no answer.
            if rtype == RecordType::TXT && apex.has(rtype) {
                continue;
            }
            let gone = json!({ "rrsets": [{ "name": name, "type": rtype.to_string(), "changetype": "DELETE" }] });
            let body = serde_json::to_vec(&gone).map_err(|e| ProviderError::Unsupported { what: e.to_string() })?;
            let reply = api.patch(body).await.map_err(|failed| failed.error)?;
            if !matches!(reply.status, 401 | 403) {
                self.http.judge(&reply, &zone.to_string(), Doing::Updating)?;
                may.push(what.to_owned());
            }
        }
        Ok(Some(may))
    }

    async fn largest_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError> {
        let zone = absolute(zone);
        Ok(self.api(&zone).whole().await?.and_then(|whole| whole.largest_ttl_s()))
    }

    /// What is stored: own keys, signatures and denials are not among it.
    async fn list(&self, zone: &Name) -> Result<Option<Listing>, ProviderError> {
        let zone = absolute(zone);
        let sets = self.api(&zone).whole().await?.and_then(|whole| whole.sets());
        Ok(sets.map(|sets| sets.into_iter().map(|(name, set)| ((name, set.rtype), set)).collect()))
    }
}
