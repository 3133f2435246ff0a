//! The world as the ladder sees it: who is in the zone, and what all of an operator's addresses agree on.
//!
//! Invariant: "shown" means that every address of the operator showed it when it was last asked. An address that failed
//! to answer makes that untrue, whatever it showed before.

use super::Standing;
use super::guards::Guard;
use super::scope::Scope;
use crate::model::dns::{Name, Rdata, RecordSet, key_that_ds_belongs_to, ns_name, ns_rdata};
use crate::model::history::{History, Kind, Lifetimes, Server, Span, Track, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

/// How the parent comes to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParentMode {
    /// It looks for CDS, CDNSKEY and CSYNC by itself.
    #[default]
    Scan,
    /// A person hands DS and NS to a registrar.
    Manual,
}

/// An operator of the zone: wanted in the group, or still on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The names of its name servers.
    pub hosts: BTreeSet<Name>,
    /// Every address of each of them.
    pub servers: Vec<Server>,
    /// Of those the ones that the operator was not given: resolvers are sent there by the DNS.
    pub found: BTreeSet<Server>,
    /// How far in the desired group has it: [`Standing::Outside`] for one that is to leave.
    pub wanted: Standing,
    /// A person has said that it does not come back: while none of its addresses answers it is not written to, and what it
    /// served counts as served until it fell silent, and no longer.
    pub unreachable: bool,
    /// A person has said that it takes no updates any more: the credential is lost, the contract has ended, or it is not trusted. It
    /// is not written to, and what it serves counts as served until nobody can query it.
    pub uncooperative: bool,
    /// What Chorus put, or was about to put, into its zone.
    pub placements: BTreeMap<Kind, RecordSet>,
}

/// Everything that the next step depends on.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub zone: &'a Name,
    pub history: &'a History,
    pub lifetimes: &'a Lifetimes,
    pub members: &'a BTreeMap<String, Member>,
    /// Every address of every name server of the parent.
    pub parent_servers: &'a [Server],
    pub parent: ParentMode,
    pub now: Time,
    /// Whether a person holds the transition: keys are still shared, and nothing else is written.
    pub paused: bool,
    /// The algorithm that the whole group is rolling to.
    pub algorithm: Option<u8>,
    /// How much may be written now.
    pub scope: Scope,
    /// What has been worked out of this very world; of another one it would be wrong.
    pub memo: Option<&'a Memo>,
}

/// What a decision asks for again and again, worked out once for each member.
#[derive(Debug)]
pub struct Memo(BTreeMap<String, MemoOf>);

#[derive(Debug, Default)]
pub(super) struct MemoOf {
    own_keys: OnceLock<RecordSet>,
    key_signing_keys: OnceLock<RecordSet>,
    pub(super) keys_in_use: OnceLock<RecordSet>,
    /// The NS records of its servers.
    ns: OnceLock<RecordSet>,
    pub(super) last_question: OnceLock<Guard>,
}

impl Memo {
    pub fn of(members: &BTreeMap<String, Member>) -> Memo {
        Memo(members.keys().map(|name| (name.clone(), MemoOf::default())).collect())
    }
}

/// What a group of addresses shows of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Each shows what was asked for.
    Everywhere,
    /// These do not show it (yet), though they answer.
    NotAt(Vec<Server>),
    /// This one could not be asked, and why.
    Unknown(Server, String),
}

/// Signers publish the CDS of a new key when caches know the key; whoever has not within a day will not at all, and what
/// looked like a CDS of its own was put there by somebody.
const CDS_OVERDUE: Duration = Duration::from_secs(86_400);

impl Member {
    /// Whether it is to leave. What a user declared of it counts only then: whoever is wanted in the group has to answer and to
    /// take updates.
    pub fn leaves(&self) -> bool {
        self.wanted == Standing::Outside
    }

    /// Whether it leaves without its cooperation.
    pub fn is_given_up(&self) -> bool {
        self.leaves() && (self.unreachable || self.uncooperative)
    }
}

