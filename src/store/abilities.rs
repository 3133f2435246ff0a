//! What operators were last seen to be able to do.

use super::{Store, StoreError};
use crate::model::ability::{Ability, Known};
use crate::model::time::Time;
use std::collections::BTreeMap;

impl Store {
    /// The newest word on an ability counts; what was not looked for stays as it is. That a trial failed is outdone by another
    /// trial alone, and not by what was read off a history.
    pub async fn saw_abilities(
        &self,
        operator: &str,
        seen: &BTreeMap<Ability, Known>,
        by_trial: bool,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (ability, known) in seen {
            sqlx::query(
                "INSERT INTO abilities (operator, ability, is_there, evidence, zone, seen_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (operator, ability) DO UPDATE SET is_there = excluded.is_there,
                     evidence = excluded.evidence, zone = excluded.zone, seen_at = excluded.seen_at
                 WHERE $7 OR abilities.is_there",
            )
            .bind(operator)
            .bind(ability.code())
            .bind(known.is_there)
            .bind(&known.evidence)
            .bind(&known.zone)
            .bind(known.at.0)
            .bind(by_trial)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// It was given other settings, or another credential: what it could not do before is not known of it any more.
    pub(super) async fn forget_inabilities(
        &self,
        operator: &str,
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM abilities WHERE operator = $1 AND NOT is_there")
            .bind(operator)
            .execute(connection)
            .await?;
        Ok(())
    }

    pub async fn abilities(&self, operator: &str) -> Result<BTreeMap<Ability, Known>, StoreError> {
        type Row = (String, bool, String, String, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT ability, is_there, evidence, zone, seen_at FROM abilities WHERE operator = $1 ORDER BY ability",
        )
        .bind(operator)
        .fetch_all(&self.readers)
        .await?;
        let known = rows.into_iter().filter_map(|(code, is_there, evidence, zone, seen_at)| {
            // One that a later version knows of is none of ours.
            let ability = Ability::ALL.into_iter().find(|ability| ability.code() == code)?;
            Some((ability, Known { is_there, evidence, zone, at: Time(seen_at) }))
        });
        Ok(known.collect())
    }
}
