//! What an operator can do in a zone, tried: harmless records are placed, seen at every address, and taken away again.
//!
//! Invariants: what was there is committed before the first write, and put back whatever happens, by the next start at the
//! latest; an ability is one that every address of the operator showed, whatever its interface said. The zone is one that its
//! owner names for this: while it lasts it has a key and a name server that lead nowhere.

use super::status::Status;
use super::{Engine, EngineError, PlaceError, addresses};
use crate::model::ability::{self, Ability};
use crate::model::dns::{Dnskey, Name, Rdata, RecordSet, cds_for, hex, ns_rdata, unhex};
use crate::model::group::{Member, ParentMode, Standing, World};
use crate::model::history::{History, Kind, Lifetimes, Outcome, Server};
use crate::model::policy::Policy;
use crate::observe::ask::Asker;
use crate::observe::round::observe_operator_server;
use crate::observe::transport::Protocol;
use crate::store::{Before, OperatorRecord, Trial};
use chorus_providers::{Provider, ProviderError, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So long an operator's servers may lag before what was written counts as not served.
const SERVED_WITHIN: Duration = Duration::from_secs(60);
/// So often a limit of requests is waited for.
const TRIES: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What came of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub ability: Ability,
    pub is_there: bool,
    pub evidence: String,
    /// The TTL that was served, where another was asked for.
    pub forced_ttl_s: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("{0} does not show the zone's keys")]
    Unanswered(String),
    #[error("{0} serves the zone without a key of its own: it has to be signed there")]
    Unsigned(String),
}

/// One change, and what every address has to show after it.
struct Step {
    ability: Ability,
    wanted: Vec<Wanted>,
    with: Vec<(Kind, Rdata)>,
    without: Vec<(Kind, Rdata)>,
}

impl Engine {
    /// Tries what an operator can do in a zone.
    pub async fn try_abilities(&self, operator: &OperatorRecord, zone: &Name) -> Result<Vec<Tried>, TrialError> {
        let servers = addresses(self, operator).await?;
        let ports = self.ports();
        let provider = ports.providers.provider(operator).await.map_err(EngineError::from)?;
        let (keys, key_ttl_s) = self.served_keys(&servers, zone).await?;
        let foreign = keys.iter().find_map(like).ok_or_else(|| TrialError::Unsigned(operator.name.clone()))?;
        let before = before(provider.as_ref(), zone, &foreign).await?;
        let (name, started_at) = (zone.to_string(), ports.clock.now());
        let trial = Trial { operator: operator.name.clone(), zone: name.clone(), before, started_at };
        ports.store.begin_trial(&trial).await.map_err(EngineError::from)?;
        let mut tried = Vec::new();
        for step in steps(zone, &foreign, key_ttl_s, &trial.before) {
            let done = self.take(&step, provider.as_ref(), zone, &servers).await;
            tried.push(done);
        }
        self.put_back(&trial, provider.as_ref()).await?;
        Ok(tried)
    }

    /// What an operator has shown in a zone that it can do, with the evidence: out of the zone's history where Chorus has it,
    /// else out of what is served now.
    pub async fn read_abilities(
        &self,
        operator: &OperatorRecord,
        zone: &Name,
    ) -> Result<BTreeMap<Ability, String>, TrialError> {
        let ports = self.ports();
        let record = ports.store.zone(zone).await.map_err(EngineError::from)?;
        if let Some(record) = record.filter(|record| record.members.contains_key(&operator.name)) {
            let status = Status::read(&record.status);
            let mut known = ports.load(record, &status).await?;
            self.look(&mut known, Protocol::Tcp).await;
            return Ok(ability::shown(&known.world(), &operator.name));
        }
        let servers = addresses(self, operator).await?;
        let mut history = History::default();
        for server in &servers {
            self.look_at(server, zone, &mut history).await;
        }
        let member = Member {
            hosts: servers.iter().map(|server| Name::clone(&server.host)).collect(),
            servers,
            wanted: Standing::Serving,
            unreachable: false,
            placements: BTreeMap::new(),
        };
        let (members, lifetimes) =
            (BTreeMap::from([(operator.name.clone(), member)]), Lifetimes::new(Policy::default()));
        let world = World {
            zone,
            history: &history,
            lifetimes: &lifetimes,
            members: &members,
            parent_servers: &[],
            parent: ParentMode::Manual,
            now: ports.clock.now(),
            algorithm: None,
            paused: false,
            memo: None,
        };
        Ok(ability::shown(&world, &operator.name))
    }

