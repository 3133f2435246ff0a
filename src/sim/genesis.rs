//! How a world begins: what is left to chance in it, drawn from its seed.
//!
//! Invariant: the values are such as the field has (TTLs, lags, pipelines, peculiarities of servers), scaled down in most
//! worlds so that a wait takes minutes; what follows from them is the same.

use super::address::{Address, Content};
use super::catalogue::{OPERATORS, catalogue, host_name, host_number, inside_host_number, ip, label};
use super::chance::Rng;
use super::edge::{Edge, SPARE};
use super::late::Late;
use super::log::Log;
use super::operator::{Operator, Ways};
use super::oracle::{self, Oracle};
use super::parent::Parent;
use super::roll::Lives;
use super::whims::Whims;
use super::world::{Odds, World};
use crate::engine::Pace;
use crate::model::history::{Kind, Server, Who};
use crate::model::policy::Policy;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// 2026-01-01.
const BEGIN_MS: i64 = 1_767_225_600_000;

impl World {
    pub fn new(seed: u64, keep_log: bool) -> World {
        let mut rng = Rng::new(seed);
        let long = rng.chance(8);
        let rare = |rng: &mut Rng, percent: u64, low: i64, high: i64| {
            if rng.chance(percent) { u64::try_from(rng.between(low, high)).unwrap_or(0) } else { 0 }
        };
        let policy = Policy {
            parent_profile: None,
            parent_manual: None,
            slack_s: 5 + rare(&mut rng, 50, 0, 60),
            stale_s: if long { 3 * 86_400 } else { rare(&mut rng, 40, 1, 600) },
            data_ttl_max_s: None,
            parent_pipeline_s: if long { 172_800 } else { 10 + rare(&mut rng, 80, 0, 1800) },
            resolver_min_ttl_s: rare(&mut rng, 20, 1, 120),
            // Data of these worlds are never bogus by themselves.
            sample_every_s: 0,
            gap_max_s: 3600,
            registrar_max_s: 0,
            resolver_max_ttl_s: if rng.chance(15) { rng.between(300, 3600).unsigned_abs() } else { 7 * 86_400 },
            delegation: String::new(),
        };
        let longest_ttl_s: i64 = if long { 86_400 } else { rng.pick(&[300, 900, 3600]).unwrap_or(3600) };
        // A wait for the longest-lived of everything takes a few turns, whether that is minutes or days.
        let life_s = i64::try_from(policy.cached(longest_ttl_s.unsigned_abs()).as_secs() + policy.stale_s).unwrap_or(0);
        let quickest_s = (life_s / rng.between(4, 24)).max(2);
        let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        let pace = Pace {
            quickest: seconds(quickest_s),
            slowest: seconds((life_s / 2).max(quickest_s * 4)),
            rest: seconds(quickest_s * rng.between(4, 12) + 60),
        };
        let odds = Odds {
            lost: rare(&mut rng, 60, 1, 2),
            repeated: rare(&mut rng, 30, 1, 5),
            late_ms: if rng.chance(50) { rng.between(0, 4000) } else { 0 },
            write_fails: rare(&mut rng, 40, 1, 12),
            crashes: rare(&mut rng, 40, 1, 8),
        };
        let lag_s = if rng.chance(50) { rng.between(0, 60) } else { rng.between(0, 400) };
        let pipeline_s = i64::try_from(policy.parent_pipeline_s).unwrap_or(i64::MAX / 2000);
        let parent_lag_ms = rng.between(0, (pipeline_s / 2).min(300)) * 1000;
        let mut ttls = rng.fork();
        let mut ttl = move || {
            let seconds = match ttls.between(0, 99) {
                0..70 => ttls.between(5, longest_ttl_s / 4),
                70..95 => ttls.between(longest_ttl_s / 4, longest_ttl_s),
                _ => longest_ttl_s,
            };
            u32::try_from(seconds).unwrap_or(3600)
        };
        let parent = Parent::by_chance(&mut rng, pipeline_s, parent_lag_ms, ttl(), ttl());
        let settings = oracle_settings(&policy);
        let mut world = World {
            now_ms: BEGIN_MS,
            whims: Whims::new(seed),
            log: Log::new(keep_log),
            operators: Vec::new(),
            parent,
            addresses: Vec::new(),
            policy,
            pace,
            odds,
            at_fault_ms: None,
            hasty: false,
            reverts: false,
            dies: false,
            wanted: Default::default(),
            oracle: Oracle::new(rng.next(), settings),
            view: Vec::new(),
            view_since_ms: BEGIN_MS,
            late_arrivals: 0,
            asked_until_ms: [i64::MIN; OPERATORS as usize],
            asked_since_ms: [i64::MIN; OPERATORS as usize],
            fates: Vec::new(),
            version: 0,
            rolls_due_ms: i64::MAX,
            lives: Lives::default(),
            edge: Edge::by_chance(seed, longest_ttl_s),
            late: Late::by_chance(seed, life_s),
            rng,
        };
        world.policy.registrar_max_s = world.late.longest_s;
        let parents = world.rng.between(1, 2);
        for nth in 0..if world.edge.has_copy { 2 } else { parents } {
            let lag_ms = world.rng.between(0, parent_lag_ms);
            world.add_address(None, u16::try_from(nth).unwrap_or(0), u8::try_from(nth).unwrap_or(0), lag_ms);
        }
        let count = u8::try_from(world.rng.between(2, i64::from(OPERATORS) - 1)).unwrap_or(2);
        for number in 0..count {
            let inside = world.edge.inside.get(usize::from(number)).copied().unwrap_or(false);
            let strips = world.edge.strips && world.edge.chance(50);
            let ways = Ways { inside, strips, ..Ways::by_chance(&mut world.rng) };
            let addresses = world.rng.between(1, 2);
            let hosts = if addresses == 2 && world.rng.chance(70) { 2 } else { 1 };
            world.operators.push(Operator::new(number, ways, hosts, &mut ttl));
            for nth in 0..addresses {
                let nth = u8::try_from(nth).unwrap_or(0);
                let of = if inside { inside_host_number } else { host_number };
                let host = of(number, u16::from(nth).min(hosts - 1));
                let lag_ms = if nth == 0 { world.rng.between(0, 2000) } else { world.rng.between(0, lag_s * 1000) };
                world.add_address(Some(number), host, nth, lag_ms);
            }
            if world.edge.spare.get(usize::from(number)).copied().unwrap_or(false) {
                let of = if inside { inside_host_number } else { host_number };
                let longest_ms = if world.edge.chance(30) { 10_000_000 } else { 400_000 };
                let lag_ms = world.edge.between(0, longest_ms);
                world.add_address(Some(number), of(number, 0), SPARE, lag_ms);
            }
        }
        if world.edge.has_twin && count > 2 {
            let of_last = world.addresses.iter_mut().filter(|address| address.operator == Some(count - 1));
            of_last.for_each(|address| address.mirrors = Some(0));
        }
        if world.edge.listing_fails == 0 && world.operators.iter().any(|op| !op.ways.shows_zone) {
            // Somebody has to say it, for not every interface does.
            world.policy.data_ttl_max_s = Some(longest_ttl_s.unsigned_abs());
        }
        match world.rng.between(0, 99) {
            0..5 => world.hasty = true,
            5..9 => world.reverts = true,
            9..14 => world.dies = true,
            _ => {}
        }
        world.begin();
        world
    }

