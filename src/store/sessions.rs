//! Sessions of the web interface, as the session layer wants them kept.
//!
//! Invariant: a session is found by the SHA-256 of what its cookie holds; nobody who reads the database can take one over.

use super::{Store, StoreError};
use crate::model::time::Time;

/// A session: `record` is the session layer's own.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRecord {
    /// A hash, and no secret.
    pub id: String,
    /// Empty before somebody has signed in.
    pub account: String,
    pub record: String,
    /// Milliseconds.
    pub expires_at: i64,
}

impl Store {
    pub async fn begin_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        self.write_session("INSERT INTO sessions (id, account, record, expires_at) VALUES ($1, $2, $3, $4)", session)
            .await
    }

    /// One that was ended meanwhile stays ended: another request of the same browser may have been under way.
    pub async fn save_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let update = "UPDATE sessions SET account = $2, record = $3, expires_at = $4 WHERE id = $1";
        self.write_session(update, session).await
    }

    async fn write_session(&self, statement: &'static str, session: &SessionRecord) -> Result<(), StoreError> {
        sqlx::query(statement)
            .bind(&session.id)
            .bind(&session.account)
            .bind(&session.record)
            .bind(session.expires_at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub async fn session(&self, id: &str, now: Time) -> Result<Option<SessionRecord>, StoreError> {
        let query = "SELECT id, account, record, expires_at FROM sessions WHERE id = $1 AND expires_at > $2";
        Ok(sqlx::query_as(query).bind(id).bind(now.0).fetch_optional(&self.readers).await?)
    }

    pub async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Of one account, or of all.
    pub async fn sessions(&self, account: Option<&str>, now: Time) -> Result<Vec<SessionRecord>, StoreError> {
        let query = "SELECT id, account, record, expires_at FROM sessions
                     WHERE expires_at > $2 AND account <> '' AND ($1 IS NULL OR account = $1) ORDER BY account, id";
        Ok(sqlx::query_as(query).bind(account).bind(now.0).fetch_all(&self.pool).await?)
    }

    /// Ends a session of `account`, or of anybody. `false`: there is none such.
    pub async fn revoke_session(&self, id: &str, account: Option<&str>) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let row: Option<(String,)> =
            sqlx::query_as("DELETE FROM sessions WHERE id = $1 AND ($2 IS NULL OR account = $2) RETURNING account")
                .bind(id)
                .bind(account)
                .fetch_optional(&mut *tx)
                .await?;
        let Some((of,)) = row else { return Ok(false) };
        self.tell_of_account(&mut tx, "session-ended", &format!("a session of {of} was ended")).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub async fn drop_old_sessions(&self, now: Time) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now.0).execute(&self.pool).await?;
        Ok(())
    }
}
