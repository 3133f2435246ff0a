//! Transitions and what happened in them.

use super::zones::set_members;
use super::{Store, StoreError, json, read_json};
use crate::model::dns::Name;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransitionState {
    Running,
    Done,
}

impl TransitionState {
    fn as_str(self) -> &'static str {
        match self {
            TransitionState::Running => "running",
            TransitionState::Done => "done",
        }
    }
}

/// The way from one desired group to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionRecord {
    pub id: String,
    pub author: String,
    pub reason: Option<String>,
    pub from: BTreeSet<String>,
    pub to: BTreeSet<String>,
    pub state: TransitionState,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    /// JSON, once it has ended.
    pub certificate: Option<String>,
}

/// Something that happened, for the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub sequence: i64,
    pub at: Time,
    /// Stable, kebab-case.
    pub kind: String,
    pub text: String,
    pub transition: Option<String>,
    pub operator: Option<String>,
}

type Row = (String, String, Option<String>, String, String, String, i64, Option<i64>, Option<String>);
const COLUMNS: &str =
    "SELECT id, author, reason, from_group, to_group, state, started_at, ended_at, certificate FROM transitions";

fn read(row: Row) -> Result<TransitionRecord, StoreError> {
    let (id, author, reason, from, to, state, started_at, ended_at, certificate) = row;
    Ok(TransitionRecord {
        from: read_json("transition", &id, &from)?,
        to: read_json("transition", &id, &to)?,
        state: if state == "running" { TransitionState::Running } else { TransitionState::Done },
        started_at: Time(started_at),
        ended_at: ended_at.map(Time),
        id,
        author,
        reason,
        certificate,
    })
}

impl Store {
    /// Starts a transition, unless another one is running: members, transition, event and due time in one transaction.
    pub async fn start_transition(
        &self,
        zone: &Name,
        transition: &TransitionRecord,
        text: &str,
    ) -> Result<(), StoreError> {
        let key = zone.to_string();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let running: Option<(String,)> =
            sqlx::query_as("SELECT to_group FROM transitions WHERE zone = $1 AND state = 'running'")
                .bind(&key)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((to,)) = running {
            let to: BTreeSet<String> = read_json("transition", &key, &to)?;
            return Err(StoreError::InTransition { zone: key, to: to.into_iter().collect::<Vec<_>>().join(", ") });
        }
        let members: BTreeMap<String, bool> =
            transition.from.union(&transition.to).map(|op| (op.clone(), transition.to.contains(op))).collect();
        set_members(&mut tx, &key, &members).await?;
        sqlx::query(
            "INSERT INTO transitions (id, zone, author, reason, from_group, to_group, state, started_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&transition.id)
        .bind(&key)
        .bind(&transition.author)
        .bind(&transition.reason)
        .bind(json("transition", &transition.id, &transition.from)?)
        .bind(json("transition", &transition.id, &transition.to)?)
        .bind(transition.state.as_str())
        .bind(transition.started_at.0)
        .execute(&mut *tx)
        .await?;
        insert_event(&mut tx, &key, transition.started_at, "transition-started", text, Some(&transition.id), None)
            .await?;
        sqlx::query("UPDATE zones SET due_at = $2 WHERE name = $1")
            .bind(&key)
            .bind(transition.started_at.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a transition: those who left are no members any more, and what was seen of them is history.
    pub async fn end_transition(
        &self,
        zone: &Name,
        id: &str,
        certificate: &str,
        at: Time,
        text: &str,
    ) -> Result<(), StoreError> {
        let key = zone.to_string();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE transitions SET state = 'done', ended_at = $2, certificate = $3 WHERE id = $1")
            .bind(id)
            .bind(at.0)
            .bind(certificate)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM members WHERE zone = $1 AND NOT desired").bind(&key).execute(&mut *tx).await?;
        insert_event(&mut tx, &key, at, "transition-done", text, Some(id), None).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn running_transition(&self, zone: &Name) -> Result<Option<TransitionRecord>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE zone = $1 AND state = 'running'"));
        let row: Option<Row> = sqlx::query_as(sql).bind(zone.to_string()).fetch_optional(&self.pool).await?;
        row.map(read).transpose()
    }

    /// The newest first.
    pub async fn transitions(&self, zone: &Name) -> Result<Vec<TransitionRecord>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE zone = $1 ORDER BY started_at DESC, id DESC"));
        let rows: Vec<Row> = sqlx::query_as(sql).bind(zone.to_string()).fetch_all(&self.pool).await?;
        rows.into_iter().map(read).collect()
    }

    pub async fn add_event(
        &self,
        zone: &Name,
        at: Time,
        kind: &str,
        text: &str,
        transition: Option<&str>,
        operator: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        insert_event(&mut tx, &zone.to_string(), at, kind, text, transition, operator).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest `limit` events, oldest first.
    pub async fn events(&self, zone: &Name, limit: u32) -> Result<Vec<Event>, StoreError> {
        type Row = (i64, i64, String, String, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT sequence, at, kind, text, transition_id, operator FROM events WHERE zone = $1 ORDER BY sequence DESC LIMIT $2",
        )
        .bind(zone.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let events = rows.into_iter().rev().map(|(sequence, at, kind, text, transition, operator)| Event {
            sequence,
            at: Time(at),
            kind,
            text,
            transition,
            operator,
        });
        Ok(events.collect())
    }
}

async fn insert_event(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    zone: &str,
    at: Time,
    kind: &str,
    text: &str,
    transition: Option<&str>,
    operator: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO events (zone, at, kind, text, transition_id, operator) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(zone)
        .bind(at.0)
        .bind(kind)
        .bind(text)
        .bind(transition)
        .bind(operator)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
