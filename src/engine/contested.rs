//! Others that write to the zone: a second controller, an operator's own synchronisation, an operator that reverts writes.
//!
//! Invariant: once a second controller was found, nothing but new keys is written until a person asks for it (`try-now`, or a
//! transition that is started or controlled).

use super::picture::Picture;
use super::status::{Status, WaitingFor};
use super::turn::Engine;
use super::writes::what;
use crate::model::dns::{RecordSet, key_label, key_that_ds_belongs_to, plain_text};
use crate::model::group::{
    Change, Decision, REPAIRS_MAX, WITHIN, Wait, Write, held_until, losses, pusher, second_writer,
};
use crate::model::history::{Kind, Server};
use crate::model::switches::Switch;
use crate::model::time::Time;

pub(super) const SECOND_WRITER: &str = "second-writer";

impl Engine {
    /// Looks for a second controller in what the round showed, before what was sent counts as arrived.
    pub(super) fn look_for_a_second_writer(known: &mut Picture, status: &mut Status) {
        if status.second_writer.is_none() && !known.world().leaves_out(Switch::SecondWriter) {
            let (world, in_flight) = (known.world(), &known.record.in_flight);
            let found = status.told_at.and_then(|told| {
                status.losses = losses(&world, told, in_flight, &status.losses);
                second_writer(&world, told, in_flight, &status.losses)
            });
            status.second_writer = found.map(|found| contested(known, &found));
        }
        known.is_contested = status.second_writer.is_some();
    }

    /// Puts the second controller first among what is waited for.
    pub(super) fn tell_of_the_second_writer(status: &Status, decision: &mut Decision) {
        if let Some(text) = &status.second_writer {
            let wait = Wait { step: decision.step, code: SECOND_WRITER, text: text.clone(), until: None };
            decision.waits.insert(0, wait);
        }
    }

    /// What keeps a write back because somebody undid it after it was written.
    pub(super) fn countered(known: &Picture, status: &mut Status, write: &Write, now: Time) -> Option<WaitingFor> {
        let same = status.written.iter().find(|w| w.operator == write.operator && w.what == what(write))?;
        let lately = same.at.iter().filter(|at| at.plus(WITHIN) > now && **at <= now);
        let (first, held) = (*lately.min()?, held_until(&same.at, now));
        let was_served = was_served_since(known, write, first);
        let wait = |code: &str, text: String, until: Option<Time>| {
            Some(WaitingFor { step: write.step, code: code.into(), text, until })
        };
        if was_served && let Some((owner, keys)) = synchronised(known, write) {
            let (at, keys): (_, Vec<String>) = (&write.operator, keys.iter().map(key_label).collect());
            let text = format!(
                "{} of {owner} came back to {at} after Chorus took it out: {owner} copies its keys to {at} by itself (Knot: \
                 `dnskey-sync`); switch that off at {owner}, then run `chorus zone try-now {}`",
                keys.join(", "),
                plain_text(&known.record.name)
            );
            return wait("keys-synchronised", text, Some(first.plus(WITHIN)));
        }
        let until = held?;
        if was_served {
            let found = format!(
                "what Chorus wrote at {} ({}) was undone there after every address served it, and Chorus restored it \
                 {REPAIRS_MAX} times within an hour",
                write.operator, write.why
            );
            let text = contested(known, &found);
            status.second_writer = Some(text.clone());
            return wait(SECOND_WRITER, text, None);
        }
        let text = format!(
            "{} takes back what is written there ({}), and Chorus wrote it again {REPAIRS_MAX} times within an hour; find out \
             what changes it there, then run `chorus zone try-now {}`",
            write.operator,
            write.why,
            plain_text(&known.record.name)
        );
        wait("operator-reverted", text, Some(until))
    }
}

fn contested(known: &Picture, found: &str) -> String {
    let zone = plain_text(&known.record.name);
    format!(
        "another controller seems to change {zone}: {found}; Chorus writes nothing but new keys until you have found out who \
         it is (another Chorus with a database of its own, or a script), and run `chorus zone try-now {zone}`"
    )
}

/// Whether every address of the operator served what the write is to bring about, after it was written first.
fn was_served_since(known: &Picture, write: &Write, first: Time) -> bool {
    let servers = known.members.get(&write.operator).map(|member| member.servers.as_slice()).unwrap_or_default();
    let served = |server: &Server, kind: Kind, change: &Change| {
        let spans = known.history.track(server, kind).map(|track| track.spans.as_slice()).unwrap_or_default();
        spans.iter().filter(|span| span.last_seen >= first).any(|span| match change {
            Change::Exactly(records) => span.served.records == *records,
            Change::Partly { with, without } => {
                with.is_subset(&span.served.records) && without.is_disjoint(&span.served.records)
            }
        })
    };
    !servers.is_empty()
        && servers.iter().all(|server| write.sets.iter().all(|(kind, _, change)| served(server, *kind, change)))
}

/// The operator that copies its keys to the one that is written to, where the write does nothing but take them out.
fn synchronised(known: &Picture, write: &Write) -> Option<(String, RecordSet)> {
    let world = known.world();
    let published: RecordSet =
        known.history.spans(Kind::Dnskey).flat_map(|(_, span)| span.served.records.iter().cloned()).collect();
    let mut keys = RecordSet::new();
    for (kind, _, change) in &write.sets {
        let served = world.served(&write.operator, *kind);
        let (added, removed): (RecordSet, RecordSet) = match change {
            Change::Exactly(records) => (records - &served, &served - records),
            Change::Partly { with, without } => (with - &served, without & &served),
        };
        if !added.is_empty() {
            return None;
        }
        for record in removed {
            let key = match kind {
                Kind::Dnskey | Kind::Cdnskey => Some(record),
                Kind::Cds => {
                    published.iter().find(|key| key_that_ds_belongs_to(world.zone, &record, [*key]).is_some()).cloned()
                }
                _ => None,
            };
            keys.insert(key?);
        }
    }
    // Its zone-signing keys sign data, its key-signing keys the DNSKEY RRset.
    let owner = pusher(&world, &write.operator, &keys)?;
    Some((owner, keys))
}