    /// What trials left behind that came to no end, put back.
    pub async fn end_trials(&self) -> Result<(), TrialError> {
        for trial in self.ports().store.trials().await.map_err(EngineError::from)? {
            let Some(operator) = self.ports().store.operator(&trial.operator).await.map_err(EngineError::from)? else {
                continue;
            };
            let provider = self.ports().providers.provider(&operator).await.map_err(EngineError::from)?;
            tracing::warn!(zone = %trial.zone, operator = %trial.operator, "a trial came to no end: what it placed is taken away");
            self.put_back(&trial, provider.as_ref()).await?;
        }
        Ok(())
    }

    async fn put_back(&self, trial: &Trial, provider: &dyn Provider) -> Result<(), TrialError> {
        let zone: Name = trial.zone.parse().unwrap_or_default();
        let mut wanted = whole(&trial.before);
        let foreign = unhex(&trial.before.foreign).unwrap_or_default();
        let without = BTreeSet::from([foreign]);
        wanted.push(Wanted::Partly { rtype: Kind::Dnskey.record_type(), ttl_s: 0, with: BTreeSet::new(), without });
        self.apply_patiently(provider, &zone, &wanted).await?;
        Ok(self.ports().store.end_trial(&trial.operator, &trial.zone).await.map_err(EngineError::from)?)
    }

    /// What else the credential may change; `None` where that cannot be tried.
    pub async fn oversteps(&self, provider: &dyn Provider, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        self.patiently(|| provider.oversteps(zone)).await
    }

    async fn apply_patiently(
        &self,
        provider: &dyn Provider,
        zone: &Name,
        wanted: &[Wanted],
    ) -> Result<(), ProviderError> {
        self.patiently(|| provider.apply(zone, wanted)).await.map(|_| ())
    }

    /// Where requests are counted by the second or the minute, a trial takes its time.
    async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        for _ in 0..TRIES {
            match attempt().await {
                Err(e) => match e.retry_after_s().map(|wait_s| Duration::from_secs(wait_s.into())) {
                    Some(wait) if wait <= SERVED_WITHIN => {
                        let clock = &self.ports().clock;
                        clock.sleep_until(clock.now().plus(wait)).await;
                    }
                    _ => return Err(e),
                },
                Ok(done) => return Ok(done),
            }
        }
        attempt().await
    }

    async fn take(&self, step: &Step, provider: &dyn Provider, zone: &Name, servers: &[Server]) -> Tried {
        let failed = |evidence: String| Tried { ability: step.ability, is_there: false, evidence, forced_ttl_s: None };
        if step.wanted.is_empty() {
            return failed("not tried: its only name server would be gone".into());
        }
        if let Err(e) = self.apply_patiently(provider, zone, &step.wanted).await {
            return failed(format!("{}: {e}", e.code()));
        }
        let clock = &self.ports().clock;
        let until = clock.now().plus(SERVED_WITHIN);
        loop {
            let lagging = self.lagging(step, zone, servers).await;
            let Some(lagging) = lagging else { break };
            let now = clock.now();
            if now >= until {
                let within = SERVED_WITHIN.as_secs();
                return failed(format!("the interface said yes, and {lagging} did not show it within {within} s"));
            }
            clock.sleep_until(now.plus(LOOK_AGAIN)).await;
        }
        let forced_ttl_s = self.forced_ttl_s(step, zone, servers).await;
        let evidence = format!("seen at {} addresses", servers.len());
        Tried { ability: step.ability, is_there: true, evidence, forced_ttl_s }
    }

    /// An address that does not show what a step makes.
    async fn lagging(&self, step: &Step, zone: &Name, servers: &[Server]) -> Option<String> {
        for server in servers {
            let mut history = History::default();
            self.look_at(server, zone, &mut history).await;
            let shown = |kind: Kind| history.current(server, kind).map(|span| &span.served.records);
            let has = |(kind, record): &(Kind, Rdata)| shown(*kind).is_some_and(|set| set.contains(record));
            let lacks = |(kind, record): &(Kind, Rdata)| shown(*kind).is_some_and(|set| !set.contains(record));
            if !step.with.iter().all(has) || !step.without.iter().all(lacks) {
                return Some(server.to_string());
            }
        }
        None
    }

    async fn forced_ttl_s(&self, step: &Step, zone: &Name, servers: &[Server]) -> Option<u32> {
        let (server, (kind, _)) = (servers.first()?, step.with.first()?);
        let mut history = History::default();
        self.look_at(server, zone, &mut history).await;
        let served = history.current(server, *kind)?.served.ttl_s;
        let asked = step.wanted.iter().find(|wanted| wanted.rtype() == kind.record_type()).map(|wanted| match wanted {
            Wanted::Exactly { ttl_s, .. } | Wanted::Partly { ttl_s, .. } => *ttl_s,
        });
        asked.filter(|asked| *asked != served).map(|_| served)
    }

    async fn look_at(&self, server: &Server, zone: &Name, history: &mut History) {
        let ports = self.ports();
        let clock = || ports.clock.now();
        let asker = Asker { transport: ports.transport.as_ref(), ids: ports, clock: &clock };
        for sample in observe_operator_server(asker, zone, server, Protocol::Tcp).await {
            if matches!(sample.outcome, Outcome::Served(_)) {
                history.record(&sample);
            }
        }
    }

    /// The keys that are served, and with which TTL.
    async fn served_keys(&self, servers: &[Server], zone: &Name) -> Result<(RecordSet, u32), TrialError> {
        let mut history = History::default();
        let mut silent = None;
        for server in servers {
            self.look_at(server, zone, &mut history).await;
            if let Some(span) = history.current(server, Kind::Dnskey) {
                return Ok((span.served.records.clone(), span.served.ttl_s));
            }
            silent = Some(server.to_string());
        }
        Err(TrialError::Unanswered(silent.unwrap_or_default()))
    }
}

