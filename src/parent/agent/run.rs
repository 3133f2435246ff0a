//! The agent's rounds: every child on a schedule of its own, one line for each change of what is to be said about it.
//!
//! Invariant: no child waits for another beyond [`CHILDREN_AT_ONCE`]; a child's change is decided from one reading, made
//! once, and read back before anything else is done for that child.

use super::config::{AgentConfig, ConfigError};
use super::decide::{ActedOn, AtParent, Silences, decide};
use super::read::{HostLookup, Reader};
use super::update::{ds_update, ns_update, submit};
use crate::model::dns::{Name, name_text};
use crate::model::time::Time;
use crate::observe::ask::{Asker, RandomIds};
use crate::observe::net::NetTransport;
use crate::observe::transport::Transport;
use async_trait::async_trait;
use chorus_providers::rfc2136::{Rfc2136, Rfc2136Config, Update};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// Children that are read at the same time. Each asks up to 64 addresses at once, and the transport bounds sockets.
pub const CHILDREN_AT_ONCE: usize = 64;
/// After a change the child is looked at again soon: what CSYNC asks for waits for the DS.
const AGAIN_AFTER_CHANGE: Duration = Duration::from_secs(2);

/// A server that did not answer is asked again after this, or earlier if all are (RFC 9975 suggests 5 min to begin with).
const AGAIN_AFTER_SILENCE: Duration = Duration::from_secs(300);

/// Wall-clock time, passed in.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;
/// Takes each line that the agent has to say, time first.
pub type Output = Arc<dyn Fn(&str) + Send + Sync>;

/// What the agent needs of the world.
#[derive(Clone)]
pub struct World {
    pub transport: Arc<dyn Transport>,
    pub lookup: Arc<dyn HostLookup>,
    pub clock: Clock,
    pub output: Output,
}

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no resolver can be used: {0}: set `resolver` in the settings file")]
    Resolver(String),
    #[error("signals cannot be waited for: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs with the settings in `path` on the real network until SIGINT or SIGTERM; lines go to stdout.
pub async fn run_from_file(path: &Path, clock: Clock) -> Result<(), AgentError> {
    let config = AgentConfig::load(path)?;
    let world = World {
        transport: Arc::new(NetTransport::default()),
        lookup: Arc::new(Resolver::new(config.resolver)?),
        clock,
        // Nobody listening any more is no reason to stop.
        output: Arc::new(|line| drop(writeln!(std::io::stdout(), "{line}"))),
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    run(config, world, async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    })
    .await;
    Ok(())
}

/// Goes round until `shutdown` is ready.
pub async fn run(config: AgentConfig, world: World, shutdown: impl Future<Output = ()>) {
    let clock = world.clock.clone();
    let unix = Arc::new(move || u64::try_from(clock().0 / 1000).unwrap_or(0));
    let agent = Arc::new(Agent {
        server: Rfc2136::new(Rfc2136Config::new(config.update, config.key.clone()), unix),
        permits: Semaphore::new(CHILDREN_AT_ONCE),
        config,
        world,
    });
    tokio::select! {
        () = shutdown => {}
        () = agent.rounds() => {}
    }
}

struct Agent {
    config: AgentConfig,
    world: World,
    server: Rfc2136,
    permits: Semaphore,
}

impl Agent {
    /// Keeps one task per child. The list is read again as often as a child is.
    async fn rounds(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<Name, AbortHandle> = BTreeMap::new();
        let mut trouble = None;
        loop {
            match self.children().await {
                Ok(children) => {
                    trouble = None;
                    running.retain(|child, task| {
                        let stays = children.contains(child);
                        if !stays {
                            task.abort();
                        }
                        stays
                    });
                    for child in children {
                        let agent = self.clone();
                        let follow = child.clone();
                        running.entry(child).or_insert_with(|| tasks.spawn(async move { agent.follow(follow).await }));
                    }
                }
                Err(reason) if trouble.as_ref() != Some(&reason) => {
                    self.say(&self.config.parent, &format!("the delegations cannot be listed: {reason}"));
                    trouble = Some(reason);
                }
                Err(_) => {}
            }
            // Tasks end only when they are aborted; what is left of them is dropped here.
            while tasks.try_join_next().is_some() {}
            tokio::time::sleep(self.config.interval).await;
        }
    }

