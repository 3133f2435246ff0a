//! Accounts: who signs in, with which role.
//!
//! Invariants: a password is here as its argon2id hash alone, a second factor sealed, a one-time link as its SHA-256; there is
//! always an admin who can sign in, once there was one; a link and a one-time code are good once.

use super::audit::Told;
use super::{Store, StoreError, damaged};
use crate::access::Role;
use crate::model::time::Time;
use sha2::{Digest, Sha256};
use sqlx::{Sqlite, Transaction};
use zeroize::Zeroizing;

/// An account, without what it signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    pub name: String,
    pub role: Role,
    pub has_password: bool,
    pub has_totp: bool,
    pub disabled: bool,
    pub theme: String,
    pub created_at: Time,
    pub last_seen_at: Option<Time>,
    /// Another one after each change of what it may do or signs in with: sessions are good for one of them.
    pub stamp: [u8; 32],
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    role: String,
    password: Option<String>,
    totp: Option<Vec<u8>>,
    disabled: bool,
    theme: String,
    created_at: i64,
    last_seen_at: Option<i64>,
}

const COLUMNS: &str = "SELECT name, role, password, totp, disabled, theme, created_at, last_seen_at FROM accounts";

fn read(row: Row) -> Result<AccountRecord, StoreError> {
    let role = Role::ALL.into_iter().find(|role| role.name() == row.role);
    let role = role.ok_or_else(|| damaged("account", &row.name, format!("{} is no role", row.role)))?;
    let password = row.password.unwrap_or_default();
    let stamp = Sha256::new()
        .chain_update(password.as_bytes())
        .chain_update(row.role.as_bytes())
        .chain_update([u8::from(row.disabled)])
        .finalize();
    Ok(AccountRecord {
        name: row.name,
        role,
        has_password: !password.is_empty(),
        has_totp: row.totp.is_some(),
        disabled: row.disabled,
        theme: row.theme,
        created_at: Time(row.created_at),
        last_seen_at: row.last_seen_at.map(Time),
        stamp: stamp.into(),
    })
}

/// How many admins can sign in.
async fn admins(tx: &mut Transaction<'_, Sqlite>) -> Result<i64, StoreError> {
    let query = "SELECT COUNT(*) FROM accounts WHERE role = 'admin' AND NOT disabled AND password IS NOT NULL";
    let (admins,): (i64,) = sqlx::query_as(query).fetch_one(&mut **tx).await?;
    Ok(admins)
}

/// Before the first one has signed in for the first time there is nobody to be kept.
async fn an_admin_is_left(tx: &mut Transaction<'_, Sqlite>, before: i64) -> Result<(), StoreError> {
    if before > 0 && admins(tx).await? == 0 { Err(StoreError::LastAdmin) } else { Ok(()) }
}

pub(super) fn totp_place(name: &str) -> String {
    format!("accounts/{name}/totp/v1")
}

