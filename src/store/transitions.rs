//! Transitions: started, controlled, ended.
//!
//! Invariant: a zone has one running transition at most, and of two people who act on the same version of it one wins.

use super::audit::Told;
use super::measures::{Forecasted, break_step_off, end_step};
use super::zones::{MemberRecord, set_members};
use super::{Store, StoreError, Summary, json, read_json, summaries};
use crate::model::dns::{Name, stored};
use crate::model::group::{Group, Standing};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionState {
    Running,
    /// It ended where it was going.
    Done,
    /// It ended where it began.
    Undone,
    /// It ended in a rest state between the two, or in one of them before its time.
    Stopped,
}

impl TransitionState {
    pub fn as_str(self) -> &'static str {
        match self {
            TransitionState::Running => "running",
            TransitionState::Done => "done",
            TransitionState::Undone => "undone",
            TransitionState::Stopped => "stopped",
        }
    }

    fn read(text: &str) -> TransitionState {
        let ended = [TransitionState::Done, TransitionState::Undone, TransitionState::Stopped];
        ended.into_iter().find(|state| state.as_str() == text).unwrap_or(TransitionState::Running)
    }
}

/// Where a running transition is going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// To the group that was asked for.
    #[default]
    Going,
    /// To the nearest rest state.
    Stopping,
    /// Back to the group from before.
    Undoing,
}

impl Aim {
    pub fn as_str(self) -> &'static str {
        match self {
            Aim::Going => "going",
            Aim::Stopping => "stopping",
            Aim::Undoing => "undoing",
        }
    }

    /// How a transition with this aim ends.
    pub fn end(self) -> TransitionState {
        match self {
            Aim::Going => TransitionState::Done,
            Aim::Stopping => TransitionState::Stopped,
            Aim::Undoing => TransitionState::Undone,
        }
    }
}

/// The way from one desired group to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionRecord {
    pub id: String,
    pub author: String,
    pub reason: Option<String>,
    pub from: Group,
    pub to: Group,
    pub state: TransitionState,
    pub aim: Aim,
    /// Where it stops, if it is stopping.
    pub rest: Option<Group>,
    pub paused: bool,
    /// For the roll of the whole group to another algorithm: from which to which.
    pub algorithm: Option<AlgorithmChange>,
    /// Counts what people did to it.
    pub version: i64,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    /// JSON, once it has ended.
    pub certificate: Option<String>,
    /// What the certificate rests on, as JSON: only while the transition is ended. It is large: [`Store::evidence`] reads it.
    pub evidence: Option<String>,
    /// When it was to end, as it began.
    pub forecast: Option<Forecasted>,
    /// Once it has ended: the operators that left, of those that resolvers could query and that answered to the end.
    pub departed: BTreeSet<String>,
}

/// From one algorithm to another, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgorithmChange {
    pub from: u8,
    pub to: u8,
}

impl AlgorithmChange {
    pub fn back(self) -> AlgorithmChange {
        AlgorithmChange { from: self.to, to: self.from }
    }
}

impl TransitionRecord {
    /// The algorithm that the group is rolling to now.
    pub fn algorithm_now(&self) -> Option<u8> {
        let AlgorithmChange { from, to } = self.algorithm?;
        Some(if self.aim == Aim::Undoing { from } else { to })
    }

    /// Whether it only repairs what the present group lacks.
    pub fn is_repair(&self) -> bool {
        self.from == self.to && self.algorithm.is_none()
    }

    /// A repair has no way back, and no other rest state: who stops or undoes it leaves the zone as it is.
    pub fn is_given_up(&self) -> bool {
        self.is_repair() && self.aim != Aim::Going
    }

    /// The group that it is on its way to.
    pub fn target(&self) -> &Group {
        match (self.aim, &self.rest) {
            (Aim::Undoing, _) => &self.from,
            (Aim::Stopping, Some(rest)) => rest,
            _ => &self.to,
        }
    }
}

/// A group as it is stored: `{"a": "Serving"}`, or, before there was more than serving, `["a"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredGroup {
    Standings(Group),
    Serving(BTreeSet<String>),
}

fn read_group(id: &str, text: &str) -> Result<Group, StoreError> {
    Ok(match read_json("transition", id, text)? {
        StoredGroup::Standings(group) => group,
        StoredGroup::Serving(names) => names.into_iter().map(|name| (name, Standing::Serving)).collect(),
    })
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    zone: String,
    author: String,
    reason: Option<String>,
    from_group: String,
    to_group: String,
    state: String,
    aim: String,
    rest: Option<String>,
    paused: bool,
    algorithm: Option<String>,
    version: i64,
    started_at: i64,
    ended_at: Option<i64>,
    certificate: Option<String>,
    forecast_earliest: Option<i64>,
    forecast_expected: Option<i64>,
    departed: Option<String>,
}

