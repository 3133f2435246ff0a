//! What lists of zones filter and sort by: one narrow row per zone, and counters.
//!
//! Invariant: a summary is written in the transaction that changes what it says, and the counters with it, so that a list
//! is never older than the last change, and nothing is counted for a page. What a summary says is worked out by the engine;
//! how pages are read is in `zone_pages.rs`.

use super::{Store, StoreError};
use crate::model::time::Time;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// Where a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneState {
    // While a transition runs.
    Acting,
    Verifying,
    WaitingGuard,
    WaitingParent,
    WaitingOperator,
    Blocked,
    Paused,
    // With or without one.
    Exposed,
    // Without one.
    Rest,
    Unsettled,
}

impl ZoneState {
    pub const ALL: [ZoneState; 10] = [
        ZoneState::Acting,
        ZoneState::Verifying,
        ZoneState::WaitingGuard,
        ZoneState::WaitingParent,
        ZoneState::WaitingOperator,
        ZoneState::Blocked,
        ZoneState::Paused,
        ZoneState::Exposed,
        ZoneState::Rest,
        ZoneState::Unsettled,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ZoneState::Acting => "acting",
            ZoneState::Verifying => "verifying",
            ZoneState::WaitingGuard => "waiting-guard",
            ZoneState::WaitingParent => "waiting-parent",
            ZoneState::WaitingOperator => "waiting-operator",
            ZoneState::Blocked => "blocked",
            ZoneState::Paused => "paused",
            ZoneState::Exposed => "exposed",
            ZoneState::Rest => "rest",
            ZoneState::Unsettled => "unsettled",
        }
    }

    pub fn of_name(name: &str) -> Option<ZoneState> {
        ZoneState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// The reason code of a turn that could not be finished.
pub const UNFINISHED: &str = "observation-failed";

/// A zone in a few columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub state: ZoneState,
    /// The code of what is awaited; empty at rest, and while something is being written.
    pub reason: String,
    /// When that was found.
    pub at: Time,
    /// When the wait ends, where that is known.
    pub until: Option<Time>,
    /// Absolute, as the engine found it; empty before it has.
    pub parent_zone: String,
    /// Since when the parent is waited for, once that is longer than is usual.
    pub late_since: Option<Time>,
    /// Operators of which an address does not answer, with a sentence each.
    pub silent: BTreeMap<String, String>,
}

impl Summary {
    /// Of a zone that nobody has looked at yet.
    pub fn fresh(at: Time) -> Summary {
        Summary {
            state: ZoneState::Unsettled,
            reason: String::new(),
            at,
            until: None,
            parent_zone: String::new(),
            late_since: None,
            silent: BTreeMap::new(),
        }
    }

    /// Whether it waits for a person, with or without a transition.
    pub fn needs_somebody(&self) -> bool {
        match self.state {
            ZoneState::Blocked | ZoneState::Exposed => true,
            ZoneState::Rest | ZoneState::Paused => false,
            _ => !ends_by_itself(&self.reason),
        }
    }
}

/// Waits with nothing to be done by anybody: `docs/reasons.md` says of each that it ends by itself.
fn ends_by_itself(code: &str) -> bool {
    code.starts_with("guard-")
        || matches!(
            code,
            "" | "operator-lag"
                | "parent-pending"
                | "parent-unreachable"
                | "outcome-unknown"
                | "update-overtaken"
                | "update-unpublished"
                | "too-many-requests"
                | "request-budget-spent"
                | "clock-jumped"
                | "paused"
                | "invariant-refused"
                | "registrar-pending"
        )
}

#[derive(PartialEq, Eq, sqlx::FromRow)]
struct Row {
    state: String,
    reason: String,
    since: i64,
    until: Option<i64>,
    parent_zone: String,
    attention: bool,
    late_since: Option<i64>,
}

/// Puts a zone's summary in the place of the one before, with the counters. `since` stays while state and reason do.
pub(super) async fn put(tx: &mut SqliteConnection, zone: &str, summary: &Summary) -> Result<(), StoreError> {
    let before: Option<Row> = sqlx::query_as(
        "SELECT state, reason, since, until, parent_zone, attention, late_since FROM zone_summaries WHERE zone = $1",
    )
    .bind(zone)
    .fetch_optional(&mut *tx)
    .await?;
    let state = summary.state.name();
    let same = before.as_ref().filter(|before| before.state == state && before.reason == summary.reason);
    let row = Row {
        state: state.to_owned(),
        reason: summary.reason.clone(),
        // A clock that was set back must not leave a moment that is yet to come.
        since: same.map_or(summary.at.0, |same| same.since.min(summary.at.0)),
        until: summary.until.map(|until| until.0),
        parent_zone: summary.parent_zone.clone(),
        attention: summary.needs_somebody(),
        late_since: summary.late_since.map(|since| since.0),
    };
    if before.as_ref() != Some(&row) {
        sqlx::query(
            "INSERT INTO zone_summaries (zone, state, reason, since, until, parent_zone, attention, late_since)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (zone) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since,
                 until = excluded.until, parent_zone = excluded.parent_zone, attention = excluded.attention,
                 late_since = excluded.late_since",
        )
        .bind(zone)
        .bind(&row.state)
        .bind(&row.reason)
        .bind(row.since)
        .bind(row.until)
        .bind(&row.parent_zone)
        .bind(row.attention)
        .bind(row.late_since)
        .execute(&mut *tx)
        .await?;
    }
    let before = before.map(|before| before.state);
    if before.as_deref() != Some(state) {
        if let Some(before) = before {
            count_states(tx, &before, -1).await?;
        }
        count_states(tx, state, 1).await?;
    }
    put_silent(tx, zone, &summary.silent).await
}