    async fn children(&self) -> Result<BTreeSet<Name>, String> {
        match &self.config.children {
            Some(children) => Ok(children.clone()),
            None => self.server.delegations(&self.config.parent).await.map_err(|e| e.to_string()),
        }
    }

    async fn follow(&self, child: Name) {
        let (mut acted_on, mut silences) = (ActedOn::default(), Silences::default());
        let mut said = String::new();
        loop {
            let round = match self.permits.acquire().await {
                Ok(_permit) => self.round(&child, &mut acted_on, &mut silences).await,
                Err(_) => return,
            };
            tracing::debug!(child = %child, verdict = %round.verdict, "read");
            if round.verdict != said {
                self.say(&child, &round.verdict);
                said = round.verdict;
            }
            let wait = round.again_after.map_or(self.config.interval, |again| again.min(self.config.interval));
            tokio::time::sleep(wait).await;
        }
    }

    async fn round(&self, child: &Name, acted_on: &mut ActedOn, silences: &mut Silences) -> Round {
        let (config, world) = (&self.config, &self.world);
        let reader = Reader {
            asker: Asker { transport: world.transport.as_ref(), ids: &RandomIds, clock: world.clock.as_ref() },
            lookup: world.lookup.as_ref(),
            hints: &config.hosts,
        };
        let at_parent = match reader.at_parent(&config.parent, child, &config.servers).await {
            Ok(at_parent) => at_parent,
            Err(reason) => {
                return Round { verdict: format!("{reason}: no change"), again_after: Some(AGAIN_AFTER_SILENCE) };
            }
        };
        let mut observed = reader.delegated(child, at_parent).await;
        let now = (world.clock)();
        let mut said = silences.leave_out(&mut observed, config.ignore_silent_after, now);
        reader.newcomers(&mut observed).await;
        let decision = decide(&observed, acted_on, config.rules, now);
        said.extend(decision.verdict.iter().cloned());
        let mut verdict = said.join("; ");

        let update = match (&decision.ds, &decision.ns) {
            (Some(change), _) => ds_update(child, change, config.ds_ttl_s),
            (None, Some(change)) => ns_update(child, change, config.ns_ttl_s),
            (None, None) => {
                return Round { verdict, again_after: decision.retry.then_some(AGAIN_AFTER_SILENCE) };
            }
        };
        let as_decided = |now: &AtParent| {
            decision.ds.as_ref().is_none_or(|change| now.ds.records == change.new)
                && decision.ns.as_ref().is_none_or(|change| {
                    now.ns.records == change.new
                        && change.glue.iter().all(|glue| now.glue_of(&glue.host, glue.rtype) == glue.new)
                })
        };
        match self.make(&reader, child, &update, as_decided).await {
            Ok(()) => {
                let made = [decision.ds.map(|change| change.acted_on), decision.ns.map(|change| change.acted_on)];
                made.into_iter().flatten().for_each(|made| acted_on.merge(made));
                Round { verdict, again_after: Some(AGAIN_AFTER_CHANGE) }
            }
            Err(reason) => {
                verdict = format!("wanted: {verdict}; not done: {reason}");
                Round { verdict, again_after: None }
            }
        }
    }

    /// Sends the update and reads it back from the server that took it.
    async fn make(
        &self,
        reader: &Reader<'_>,
        child: &Name,
        update: &Update,
        as_decided: impl Fn(&AtParent) -> bool,
    ) -> Result<(), String> {
        let taken = submit(&self.server, &self.config.parent, update).await.map_err(|e| e.to_string())?;
        let now = reader.at_parent(&self.config.parent, child, &[self.config.update]).await?;
        match (as_decided(&now), taken) {
            (true, _) => Ok(()),
            (false, true) => Err(format!("{} said yes, but serves something else", self.config.update)),
            (false, false) => {
                Err(format!("whether {} took the update is unknown; it does not serve it", self.config.update))
            }
        }
    }

