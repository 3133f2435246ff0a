//! What an operator can do in a zone, tried: harmless records are placed, seen at every address, and taken away again.
//!
//! Invariants: what was there is committed before the first write, and put back whatever happens, by the next start at the
//! latest; an ability is one that every address of the operator showed, whatever its interface said. Each write passes the check
//! before every write, and none is made in a zone that resolvers validate, unless its owner names it as a test zone: while the
//! trial lasts the zone has a key, a CDS and a name server that lead nowhere.

mod back;
mod key;
mod newcomer;
mod steps;
mod surroundings;

use super::status::Status;
use super::{Engine, EngineError, PlaceError, addresses};
use crate::model::ability::{self, Ability};
use crate::model::dns::{Name, Rdata, RecordSet, ns_rdata, plain_of_stored, read_name, stored};
use crate::model::group::{Member, ParentMode, Scope, Standing, World, entry_keys};
use crate::model::history::{History, Kind, Lifetimes, Outcome, Server};
use crate::model::policy::Policy;
use crate::observe::transport::Protocol;
use crate::store::{OperatorRecord, Trial};
use chorus_providers::{Category, Provider, ProviderError, Rrset, Wanted};
use key::unlike;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use steps::Step;
pub use steps::leftovers;
pub(super) use steps::placed;
use surroundings::Surroundings;

/// So long an operator's servers may lag before what was written counts as not served.
const SERVED_WITHIN: Duration = Duration::from_secs(60);
/// So often a limit of requests is waited for.
const TRIES: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What came of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub ability: Ability,
    /// `None`: this says nothing of it, for the reason that is the evidence.
    pub is_there: Option<bool>,
    pub evidence: String,
    /// The TTL that was served, where another was asked for.
    pub forced_ttl_s: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(
        "{0} serves a CDS or CDNSKEY record that asks the parent to remove every DS (RFC 8078 §4): it stands alone, so none can be tried beside it"
    )]
    AsksToDelete(String),
    #[error("{0} does not show the zone's keys")]
    Unanswered(String),
    #[error("{0} serves the zone without a key of its own: it has to be signed there")]
    Unsigned(String),
    /// Resolvers validate the zone, or may do so.
    #[error(
        "{zone} was not named as a test zone, and {why}: a trial places a DNSKEY and a CDS of a key that nobody has and a name server that does not exist"
    )]
    Secure { zone: String, why: String },
    #[error("{operator}: the trial of a DNSKEY of another operator is held back, for {why}")]
    HeldBack { operator: String, why: String },
    /// It is tried again at the next check and at the next start.
    #[error("what was placed to try {operator} could not be taken away everywhere; still there: {left}")]
    LeftBehind { operator: String, left: String },
    /// What was placed could not be taken away.
    #[error("{left}: the trial in {zone} at {operator} was interrupted ({reason})")]
    LeftOver { operator: String, zone: String, left: String, reason: Box<TrialError> },
}

fn was_seen_in(tried: &[Tried], ability: Ability) -> bool {
    tried.iter().any(|tried| tried.ability == ability && tried.is_there == Some(true))
}

fn unknown(ability: Ability, evidence: &str) -> Tried {
    Tried { ability, is_there: None, evidence: evidence.to_owned(), forced_ttl_s: None }
}

fn held_back(why: &str) -> String {
    format!("not tried, for {why}; in a zone that is named as a test zone it is tried (--test-zone)")
}

/// What is still seen there says more than what may be there.
fn left_over(trial: &Trial, reason: TrialError) -> TrialError {
    if matches!(reason, TrialError::LeftBehind { .. }) {
        return reason;
    }
    let zone = read_name(&trial.zone).unwrap_or_default();
    TrialError::LeftOver {
        operator: trial.operator.clone(),
        zone: plain_of_stored(&trial.zone),
        left: leftovers(&zone, &trial.before),
        reason: Box::new(reason),
    }
}

