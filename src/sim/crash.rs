//! Crashes of the controller: at a point that chance chose, its work never goes on.
//!
//! Invariant: a future that waits at such a point waits for ever; whoever polls it drops it, with all that it remembered.

use std::sync::atomic::{AtomicI64, Ordering};

const NEVER: i64 = -1;

/// How many points are still passed.
pub struct Crashes(AtomicI64);

impl Default for Crashes {
    fn default() -> Crashes {
        Crashes(AtomicI64::new(NEVER))
    }
}

impl Crashes {
    /// The controller crashes at the n-th point from now on, counted from zero; `None`: at none.
    pub fn at(&self, point: Option<u32>) {
        self.0.store(point.map_or(NEVER, i64::from), Ordering::Relaxed);
    }

    pub async fn point(&self) {
        let left = self.0.load(Ordering::Relaxed);
        if left == 0 {
            std::future::pending::<()>().await;
        }
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
    }
}
