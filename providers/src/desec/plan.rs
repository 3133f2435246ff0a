//! On which days the zones of an account will be done, if each needs so many requests.
//!
//! Invariant: a plan asks a copy of the budget what it would ask the budget itself, so that what it promises is what will be
//! permitted, as long as nobody else uses the account. It counts no other waits than those of the limits.

use super::budget::{Budget, Share};
use super::scopes::Request;
use hickory_proto::rr::Name;
use std::collections::BTreeMap;
use std::fmt;

const DAY_MS: u64 = 86_400_000;

/// What one zone needs, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    pub zone: String,
    pub requests: Vec<Request>,
}

impl Queued {
    /// A zone that takes so many steps of one write: each reads twice before, and once after it.
    pub fn steps(zone: &Name, steps: usize) -> Queued {
        let step = [Request::Read, Request::Read, Request::write(zone), Request::Read];
        Queued { zone: zone.to_string(), requests: vec![step; steps].concat() }
    }

    /// The same after the check that a change begins with: a read and a write that changes nothing, and a listing of the zone.
    pub fn with_check(zone: &Name, steps: usize) -> Queued {
        let check = vec![Request::Read, Request::write(zone), Request::Read];
        let Queued { zone, requests } = Queued::steps(zone, steps);
        Queued { zone, requests: [check, requests].concat() }
    }
}

/// When one zone will have been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub zone: String,
    pub begins_ms: u64,
    pub done_ms: u64,
}

/// A day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    pub year: u64,
    pub month: u64,
    pub day: u64,
}

impl Day {
    /// Of the proleptic Gregorian calendar, counted in years that begin in March.
    pub fn of(unix_ms: u64) -> Day {
        let days = unix_ms / DAY_MS + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        Day { year: era * 400 + year_of_era + u64::from(month <= 2), month, day }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// How far a zone is planned.
struct Row<'a> {
    queued: &'a Queued,
    made: usize,
    begins_ms: u64,
    /// When the last one was made.
    last_ms: u64,
    /// When the limits that are the zone's own permit the next one.
    own_ms: u64,
}

impl Row<'_> {
    fn next(&self) -> Option<&Request> {
        self.queued.requests.get(self.made)
    }

    fn moved(&mut self, budget: &Budget, at_ms: u64) {
        let next = self.next().filter(|request| !SHARED.contains(request));
        self.own_ms = next.map_or(at_ms, |request| budget.of_scope(request, 1, at_ms).until_ms);
    }
}

/// Those whose scope all zones share.
const SHARED: [Request; 4] = [Request::Read, Request::Zone, Request::Account, Request::Mail];

impl Budget {
    /// When each of these zones will have been done. Zones that come earlier in the queue go first.
    pub fn plan(&self, queue: &[Queued], now_ms: u64) -> Vec<Planned> {
        let mut budget = self.clone();
        let row = |queued| Row { queued, made: 0, begins_ms: now_ms, last_ms: now_ms, own_ms: now_ms };
        let mut rows: Vec<Row<'_>> = queue.iter().map(row).collect();
        rows.iter_mut().for_each(|row| row.moved(&budget, now_ms));
        let mut at_ms = now_ms;
        loop {
            let of_all_ms = budget.of_user(Share::Controller, 1, at_ms).until_ms;
            let shared = SHARED.map(|request| (budget.of_scope(&request, 1, at_ms).until_ms, request));
            let when = |row: &Row<'_>| {
                let next = row.next()?;
                let shared_ms = shared.iter().find(|(_, request)| request == next).map_or(at_ms, |(free, _)| *free);
                Some(shared_ms.max(row.own_ms).max(of_all_ms))
            };
            let earliest = rows.iter_mut().filter_map(|row| Some((when(row)?, row))).min_by_key(|(at, _)| *at);
            let Some((at, row)) = earliest else { break };
            at_ms = at;
            if row.made == 0 {
                row.begins_ms = at;
            }
            budget.made(row.next().map_or(&[], std::slice::from_ref), at);
            row.made += 1;
            row.last_ms = at;
            row.moved(&budget, at);
        }
        let planned =
            |row: &Row<'_>| Planned { zone: row.queued.zone.clone(), begins_ms: row.begins_ms, done_ms: row.last_ms };
        rows.iter().map(planned).collect()
    }
}

/// The zones that are done on each day.
pub fn by_day(planned: &[Planned]) -> BTreeMap<Day, Vec<String>> {
    let mut days: BTreeMap<Day, Vec<String>> = BTreeMap::new();
    for one in planned {
        days.entry(Day::of(one.done_ms)).or_default().push(one.zone.clone());
    }
    days
}

#[cfg(test)]
mod tests {
    use super::super::budget::Limits;
    use super::*;

    #[test]
    fn a_day_has_its_date() {
        for (unix_ms, date) in [
            (0, "1970-01-01"),
            (DAY_MS - 1, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_709_251_199_999, "2024-02-29"),
            (1_709_251_200_000, "2024-03-01"),
            (4_107_542_400_000, "2100-03-01"),
            (1_798_761_599_000, "2026-12-31"),
        ] {
            assert_eq!(Day::of(unix_ms).to_string(), date);
        }
    }

    #[test]
    fn zones_that_come_first_are_done_first_and_no_zone_waits_for_the_limits_of_another() {
        let start = 1_796_083_200_000;
        let budget = Budget::new(Limits::default());
        let write = |zone: &str| Request::Write { zone: zone.to_owned() };
        let many = Queued { zone: "many".into(), requests: vec![write("many"); 40] };
        let few = Queued { zone: "few".into(), requests: vec![Request::Read, write("few")] };
        let none = Queued { zone: "none".into(), requests: vec![] };
        let planned = budget.plan(&[many, few, none], start);
        // 15 a minute, and 2 s of caution.
        assert!((120_000..140_000).contains(&(planned[0].done_ms - start)), "{planned:?}");
        assert!(planned[1].done_ms - start < 2_000, "{planned:?}");
        assert_eq!(planned[2].done_ms, start);
        assert_eq!(by_day(&planned).into_values().collect::<Vec<_>>(), [["many", "few", "none"]]);
    }

    #[test]
    fn what_was_made_before_counts() {
        let start = 1_796_083_200_000;
        let mut budget = Budget::new(Limits { user_per_day: 100, kept_free_per_day: 0 });
        for n in 0..99 {
            budget.made(&[Request::Write { zone: format!("{n}") }], start);
        }
        let planned =
            budget.plan(&["a.test.", "b.test."].map(|zone| Queued::steps(&Name::from_ascii(zone).unwrap(), 1)), start);
        let days: Vec<_> = planned.iter().map(|one| (Day::of(one.begins_ms).day, Day::of(one.done_ms).day)).collect();
        assert_eq!((Day::of(start).to_string().as_str(), days.as_slice()), ("2026-12-01", &[(1, 2), (2, 2)][..]));
    }
}
