//! The records of all worlds: keys, DS and name servers, made once and shared, with the small numbers that stand for them.
//!
//! Invariant: a number always stands for the same octets, in every world, and no two keys have the same tag. The keys
//! cannot sign: who signed what is said beside them, and no mathematics is done.

use super::chance::Rng;
use super::oracle::{self, PLACES};
use crate::model::dns::{Dnskey, Name, Rdata, address_rdata, cds_for, ns_rdata};
use crate::model::history::Kind;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::LazyLock;

pub const OPERATORS: u8 = 4;
/// Per operator: the first half sign keys (and, as CSK, everything), the others sign answers only.
pub const KEYS: u16 = 32;
/// Of these, the second half is inside the zone.
pub const HOSTS: u16 = 8;
/// Addresses of one operator, in numbers below this.
const SLOTS: u8 = 4;
/// Set in the number of a DS or CDS record whose digest is SHA-384 instead of SHA-256.
pub const SHA384: u16 = 1 << 15;
/// The two CSYNC records that there are: for NS, and for A and AAAA with it. Both say to act at once.
const CSYNC: [&[u8]; 2] = [&[0, 0, 0, 0, 0, 1, 0, 1, 0x20], &[0, 0, 0, 0, 0, 1, 0, 4, 0x60, 0, 0, 8]];

pub struct Catalogue {
    pub zone: Name,
    pub parent_zone: Name,
    keys: Vec<Rdata>,
    digests: [Vec<Rdata>; 2],
    hosts: Vec<Rdata>,
    leads: Vec<Rdata>,
    csync: [Rdata; 2],
    numbers: HashMap<Rdata, u16>,
    names: Vec<String>,
}

pub fn key_number(operator: u8, nth: u16) -> u16 {
    u16::from(operator) * KEYS + nth % KEYS
}

pub fn is_key_signing(key: u16) -> bool {
    key % KEYS < KEYS / 2
}

/// Of a key, or of a DS or CDS for one.
pub fn operator_of_key(number: u16) -> u8 {
    u8::try_from((number & !SHA384) / KEYS).unwrap_or(u8::MAX)
}

pub fn host_number(operator: u8, nth: u16) -> u16 {
    u16::from(operator) * HOSTS + nth
}

/// The same operator's hosts inside the zone.
pub fn inside_host_number(operator: u8, nth: u16) -> u16 {
    host_number(operator, HOSTS / 2 + nth)
}

pub fn is_inside(host: u16) -> bool {
    host % HOSTS >= HOSTS / 2
}

pub fn place(operator: u8, slot: u8) -> u16 {
    u16::from(operator * SLOTS + slot % SLOTS)
}

/// The record that leads from a host to an operator's address.
pub fn lead(host: u16, operator: u8, slot: u8) -> u16 {
    oracle::lead(host, place(operator, slot))
}

pub fn host_of_lead(lead: u16) -> u16 {
    lead / PLACES
}

pub fn operator_of_lead(lead: u16) -> u8 {
    u8::try_from(lead % PLACES).unwrap_or(0) / SLOTS
}

/// The address that is an operator's with this number.
pub fn ip(operator: u8, slot: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, operator + 1, slot + 1).into()
}

pub fn operator_of_host(host: u16) -> u8 {
    u8::try_from(host / HOSTS).unwrap_or(u8::MAX)
}

pub fn host_name(host: u16) -> String {
    let (nth, operator) = (host % (HOSTS / 2) + 1, label(operator_of_host(host)));
    if is_inside(host) { format!("ns{nth}.{operator}.child.example.") } else { format!("ns{nth}.{operator}.") }
}

/// What the controller calls an operator.
pub fn label(operator: u8) -> String {
    char::from(b'a' + operator % 26).to_string()
}

pub fn operator_of_label(label: &str) -> u8 {
    label.bytes().next().unwrap_or(b'a').saturating_sub(b'a')
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::make);

pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn make() -> Catalogue {
        let name = |text: &str| Name::from_str(text).unwrap_or_default();
        let zone = name("child.example.");
        let mut tags = HashSet::new();
        let mut rng = Rng::new(0);
        let keys: Vec<Rdata> = (0..u16::from(OPERATORS) * KEYS)
            .map(|number| {
                loop {
                    let mut octets = if is_key_signing(number) { vec![1, 1, 3, 13] } else { vec![1, 0, 3, 13] };
                    octets.extend((0..64).map(|_| rng.next() as u8));
                    let key = Rdata::from_canonical(octets);
                    if Dnskey::read(&key).is_some_and(|read| tags.insert(read.key_tag())) {
                        return key;
                    }
                }
            })
            .collect();
        let digests =
            [2, 4].map(|digest| keys.iter().flat_map(|key| cds_for(&zone, [key], &[digest])).collect::<Vec<_>>());
        let hosts: Vec<Rdata> =
            (0..u16::from(OPERATORS) * HOSTS).map(|host| ns_rdata(&name(&host_name(host)))).collect();
        let leads = (0..u16::from(OPERATORS) * HOSTS * PLACES).map(|number| {
            let to = u8::try_from(number % PLACES).unwrap_or(0);
            address_rdata(&name(&host_name(host_of_lead(number))), ip(to / SLOTS, to % SLOTS))
        });
        let leads = leads.collect();
        let csync = CSYNC.map(|octets| Rdata::from_canonical(octets.to_vec()));
        let mut numbers = HashMap::new();
        let [sha256, sha384] = &digests;
        for records in [&keys, sha256, &hosts] {
            numbers.extend(records.iter().cloned().zip(0..));
        }
        numbers.extend(sha384.iter().cloned().zip(SHA384..));
        numbers.extend(csync.iter().cloned().zip(0..));
        let names = (0..OPERATORS).map(label).collect();
        Catalogue { zone, parent_zone: name("example."), keys, digests, hosts, leads, csync, numbers, names }
    }

    /// The record that a number stands for in an RRset of this kind.
    pub fn record(&self, kind: Kind, number: u16) -> Option<&Rdata> {
        let [sha256, sha384] = &self.digests;
        match kind {
            Kind::Dnskey | Kind::Cdnskey => self.keys.get(usize::from(number)),
            Kind::Ds | Kind::Cds if number & SHA384 != 0 => sha384.get(usize::from(number & !SHA384)),
            Kind::Ds | Kind::Cds => sha256.get(usize::from(number)),
            Kind::Ns | Kind::Delegation => self.hosts.get(usize::from(number)),
            Kind::Csync => self.csync.get(usize::from(number)),
            Kind::Glue | Kind::Addresses => self.leads.get(usize::from(number)),
            Kind::Data => None,
        }
    }

    /// The number of a record that somebody wrote; `None`: it is not of this world.
    pub fn number(&self, octets: &[u8]) -> Option<u16> {
        self.numbers.get(&Rdata::from_canonical(octets.to_vec())).copied()
    }

    pub fn label(&self, operator: u8) -> &str {
        self.names.get(usize::from(operator)).map_or("?", String::as_str)
    }
}
