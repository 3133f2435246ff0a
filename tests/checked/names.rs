//! The records of the small world, and the numbers that stand for them in its states.
//!
//! Invariant: a set of records is one bit per key, or one bit per operator, and back; whoever holds records that are not
//! of this world fails.

use crate::world::{Keys, Operators};
use chorus::model::dns::{Name, Rdata, RecordSet, cds_for, ns_rdata};
use chorus::model::history::{Kind, Server, Who};
use std::str::FromStr;

/// Bits per operator in [`Keys`]: two keys with the secure entry point bit, two without.
pub const KEYS_EACH: u8 = 4;

pub struct Names {
    pub zone: Name,
    pub parent: Server,
    /// Every address of the operators, in the order of the world's addresses.
    pub addresses: Vec<Server>,
    keys: Vec<Rdata>,
    ds: Vec<Rdata>,
    ns: Vec<Rdata>,
    csync: Rdata,
}

pub fn label(operator: u8) -> String {
    char::from(b'a' + operator).to_string()
}

pub fn host(operator: u8) -> Name {
    Name::from_str(&format!("ns.{}.", label(operator))).unwrap()
}

/// The operators in a set.
pub fn each(set: Operators) -> impl Iterator<Item = u8> {
    (0..8).filter(move |op| set & 1 << op != 0)
}

impl Names {
    /// `address_of`: whose each address is.
    pub fn new(address_of: &[u8]) -> Names {
        let zone = Name::from_str("child.example.").unwrap();
        let operators = address_of.iter().max().unwrap() + 1;
        let key = |number: u8| {
            let mut octets = if number % KEYS_EACH < 2 { vec![1, 1, 3, 13] } else { vec![1, 0, 3, 13] };
            octets.extend((0..64u8).map(|i| i.wrapping_mul(7).wrapping_add(number)));
            Rdata::from_canonical(octets)
        };
        let keys: Vec<Rdata> = (0..operators * KEYS_EACH).map(key).collect();
        let ds = keys.iter().map(|key| cds_for(&zone, [key], &[2]).pop_first().unwrap()).collect();
        let parent = Server {
            who: Who::Parent,
            host: Name::from_str("ns.parent.").unwrap().into(),
            address: "192.0.2.1:53".parse().unwrap(),
        };
        let server = |(index, op): (usize, &u8)| Server {
            who: Who::Operator(label(*op)),
            host: host(*op).into(),
            address: format!("198.51.100.{}:53", index + 1).parse().unwrap(),
        };
        Names {
            zone,
            parent,
            addresses: address_of.iter().enumerate().map(server).collect(),
            keys,
            ds,
            ns: (0..operators).map(|op| ns_rdata(&host(op))).collect(),
            csync: Rdata::from_canonical(vec![0, 0, 0, 0, 0, 1, 0, 1, 0x20]),
        }
    }

    fn table(&self, kind: Kind) -> &[Rdata] {
        match kind {
            Kind::Dnskey | Kind::Cdnskey => &self.keys,
            Kind::Ds | Kind::Cds => &self.ds,
            Kind::Ns | Kind::Delegation => &self.ns,
            Kind::Csync => std::slice::from_ref(&self.csync),
            Kind::Data | Kind::Glue | Kind::Addresses => &[],
        }
    }

    pub fn records(&self, kind: Kind, set: u16) -> RecordSet {
        let table = self.table(kind).iter().enumerate();
        table.filter(|(bit, _)| set & 1 << bit != 0).map(|(_, record)| record.clone()).collect()
    }

    pub fn number(&self, kind: Kind, records: &RecordSet) -> u16 {
        let bit = |record: &Rdata| self.table(kind).iter().position(|own| own == record);
        records.iter().map(|record| 1 << bit(record).unwrap_or_else(|| panic!("{kind}: not of this world"))).sum()
    }

    pub fn signers(&self, keys: Keys) -> RecordSet {
        self.records(Kind::Dnskey, keys)
    }
}
