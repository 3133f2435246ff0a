//! Which DS, DNSKEY sets and answers go together; the exposures of a history; the check before every write.
//!
//! Invariant: this is a judge. It knows the rule (incompatible versions must never be alive at the same time), and nothing
//! of standings, steps or plans; it shares no code with `group`, so that a mistake there becomes a zone that is held back
//! instead of an outage.

mod addresses;
mod check;
mod compat;
mod exposure;
mod interval;
mod lives;
mod reach;
mod strangers;
mod unseen;
mod unusable;

pub use check::{Objection, Planned, check};
pub use compat::{answer_validates, keys_validate};
pub use exposure::{Exposure, Verdict, judge};
pub use interval::Interval;
pub use strangers::Stranger;
pub use unseen::Unseen;

use crate::model::dns::Name;
use crate::model::history::{History, Lifetimes};
use std::collections::BTreeMap;

/// What is judged.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub zone: &'a Name,
    pub history: &'a History,
    pub lifetimes: &'a Lifetimes,
    /// Which operator a name server's name belongs to.
    pub hosts: &'a BTreeMap<Name, String>,
}
