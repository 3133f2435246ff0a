//! How far incompatible versions were apart.

use crate::clock;
use crate::intervals::{Interval, Intervals};

/// The time between the death of a version and the first of one that does not go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margin {
    /// Its length in milliseconds.
    pub ms: i64,
    /// When the earlier version was dead.
    pub died_ms: i64,
    /// When resolvers could first fetch the later one.
    pub appeared_ms: i64,
    /// Which two versions.
    pub what: String,
}

impl std::fmt::Display for Margin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (died, appeared) = (clock::text(self.died_ms), clock::text(self.appeared_ms));
        write!(f, "{} s between {died} and {appeared}: {}", self.ms / 1000, self.what)
    }
}

/// Finds the smallest margin.
pub(crate) struct Smallest {
    window: Interval,
    found: Option<Margin>,
}

impl Smallest {
    pub fn new(window: Interval) -> Smallest {
        Smallest { window, found: None }
    }

    /// Takes in two times in which incompatible versions live, and that do not overlap. `secure`: when resolvers validate.
    pub fn take(&mut self, a: Interval, b: Interval, secure: Option<&Intervals>, what: impl Fn() -> String) {
        let (earlier, later) = if a.from_ms <= b.from_ms { (a, b) } else { (b, a) };
        let ms = later.from_ms.saturating_sub(earlier.until_ms);
        let in_window = self.window.from_ms <= later.from_ms && later.from_ms < self.window.until_ms;
        let is_smaller = self.found.as_ref().is_none_or(|found| ms < found.ms);
        let is_validated = || secure.is_none_or(|secure| secure.within(later).next().is_some());
        if in_window && is_smaller && is_validated() {
            self.found = Some(Margin { ms, died_ms: earlier.until_ms, appeared_ms: later.from_ms, what: what() });
        }
    }

    pub fn found(self) -> Option<Margin> {
        self.found
    }
}
