//! Which addresses there are to ask: of the operators' name servers and of the parent's.
//!
//! Invariant: a name that cannot be resolved at the moment keeps the addresses that were known; none is forgotten because a
//! resolver had a bad day.

use super::ports::Ports;
use crate::model::dns::{Name, RecordType, name_text, read_name};
use crate::model::history::{History, Server, Who};
use crate::observe::ask::{Asker, Question, answer};
use crate::observe::resolve::{DNS_PORT, NameServer, ResolveError, parse_address, servers};
use crate::observe::transport::{Protocol, Transport};
use crate::store::{OperatorRecord, ZoneRecord};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Every address that matters to a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub parent_zone: Name,
    pub parent: Vec<Server>,
    /// Those that the operators were given, and those that resolvers may be sent to beside them.
    pub operators: BTreeMap<String, Vec<Server>>,
    /// Of those the ones that were given, or found under the names that were given.
    pub given: BTreeSet<Server>,
    /// The user has said that IPv6 addresses are not to be observed from here.
    pub without_ipv6: bool,
    /// Which addresses of which hosts were left out for that.
    pub left_out: BTreeSet<(Name, IpAddr)>,
}

impl Places {
    /// Leaves out what the user has said not to be observed; of an operator, or a parent, only where something is left.
    pub fn leave_out(&mut self, transport: &dyn Transport) {
        self.without_ipv6 = transport.leaves_out(SocketAddr::from((Ipv6Addr::UNSPECIFIED, DNS_PORT)));
        let all = self.operators.values_mut().chain([&mut self.parent]);
        for servers in all {
            let is_left_out = |server: &Server| transport.leaves_out(server.address);
            if servers.iter().all(is_left_out) {
                continue;
            }
            let of_it = servers.iter().filter(|server| is_left_out(server));
            self.left_out.extend(of_it.map(|server| (Name::clone(&server.host), server.address.ip())));
            servers.retain(|server| !is_left_out(server));
        }
    }

    /// Whether an address of one of this operator's hosts is not to be observed.
    pub fn leaves_out(&self, operator: &str, ip: IpAddr) -> bool {
        let has_other = || self.operators.get(operator).is_some_and(|at| at.iter().any(|s| s.address.is_ipv4()));
        self.without_ipv6 && ip.is_ipv6() && has_other()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("the parent of {} cannot be found: {reason}; say its servers with --parent-server", name_text(zone))]
    NoParent { zone: Name, reason: String },
    #[error("operator {operator}: {reason}")]
    Operator { operator: String, reason: String },
}

/// The name servers of an operator, as they were configured.
pub fn name_servers(operator: &OperatorRecord) -> Result<Vec<NameServer>, PlaceError> {
    NameServer::parse_all(operator.name_servers.iter().map(String::as_str))
        .map_err(|e| PlaceError::Operator { operator: operator.name.clone(), reason: e.to_string() })
}

/// All addresses of one operator.
pub async fn of_operator(
    ports: &Ports,
    operator: &OperatorRecord,
    history: &History,
) -> Result<Vec<Server>, PlaceError> {
    let who = Who::Operator(operator.name.clone());
    let given = name_servers(operator)?;
    // All at once: a resolver that does not answer costs its patience once, and not once for each name.
    let asked = given.iter().map(|server| servers(ports.resolver.as_ref(), &who, std::slice::from_ref(server)));
    let answers = join_all(asked).await;
    let mut found = BTreeSet::new();
    for (server, answer) in given.iter().zip(answers) {
        match answer {
            Ok(addresses) => found.extend(addresses),
            Err(e) => {
                let known: Vec<Server> =
                    history.servers().filter(|s| s.who == who && *s.host == server.host).cloned().collect();
                if known.is_empty() {
                    return Err(PlaceError::Operator { operator: operator.name.clone(), reason: e.to_string() });
                }
                found.extend(known);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The parent zone's name and all addresses of its name servers: as given, else by walking up.
pub async fn of_parent(
    ports: &Ports,
    zone: &ZoneRecord,
    history: &History,
    known: &str,
) -> Result<(Name, Vec<Server>), PlaceError> {
    let no_parent = |reason: String| PlaceError::NoParent { zone: zone.name.clone(), reason };
    if !zone.parent.servers.is_empty() {
        let mut given = Vec::new();
        for text in &zone.parent.servers {
            given.push(parse_address(text).map_err(|e| no_parent(e.to_string()))?);
        }
        let name = match read_name(known) {
            Ok(name) if !known.is_empty() => name,
            _ => {
                let mut found = None;
                for address in &given {
                    found = apex_above(ports, &zone.name, *address).await;
                    if found.is_some() {
                        break;
                    }
                }
                found.ok_or_else(|| {
                    no_parent("none of the given servers answers with authority for a name above it".into())
                })?
            }
        };
        let servers = given.into_iter().map(|address| Server { who: Who::Parent, host: name.clone().into(), address });
        return Ok((name.clone(), servers.collect()));
    }
    match walk_up(ports, zone).await {
        Ok(found) => Ok(found),
        Err(e) => {
            let before: Vec<Server> = history.servers().filter(|s| s.who == Who::Parent).cloned().collect();
            match read_name(known) {
                Ok(name) if !known.is_empty() && !before.is_empty() => Ok((name, before)),
                _ => Err(no_parent(e.to_string())),
            }
        }
    }
}

async fn walk_up(ports: &Ports, zone: &ZoneRecord) -> Result<(Name, Vec<Server>), ResolveError> {
    let parent = ports.resolver.parent_of(&zone.name).await?;
    let hosts = ports.resolver.name_servers(&parent).await?;
    let hosts: Vec<NameServer> = hosts.into_iter().map(|host| NameServer { host, addresses: Vec::new() }).collect();
    let servers = servers(ports.resolver.as_ref(), &Who::Parent, &hosts).await?;
    Ok((parent, servers))
}

/// The nearest zone above `zone` that a given server has.
async fn apex_above(ports: &Ports, zone: &Name, address: SocketAddr) -> Option<Name> {
    let clock = || ports.clock.now();
    let asker = Asker { transport: ports.transport.as_ref(), clock: &clock, ids: ports };
    let mut name = zone.clone();
    while !name.is_root() {
        name = name.base_name();
        let question = Question::new(&name, RecordType::SOA);
        if let Ok(message) = asker.ask(address, Protocol::Tcp, &question).await
            && answer(&message, &question, &name).is_ok_and(|answer| !answer.records.is_empty())
        {
            return Some(name);
        }
    }
    None
}
