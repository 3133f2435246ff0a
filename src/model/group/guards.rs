//! The guards: before which moment a step is not allowed, and because of which version.
//!
//! Invariant: each is "every version that is incompatible with what the step makes reachable is dead" for one step of the
//! ladder, worked out for that step. `chain::check` asks the same question in general; the two share no code, and
//! `tests/guards_and_check_agree.rs` holds them against each other.

use super::Standing;
use super::addresses::{glue_is_right, no_other_name_leads_to};
use super::parents::{copies_have_keys, copies_not_signed_by, no_copy_leads_to};
use super::say::{key_label, outlived, unseen_parent};
use super::view::World;
use crate::model::dns::{Dnskey, Ds, Rdata, RecordSet, key_that_ds_belongs_to, key_that_ds_validates};
use crate::model::history::{Kind, Server, Span, Who};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A guard waits for a set that was shown for the registrar and that the parent does not have.
pub const REGISTRAR_PENDING: &str = "registrar-pending";

/// A guard, evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// The code where nothing with a code of its own decides.
    own: &'static str,
    /// From when on the step is allowed. `None`: not before something else has been seen.
    pub from: Option<Time>,
    /// A clause: which version decides, with its TTL, where and when it was last seen.
    pub because: String,
    /// Each kind of version that is waited for, with its own clause and its own end. The latest of them is `because`.
    pub causes: Vec<Cause>,
}

/// One of the things that a guard waits for at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// [`Kind::Cds`] and [`Kind::Csync`]: what the parent may still publish because of them.
    pub kind: Kind,
    /// As [`Guard::from`].
    pub from: Option<Time>,
    /// As [`Guard::because`].
    pub because: String,
}

/// Whether a guard ends later at `new` than at `old`. `None` is later than every moment.
fn is_later(old: Option<Time>, new: Option<Time>) -> bool {
    match (old, new) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => new > old,
    }
}

impl Guard {
    pub fn open(code: &'static str) -> Guard {
        Guard { code, own: code, from: Some(Time::MIN), because: String::new(), causes: Vec::new() }
    }

    pub fn is_open(&self, now: Time) -> bool {
        self.from.is_some_and(|from| from <= now)
    }

    /// [`Guard::and`], under a code of its own where this decides.
    pub(super) fn and_coded(
        &mut self,
        code: &'static str,
        kind: Kind,
        from: Option<Time>,
        because: impl FnOnce() -> String,
    ) {
        let before = self.from;
        self.and(kind, from, because);
        if self.from != before {
            self.code = code;
        }
    }

    /// Makes the guard wait for a version that one of the parent's servers served, or that the parent may publish because a person
    /// was given it. `which`: such as "that names b".
    pub(super) fn and_version(&mut self, world: &World<'_>, server: &Server, kind: Kind, span: &Span, which: &str) {
        let (from, because) = (death(world, server, kind, span), || outlived(world, server, kind, span, which));
        match server.who {
            Who::Registrar => self.and_coded(REGISTRAR_PENDING, kind, from, because),
            _ => self.and(kind, from, because),
        }
    }

    /// Makes the guard wait for a version of this kind, too.
    pub(super) fn and(&mut self, kind: Kind, from: Option<Time>, because: impl FnOnce() -> String) {
        let known = self.causes.iter().position(|cause| cause.kind == kind);
        let before = known.and_then(|known| self.causes.get(known)).map_or(Some(Time::MIN), |cause| cause.from);
        if !is_later(before, from) {
            return;
        }
        let cause = Cause { kind, from, because: because() };
        if is_later(self.from, from) {
            self.from = from;
            self.code = self.own;
            self.because.clone_from(&cause.because);
        }
        match known.and_then(|known| self.causes.get_mut(known)) {
            Some(known) => *known = cause,
            None => self.causes.push(cause),
        }
    }
}

