//! What the drawings show, and that nothing that others named can break them.

use super::{CLASSES, picture, picture_alone, timeline};
use crate::api::wire::*;
use crate::model::time::Time;
use std::net::SocketAddr;

/// 2026-11-22T10:00:00Z.
fn at(seconds: i64) -> At {
    At::clock(Time::from_s(1_795_341_600 + seconds))
}

fn address(operator: usize, nth: usize) -> SocketAddr {
    match nth % 2 {
        0 => format!("192.0.2.{}:53", operator * 16 + nth).parse().unwrap(),
        _ => format!("[2001:db8:{operator:x}::{nth:x}]:53").parse().unwrap(),
    }
}

/// A group at rest: each operator with a KSK and a ZSK, that all addresses of all have.
fn zone(operators: &[&str], addresses: usize) -> ZoneShow {
    let all: Vec<SocketAddr> =
        (0..operators.len()).flat_map(|op| (0..addresses).map(move |n| address(op, n))).collect();
    let mut servers = vec![server("parent", "a0.nic.example", "203.0.113.1:53".parse().unwrap())];
    let mut keys = Vec::new();
    for (op, name) in operators.iter().enumerate() {
        let own: Vec<SocketAddr> = (0..addresses).map(|n| address(op, n)).collect();
        servers.extend(
            own.iter().enumerate().map(|(n, at)| server(name, &format!("ns{}.{name}.example", n / 2 + 1), *at)),
        );
        for (role, tag, ds) in [(KeyRole::Zsk, 9112, None), (KeyRole::Ksk, 11_201, Some(DsState::Present))] {
            keys.push(KeyShow {
                tag: tag + op as u16 * 1000,
                algorithm: 13,
                role,
                owner: Some((*name).to_owned()),
                published_at: all.clone(),
                signing_at: own.clone(),
                ds,
            });
        }
    }
    let standing = |name: &&str| OperatorStanding {
        operator: (*name).to_owned(),
        standing: Standing::Serving,
        wanted: Standing::Serving,
        unreachable: false,
    };
    ZoneShow {
        zone: "shop.example".to_owned(),
        verdict: "Signed by all, the parent agrees, nothing to do.".to_owned(),
        rest: true,
        desired: operators.iter().map(|name| (*name).to_owned()).collect(),
        operators: operators.iter().map(standing).collect(),
        transition: None,
        exposures: Vec::new(),
        parent: ParentShow {
            mode: ParentMode::Scan,
            zone: "example".to_owned(),
            servers: Vec::new(),
            ds: Vec::new(),
            ns: Vec::new(),
        },
        keys,
        rolls: Vec::new(),
        servers,
        hand_to_registrar: None,
        policy: ZonePolicy {
            slack_s: 60,
            stale_s: 259_200,
            data_ttl_max_s: None,
            data_ttl_max_used_s: 3600,
            data_ttl_max_from: "default".to_owned(),
            parent_pipeline_s: 172_800,
            resolver_min_ttl_s: 0,
            resolver_max_ttl_s: 604_800,
        },
        next: None,
        updated_at: Some(at(-4)),
        now: at(0),
    }
}

fn server(who: &str, host: &str, address: SocketAddr) -> ServerShow {
    let (who, host) = (who.to_owned(), host.to_owned());
    ServerShow { who, host, address, last_seen: Some(at(-4)), trouble: None }
}

/// In the middle of a join, with something of everything.
fn busy(operators: &[&str], addresses: usize) -> ZoneShow {
    let mut zone = zone(operators, addresses);
    let newcomer = operators.len() - 1;
    let own: Vec<SocketAddr> = (0..addresses).map(|n| address(newcomer, n)).collect();
    zone.operators[newcomer].standing = Standing::Outside;
    for key in zone.keys.iter_mut().filter(|key| key.owner.as_deref() == Some(operators[newcomer])) {
        key.ds = key.ds.map(|_| DsState::Awaited);
        key.published_at.retain(|at| own.contains(at) || *at == address(0, 0));
    }
    let last = zone.servers.len() - 1;
    zone.servers[2].trouble = Some("does not answer (asked for DNSKEY)".to_owned());
    zone.servers[2].last_seen = Some(at(-9000));
    zone.servers[last].last_seen = None;
    zone.servers[last].trouble = Some("does not answer".to_owned());
    let stray = KeyShow {
        tag: 60_001,
        algorithm: 8,
        role: KeyRole::Zsk,
        owner: None,
        published_at: vec![own[0]],
        signing_at: Vec::new(),
        ds: None,
    };
    zone.keys.push(stray);
    zone
}

fn bar(text: &str, ttl_s: u32, since: Option<i64>, until: Option<i64>, waited_for: bool) -> Bar {
    let dead_at = until.map(|until| at(until + i64::from(ttl_s) + 60));
    Bar { text: text.to_owned(), ttl_s, since: since.map(at), until: until.map(at), dead_at, waited_for }
}

fn lane(who: &str, rtype: &str, bars: Vec<Bar>) -> Lane {
    Lane { who: who.to_owned(), rtype: rtype.to_owned(), bars }
}

fn step(title: &str, state: StepState, earliest: Option<i64>) -> TimelineStep {
    TimelineStep { title: title.to_owned(), state, earliest: earliest.map(at) }
}

/// `b` joins `a`: the DS is there, and what does not know it has to die.
fn joining() -> Timeline {
    Timeline {
        zone: "shop.example".to_owned(),
        from: at(-9000),
        to: at(7200),
        now: at(0),
        lanes: vec![
            lane("parent", "DS", vec![
                bar("key 11201", 3600, None, Some(-600), true),
                bar("keys 11201, 12201", 3600, Some(-600), None, false),
            ]),
            lane("parent", "NS", vec![bar("ns1.a.example, ns2.a.example", 3600, None, None, false)]),
            lane("a", "DNSKEY", vec![
                bar("keys 9112, 11201", 3600, None, Some(-7200), false),
                bar("keys 9112, 10112, 11201, 12201", 3600, Some(-7200), None, false),
            ]),
            lane("a", "NS", vec![bar("ns1.a.example, ns2.a.example", 3600, None, None, false)]),
            lane("b", "DNSKEY", vec![
                bar("keys 10112, 12201", 3600, Some(-8000), Some(-7200), false),
                bar("keys 9112, 10112, 11201, 12201", 3600, Some(-7200), None, false),
            ]),
            lane("b", "NS", vec![bar("ns1.b.example, ns2.b.example", 3600, Some(-8000), None, false)]),
        ],
        guards: vec![TimelineGuard {
            code: "guard-ttl".to_owned(),
            text: "b may be named as name server when no cache holds the DS set without a DS for b (TTL 3600, last served by \
                   a0.nic.example. (203.0.113.1:53) at 2026-11-22T09:50:00Z)"
                .to_owned(),
            opens_at: Some(at(3060)),
        }],
        steps: vec![
            step("every operator serves the keys of all", StepState::Done, None),
            step("every operator asks the parent for the DS of all", StepState::Done, None),
            step("the parent has the DS of all", StepState::Done, None),
            step("every operator serves the new name server set", StepState::Now, Some(3060)),
            step("the parent delegates to the new name server set", StepState::Ahead, Some(3061)),
        ],
    }
}
