//! One key, placed and taken away again, before an operator is let in whose interface shows nothing otherwise.
//!
//! A write that changes nothing shows whether other operators' keys are served wherever updates see the DNSKEY RRset that is
//! served. Where they see another one, BIND before 9.20 with `inline-signing yes`, which takes no such key, cannot be told from
//! later versions, which do, nor PowerDNS with `direct-dnskey=no` from one with `yes`.

use super::surroundings::objection;
use super::{Engine, EngineError, TrialError, addresses, key, steps};
use crate::engine::picture::Picture;
use crate::model::ability::Ability;
use crate::model::dns::RecordSet;
use crate::store::{OperatorRecord, Trial};

impl Engine {
    /// Tries whether an operator serves another operator's key. The zone's lock is held by the caller, and no transition is
    /// under way there. `known`: the zone as it was just observed, with this operator.
    ///
    /// It is done in zones that resolvers validate: one more DNSKEY that signs nothing changes nothing for them, which the check
    /// before every write confirms, and no CDS asks for a DS of it.
    pub async fn try_foreign_key(&self, known: &Picture, operator: &OperatorRecord) -> Result<(), TrialError> {
        let zone = &known.record.name;
        let servers = addresses(self, operator).await?;
        let ports = self.ports();
        let provider = ports.providers.provider(operator).await.map_err(EngineError::from)?;
        let (keys, key_ttl_s) = self.served_keys(&servers, zone).await?;
        let foreign = key::unlike(&keys).ok_or_else(|| TrialError::Unsigned(operator.name.clone()))?;
        let types = steps::types();
        let read = self.patiently(|| provider.read(zone, &types)).await?;
        // None of its name servers is taken out.
        let before = steps::before(&read, &foreign, &RecordSet::new());
        let steps = steps::steps(zone, &foreign, key_ttl_s, &before);
        let step = steps.iter().find(|step| step.ability == Ability::AddDnskey);
        if let Some(why) = step.and_then(|step| objection(known, &operator.name, &step.wanted)) {
            return Err(TrialError::HeldBack { operator: operator.name.clone(), why });
        }
        let trial =
            Trial { operator: operator.name.clone(), zone: zone.to_string(), before, started_at: ports.clock.now() };
        ports.store.begin_trial(&trial).await.map_err(EngineError::from)?;
        let placed = match step {
            Some(step) => self.apply_patiently(provider.as_ref(), zone, &step.wanted).await,
            None => Ok(()),
        };
        self.put_back(&trial, provider.as_ref(), &servers).await?;
        Ok(placed?)
    }
}
