//! The log: what happened to zones and who did what, in order, for people and for those who look into it afterwards.
//!
//! Invariants: an entry is committed with what it tells of, or neither is; each has a hash over itself and the one before, so
//! that an entry that is changed, taken out or put in between is found ([`Store::verify_audit`]). The head is kept apart; whoever
//! can write to the file can write both, so the head belongs into other hands, too.

use super::{Store, StoreError};
use crate::model::dns::{Name, hex, stored};
use crate::model::time::Time;
use sha2::{Digest, Sha256};
use sqlx::{Sqlite, Transaction};
use std::sync::atomic::Ordering;

/// Who asked for what is written, when, and by which means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The account's name.
    pub who: String,
    pub via: String,
    pub address: Option<String>,
    pub at: Time,
}

impl Default for Signature {
    /// Nobody: what Chorus does by itself.
    fn default() -> Signature {
        Signature { who: "chorus".to_owned(), via: String::new(), address: None, at: Time(0) }
    }
}

/// Something that happened to a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub sequence: i64,
    pub at: Time,
    /// Stable, kebab-case.
    pub kind: String,
    pub text: String,
    pub who: String,
    pub transition: Option<String>,
    pub operator: Option<String>,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRecord {
    pub sequence: i64,
    pub at: i64,
    pub kind: String,
    pub text: String,
    pub who: String,
    pub via: String,
    pub address: Option<String>,
    pub zone: Option<String>,
    pub operator: Option<String>,
    pub transition_id: Option<String>,
    pub hash: String,
}

/// Which entries are asked for: the newest `limit` before `before`, of these alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub who: Option<String>,
    pub kind: Option<String>,
    /// As it is stored, with the final dot.
    pub zone: Option<String>,
    pub by_people: bool,
    pub before: Option<i64>,
    pub limit: i64,
}

/// Whether the log is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub entries: i64,
    pub head: (i64, String),
    /// The first entry that does not fit, in words.
    pub broken: Option<String>,
}

/// What is about to be told. The signature says who and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    pub kind: &'a str,
    pub text: &'a str,
    pub zone: Option<&'a str>,
    pub operator: Option<&'a str>,
    pub transition: Option<&'a str>,
}

/// Before the first entry.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How many entries are read at once.
const AT_ONCE: i64 = 1000;

impl AuditRecord {
    /// Every field with its length, so that nothing can be moved from one to the next.
    fn hash_after(&self, previous: &str) -> String {
        let (sequence, at) = (self.sequence.to_string(), self.at.to_string());
        let always = [previous, &sequence, &at, &self.kind, &self.text, &self.who, &self.via].map(Some);
        let maybe = [&self.address, &self.zone, &self.operator, &self.transition_id].map(Option::as_deref);
        let mut hash = Sha256::new();
        for field in always.into_iter().chain(maybe) {
            match field {
                Some(text) => {
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text.as_bytes());
                }
                None => hash.update(u64::MAX.to_be_bytes()),
            }
        }
        hex(&hash.finalize())
    }
}

impl Store {
    /// The same store, whose writes are this one's.
    pub fn signed(&self, signature: Signature) -> Store {
        Store { signature: std::sync::Arc::new(signature), ..self.clone() }
    }

    /// Adds an entry of its own: for what was asked for and leaves nothing else in the database.
    pub async fn note(
        &self,
        kind: &str,
        text: &str,
        zone: Option<&Name>,
        operator: Option<&str>,
    ) -> Result<(), StoreError> {
        let zone = zone.map(ToString::to_string);
        let told = Told { kind, text, zone: zone.as_deref(), operator, transition: None };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        self.tell(&mut tx, self.signature.at, told).await?;
        tx.commit().await?;
        self.changed(zone.as_deref());
        Ok(())
    }

    pub async fn add_event(
        &self,
        zone: &Name,
        at: Time,
        kind: &str,
        text: &str,
        transition: Option<&str>,
        operator: Option<&str>,
    ) -> Result<(), StoreError> {
        let zone = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        self.tell(&mut tx, at, Told { kind, text, zone: Some(&zone), operator, transition }).await?;
        tx.commit().await?;
        self.changed(Some(&zone));
        Ok(())
    }

    /// The newest `limit` events of a zone, oldest first.
    pub async fn events(&self, zone: &Name, limit: u32) -> Result<Vec<Event>, StoreError> {
        let filter = AuditFilter { zone: Some(stored(zone)), limit: i64::from(limit), ..AuditFilter::default() };
        let events = self.audit(&filter).await?.into_iter().rev().map(|entry| Event {
            sequence: entry.sequence,
            at: Time(entry.at),
            kind: entry.kind,
            text: entry.text,
            who: entry.who,
            transition: entry.transition_id,
            operator: entry.operator,
        });
        Ok(events.collect())
    }