/// Types whose sets are written whole.
const WHOLE: [Kind; 4] = [Kind::Cds, Kind::Cdnskey, Kind::Csync, Kind::Ns];
/// For sets that are not there yet.
const TTL_S: u32 = 300;

async fn before(provider: &dyn Provider, zone: &Name, foreign: &Rdata) -> Result<Before, ProviderError> {
    let types = WHOLE.map(Kind::record_type);
    let read = provider.read(zone, &types).await?;
    let sets = types.iter().map(|rtype| {
        let set = read.iter().find(|set| set.rtype == *rtype && !set.records.is_empty());
        let records = set.map(|set| set.records.iter().map(|octets| hex(octets)).collect()).unwrap_or_default();
        (u16::from(*rtype), set.map_or(TTL_S, |set| set.ttl_s), records)
    });
    Ok(Before { foreign: hex(foreign.as_wire()), sets: sets.collect() })
}

/// The sets as they were.
fn whole(before: &Before) -> Vec<Wanted> {
    let octets = |records: &[String]| records.iter().filter_map(|text| unhex(text)).collect::<BTreeSet<_>>();
    let each = before.sets.iter().map(|(rtype, ttl_s, records)| Wanted::Exactly {
        rtype: (*rtype).into(),
        ttl_s: *ttl_s,
        records: octets(records),
    });
    // A zone without name servers was not read right.
    each.filter(|wanted| !matches!(wanted, Wanted::Exactly { rtype, records, .. } if *rtype == Kind::Ns.record_type() && records.is_empty()))
        .collect()
}

