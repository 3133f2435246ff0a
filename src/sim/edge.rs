//! What lies at the edge of the model in some worlds: where the names of name servers lead to, servers of the parent that have
//! a copy of the zone, an operator that is a secondary of another, data that are bogus at one address, listings that fail.
//!
//! Invariant: a stream of chance of its own, so that a world without any of it is as it would be without this. What is done
//! with it does not belong here, but in `moves`.

use super::address::{Address, Content};
use super::catalogue::{OPERATORS, host_name, host_of_lead, is_inside, lead, operator_of_host};
use super::chance::Rng;
use super::fate::Fate;
use super::oracle::Whose;
use super::world::World;
use crate::model::history::{Kind, Server};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who says where a host leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operator's zone, of hosts inside it.
    Zone(u8),
    /// The rest of the DNS, of hosts outside the zone.
    Public,
    /// The parent, of hosts inside the zone.
    Glue,
}

/// Where hosts lead to, by the operator whose hosts they are.
type Leads = BTreeMap<u8, Vec<u16>>;

/// An address that is added or given up, beside those of the settings.
pub const SPARE: u8 = 2;

#[derive(Default)]
pub struct Edge {
    pub(super) rng: Option<Rng>,
    /// Hosts are found by address records.
    pub is_mapped: bool,
    /// Operators whose name servers are inside the zone.
    pub inside: [bool; OPERATORS as usize],
    /// Operators with an address that Chorus was not given, from the beginning or later.
    pub spare: [bool; OPERATORS as usize],
    pub(super) spare_later: bool,
    /// An operator gives an address up.
    pub(super) moves: bool,
    /// A server of the parent has a copy of the zone; and it lets the parent zone be transferred.
    pub has_copy: bool,
    pub shows_by_transfer: bool,
    /// The last operator is a secondary of the first.
    pub has_twin: bool,
    /// An operator takes out CDS of digest types that it was not set up for.
    pub strips: bool,
    /// Newcomers may have bogus data at one address.
    pub(super) rots: bool,
    /// Of a listing, in percent.
    pub listing_fails: u64,
    pub(super) truth: Leads,
    zones: [Leads; OPERATORS as usize],
    public: Leads,
    glue: Leads,
    pub(super) ttls_s: [u32; OPERATORS as usize],
    /// When the last of the addresses that were given up is switched off.
    pub(super) last_gone_ms: i64,
    /// What the public DNS has, by operator.
    pub(super) named: Vec<Address>,
    /// Operators whose settings Chorus is to be told.
    pub settings: Vec<u8>,
}

impl Edge {
    pub fn by_chance(seed: u64, longest_ttl_s: i64) -> Edge {
        let mut rng = Rng::new(seed.rotate_left(17) ^ 0x00ed_6e00);
        if !rng.chance(40) {
            return Edge::default();
        }
        let is_mapped = rng.chance(60);
        let each = |rng: &mut Rng, percent: u64| std::array::from_fn(|_| is_mapped && rng.chance(percent));
        let ttl = |rng: &mut Rng| u32::try_from(rng.between(5, longest_ttl_s)).unwrap_or(3600);
        Edge {
            is_mapped,
            inside: each(&mut rng, 40),
            spare: each(&mut rng, 25),
            spare_later: rng.chance(50),
            moves: is_mapped && rng.chance(40),
            has_copy: rng.chance(25),
            shows_by_transfer: rng.chance(50),
            has_twin: rng.chance(15),
            strips: rng.chance(25),
            rots: rng.chance(30),
            listing_fails: if rng.chance(10) { 40 } else { 0 },
            ttls_s: std::array::from_fn(|_| ttl(&mut rng)),
            rng: Some(rng),
            ..Edge::default()
        }
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.rng.as_mut().is_some_and(|rng| rng.chance(percent))
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.rng.as_mut().map_or(low, |rng| rng.between(low, high))
    }

    fn source(&mut self, source: Source) -> Option<&mut Leads> {
        match source {
            Source::Zone(operator) => self.zones.get_mut(usize::from(operator)),
            Source::Public => Some(&mut self.public),
            Source::Glue => Some(&mut self.glue),
        }
    }

    /// Of the addresses in an operator's zone.
    pub fn ttl_s(&self, operator: u8) -> u32 {
        self.ttls_s.get(usize::from(operator)).copied().unwrap_or(60)
    }

    pub fn is_inside(&self, operator: u8) -> bool {
        self.inside.get(usize::from(operator)).copied().unwrap_or(false)
    }
}