impl<'a> World<'a> {
    /// Whether every server shows, at its last answer, a set that `good` accepts.
    pub fn shown(&self, servers: &[Server], kind: Kind, good: impl Fn(&Server, &Span) -> bool) -> Shown {
        let mut not_at = Vec::new();
        for server in servers {
            let track = self.history.track(server, kind);
            let trouble = track.and_then(|track| track.trouble.as_ref());
            if let Some(trouble) = trouble.filter(|_| !self.leaves_out(Switch::NoAnswer)) {
                return Shown::Unknown(server.clone(), format!("{} since {}", trouble.failure, trouble.since));
            }
            let is_coming = track.is_some_and(|track| !track.coming.is_empty()) && !self.leaves_out(Switch::InFlight);
            match track.and_then(Track::current) {
                // What was sent and is not seen yet may show itself any moment, whatever is shown now.
                _ if is_coming => not_at.push(server.clone()),
                None => return Shown::Unknown(server.clone(), "has not been asked yet".into()),
                Some(span) if good(server, span) => {}
                Some(_) => not_at.push(server.clone()),
            }
        }
        if servers.is_empty() {
            // No address, nothing seen: never a proof of anything.
            return Shown::NotAt(Vec::new());
        }
        let one_is_enough = if servers.iter().any(|server| server.who == Who::Parent) {
            Switch::AllParents
        } else {
            Switch::AllAddresses
        };
        let enough = not_at.is_empty() || self.leaves_out(one_is_enough) && not_at.len() < servers.len();
        if enough { Shown::Everywhere } else { Shown::NotAt(not_at) }
    }

    /// The versions that an address served, or may serve any moment.
    pub(super) fn versions(&self, track: &'a Track) -> impl Iterator<Item = &'a Span> + use<'a> {
        let in_flight = !self.leaves_out(Switch::InFlight);
        track.all().take(if in_flight { usize::MAX } else { track.spans.len() })
    }

