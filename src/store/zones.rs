//! Zones: members, placements, history, and when each is due.

use super::audit::Told;
use super::failed_spans::write_failed_spans;
use super::summaries::{self, Summary};
use super::{Store, StoreError, damaged, json, read_json};
use crate::model::dns::{Name, Rdata, RecordSet, hex, read_name, stored, unhex};
use crate::model::group::{ParentMode, Standing};
use crate::model::history::{History, Kind, ListedTtl, Sent, Server, Span, Who};
use crate::model::policy::Policy;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the parent is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRecord {
    pub mode: ParentMode,
    /// `ADDR:PORT` as given; empty: found by walking up.
    pub servers: Vec<String>,
}

/// What is wanted of an operator of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    pub wanted: Standing,
    /// A person has said that it does not come back.
    pub unreachable: bool,
    /// A person has said that it takes no updates any more.
    pub uncooperative: bool,
}

impl MemberRecord {
    pub const fn wanted(wanted: Standing) -> MemberRecord {
        MemberRecord { wanted, unreachable: false, uncooperative: false }
    }
}

/// A zone as stored; its history is read apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRecord {
    pub name: Name,
    pub parent: ParentRecord,
    pub policy: Policy,
    pub members: BTreeMap<String, MemberRecord>,
    pub placements: BTreeMap<String, BTreeMap<Kind, RecordSet>>,
    /// What was sent to operators and is not served everywhere yet, in the order in which it was sent.
    pub in_flight: Vec<(String, Kind, Sent)>,
    /// By operator.
    pub zone_ttls: BTreeMap<String, ListedTtl>,
    pub due_at: Time,
    /// What the last turn found: JSON for whoever asks.
    pub status: String,
    pub created_at: Time,
}