impl World {
    /// Whether an address has the zone.
    pub fn serves(&self, address: &Address) -> bool {
        let has = |operator: Option<u8>| {
            operator.and_then(|op| self.operators.get(usize::from(op))).is_none_or(|op| op.serves)
        };
        address.operator.is_none() || !address.is_gone && has(address.operator) && has(address.mirrors)
    }

    /// Whether anybody leads resolvers to an address. Whom Chorus was not given it cannot find otherwise.
    pub fn is_led_to(&self, address: &Address) -> bool {
        let Some(operator) = address.operator.filter(|_| self.edge.is_mapped) else { return !address.is_frozen };
        let number = lead(address.host, operator, address.slot);
        let sources = self.edge.zones.iter().chain([&self.edge.public, &self.edge.glue]);
        let mut said = sources.filter_map(|leads| leads.get(&operator));
        !address.is_frozen && said.any(|leads| leads.contains(&number))
    }

    /// Where what is written to an operator arrives.
    pub fn primary_of(&self, operator: u8) -> u8 {
        let own = self.addresses.iter().find(|address| address.operator == Some(operator));
        own.and_then(|address| address.mirrors).unwrap_or(operator)
    }

    pub fn is_twin(&self, operator: u8) -> bool {
        self.primary_of(operator) != operator
    }

    /// The operators' addresses as they are at the beginning, and who knows of them.
    pub(super) fn begin_edge(&mut self, first: &[u8]) {
        if self.edge.has_copy {
            let copy = self.addresses.iter_mut().filter(|address| address.operator.is_none()).nth(1);
            copy.into_iter().for_each(|copy| (copy.mirrors, copy.refers) = (first.first().copied(), false));
        }
        if !self.edge.is_mapped {
            return;
        }
        let spare_later = self.edge.spare_later;
        for (number, op) in (0u8..).zip(&self.operators) {
            let of = self.addresses.iter().filter(|address| address.operator == Some(number));
            let given = of.filter(|address| !(address.slot == SPARE && spare_later));
            let leads: Vec<u16> = given.map(|address| lead(address.host, number, address.slot)).collect();
            debug_assert!(leads.iter().all(|lead| op.hosts.contains(&host_of_lead(*lead))));
            self.edge.truth.insert(number, leads);
        }
        let all = self.edge.truth.clone();
        for (number, leads) in &all {
            if !self.edge.is_inside(*number) {
                self.edge.public.insert(*number, leads.clone());
                continue;
            }
            for zone in 0..self.operators.len() as u8 {
                let knows = zone == *number || first.contains(&zone) && first.contains(number);
                if let Some(leads_of) = self.edge.zones.get_mut(usize::from(zone)).filter(|_| knows) {
                    leads_of.insert(*number, leads.clone());
                }
            }
            if first.contains(number) {
                self.edge.glue.insert(*number, leads.clone());
            }
        }
        self.name_in_public();
        for zone in 0..self.operators.len() as u8 {
            self.show_leads(Source::Zone(zone), i64::MIN);
        }
        self.show_leads(Source::Glue, i64::MIN);
        self.know_what_belongs_where();
    }

    fn name_in_public(&mut self) {
        for operator in self.edge.public.keys().copied().collect::<Vec<_>>() {
            let Some(host) = self.operators.get(usize::from(operator)).and_then(|op| op.hosts.first()) else {
                continue;
            };
            let name = host_name(*host).parse::<crate::model::dns::Name>().unwrap_or_default();
            let mut named = Address::new(Some(operator), Server::public(name.into()), *host, 0, 0);
            let content = self.leads_content(Source::Public, operator);
            named.will_show(i64::MIN, &[content]);
            named.catch_up(self.now_ms);
            let mut view = named.empty_view();
            view.whose = Whose::Public;
            named.view(self.now_ms, true, &mut view);
            self.view.push(view);
            self.edge.named.push(named);
        }
    }

    /// Which hosts a zone is expected to have: those that it was told of, and the other operators' too once they are named.
    fn know_what_belongs_where(&mut self) {
        let inside = self.operators.iter().flat_map(|op| &op.hosts).copied().filter(|host| is_inside(*host));
        let inside: Arc<[u16]> = inside.collect();
        for view in self.view.iter_mut().filter(|view| matches!(view.whose, Whose::Operator(_))) {
            view.leads_of = inside.clone();
        }
    }

    fn soa_ttl_s(&self, operator: u8) -> u32 {
        self.operators.get(usize::from(operator)).map_or(60, |op| op.ttl_s(Kind::Data))
    }