fn read(row: Row) -> Result<TransitionRecord, StoreError> {
    let aims = [Aim::Going, Aim::Stopping, Aim::Undoing];
    let forecast = row.forecast_earliest.zip(row.forecast_expected);
    let departed = row.departed.as_deref().map(|text| read_json("transition", &row.id, text)).transpose()?;
    Ok(TransitionRecord {
        forecast: forecast
            .map(|(earliest, expected)| Forecasted { earliest: Time(earliest), expected: Time(expected) }),
        from: read_group(&row.id, &row.from_group)?,
        to: read_group(&row.id, &row.to_group)?,
        state: TransitionState::read(&row.state),
        aim: aims.into_iter().find(|aim| aim.as_str() == row.aim).unwrap_or_default(),
        rest: row.rest.map(|rest| read_group(&row.id, &rest)).transpose()?,
        paused: row.paused,
        algorithm: row.algorithm.map(|change| read_json("transition", &row.id, &change)).transpose()?,
        version: row.version,
        started_at: Time(row.started_at),
        ended_at: row.ended_at.map(Time),
        id: row.id,
        author: row.author,
        reason: row.reason,
        certificate: row.certificate,
        evidence: None,
        departed: departed.unwrap_or_default(),
    })
}

/// What a person does to a running transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The record as it shall be; its `version` is the one that the person saw.
    pub transition: TransitionRecord,
    pub members: BTreeMap<String, MemberRecord>,
    /// Stable, kebab-case: what goes into the history.
    pub kind: &'static str,
    pub text: String,
    pub at: Time,
    /// Where the zone is then.
    pub summary: Summary,
}

