//! Points in time as the model knows them: milliseconds since 1970-01-01T00:00:00Z, always passed in, never read.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A moment, in milliseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// Before everything that was ever observed.
    pub const MIN: Time = Time(i64::MIN);
    /// Later than everything; the end of what has no end in sight.
    pub const MAX: Time = Time(i64::MAX);

    pub fn from_s(seconds: i64) -> Time {
        Time(seconds.saturating_mul(1000))
    }

    pub fn plus_s(self, seconds: u64) -> Time {
        self.plus(Duration::from_secs(seconds))
    }

    /// Saturates: [`Time::MAX`] plus anything stays [`Time::MAX`].
    pub fn plus(self, duration: Duration) -> Time {
        match self {
            Time::MIN | Time::MAX => self,
            Time(ms) => Time(ms.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))),
        }
    }

    /// Saturates, as [`Time::plus`] does.
    pub fn minus(self, duration: Duration) -> Time {
        match self {
            Time::MIN | Time::MAX => self,
            Time(ms) => Time(ms.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))),
        }
    }

    /// How long it is from `self` until `later`; zero when `later` is not later.
    pub fn until(self, later: Time) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0).max(0).unsigned_abs())
    }
}

/// RFC 3339 in UTC, to the second; with milliseconds in the alternate form.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(ms) = u64::try_from(self.0) else { return f.write_str("before all records") };
        // 9999-12-31T23:59:59Z is the last moment that RFC 3339 can write.
        if ms > 253_402_300_799_000 {
            return f.write_str("no end in sight");
        }
        let at = UNIX_EPOCH + Duration::from_millis(ms);
        if f.alternate() {
            write!(f, "{}", humantime::format_rfc3339_millis(at))
        } else {
            write!(f, "{}", humantime::format_rfc3339_seconds(at))
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}
