//! From names to addresses to ask: name servers as they are given, or as a resolver finds them, and the parent zone.
//!
//! Invariant: an address that was given is used as it is; a resolver's answer says where to ask and where resolvers are sent to,
//! never what a server serves. Of its answers only the addresses of name servers reach the history.

use crate::model::dns::{Host, Name, name_text, read_name};
use crate::model::history::{Server, Who};
use async_trait::async_trait;
use futures::future::{join, join_all};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// The port of name servers.
pub const DNS_PORT: u16 = 53;

/// For one question, with all tries and all resolvers of the host: a zone's turn waits for it.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a resolver did not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("the resolver's configuration cannot be used: {0}")]
    Configuration(String),
    #[error("{} has no IPv4 and no IPv6 address; give it as HOST=ADDRESS", name_text(.0))]
    NoAddress(Name),
    #[error("{} is not a zone that can be found: it has no name servers", name_text(.0))]
    NoZone(Name),
    #[error("the root zone has no parent")]
    Root,
    #[error("{} {rtype} cannot be resolved: {reason}", name_text(.name))]
    Failed { name: Name, rtype: RecordType, reason: String },
    #[error("{} {rtype} cannot be resolved: the resolver answers SERVFAIL", name_text(.name))]
    ServFail { name: Name, rtype: RecordType },
    #[error("names are not looked up here")]
    NotHere,
}

/// What the public DNS has for a name server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// No addresses: the resolver says that there are none.
    Addresses { addresses: BTreeSet<IpAddr>, ttl_s: u32 },
    /// A CNAME record of this name, which a name server's name must not have (RFC 2181 §10.3).
    Alias(Name),
}

impl Looked {
    /// What two servers have: an alias at one of them is one, and addresses of either can be reached.
    pub fn or_both(self, other: Looked) -> Looked {
        match (self, other) {
            (Looked::Addresses { mut addresses, ttl_s }, Looked::Addresses { addresses: more, ttl_s: other_ttl_s }) => {
                addresses.extend(more);
                Looked::Addresses { addresses, ttl_s: ttl_s.max(other_ttl_s) }
            }
            (alias @ Looked::Alias(_), _) | (_, alias) => alias,
        }
    }
}

/// Where names are looked up.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All IPv4 and IPv6 addresses of a host, sorted; never empty.
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError>;

    /// The NS set of a zone, hosts in lower case; never empty.
    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError>;

    /// Whether `name` is the name of a zone: whether it has an SOA record of its own.
    async fn is_zone(&self, name: &Name) -> Result<bool, ResolveError>;

    /// What resolvers find for a name server's name, aliases not followed. `Err`: it could not be found out, which says
    /// nothing about the name.
    async fn look_up(&self, _host: &Name) -> Result<Looked, ResolveError> {
        Err(ResolveError::NotHere)
    }

    /// The zone that delegates to `zone`: its nearest ancestor that is a zone.
    async fn parent_of(&self, zone: &Name) -> Result<Name, ResolveError> {
        let mut ancestor = zone.to_lowercase();
        while !ancestor.is_root() {
            ancestor = ancestor.base_name();
            if ancestor.is_root() || self.is_zone(&ancestor).await? {
                return Ok(ancestor);
            }
        }
        Err(ResolveError::Root)
    }
}

/// The host's resolver, or a given one.
#[derive(Clone)]
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// As the host is configured (`/etc/resolv.conf`).
    pub fn from_system() -> Result<SystemResolver, ResolveError> {
        let unusable = |e: NetError| ResolveError::Configuration(e.to_string());
        let mut builder = TokioResolver::builder_tokio().map_err(unusable)?;
        let options = without_surprises(builder.options_mut());
        builder.with_options(options).build().map(SystemResolver).map_err(unusable)
    }

    /// One recursive resolver, by its address.
    pub fn at(address: SocketAddr) -> Result<SystemResolver, ResolveError> {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut server.connections {
            connection.port = address.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(without_surprises(&ResolverOpts::default()))
            .build()
            .map(SystemResolver)
            .map_err(|e| ResolveError::Configuration(e.to_string()))
    }

    /// `None`: the resolver says that there is none.
    async fn lookup(&self, name: &Name, rtype: RecordType) -> Result<Option<Vec<Record>>, ResolveError> {
        // Without its final dot a name would be tried in the host's search domains.
        let mut name = name.clone();
        name.set_fqdn(true);
        let Ok(answered) = timeout(LOOKUP_TIMEOUT, self.0.lookup(name.clone(), rtype)).await else {
            let reason = format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs());
            return Err(ResolveError::Failed { name, rtype, reason });
        };
        match answered {
            Ok(found) => Ok(Some(found.answers().to_vec())),
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(None),
            Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail))) => {
                Err(ResolveError::ServFail { name, rtype })
            }
            Err(e) => Err(ResolveError::Failed { name, rtype, reason: e.to_string() }),
        }
    }
}

