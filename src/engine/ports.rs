//! What the engine is given: everything that is not a decision.

use super::budgets::StoredBudget;
use super::clock::{Clock, Random};
use crate::model::dns::proof::Flaw;
use crate::model::dns::{Name, RecordType, read_name};
use crate::model::history::{Sample, Server};
use crate::model::preflight::{Contents, Inspection};
use crate::model::resolution::Resolution;
use crate::model::switches::Without;
use crate::observe::addresses::observe_addresses;
use crate::observe::ask::{Asker, QueryIds};
use crate::observe::fresh::{Start, resolve_afresh};
use crate::observe::inspect::inspect;
use crate::observe::resolve::Resolve;
use crate::observe::round::{Observation, Observe, observe_all};
use crate::observe::sampling::{Cursor, Sampled, sample, sample_again};
use crate::observe::transport::{Protocol, Transport};
use crate::observe::udp::ask_over_udp;
use crate::store::{Interface, OperatorRecord, Records, Store, StoreError};
use async_trait::async_trait;
use chorus_providers::Provider;
use chorus_providers::desec::{Desec, Share};
use chorus_providers::http::{AllowedNets, ApiKey, HttpConfig};
use chorus_providers::powerdns::PowerDns;
use chorus_providers::rfc2136::{Rfc2136, Rfc2136Config};
use chorus_providers::tsig::{Secret, TsigKey};
use futures::future::{join, join_all};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Whole rounds of observation; single questions go over `transport`.
    pub observe: Arc<dyn Observe>,
    pub transport: Arc<dyn Transport>,
    pub resolver: Arc<dyn Resolve>,
    pub providers: Arc<dyn Providers>,
    pub store: Arc<dyn Records>,
    pub pace: Pace,
    pub switches: Switches,
}

fn query_id(random: &dyn Random) -> u16 {
    let mut octets = [0; 2];
    random.fill(&mut octets);
    u16::from_be_bytes(octets)
}

impl QueryIds for Ports {
    fn next(&self) -> u16 {
        query_id(self.random.as_ref())
    }
}

/// Observation by questions over a transport.
pub struct ByQuestions {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub transport: Arc<dyn Transport>,
    pub resolver: Arc<dyn Resolve>,
}

impl QueryIds for ByQuestions {
    fn next(&self) -> u16 {
        query_id(self.random.as_ref())
    }
}

#[async_trait]
impl Observe for ByQuestions {
    async fn observe(
        &self,
        zone: &Name,
        parent_zone: &Name,
        operators: &[Server],
        parent: &[Server],
        protocol: Protocol,
    ) -> Observation {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        let began = clock();
        // A round over UDP shows by itself who does not answer so.
        let asked_over_udp = if protocol == Protocol::Tcp { operators } else { &[] };
        let (round, over_udp) =
            join(observe_all(asker, zone, parent_zone, operators, protocol), ask_over_udp(asker, zone, asked_over_udp))
                .await;
        let mut samples = round.samples;
        samples.extend(over_udp.failures(asker, zone, parent, &samples).await);
        // The parent after the operators: what it shows must not look older than the CDS that it came out of.
        samples.extend(observe_all(asker, zone, parent_zone, parent, protocol).await.samples);
        Observation { began, samples }
    }

    async fn resolve(&self, start: Start<'_>) -> Resolution {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        resolve_afresh(asker, self.resolver.as_ref(), start).await
    }

    async fn sample(&self, zone: &Name, server: &Server, cursor: &Cursor) -> Option<Sampled> {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        sample(asker, zone, server, cursor).await
    }

    async fn sample_again(
        &self,
        zone: &Name,
        server: &Server,
        name: &Name,
        rtype: RecordType,
    ) -> Option<Result<(), Flaw>> {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        sample_again(asker, zone, server, name, rtype).await
    }

    async fn inspect(&self, zone: &Name, servers: &[Server], listings: BTreeMap<String, Contents>) -> Inspection {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        inspect(asker, zone, servers, listings).await
    }

    async fn addresses(
        &self,
        zone: &Name,
        hosts: &BTreeSet<Name>,
        operators: &[Server],
        protocol: Protocol,
    ) -> Vec<Sample> {
        let clock = || self.clock.now();
        let asker = Asker { transport: self.transport.as_ref(), ids: self, clock: &clock };
        let asked = operators.iter().map(|server| observe_addresses(asker, zone, hosts, server, protocol));
        join_all(asked).await
    }
}

