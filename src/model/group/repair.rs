//! How often Chorus puts back what somebody else changed.
//!
//! Invariant: never a tug-of-war. Who changes the same records again and again has a reason, and a person has to see it.

use crate::model::time::Time;
use std::time::Duration;

/// After the first write of a set, this many repairs of it in [`WITHIN`].
pub const REPAIRS_MAX: usize = 3;
pub const WITHIN: Duration = Duration::from_secs(3600);

/// Until when the same set is not written again, given when it was written before, each time with effect. `None`: it may
/// be written.
pub fn held_until(written: &[Time], now: Time) -> Option<Time> {
    let mut lately: Vec<Time> = written.iter().copied().filter(|at| at.plus(WITHIN) > now && *at <= now).collect();
    lately.sort_unstable();
    let nth = lately.len().checked_sub(REPAIRS_MAX + 1)?;
    lately.get(nth).map(|at| at.plus(WITHIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_write_and_three_repairs_are_made_within_an_hour_and_the_next_one_waits() {
        let at = |minutes: i64| Time::from_s(minutes * 60);
        let mut written = Vec::new();
        for minute in [0, 10, 20, 30] {
            assert_eq!(held_until(&written, at(minute)), None);
            written.push(at(minute));
        }
        assert_eq!(held_until(&written, at(40)), Some(at(60)));
        assert_eq!(held_until(&written, at(60)), None);
        written.push(at(60));
        assert_eq!(held_until(&written, at(61)), Some(at(70)));
    }

    #[test]
    fn what_a_clock_that_was_set_back_says_was_written_later_is_no_repair() {
        assert_eq!(held_until(&[Time::from_s(100); 9], Time::from_s(50)), None);
    }
}
