//! Pairs of versions that some resolver could have held together and that do not go together, and how far the others were
//! apart.

use super::Scene;
use super::compat::{answer_validates, is_taken_for_unsigned, keys_validate};
use super::lives::{Item, Life, lives, seen, unseen_versions};
use super::reach::reach;
use super::strangers::{Stranger, strangers};
use super::unseen::{Unseen, unseen};
use super::unusable::unusable;
use crate::model::dns::{Dnskey, Ds, Rdata, RecordSet, USABLE_DIGEST_TYPES};
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Two versions that could meet in a cache and do not go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    pub from: Time,
    /// [`Time::MAX`] while no end is in sight.
    pub until: Time,
    /// Which versions, at which servers, and why they do not go together.
    pub what: String,
    pub servers: Vec<Server>,
    /// No resolver fails: those that hold that there is no DS, in a zone that had one, take the zone for unsigned.
    #[serde(default)]
    pub insecure: bool,
    /// It is not about two versions: an address gave answers that no validator accepts, or none gave any that can be used.
    #[serde(default)]
    pub unusable: bool,
}

/// What a history proves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub exposures: Vec<Exposure>,
    /// How many pairs of versions were tested.
    pub pairs: u64,
    /// Of the pairs that do not go together, the one of which the later version appeared the soonest after the earlier one had
    /// expired.
    pub smallest_slack: Option<Slack>,
    /// The name servers that resolvers could ask, and of which nothing is known.
    #[serde(default)]
    pub strangers: Vec<Stranger>,
    /// When what resolvers could ask could not be seen.
    #[serde(default)]
    pub unseen: Vec<Unseen>,
}

/// Two versions that do not go together, and that were kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slack {
    /// Why they do not go together.
    pub what: String,
    /// The version that had expired, and when: with all allowances counted.
    pub earlier: String,
    pub expired: Time,
    /// The version that came after it, and when a resolver could first have it.
    pub later: String,
    pub appeared: Time,
}

impl Slack {
    pub fn margin(&self) -> Duration {
        self.expired.until(self.appeared)
    }
}

impl fmt::Display for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Slack { earlier, expired, later, appeared, .. } = self;
        write!(
            f,
            "the smallest margin was {} s: the {earlier} had expired from all caches at {expired}, with the serve-stale \
             allowance and the slack of the policy counted, and the {later}, which is incompatible with it, could be cached from \
             {appeared} on",
            self.margin().as_secs()
        )
    }
}

/// Two lives that do not go together.
pub(super) struct Discord<'a> {
    pub a: &'a Life<'a>,
    pub b: &'a Life<'a>,
}

impl Discord<'_> {
    pub fn why(&self) -> String {
        let (a, b) = (self.a.item, self.b.item);
        if a.kind == Kind::Ds { ds_and_keys(a, b) } else { keys_and_answer(a, b) }
    }

    /// What it is that is wrong: the same for a DNSKEY set that gets more keys, and still none of those that sign the answer.
    pub fn what(&self) -> String {
        let (a, b) = (self.a.item, self.b.item);
        if a.kind == Kind::Ds {
            return ds_and_keys(a, b);
        }
        format!("{} without {} of the {} answer of {}", a.server, tags(&b.served.signers), b.kind, b.server)
    }
}

/// All exposures of the history that reach beyond `from`, up to `now`.
pub fn judge(scene: &Scene<'_>, from: Time, now: Time) -> Verdict {
    // What may still be enacted has not been seen by any resolver: it counts for the check of a write, not here. What one of the
    // parent's servers may have served while Chorus did not look may have been fetched.
    let mut seen = seen(scene);
    seen.extend(unseen_versions(scene));
    let reach = reach(scene, &seen);
    let lives = lives(scene, &seen, &reach);
    let mut verdict = Verdict {
        strangers: strangers(scene, &seen, &reach, from, now),
        unseen: unseen(scene, &reach, from, now),
        ..Verdict::default()
    };
    verdict.pairs = for_each_discord(scene, &lives, |discord| {
        let insecure = is_insecure(scene, &discord);
        if insecure && !was_secure(&lives, discord.a) {
            return;
        }
        let (a, b) = (discord.a.alive, discord.b.alive);
        match a.meets(&b) {
            Some(overlap) if overlap.end > from && overlap.start <= now => {
                let (ds, other) = (discord.a.item.server, discord.b.item.server);
                let exposure = if insecure {
                    let has = match discord.a.item.served.records.is_empty() {
                        true => "says that there is no DS: resolvers",
                        false => "has no DS of digest type 2 or 4: resolvers that support no other type",
                    };
                    let what = format!("{ds} {has} take the zone for unsigned (insecure)");
                    Exposure { from: a.start, until: a.end, what, servers: vec![ds.clone()], insecure, unusable: false }
                } else {
                    let servers = vec![ds.clone(), other.clone()];
                    let (from, until, what) = (overlap.start, overlap.end, discord.why());
                    Exposure { from, until, what, servers, insecure, unusable: false }
                };
                if !verdict.exposures.contains(&exposure) {
                    verdict.exposures.push(exposure);
                }
            }
            Some(_) => {}
            None => {
                let in_order = a.start < b.start;
                let (earlier, later) = if in_order { (discord.a, discord.b) } else { (discord.b, discord.a) };
                let (expired, appeared) = (earlier.alive.end, later.alive.start);
                let margin = expired.until(appeared);
                if appeared >= from && verdict.smallest_slack.as_ref().is_none_or(|least| margin < least.margin()) {
                    let (what, earlier, later) = (discord.why(), version(earlier.item), version(later.item));
                    verdict.smallest_slack = Some(Slack { what, earlier, expired, later, appeared });
                }
            }
        }
    });
    verdict.exposures.extend(unusable(scene, &seen, &reach, from, now));
    verdict
}

