//! Time and chance, as parameters. The one place where the real clocks are read.
//!
//! There are two: the one on the wall, which people and time servers set, and which signatures and everything that is
//! stored go by; and a steady one that nobody can set, which only shows when the other has jumped.

use crate::model::time::Time;
use async_trait::async_trait;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

/// What both clocks may differ by before it is a jump. Far less than any slack for clocks that differ, far more than what
/// a time server slews between two rounds.
pub const JUMP_MIN: Duration = Duration::from_secs(2);

/// Both clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub wall: Time,
    /// Milliseconds since some moment of this boot.
    pub steady_ms: i64,
    /// Steady clocks of different boots have nothing to do with each other.
    pub boot: String,
}

impl Reading {
    /// By how many milliseconds the clock on the wall was set forward since, or back if negative. `None`: nobody knows,
    /// because the machine was started again.
    pub fn jumped_ms(&self, since: &Reading) -> Option<i64> {
        let steady = self.steady_ms.checked_sub(since.steady_ms)?;
        let wall = self.wall.0.checked_sub(since.wall.0)?;
        let jumped = wall.checked_sub(steady)?;
        (self.boot == since.boot && steady >= 0)
            .then_some(if u128::from(jumped.unsigned_abs()) < JUMP_MIN.as_millis() { 0 } else { jumped })
    }
}

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Time;

    /// Both clocks. Where nobody can set the clock, it is steady itself.
    fn reading(&self) -> Reading {
        let wall = self.now();
        Reading { wall, steady_ms: wall.0, boot: String::new() }
    }

    /// Until then by the clock, or for as long as that seemed to be at the beginning, if the clock is set back: whoever
    /// waits looks again.
    async fn sleep_until(&self, until: Time);
}

/// The host's clock.
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Time {
        // A clock before 1970 is read as 1970.
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn reading(&self) -> Reading {
        static BOOT: LazyLock<String> = LazyLock::new(|| {
            let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            // Where boots cannot be told from one another, none of them is another process' boot.
            if id.is_empty() { format!("process {}", std::process::id()) } else { id.trim().to_owned() }
        });
        // It counts the time in which the machine is asleep, too: that has passed, and is no jump.
        let steady = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
        let steady_ms = i64::try_from(steady.as_millis()).unwrap_or(i64::MAX);
        Reading { wall: self.now(), steady_ms, boot: BOOT.clone() }
    }

    async fn sleep_until(&self, until: Time) {
        let pieces = async {
            // In pieces, so that a clock that is set forward is noticed; a moment longer, so that `until` has come.
            loop {
                let left = self.now().until(until);
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Duration::from_secs(30)) + Duration::from_millis(1)).await;
            }
        };
        let seemed = self.now().until(until) + Duration::from_millis(5);
        // Too late either way is no error.
        let _ = tokio::time::timeout(seemed, pieces).await;
    }
}

pub trait Random: Send + Sync {
    fn fill(&self, octets: &mut [u8]);
}

/// The host's source of randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        use rand::Rng;
        rand::rng().fill_bytes(octets);
    }
}
