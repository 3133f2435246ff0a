//! How many requests an account at deSEC may still make, and when: all its zones and tokens share the same limits.
//!
//! Invariant: nothing here asks for the time, sleeps or sends. Times are Unix milliseconds, given by the caller, and a
//! clock that was set back makes no request wait for longer than the longest window. A request is counted when it is
//! permitted, so that a lost answer is not a free one. What several zones are told to do is in `plan`.
//!
//! The server counts in sliding windows, several rates at once per scope. It counts a request when that arrives, we when it
//! leaves: each window is taken to be a little longer than it is.

use super::scopes::{DAY, HOUR, Rate, Request, SECOND, rate};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// By how much a request can be under way for longer than a later one, and so look closer to that to the server than to us.
const SLACK_MS: u64 = 2_000;

/// Where a refusal does not say for how long; doubled with each further one.
const BACK_OFF_MS: u64 = 60_000;
const BACK_OFF_MAX_MS: u64 = HOUR;

/// What the operator of deSEC lets every account do; it can be set for each.
pub const USER_PER_DAY: u32 = 2000;

/// The bucket that every request is in.
const USER: &str = "user";

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub user_per_day: u32,
    /// So many of these are left to people and other programs.
    pub kept_free_per_day: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::of(USER_PER_DAY)
    }
}

/// Whose part of a day's requests is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// What the controller does by itself leaves a part of the day's requests to people.
    #[default]
    Controller,
    /// A person waits for what is done.
    People,
}

impl Limits {
    /// An account with another limit than most. A tenth of it is left to people and other programs.
    pub fn of(user_per_day: u32) -> Limits {
        Limits { user_per_day, kept_free_per_day: user_per_day / 10 }
    }

    fn user(self, share: Share) -> Rate {
        let kept_free = if share == Share::People { 0 } else { self.kept_free_per_day };
        let ours = self.user_per_day.saturating_sub(kept_free).max(1);
        rate(usize::try_from(ours).unwrap_or(usize::MAX), DAY)
    }
}

/// That a request has to wait, and for which limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub until_ms: u64,
    /// The server's name of the scope, and the zone where it is kept apart for each.
    pub limit: String,
}

impl Wait {
    /// Whole seconds, rounded up.
    pub fn seconds_from(&self, now_ms: u64) -> u32 {
        u32::try_from(self.until_ms.saturating_sub(now_ms).div_ceil(SECOND)).unwrap_or(u32::MAX)
    }
}

/// A refusal that is obeyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hold {
    since_ms: u64,
    for_ms: u64,
    /// How many came before it, each shortly after the last.
    earlier: u32,
}

impl Hold {
    fn until(&self, now_ms: u64) -> u64 {
        self.since_ms.min(now_ms).saturating_add(self.for_ms)
    }
}

/// What an account has done lately. To be kept by the caller, across restarts: at most some thousand numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    limits: Limits,
    /// When requests were made, per bucket, the oldest first.
    made_ms: BTreeMap<String, VecDeque<u64>>,
    holds: BTreeMap<String, Hold>,
}

