//! Writes: checked, their placements committed, sent, and tried again with growing patience when they bring nothing about.
//!
//! Invariant: nothing is sent that `chain::check` objects to, and nothing whose placements are not committed.

use super::attempts::{Attempts, Patience};
use super::picture::{EngineError, Picture};
use super::ports::NoProvider;
use super::status::{Status, WaitingFor, WrittenLately};
use super::turn::Engine;
use crate::model::chain::{Planned, Scene, check};
use crate::model::dns::{Rdata, RecordSet, plain_text};
use crate::model::group::{Change, Decision, Standing, Step, WITHIN, World, Write, leavers_without_help};
use crate::model::history::{Kind, LAG_MAX, Sent as InFlight, Server};
use crate::model::switches::Switch;
use crate::model::time::Time;
use crate::store::MemberRecord;
use chorus_providers::{Category, Provider, ProviderError, Rrset, Wanted};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a wait says when the check before a write objects to what every guard allows.
pub const CHECK_OBJECTS: &str = "invariant-refused";

/// The code of a change that is stored and not served.
const UNPUBLISHED: &str = "update-unpublished";

/// Whether `zone leave --uncooperative` would be accepted for an operator that is to leave.
fn may_leave_without_help(known: &Picture, operator: &str) -> bool {
    let mut members = known.members.clone();
    let Some(member) = members.get_mut(operator).filter(|member| member.leaves()) else {
        return false;
    };
    member.uncooperative = true;
    leavers_without_help(&World { members: &members, memo: None, ..known.world() }).is_empty()
}

/// What came of a round's writes.
#[derive(Default)]
pub(super) struct Written {
    /// Something was changed: worth reading back at once.
    pub changed: bool,
    /// The first step for which something was changed.
    pub step: Option<Step>,
    pub waiting: Vec<WaitingFor>,
    /// What was changed, for the history. It is told after it has been read back: nothing comes before that.
    pub done: Vec<Done>,
}

/// What came of one write.
enum Sent {
    /// Something was changed, in words.
    Changed(String),
    /// The interface showed the wanted sets already.
    Nothing,
    /// So it did, and it published them again.
    PublishedAgain,
}

/// A write that changed something.
pub(super) struct Done {
    at: Time,
    operator: String,
    text: String,
}

