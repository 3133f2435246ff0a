//! What an operator can do, as the API tells it: each value was seen, or is said not to have been.

use super::changes::of_provider;
use super::{Controller, no_operator, of_engine, of_store, plain, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{AbilityShow, At, Capabilities, Check, OperatorCheck, Outcome};
use crate::engine::{Picture, TrialError, Tried};
use crate::model::ability::{self, Ability, Known};
use crate::model::dns::Name;
use crate::model::group::DELETE_FIX;
use crate::store::{Interface, OperatorRecord, StoreError};
use chorus_providers::{self as providers, CdsControl, ForeignDnskey, Provider};
use std::collections::BTreeMap;

impl Controller {
    /// What is known already; nothing is asked or tried.
    pub(super) async fn known_abilities(&self, name: &str) -> Result<Vec<AbilityShow>, Refusal> {
        let ports = self.engine.ports();
        let operator = ports.store.operator(name).await.map_err(of_store)?.ok_or_else(|| no_operator(name))?;
        let provider = ports.providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
        let (known, declared) = (ports.store.abilities(name).await.map_err(of_store)?, provider.capabilities());
        Ok(told(&known).map(|ability| shown(ability, known.get(&ability), None, &declared)).collect())
    }

    pub(super) async fn check_abilities(&self, name: &str, check: OperatorCheck) -> Result<Capabilities, Refusal> {
        let zone = zone_name(&check.zone)?;
        let ports = self.engine.ports();
        let operator = ports.store.operator(name).await.map_err(of_store)?.ok_or_else(|| no_operator(name))?;
        let provider = ports.providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
        let interface = interface(provider.as_ref(), &zone).await;
        let (mut oversteps, mut untried) = (None, BTreeMap::new());
        if check.write {
            self.must_be_apart(&operator, &zone).await?;
            (oversteps, untried) = self.try_abilities(&operator, &zone, provider.as_ref(), check.test_zone).await?;
        } else {
            self.read_abilities(&operator, &zone).await?;
        }
        let known = ports.store.abilities(name).await.map_err(of_store)?;
        let declared = provider.capabilities();
        Ok(Capabilities {
            operator: name.to_owned(),
            provider: operator.interface.provider().to_owned(),
            zone: plain(&zone),
            way: way(&operator).to_owned(),
            interface,
            abilities: told(&known)
                .map(|ability| shown(ability, known.get(&ability), untried.get(&ability), &declared))
                .collect(),
            oversteps,
        })
    }

    /// Remembers what is seen without a write. What only looking shows, whether it speaks for the operator or against it,
    /// outdoes what was seen before.
    async fn read_abilities(&self, operator: &OperatorRecord, zone: &Name) -> Result<(), Refusal> {
        let ports = self.engine.ports();
        let [seen, refuted] = self.engine.read_abilities(operator, zone).await.map_err(|e| of_trial(e, operator))?;
        let at = ports.clock.now();
        let known = |is_there| move |evidence| Known { is_there, evidence, zone: plain(zone), at };
        let seen = seen.into_iter().map(|(ability, evidence)| (ability, known(true)(evidence)));
        let (by_looking, by_trial): (BTreeMap<_, _>, BTreeMap<_, _>) =
            seen.partition(|(ability, _)| [Ability::SignCds, Ability::KeepCds].contains(ability));
        ports.store.saw_abilities(&operator.name, &by_trial, false).await.map_err(of_store)?;
        let refuted = refuted.into_iter().map(|(ability, evidence)| (ability, known(false)(evidence)));
        let by_looking: BTreeMap<Ability, Known> = by_looking.into_iter().chain(refuted).collect();
        ports.store.saw_abilities(&operator.name, &by_looking, true).await.map_err(of_store)
    }

    /// Where a write that changes nothing does not show whether an operator serves others' keys, a key is placed there for a
    /// moment, unless it has been seen in this zone already. The zone's lock is held by the caller.
    pub(super) async fn try_foreign_key(
        &self,
        known: &Picture,
        operator: &OperatorRecord,
        provider: &dyn Provider,
    ) -> Result<(), Refusal> {
        let (ports, zone, name) = (self.engine.ports(), &known.record.name, &operator.name);
        if ability::shown(&known.world(), name).contains_key(&Ability::AddDnskey)
            || !self.serves_keys_untried(operator, provider, zone).await?
        {
            return Ok(());
        }
        match self.engine.try_foreign_key(known, operator).await {
            Ok(()) => {}
            Err(TrialError::Provider(e)) => return Err(of_provider(name, &e).with_zone(plain(zone))),
            Err(e) => return Err(of_trial(e, operator).with_zone(plain(zone))),
        }
        let evidence = "a key was placed there and taken away before a transition".to_owned();
        let known = Known { is_there: true, evidence, zone: plain(zone), at: ports.clock.now() };
        let seen = BTreeMap::from([(Ability::AddDnskey, known.clone()), (Ability::RemoveDnskey, known)]);
        ports.store.saw_abilities(name, &seen, false).await.map_err(of_store)
    }

    /// Whether it is still to be seen, in this zone, that an operator serves others' keys, and a write that changes nothing does
    /// not show it.
    pub(super) async fn serves_keys_untried(
        &self,
        operator: &OperatorRecord,
        provider: &dyn Provider,
        zone: &Name,
    ) -> Result<bool, Refusal> {
        let seen = self.engine.ports().store.abilities(&operator.name).await.map_err(of_store)?;
        if seen.get(&Ability::AddDnskey).is_some_and(|seen| seen.zone == plain(zone)) {
            return Ok(false);
        }
        let apart = provider.keeps_keys_apart(zone).await;
        apart.map_err(|e| of_provider(&operator.name, &e).with_zone(plain(zone)))
    }

    /// Tries, and remembers what came of it. Returns what else the credential may change, and why some could not be tried.
    async fn try_abilities(
        &self,
        operator: &OperatorRecord,
        zone: &Name,
        provider: &dyn Provider,
        is_test_zone: bool,
    ) -> Result<(Option<Vec<String>>, BTreeMap<Ability, String>), Refusal> {
        let ports = self.engine.ports();
        // Nobody else writes there meanwhile, and no transition begins.
        let held = self.engine.memory(zone);
        let _memory = held.lock().await;
        if ports.store.running_transition(zone).await.map_err(of_store)?.is_some() {
            let text = format!("{} is in the middle of a transition: nothing is tried there", plain(zone));
            return Err(Refusal::new(RefusalKind::Conflict, "in-transition", text)
                .with_fix("name another zone that the operator serves"));
        }
        self.engine.end_trial_in(zone, &operator.name).await.map_err(|e| of_trial(e, operator))?;
        let tried = self.engine.try_abilities(operator, zone, is_test_zone).await.map_err(|e| of_trial(e, operator))?;
        let at = ports.clock.now();
        let (mut seen, mut untried) = (BTreeMap::new(), BTreeMap::new());
        for Tried { ability, is_there, evidence, forced_ttl_s } in tried {
            let evidence = match forced_ttl_s {
                Some(ttl_s) => format!("{evidence}, with TTL {ttl_s}, whatever is asked for"),
                None => evidence,
            };
            match is_there {
                Some(is_there) => {
                    seen.insert(ability, Known { is_there, evidence, zone: plain(zone), at });
                }
                None => {
                    untried.insert(ability, evidence);
                }
            }
        }
        ports.store.saw_abilities(&operator.name, &seen, true).await.map_err(of_store)?;
        // What was tried is told whether or not this can be. It is not held against the check before every write, because it only
        // deletes what is not there.
        let oversteps = self.engine.oversteps(provider, zone).await.unwrap_or_else(|e| {
            tracing::warn!(operator = %operator.name, "what else the credential may change could not be tried: {e}");
            None
        });
        Ok((oversteps, untried))
    }
}

/// Those that people are told of. Whether CDS are kept cannot be tried, for a signer takes them out when it looks at its keys.
fn told(known: &BTreeMap<Ability, Known>) -> impl Iterator<Item = Ability> + use<'_> {
    Ability::ALL.into_iter().filter(|ability| *ability != Ability::KeepCds || known.contains_key(ability))
}