/// No cache, for the resolver that is asked has one, and no hosts file, for it says nothing about the public name.
fn without_surprises(options: &ResolverOpts) -> ResolverOpts {
    let mut options = options.clone();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        let (v4, v6) = join(self.lookup(host, RecordType::A), self.lookup(host, RecordType::AAAA)).await;
        // Half of the addresses would be half of the servers: a failure of either question is a failure.
        let records = [v4?.unwrap_or_default(), v6?.unwrap_or_default()].concat();
        let addresses: BTreeSet<IpAddr> = records.iter().filter_map(|record| record.data.ip_addr()).collect();
        if addresses.is_empty() { Err(ResolveError::NoAddress(host.clone())) } else { Ok(Vec::from_iter(addresses)) }
    }

    async fn look_up(&self, host: &Name) -> Result<Looked, ResolveError> {
        let (v4, v6) = join(self.lookup(host, RecordType::A), self.lookup(host, RecordType::AAAA)).await;
        let records = [v4?.unwrap_or_default(), v6?.unwrap_or_default()].concat();
        for record in &records {
            if let RData::CNAME(of) = &record.data
                && record.name.eq_ignore_root(host)
            {
                return Ok(Looked::Alias(of.0.to_lowercase()));
            }
        }
        let ttl_s = records.iter().map(|record| record.ttl).max().unwrap_or_default();
        Ok(Looked::Addresses { addresses: records.iter().filter_map(|record| record.data.ip_addr()).collect(), ttl_s })
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        let records = self.lookup(zone, RecordType::NS).await?.unwrap_or_default();
        let hosts: BTreeSet<Name> = records
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(ns) => Some(ns.0.to_lowercase()),
                _ => None,
            })
            .collect();
        if hosts.is_empty() { Err(ResolveError::NoZone(zone.clone())) } else { Ok(hosts) }
    }

    async fn is_zone(&self, name: &Name) -> Result<bool, ResolveError> {
        let records = self.lookup(name, RecordType::SOA).await?.unwrap_or_default();
        // Behind a CNAME the SOA record is another zone's.
        Ok(records.iter().any(|record| record.record_type() == RecordType::SOA && record.name.eq_ignore_root(name)))
    }
}

/// A name server as it is given: by name alone, or with addresses, which are then used instead of resolving the name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NameServer {
    pub host: Name,
    /// Empty: to be resolved.
    pub addresses: Vec<SocketAddr>,
}

/// Text that does not name a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("`{0}` is not an address: write 192.0.2.1, 192.0.2.1:53, [2001:db8::1] or [2001:db8::1]:53")]
    Address(String),
    #[error(
        "`{0}` cannot be asked: port 0, and addresses that are unspecified, multicast or broadcast, name no server"
    )]
    Unusable(String),
    #[error("`{0}` is not a host name: write HOST or HOST=ADDRESS, as in ns1.example.net=192.0.2.1")]
    Host(String),
}

/// Reads `ADDR[:PORT]`, IPv6 in brackets: without them `2001:db8::1:53` might end in a port or not. The port is 53
/// unless it is given.
pub fn parse_address(text: &str) -> Result<SocketAddr, SpecError> {
    let bad = || SpecError::Address(text.into());
    let address = if let Ok(address) = text.parse::<SocketAddr>() {
        address
    } else if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        SocketAddr::new(inner.parse::<Ipv6Addr>().map_err(|_| bad())?.into(), DNS_PORT)
    } else {
        SocketAddr::new(text.parse::<Ipv4Addr>().map_err(|_| bad())?.into(), DNS_PORT)
    };
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    if address.port() == 0 || ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Err(SpecError::Unusable(text.into()));
    }
    Ok(address)
}

impl NameServer {
    /// Reads `HOST[=ADDR[:PORT]]`.
    pub fn parse(text: &str) -> Result<NameServer, SpecError> {
        let (host, address) = match text.split_once('=') {
            Some((host, address)) => (host, Some(parse_address(address)?)),
            None => (text, None),
        };
        Ok(NameServer { host: parse_host(host)?, addresses: address.into_iter().collect() })
    }

    /// Reads many; a host that is given several times has all its addresses, in the order given.
    pub fn parse_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<NameServer>, SpecError> {
        let mut servers: Vec<NameServer> = Vec::new();
        for text in texts {
            let given = NameServer::parse(text)?;
            match servers.iter_mut().find(|server| server.host == given.host) {
                Some(server) => {
                    let new = given.addresses.into_iter().filter(|address| !server.addresses.contains(address));
                    let new: Vec<_> = new.collect();
                    server.addresses.extend(new);
                }
                None => servers.push(given),
            }
        }
        Ok(servers)
    }
}

fn parse_host(text: &str) -> Result<Name, SpecError> {
    let bad = || SpecError::Host(text.into());
    let is_label = |label: &[u8]| {
        let ends_well = !label.starts_with(b"-") && !label.ends_with(b"-");
        // Underscores are not allowed in host names, and are in use all the same; a slash is in the names of classless reverse
        // zones (RFC 2317), which may have name servers inside.
        let fits = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'/');
        !label.is_empty() && ends_well && label.iter().all(fits)
    };
    // An address in the place of a host name is a forgotten name.
    if text.strip_suffix('.').unwrap_or(text).parse::<IpAddr>().is_ok() {
        return Err(bad());
    }
    let name = read_name(text).map_err(|_| bad())?;
    if !name.is_root() && name.iter().all(is_label) { Ok(name) } else { Err(bad()) }
}

/// One [`Server`] per address of each of `name_servers`, those without addresses resolved.
pub async fn servers(
    resolver: &dyn Resolve,
    who: &Who,
    name_servers: &[NameServer],
) -> Result<Vec<Server>, ResolveError> {
    let found = name_servers.iter().map(|NameServer { host, addresses }| async move {
        let addresses = if addresses.is_empty() {
            let found = resolver.addresses(host).await?;
            found.into_iter().map(|ip| SocketAddr::new(ip, DNS_PORT)).collect()
        } else {
            addresses.clone()
        };
        let (servers, host) = (addresses.into_iter(), Host::from(host.clone()));
        Ok(servers.map(|address| Server { who: who.clone(), host: host.clone(), address }).collect::<Vec<_>>())
    });
    let found: Result<Vec<Vec<Server>>, ResolveError> = join_all(found).await.into_iter().collect();
    Ok(found?.concat())
}

#[cfg(test)]
mod tests;