/// Trusted → Serving: every DNSKEY set without one of the group's keys is dead at every operator, and every DS set that
/// does not cover the newcomer's keys at every parent server; nor may such a DS set still come out of an older CDS.
pub fn may_serve(world: &World<'_>, joiners: &[&String]) -> Guard {
    let mut guard = Guard::open("guard-ttl");
    let ends: BTreeMap<&str, Option<Time>> =
        world.leavers().map(|leaver| (leaver.as_str(), last_question(world, leaver).from)).collect();
    // A leaver's keys that an operator may take out are needed by nothing alive that its own set has to go with.
    let needed_at = |at: &str| -> RecordSet {
        let of_leavers = world.leavers().flat_map(|leaver| world.keys_in_use(leaver));
        let needed = of_leavers.filter(|key| !may_lose_key(world, key, at).is_open(world.now));
        world.desired().flat_map(|operator| world.keys_in_use(operator)).chain(needed).collect()
    };
    let needed: BTreeMap<&String, RecordSet> = world.members.keys().map(|at| (at, needed_at(at))).collect();
    for (server, span) in spans_of_members(world, Kind::Dnskey).filter(|_| !world.leaves_out(Switch::Dnskey)) {
        let Who::Operator(at) = &server.who else { continue };
        let whose = if joiners.contains(&at) { Switch::DnskeyAtNewcomer } else { Switch::DnskeyAtOthers };
        if world.leaves_out(whose) || joiners.contains(&at) && is_in_no_cache(world, server, span) {
            continue;
        }
        let (Some(span), Some(needed)) = (&clipped(span, server, &ends), needed.get(at)) else { continue };
        if let Some(missing) = needed.difference(&span.served.records).next() {
            guard.and(Kind::Dnskey, death(world, server, Kind::Dnskey, span), || {
                outlived(world, server, Kind::Dnskey, span, &format!("without {}", key_label(missing)))
            });
        }
    }
    let of_all: RecordSet = world.desired().flat_map(|operator| world.keys_in_use(operator)).collect();
    copies_have_keys(world, &of_all, &mut guard);
    for joiner in joiners {
        // One DS of a key that signs is enough (RFC 6840 §5.11), and one of a key that does not sign yet is none.
        let vouched = |covers: &dyn Fn(&RecordSet) -> bool| {
            let signing = spans_of(world, joiner, Kind::Dnskey).filter(|(_, span)| span.until.is_none());
            signing.into_iter().all(|(_, span)| covers(&span.served.signers))
        };
        for (server, span) in world.of_parent(Kind::Ds).filter(|_| !world.leaves_out(Switch::Ds)) {
            if !vouched(&|keys| covers_any(world, &span.served.records, keys)) {
                guard.and_version(world, server, Kind::Ds, span, &format!("without a DS for {joiner}"));
            }
        }
        for kind in [Kind::Cds, Kind::Cdnskey] {
            for (server, span) in spans_of_members(world, kind).filter(|_| !world.leaves_out(Switch::CdsGun)) {
                let asked = asked_keys(kind, &span.served.records);
                if asked.is_empty() || vouched(&|keys| !asked.is_disjoint(&asked_keys(Kind::Cdnskey, keys))) {
                    continue;
                }
                let Some(span) = &clipped(span, server, &ends) else { continue };
                let Some(acted) = may_be_acted_on_until(world, server, kind, span) else { continue };
                guard.and(Kind::Cds, acted, || {
                    format!("the parent may still publish a DS RRset without {joiner}, requested by the {kind} RRset at {server}{}", unseen_parent(world, Kind::Ds, acted))
                });
            }
        }
    }
    guard
}

/// `T_q`: when nobody can ask the leaver any more. Every NS set that names it is dead, at the parent and at every
/// operator, the leaver included; and none can come out of an older CSYNC. What another leaver serves counts until nobody
/// can ask that one: it is not asked, nor written to, after its own last question.
pub fn last_question(world: &World<'_>, leaver: &str) -> Guard {
    let work_out = || last_question_besides(world, leaver, &BTreeSet::new());
    world.memo_of(leaver).map_or_else(work_out, |memo| memo.last_question.get_or_init(work_out).clone())
}

