//! What most stories share: a parent with its agent, operators, a daemon that has adopted the zone from the first
//! operator, and both judges watching. A story says who plays and which commands are given; the stage ends with the
//! judgement. Nothing in here waits for what a story is about.

use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::rr::RecordType;

use crate::lab::operator::Server;
use crate::lab::process::Running;
use crate::lab::rolls::ROLL_LIMIT;
use crate::lab::{
    Algorithm, AtEnds, CHILD, Chorus, DnssecCdsAgent, Fault, Keys, Lab, Observer, Operator, OperatorSpec, Parent,
    ParentSpec, Resolvers, Roll, Unbound, dns, ttl_passes, until,
};

/// A story with TTLs of 5 s and a slow machine under it.
pub const LIMIT: Duration = Duration::from_secs(300);
pub const COMMAND_LIMIT: &str = "150s";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agent {
    /// `chorus parent-agent`
    Ours,
    /// BIND's `dnssec-cds` for the DS; the story itself moves NS when CSYNC asks for it
    DnssecCds,
    /// a parent that never acts
    Nobody,
}

/// One operator of a story's table: server, keys, algorithm.
pub type Player = (Server, Keys, Algorithm);

pub const BIND: Player = (Server::Bind, Keys::KskZsk, Algorithm::Ecdsa);
pub const BIND_CSK: Player = (Server::Bind, Keys::Csk, Algorithm::Ecdsa);
pub const BIND_RSA: Player = (Server::Bind, Keys::KskZsk, Algorithm::Rsa2048);
pub const KNOT: Player = (Server::Knot, Keys::KskZsk, Algorithm::Ecdsa);
pub const KNOT_CSK: Player = (Server::Knot, Keys::Csk, Algorithm::Ecdsa);
pub const POWERDNS: Player = (Server::PowerDns, Keys::KskZsk, Algorithm::Ecdsa);
pub const POWERDNS_CSK: Player = (Server::PowerDns, Keys::Csk, Algorithm::Ecdsa);
pub const DESEC: Player = (Server::Desec, Keys::Csk, Algorithm::Ecdsa);
pub const POWERDNS_BY_UPDATE: Player = (Server::PowerDnsByUpdate, Keys::KskZsk, Algorithm::Ecdsa);
pub const KNOT_RSA: Player = (Server::Knot, Keys::KskZsk, Algorithm::Rsa2048);

/// All kinds of operators. Neighbours have different servers, but for the two that PowerDNS is behind.
pub const KINDS: [(&str, Player); 5] = [
    ("bind", BIND),
    ("powerdns", POWERDNS),
    ("knot", KNOT),
    ("powerdns-by-update", POWERDNS_BY_UPDATE),
    ("desec", DESEC),
];

#[derive(Clone)]
pub struct Cast {
    /// Operators a, b, c in order; the zone is delegated to a.
    pub players: Vec<Player>,
    pub agent: Agent,
    /// Of DNSKEY, NS, SOA at the operators; the parent's DS has 5 s.
    pub ttl_s: u32,
    pub data_ttl_s: u32,
    /// Environment of the daemon.
    pub env: Vec<(&'static str, &'static str)>,
    /// What one of the operators has that the others have not, by its name.
    pub alter: fn(OperatorSpec) -> OperatorSpec,
    /// The version of the server of operator b, and its settings, where they are not the system's.
    pub release_of_b: Option<(&'static str, Fault)>,
    /// Validating resolvers beside the observer. Without them for stories that are about something else.
    pub with_resolvers: bool,
    /// `--parent manual`
    pub manual_parent: bool,
    /// No address is told: the daemon finds the parent, and the operators' name servers, with a resolver.
    pub by_name_only: bool,
    /// The daemon is told of the operators, and has adopted the zone; else the story does that.
    pub told: bool,
}

impl Cast {
    pub fn new(players: &[Player]) -> Self {
        Self {
            players: players.to_vec(),
            agent: Agent::Ours,
            ttl_s: 5,
            data_ttl_s: 5,
            env: Vec::new(),
            alter: |spec| spec,
            release_of_b: None,
            with_resolvers: true,
            manual_parent: false,
            by_name_only: false,
            told: true,
        }
    }

