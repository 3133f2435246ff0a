//! The judgement: which versions that do not go together may have been in caches at the same time.

use crate::clock;
use crate::evidence::{Evidence, Kind, Whose};
use crate::intervals::{Interval, Intervals};
use crate::margin::{Margin, Smallest};
use crate::reach::{Reach, reach};
use crate::unknown::unknown;
use crate::versions::{Version, World, kind_text};

/// What can go wrong for a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExposureKind {
    /// No DS leads to a key that signs the DNSKEY RRset (RFC 4035 §5.2).
    DsAndDnskey,
    /// No key of the DNSKEY RRset made a signature over the answer (RFC 4035 §5.3).
    DnskeyAndAnswer,
    /// The resolver holds that there is no DS, in a zone that had one, and takes the zone for unsigned.
    Insecure,
    /// The address gave an answer that no validator accepts, or said that the zone does not exist.
    UnusableAnswer,
}

/// A time in which a resolver could have failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// What went wrong.
    pub kind: ExposureKind,
    /// When it began, in milliseconds since the epoch.
    pub from_ms: i64,
    /// When it ended; `i64::MAX`: no end is in sight.
    pub until_ms: i64,
    /// Which versions, at which servers: one sentence.
    pub what: String,
}

/// What the evidence proves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// In the order of their times.
    pub exposures: Vec<Exposure>,
    /// What the evidence does not show: one sentence each.
    pub unknown: Vec<String>,
    /// The smallest time between the death of a version and the first of one that does not go with it.
    pub smallest_margin: Option<Margin>,
}

/// Judges the evidence. An error says in one sentence what in it cannot be read.
pub fn judge(evidence: &Evidence) -> Result<Judgement, String> {
    let world = World::read(evidence)?;
    let reach = reach(&world);
    let mut found = Found { window: world.window(), exposures: Vec::new(), margin: Smallest::new(world.window()) };
    let judge = Judge::new(&world, &reach);
    judge.ds_and_dnskey(&mut found);
    judge.dnskey_and_answers(&mut found);
    judge.insecure(&mut found);
    judge.unusable_answers(&mut found);
    let Found { mut exposures, margin, .. } = found;
    exposures.sort_by(|a, b| (a.from_ms, a.kind, &a.what).cmp(&(b.from_ms, b.kind, &b.what)));
    Ok(Judgement { exposures, unknown: unknown(&world, &reach), smallest_margin: margin.found() })
}

/// A version with the times in which resolvers may hold it.
struct Held<'w> {
    version: &'w Version<'w>,
    lives: Intervals,
}

/// The exposures and the smallest margin so far.
struct Found {
    window: Interval,
    exposures: Vec<Exposure>,
    margin: Smallest,
}

impl Found {
    fn add(&mut self, kind: ExposureKind, time: Interval, what: impl Fn() -> String) {
        if !time.and(self.window).is_empty() {
            let Interval { from_ms, until_ms } = time;
            self.exposures.push(Exposure { kind, from_ms, until_ms, what: what() });
        }
    }

    /// Two versions do not go together: an exposure where their lives overlap, a margin where they do not.
    fn compare(&mut self, a: &Held<'_>, b: &Held<'_>, kind: ExposureKind, secure: Option<&Intervals>) {
        let what = || format!("{}, and {}", a.version, b.version);
        for first in a.lives.iter() {
            for second in b.lives.iter() {
                let both = first.and(second);
                if both.is_empty() {
                    self.margin.take(first, second, secure, what);
                    continue;
                }
                let parts: Vec<Interval> = secure.map_or(vec![both], |secure| secure.within(both).collect());
                parts.into_iter().for_each(|part| self.add(kind, part, what));
            }
        }
    }
}

struct Judge<'w> {
    world: &'w World<'w>,
    reach: &'w Reach,
    ds: Vec<Held<'w>>,
    dnskeys: Vec<Held<'w>>,
    answers: Vec<Held<'w>>,
    /// When a resolver may hold a DS that makes it validate.
    secure: Intervals,
}