/// `key_ttl_s`: of the keys that are there. They would get another one, too, and keep it (RFC 2181 §5.2).
fn steps(zone: &Name, foreign: &Rdata, key_ttl_s: u32, before: &Before) -> Vec<Step> {
    let set = |kind: Kind| whole(before).into_iter().find(|wanted| wanted.rtype() == kind.record_type());
    let plus = |kind: Kind, records: &RecordSet| -> Option<Wanted> {
        let Wanted::Exactly { rtype, ttl_s, records: mut all } = set(kind)? else { return None };
        all.extend(records.iter().map(|record| record.as_wire().to_vec()));
        Some(Wanted::Exactly { rtype, ttl_s, records: all })
    };
    let keyed = |with: bool| {
        let (key, rtype) = (BTreeSet::from([foreign.as_wire().to_vec()]), Kind::Dnskey.record_type());
        let (with, without) = if with { (key, BTreeSet::new()) } else { (BTreeSet::new(), key) };
        vec![Wanted::Partly { rtype, ttl_s: key_ttl_s, with, without }]
    };
    let each = |kind: Kind, records: &RecordSet| records.iter().map(|r| (kind, r.clone())).collect::<Vec<_>>();
    let cds = cds_for(zone, [foreign], &[2]);
    let cdnskey = RecordSet::from([foreign.clone()]);
    let asked = [each(Kind::Cds, &cds), each(Kind::Cdnskey, &cdnskey)].concat();
    // Serial 0, no flags: without `immediate` nobody acts on it by itself (RFC 7477 §2.1.1.2.1). Type: NS.
    let csync = RecordSet::from([Rdata::from_canonical(vec![0, 0, 0, 0, 0, 0, 0, 1, 0x20])]);
    let elsewhere = RecordSet::from([ns_rdata(&Name::from_ascii("ns.chorus-check.invalid.").unwrap_or_default())]);
    let (key, csyncs, hosts) = (each(Kind::Dnskey, &cdnskey), each(Kind::Csync, &csync), each(Kind::Ns, &elsewhere));
    let own_ns = match set(Kind::Ns) {
        Some(Wanted::Exactly { records, .. }) if records.len() > 1 => records.first().cloned(),
        _ => None,
    };
    let own = own_ns.map(|octets| (Kind::Ns, Rdata::from_canonical(octets)));
    let fewer = own.as_ref().and_then(|(_, gone)| match set(Kind::Ns)? {
        Wanted::Exactly { rtype, ttl_s, mut records } => {
            records.remove(gone.as_wire());
            Some(Wanted::Exactly { rtype, ttl_s, records })
        }
        Wanted::Partly { .. } => None,
    });
    let step = |ability, wanted: Vec<Option<Wanted>>, with: &[(Kind, Rdata)], without: &[(Kind, Rdata)]| Step {
        ability,
        wanted: wanted.into_iter().flatten().collect(),
        with: with.to_vec(),
        without: without.to_vec(),
    };
    let none = &[][..];
    vec![
        Step { ability: Ability::AddDnskey, wanted: keyed(true), with: key.clone(), without: Vec::new() },
        step(Ability::AddCds, vec![plus(Kind::Cds, &cds), plus(Kind::Cdnskey, &cdnskey)], &asked, none),
        step(Ability::RemoveCds, vec![set(Kind::Cds), set(Kind::Cdnskey)], none, &asked),
        step(Ability::AddCsync, vec![plus(Kind::Csync, &csync)], &csyncs, none),
        step(Ability::RemoveCsync, vec![set(Kind::Csync)], none, &csyncs),
        step(Ability::AddNs, vec![plus(Kind::Ns, &elsewhere)], &hosts, none),
        step(Ability::RemoveNs, vec![set(Kind::Ns)], none, &hosts),
        step(Ability::RemoveOwnNs, vec![fewer], none, own.as_slice()),
        Step { ability: Ability::RemoveDnskey, wanted: keyed(false), with: Vec::new(), without: key },
    ]
}

/// Another key of the same algorithm as one that is there, of which nobody has the private part: the same point mirrored, or
/// the same modulus with another exponent. Servers look at whether it can be a key at all.
fn like(key: &Rdata) -> Option<Rdata> {
    let read = Dnskey::read(key).filter(|key| key.is_usable())?;
    let mut public = read.public_key.to_vec();
    match read.algorithm {
        13 | 14 => mirror(&mut public)?,
        15 | 16 => *public.last_mut()? ^= 0x80,
        _ => public = with_exponent_3(&public)?,
    }
    Some(Rdata::from_canonical([&[1, 1, 3, read.algorithm], public.as_slice()].concat()))
}

/// (x, y) to (x, p − y), with the p of P-256 or P-384 (FIPS 186-4, D.1.2).
fn mirror(point: &mut [u8]) -> Option<()> {
    const P256: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    const P384: &str =
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff";
    let half = point.len() / 2;
    let prime = unhex(if half == 32 { P256 } else { P384 })?;
    let y = point.get_mut(half..).filter(|y| y.len() == prime.len())?;
    let mut borrow = false;
    for (octet, of_prime) in y.iter_mut().zip(prime).rev() {
        let (less, first) = of_prime.overflowing_sub(*octet);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        (*octet, borrow) = (less, first || second);
    }
    Some(())
}

/// RFC 3110 §2: the exponent's length, the exponent, the modulus.
fn with_exponent_3(public: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = match public {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let modulus = rest.get(length..)?;
    Some([&[1, 3], modulus].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_like_another_is_another_of_the_same_algorithm_and_mirrored_twice_the_same() {
        let key = |algorithm: u8, public: &[u8]| Rdata::from_canonical([&[1, 0, 3, algorithm], public].concat());
        let rsa = [&[1, 0xff][..], &[7; 128]].concat();
        for (algorithm, public) in [(13, vec![5; 64]), (14, vec![5; 96]), (15, vec![5; 32]), (8, rsa)] {
            let first = key(algorithm, &public);
            let other = like(&first).unwrap();
            assert_ne!(other, first);
            let read = Dnskey::read(&other).unwrap();
            assert_eq!((read.algorithm, read.flags), (algorithm, 257));
            if algorithm != 8 {
                let again = like(&other).unwrap();
                assert_eq!(Dnskey::read(&again).unwrap().public_key, public, "algorithm {algorithm}");
            }
        }
        assert_eq!(like(&Rdata::from_canonical(vec![1, 0, 3, 13, 1, 2, 3])), None);
    }
}