    fn add_address(&mut self, operator: Option<u8>, host: u16, slot: u8, lag_ms: i64) {
        let (who, name, at): (_, _, IpAddr) = match operator {
            None => (Who::Parent, catalogue().parent_zone.clone(), Ipv4Addr::new(198, 51, 0, slot + 1).into()),
            Some(operator) => {
                (Who::Operator(label(operator)), host_name(host).parse().unwrap_or_default(), ip(operator, slot))
            }
        };
        let server = Server { who, host: name.into(), address: SocketAddr::from((at, 53)) };
        let address = Address::new(operator, server, host, slot, lag_ms);
        self.view.push(address.empty_view());
        self.addresses.push(address);
    }

    /// The first operators are in already, and everybody shows what it has.
    fn begin(&mut self) {
        let several = self.operators.len() > 2 && self.rng.chance(40);
        let first: Vec<u8> = (0..if several { 2 } else { 1 }).collect();
        let of = |world: &World, what: fn(&Operator) -> Vec<u16>| -> Vec<u16> {
            first.iter().filter_map(|op| world.operators.get(usize::from(*op))).flat_map(what).collect()
        };
        let (keys, hosts) = (of(self, |op| op.own.clone()), of(self, |op| op.hosts.clone()));
        let key_signing = of(self, |op| op.signs_keys.clone());
        for op in self.operators.iter_mut().filter(|op| first.contains(&op.number)) {
            op.set(Kind::Dnskey, keys.clone());
            op.set(Kind::Ns, hosts.clone());
            if several {
                op.set(Kind::Cds, key_signing.clone());
                op.set(Kind::Cdnskey, key_signing.clone());
            }
            if let Some(wanted) = self.wanted.get_mut(usize::from(op.number)) {
                *wanted = true;
            }
        }
        (self.parent.ds, self.parent.delegation) = (key_signing, hosts);
        self.begin_edge(&first);
        for number in 0..self.operators.len() {
            let Some(op) = self.operators.get(number) else { continue };
            let contents = op.all_contents(&mut self.version);
            for address in self.addresses.iter_mut().filter(|a| a.mirrors == Some(number as u8)) {
                address.will_show(i64::MIN, &contents);
            }
        }
        for (kind, set, ttl_s) in [
            (Kind::Ds, self.parent.ds.clone(), self.parent.ds_ttl_s),
            (Kind::Delegation, self.parent.delegation.clone(), self.parent.delegation_ttl_s),
        ] {
            self.version += 1;
            let content = Arc::new(Content::new(kind, self.version, &set, ttl_s, &[]));
            for address in self.addresses.iter_mut().filter(|address| address.operator.is_none()) {
                address.will_show(i64::MIN, std::slice::from_ref(&content));
            }
        }
        for number in 0..self.addresses.len() {
            self.catch_up(number);
        }
        let (now_ms, mut rng) = (self.now_ms, self.rng.fork());
        self.parent.schedule_scan(now_ms, &mut rng);
        self.lives = self.lives();
    }