/// The credential, and the settings that the interface shows.
async fn interface(provider: &dyn Provider, zone: &Name) -> Check {
    match provider.probe(zone).await {
        Ok(()) => Check {
            code: "interface".into(),
            outcome: Outcome::Pass,
            text: "takes writes for the zone with this credential and these settings".into(),
            fix: None,
        },
        Err(e) => Check {
            code: e.code().into(),
            // Which says nothing of what is permitted.
            outcome: if e.is_put_off() { Outcome::Untried } else { Outcome::Fail },
            text: if e.is_put_off() { format!("not tried: {e}") } else { e.to_string() },
            fix: Some(e.advice()),
        },
    }
}

fn way(operator: &OperatorRecord) -> &'static str {
    match operator.interface {
        Interface::Rfc2136 { .. } => "D",
        Interface::PowerDns { .. } | Interface::Desec { .. } => "R",
    }
}

/// `untried`: why it was not seen just now.
fn shown(
    ability: Ability,
    known: Option<&Known>,
    untried: Option<&String>,
    declared: &providers::Capabilities,
) -> AbilityShow {
    let evidence = match (known, untried) {
        (Some(known), _) => format!("{}: {}", known.zone, known.evidence),
        (None, Some(why)) => why.clone(),
        (None, None) => format!("not seen yet, {}; a check that may write tries it", declaration(ability, declared)),
    };
    AbilityShow {
        ability: ability.code().to_owned(),
        text: meaning(ability).to_owned(),
        is_there: known.map(|known| known.is_there),
        evidence,
        seen_at: known.map(|known| At::clock(known.at)),
    }
}

