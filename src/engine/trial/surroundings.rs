//! What a trial's writes are held against: the zone with its operators and its parent, observed again before each write.
//!
//! Invariant: a trial writes nothing that `chain::check` objects to, and nothing in a zone that resolvers validate, unless the
//! user has declared that it is a test zone: that no user depends on what resolvers make of it.

use super::{Engine, EngineError, PlaceError, TrialError};
use crate::engine::picture::Picture;
use crate::model::chain::{Planned, Scene, check};
use crate::model::dns::{Name, Rdata, RecordSet, plain_text};
use crate::model::group::Standing;
use crate::model::history::{Failure, History, Kind, Server};
use crate::model::policy::Policy;
use crate::observe::transport::Protocol;
use crate::store::{MemberRecord, OperatorRecord, ParentRecord, ZoneRecord};
use chorus_providers::Wanted;
use std::collections::{BTreeMap, BTreeSet};

/// Why a trial's writes are not made in a zone that the user did not declare a test zone.
pub(super) enum Secure {
    No,
    /// A server of the parent has a DS: resolvers validate the zone.
    Yes(String),
    /// Whether the parent has a DS could not be seen, and why.
    Unknown(String),
}

/// The zone as it is observed around a trial.
pub(super) struct Surroundings {
    /// `Err`: the parent was not found, and why.
    known: Result<Picture, String>,
    operator: String,
    is_test_zone: bool,
}

impl Surroundings {
    /// Observes a zone with one more operator: one that Chorus manages with what is known of it, another one from nothing.
    pub async fn of(
        engine: &Engine,
        operator: &OperatorRecord,
        zone: &Name,
        is_test_zone: bool,
    ) -> Result<Surroundings, TrialError> {
        let ports = engine.ports();
        let managed = ports.store.zone(zone).await.map_err(EngineError::from)?;
        let history = match &managed {
            Some(_) => ports.store.history(zone).await.map_err(EngineError::from)?,
            None => History::default(),
        };
        let record = managed.unwrap_or_else(|| unmanaged(zone, engine));
        let mut members = record.members.clone();
        members.entry(operator.name.clone()).or_insert(MemberRecord::wanted(Standing::Serving));
        let operators = ports.operators(members.into_iter()).await?;
        let known = match ports.picture(record, history, operators, None).await {
            Ok(known) => Ok(known),
            Err(EngineError::Place(PlaceError::NoParent { reason, .. })) => Err(reason),
            Err(e) => return Err(e.into()),
        };
        let mut around = Surroundings { known, operator: operator.name.clone(), is_test_zone };
        around.look(engine).await;
        Ok(around)
    }

    /// Observes every address of the zone's operators and of its parent.
    pub async fn look(&mut self, engine: &Engine) {
        if let Ok(known) = &mut self.known {
            engine.look(known, Protocol::Tcp).await;
        }
    }

    /// Whether resolvers validate the zone.
    pub fn secure(&self) -> Secure {
        let known = match &self.known {
            Ok(known) => known,
            Err(why) => return Secure::Unknown(format!("its parent was not found: {why}")),
        };
        let shown = |server: &Server| known.history.current(server, Kind::Ds);
        let failure = |server: &Server| known.history.trouble(server, Kind::Ds).map(|trouble| &trouble.failure);
        let servers = &known.places.parent;
        let has_ds = servers.iter().find(|server| shown(server).is_some_and(|span| !span.served.records.is_empty()));
        if let Some(server) = has_ds {
            return Secure::Yes(format!("the parent's server {server} has a DS"));
        }
        // What the parent does not delegate, it has no DS of.
        let answers = |server: &&Server| match failure(server) {
            None => shown(server).is_some(),
            Some(failure) => *failure == Failure::NxDomain,
        };
        if servers.is_empty() {
            return Secure::Unknown("its parent has no address".to_owned());
        }
        // Each may have what another one does not have yet.
        match servers.iter().find(|server| !answers(server)) {
            None => Secure::No,
            Some(server) => Secure::Unknown(format!("the parent's server {server} does not answer")),
        }
    }

    /// Refuses a zone that resolvers validate, or may validate, unless the user declared it a test zone.
    pub fn refuse_secure(&self, zone: &Name) -> Result<(), TrialError> {
        if self.is_test_zone {
            return Ok(());
        }
        let why = match self.secure() {
            Secure::No => return Ok(()),
            Secure::Yes(why) => why,
            Secure::Unknown(why) => format!("whether its parent has a DS could not be seen, because {why}"),
        };
        Err(TrialError::Secure { zone: plain_text(zone), why })
    }

    /// What the check before every write says against these sets; `None` where nothing, or where the user declared the zone a
    /// test zone: then resolvers may fail there. Of a test zone without a parent no resolver finds anything.
    pub fn objection(&self, wanted: &[Wanted]) -> Option<String> {
        let known = self.known.as_ref().ok().filter(|_| !self.is_test_zone)?;
        objection(known, &self.operator, wanted)
    }
}

/// The check before every write, on the zone as it was just observed.
pub(super) fn objection(known: &Picture, operator: &str, wanted: &[Wanted]) -> Option<String> {
    let Picture { record, history, lifetimes, hosts, observed_at, .. } = known;
    let scene = Scene { zone: &record.name, history, lifetimes, hosts };
    let objections = check(&scene, &planned(known, operator, wanted), *observed_at);
    objections.into_iter().next().map(|objection| objection.text)
}

/// What the operator's servers will serve after a write.
fn planned(known: &Picture, operator: &str, wanted: &[Wanted]) -> Vec<Planned> {
    let set = |octets: &BTreeSet<Vec<u8>>| -> RecordSet { octets.iter().cloned().map(Rdata::from_canonical).collect() };
    let world = known.world();
    let each = wanted.iter().filter_map(|wanted| {
        let kind = Kind::OPERATOR.into_iter().find(|kind| kind.record_type() == wanted.rtype())?;
        let (ttl_s, records) = match wanted {
            Wanted::Exactly { ttl_s, records, .. } => (*ttl_s, set(records)),
            Wanted::Partly { ttl_s, with, without, .. } => {
                let served = &world.served(operator, kind) | &set(with);
                (world.served_ttl_s(operator, kind).unwrap_or(*ttl_s), &served - &set(without))
            }
        };
        Some(Planned { operator: operator.to_owned(), kind, ttl_s, records })
    });
    each.collect()
}

/// A zone of which nothing is stored.
fn unmanaged(zone: &Name, engine: &Engine) -> ZoneRecord {
    let now = engine.ports().clock.now();
    ZoneRecord {
        name: zone.clone(),
        parent: ParentRecord::default(),
        policy: Policy::default(),
        members: BTreeMap::new(),
        placements: BTreeMap::new(),
        in_flight: Vec::new(),
        zone_ttls: BTreeMap::new(),
        due_at: now,
        status: String::new(),
        created_at: now,
    }
}
