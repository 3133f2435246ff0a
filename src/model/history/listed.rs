//! The largest TTL that listings of an operator's zone showed.
//!
//! Invariant: a TTL counts from the listing that showed it until caches have forgotten what was served with it before the first
//! listing that showed only smaller ones.

use crate::model::time::Time;
use std::time::Duration;

/// What all listings of one operator's zone showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedTtl {
    pub largest_s: u32,
    /// The largest TTL of all listings since one showed only smaller TTLs, and when that one was made.
    pub lower: Option<(u32, Time)>,
}

impl ListedTtl {
    pub fn first(largest_s: u32) -> ListedTtl {
        ListedTtl { largest_s, lower: None }
    }

    /// What counts at `at`. `outlives`: for how long caches may have what was served with a TTL in seconds.
    pub fn at(self, at: Time, outlives: impl Fn(u32) -> Duration) -> ListedTtl {
        match self.lower {
            Some((ttl_s, since)) if since.plus(outlives(self.largest_s)) <= at => ListedTtl::first(ttl_s),
            _ => self,
        }
    }

    /// After another listing, made at `now`, that showed `ttl_s` as the largest TTL.
    pub fn after(self, ttl_s: u32, now: Time) -> ListedTtl {
        if ttl_s >= self.largest_s {
            return ListedTtl::first(ttl_s);
        }
        let (lower_s, since) = self.lower.unwrap_or((ttl_s, now));
        ListedTtl { lower: Some((lower_s.max(ttl_s), since)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlives(ttl_s: u32) -> Duration {
        Duration::from_secs(ttl_s.into())
    }

    #[test]
    fn a_smaller_ttl_counts_when_the_larger_one_is_dead() {
        let day = ListedTtl::first(86_400).after(3_600, Time::from_s(1_000)).after(300, Time::from_s(2_000));
        assert_eq!(day.at(Time::from_s(87_399), outlives).largest_s, 86_400);
        let hour = day.at(Time::from_s(87_400), outlives);
        assert_eq!(hour, ListedTtl::first(3_600), "an hour was shown since");
        let next = hour.after(300, Time::from_s(90_000)).at(Time::from_s(93_600), outlives);
        assert_eq!(next.largest_s, 300);
    }

    #[test]
    fn a_larger_ttl_counts_at_once_and_begins_anew() {
        let listed = ListedTtl::first(3_600).after(60, Time::from_s(0)).after(7_200, Time::from_s(10));
        assert_eq!(listed, ListedTtl::first(7_200));
        assert_eq!(listed.at(Time::from_s(1_000_000), outlives).largest_s, 7_200, "no listing showed less");
    }
}
