//! API tokens.
//!
//! Invariant: a token is here as its SHA-256 alone; 256 random bits need no slower hash.

use super::{Store, StoreError, json, read_json};
use crate::access::Permission;
use crate::model::time::Time;

/// A token, without what it signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: String,
    pub label: String,
    pub account: String,
    pub scopes: Vec<Permission>,
    /// With the final dot: only zones at or below it.
    pub below: Option<String>,
    pub created_at: Time,
    pub expires_at: Time,
    pub last_used_at: Option<Time>,
    pub revoked: bool,
}

type Row = (String, String, String, String, Option<String>, i64, i64, Option<i64>, bool);

const COLUMNS: &str =
    "SELECT id, label, account, scopes, below, created_at, expires_at, last_used_at, revoked FROM tokens";

fn read(row: Row) -> Result<TokenRecord, StoreError> {
    let (id, label, account, scopes, below, created_at, expires_at, last_used_at, revoked) = row;
    Ok(TokenRecord {
        scopes: read_json("token", &id, &scopes)?,
        id,
        label,
        account,
        below,
        created_at: Time(created_at),
        expires_at: Time(expires_at),
        last_used_at: last_used_at.map(Time),
        revoked,
    })
}

impl Store {
    /// `hash`: the token's SHA-256.
    pub async fn add_token(&self, token: &TokenRecord, hash: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO tokens (id, label, account, hash, scopes, below, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&token.id)
        .bind(&token.label)
        .bind(&token.account)
        .bind(hash)
        .bind(json("token", &token.id, &token.scopes)?)
        .bind(&token.below)
        .bind(token.created_at.0)
        .bind(token.expires_at.0)
        .execute(&mut *tx)
        .await?;
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
        let below = token.below.as_ref().map(|below| format!(", for zones below {below}")).unwrap_or_default();
        let text = format!("token {} of {} was made, for {}{below}", token.id, token.account, scopes.join(", "));
        self.tell_of_account(&mut tx, "token-made", &text).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Of one account, or of all; the newest first.
    pub async fn tokens(&self, account: Option<&str>) -> Result<Vec<TokenRecord>, StoreError> {
        let query = format!("{COLUMNS} WHERE $1 IS NULL OR account = $1 ORDER BY created_at DESC, id");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(account).fetch_all(&self.pool).await?;
        rows.into_iter().map(read).collect()
    }

    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRecord>, StoreError> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE hash = $1"));
        let row: Option<Row> = sqlx::query_as(query).bind(hash).fetch_optional(&self.readers).await?;
        row.map(read).transpose()
    }

    /// Of `account`, or of anybody. `false`: there is none such.
    pub async fn revoke_token(&self, id: &str, account: Option<&str>) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let revoked = sqlx::query(
            "UPDATE tokens SET revoked = TRUE WHERE id = $1 AND ($2 IS NULL OR account = $2) AND NOT revoked",
        )
        .bind(id)
        .bind(account)
        .execute(&mut *tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Ok(false);
        }
        self.tell_of_account(&mut tx, "token-revoked", &format!("token {id} is good for nothing any more")).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub async fn token_was_used(&self, id: &str, at: Time) -> Result<(), StoreError> {
        sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1")
            .bind(id)
            .bind(at.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
