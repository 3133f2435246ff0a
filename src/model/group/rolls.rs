//! Key rolls, as the history shows them: which keys an operator of its own accord publishes, signs with and gives up.
//!
//! Invariant: says what was seen and decides nothing. What follows from a roll is the business of `desired` and `ladder`, to
//! whom a roll is just another world.

use super::view::World;
use crate::model::dns::{Dnskey, Rdata, RecordSet};
use crate::model::history::{Kind, Served, Span, Who};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyRole {
    Ksk,
    Zsk,
    Csk,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyRole::Ksk => "KSK",
            KeyRole::Zsk => "ZSK",
            KeyRole::Csk => "CSK",
        })
    }
}

/// An operator's key, as people call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnKey {
    pub operator: String,
    pub role: KeyRole,
    pub tag: u16,
    pub algorithm: u8,
}

impl fmt::Display for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (algorithm {}) of {}", self.role, self.tag, self.algorithm, self.operator)
    }
}

/// What an operator began or ceased to do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    Published,
    Signs,
    SignsNoMore,
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTurn {
    pub at: Time,
    pub key: OwnKey,
    pub turn: Turn,
}

impl fmt::Display for KeyTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.turn {
            Turn::Published => "is published",
            Turn::Signs => "signs",
            Turn::SignsNoMore => "signs nothing any more",
            Turn::Withdrawn => "is withdrawn by its operator",
        };
        write!(f, "{} {what}", self.key)
    }
}

/// How far a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Published, has never signed.
    New,
    Signing,
    /// Published, and signs nothing any more.
    Retired,
    /// Withdrawn by its operator; others keep it for what it signed.
    Kept,
}

/// A key of an operator that is about to change its keys, or in the course of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolling {
    pub key: OwnKey,
    pub phase: Phase,
    /// `None`: since before anything is known.
    pub since: Option<Time>,
}

/// What operators began or ceased to do with keys of their own after `after`, oldest first. What an operator did when it was
/// first looked at is no news.
pub fn key_turns(world: &World<'_>, after: Time) -> Vec<KeyTurn> {
    let mut turns = Vec::new();
    // Every turn is the beginning or the end of a version, and mostly there is none.
    let is_news = |span: &Span| span.first_seen > after || span.until > Some(after);
    if !world.history.tracks().any(|(_, _, track)| track.spans.iter().any(is_news)) {
        return turns;
    }
    for (rdata, key) in world.members.keys().flat_map(|operator| keys_of(world, operator)) {
        for (stretches, begins, ends) in [
            (published(world, &key.operator, &rdata), Turn::Published, Turn::Withdrawn),
            (signing(world, &key.operator, &rdata), Turn::Signs, Turn::SignsNoMore),
        ] {
            for stretch in stretches {
                let begun = stretch.start.map(|at| (at, begins));
                let ended = stretch.end.map(|at| (at, ends));
                let news = begun.into_iter().chain(ended).filter(|(at, _)| *at > after);
                turns.extend(news.map(|(at, turn)| KeyTurn { at, key: key.clone(), turn }));
            }
        }
    }
    turns.sort_by(|a, b| (a.at, a.turn, &a.key).cmp(&(b.at, b.turn, &b.key)));
    turns
}

/// The keys of all rolls that are under way: of an operator and role of which not just one key signs, and nothing else is
/// to be seen.
pub fn rolling(world: &World<'_>) -> Vec<Rolling> {
    let mut rolling = Vec::new();
    for operator in world.members.keys() {
        // A key that nothing will be signed with is on its way nowhere.
        let (own, in_use) = (world.own_keys(operator), world.keys_in_use(operator));
        let idle: RecordSet = own.difference(&in_use).cloned().collect();
        let keys = keys_of(world, operator).into_iter().filter(|(rdata, _)| !idle.contains(rdata));
        let keys: Vec<Rolling> = keys.filter_map(|(rdata, key)| phase(world, &rdata, key)).collect();
        for role in [KeyRole::Csk, KeyRole::Ksk, KeyRole::Zsk] {
            let of_role: Vec<&Rolling> = keys.iter().filter(|rolling| rolling.key.role == role).collect();
            if of_role.len() > 1 || of_role.iter().any(|one| one.phase != Phase::Signing) {
                rolling.extend(of_role.into_iter().cloned());
            }
        }
    }
    rolling
}

