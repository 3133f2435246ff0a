//! What the public DNS says of an operator's name servers, before the operator is in any zone.
//!
//! Invariant: a lookup that fails refuses nothing; what was given is a claim until it was looked up.

use super::Controller;
use super::operators::{failed, passed, warned};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::Check;
use crate::model::dns::Name;
use crate::model::group::{ALIAS, listed_addresses};
use crate::model::history::{Failure, Outcome, Server, Who};
use crate::observe::addresses::{delegated_at, observe_addresses};
use crate::observe::ask::Asker;
use crate::observe::resolve::{Looked, NameServer, ResolveError};
use crate::observe::transport::Protocol;
use crate::store::OperatorRecord;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// A person has just changed it, and asks again.
const FRESH: Duration = Duration::from_secs(1);

impl Controller {
    /// Refuses name servers whose names are aliases (RFC 2181 §10.3), as far as they can be looked up.
    pub(super) async fn no_alias(&self, operator: &str, name_servers: &[String]) -> Result<(), Refusal> {
        let Ok(specs) = NameServer::parse_all(name_servers.iter().map(String::as_str)) else { return Ok(()) };
        let looked = specs.iter().map(|spec| self.engine.look_up(&spec.host, FRESH));
        for (spec, looked) in specs.iter().zip(join_all(looked).await) {
            if let Ok(Looked::Alias(of)) = looked {
                let text = format!("{operator}: the name server {} is an alias of {of}", spec.host);
                return Err(Refusal::new(RefusalKind::Invalid, ALIAS, text)
                    .with_fix(format!("name {of} instead: resolvers do not follow an alias here (RFC 2181 §10.3)"))
                    .with_operator(operator));
            }
        }
        Ok(())
    }

    /// One check for each name server: what resolvers find, against what was given.
    pub(super) async fn names(&self, zone: &Name, operator: &OperatorRecord) -> Vec<Check> {
        let Ok(specs) = NameServer::parse_all(operator.name_servers.iter().map(String::as_str)) else {
            return Vec::new();
        };
        // Of a zone that is not adopted, the parent's servers are not known.
        let places = self.engine.ports().recall(zone).await.map(|(known, _)| known.places).unwrap_or_default();
        let mut checks = Vec::new();
        for spec in &specs {
            if zone.zone_of(&spec.host) {
                checks.extend(self.name_inside(zone, operator, spec).await);
                continue;
            }
            let given: BTreeSet<IpAddr> = spec.addresses.iter().map(|address| address.ip()).collect();
            match self.engine.look_up_or_ask(&places, &spec.host, FRESH).await {
                Err(ResolveError::NotHere) => {}
                Err(e) => checks.push(warned(
                    "addresses-not-looked-up",
                    format!("{} was not compared with the public DNS: {e}", spec.host),
                    "let this host's resolver (/etc/resolv.conf) answer for the name",
                )),
                Ok(Looked::Alias(of)) => checks.push(alias(&spec.host, &of.to_string())),
                Ok(Looked::Addresses { addresses, .. }) => checks.push(compared(&spec.host, &given, &addresses)),
            }
        }
        checks
    }

    /// A name server inside the zone: its addresses are in the operator's own copy.
    async fn name_inside(&self, zone: &Name, operator: &OperatorRecord, spec: &NameServer) -> Option<Check> {
        let ports = self.engine.ports();
        let clock = || ports.clock.now();
        let asker = Asker { transport: ports.transport.as_ref(), ids: ports, clock: &clock };
        let who = Who::Operator(operator.name.clone());
        let server = Server { who, host: spec.host.clone().into(), address: *spec.addresses.first()? };
        let hosts = BTreeSet::from([spec.host.clone()]);
        let sample = observe_addresses(asker, zone, &hosts, &server, Protocol::Tcp).await;
        let given: BTreeSet<IpAddr> = spec.addresses.iter().map(|address| address.ip()).collect();
        match sample.outcome {
            Outcome::Failed(Failure::Alias { of, .. }) => Some(alias(&spec.host, &of)),
            // That it does not answer is a check of its own.
            Outcome::Failed(_) => None,
            Outcome::Served(served) => {
                if let Some(at) = delegated_at(asker, zone, &spec.host, &server).await {
                    return Some(warned(
                        "name-server-delegated",
                        format!(
                            "{} lies below the delegation of {at}: a parent cannot take its address by CSYNC (RFC 7477 §3.2.2)",
                            spec.host
                        ),
                        "name a host that lies below no delegation inside the zone",
                    ));
                }
                let pairs = served.records.iter().filter_map(crate::model::dns::host_address);
                Some(compared(&spec.host, &given, &pairs.map(|(_, address)| address).collect()))
            }
        }
    }
}

fn alias(host: &Name, of: &str) -> Check {
    failed(ALIAS, format!("{host} is an alias of {of}"), "name a host that is no alias (RFC 2181 §10.3)")
}

fn compared(host: &Name, given: &BTreeSet<IpAddr>, found: &BTreeSet<IpAddr>) -> Check {
    if found.is_empty() {
        let text = format!("{host} has no address in the DNS: no resolver reaches it");
        return failed("name-server-without-address", text, "publish A and AAAA records of the name");
    }
    if given.is_empty() || given == found {
        return passed("addresses-found", format!("resolvers find {host} at {}", listed_addresses(found)));
    }
    warned(
        "address-unconfirmed",
        format!("{host} was given with {}, and resolvers find {}", listed_addresses(given), listed_addresses(found)),
        "make both the same: Chorus observes what resolvers find as well",
    )
}
