//! A second controller: changes that undo what Chorus placed, made by neither Chorus nor one operator's own software.
//!
//! Invariant: reports what was seen in one round, and decides nothing. A change at one operator is that operator's, and is
//! repaired a few times; a change of the same kind at two operators at once, or a CSYNC that nobody here asked for, is made by
//! a controller. Whether Chorus made a change is judged in the round in which the change is first seen: later nothing is in
//! flight any more, and another group may be wanted.

use super::cds::lost_types;
use super::desired::placed_keys;
use super::say::host_list;
use super::scope::Scope;
use super::view::World;
use super::whose::pusher;
use crate::model::dns::{Ds, RecordSet, key_that_ds_belongs_to};
use crate::model::history::{Kind, Sent, Span};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The kinds that a controller writes.
const WRITTEN: [Kind; 4] = [Kind::Ns, Kind::Dnskey, Kind::Cds, Kind::Cdnskey];

/// A round takes less than this. What was not looked at in the round before may have changed at any time since.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// What one controller changes at several operators is seen within this: it writes to one after the other, and addresses lag.
const AT_ONCE: Duration = Duration::from_secs(600);

/// An operator lost records that Chorus placed there and that the group wants, and Chorus did not take them out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub operator: String,
    pub kind: Kind,
    /// Since when the operator has served the present RRset.
    pub at: Time,
}

/// The losses that still stand: those of `before` that no later version replaced, and those first seen after `told` that
/// nothing in flight explains. What an operator's own software is known to do is no loss: a signer that takes CDS or CDNSKEY out
/// by itself (`operator-strips-cds`), and keys that another operator's synchronisation put there.
pub fn losses(world: &World<'_>, told: Time, in_flight: &[(String, Kind, Sent)], before: &[Loss]) -> Vec<Loss> {
    let seen = Seen { world, told, in_flight };
    // Chorus writes nothing at these operators, so no other writer competes with it there.
    let written = world.members.keys().filter(|operator| !world.takes_no_updates(operator));
    let each = written.flat_map(|operator| WRITTEN.map(|kind| (operator, kind)));
    let stands = |(operator, kind): (&String, Kind)| {
        let loss = Loss { operator: operator.clone(), kind, at: seen.newest(operator, kind)? };
        let counts = seen.changed(operator, kind) || before.contains(&loss);
        (counts && seen.countered(operator, kind) && !seen.is_explained(operator, kind)).then_some(loss)
    };
    each.filter_map(stands).collect()
}

/// What looks like a second controller, in a sentence; `None` where nothing does. Only what was first seen after `told` counts,
/// and what `in_flight` does not explain. `losses`: those of [`losses`] that stand.
pub fn second_writer(
    world: &World<'_>,
    told: Time,
    in_flight: &[(String, Kind, Sent)],
    losses: &[Loss],
) -> Option<String> {
    if world.members.len() < 2 {
        return None;
    }
    let seen = Seen { world, told, in_flight };
    if world.scope != Scope::Transition
        && let Some(operator) = world.members.keys().find(|name| seen.has_foreign_csync(name))
    {
        let text = format!(
            "{operator} serves a CSYNC record that Chorus did not write: somebody asks the parent for another \
                            delegation"
        );
        return Some(text);
    }
    WRITTEN.into_iter().find_map(|kind| {
        let of_kind = || losses.iter().filter(|loss| loss.kind == kind);
        let last = of_kind().map(|loss| loss.at).filter(|at| *at > told).max()?;
        let at: Vec<&str> =
            of_kind().filter(|loss| loss.at.plus(AT_ONCE) >= last).map(|loss| loss.operator.as_str()).collect();
        (at.len() > 1).then(|| {
            let what = seen.lost_hosts(kind).map(|hosts| format!(" (without {hosts})")).unwrap_or_default();
            format!("the {kind} RRsets at {} were changed at once{what}, and not by Chorus", at.join(" and "))
        })
    })
}

struct Seen<'w, 'a> {
    world: &'w World<'a>,
    told: Time,
    in_flight: &'w [(String, Kind, Sent)],
}