    /// For days on which something else is wrong: the observer alone judges.
    pub fn bad_day(players: &[Player]) -> Self {
        Self { with_resolvers: false, agent: Agent::Nobody, ..Self::new(players) }
    }
}

// Fields are dropped in this order: those who ask before those who answer, and the directory last.
pub struct Stage {
    pub resolvers: Option<Resolvers>,
    pub observer: Observer,
    pub chorus: Chorus,
    our_agent: Option<Running>,
    cds_agent: Option<DnssecCdsAgent>,
    names: Option<Unbound>,
    pub operators: Vec<Operator>,
    pub parent: Parent,
    pub lab: Lab,
}

impl Stage {
    pub async fn set(name: &'static str, cast: Cast) -> Self {
        let lab = Lab::new(name);
        let mut parent = lab.parent(ParentSpec::default());
        let mut operators: Vec<Operator> = ["a", "b", "c", "d", "e"]
            .into_iter()
            .zip(&cast.players)
            .map(|(name, (server, keys, algorithm))| {
                let spec = OperatorSpec::new(name)
                    .keys(*keys)
                    .algorithm(*algorithm)
                    .ttl_s(cast.ttl_s)
                    .data_ttl_s(cast.data_ttl_s);
                let spec = match cast.release_of_b.filter(|_| name == "b") {
                    Some((release, fault)) => spec.release(release).fault(fault),
                    None => spec,
                };
                Operator::start(&lab, *server, (cast.alter)(spec))
            })
            .collect();
        parent.ready().await;
        for operator in &mut operators {
            operator.settled().await;
        }
        parent.delegate(&[&operators[0]]).await;
        lab.tell("delegated to a");
        let all: Vec<&Operator> = operators.iter().collect();
        let names = cast.by_name_only.then(|| Unbound::start(&lab, "unbound-names", 200, false, &[], &stubs(&parent)));
        let mut serving: Vec<String> =
            names.iter().flat_map(|unbound| ["--resolver".to_owned(), unbound.ip.to_string()]).collect();
        if operators.iter().any(|operator| matches!(operator.server, Server::PowerDns | Server::Desec)) {
            serving.extend(["--allow-provider-net", "127.0.0.0/8"].map(str::to_owned));
        }
        let mut chorus = lab.chorus_serving(&cast.env, serving).await;
        chorus.at_ends = Some(AtEnds::new(&lab, &parent));
        for operator in operators.iter().filter(|_| cast.told) {
            let mut arguments = operator.add_arguments();
            if cast.by_name_only {
                arguments = operator.add_arguments_as(
                    operator.name(),
                    &operator.key.name,
                    &operator.key.secret_file,
                    &operator.hosts(),
                );
            }
            chorus.ok(&arguments).await;
        }
        let servers = if cast.by_name_only { Vec::new() } else { parent.server_arguments() };
        let mut adopt = zone_add_arguments("a", &servers, cast.data_ttl_s);
        if cast.manual_parent {
            adopt.extend(["--parent", "manual"].map(str::to_owned));
        }
        if cast.told {
            chorus.ok(&adopt).await;
            lab.tell("adopted");
        }
        let our_agent = (cast.agent == Agent::Ours).then(|| lab.parent_agent(&parent, &all));
        let cds_agent = (cast.agent == Agent::DnssecCds).then(|| DnssecCdsAgent::start(&lab, &parent, &all));
        let observer = Observer::start(&parent, &all);
        let resolvers = match cast.with_resolvers {
            true => Some(Resolvers::start(&lab, &parent, &all, &observer).await),
            false => None,
        };
        Self { resolvers, observer, chorus, our_agent, cds_agent, names, operators, parent, lab }
    }

    /// The parent acts from now on: `chorus parent-agent`.
    pub fn start_agent(&mut self) {
        let all: Vec<&Operator> = self.operators.iter().collect();
        self.our_agent = Some(self.lab.parent_agent(&self.parent, &all));
        self.lab.tell("the parent's agent is started");
    }

    /// Whether the parent's agent acts at all, or is stopped in the midst of its work.
    pub fn agent_acts(&self, acts: bool) {
        let agent = self.our_agent.as_ref().expect("chorus parent-agent on this stage");
        if acts { agent.resume() } else { agent.pause() }
    }

    /// An operator starts a key roll of its own accord.
    pub fn roll(&self, operator: usize, roll: Roll) -> DNSKEY {
        let old = self.operators[operator].roll(roll);
        let name = self.operators[operator].name();
        self.lab.tell(&format!("{name} rolls its {roll:?} {}", dns::key_tag(&old)));
        old
    }

