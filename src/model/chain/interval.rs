//! Stretches of time, and unions of them.
//!
//! Invariant: the intervals of a [`Union`] are in order and do not touch.

use crate::model::time::Time;

/// From `start` up to, and not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    pub start: Time,
    pub end: Time,
}

impl Interval {
    pub fn meets(&self, other: &Interval) -> Option<Interval> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Interval { start, end })
    }
}

/// A set of moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Union(Vec<Interval>);

impl Union {
    /// Adds an interval; says whether that changed anything.
    pub fn add(&mut self, new: Interval) -> bool {
        if new.start >= new.end || self.0.iter().any(|old| old.start <= new.start && new.end <= old.end) {
            return false;
        }
        let (joined, mut kept): (Vec<Interval>, Vec<Interval>) =
            self.0.iter().partition(|old| old.start <= new.end && new.start <= old.end);
        let start = joined.iter().map(|i| i.start).min().unwrap_or(new.start).min(new.start);
        let end = joined.iter().map(|i| i.end).max().unwrap_or(new.end).max(new.end);
        kept.push(Interval { start, end });
        kept.sort();
        self.0 = kept;
        true
    }

    /// Takes an interval out.
    pub fn remove(&mut self, gone: Interval) {
        let left = self.0.iter().flat_map(|old| {
            let before = Interval { start: old.start, end: old.end.min(gone.start) };
            let after = Interval { start: old.start.max(gone.end), end: old.end };
            [before, after]
        });
        self.0 = left.filter(|left| left.start < left.end).collect();
    }

    /// In order.
    pub fn into_intervals(self) -> impl Iterator<Item = Interval> {
        self.0.into_iter()
    }

    /// What of `interval` is in the set.
    pub fn within(&self, interval: Interval) -> Vec<Interval> {
        self.0.iter().filter_map(|own| own.meets(&interval)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: i64, end: i64) -> Interval {
        Interval { start: Time(start), end: Time(end) }
    }

    #[test]
    fn what_touches_becomes_one_and_what_is_inside_changes_nothing() {
        let mut union = Union::default();
        assert!(union.add(interval(0, 10)));
        assert!(union.add(interval(20, 30)));
        assert!(!union.add(interval(2, 9)));
        assert!(!union.add(interval(5, 5)));
        assert!(union.add(interval(10, 20)));
        assert_eq!(union, Union(vec![interval(0, 30)]));
        assert_eq!(union.within(interval(25, 99)), [interval(25, 30)]);
        assert_eq!(union.within(interval(30, 99)), []);
        union.remove(interval(5, 8));
        union.remove(interval(28, 50));
        union.remove(interval(-5, 1));
        union.remove(interval(28, 28));
        assert_eq!(union, Union(vec![interval(1, 5), interval(8, 28)]));
    }
}