impl Budget {
    pub fn new(limits: Limits) -> Budget {
        Budget { limits, made_ms: BTreeMap::new(), holds: BTreeMap::new() }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Adds what was counted apart from this for the same account.
    pub fn absorb(&mut self, other: Budget) {
        for (bucket, made) in other.made_ms {
            let all = self.made_ms.entry(bucket).or_default();
            all.extend(made);
            all.make_contiguous().sort_unstable();
        }
        for (bucket, hold) in other.holds {
            match self.holds.get(&bucket) {
                Some(longer) if longer.since_ms + longer.for_ms >= hold.since_ms + hold.for_ms => {}
                _ => drop(self.holds.insert(bucket, hold)),
            }
        }
    }

    /// Whether the controller may make all of these now; else until when the last of them has to wait.
    pub fn when(&self, requests: &[Request], now_ms: u64) -> Result<(), Wait> {
        self.when_for(Share::Controller, requests, now_ms)
    }

    fn when_for(&self, share: Share, requests: &[Request], now_ms: u64) -> Result<(), Wait> {
        let last = requests.iter().map(|request| {
            let alike = requests.iter().filter(|other| other.bucket() == request.bucket()).count();
            self.of_scope(request, alike, now_ms)
        });
        let all = last.chain([self.of_user(share, requests.len(), now_ms)]).max_by_key(|wait| wait.until_ms);
        match all {
            Some(wait) if wait.until_ms > now_ms => Err(wait),
            _ => Ok(()),
        }
    }

    /// From when on the scope of the request permits `count` of them; `now_ms` if it does already.
    pub(super) fn of_scope(&self, request: &Request, count: usize, now_ms: u64) -> Wait {
        let (_, _, rates) = request.scope();
        self.free(request.bucket(), rates, count, now_ms)
    }

    pub(super) fn of_user(&self, share: Share, count: usize, now_ms: u64) -> Wait {
        self.free(USER.to_owned(), &[self.limits.user(share)], count, now_ms)
    }

    fn free(&self, bucket: String, rates: &[Rate], count: usize, now_ms: u64) -> Wait {
        let held = self.holds.get(&bucket).map(|hold| hold.until(now_ms));
        let by_rates = self.made_ms.get(&bucket).into_iter().flat_map(|made| {
            rates.iter().filter_map(move |rate| {
                // More at once than a rate has: as many as it has.
                let over = (made.len() + count.min(rate.requests)).checked_sub(rate.requests + 1)?;
                Some(made.get(over)?.min(&now_ms) + rate.window_ms + SLACK_MS)
            })
        });
        let until_ms = by_rates.chain(held).max().unwrap_or(now_ms).max(now_ms);
        Wait { until_ms, limit: bucket }
    }

    /// Counts these requests, which are about to be sent; or says until when to wait, and counts nothing.
    pub fn permit(&mut self, requests: &[Request], now_ms: u64) -> Result<(), Wait> {
        self.permit_for(Share::Controller, requests, now_ms)
    }

    /// The same, out of this share of a day's requests.
    pub fn permit_for(&mut self, share: Share, requests: &[Request], now_ms: u64) -> Result<(), Wait> {
        self.see(now_ms);
        self.when_for(share, requests, now_ms)?;
        self.made(requests, now_ms);
        Ok(())
    }

    /// What is later than now was before it: the clock was set back. Said once, it does not move on with the time.
    fn see(&mut self, now_ms: u64) {
        for made in self.made_ms.values_mut() {
            made.iter_mut().rev().take_while(|at| **at > now_ms).for_each(|at| *at = now_ms);
        }
        self.holds.values_mut().for_each(|hold| hold.since_ms = hold.since_ms.min(now_ms));
    }

    /// Requests are about to be sent, permitted or not.
    pub fn made(&mut self, requests: &[Request], now_ms: u64) {
        self.see(now_ms);
        for request in requests {
            let longest = request.scope().2.iter().map(|rate| rate.window_ms).max().unwrap_or(DAY);
            self.count(request.bucket(), longest, now_ms);
            self.count(USER.to_owned(), DAY, now_ms);
        }
        // What is over for long is forgotten: zones come and go.
        self.made_ms.retain(|_, made| made.back().is_some_and(|last| last + DAY + SLACK_MS > now_ms));
        self.holds.retain(|_, hold| hold.until(now_ms) + BACK_OFF_MAX_MS > now_ms);
    }

    /// Requests that were counted lately were not sent.
    pub fn given_back(&mut self, requests: &[Request]) {
        for bucket in requests.iter().flat_map(|request| [request.bucket(), USER.to_owned()]) {
            if let Some(made) = self.made_ms.get_mut(&bucket) {
                made.pop_back();
            }
        }
        self.made_ms.retain(|_, made| !made.is_empty());
    }

    fn count(&mut self, bucket: String, longest_ms: u64, now_ms: u64) {
        let made = self.made_ms.entry(bucket).or_default();
        while made.front().is_some_and(|oldest| oldest + longest_ms + SLACK_MS <= now_ms) {
            made.pop_front();
        }
        made.push_back(now_ms);
    }

    /// The server refused a request with 429. It does not say which of its limits was met.
    ///
    /// A limit that is kept apart for each zone holds back that zone, and all others only for as long as it takes to see
    /// whether they are refused, too: then it is the account's. A wait that is longer than the scope's longest window can
    /// only be the account's.
    pub fn refused(&mut self, request: &Request, now_ms: u64, retry_after_s: Option<u32>) {
        let (scope, zone, rates) = request.scope();
        let bucket = request.bucket();
        let longest_ms = rates.iter().map(|rate| rate.window_ms).max().unwrap_or(DAY);
        let said_ms = retry_after_s.map(|seconds| (u64::from(seconds) * SECOND).min(DAY));
        let others_too = zone.is_some()
            && self.holds.iter().any(|(held, hold)| {
                *held != bucket && held.starts_with(&format!("{scope} ")) && hold.until(now_ms) > now_ms
            });
        if others_too || said_ms.is_some_and(|wait| wait > longest_ms) {
            self.hold(USER.to_owned(), now_ms, said_ms, u64::MAX);
        } else {
            self.hold(bucket, now_ms, said_ms, u64::MAX);
            self.hold(USER.to_owned(), now_ms, said_ms, BACK_OFF_MS);
        }
    }

    fn hold(&mut self, bucket: String, now_ms: u64, said_ms: Option<u64>, at_most_ms: u64) {
        let before = self.holds.get(&bucket);
        let (until_ms, earlier) = before.map_or((0, 0), |hold| (hold.until(now_ms), hold.earlier + 1));
        let recent = until_ms + before.map_or(0, |hold| hold.for_ms) > now_ms;
        let earlier = if recent { earlier } else { 0 };
        let guess_ms = BACK_OFF_MS.saturating_mul(1 << earlier.min(10)).min(BACK_OFF_MAX_MS);
        // Its clock need not tick with ours.
        let for_ms = said_ms.map_or(guess_ms, |wait| wait + SLACK_MS).min(at_most_ms);
        let for_ms = for_ms.max(until_ms.saturating_sub(now_ms));
        self.holds.insert(bucket, Hold { since_ms: now_ms, for_ms, earlier });
    }
}

#[cfg(test)]
mod tests {
    use super::super::scopes::MINUTE;
    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn write(zone: &str) -> Request {
        Request::Write { zone: zone.to_owned() }
    }

