//! Changes of the desired group: planned, and started.
//!
//! Invariant: a transition starts only on a world that was observed under the zone's lock, passed preflight, and whose
//! operators take updates.

use super::check::{cannot_leave, findings, foreign_keys};
use super::control::{at_rest, wanted};
use super::under_way::expected;
use super::{Controller, learn_ttls, no_operator, of_engine, of_store, plain, show};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire;
use crate::engine::{Picture, Status, leftovers, summary};
use crate::model::dns::{Name, rdata_text};
use crate::model::group::{
    ForecastStep, ForecastWait, Group, Refused, Standing, World, algorithm_name, algorithm_number, algorithms_of,
    dead_leavers, forecast, leavers_without_help, nearest_rest, preflight,
};
use crate::model::preflight::{Finding, Severity};
use crate::observe::transport::Protocol;
use crate::store::{Aim, AlgorithmChange, Forecasted, MemberRecord, TransitionRecord, TransitionState};
use chorus_providers::{Category, ProviderError};
use std::collections::{BTreeMap, BTreeSet};

/// A change worked out against a zone.
pub(super) struct Wished {
    pub from: Group,
    pub to: Group,
    /// The zone's operators, wanted as `to` has them.
    pub members: BTreeMap<String, MemberRecord>,
    /// For the roll of all to another algorithm.
    pub algorithm: Option<AlgorithmChange>,
    pub known: Picture,
}

impl Controller {
    pub(super) async fn make_plan(&self, name: &Name, change: wire::Change) -> Result<wire::Plan, Refusal> {
        let back = matches!(change, wire::Change::Undo | wire::Change::Stop);
        let mut wished = self.wish(name, change).await?;
        self.engine.look(&mut wished.known, Protocol::Tcp).await;
        // Going back is never refused: what is in the way is waited for.
        let inspection = if back && wished.known.transition.is_some() {
            learn_ttls(&self.engine, &mut wished.known).await?;
            None
        } else {
            Some(self.inspect(&mut wished.known).await?)
        };
        let roll = wished.algorithm.map(|change| change.to);
        let world = World { paused: false, algorithm: roll, ..wished.known.world() };
        let mut found: Vec<Finding> = inspection.iter().flat_map(|inspection| findings(&world, inspection)).collect();
        if inspection.is_some() {
            found.extend(self.shared_interfaces(&wished.known).await?);
        }
        found.extend(foreign_keys(&wished.known));
        found.extend(cannot_leave(&world, wished.known.transition.is_none()));
        let refusals: Vec<wire::Check> = found.into_iter().filter_map(check).collect();
        let forecast = forecast(&world);
        let nothing = wished.from == wished.to && roll.is_none() && wished.known.transition.is_none();
        let steps = if nothing { Vec::new() } else { forecast.steps };
        let requests = self.requests(&wished.known, &steps).await?;
        Ok(wire::Plan {
            zone: plain(name),
            trusted: show::trusted(&wished.to),
            algorithm: wished.algorithm.map(show::algorithm),
            from: wished.from.into_keys().collect(),
            to: wished.to.into_keys().collect(),
            ends_earliest: if nothing { None } else { wire::At::known(forecast.ends) },
            steps: steps.into_iter().zip(1..).map(|(step, number)| plan_step(step, number)).collect(),
            requests,
            refusals,
            now: wire::At::clock(self.engine.ports().clock.now()),
        })
    }