    fn say(&self, name: &Name, line: &str) {
        (self.world.output)(&format!("{} {}: {line}", (self.world.clock)(), name_text(name)));
    }
}

/// What came of one reading of one child.
struct Round {
    verdict: String,
    /// Earlier than the interval says.
    again_after: Option<Duration>,
}

/// Looks host names up at a resolver, without keeping answers: addresses move, and the agent is in no hurry.
pub struct Resolver(TokioResolver);

impl Resolver {
    /// At `server`, or at the system's resolvers.
    pub fn new(server: Option<SocketAddr>) -> Result<Resolver, AgentError> {
        let failed = |e: &dyn std::fmt::Display| AgentError::Resolver(e.to_string());
        let mut builder = match server {
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let name_server = NameServerConfig::new(server.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(|e| failed(&e))?,
        };
        builder.options_mut().cache_size = 0;
        builder.options_mut().ip_strategy = hickory_resolver::config::LookupIpStrategy::Ipv4AndIpv6;
        builder.build().map(Resolver).map_err(|e| failed(&e))
    }
}

#[async_trait]
impl HostLookup for Resolver {
    async fn addresses(&self, host: &Name) -> Result<BTreeSet<IpAddr>, String> {
        let found = self.0.lookup_ip(host.clone()).await.map_err(|e| e.to_string())?;
        Ok(found.iter().collect())
    }

    async fn alias_of(&self, host: &Name) -> Option<Name> {
        let found = self.0.lookup(host.clone(), RecordType::A).await.ok()?;
        found.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(of) if record.name.eq_ignore_root(host) => Some(of.0.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::transport::{NoAnswer, Protocol};
    use chorus_providers::tsig::{Secret, TsigAlgorithm, TsigKey};
    use tokio::sync::mpsc::unbounded_channel;

    /// Never says anything about names with `slow` in them, and refuses connections for all others.
    struct Half;

    #[async_trait]
    impl Transport for Half {
        async fn exchange(&self, _: SocketAddr, _: Protocol, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
            if query.windows(4).any(|part| part == b"slow") {
                std::future::pending::<()>().await;
            }
            Err(NoAnswer::Connection("refused".into()))
        }
    }

    #[async_trait]
    impl HostLookup for Half {
        async fn addresses(&self, _: &Name) -> Result<BTreeSet<IpAddr>, String> {
            Err("no resolver".into())
        }
    }

    #[tokio::test]
    async fn a_child_that_hangs_delays_no_other_and_a_verdict_is_said_once() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let address: SocketAddr = "192.0.2.1:53".parse().unwrap();
        let secret = Secret::from_octets(vec![7; 32]).unwrap();
        // One that hangs comes before the other in order, so that it is the first to be read.
        let config = AgentConfig {
            parent: name("example."),
            update: address,
            servers: vec![address],
            interval: Duration::from_millis(1),
            children: Some(BTreeSet::from([name("aslow.example."), name("quick.example."), name("zslow.example.")])),
            key: TsigKey::new(name("ctl."), TsigAlgorithm::HmacSha256, secret),
            rules: Default::default(),
            ignore_silent_after: Duration::MAX,
            ds_ttl_s: None,
            ns_ttl_s: None,
            hosts: BTreeMap::new(),
            resolver: None,
        };
        let (say, mut heard) = unbounded_channel();
        let clock: Clock = Arc::new(|| Time(1_772_323_200_000));
        let output: Output = Arc::new(move |line| say.send(line.to_string()).unwrap());
        let world = World { transport: Arc::new(Half), lookup: Arc::new(Half), clock, output };
        let (first, _) = tokio::join!(
            async { heard.recv().await.unwrap() },
            run(config, world, tokio::time::sleep(Duration::from_millis(200)))
        );
        assert_eq!(
            first,
            "2026-03-01T00:00:00Z quick.example.: the parent's server 192.0.2.1:53 does not answer (DS): no change"
        );
        assert!(heard.recv().await.is_none(), "said more than once");
    }
}
