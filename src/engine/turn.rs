//! One turn of one zone: observe, decide, check, write, read back; as long as writes bring something about.
//!
//! Invariant: a guard is held against the moment at which the round of observation began that showed the world it is
//! evaluated on. So a version that is replaced by the write that follows was last seen after every death that the guard
//! waited for, and the history proves it.

use super::alerts::{Alert, alerts};
use super::attempts::Attempts;
use super::beside::{Lookups, confirm_delegation};
use super::course::reached;
use super::evidence::evidence;
use super::judge::{Judged, certificate};
use super::looks::longest_gap;
use super::newcomers::Validated;
use super::picture::{EngineError, Picture};
use super::ports::Ports;
use super::security::{change as change_of_security, is_secure};
use super::signatures::signatures_ending;
use super::status::{Status, Unanswered, WaitingFor};
use super::summary::summary;
use super::writes::Written;
use crate::model::chain::Exposure;
use crate::model::dns::{Name, hex, stored};
use crate::model::group::{Decision, SIGNATURE_EXPIRING, Step, Write, decide, key_turns};
use crate::model::history::{History, Kind, Outcome, Sample, Server, Trouble, Who};
use crate::model::policy::Policy;
use crate::model::resolution::Resolution;
use crate::model::switches::Switch;
use crate::model::time::Time;
use crate::observe::round::Observation;
use crate::observe::transport::Protocol;
use crate::store::{TransitionRecord, ZoneRecord};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// After so many rounds without a pause a turn ends, and the zone is due again at once: others get their turn, too.
const ROUNDS_MAX: usize = 12;
/// What is kept of the history at least, for whoever wants to know what happened.
const REMEMBERED_MIN: Duration = Duration::from_secs(30 * 86_400);

/// What ended longer ago than this no resolver and no parent can remember. The longest that any guard looks back is a few
/// lifetimes one after the other (a CSYNC, the NS set that it makes, the answers of whom that names) and the parent's
/// pipeline; policies may be longer than any fixed time.
fn remembered(policy: &Policy) -> Duration {
    let lifetime = policy.cached(u64::MAX) + policy.stale() + policy.slack();
    (lifetime * 4 + policy.parent_pipeline() * 2).max(REMEMBERED_MIN)
}

/// What is remembered of a zone between turns, and may be forgotten at any moment.
#[derive(Default)]
pub(crate) struct Memory {
    attempts: Attempts,
    /// Since when the same thing is awaited.
    awaiting: Option<(Step, String, Time)>,
    status: Status,
    /// The status as the last turn that came to its end stored it: most turns find just that.
    stored_status: String,
    judged: Judged,
    /// A person has decided anew: what was reverted before is no reason any more not to write it.
    forgiven: bool,
    /// When each newcomer's addresses were inspected before an NS RRset names it, and what is wrong there.
    validated: Validated,
}

impl Memory {
    /// A person says that it may go now: what failed is tried again without its pause. Guards are guards all the same.
    pub(crate) fn try_again(&mut self) {
        self.attempts = Attempts::default();
        self.awaiting = None;
        self.forgiven = true;
        self.validated.clear();
    }
}

pub struct Engine {
    pub(super) ports: Ports,
    memories: Mutex<HashMap<Name, Arc<tokio::sync::Mutex<Memory>>>>,
    /// Wakes the schedule when a zone became due sooner.
    pub(super) wake: tokio::sync::Notify,
    store_trouble: Mutex<Option<String>>,
    pub(super) lookups: Lookups,
}

impl Engine {
    pub fn new(ports: Ports) -> Engine {
        Engine {
            ports,
            memories: Mutex::default(),
            wake: tokio::sync::Notify::new(),
            store_trouble: Mutex::default(),
            lookups: Lookups::default(),
        }
    }

    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// To be called when a zone was given something to do.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whoever holds this is the only one that acts on the zone.
    pub(crate) fn memory(&self, zone: &Name) -> Arc<tokio::sync::Mutex<Memory>> {
        // The map is whole even if somebody panicked beside it.
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.entry(zone.clone()).or_default().clone()
    }