    pub(super) async fn start(&self, name: &Name, set: wire::SetGroup) -> Result<wire::SetAnswer, Refusal> {
        // Nothing is kept of zones that are not there.
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let memory = self.engine.memory(name);
        let mut holding = memory.lock().await;
        let (given_up, gone) = match &set.change {
            wire::Change::LeaveUnreachable(operator) => (Some(operator.clone()), Some(operator.clone())),
            wire::Change::LeaveUncooperative(operator) => (Some(operator.clone()), None),
            _ => (None, None),
        };
        let mut wished = self.wish(name, set.change).await?;
        if wished.to.is_empty() {
            return Err(refusal(name, preflight(&wished.known.world())));
        }
        if let Some(operator) = &gone {
            if !wished.known.world().is_lost(operator) {
                // It may have fallen silent since the last turn.
                self.engine.look(&mut wished.known, Protocol::Tcp).await;
            }
            self.must_be_silent(name, operator, &wished.known)?;
        }
        if let (Some(operator), Some(running)) = (&given_up, &wished.known.transition) {
            self.leave_without(name, operator, running, &wished).await?;
            holding.try_again();
            drop(holding);
            self.engine.wake();
            return self.answer(name, true).await;
        }
        if wished.from == wished.to && wished.algorithm.is_none() {
            holding.try_again();
            drop(holding);
            let running = wished.known.transition.is_some();
            if running {
                // Whoever asks again has mended what was wrong, or wants to see whether it still is.
                self.engine.turn(name).await.map_err(of_engine)?;
                self.engine.wake();
            }
            return self.answer(name, running).await;
        }
        if let Some(running) = &wished.known.transition {
            let to: Vec<&str> = running.target().keys().map(String::as_str).collect();
            let text = format!("{} is in the middle of a transition to {}", plain(name), to.join(", "));
            return Err(Refusal::new(RefusalKind::Conflict, "in-transition", text)
                .with_fix("wait until it is done, or `chorus zone stop` or `chorus zone undo` it first")
                .with_zone(plain(name)));
        }
        self.begin(name, wished, set.reason).await?;
        drop(holding);
        self.engine.wake();
        self.answer(name, true).await
    }

    /// Starts a transition to what is wished. The zone's lock is held by the caller.
    pub(super) async fn begin(&self, name: &Name, wished: Wished, reason: Option<String>) -> Result<(), Refusal> {
        super::fits(reason.as_deref())?;
        let ports = self.engine.ports();
        let Wished { from, to, members, algorithm, mut known } = wished;
        self.no_trial_left_over(name).await?;
        self.engine.look(&mut known, Protocol::Tcp).await;
        let roll = algorithm.map(|change| change.to);
        let mut refused = preflight(&World { algorithm: roll, ..known.world() });
        refused.extend(self.shared_interfaces(&known).await?.into_iter().map(refused_for));
        if !refused.is_empty() {
            return Err(refusal(name, refused));
        }
        let leavers = dead_leavers(&known.world()).into_iter().chain(leavers_without_help(&known.world()));
        if let Some((leaver, refused)) = leavers.into_iter().next() {
            return Err(refusal(name, vec![refused]).with_operator(leaver));
        }
        self.probe(&known).await?;
        let inspection = self.inspect(&mut known).await?;
        let world = World { algorithm: roll, ..known.world() };
        let found = findings(&world, &inspection).into_iter().chain(foreign_keys(&known));
        let errors = found.filter(|f| f.severity == Severity::Error);
        let refused: Vec<Refused> = errors.map(refused_for).collect();
        if !refused.is_empty() {
            return Err(refusal(name, refused));
        }
        for (operator, listed) in &known.record.zone_ttls {
            ports.store.set_zone_ttl(name, operator, *listed).await.map_err(of_store)?;
        }
        ports.store.record(name, &known.history, known.observed_at).await.map_err(of_store)?;
        let mut id = [0; 8];
        ports.random.fill(&mut id);
        let started_at = ports.clock.now();
        let world = World { now: started_at, ..world };
        let way = forecast(&world);
        let forecast = Forecasted { earliest: way.ends, expected: expected(&world, &way) };
        let transition = TransitionRecord {
            id: format!("t_{}", crate::model::dns::hex(&id)),
            author: self.caller.name.clone(),
            reason,
            from,
            to,
            state: TransitionState::Running,
            aim: Aim::Going,
            rest: None,
            paused: false,
            algorithm,
            version: 1,
            started_at,
            ended_at: None,
            certificate: None,
            evidence: None,
            departed: BTreeSet::new(),
            forecast: Some(forecast),
        };
        let reason = transition.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text = match transition.algorithm {
            Some(AlgorithmChange { from, to }) => {
                format!("from {} to {}{reason}", algorithm_name(from), algorithm_name(to))
            }
            None => format!("from {} to {}{reason}", show::listed(&transition.from), show::listed(&transition.to)),
        };
        let status = Status::read(&known.record.status);
        let found = summary(&status, members.len(), Some(&transition), transition.started_at);
        self.store().start_transition(name, &transition, &members, &text, &found).await.map_err(of_store)
    }

    /// What a trial placed would count as its operator's own. One that is under way holds the zone's lock.
    async fn no_trial_left_over(&self, name: &Name) -> Result<(), Refusal> {
        let Some((operator, text, fix)) = self.trial_left_over(name).await? else { return Ok(()) };
        Err(Refusal::new(RefusalKind::Conflict, "trial-left-over", text)
            .with_fix(fix)
            .with_zone(plain(name))
            .with_operator(operator))
    }

