//! What operators were last seen to be able to do.

use super::{Store, StoreError};
use crate::model::ability::{Ability, Known};
use crate::model::time::Time;
use std::collections::BTreeMap;

impl Store {
    /// The newest word on an ability counts; what was not looked for stays as it is.
    pub async fn saw_abilities(&self, operator: &str, seen: &BTreeMap<Ability, Known>) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (ability, known) in seen {
            sqlx::query(
                "INSERT INTO abilities (operator, ability, is_there, evidence, zone, seen_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (operator, ability) DO UPDATE SET is_there = excluded.is_there,
                     evidence = excluded.evidence, zone = excluded.zone, seen_at = excluded.seen_at",
            )
            .bind(operator)
            .bind(ability.code())
            .bind(known.is_there)
            .bind(&known.evidence)
            .bind(&known.zone)
            .bind(known.at.0)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub async fn abilities(&self, operator: &str) -> Result<BTreeMap<Ability, Known>, StoreError> {
        type Row = (String, bool, String, String, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT ability, is_there, evidence, zone, seen_at FROM abilities WHERE operator = $1 ORDER BY ability",
        )
        .bind(operator)
        .fetch_all(&self.pool)
        .await?;
        let known = rows.into_iter().filter_map(|(code, is_there, evidence, zone, seen_at)| {
            // One that a later version knows of is none of ours.
            let ability = Ability::ALL.into_iter().find(|ability| ability.code() == code)?;
            Some((ability, Known { is_there, evidence, zone, at: Time(seen_at) }))
        });
        Ok(known.collect())
    }
}