/// `asking`: the leavers whose own last question is being worked out. What they serve counts for as long as it is served.
fn last_question_besides(world: &World<'_>, leaver: &str, asking: &BTreeSet<&str>) -> Guard {
    let mut asking = asking.clone();
    asking.extend(world.leavers().map(String::as_str).filter(|name| *name == leaver));
    let mut guard = Guard::open("guard-ns");
    if world.leaves_out(Switch::Ns) {
        return guard;
    }
    let delegation = world.of_parent(Kind::Delegation).filter(|_| !world.leaves_out(Switch::Delegation));
    for (server, span) in delegation.filter(|(_, span)| world.names(&span.served.records, leaver)) {
        guard.and_version(world, server, Kind::Delegation, span, &format!("that names {leaver}"));
    }
    let others = world.leavers().filter(|other| !asking.contains(other.as_str()));
    let ends: BTreeMap<&str, Option<Time>> =
        others.map(|other| (other.as_str(), last_question_besides(world, other, &asking).from)).collect();
    let naming = spans_of_members(world, Kind::Ns).filter(|(_, span)| world.names(&span.served.records, leaver));
    for (server, span) in naming {
        // What the leaver says of itself reaches nobody before others have said it.
        let own = server.who.is_operator(leaver);
        let left_out = if own { Switch::NsAtLeaver } else { Switch::NsAtOperators };
        if own && !could_be_asked(world, server, span) || world.leaves_out(left_out) {
            continue;
        }
        let Some(span) = &clipped(span, server, &ends) else { continue };
        guard.and(Kind::Ns, death(world, server, Kind::Ns, span), || {
            outlived(world, server, Kind::Ns, span, &format!("that names {leaver}"))
        });
        if world.leaves_out(Switch::CsyncGun) {
            continue;
        }
        if let Some(enacted) = delegation_may_return(world, server, span) {
            guard.and(Kind::Csync, enacted, || {
                format!("the parent may still publish the delegation that names {leaver}, requested by the CSYNC at {server}{}", unseen_parent(world, Kind::Delegation, enacted))
            });
        }
    }
    no_copy_leads_to(world, leaver, &mut guard);
    no_other_name_leads_to(world, leaver, &mut guard);
    glue_is_right(world, &mut guard);
    guard
}

/// The part of a span in which its server could be asked; `None` where there is none. `ends`: the last questions of leavers.
pub(super) fn clipped<'s>(
    span: &'s Span,
    server: &Server,
    ends: &BTreeMap<&str, Option<Time>>,
) -> Option<Cow<'s, Span>> {
    let mut span = Cow::Borrowed(span);
    if let Who::Operator(name) = &server.who
        && let Some(Some(end)) = ends.get(name.as_str())
    {
        if span.since.unwrap_or(Time::MIN) >= *end && *end > Time::MIN {
            return None;
        }
        let until = span.until.unwrap_or(Time::MAX).min(*end);
        span.to_mut().until = Some(until);
    }
    Some(span)
}

/// The leaver's DS may go: its DNSKEY sets, which nothing else vouches for, are dead.
pub fn may_lose_ds(world: &World<'_>, leaver: &str) -> Guard {
    let mut guard = last_question(world, leaver);
    let Some(last_asked) = guard.from else { return guard };
    if world.leaves_out(Switch::LeaverDnskey) {
        return guard;
    }
    (guard.code, guard.own) = ("guard-ttl", "guard-ttl");
    for (server, span) in spans_of(world, leaver, Kind::Dnskey) {
        if span.since.unwrap_or(Time::MIN) >= last_asked {
            continue;
        }
        let last = span.until.unwrap_or(Time::MAX).min(last_asked);
        let dead = world.lifetimes.death_after(last, server, Kind::Dnskey, &span.served);
        guard.and(Kind::Dnskey, Some(dead), || {
            format!(
                "resolvers may still have cached the DNSKEY RRset of {server} (TTL {} s, served until {last})",
                span.served.ttl_s
            )
        });
    }
    guard
}