    /// What the store did not take, or did not give, in the newest turn of all.
    pub fn store_trouble(&self) -> Option<String> {
        self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store_did(&self, what: Option<String>) {
        *self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// One turn. Returns when the zone is due again; that is stored as well.
    pub async fn turn(&self, zone: &Name) -> Result<Time, EngineError> {
        let turned = self.whole_turn(zone).await;
        if let Err(EngineError::Store(e)) = &turned {
            self.store_did(Some(e.to_string()));
        }
        turned
    }

    async fn whole_turn(&self, zone: &Name) -> Result<Time, EngineError> {
        let held = self.memory(zone);
        let mut memory = held.lock().await;
        let Some(record) = self.ports.store.zone(zone).await? else {
            drop(memory);
            self.forget(zone, &held);
            return Err(EngineError::NoZone(zone.clone()));
        };
        // Before anything else can fail: what the last turn found is not known any worse because this one finds nothing.
        if std::mem::take(&mut memory.stored_status) != record.status {
            memory.status = Status::read(&record.status);
        }
        if std::mem::take(&mut memory.forgiven) {
            memory.status.written.clear();
            memory.status.sampling.at = None;
            memory.status.second_writer = None;
            memory.status.losses.clear();
        }
        let wanted = || self.is_wanted(&held);
        let members = record.members.len();
        let turned = self.rounds(record, &mut memory, wanted).await;
        let now = self.ports.clock.now();
        self.store_did(if let Err(EngineError::Store(e)) = &turned { Some(e.to_string()) } else { None });
        let (due, trouble) = match turned {
            Ok(due) => (due, None),
            Err(e) => (now.plus(self.ports.pace.slowest), Some(e.to_string())),
        };
        if trouble != memory.status.trouble {
            if let Some(trouble) = &trouble {
                tracing::warn!(%zone, "the turn could not be finished: {trouble}");
            }
            memory.status.trouble = trouble;
        }
        memory.stored_status = memory.status.write();
        let running = self.ports.store.running_transition(zone).await?;
        let found = summary(&memory.status, members, running.as_ref(), now);
        self.ports.store.set_status(zone, due, &memory.stored_status, &found).await?;
        drop(memory);
        self.forget(zone, &held);
        Ok(due)
    }

    /// A zone that nobody else is busy with costs no memory until its next turn, unless something is awaited.
    fn forget(&self, zone: &Name, held: &Arc<tokio::sync::Mutex<Memory>>) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: whoever else wanted it would have taken it from the map, which is locked.
        let unused = Arc::strong_count(held) == 2;
        if unused && held.try_lock().is_ok_and(|memory| memory.awaiting.is_none() && memory.attempts.is_empty()) {
            memories.remove(zone);
        }
    }

    /// Whether anybody waits for the zone, to pause it for instance. The map's and ours: others have one each.
    fn is_wanted(&self, held: &Arc<tokio::sync::Mutex<Memory>>) -> bool {
        Arc::strong_count(held) > 2
    }

    /// `wanted`: whether somebody else waits for the zone, who gets it before the next write.
    async fn rounds(
        &self,
        record: ZoneRecord,
        memory: &mut Memory,
        wanted: impl Fn() -> bool,
    ) -> Result<Time, EngineError> {
        let zone = &record.name.clone();
        let mut known = self.ports.load(record, &memory.status).await?;
        let mut done = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let at_rest = known.transition.is_none() && memory.status.settled;
            let protocol = if at_rest { Protocol::Udp } else { Protocol::Tcp };
            self.set_right(&mut known, &mut memory.status).await?;
            let observed = self.observe(&mut known, protocol).await;
            self.tell_done(&known, std::mem::take(&mut done)).await?;
            // What came and went is stored before it is no longer in flight.
            observed?;
            Engine::look_for_a_second_writer(&mut known, &mut memory.status);
            self.see_what_arrived(&mut known).await?;
            if self.set_right(&mut known, &mut memory.status).await? {
                // In the middle of the round: nothing is decided from what was seen by two clocks.
                (memory.attempts, memory.awaiting) = (Attempts::default(), None);
                continue;
            }
            Engine::clock_was_steady(&mut memory.status);
            self.take_over(&mut known).await?;
            // Alone and without a wish, a zone is watched and left as it is, once nothing of ours stands there in the way.
            let alone = known.transition.is_none() && known.members.len() < 2;
            let managed = !alone || known.world().serves_placed_records_of_no_member();
            self.forget_enacted_requests(&mut known).await?;
            let world = known.world();
            let mut decision = decide(&world);
            if alone && managed {
                decision.writes.retain_mut(Write::leave_keys_only);
            }
            Engine::tell_of_the_second_writer(&memory.status, &mut decision);
            let mut is_old = self.learn_ttls(&mut known, &mut memory.status, &memory.attempts, &decision).await?;
            is_old |= managed && self.validate_newcomers(&known, &mut decision, &mut memory.validated).await;
            memory.judged.look(&known);
            let told_at = self.tell(zone, memory, &known, &decision).await?;
            memory.status.told_at = Some(told_at);
            self.store_registrar_requests(&mut known, &decision).await?;
            self.alert(&known, &mut memory.status, &decision).await?;
            self.measure_parent(&known, &mut memory.status, &decision).await?;
            if is_old {
                self.note(memory, &known, &decision, &Written::default());
                continue;
            }
            let held = Engine::held_for_clock(&memory.status, &decision).filter(|_| managed && !decision.is_settled());
            if let Some(held) = held {
                self.note(memory, &known, &decision, &Written { waiting: vec![held], ..Written::default() });
            } else if managed && !decision.writes.is_empty() {
                let status = &mut memory.status;
                let written = self.write(&mut known, &decision, &mut memory.attempts, status).await?;
                self.note(memory, &known, &decision, &written);
                if written.changed {
                    done = written.done;
                    if wanted() {
                        break;
                    }
                    continue;
                }
            } else {
                memory.attempts = Attempts::default();
                self.note(memory, &known, &decision, &Written::default());
            }
            if (decision.is_settled() || known.is_given_up())
                && known.transition.is_some()
                && let Some(again) = self.end(&mut known, &mut memory.status, decision.is_settled()).await?
            {
                return Ok(again);
            }
            let mut sampled = Time::MAX;
            if known.transition.is_none() {
                self.forget_the_dead(&known).await?;
                sampled = self.sample_at_rest(&known, &mut memory.status).await?;
            }
            return Ok(self.due(memory, &known, &decision, managed).min(sampled));
        }
        self.tell_done(&known, done).await?;
        Ok(self.ports.clock.now())
    }

