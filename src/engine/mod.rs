//! The loop: zones that are due, observe, plan, check, write, read back, record.
//!
//! Invariants: nothing is written that `chain::check` objects to; what a write will place is committed before it is sent;
//! the moment that a guard is held against is that at which the newest observation began. Every zone acts on deadlines of
//! its own, and none waits for another. What is decided is decided in `model`; nothing here knows a step by its name.
//!
//! Clock, randomness, observation, providers and store are parameters ([`Ports`]), so that the same code runs in virtual time.

mod alerts;
mod attempts;
mod beside;
mod budgets;
mod clock;
mod contested;
mod course;
mod evidence;
mod fresh;
mod judge;
mod jumps;
mod listings;
mod looks;
mod measures;
mod newcomers;
mod picture;
mod places;
mod ports;
mod registrar;
mod sampling;
mod schedule;
mod security;
mod serve;
mod signatures;
mod status;
mod summary;
mod takeover;
mod trial;
mod turn;
mod writes;

pub use clock::{Clock, JUMP_MIN, Random, Reading, SystemClock, SystemRandom};
pub use course::{Course, course};
pub use fresh::RESOLUTION_FAILS;
pub use judge::Certificate;
pub use picture::{EngineError, Picture};
pub use places::{PlaceError, Places};
pub use ports::{ByQuestions, ConfiguredProviders, NoProvider, Pace, Ports, Providers, Switches};
pub use sampling::{BOGUS, Bogus, Sampling};
pub use serve::{StartError, on_this_host, run};
pub use status::{ClockWatch, Failing, ParentAwaited, Status, Unanswered, WaitingFor, WrittenLately};
pub use summary::{alarm, awaited, exposed, failing, is_at_rest, is_begun, state_of, state_of_transition, summary};
pub use trial::{TrialError, Tried, leftovers};
pub use turn::Engine;
pub use writes::CHECK_OBJECTS;

/// Every address of an operator's name servers, resolved where they are not given.
pub async fn addresses(
    engine: &Engine,
    operator: &crate::store::OperatorRecord,
) -> Result<Vec<crate::model::history::Server>, PlaceError> {
    places::of_operator(engine.ports(), operator, &crate::model::history::History::default()).await
}