impl<'a> Seen<'_, 'a> {
    /// The present span at every address of an operator with the one before it; `None` where one was not seen.
    fn pairs(&self, operator: &str, kind: Kind) -> Option<Vec<(Option<&'a Span>, &'a Span)>> {
        let servers = &self.world.member(operator)?.servers;
        let pair = |server| {
            let spans = &self.world.history.track(server, kind)?.spans;
            let now = spans.last().filter(|span| span.until.is_none())?;
            Some((spans.len().checked_sub(2).and_then(|before| spans.get(before)), now))
        };
        let pairs: Option<Vec<_>> = servers.iter().map(pair).collect();
        pairs.filter(|pairs| !pairs.is_empty())
    }

    fn is_ours(&self, operator: &str, kind: Kind, records: &RecordSet) -> bool {
        let sent = self.in_flight.iter().filter(|(at, of, _)| at == operator && *of == kind);
        sent.into_iter().any(|(_, _, sent)| sent.is_shown_by(records))
    }

    /// When the operator was first seen with what it serves now at every address.
    fn newest(&self, operator: &str, kind: Kind) -> Option<Time> {
        self.pairs(operator, kind)?.iter().map(|(_, now)| now.first_seen).max()
    }

    /// Whether an address of the operator shows something new in this round that it did not show in the one before.
    fn changed(&self, operator: &str, kind: Kind) -> bool {
        let pairs = self.pairs(operator, kind).unwrap_or_default();
        let was_seen = |before: &Span| before.last_seen.plus(ROUND_MAX) >= self.told;
        pairs.iter().any(|(before, now)| before.is_some_and(was_seen) && now.first_seen > self.told)
    }

    fn has_foreign_csync(&self, operator: &str) -> bool {
        let foreign = |(before, now): &(Option<&Span>, &Span)| {
            before.is_some_and(|before| before.served.records.is_empty())
                && !now.served.records.is_empty()
                && !self.is_ours(operator, Kind::Csync, &now.served.records)
        };
        self.changed(operator, Kind::Csync)
            && self.pairs(operator, Kind::Csync).is_some_and(|pairs| pairs.iter().all(foreign))
    }

    /// Whether every address of the operator lost something that Chorus placed there and still wants.
    fn countered(&self, operator: &str, kind: Kind) -> bool {
        let Some(placed) = self.world.member(operator).and_then(|member| member.placements.get(&kind)) else {
            return false;
        };
        let wanted = self.wanted(operator, kind, placed);
        self.pairs(operator, kind).is_some_and(|pairs| {
            pairs.iter().all(|(before, now)| {
                let had = before.map(|span| &span.served.records);
                let lost =
                    had.is_some_and(|had| wanted.iter().any(|r| had.contains(r) && !now.served.records.contains(r)));
                lost && !self.is_ours(operator, kind, &now.served.records)
            })
        })
    }

    /// Whether the operator's own signer, or another operator's synchronisation, is known to change an RRset as it changed.
    fn is_explained(&self, operator: &str, kind: Kind) -> bool {
        let placed = self.world.member(operator).and_then(|member| member.placements.get(&kind));
        let wanted = self.wanted(operator, kind, placed.unwrap_or(&RecordSet::new()));
        let has_cds = !self.world.served_everywhere(operator, Kind::Cds).is_empty();
        let is_stripped = |before: &Span, now: &Span| match kind {
            Kind::Cdnskey => now.served.records.is_empty() && has_cds,
            Kind::Cds => {
                let types = lost_types(before, now);
                let lost = &wanted & &(&before.served.records - &now.served.records);
                lost.iter().all(|cds| Ds::read(cds).is_some_and(|ds| types.contains(&ds.digest_type)))
            }
            _ => false,
        };
        let is_pushed = |before: &Span, now: &Span| {
            let added = &now.served.records - &before.served.records;
            matches!(kind, Kind::Dnskey | Kind::Cdnskey) && pusher(self.world, operator, &added).is_some()
        };
        self.pairs(operator, kind).is_some_and(|pairs| {
            let explains = |(before, now): &(Option<&Span>, &Span)| {
                before.is_some_and(|before| is_stripped(before, now) || is_pushed(before, now))
            };
            pairs.iter().all(explains)
        })
    }

    /// Of these placements those that the group still needs.
    fn wanted(&self, operator: &str, kind: Kind, placed: &RecordSet) -> RecordSet {
        let world = self.world;
        let keys = || -> RecordSet { world.desired().flat_map(|name| world.key_signing_keys(name)).collect() };
        match kind {
            Kind::Ns => placed & &world.ns_of(world.serving()),
            Kind::Dnskey => {
                let leaving: RecordSet = world.leavers().flat_map(|name| world.own_keys(name)).collect();
                let staying = &placed_keys(world, operator) - &leaving;
                placed & &staying
            }
            Kind::Cds => {
                let keys = keys();
                placed.iter().filter(|cds| key_that_ds_belongs_to(world.zone, cds, &keys).is_some()).cloned().collect()
            }
            Kind::Cdnskey => placed & &keys(),
            _ => RecordSet::new(),
        }
    }

    fn lost_hosts(&self, kind: Kind) -> Option<String> {
        let target = self.world.ns_of(self.world.serving());
        let lost = self.world.members.keys().find_map(|name| {
            let lost = &target - &self.world.served(name, Kind::Ns);
            (!lost.is_empty()).then_some(lost)
        });
        lost.filter(|_| kind == Kind::Ns).map(|lost| host_list(&lost))
    }
}
