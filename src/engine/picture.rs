//! A zone with everything that is known of it: put together from the store, and from where its servers are.
//!
//! Invariant: a picture is made of what was observed and what was configured; nothing is asked of a name server here, and
//! nothing is decided.

use super::places::{PlaceError, Places, name_servers, of_operator, of_parent};
use super::ports::{NoProvider, Ports};
use super::status::Status;
use super::trial::placed;
use crate::model::dns::{Name, RecordSet, name_text, ns_name, read_name, stored};
use crate::model::group::{Member, Memo, ParentMode, Scope, World, has_copies, is_present, reachable};
use crate::model::history::{History, Kind, LAG_MAX, Lifetimes, ListedTtl, Sent, Server, Who};
use crate::model::policy::DATA_TTL_MAX_UNKNOWN_S;
use crate::model::time::Time;
use crate::observe::resolve::DNS_PORT;
use crate::store::{MemberRecord, OperatorRecord, StoreError, TransitionRecord, ZoneRecord};
use futures::future::{join, join_all};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Provider(#[from] NoProvider),
    #[error("there is no zone {}", name_text(.0))]
    NoZone(Name),
}

/// A zone with everything that is known of it.
#[derive(Clone, Debug)]
pub struct Picture {
    pub record: ZoneRecord,
    pub history: History,
    pub lifetimes: Lifetimes,
    pub members: BTreeMap<String, Member>,
    pub hosts: BTreeMap<Name, String>,
    pub places: Places,
    pub transition: Option<TransitionRecord>,
    /// Another controller was found to write: nothing but new keys is written.
    pub is_contested: bool,
    /// When the newest round of observation began.
    pub observed_at: Time,
    /// Keys that operators' interfaces say are not their own, where that was asked.
    pub stored_keys: BTreeMap<String, RecordSet>,
}

impl Picture {
    /// Counts with what a listing of an operator's zone showed as its largest TTL at `now`, and returns what all have shown.
    pub fn listing_showed(&mut self, operator: &str, ttl_s: u32, now: Time) -> ListedTtl {
        let listed = match self.record.zone_ttls.get(operator) {
            Some(before) => self.counted(*before, now).after(ttl_s, now),
            // Until now the default counted.
            None if self.transition.is_some() => {
                let assumed_s = u32::try_from(DATA_TTL_MAX_UNKNOWN_S).unwrap_or(u32::MAX);
                ListedTtl::first(assumed_s.max(ttl_s)).after(ttl_s, now)
            }
            None => ListedTtl::first(ttl_s),
        };
        self.record.zone_ttls.insert(operator.to_owned(), listed);
        self.count_listed_ttls(now);
        listed
    }

    /// A TTL that counted when a transition began counts to its end: its certificate is worked out from one largest TTL. After a
    /// listing that shows less, name servers may serve the zone from before for as long as a secondary may lag.
    fn counted(&self, listed: ListedTtl, now: Time) -> ListedTtl {
        let at = self.transition.as_ref().map_or(now, |transition| transition.started_at.min(now));
        listed.at(at, |ttl_s| self.lifetimes.outlives_ttl(ttl_s.into()) + LAG_MAX)
    }

    pub(super) fn count_listed_ttls(&mut self, now: Time) {
        let each = self.record.zone_ttls.iter();
        let each = each.map(|(operator, listed)| (operator.clone(), self.counted(*listed, now).largest_s));
        self.lifetimes.zone_ttls_s = each.collect();
    }