async fn put_silent(
    tx: &mut SqliteConnection,
    zone: &str,
    silent: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let before: Vec<(String, String)> = sqlx::query_as("SELECT operator, text FROM zone_troubles WHERE zone = $1")
        .bind(zone)
        .fetch_all(&mut *tx)
        .await?;
    let before: BTreeMap<String, String> = before.into_iter().collect();
    for operator in before.keys().filter(|operator| !silent.contains_key(*operator)) {
        sqlx::query("DELETE FROM zone_troubles WHERE zone = $1 AND operator = $2")
            .bind(zone)
            .bind(operator)
            .execute(&mut *tx)
            .await?;
        count_troubles(tx, operator, -1).await?;
    }
    for (operator, text) in silent.iter().filter(|(operator, text)| before.get(*operator) != Some(text)) {
        sqlx::query(
            "INSERT INTO zone_troubles (zone, operator, text) VALUES ($1, $2, $3)
             ON CONFLICT (zone, operator) DO UPDATE SET text = excluded.text",
        )
        .bind(zone)
        .bind(operator)
        .bind(text)
        .execute(&mut *tx)
        .await?;
        if !before.contains_key(operator) {
            count_troubles(tx, operator, 1).await?;
        }
    }
    Ok(())
}

async fn count_states(tx: &mut SqliteConnection, state: &str, more: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO zone_counts (state, zones) VALUES ($1, $2)
         ON CONFLICT (state) DO UPDATE SET zones = zone_counts.zones + excluded.zones",
    )
    .bind(state)
    .bind(more)
    .execute(tx)
    .await?;
    Ok(())
}

async fn count_troubles(tx: &mut SqliteConnection, operator: &str, more: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO trouble_counts (operator, zones) VALUES ($1, $2)
         ON CONFLICT (operator) DO UPDATE SET zones = trouble_counts.zones + excluded.zones",
    )
    .bind(operator)
    .bind(more)
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// Whether the counters are what a recount gives: for tests and for whoever doubts a page.
    pub async fn counters_agree(&self) -> Result<bool, StoreError> {
        let (differing,): (i64,) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM zone_counts c
                     WHERE c.zones <> (SELECT COUNT(*) FROM zone_summaries s WHERE s.state = c.state))
                  + (SELECT COUNT(*) FROM zone_summaries s WHERE s.state NOT IN (SELECT state FROM zone_counts))
                  + (SELECT COUNT(*) FROM zones z WHERE z.name NOT IN (SELECT zone FROM zone_summaries))
                  + (SELECT COUNT(*) FROM trouble_counts c
                     WHERE c.zones <> (SELECT COUNT(*) FROM zone_troubles t WHERE t.operator = c.operator))
                  + (SELECT COUNT(*) FROM zone_troubles t WHERE t.operator NOT IN (SELECT operator FROM trouble_counts))",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(differing == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_needs_somebody_where_a_person_is_waited_for_with_or_without_a_transition() {
        let needs = |state, reason: &str| {
            let summary = Summary { state, reason: reason.to_owned(), ..Summary::fresh(Time::MIN) };
            summary.needs_somebody()
        };
        for (state, reason) in [
            (ZoneState::Blocked, "update-refused"),
            (ZoneState::Exposed, ""),
            (ZoneState::WaitingParent, "parent-manual"),
            (ZoneState::WaitingOperator, "operator-unreachable"),
            (ZoneState::Unsettled, "ns-unexpected"),
            (ZoneState::Unsettled, "operator-unsigned"),
            (ZoneState::Unsettled, UNFINISHED),
        ] {
            assert!(needs(state, reason), "{state:?} {reason}");
        }
        for (state, reason) in [
            (ZoneState::Rest, ""),
            (ZoneState::Rest, "operator-unsigned"),
            (ZoneState::Paused, "paused"),
            (ZoneState::Acting, ""),
            (ZoneState::Verifying, "operator-lag"),
            (ZoneState::WaitingGuard, "guard-ttl"),
            (ZoneState::WaitingParent, "parent-pending"),
            (ZoneState::WaitingOperator, "too-many-requests"),
            (ZoneState::WaitingOperator, "request-budget-spent"),
            (ZoneState::Unsettled, ""),
            (ZoneState::Unsettled, "guard-ttl"),
        ] {
            assert!(!needs(state, reason), "{state:?} {reason}");
        }
    }
}
