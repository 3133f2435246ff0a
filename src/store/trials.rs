//! Trials of what operators can do: what was there before each, until it has been put back.

use super::audit::Told;
use super::{Store, StoreError, json, read_json};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};

/// A trial that may have left something behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    pub operator: String,
    /// With the final dot.
    pub zone: String,
    pub before: Before,
    pub started_at: Time,
}

/// What brings a zone back to what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The foreign key that is placed, in hexadecimal.
    pub foreign: String,
    /// Type, TTL and records, in hexadecimal, of each set that is changed as a whole.
    pub sets: Vec<(u16, u32, Vec<String>)>,
    /// The NS record of its own that is taken out for a moment, in hexadecimal.
    #[serde(default)]
    pub own_ns: Option<String>,
}

impl Store {
    /// Commits, before the first write, what brings the zone back. A trial that is there already is not overwritten.
    pub async fn begin_trial(&self, trial: &Trial) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let begun = sqlx::query(
            "INSERT INTO trials (operator, zone, before, started_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (operator, zone) DO NOTHING",
        )
        .bind(&trial.operator)
        .bind(&trial.zone)
        .bind(json("trial", &trial.zone, &trial.before)?)
        .bind(trial.started_at.0)
        .execute(&mut *tx)
        .await?;
        if begun.rows_affected() == 0 {
            return Err(StoreError::Exists { what: "trial", name: trial.zone.clone() });
        }
        let (kind, text) = ("trial-begun", "harmless records are placed to see what the operator can do");
        let told = Told { kind, text, zone: Some(&trial.zone), operator: Some(&trial.operator), transition: None };
        self.tell(&mut tx, trial.started_at, told).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn trials(&self) -> Result<Vec<Trial>, StoreError> {
        let rows: Vec<(String, String, String, i64)> =
            sqlx::query_as("SELECT operator, zone, before, started_at FROM trials ORDER BY operator, zone")
                .fetch_all(&self.pool)
                .await?;
        let each = rows.into_iter().map(|(operator, zone, before, started_at)| {
            Ok(Trial { before: read_json("trial", &zone, &before)?, operator, zone, started_at: Time(started_at) })
        });
        each.collect()
    }

    /// Nothing of it is left.
    pub async fn end_trial(&self, operator: &str, zone: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM trials WHERE operator = $1 AND zone = $2")
            .bind(operator)
            .bind(zone)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
