//! Changes of the desired group: planned, and started.
//!
//! Invariant: a transition starts only on a world that was observed under the zone's lock, passed preflight, and whose
//! operators take updates.

use super::check::findings;
use super::{Controller, no_operator, of_engine, of_store, plain, show};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire;
use crate::engine::Picture;
use crate::model::dns::{Name, rdata_text};
use crate::model::group::{ForecastStep, Refused, forecast, preflight};
use crate::model::preflight::{Finding, Severity};
use crate::observe::transport::Protocol;
use crate::store::{TransitionRecord, TransitionState};
use chorus_providers::{Category, ProviderError};
use std::collections::BTreeSet;

/// A change worked out against a zone.
pub(super) struct Wished {
    pub(super) from: BTreeSet<String>,
    pub(super) to: BTreeSet<String>,
    pub(super) known: Picture,
}

impl Controller {
    pub(super) async fn make_plan(&self, name: &Name, change: wire::Change) -> Result<wire::Plan, Refusal> {
        let mut wished = self.wish(name, change).await?;
        self.engine.look(&mut wished.known, Protocol::Tcp).await;
        let inspection = self.inspect(&mut wished.known).await?;
        let world = wished.known.world(&[]);
        let refusals: Vec<wire::Check> = findings(&world, &inspection).into_iter().filter_map(check).collect();
        let forecast = forecast(&world);
        let nothing = wished.from == wished.to && wished.known.transition.is_none();
        let steps = if nothing { Vec::new() } else { forecast.steps };
        Ok(wire::Plan {
            zone: plain(name),
            from: wished.from.into_iter().collect(),
            to: wished.to.into_iter().collect(),
            ends_earliest: if nothing { None } else { wire::At::known(forecast.ends) },
            steps: steps.into_iter().zip(1..).map(|(step, number)| plan_step(step, number)).collect(),
            refusals,
            now: wire::At::clock(self.engine.ports().clock.now()),
        })
    }

    pub(super) async fn start(&self, name: &Name, set: wire::SetGroup) -> Result<wire::SetAnswer, Refusal> {
        let ports = self.engine.ports();
        // Nothing is kept of zones that are not there.
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let memory = self.engine.memory(name);
        let mut holding = memory.lock().await;
        let Wished { from, to, mut known } = self.wish(name, set.change).await?;
        if to.is_empty() {
            return Err(refusal(name, preflight(&known.world(&[]))));
        }
        if from == to {
            holding.try_again();
            drop(holding);
            if known.transition.is_some() {
                // Whoever asks again has mended what was wrong, or wants to see whether it still is.
                self.engine.turn(name).await.map_err(of_engine)?;
                self.engine.wake();
            }
            let shown = self.show_zone(name).await?;
            return Ok(wire::SetAnswer {
                zone: shown.zone,
                desired: shown.desired,
                transition: shown.transition.filter(|_| known.transition.is_some()),
            });
        }
        if let Some(running) = &known.transition {
            let to: Vec<&str> = running.to.iter().map(String::as_str).collect();
            let text = format!("{} is in the middle of a transition to {}", plain(name), to.join(", "));
            return Err(Refusal::new(RefusalKind::Conflict, "in-transition", text)
                .with_fix("wait until it is done: see `chorus zone show`")
                .with_zone(plain(name)));
        }
        self.engine.look(&mut known, Protocol::Tcp).await;
        let refused = preflight(&known.world(&[]));
        if !refused.is_empty() {
            return Err(refusal(name, refused));
        }
        self.probe(&known).await?;
        let inspection = self.inspect(&mut known).await?;
        let errors = findings(&known.world(&[]), &inspection).into_iter().filter(|f| f.severity == Severity::Error);
        let refused: Vec<Refused> = errors.map(|f| Refused { code: f.code, text: f.text, fix: f.fix }).collect();
        if !refused.is_empty() {
            return Err(refusal(name, refused));
        }
        for (operator, ttl_s) in &known.lifetimes.zone_ttls_s {
            ports.store.saw_zone_ttl(name, operator, *ttl_s).await.map_err(of_store)?;
        }
        ports.store.record(name, &known.history, known.observed_at).await.map_err(of_store)?;
        let mut id = [0; 8];
        ports.random.fill(&mut id);
        let transition = TransitionRecord {
            id: format!("t_{}", crate::model::dns::hex(&id)),
            author: "api".into(),
            reason: set.reason,
            from,
            to,
            state: TransitionState::Running,
            started_at: ports.clock.now(),
            ended_at: None,
            certificate: None,
        };
        let listed = |group: &BTreeSet<String>| group.iter().cloned().collect::<Vec<_>>().join(", ");
        let reason = transition.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text = format!("from {} to {}{reason}", listed(&transition.from), listed(&transition.to));
        ports.store.start_transition(name, &transition, &text).await.map_err(of_store)?;
        drop(holding);
        self.engine.wake();
        let shown = self.show_zone(name).await?;
        Ok(wire::SetAnswer { zone: shown.zone, desired: shown.desired, transition: shown.transition })
    }