    /// A trial in this zone that came to no end: its operator, what it may have left, and what to do.
    pub(super) async fn trial_left_over(&self, name: &Name) -> Result<Option<(String, String, String)>, Refusal> {
        let (trials, zone) = (self.engine.ports().store.trials().await.map_err(of_store)?, name.to_string());
        let Some(trial) = trials.into_iter().find(|trial| trial.zone == zone) else { return Ok(None) };
        let (zone, operator) = (plain(name), trial.operator);
        let left = leftovers(name, &trial.before);
        let text =
            format!("what a trial placed in {zone} at {operator} may still be there, for it was interrupted: {left}");
        let fix = format!("run `chorus operator check {operator} --zone {zone} --write` again, or restart the daemon");
        Ok(Some((operator, text, fix)))
    }

    pub(super) async fn answer(&self, name: &Name, with_transition: bool) -> Result<wire::SetAnswer, Refusal> {
        let shown = self.show_zone(name).await?;
        Ok(wire::SetAnswer {
            zone: shown.zone,
            desired: shown.desired,
            transition: shown.transition.filter(|_| with_transition),
        })
    }

    /// Works a change out against the desired group of this moment.
    pub(super) async fn wish(&self, name: &Name, change: wire::Change) -> Result<Wished, Refusal> {
        let (stored, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        let members = &stored.record.members;
        let from: Group = members.iter().map(|(op, member)| (op.clone(), member.wanted)).collect();
        let from: Group = from.into_iter().filter(|(_, wanted)| *wanted > Standing::Outside).collect();
        let mut to = from.clone();
        let leaving = |operator: &String| members.get(operator).is_some_and(|m| m.wanted == Standing::Outside);
        let must_be_in = |operator: &String| {
            if from.contains_key(operator) {
                return Ok(());
            }
            Err(Refusal::new(
                RefusalKind::Invalid,
                "not-a-member",
                format!("{operator} is not an operator of {}", plain(name)),
            )
            .with_fix(format!("its operators are {}", show::listed(&from)))
            .with_operator(operator.clone()))
        };
        let (mut given_up, mut algorithm) = (None, None);
        match change {
            wire::Change::Set(operators) => to = operators.into_iter().map(|op| (op, Standing::Serving)).collect(),
            wire::Change::Join(operator) => {
                to.insert(operator, Standing::Serving);
            }
            wire::Change::LeaveUnreachable(operator) => {
                if !leaving(&operator) {
                    must_be_in(&operator)?;
                }
                to.remove(&operator);
                given_up = Some(GivenUp { operator, answers: false });
            }
            wire::Change::LeaveUncooperative(operator) => {
                if !leaving(&operator) {
                    must_be_in(&operator)?;
                }
                to.remove(&operator);
                given_up = Some(GivenUp { operator, answers: true });
            }
            // Asking for what is on its way already is no error.
            wire::Change::Leave(operator) if leaving(&operator) => {}
            wire::Change::Leave(operator) => {
                must_be_in(&operator)?;
                to.remove(&operator);
            }
            wire::Change::Replace { old, new } => {
                if !leaving(&old) {
                    must_be_in(&old)?;
                }
                to.remove(&old);
                to.insert(new, Standing::Serving);
            }
            wire::Change::Algorithm(text) => algorithm = rolled_to(name, &stored, &text)?,
            wire::Change::Undo => (to, algorithm) = self.undone(name, &stored, &from).await?,
            wire::Change::Stop => {
                let running = stored.transition.as_ref().ok_or_else(|| at_rest(name, wire::Verb::Stop))?;
                to = nearest_rest(&stored.world(), &running.from, &running.to).group;
            }
        }
        self.work_out(stored, from, to, algorithm, given_up).await
    }

    /// The zone as it is to be: its operators, wanted as `to` has them.
    pub(super) async fn work_out(
        &self,
        stored: Picture,
        from: Group,
        to: Group,
        algorithm: Option<AlgorithmChange>,
        given_up: Option<GivenUp>,
    ) -> Result<Wished, Refusal> {
        for operator in to.keys() {
            if self.engine.ports().store.operator(operator).await.map_err(of_store)?.is_none() {
                return Err(no_operator(operator));
            }
        }
        let mut members = wanted(&stored.record.members, &to);
        if let Some(GivenUp { operator, answers }) = given_up
            && let Some(member) = members.get_mut(&operator)
        {
            member.unreachable = !answers;
            // An uncooperative operator that is declared unreachable, and answers again, still takes no updates.
            member.uncooperative |= answers;
        }
        let all = members.iter().map(|(op, member)| (op.clone(), *member));
        let operators = self.engine.ports().operators(all).await.map_err(of_engine)?;
        let picture = self.engine.ports().picture(stored.record, stored.history, operators, stored.transition).await;
        Ok(Wished { from, to, members, algorithm, known: picture.map_err(of_engine)? })
    }

    /// Every operator is asked to take a write that changes nothing. One whose account lets no more requests through for now is
    /// none that refuses: what it permits shows when the first write to it comes through.
    async fn probe(&self, known: &Picture) -> Result<(), Refusal> {
        // Whoever is gone is not written to.
        let there = known.members.iter().filter(|(_, member)| !member.is_given_up());
        let names = there.map(|(name, _)| (name.clone(), MemberRecord::wanted(Standing::Serving)));
        for (operator, _) in self.engine.ports().operators(names).await.map_err(of_engine)? {
            let provider = self.engine.ports().providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
            match provider.probe(&known.record.name).await {
                Ok(()) => self.try_foreign_key(known, &operator, provider.as_ref()).await?,
                Err(e) if e.is_put_off() && provider.capabilities().requests_are_limited => {}
                Err(e) => return Err(of_provider(&operator.name, &e).with_zone(plain(&known.record.name))),
            }
        }
        Ok(())
    }
}

/// An operator that leaves and does not help.
pub(super) struct GivenUp {
    operator: String,
    /// It answers, and takes no updates.
    answers: bool,
}

/// The roll that this asks for; `None` where all operators are there already.
fn rolled_to(name: &Name, stored: &Picture, text: &str) -> Result<Option<AlgorithmChange>, Refusal> {
    let to = algorithm_number(text).ok_or_else(|| {
        Refusal::new(
            RefusalKind::Invalid,
            "unknown-algorithm",
            format!("{text} is not an algorithm that can be rolled to"),
        )
        .with_fix("say ecdsap256sha256, ed25519, rsasha256, ecdsap384sha384 or ed448")
    })?;
    let world = stored.world();
    let used: BTreeSet<u8> = world.members.keys().flat_map(|operator| algorithms_of(&world, operator)).collect();
    let others: Vec<u8> = used.into_iter().filter(|algorithm| *algorithm != to).collect();
    match others.as_slice() {
        [] => Ok(None),
        [from] => Ok(Some(AlgorithmChange { from: *from, to })),
        many => {
            let names: Vec<String> = many.iter().map(|algorithm| algorithm_name(*algorithm)).collect();
            let text = format!("{} is signed with {}", plain(name), names.join(" and "));
            Err(Refusal::new(RefusalKind::Preflight, "algorithm-mismatch", text)
                .with_fix("let all operators sign with one algorithm first")
                .with_zone(plain(name)))
        }
    }
}

pub(super) fn refused_for(finding: Finding) -> Refused {
    Refused { code: finding.code, text: finding.text, fix: finding.fix }
}

pub(super) fn of_provider(operator: &str, error: &ProviderError) -> Refusal {
    let kind = match error.category() {
        Category::AskHuman => RefusalKind::Preflight,
        Category::Retry | Category::ReadBack => RefusalKind::Unavailable,
    };
    Refusal::new(kind, error.code(), format!("{operator}: {error}")).with_fix(error.advice()).with_operator(operator)
}

pub(super) fn refusal(name: &Name, refused: Vec<Refused>) -> Refusal {
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

fn plan_guard(wait: ForecastWait) -> wire::Guard {
    wire::Guard {
        code: wait.code.into(),
        text: wait.text,
        numbers: wait.numbers.into_iter().map(|(what, seconds)| wire::GuardNumber { what, seconds }).collect(),
        until: wait.until.and_then(wire::At::known),
    }
}

fn plan_step(step: ForecastStep, number: u32) -> wire::Step {
    let guards: Vec<wire::Guard> = step.waits.into_iter().map(plan_guard).collect();
    // An end that is not known is later than any that is.
    let last = guards.iter().max_by_key(|guard| (guard.until.is_none(), guard.until.map(wire::At::time)));
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
            "operator" => wire::Actor::Operator,
            "you" => wire::Actor::You,
            _ => wire::Actor::Chorus,
        },
        writes: writes.collect(),
        guard: last.cloned(),
        guards,
        earliest: wire::At::known(step.earliest),
    }
}