impl Store {
    pub async fn add_zone(&self, zone: &ZoneRecord) -> Result<(), StoreError> {
        let key = stored(&zone.name);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let added = sqlx::query(
            "INSERT INTO zones (name, parent, policy, due_at, status, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&key)
        .bind(json("zone", &key, &zone.parent)?)
        .bind(json("zone", &key, &zone.policy)?)
        .bind(zone.due_at.0)
        .bind(&zone.status)
        .bind(zone.created_at.0)
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::Exists { what: "zone", name: key });
        }
        set_members(&mut tx, &key, &zone.members).await?;
        let operators: Vec<&str> = zone.members.keys().map(String::as_str).collect();
        let text = format!("adopted, served by {}; nothing was written", operators.join(", "));
        let operator = operators.first().copied();
        let told = Told { kind: "adopted", text: &text, zone: Some(&key), operator, transition: None };
        self.tell(&mut tx, zone.created_at, told).await?;
        summaries::put(&mut tx, &key, &Summary::fresh(zone.created_at)).await?;
        tx.commit().await?;
        self.changed(None);
        Ok(())
    }

    pub async fn zone_names(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM zones ORDER BY name").fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    pub async fn zone(&self, zone: &Name) -> Result<Option<ZoneRecord>, StoreError> {
        let key = stored(zone);
        let mut tx = self.readers.begin().await?;
        let row: Option<(String, String, i64, String, i64)> =
            sqlx::query_as("SELECT parent, policy, due_at, status, created_at FROM zones WHERE name = $1")
                .bind(&key)
                .fetch_optional(&mut *tx)
                .await?;
        let Some((parent, policy, due_at, status, created_at)) = row else { return Ok(None) };
        let members: Vec<(String, String, bool, bool)> =
            sqlx::query_as("SELECT operator, wanted, unreachable, uncooperative FROM members WHERE zone = $1")
                .bind(&key)
                .fetch_all(&mut *tx)
                .await?;
        let placed: Vec<(String, String, String)> =
            sqlx::query_as("SELECT operator, kind, rdata FROM placements WHERE zone = $1")
                .bind(&key)
                .fetch_all(&mut *tx)
                .await?;
        let mut placements: BTreeMap<String, BTreeMap<Kind, RecordSet>> = BTreeMap::new();
        for (operator, kind, rdata) in placed {
            let kind = read_kind(&key, &kind)?;
            let rdata = unhex(&rdata).ok_or_else(|| damaged("placement", &key, "RDATA is not hexadecimal"))?;
            placements.entry(operator).or_default().entry(kind).or_default().insert(Rdata::from_canonical(rdata));
        }
        let sent: Vec<(String, String, String)> =
            sqlx::query_as("SELECT operator, kind, sent FROM in_flight WHERE zone = $1 ORDER BY sent_at")
                .bind(&key)
                .fetch_all(&mut *tx)
                .await?;
        let sent = sent.into_iter().map(|(operator, kind, sent)| {
            Ok((operator, read_kind(&key, &kind)?, read_json("in flight", &key, &sent)?))
        });
        let in_flight = sent.collect::<Result<Vec<_>, StoreError>>()?;
        let ttls: Vec<(String, i64, Option<i64>, Option<i64>)> =
            sqlx::query_as("SELECT operator, largest_ttl_s, lower_ttl_s, lower_since FROM zone_ttls WHERE zone = $1")
                .bind(&key)
                .fetch_all(&mut *tx)
                .await?;
        let ttls = ttls.into_iter().map(|(operator, largest_s, lower_s, since)| {
            let ttl_s = |ttl_s: i64| u32::try_from(ttl_s).unwrap_or(u32::MAX);
            let lower = lower_s.map(ttl_s).zip(since.map(Time));
            (operator, ListedTtl { largest_s: ttl_s(largest_s), lower })
        });
        Ok(Some(ZoneRecord {
            name: zone.clone(),
            parent: read_json("zone", &key, &parent)?,
            policy: read_json("zone", &key, &policy)?,
            members: read_members(&key, members)?,
            placements,
            in_flight,
            zone_ttls: ttls.collect(),
            due_at: Time(due_at),
            status,
            created_at: Time(created_at),
        }))
    }

    pub async fn history(&self, zone: &Name) -> Result<History, StoreError> {
        let key = stored(zone);
        type Row = (String, String, String, String, i64, Option<i64>, i64, Option<i64>, String, String);
        // What is still served comes last even if the clock was set back in between.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT who, host, address, kind, first_seen, since, last_seen, until, served, gaps FROM spans WHERE zone = $1
             ORDER BY who, host, address, kind, until IS NULL, until, first_seen",
        )
        .bind(&key)
        .fetch_all(&self.readers)
        .await?;
        let mut history = History::default();
        for (who, host, address, kind, first_seen, since, last_seen, until, served, gaps) in rows {
            let Some(server) = read_server(&key, &who, &host, &address)? else { continue };
            let span = Span {
                served: Arc::new(read_json("span", &key, &served)?),
                since: since.map(Time),
                first_seen: Time(first_seen),
                last_seen: Time(last_seen),
                until: until.map(Time),
                gaps: read_json("span", &key, &gaps)?,
            };
            history.restore(server, read_kind(&key, &kind)?, span);
        }
        self.read_failed_spans(&key, &mut history).await?;
        Ok(history)
    }

    /// Stores what a round of observation brought: all spans touched since `since`, in one transaction.
    pub async fn record(&self, zone: &Name, history: &History, since: Time) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        write_spans(&mut tx, &stored(zone), history.touched_since(since)).await?;
        if history.has_failed_since(since) {
            write_failed_spans(&mut tx, &stored(zone), history).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Puts what a person was given for the registrar in the place of what was stored of it.
    pub async fn set_registrar_requests(&self, zone: &Name, history: &History) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM spans WHERE zone = $1 AND who = $2")
            .bind(&key)
            .bind(write_who(&Who::Registrar))
            .execute(&mut *tx)
            .await?;
        let spans = history.touched_since(Time::MIN).filter(|(server, ..)| server.who == Who::Registrar);
        write_spans(&mut tx, &key, spans).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts a history and what is in flight in the place of the stored ones, with the status that says why: the clock was
    /// set, and all moments with it.
    pub async fn set_right(
        &self,
        zone: &Name,
        history: &History,
        in_flight: &[(String, Kind, Sent)],
        due_at: Time,
        status: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM spans WHERE zone = $1").bind(&key).execute(&mut *tx).await?;
        write_spans(&mut tx, &key, history.touched_since(Time::MIN)).await?;
        write_failed_spans(&mut tx, &key, history).await?;
        sqlx::query("DELETE FROM in_flight WHERE zone = $1").bind(&key).execute(&mut *tx).await?;
        for (operator, kind, sent) in in_flight {
            write_in_flight(&mut tx, &key, operator, *kind, sent).await?;
        }
        // `due_at` is now: no cache is to have forgotten a long TTL earlier because the clock was set.
        sqlx::query("UPDATE zone_ttls SET lower_since = $2 WHERE zone = $1 AND lower_since IS NOT NULL")
            .bind(&key)
            .bind(due_at.0)
            .execute(&mut *tx)
            .await?;
        write_status(&mut tx, &key, due_at, status, summary).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Leaves out what ended before `before` ([`History::forget_before`]).
    pub async fn forget_before(&self, zone: &Name, before: Time) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut history = self.history(zone).await?;
        history.forget_before(before);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM spans WHERE zone = $1").bind(&key).execute(&mut *tx).await?;
        write_spans(&mut tx, &key, history.touched_since(Time::MIN)).await?;
        write_failed_spans(&mut tx, &key, &history).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Commits, before a write is sent, what it is about to place at an operator: from now on none of these records can be
    /// taken for the operator's own.
    pub async fn intend(
        &self,
        zone: &Name,
        operator: &str,
        records: &[(Kind, RecordSet)],
        sent: &[(Kind, Sent)],
        at: Time,
    ) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (kind, set) in records {
            for rdata in set {
                sqlx::query(
                    "INSERT INTO placements (zone, operator, kind, rdata, intended_at) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (zone, operator, kind, rdata) DO NOTHING",
                )
                .bind(&key)
                .bind(operator)
                .bind(json("placement", &key, kind)?)
                .bind(hex(rdata.as_wire()))
                .bind(at.0)
                .execute(&mut *tx)
                .await?;
            }
        }
        for (kind, sent) in sent {
            write_in_flight(&mut tx, &key, operator, *kind, sent).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What was sent is served everywhere, or not expected any more.
    pub async fn landed(&self, zone: &Name, operator: &str, kind: Kind, sent_at: Time) -> Result<(), StoreError> {
        let key = stored(zone);
        sqlx::query("DELETE FROM in_flight WHERE zone = $1 AND operator = $2 AND kind = $3 AND sent_at = $4")
            .bind(&key)
            .bind(operator)
            .bind(json("in flight", &key, &kind)?)
            .bind(sent_at.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What a turn found, in full and in a few columns, and when the next one is due.
    pub async fn set_status(
        &self,
        zone: &Name,
        due_at: Time,
        status: &str,
        summary: &Summary,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        write_status(&mut tx, &stored(zone), due_at, status, summary).await?;
        tx.commit().await?;
        self.changed(Some(&stored(zone)));
        Ok(())
    }

    /// Puts a zone's next turn off, by its name as it is stored, which may be all of it that can be read.
    pub async fn set_due(&self, zone: &str, due_at: Time) -> Result<(), StoreError> {
        sqlx::query("UPDATE zones SET due_at = $2 WHERE name = $1")
            .bind(zone)
            .bind(due_at.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// From now on this is assumed; `text` says so in the log.
    pub async fn set_policy(&self, zone: &Name, policy: &Policy, at: Time, text: &str) -> Result<(), StoreError> {
        let key = stored(zone);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE zones SET policy = $2, due_at = $3 WHERE name = $1")
            .bind(&key)
            .bind(json("zone", &key, policy)?)
            .bind(at.0)
            .execute(&mut *tx)
            .await?;
        self.tell(&mut tx, at, Told { kind: "policy", text, zone: Some(&key), ..Told::default() }).await?;
        tx.commit().await?;
        self.changed(Some(&key));
        Ok(())
    }

    /// Puts what listings of an operator's zone showed in the place of what is stored of that.
    pub async fn set_zone_ttl(&self, zone: &Name, operator: &str, listed: ListedTtl) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO zone_ttls (zone, operator, largest_ttl_s, lower_ttl_s, lower_since) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (zone, operator) DO UPDATE SET largest_ttl_s = excluded.largest_ttl_s,
                 lower_ttl_s = excluded.lower_ttl_s, lower_since = excluded.lower_since",
        )
        .bind(stored(zone))
        .bind(operator)
        .bind(i64::from(listed.largest_s))
        .bind(listed.lower.map(|(ttl_s, _)| i64::from(ttl_s)))
        .bind(listed.lower.map(|(_, since)| since.0))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Zones that are due at `now`, the longest due first, and the moment at which the next one will be. What is due after
    /// `furthest` is due now: that was said by another clock.
    pub async fn due(&self, now: Time, furthest: Time, limit: i64) -> Result<(Vec<String>, Option<Time>), StoreError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM zones WHERE due_at <= $1 OR due_at > $2 ORDER BY due_at LIMIT $3")
                .bind(now.0)
                .bind(furthest.0)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        let (next,): (Option<i64>,) =
            sqlx::query_as("SELECT MIN(due_at) FROM zones WHERE due_at > $1").bind(now.0).fetch_one(&self.pool).await?;
        Ok((rows.into_iter().map(|(name,)| name).collect(), next.map(Time)))
    }
}

async fn write_status(
    tx: &mut sqlx::SqliteConnection,
    zone: &str,
    due_at: Time,
    status: &str,
    summary: &Summary,
) -> Result<(), StoreError> {
    let there = sqlx::query("UPDATE zones SET due_at = $2, status = $3 WHERE name = $1")
        .bind(zone)
        .bind(due_at.0)
        .bind(status)
        .execute(&mut *tx)
        .await?;
    if there.rows_affected() > 0 {
        summaries::put(tx, zone, summary).await?;
    }
    Ok(())
}

async fn write_in_flight(
    tx: &mut sqlx::SqliteConnection,
    zone: &str,
    operator: &str,
    kind: Kind,
    sent: &Sent,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO in_flight (zone, operator, kind, sent_at, sent) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (zone, operator, kind, sent_at) DO UPDATE SET sent = excluded.sent",
    )
    .bind(zone)
    .bind(operator)
    .bind(json("in flight", zone, &kind)?)
    .bind(sent.at.0)
    .bind(json("in flight", zone, sent)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// `None` for one that cannot be read back: names of the parent's hosts are somebody else's, and no zone is lost for them.
pub(super) fn read_server(zone: &str, who: &str, host: &str, address: &str) -> Result<Option<Server>, StoreError> {
    let Ok(host) = read_name(host) else {
        tracing::warn!(%zone, "a name server's name cannot be read, and what it served is left out: {host:?}");
        return Ok(None);
    };
    let address = address.parse().map_err(|e| damaged("span", zone, e))?;
    Ok(Some(Server { who: read_who(who), host: host.into(), address }))
}

async fn write_spans<'a>(
    tx: &mut Transaction<'_, Sqlite>,
    zone: &str,
    spans: impl Iterator<Item = (&'a Server, Kind, &'a Span)>,
) -> Result<(), StoreError> {
    for (server, kind, span) in spans {
        sqlx::query(
            "INSERT INTO spans (zone, who, host, address, kind, first_seen, since, last_seen, until, served, gaps)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (zone, who, host, address, kind, first_seen)
             DO UPDATE SET last_seen = excluded.last_seen, until = excluded.until, served = excluded.served,
                 gaps = excluded.gaps",
        )
        .bind(zone)
        .bind(write_who(&server.who))
        .bind(stored(&server.host))
        .bind(server.address.to_string())
        .bind(json("span", zone, &kind)?)
        .bind(span.first_seen.0)
        .bind(span.since.map(|t| t.0))
        .bind(span.last_seen.0)
        .bind(span.until.map(|t| t.0))
        .bind(json("span", zone, &span.served)?)
        .bind(json("span", zone, &span.gaps)?)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Replaces a zone's members.
pub(super) async fn set_members(
    tx: &mut Transaction<'_, Sqlite>,
    zone: &str,
    members: &BTreeMap<String, MemberRecord>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM members WHERE zone = $1").bind(zone).execute(&mut **tx).await?;
    for (operator, member) in members {
        sqlx::query(
            "INSERT INTO members (zone, operator, wanted, unreachable, uncooperative) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(zone)
        .bind(operator)
        .bind(write_standing(member.wanted))
        .bind(member.unreachable)
        .bind(member.uncooperative)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(super) fn read_members(
    zone: &str,
    rows: Vec<(String, String, bool, bool)>,
) -> Result<BTreeMap<String, MemberRecord>, StoreError> {
    let read = |(operator, wanted, unreachable, uncooperative): (String, String, bool, bool)| {
        let standings = [Standing::Outside, Standing::Trusted, Standing::Serving];
        let wanted = standings.into_iter().find(|standing| write_standing(*standing) == wanted);
        let wanted = wanted.ok_or_else(|| damaged("member", zone, "its standing is none"))?;
        Ok((operator, MemberRecord { wanted, unreachable, uncooperative }))
    };
    rows.into_iter().map(read).collect()
}

fn write_standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Outside => "Outside",
        Standing::Trusted => "Trusted",
        Standing::Serving => "Serving",
    }
}

const PARENT: &str = "parent";
const PUBLIC: &str = "public";
const REGISTRAR: &str = "registrar";

pub(super) fn write_who(who: &Who) -> String {
    match who {
        Who::Parent => PARENT.to_owned(),
        Who::Operator(name) => format!("operator:{name}"),
        Who::Public => PUBLIC.to_owned(),
        Who::Registrar => REGISTRAR.to_owned(),
    }
}

fn read_who(text: &str) -> Who {
    match text.strip_prefix("operator:") {
        Some(name) => Who::Operator(name.to_owned()),
        None if text == PUBLIC => Who::Public,
        None if text == REGISTRAR => Who::Registrar,
        None => Who::Parent,
    }
}

pub(super) fn read_kind(key: &str, text: &str) -> Result<Kind, StoreError> {
    read_json("kind", key, text)
}
