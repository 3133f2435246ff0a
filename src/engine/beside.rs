//! What is looked at beside the servers themselves: the addresses of name servers, inside the zone and in the public DNS,
//! and who else can be queried because of them.
//!
//! Invariant: a lookup that fails changes nothing that is known. An address that resolvers can be sent to is observed in the
//! round in which it is found.

use super::picture::Picture;
use super::places::Places;
use super::turn::Engine;
use crate::model::dns::{Name, address_rdata, host_address};
use crate::model::history::{Failure, Kind, Outcome, Sample, Served, Server, Who};
use crate::model::policy::DELEGATION_TTL_UNSEEN_S;
use crate::model::time::Time;
use crate::observe::addresses::look_up_at;
use crate::observe::ask::Asker;
use crate::observe::resolve::{DNS_PORT, Looked, ResolveError};
use crate::observe::transport::Protocol;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A turn does not wait for longer for a resolver: what is not known by then is looked up in a later turn.
const PATIENCE: Duration = Duration::from_secs(3);
/// For so long an answer is good enough for a zone at rest; in a transition for [`FRESH`].
const FRESH_AT_REST: Duration = Duration::from_secs(240);
const FRESH: Duration = Duration::from_secs(2);
/// After a failure the resolver is left alone for so long, and so are the turns that would wait for it.
const PAUSE: Duration = Duration::from_secs(30);
/// A server of a host's zone is asked for the TTL of its addresses again after so long.
const TTL_FRESH: Duration = Duration::from_secs(3600);
/// Chorus waits for that server for so long. After that the TTL counts that the resolver told.
const TTL_PATIENCE: Duration = Duration::from_secs(1);
/// Of those servers so many are asked, at so many of their addresses.
const TTL_SERVERS: usize = 2;
/// Hosts beyond which those that were looked up long ago are forgotten.
const HOSTS_KEPT: usize = 10_000;

/// What was found out last for each host, whatever zone asked: the answer is the same for all.
#[derive(Default)]
pub(super) struct Lookups {
    found: Mutex<HashMap<Name, LookedAt>>,
    ttls: Mutex<HashMap<Name, WholeTtl>>,
}

/// When a host was looked up, and what came of it.
type LookedAt = (Time, Result<Looked, ResolveError>);

/// When a server of a host's zone was asked for the TTL, whether the host had addresses then, and the TTL; `None`: no server told.
type WholeTtl = (Time, bool, Option<u32>);

impl Lookups {
    fn known(&self, host: &Name, now: Time, fresh: Duration) -> Option<Result<Looked, ResolveError>> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, found) = known.get(host)?;
        let good = if found.is_ok() { fresh } else { PAUSE };
        (*at <= now && at.until(now) < good).then(|| found.clone())
    }

    fn learn(&self, host: &Name, now: Time, found: Result<Looked, ResolveError>) {
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= HOSTS_KEPT {
            known.retain(|_, (at, _)| *at <= now && at.until(now) < FRESH_AT_REST);
        }
        known.insert(host.clone(), (now, found));
    }

    /// The TTL of a host's addresses, or of their absence, if a server was asked for it lately; inside, `None`: it did not tell.
    fn whole_ttl_s(&self, host: &Name, now: Time, is_there: bool) -> Option<Option<u32>> {
        let known = self.ttls.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, was_there, ttl_s) = known.get(host)?;
        let good = if ttl_s.is_some() { TTL_FRESH } else { PAUSE };
        (*at <= now && at.until(now) < good && *was_there == is_there).then_some(*ttl_s)
    }

    fn learn_ttl(&self, host: &Name, now: Time, is_there: bool, ttl_s: Option<u32>) {
        let mut known = self.ttls.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= HOSTS_KEPT {
            known.retain(|_, (at, ..)| *at <= now && at.until(now) < TTL_FRESH);
        }
        known.insert(host.clone(), (now, is_there, ttl_s));
    }
}

impl Engine {
    /// What the public DNS has for a host; from memory if that is recent enough.
    pub(crate) async fn look_up(&self, host: &Name, fresh: Duration) -> Result<Looked, ResolveError> {
        let now = self.ports.clock.now();
        if let Some(known) = self.lookups.known(host, now, fresh) {
            return known;
        }
        let late = || ResolveError::Failed {
            name: host.clone(),
            rtype: crate::model::dns::RecordType::A,
            reason: format!("no answer within {} s", PATIENCE.as_secs()),
        };
        // By the engine's own clock: a simulated world has no other.
        let found = tokio::select! {
            biased;
            found = self.ports.resolver.look_up(host) => found,
            () = self.ports.clock.sleep_until(now.plus(PATIENCE)) => Err(late()),
        };
        if matches!(found, Err(ResolveError::NotHere)) {
            return found;
        }
        let found = match found {
            Ok(Looked::Addresses { addresses, ttl_s }) => {
                let whole_s = self.whole_ttl_s(host, !addresses.is_empty()).await.unwrap_or_default();
                Ok(Looked::Addresses { addresses, ttl_s: ttl_s.max(whole_s) })
            }
            other => other,
        };
        self.lookups.learn(host, now, found.clone());
        found
    }

