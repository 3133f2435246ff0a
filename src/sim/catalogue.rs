//! The records of all worlds: keys, DS and name servers, made once and shared, with the small numbers that stand for them.
//!
//! Invariant: a number always stands for the same octets, in every world, and no two keys have the same tag. The keys
//! cannot sign: who signed what is said beside them, and no mathematics is done.

use super::chance::Rng;
use crate::model::dns::{Dnskey, Name, Rdata, cds_for, ns_rdata};
use crate::model::history::Kind;
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

pub const OPERATORS: u8 = 4;
/// Per operator: the first half sign keys (and, as CSK, everything), the others sign answers only.
pub const KEYS: u16 = 32;
pub const HOSTS: u16 = 8;
/// Set in the number of a DS or CDS record whose digest is SHA-384 instead of SHA-256.
pub const SHA384: u16 = 1 << 15;
/// The one CSYNC record, and the one that says nothing else.
const CSYNC: [u8; 9] = [0, 0, 0, 0, 0, 1, 0, 1, 0x20];

pub struct Catalogue {
    pub zone: Name,
    pub parent_zone: Name,
    keys: Vec<Rdata>,
    digests: [Vec<Rdata>; 2],
    hosts: Vec<Rdata>,
    csync: Rdata,
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

pub fn operator_of_host(host: u16) -> u8 {
    u8::try_from(host / HOSTS).unwrap_or(u8::MAX)
}

pub fn host_name(host: u16) -> String {
    format!("ns{}.{}.", host % HOSTS + 1, label(operator_of_host(host)))
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
        let csync = Rdata::from_canonical(CSYNC.to_vec());
        let mut numbers = HashMap::new();
        let [sha256, sha384] = &digests;
        for records in [&keys, sha256, &hosts] {
            numbers.extend(records.iter().cloned().zip(0..));
        }
        numbers.extend(sha384.iter().cloned().zip(SHA384..));
        numbers.insert(csync.clone(), 0);
        let names = (0..OPERATORS).map(label).collect();
        Catalogue { zone, parent_zone: name("example."), keys, digests, hosts, csync, numbers, names }
    }

    /// The record that a number stands for in an RRset of this kind.
    pub fn record(&self, kind: Kind, number: u16) -> Option<&Rdata> {
        let [sha256, sha384] = &self.digests;
        match kind {
            Kind::Dnskey | Kind::Cdnskey => self.keys.get(usize::from(number)),
            Kind::Ds | Kind::Cds if number & SHA384 != 0 => sha384.get(usize::from(number & !SHA384)),
            Kind::Ds | Kind::Cds => sha256.get(usize::from(number)),
            Kind::Ns | Kind::Delegation => self.hosts.get(usize::from(number)),
            Kind::Csync => Some(&self.csync),
            Kind::Data | Kind::Glue | Kind::Addresses => None,
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