fn meaning(ability: Ability) -> &'static str {
    match ability {
        Ability::AddDnskey => "serves another operator's key beside its own",
        Ability::RemoveDnskey | Ability::RemoveCsync => "gives it up again",
        Ability::AddCds => "serves CDS and CDNSKEY of another operator's key",
        Ability::RemoveCds => "gives them up again",
        Ability::SignCds => "signs CDS and CDNSKEY with a key that signs its DNSKEY set",
        Ability::KeepCds => "keeps them, of every digest type, until it is told otherwise",
        Ability::AddCsync => "serves CSYNC",
        Ability::AddNs => "names another operator's name server",
        Ability::RemoveNs => "names it no longer",
        Ability::RemoveOwnNs => "leaves out a name server of its own",
    }
}

/// What is known of interfaces of this kind.
fn declaration(ability: Ability, declared: &providers::Capabilities) -> &'static str {
    let can = match ability {
        Ability::AddDnskey | Ability::RemoveDnskey => match declared.foreign_dnskey {
            ForeignDnskey::All => Some(true),
            ForeignDnskey::ZoneSigningOnly | ForeignDnskey::None => Some(false),
            ForeignDnskey::Unknown => None,
        },
        Ability::AddCds | Ability::RemoveCds => match declared.cds {
            CdsControl::Exact | CdsControl::AdditiveToOwn => Some(true),
            CdsControl::Fixed | CdsControl::None => Some(false),
            CdsControl::Unknown => None,
        },
        Ability::SignCds | Ability::KeepCds => None,
        Ability::AddCsync | Ability::RemoveCsync => Some(declared.csync),
        Ability::AddNs | Ability::RemoveNs => Some(declared.ns_add_foreign),
        Ability::RemoveOwnNs => Some(declared.ns_remove_own),
    };
    match can {
        Some(true) => "though interfaces of this kind have a way for it",
        Some(false) => "and interfaces of this kind have no way for it",
        None => "and it depends on its settings",
    }
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
        TrialError::Unanswered(_) => {
            Refusal::new(RefusalKind::Preflight, "operator-unreachable", format!("{}: {error}", operator.name))
                .with_fix("see that the zone is configured and served at every address")
                .with_operator(&operator.name)
        }
        TrialError::LeftBehind { .. } => {
            let fix =
                "see that all its servers follow; then run `chorus operator check --write` again, which takes it away";
            Refusal::new(RefusalKind::Conflict, "trial-left-over", error.to_string())
                .with_fix(fix)
                .with_operator(&operator.name)
        }
        TrialError::LeftOver { ref reason, .. } => {
            let wait = match reason.as_ref() {
                TrialError::Provider(e) => e.advice(),
                _ => String::new(),
            };
            let fix = format!("run the same command again: it takes them out first. {wait}");
            Refusal::new(RefusalKind::Conflict, "trial-left-over", error.to_string())
                .with_fix(fix.trim_end().to_owned())
                .with_operator(&operator.name)
        }
        TrialError::AsksToDelete(_) => {
            Refusal::new(RefusalKind::Preflight, "cds-delete", error.to_string()).with_fix(DELETE_FIX)
        }
        TrialError::Secure { ref zone, .. } => {
            let fix = format!(
                "name a zone that no user depends on and that has no DS; or, if no user depends on {zone}, declare it a test zone: \
                 `chorus operator check {} --zone {zone} --write --test-zone`",
                operator.name
            );
            Refusal::new(RefusalKind::Preflight, "trial-zone-secure", error.to_string())
                .with_fix(fix)
                .with_operator(&operator.name)
        }
        TrialError::HeldBack { .. } => Refusal::new(RefusalKind::Conflict, "invariant-refused", error.to_string())
            .with_fix("the check before every write objects: put that right, then ask again")
            .with_operator(&operator.name),
        TrialError::Unsigned(_) => {
            Refusal::new(RefusalKind::Preflight, "operator-unsigned", error.to_string()).with_fix("sign the zone there")
        }
    }
}