impl Engine {
    /// Makes the writes that nothing objects to.
    pub(super) async fn write(
        &self,
        known: &mut Picture,
        decision: &Decision,
        attempts: &mut Attempts,
        status: &mut Status,
    ) -> Result<Written, EngineError> {
        let mut written = Written::default();
        // What this round sends is judged together: each write has to go with those before it as well.
        let mut planned = Vec::new();
        attempts.keep(&decision.writes);
        for write in &decision.writes {
            let now = self.ports.clock.now();
            if write.is_courtesy {
                self.oblige(known, write, attempts, &mut written).await?;
                continue;
            }
            if let Some(waiting) = attempts.still_waiting(write, now) {
                written.waiting.push(waiting.clone());
                continue;
            }
            if let Some(waiting) = Engine::countered(known, status, write, now) {
                self.report(known, write, &waiting.code, &waiting.text, attempts).await?;
                attempts.again(write, now, waiting.clone(), Patience::default());
                written.waiting.push(waiting);
                continue;
            }
            let provider = match self.provider(&write.operator).await? {
                Ok(provider) => provider,
                // One operator's settings are no reason to leave the others alone.
                Err(e) => {
                    let waiting = WaitingFor {
                        step: write.step,
                        code: "operator-unusable".into(),
                        text: e.to_string(),
                        until: None,
                    };
                    self.report(known, write, &waiting.code, &waiting.text, attempts).await?;
                    attempts.again(write, now, waiting.clone(), Patience::default());
                    written.waiting.push(waiting);
                    continue;
                }
            };
            let patience = Patience { limited: provider.capabilities().requests_are_limited, ..Patience::default() };
            let before = planned.len();
            planned.extend(planned_by(known, write));
            if let Some(objected) = self.objection(known, write, &planned) {
                planned.truncate(before);
                written.waiting.push(objected);
                continue;
            }
            if let Some(waiting) = arriving(known, write) {
                planned.truncate(before);
                written.waiting.push(waiting);
                continue;
            }
            let placed = placements(known, write);
            let mut sent = sent(planned.get(before..).unwrap_or_default(), write, now);
            // The same again is on its way already.
            sent.retain(|(kind, sent)| {
                let last = known.record.in_flight.iter().rev().find(|(at, of, _)| *at == write.operator && of == kind);
                last.is_none_or(|(_, _, last)| (&last.records, &last.partly) != (&sent.records, &sent.partly))
            });
            if !self.ports.switches.without.leaves_out(Switch::Intent) {
                self.ports.store.intend(&known.record.name, &write.operator, &placed, &sent, now).await?;
            }
            known.sent(&write.operator, &sent);
            if let Some(member) = known.members.get_mut(&write.operator) {
                for (kind, records) in placed {
                    member.placements.entry(kind).or_default().extend(records);
                }
            }
            match self.send(known, write, provider.as_ref(), attempts).await {
                Ok(Sent::Changed(text)) => {
                    written.changed = true;
                    written.step = written.step.into_iter().chain([write.step]).min();
                    note(&mut status.written, write, now);
                    written.done.push(Done { at: self.ports.clock.now(), operator: write.operator.clone(), text });
                    // The same again, if somebody undoes it, only with growing patience.
                    attempts.again(write, now, lagging(write), Patience { quick: true, lags: true, ..patience });
                    written.waiting.push(lagging(write));
                }
                Ok(Sent::Nothing) => {
                    let waiting = attempts.published_again(write).map_or_else(|| lagging(write), Clone::clone);
                    attempts.again(write, now, waiting.clone(), Patience { quick: true, lags: true, ..patience });
                    written.waiting.push(waiting);
                }
                Ok(Sent::PublishedAgain) => {
                    let waiting = published_again(write);
                    self.report(known, write, &waiting.code, &waiting.text, attempts).await?;
                    attempts.again(write, now, waiting.clone(), Patience { published: true, lags: true, ..patience });
                    written.waiting.push(waiting);
                }
                Err(e) => {
                    if !e.may_have_been_done() {
                        // It was refused, or not sent at all: nothing of it is on its way.
                        self.expect_no_more(known, &write.operator, &sent).await?;
                    }
                    // Whatever an interface says, it is asked again within a day.
                    let at_least = Duration::from_secs(u64::from(e.retry_after_s().unwrap_or_default())).min(LAG_MAX);
                    let until = e.retry_after_s().map(|_| now.plus(at_least));
                    let mut said = format!("{}: {e}; {}", write.operator, e.advice());
                    if e.category() == Category::AskHuman && may_leave_without_help(known, &write.operator) {
                        said.push_str(&format!(
                            "; if it will not help any more: `chorus zone leave {} {} --uncooperative`",
                            plain_text(&known.record.name),
                            write.operator
                        ));
                    }
                    let waiting = attempts.with_what_is_behind(write, &e, said, until);
                    let text = format!("{}: {}: {e}", write.operator, write.why);
                    self.report(known, write, e.code(), &text, attempts).await?;
                    let quick = e.category() == Category::ReadBack;
                    let (unpublished, put_off) = (e.code() == UNPUBLISHED, e.is_put_off());
                    let patience = Patience { quick, at_least, unpublished, put_off, ..patience };
                    attempts.again(write, now, waiting.clone(), patience);
                    written.waiting.push(waiting);
                }
            }
        }
        Ok(written)
    }

    /// Makes a write that nothing waits for. What comes of it is not waited for, nor told where it fails.
    async fn oblige(
        &self,
        known: &mut Picture,
        write: &Write,
        attempts: &mut Attempts,
        written: &mut Written,
    ) -> Result<(), EngineError> {
        let now = self.ports.clock.now();
        if attempts.still_waiting(write, now).is_some() {
            return Ok(());
        }
        attempts.again(write, now, lagging(write), Patience::default());
        let planned = planned_by(known, write);
        let Ok(provider) = self.provider(&write.operator).await? else { return Ok(()) };
        if self.objection(known, write, &planned).is_some() || arriving(known, write).is_some() {
            return Ok(());
        }
        let sent = sent(&planned, write, now);
        self.ports.store.intend(&known.record.name, &write.operator, &[], &sent, now).await?;
        known.sent(&write.operator, &sent);
        match self.send(known, write, provider.as_ref(), attempts).await {
            Ok(Sent::Changed(text)) => {
                written.changed = true;
                written.done.push(Done { at: self.ports.clock.now(), operator: write.operator.clone(), text });
            }
            Ok(Sent::PublishedAgain | Sent::Nothing) => {}
            Err(e) => {
                tracing::info!(zone = %known.record.name, operator = %write.operator, "copies stay there: {e}");
                if !e.may_have_been_done() {
                    self.expect_no_more(known, &write.operator, &sent).await?;
                }
            }
        }
        Ok(())
    }