/// The keys that the parent has a DS for and that nobody wants there any more, each with the guard before which its DS may
/// not go: every DNSKEY set that it signed, and that none of the `wanted` keys signed, is dead (RFC 7583 §3.3). An operator
/// may give a key up at any moment; the sets that it signed live on.
pub fn still_vouching(world: &World<'_>, wanted: &RecordSet) -> Vec<(Rdata, Guard)> {
    if world.leaves_out(Switch::RolledDs) {
        return Vec::new();
    }
    let ds: RecordSet = world
        .parent_servers
        .iter()
        .filter_map(|server| world.history.current(server, Kind::Ds))
        .flat_map(|span| span.served.records.iter().cloned())
        .collect();
    let ends: BTreeMap<&str, Option<Time>> =
        world.leavers().map(|leaver| (leaver.as_str(), last_question(world, leaver).from)).collect();
    let mut vouching: BTreeMap<Rdata, Guard> = BTreeMap::new();
    for (server, span) in spans_of_members(world, Kind::Dnskey) {
        let leaves = matches!(&server.who, Who::Operator(name) if world.leavers().any(|leaver| leaver == name));
        if leaves && world.leaves_out(Switch::LeaverDnskey)
            || !span.served.signers.is_disjoint(wanted)
            || !could_be_asked(world, server, span)
        {
            continue;
        }
        let Some(span) = &clipped(span, server, &ends) else { continue };
        // Some validators may use what others cannot: a DS of any type may be what they go by.
        let has_ds = |key: &&Rdata| ds.iter().any(|ds| key_that_ds_belongs_to(world.zone, ds, [*key]).is_some());
        for key in span.served.signers.iter().filter(has_ds) {
            let guard = vouching.entry(key.clone()).or_insert_with(|| Guard::open("guard-ttl"));
            guard.and(Kind::Dnskey, death(world, server, Kind::Dnskey, span), || {
                outlived(
                    world,
                    server,
                    Kind::Dnskey,
                    span,
                    &format!("that {} signed and no key that stays", key_label(key)),
                )
            });
        }
    }
    vouching.into_iter().collect()
}

/// A placed key may be taken out of the other operators' DNSKEY sets: nothing that it signed, or may have signed while its
/// owner published it, is alive. For a leaver's keys its answers end with the last question that can reach it.
pub fn may_lose_key(world: &World<'_>, key: &Rdata, at: &str) -> Guard {
    let mut guard = Guard::open("guard-ttl");
    if world.leaves_out(Switch::Data) {
        return guard;
    }
    copies_not_signed_by(world, key, &mut guard);
    for (owner, member) in world.members.iter().filter(|(owner, _)| *owner != at) {
        let mut asked_until = Time::MAX;
        if member.wanted == Standing::Outside {
            let last = last_question(world, owner);
            let Some(from) = last.from else { return last };
            asked_until = from;
            guard.and(Kind::Ns, Some(from), || last.because);
        }
        let placed_there = member.placements.get(&Kind::Dnskey).is_some_and(|placed| placed.contains(key));
        for kind in Kind::OPERATOR {
            for (server, span) in spans_of(world, owner, kind) {
                let signed = span.served.signers.contains(key);
                // Which RRsets a key signs is seen in a sample only; while its owner publishes it, it may sign any.
                let may_sign = !world.leaves_out(Switch::MaySign)
                    && kind == Kind::Dnskey
                    && !placed_there
                    && span.served.records.contains(key);
                if !(signed || may_sign) || span.since.unwrap_or(Time::MIN) >= asked_until {
                    continue;
                }
                let last = span.until.unwrap_or(Time::MAX).min(asked_until);
                let ttl_s = if may_sign {
                    world.lifetimes.data_ttl_s(owner).max(u64::from(span.served.ttl_s))
                } else {
                    world.lifetimes.ttl_s(server, kind, &span.served)
                };
                let dead = (last < Time::MAX).then(|| last.plus(world.lifetimes.outlives_ttl(ttl_s)));
                guard.and(Kind::Data, dead, || {
                    let served = if last < Time::MAX {
                        format!("served by {server} until {last}")
                    } else {
                        format!("still served by {server}")
                    };
                    format!(
                        "resolvers may still have cached answers signed with {} (TTL up to {ttl_s} s, {served})",
                        key_label(key)
                    )
                });
            }
        }
    }
    guard
}

