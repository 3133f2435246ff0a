//! Moments in milliseconds since 1970-01-01T00:00:00Z, and as RFC 3339 writes them.

const DAY_MS: i64 = 86_400_000;

/// Adds seconds to a moment. The ends of time stay where they are.
pub(crate) fn plus_s(at_ms: i64, seconds: u64) -> i64 {
    if at_ms == i64::MIN || at_ms == i64::MAX {
        return at_ms;
    }
    at_ms.saturating_add(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// Writes a moment as RFC 3339 in UTC, to the second.
pub fn text(at_ms: i64) -> String {
    // RFC 3339 has four digits for the year.
    if !(0..=253_402_300_799_999).contains(&at_ms) {
        return if at_ms < 0 { "before all records".to_owned() } else { "no end in sight".to_owned() };
    }
    let (year, month, day) = civil(at_ms.div_euclid(DAY_MS));
    let seconds = at_ms.rem_euclid(DAY_MS) / 1000;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Reads RFC 3339 in UTC (`Z`), with up to three digits behind the second. `None` if it is anything else.
pub fn read(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|octet| octet.is_ascii_digit());
        if plain { text.parse::<i64>().ok() } else { None }
    };
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = time.split(':');
    let (hours, minutes, seconds) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let is_moment = (1..=12).contains(&month) && (1..=31).contains(&day) && hours < 24 && minutes < 60 && seconds < 60;
    if parts.next().is_some() || clock.next().is_some() || !is_moment || fraction.len() > 3 {
        return None;
    }
    let scale = 10i64.pow(3u32.saturating_sub(u32::try_from(fraction.len()).ok()?));
    let ms = number(fraction, fraction.len())? * scale;
    Some(days(year, month, day) * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

/// The date of a day since 1970-01-01 in the Gregorian calendar; years begin in March, so that leap days come last.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day since 1970-01-01 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