    /// The check before the write, on the world as it was just observed.
    fn objection(&self, known: &Picture, write: &Write, planned: &[Planned]) -> Option<WaitingFor> {
        let (zone, history, lifetimes, hosts) = (&known.record.name, &known.history, &known.lifetimes, &known.hosts);
        let objections = check(&Scene { zone, history, lifetimes, hosts }, planned, known.observed_at);
        let worst = objections.iter().max_by_key(|objection| objection.until.unwrap_or(Time::MAX))?;
        tracing::warn!(%zone, operator = %write.operator, "held back: {}", worst.text);
        Some(WaitingFor {
            step: write.step,
            code: CHECK_OBJECTS.into(),
            text: format!("{}: {} is held back, for {}", write.operator, write.why, worst.text),
            until: worst.until,
        })
    }

    async fn provider(&self, name: &str) -> Result<Result<Arc<dyn Provider>, NoProvider>, EngineError> {
        let member = (name.to_owned(), MemberRecord::wanted(Standing::Serving));
        let operators = self.ports.operators(std::iter::once(member)).await?;
        let gone = || NoProvider::Settings { operator: name.to_owned(), reason: "it is not there".into() };
        let Some((operator, _)) = operators.first() else { return Ok(Err(gone())) };
        Ok(self.ports.providers.provider(operator).await)
    }

    /// Sends a write. Where its interface shows the change already and its name servers have not shown it for long, the operator
    /// is made to publish it again.
    async fn send(
        &self,
        known: &Picture,
        write: &Write,
        provider: &dyn Provider,
        attempts: &Attempts,
    ) -> Result<Sent, ProviderError> {
        let wanted: Vec<Wanted> = write.sets.iter().map(wanted).collect();
        self.crash_point(self.ports.switches.crash_before, &BEFORE);
        let applied = provider.apply(&known.record.name, &wanted).await;
        self.crash_point(self.ports.switches.crash_after, &AFTER);
        let changes = applied?;
        if changes.is_empty() {
            let due = attempts.may_publish_again(write, self.ports.clock.now());
            let Some(served) = due.then(|| served_instead(known, write)).flatten() else { return Ok(Sent::Nothing) };
            let again = provider.publish_again(&known.record.name, &wanted, served.as_deref()).await?;
            return Ok(if again { Sent::PublishedAgain } else { Sent::Nothing });
        }
        // No other write than the one that the check has passed: the interface shows these very sets, and its name servers get
        // them again.
        let counts: Vec<String> =
            changes.iter().map(|c| format!("{} +{} −{}", c.rtype, c.added.len(), c.removed.len())).collect();
        let text = format!("wrote at {}: {} ({})", write.operator, write.why, counts.join(", "));
        tracing::info!(zone = %known.record.name, operator = %write.operator, "{text}");
        Ok(Sent::Changed(text))
    }

    /// What was sent and is served at every address of its operator now, or will not be any more, is not in flight.
    pub(super) async fn see_what_arrived(&self, known: &mut Picture) -> Result<(), EngineError> {
        let (zone, mut here) = (known.record.name.clone(), Vec::new());
        for (operator, kind, sent) in &known.record.in_flight {
            let servers = known.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
            let expected = |server: &&Server| known.history.coming(server, *kind).iter().any(|c| c.sent == *sent);
            if servers.iter().filter(expected).all(|server| known.history.is_overdue(server, *kind, sent)) {
                here.push((operator.clone(), *kind, sent.clone()));
            }
        }
        for (operator, kind, sent) in here {
            self.ports.store.landed(&zone, &operator, kind, sent.at).await?;
            known.arrived(&operator, kind, &sent);
        }
        Ok(())
    }