    pub fn world(&self) -> World<'_> {
        World {
            zone: &self.record.name,
            history: &self.history,
            lifetimes: &self.lifetimes,
            members: &self.members,
            parent_servers: &self.places.parent,
            parent: self.record.parent.mode,
            now: self.observed_at,
            algorithm: self.transition.as_ref().and_then(TransitionRecord::algorithm_now),
            paused: self.transition.as_ref().is_some_and(|transition| transition.paused),
            scope: self.scope(),
            memo: None,
        }
    }

    /// Whether a transition without a way back was stopped or undone: the zone is left as it is. An operator that is to leave has
    /// to be gone before that.
    pub(super) fn is_given_up(&self) -> bool {
        let leaves = self.members.values().any(Member::leaves);
        !leaves && self.transition.as_ref().is_some_and(TransitionRecord::is_given_up)
    }

    fn scope(&self) -> Scope {
        if self.is_contested {
            Scope::NewKeys
        } else if self.transition.is_some() && !self.is_given_up() {
            Scope::Transition
        } else {
            Scope::Rest
        }
    }

    /// Something was sent, or is about to be.
    pub(super) fn sent(&mut self, operator: &str, sent: &[(Kind, Sent)]) {
        for (kind, sent) in sent {
            self.record.in_flight.push((operator.to_owned(), *kind, sent.clone()));
            for server in self.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default() {
                self.history.expect(server, *kind, sent);
            }
        }
    }

    /// What was sent is not in flight any more.
    pub(super) fn arrived(&mut self, operator: &str, kind: Kind, sent: &Sent) {
        self.record.in_flight.retain(|(at, of, other)| !(at == operator && *of == kind && other == sent));
        for server in self.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default() {
            self.history.expect_no_more(server, kind, sent);
        }
    }

    /// What was sent to operators may be served at any of their addresses that does not show it yet.
    fn expect_what_was_sent(&mut self) {
        for (operator, kind, sent) in &self.record.in_flight {
            for server in self.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default() {
                self.history.expect(server, *kind, sent);
            }
        }
    }

    /// Expects at a server what Chorus sent to the server's operator before it knew the server.
    fn expect_at(&mut self, server: &Server) {
        for (_, kind, sent) in self.record.in_flight.iter().filter(|(to, ..)| server.who.is_operator(to)) {
            self.history.expect(server, *kind, sent);
        }
    }

    /// The clock was set: what was sent was sent at another moment of it.
    pub(super) fn sent_at_other_moments(&mut self, moved: impl Fn(Time) -> Time) {
        let mut next = Time::MAX;
        for (_, _, sent) in self.record.in_flight.iter_mut().rev() {
            // Each has a moment of its own, and they stay in their order.
            sent.at = moved(sent.at).min(next);
            next = Time(sent.at.0.saturating_sub(1));
        }
        self.history.expect_nothing();
        self.expect_what_was_sent();
        self.lose_the_lost();
    }

    /// What operators served that a person has said to be gone, and that do not answer, counts as served until they fell
    /// silent.
    pub(super) fn lose_the_lost(&mut self) {
        let lost: Vec<String> = self.members.keys().filter(|name| self.world().is_lost(name)).cloned().collect();
        for server in lost.iter().filter_map(|name| self.members.get(name)).flat_map(|member| &member.servers) {
            self.history.lose(server);
        }
    }

    /// A version that one of the parent's servers showed may be at the others unseen, for as long as a parent takes to publish.
    pub(super) fn suppose_unseen(&mut self) {
        self.history.suppose_unseen(&Who::Parent, self.lifetimes.parent_servers_lag());
    }

    /// The names of name servers inside the zone: the operators', and those that NS sets name now.
    pub(crate) fn hosts_inside(&self) -> BTreeSet<Name> {
        let named = [Kind::Ns, Kind::Delegation].into_iter().flat_map(|kind| self.history.tracks_of(kind));
        let named = named.filter_map(|(_, track)| track.current()).flat_map(|span| &span.served.records);
        let named = named.filter_map(|ns| ns_name(ns).ok());
        let of_members = self.members.values().flat_map(|member| member.hosts.iter().cloned());
        named.chain(of_members).filter(|host| self.record.name.zone_of(host)).collect()
    }

    /// The names of the operators' other name servers.
    pub(super) fn hosts_outside(&self) -> BTreeSet<Name> {
        let hosts = self.members.values().flat_map(|member| member.hosts.iter().cloned());
        hosts.filter(|host| !self.record.name.zone_of(host)).collect()
    }

    /// Whether it is the name of a name server of any operator of the zone.
    pub(super) fn is_named(&self, host: &Name) -> bool {
        self.members.values().any(|member| member.hosts.contains(host))
    }

    /// Adds the addresses that resolvers may be sent to, beside those that the operators were given. Returns what is new.
    pub(super) fn add_reachable(&mut self, now: Time) -> Vec<Server> {
        let world = World { now, ..self.world() };
        let reachable: Vec<(Name, IpAddr)> = reachable(&world).into_keys().collect();
        let mut added = Vec::new();
        for (host, ip) in reachable {
            let Some(operator) = self.members.iter().find(|(_, m)| m.hosts.contains(&host)).map(|(op, _)| op.clone())
            else {
                continue;
            };
            if self.places.leaves_out(&operator, ip) {
                self.places.left_out.insert((host, ip));
                continue;
            }
            let is_known = self.members.iter().any(|(other, member)| {
                let same = |server: &Server| server.address.ip() == ip && (*other != operator || *server.host == host);
                member.servers.iter().any(same)
            });
            if is_known {
                continue;
            }
            let server = Server {
                who: Who::Operator(operator.clone()),
                host: host.into(),
                address: SocketAddr::new(ip, DNS_PORT),
            };
            self.expect_at(&server);
            added.push(server.clone());
            self.places.operators.entry(operator.clone()).or_default().push(server.clone());
            if let Some(member) = self.members.get_mut(&operator) {
                member.found.insert(server.clone());
                member.servers.push(server);
            }
        }
        added
    }

    /// Operators that may not be asked any more need not be: leavers after the last question.
    pub(super) fn servers(&self) -> (Vec<Server>, Vec<Server>) {
        let memo = Memo::of(&self.members);
        let world = World { memo: Some(&memo), ..self.world() };
        let present = |name: &str| is_present(&world, name) || has_copies(&world, name);
        let operators = self.members.iter().filter(|(name, _)| present(name));
        (operators.flat_map(|(_, member)| member.servers.clone()).collect(), self.places.parent.clone())
    }
}

