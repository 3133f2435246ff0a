//! Whose turn it is: zones by the moment at which they are due. No task per zone, no tick: a zone that is not due costs
//! nothing.
//!
//! Invariant: nothing that happens to one zone's turn, a panic included, keeps that zone or another one from its next turn.

use super::turn::Engine;
use crate::model::dns::read_name;
use crate::model::time::Time;
use futures::FutureExt;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Zones that are worked on at the same time.
const TURNS_MAX: usize = 64;
/// Zones that are fetched at once.
const BATCH: i64 = 256;
/// With nothing due, and nobody waking us, we look again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Runs zones as they become due, until `stop` is done.
pub async fn run(engine: Arc<Engine>, stop: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(TURNS_MAX));
    let running: Arc<Mutex<HashSet<String>>> = Arc::default();
    tokio::pin!(stop);
    loop {
        let now = engine.ports.clock.now();
        // No turn puts the next one off for longer than this: a later one was put down before the clock was set back.
        let pace = engine.ports.pace;
        let furthest = now.plus(pace.rest.max(pace.slowest) * 2);
        let (due, next) = match engine.ports.store.due(now, furthest, BATCH).await {
            Ok(found) => found,
            Err(e) => {
                tracing::error!("zones that are due cannot be read, and are looked for again in a second: {e}");
                (Vec::new(), Some(now.plus_s(1)))
            }
        };
        for zone in due {
            // A zone never has two turns at once.
            if !running.lock().unwrap_or_else(PoisonError::into_inner).insert(zone.clone()) {
                continue;
            }
            let slot = tokio::select! {
                () = &mut stop => return,
                slot = slots.clone().acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            let (engine, running) = (engine.clone(), running.clone());
            tokio::spawn(async move {
                // The engine keeps nothing that a turn could leave half done: all of it is in the store, in transactions.
                if AssertUnwindSafe(take_turn(&engine, &zone)).catch_unwind().await.is_err() {
                    put_off(&engine, &zone, "its turn panicked, which is a mistake in Chorus").await;
                }
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&zone);
                drop(slot);
                engine.wake();
            });
        }
        let next = next.unwrap_or(Time::MAX).min(now.plus(LOOK_AGAIN));
        tokio::select! {
            () = &mut stop => return,
            () = engine.wake.notified() => {}
            () = engine.ports.clock.sleep_until(next) => {}
        }
    }
}

async fn take_turn(engine: &Engine, zone: &str) {
    let turned = match read_name(zone) {
        Ok(name) => engine.turn(&name).await.map(|_| ()).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    if let Err(e) = turned {
        put_off(engine, zone, &e).await;
    }
}

/// A turn that did not come to an end could not say when the zone is due again; it would be at once, over and over.
async fn put_off(engine: &Engine, zone: &str, why: &str) {
    tracing::error!(%zone, "{why}");
    let now = engine.ports.clock.now();
    if engine.ports.store.set_due(zone, now.plus(engine.ports.pace.slowest)).await.is_err() {
        engine.ports.clock.sleep_until(now.plus_s(5)).await;
    }
}