    /// Until the roll is over at its operator, which is told of the DS where its server wants to be told.
    pub async fn rolled(&mut self, operator: usize, roll: Roll, old: &DNSKEY) {
        let others = self.operators.iter().enumerate().filter(|(index, _)| *index != operator);
        let foreign: Vec<DNSKEY> = others.flat_map(|(_, other)| other.own_keys().to_vec()).collect();
        if self.operators[operator].server.is_rolled_by_hand() {
            self.administrator_rolls(operator, roll, old, &foreign).await;
        } else if roll != Roll::Zsk {
            self.operators[operator].tell_of_ds(&self.parent, &foreign).await;
            self.lab.tell("the parent has the new key's DS");
        }
        self.operators[operator].has_rolled(old, &foreign).await;
        self.lab.tell(&format!("{} has rolled", self.operators[operator].name()));
    }

    /// What an administrator of PowerDNS does by hand, with the patience that a group needs.
    async fn administrator_rolls(&mut self, operator: usize, roll: Roll, old: &DNSKEY, foreign: &[DNSKEY]) {
        let (rolling, ttl_s) = (&self.operators[operator], self.operators[operator].spec.ttl_s);
        let is_new = |key: &DNSKEY| !foreign.contains(key) && !rolling.own_keys().contains(key);
        let new = rolling.keys().into_iter().find(is_new).expect("the new key is published");
        let others = || self.operators.iter().filter(|other| other.name() != rolling.name());
        until("all who serve its keys serve the new one", ROLL_LIMIT, || {
            others().map(Operator::keys).all(|keys| !keys.contains(old) || keys.contains(&new))
        })
        .await;
        if roll != Roll::Zsk {
            until("the parent has the new key's DS", ROLL_LIMIT, || self.parent.has_ds(&dns::ds_text(CHILD, &new)))
                .await;
        }
        ttl_passes(ttl_s).await;
        rolling.signs_with(&new, true);
        self.lab.tell("the new key signs, beside the old one");
        ttl_passes(ttl_s.max(rolling.spec.data_ttl_s)).await;
        rolling.signs_with(old, false);
        self.lab.tell("the old key signs no more");
        ttl_passes(ttl_s.max(rolling.spec.data_ttl_s)).await;
        rolling.withdraws(old);
    }

    /// Gives a command such as `["zone", "join", CHILD, "b"]`, and waits for its end as a user would.
    pub async fn command(&self, command: &[&str]) {
        let mut arguments = command.to_vec();
        arguments.extend(["--wait", "--timeout", COMMAND_LIMIT]);
        self.lab.tell(&format!("chorus {}", arguments.join(" ")));
        if self.cds_agent.is_some() {
            tokio::select! {
                _ = self.chorus.ok(&arguments) => {}
                () = self.move_ns_when_csync_asks() => {}
            }
        } else {
            self.chorus.ok(&arguments).await;
        }
        self.lab.tell("done");
    }

    /// The registrar's hand, for a parent whose agent does not read CSYNC: when every operator that is delegated to
    /// serves CSYNC and the same NS set, the delegation becomes that set.
    async fn move_ns_when_csync_asks(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let Some(delegated) = crate::lab::parent::referral(self.parent.addresses()[0]) else { continue };
            let inside = |operator: &&Operator| delegated.contains(&operator.hosts()[0]);
            let asked: Vec<&Operator> = self.operators.iter().filter(inside).collect();
            let wanted = asked[0].served(RecordType::NS);
            let unanimous = asked.iter().all(|operator| {
                !operator.served(RecordType::CSYNC).is_empty() && operator.served(RecordType::NS) == wanted
            });
            let names_it = |operator: &&Operator| {
                let answer = dns::ask_one_that_runs(asked[0].addresses()[0], CHILD, RecordType::NS);
                let host = operator.hosts()[0].clone();
                answer.answers.iter().any(|record| record.data.to_string().eq_ignore_ascii_case(&host))
            };
            let group: Vec<&Operator> = self.operators.iter().filter(names_it).collect();
            let hosts: std::collections::BTreeSet<String> =
                group.iter().flat_map(|operator| operator.hosts()).collect();
            if unanimous && hosts != delegated {
                self.parent.set_ns(&group).await;
                self.lab.tell("the delegation is changed by hand");
            }
        }
    }