    /// Asks every address and records what it shows. A quick round that shows anything new or wrong is asked again over TCP,
    /// and only that counts.
    pub(crate) async fn observe(&self, known: &mut Picture, protocol: Protocol) -> Result<(), EngineError> {
        self.look(known, protocol).await;
        self.ports.store.record(&known.record.name, &known.history, known.observed_at).await?;
        Ok(())
    }

    /// [`Engine::observe`] without storing anything: for a zone that is not adopted yet, or a change that is only planned.
    pub(crate) async fn look(&self, known: &mut Picture, protocol: Protocol) {
        let Observation { mut began, mut samples } = self.ask(known, protocol).await;
        if protocol == Protocol::Udp && samples.iter().any(|sample| is_news(&known.history, sample)) {
            Observation { began, samples } = self.ask(known, Protocol::Tcp).await;
        }
        confirm_delegation(known, &mut samples);
        Engine::leave_out(known, &mut samples);
        let listed = |server: &Server| match &server.who {
            Who::Parent => known.places.parent.contains(server),
            Who::Operator(name) => known.places.operators.get(name).is_none_or(|servers| servers.contains(server)),
            Who::Public => known.is_named(&server.host),
            Who::Registrar => true,
        };
        let retired: Vec<Server> = known.history.servers().filter(|server| !listed(server)).cloned().collect();
        for server in retired {
            known.history.retire(&server, began);
        }
        known.history.record_round(&samples);
        self.look_beside(known, &samples, began, protocol).await;
        known.lose_the_lost();
        let without = self.ports.switches.without;
        known.lifetimes.without = without;
        known.suppose_unseen();
        known.observed_at = if without.leaves_out(Switch::RoundStart) { self.ports.clock.now() } else { began };
    }

    async fn ask(&self, known: &Picture, protocol: Protocol) -> Observation {
        let (operators, parent) = known.servers();
        let (zone, parent_zone) = (&known.record.name, &known.places.parent_zone);
        let mut observed = self.ports.observe.observe(zone, parent_zone, &operators, &parent, protocol).await;
        observed.samples.extend(self.ask_for_hosts(known, &operators, protocol).await);
        observed
    }