/// When a version is dead, by the TTL that it was served with.
fn death(world: &World<'_>, server: &Server, kind: Kind, span: &Span) -> Option<Time> {
    let switch = match kind {
        Kind::Ds => Switch::OldDsTtl,
        Kind::Dnskey => Switch::OldDnskeyTtl,
        Kind::Delegation => Switch::OldDelegationTtl,
        _ => Switch::OldNsTtl,
    };
    if !world.leaves_out(switch) {
        return world.death(server, kind, span);
    }
    let now = world.history.current(server, kind).unwrap_or(span);
    world.lifetimes.death(server, kind, &Span { served: now.served.clone(), ..span.clone() })
}

/// Whether every validator accepts one of the keys because of this DS set.
fn covers_any(world: &World<'_>, ds: &RecordSet, keys: &RecordSet) -> bool {
    ds.iter().any(|ds| key_that_ds_validates(world.zone, ds, keys).is_some())
}

/// The keys that a DS, CDS or CDNSKEY set is about, by tag and algorithm: digest types are the parent's choice.
fn asked_keys(kind: Kind, set: &RecordSet) -> BTreeSet<(u16, u8)> {
    if kind == Kind::Cdnskey {
        return set.iter().filter_map(Dnskey::read).map(|key| (key.key_tag(), key.algorithm)).collect();
    }
    set.iter().filter_map(Ds::read).map(|ds| (ds.key_tag, ds.algorithm)).collect()
}

/// For how long a parent may act on a CDS set: it was not what the parent had already. `None`: acting changes nothing.
/// `Some(None)`: it is still served.
fn may_be_acted_on_until(world: &World<'_>, server: &Server, kind: Kind, span: &Span) -> Option<Option<Time>> {
    if !could_be_asked(world, server, span) {
        return None;
    }
    let asked = asked_keys(kind, &span.served.records);
    let has_another = world
        .of_parent(Kind::Ds)
        .any(|(_, ds)| served_together(ds, span) && asked_keys(Kind::Ds, &ds.served.records) != asked);
    // The parent may already have decided on what an earlier set asked for, and go back on it for this one.
    let enacts_another = || {
        [Kind::Cds, Kind::Cdnskey].into_iter().flat_map(|of| spans_of_members(world, of).map(move |at| (of, at))).any(
            |(of, (_, earlier))| {
                let earlier_asked = asked_keys(of, &earlier.served.records);
                !earlier_asked.is_empty()
                    && earlier_asked != asked
                    && in_the_pipeline(world, earlier, earlier.served.ttl_s, span)
            },
        )
    };
    let news = has_another || enacts_another();
    let acted = |until: Time| {
        let fetched = world.lifetimes.cached(world.lifetimes.ttl_s(server, kind, &span.served));
        let published = until.plus(fetched).plus(world.lifetimes.parent_pipeline());
        let ds_ttl_s = world.of_parent(Kind::Ds).map(|(_, ds)| u64::from(ds.served.ttl_s)).max().unwrap_or(0);
        let served_until = world.lifetimes.published_until(world.history, published, Kind::Ds)?;
        Some(served_until.plus(world.lifetimes.outlives_ttl(ds_ttl_s)))
    };
    news.then(|| span.until.and_then(acted))
}

/// Whether a parent that read `earlier` before `later` appeared may be about to publish it while `later` is served.
fn in_the_pipeline(world: &World<'_>, earlier: &Span, ttl_s: u32, later: &Span) -> bool {
    let lifetimes = world.lifetimes;
    let published =
        earlier.until.unwrap_or(Time::MAX).plus(lifetimes.cached(u64::from(ttl_s))).plus(lifetimes.parent_pipeline());
    earlier.since < later.since && later.since.unwrap_or(Time::MIN) < published
}