    /// b joins a, and then a leaves. It is the end of the story.
    pub async fn b_takes_over_from_a(self) {
        self.command(&["zone", "join", CHILD, "b"]).await;
        self.assert_group(&["a", "b"]).await;
        self.command(&["zone", "leave", CHILD, "a"]).await;
        self.assert_group(&["b"]).await;
        self.assert_clean(&[]).await;
    }

    /// `zone show` says that these operators, and nobody else, serve; and the servers say so, too.
    pub async fn assert_group(&self, names: &[&str]) {
        let serving: Vec<String> = self
            .chorus
            .standings(CHILD)
            .await
            .into_iter()
            .filter(|(_, standing)| standing == "Serving")
            .map(|(operator, _)| operator)
            .collect();
        assert_eq!(serving, names);
        let group: Vec<&Operator> = self.operators.iter().filter(|operator| names.contains(&operator.name())).collect();
        let hosts: std::collections::BTreeSet<String> = group.iter().flat_map(|operator| operator.hosts()).collect();
        for ip in self.parent.addresses() {
            assert_eq!(crate::lab::parent::referral(ip), Some(hosts.clone()), "delegation at {ip}");
            let ds: usize = group.iter().map(|operator| operator.own_ds().len()).sum();
            assert_eq!(self.parent.ds_count(ip), Some(ds), "DS records at {ip}");
        }
        let keys: usize = group.iter().map(|operator| operator.own_keys().len()).sum();
        for operator in &group {
            assert_eq!(operator.served(RecordType::DNSKEY).len(), keys, "DNSKEY set of {}", operator.name());
            assert_eq!(operator.served(RecordType::NS).len(), hosts.len(), "NS set of {}", operator.name());
        }
    }

    /// Until every ordered pair of these operators has been probed often enough to mean something.
    pub async fn probed(&self, names: &[&str]) {
        self.resolvers.as_ref().expect("resolvers on this stage").probed(&pairs(names)).await;
    }

    /// The end: neither judge has seen anything. `met` are operators that served together at some time.
    pub async fn assert_clean(self, met: &[&str]) {
        self.chorus.judge_the_last_end(CHILD);
        if let Some(resolvers) = &self.resolvers {
            resolvers.probed(&pairs(met)).await;
        }
        let Self { resolvers, observer, lab, .. } = self;
        let report = resolvers.map(Resolvers::finish);
        let verdict = observer.finish();
        lab.tell(&verdict.to_string());
        verdict.assert_clean();
        if let Some(report) = report {
            lab.tell(&report.to_string());
            report.assert_clean(&pairs(met));
        }
    }

    /// The end of a story in which a guard was taken away: both judges must have seen it.
    pub fn assert_exposed(self) {
        self.chorus.judge_the_last_end(CHILD);
        let Self { resolvers, observer, lab, .. } = self;
        let report = resolvers.expect("resolvers on this stage").finish();
        let verdict = observer.finish();
        lab.tell(&format!("{verdict}; {report}"));
        assert!(verdict.certain().next().is_some(), "the observer saw nothing: {verdict}");
        assert!(!report.failures().is_empty(), "the resolvers saw nothing: {report}");
    }
}

/// For a resolver that is to know `example.` and nothing else.
fn stubs(parent: &Parent) -> String {
    let addresses: String = parent.addresses().iter().map(|ip| format!("  stub-addr: {ip}\n")).collect();
    format!("stub-zone:\n  name: \"example.\"\n{addresses}")
}

pub fn zone_add_arguments(operator: &str, parent_servers: &[String], data_ttl_s: u32) -> Vec<String> {
    let mut arguments: Vec<String> = ["zone", "add", CHILD, "--operator", operator].map(str::to_owned).to_vec();
    arguments.extend_from_slice(parent_servers);
    let data_ttl = format!("{data_ttl_s}s");
    for (option, value) in [
        // One second covers what the observer adds for its sampling.
        ("--slack", "1s"),
        ("--stale", "0s"),
        ("--data-ttl-max", data_ttl.as_str()),
        ("--parent-pipeline", "3s"),
    ] {
        arguments.extend([option.to_owned(), value.to_owned()]);
    }
    arguments
}

fn pairs<'a>(names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    names.iter().flat_map(|from| names.iter().filter(move |to| *to != from).map(move |to| (*from, *to))).collect()
}
