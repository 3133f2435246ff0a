//! Stretches of time, and unions of them.

/// From a moment (included) until another (excluded), in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub from_ms: i64,
    pub until_ms: i64,
}

impl Interval {
    pub const ALWAYS: Interval = Interval { from_ms: i64::MIN, until_ms: i64::MAX };

    pub fn is_empty(self) -> bool {
        self.from_ms >= self.until_ms
    }

    pub fn and(self, other: Interval) -> Interval {
        Interval { from_ms: self.from_ms.max(other.from_ms), until_ms: self.until_ms.min(other.until_ms) }
    }
}

/// Disjoint intervals in order; those that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals(Vec<Interval>);

impl Intervals {
    pub fn always() -> Intervals {
        Intervals(vec![Interval::ALWAYS])
    }

    /// Adds an interval. Returns whether that made a difference.
    pub fn add(&mut self, new: Interval) -> bool {
        if new.is_empty() || self.0.iter().any(|old| old.from_ms <= new.from_ms && new.until_ms <= old.until_ms) {
            return false;
        }
        let mut merged = new;
        self.0.retain(|old| {
            let touches = old.from_ms <= merged.until_ms && merged.from_ms <= old.until_ms;
            if touches {
                merged.from_ms = merged.from_ms.min(old.from_ms);
                merged.until_ms = merged.until_ms.max(old.until_ms);
            }
            !touches
        });
        let at = self.0.partition_point(|old| old.from_ms < merged.from_ms);
        self.0.insert(at, merged);
        true
    }

    /// The parts that lie in `window`.
    pub fn within(&self, window: Interval) -> impl Iterator<Item = Interval> + '_ {
        self.0.iter().map(move |part| part.and(window)).filter(|part| !part.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(from_ms: i64, until_ms: i64) -> Interval {
        Interval { from_ms, until_ms }
    }

    #[test]
    fn intervals_that_touch_become_one() {
        let mut union = Intervals::default();
        for new in [interval(10, 20), interval(40, 50), interval(0, 5), interval(20, 30)] {
            assert!(union.add(new));
        }
        assert_eq!(union.0, [interval(0, 5), interval(10, 30), interval(40, 50)]);
        assert!(union.add(interval(4, 45)));
        assert_eq!(union.0, [interval(0, 50)]);
        assert!(!union.add(interval(3, 7)), "it is in there already");
        assert!(!union.add(interval(60, 60)), "it is empty");
    }

    #[test]
    fn a_window_cuts_what_lies_outside_it() {
        let mut union = Intervals::default();
        union.add(interval(0, 10));
        union.add(interval(20, 30));
        let parts: Vec<Interval> = union.within(interval(5, 25)).collect();
        assert_eq!(parts, [interval(5, 10), interval(20, 25)]);
    }
}
