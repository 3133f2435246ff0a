//! Who answers and who is written to: addresses, operators with their interfaces, a parent. They do what they are told and
//! have the faults that a test gives them.

use crate::world::{TTL_S, child, name};
use chorus::model::dns::{Csync, Name, Rdata, RecordSet, RecordType, cds_for, ns_name, ns_rdata};
use chorus::model::history::{Failure, Kind, Outcome, Served, Server, Who};
use chorus_providers::{Change, ProviderError, Rrset, Wanted};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is served, by kind.
#[derive(Clone, Default)]
pub struct Zone(pub BTreeMap<Kind, Served>);

impl Zone {
    pub fn set(&mut self, kind: Kind, records: RecordSet) {
        self.0.entry(kind).or_insert_with(|| served(RecordSet::new(), None)).records = records;
    }

    pub fn records(&self, kind: Kind) -> &RecordSet {
        &self.0[&kind].records
    }

    pub fn rrset(&self, rtype: RecordType) -> Rrset {
        let served = &self.0[&kind_of(rtype)];
        Rrset { rtype, ttl_s: served.ttl_s, records: served.records.iter().map(|r| r.as_wire().to_vec()).collect() }
    }
}

fn served(records: RecordSet, signer: Option<&Rdata>) -> Served {
    Served { records, ttl_s: TTL_S, signers: signer.into_iter().cloned().collect(), expires: None }
}

fn kind_of(rtype: RecordType) -> Kind {
    Kind::OPERATOR.into_iter().find(|kind| kind.record_type() == rtype).unwrap()
}

/// One address of one name server.
pub struct Address {
    pub server: Server,
    pub shows: Zone,
    /// What is wrong with every answer.
    pub failure: Option<Failure>,
    /// What is wrong with the next answers of a kind, one after the other.
    pub failures: BTreeMap<Kind, VecDeque<Failure>>,
    /// How long after the interface it follows; it does not while `frozen`.
    pub lag_ms: i64,
    pub frozen: bool,
    /// What it answers beside the apex does not validate.
    pub rotten: bool,
}

impl Address {
    fn new(who: Who, host: Name, address: &str) -> Address {
        let server = Server { who, host: host.into(), address: address.parse().unwrap() };
        let (shows, failures) = (Zone::default(), BTreeMap::new());
        Address { server, shows, failure: None, failures, lag_ms: 0, frozen: false, rotten: false }
    }

    /// Takes over what its operator has; says whether a parent would find news in it.
    pub fn publish(&mut self, zone: Zone) -> bool {
        if self.frozen {
            return false;
        }
        let asking = [Kind::Cds, Kind::Cdnskey, Kind::Csync];
        let news = asking.iter().any(|kind| self.shows.0.get(kind) != zone.0.get(kind));
        self.shows = zone;
        news
    }

    pub fn fails(&self, kind: Kind) -> Option<Failure> {
        let next = || self.failures.get(&kind).and_then(|failures| failures.front());
        self.failure.clone().or_else(|| next().cloned())
    }

    pub fn answer(&mut self, kind: Kind) -> Outcome {
        if let Some(failure) = self.fails(kind) {
            self.failures.entry(kind).or_default().pop_front();
            return Outcome::Failed(failure);
        }
        Outcome::Served(self.shows.0[&kind].clone())
    }
}

/// What an interface does with a write other than doing it.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// It says yes, and does nothing.
    NotApplied,
    /// It says yes, and does the first set only.
    HalfApplied,
    /// It does it, and the answer is lost.
    ReplyLost,
    /// It says yes, and its own signer puts back what was there, at once.
    Reverted,
}

/// An operator: keys, name servers with two addresses, and an interface.
pub struct Operator {
    pub name: String,
    pub ksk: Rdata,
    pub zsk: Rdata,
    /// What the interface has.
    pub zone: Zone,
    pub addresses: Vec<Address>,
    /// What every write is answered with.
    pub refuses: Option<ProviderError>,
    /// What happens to the next writes, one after the other.
    pub mishaps: VecDeque<Mishap>,
    /// Writes that were sent.
    pub sent: usize,
    /// Whether requests are counted.
    pub counted: bool,
    /// What is written is stored and not published; whether the interface says so.
    pub unpublished: Option<bool>,
    /// How often it was made to publish again.
    pub published_again: usize,
    /// Zones in which the credential may write nothing.
    pub refuses_in: BTreeSet<Name>,
    /// The next probes are put off for so many seconds each.
    pub puts_off: VecDeque<u32>,
    /// The keys that its interface says are not its own; `None`: it does not tell.
    pub foreign: Option<RecordSet>,
    /// What a listing of its zone shows; `None`: it may not be listed.
    pub largest_ttl_s: Option<u32>,
}

