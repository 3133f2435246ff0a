//! The store of a simulated controller: what [`Records`] promises, kept in memory.
//!
//! Invariant: it outlives every crash of the controller, and each method is one transaction. With a crash point on either
//! side of each.

use super::crash::Crashes;
use crate::model::ability::{Ability, Known};
use crate::model::dns::{Name, RecordSet};
use crate::model::group::{Standing, Step};
use crate::model::history::{History, Kind, ListedTtl, Sent};
use crate::model::policy::Policy;
use crate::model::time::Time;
use crate::store::{
    AuditFilter, AuditRecord, Control, Event, FillRandom, MemberRecord, OperatorRecord, PageFrom, ParentMeasures, Past,
    Records, Signature, StoreError, StoredOverview, Summary, TransitionRecord, TransitionState, Trial, Verified,
    ZoneFilter, ZonePage, ZoneRecord, ZoneRow, ZoneState,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tables. There is one zone in a world.
#[derive(Default)]
pub struct Tables {
    pub operators: BTreeMap<String, OperatorRecord>,
    pub zone: Option<ZoneRecord>,
    pub history: History,
    /// The oldest first.
    pub transitions: Vec<TransitionRecord>,
    pub events: Vec<Event>,
    /// As the newest change left it, with since when state and reason are so.
    pub summary: Option<(Summary, Time)>,
}

impl Tables {
    pub fn running(&self) -> Option<&TransitionRecord> {
        self.transitions.iter().rev().find(|transition| transition.state == TransitionState::Running)
    }

    fn found(&mut self, summary: &Summary) {
        let same = |(before, _): &(Summary, Time)| before.state == summary.state && before.reason == summary.reason;
        let since = self.summary.take().filter(same).map_or(summary.at, |(_, since)| since.min(summary.at));
        self.summary = Some((summary.clone(), since));
    }

    /// The zone as a list has it.
    fn row(&self) -> Option<ZoneRow> {
        let ((summary, since), zone) = (self.summary.as_ref()?, self.zone.as_ref()?);
        Some(ZoneRow {
            name: zone.name.to_string(),
            state: summary.state,
            reason: summary.reason.clone(),
            since: *since,
            until: summary.until,
            parent_zone: summary.parent_zone.clone(),
            status: zone.status.clone(),
            members: zone.members.clone(),
            transition: self.running().cloned(),
        })
    }

    fn tell(&mut self, at: Time, kind: &str, text: &str, transition: Option<&str>, operator: Option<&str>) {
        self.events.push(Event {
            sequence: i64::try_from(self.events.len()).unwrap_or(i64::MAX),
            at,
            kind: kind.to_owned(),
            text: text.to_owned(),
            who: "chorus".to_owned(),
            transition: transition.map(str::to_owned),
            operator: operator.map(str::to_owned),
        });
    }
}

#[derive(Clone)]
pub struct Memory {
    tables: Arc<Mutex<Tables>>,
    crashes: Arc<Crashes>,
}

impl Memory {
    pub fn new(crashes: Arc<Crashes>) -> Memory {
        Memory { tables: Arc::default(), crashes }
    }

    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        // One thread has it.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction that changes something, with a moment before and after it at which the controller may crash.
    async fn commit<T>(
        &self,
        change: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.crashes.point().await;
        let changed = change(&mut self.tables())?;
        self.crashes.point().await;
        Ok(changed)
    }
}

fn zone_of<'t>(tables: &'t mut Tables, zone: &str) -> Result<&'t mut ZoneRecord, StoreError> {
    let missing = || StoreError::Damaged { what: "zone", key: zone.to_owned(), reason: "it is not there".to_owned() };
    tables.zone.as_mut().ok_or_else(missing)
}

/// The running transition, if nobody has changed it since this record was read.
fn running_as<'t>(
    tables: &'t mut Tables,
    zone: &Name,
    read: &TransitionRecord,
) -> Result<&'t mut TransitionRecord, StoreError> {
    let same = |transition: &&mut TransitionRecord| {
        transition.id == read.id && transition.version == read.version && transition.state == TransitionState::Running
    };
    let changed = || StoreError::TransitionChanged { zone: zone.to_string(), id: read.id.clone() };
    tables.transitions.iter_mut().find(same).ok_or_else(changed)
}