    /// For how long resolvers keep the addresses of a host, or that it has none: a resolver that answers from its cache tells how
    /// much of that is left, so a server of the host's zone is asked. `None`: none of them told.
    async fn whole_ttl_s(&self, host: &Name, is_there: bool) -> Option<u32> {
        let now = self.ports.clock.now();
        if let Some(known) = self.lookups.whole_ttl_s(host, now, is_there) {
            return known;
        }
        let found = tokio::select! {
            biased;
            found = self.ask_for_ttl(host, is_there) => found,
            () = self.ports.clock.sleep_until(now.plus(TTL_PATIENCE)) => None,
        };
        self.lookups.learn_ttl(host, now, is_there, found);
        found
    }

    /// What the first of a few servers of the host's zone says. One that disagrees with the resolver about whether the host
    /// has addresses tells the TTL of something else.
    async fn ask_for_ttl(&self, host: &Name, is_there: bool) -> Option<u32> {
        let (resolver, clock) = (&self.ports.resolver, || self.ports.clock.now());
        let asker = Asker { transport: self.ports.transport.as_ref(), ids: &self.ports, clock: &clock };
        let zone = match resolver.is_zone(host).await.ok()? {
            true => host.clone(),
            false => resolver.parent_of(host).await.ok()?,
        };
        let zone = &zone;
        let names = resolver.name_servers(zone).await.ok()?.into_iter().take(TTL_SERVERS);
        let asked = names.map(|name| async move {
            for ip in resolver.addresses(&name).await.ok()?.into_iter().take(TTL_SERVERS) {
                let address = SocketAddr::new(ip, DNS_PORT);
                let server = Server { who: Who::Public, host: name.clone().into(), address };
                match look_up_at(asker, zone, host, &server).await {
                    Some(Looked::Addresses { addresses, ttl_s }) if addresses.is_empty() != is_there => {
                        return Some(ttl_s);
                    }
                    _ => {}
                }
            }
            None
        });
        // A server that says nothing is not waited for once another has told.
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some(told) = asked.next().await {
            if told.is_some() {
                return told;
            }
        }
        None
    }

    /// Without a resolver, a host in the parent zone itself is looked up as a resolver does it: the parent's servers are asked.
    pub(crate) async fn look_up_or_ask(
        &self,
        places: &Places,
        host: &Name,
        fresh: Duration,
    ) -> Result<Looked, ResolveError> {
        let failed = match self.look_up(host, fresh).await {
            Err(e) if !matches!(e, ResolveError::NotHere) => e,
            looked => return looked,
        };
        let (parent_zone, clock) = (&places.parent_zone, || self.ports.clock.now());
        if !parent_zone.zone_of(host) {
            return Err(failed);
        }
        let asker = Asker { transport: self.ports.transport.as_ref(), ids: &self.ports, clock: &clock };
        let asked = places.parent.iter().map(|server| look_up_at(asker, parent_zone, host, server));
        let found: Vec<Looked> = join_all(asked).await.into_iter().flatten().collect();
        found.into_iter().reduce(Looked::or_both).ok_or(failed)
    }

    /// Asks the operators' servers for the addresses of name servers inside the zone.
    pub(super) async fn ask_for_hosts(&self, known: &Picture, operators: &[Server], protocol: Protocol) -> Vec<Sample> {
        let inside = known.hosts_inside();
        if inside.is_empty() {
            return Vec::new();
        }
        self.ports.observe.addresses(&known.record.name, &inside, operators, protocol).await
    }

