//! The evidence, read: every version with the time in which it was served, and what its records say.

use crate::clock;
use crate::evidence::{Basis, Evidence, Kind, Signer, Span, Track, Whose};
use crate::intervals::Interval;
use crate::names::Name;
use crate::records::{Dnskey, Ds, unhex};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The largest TTL that is assumed of an operator of which the evidence says nothing: one day.
const DATA_TTL_ASSUMED_S: u64 = 86_400;

/// What the records of a version say.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Ds(Vec<Ds>),
    Dnskey(Vec<Dnskey>),
    /// The hosts that an NS RRset names, of the delegation or of the apex.
    Hosts(BTreeSet<Name>),
    /// An answer of which only the signers count.
    Answer,
}

/// A version of an RRset at one address.
#[derive(Clone, Debug)]
pub(crate) struct Version<'e> {
    pub track: &'e Track,
    pub span: &'e Span,
    /// When a server that can be queried would have given it out.
    pub served: Interval,
    /// How long a resolver may use it after it fetched it, with stale serving and slack.
    pub life_s: u64,
    pub content: Content,
}

impl<'e> Version<'e> {
    /// The keys of a DNSKEY RRset that validators use; none of any other RRset.
    pub fn keys(&self) -> impl Iterator<Item = &Dnskey> {
        let keys = if let Content::Dnskey(keys) = &self.content { keys.as_slice() } else { &[] };
        keys.iter().filter(|key| key.is_usable())
    }

    /// The DS records with a digest type that validators use.
    pub fn usable_ds(&self) -> impl Iterator<Item = &Ds> {
        let records = if let Content::Ds(records) = &self.content { records.as_slice() } else { &[] };
        records.iter().filter(|ds| ds.is_usable())
    }

    pub fn is_signed_by(&self, signer: Signer) -> bool {
        self.span.signers.contains(&signer)
    }

    /// Whether it is known which keys signed the answer. The proof that there is no such RRset (RFC 4035 §3.1.3) is not
    /// observed: SOA answers stand for it. Of what was sent, and never seen, the signers are those of the RRset before it, and
    /// are not known where there was none.
    pub fn has_known_signers(&self) -> bool {
        let is_absent = self.span.records.is_empty() && self.track.kind != Kind::Data;
        let was_seen = self.span.basis != Basis::Sent && !self.came_unseen();
        !self.span.signers.is_empty() || (was_seen && !is_absent)
    }

    /// Whether the version came and went between two looks: the look that still showed something else is the one from which on
    /// it counts, to the millisecond.
    fn came_unseen(&self) -> bool {
        let Span { since_ms, first_seen_ms, last_seen_ms, .. } = self.span;
        first_seen_ms == last_seen_ms && since_ms.is_some_and(|since| first_seen_ms - since <= 1)
    }
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers: Vec<String> = self.span.signers.iter().map(|signer| signer.key_tag.to_string()).collect();
        let what = match &self.content {
            Content::Ds(records) if records.is_empty() => "the absence of DS".to_owned(),
            Content::Ds(_) => "the DS RRset".to_owned(),
            Content::Dnskey(keys) => {
                let tags: Vec<String> = keys.iter().map(|key| key.signer.key_tag.to_string()).collect();
                format!("the DNSKEY RRset with {} signed by {}", list(&tags), list(&signers))
            }
            Content::Hosts(hosts) => {
                let hosts: Vec<String> = hosts.iter().map(Name::to_string).collect();
                format!("the {} RRset with {}", kind_text(self.track.kind), list(&hosts))
            }
            Content::Answer => format!("the {} answer signed by {}", kind_text(self.track.kind), list(&signers)),
        };
        let from = self.span.since_ms.unwrap_or(self.span.first_seen_ms);
        let until = self.span.until_ms.map_or("the end".to_owned(), clock::text);
        write!(
            f,
            "{what}, which {} ({}) served from {} until {until}",
            self.track.host,
            self.track.address,
            clock::text(from)
        )?;
        write!(f, " with TTL {}", self.span.ttl_s)
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

pub(crate) fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Ds => "DS",
        Kind::Delegation => "delegation NS",
        Kind::Dnskey => "DNSKEY",
        Kind::Cds => "CDS",
        Kind::Cdnskey => "CDNSKEY",
        Kind::Csync => "CSYNC",
        Kind::Ns => "NS",
        Kind::Data => "SOA",
        Kind::Glue => "glue",
        Kind::Addresses => "address",
    }
}

/// The evidence with everything in it read.
pub(crate) struct World<'e> {
    pub evidence: &'e Evidence,
    pub zone: Name,
    pub hosts: BTreeMap<Name, &'e str>,
    pub versions: Vec<Version<'e>>,
}

