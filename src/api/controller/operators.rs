//! Operators: added, shown, tested.

use super::{Controller, key_name, no_operator, of_engine, of_store, plain, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{
    ApiShow, Check, NameServer, OperatorAdd, OperatorList, OperatorShow, OperatorTest, Outcome, SecretText,
    TsigAlgorithm, TsigShow,
};
use crate::model::dns::{Name, name_text, plain_of_stored};
use crate::model::group::{NO_ROUTE, NO_ROUTE_FIX, UNSUPPORTED, UNSUPPORTED_FIX};
use crate::model::history::{Failure, History, Kind, Outcome as Seen, Server};
use crate::model::preflight::data_findings;
use crate::observe::ask::Asker;
use crate::observe::resolve::NameServer as Spec;
use crate::observe::round::observe_operator_server;
use crate::observe::transport::Protocol;
use crate::store::{Interface, OperatorRecord};
use chorus_providers::desec::{self, Desec};
use chorus_providers::http::{AllowedNets, ApiKey, HttpConfig, Unusable};
use chorus_providers::powerdns::PowerDns;
use chorus_providers::tsig::Secret;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Controller {
    pub(super) async fn list_operators(&self) -> Result<OperatorList, Refusal> {
        let mut operators = Vec::new();
        for operator in self.engine.ports().store.operators().await.map_err(of_store)? {
            operators.push(self.shown(operator).await?);
        }
        Ok(OperatorList { operators })
    }

    pub(super) async fn show_operator(&self, name: &str) -> Result<OperatorShow, Refusal> {
        let operator = self.engine.ports().store.operator(name).await.map_err(of_store)?;
        self.shown(operator.ok_or_else(|| no_operator(name))?).await
    }

    pub(super) async fn new_operator(&self, add: OperatorAdd) -> Result<OperatorShow, Refusal> {
        let invalid = |code, text: String, fix: &str| Refusal::new(RefusalKind::Invalid, code, text).with_fix(fix);
        let plain_name = !add.name.is_empty()
            && add.name.len() <= 63
            && add.name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        if !plain_name {
            return Err(invalid(
                "bad-name",
                "an operator's name is made of letters, digits, '-', '_' and '.'".into(),
                "choose another name",
            ));
        }
        let (interface, secret) = interface(&add)?;
        let of_provider = match &interface {
            Interface::Desec { url, .. } if url == desec::URL && add.name_servers.is_empty() => {
                let named = |host: &&str| NameServer { host: (*host).to_owned(), addresses: Vec::new() };
                desec::NAME_SERVERS.iter().map(named).collect()
            }
            _ => add.name_servers.clone(),
        };
        let name_servers = name_servers(&add.name, &of_provider)?;
        self.no_alias(&add.name, &name_servers).await?;
        let ports = self.engine.ports();
        let record = OperatorRecord { name: add.name.clone(), interface, name_servers, created_at: ports.clock.now() };
        let mut nonce = [0; 24];
        ports.random.fill(&mut nonce);
        self.store().add_operator(&record, secret.expose().as_bytes(), nonce).await.map_err(of_store)?;
        let per_day = add.api.as_ref().and_then(|api| api.requests_per_day);
        self.set_limit(&record, per_day).await?;
        self.shown(record).await
    }

    pub(super) async fn try_operator(&self, name: &str, zone: &str) -> Result<OperatorTest, Refusal> {
        let zone = zone_name(zone)?;
        let store = &self.engine.ports().store;
        let operator = store.operator(name).await.map_err(of_store)?.ok_or_else(|| no_operator(name))?;
        let mut checks = Vec::new();
        match crate::engine::addresses(&self.engine, &operator).await {
            Ok(servers) => {
                let transport = &self.engine.ports().transport;
                let (left_out, servers): (Vec<_>, Vec<_>) =
                    servers.into_iter().partition(|server| transport.leaves_out(server.address));
                checks.extend(left_out.iter().map(|server| {
                    let text =
                        format!("{server} was not asked, because `chorus serve` was started with --without-ipv6");
                    warned(NO_ROUTE, text, "run Chorus on a host with IPv6 to have it observed")
                }));
                for server in &servers {
                    checks.extend(self.ask(&zone, server).await);
                }
                checks.extend(self.validated(name, &zone, &servers).await);
            }
            Err(e) => checks.push(failed("no-addresses", e.to_string(), "say the addresses: --name-server HOST=ADDR")),
        }
        checks.extend(self.names(&zone, &operator).await);
        checks.extend(self.keys_are_apart(&operator, &zone).await?);
        let providers = &self.engine.ports().providers;
        let provider = providers.for_person(&operator).await.map_err(|e| of_engine(e.into()))?;
        let probed = provider.probe(&zone).await;
        if probed.is_ok() && self.serves_keys_untried(&operator, provider.as_ref(), &zone).await? {
            let text = format!(
                "updates see another DNSKEY RRset of {} than {name} serves, as at PowerDNS and at BIND with `inline-signing yes`: \
                 whether it serves other operators' keys is still to be tried",
                plain(&zone)
            );
            let fix = "`chorus operator check --write` tries it, and so does a join before it begins; BIND before 9.20 needs \
                       `inline-signing no;`, PowerDNS `direct-dnskey=yes`";
            checks.push(warned("keys-kept-apart", text, fix));
        }
        checks.push(match probed {
            Ok(()) => passed("update-permitted", permitted(&operator.interface, &plain(&zone))),
            Err(e) if e.is_put_off() => untried(e.code(), format!("not tried: {e}"), &e.advice()),
            Err(e) => failed(e.code(), e.to_string(), &e.advice()),
        });
        checks.push(match provider.largest_ttl_s(&zone).await {
            Ok(Some(ttl_s)) => passed("largest-ttl", format!("listing the zone shows {ttl_s} s as the largest TTL")),
            Ok(None) => warned(
                "largest-ttl",
                "the interface does not list the zone: the largest TTL is not known, and taken for one day".into(),
                "say --data-ttl-max",
            ),
            Err(e) if e.is_put_off() => {
                untried("largest-ttl", format!("the largest TTL was not looked for: {e}"), &e.advice())
            }
            Err(e) => {
                let what =
                    if e.forbids_listing() { "the zone may not be listed" } else { "the zone could not be listed" };
                let text = format!(
                    "{what}: {e}; its largest TTL is not known, and taken for one day unless --data-ttl-max says"
                );
                warned(e.code(), text, &e.listing_advice())
            }
        });
        Ok(OperatorTest { operator: name.to_owned(), zone: plain(&zone), checks })
    }

    /// The limit of requests of the operator's account, where the user says one. It counts for all operators of the account.
    pub(super) async fn set_limit(&self, operator: &OperatorRecord, per_day: Option<u32>) -> Result<(), Refusal> {
        let Some((account, per_day)) = operator.interface.account().zip(per_day) else { return Ok(()) };
        self.store().set_requests_per_day(&account, per_day).await.map_err(of_store)
    }

    /// One address over both transports.
    async fn ask(&self, zone: &Name, server: &Server) -> Vec<Check> {
        let ports = self.engine.ports();
        let clock = || ports.clock.now();
        let asker = Asker { transport: ports.transport.as_ref(), ids: ports, clock: &clock };
        let mut checks = Vec::new();
        for (protocol, word) in [(Protocol::Udp, "UDP"), (Protocol::Tcp, "TCP")] {
            let samples = observe_operator_server(asker, zone, server, protocol).await;
            let trouble = samples.iter().find_map(|sample| match &sample.outcome {
                Seen::Failed(failure) => {
                    Some((format!("{server} {failure} (asked for {} by {word})", sample.kind), failure.clone()))
                }
                Seen::Served(_) => None,
            });
            let mut history = History::default();
            samples.iter().for_each(|sample| history.record(sample));
            if protocol == Protocol::Tcp {
                checks.extend(super::cds_checks::of_server(zone, &history, server));
            }
            let keys = history.current(server, Kind::Dnskey).map_or(0, |span| span.served.records.len());
            checks.push(match trouble {
                Some((text, Failure::Unsupported(_))) => failed(UNSUPPORTED, text, UNSUPPORTED_FIX),
                Some((text, Failure::NoRoute)) => failed(NO_ROUTE, text, NO_ROUTE_FIX),
                Some((text, _)) => failed(
                    "server-answers",
                    text,
                    "see that the zone is configured and reachable there, by UDP and TCP",
                ),
                None if keys == 0 => failed(
                    "zone-signed",
                    format!("{server} serves {} without DNSKEY", plain(zone)),
                    "sign the zone there",
                ),
                None => passed(
                    "server-answers",
                    format!("{server} answers by {word} with {keys} keys, and its signatures verify"),
                ),
            });
        }
        checks
    }

    /// Whether a sample of each address's answers validates. An address that does not answer is told of elsewhere.
    async fn validated(&self, operator: &str, zone: &Name, servers: &[Server]) -> Vec<Check> {
        let mut checks = Vec::new();
        for seen in self.engine.ports().observe.inspect(zone, servers, BTreeMap::new()).await.servers {
            let found = data_findings(operator, &seen);
            if found.is_empty() && seen.validity.verified > 0 {
                let (server, verified) = (&seen.server, seen.validity.verified);
                checks.push(passed("data-validates", format!("{server}: {verified} answers validate with its keys")));
            }
            checks.extend(found.into_iter().map(|finding| failed(finding.code, finding.text, &finding.fix)));
        }
        checks
    }

    async fn shown(&self, operator: OperatorRecord) -> Result<OperatorShow, Refusal> {
        let damaged = |what: &str| {
            Refusal::new(
                RefusalKind::Unavailable,
                "db-unavailable",
                format!("{what} of operator {} cannot be read", operator.name),
            )
        };
        let zones = self.engine.ports().store.zones_of(&operator.name).await.map_err(of_store)?;
        let specs = Spec::parse_all(operator.name_servers.iter().map(String::as_str))
            .map_err(|_| damaged("the name servers"))?;
        let provider = operator.interface.provider().to_owned();
        let per_day = match operator.interface.account() {
            Some(account) => Some(self.engine.ports().store.requests_per_day(&account).await.map_err(of_store)?),
            None => None,
        };
        let (update, tsig, api) = match operator.interface {
            Interface::Rfc2136 { update, tsig_name, tsig_algorithm, .. } => {
                let algorithms = [TsigAlgorithm::HmacSha256, TsigAlgorithm::HmacSha384, TsigAlgorithm::HmacSha512];
                let algorithm = algorithms.into_iter().find(|algorithm| algorithm.name() == tsig_algorithm);
                let update = update.parse().map_err(|_| damaged("the address"))?;
                let algorithm = algorithm.ok_or_else(|| damaged("the algorithm"))?;
                (Some(update), Some(TsigShow { name: tsig_name, algorithm }), None)
            }
            Interface::PowerDns { url, server_id } => {
                let (server_id, account, requests_per_day) = (Some(server_id), None, None);
                (None, None, Some(ApiShow { url, server_id, account, requests_per_day }))
            }
            Interface::Desec { url, account } => {
                (None, None, Some(ApiShow { url, server_id: None, account, requests_per_day: per_day }))
            }
        };
        Ok(OperatorShow {
            name: operator.name.clone(),
            provider,
            update,
            tsig,
            api,
            name_servers: specs
                .into_iter()
                .map(|s| NameServer { host: plain(&s.host), addresses: s.addresses })
                .collect(),
            zones: zones.iter().map(|zone| plain_of_stored(zone)).collect(),
        })
    }
}

/// As they are stored.
pub(super) fn name_servers(operator: &str, given: &[NameServer]) -> Result<Vec<String>, Refusal> {
    let invalid = |code, text: String, fix: &str| Refusal::new(RefusalKind::Invalid, code, text).with_fix(fix);
    if given.is_empty() {
        let text = format!("operator {operator} has no name server");
        return Err(invalid("no-name-server", text, "say each with --name-server HOST[=ADDR]"));
    }
    let mut name_servers = Vec::new();
    for server in given {
        let host = Spec::parse(&server.host)
            .map_err(|e| invalid("bad-name", e.to_string(), "write it like ns1.example.net"))?
            .host;
        if server.addresses.is_empty() {
            name_servers.push(name_text(&host));
        }
        name_servers.extend(server.addresses.iter().map(|address| format!("{}={address}", name_text(&host))));
    }
    Ok(name_servers)
}

/// What of a request says how the operator is driven, and with which secret.
fn interface(add: &OperatorAdd) -> Result<(Interface, &SecretText), Refusal> {
    let invalid = |code, text: String, fix: &str| Refusal::new(RefusalKind::Invalid, code, text).with_fix(fix);
    let provider = add.provider.as_str();
    match (provider, add.update, &add.tsig, &add.api) {
        ("rfc2136", Some(update), Some(tsig), None) => {
            let interface = Interface::Rfc2136 {
                update: update.to_string(),
                tsig_name: key_name(&tsig.name)?,
                tsig_algorithm: tsig.algorithm.name().to_owned(),
            };
            usable(&interface, &tsig.secret)?;
            Ok((interface, &tsig.secret))
        }
        ("powerdns", None, None, Some(api)) => {
            let no_url = || invalid("bad-interface", "where its API is is not said".into(), "say `url`");
            let url = api.url.clone().ok_or_else(no_url)?;
            let interface = Interface::PowerDns { url, server_id: api.server_id.clone() };
            usable(&interface, &api.key)?;
            Ok((interface, &api.key))
        }
        ("desec", None, None, Some(api)) => {
            let url = api.url.clone().unwrap_or_else(|| desec::URL.to_owned());
            let interface = Interface::Desec { url, account: api.account.clone() };
            if api.requests_per_day == Some(0) {
                return Err(no_requests());
            }
            usable(&interface, &api.key)?;
            Ok((interface, &api.key))
        }
        ("rfc2136" | "powerdns" | "desec", ..) => Err(invalid(
            "bad-interface",
            format!("what is given is not what {provider} needs"),
            "rfc2136 needs `update` and `tsig` and nothing else, powerdns and desec `api`",
        )),
        _ => {
            let text = format!("there is no provider {provider}");
            Err(invalid("unknown-provider", text, "use rfc2136, powerdns or desec"))
        }
    }
}

/// Whether an interface can be driven at all with such a secret, as far as can be said without asking it.
pub(super) fn usable(interface: &Interface, secret: &SecretText) -> Result<(), Refusal> {
    let invalid = |code, text: String, fix: &str| Refusal::new(RefusalKind::Invalid, code, text).with_fix(fix);
    match interface {
        Interface::Rfc2136 { .. } => {
            let fix = "give the secret as the name server's key file has it";
            Secret::from_base64_text(secret.expose()).map_err(|e| invalid("bad-secret", e.to_string(), fix))?;
            Ok(())
        }
        Interface::PowerDns { url, server_id } => {
            let key = ApiKey::from_text(secret.expose())
                .map_err(|e| invalid("bad-secret", e.to_string(), "give the key as pdns.conf has it"))?;
            match PowerDns::new(&HttpConfig::new(url, key, AllowedNets::public_only()), server_id) {
                // Which networks are allowed is known when it is used, and told then.
                Ok(_) | Err(Unusable::NotAllowed(_)) => Ok(()),
                Err(e) => Err(invalid("bad-url", e.to_string(), "write it like https://pdns.example.net")),
            }
        }
        Interface::Desec { url, .. } => {
            let key = ApiKey::from_text(secret.expose())
                .map_err(|e| invalid("bad-secret", e.to_string(), "give the token as deSEC showed it"))?;
            let config = HttpConfig::new(url, key, AllowedNets::public_only());
            match Desec::new(&config, Arc::new(desec::Unlimited)) {
                Ok(_) | Err(Unusable::NotAllowed(_)) => Ok(()),
                Err(e) => Err(invalid("bad-url", e.to_string(), "write it like https://desec.io/api/v1")),
            }
        }
    }
}

fn permitted(interface: &Interface, zone: &str) -> String {
    match interface {
        Interface::Rfc2136 { update, tsig_name, .. } => {
            format!("{update} takes updates of {zone} signed with {tsig_name}")
        }
        Interface::PowerDns { url, .. } => format!("{url} takes updates of {zone} with the API key"),
        Interface::Desec { url, .. } => format!("{url} takes updates of {zone} with the token"),
    }
}

pub(super) fn passed(code: &str, text: String) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Pass, text, fix: None }
}

pub(super) fn warned(code: &str, text: String, fix: &str) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Warn, text, fix: Some(fix.to_owned()) }
}

fn untried(code: &str, text: String, fix: &str) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Untried, text, fix: Some(fix.to_owned()) }
}

/// A limit that would let nothing through.
pub(super) fn no_requests() -> Refusal {
    let text = String::from("an account without any request a day cannot be driven");
    Refusal::new(RefusalKind::Invalid, "bad-interface", text).with_fix("say how many it may make")
}

pub(super) fn failed(code: &str, text: String, fix: &str) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Fail, text, fix: Some(fix.to_owned()) }
}
