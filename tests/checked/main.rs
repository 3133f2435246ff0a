//! The ladder, checked: every interleaving of worlds that are small enough to look at all of them.
//!
//! What runs is the real thing, `model::group::decide` and `model::chain::check` in the engine's order, on a history that
//! takes in the samples of each round (`controller`). Around it is a world (`world`, `steps`) in which anything may happen next:
//! a round of the controller, of which one server's answers may get lost; a write that is served, now or a tick later, at one
//! address; a parent that reads CDS or CSYNC at any one server and publishes now or a tick later, or never; time; an
//! owner who wants another group, back again, pauses and stops; an operator that rolls a key. Time is in ticks, and a TTL is one
//! to three of them. There is no slack and no allowance: a guard that opens one tick too early is found.
//!
//! What is shown, for every state that can be reached at all (`stateright` explores them, breadth first):
//!
//! 1. *No resolver can fail.* `caches` knows what may be in caches at that moment, from what was really served, and shares
//!    nothing with the model. That includes an operator that is asked when the controller has done with it.
//! 2. *Every transition ends*: from there on, if all goes well, within a number of ticks that is printed. The same for
//!    everything else that could be wanted from there on, the way back above all (`ends`).
//! 3. *Each guard is needed*: without it, and without the check, the checker finds an exposure (`left_out`, with the
//!    feature `guard-switches`).
//!
//! What is not shown: anything that needs more servers, more changes of mind or more ticks than these worlds have. In them
//! the controller looks in every tick but in the tests that say otherwise, CDNSKEY goes with CDS, and the owner is not
//! heard while something that was written is not served yet ([`world::Size::hasty`]).
//!
//! `CHECKED_LARGE=1 cargo test --test checked` explores larger worlds as well, for some minutes.
#![allow(clippy::unwrap_used, clippy::panic)]

mod caches;
mod controller;
mod ends;
mod explore;
mod holds;
#[cfg(feature = "guard-switches")]
mod left_out;
mod memory;
mod names;
mod steps;
mod world;
