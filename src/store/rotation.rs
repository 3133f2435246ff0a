//! New secrets in the place of old ones: an operator's credential by way of a second slot, and everything that is sealed under
//! another master key.
//!
//! Invariant: what is in use is replaced in one transaction, and stays what it was until then. A process that dies in between
//! leaves both: an unused credential in the second slot, and rows under two master keys, either of which is at hand.

use super::accounts::totp_place;
use super::operators::place;
use super::{OperatorRecord, Store, StoreError, json};
use zeroize::Zeroizing;

/// Fills octets with random ones.
pub type FillRandom = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// Of the second slot.
fn staged_place(name: &str) -> String {
    format!("operators/{name}/next_secret/v1")
}

impl Store {
    /// Puts a new credential, and the settings that go with it, into the second slot, in which nothing uses it.
    pub async fn stage_secret(
        &self,
        operator: &OperatorRecord,
        secret: &[u8],
        nonce: [u8; 24],
    ) -> Result<(), StoreError> {
        let _sealing = self.sealing.read().await;
        let sealed = self.keys().seal(&staged_place(&operator.name), secret, nonce)?;
        let settings = json("operator", &operator.name, operator)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE operators SET next_settings = $2, next_secret = $3 WHERE name = $1")
            .bind(&operator.name)
            .bind(settings)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
        self.tell_of_operator(&mut tx, "credential-staged", "another credential is to be tried", &operator.name)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The credential in the second slot, if there is one.
    pub async fn staged_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let row: Option<(Option<Vec<u8>>,)> = sqlx::query_as("SELECT next_secret FROM operators WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let sealed = row.and_then(|(sealed,)| sealed);
        Ok(sealed.map(|sealed| self.keys().open(&staged_place(name), &sealed)).transpose()?)
    }

    /// What is in the second slot is used from now on, and what was used before is gone.
    pub async fn take_staged(&self, name: &str, nonce: [u8; 24]) -> Result<(), StoreError> {
        let _sealing = self.sealing.read().await;
        let Some(secret) = self.staged_secret(name).await? else { return Ok(()) };
        let sealed = self.keys().seal(&place(name), &secret, nonce)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE operators SET settings = next_settings, secret = $2, next_settings = NULL, next_secret = NULL
             WHERE name = $1 AND next_settings IS NOT NULL",
        )
        .bind(name)
        .bind(sealed)
        .execute(&mut *tx)
        .await?;
        self.forget_inabilities(name, &mut tx).await?;
        self.tell_of_operator(&mut tx, "credential-changed", "driven with the new credential", name).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn drop_staged(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE operators SET next_settings = NULL, next_secret = NULL WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        self.tell_of_operator(&mut tx, "credential-dropped", "the new credential is not used", name).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Seals everything with a new master key, row by row. Returns how many secrets that were.
    pub async fn rotate_master_key(&self, random: FillRandom) -> Result<u64, StoreError> {
        let _alone = self.exchanging.lock().await;
        self.keys_mut().begin(&random)?;
        self.note("master-key-changed", "all that is sealed is sealed with another master key", None, None).await?;
        self.reseal(random).await
    }

    /// What an exchange that was interrupted left to do, if anything.
    pub async fn finish_rotation(&self, random: FillRandom) -> Result<u64, StoreError> {
        let _alone = self.exchanging.lock().await;
        if !self.keys().is_exchanging() {
            return Ok(0);
        }
        self.reseal(random).await
    }

    async fn reseal(&self, random: FillRandom) -> Result<u64, StoreError> {
        let mut resealed = 0;
        // Whoever stores a secret from now on has sealed it with the new key.
        drop(self.sealing.write().await);
        while let Some((name, column, sealed)) = self.sealed_with_the_old_key().await? {
            let place = match column {
                "secret" => place(&name),
                "next_secret" => staged_place(&name),
                _ => totp_place(&name),
            };
            let mut nonce = [0; 24];
            random(&mut nonce);
            let anew = {
                let keys = self.keys();
                keys.seal(&place, &keys.open(&place, &sealed)?, nonce)?
            };
            let statement = match column {
                "secret" => "UPDATE operators SET secret = $3 WHERE name = $1 AND secret = $2",
                "next_secret" => "UPDATE operators SET next_secret = $3 WHERE name = $1 AND next_secret = $2",
                _ => "UPDATE accounts SET totp = $3 WHERE name = $1 AND totp = $2",
            };
            let done = sqlx::query(statement).bind(&name).bind(sealed).bind(anew).execute(&self.pool).await?;
            resealed += done.rows_affected();
        }
        self.keys_mut().finish()?;
        Ok(resealed)
    }

    async fn sealed_with_the_old_key(&self) -> Result<Option<(String, &'static str, Vec<u8>)>, StoreError> {
        type Row = (String, Vec<u8>, Option<Vec<u8>>);
        let rows: Vec<Row> = sqlx::query_as("SELECT name, secret, next_secret FROM operators ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        let codes: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT name, totp FROM accounts WHERE totp IS NOT NULL ORDER BY name")
                .fetch_all(&self.pool)
                .await?;
        let keys = self.keys();
        let each = rows.into_iter().flat_map(|(name, secret, next)| {
            let next = next.map(|next| (name.clone(), "next_secret", next));
            std::iter::once((name, "secret", secret)).chain(next)
        });
        let each = each.chain(codes.into_iter().map(|(name, sealed)| (name, "totp", sealed)));
        let mut old = each.filter(|(_, _, sealed)| !keys.is_new(sealed));
        Ok(old.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Time;
    use crate::store::{Interface, Keyring};
    use std::sync::atomic::{AtomicU8, Ordering};

    fn random() -> FillRandom {
        let next = AtomicU8::new(1);
        Box::new(move |octets: &mut [u8]| octets.fill(next.fetch_add(1, Ordering::Relaxed)))
    }

    fn operator(name: &str) -> OperatorRecord {
        let interface = Interface::PowerDns { url: "https://pdns.example".into(), server_id: "localhost".into() };
        OperatorRecord { name: name.into(), interface, name_servers: Vec::new(), created_at: Time(0) }
    }

    async fn open(dir: &std::path::Path) -> Store {
        Store::open(dir, Keyring::find(dir, random()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_new_master_key_seals_all_and_a_death_at_any_row_loses_nothing() {
        for rows_done in 0..=4 {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path()).await;
            for name in ["a", "b", "c"] {
                store.add_operator(&operator(name), name.as_bytes(), [1; 24]).await.unwrap();
            }
            store.stage_secret(&operator("b"), b"next", [2; 24]).await.unwrap();
            let before = store.keys().newest().id();
            // As far as it gets before it dies: some rows are done, the new key is not in its place.
            store.keys_mut().begin(|octets| octets.fill(77)).unwrap();
            for _ in 0..rows_done {
                let (name, column, sealed) = store.sealed_with_the_old_key().await.unwrap().unwrap();
                let place = if column == "secret" { place(&name) } else { staged_place(&name) };
                let secret = store.keys().open(&place, &sealed).unwrap();
                let anew = store.keys().seal(&place, &secret, [3; 24]).unwrap();
                let statement = format!("UPDATE operators SET {column} = $2 WHERE name = $1");
                let statement = sqlx::AssertSqlSafe(statement);
                sqlx::query(statement).bind(&name).bind(anew).execute(&store.pool).await.unwrap();
            }
            drop(store);
            let store = open(dir.path()).await;
            for name in ["a", "b", "c"] {
                assert_eq!(store.operator_secret(name).await.unwrap().as_slice(), name.as_bytes(), "{rows_done} done");
            }
            assert_eq!(store.finish_rotation(random()).await.unwrap(), 4 - rows_done);
            assert_ne!(store.keys().newest().id(), before);
            drop(store);
            let store = open(dir.path()).await;
            assert!(!store.keys().is_exchanging());
            assert_eq!(store.operator_secret("c").await.unwrap().as_slice(), b"c");
            assert_eq!(store.staged_secret("b").await.unwrap().unwrap().as_slice(), b"next");
            assert_eq!(store.finish_rotation(random()).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_secret_that_was_sealed_before_an_exchange_and_is_stored_in_the_midst_of_it_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        store.add_operator(&operator("a"), b"a", [1; 24]).await.unwrap();
        // As `add_operator`, which is slow to store what it has sealed.
        let slow = store.clone();
        let (sealed, began) = tokio::sync::oneshot::channel();
        let (go_on, told) = tokio::sync::oneshot::channel::<()>();
        let storing = tokio::spawn(async move {
            let _sealing = slow.sealing.read().await;
            let secret = slow.keys().seal(&place("b"), b"b", [2; 24]).unwrap();
            sealed.send(()).unwrap();
            told.await.unwrap();
            let insert =
                "INSERT INTO operators (name, provider, settings, secret, created_at) VALUES ('b', 'x', '', $1, 0)";
            sqlx::query(insert).bind(secret).execute(&slow.pool).await.unwrap();
        });
        began.await.unwrap();
        let exchanging = {
            let store = store.clone();
            let other = random();
            other(&mut [0; 32]);
            tokio::spawn(async move { store.rotate_master_key(other).await })
        };
        while !store.keys().is_exchanging() {
            tokio::task::yield_now().await;
        }
        // So it has got as far as it can.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        go_on.send(()).unwrap();
        storing.await.unwrap();
        assert_eq!(exchanging.await.unwrap().unwrap(), 2);
        assert_eq!(store.operator_secret("b").await.unwrap().as_slice(), b"b");
    }

    #[tokio::test]
    async fn a_new_credential_is_used_only_when_it_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        store.add_operator(&operator("a"), b"old", [1; 24]).await.unwrap();
        let elsewhere = Interface::PowerDns { url: "https://new.example".into(), server_id: "localhost".into() };
        let changed = OperatorRecord { interface: elsewhere, ..operator("a") };
        store.stage_secret(&changed, b"new", [2; 24]).await.unwrap();
        assert_eq!(store.operator_secret("a").await.unwrap().as_slice(), b"old");
        assert_eq!(store.operator("a").await.unwrap().unwrap(), operator("a"));
        store.take_staged("a", [3; 24]).await.unwrap();
        assert_eq!(store.operator_secret("a").await.unwrap().as_slice(), b"new");
        assert_eq!(store.operator("a").await.unwrap().unwrap(), changed);
        assert!(store.staged_secret("a").await.unwrap().is_none());
        store.stage_secret(&operator("a"), b"third", [4; 24]).await.unwrap();
        store.drop_staged("a").await.unwrap();
        store.take_staged("a", [5; 24]).await.unwrap();
        assert_eq!(store.operator_secret("a").await.unwrap().as_slice(), b"new");
    }

    #[tokio::test]
    async fn of_two_ciphertexts_that_were_swapped_neither_opens_and_the_row_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        for name in ["a", "b"] {
            store.add_operator(&operator(name), name.as_bytes(), [1; 24]).await.unwrap();
        }
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT secret FROM operators ORDER BY name").fetch_all(&store.pool).await.unwrap();
        for (name, (sealed,)) in ["b", "a"].into_iter().zip(rows) {
            let swap = sqlx::query("UPDATE operators SET secret = $2 WHERE name = $1").bind(name).bind(sealed);
            swap.execute(&store.pool).await.unwrap();
        }
        for name in ["a", "b"] {
            let error = store.operator_secret(name).await.unwrap_err().to_string();
            assert!(error.contains(&format!("operators/{name}/secret")), "{error}");
        }
    }
}