#[async_trait]
impl Records for Memory {
    // Nobody looks into the log of a simulated world.
    fn signed(&self, _: Signature) -> Arc<dyn Records> {
        Arc::new(self.clone())
    }

    async fn note(&self, _: &str, _: &str, _: Option<&Name>, _: Option<&str>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn audit(&self, _: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn verify_audit(&self) -> Result<Verified, StoreError> {
        Ok(Verified { entries: 0, head: (0, String::new()), broken: None })
    }

    async fn add_operator(&self, operator: &OperatorRecord, _: &[u8], _: [u8; 24]) -> Result<(), StoreError> {
        self.tables().operators.insert(operator.name.clone(), operator.clone());
        Ok(())
    }

    async fn set_operator(&self, operator: &OperatorRecord) -> Result<(), StoreError> {
        self.tables().operators.insert(operator.name.clone(), operator.clone());
        Ok(())
    }

    // There are no secrets in these worlds.
    async fn stage_secret(&self, _: &OperatorRecord, _: &[u8], _: [u8; 24]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn take_staged(&self, _: &str, _: [u8; 24]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn drop_staged(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn rotate_master_key(&self, _: FillRandom) -> Result<u64, StoreError> {
        Ok(0)
    }

    // Nor limits of requests.
    async fn requests_per_day(&self, _: &str) -> Result<u32, StoreError> {
        Ok(chorus_providers::desec::USER_PER_DAY)
    }

    async fn set_requests_per_day(&self, _: &str, _: u32) -> Result<(), StoreError> {
        Ok(())
    }

    // Nobody tries what an operator can do in these worlds.
    async fn begin_trial(&self, _: &Trial) -> Result<(), StoreError> {
        Ok(())
    }

    async fn trials(&self) -> Result<Vec<Trial>, StoreError> {
        Ok(Vec::new())
    }

    async fn end_trial(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn saw_abilities(&self, _: &str, _: &BTreeMap<Ability, Known>, _: bool) -> Result<(), StoreError> {
        Ok(())
    }

    async fn abilities(&self, _: &str) -> Result<BTreeMap<Ability, Known>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn operators(&self) -> Result<Vec<OperatorRecord>, StoreError> {
        Ok(self.tables().operators.values().cloned().collect())
    }

    async fn operator(&self, name: &str) -> Result<Option<OperatorRecord>, StoreError> {
        Ok(self.tables().operators.get(name).cloned())
    }

    async fn zones_of(&self, operator: &str) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let zone = tables.zone.as_ref().filter(|zone| zone.members.contains_key(operator));
        Ok(zone.map(|zone| zone.name.to_string()).into_iter().collect())
    }

    async fn add_zone(&self, zone: &ZoneRecord) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.zone = Some(zone.clone());
        tables.found(&Summary::fresh(zone.created_at));
        Ok(())
    }

    async fn zone_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.tables().zone.iter().map(|zone| zone.name.to_string()).collect())
    }

    async fn zone(&self, _: &Name) -> Result<Option<ZoneRecord>, StoreError> {
        Ok(self.tables().zone.clone())
    }

    // Lists are for people, of whom there are none in these worlds: what they have is not filtered.
    async fn zone_page(&self, _: &ZoneFilter, _: &PageFrom, _: u32) -> Result<ZonePage, StoreError> {
        Ok(ZonePage { zones: self.tables().row().into_iter().collect(), before: false, after: false })
    }

    async fn zone_overview(&self, _: Option<&str>, until: Time, _: u32) -> Result<StoredOverview, StoreError> {
        let tables = self.tables();
        let Some((summary, _)) = &tables.summary else { return Ok(StoredOverview::default()) };
        let row_if = |is_in: bool| tables.row().filter(|_| is_in).into_iter().collect();
        let ends = summary.state == ZoneState::WaitingGuard && summary.until.is_some_and(|at| at <= until);
        Ok(StoredOverview {
            states: vec![(summary.state, 1)],
            attention: row_if(summary.needs_somebody()),
            guards: row_if(ends),
            lagging: row_if(summary.late_since.is_some()),
            silent: summary.silent.iter().map(|(operator, text)| (operator.clone(), 1, text.clone())).collect(),
        })
    }

    async fn set_policy(&self, zone: &Name, policy: &Policy, due_at: Time, _: &str) -> Result<(), StoreError> {
        self.commit(|tables| {
            let zone = zone_of(tables, &zone.to_string())?;
            (zone.policy, zone.due_at) = (policy.clone(), due_at);
            Ok(())
        })
        .await
    }

    async fn set_zone_ttl(&self, zone: &Name, operator: &str, listed: ListedTtl) -> Result<(), StoreError> {
        self.commit(|tables| {
            zone_of(tables, &zone.to_string())?.zone_ttls.insert(operator.to_owned(), listed);
            Ok(())
        })
        .await
    }

    async fn due(&self, now: Time, furthest: Time, _: i64) -> Result<(Vec<String>, Option<Time>), StoreError> {
        let tables = self.tables();
        let is_due = |zone: &&ZoneRecord| zone.due_at <= now || zone.due_at > furthest;
        let due = tables.zone.iter().filter(is_due).map(|zone| zone.name.to_string()).collect();
        Ok((due, tables.zone.as_ref().map(|zone| zone.due_at).filter(|due| *due > now)))
    }

    async fn set_due(&self, zone: &str, due_at: Time) -> Result<(), StoreError> {
        self.commit(|tables| {
            zone_of(tables, zone)?.due_at = due_at;
            Ok(())
        })
        .await
    }

    async fn set_status(&self, zone: &Name, due_at: Time, status: &str, summary: &Summary) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.found(summary);
            let zone = zone_of(tables, &zone.to_string())?;
            zone.due_at = due_at;
            status.clone_into(&mut zone.status);
            Ok(())
        })
        .await
    }

    async fn history(&self, _: &Name) -> Result<History, StoreError> {
        Ok(self.tables().history.clone())
    }

    /// What was not touched since `since` is what is here already: the whole of it can be taken.
    async fn record(&self, _: &Name, history: &History, _: Time) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.history = history.clone();
            tables.history.forget_troubles();
            Ok(())
        })
        .await
    }

    async fn set_registrar_requests(&self, _: &Name, history: &History) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.history = history.clone();
            tables.history.forget_troubles();
            Ok(())
        })
        .await
    }

    async fn set_right(
        &self,
        zone: &Name,
        history: &History,
        in_flight: &[(String, Kind, Sent)],
        due_at: Time,
        status: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.history = history.clone();
            tables.history.forget_troubles();
            tables.found(summary);
            let zone = zone_of(tables, &zone.to_string())?;
            zone.in_flight = in_flight.to_vec();
            zone.due_at = due_at;
            zone.zone_ttls.values_mut().filter_map(|ttl| ttl.lower.as_mut()).for_each(|(_, since)| *since = due_at);
            status.clone_into(&mut zone.status);
            Ok(())
        })
        .await
    }

    async fn forget_before(&self, _: &Name, before: Time) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.history.forget_before(before);
            Ok(())
        })
        .await
    }

    async fn intend(
        &self,
        zone: &Name,
        operator: &str,
        records: &[(Kind, RecordSet)],
        sent: &[(Kind, Sent)],
        _: Time,
    ) -> Result<(), StoreError> {
        self.commit(|tables| {
            let zone = zone_of(tables, &zone.to_string())?;
            let placed = zone.placements.entry(operator.to_owned()).or_default();
            for (kind, set) in records {
                placed.entry(*kind).or_default().extend(set.iter().cloned());
            }
            zone.in_flight.extend(sent.iter().map(|(kind, sent)| (operator.to_owned(), *kind, sent.clone())));
            Ok(())
        })
        .await
    }

    async fn landed(&self, zone: &Name, operator: &str, kind: Kind, sent_at: Time) -> Result<(), StoreError> {
        self.commit(|tables| {
            let zone = zone_of(tables, &zone.to_string())?;
            zone.in_flight.retain(|(at, of, sent)| !(at == operator && *of == kind && sent.at == sent_at));
            Ok(())
        })
        .await
    }

    async fn start_transition(
        &self,
        zone: &Name,
        transition: &TransitionRecord,
        members: &BTreeMap<String, MemberRecord>,
        text: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        self.commit(|tables| {
            if let Some(running) = tables.running() {
                let to = running.to.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(StoreError::InTransition { zone: zone.to_string(), to });
            }
            let zone = zone_of(tables, &zone.to_string())?;
            zone.members = members.clone();
            zone.due_at = transition.started_at;
            tables.found(summary);
            tables.transitions.push(transition.clone());
            tables.tell(transition.started_at, "transition-started", text, Some(&transition.id), None);
            Ok(())
        })
        .await
    }

    async fn control_transition(&self, zone: &Name, control: &Control) -> Result<(), StoreError> {
        self.commit(|tables| {
            let Control { transition, members, kind, text, at, summary } = control;
            let running = running_as(tables, zone, transition)?;
            running.aim = transition.aim;
            running.rest.clone_from(&transition.rest);
            running.paused = transition.paused;
            running.version += 1;
            let zone = zone_of(tables, &zone.to_string())?;
            (zone.members, zone.due_at) = (members.clone(), *at);
            tables.found(summary);
            tables.tell(*at, kind, text, Some(&transition.id), None);
            Ok(())
        })
        .await
    }

    async fn end_transition(
        &self,
        zone: &Name,
        transition: &TransitionRecord,
        certificate: &str,
        at: Time,
        text: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        self.commit(|tables| {
            let running = running_as(tables, zone, transition)?;
            running.state = transition.aim.end();
            running.ended_at = Some(at);
            running.departed.clone_from(&transition.departed);
            running.certificate = Some(certificate.to_owned());
            running.evidence.clone_from(&transition.evidence);
            let kind = format!("transition-{}", running.state.as_str());
            let members = &mut zone_of(tables, &zone.to_string())?.members;
            members.retain(|_, member| member.wanted != Standing::Outside);
            members.values_mut().for_each(|member| *member = MemberRecord::wanted(member.wanted));
            tables.found(summary);
            tables.tell(at, &kind, text, Some(&transition.id), None);
            Ok(())
        })
        .await
    }

    async fn running_transition(&self, _: &Name) -> Result<Option<TransitionRecord>, StoreError> {
        Ok(self.tables().running().cloned())
    }

    async fn last_transition(&self, _: &Name) -> Result<Option<TransitionRecord>, StoreError> {
        Ok(self.tables().transitions.last().cloned())
    }

    async fn transitions(&self, _: &Name) -> Result<Vec<TransitionRecord>, StoreError> {
        Ok(self.tables().transitions.iter().rev().cloned().collect())
    }

    async fn evidence(&self, _: &Name, id: &str) -> Result<Option<String>, StoreError> {
        let tables = self.tables();
        Ok(tables.transitions.iter().find(|transition| transition.id == id).and_then(|found| found.evidence.clone()))
    }

    async fn add_event(
        &self,
        _: &Name,
        at: Time,
        kind: &str,
        text: &str,
        transition: Option<&str>,
        operator: Option<&str>,
    ) -> Result<(), StoreError> {
        self.commit(|tables| {
            tables.tell(at, kind, text, transition, operator);
            Ok(())
        })
        .await
    }

    async fn events(&self, _: &Name, limit: u32) -> Result<Vec<Event>, StoreError> {
        let tables = self.tables();
        let skipped = tables.events.len().saturating_sub(limit as usize);
        Ok(tables.events.iter().skip(skipped).cloned().collect())
    }

    // Nobody asks how long anything took in these worlds.
    async fn saw_parent_act(&self, _: &Name, _: &str, _: Kind, _: Time, _: Time) -> Result<(), StoreError> {
        Ok(())
    }

    async fn enter_step(&self, zone: &Name, transition: &str, _: Step, at: Time, text: &str) -> Result<(), StoreError> {
        self.add_event(zone, at, "step", text, Some(transition), None).await
    }

    async fn parents(&self, _: Option<&str>) -> Result<BTreeMap<String, ParentMeasures>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn past(&self, _: Time, _: Option<&str>) -> Result<Past, StoreError> {
        Ok(Past::default())
    }
}