    /// How long the longest-lived of everything lives, for operators that roll keys well.
    fn lives(&self) -> Lives {
        let life = |ttl_s: Option<u32>| self.life_ms(ttl_s.unwrap_or_default()) + 10_000;
        let pace = self.pace.rest.max(self.pace.slowest).as_millis();
        let of_keys = [Kind::Dnskey, Kind::Cds, Kind::Cdnskey];
        Lives {
            keys_ms: life(self.operators.iter().map(|op| op.ttl_s(Kind::Dnskey)).max()),
            signed_by_keys_ms: life(self.operators.iter().flat_map(|op| of_keys.map(|kind| op.ttl_s(kind))).max()),
            ds_ms: life(Some(self.parent.ds_ttl_s)),
            data_ms: life(self.operators.iter().map(Operator::largest_ttl_s).max()),
            watched_ms: i64::try_from(pace).unwrap_or(0) * 3 + 600_000,
        }
    }
}

fn oracle_settings(policy: &Policy) -> oracle::Settings {
    let seconds = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
    oracle::Settings {
        stale_s: seconds(policy.stale_s),
        ttl_min_s: seconds(policy.resolver_min_ttl_s),
        ttl_cap_s: seconds(policy.resolver_max_ttl_s),
        flight_s: seconds(policy.slack_s),
        // Silence is nobody's fault but theirs who are silent.
        silence_s: u32::MAX,
        ..oracle::Settings::default()
    }
}