    /// Works a change out against the desired group of this moment.
    pub(super) async fn wish(&self, name: &Name, change: wire::Change) -> Result<Wished, Refusal> {
        let (stored, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        let members = stored.record.members.clone();
        let from: BTreeSet<String> =
            members.iter().filter(|(_, desired)| **desired).map(|(op, _)| op.clone()).collect();
        let mut to = from.clone();
        let must_be_in = |operator: &String| {
            if from.contains(operator) {
                return Ok(());
            }
            Err(Refusal::new(
                RefusalKind::Invalid,
                "not-a-member",
                format!("{operator} is not an operator of {}", plain(name)),
            )
            .with_fix(format!("its operators are {}", from.iter().cloned().collect::<Vec<_>>().join(", ")))
            .with_operator(operator.clone()))
        };
        match change {
            wire::Change::Set(operators) => to = operators.into_iter().collect(),
            wire::Change::Join(operator) => {
                to.insert(operator);
            }
            // Asking for what is on its way already is no error.
            wire::Change::Leave(operator) if members.get(&operator) == Some(&false) => {}
            wire::Change::Leave(operator) => {
                must_be_in(&operator)?;
                to.remove(&operator);
            }
            wire::Change::Replace { old, new } => {
                if members.get(&old) != Some(&false) {
                    must_be_in(&old)?;
                }
                to.remove(&old);
                to.insert(new);
            }
        }
        for operator in &to {
            if self.engine.ports().store.operator(operator).await.map_err(of_store)?.is_none() {
                return Err(no_operator(operator));
            }
        }
        let all: BTreeSet<String> = members.keys().chain(&to).cloned().collect();
        let all = all.into_iter().map(|op| (op.clone(), to.contains(&op)));
        let operators = self.engine.ports().operators(all).await.map_err(of_engine)?;
        let picture = self.engine.ports().picture(stored.record, stored.history, operators, stored.transition).await;
        Ok(Wished { from, to, known: picture.map_err(of_engine)? })
    }

    /// Every operator is asked to take a write that changes nothing.
    async fn probe(&self, known: &Picture) -> Result<(), Refusal> {
        let names = known.members.keys().map(|name| (name.clone(), true));
        for (operator, _) in self.engine.ports().operators(names).await.map_err(of_engine)? {
            let provider = self.engine.ports().providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
            if let Err(e) = provider.probe(&known.record.name).await {
                return Err(of_provider(&operator.name, &e).with_zone(plain(&known.record.name)));
            }
        }
        Ok(())
    }
}

fn of_provider(operator: &str, error: &ProviderError) -> Refusal {
    let kind = match error.category() {
        Category::AskHuman => RefusalKind::Preflight,
        Category::Retry | Category::ReadBack => RefusalKind::Unavailable,
    };
    Refusal::new(kind, error.code(), format!("{operator}: {error}")).with_fix(error.advice()).with_operator(operator)
}

fn refusal(name: &Name, refused: Vec<Refused>) -> Refusal {
    let mut refused = refused.into_iter();
    let Some(first) = refused.next() else {
        return Refusal::new(RefusalKind::Invalid, "last-operator", format!("{} needs an operator", plain(name)));
    };
    let more: Vec<String> = refused.map(|other| other.text).collect();
    let text = std::iter::once(first.text).chain(more).collect::<Vec<_>>().join("; and ");
    Refusal::new(RefusalKind::Preflight, first.code, text).with_fix(first.fix).with_zone(plain(name))
}

/// Notes are for `zone check`.
fn check(finding: Finding) -> Option<wire::Check> {
    let outcome = match finding.severity {
        Severity::Error => wire::Outcome::Fail,
        Severity::Warning => wire::Outcome::Warn,
        Severity::Note => return None,
    };
    Some(wire::Check { code: finding.code.to_owned(), outcome, text: finding.text, fix: Some(finding.fix) })
}

fn plan_step(step: ForecastStep, number: u32) -> wire::Step {
    let writes = step.writes.into_iter().map(|write| {
        let rtype = write.kind.record_type();
        let text = |set: &crate::model::dns::RecordSet| set.iter().map(|rdata| rdata_text(rtype, rdata)).collect();
        wire::Write {
            operator: write.operator,
            rtype: show::type_name(write.kind),
            add: text(&write.add),
            remove: text(&write.remove),
        }
    });
    wire::Step {
        number,
        title: step.title,
        state: if number == 1 { wire::StepState::Now } else { wire::StepState::Ahead },
        actor: match step.actor {
            "parent" => wire::Actor::Parent,
            "you" => wire::Actor::You,
            _ => wire::Actor::Chorus,
        },
        writes: writes.collect(),
        guard: (!step.guard.is_empty()).then(|| wire::Guard {
            code: "guard-ttl".into(),
            text: step.guard,
            numbers: step.numbers.into_iter().map(|(what, seconds)| wire::GuardNumber { what, seconds }).collect(),
        }),
        earliest: wire::At::known(step.earliest),
    }
}
