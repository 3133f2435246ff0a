//! What happened to a zone, in order, for people.

use super::{Store, StoreError};
use crate::model::dns::Name;
use crate::model::time::Time;

/// Something that happened.
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

impl Store {
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
        insert(&mut tx, &zone.to_string(), at, kind, text, transition, operator).await?;
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
        .fetch_all(&self.readers)
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

pub(super) async fn insert(
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
