//! When the single resolvers are asked, and how their answers come out.
//!
//! They are asked shortly before and after things change, just before something in their caches expires, and at random.
//! Often it is for one RRset only, by a client that does not validate: so ages in a cache are independent of each other.
//!
//! Invariant: an outcome follows from what the caches hand out alone. A validator that finds an answer bogus does not try
//! again: that a second try may help is no excuse.

use super::resolver::{Entry, Failed, Resolver};
use super::scene::Scene;
use super::{Class, Counts, Glitch, Kind, Part, Rrset, Settings, What, rules};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

/// How near to a change.
const SHORTLY_MS: i64 = 2000;

pub(super) struct Handful {
    settings: Settings,
    rng: SmallRng,
    resolvers: Vec<Resolver>,
    /// What was said: every combination of versions once per class.
    said: BTreeSet<(Class, Kind, Vec<u32>)>,
}

impl Handful {
    pub fn new(seed: u64, settings: Settings) -> Handful {
        let classes = Class::SINGLE.into_iter().cycle().take(usize::from(settings.resolvers));
        let resolvers = classes.map(|class| Resolver::new(class, settings)).collect();
        Handful { settings, rng: SmallRng::seed_from_u64(seed), resolvers, said: BTreeSet::new() }
    }

    pub fn advance(
        &mut self,
        scene: &Scene,
        from: i64,
        to: i64,
        counts: &mut BTreeMap<Class, Counts>,
        glitches: &mut Vec<Glitch>,
    ) {
        let Handful { settings, rng, resolvers, said } = self;
        for resolver in resolvers {
            for at in moments(resolver, rng, from, to).into_iter().flatten() {
                let Some(outcome) = ask(resolver, settings, scene, rng, at) else { continue };
                let counts = counts.entry(resolver.class).or_default();
                counts.judged += 1;
                let Outcome::Failed(kind, parts) = outcome else { continue };
                counts.add(kind);
                let glitch = glitch(scene, resolver.class, kind, at, &parts);
                let versions = glitch.parts.iter().map(|part| part.version).collect();
                if said.insert((glitch.class, glitch.kind, versions)) {
                    glitches.push(glitch);
                }
            }
            if resolver.class == Class::Sticky {
                resolver.keep_alive(scene, rng, to);
            }
        }
    }
}

enum Outcome {
    Fine,
    Failed(Kind, Vec<Entry>),
}

/// The moments in a stretch at which somebody asks, in order.
fn moments(resolver: &Resolver, rng: &mut SmallRng, from: i64, to: i64) -> [Option<i64>; 4] {
    let near = (to - from).min(SHORTLY_MS);
    let dice: u32 = rng.random();
    let chance = |bits: u32, of: u32| (dice >> bits).is_multiple_of(of);
    let mut moments = [
        chance(0, 4).then(|| from + rng.random_range(0..near)),
        chance(4, 4).then(|| rng.random_range(from..to)),
        if chance(8, 4) { resolver.moment_before_expiry(from, to) } else { None },
        chance(12, 4).then(|| to - 1 - rng.random_range(0..near)),
    ];
    moments.sort_unstable();
    moments
}

/// One question. `None`: nothing to judge.
fn ask(resolver: &mut Resolver, settings: &Settings, scene: &Scene, rng: &mut SmallRng, now: i64) -> Option<Outcome> {
    let data = *scene.data.get(rng.random_range(0..scene.data.len().max(1)))?;
    let dice = rng.random_range(0..8u8);
    let mut lookup = |what| resolver.lookup(scene, rng, what, now);
    let unresolved = |failed| match failed {
        Failed::Nothing => None,
        Failed::Servers { ns, silent_since } => {
            let patience = silent_since.map(|since| since.saturating_add(i64::from(settings.silence_s) * 1000));
            let counts = patience.is_none_or(|patience| patience <= now);
            let kind = Kind::Unresolvable { silent: silent_since.is_some() };
            counts.then(|| Outcome::Failed(kind, vec![ns]))
        }
    };
    let one_only = match dice {
        0 => Some(What::Ds),
        1 => Some(What::Dnskey),
        2 | 3 => Some(data),
        _ => None,
    };
    if let Some(what) = one_only {
        return lookup(what).err().and_then(unresolved);
    }
    let chain = lookup(What::Ds).and_then(|ds| Ok((ds, lookup(What::Dnskey)?, lookup(data)?)));
    let (ds, dnskey, answer) = match chain {
        Ok(chain) => chain,
        Err(failed) => return unresolved(failed),
    };
    if scene.rrset(ds.slot).records.is_empty() {
        let insecure = Outcome::Failed(Kind::Insecure, vec![ds]);
        return Some(if scene.is_insecure(ds.fetched_ms) { insecure } else { Outcome::Fine });
    }
    let bogus = |parts| Some(Outcome::Failed(Kind::Bogus, parts));
    if !rules::vouches(scene.rrset(ds.slot), scene.rrset(dnskey.slot)) {
        return bogus(vec![ds, dnskey]);
    }
    if !rules::verifies(scene.rrset(dnskey.slot), scene.rrset(answer.slot)) {
        return bogus(vec![dnskey, answer]);
    }
    Some(Outcome::Fine)
}

fn glitch(scene: &Scene, class: Class, kind: Kind, from_ms: i64, parts: &[Entry]) -> Glitch {
    let until_ms = parts.iter().map(|entry| entry.expires_ms).min().unwrap_or(from_ms);
    let parts = parts.iter().map(|entry| part(scene, entry)).collect();
    Glitch { class, kind, from_ms, until_ms, parts }
}

fn part(scene: &Scene, entry: &Entry) -> Part {
    let Rrset { version, records, ttl_s, signers } = scene.rrset(entry.slot).clone();
    Part {
        what: Some(entry.what),
        version,
        records,
        signers,
        ttl_s,
        whose: entry.whose,
        host: entry.host,
        since_ms: entry.fetched_ms,
        fetched_ms: entry.fetched_ms,
        until_ms: entry.expires_ms,
    }
}
