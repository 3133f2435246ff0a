//! How long the pure decisions take, and how they grow with a group: prints figures, asserts nothing.
//!
//! `cargo bench --bench decisions`
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use chorus::model::chain::{Scene, judge};
use chorus::model::dns::{Name, Rdata, RecordSet, cds_for, ns_rdata};
use chorus::model::group::{Member, ParentMode, Standing, World, decide};
use chorus::model::history::{History, Kind, Lifetimes, Outcome, Sample, Served, Server, Who};
use chorus::model::policy::Policy;
use chorus::model::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

fn key(flags: u16, operator: u8) -> Rdata {
    let mut wire = flags.to_be_bytes().to_vec();
    wire.extend([3, 13]);
    wire.extend([operator; 64]);
    Rdata::from_canonical(wire)
}

struct Bench {
    zone: Name,
    history: History,
    lifetimes: Lifetimes,
    members: BTreeMap<String, Member>,
    parents: Vec<Server>,
}

/// A group at rest: each operator with two addresses, all in sync.
fn group(operators: u8) -> Bench {
    let zone: Name = "child.example.".parse().unwrap();
    let names: Vec<String> = (0..operators).map(|i| format!("op{i}")).collect();
    let all: RecordSet = (0..operators).flat_map(|i| [key(257, i), key(256, i)]).collect();
    let key_signing: RecordSet = (0..operators).map(|i| key(257, i)).collect();
    let hosts: Vec<Name> = names.iter().map(|name| format!("ns.{name}.").parse().unwrap()).collect();
    let ns: RecordSet = hosts.iter().map(ns_rdata).collect();
    let ds = cds_for(&zone, &key_signing, &[2]);
    let mut history = History::default();
    let mut members = BTreeMap::new();
    let mut see = |server: &Server, kind: Kind, records: &RecordSet, signer: Option<Rdata>| {
        let served =
            Served { records: records.clone(), ttl_s: 3600, signers: signer.into_iter().collect(), expires: None };
        history.record(&Sample { at: Time::from_s(0), server: server.clone(), kind, outcome: Outcome::Served(served) });
    };
    for (i, name) in names.iter().enumerate() {
        let number = i as u8;
        let servers: Vec<Server> = (1..=2)
            .map(|n| Server {
                who: Who::Operator(name.clone()),
                host: hosts[i].clone().into(),
                address: format!("192.0.{i}.{n}:53").parse().unwrap(),
            })
            .collect();
        for server in &servers {
            see(server, Kind::Dnskey, &all, Some(key(257, number)));
            see(server, Kind::Cds, &ds, Some(key(257, number)));
            see(server, Kind::Cdnskey, &key_signing, Some(key(257, number)));
            see(server, Kind::Csync, &RecordSet::new(), None);
            see(server, Kind::Ns, &ns, Some(key(256, number)));
            see(server, Kind::Data, &RecordSet::new(), Some(key(256, number)));
        }
        let placed: RecordSet =
            all.iter().filter(|k| **k != key(257, number) && **k != key(256, number)).cloned().collect();
        let member = Member {
            hosts: BTreeSet::from([hosts[i].clone()]),
            servers,
            found: BTreeSet::new(),
            wanted: Standing::Serving,
            unreachable: false,
            uncooperative: false,
            placements: BTreeMap::from([(Kind::Dnskey, placed), (Kind::Cds, ds.clone())]),
        };
        members.insert(name.clone(), member);
    }
    let parents: Vec<Server> = (1..=2)
        .map(|n| Server {
            who: Who::Parent,
            host: "ns.".parse::<Name>().unwrap().into(),
            address: format!("198.51.100.{n}:53").parse().unwrap(),
        })
        .collect();
    for server in &parents {
        see(server, Kind::Ds, &ds, None);
        see(server, Kind::Delegation, &ns, None);
    }
    Bench { zone, history, lifetimes: Lifetimes::new(Policy::default()), members, parents }
}

fn per_second(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut times = 0u32;
    while began.elapsed() < Duration::from_millis(500) {
        work();
        times += 1;
    }
    f64::from(times) / began.elapsed().as_secs_f64()
}

fn main() {
    println!("{:>9} {:>16} {:>16}", "operators", "decisions/s", "judgements/s");
    for operators in [1, 2, 3, 5] {
        let bench = group(operators);
        let world = World {
            zone: &bench.zone,
            history: &bench.history,
            lifetimes: &bench.lifetimes,
            members: &bench.members,
            parent_servers: &bench.parents,
            parent: ParentMode::Scan,
            now: Time::from_s(10),
            paused: false,
            algorithm: None,
            scope: Default::default(),
            memo: None,
        };
        let hosts =
            bench.members.iter().flat_map(|(op, m)| m.hosts.iter().map(move |h| (h.clone(), op.clone()))).collect();
        let scene = Scene { zone: &bench.zone, history: &bench.history, lifetimes: &bench.lifetimes, hosts: &hosts };
        let decisions = per_second(|| drop(std::hint::black_box(decide(&world))));
        let judgements = per_second(|| drop(std::hint::black_box(judge(&scene, Time::from_s(0), Time::from_s(10)))));
        println!("{operators:>9} {decisions:>16.0} {judgements:>16.0}");
    }
}
