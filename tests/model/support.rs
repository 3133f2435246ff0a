//! A zone with operators, as a history that a test writes by hand, second by second.

use chorus::model::dns::{Dnskey, Name, Rdata, RecordSet, cds_for, ns_rdata};
use chorus::model::group::{Member, ParentMode, Standing, World};
use chorus::model::history::{Failure, History, Kind, Lifetimes, Outcome, Sample, Served, Server, Who};
use chorus::model::policy::Policy;
use chorus::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

pub fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

/// An operator's keys: a key-signing and a zone-signing one, told apart by their octets.
pub fn keys(operator: &str) -> (Rdata, Rdata) {
    let key = |flags: u16, salt: u8| {
        let mut wire = flags.to_be_bytes().to_vec();
        wire.extend([3, 13]);
        wire.extend(operator.bytes().cycle().take(63).chain([salt]));
        Rdata::from_canonical(wire)
    };
    (key(257, 1), key(256, 7))
}

pub fn all_keys(operators: &[&str]) -> RecordSet {
    operators.iter().flat_map(|o| [keys(o).0, keys(o).1]).collect()
}

#[derive(Clone)]
pub struct Fixture {
    pub zone: Name,
    pub history: History,
    pub lifetimes: Lifetimes,
    pub members: BTreeMap<String, Member>,
    pub parents: Vec<Server>,
    pub key_ttl_s: u32,
    pub ds_ttl_s: u32,
    pub ns_ttl_s: u32,
    pub delegation_ttl_s: u32,
}

impl Fixture {
    /// No stale serving, 60 s of slack, data for a day: the numbers of the worked examples. One hour for DNSKEY and DS.
    pub fn new() -> Fixture {
        let policy = Policy { stale_s: 0, data_ttl_max_s: Some(86_400), ..Policy::default() };
        let parents = (1..=2).map(|i| Server {
            who: Who::Parent,
            host: name(&format!("ns{i}.parent.")).into(),
            address: format!("192.0.2.{i}:53").parse().unwrap(),
        });
        Fixture {
            zone: name("child.example."),
            history: History::default(),
            lifetimes: Lifetimes::new(policy),
            members: BTreeMap::new(),
            parents: parents.collect(),
            key_ttl_s: 3600,
            ds_ttl_s: 3600,
            ns_ttl_s: 3600,
            delegation_ttl_s: 86_400,
        }
    }

    pub fn member(&mut self, operator: &str, desired: bool) {
        let servers = (1..=2).map(|i| Server {
            who: Who::Operator(operator.into()),
            host: name(&format!("ns{i}.{operator}.")).into(),
            address: format!("198.51.100.{}:53", i + 10 * operator.as_bytes()[0] as usize % 200).parse().unwrap(),
        });
        let wanted = if desired { Standing::Serving } else { Standing::Outside };
        let servers: Vec<Server> = servers.collect();
        let hosts: BTreeSet<Name> = servers.iter().map(|s| Name::clone(&s.host)).collect();
        self.members.insert(
            operator.into(),
            Member {
                hosts,
                servers,
                found: BTreeSet::new(),
                wanted,
                unreachable: false,
                uncooperative: false,
                placements: BTreeMap::new(),
            },
        );
    }

