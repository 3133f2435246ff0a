//! What is left in the zone of operators that nobody wants in it any more.
//!
//! Invariant: when a transition has ended, nothing is: no operator of the group serves a key, a CDS or a name server of an
//! operator outside it, and the parent has no DS and no delegation for one. What is still in progress then (a key roll, the
//! zone at the operator that left, which its owner may have switched off) is of those who are in, or served by those who are not. Only
//! what the last round of observation could see counts at the end. Later on, a DS may appear that the parent had read of
//! before a join was undone: an extra one harms nobody, and CDS asks it out again.
//! Where an operator broke its word, what follows is its own doing.

use super::catalogue::{operator_of_host, operator_of_key};
use super::world::World;
use crate::model::history::{Kind, Server};
use std::fmt;

/// A record of an operator that is not in the group, served by one that is, or by the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub at_ms: i64,
    pub at: Server,
    pub kind: Kind,
    /// Whose it is.
    pub of: u8,
    pub record: u16,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = super::catalogue::label(self.of);
        write!(f, "left over: {} {} of {of} at {}", self.kind, self.record, self.at)
    }
}

impl World {
    /// `observed_ms`: when the round of observation began that told of the end. `None`: that was a while ago.
    pub fn leftovers(&self, observed_ms: Option<i64>) -> Vec<Leftover> {
        let mut found = Vec::new();
        if self.at_fault_ms.is_some() {
            return found;
        }
        let is_in = |operator: u8| self.wanted.get(usize::from(operator)).copied().unwrap_or(false);
        for address in self.addresses.iter().filter(|address| self.is_led_to(address)) {
            let kinds = match address.operator {
                None => Kind::PARENT.as_slice(),
                Some(operator) if is_in(operator) => Kind::OPERATOR.as_slice(),
                Some(_) => continue,
            };
            for content in kinds.iter().filter_map(|kind| address.shows(*kind)) {
                let kind = content.kind;
                let owner = |record: u16| match kind {
                    Kind::Dnskey | Kind::Cds | Kind::Cdnskey | Kind::Ds => Some(operator_of_key(record)),
                    Kind::Ns | Kind::Delegation => Some(operator_of_host(record)),
                    Kind::Csync | Kind::Data | Kind::Glue | Kind::Addresses => None,
                };
                let owned = content.set.records.iter().filter_map(|record| Some((*record, owner(*record)?)));
                let asked_out = |record: u16| observed_ms.is_none() && kind == Kind::Ds && self.asks_out(record);
                // An answer may be a little old.
                let observed = observed_ms.and_then(|at_ms| address.showed_since(kind, at_ms - self.odds.late_ms));
                let came_since = |record: u16| observed.is_some_and(|then| !then.set.records.contains(&record));
                let left = owned.filter(|(record, of)| !is_in(*of) && !asked_out(*record) && !came_since(*record));
                found.extend(left.map(|(record, of)| Leftover {
                    at_ms: self.now_ms,
                    at: address.server.clone(),
                    kind,
                    of,
                    record,
                }));
            }
        }
        found
    }

    /// Whether all that serve the zone ask the parent for a DS set without this one.
    fn asks_out(&self, ds: u16) -> bool {
        let mut cds = self
            .addresses
            .iter()
            .filter(|at| self.parent.delegation.contains(&at.host) && at.operator.is_some() && !at.is_frozen)
            .filter_map(|at| at.shows(Kind::Cds));
        cds.all(|cds| !cds.set.records.is_empty() && !cds.set.records.contains(&ds))
    }
}
