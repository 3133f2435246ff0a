//! What was measured, for the pages Parents and Statistics.
//!
//! Invariant: what was never seen is `None`, and never a nought. Whoever is limited to some zones gets what those show.

use super::gist::title;
use super::{Controller, of_store, show};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{self, At};
use crate::model::dns::plain_of_stored;
use crate::model::group::{ParentMode, Step};
use crate::model::history::Kind;
use crate::model::parent::ParentProfile;
use crate::model::time::Time;
use crate::store::{ForecastKept, ParentAct, ParentMeasures, Past, StepTook, TransitionState};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;
/// A year, and the day that it has more every four years.
const DAYS_MAX: u32 = 366;
const FORECASTS_SHOWN: usize = 100;

impl Controller {
    /// Of all zones, or of those at or below `below` (as the store names zones).
    pub(super) async fn report_parents(&self, below: Option<&str>) -> Result<wire::ParentList, Refusal> {
        let ports = self.engine.ports();
        let parents = ports.store.parents(below).await.map_err(of_store)?;
        let parents = parents.into_iter().map(|(name, known)| parent(&name, &known)).collect();
        Ok(wire::ParentList { parents, now: At::clock(ports.clock.now()) })
    }

    /// Of the last `days` days, today included, in all zones or in those at or below `below`.
    pub(super) async fn report_statistics(&self, days: u32, below: Option<&str>) -> Result<wire::Statistics, Refusal> {
        if !(1..=DAYS_MAX).contains(&days) {
            let text = format!("{days} days cannot be shown");
            return Err(
                Refusal::new(RefusalKind::Invalid, "bad-days", text).with_fix(format!("ask for 1 to {DAYS_MAX} days"))
            );
        }
        let ports = self.engine.ports();
        let now = ports.clock.now();
        let today = now.0.div_euclid(DAY_MS);
        let first = today - i64::from(days) + 1;
        let past = ports.store.past(Time(first * DAY_MS), below).await.map_err(of_store)?;
        Ok(wire::Statistics {
            days: (first..=today).map(|number| day(number, &past)).collect(),
            steps: steps(&past.steps),
            forecast_error_p50_percent: forecast_error(&past.forecasts),
            forecasts: past.forecasts.iter().take(FORECASTS_SHOWN).map(forecast).collect(),
            now: At::clock(now),
        })
    }
}

fn parent(name: &str, known: &ParentMeasures) -> wire::ParentReport {
    let of = |kind: Kind| move |act: &&ParentAct| act.what == kind;
    let by_kind = [("ds", Kind::Ds), ("ns", Kind::Delegation)].into_iter().filter_map(|(kind, what)| {
        let took = Took::of(known.acts.iter().filter(of(what)).map(|act| act.took));
        Some(wire::ParentTook {
            kind: kind.to_owned(),
            measured: took.times(),
            took_p50_s: took.percentile(50)?,
            took_p90_s: took.percentile(90)?,
            took_max_s: took.percentile(100)?,
        })
    });
    let took = Took::of(known.acts.iter().map(|act| act.took));
    let modes = known.modes.iter().map(|mode| match mode {
        ParentMode::Scan => wire::ParentMode::Scan,
        ParentMode::Manual => wire::ParentMode::Manual,
    });
    wire::ParentReport {
        parent: plain_of_stored(name),
        modes: modes.collect(),
        zones: known.zones,
        waiting: known.waiting,
        measured: took.times(),
        took_p50_s: took.percentile(50),
        took_p90_s: took.percentile(90),
        took_max_s: took.percentile(100),
        last_acted_at: known.acts.iter().map(|act| act.at).max().map(At::clock),
        by_kind: by_kind.collect(),
        assumed_s: known.longest_pipeline_s,
        takes: show::takes(&ParentProfile::of_zone(&name.parse().unwrap_or_default())).map(|takes| takes.text),
    }
}

