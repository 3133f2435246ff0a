//! Pause, resume, stop, undo, try now.
//!
//! Invariant: each only says where a transition is going, or that it is held; what is then written is the ladder's
//! decision, under the same guards. Of two who act on the same version of a transition one wins, and asking for what is
//! so already changes nothing.

use super::changes::Wished;
use super::{Controller, of_engine, of_store, plain, show};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{self, Verb};
use crate::engine::{Picture, Status, summary};
use crate::model::dns::Name;
use crate::model::group::{Group, Standing, UNCOOPERATIVE, leavers_without_help, nearest_rest};
use crate::store::{Aim, AlgorithmChange, Control, MemberRecord, TransitionRecord, TransitionState};
use std::collections::BTreeMap;

impl Controller {
    pub(super) async fn act(
        &self,
        name: &Name,
        verb: Verb,
        control: wire::Control,
    ) -> Result<wire::SetAnswer, Refusal> {
        // Nothing is kept of zones that are not there.
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let memory = self.engine.memory(name);
        let mut holding = memory.lock().await;
        // Of what was known when the lock was had, not before.
        let (known, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        holding.try_again();
        if verb == Verb::TryNow {
            drop(holding);
            self.store()
                .note("tried-now", "looked at, and tried, before its time", Some(name), None)
                .await
                .map_err(of_store)?;
            self.engine.turn(name).await.map_err(of_engine)?;
            self.engine.wake();
            return self.answer(name, known.transition.is_some()).await;
        }
        if verb == Verb::RegistrarCancelled {
            drop(holding);
            // What an undo or a stop no longer shows is known to be so after the next round.
            self.engine.turn(name).await.map_err(of_engine)?;
            let memory = self.engine.memory(name);
            let holding = memory.lock().await;
            let (known, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
            self.cancel_registrar_requests(name, &known, control.reason).await?;
            drop(holding);
            self.engine.turn(name).await.map_err(of_engine)?;
            self.engine.wake();
            return self.answer(name, known.transition.is_some()).await;
        }
        let Some(running) = &known.transition else {
            if verb == Verb::Repair {
                self.repair(name, known, control.reason).await?;
                drop(holding);
                self.engine.wake();
                return self.answer(name, true).await;
            }
            if verb != Verb::Undo {
                return Err(at_rest(name, verb));
            }
            let last = self.store().last_transition(name).await.map_err(of_store)?;
            if let Some(last) = last.filter(|last| is_another(last, &control)) {
                return Err(another(name, &last, "ended last"));
            }
            let wished = self.wish(name, wire::Change::Undo).await?;
            let Wished { from, to, algorithm, .. } = &wished;
            if from != to || algorithm.is_some() {
                self.begin(name, wished, control.reason).await?;
            }
            drop(holding);
            self.engine.wake();
            return self.answer(name, true).await;
        };
        if verb == Verb::Repair && !running.is_repair() {
            let text =
                format!("{} is in the middle of a transition, which brings about what the group needs", plain(name));
            return Err(Refusal::new(RefusalKind::Conflict, "in-transition", text)
                .with_fix("wait until it is done")
                .with_zone(plain(name)));
        }
        if verb == Verb::Stop && running.algorithm.is_some() {
            let text = "a roll to another algorithm rests wherever it waits for an operator, and only there";
            return Err(Refusal::new(RefusalKind::Conflict, "cannot-stop", text)
                .with_fix("pause it, or undo it")
                .with_zone(plain(name)));
        }
        if is_another(running, &control) {
            return Err(another(name, running, "is under way"));
        }
        if let Some(next) = after(verb, running, &known) {
            if control.version.is_some_and(|version| version != running.version) {
                return Err(changed(name, running, control.version));
            }
            self.change(name, &known, next, verb, control.reason.as_deref()).await?;
        }
        drop(holding);
        self.engine.wake();
        self.answer(name, true).await
    }

    /// Forgets the DS and NS sets that were shown for the registrar, are shown no more, and will not be handed in.
    async fn cancel_registrar_requests(
        &self,
        name: &Name,
        known: &Picture,
        reason: Option<String>,
    ) -> Result<(), Refusal> {
        let mut history = known.history.clone();
        if !history.cancel_registrar_requests() {
            let zone = plain(name);
            let (code, text, fix) = match known.history.registrar_requests().next() {
                None => (
                    "no-registrar-request",
                    format!("no earlier request to the registrar of {zone} is pending"),
                    format!("nothing has to be done; see `chorus zone show {zone}`"),
                ),
                Some(_) => (
                    "registrar-request-shown",
                    format!("Chorus still shows the DS or NS set of {zone} for the registrar"),
                    match known.transition {
                        Some(_) => {
                            format!("hand it in; or run `chorus zone undo {zone}` or `chorus zone stop {zone}` first")
                        }
                        None => "hand it in: the zone needs it".to_owned(),
                    },
                ),
            };
            return Err(Refusal::new(RefusalKind::Conflict, code, text).with_fix(fix).with_zone(zone));
        }
        let kept: Vec<_> = history.registrar_requests().map(|kept| (kept.kind, kept.since)).collect();
        let gone = known.history.registrar_requests().filter(|one| !kept.contains(&(one.kind, one.since)));
        let gone: Vec<String> = gone.map(|one| show::request(&one)).collect();
        self.store().set_registrar_requests(name, &history).await.map_err(of_store)?;
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text = format!("declared not to be handed in to the registrar: {}{reason}", gone.join("; "));
        self.store().note("registrar-cancelled", &text, Some(name), None).await.map_err(of_store)
    }

    /// Starts a transition to the present group: what it lacks is put right.
    async fn repair(&self, name: &Name, known: Picture, reason: Option<String>) -> Result<(), Refusal> {
        let wanted = known.record.members.iter().map(|(operator, member)| (operator.clone(), member.wanted));
        let group: Group = wanted.filter(|(_, wanted)| *wanted > Standing::Outside).collect();
        let wished = self.work_out(known, group.clone(), group, None, None).await?;
        self.begin(name, wished, reason).await
    }

    async fn change(
        &self,
        name: &Name,
        known: &Picture,
        next: TransitionRecord,
        verb: Verb,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let ports = self.engine.ports();
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let goes_to = format!("it goes to {}", show::listed(next.target()));
        let (kind, what) = match verb {
            Verb::Pause => ("paused", "paused: keys are still shared, nothing else is written".to_owned()),
            Verb::Resume | Verb::Repair => ("resumed", format!("resumed: {goes_to}")),
            Verb::Stop => ("stopping", format!("to stop at the nearest rest state: {goes_to}")),
            Verb::Undo | Verb::TryNow | Verb::RegistrarCancelled => ("undoing", format!("to be undone: {goes_to}")),
        };
        let (at, members) = (ports.clock.now(), wanted(&known.record.members, next.target()));
        let control = Control {
            summary: summary(&Status::read(&known.record.status), members.len(), Some(&next), at),
            members,
            transition: next,
            kind,
            text: format!("{what}{reason}"),
            at,
        };
        self.store().control_transition(name, &control).await.map_err(of_store)
    }

    /// The operator that is said to be gone leaves the transition that is under way, too.
    pub(super) async fn leave_without(
        &self,
        name: &Name,
        operator: &str,
        running: &TransitionRecord,
        wished: &Wished,
    ) -> Result<(), Refusal> {
        if let Some((leaver, refused)) = leavers_without_help(&wished.known.world()).into_iter().next() {
            return Err(super::changes::refusal(name, vec![refused]).with_operator(leaver));
        }
        let takes_none = wished.known.members.get(operator).is_some_and(|member| member.uncooperative);
        if running.algorithm.is_some() && takes_none {
            let text = format!(
                "a roll of {} to another algorithm is under way, and needs {operator} to take part",
                plain(name)
            );
            return Err(Refusal::new(RefusalKind::Conflict, UNCOOPERATIVE, text)
                .with_fix(match running.aim {
                    Aim::Undoing => {
                        format!("get {operator} to take updates until the roll is undone, and let it leave after that")
                    }
                    _ => format!("run `chorus zone undo {}` first, and let {operator} leave after that", plain(name)),
                })
                .with_operator(operator.to_owned()));
        }
        let without = |group: &Group| {
            let mut group = group.clone();
            group.remove(operator);
            group
        };
        let (to, rest) = (without(&running.to), running.rest.as_ref().map(without));
        let from = if running.aim == Aim::Undoing { without(&running.from) } else { running.from.clone() };
        // Where the transition was to leave this operator alone, the others are what is left of it.
        let to = if to.is_empty() { from.clone() } else { to };
        let transition = TransitionRecord { from, to, rest, ..running.clone() };
        let at = self.engine.ports().clock.now();
        let status = Status::read(&wished.known.record.status);
        let control = Control {
            summary: summary(&status, wished.members.len(), Some(&transition), at),
            transition,
            members: wished.members.clone(),
            kind: "left-unreachable",
            text: match wished.known.world().member(operator).is_some_and(|member| member.unreachable) {
                true => format!("{operator} leaves without its cooperation: it does not answer"),
                false => format!("{operator} leaves without its cooperation: it takes no updates"),
            },
            at,
        };
        self.store().control_transition(name, &control).await.map_err(of_store)
    }

    /// Only who does not answer can be left without being asked.
    pub(super) fn must_be_silent(&self, name: &Name, operator: &str, known: &Picture) -> Result<(), Refusal> {
        if known.world().is_lost(operator) {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalKind::Conflict,
            "operator-answers",
            format!("{operator} answers for {}, or has not been found silent yet", plain(name)),
        )
        .with_fix("let it leave without --unreachable: then its own copy of the name server set is mended, too")
        .with_operator(operator))
    }

    /// The group from before: of the transition under way, else of the last one, if nothing else has happened since.
    pub(super) async fn undone(
        &self,
        name: &Name,
        stored: &Picture,
        now: &Group,
    ) -> Result<(Group, Option<AlgorithmChange>), Refusal> {
        if let Some(running) = &stored.transition {
            return Ok((running.from.clone(), running.algorithm.map(AlgorithmChange::back)));
        }
        let last = self.engine.ports().store.last_transition(name).await.map_err(of_store)?;
        let Some(last) = last else { return Err(at_rest(name, Verb::Undo)) };
        if last.target() != now {
            let text = format!("{} has changed since {}", plain(name), last.id);
            return Err(Refusal::new(RefusalKind::Conflict, "nothing-to-undo", text)
                .with_fix("say the group that you want with `chorus zone set`")
                .with_zone(plain(name)));
        }
        let again = last.state == TransitionState::Undone;
        let algorithm = last.algorithm.map(|change| if again { change } else { change.back() });
        Ok((if again { last.to } else { last.from }, algorithm))
    }
}

/// The transition after the verb; `None` when it is so already.
fn after(verb: Verb, running: &TransitionRecord, known: &Picture) -> Option<TransitionRecord> {
    let going = |aim: Aim, rest: Option<Group>| TransitionRecord { aim, rest, paused: false, ..running.clone() };
    match verb {
        Verb::Pause => (!running.paused).then(|| TransitionRecord { paused: true, ..running.clone() }),
        Verb::Resume if running.paused => Some(TransitionRecord { paused: false, ..running.clone() }),
        Verb::Resume => (running.aim != Aim::Going).then(|| going(Aim::Going, None)),
        Verb::Stop if running.aim == Aim::Stopping && !running.paused => None,
        Verb::Stop => {
            let rest = nearest_rest(&known.world(), &running.from, &running.to);
            Some(going(Aim::Stopping, Some(rest.group)))
        }
        Verb::Undo => (running.aim != Aim::Undoing || running.paused).then(|| going(Aim::Undoing, None)),
        Verb::TryNow | Verb::RegistrarCancelled => None,
        // Asked for again: it goes on.
        Verb::Repair => running.paused.then(|| TransitionRecord { paused: false, ..running.clone() }),
    }
}

/// The zone's operators, wanted as the group has them. That one was declared unreachable or uncooperative stays on record until
/// the transition ends: an undo that is taken back finds it again.
pub(super) fn wanted(members: &BTreeMap<String, MemberRecord>, group: &Group) -> BTreeMap<String, MemberRecord> {
    let names = members.keys().chain(group.keys());
    let each = names.map(|name| {
        let wanted = group.get(name).copied().unwrap_or(Standing::Outside);
        let before = members.get(name);
        let unreachable = before.is_some_and(|member| member.unreachable);
        let uncooperative = before.is_some_and(|member| member.uncooperative);
        (name.clone(), MemberRecord { wanted, unreachable, uncooperative })
    });
    each.collect()
}

pub(super) fn at_rest(name: &Name, verb: Verb) -> Refusal {
    let text = format!("{} is at rest: there is no transition to {}", plain(name), verb.name());
    Refusal::new(RefusalKind::Conflict, "no-transition", text)
        .with_fix("see `chorus zone show`, and `chorus zone history` for what happened before")
        .with_zone(plain(name))
}

/// Whether the caller saw another transition than this one.
fn is_another(transition: &TransitionRecord, control: &wire::Control) -> bool {
    control.transition.as_ref().is_some_and(|saw| *saw != transition.id)
}

fn another(name: &Name, transition: &TransitionRecord, what: &str) -> Refusal {
    let text = format!("you saw another transition of {}: by now {} {what}", plain(name), transition.id);
    Refusal::new(RefusalKind::Conflict, "transition-changed", text)
        .with_fix("look at it with `chorus zone show`, and decide anew")
        .with_zone(plain(name))
}

fn changed(name: &Name, running: &TransitionRecord, saw: Option<i64>) -> Refusal {
    let text = format!(
        "transition {} of {} is at version {}, and you saw version {}: it is {} now",
        running.id,
        plain(name),
        running.version,
        saw.unwrap_or_default(),
        if running.paused { "paused" } else { running.aim.as_str() }
    );
    Refusal::new(RefusalKind::Conflict, "transition-changed", text)
        .with_fix("look at it with `chorus zone show`, and decide anew")
        .with_zone(plain(name))
}