impl Ports {
    /// Everything that is stored of a zone, with the addresses that were last asked: nobody is asked anything.
    pub(crate) async fn recall(&self, zone: &Name) -> Result<(Picture, Status), EngineError> {
        let store = &self.store;
        let mut record = store.zone(zone).await?.ok_or_else(|| EngineError::NoZone(zone.clone()))?;
        self.know_trials(&mut record).await?;
        let mut history = store.history(zone).await?;
        let operators = self.operators(record.members.iter().map(|(name, member)| (name.clone(), *member))).await?;
        let transition = store.running_transition(zone).await?;
        let status = Status::read(&record.status);
        status.restore_troubles(&mut history);
        let of = |who: &Who| history.servers().filter(|server| server.who == *who).cloned().collect::<Vec<_>>();
        let places = Places {
            parent_zone: read_name(&status.parent_zone).unwrap_or_default(),
            parent: of(&Who::Parent),
            operators: operators.iter().map(|(op, _)| (op.name.clone(), of(&Who::Operator(op.name.clone())))).collect(),
            ..Places::default()
        };
        let observed_at = status.observed_at.unwrap_or(record.created_at);
        let mut picture = assemble(record, history, operators, transition, places, observed_at)?;
        picture.count_listed_ttls(self.clock.now());
        picture.is_contested = status.second_writer.is_some();
        Ok((picture, status))
    }

    /// Everything else that is stored of a zone, and which addresses there are.
    /// `status`: the record's, read.
    pub(crate) async fn load(&self, record: ZoneRecord, status: &Status) -> Result<Picture, EngineError> {
        let mut history = self.store.history(&record.name).await?;
        status.restore_troubles(&mut history);
        let operators = self.operators(record.members.iter().map(|(name, member)| (name.clone(), *member))).await?;
        let transition = self.store.running_transition(&record.name).await?;
        self.picture_below(&status.parent_zone, record, history, operators, transition).await
    }

    /// What a trial placed is no operator's own, whether it came to its end or not.
    async fn know_trials(&self, record: &mut ZoneRecord) -> Result<(), EngineError> {
        let zone = stored(&record.name);
        for trial in self.store.trials().await?.into_iter().filter(|trial| trial.zone == zone) {
            let placements = record.placements.entry(trial.operator).or_default();
            // Name servers are no placements: they are told apart by their names.
            for (kind, records) in placed(&record.name, &trial.before).into_iter().filter(|(kind, _)| *kind != Kind::Ns)
            {
                placements.entry(kind).or_default().extend(records);
            }
        }
        Ok(())
    }

