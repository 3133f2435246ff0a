//! Time and chance, as parameters. The one place where the real clock is read.

use crate::model::time::Time;
use async_trait::async_trait;
use std::time::{Duration, UNIX_EPOCH};

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Time;

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
