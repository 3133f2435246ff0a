//! At rest: now and then a few answers of one address are verified, one address after the other.
//!
//! Invariant: nothing is decided from it. What does not validate is reported when it is found and when it is over, and is
//! part of the verdict in between. An address that does not answer ends nothing.

use super::picture::{EngineError, Picture};
use super::security::is_secure;
use super::status::{Status, WaitingFor};
use super::turn::Engine;
use crate::model::dns::proof::Flaw;
use crate::model::dns::{Name, RecordType, name_text, read_name, type_text};
use crate::model::group::Step;
use crate::model::history::{Server, Who};
use crate::model::time::Time;
use crate::observe::inspect::is_made_up;
use crate::observe::sampling::Cursor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The code of the wait, and of the event.
pub const BOGUS: &str = "data-bogus";
/// What is remembered of a zone that is broken everywhere.
const REMEMBERED_MAX: usize = 16;

/// An answer that does not validate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bogus {
    pub server: Server,
    pub name: String,
    /// The number of the type.
    pub rtype: u16,
    /// Of the fault, kebab-case.
    pub code: String,
    pub why: String,
    pub since: Time,
}

/// How far sampling has come. Kept as JSON within the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    pub at: Option<Time>,
    pub count: u64,
    /// By address: the name that is next.
    pub next: BTreeMap<String, String>,
    pub bogus: Vec<Bogus>,
}

impl Bogus {
    fn of(server: &Server, flaw: &Flaw, since: Time) -> Bogus {
        Bogus {
            server: server.clone(),
            name: name_text(&flaw.name),
            rtype: u16::from(flaw.rtype),
            code: flaw.fault.code().to_owned(),
            why: flaw.fault.to_string(),
            since,
        }
    }

    /// Names that are made up for one question are all one: what is wrong with one of them is wrong with the next.
    fn is_of(&self, other: &Bogus) -> bool {
        let same_name = self.name == other.name
            || match (self.made_up_below(), other.made_up_below()) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            };
        same_name && (&self.server, self.rtype) == (&other.server, other.rtype)
    }

    fn made_up_below(&self) -> Option<Name> {
        read_name(&self.name).ok().filter(is_made_up).map(|name| name.base_name())
    }

    fn set(&self) -> String {
        format!("{} {}", self.name, type_text(RecordType::from(self.rtype)))
    }

    fn text(&self) -> String {
        format!("{} at {} does not validate: {}", self.set(), self.server, self.why)
    }
}

impl Engine {
    /// Samples if it is time. Returns when it is time again.
    pub(super) async fn sample_at_rest(&self, known: &Picture, status: &mut Status) -> Result<Time, EngineError> {
        let every = Duration::from_secs(known.record.policy.sample_every_s);
        let now = self.ports.clock.now();
        let (mut servers, _) = known.servers();
        if every.is_zero() || servers.is_empty() || !is_secure(known) {
            status.sampling = Sampling::default();
            return Ok(Time::MAX);
        }
        servers.sort();
        let due = status.sampling.at.map_or(now, |at| at.plus(every));
        if due <= now {
            let mut sampling = std::mem::take(&mut status.sampling);
            self.look_again(known, &servers, &mut sampling).await?;
            self.look_further(known, &servers, &mut sampling).await?;
            sampling.at = Some(now);
            status.sampling = sampling;
        }
        let first = status.sampling.bogus.first();
        status.waiting.retain(|wait| wait.code != BOGUS);
        if let Some(first) = first {
            let others = status.sampling.bogus.len() - 1;
            let others = if others == 0 { String::new() } else { format!("; and {others} more answers") };
            let text = format!("{}{others}", first.text());
            status.waiting.insert(0, WaitingFor { step: Step::Settled, code: BOGUS.into(), text, until: None });
        }
        Ok(status.sampling.at.unwrap_or(now).plus(every))
    }

    /// What did not validate before: whether it is over.
    async fn look_again(
        &self,
        known: &Picture,
        servers: &[Server],
        sampling: &mut Sampling,
    ) -> Result<(), EngineError> {
        for mut bogus in std::mem::take(&mut sampling.bogus) {
            let Ok(name) = read_name(&bogus.name) else { continue };
            if !servers.contains(&bogus.server) {
                continue;
            }
            let rtype = RecordType::from(bogus.rtype);
            match self.ports.observe.sample_again(&known.record.name, &bogus.server, &name, rtype).await {
                Some(Ok(())) => {
                    let text = format!("{} at {} validates again", bogus.set(), bogus.server);
                    self.tell_of_data(known, "data-valid-again", &text, &bogus.server).await?;
                    continue;
                }
                Some(Err(flaw)) => bogus.why = flaw.fault.to_string(),
                None => {}
            }
            sampling.bogus.push(bogus);
        }
        Ok(())
    }

    /// The next name at the next address.
    async fn look_further(
        &self,
        known: &Picture,
        servers: &[Server],
        sampling: &mut Sampling,
    ) -> Result<(), EngineError> {
        let nth = usize::try_from(sampling.count).unwrap_or_default() % servers.len().max(1);
        let Some(server) = servers.get(nth) else { return Ok(()) };
        let address = server.address.to_string();
        let at = sampling.next.get(&address).and_then(|name| read_name(name).ok());
        let cursor = Cursor { count: sampling.count / servers.len().max(1) as u64, at };
        sampling.count += 1;
        sampling.next.retain(|address, _| servers.iter().any(|server| server.address.to_string() == *address));
        let Some(sampled) = self.ports.observe.sample(&known.record.name, server, &cursor).await else {
            return Ok(());
        };
        match sampled.next {
            Some(next) => sampling.next.insert(address, name_text(&next)),
            None => sampling.next.remove(&address),
        };
        let now = self.ports.clock.now();
        for bogus in sampled.flaws.iter().map(|flaw| Bogus::of(server, flaw, now)) {
            if sampling.bogus.len() >= REMEMBERED_MAX || sampling.bogus.iter().any(|other| other.is_of(&bogus)) {
                continue;
            }
            self.tell_of_data(known, BOGUS, &bogus.text(), server).await?;
            sampling.bogus.push(bogus);
        }
        Ok(())
    }

    async fn tell_of_data(&self, known: &Picture, kind: &str, text: &str, server: &Server) -> Result<(), EngineError> {
        let (zone, now) = (&known.record.name, self.ports.clock.now());
        let operator = if let Who::Operator(name) = &server.who { Some(name.as_str()) } else { None };
        tracing::warn!(%zone, "{text}");
        self.ports.store.add_event(zone, now, kind, text, None, operator).await?;
        Ok(())
    }
}