    /// What a source has, as a version of its own. In the public DNS each operator's hosts are apart.
    fn leads_content(&mut self, source: Source, of: u8) -> Arc<Content> {
        self.version += 1;
        let (kind, ttl_s) = match source {
            Source::Glue => (Kind::Glue, self.parent.delegation_ttl_s),
            // What is not there is denied for as long as the SOA record says.
            Source::Zone(zone) => (Kind::Addresses, self.edge.ttl_s(zone).min(self.soa_ttl_s(zone))),
            Source::Public => (Kind::Addresses, self.edge.ttl_s(of)),
        };
        let named = &self.parent.delegation;
        let leads = self.edge.source(source).cloned().unwrap_or_default();
        let belongs = |of_op: &u8| source != Source::Public || *of_op == of;
        let mut numbers: Vec<u16> =
            leads.iter().filter(|(of, _)| belongs(of)).flat_map(|(_, leads)| leads).copied().collect();
        if source == Source::Glue {
            numbers.retain(|lead| named.contains(&host_of_lead(*lead)));
        }
        numbers.sort_unstable();
        Arc::new(Content::new(kind, self.version, &numbers, ttl_s, &[]))
    }

    /// The glue that belongs to a delegation which is to be published. The parent takes what it does not know yet as it is now.
    pub(super) fn glue_for(&mut self, delegation: &[u16]) -> Option<Arc<Content>> {
        if !self.edge.is_mapped {
            return None;
        }
        for host in delegation.iter().filter(|host| is_inside(**host)) {
            let of = operator_of_host(*host);
            if let Some(leads) = self.edge.truth.get(&of).cloned() {
                self.edge.glue.entry(of).or_insert(leads);
            }
        }
        self.edge.glue.retain(|of, _| delegation.iter().any(|host| operator_of_host(*host) == *of));
        Some(self.leads_content(Source::Glue, 0))
    }

    fn show_leads(&mut self, source: Source, at_ms: i64) {
        let content = self.leads_content(source, 0);
        let lags: Vec<i64> = self.addresses.iter().map(|address| address.lag_ms).collect();
        for (address, lag_ms) in self.addresses.iter_mut().zip(lags) {
            let is_there = match source {
                Source::Zone(operator) => address.mirrors == Some(operator) && !address.is_frozen,
                Source::Glue => address.operator.is_none(),
                Source::Public => false,
            };
            if is_there {
                let after_ms = if at_ms == i64::MIN { 0 } else { self.edge.between(lag_ms / 2, lag_ms) };
                address.will_show(at_ms.saturating_add(after_ms), std::slice::from_ref(&content));
            }
        }
    }

    /// Nobody leads resolvers to an added address that is not up to date. Returns after how long it may be, and 0 if none is
    /// left out.
    fn leaves_out_what_lags(&mut self, source: Source, leads: &mut Vec<u16>) -> i64 {
        let known: Vec<u16> =
            self.edge.source(source).map(|known| known.values().flatten().copied().collect()).unwrap_or_default();
        let mut late_ms = 0;
        leads.retain(|number| {
            let is_it = |at: &&Address| {
                at.slot == SPARE && at.operator.is_some_and(|operator| lead(at.host, operator, SPARE) == *number)
            };
            let spare = self.addresses.iter().find(is_it).filter(|_| !known.contains(number));
            let ready_ms = spare.map_or(0, Address::last_ms);
            let lags = ready_ms > self.now_ms;
            if lags {
                late_ms = late_ms.max(ready_ms - self.now_ms);
            }
            !lags
        });
        late_ms
    }

    /// A source takes over where an operator's hosts lead to now.
    pub(super) fn follows_addresses(&mut self, source: Source, of: u8) {
        let Some(mut leads) = self.edge.truth.get(&of).cloned() else { return };
        let now_ms = self.now_ms;
        let late_ms = self.leaves_out_what_lags(source, &mut leads);
        if late_ms > 0 {
            self.will(late_ms, Fate::FollowsAddresses { source, of });
        }
        let Some(known) = self.edge.source(source) else { return };
        if known.get(&of) == Some(&leads) || source == Source::Glue && !known.contains_key(&of) {
            return;
        }
        known.insert(of, leads);
        if source != Source::Public {
            self.show_leads(source, now_ms);
            return;
        }
        let content = self.leads_content(source, of);
        let at = self.edge.named.iter().position(|named| named.operator == Some(of));
        let Some((nth, named)) = at.and_then(|nth| Some((nth, self.edge.named.get_mut(nth)?))) else { return };
        named.will_show(now_ms, &[content]);
        named.catch_up(now_ms);
        if let Some(view) = self.view.get_mut(self.addresses.len() + nth) {
            named.view(now_ms, true, view);
        }
    }
}