    pub(crate) async fn operators(
        &self,
        names: impl Iterator<Item = (String, MemberRecord)>,
    ) -> Result<Vec<(OperatorRecord, MemberRecord)>, EngineError> {
        let mut operators = Vec::new();
        for (name, member) in names {
            let missing =
                || StoreError::Damaged { what: "operator", key: name.clone(), reason: "it is not there".into() };
            operators.push((self.store.operator(&name).await?.ok_or_else(missing)?, member));
        }
        Ok(operators)
    }

    /// Puts a zone together with these operators as its members.
    pub(crate) async fn picture(
        &self,
        record: ZoneRecord,
        history: History,
        operators: Vec<(OperatorRecord, MemberRecord)>,
        transition: Option<TransitionRecord>,
    ) -> Result<Picture, EngineError> {
        let known_parent = Status::read(&record.status).parent_zone;
        self.picture_below(&known_parent, record, history, operators, transition).await
    }

    async fn picture_below(
        &self,
        known_parent: &str,
        mut record: ZoneRecord,
        history: History,
        operators: Vec<(OperatorRecord, MemberRecord)>,
        transition: Option<TransitionRecord>,
    ) -> Result<Picture, EngineError> {
        self.know_trials(&mut record).await?;
        let asked = operators.iter().map(|(operator, _)| of_operator(self, operator, &history));
        let (parent, found) = join(of_parent(self, &record, &history, known_parent), join_all(asked)).await;
        let (parent_zone, parent) = parent?;
        let mut places = Places { parent_zone, parent, ..Places::default() };
        for ((operator, _), servers) in operators.iter().zip(found) {
            places.operators.insert(operator.name.clone(), servers?);
        }
        places.leave_out(self.transport.as_ref());
        places.given = places.operators.values().flatten().cloned().collect();
        let mut picture = assemble(record, history, operators, transition, places, Time::MIN)?;
        picture.count_listed_ttls(self.clock.now());
        picture.lifetimes.without = self.switches.without;
        picture.add_reachable(self.clock.now());
        Ok(picture)
    }
}

fn assemble(
    mut record: ZoneRecord,
    history: History,
    operators: Vec<(OperatorRecord, MemberRecord)>,
    transition: Option<TransitionRecord>,
    places: Places,
    observed_at: Time,
) -> Result<Picture, EngineError> {
    if let Some(manual) = record.policy.parent_manual {
        record.parent.mode = if manual { ParentMode::Manual } else { ParentMode::Scan };
    }
    let mut members = BTreeMap::new();
    for (operator, MemberRecord { wanted, unreachable, uncooperative }) in operators {
        let given = name_servers(&operator)?;
        let servers = places.operators.get(&operator.name).cloned().unwrap_or_default();
        // Of a name without an address every address was given that it has.
        let is_found = |server: &&Server| {
            let mut of_host = given.iter().filter(|given| given.host == *server.host);
            !of_host.any(|given| given.addresses.is_empty() || given.addresses.contains(&server.address))
        };
        let member = Member {
            found: servers.iter().filter(is_found).cloned().collect(),
            hosts: given.iter().map(|server| server.host.clone()).collect(),
            servers,
            wanted,
            unreachable,
            uncooperative,
            placements: record.placements.get(&operator.name).cloned().unwrap_or_default(),
        };
        members.insert(operator.name, member);
    }
    let named =
        members.iter().flat_map(|(op, m): (&String, &Member)| m.hosts.iter().map(move |h| (h.clone(), op.clone())));
    let hosts = named.collect();
    let mut lifetimes = Lifetimes::new(record.policy.clone());
    lifetimes.policy.know_parent(&places.parent_zone);
    let (is_contested, stored_keys) = (false, BTreeMap::new());
    let mut picture = Picture {
        record,
        history,
        lifetimes,
        members,
        hosts,
        places,
        transition,
        is_contested,
        observed_at,
        stored_keys,
    };
    picture.expect_what_was_sent();
    picture.lose_the_lost();
    picture.suppose_unseen();
    Ok(picture)
}