fn day(number: i64, past: &Past) -> wire::DayReport {
    let count = past.days.get(&number).cloned().unwrap_or_default();
    let ended = |state: TransitionState| count.ended.get(state.as_str()).copied().unwrap_or(0);
    wire::DayReport {
        day: Time(number * DAY_MS).to_string().chars().take("2026-11-25".len()).collect(),
        started: count.started,
        done: ended(TransitionState::Done),
        undone: ended(TransitionState::Undone),
        stopped: ended(TransitionState::Stopped),
    }
}

fn steps(ended: &[StepTook]) -> Vec<wire::StepReport> {
    // Some steps have one name: their order is that of the first of them.
    let mut by_title: BTreeMap<&str, (bool, Step, Vec<Duration>)> = BTreeMap::new();
    for StepTook { step, rolling, took } in ended {
        let (_, first, all) = by_title.entry(title(*step, *rolling)).or_insert((*rolling, *step, Vec::new()));
        *first = *step.min(first);
        all.push(*took);
    }
    let mut in_order: Vec<_> = by_title.into_iter().collect();
    in_order.sort_by_key(|(_, (rolling, step, _))| (*rolling, *step));
    let report = |(title, (_, _, took)): (&str, (bool, Step, Vec<Duration>))| {
        let took = Took::of(took.into_iter());
        Some(wire::StepReport {
            step: title.to_owned(),
            times: took.times(),
            took_p50_s: took.percentile(50)?,
            took_p90_s: took.percentile(90)?,
        })
    };
    in_order.into_iter().filter_map(report).collect()
}

fn forecast(kept: &ForecastKept) -> wire::ForecastReport {
    let ForecastKept { zone, transition, started_at, ended_at, forecast, ended, .. } = kept;
    wire::ForecastReport {
        zone: plain_of_stored(zone),
        transition: transition.clone(),
        started: At::clock(*started_at),
        earliest_s: started_at.until(forecast.earliest).as_secs(),
        expected_s: started_at.until(forecast.expected).as_secs(),
        took_s: started_at.until(*ended_at).as_secs(),
        ended: ended.clone(),
    }
}

/// A forecast cannot know what a person does in between: what somebody held or turned around says nothing of it.
fn forecast_error(kept: &[ForecastKept]) -> Option<u64> {
    let undisturbed = kept.iter().filter(|kept| kept.ended == TransitionState::Done.as_str() && !kept.was_controlled);
    let wrong = undisturbed.map(|ForecastKept { started_at, ended_at, forecast, .. }| {
        let took = started_at.until(*ended_at).as_millis().max(1);
        u64::try_from(u128::from(forecast.expected.0.abs_diff(ended_at.0)) * 100 / took).unwrap_or(u64::MAX)
    });
    let mut wrong: Vec<u64> = wrong.collect();
    wrong.sort_unstable();
    nearest_rank(&wrong, 50)
}

/// Lengths of time, the shortest first.
struct Took(Vec<Duration>);

impl Took {
    fn of(took: impl Iterator<Item = Duration>) -> Took {
        let mut took: Vec<Duration> = took.collect();
        took.sort_unstable();
        Took(took)
    }

    fn times(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// In seconds.
    fn percentile(&self, percent: usize) -> Option<u64> {
        nearest_rank(&self.0, percent).map(|took| took.as_secs())
    }
}

/// The smallest of these that at least so many per cent are no greater than: one that was measured, and no mean of two.
fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Forecasted;

    fn acts(took_s: &[u64]) -> Vec<ParentAct> {
        let act = |took: &u64| ParentAct { what: Kind::Ds, took: Duration::from_secs(*took), at: Time::from_s(1000) };
        took_s.iter().map(act).collect()
    }

    #[test]
    fn half_and_nine_of_ten_are_times_that_were_measured_in_whatever_order_they_came() {
        let known = ParentMeasures { acts: acts(&[70, 10, 100, 30, 50, 20, 90, 40, 60, 80]), ..Default::default() };
        let shown = parent("example.", &known);
        assert_eq!((shown.parent.as_str(), shown.measured), ("example", 10));
        assert_eq!((shown.took_p50_s, shown.took_p90_s, shown.took_max_s), (Some(50), Some(90), Some(100)));
        let one = parent("example.", &ParentMeasures { acts: acts(&[7]), ..Default::default() });
        assert_eq!((one.took_p50_s, one.took_p90_s, one.took_max_s), (Some(7), Some(7), Some(7)));
        let two = parent("example.", &ParentMeasures { acts: acts(&[9, 1]), ..Default::default() });
        assert_eq!((two.took_p50_s, two.took_p90_s, two.took_max_s), (Some(1), Some(9), Some(9)));
    }

