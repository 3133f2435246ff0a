//! Operators: how each is driven, and its sealed secret.

use super::audit::Told;
use super::{Store, StoreError, json, read_json};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An operator as it is configured. The secret is read separately, when a write needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    pub name: String,
    #[serde(flatten)]
    pub interface: Interface,
    /// `HOST` or `HOST=ADDR:PORT`, as the user gave them.
    pub name_servers: Vec<String>,
    pub created_at: Time,
}

/// How an operator is driven. Stored beside the rest of its record, told apart by `provider`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase")]
pub enum Interface {
    Rfc2136 {
        /// `ADDR:PORT` that takes updates.
        update: String,
        tsig_name: String,
        tsig_algorithm: String,
    },
    PowerDns {
        url: String,
        server_id: String,
    },
    Desec {
        url: String,
        /// Which of several accounts at this URL, in words of the user's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
}

impl Interface {
    pub fn provider(&self) -> &'static str {
        match self {
            Interface::Rfc2136 { .. } => "rfc2136",
            Interface::PowerDns { .. } => "powerdns",
            Interface::Desec { .. } => "desec",
        }
    }

    /// The account whose requests are counted; `None` where none are. Operators at one URL use one account unless the user
    /// tells their accounts apart: a token does not say whose it is, and too few requests harm nothing.
    pub fn account(&self) -> Option<String> {
        let Interface::Desec { url, account } = self else { return None };
        let url = url.trim_end_matches('/');
        Some(account.as_ref().map_or_else(|| url.to_owned(), |account| format!("{url} {account}")))
    }
}

impl Store {
    /// `secret` is sealed with `nonce`, which must be random.
    pub async fn add_operator(
        &self,
        operator: &OperatorRecord,
        secret: &[u8],
        nonce: [u8; 24],
    ) -> Result<(), StoreError> {
        let _sealing = self.sealing.read().await;
        let sealed = self.keys().seal(&place(&operator.name), secret, nonce)?;
        let settings = json("operator", &operator.name, operator)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let added = sqlx::query(
            "INSERT INTO operators (name, provider, settings, secret, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&operator.name)
        .bind(operator.interface.provider())
        .bind(settings)
        .bind(sealed)
        .bind(operator.created_at.0)
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::Exists { what: "operator", name: operator.name.clone() });
        }
        let text = format!("added, driven by {}", operator.interface.provider());
        self.tell_of_operator(&mut tx, "operator-added", &text, &operator.name).await?;
        tx.commit().await?;
        self.changed(None);
        Ok(())
    }

    /// How it is driven, and where it serves, from now on. Its secret stays.
    pub async fn set_operator(&self, operator: &OperatorRecord) -> Result<(), StoreError> {
        let settings = json("operator", &operator.name, operator)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE operators SET settings = $2 WHERE name = $1")
            .bind(&operator.name)
            .bind(settings)
            .execute(&mut *tx)
            .await?;
        self.forget_inabilities(&operator.name, &mut tx).await?;
        self.tell_of_operator(&mut tx, "operator-changed", "driven with other settings", &operator.name).await?;
        tx.commit().await?;
        self.changed(None);
        Ok(())
    }

    pub async fn operators(&self) -> Result<Vec<OperatorRecord>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, settings FROM operators ORDER BY name").fetch_all(&self.readers).await?;
        rows.iter().map(|(name, settings)| read_json("operator", name, settings)).collect()
    }

    pub async fn operator(&self, name: &str) -> Result<Option<OperatorRecord>, StoreError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT settings FROM operators WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|(settings,)| read_json("operator", name, &settings)).transpose()
    }

    /// The secret, as it was given; to be dropped as soon as it is used.
    pub async fn operator_secret(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (sealed,): (Vec<u8>,) =
            sqlx::query_as("SELECT secret FROM operators WHERE name = $1").bind(name).fetch_one(&self.pool).await?;
        Ok(self.keys().open(&place(name), &sealed)?)
    }

    pub(super) async fn tell_of_operator(
        &self,
        tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
        kind: &str,
        text: &str,
        operator: &str,
    ) -> Result<(), StoreError> {
        self.tell(tx, self.signature.at, Told { kind, text, operator: Some(operator), ..Told::default() }).await
    }

    /// The zones that an operator is in.
    pub async fn zones_of(&self, operator: &str) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT zone FROM members WHERE operator = $1 ORDER BY zone")
            .bind(operator)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(|(zone,)| zone).collect())
    }
}

pub(super) fn place(name: &str) -> String {
    format!("operators/{name}/secret/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_of_an_operator_is_read_as_it_was_written() {
        let rfc2136 = r#"{"name":"a","provider":"rfc2136","update":"192.0.2.1:53","tsig_name":"k.","tsig_algorithm":"hmac-sha256","name_servers":["ns1.a.example."],"created_at":7}"#;
        let powerdns = r#"{"name":"b","provider":"powerdns","url":"https://b.example","server_id":"localhost","name_servers":[],"created_at":7}"#;
        for stored in [rfc2136, powerdns] {
            let record: OperatorRecord = read_json("operator", "a", stored).unwrap();
            assert_eq!(json("operator", "a", &record).unwrap(), stored);
            assert!(stored.contains(&format!("\"provider\":\"{}\"", record.interface.provider())));
        }
        assert!(read_json::<OperatorRecord>("operator", "c", r#"{"name":"c","provider":"smoke"}"#).is_err());
    }
}