/// Whether it is an answer of the parent that there is no DS, or none that validators support. With it no resolver fails: it
/// validates nothing (RFC 4035 §5.2).
fn is_insecure(scene: &Scene<'_>, discord: &Discord<'_>) -> bool {
    let (ds, dnskey) = (discord.a.item, discord.b.item);
    ds.kind == Kind::Ds && is_taken_for_unsigned(scene.zone, &ds.served, &dnskey.served)
}

/// Whether any of the parent's servers had a DS before one said that there is none: else the zone was never secure, and there
/// is nothing that it lost.
fn was_secure(lives: &[Life<'_>], without: &Life<'_>) -> bool {
    let is_usable = |ds: &Rdata| Ds::read(ds).is_some_and(|ds| USABLE_DIGEST_TYPES.contains(&ds.digest_type));
    let mut with =
        lives.iter().filter(|life| life.item.kind == Kind::Ds && life.item.served.records.iter().any(is_usable));
    with.any(|life| life.alive.start <= without.alive.start)
}

/// Tests all pairs that a validator can put together, and reports those that do not go together. Returns how many it tested.
pub(super) fn for_each_discord<'a>(
    scene: &Scene<'_>,
    lives: &'a [Life<'a>],
    mut report: impl FnMut(Discord<'a>),
) -> u64 {
    let of = |kind: Kind| lives.iter().filter(move |life| life.item.kind == kind);
    let mut pairs = 0;
    for dnskey in of(Kind::Dnskey) {
        for ds in of(Kind::Ds) {
            pairs += 1;
            if !keys_validate(scene.zone, &ds.item.served, &dnskey.item.served) {
                report(Discord { a: ds, b: dnskey });
            }
        }
        let answers = lives.iter().filter(|life| {
            let kind = life.item.kind;
            !matches!(kind, Kind::Ds | Kind::Delegation | Kind::Dnskey) && !life.item.served.signers.is_empty()
        });
        for answer in answers {
            pairs += 1;
            if !answer_validates(&dnskey.item.served, &answer.item.served) {
                report(Discord { a: dnskey, b: answer });
            }
        }
    }
    pairs
}

/// A version in words.
fn version(item: &Item<'_>) -> String {
    let Item { server, kind, served, .. } = item;
    match kind {
        Kind::Ds => format!("DS RRset of {server} ({})", tags_of_ds(&served.records)),
        Kind::Dnskey => format!("DNSKEY RRset of {server} ({})", tags(&served.records)),
        _ => format!("{kind} answer of {server} (signed by {})", tags(&served.signers)),
    }
}

fn ds_and_keys(ds: &Item<'_>, dnskey: &Item<'_>) -> String {
    let whose = match &ds.asked_at {
        Some(server) if !server.is_observed() => "the DS set that Chorus showed for the registrar".to_owned(),
        Some(server) => format!("the DS set that the CDS or CDNSKEY at {server} asks for"),
        None => format!("the DS set of {}", ds.server),
    };
    let keys = tags_of_ds(&ds.served.records);
    let signed = tags(&dnskey.served.signers);
    format!("{whose} ({keys}) does not cover a key that signs the DNSKEY set of {} (signed by {signed})", dnskey.server)
}

fn keys_and_answer(dnskey: &Item<'_>, answer: &Item<'_>) -> String {
    format!(
        "the DNSKEY set of {} ({}) has none of the keys that sign the {} answer of {} ({})",
        dnskey.server,
        tags(&dnskey.served.records),
        answer.kind,
        answer.server,
        tags(&answer.served.signers)
    )
}

fn tags(keys: &RecordSet) -> String {
    list("key", keys.iter().filter_map(Dnskey::read).map(|key| key.key_tag()).collect())
}

fn tags_of_ds(set: &RecordSet) -> String {
    list("for key", set.iter().filter_map(Ds::read).map(|ds| ds.key_tag).collect())
}

fn list(word: &str, mut tags: Vec<u16>) -> String {
    tags.sort_unstable();
    tags.dedup();
    if tags.is_empty() {
        return "empty".into();
    }
    let tags: Vec<String> = tags.iter().map(u16::to_string).collect();
    format!("{word} {}", tags.join(", "))
}