    #[test]
    fn a_parent_that_was_never_seen_to_act_took_no_time_that_is_known() {
        let shown = parent("example.", &ParentMeasures { zones: 3, ..Default::default() });
        assert_eq!((shown.took_p50_s, shown.took_p90_s, shown.took_max_s), (None, None, None));
        assert_eq!((shown.measured, shown.last_acted_at, shown.by_kind), (0, None, Vec::new()));
    }

    #[test]
    fn ds_and_name_servers_are_told_apart() {
        let mut known = ParentMeasures { acts: acts(&[10, 20]), ..Default::default() };
        known.acts.push(ParentAct { what: Kind::Delegation, took: Duration::from_secs(500), at: Time::from_s(2000) });
        let shown = parent(".", &known);
        assert_eq!((shown.parent.as_str(), shown.took_max_s), (".", Some(500)));
        assert_eq!(shown.last_acted_at, Some(At::clock(Time::from_s(2000))));
        let kinds: Vec<(&str, u64, u64)> =
            shown.by_kind.iter().map(|took| (took.kind.as_str(), took.measured, took.took_max_s)).collect();
        assert_eq!(kinds, [("ds", 2, 20), ("ns", 1, 500)]);
    }

    fn kept(took_s: i64, expected_s: i64) -> ForecastKept {
        ForecastKept {
            zone: "child.example.".into(),
            transition: "t_1".into(),
            started_at: Time::from_s(0),
            ended_at: Time::from_s(took_s),
            forecast: Forecasted { earliest: Time::from_s(1), expected: Time::from_s(expected_s) },
            ended: "done".into(),
            was_controlled: false,
        }
    }

    #[test]
    fn half_of_the_forecasts_were_wrong_by_so_much_and_what_somebody_disturbed_does_not_count() {
        assert_eq!(forecast_error(&[]), None);
        // By 10, by 50 in the other direction, by 100 of a hundred.
        let mut all = vec![kept(100, 110), kept(100, 50), kept(100, 200)];
        assert_eq!(forecast_error(&all), Some(50));
        all.push(ForecastKept { was_controlled: true, ..kept(100, 9000) });
        all.push(ForecastKept { ended: "undone".into(), ..kept(100, 9000) });
        assert_eq!(forecast_error(&all), Some(50));
        assert_eq!(forecast_error(&all[3..]), None);
        assert_eq!(forecast_error(&[kept(0, 0)]), Some(0));
    }

    #[test]
    fn steps_stand_in_the_order_of_the_ladder_and_those_of_one_name_are_one() {
        let took = |step, rolling, s| StepTook { step, rolling, took: Duration::from_secs(s) };
        let ended = [
            took(Step::AwaitDelegation, false, 9),
            took(Step::AwaitDsGone, true, 4),
            took(Step::AwaitDs, true, 2),
            took(Step::ShareKeys, false, 1),
        ];
        let shown: Vec<(String, u64, u64)> =
            steps(&ended).into_iter().map(|step| (step.step, step.times, step.took_p90_s)).collect();
        let line = |step: Step, rolling, times, s| (title(step, rolling).to_owned(), times, s);
        assert_eq!(
            shown,
            [
                line(Step::ShareKeys, false, 1, 1),
                line(Step::AwaitDelegation, false, 1, 9),
                line(Step::AwaitDs, true, 2, 4)
            ]
        );
    }

    #[test]
    fn a_day_is_named_as_the_calendar_has_it_and_one_without_anything_is_there() {
        let shown = day(20_512, &Past::default());
        assert_eq!((shown.day.as_str(), shown.started, shown.done), ("2026-02-28", 0, 0));
        assert_eq!(day(20_513, &Past::default()).day, "2026-03-01");
    }
}