impl Engine {
    /// Tries what an operator can do in a zone. The zone's lock is held by the caller, and no transition is under way there.
    /// `is_test_zone`: the user has declared that no user depends on the zone.
    pub async fn try_abilities(
        &self,
        operator: &OperatorRecord,
        zone: &Name,
        is_test_zone: bool,
    ) -> Result<Vec<Tried>, TrialError> {
        let mut around = Surroundings::of(self, operator, zone, is_test_zone).await?;
        around.refuse_secure(zone)?;
        let servers = addresses(self, operator).await?;
        let ports = self.ports();
        let provider = ports.providers.provider(operator).await.map_err(EngineError::from)?;
        let (keys, key_ttl_s) = self.served_keys(&servers, zone).await?;
        let foreign = unlike(&keys).ok_or_else(|| TrialError::Unsigned(operator.name.clone()))?;
        let hosts = servers.iter().map(|server| ns_rdata(&server.host)).collect();
        let types = steps::types();
        let read = self.patiently(|| provider.read(zone, &types)).await?;
        let asks_to_delete = |set: &Rrset| set.records.iter().any(|octets| steps::asks_to_delete(set.rtype, octets));
        if read.iter().any(asks_to_delete) {
            return Err(TrialError::AsksToDelete(operator.name.clone()));
        }
        let before = steps::before(&read, &foreign, &hosts);
        let (name, started_at) = (stored(zone), ports.clock.now());
        let trial = Trial { operator: operator.name.clone(), zone: name.clone(), before, started_at };
        ports.store.begin_trial(&trial).await.map_err(EngineError::from)?;
        let mut tried: Vec<Tried> = Vec::new();
        for step in steps::steps(zone, &foreign, key_ttl_s, &trial.before) {
            if step.after.is_none_or(|add| was_seen_in(&tried, add)) {
                around.look(self).await;
                tried.push(match around.objection(&step.wanted) {
                    None => self.take(&step, provider.as_ref(), zone, &servers).await,
                    Some(why) => unknown(step.ability, &held_back(&why)),
                });
                if step.ability == Ability::AddCds && was_seen_in(&tried, Ability::AddCds) {
                    tried.push(self.see_who_signs_cds(zone, &servers).await);
                }
            } else {
                tried.push(unknown(step.ability, "not tried: there was nothing to give up"));
            }
        }
        let back = self.put_back(&trial, provider.as_ref(), &servers).await;
        back.map_err(|reason| left_over(&trial, reason))?;
        Ok(tried)
    }

    /// What an operator has shown in a zone that it can do, and what it has shown that it cannot, with the evidence: out of
    /// the zone's history where Chorus has it, else out of what is served now.
    pub async fn read_abilities(
        &self,
        operator: &OperatorRecord,
        zone: &Name,
    ) -> Result<[BTreeMap<Ability, String>; 2], TrialError> {
        let ports = self.ports();
        let record = ports.store.zone(zone).await.map_err(EngineError::from)?;
        if let Some(record) = record.filter(|record| record.members.contains_key(&operator.name)) {
            let status = Status::read(&record.status);
            let mut known = ports.load(record, &status).await?;
            self.look(&mut known, Protocol::Tcp).await;
            let world = known.world();
            return Ok([ability::shown(&world, &operator.name), ability::refuted(&world, &operator.name)]);
        }
        let servers = addresses(self, operator).await?;
        let mut history = History::default();
        for server in &servers {
            self.look_at(server, zone, &mut history).await;
        }
        let member = Member {
            hosts: servers.iter().map(|server| Name::clone(&server.host)).collect(),
            servers,
            found: BTreeSet::new(),
            wanted: Standing::Serving,
            unreachable: false,
            uncooperative: false,
            placements: BTreeMap::new(),
        };
        let (members, lifetimes) =
            (BTreeMap::from([(operator.name.clone(), member)]), Lifetimes::new(Policy::default()));
        let world = World {
            zone,
            history: &history,
            lifetimes: &lifetimes,
            members: &members,
            parent_servers: &[],
            parent: ParentMode::Manual,
            now: ports.clock.now(),
            algorithm: None,
            paused: false,
            scope: Scope::default(),
            memo: None,
        };
        Ok([ability::shown(&world, &operator.name), ability::refuted(&world, &operator.name)])
    }

    /// What else the credential may change; `None` where that cannot be tried.
    pub async fn oversteps(&self, provider: &dyn Provider, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        self.patiently(|| provider.oversteps(zone)).await
    }

    async fn apply_patiently(
        &self,
        provider: &dyn Provider,
        zone: &Name,
        wanted: &[Wanted],
    ) -> Result<(), ProviderError> {
        self.patiently(|| provider.apply(zone, wanted)).await.map(|_| ())
    }

