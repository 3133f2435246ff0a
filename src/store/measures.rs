//! What was measured: how long parents and steps took, and how transitions ended against what was forecast.
//!
//! Invariant: told twice is kept once, so whoever is not sure that something was kept tells it again. Nothing that is decided
//! depends on any of it. What grows is bounded: by parent, by age, and by what is read of it.

use super::audit::Told;
use super::{Store, StoreError, damaged};
use crate::model::dns::{Name, stored};
use crate::model::group::{ParentMode, Step};
use crate::model::history::Kind;
use crate::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is kept of each parent: the newest.
const KEPT_PER_PARENT: i64 = 1000;
/// What is read of steps and of ended transitions at most: the newest. Half of so many is known well enough.
const READ_MAX: i64 = 5000;
const DAY_MS: i64 = 86_400_000;
/// Statistics look no further back.
const STEPS_KEPT_MS: i64 = 366 * DAY_MS;

/// When a transition was to end, as it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecasted {
    /// If nobody is late.
    pub earliest: Time,
    pub expected: Time,
}

/// Something that a parent was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentAct {
    /// [`Kind::Ds`] or [`Kind::Delegation`].
    pub what: Kind,
    pub took: Duration,
    pub at: Time,
}

/// A parent, over its zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentMeasures {
    pub modes: BTreeSet<ParentMode>,
    pub zones: u64,
    /// Those that wait for it now.
    pub waiting: u64,
    pub longest_pipeline_s: u64,
    pub acts: Vec<ParentAct>,
}

/// How many transitions began and ended in a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    pub started: u64,
    /// By how they ended, as in [`super::TransitionState::as_str`].
    pub ended: BTreeMap<String, u64>,
}

/// A step that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTook {
    pub step: Step,
    /// In a transition to another algorithm.
    pub rolling: bool,
    pub took: Duration,
}

/// A transition that has ended, and what was forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastKept {
    pub zone: String,
    pub transition: String,
    pub started_at: Time,
    pub ended_at: Time,
    pub forecast: Forecasted,
    /// As in [`super::TransitionState::as_str`].
    pub ended: String,
    /// Whether anybody paused it, or gave it another aim.
    pub was_controlled: bool,
}

/// The transitions since some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// By the number of the day since the epoch, in UTC; days without any are not there.
    pub days: BTreeMap<i64, DayCount>,
    pub steps: Vec<StepTook>,
    /// The newest first.
    pub forecasts: Vec<ForecastKept>,
}

impl Store {
    /// Keeps how long a parent took: from `asked_at`, when every address served what asks for it, to `acted_at`.
    pub async fn saw_parent_act(
        &self,
        zone: &Name,
        parent: &str,
        what: Kind,
        asked_at: Time,
        acted_at: Time,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let kept = sqlx::query(
            "INSERT INTO parent_measures (parent, zone, kind, asked_at, acted_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (zone, kind, asked_at) DO NOTHING",
        )
        .bind(parent)
        .bind(stored(zone))
        .bind(if what == Kind::Ds { DS } else { NS })
        .bind(asked_at.0)
        .bind(acted_at.0)
        .execute(&mut *tx)
        .await?;
        if kept.rows_affected() > 0 {
            sqlx::query(
                "DELETE FROM parent_measures WHERE parent = $1 AND acted_at < (
                     SELECT acted_at FROM parent_measures WHERE parent = $1 ORDER BY acted_at DESC LIMIT 1 OFFSET $2)",
            )
            .bind(parent)
            .bind(KEPT_PER_PARENT - 1)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A transition has come to another step: the event, the end of the step before, and the beginning of this one, in one
    /// transaction.
    pub async fn enter_step(
        &self,
        zone: &Name,
        transition: &str,
        step: Step,
        at: Time,
        text: &str,
    ) -> Result<(), StoreError> {
        let step = write_step(step)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let zone = stored(zone);
        let told = Told { kind: "step", text, zone: Some(&zone), transition: Some(transition), operator: None };
        self.tell(&mut tx, at, told).await?;
        sqlx::query(
            "UPDATE step_measures SET ended_at = $3 WHERE transition_id = $1 AND ended_at IS NULL AND step <> $2",
        )
        .bind(transition)
        .bind(&step)
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO step_measures (transition_id, step, began_at) SELECT $1, $2, $3
             WHERE NOT EXISTS (SELECT 1 FROM step_measures WHERE transition_id = $1 AND ended_at IS NULL)
             ON CONFLICT (transition_id, began_at) DO NOTHING",
        )
        .bind(transition)
        .bind(&step)
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM step_measures WHERE ended_at < $1")
            .bind(at.0.saturating_sub(STEPS_KEPT_MS))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.changed(Some(&zone));
        Ok(())
    }

    /// Every parent with its zones, by its name; of zones at or below `below` only, where one is given.
    pub async fn parents(&self, below: Option<&str>) -> Result<BTreeMap<String, ParentMeasures>, StoreError> {
        type Row = (String, String, bool, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(COUNTED).bind(suffix(below)).fetch_all(&self.pool).await?;
        let mut parents: BTreeMap<String, ParentMeasures> = BTreeMap::new();
        for (parent, mode, awaited, pipeline_s, zones) in rows {
            let known = parents.entry(parent).or_default();
            known.modes.insert(if mode == MANUAL { ParentMode::Manual } else { ParentMode::Scan });
            known.longest_pipeline_s = known.longest_pipeline_s.max(count(pipeline_s));
            known.zones += count(zones);
            known.waiting += if awaited { count(zones) } else { 0 };
        }
        let acts: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT parent, kind, asked_at, acted_at FROM parent_measures
             WHERE $1 IS NULL OR zone = $1 OR substr(zone, length(zone) - length($1)) = '.' || $1",
        )
        .bind(suffix(below))
        .fetch_all(&self.pool)
        .await?;
        for (parent, kind, asked_at, acted_at) in acts {
            let what = if kind == DS { Kind::Ds } else { Kind::Delegation };
            let act = ParentAct { what, took: Time(asked_at).until(Time(acted_at)), at: Time(acted_at) };
            // A parent that none of its zones is left below is nobody's any more.
            if let Some(known) = parents.get_mut(&parent) {
                known.acts.push(act);
            }
        }
        Ok(parents)
    }