    /// Looks at what a round over the servers leaves out. `samples`: that round, which began at `began`.
    pub(super) async fn look_beside(&self, known: &mut Picture, samples: &[Sample], began: Time, protocol: Protocol) {
        self.end_copies(known, samples, began);
        let fresh = if protocol == Protocol::Udp { FRESH_AT_REST } else { FRESH };
        let hosts = known.hosts_outside();
        let places: &Places = &known.places;
        let looked = hosts.iter().map(|host| async move { (host, self.look_up_or_ask(places, host, fresh).await) });
        for (host, looked) in join_all(looked).await {
            let outcome = match looked {
                Err(ResolveError::NotHere) => continue,
                Err(e) => Outcome::Failed(Failure::NotLookedUp(e.to_string())),
                Ok(Looked::Alias(of)) => {
                    let (host, of) = (host.to_lowercase().to_ascii(), of.to_ascii());
                    Outcome::Failed(Failure::Alias { host, of })
                }
                Ok(Looked::Addresses { addresses, ttl_s }) => {
                    let records = addresses.into_iter().map(|address| address_rdata(host, address)).collect();
                    Outcome::Served(Served { records, ttl_s, signers: BTreeSet::new(), expires: None })
                }
            };
            let server = Server::public(host.clone().into());
            let mut sample = vec![as_whole(known, Sample { at: began, server, kind: Kind::Addresses, outcome })];
            Engine::leave_out(known, &mut sample);
            sample.iter().for_each(|sample| known.history.record(sample));
        }
        let added = known.add_reachable(self.ports.clock.now());
        if added.is_empty() {
            return;
        }
        let zone = &known.record.name;
        let parent_zone = &known.places.parent_zone;
        let mut found = self.ports.observe.observe(zone, parent_zone, &added, &[], Protocol::Tcp).await.samples;
        found.extend(self.ask_for_hosts(known, &added, Protocol::Tcp).await);
        Engine::leave_out(known, &mut found);
        found.iter().for_each(|sample| known.history.record(sample));
    }

    /// Takes addresses out of what was seen that the user has said not to be observed: nothing is decided from them.
    pub(super) fn leave_out(known: &mut Picture, samples: &mut Vec<Sample>) {
        if !known.places.without_ipv6 {
            return;
        }
        samples.retain_mut(|sample| {
            let Outcome::Served(served) = &mut sample.outcome else { return true };
            if !matches!(sample.kind, Kind::Glue | Kind::Addresses) {
                return true;
            }
            let all = served.records.len();
            served.records.retain(|record| {
                let Some((host, ip)) = host_address(record) else { return true };
                let operator = known.hosts.get(&host).filter(|operator| known.places.leaves_out(operator, ip));
                let is_left_out = operator.is_some();
                if is_left_out {
                    known.places.left_out.insert((host, ip));
                }
                !is_left_out
            });
            // A name that has only such addresses is not one without addresses.
            sample.server.who != Who::Public || served.records.len() == all || !served.records.is_empty()
        });
    }

    /// A parent's server that refers resolvers to the child again has lost its copy.
    fn end_copies(&self, known: &mut Picture, samples: &[Sample], at: Time) {
        let refers = |sample: &&Sample| {
            sample.server.who == Who::Parent
                && sample.kind == Kind::Delegation
                && matches!(sample.outcome, Outcome::Served(_))
                && !samples.iter().any(|copy| copy.server == sample.server && Kind::COPY.contains(&copy.kind))
        };
        for sample in samples.iter().filter(refers) {
            known.history.retire_kinds(&sample.server, &Kind::COPY, at);
        }
    }
}

/// A resolver tells how much of the TTL is left in its cache, and a server of the host's zone does not always tell the rest. So the
/// same addresses have the largest TTL that was seen.
fn as_whole(known: &Picture, mut sample: Sample) -> Sample {
    if let Outcome::Served(served) = &mut sample.outcome
        && let Some(span) = known.history.current(&sample.server, sample.kind)
        && span.served.records == served.records
    {
        served.ttl_s = served.ttl_s.max(span.served.ttl_s);
    }
    sample
}

/// Where no server of the parent shows the delegation, the one that a person has confirmed counts as what each of them has.
pub(super) fn confirm_delegation(known: &Picture, samples: &mut [Sample]) {
    let records = known.record.policy.confirmed_delegation();
    let of_parent = |sample: &&Sample| sample.server.who == Who::Parent && sample.kind == Kind::Delegation;
    let is_hidden = |sample: &Sample| sample.outcome == Outcome::Failed(Failure::ServesChild);
    if records.is_empty() || !samples.iter().filter(of_parent).all(is_hidden) {
        return;
    }
    let served = Served { records, ttl_s: DELEGATION_TTL_UNSEEN_S, signers: BTreeSet::new(), expires: None };
    let hidden =
        samples.iter_mut().filter(|sample| sample.server.who == Who::Parent && sample.kind == Kind::Delegation);
    hidden.for_each(|sample| sample.outcome = Outcome::Served(served.clone()));
}
