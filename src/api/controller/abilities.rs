//! What an operator can do, as the API tells it: each value was seen, or is said not to have been tried.

use super::{Controller, no_operator, of_engine, of_store, plain, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{AbilityShow, Capabilities, OperatorCheck};
use crate::engine::{Ability, TrialError, Tried};
use crate::store::{Interface, OperatorRecord, StoreError};

/// In the order of the table.
const ABILITIES: [(Ability, &str, &str); 9] = [
    (Ability::AddDnskey, "add-dnskey", "serves another operator's key beside its own"),
    (Ability::RemoveDnskey, "remove-dnskey", "gives it up again"),
    (Ability::AddCds, "add-cds", "serves CDS and CDNSKEY of another operator's key"),
    (Ability::RemoveCds, "remove-cds", "gives them up again"),
    (Ability::AddCsync, "add-csync", "serves CSYNC"),
    (Ability::RemoveCsync, "remove-csync", "gives it up again"),
    (Ability::AddNs, "add-ns", "names another operator's name server"),
    (Ability::RemoveNs, "remove-ns", "names it no longer"),
    (Ability::RemoveOwnNs, "remove-own-ns", "leaves out a name server of its own"),
];

impl Controller {
    pub(super) async fn check_abilities(&self, name: &str, check: OperatorCheck) -> Result<Capabilities, Refusal> {
        let zone = zone_name(&check.zone)?;
        let ports = self.engine.ports();
        let operator = ports.store.operator(name).await.map_err(of_store)?.ok_or_else(|| no_operator(name))?;
        let mut oversteps = None;
        let mut tried = Vec::new();
        if check.write {
            if ports.store.running_transition(&zone).await.map_err(of_store)?.is_some() {
                let text = format!("{} is in the middle of a transition: nothing is tried there", plain(&zone));
                return Err(Refusal::new(RefusalKind::Conflict, "in-transition", text)
                    .with_fix("name another zone that the operator serves"));
            }
            // Nobody else writes there meanwhile.
            let held = self.engine.memory(&zone);
            let _memory = held.lock().await;
            self.engine.end_trials().await.map_err(|e| of_trial(e, &operator))?;
            tried = self.engine.try_abilities(&operator, &zone).await.map_err(|e| of_trial(e, &operator))?;
            let provider = ports.providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
            // What was tried is told whether or not this can be.
            oversteps = provider.oversteps(&zone).await.unwrap_or_else(|e| {
                tracing::warn!(operator = %name, "what else the credential may change could not be tried: {e}");
                None
            });
        }
        let shown = |(ability, name, text): &(Ability, &str, &str)| shown(*ability, name, text, &tried);
        Ok(Capabilities {
            operator: name.to_owned(),
            provider: operator.interface.provider().to_owned(),
            zone: plain(&zone),
            way: way(&operator).to_owned(),
            abilities: ABILITIES.iter().map(shown).collect(),
            oversteps,
        })
    }
}

fn way(operator: &OperatorRecord) -> &'static str {
    match operator.interface {
        Interface::Rfc2136 { .. } => "D",
        Interface::PowerDns { .. } | Interface::Desec { .. } => "R",
    }
}

fn shown(ability: Ability, name: &str, text: &str, tried: &[Tried]) -> AbilityShow {
    let of = tried.iter().find(|tried| tried.ability == ability);
    let evidence = match of {
        None => "not tried: that takes --write".to_owned(),
        Some(Tried { evidence, forced_ttl_s: Some(ttl_s), .. }) => {
            format!("{evidence}, with TTL {ttl_s}, whatever is asked for")
        }
        Some(tried) => tried.evidence.clone(),
    };
    let is_there = of.map(|tried| tried.is_there);
    AbilityShow { ability: name.to_owned(), text: text.to_owned(), is_there, evidence }
}

fn of_trial(error: TrialError, operator: &OperatorRecord) -> Refusal {
    match error {
        TrialError::Engine(crate::engine::EngineError::Store(StoreError::Exists { name, .. })) => {
            let text = format!("{name} is being tried at {} already", operator.name);
            Refusal::new(RefusalKind::Conflict, "exists", text).with_fix("wait until that has ended")
        }
        TrialError::Engine(e) => of_engine(e),
        TrialError::Place(e) => Refusal::new(RefusalKind::Preflight, "no-addresses", e.to_string())
            .with_fix("say the addresses: --name-server HOST=ADDR"),
        TrialError::Provider(e) => Refusal::new(RefusalKind::Preflight, e.code(), e.to_string())
            .with_fix(e.advice())
            .with_operator(&operator.name),
        TrialError::Unsigned(_) => {
            Refusal::new(RefusalKind::Preflight, "operator-unsigned", error.to_string()).with_fix("sign the zone there")
        }
    }
}