/// Why an operator cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum NoProvider {
    #[error("operator {operator}: {reason}")]
    Settings { operator: String, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the provider of an operator.
#[async_trait]
pub trait Providers: Send + Sync {
    async fn provider(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider>;

    /// The same for what a person waits for: out of the part of an account's requests that is kept for people.
    async fn for_person(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        self.provider(operator).await
    }

    /// The same with these settings, and the new secret that is to be tried.
    async fn staged(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        self.provider(operator).await
    }
}

/// Providers as they are configured in the store.
pub struct ConfiguredProviders {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// Where interfaces that are driven over HTTP may be.
    pub nets: AllowedNets,
}

#[async_trait]
impl Providers for ConfiguredProviders {
    async fn provider(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        let secret = self.store.operator_secret(&operator.name).await?;
        self.with_secret(operator, &secret, Share::Controller)
    }

    async fn for_person(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        let secret = self.store.operator_secret(&operator.name).await?;
        self.with_secret(operator, &secret, Share::People)
    }

    async fn staged(&self, operator: &OperatorRecord) -> Result<Arc<dyn Provider>, NoProvider> {
        let none = || NoProvider::Settings { operator: operator.name.clone(), reason: "no new secret is there".into() };
        let secret = self.store.staged_secret(&operator.name).await?.ok_or_else(none)?;
        self.with_secret(operator, &secret, Share::People)
    }
}

impl ConfiguredProviders {
    fn with_secret(
        &self,
        operator: &OperatorRecord,
        secret: &[u8],
        share: Share,
    ) -> Result<Arc<dyn Provider>, NoProvider> {
        let failed = |reason: String| NoProvider::Settings { operator: operator.name.clone(), reason };
        let text = std::str::from_utf8(secret).map_err(|_| failed("its secret is not text".into()))?;
        match &operator.interface {
            Interface::Rfc2136 { update, tsig_name, tsig_algorithm } => {
                let key = TsigKey::new(
                    read_name(tsig_name).map_err(|_| failed(format!("{tsig_name} is not a name")))?,
                    tsig_algorithm.parse().map_err(|e| failed(format!("{e}")))?,
                    Secret::from_base64_text(text).map_err(|e| failed(e.to_string()))?,
                );
                let update = update.parse().map_err(|_| failed(format!("{update} is not an address")))?;
                let clock = self.clock.clone();
                let seconds = Arc::new(move || u64::try_from(clock.now().0 / 1000).unwrap_or_default());
                Ok(Arc::new(Rfc2136::new(Rfc2136Config::new(update, key), seconds)))
            }
            Interface::PowerDns { url, server_id } => {
                let key = ApiKey::from_text(text).map_err(|e| failed(e.to_string()))?;
                let config = HttpConfig::new(url, key, self.nets.clone());
                Ok(Arc::new(PowerDns::new(&config, server_id).map_err(|e| failed(e.to_string()))?))
            }
            Interface::Desec { url, .. } => {
                let key = ApiKey::from_text(text).map_err(|e| failed(e.to_string()))?;
                let config = HttpConfig::new(url, key, self.nets.clone());
                let account = operator.interface.account().unwrap_or_default();
                let (store, clock) = (self.store.clone(), self.clock.clone());
                let budget = Arc::new(StoredBudget { store, account, share, clock });
                Ok(Arc::new(Desec::new(&config, budget).map_err(|e| failed(e.to_string()))?))
            }
        }
    }
}

/// How often a zone is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// While something is expected to change: at the beginning.
    pub quickest: Duration,
    /// After it has been expected for long.
    pub slowest: Duration,
    /// At rest, at the slowest.
    pub rest: Duration,
}

impl Pace {
    /// How soon a zone is looked at again although nothing is expected to happen. An operator publishes a new key for the TTL
    /// of its DNSKEY set and some margin before it signs with it, and in the margin the others have to get the key: a zone
    /// with short TTLs has short margins.
    pub fn watch(&self, key_ttl_s: Option<u64>) -> Duration {
        let quarter = key_ttl_s.map_or(self.rest, |ttl_s| Duration::from_secs(ttl_s) / 4);
        quarter.max(self.quickest * 4).min(self.rest)
    }
}

impl Default for Pace {
    /// A third of a second, because tests and people wait; a minute, because parents take hours; five minutes, because a
    /// key roll that nobody announced has to be noticed in a fraction of the shortest pre-publication time in use.
    fn default() -> Self {
        Pace { quickest: Duration::from_millis(300), slowest: Duration::from_secs(60), rest: Duration::from_secs(300) }
    }
}

/// What test builds can switch off, so that it can be seen what the guards are for. Always empty in other builds.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    pub without: Without,
    /// End the process, as kill -9 would, at the n-th write: before it is sent, or after.
    pub crash_before: Option<u64>,
    pub crash_after: Option<u64>,
}

impl Switches {
    #[cfg(feature = "guard-switches")]
    pub fn from_environment() -> Switches {
        let read = |name: &str| std::env::var(name).unwrap_or_default();
        let crash = read("CHORUS_TEST_CRASH");
        let nth = |when: &str| crash.strip_prefix(when).and_then(|n| n.parse().ok());
        let off = read("CHORUS_TEST_WITHOUT_GUARD");
        let names = off.split(',').filter(|name| !name.is_empty());
        // A misspelt name must not pass for a guard that nothing needs.
        #[allow(clippy::panic)]
        let off = names.map(|name| name.parse().unwrap_or_else(|e| panic!("CHORUS_TEST_WITHOUT_GUARD: {e}")));
        Switches { without: off.collect(), crash_before: nth("before:"), crash_after: nth("after:") }
    }

    #[cfg(not(feature = "guard-switches"))]
    pub fn from_environment() -> Switches {
        Switches::default()
    }
}
