//! Moments in milliseconds since 1970-01-01T00:00:00Z, and as RFC 3339 writes them.

use std::time::{Duration, UNIX_EPOCH};

/// Adds seconds to a moment. The ends of time stay where they are.
pub(crate) fn plus_s(at_ms: i64, seconds: u64) -> i64 {
    if at_ms == i64::MIN || at_ms == i64::MAX {
        return at_ms;
    }
    at_ms.saturating_add(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// Writes a moment as RFC 3339 in UTC, to the second.
pub fn text(at_ms: i64) -> String {
    let Ok(since_epoch_ms) = u64::try_from(at_ms) else { return "before all records".to_owned() };
    // RFC 3339 has four digits for the year.
    if since_epoch_ms > 253_402_300_799_999 {
        return "no end in sight".to_owned();
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(since_epoch_ms)).to_string()
}

/// Reads RFC 3339 in UTC (`Z`). `None` if it is anything else.
pub fn read(text: &str) -> Option<i64> {
    let at = humantime::parse_rfc3339(text).ok()?;
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_was_written_is_read_again() {
        for at_ms in [0, 951_782_399_000, 951_782_400_000, 1_796_098_497_000, 253_402_300_799_000] {
            assert_eq!(read(&text(at_ms)), Some(at_ms), "{}", text(at_ms));
        }
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(read("2026-12-01T04:14:57.25Z"), Some(1_796_098_497_250));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in
            ["", "2026-12-01", "2026-13-01T00:00:00Z", "2026-12-01T00:00:00", "2026-12-01T24:00:00Z", "é-12-01T0Z"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