    /// What became of transitions since a moment; of zones at or below `below` only, where one is given.
    pub async fn past(&self, since: Time, below: Option<&str>) -> Result<Past, StoreError> {
        let below = suffix(below);
        let mut past = Past::default();
        let started: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT started_at / 86400000, COUNT(*) FROM transitions WHERE started_at >= $1
             AND ($2 IS NULL OR zone = $2 OR substr(zone, length(zone) - length($2)) = '.' || $2) GROUP BY 1",
        )
        .bind(since.0)
        .bind(below)
        .fetch_all(&self.pool)
        .await?;
        for (day, times) in started {
            past.days.entry(day).or_default().started = count(times);
        }
        let ended: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT ended_at / 86400000, state, COUNT(*) FROM transitions WHERE ended_at >= $1
             AND ($2 IS NULL OR zone = $2 OR substr(zone, length(zone) - length($2)) = '.' || $2) GROUP BY 1, 2",
        )
        .bind(since.0)
        .bind(below)
        .fetch_all(&self.pool)
        .await?;
        for (day, state, times) in ended {
            past.days.entry(day).or_default().ended.insert(state, count(times));
        }
        let steps: Vec<(String, bool, i64, i64)> = sqlx::query_as(
            "SELECT s.step, t.algorithm IS NOT NULL, s.began_at, s.ended_at
             FROM step_measures s JOIN transitions t ON t.id = s.transition_id WHERE s.ended_at >= $1
             AND ($2 IS NULL OR t.zone = $2 OR substr(t.zone, length(t.zone) - length($2)) = '.' || $2)
             ORDER BY s.ended_at DESC LIMIT $3",
        )
        .bind(since.0)
        .bind(below)
        .bind(READ_MAX)
        .fetch_all(&self.pool)
        .await?;
        for (step, rolling, began_at, ended_at) in steps {
            past.steps.push(StepTook { step: read_step(&step)?, rolling, took: Time(began_at).until(Time(ended_at)) });
        }
        type Row = (String, String, i64, i64, i64, i64, String, i64);
        let forecasts: Vec<Row> = sqlx::query_as(
            "SELECT zone, id, started_at, ended_at, forecast_earliest, forecast_expected, state, version
             FROM transitions WHERE ended_at >= $1 AND forecast_earliest IS NOT NULL AND forecast_expected IS NOT NULL
             AND ($2 IS NULL OR zone = $2 OR substr(zone, length(zone) - length($2)) = '.' || $2)
             ORDER BY ended_at DESC LIMIT $3",
        )
        .bind(since.0)
        .bind(below)
        .bind(READ_MAX)
        .fetch_all(&self.pool)
        .await?;
        let kept = forecasts.into_iter().map(|(zone, transition, started, end, earliest, expected, ended, version)| {
            let forecast = Forecasted { earliest: Time(earliest), expected: Time(expected) };
            let (started_at, ended_at) = (Time(started), Time(end));
            ForecastKept { zone, transition, started_at, ended_at, forecast, ended, was_controlled: version > 1 }
        });
        past.forecasts = kept.collect();
        Ok(past)
    }
}

/// The step that a transition is in has come to its end.
pub(super) async fn end_step(tx: &mut sqlx::SqliteConnection, transition: &str, at: Time) -> Result<(), StoreError> {
    sqlx::query("UPDATE step_measures SET ended_at = $2 WHERE transition_id = $1 AND ended_at IS NULL")
        .bind(transition)
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// A person interrupted the step that a transition is in.
pub(super) async fn break_step_off(tx: &mut sqlx::SqliteConnection, transition: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM step_measures WHERE transition_id = $1 AND ended_at IS NULL")
        .bind(transition)
        .execute(tx)
        .await?;
    Ok(())
}

/// The zones of each parent.
const COUNTED: &str = "SELECT parent_name, parent_mode, parent_awaited, MAX(parent_pipeline_s), COUNT(*) FROM zones
    WHERE $1 IS NULL OR name = $1 OR substr(name, length(name) - length($1)) = '.' || $1
    GROUP BY parent_name, parent_mode, parent_awaited";
const DS: &str = "ds";
const NS: &str = "ns";
/// As [`ParentMode`] is stored.
const MANUAL: &str = "manual";

/// All zones are below the root.
fn suffix(below: Option<&str>) -> Option<&str> {
    below.filter(|name| *name != ".")
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn write_step(step: Step) -> Result<String, StoreError> {
    let text = serde_json::to_value(step).ok().and_then(|value| value.as_str().map(str::to_owned));
    text.ok_or_else(|| damaged("step", &format!("{step:?}"), "it has no name"))
}

fn read_step(text: &str) -> Result<Step, StoreError> {
    serde_json::from_value(text.into()).map_err(|e| damaged("step", text, e))
}
