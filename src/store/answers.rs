//! Answers to requests that may be sent again.
//!
//! Invariant: of two who begin the same request at once one does, and the other is told of it. No secret is in an answer that
//! is kept: whoever keeps one leaves it out.

use super::{Store, StoreError};
use crate::model::time::Time;

/// A request that was begun under a key, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The hash of what was asked.
    pub request: String,
    /// `None`: there is no answer yet, or it was lost.
    pub status: Option<u16>,
    /// `None` beside a status: it held a secret.
    pub body: Option<String>,
    /// When it was begun.
    pub at: Time,
}

type Row = (String, Option<i64>, Option<String>, i64);

fn read((request, status, body, at): Row) -> StoredAnswer {
    StoredAnswer { request, status: status.and_then(|status| u16::try_from(status).ok()), body, at: Time(at) }
}

const ANSWER: &str = "SELECT request, status, body, at FROM answers WHERE who = $1 AND idempotency_key = $2";

impl Store {
    /// Begins a request, and drops what is from before `oldest`. With an answer: it was begun before, and is not now.
    pub async fn begin_answer(
        &self,
        who: &str,
        key: &str,
        request: &str,
        now: Time,
        oldest: Time,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM answers WHERE at < $1").bind(oldest.0).execute(&mut *tx).await?;
        let row: Option<Row> = sqlx::query_as(ANSWER).bind(who).bind(key).fetch_optional(&mut *tx).await?;
        if row.is_none() {
            sqlx::query("INSERT INTO answers (who, idempotency_key, request, at) VALUES ($1, $2, $3, $4)")
                .bind(who)
                .bind(key)
                .bind(request)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(row.map(read))
    }

    pub async fn answer(&self, who: &str, key: &str) -> Result<Option<StoredAnswer>, StoreError> {
        let row: Option<Row> = sqlx::query_as(ANSWER).bind(who).bind(key).fetch_optional(&self.pool).await?;
        Ok(row.map(read))
    }

    /// `body`: `None` where it holds a secret.
    pub async fn keep_answer(&self, who: &str, key: &str, status: u16, body: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE answers SET status = $3, body = $4 WHERE who = $1 AND idempotency_key = $2")
            .bind(who)
            .bind(key)
            .bind(i64::from(status))
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// So that the request may be sent again under the same key.
    pub async fn forget_answer(&self, who: &str, key: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM answers WHERE who = $1 AND idempotency_key = $2")
            .bind(who)
            .bind(key)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