    async fn expect_no_more(
        &self,
        known: &mut Picture,
        operator: &str,
        sent: &[(Kind, InFlight)],
    ) -> Result<(), EngineError> {
        for (kind, sent) in sent {
            self.ports.store.landed(&known.record.name, operator, *kind, sent.at).await?;
            known.arrived(operator, *kind, sent);
        }
        Ok(())
    }

    /// Events for what was written.
    pub(super) async fn tell_done(&self, known: &Picture, done: Vec<Done>) -> Result<(), EngineError> {
        let transition = known.transition.as_ref().map(|transition| transition.id.as_str());
        for Done { at, operator, text } in done {
            self.ports.store.add_event(&known.record.name, at, "wrote", &text, transition, Some(&operator)).await?;
        }
        Ok(())
    }

    /// An event for a refusal, once, and not for every try.
    async fn report(
        &self,
        known: &Picture,
        write: &Write,
        code: &str,
        text: &str,
        attempts: &Attempts,
    ) -> Result<(), EngineError> {
        if !attempts.has_told(write, code) {
            tracing::warn!(zone = %known.record.name, operator = %write.operator, "{text}");
            let transition = known.transition.as_ref().map(|transition| transition.id.as_str());
            let now = self.ports.clock.now();
            self.ports.store.add_event(&known.record.name, now, code, text, transition, Some(&write.operator)).await?;
        }
        Ok(())
    }

    /// Test builds only: ends the process here as kill -9 would.
    fn crash_point(&self, at: Option<u64>, counter: &AtomicU64) {
        let nth = counter.fetch_add(1, Ordering::SeqCst) + 1;
        if at == Some(nth) {
            std::process::abort();
        }
    }
}

static BEFORE: AtomicU64 = AtomicU64::new(0);
static AFTER: AtomicU64 = AtomicU64::new(0);

fn wanted((kind, ttl_s, change): &(Kind, u32, Change)) -> Wanted {
    let octets = |set: &RecordSet| set.iter().map(|rdata: &Rdata| rdata.as_wire().to_vec()).collect();
    let rtype = kind.record_type();
    match change {
        Change::Exactly(records) => Wanted::Exactly { rtype, ttl_s: *ttl_s, records: octets(records) },
        Change::Partly { with, without } => {
            Wanted::Partly { rtype, ttl_s: *ttl_s, with: octets(with), without: octets(without) }
        }
    }
}

/// What the operator's servers will serve after a write.
fn planned_by(known: &Picture, write: &Write) -> Vec<Planned> {
    let world = known.world();
    let sets = write.sets.iter().map(|(kind, ttl_s, change)| {
        let records = match change {
            Change::Exactly(records) => records.clone(),
            Change::Partly { with, without } => {
                let served = world.served(&write.operator, *kind);
                served.union(with).filter(|record| !without.contains(*record)).cloned().collect()
            }
        };
        Planned { operator: write.operator.clone(), kind: *kind, ttl_s: *ttl_s, records }
    });
    sets.collect()
}

/// What a write sends, as it will be at the operator's servers.
fn sent(planned: &[Planned], write: &Write, at: Time) -> Vec<(Kind, InFlight)> {
    let each = planned.iter().zip(&write.sets).map(|(planned, (kind, ttl_s, change))| {
        let partly = match change {
            Change::Exactly(_) => None,
            Change::Partly { with, without } => Some((with.clone(), without.clone())),
        };
        (*kind, InFlight { at, records: planned.records.clone(), ttl_s: *ttl_s, partly })
    });
    each.collect()
}

/// Whether something else that was sent is still on its way where this set is shown already: then it could not be told from
/// the set that was there before.
fn arriving(known: &Picture, write: &Write) -> Option<WaitingFor> {
    let servers = known.members.get(&write.operator)?.servers.iter();
    let servers = servers.filter(|_| !known.lifetimes.without.leaves_out(Switch::InFlight));
    let sets = || write.sets.iter().zip(planned_by(known, write));
    let mut confused = servers.flat_map(|server| sets().map(move |set| (server, set)));
    let (server, until) = confused.find_map(|(server, ((kind, _, change), planned))| {
        let shown = known.history.current(server, *kind).is_some_and(|span| match change {
            Change::Exactly(records) => span.served.records == *records,
            Change::Partly { with, without } => {
                with.is_subset(&span.served.records) && without.is_disjoint(&span.served.records)
            }
        });
        let mut coming = known.history.coming(server, *kind).iter();
        let other = coming.find(|coming| !coming.sent.is_shown_by(&planned.records)).filter(|_| shown)?;
        Some((server, other.sent.at.plus(LAG_MAX)))
    })?;
    let text = format!(
        "{}: what was written before is not served yet by {server}; {} is written when it is, or is given up",
        write.operator, write.why
    );
    Some(WaitingFor { step: write.step, code: "operator-lag".into(), text, until: Some(until) })
}