/// A key that differs from all others.
pub fn key(flags: u16, algorithm: u8, seed: &str) -> Rdata {
    let mut wire = flags.to_be_bytes().to_vec();
    wire.extend([3, algorithm]);
    wire.extend(seed.bytes().cycle().take(64));
    Rdata::from_canonical(wire)
}

/// Another key with the tag, the algorithm and the flags of this one: the sum of its octets is the same (RFC 4034 Appendix B).
pub fn twin_of(key: &Rdata) -> Rdata {
    let mut wire = key.as_wire().to_vec();
    (wire[4], wire[6]) = (wire[4] + 1, wire[6] - 1);
    Rdata::from_canonical(wire)
}

impl Operator {
    /// With name servers of its own.
    pub fn new(operator: &str) -> Operator {
        Operator::with_hosts(operator, |i| format!("ns{i}.{operator}.example."))
    }

    pub fn with_hosts(operator: &str, host: impl Fn(usize) -> String) -> Operator {
        let who = || Who::Operator(operator.to_owned());
        let number = operator.as_bytes()[0] - b'a' + 10;
        let address = |i| Address::new(who(), name(&host(i)), &format!("192.0.{i}.{number}:53"));
        let addresses = (1..=2).map(address).collect();
        let mut operator = Operator {
            name: operator.to_owned(),
            ksk: key(257, 13, &format!("ksk of {operator}")),
            zsk: key(256, 13, &format!("zsk of {operator}")),
            zone: Zone::default(),
            addresses,
            refuses: None,
            mishaps: VecDeque::new(),
            sent: 0,
            counted: false,
            unpublished: None,
            published_again: 0,
            refuses_in: BTreeSet::new(),
            puts_off: VecDeque::new(),
            foreign: None,
            largest_ttl_s: None,
        };
        let own = RecordSet::from([operator.ksk.clone(), operator.zsk.clone()]);
        let (ksk, zsk) = (operator.ksk.clone(), operator.zsk.clone());
        let none = RecordSet::new;
        for (kind, records, signer) in [
            (Kind::Dnskey, own, Some(&ksk)),
            (Kind::Cds, cds_for(&child(), [&ksk], &[2]), Some(&ksk)),
            (Kind::Cdnskey, RecordSet::from([ksk.clone()]), Some(&ksk)),
            (Kind::Csync, none(), None),
            (Kind::Ns, operator.ns(), Some(&zsk)),
            (Kind::Data, none(), Some(&zsk)),
        ] {
            operator.zone.0.insert(kind, served(records, signer));
        }
        for address in &mut operator.addresses {
            address.shows = operator.zone.clone();
        }
        operator
    }

    /// Its first name server has one more address, of which Chorus was not told.
    pub fn has_another_address(&mut self, address: &str) {
        let first = self.addresses[0].server.clone();
        let shows = self.zone.clone();
        self.addresses.push(Address { shows, ..Address::new(first.who, Name::clone(&first.host), address) });
    }

    pub fn hosts(&self) -> BTreeSet<Name> {
        self.addresses.iter().map(|address| Name::clone(&address.server.host)).collect()
    }

    /// The NS records that name it.
    pub fn ns(&self) -> RecordSet {
        self.hosts().iter().map(ns_rdata).collect()
    }

    /// Whether its own zone names another operator.
    pub fn names(&self, other: &Operator) -> bool {
        self.addresses.iter().any(|address| !other.ns().is_disjoint(address.shows.records(Kind::Ns)))
    }

