//! One test per rule: a child of two operators, A and B, that is in order; each test makes one thing different.

mod ds;
mod ns;
mod silence;

use super::*;
use crate::model::dns::{DELETE_CDNSKEY, DELETE_CDS, cds_for, ns_rdata};
use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{Algorithm, DnssecSigner, SigningKey};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{DNSClass, RData, Record, RecordSet as Rrs};
use std::str::FromStr;
use std::time::Duration;
use time_of::at;

/// 2026-03-01T00:00:00Z.
const NOW: Time = Time(1_772_323_200_000);
const HOUR_S: i64 = 3600;

mod time_of {
    use super::*;
    use std::time::UNIX_EPOCH;

    pub fn at(time: Time) -> std::time::SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap())
    }
}

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn child() -> Name {
    name("child.example.")
}

struct Pair {
    signer: DnssecSigner,
    rdata: Rdata,
}

fn pair() -> Pair {
    pair_of(Algorithm::ECDSAP256SHA256)
}

fn pair_of(algorithm: Algorithm) -> Pair {
    let der = EcdsaSigningKey::generate_pkcs8(algorithm).unwrap();
    let key = EcdsaSigningKey::from_pkcs8(&der, algorithm).unwrap();
    let dnskey = DNSKEY::with_flags(257, key.to_public_key().unwrap());
    let rdata = Rdata::of(&RData::DNSSEC(DNSSECRData::DNSKEY(dnskey.clone()))).unwrap();
    Pair { signer: DnssecSigner::new(dnskey, Box::new(key), child(), Duration::from_secs(14 * 86_400)), rdata }
}

/// An RRset signed by `keys` since `age_s` seconds.
fn signed(owner: &Name, rtype: RecordType, records: RecordSet, keys: &[&Pair], age_s: i64) -> Rrset {
    let mut set = Rrs::new(owner.clone(), rtype, 0);
    for rdata in &records {
        set.insert(Record::from_rdata(owner.clone(), 300, rdata.parse(rtype).unwrap()), 0);
    }
    let inception = at(Time(NOW.0 - age_s * 1000)).into();
    let sign = |pair: &&Pair| {
        let rrsig = RRSIG::from_rrset(&set, DNSClass::IN, inception, &pair.signer).unwrap();
        Rdata::of(&RData::DNSSEC(DNSSECRData::RRSIG(rrsig))).unwrap()
    };
    Rrset { signatures: keys.iter().map(sign).collect(), records, ttl_s: 300 }
}

fn set<const N: usize>(records: [Rdata; N]) -> RecordSet {
    records.into_iter().collect()
}

fn ds(keys: &[&Pair]) -> RecordSet {
    cds_for(&child(), keys.iter().map(|k| &k.rdata), &[2])
}

fn soa(serial: u32) -> RecordSet {
    set([Rdata::of(&RData::SOA(SOA::new(child(), child(), serial, 3600, 600, 86_400, 300))).unwrap()])
}

fn ns(hosts: &[&str]) -> RecordSet {
    hosts.iter().map(|host| ns_rdata(&name(host))).collect()
}

/// RFC 7477 §2.1, types given by number; all below 256.
fn csync(serial: u32, flags: u16, types: &[u8]) -> RecordSet {
    let mut bitmap = [0u8; 32];
    for t in types {
        bitmap[usize::from(t / 8)] |= 0x80 >> (t % 8);
    }
    let length = usize::from(types.iter().max().unwrap() / 8) + 1;
    let mut wire = serial.to_be_bytes().to_vec();
    wire.extend(flags.to_be_bytes());
    wire.extend([0, u8::try_from(length).unwrap()]);
    wire.extend(&bitmap[..length]);
    set([Rdata::from_canonical(wire)])
}

/// Operators A and B with one key each, both in both DNSKEY sets; the newcomer C, whose key is everywhere but whose DS is not.
struct World {
    a: Pair,
    b: Pair,
    c: Pair,
    observed: Observed,
    acted_on: ActedOn,
    rules: Rules,
}

const A: usize = 0;
const B: usize = 1;