    pub fn world(&self, now_s: i64) -> World<'_> {
        World {
            zone: &self.zone,
            history: &self.history,
            lifetimes: &self.lifetimes,
            members: &self.members,
            parent_servers: &self.parents,
            parent: ParentMode::Scan,
            now: Time::from_s(now_s),
            paused: false,
            algorithm: None,
            scope: Default::default(),
            memo: None,
        }
    }

    pub fn hosts(&self) -> BTreeMap<Name, String> {
        let each = self.members.iter().flat_map(|(op, m)| m.hosts.iter().map(move |h| (h.clone(), op.clone())));
        each.collect()
    }

    pub fn server(&self, who: &str, index: usize) -> Server {
        if who == "parent" { self.parents[index].clone() } else { self.members[who].servers[index].clone() }
    }

    fn all(&self, who: &str) -> Vec<Server> {
        if who == "parent" { self.parents.clone() } else { self.members[who].servers.clone() }
    }

    pub fn sees_at(&mut self, at_s: i64, server: Server, kind: Kind, records: RecordSet) {
        let (signers, ttl_s) = match (&server.who, kind) {
            (Who::Parent, Kind::Ds) => (RecordSet::new(), self.ds_ttl_s),
            (Who::Parent, _) => (RecordSet::new(), self.delegation_ttl_s),
            (Who::Operator(o), Kind::Dnskey) => (RecordSet::from([keys(o).0]), self.key_ttl_s),
            (Who::Operator(o), Kind::Cds | Kind::Cdnskey) => (RecordSet::from([keys(o).0]), self.key_ttl_s),
            (Who::Operator(o), _) => (RecordSet::from([keys(o).1]), self.ns_ttl_s),
            (Who::Public | Who::Registrar, _) => (RecordSet::new(), self.ns_ttl_s),
        };
        let signers = if records.is_empty() && kind != Kind::Data { RecordSet::new() } else { signers };
        let served = Served { records, ttl_s, signers, expires: None };
        self.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Served(served) });
    }

    pub fn sees_at_with_ttl(&mut self, at_s: i64, server: Server, kind: Kind, records: RecordSet, ttl_s: u32) {
        let (ns_ttl_s, delegation_ttl_s) = (self.ns_ttl_s, self.delegation_ttl_s);
        (self.ns_ttl_s, self.delegation_ttl_s) = (ttl_s, ttl_s);
        self.sees_at(at_s, server, kind, records);
        (self.ns_ttl_s, self.delegation_ttl_s) = (ns_ttl_s, delegation_ttl_s);
    }

    pub fn sees(&mut self, at_s: i64, who: &str, kind: Kind, records: RecordSet) {
        for server in self.all(who) {
            self.sees_at(at_s, server, kind, records.clone());
        }
    }

    pub fn fails(&mut self, at_s: i64, server: Server, kind: Kind, failure: Failure) {
        self.history.record(&Sample { at: Time::from_s(at_s), server, kind, outcome: Outcome::Failed(failure) });
    }

    pub fn ds(&self, operators: &[&str]) -> RecordSet {
        let keys: Vec<Rdata> = operators.iter().map(|o| keys(o).0).collect();
        cds_for(&self.zone, &keys, &[2])
    }

    pub fn cdnskey(&self, operators: &[&str]) -> RecordSet {
        operators.iter().map(|o| keys(o).0).collect()
    }

    pub fn ns(&self, operators: &[&str]) -> RecordSet {
        operators.iter().flat_map(|o| self.members[*o].hosts.iter().map(ns_rdata)).collect()
    }

    /// One operator's whole zone, on its own.
    pub fn alone(&mut self, at_s: i64, operator: &str) {
        self.sees(at_s, operator, Kind::Dnskey, all_keys(&[operator]));
        self.sees(at_s, operator, Kind::Cds, RecordSet::new());
        self.sees(at_s, operator, Kind::Cdnskey, RecordSet::new());
        self.sees(at_s, operator, Kind::Csync, RecordSet::new());
        self.sees(at_s, operator, Kind::Ns, self.ns(&[operator]));
        self.sees(at_s, operator, Kind::Data, RecordSet::new());
    }

    /// Everything that is expected of a group at rest.
    pub fn together(&mut self, at_s: i64, operators: &[&str]) {
        for operator in operators {
            self.sees(at_s, operator, Kind::Dnskey, all_keys(operators));
            self.sees(at_s, operator, Kind::Cds, self.ds(operators));
            self.sees(at_s, operator, Kind::Cdnskey, self.cdnskey(operators));
            self.sees(at_s, operator, Kind::Csync, RecordSet::new());
            self.sees(at_s, operator, Kind::Ns, self.ns(operators));
            self.sees(at_s, operator, Kind::Data, RecordSet::new());
        }
        self.sees(at_s, "parent", Kind::Ds, self.ds(operators));
        self.sees(at_s, "parent", Kind::Delegation, self.ns(operators));
    }
}

/// Key tags, for messages of failed assertions.
#[allow(dead_code)]
pub fn tags(set: &RecordSet) -> Vec<u16> {
    set.iter().filter_map(Dnskey::read).map(|key| key.key_tag()).collect()
}
