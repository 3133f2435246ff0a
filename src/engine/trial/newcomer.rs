//! One key, placed and taken away again, before an operator is let in whose interface shows nothing otherwise.
//!
//! A write that changes nothing shows whether other operators' keys are served wherever updates see the DNSKEY RRset that is
//! served. Where they see another one, BIND before 9.20 with `inline-signing yes`, which takes no such key, cannot be told from
//! later versions, which do, nor PowerDNS with `direct-dnskey=no` from one with `yes`.

use super::{Engine, EngineError, TrialError, addresses, key, steps};
use crate::model::ability::Ability;
use crate::model::dns::{Name, RecordSet};
use crate::store::{OperatorRecord, Trial};

impl Engine {
    /// Tries whether an operator serves another operator's key. The zone's lock is held by the caller, and no transition is
    /// under way there.
    pub async fn try_foreign_key(&self, operator: &OperatorRecord, zone: &Name) -> Result<(), TrialError> {
        let servers = addresses(self, operator).await?;
        let ports = self.ports();
        let provider = ports.providers.provider(operator).await.map_err(EngineError::from)?;
        let (keys, key_ttl_s) = self.served_keys(&servers, zone).await?;
        let another = |served| key::like(served).filter(|other| !keys.contains(other));
        let foreign = keys.iter().find_map(another).ok_or_else(|| TrialError::Unsigned(operator.name.clone()))?;
        let types = steps::types();
        let read = self.patiently(|| provider.read(zone, &types)).await?;
        // None of its name servers is taken out.
        let before = steps::before(&read, &foreign, &RecordSet::new());
        let trial =
            Trial { operator: operator.name.clone(), zone: zone.to_string(), before, started_at: ports.clock.now() };
        ports.store.begin_trial(&trial).await.map_err(EngineError::from)?;
        let steps = steps::steps(zone, &foreign, key_ttl_s, &trial.before);
        let step = steps.iter().find(|step| step.ability == Ability::AddDnskey);
        let placed = match step {
            Some(step) => self.apply_patiently(provider.as_ref(), zone, &step.wanted).await,
            None => Ok(()),
        };
        self.put_back(&trial, provider.as_ref(), &servers).await?;
        Ok(placed?)
    }
}