impl Store {
    pub async fn accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name"));
        let rows: Vec<Row> = sqlx::query_as(query).fetch_all(&self.pool).await?;
        rows.into_iter().map(read).collect()
    }

    pub async fn account(&self, name: &str) -> Result<Option<AccountRecord>, StoreError> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE name = $1"));
        let row: Option<Row> = sqlx::query_as(query).bind(name).fetch_optional(&self.pool).await?;
        row.map(read).transpose()
    }

    /// Its password's hash, if there is such an account and it has one.
    pub async fn password_of(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        let row: Option<(Option<String>,)> = sqlx::query_as("SELECT password FROM accounts WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.and_then(|(password,)| password).map(Zeroizing::new))
    }

    /// `link`: SHA-256 of the secret with which the password can be chosen, until `until`.
    pub async fn add_account(&self, name: &str, role: Role, link: &str, until: Time) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let added = sqlx::query(
            "INSERT INTO accounts (name, role, link, link_until, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(role.name())
        .bind(link)
        .bind(until.0)
        .bind(self.signature.at.0)
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::Exists { what: "account", name: name.to_owned() });
        }
        self.tell_of_account(&mut tx, "account-added", &format!("account {name} was added, as {role}")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Another link for the same account, in the place of the one before; the rest stays as it is.
    pub async fn renew_link(&self, name: &str, link: &str, until: Time) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE accounts SET link = $2, link_until = $3 WHERE name = $1")
            .bind(name)
            .bind(link)
            .bind(until.0)
            .execute(&mut *tx)
            .await?;
        self.tell_of_account(&mut tx, "account-link", &format!("account {name} got a one-time link")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Its role, and whether it may sign in. The last admin who can stays one.
    pub async fn set_account(&self, name: &str, role: Role, disabled: bool) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let before = admins(&mut tx).await?;
        sqlx::query("UPDATE accounts SET role = $2, disabled = $3 WHERE name = $1")
            .bind(name)
            .bind(role.name())
            .bind(disabled)
            .execute(&mut *tx)
            .await?;
        // What an account was allowed when it signed in is over, for good: not until it is allowed the same again.
        sqlx::query("DELETE FROM sessions WHERE account = $1").bind(name).execute(&mut *tx).await?;
        an_admin_is_left(&mut tx, before).await?;
        let is = if disabled { ", and may not sign in" } else { "" };
        self.tell_of_account(&mut tx, "account-changed", &format!("account {name} is {role} from now on{is}")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes password, second factor, sessions and tokens away.
    pub async fn reset_account(&self, name: &str, link: &str, until: Time) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let before = admins(&mut tx).await?;
        sqlx::query(
            "UPDATE accounts SET password = NULL, totp = NULL, totp_step = 0, link = $2, link_until = $3 WHERE name = $1",
        )
        .bind(name)
        .bind(link)
        .bind(until.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM sessions WHERE account = $1").bind(name).execute(&mut *tx).await?;
        sqlx::query("UPDATE tokens SET revoked = TRUE WHERE account = $1").bind(name).execute(&mut *tx).await?;
        an_admin_is_left(&mut tx, before).await?;
        let text =
            format!("password, second factor and tokens of account {name} were taken away, and it got a one-time link");
        self.tell_of_account(&mut tx, "account-reset", &text).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whose link that is, as long as it is good.
    pub async fn account_of_link(&self, link: &str, now: Time) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT name FROM accounts WHERE link = $1 AND link_until > $2 AND NOT disabled")
                .bind(link)
                .bind(now.0)
                .fetch_optional(&self.readers)
                .await?;
        Ok(row.map(|(name,)| name))
    }

    /// The password that was chosen by a link, which is gone with that. `None`: the link is not good.
    pub async fn choose_password(&self, link: &str, now: Time, hash: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let row: Option<(String,)> = sqlx::query_as(
            "UPDATE accounts SET password = $3, link = NULL, link_until = NULL
             WHERE link = $1 AND link_until > $2 AND NOT disabled RETURNING name",
        )
        .bind(link)
        .bind(now.0)
        .bind(hash)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((name,)) = row else { return Ok(None) };
        self.tell_of_account(&mut tx, "password-chosen", &format!("account {name} has its password")).await?;
        tx.commit().await?;
        Ok(Some(name))
    }

    pub async fn set_password(&self, name: &str, hash: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE accounts SET password = $2 WHERE name = $1")
            .bind(name)
            .bind(hash)
            .execute(&mut *tx)
            .await?;
        self.tell_of_account(&mut tx, "password-changed", &format!("account {name} has another password")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The second factor's secret, sealed with `nonce`, which must be random; none: it is asked for no more.
    pub async fn set_totp(&self, name: &str, secret: Option<&[u8]>, nonce: [u8; 24]) -> Result<(), StoreError> {
        let _sealing = self.sealing.read().await;
        let sealed = secret.map(|secret| self.keys().seal(&totp_place(name), secret, nonce)).transpose()?;
        let what =
            if sealed.is_some() { "is asked for a one-time code from now on" } else { "is asked for no code any more" };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE accounts SET totp = $2, totp_step = 0 WHERE name = $1")
            .bind(name)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
        self.tell_of_account(&mut tx, "second-factor", &format!("account {name} {what}")).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn totp_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let row: Option<(Option<Vec<u8>>,)> =
            sqlx::query_as("SELECT totp FROM accounts WHERE name = $1").bind(name).fetch_optional(&self.pool).await?;
        let sealed = row.and_then(|(sealed,)| sealed);
        Ok(sealed.map(|sealed| self.keys().open(&totp_place(name), &sealed)).transpose()?)
    }

    /// Uses up the codes of this time step and of those before. `false`: they were used already.
    pub async fn use_totp_step(&self, name: &str, step: i64) -> Result<bool, StoreError> {
        let used = sqlx::query("UPDATE accounts SET totp_step = $2 WHERE name = $1 AND totp_step < $2")
            .bind(name)
            .bind(step)
            .execute(&self.pool)
            .await?;
        Ok(used.rows_affected() > 0)
    }

    pub async fn set_theme(&self, name: &str, theme: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE accounts SET theme = $2 WHERE name = $1")
            .bind(name)
            .bind(theme)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Somebody signed in.
    pub async fn signed_in(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE accounts SET last_seen_at = $2 WHERE name = $1")
            .bind(name)
            .bind(self.signature.at.0)
            .execute(&mut *tx)
            .await?;
        self.tell_of_account(&mut tx, "signed-in", &format!("{name} signed in")).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn tell_of_account(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        kind: &str,
        text: &str,
    ) -> Result<(), StoreError> {
        self.tell(tx, self.signature.at, Told { kind, text, ..Told::default() }).await
    }
}
