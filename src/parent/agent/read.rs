//! Asks the parent and every address of a child's servers, and puts together what `decide` looks at.
//!
//! Invariant: everything is asked directly and over TCP, at one address in one pass between two SOA questions; only addresses
//! of name servers outside of the child come from a resolver. Nothing is verified or judged here.

use super::decide::{Answer, AtParent, Held, HostAnswers, Observed, Rrset, Seen, addresses_wanted, in_zone};
use crate::model::dns::{Name, Rdata, RecordType, ns_name};
use crate::model::history::Failure;
use crate::observe::ask::{self, Asker, Question};
use crate::observe::transport::Protocol;
use async_trait::async_trait;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// RFC 1035 has no limit; a delegation with more addresses than this is not followed.
pub const ADDRESSES_MAX: usize = 64;

/// Finds the addresses of name servers that are not the child's to say.
#[async_trait]
pub trait HostLookup: Send + Sync {
    /// `Err`: why there is none, in words.
    async fn addresses(&self, host: &Name) -> Result<BTreeSet<IpAddr>, String>;

    /// The name that a host is an alias of (CNAME); `None` where it is none, and where it cannot be looked up.
    async fn alias_of(&self, _host: &Name) -> Option<Name> {
        None
    }
}

/// What reading needs.
pub struct Reader<'a> {
    pub asker: Asker<'a>,
    pub lookup: &'a dyn HostLookup,
    /// Addresses that are given.
    pub hints: &'a BTreeMap<Name, Vec<SocketAddr>>,
}