    /// The newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
        // Only what is asked for is in the statement, so that each of these finds its index.
        let mut query = sqlx::QueryBuilder::<Sqlite>::new("SELECT * FROM audit WHERE sequence < ");
        query.push_bind(filter.before.unwrap_or(i64::MAX));
        for (column, value) in [("who", &filter.who), ("kind", &filter.kind), ("zone", &filter.zone)] {
            if let Some(value) = value {
                query.push(format!(" AND {column} = ")).push_bind(value);
            }
        }
        if filter.by_people {
            query.push(" AND who <> 'chorus'");
        }
        query.push(" ORDER BY sequence DESC LIMIT ").push_bind(filter.limit);
        Ok(query.build_query_as().fetch_all(&self.readers).await?)
    }

    /// What happened after `sequence`, the oldest first: of one zone, or of all.
    pub async fn audit_after(
        &self,
        sequence: i64,
        zone: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut query = sqlx::QueryBuilder::<Sqlite>::new("SELECT * FROM audit WHERE sequence > ");
        query.push_bind(sequence);
        if let Some(zone) = zone {
            query.push(" AND zone = ").push_bind(zone);
        }
        query.push(" ORDER BY sequence LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.readers).await?)
    }

    /// The last entry's sequence and hash.
    pub async fn audit_head(&self) -> Result<(i64, String), StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT sequence, hash FROM audit_head WHERE id = 1").fetch_optional(&self.pool).await?;
        Ok(row.unwrap_or_else(|| (0, NOTHING.to_owned())))
    }

    /// Reckons every hash anew.
    pub async fn verify_audit(&self) -> Result<Verified, StoreError> {
        let head = self.audit_head().await?;
        let (mut sequence, mut hash) = (0, NOTHING.to_owned());
        // From before the first one: somebody may have put something there.
        let mut behind = i64::MIN;
        let broken = |entries: i64, text: String| Ok(Verified { entries, head: head.clone(), broken: Some(text) });
        // What is added meanwhile is behind the head that was read.
        while sequence < head.0 {
            let entries = self.audit_after(behind, None, AT_ONCE).await?;
            if entries.is_empty() {
                return broken(sequence, format!("the log ends at entry {sequence}, and its last one was {}", head.0));
            }
            for entry in entries {
                if sequence == head.0 {
                    break;
                }
                let expected = sequence + 1;
                if entry.sequence != expected {
                    return broken(
                        sequence,
                        format!("entry {expected} is missing: the next one is {}", entry.sequence),
                    );
                }
                if entry.hash != entry.hash_after(&hash) {
                    return broken(
                        sequence,
                        format!("entry {expected} is not what was written, or follows another one than it did"),
                    );
                }
                (sequence, hash) = (entry.sequence, entry.hash);
                behind = sequence;
            }
        }
        if hash != head.1 {
            return broken(sequence, format!("entry {sequence} is not the one that was written last"));
        }
        // In one look, however much is written meanwhile.
        let (first, last, now): (Option<i64>, Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT MIN(sequence) FROM audit), (SELECT MAX(sequence) FROM audit),
                    (SELECT sequence FROM audit_head WHERE id = 1)",
        )
        .fetch_one(&self.readers)
        .await?;
        if let Some(first) = first.filter(|first| *first < 1) {
            return broken(sequence, format!("entry {first} was put before the first one"));
        }
        if let Some(last) = last.filter(|last| *last > now.unwrap_or(0)) {
            return broken(sequence, format!("entry {last} was put behind the last one"));
        }
        Ok(Verified { entries: sequence, head: head.clone(), broken: None })
    }

    /// Adds an entry within a transaction, under this store's signature.
    pub(super) async fn tell(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        at: Time,
        told: Told<'_>,
    ) -> Result<(), StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT sequence, hash FROM audit_head WHERE id = 1").fetch_optional(&mut **tx).await?;
        let (last, previous) = row.unwrap_or_else(|| (0, NOTHING.to_owned()));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut entry = AuditRecord {
            sequence: last + 1,
            at: at.0,
            kind: told.kind.to_owned(),
            text: told.text.to_owned(),
            who: self.signature.who.clone(),
            via: self.signature.via.clone(),
            address: self.signature.address.clone(),
            zone: owned(told.zone),
            operator: owned(told.operator),
            transition_id: owned(told.transition),
            hash: String::new(),
        };
        entry.hash = entry.hash_after(&previous);
        sqlx::query(
            "INSERT INTO audit (sequence, at, kind, text, who, via, address, zone, operator, transition_id, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(entry.sequence)
        .bind(entry.at)
        .bind(&entry.kind)
        .bind(&entry.text)
        .bind(&entry.who)
        .bind(&entry.via)
        .bind(&entry.address)
        .bind(&entry.zone)
        .bind(&entry.operator)
        .bind(&entry.transition_id)
        .bind(&entry.hash)
        .execute(&mut **tx)
        .await?;
        self.sequence.fetch_max(entry.sequence, Ordering::Relaxed);
        set_head(tx, entry.sequence, &entry.hash).await
    }

    /// Gives entries from before there were hashes theirs, once.
    pub(super) async fn chain_old_entries(&self) -> Result<(), StoreError> {
        // Where there are hashes and no head, somebody took that away: it is not made anew.
        let (hashed,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM (SELECT 1 FROM audit WHERE hash <> '' LIMIT 1)")
            .fetch_one(&self.pool)
            .await?;
        if hashed > 0 || self.audit_head().await?.0 > 0 {
            return Ok(());
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let (mut sequence, mut hash) = (0, NOTHING.to_owned());
        loop {
            let entries: Vec<AuditRecord> =
                sqlx::query_as("SELECT * FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2")
                    .bind(sequence)
                    .bind(AT_ONCE)
                    .fetch_all(&mut *tx)
                    .await?;
            let Some(last) = entries.last().map(|entry| entry.sequence) else { break };
            for entry in entries {
                hash = entry.hash_after(&hash);
                sqlx::query("UPDATE audit SET hash = $2 WHERE sequence = $1")
                    .bind(entry.sequence)
                    .bind(&hash)
                    .execute(&mut *tx)
                    .await?;
            }
            sequence = last;
        }
        if sequence > 0 {
            set_head(&mut tx, sequence, &hash).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn set_head(tx: &mut Transaction<'_, Sqlite>, sequence: i64, hash: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_head (id, sequence, hash) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
    )
    .bind(sequence)
    .bind(hash)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