    /// Every version of a kind that was served or may be any moment, at every address.
    pub(super) fn may_be_served(&self, kind: Kind) -> impl Iterator<Item = (&'a Server, &'a Span)> + use<'a> {
        let world = *self;
        let tracks = self.history.tracks_of(kind);
        tracks.flat_map(move |(server, track)| world.versions(track).map(move |span| (server, span)))
    }

    /// Every version of a kind that a server of the parent served, or that the parent may publish because a person was given it.
    pub(super) fn of_parent(&self, kind: Kind) -> impl Iterator<Item = (&'a Server, &'a Span)> + use<'a> {
        let left_out = self.leaves_out(Switch::RegistrarPending);
        self.history.may_be_served(kind).filter(move |(server, _)| server.is_observed() || !left_out)
    }

    /// When a version is dead; `None` while it may still be served.
    pub(super) fn death(&self, server: &Server, kind: Kind, span: &Span) -> Option<Time> {
        if server.who != Who::Registrar {
            return self.lifetimes.death(server, kind, span);
        }
        let served_until = self.lifetimes.published_until(self.history, span.until?, kind)?;
        Some(self.lifetimes.death_after(served_until, server, kind, &span.served))
    }

    pub fn member(&self, operator: &str) -> Option<&'a Member> {
        self.members.get(operator)
    }

    /// Whether an operator that a person has said to be gone for good does not answer at any of its addresses. One that is only
    /// uncooperative is never taken for gone: what Chorus is answered, or not, says nothing of resolvers.
    pub fn is_lost(&self, operator: &str) -> bool {
        self.member(operator).is_some_and(|member| member.leaves() && member.unreachable) && self.is_silent(operator)
    }

    /// Whether nothing can be written to an operator any more, so a person says.
    pub fn takes_no_updates(&self, operator: &str) -> bool {
        self.member(operator).is_some_and(|member| member.leaves() && member.uncooperative) || self.is_lost(operator)
    }

    /// Whether an operator does not answer at any of its addresses. Of one that cannot be reached from here that is not known.
    pub fn is_silent(&self, operator: &str) -> bool {
        let fails = |server: &Server| Kind::OPERATOR.iter().all(|kind| self.history.trouble(server, *kind).is_some());
        let silent = |server: &Server| fails(server) && !self.has_no_route(server);
        self.member(operator).is_some_and(|member| member.servers.iter().all(silent))
    }

    pub(super) fn current(&self, operator: &str, kind: Kind) -> impl Iterator<Item = &'a Span> + use<'a> {
        let servers = self.members.get(operator).map(|m| m.servers.as_slice()).unwrap_or_default();
        let history = self.history;
        servers.iter().filter_map(move |server| history.current(server, kind))
    }

    /// Everything that any of the operator's addresses serves of a kind.
    pub fn served(&self, operator: &str, kind: Kind) -> RecordSet {
        self.current(operator, kind).flat_map(|span| span.served.records.iter().cloned()).collect()
    }

    /// The TTL with which the operator serves a kind; the largest, where its addresses differ.
    pub fn served_ttl_s(&self, operator: &str, kind: Kind) -> Option<u32> {
        self.current(operator, kind).map(|span| span.served.ttl_s).max()
    }

    fn signs_at(&self, operator: &str, key: &Rdata) -> bool {
        let kinds = [Kind::Dnskey, Kind::Data, Kind::Ns];
        kinds.into_iter().any(|kind| self.current(operator, kind).any(|span| span.served.signers.contains(key)))
    }

    /// The operator's own keys: what it serves, without what Chorus placed there, and without copies of other members'
    /// keys that Chorus did not place (`whose.rs`).
    pub fn own_keys(&self, operator: &str) -> RecordSet {
        let work_out = || self.work_out_own_keys(operator);
        self.memo_of(operator).map_or_else(work_out, |memo| memo.own_keys.get_or_init(work_out).clone())
    }

    pub(super) fn memo_of(&self, operator: &str) -> Option<&'a MemoOf> {
        self.memo.and_then(|memo| memo.0.get(operator))
    }

    fn work_out_own_keys(&self, operator: &str) -> RecordSet {
        let Some(member) = self.member(operator) else { return RecordSet::new() };
        let placed = member.placements.get(&Kind::Dnskey).filter(|_| !self.leaves_out(Switch::Placements));
        let mut own = self.served(operator, Kind::Dnskey);
        own.retain(|key| {
            let placed = placed.is_some_and(|placed| placed.contains(key));
            self.signs_at(operator, key) || !placed && !self.is_copy(operator, key)
        });
        own
    }

    /// The operator's keys that the parent has to have a DS for, by what they do (`roles`).
    pub fn key_signing_keys(&self, operator: &str) -> RecordSet {
        let work_out = || self.work_out_key_signing_keys(operator);
        self.memo_of(operator).map_or_else(work_out, |memo| memo.key_signing_keys.get_or_init(work_out).clone())
    }

    /// In a roll an operator that publishes CDS for its own keys decides which of them is to have a DS, and when: nobody else
    /// can (Knot takes no CDS for a key of its own that it does not publish one for). Of another operator's keys all are,
    /// but for those whose CDS it has withdrawn.
    pub(super) fn asked_by_owner(&self, operator: &str, keys: RecordSet) -> RecordSet {
        let Some(member) = self.member(operator).filter(|_| keys.len() > 1) else { return keys };
        let spans = || {
            let tracks = member.servers.iter().filter_map(|server| self.history.track(server, Kind::Cds));
            tracks.flat_map(|track| &track.spans)
        };
        let cds_in = |span: &Span, key: &Rdata| -> Option<Rdata> {
            span.served.records.iter().find(|cds| key_that_ds_belongs_to(self.zone, cds, [key]).is_some()).cloned()
        };
        // What the first of its addresses shows that shows anything new: others lag.
        let Some(newest) = self.history.newest_version(&member.servers, Kind::Cds) else { return keys };
        let placed = member.placements.get(&Kind::Cds);
        let shown: RecordSet = keys.iter().filter(|key| cds_in(newest, key).is_some()).cloned().collect();
        let by_itself = |key: &Rdata| cds_in(newest, key).is_some_and(|cds| !placed.is_some_and(|p| p.contains(&cds)));
        let withdrawn = |key: &Rdata| !shown.contains(key) && spans().any(|span| cds_in(span, key).is_some());
        let wanted: RecordSet = if shown.iter().any(by_itself) {
            let overdue = |key: &Rdata| !withdrawn(key) && self.has_long_signed(operator, key);
            keys.iter().filter(|key| shown.contains(*key) || overdue(key)).cloned().collect()
        } else {
            keys.iter().filter(|key| !withdrawn(key)).cloned().collect()
        };
        let signing = |key: &Rdata| self.current(operator, Kind::Dnskey).all(|span| span.served.signers.contains(key));
        if wanted.iter().any(signing) { wanted } else { keys }
    }

    /// Whether every cache has known for [`CDS_OVERDUE`] a DNSKEY set that this key signed: nothing that publishes CDS by itself
    /// waits for longer with it.
    fn has_long_signed(&self, operator: &str, key: &Rdata) -> bool {
        let servers = self.members.get(operator).map(|m| m.servers.as_slice()).unwrap_or_default();
        let tracks = servers.iter().filter_map(|server| Some((server, self.history.track(server, Kind::Dnskey)?)));
        let mut sets = tracks.flat_map(|(server, track)| track.spans.iter().map(move |span| (server, span)));
        sets.all(|(server, span)| {
            let dead = || self.lifetimes.death(server, Kind::Dnskey, span);
            span.served.signers.contains(key) || dead().is_some_and(|dead| dead.plus(CDS_OVERDUE) <= self.now)
        })
    }

    /// Whether an operator serves a DNSKEY, CDS or CDNSKEY record that Chorus placed there, and that is for no key of this operator:
    /// the operator has withdrawn the key, or the key's operator has left. An update can arrive after its transition has ended.
    /// `false` while an NS RRset names a server of no member, or caches may hold one that did: another controller may need the
    /// record.
    pub fn serves_placed_records_of_no_member(&self) -> bool {
        let shows = self.members.iter().any(|(operator, member)| {
            let own = self.own_keys(operator);
            [Kind::Dnskey, Kind::Cds, Kind::Cdnskey].into_iter().any(|kind| {
                let served = self.served(operator, kind);
                let is_own = |record: &Rdata| match kind {
                    Kind::Cds => key_that_ds_belongs_to(self.zone, record, &own).is_some(),
                    _ => own.contains(record),
                };
                let placed = member.placements.get(&kind).into_iter().flatten();
                placed.filter(|record| served.contains(*record)).any(|record| !is_own(record))
            })
        });
        shows && !self.may_name_strangers()
    }

    /// Whether any NS set of an operator or the parent that is served, or that caches may have, names a server that is none of the
    /// operators'.
    fn may_name_strangers(&self) -> bool {
        let is_asked = |server: &Server| match &server.who {
            Who::Operator(name) => self.members.contains_key(name),
            Who::Parent | Who::Public | Who::Registrar => true,
        };
        let sets = [Kind::Ns, Kind::Delegation].into_iter().flat_map(|kind| {
            let lives = move |(server, span): &(&Server, &Span)| {
                self.death(server, kind, span).is_none_or(|death| death > self.now)
            };
            self.may_be_served(kind).filter(|(server, _)| is_asked(server)).filter(lives)
        });
        let mut named = sets.flat_map(|(_, span)| &span.served.records).filter_map(|ns| ns_name(ns).ok());
        named.any(|host| self.operator_of_host(&host).is_none())
    }

    /// The NS records that name these operators' servers.
    pub fn ns_of<'o>(&self, operators: impl IntoIterator<Item = &'o String>) -> RecordSet {
        let members = operators.into_iter().filter_map(|operator| self.members.get(operator));
        members.flat_map(|member| member.hosts.iter().map(ns_rdata)).collect()
    }

    /// Which operator a name server belongs to.
    pub fn operator_of_host(&self, host: &Name) -> Option<&'a str> {
        self.members.iter().find(|(_, member)| member.hosts.contains(host)).map(|(name, _)| name.as_str())
    }

    /// Whether an NS set names one of the operator's servers.
    pub fn names(&self, ns: &RecordSet, operator: &str) -> bool {
        let Some(member) = self.members.get(operator) else { return false };
        if let Some(memo) = self.memo_of(operator) {
            return !ns.is_disjoint(memo.ns.get_or_init(|| member.hosts.iter().map(ns_rdata).collect()));
        }
        ns.iter().filter_map(|ns| ns_name(ns).ok()).any(|host| member.hosts.contains(&host))
    }

    /// The operators whose keys and DS are wanted.
    pub fn desired(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.members.iter().filter(|(_, member)| member.wanted >= Standing::Trusted).map(|(name, _)| name)
    }

    /// The operators that are wanted as name servers.
    pub fn serving(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.members.iter().filter(|(_, member)| member.wanted == Standing::Serving).map(|(name, _)| name)
    }

    pub fn leavers(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.members.iter().filter(|(_, member)| member.wanted == Standing::Outside).map(|(name, _)| name)
    }

    pub fn leaves_out(&self, switch: Switch) -> bool {
        self.lifetimes.without.leaves_out(switch)
    }
}