    fn budget() -> Budget {
        Budget::new(Limits { user_per_day: 2000, kept_free_per_day: 0 })
    }

    /// When the next request may be made, in milliseconds from the start.
    fn next(budget: &Budget, request: &Request, after_ms: u64) -> u64 {
        match budget.when(std::slice::from_ref(request), START + after_ms) {
            Ok(()) => after_ms,
            Err(wait) => wait.until_ms - START,
        }
    }

    /// Makes requests as soon as each may be, and says when the last one was made.
    fn make(budget: &mut Budget, request: &Request, times: usize) -> u64 {
        let mut at = 0;
        for _ in 0..times {
            at = next(budget, request, at);
            budget.made(std::slice::from_ref(request), START + at);
        }
        at
    }

    #[test]
    fn each_rate_of_a_scope_holds_and_the_account_s_above_all() {
        // After so many requests, the next one comes with the window of the rate that is used up.
        let cases = [
            (Request::Read, vec![(10, SECOND), (50, MINUTE)]),
            (write("a"), vec![(2, SECOND), (15, MINUTE), (100, HOUR), (300, DAY)]),
            (Request::Zone, vec![(10, SECOND), (1000, HOUR)]),
            (Request::Account, vec![(50, MINUTE), (600, HOUR)]),
            (Request::Mail, vec![(3, MINUTE)]),
            (Request::DynDns { zone: "a".into() }, vec![(2, 2 * MINUTE)]),
        ];
        for (request, rates) in cases {
            for (requests, window_ms) in rates {
                let mut budget = budget();
                let last = make(&mut budget, &request, requests);
                let first = *budget.made_ms[&request.bucket()].iter().rev().nth(requests - 1).unwrap();
                let free = next(&budget, &request, last);
                assert!(last < window_ms, "{request:?}: {requests} within {window_ms} ms");
                assert!(START + free >= first + window_ms, "{request:?} {requests}: {free}");
            }
        }
        let mut budget = budget();
        for n in 0..2000_u64 {
            budget.made(&[write(&format!("zone{n}"))], START + n);
        }
        for request in [write("another"), Request::Read, Request::Account] {
            assert_eq!(next(&budget, &request, 5000), DAY + SLACK_MS, "{request:?}");
        }
    }

    #[test]
    fn a_zone_s_writes_do_not_hold_back_another_one_s() {
        let mut budget = budget();
        budget.made(&[write("a"), write("a")], START);
        let wait = budget.when(&[write("a")], START).unwrap_err();
        assert_eq!((wait.limit.as_str(), wait.seconds_from(START)), ("dns_api_per_domain_expensive a", 3));
        assert_eq!(budget.when(&[write("b"), write("b")], START), Ok(()));
        assert!(budget.when(&[write("b"), write("a")], START).is_err(), "all of them, or none");
    }