    pub fn apply(&mut self, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        if let Some(refusal) = &self.refuses {
            return Err(refusal.clone());
        }
        let before = self.zone.clone();
        let mishap = self.mishaps.pop_front();
        let mut changes = Vec::new();
        for one in wanted {
            let octets = |set: &BTreeSet<Vec<u8>>| -> RecordSet {
                set.iter().map(|octets| Rdata::from_canonical(octets.clone())).collect()
            };
            let kind = kind_of(one.rtype());
            let old = self.zone.records(kind).clone();
            let new: RecordSet = match one {
                Wanted::Exactly { records, .. } => octets(records),
                Wanted::Partly { with, without, .. } => {
                    old.union(&octets(with)).filter(|record| !octets(without).contains(*record)).cloned().collect()
                }
            };
            let wire = |set: &RecordSet| set.iter().map(|record| record.as_wire().to_vec()).collect();
            let (added, removed) = (&new - &old, &old - &new);
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            changes.push(Change { rtype: one.rtype(), added: wire(&added), removed: wire(&removed) });
            let is_done = match mishap {
                Some(Mishap::NotApplied) => false,
                Some(Mishap::HalfApplied) => changes.len() == 1,
                _ => true,
            };
            if is_done {
                self.zone.set(kind, new);
                let signer = if kind == Kind::Dnskey || kind == Kind::Cds || kind == Kind::Cdnskey {
                    self.ksk.clone()
                } else {
                    self.zsk.clone()
                };
                self.zone.0.entry(kind).and_modify(|served| served.signers = [signer].into());
            }
        }
        match mishap {
            Some(Mishap::Reverted) => self.zone = before,
            Some(Mishap::ReplyLost) => {
                let server = self.addresses[0].server.address;
                let reason = "the answer was lost".into();
                return Err(ProviderError::OutcomeUnknown { server, zone: child().to_string(), reason });
            }
            _ => {}
        }
        Ok(changes)
    }
}

/// The parent: two servers, and an agent that does what all whom it delegates to ask for.
pub struct Parent {
    pub addresses: Vec<Address>,
    /// How soon it acts on a CDS or CSYNC that has changed; `None`: it does not notice.
    pub acts_after_ms: Option<i64>,
    /// How often it looks by itself.
    pub scans_every_ms: Option<i64>,
    /// An address that does not follow.
    pub forgets: Option<usize>,
}

impl Parent {
    pub fn new() -> Parent {
        let address = |i| Address::new(Who::Parent, name("example."), &format!("198.51.100.{i}:53"));
        let (acts_after_ms, scans_every_ms, forgets) = (Some(500), None, None);
        Parent { addresses: vec![address(1), address(2)], acts_after_ms, scans_every_ms, forgets }
    }

    /// As it was before Chorus came.
    pub fn delegate_to(&mut self, operator: &Operator) {
        let (ds, ns) = (cds_for(&child(), [&operator.ksk], &[2]), operator.ns());
        for address in &mut self.addresses {
            address.shows.set(Kind::Ds, ds.clone());
            address.shows.set(Kind::Delegation, ns.clone());
        }
    }

    pub fn set(&mut self, kind: Kind, records: RecordSet) {
        for address in &mut self.addresses {
            address.shows.set(kind, records.clone());
        }
    }

    pub fn ds(&self) -> &RecordSet {
        self.addresses[0].shows.records(Kind::Ds)
    }

    /// Does what every address that answers, of every operator that it delegates to, asks for; says what it did.
    pub fn scan(&mut self, operators: &BTreeMap<String, Operator>) -> Vec<String> {
        let delegated: BTreeSet<Name> =
            self.addresses[0].shows.records(Kind::Delegation).iter().filter_map(|ns| ns_name(ns).ok()).collect();
        let asked: Vec<&Address> = operators
            .values()
            .flat_map(|operator| &operator.addresses)
            .filter(|address| delegated.contains(&address.server.host) && address.failure.is_none())
            .collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let unanimous = |kind: Kind| -> Option<RecordSet> {
            let sets: BTreeSet<&RecordSet> = asked.iter().map(|address| address.shows.records(kind)).collect();
            sets.into_iter().next().filter(|set| asked.iter().all(|a| a.shows.records(kind) == *set)).cloned()
        };
        let mut did = Vec::new();
        let wanted_ds = unanimous(Kind::Cds).filter(|set| !set.is_empty());
        let csync = unanimous(Kind::Csync).filter(|set| set.iter().all(|csync| Csync::read(csync).is_ok()));
        let wanted_ns = csync.filter(|set| !set.is_empty()).and_then(|_| unanimous(Kind::Ns));
        for (kind, wanted) in [(Kind::Ds, wanted_ds), (Kind::Delegation, wanted_ns)] {
            let Some(wanted) = wanted else { continue };
            for (index, address) in self.addresses.iter_mut().enumerate() {
                if self.forgets != Some(index) && *address.shows.records(kind) != wanted {
                    address.shows.set(kind, wanted.clone());
                    did.push(format!("the parent has a new {kind} set at {}", address.server.address));
                }
            }
        }
        did
    }
}
