//! What operators' accounts have used of the requests that they may make.
//!
//! Invariant: asked and counted in one transaction, so that of two who ask at once both are counted.

use super::{Store, StoreError, json, read_json};
use chorus_providers::desec::{Budget, Limits};

impl Store {
    /// Looks at an account's budget, and stores what became of it.
    pub async fn with_budget<T: Send>(
        &self,
        operator: &str,
        use_it: impl FnOnce(&mut Budget) -> T + Send,
    ) -> Result<T, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let row: Option<(String,)> = sqlx::query_as("SELECT budget FROM budgets WHERE operator = $1")
            .bind(operator)
            .fetch_optional(&mut *tx)
            .await?;
        let stored = row.map(|(text,)| read_json::<Budget>("budget", operator, &text)).transpose()?;
        let mut budget = stored.unwrap_or_else(|| Budget::new(Limits::default()));
        let outcome = use_it(&mut budget);
        sqlx::query(
            "INSERT INTO budgets (operator, budget) VALUES ($1, $2)
             ON CONFLICT (operator) DO UPDATE SET budget = excluded.budget",
        )
        .bind(operator)
        .bind(json("budget", operator, &budget)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// As it is now.
    pub async fn budget(&self, operator: &str) -> Result<Budget, StoreError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT budget FROM budgets WHERE operator = $1")
            .bind(operator)
            .fetch_optional(&self.pool)
            .await?;
        let stored = row.map(|(text,)| read_json::<Budget>("budget", operator, &text)).transpose()?;
        Ok(stored.unwrap_or_else(|| Budget::new(Limits::default())))
    }
}