impl<'e> World<'e> {
    /// Reads the evidence. An error says in one sentence what cannot be read.
    pub fn read(evidence: &'e Evidence) -> Result<World<'e>, String> {
        let zone =
            Name::from_text(&evidence.zone).ok_or_else(|| format!("the zone's name {:?} is no name", evidence.zone))?;
        let mut hosts = BTreeMap::new();
        for (host, operator) in &evidence.hosts {
            hosts.insert(
                Name::from_text(host).ok_or_else(|| format!("the host name {host:?} is no name"))?,
                operator.as_str(),
            );
        }
        let mut versions = Vec::new();
        for track in &evidence.tracks {
            check_order(track)?;
            for span in &track.spans {
                versions.push(read_version(evidence, track, span)?);
            }
        }
        Ok(World { evidence, zone, hosts, versions })
    }

    /// Between the start and the end of the transition.
    pub fn window(&self) -> Interval {
        Interval { from_ms: self.evidence.started_ms, until_ms: self.evidence.ended_ms }
    }
}

fn read_version<'e>(evidence: &'e Evidence, track: &'e Track, span: &'e Span) -> Result<Version<'e>, String> {
    let records: Option<Vec<Vec<u8>>> = span.records.iter().map(|record| unhex(record)).collect();
    let content = records.and_then(|records| read_content(track.kind, &records));
    let content = content.ok_or_else(|| {
        format!(
            "a {} RRset of {} ({}) has records that cannot be read",
            kind_text(track.kind),
            track.host,
            track.address
        )
    })?;
    let served = Interval { from_ms: span.since_ms.unwrap_or(i64::MIN), until_ms: span.until_ms.unwrap_or(i64::MAX) };
    Ok(Version { track, span, served, life_s: life_s(evidence, track, span), content })
}

fn read_content(kind: Kind, records: &[Vec<u8>]) -> Option<Content> {
    Some(match kind {
        Kind::Ds => Content::Ds(records.iter().map(|record| Ds::read(record)).collect::<Option<_>>()?),
        Kind::Dnskey => Content::Dnskey(records.iter().map(|record| Dnskey::read(record)).collect::<Option<_>>()?),
        Kind::Delegation | Kind::Ns => {
            Content::Hosts(records.iter().map(|record| Name::from_wire(record)).collect::<Option<_>>()?)
        }
        _ => Content::Answer,
    })
}

/// How long resolvers use a version after the last moment at which they could fetch it: its TTL within the limits of
/// resolvers, then as a stale answer (RFC 8767), and the slack.
fn life_s(evidence: &Evidence, track: &Track, span: &Span) -> u64 {
    let policy = &evidence.policy;
    let mut ttl_s = u64::from(span.ttl_s);
    if let (Kind::Data, Whose::Operator(operator)) = (track.kind, &track.whose) {
        // The SOA stands for every answer of the operator, whatever its TTL.
        ttl_s = ttl_s.max(evidence.data_ttls.get(operator).map_or(DATA_TTL_ASSUMED_S, |data| data.ttl_s));
    }
    let cached_s = ttl_s.max(policy.resolver_min_ttl_s).min(policy.resolver_max_ttl_s);
    cached_s.saturating_add(policy.stale_s).saturating_add(policy.slack_s)
}

/// The versions that were seen at one address follow one another in time. One that was sent and overtaken before any look showed
/// it lies within the time of the one before it.
fn check_order(track: &Track) -> Result<(), String> {
    let wrong = |what: &str, at_ms: i64| {
        let place = format!("{} ({})", track.host, track.address);
        let at = clock::text(at_ms);
        Err(format!("the {} versions of {place} are not in order: {what} at {at}", kind_text(track.kind)))
    };
    let mut newer: Option<&Span> = None;
    // The last moment at which any newer version began or ended.
    let mut latest_ms = i64::MIN;
    for span in track.spans.iter().rev().filter(|span| span.basis == Basis::Seen) {
        let first_ms = span.first_seen_ms;
        if span.since_ms.is_some_and(|since| since > first_ms) || span.last_seen_ms < first_ms {
            return wrong("one was seen before it began, or last before first,", first_ms);
        }
        if span.until_ms.is_some_and(|until| until < span.last_seen_ms) {
            return wrong("one was seen after it had ended,", span.last_seen_ms);
        }
        if let Some(newer) = newer
            && (newer.first_seen_ms < first_ms || span.until_ms.is_none_or(|until| until > latest_ms))
        {
            return wrong("one had not ended when all newer ones began,", newer.first_seen_ms);
        }
        latest_ms = latest_ms.max(first_ms).max(span.until_ms.unwrap_or(i64::MIN));
        newer = Some(span);
    }
    Ok(())
}