    /// Events for what has changed since the last round. Returns until when everything has been told.
    async fn tell(
        &self,
        zone: &Name,
        memory: &Memory,
        known: &Picture,
        decision: &Decision,
    ) -> Result<Time, EngineError> {
        let transition = known.transition.as_ref().map(|transition| transition.id.as_str());
        let now = self.ports.clock.now();
        for (operator, standing) in &decision.standings {
            if memory.status.standings.get(operator).is_some_and(|before| before != standing) {
                let text = format!("{operator} is {}", standing.label());
                tracing::info!(%zone, %operator, "{text}");
                self.ports.store.add_event(zone, now, "standing", &text, transition, Some(operator)).await?;
            }
        }
        if let Some(transition) = transition
            && memory.status.step != decision.step
            && decision.step != Step::Settled
        {
            let waiting = decision.waits.iter().find(|wait| wait.step == decision.step);
            let writing = decision.writes.iter().find(|write| write.step == decision.step);
            let text = waiting
                .map(|w| w.text.clone())
                .or(writing.map(|w| format!("{}: {}", w.operator, w.why)))
                .unwrap_or_default();
            self.ports.store.enter_step(zone, transition, decision.step, now, &text).await?;
        }
        let world = known.world();
        for turn in memory.status.told_at.map(|told| key_turns(&world, told)).unwrap_or_default() {
            let text = turn.to_string();
            tracing::info!(%zone, operator = %turn.key.operator, "{text}");
            self.ports.store.add_event(zone, turn.at, "roll", &text, transition, Some(&turn.key.operator)).await?;
        }
        if let Some((kind, text)) = change_of_security(known, &memory.status) {
            tracing::warn!(%zone, "{text}");
            self.ports.store.add_event(zone, now, kind, &text, transition, None).await?;
        }
        for exposure in memory.judged.exposures(known).filter(|exposure| !exposure.insecure) {
            // Once when it is seen, and once more when its end is: that is what everybody wants to know.
            let ends = |exposure: &Exposure| exposure.until < Time::MAX;
            let told = |old: &Exposure| old.what == exposure.what && ends(old) == ends(exposure);
            if !memory.status.exposures.iter().any(told) {
                tracing::error!(%zone, "exposure from {} until {}: {}", exposure.from, exposure.until, exposure.what);
                let text = format!("from {} until {}: {}", exposure.from, exposure.until, exposure.what);
                self.ports.store.add_event(zone, now, "exposure", &text, transition, None).await?;
            }
        }
        Ok(now)
    }

    /// Events for what somebody has to know of.
    async fn alert(&self, known: &Picture, status: &mut Status, decision: &Decision) -> Result<(), EngineError> {
        let (zone, now) = (&known.record.name, self.ports.clock.now());
        let transition = known.transition.as_ref().map(|transition| transition.id.as_str());
        for Alert { kind, text, operator } in alerts(known, status, decision, now) {
            tracing::error!(%zone, "{text}");
            self.ports.store.add_event(zone, now, kind, &text, transition, operator.as_deref()).await?;
        }
        Ok(())
    }

    /// Puts down what the round found.
    fn note(&self, memory: &mut Memory, known: &Picture, decision: &Decision, written: &Written) {
        let mut waiting: Vec<WaitingFor> = written.waiting.clone();
        waiting.extend(decision.waits.iter().map(|wait| WaitingFor {
            step: wait.step,
            code: wait.code.to_owned(),
            text: wait.text.clone(),
            until: wait.until,
        }));
        if !waiting.iter().any(|wait| wait.code == SIGNATURE_EXPIRING) {
            waiting.extend(signatures_ending(known).into_iter().map(|(_, wait)| wait));
        }
        // That something is not served yet says the least: an address that does not answer, for instance, says why.
        waiting.sort_by_key(|wait| (wait.step, wait.code == "operator-lag"));
        let (operators, parent) = known.servers();
        let world = known.world();
        // Who is gone for good is not asked any more, and is as silent as before.
        let is_lost = |server: &Server| matches!(&server.who, Who::Operator(name) if world.is_lost(name));
        let counts = |server: &Server| operators.contains(server) || parent.contains(server) || is_lost(server);
        let unanswered =
            known.history.tracks().filter(|(server, _, _)| counts(server)).filter_map(|(server, kind, track)| {
                if kind == Kind::Addresses {
                    return None;
                }
                let Trouble { since, failure } = track.trouble.clone()?;
                Some(Unanswered { server: server.clone(), kind, since, failure })
            });
        let longest = longest_gap(memory.status.longest_gap.take(), memory.status.observed_at, known);
        let ns = decision.parent_ns.iter().map(|ns| hex(ns.as_wire())).collect();
        memory.status = Status {
            observed_at: Some(known.observed_at),
            step: decision.step,
            waiting,
            standings: decision.standings.clone(),
            exposures: memory.judged.exposures(known).cloned().collect(),
            parent_zone: stored(&known.places.parent_zone),
            settled: decision.is_settled(),
            secure: Some(is_secure(known)),
            parent_ds: decision.parent_ds_keys.iter().map(|key| hex(key.as_wire())).collect(),
            parent_ns: ns,
            unanswered: unanswered.collect(),
            written: std::mem::take(&mut memory.status.written),
            trouble: memory.status.trouble.take(),
            told_at: memory.status.told_at,
            clock: memory.status.clock.take(),
            parent_awaited: memory.status.parent_awaited,
            parent_asked: std::mem::take(&mut memory.status.parent_asked),
            failing: memory.status.failing.take(),
            sampling: std::mem::take(&mut memory.status.sampling),
            second_writer: memory.status.second_writer.take(),
            losses: std::mem::take(&mut memory.status.losses),
            reached: memory.status.reached.take(),
            longest_gap: longest,
            ending: std::mem::take(&mut memory.status.ending),
            listed: std::mem::take(&mut memory.status.listed),
        };
        memory.status.reached = known.transition.as_ref().and_then(|transition| {
            let before = memory.status.reached.take();
            reached(before, &memory.status, &known.record.members, transition, written.step)
        });
        let first = memory.status.waiting.first().map(|wait| (wait.step, wait.code.clone()));
        memory.awaiting = first.map(|(step, code)| match memory.awaiting.take() {
            Some((same_step, same_code, since)) if same_step == step && same_code == code => (step, code, since),
            _ => (step, code, self.ports.clock.now()),
        });
    }