fn phase(world: &World<'_>, rdata: &Rdata, key: OwnKey) -> Option<Rolling> {
    let last = |stretches: Vec<Stretch>| stretches.into_iter().last();
    let (published, signing) =
        (last(published(world, &key.operator, rdata))?, last(signing(world, &key.operator, rdata)));
    let (phase, since) = match (published.end, signing) {
        (Some(withdrawn), _) => {
            let kept = |other: &String| *other != key.operator && world.served(other, Kind::Dnskey).contains(rdata);
            if !world.members.keys().any(kept) {
                return None;
            }
            (Phase::Kept, Some(withdrawn))
        }
        (None, None) => (Phase::New, published.start),
        (None, Some(Stretch { end: None, start })) => (Phase::Signing, start),
        (None, Some(Stretch { end, .. })) => (Phase::Retired, end),
    };
    Some(Rolling { key, phase, since })
}

/// Every key that the operator published and that is its own.
fn keys_of(world: &World<'_>, operator: &str) -> Vec<(Rdata, OwnKey)> {
    let placed = world.member(operator).and_then(|member| member.placements.get(&Kind::Dnskey));
    let of = |operator: &str, kind: Kind| {
        let who = Who::Operator(operator.to_owned());
        world.history.spans(kind).filter(move |(server, _)| server.who == who).map(|(_, span)| &*span.served)
    };
    let seen: BTreeSet<&Rdata> = of(operator, Kind::Dnskey).flat_map(|served| &served.records).collect();
    let is_own = |key: &&Rdata| {
        let placed = placed.is_some_and(|placed| placed.contains(*key));
        let copied = || world.is_copy(operator, key) || world.owner_is_open(operator, key);
        world.is_signer(operator, key) || !placed && !copied()
    };
    let own: RecordSet = seen.into_iter().filter(is_own).cloned().collect();
    let data: BTreeSet<&Rdata> = of(operator, Kind::Data).flat_map(|served| &served.signers).collect();
    let has_sep = |key: &Rdata| Dnskey::read(key).is_some_and(|key| key.is_key_signing());
    // Where no key with the bit signs the DNSKEY RRset, those that do are the key-signing ones.
    let signs_keys: BTreeSet<&Rdata> = of(operator, Kind::Dnskey).flat_map(|served| &served.signers).collect();
    let by_bit = signs_keys.is_empty() || own.iter().any(|key| has_sep(key) && signs_keys.contains(key));
    let signs_set = |key: &Rdata| has_sep(key) || !by_bit && signs_keys.contains(key);
    // A key that signs nothing yet is for what its like are for.
    let has_zone_signing = own.iter().any(|key| !signs_set(key));
    let role = |rdata: &Rdata| match (signs_set(rdata), data.contains(rdata) || !has_zone_signing) {
        (false, _) => KeyRole::Zsk,
        (true, true) => KeyRole::Csk,
        (true, false) => KeyRole::Ksk,
    };
    let named = own.iter().filter_map(|rdata| {
        let key = Dnskey::read(rdata)?;
        let named =
            OwnKey { operator: operator.to_owned(), role: role(rdata), tag: key.key_tag(), algorithm: key.algorithm };
        Some((rdata.clone(), named))
    });
    named.collect()
}

/// From when until when any address of an operator showed something. `None`: since before anything is known, and still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: Option<Time>,
    end: Option<Time>,
}

fn published(world: &World<'_>, operator: &str, key: &Rdata) -> Vec<Stretch> {
    stretches(world, operator, &[Kind::Dnskey], |served| served.records.contains(key))
}

fn signing(world: &World<'_>, operator: &str, key: &Rdata) -> Vec<Stretch> {
    stretches(world, operator, &Kind::OPERATOR, |served| served.signers.contains(key))
}

fn stretches(world: &World<'_>, operator: &str, kinds: &[Kind], shows: impl Fn(&Served) -> bool) -> Vec<Stretch> {
    let spans = kinds.iter().flat_map(|kind| world.history.spans(*kind));
    let spans = spans.filter(|(server, _)| server.who.is_operator(operator));
    let begin = |span: &Span| span.since.map(|_| span.first_seen);
    let mut showing: Vec<Stretch> = spans
        .filter(|(_, span)| shows(&span.served))
        .map(|(_, span)| Stretch { start: begin(span), end: span.until })
        .collect();
    showing.sort_by_key(|stretch| stretch.start);
    let mut joined: Vec<Stretch> = Vec::new();
    for next in showing {
        match joined.last_mut() {
            Some(last) if last.end.is_none() => {}
            Some(last) if next.start.is_none() || next.start <= last.end => {
                last.end = last.end.zip(next.end).map(|(a, b)| a.max(b));
            }
            _ => joined.push(next),
        }
    }
    joined
}
