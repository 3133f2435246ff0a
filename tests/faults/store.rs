//! F2, F3, F17: a database that takes nothing, one that is older than the world, and one of a newer Chorus.

use crate::world::World;
use chorus::store::{Keyring, MasterKey, Store};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::Path;
use std::sync::Arc;

/// A world whose database is a file, and a second connection to it.
pub async fn world(dir: &Path) -> (World, SqliteConnection) {
    let store = open(dir).await;
    let world = World::with(store.clone(), Arc::new(store)).await.adopt_as_usual().await;
    let other = SqliteConnectOptions::new().filename(dir.join("chorus.db")).connect().await.unwrap();
    (world, other)
}

async fn open(dir: &Path) -> Store {
    Store::open(dir, Keyring::of(MasterKey::from_octets([7; 32]))).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// From now on nothing can be put into this table.
pub async fn fill(connection: &mut SqliteConnection, table: &str) {
    for what in ["INSERT", "UPDATE"] {
        let fails = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
        run(connection, format!("CREATE TRIGGER full_{table}_{what} BEFORE {what} ON {table} {fails}")).await;
    }
}

pub async fn make_room(connection: &mut SqliteConnection, table: &str) {
    for what in ["INSERT", "UPDATE"] {
        run(connection, format!("DROP TRIGGER full_{table}_{what}")).await;
    }
}

#[tokio::test]
async fn f02_what_is_committed_is_on_the_disk_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // FULL: each commit waits for the disk.
    assert_eq!(store.durability().await.unwrap(), ("wal".to_owned(), 2));
}

#[tokio::test]
async fn f03_nothing_is_sent_while_the_database_takes_no_intent() {
    for table in ["placements", "spans"] {
        let dir = tempfile::tempdir().unwrap();
        let (world, mut other) = world(dir.path()).await;
        world.join("b").await;
        fill(&mut other, table).await;
        for _ in 0..20 {
            world.turn().await;
        }
        assert_eq!(world.lock().operators.values().map(|operator| operator.sent).sum::<usize>(), 0, "{table}");
        let shown = world.shown().await;
        assert!(shown.verdict.contains("disk is full"), "{}", shown.verdict);
        let refusal = world.ready().await.unwrap_err();
        assert!(refusal.code == "db-unavailable" && refusal.text.contains("disk is full"), "{refusal:?}");
        make_room(&mut other, table).await;
        world.comes_to_rest().await;
        world.ready().await.unwrap();
        world.assert_nobody_failed().await;
    }
}

#[tokio::test]
async fn f03_a_database_that_cannot_even_be_told_of_the_trouble_is_not_ready_and_goes_on_when_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut other) = world(dir.path()).await;
    world.join("b").await;
    for table in ["placements", "spans", "zones", "audit"] {
        fill(&mut other, table).await;
    }
    assert!(world.engine.turn(&crate::world::child()).await.is_err());
    assert_eq!(world.ready().await.unwrap_err().code, "db-unavailable");
    assert_eq!(world.lock().operators.values().map(|operator| operator.sent).sum::<usize>(), 0);
    for table in ["placements", "spans", "zones", "audit"] {
        make_room(&mut other, table).await;
    }
    world.comes_to_rest().await;
    world.ready().await.unwrap();
}

#[tokio::test]
async fn f03_a_database_from_an_old_backup_takes_the_world_as_it_is_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let (world, mut other) = world(dir.path()).await;
    world.join("b").await;
    world.until("a has b's keys", async |world| world.lock().operators["a"].sent > 0).await;
    run(&mut other, format!("VACUUM INTO '{}'", old.path().join("chorus.db").display())).await;
    world.comes_to_rest().await;
    world.lock().pass(86_400_000);
    let sent = world.lock().operators.values().map(|operator| operator.sent).sum::<usize>();
    let world = world.with_store(open(old.path()).await);
    // What happened since is not known: nothing is taken back, nothing is done twice.
    world.comes_to_rest().await;
    assert!(world.is_named("a", "b") && world.is_named("b", "a"));
    assert_eq!(world.lock().operators.values().map(|operator| operator.sent).sum::<usize>(), sent);
    world.leave("b").await;
    world.comes_to_rest().await;
    assert!(!world.is_named("a", "b"));
    let keys = world.lock().operators["a"].zone.records(chorus::model::history::Kind::Dnskey).len();
    assert_eq!(keys, 2, "no key of b is taken for one of a's own");
}

#[tokio::test]
async fn f17_a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (_world, mut other) = world(dir.path()).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of a newer version', TRUE, x'00', 0)";
    run(&mut other, newer.into()).await;
    let refused =
        Store::open(dir.path(), Keyring::of(MasterKey::from_octets([7; 32]))).await.err().unwrap().to_string();
    assert!(refused.contains("schema cannot be brought up to date") && refused.contains("9999"), "{refused}");
    run(&mut other, "DELETE FROM _sqlx_migrations WHERE version = 9999".into()).await;
    assert_eq!(open(dir.path()).await.zone_names().await.unwrap(), ["child.example."]);
}