impl Store {
    /// Starts a transition, unless another one is running: members, transition, event and due time in one transaction.
    pub async fn start_transition(
        &self,
        zone: &Name,
        transition: &TransitionRecord,
        members: &BTreeMap<String, MemberRecord>,
        text: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let running: Option<(String,)> =
            sqlx::query_as("SELECT to_group FROM transitions WHERE zone = $1 AND state = 'running'")
                .bind(&key)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((to,)) = running {
            let to = read_group(&key, &to)?;
            return Err(StoreError::InTransition { zone: key, to: to.into_keys().collect::<Vec<_>>().join(", ") });
        }
        set_members(&mut tx, &key, members).await?;
        sqlx::query(
            "INSERT INTO transitions (id, zone, author, reason, from_group, to_group, state, aim, paused, version, started_at,
                                      algorithm, forecast_earliest, forecast_expected)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&transition.id)
        .bind(&key)
        .bind(&transition.author)
        .bind(&transition.reason)
        .bind(json("transition", &transition.id, &transition.from)?)
        .bind(json("transition", &transition.id, &transition.to)?)
        .bind(transition.state.as_str())
        .bind(transition.aim.as_str())
        .bind(transition.paused)
        .bind(transition.version)
        .bind(transition.started_at.0)
        .bind(transition.algorithm.as_ref().map(|change| json("transition", &transition.id, change)).transpose()?)
        .bind(transition.forecast.map(|forecast| forecast.earliest.0))
        .bind(transition.forecast.map(|forecast| forecast.expected.0))
        .execute(&mut *tx)
        .await?;
        let at = transition.started_at;
        let (zone, id) = (Some(key.as_str()), Some(transition.id.as_str()));
        self.tell(&mut tx, at, Told { kind: "transition-started", text, zone, transition: id, operator: None }).await?;
        due(&mut tx, &key, at).await?;
        summaries::put(&mut tx, &key, summary).await?;
        tx.commit().await?;
        self.changed(zone);
        Ok(())
    }

    /// Changes what a running transition aims at, or holds it. Of two who saw the same version the second is refused.
    pub async fn control_transition(&self, zone: &Name, control: &Control) -> Result<(), StoreError> {
        let key = stored(zone);
        let Control { transition, members, kind, text, at, summary } = control;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let rest = transition.rest.as_ref().map(|rest| json("transition", &transition.id, rest)).transpose()?;
        let changed = sqlx::query(
            "UPDATE transitions
             SET aim = $3, rest = $4, paused = $5, from_group = $6, to_group = $7, version = version + 1
             WHERE id = $1 AND version = $2 AND state = 'running'",
        )
        .bind(&transition.id)
        .bind(transition.version)
        .bind(transition.aim.as_str())
        .bind(rest)
        .bind(transition.paused)
        .bind(json("transition", &transition.id, &transition.from)?)
        .bind(json("transition", &transition.id, &transition.to)?)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(StoreError::TransitionChanged { zone: key, id: transition.id.clone() });
        }
        set_members(&mut tx, &key, members).await?;
        let (zone, id) = (Some(key.as_str()), Some(transition.id.as_str()));
        self.tell(&mut tx, *at, Told { kind, text, zone, transition: id, operator: None }).await?;
        break_step_off(&mut tx, &transition.id).await?;
        due(&mut tx, &key, *at).await?;
        summaries::put(&mut tx, &key, summary).await?;
        tx.commit().await?;
        self.changed(zone);
        Ok(())
    }

    /// Ends a transition: those who left are no members any more, and what was seen of them is history. One that a person
    /// controlled since `version` was read does not end: it may have another aim now.
    pub async fn end_transition(
        &self,
        zone: &Name,
        transition: &TransitionRecord,
        certificate: &str,
        at: Time,
        text: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        let key = stored(zone);
        let state = transition.aim.end().as_str();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ended = sqlx::query(
            "UPDATE transitions SET state = $5, ended_at = $2, certificate = $3, departed = $6, evidence = $7
             WHERE id = $1 AND version = $4 AND state = 'running'",
        )
        .bind(&transition.id)
        .bind(at.0)
        .bind(certificate)
        .bind(transition.version)
        .bind(state)
        .bind(json("transition", &transition.id, &transition.departed)?)
        .bind(&transition.evidence)
        .execute(&mut *tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Err(StoreError::TransitionChanged { zone: key, id: transition.id.clone() });
        }
        end_step(&mut tx, &transition.id, at).await?;
        sqlx::query("DELETE FROM members WHERE zone = $1 AND wanted = 'Outside'").bind(&key).execute(&mut *tx).await?;
        // What was declared of an operator that stays after all was declared for this transition.
        sqlx::query("UPDATE members SET unreachable = $2, uncooperative = $2 WHERE zone = $1")
            .bind(&key)
            .bind(false)
            .execute(&mut *tx)
            .await?;
        let (zone, id, kind) = (Some(key.as_str()), Some(transition.id.as_str()), format!("transition-{state}"));
        self.tell(&mut tx, at, Told { kind: &kind, text, zone, transition: id, operator: None }).await?;
        summaries::put(&mut tx, &key, summary).await?;
        tx.commit().await?;
        self.changed(zone);
        Ok(())
    }

    pub async fn running_transition(&self, zone: &Name) -> Result<Option<TransitionRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM transitions WHERE zone = $1 AND state = 'running'")
            .bind(stored(zone))
            .fetch_optional(&self.readers)
            .await?;
        row.map(read).transpose()
    }

    /// The one that began last, without its certificate.
    pub async fn last_transition(&self, zone: &Name) -> Result<Option<TransitionRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, zone, author, reason, from_group, to_group, state, aim, rest, paused, algorithm, version, started_at,
                    ended_at, forecast_earliest, forecast_expected, departed, NULL AS certificate
             FROM transitions WHERE zone = $1 ORDER BY started_at DESC, id DESC LIMIT 1",
        )
        .bind(stored(zone))
        .fetch_optional(&self.readers)
        .await?;
        row.map(read).transpose()
    }

    /// The newest first.
    pub async fn transitions(&self, zone: &Name) -> Result<Vec<TransitionRecord>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, zone, author, reason, from_group, to_group, state, aim, rest, paused, algorithm, version, started_at,
                    ended_at, forecast_earliest, forecast_expected, departed, certificate
             FROM transitions WHERE zone = $1 ORDER BY started_at DESC, id DESC",
        )
        .bind(stored(zone))
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(read).collect()
    }

    /// What the certificate of an ended transition rests on, as JSON; `None` if it ended before that was recorded.
    pub async fn evidence(&self, zone: &Name, transition: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(Option<String>,)> =
            sqlx::query_as("SELECT evidence FROM transitions WHERE zone = $1 AND id = $2")
                .bind(stored(zone))
                .bind(transition)
                .fetch_optional(&self.readers)
                .await?;
        Ok(row.and_then(|(evidence,)| evidence))
    }
}

/// Those of a query, by their zones.
pub(super) async fn by_zone(
    tx: &mut sqlx::SqliteConnection,
    mut query: sqlx::QueryBuilder<sqlx::Sqlite>,
) -> Result<HashMap<String, TransitionRecord>, StoreError> {
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx).await?;
    rows.into_iter().map(|row| Ok((row.zone.clone(), read(row)?))).collect()
}

async fn due(tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>, zone: &str, at: Time) -> Result<(), StoreError> {
    sqlx::query("UPDATE zones SET due_at = $2 WHERE name = $1").bind(zone).bind(at.0).execute(&mut **tx).await?;
    Ok(())
}
