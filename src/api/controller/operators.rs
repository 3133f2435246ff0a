//! Operators: added, shown, tested.

use super::{Controller, no_operator, of_engine, of_store, plain, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{
    Check, NameServer, OperatorAdd, OperatorList, OperatorShow, OperatorTest, Outcome, TsigAlgorithm, TsigShow,
};
use crate::model::dns::Name;
use crate::model::history::{History, Kind, Outcome as Seen, Server};
use crate::observe::ask::Asker;
use crate::observe::resolve::NameServer as Spec;
use crate::observe::round::observe_operator_server;
use crate::observe::transport::Protocol;
use crate::store::OperatorRecord;
use chorus_providers::tsig::Secret;

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
        if add.provider != "rfc2136" {
            return Err(invalid("unknown-provider", format!("there is no provider {}", add.provider), "use rfc2136"));
        }
        if add.name_servers.is_empty() {
            return Err(invalid(
                "no-name-server",
                format!("operator {} has no name server", add.name),
                "say each with --name-server HOST[=ADDR]",
            ));
        }
        let mut name_servers = Vec::new();
        for server in &add.name_servers {
            let host = Spec::parse(&server.host)
                .map_err(|e| invalid("bad-name", e.to_string(), "write it like ns1.example.net"))?
                .host;
            if server.addresses.is_empty() {
                name_servers.push(host.to_ascii());
            }
            name_servers.extend(server.addresses.iter().map(|address| format!("{}={address}", host.to_ascii())));
        }
        let secret = add.tsig.secret.expose();
        Secret::from_base64_text(secret).map_err(|e| {
            invalid("bad-secret", e.to_string(), "give the secret as the name server's key file has it")
        })?;
        let tsig_name = zone_name(&add.tsig.name)?.to_ascii();
        let ports = self.engine.ports();
        let record = OperatorRecord {
            name: add.name,
            provider: add.provider,
            update: add.update.to_string(),
            tsig_name,
            tsig_algorithm: add.tsig.algorithm.name().to_owned(),
            name_servers,
            created_at: ports.clock.now(),
        };
        let mut nonce = [0; 24];
        ports.random.fill(&mut nonce);
        ports.store.add_operator(&record, secret.as_bytes(), nonce).await.map_err(of_store)?;
        self.shown(record).await
    }

    pub(super) async fn try_operator(&self, name: &str, zone: &str) -> Result<OperatorTest, Refusal> {
        let zone = zone_name(zone)?;
        let store = &self.engine.ports().store;
        let operator = store.operator(name).await.map_err(of_store)?.ok_or_else(|| no_operator(name))?;
        let mut checks = Vec::new();
        match crate::engine::addresses(&self.engine, &operator).await {
            Ok(servers) => {
                for server in servers {
                    checks.extend(self.ask(&zone, &server).await);
                }
            }
            Err(e) => checks.push(failed("no-addresses", e.to_string(), "say the addresses: --name-server HOST=ADDR")),
        }
        let provider = self.engine.ports().providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
        checks.push(match provider.probe(&zone).await {
            Ok(()) => passed(
                "update-permitted",
                format!("{} takes updates of {} signed with {}", operator.update, plain(&zone), operator.tsig_name),
            ),
            Err(e) => failed(e.code(), e.to_string(), &e.advice()),
        });
        checks.push(match provider.largest_ttl_s(&zone).await {
            Ok(Some(ttl_s)) => passed("largest-ttl", format!("a zone transfer shows {ttl_s} s as the largest TTL")),
            Ok(None) => warned(
                "largest-ttl",
                "the zone cannot be transferred: the largest TTL is not known, and taken for one day".into(),
                "allow the key to transfer the zone, or say --data-ttl-max",
            ),
            Err(e) => warned(
                "largest-ttl",
                format!("the zone cannot be transferred: {e}"),
                "allow the key to transfer the zone, or say --data-ttl-max",
            ),
        });
        Ok(OperatorTest { operator: name.to_owned(), zone: plain(&zone), checks })
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
                Seen::Failed(failure) => Some(format!("{server} {failure} (asked for {} by {word})", sample.kind)),
                Seen::Served(_) => None,
            });
            let mut history = History::default();
            samples.iter().for_each(|sample| history.record(sample));
            let keys = history.current(server, Kind::Dnskey).map_or(0, |span| span.served.records.len());
            checks.push(match trouble {
                Some(text) => failed(
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

    async fn shown(&self, operator: OperatorRecord) -> Result<OperatorShow, Refusal> {
        let damaged = |what: &str| {
            Refusal::new(
                RefusalKind::Unavailable,
                "db-unavailable",
                format!("{what} of operator {} cannot be read", operator.name),
            )
        };
        let zones = self.engine.ports().store.zones_of(&operator.name).await.map_err(of_store)?;
        let algorithms = [TsigAlgorithm::HmacSha256, TsigAlgorithm::HmacSha384, TsigAlgorithm::HmacSha512];
        let algorithm = algorithms.into_iter().find(|algorithm| algorithm.name() == operator.tsig_algorithm);
        let specs = Spec::parse_all(operator.name_servers.iter().map(String::as_str))
            .map_err(|_| damaged("the name servers"))?;
        Ok(OperatorShow {
            update: operator.update.parse().map_err(|_| damaged("the address"))?,
            tsig: TsigShow {
                name: operator.tsig_name.clone(),
                algorithm: algorithm.ok_or_else(|| damaged("the algorithm"))?,
            },
            name_servers: specs
                .into_iter()
                .map(|s| NameServer { host: plain(&s.host), addresses: s.addresses })
                .collect(),
            zones: zones.iter().map(|zone| zone.trim_end_matches('.').to_owned()).collect(),
            name: operator.name,
            provider: operator.provider,
        })
    }
}

fn passed(code: &str, text: String) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Pass, text, fix: None }
}

fn warned(code: &str, text: String, fix: &str) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Warn, text, fix: Some(fix.to_owned()) }
}

fn failed(code: &str, text: String, fix: &str) -> Check {
    Check { code: code.to_owned(), outcome: Outcome::Fail, text, fix: Some(fix.to_owned()) }
}
