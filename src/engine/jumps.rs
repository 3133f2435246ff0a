//! When the clock is set: every moment that is stored is brought onto the clock as it is now, and writes are held until it
//! has shown itself steady again.
//!
//! Invariant: no guard ends early because of a clock. What was set forward is undone exactly, for the steady clock tells by
//! how much. What was set back, or set while the machine was off, leaves moments that are yet to come: those are taken to
//! be now, which is as late as they can have been. A clock that was set forward while the machine was off cannot be told
//! from time that has passed, but by the servers: they refuse updates from a clock that differs by 300 s (RFC 8945 §10).

use super::picture::{EngineError, Picture};
use super::status::{ClockWatch, Status, WaitingFor};
use super::summary::summary;
use super::turn::Engine;
use crate::model::group::Decision;
use std::time::Duration;

/// After so many rounds in which the clocks agree, it is written again.
const ROUNDS_HELD: u32 = 3;
/// Not having looked at a zone for so long is worth a warning: it may be the clock.
const LONG_AGO: Duration = Duration::from_secs(30 * 86_400);

impl Engine {
    /// Brings what is known of a zone onto the clock as it is now. True when the clock had been set.
    pub(super) async fn set_right(&self, known: &mut Picture, status: &mut Status) -> Result<bool, EngineError> {
        let now = self.ports.clock.reading();
        let before = status.clock.as_ref().map(|watch| &watch.reading);
        let jumped_ms = before.and_then(|before| now.jumped_ms(before));
        let is_ahead = known.history.newest().is_some_and(|newest| newest > now.wall);
        let what = match jumped_ms {
            Some(jumped) if jumped > 0 => {
                let by = Duration::from_millis(jumped.unsigned_abs());
                known.history.postpone(by);
                known.sent_at_other_moments(|at| at.plus(by));
                status.postpone(by);
                format!("was set forward by {}: all that was seen counts as seen so much later", said(by))
            }
            _ if is_ahead || jumped_ms.is_some_and(|jumped| jumped < 0) => {
                known.history.bring_back(now.wall);
                known.sent_at_other_moments(|at| at.min(now.wall));
                status.bring_back(now.wall);
                match jumped_ms {
                    Some(jumped) if jumped < 0 => {
                        format!("was set back by {}", said(Duration::from_millis(jumped.unsigned_abs())))
                    }
                    _ => "is behind what was seen before: it was set back in between".to_owned(),
                }
            }
            Some(_) => return Ok(false),
            None => {
                let long_ago = status.observed_at.filter(|at| at.until(now.wall) > LONG_AGO);
                if let (Some(at), Some(_)) = (long_ago, before) {
                    let text =
                        format!("last looked at on {at}: if that is not so, set the clock of this machine right");
                    self.ports.store.add_event(&known.record.name, now.wall, "clock-unsure", &text, None, None).await?;
                }
                status.clock = Some(ClockWatch { reading: now, rounds_held: 0, text: String::new() });
                return Ok(false);
            }
        };
        known
            .record
            .zone_ttls
            .values_mut()
            .filter_map(|ttl| ttl.lower.as_mut())
            .for_each(|(_, since)| *since = now.wall);
        known.count_listed_ttls(now.wall);
        let text = format!("the clock of this machine {what}");
        tracing::warn!(zone = %known.record.name, "{text}");
        let wall = now.wall;
        status.clock = Some(ClockWatch { reading: now, rounds_held: ROUNDS_HELD, text: text.clone() });
        let zone = &known.record.name;
        let found = summary(status, known.members.len(), known.transition.as_ref(), wall);
        let in_flight = &known.record.in_flight;
        self.ports.store.set_right(zone, &known.history, in_flight, wall, &status.write(), &found).await?;
        let transition = known.transition.as_ref().map(|transition| transition.id.as_str());
        self.ports.store.add_event(zone, wall, "clock-jumped", &text, transition, None).await?;
        Ok(true)
    }

    /// One more round in which the clocks agreed.
    pub(super) fn clock_was_steady(status: &mut Status) {
        if let Some(watch) = &mut status.clock {
            watch.rounds_held = watch.rounds_held.saturating_sub(1);
        }
    }

    /// What is said instead of writing while the clock has not shown itself steady.
    pub(super) fn held_for_clock(status: &Status, decision: &Decision) -> Option<WaitingFor> {
        let watch = status.clock.as_ref().filter(|watch| watch.rounds_held > 0)?;
        Some(WaitingFor {
            step: decision.step,
            code: "clock-jumped".into(),
            text: format!(
                "{}; nothing is written until it has been steady for {} more rounds: see that one time server sets it",
                watch.text, watch.rounds_held
            ),
            until: None,
        })
    }
}

fn said(by: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(by.as_secs()))
}
