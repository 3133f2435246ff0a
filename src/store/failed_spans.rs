//! When addresses failed: the part of a zone's history that is not versions.

use super::zones::{read_kind, read_server, write_who};
use super::{Store, StoreError, json, read_json};
use crate::model::dns::stored;
use crate::model::history::{FailedSpan, History};
use crate::model::time::Time;
use sqlx::{Sqlite, Transaction};

impl Store {
    pub(super) async fn read_failed_spans(&self, zone: &str, history: &mut History) -> Result<(), StoreError> {
        type Row = (String, String, String, String, i64, Option<i64>, Option<i64>, String);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT who, host, address, kind, first_seen, since, until, failure FROM failed_spans WHERE zone = $1
             ORDER BY who, host, address, kind, until IS NULL, until, first_seen",
        )
        .bind(zone)
        .fetch_all(&self.readers)
        .await?;
        for (who, host, address, kind, first_seen, since, until, failure) in rows {
            let Some(server) = read_server(zone, &who, &host, &address)? else { continue };
            let failed = FailedSpan {
                since: since.map(Time),
                first_seen: Time(first_seen),
                until: until.map(Time),
                failure: read_json("failed span", zone, &failure)?,
            };
            history.restore_failed(&server, read_kind(zone, &kind)?, failed);
        }
        Ok(())
    }
}

/// All of them: there are few, and what fails again and again becomes one.
pub(super) async fn write_failed_spans(
    tx: &mut Transaction<'_, Sqlite>,
    zone: &str,
    history: &History,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM failed_spans WHERE zone = $1").bind(zone).execute(&mut **tx).await?;
    for (server, kind, failed) in history.failed() {
        sqlx::query(
            "INSERT INTO failed_spans (zone, who, host, address, kind, first_seen, since, until, failure)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (zone, who, host, address, kind, first_seen)
             DO UPDATE SET since = excluded.since, until = excluded.until, failure = excluded.failure",
        )
        .bind(zone)
        .bind(write_who(&server.who))
        .bind(stored(&server.host))
        .bind(server.address.to_string())
        .bind(json("failed span", zone, &kind)?)
        .bind(failed.first_seen.0)
        .bind(failed.since.map(|t| t.0))
        .bind(failed.until.map(|t| t.0))
        .bind(json("failed span", zone, &failed.failure)?)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