impl World {
    /// Nothing is asked for.
    fn at_rest() -> World {
        let (a, b, c) = (pair(), pair(), pair());
        let keys = set([a.rdata.clone(), b.rdata.clone(), c.rdata.clone()]);
        let parent = AtParent {
            ds: Held { records: ds(&[&a, &b]), ttl_s: 3600 },
            ns: Held { records: ns(&["ns1.a.test.", "ns2.b.test."]), ttl_s: 3600 },
            glue: BTreeMap::new(),
        };
        let server = |host: &str, address: &str, own: &Pair| {
            let apex = |rtype, records| Ok(signed(&child(), rtype, records, &[own], HOUR_S));
            Seen {
                dnskey: apex(RecordType::DNSKEY, keys.clone()),
                cds: Ok(Rrset::default()),
                cdnskey: Ok(Rrset::default()),
                csync: Ok(Rrset::default()),
                ns: apex(RecordType::NS, ns(&["ns1.a.test.", "ns2.b.test."])),
                soa_before: apex(RecordType::SOA, soa(7)),
                soa_after: apex(RecordType::SOA, soa(7)),
                ..Seen::nothing(name(host), address.parse().unwrap())
            }
        };
        let servers = vec![server("ns1.a.test.", "192.0.2.1:53", &a), server("ns2.b.test.", "[fd00::12]:53", &b)];
        let observed = Observed {
            child: child(),
            parent,
            servers,
            unresolved: BTreeMap::new(),
            newcomers: Vec::new(),
            newcomers_unresolved: BTreeMap::new(),
        };
        World { a, b, c, observed, acted_on: ActedOn::default(), rules: Rules::default() }
    }

    fn operators(&self) -> [&Pair; 2] {
        [&self.a, &self.b]
    }

    fn set_cds(&mut self, server: usize, records: RecordSet) {
        let set = signed(&child(), RecordType::CDS, records, &[self.operators()[server]], HOUR_S);
        self.observed.servers[server].cds = Ok(set);
    }

    fn set_cdnskey(&mut self, server: usize, records: RecordSet) {
        let set = signed(&child(), RecordType::CDNSKEY, records, &[self.operators()[server]], HOUR_S);
        self.observed.servers[server].cdnskey = Ok(set);
    }

    /// C is to be let in: CDS and CDNSKEY of all three at both servers.
    fn asking_for_c() -> World {
        let mut world = World::at_rest();
        let records = ds(&[&world.a, &world.b, &world.c]);
        let keys = set([world.a.rdata.clone(), world.b.rdata.clone(), world.c.rdata.clone()]);
        for server in [A, B] {
            world.set_cds(server, records.clone());
            world.set_cdnskey(server, keys.clone());
        }
        world
    }

    fn set_csync(&mut self, server: usize, records: RecordSet) {
        let set = signed(&child(), RecordType::CSYNC, records, &[self.operators()[server]], HOUR_S);
        self.observed.servers[server].csync = Ok(set);
    }

    fn set_ns(&mut self, server: usize, hosts: &[&str]) {
        let set = signed(&child(), RecordType::NS, ns(hosts), &[self.operators()[server]], HOUR_S);
        self.observed.servers[server].ns = Ok(set);
    }

    fn set_address(&mut self, server: usize, host: &str, v4: &[[u8; 4]]) {
        let records: RecordSet = v4.iter().map(|ip| Rdata::from_canonical(ip.to_vec())).collect();
        let a = signed(&name(host), RecordType::A, records, &[self.operators()[server]], HOUR_S);
        let answers = HostAnswers { a: Ok(a), aaaa: Ok(Rrset::default()) };
        self.observed.servers[server].hosts.insert(name(host), answers);
    }

    /// The name servers are to be A's, B's and one inside the child, which is a second address of B.
    fn asking_for_a_server_inside() -> World {
        let mut world = World::at_rest();
        for server in [A, B] {
            world.set_csync(server, csync(7, 1, &[1, 2, 28]));
            world.set_ns(server, &["ns1.a.test.", "ns2.b.test.", "ns3.child.example."]);
            world.set_address(server, "ns3.child.example.", &[[192, 0, 2, 3]]);
        }
        let mut newcomer = world.observed.servers[B].clone();
        (newcomer.host, newcomer.address) = (name("ns3.child.example."), "192.0.2.3:53".parse().unwrap());
        world.observed.newcomers.push(newcomer);
        world
    }

    fn decide(&self) -> Decision {
        decide(&self.observed, &self.acted_on, self.rules, NOW)
    }

    /// Asserts that nothing is changed, and that the verdict says all of `words`.
    fn refuses(&self, words: &[&str]) -> Decision {
        let decision = self.decide();
        let verdict = decision.verdict.join("; ");
        assert!(decision.ds.is_none() && decision.ns.is_none(), "there is a change: {verdict}");
        for word in words {
            assert!(verdict.contains(word), "{word:?} is not in {verdict:?}");
        }
        decision
    }
}