fn note(lately: &mut Vec<WrittenLately>, write: &Write, now: Time) {
    let kinds: BTreeSet<Kind> = write.sets.iter().map(|(kind, _, _)| *kind).collect();
    // What Chorus itself replaces, nobody else undoes.
    lately.retain(|before| {
        before.operator != write.operator || before.what == what(write) || before.kinds.is_disjoint(&kinds)
    });
    lately.retain(|before| before.at.iter().any(|at| at.plus(WITHIN) > now));
    match lately.iter_mut().find(|before| before.operator == write.operator && before.what == what(write)) {
        Some(same) => {
            same.at.retain(|at| at.plus(WITHIN) > now);
            same.at.push(now);
        }
        None => {
            lately.push(WrittenLately { operator: write.operator.clone(), kinds, what: what(write), at: vec![now] })
        }
    }
}

/// Which sets, and what they are to hold: the reason names keys and hosts.
pub(super) fn what(write: &Write) -> String {
    let kinds: Vec<String> = write.sets.iter().map(|(kind, _, _)| kind.to_string()).collect();
    format!("{}: {}", kinds.join(", "), write.why)
}

/// What is another's among the records of a write. CDS and CDNSKEY that the operator serves already are its own.
fn placements(known: &Picture, write: &Write) -> Vec<(Kind, RecordSet)> {
    let world = known.world();
    let placed = |kind: Kind, change: &Change| match change {
        Change::Exactly(records) if matches!(kind, Kind::Cds | Kind::Cdnskey) => {
            records.difference(&world.served(&write.operator, kind)).cloned().collect()
        }
        Change::Exactly(records) => records.clone(),
        Change::Partly { with, .. } => with.clone(),
    };
    write.sets.iter().map(|(kind, _, change)| (*kind, placed(*kind, change))).collect()
}

/// What a name server answers in place of what the interface shows: `Some(None)` where another one of the operator answers as
/// wanted. `None`: an address does not answer, and nothing follows from that.
fn served_instead(known: &Picture, write: &Write) -> Option<Option<Vec<Rrset>>> {
    let servers = &known.members.get(&write.operator)?.servers;
    let kinds = || write.sets.iter().map(|(kind, _, _)| *kind);
    if write.missing_at.iter().any(|server| kinds().any(|kind| known.history.trouble(server, kind).is_some())) {
        return None;
    }
    if servers.iter().any(|server| !write.missing_at.contains(server)) {
        return Some(None);
    }
    let lagging = write.missing_at.first()?;
    let set = |kind: Kind| {
        let served = &known.history.current(lagging, kind)?.served;
        let records = served.records.iter().map(|rdata| rdata.as_wire().to_vec()).collect();
        Some(Rrset { rtype: kind.record_type(), ttl_s: served.ttl_s, records })
    };
    Some(Some(kinds().filter_map(set).collect()))
}

fn published_again(write: &Write) -> WaitingFor {
    let at: Vec<String> = write.missing_at.iter().map(ToString::to_string).collect();
    WaitingFor {
        step: write.step,
        code: UNPUBLISHED.into(),
        text: format!(
            "{} has stored the change and {} does not serve it ({}); Chorus made it publish the zone again and looks whether it \
             is served",
            write.operator,
            at.join(", "),
            write.why
        ),
        until: None,
    }
}

fn lagging(write: &Write) -> WaitingFor {
    let at: Vec<String> = write.missing_at.iter().map(ToString::to_string).collect();
    WaitingFor {
        step: write.step,
        code: "operator-lag".into(),
        text: format!("written at {}, and not yet served by {}: {}", write.operator, at.join(", "), write.why),
        until: None,
    }
}