    #[test]
    fn several_requests_are_permitted_together_or_not_at_all() {
        let mut budget = budget();
        budget.made(&vec![Request::Read; 9], START);
        assert_eq!(budget.when(&[Request::Read], START), Ok(()));
        assert_eq!(budget.when(&[Request::Read, Request::Read], START).unwrap_err().limit, "dns_api_cheap");
        budget.made(&[Request::Read], START);
        assert_eq!(next(&budget, &Request::Read, 0), SECOND + SLACK_MS);
    }

    #[test]
    fn what_was_not_sent_is_not_counted() {
        let mut budget = budget();
        budget.made(&[Request::Read, write("a"), write("a")], START);
        let before = budget.clone();
        budget.made(&[Request::Read, write("b")], START + 1);
        budget.given_back(&[write("b"), Request::Read]);
        assert_eq!(budget, before);
        budget.given_back(&[write("a")]);
        assert_eq!(budget.when(&[write("a")], START), Ok(()));
    }

    #[test]
    fn what_is_kept_free_is_not_used() {
        let mut budget = Budget::new(Limits { user_per_day: 10, kept_free_per_day: 8 });
        budget.made(&[Request::Read, write("a")], START);
        assert_eq!(budget.when(&[Request::Account], START).unwrap_err().limit, "user");
        budget.set_limits(Limits { user_per_day: 11, kept_free_per_day: 8 });
        assert_eq!(budget.when(&[Request::Account], START), Ok(()));
    }

    #[test]
    fn a_refusal_is_obeyed_for_as_long_as_it_says_and_a_little_longer() {
        let mut budget = budget();
        budget.refused(&Request::Read, START, Some(7));
        assert_eq!(next(&budget, &Request::Read, 0), 7 * SECOND + SLACK_MS);
        assert_eq!(budget.when(&[Request::Read], START + 9 * SECOND), Ok(()));
    }

    #[test]
    fn a_refusal_that_says_nothing_is_obeyed_for_longer_each_time() {
        let mut budget = budget();
        let mut at = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            budget.refused(&Request::Read, START + at, None);
            let free = next(&budget, &Request::Read, at);
            waits.push((free - at) / MINUTE);
            at = free;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        at += 3 * HOUR;
        budget.refused(&Request::Read, START + at, None);
        assert_eq!(next(&budget, &Request::Read, at) - at, MINUTE, "long after, it is the first one again");
    }

    #[test]
    fn a_refused_write_holds_back_its_zone_and_the_rest_of_the_account_when_that_is_refused_too() {
        let mut budget = budget();
        budget.refused(&write("a"), START, Some(5000));
        assert_eq!(next(&budget, &write("a"), 0), 5000 * SECOND + SLACK_MS);
        assert_eq!(next(&budget, &write("b"), 0), MINUTE);
        budget.refused(&write("b"), START + MINUTE, Some(4940));
        for request in [write("c"), Request::Read] {
            assert_eq!(next(&budget, &request, MINUTE), 5000 * SECOND + SLACK_MS, "{request:?}");
        }
        let mut budget = self::budget();
        budget.refused(&Request::Read, START, Some(5000));
        assert_eq!(next(&budget, &write("a"), 0), 5000 * SECOND + SLACK_MS, "no window of reading is that long");
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_back_for_longer_than_a_day() {
        let mut budget = budget();
        let ahead = START + 1000 * DAY;
        for _ in 0..300 {
            budget.made(&[write("a")], ahead);
        }
        budget.refused(&Request::Read, ahead, Some(u32::MAX));
        assert_eq!(next(&budget, &write("a"), 0), DAY + SLACK_MS);
        assert_eq!(next(&budget, &Request::Read, 0), DAY + SLACK_MS);
        assert!(budget.permit(&[write("a"), Request::Read], START).is_err());
        assert_eq!(budget.permit(&[write("a"), Request::Read], START + DAY + SLACK_MS), Ok(()));
    }

    #[test]
    fn it_is_the_same_after_a_restart_and_forgets_what_is_over() {
        let mut budget = budget();
        make(&mut budget, &write("a.example"), 40);
        budget.refused(&write("b.example"), START, None);
        let kept = serde_json::to_string(&budget).unwrap();
        assert_eq!(serde_json::from_str::<Budget>(&kept).unwrap(), budget);
        budget.made(&[Request::Read], START + 2 * DAY);
        assert!(!serde_json::to_string(&budget).unwrap().contains("a.example"));
    }
}
