//! The log after somebody had their hands in the file: each edit, cut and insertion is found.

use crate::house::{House, beside, open, run};
use chorus::access::Role;
use chorus::model::dns::Name;
use chorus::store::{AuditFilter, Store};
use sqlx::sqlite::SqliteConnection;
use std::path::Path;

const NO_TRIGGERS: &str = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_cut;
                           DROP TRIGGER audit_is_never_written_over;";

async fn with_entries() -> House {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let zone: Name = "example.org.".parse().unwrap();
    for n in 0..6 {
        house.store.note("noted", &format!("entry {n}"), Some(&zone), Some("a")).await.unwrap();
    }
    house
}

async fn broken(store: &Store) -> Option<String> {
    store.verify_audit().await.unwrap().broken
}

async fn found(what: &str, sql: &str) {
    let house = with_entries().await;
    assert_eq!(broken(&house.store).await, None);
    let mut connection = beside(house.dir.path()).await;
    run(&mut connection, NO_TRIGGERS).await;
    run(&mut connection, sql).await;
    assert!(broken(&house.store).await.is_some(), "{what}");
    // A new process sees it, too, and mends nothing.
    assert!(broken(&open(house.dir.path()).await).await.is_some(), "{what}, after a restart");
}

#[tokio::test]
async fn whatever_is_changed_in_an_entry_is_found() {
    for (column, value) in [
        ("at", "at + 1"),
        ("kind", "'other'"),
        ("text", "text || ' '"),
        ("who", "'ben'"),
        ("via", "'session'"),
        ("address", "'192.0.2.1'"),
        ("address", "''"),
        ("zone", "'example.net.'"),
        ("zone", "NULL"),
        ("operator", "'b'"),
        ("operator", "NULL"),
        ("transition_id", "'t'"),
        ("transition_id", "''"),
        ("hash", "replace(hash, substr(hash, 1, 1), 'x')"),
        ("hash", "''"),
    ] {
        found(column, &format!("UPDATE audit SET {column} = {value} WHERE sequence = 4")).await;
    }
    // From one field into its neighbour.
    found("moved", "UPDATE audit SET kind = kind || substr(text, 1, 1), text = substr(text, 2) WHERE sequence = 4")
        .await;
}

#[tokio::test]
async fn entries_that_were_taken_out_put_in_or_exchanged_are_found() {
    let copy = |sequence: &str| {
        format!(
            "INSERT INTO audit SELECT {sequence}, at, kind, text, who, via, address, zone, operator, transition_id, hash
             FROM audit WHERE sequence = 4"
        )
    };
    found("in the middle", "DELETE FROM audit WHERE sequence = 4").await;
    found("the first", "DELETE FROM audit WHERE sequence = 1").await;
    found("the last", "DELETE FROM audit WHERE sequence = (SELECT MAX(sequence) FROM audit)").await;
    found("all", "DELETE FROM audit").await;
    found(
        "the last one further on",
        "UPDATE audit SET sequence = sequence + 5 WHERE sequence = (SELECT MAX(sequence) FROM audit)",
    )
    .await;
    found(
        "closed up",
        "DELETE FROM audit WHERE sequence = 4; UPDATE audit SET sequence = sequence - 1 WHERE sequence > 4",
    )
    .await;
    found(
        "exchanged",
        "UPDATE audit SET sequence = -4 WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = 5;
         UPDATE audit SET sequence = 5 WHERE sequence = -4",
    )
    .await;
    found("behind the last", &copy("(SELECT MAX(sequence) + 1 FROM audit)")).await;
    found("far behind the last", &copy("1000000")).await;
    found("before all others", &copy("-9223372036854775808")).await;
    found("before the first", &copy("0")).await;
    found(
        "replaced",
        "REPLACE INTO audit SELECT sequence, at, kind, 'other', who, via, address, zone, operator, transition_id, hash
         FROM audit WHERE sequence = 4",
    )
    .await;
    found("far before the first", &copy("-7")).await;
    found("in between", &format!("UPDATE audit SET sequence = -sequence - 1 WHERE sequence > 4; UPDATE audit SET sequence = -sequence WHERE sequence < 0; {}", copy("5"))).await;
}

#[tokio::test]
async fn another_head_is_found() {
    found("its hash", "UPDATE audit_head SET hash = replace(hash, substr(hash, 1, 1), 'x')").await;
    found("further on", "UPDATE audit_head SET sequence = sequence + 1").await;
    found(
        "further back",
        "UPDATE audit_head SET (sequence, hash) = (SELECT sequence, hash FROM audit WHERE sequence = 4)",
    )
    .await;
    found("taken away", "DELETE FROM audit_head").await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_cut_the_log() {
    let house = with_entries().await;
    let mut connection = beside(house.dir.path()).await;
    for sql in [
        "UPDATE audit SET who = 'ben' WHERE sequence = 4",
        "UPDATE audit SET hash = ''",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE sequence = 4",
        "REPLACE INTO audit SELECT sequence, at, kind, 'other', who, via, address, zone, operator, transition_id, hash
         FROM audit WHERE sequence = 4",
    ] {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        let told = done.map(|_| ()).unwrap_err().to_string();
        assert!(told.contains("only ever added to"), "{sql}: {told}");
    }
    assert_eq!(broken(&house.store).await, None);
}

/// A database as it was before there were accounts, with what happened to a zone.
async fn from_before(dir: &Path) -> SqliteConnection {
    let mut connection = beside(dir).await;
    let all =
        sqlx::migrate::Migrator::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite")).await.unwrap();
    let before = all.iter().filter(|migration| migration.version <= 6).cloned().collect();
    let before = sqlx::migrate::Migrator { migrations: before, ..sqlx::migrate::Migrator::DEFAULT };
    before.run(&mut connection).await.unwrap();
    run(&mut connection, "PRAGMA foreign_keys = OFF").await;
    for (sequence, text) in [(3, "the first"), (5, "the second"), (1200, "the third")] {
        let columns = "INSERT INTO events (sequence, zone, at, kind, text, transition_id, operator)";
        run(&mut connection, &format!("{columns} VALUES ({sequence}, 'example.org.', 7, 'wrote', '{text}', 't', 'a')"))
            .await;
    }
    connection
}

#[tokio::test]
async fn entries_from_before_there_were_hashes_get_theirs_once() {
    let dir = tempfile::tempdir().unwrap();
    from_before(dir.path()).await;
    let store = open(dir.path()).await;
    let verified = store.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.broken), (3, None));
    let told = store.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap();
    let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["the third", "the second", "the first"]);
    assert!(told.iter().all(|entry| entry.who == "chorus" && entry.hash.len() == 64));
    store.note("noted", "after it", None, None).await.unwrap();
    let again = open(dir.path()).await.verify_audit().await.unwrap();
    assert_eq!((again.entries, again.broken), (4, None));
    let mut connection = beside(dir.path()).await;
    let done = sqlx::raw_sql("UPDATE audit SET text = 'x' WHERE sequence = 1").execute(&mut connection).await;
    assert!(done.is_err(), "they are never changed from then on");
}
