//! What was measured: how long parents and steps took, and how transitions ended against what was forecast.
//!
//! Invariant: told twice is kept once, so whoever is not sure that something was kept tells it again. Nothing that is decided
//! depends on any of it. What grows is bounded: by parent, by age, and by what is read of it.

use super::audit::Told;
use super::{Store, StoreError, damaged};
use crate::model::dns::Name;
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
        .bind(zone.to_string())
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
        let zone = zone.to_string();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::group::{Group, Standing};
    use crate::model::policy::Policy;
    use crate::store::Summary;
    use crate::store::{Aim, MasterKey, ParentRecord, TransitionRecord, TransitionState, ZoneRecord};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    async fn store() -> Store {
        Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap()
    }

    async fn zone(store: &Store, zone: &str, mode: ParentMode, pipeline_s: u64, status: &str) {
        let record = ZoneRecord {
            name: name(zone),
            parent: ParentRecord { mode, servers: Vec::new() },
            policy: Policy { parent_pipeline_s: pipeline_s, ..Policy::default() },
            members: BTreeMap::new(),
            placements: BTreeMap::new(),
            in_flight: Vec::new(),
            zone_ttls_s: BTreeMap::new(),
            due_at: Time(0),
            status: status.into(),
            created_at: Time(0),
        };
        store.add_zone(&record).await.unwrap();
    }

    fn transition(id: &str, started_at: Time) -> TransitionRecord {
        TransitionRecord {
            id: id.into(),
            author: "somebody".into(),
            reason: None,
            from: Group::new(),
            to: Group::from([("a".into(), Standing::Serving)]),
            state: TransitionState::Running,
            aim: Aim::Going,
            rest: None,
            paused: false,
            algorithm: None,
            version: 1,
            started_at,
            ended_at: None,
            certificate: None,
            forecast: Some(Forecasted { earliest: started_at.plus_s(5), expected: started_at.plus_s(9) }),
        }
    }

    const BELOW_EXAMPLE: &str = r#"{"parent_zone": "example."}"#;
    const WAITING: &str = r#"{"parent_zone": "example.", "parent_awaited": {"since": 5, "told_at": null}}"#;

    #[tokio::test]
    async fn parents_are_counted_with_their_modes_and_those_that_wait_and_a_damaged_status_is_as_good_as_none() {
        let store = store().await;
        zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
        zone(&store, "b.example.", ParentMode::Scan, 30, WAITING).await;
        zone(&store, "c.b.example.", ParentMode::Manual, 20, BELOW_EXAMPLE).await;
        zone(&store, "d.test.", ParentMode::Scan, 10, "{ damaged").await;
        let parents = store.parents(None).await.unwrap();
        assert_eq!(parents.keys().collect::<Vec<_>>(), ["", "example."]);
        let example = &parents["example."];
        assert_eq!((example.zones, example.waiting, example.longest_pipeline_s), (3, 1, 30));
        assert_eq!(example.modes, [ParentMode::Scan, ParentMode::Manual].into());
        // It moves with the status.
        store.set_status(&name("b.example."), Time(0), BELOW_EXAMPLE, &Summary::fresh(Time(0))).await.unwrap();
        assert_eq!(store.parents(None).await.unwrap()["example."].waiting, 0);
    }

    #[tokio::test]
    async fn whoever_is_limited_to_zones_below_a_name_gets_what_those_show_and_no_namesake() {
        let store = store().await;
        for one in ["b.example.", "c.b.example.", "xb.example.", "example."] {
            zone(&store, one, ParentMode::Scan, 10, BELOW_EXAMPLE).await;
            store.saw_parent_act(&name(one), "example.", Kind::Ds, Time(1), Time(2)).await.unwrap();
            let started = transition(one, Time(5));
            store.start_transition(&name(one), &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
            store.enter_step(&name(one), one, Step::ShareKeys, Time(6), "").await.unwrap();
            store.end_transition(&name(one), &started, "{}", Time(9), "", &Summary::fresh(Time(0))).await.unwrap();
        }
        for (below, zones) in [(Some("b.example."), 2), (Some("."), 4), (None, 4), (Some("other."), 0)] {
            let parents = store.parents(below).await.unwrap();
            assert_eq!(parents.values().map(|known| known.zones).sum::<u64>(), zones, "{below:?}");
            assert_eq!(parents.values().map(|known| known.acts.len()).sum::<usize>() as u64, zones, "{below:?}");
            let past = store.past(Time(0), below).await.unwrap();
            let [started, done] = [
                past.days.get(&0).map_or(0, |day| day.started),
                past.days.get(&0).and_then(|day| day.ended.get("done").copied()).unwrap_or(0),
            ];
            assert_eq!((started, done), (zones, zones), "{below:?}");
            assert_eq!((past.steps.len() as u64, past.forecasts.len() as u64), (zones, zones), "{below:?}");
        }
    }

    #[tokio::test]
    async fn of_each_parent_the_newest_thousand_are_kept_and_what_is_told_twice_is_kept_once() {
        let store = store().await;
        zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
        zone(&store, "a.test.", ParentMode::Scan, 10, r#"{"parent_zone": "test."}"#).await;
        store.saw_parent_act(&name("a.test."), "test.", Kind::Ds, Time(0), Time(1)).await.unwrap();
        for at in 0..KEPT_PER_PARENT + 20 {
            let asked = Time(at * 10);
            for acted in [3, 4] {
                let acted = asked.plus(Duration::from_millis(acted));
                store.saw_parent_act(&name("a.example."), "example.", Kind::Ds, asked, acted).await.unwrap();
            }
        }
        let parents = store.parents(None).await.unwrap();
        let acts = &parents["example."].acts;
        assert_eq!(acts.len(), 1000);
        assert_eq!(acts.iter().map(|act| act.at).min(), Some(Time(203)), "the oldest went");
        assert!(acts.iter().all(|act| act.took == Duration::from_millis(3)), "what was told first counts");
        assert_eq!(parents["test."].acts.len(), 1);
    }

    #[tokio::test]
    async fn a_step_ends_where_the_next_one_begins_and_one_that_a_person_interrupts_is_not_measured() {
        let (store, child) = (store().await, name("a.example."));
        zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
        let started = transition("t_1", Time(0));
        store.start_transition(&child, &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
        // The second time after a crash: it is told again, and begins where it began.
        for (step, at) in [(Step::ShareKeys, 100), (Step::ShareKeys, 150), (Step::AwaitDs, 400)] {
            store.enter_step(&child, "t_1", step, Time(at), "").await.unwrap();
        }
        let took = |past: &Past| past.steps.iter().map(|one| (one.step, one.took.as_millis())).collect::<Vec<_>>();
        assert_eq!(took(&store.past(Time(0), None).await.unwrap()), [(Step::ShareKeys, 300)]);
        let (kind, text, at) = ("pause", String::new(), Time(500));
        let held = TransitionRecord { paused: true, ..started.clone() };
        let control = crate::store::Control {
            transition: held,
            members: BTreeMap::new(),
            kind,
            text,
            at,
            summary: Summary::fresh(at),
        };
        store.control_transition(&child, &control).await.unwrap();
        store.enter_step(&child, "t_1", Step::NameServers, Time(900), "").await.unwrap();
        let held = TransitionRecord { version: 2, ..started };
        store.end_transition(&child, &held, "{}", Time(950), "", &Summary::fresh(Time(0))).await.unwrap();
        let past = store.past(Time(0), None).await.unwrap();
        assert_eq!(took(&past), [(Step::NameServers, 50), (Step::ShareKeys, 300)]);
        assert!(past.forecasts[0].was_controlled);
    }

    #[tokio::test]
    async fn what_began_on_one_day_and_ended_on_another_is_counted_on_both() {
        let (store, child) = (store().await, name("a.example."));
        zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
        let started = transition("t_1", Time(3 * DAY_MS - 1));
        store.start_transition(&child, &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
        let undone = TransitionRecord { aim: Aim::Undoing, ..started };
        store.end_transition(&child, &undone, "{}", Time(3 * DAY_MS), "", &Summary::fresh(Time(0))).await.unwrap();
        let past = store.past(Time(0), None).await.unwrap();
        assert_eq!(past.days.keys().collect::<Vec<_>>(), [&2, &3]);
        assert_eq!((past.days[&2].started, past.days[&2].ended.len()), (1, 0));
        assert_eq!((past.days[&3].started, past.days[&3].ended["undone"]), (0, 1));
        let later = store.past(Time(3 * DAY_MS), None).await.unwrap();
        assert_eq!(later.days.keys().collect::<Vec<_>>(), [&3], "only what was since");
        let kept = &past.forecasts[0];
        assert_eq!((kept.ended.as_str(), kept.forecast), ("undone", undone.forecast.unwrap()));
    }

    /// A list of parents is asked for by a page: no zone may be read for it.
    #[tokio::test]
    async fn parents_are_counted_from_an_index_alone() {
        let store = store().await;
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {COUNTED}")))
                .bind(None::<&str>)
                .fetch_all(&store.pool)
                .await
                .unwrap();
        let text: Vec<String> = plan.into_iter().map(|(_, _, _, text)| text).collect();
        assert_eq!(text, ["SCAN zones USING COVERING INDEX zones_of_parents"]);
    }
}
