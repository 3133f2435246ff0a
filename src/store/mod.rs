//! What must survive a crash: operators, zones, members, placements, transitions, spans, the log, who may do what.
//!
//! Invariant: what a write to an operator depends on is committed before it is sent ([`Store::intend`]). SQL keeps to what
//! SQLite and PostgreSQL share, and all of it is in this folder. Nothing is decided here.

mod abilities;
mod accounts;
mod answers;
mod audit;
mod budgets;
mod failed_spans;
mod keyring;
mod measures;
mod operators;
mod records;
mod rotation;
mod seal;
mod sessions;
mod summaries;
mod tokens;
mod transitions;
mod trials;
mod zone_pages;
mod zones;

pub use accounts::AccountRecord;
pub use answers::StoredAnswer;
pub use audit::{AuditFilter, AuditRecord, Event, Signature, Verified};
pub use keyring::Keyring;
pub use measures::{DayCount, ForecastKept, Forecasted, ParentAct, ParentMeasures, Past, StepTook};
pub use operators::{Interface, OperatorRecord};
pub use records::Records;
pub use rotation::FillRandom;
pub use seal::{MasterKey, SealError};
pub use sessions::SessionRecord;
pub use summaries::{Summary, UNFINISHED, ZoneState};
pub use tokens::TokenRecord;
pub use transitions::{Aim, AlgorithmChange, Control, TransitionRecord, TransitionState};
pub use trials::{Before, Trial};
pub use zone_pages::{InState, PageFrom, StoredOverview, ZoneFilter, ZonePage, ZoneRow};
pub use zones::{MemberRecord, ParentRecord, ZoneRecord};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::broadcast;

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database's schema cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("{what} {key} in the database cannot be read: {reason}")]
    Damaged { what: &'static str, key: String, reason: String },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("there is a {what} {name} already")]
    Exists { what: &'static str, name: String },
    #[error("{zone} is in the middle of a transition to {to}")]
    InTransition { zone: String, to: String },
    #[error("transition {id} of {zone} is not any more what it was when it was looked at")]
    TransitionChanged { zone: String, id: String },
    #[error("that would leave no admin who can sign in")]
    LastAdmin,
}

/// So many pages are read at once.
const READERS: u32 = 4;

/// The database. One type, so that PostgreSQL becomes a second arm inside it.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    /// For what only reads: it waits for no writer, and sees what was committed before it began. Whoever changes what it has
    /// read does both on `pool`, in one transaction, or under the zone's lock.
    readers: SqlitePool,
    keys: Arc<RwLock<Keyring>>,
    /// One exchange of the master key at a time.
    exchanging: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever seals something, until it is stored: an exchange waits once for those that began before it.
    sealing: Arc<tokio::sync::RwLock<()>>,
    /// Under whose name the log has what is written.
    signature: Arc<Signature>,
    changes: broadcast::Sender<Changed>,
    /// The log's last entry, for those who are told of changes.
    sequence: Arc<AtomicI64>,
}

/// Something was committed that a person who looks on may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// With the final dot; `None`: it is about no zone, or about all.
    pub zone: Option<String>,
    /// Of the log's last entry.
    pub sequence: i64,
}

/// Whoever is further behind has to look at everything anew.
const CHANGES_KEPT: usize = 1024;

impl Store {
    /// Opens or creates `DIR/chorus.db`. Committed means on disk (`synchronous = FULL`): an intent must survive power loss.
    pub async fn open(dir: &Path, keys: Keyring) -> Result<Store, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("chorus.db"))
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        // One connection: SQLite has one writer, and waiting for a turn here is better than SQLITE_BUSY there.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let store = Store::with_pool(pool, keys).await?;
        let reading = options.create_if_missing(false).pragma("query_only", "ON");
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(reading).await?;
        Ok(Store { readers, ..store })
    }

    /// A database that lives in memory, for tests and simulations.
    pub async fn in_memory(key: MasterKey) -> Result<Store, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Store::with_pool(pool, Keyring::of(key)).await
    }

    /// How a commit is made: the journal's mode, and what it waits for (2: until it is on the disk).
    pub async fn durability(&self) -> Result<(String, i64), StoreError> {
        let (mode,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(&self.pool).await?;
        let (waits,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&self.pool).await?;
        Ok((mode, waits))
    }

    async fn with_pool(pool: SqlitePool, keys: Keyring) -> Result<Store, StoreError> {
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        // A database in memory is its one connection's.
        let readers = pool.clone();
        let store = Store {
            pool,
            readers,
            keys: Arc::new(RwLock::new(keys)),
            exchanging: Arc::default(),
            sealing: Arc::default(),
            signature: Arc::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            sequence: Arc::default(),
        };
        store.chain_old_entries().await?;
        store.sequence.store(store.audit_head().await?.0, Ordering::Relaxed);
        Ok(store)
    }

    /// Everything that is committed from now on and may be seen by somebody.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    fn changed(&self, zone: Option<&str>) {
        // Nobody may be looking.
        let sequence = self.sequence.load(Ordering::Relaxed);
        let _ = self.changes.send(Changed { zone: zone.map(str::to_owned), sequence });
    }

    /// Seals what is kept elsewhere for a moment.
    pub(crate) fn seal(&self, place: &str, secret: &[u8], nonce: [u8; 24]) -> Result<Vec<u8>, StoreError> {
        Ok(self.keys().seal(place, secret, nonce)?)
    }

    pub(crate) fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        Ok(self.keys().open(place, sealed)?)
    }

    /// Keys are whole even if somebody panicked beside them.
    fn keys(&self) -> RwLockReadGuard<'_, Keyring> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_mut(&self) -> RwLockWriteGuard<'_, Keyring> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a JSON column.
fn read_json<T: serde::de::DeserializeOwned>(what: &'static str, key: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged { what, key: key.to_owned(), reason: e.to_string() })
}

/// Writes a JSON column.
fn json<T: serde::Serialize>(what: &'static str, key: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Damaged { what, key: key.to_owned(), reason: e.to_string() })
}

fn damaged(what: &'static str, key: &str, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged { what, key: key.to_owned(), reason: reason.to_string() }
}