impl<'w> Judge<'w> {
    fn new(world: &'w World<'w>, reach: &'w Reach) -> Judge<'w> {
        let held = |kinds: &[Kind]| -> Vec<Held<'w>> {
            let versions = world.versions.iter().filter(|version| kinds.contains(&version.track.kind));
            versions.map(|version| Held { version, lives: reach.lives(version) }).collect()
        };
        let ds = held(&[Kind::Ds]);
        let mut secure = Intervals::default();
        for life in ds.iter().filter(|held| is_secure(held.version)).flat_map(|held| held.lives.iter()) {
            secure.add(life);
        }
        let dnskeys = held(&[Kind::Dnskey]);
        let answers = held(&[Kind::Ns, Kind::Data, Kind::Cds, Kind::Cdnskey, Kind::Csync]);
        Judge { world, reach, ds, dnskeys, answers, secure }
    }

    /// RFC 4035 §5.2; one DS is enough (RFC 6840 §5.11).
    fn ds_and_dnskey(&self, found: &mut Found) {
        for ds in self.ds.iter().filter(|ds| is_secure(ds.version)) {
            for dnskey in self.dnskeys.iter().filter(|dnskey| !self.leads_to(ds.version, dnskey.version)) {
                found.compare(ds, dnskey, ExposureKind::DsAndDnskey, None);
            }
        }
    }

    fn leads_to(&self, ds: &Version<'_>, dnskey: &Version<'_>) -> bool {
        let mut signing = dnskey.keys().filter(|key| dnskey.is_signed_by(key.signer));
        signing.any(|key| ds.usable_ds().any(|ds| ds.is_of(&self.world.zone, key)))
    }

    /// RFC 4035 §5.3. Only a resolver that has a DS validates.
    fn dnskey_and_answers(&self, found: &mut Found) {
        for dnskey in &self.dnskeys {
            for answer in self.answers.iter().filter(|answer| answer.version.has_known_signers()) {
                if !dnskey.version.keys().any(|key| answer.version.is_signed_by(key.signer)) {
                    found.compare(dnskey, answer, ExposureKind::DnskeyAndAnswer, Some(&self.secure));
                }
            }
        }
    }

    /// A resolver that holds that there is no DS takes the zone for unsigned (RFC 4035 §5.2), as does one that knows no
    /// digest type of any DS. Before there was a DS that is right.
    fn insecure(&self, found: &mut Found) {
        let signed = self.ds.iter().filter(|held| is_secure(held.version));
        let Some(signed_since_ms) = signed.map(|held| held.version.served.from_ms).min() else { return };
        let unsigned = self.ds.iter().filter(|held| !is_secure(held.version));
        for held in unsigned.filter(|held| held.version.served.from_ms > signed_since_ms) {
            for life in held.lives.iter() {
                found.add(ExposureKind::Insecure, life, || format!("{} in a signed zone", held.version));
            }
        }
    }

    /// Answers of addresses that resolvers could query, and that no resolver accepts: bogus ones, while there is a DS, and
    /// NXDOMAIN for the zone's own name.
    fn unusable_answers(&self, found: &mut Found) {
        for track in self.world.evidence.tracks.iter().filter(|track| track.whose != Whose::PublicDns) {
            for failed in &track.failed {
                let from_ms = failed.since_ms.unwrap_or(failed.first_seen_ms);
                let time = Interval { from_ms, until_ms: failed.until_ms.unwrap_or(i64::MAX) };
                let mut parts: Vec<Interval> = self.reach.of(&track.whose).within(time).collect();
                match failed.failure.code.as_str() {
                    "nx_domain" => {}
                    "unverifiable" => {
                        parts = parts.into_iter().flat_map(|part| self.secure.within(part)).collect();
                    }
                    _ => continue,
                }
                for part in parts {
                    found.add(ExposureKind::UnusableAnswer, part, || {
                        let (kind, text) = (kind_text(track.kind), &failed.failure.text);
                        format!("{} ({}), asked for {kind}, {text}", track.host, track.address)
                    });
                }
            }
        }
    }
}

/// Whether a resolver that has this DS RRset validates the zone.
fn is_secure(ds: &Version<'_>) -> bool {
    ds.usable_ds().next().is_some()
}

impl std::fmt::Display for Exposure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {} until {}: {}", clock::text(self.from_ms), clock::text(self.until_ms), self.what)
    }
}