    /// Where requests are counted by the second or the minute, a trial takes its time.
    async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        for _ in 0..TRIES {
            match attempt().await {
                Err(e) => match e.retry_after_s().map(|wait_s| Duration::from_secs(wait_s.into())) {
                    Some(wait) if wait <= SERVED_WITHIN => {
                        let clock = &self.ports().clock;
                        clock.sleep_until(clock.now().plus(wait)).await;
                    }
                    _ => return Err(e),
                },
                Ok(done) => return Ok(done),
            }
        }
        attempt().await
    }

    async fn take(&self, step: &Step, provider: &dyn Provider, zone: &Name, servers: &[Server]) -> Tried {
        if step.wanted.is_empty() {
            return unknown(step.ability, "not tried: no name server of its own can be left out here");
        }
        if let Err(e) = self.apply_patiently(provider, zone, &step.wanted).await {
            let evidence = format!("{}: {e}", e.code());
            // What may be otherwise the next time is no inability.
            let is_there = (e.category() == Category::AskHuman).then_some(false);
            return Tried { ability: step.ability, is_there, evidence, forced_ttl_s: None };
        }
        let clock = &self.ports().clock;
        let until = clock.now().plus(SERVED_WITHIN);
        loop {
            let lagging = self.lagging(step, zone, servers).await;
            let Some(lagging) = lagging else { break };
            let now = clock.now();
            if now >= until {
                let within = SERVED_WITHIN.as_secs();
                let evidence = format!("the interface said yes, and {lagging} did not show it within {within} s");
                return unknown(step.ability, &evidence);
            }
            clock.sleep_until(now.plus(LOOK_AGAIN)).await;
        }
        let forced_ttl_s = self.forced_ttl_s(step, zone, servers).await;
        let evidence = format!("seen at {} addresses", servers.len());
        Tried { ability: step.ability, is_there: Some(true), evidence, forced_ttl_s }
    }

    /// Whether the CDS and CDNSKEY sets that are served now are signed by a key that signs the DNSKEY set: a parent acts on no
    /// others (RFC 7344 §4.1).
    async fn see_who_signs_cds(&self, zone: &Name, servers: &[Server]) -> Tried {
        let mut history = History::default();
        for server in servers {
            self.look_at(server, zone, &mut history).await;
        }
        let found = servers.iter().find_map(|server| {
            let signers = |kind| history.current(server, kind).map(|span| &span.served.signers);
            let cds = history.current(server, Kind::Cds).map(|span| span.served.records.clone()).unwrap_or_default();
            let entries = entry_keys(zone, signers(Kind::Dnskey)?, &cds);
            let disjoint = |kind: &Kind| signers(*kind).is_some_and(|signers| signers.is_disjoint(&entries));
            Some((server, [Kind::Cds, Kind::Cdnskey].into_iter().find(disjoint)?))
        });
        let evidence = match found {
            None => format!("seen at {} addresses", servers.len()),
            Some((server, kind)) => {
                format!("the {kind} set at {server} is signed by no key-signing key that signs the DNSKEY set")
            }
        };
        Tried { ability: Ability::SignCds, is_there: Some(found.is_none()), evidence, forced_ttl_s: None }
    }

    /// An address that does not show what a step makes.
    async fn lagging(&self, step: &Step, zone: &Name, servers: &[Server]) -> Option<String> {
        for server in servers {
            let mut history = History::default();
            self.look_at(server, zone, &mut history).await;
            let shown = |kind: Kind| history.current(server, kind).map(|span| &span.served.records);
            let has = |(kind, record): &(Kind, Rdata)| shown(*kind).is_some_and(|set| set.contains(record));
            let lacks = |(kind, record): &(Kind, Rdata)| shown(*kind).is_some_and(|set| !set.contains(record));
            if !step.with.iter().all(has) || !step.without.iter().all(lacks) {
                return Some(server.to_string());
            }
        }
        None
    }

    async fn forced_ttl_s(&self, step: &Step, zone: &Name, servers: &[Server]) -> Option<u32> {
        let (server, (kind, _)) = (servers.first()?, step.with.first()?);
        let mut history = History::default();
        self.look_at(server, zone, &mut history).await;
        let served = history.current(server, *kind)?.served.ttl_s;
        let asked = step.wanted.iter().find(|wanted| wanted.rtype() == kind.record_type()).map(|wanted| match wanted {
            Wanted::Exactly { ttl_s, .. } | Wanted::Partly { ttl_s, .. } => *ttl_s,
        });
        asked.filter(|asked| *asked != served).map(|_| served)
    }

    async fn look_at(&self, server: &Server, zone: &Name, history: &mut History) {
        // Of the parent nothing is asked.
        let parent = Name::root();
        let at = std::slice::from_ref(server);
        let observed = self.ports().observe.observe(zone, &parent, at, &[], Protocol::Tcp).await;
        for sample in observed.samples {
            if matches!(sample.outcome, Outcome::Served(_)) {
                history.record(&sample);
            }
        }
    }

    /// The keys that are served, and with which TTL.
    async fn served_keys(&self, servers: &[Server], zone: &Name) -> Result<(RecordSet, u32), TrialError> {
        let mut history = History::default();
        let mut silent = None;
        for server in servers {
            self.look_at(server, zone, &mut history).await;
            if let Some(span) = history.current(server, Kind::Dnskey) {
                return Ok((span.served.records.clone(), span.served.ttl_s));
            }
            silent = Some(server.to_string());
        }
        Err(TrialError::Unanswered(silent.unwrap_or_default()))
    }
}