    /// Quick at first while something is expected to change, exact at a guard's end, slow at rest.
    fn due(&self, memory: &Memory, known: &Picture, decision: &Decision, managed: bool) -> Time {
        let (now, pace) = (self.ports.clock.now(), self.ports.pace);
        if !managed {
            return now.plus(pace.rest);
        }
        // Keys may be rolled at any moment, whatever else is awaited.
        let watch = now.plus(pace.watch(key_ttls_s(known).min().map(u64::from)));
        if decision.is_settled() {
            return watch;
        }
        let awaited = memory.awaiting.as_ref().map_or(Duration::ZERO, |(_, _, since)| since.until(now));
        let waits = &memory.status.waiting;
        let poll = now.plus((awaited / 20).clamp(pace.quickest, pace.slowest));
        let guard = waits.iter().filter_map(|wait| wait.until).filter(|until| *until > now).min();
        let only_guards = !waits.is_empty() && waits.iter().all(|wait| wait.until.is_some_and(|until| until > now));
        match guard {
            // Nothing but time is awaited: somebody may still change something, or fail, in between.
            Some(guard) if only_guards => {
                guard.min(now.plus((now.until(guard) / 10).clamp(pace.quickest * 4, pace.slowest)))
            }
            Some(guard) => guard.min(poll),
            None => poll,
        }
        .min(memory.attempts.next_try().unwrap_or(Time::MAX).max(now.plus(pace.quickest / 2)))
        .min(watch)
    }

    pub(super) async fn finish(
        &self,
        known: &Picture,
        status: &Status,
        transition: &TransitionRecord,
        resolution: Resolution,
    ) -> Result<(), EngineError> {
        let now = self.ports.clock.now();
        let zone = &known.record.name;
        let certificate = certificate(known, status, transition, resolution, now);
        let text = certificate.verdict.clone();
        // First, so that no page shows what the transition waited for last beside its end.
        let running = summary(status, known.members.len(), Some(transition), now);
        self.ports.store.set_status(zone, now, &status.write(), &running).await?;
        let evidence = serde_json::to_string(&evidence(known, status, &certificate)).ok();
        let transition = &TransitionRecord { departed: certificate.left.clone(), evidence, ..transition.clone() };
        let certificate = serde_json::to_string(&certificate).unwrap_or_default();
        let found = summary(status, known.members.len(), None, now);
        self.ports.store.end_transition(zone, transition, &certificate, now, &text, &found).await?;
        tracing::info!(%zone, transition = %transition.id, "the transition is done: {text}");
        Ok(())
    }

    /// At rest only: in a transition everything since its beginning is needed for the certificate.
    async fn forget_the_dead(&self, known: &Picture) -> Result<(), EngineError> {
        let long = i64::try_from(remembered(&known.record.policy).as_millis()).unwrap_or(i64::MAX);
        let before = Time(known.observed_at.0.saturating_sub(long));
        if known.history.has_to_forget(before) {
            self.ports.store.forget_before(&known.record.name, before).await?;
        }
        Ok(())
    }
}

/// The TTLs of the DNSKEY sets that the operators serve.
fn key_ttls_s(known: &Picture) -> impl Iterator<Item = u32> {
    let servers = known.places.operators.values().flatten();
    servers.filter_map(|server| Some(known.history.current(server, Kind::Dnskey)?.served.ttl_s))
}

fn is_news(history: &History, sample: &Sample) -> bool {
    match (&sample.outcome, history.current(&sample.server, sample.kind)) {
        (Outcome::Served(served), Some(span)) => {
            span.served.records != served.records
                || span.served.ttl_s != served.ttl_s
                || span.served.signers != served.signers
                || history.trouble(&sample.server, sample.kind).is_some()
        }
        _ => true,
    }
}