/// The delegation that the CSYNC beside this NS set asked for, if it asked for anything new: when it is dead at the latest.
fn delegation_may_return(world: &World<'_>, server: &Server, ns: &Span) -> Option<Option<Time>> {
    let news = |csync: &&Span| {
        !csync.served.records.is_empty()
            && served_together(csync, ns)
            && (world.of_parent(Kind::Delegation).any(|(_, delegation)| {
                served_together(delegation, ns)
                    && served_together(delegation, csync)
                    && delegation.served.records != ns.served.records
            }) || spans_of_members(world, Kind::Ns).any(|(at, earlier)| {
                // The parent may already have decided on what an earlier CSYNC asked for.
                earlier.served.records != ns.served.records
                    && asked_for_by_csync(world, at, earlier)
                    && in_the_pipeline(world, earlier, earlier.served.ttl_s, ns)
            }))
    };
    let ttl_s = world.of_parent(Kind::Delegation).map(|(_, d)| u64::from(d.served.ttl_s)).max().unwrap_or(0);
    let csyncs = world.history.track(server, Kind::Csync).into_iter().flat_map(|track| world.versions(track));
    let ends = csyncs.filter(news).map(|csync| {
        let until = [csync.until, ns.until].into_iter().flatten().min()?;
        let fetched = world.lifetimes.cached(u64::from(csync.served.ttl_s.max(ns.served.ttl_s)));
        let published = until.plus(fetched).plus(world.lifetimes.parent_pipeline());
        let served_until = world.lifetimes.published_until(world.history, published, Kind::Delegation)?;
        Some(served_until.plus(world.lifetimes.outlives_ttl(ttl_s)))
    });
    // A set without an end outlasts all others.
    ends.reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)))
}

fn asked_for_by_csync(world: &World<'_>, server: &Server, ns: &Span) -> bool {
    let track = world.history.track(server, Kind::Csync);
    track.is_some_and(|track| world.versions(track).any(|c| !c.served.records.is_empty() && served_together(c, ns)))
}

fn served_together(a: &Span, b: &Span) -> bool {
    a.since.unwrap_or(Time::MIN) < b.until.unwrap_or(Time::MAX)
        && b.since.unwrap_or(Time::MIN) < a.until.unwrap_or(Time::MAX)
}

/// Whether any NS set that was served while `span` was, or before, names the server's operator: scanners and resolvers
/// alike only ask servers that they were told of.
fn could_be_asked(world: &World<'_>, server: &Server, span: &Span) -> bool {
    let Who::Operator(operator) = &server.who else { return true };
    let before_its_end = |ns: &Span| ns.since.unwrap_or(Time::MIN) < span.until.unwrap_or(Time::MAX);
    let delegated = world
        .of_parent(Kind::Delegation)
        .chain(spans_of_members(world, Kind::Ns).filter(|(at, _)| at.who != server.who));
    delegated.into_iter().any(|(_, ns)| before_its_end(ns) && world.names(&ns.served.records, operator))
}

/// Whether a version that its server no longer serves was never in any cache: no delegation and no NS RRset of another operator
/// named the operator then or before, under this address or another operator's. A joining operator has such versions.
fn is_in_no_cache(world: &World<'_>, server: &Server, span: &Span) -> bool {
    let shared = world.members.values().flat_map(|member| &member.servers);
    let shared = shared.filter(|other| other.who != server.who && other.address == server.address).count() > 0;
    span.until.is_some() && !shared && !could_be_asked(world, server, span)
}

fn spans_of_members<'a>(world: &World<'a>, kind: Kind) -> impl Iterator<Item = (&'a Server, &'a Span)> + use<'a> {
    let members = world.members;
    world.may_be_served(kind).filter(move |(server, _)| match &server.who {
        Who::Operator(name) => members.contains_key(name),
        Who::Parent | Who::Public | Who::Registrar => false,
    })
}

fn spans_of<'a>(
    world: &World<'a>,
    operator: &str,
    kind: Kind,
) -> impl Iterator<Item = (&'a Server, &'a Span)> + use<'a> {
    let who = Who::Operator(operator.to_owned());
    world.may_be_served(kind).filter(move |(server, _)| server.who == who)
}
