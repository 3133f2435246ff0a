//! The end of a trial: what it placed is taken away, and that is seen.
//!
//! Invariant: a trial is forgotten only when no address of its operator that answers shows anything of it. A server may serve
//! what it has accepted some moments later, so what is not seen is deleted all the same, and after a write that was accepted
//! and not seen the servers are looked at for a while longer.
//!
//! These writes are not held against the check before every write, because the check could only keep the trial's records where
//! they are. They take out a key that signs nothing, the CDS of that key, which no DS set needs, a CSYNC without `immediate` and
//! a name server that does not exist; and they put back a name server of the operator's own into its own NS RRset, which
//! had it when the trial began.

use super::{Engine, EngineError, LOOK_AGAIN, SERVED_WITHIN, TrialError, addresses, left_over, steps};
use crate::model::dns::{Name, Rdata, read_name, stored};
use crate::model::history::{History, Kind, Server};
use crate::store::Trial;
use chorus_providers::{Provider, ProviderError};
use std::collections::BTreeMap;

impl Engine {
    /// What trials left behind that came to no end is taken away, as far as it can be.
    pub async fn end_trials(&self) -> Result<(), EngineError> {
        for trial in self.ports().store.trials().await? {
            let zone = read_name(&trial.zone).unwrap_or_default();
            let held = self.memory(&zone);
            let _memory = held.lock().await;
            if let Err(e) = self.end_trial(&trial).await {
                let Trial { zone, operator, .. } = &trial;
                tracing::error!(%zone, %operator, "what a trial left behind is tried again at the next start: {e}");
            }
        }
        Ok(())
    }

    /// What an earlier trial left behind here. The zone's lock is held by the caller.
    pub async fn end_trial_in(&self, zone: &Name, operator: &str) -> Result<(), TrialError> {
        let (trials, zone) = (self.ports().store.trials().await.map_err(EngineError::from)?, stored(zone));
        match trials.iter().find(|trial| trial.zone == zone && trial.operator == operator) {
            Some(trial) => self.end_trial(trial).await.map_err(|reason| left_over(trial, reason)),
            None => Ok(()),
        }
    }

    async fn end_trial(&self, trial: &Trial) -> Result<(), TrialError> {
        let operator = self.ports().store.operator(&trial.operator).await.map_err(EngineError::from)?;
        let Some(operator) = operator else { return Ok(()) };
        let provider = self.ports().providers.provider(&operator).await.map_err(EngineError::from)?;
        tracing::warn!(zone = %trial.zone, operator = %trial.operator, "a trial came to no end: what it placed is taken away");
        // Where its addresses cannot be found, the interface alone is looked at.
        let servers = addresses(self, &operator).await.unwrap_or_default();
        self.put_back(trial, provider.as_ref(), &servers).await
    }

    /// Takes away what the trial placed, and forgets the trial when nothing of it is seen any more.
    pub(super) async fn put_back(
        &self,
        trial: &Trial,
        provider: &dyn Provider,
        servers: &[Server],
    ) -> Result<(), TrialError> {
        let zone = read_name(&trial.zone).unwrap_or_default();
        let octets = |record: &Rdata| record.as_wire().to_vec();
        let placed = steps::placed(&zone, &trial.before);
        let gone: Vec<_> =
            placed.iter().map(|(kind, set)| (kind.record_type(), set.iter().map(octets).collect())).collect();
        self.patiently(|| provider.take_out(&zone, &gone)).await?;
        let (types, clock) = (steps::types(), &self.ports().clock);
        let until = clock.now().plus(SERVED_WITHIN);
        loop {
            let now = self.patiently(|| provider.read(&zone, &types)).await?;
            let wanted = steps::back(&zone, &trial.before, &now);
            match self.apply_patiently(provider, &zone, &wanted).await {
                // Seen below, where it is.
                Ok(()) | Err(ProviderError::Ignored { .. }) => {}
                Err(e) => return Err(e.into()),
            }
            let left = self.left_of(trial, &zone, servers).await;
            if left.is_empty() {
                break;
            }
            let now = clock.now();
            if now >= until {
                let left = left.into_iter().map(|(server, what)| format!("{what} at {server}")).collect::<Vec<_>>();
                return Err(TrialError::LeftBehind { operator: trial.operator.clone(), left: left.join(", ") });
            }
            clock.sleep_until(now.plus(LOOK_AGAIN)).await;
        }
        Ok(self.ports().store.end_trial(&trial.operator, &trial.zone).await.map_err(EngineError::from)?)
    }

    /// What of a trial the addresses that answer show, in words.
    async fn left_of(&self, trial: &Trial, zone: &Name, servers: &[Server]) -> BTreeMap<String, String> {
        let (placed, own_ns) = (steps::placed(zone, &trial.before), steps::taken_out(&trial.before));
        let mut left = BTreeMap::new();
        for server in servers {
            let mut history = History::default();
            self.look_at(server, zone, &mut history).await;
            let shown = |kind: Kind| history.current(server, kind).map(|span| &span.served.records);
            let still = |(kind, set): &&(Kind, _)| shown(*kind).is_some_and(|shown| !shown.is_disjoint(set));
            let mut what: Vec<String> = placed.iter().filter(still).map(|(kind, _)| kind.to_string()).collect();
            if own_ns.as_ref().is_some_and(|own| shown(Kind::Ns).is_some_and(|shown| !shown.contains(own))) {
                what.push("NS without its own name server".to_owned());
            }
            if !what.is_empty() {
                left.insert(server.to_string(), what.join(", "));
            }
        }
        left
    }
}