impl Reader<'_> {
    /// What the parent's servers publish for `child`; all have to agree.
    pub async fn at_parent(&self, parent: &Name, child: &Name, servers: &[SocketAddr]) -> Result<AtParent, String> {
        let all = join_all(servers.iter().map(|server| self.at_parent_server(parent, child, *server))).await;
        let mut agreed: Option<AtParent> = None;
        for (server, read) in servers.iter().zip(all) {
            let read = read.map_err(|reason| format!("the parent's server {server} {reason}"))?;
            match &mut agreed {
                None => agreed = Some(read),
                Some(first) if first.ds.records != read.ds.records || first.ns.records != read.ns.records => {
                    return Err(format!("the parent's servers do not agree: {server} shows another DS or NS set"));
                }
                Some(first) => {
                    first.ds.ttl_s = first.ds.ttl_s.max(read.ds.ttl_s);
                    first.ns.ttl_s = first.ns.ttl_s.max(read.ns.ttl_s);
                }
            }
        }
        agreed.ok_or_else(|| "no server of the parent is given".into())
    }

    async fn at_parent_server(&self, parent: &Name, child: &Name, server: SocketAddr) -> Result<AtParent, String> {
        let question = Question::new(child, RecordType::DS);
        let message = self.asker.ask(server, Protocol::Tcp, &question).await.map_err(|e| format!("{e} (DS)"))?;
        let ds = ask::answer(&message, &question, parent).map_err(|e| format!("{e} (DS)"))?;

        let question = Question::new(child, RecordType::NS);
        let message = self.asker.ask(server, Protocol::Tcp, &question).await.map_err(|e| format!("{e} (NS)"))?;
        if message.metadata.authoritative {
            if message.answers.is_empty() {
                return Ok(AtParent { ds: Held { records: ds.records, ttl_s: ds.ttl_s }, ..AtParent::default() });
            }
            return Err(format!("{}: name another server", Failure::ServesChild));
        }
        let mut read = AtParent { ds: Held { records: ds.records, ttl_s: ds.ttl_s }, ..AtParent::default() };
        for record in message.authorities.iter().filter(|r| r.name == *child && r.record_type() == RecordType::NS) {
            read.ns.records.insert(Rdata::of(&record.data).map_err(|e| e.to_string())?);
            read.ns.ttl_s = read.ns.ttl_s.max(record.ttl);
        }
        if read.ns.records.is_empty() {
            return Err("answers NS neither with a delegation nor with authority".into());
        }
        for record in message.additionals.iter().filter(|r| child.zone_of(&r.name)) {
            let (a, aaaa) = read.glue.entry(record.name.to_lowercase()).or_default();
            let held = match record.record_type() {
                RecordType::A => a,
                RecordType::AAAA => aaaa,
                _ => continue,
            };
            held.records.insert(Rdata::of(&record.data).map_err(|e| e.to_string())?);
            held.ttl_s = held.ttl_s.max(record.ttl);
        }
        Ok(read)
    }

    /// What every address of a child's delegated servers answers. [`Reader::newcomers`] has to follow.
    pub async fn delegated(&self, child: &Name, parent: AtParent) -> Observed {
        let mut observed = Observed {
            child: child.clone(),
            parent,
            servers: Vec::new(),
            unresolved: BTreeMap::new(),
            newcomers: Vec::new(),
            newcomers_unresolved: BTreeMap::new(),
        };
        let delegated: BTreeSet<Name> = observed.parent.ns.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
        let found =
            join_all(delegated.iter().map(|host| self.delegated_addresses(child, &observed.parent, host))).await;
        let mut servers = Vec::new();
        for (host, found) in delegated.iter().zip(found) {
            match found {
                Ok(addresses) => servers.extend(addresses.into_iter().map(|address| (host.clone(), address))),
                Err(reason) => {
                    observed.unresolved.insert(host.clone(), reason);
                }
            }
        }
        if servers.len() > ADDRESSES_MAX {
            let reason =
                format!("the delegation has {} addresses, more than {ADDRESSES_MAX} are not asked", servers.len());
            observed.unresolved.insert(child.clone(), reason);
            return observed;
        }
        let seen = servers.into_iter().map(|(host, address)| self.everything(child, host, address));
        observed.servers = join_all(seen).await;
        observed
    }

    /// Hints first; then glue for hosts inside the child; then the resolver.
    async fn delegated_addresses(
        &self,
        child: &Name,
        parent: &AtParent,
        host: &Name,
    ) -> Result<BTreeSet<SocketAddr>, String> {
        if let Some(given) = self.hints.get(host) {
            return Ok(given.iter().copied().collect());
        }
        if in_zone(child, host) {
            let glue = parent.glue.get(host).into_iter().flat_map(|(a, aaaa)| a.records.iter().chain(&aaaa.records));
            let glue: BTreeSet<SocketAddr> = glue.filter_map(ip_of).map(|ip| SocketAddr::new(ip, 53)).collect();
            return if glue.is_empty() { Err("the parent has no glue for it".into()) } else { Ok(glue) };
        }
        self.looked_up(host).await
    }

    async fn looked_up(&self, host: &Name) -> Result<BTreeSet<SocketAddr>, String> {
        let found = self.lookup.addresses(host).await?;
        if found.is_empty() {
            return Err("it has no address record".into());
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 53)).collect())
    }

    /// Asks the addresses that the child asks the parent to delegate to and that are not delegated to yet.
    pub async fn newcomers(&self, observed: &mut Observed) {
        let delegated: BTreeSet<Name> = observed.parent.ns.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
        let known: BTreeSet<IpAddr> = observed.servers.iter().map(|seen| seen.address.ip()).collect();
        let mut to_ask = Vec::new();
        for (host, given) in addresses_wanted(observed) {
            let addresses = if in_zone(&observed.child, &host) {
                // The port of a hint counts, its address only if the child says the same.
                let with_port = |ip: IpAddr| {
                    let hint = self.hints.get(&host).and_then(|hints| hints.iter().find(|hint| hint.ip() == ip));
                    hint.copied().unwrap_or(SocketAddr::new(ip, 53))
                };
                given.into_iter().map(with_port).filter(|a| !known.contains(&a.ip())).collect()
            } else if delegated.contains(&host) {
                continue;
            } else if let Some(of) = self.lookup.alias_of(&host).await {
                // Even where there is a hint: resolvers look the name up.
                observed.newcomers_unresolved.insert(host, format!("it is an alias of {of} (RFC 2181 §10.3)"));
                continue;
            } else if let Some(hints) = self.hints.get(&host) {
                hints.iter().copied().collect()
            } else {
                match self.looked_up(&host).await {
                    Ok(addresses) => addresses,
                    Err(reason) => {
                        observed.newcomers_unresolved.insert(host, reason);
                        continue;
                    }
                }
            };
            to_ask.extend(addresses.into_iter().map(|address| (host.clone(), address)));
        }
        if to_ask.len() > ADDRESSES_MAX {
            let reason =
                format!("the child asks for {} more addresses, more than {ADDRESSES_MAX} are not asked", to_ask.len());
            observed.newcomers_unresolved.extend(to_ask.into_iter().map(|(host, _)| (host, reason.clone())));
            return;
        }
        let child = observed.child.clone();
        let seen = to_ask.into_iter().map(|(host, address)| self.whether_it_serves(&child, host, address));
        observed.newcomers = join_all(seen).await;
    }

    async fn whether_it_serves(&self, child: &Name, host: Name, address: SocketAddr) -> Seen {
        let mut seen = Seen::nothing(host, address);
        seen.soa_before = self.answer(child, child, address, RecordType::SOA).await;
        if seen.soa_before.is_ok() {
            seen.dnskey = self.answer(child, child, address, RecordType::DNSKEY).await;
        } else {
            seen.dnskey = seen.soa_before.clone();
        }
        seen
    }

    /// One pass over one address. A server that asks for nothing is not asked for what would then not be looked at.
    async fn everything(&self, child: &Name, host: Name, address: SocketAddr) -> Seen {
        let apex = |rtype| self.answer(child, child, address, rtype);
        let mut seen = Seen::nothing(host, address);
        seen.soa_before = apex(RecordType::SOA).await;
        seen.cds = apex(RecordType::CDS).await;
        // A server that is silent costs a timeout per question.
        if matches!(seen.cds, Err(Failure::Silent | Failure::NoRoute)) {
            return seen;
        }
        seen.cdnskey = apex(RecordType::CDNSKEY).await;
        seen.csync = apex(RecordType::CSYNC).await;
        let asks = |answer: &Answer| answer.as_ref().is_ok_and(|set| !set.records.is_empty());
        if asks(&seen.cds) || asks(&seen.cdnskey) || asks(&seen.csync) {
            seen.dnskey = apex(RecordType::DNSKEY).await;
        }
        if !asks(&seen.csync) {
            return seen;
        }
        seen.ns = apex(RecordType::NS).await;
        let named: BTreeSet<Name> = match &seen.ns {
            Ok(ns) => ns.records.iter().filter_map(|ns| ns_name(ns).ok()).filter(|host| in_zone(child, host)).collect(),
            Err(_) => BTreeSet::new(),
        };
        for name in named.into_iter().take(ADDRESSES_MAX) {
            let a = self.answer(child, &name, address, RecordType::A).await;
            let aaaa = self.answer(child, &name, address, RecordType::AAAA).await;
            seen.hosts.insert(name, HostAnswers { a, aaaa });
        }
        seen.soa_after = apex(RecordType::SOA).await;
        seen
    }

    async fn answer(&self, child: &Name, owner: &Name, address: SocketAddr, rtype: RecordType) -> Answer {
        let question = Question::new(owner, rtype);
        let message = self.asker.ask(address, Protocol::Tcp, &question).await?;
        let answer = ask::answer(&message, &question, child)?;
        Ok(Rrset { records: answer.records, ttl_s: answer.ttl_s, signatures: answer.signatures })
    }
}

fn ip_of(rdata: &Rdata) -> Option<IpAddr> {
    super::decide::address_of(rdata)
}
