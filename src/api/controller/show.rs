//! A zone as people and programs are shown it: out of the stored picture and the last turn's status.
//!
//! Invariant: `verdict` is never empty, and neither is `waiting_for` while a transition is under way.

use super::gist::{Gist, on_the_wire as state_on_the_wire};
use super::plain;
use super::under_way;
use crate::api::wire::{self, At};
use crate::engine::{Certificate, Picture, Status, awaited, failing, state_of};
use crate::model::chain::Exposure;
use crate::model::dns::{
    Dnskey, Rdata, RecordSet, RecordType, cds_for, key_that_ds_belongs_to, key_that_ds_validates, name_text, ns_name,
    plain_of_stored, rdata_text, unhex,
};
use crate::model::group::{
    GLUE_DIFFERS, Group, KeyRole, PARENT_SERVES_ZONE, ParentMode, Phase, REGISTRAR_PENDING, Rolling, Standing, Step,
    UNCOOPERATIVE, World, algorithm_name, has_already, is_by_hand, pending_requests, rolling, wanted_addresses,
};
use crate::model::history::{Failure, Kind, RegistrarRequest, Server, Who};
use crate::model::parent::ParentProfile;
use crate::model::policy::DATA_TTL_MAX_UNKNOWN_S;
use crate::model::resolution::Resolution;
use crate::model::time::Time;
use crate::store::{Aim, AlgorithmChange, TransitionRecord};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

pub(super) fn zone(known: &Picture, status: &Status, last: Option<&TransitionRecord>, now: Time) -> wire::ZoneShow {
    let world = known.world();
    let gist = Gist { members: &known.record.members, status, transition: known.transition.as_ref() };
    let failing = failing(status);
    let operators = known.members.iter().map(|(operator, member)| wire::OperatorStanding {
        operator: operator.clone(),
        standing: on_the_wire(status.standings.get(operator).copied().unwrap_or(Standing::Outside)),
        wanted: on_the_wire(member.wanted),
        unreachable: member.unreachable && member.leaves(),
        uncooperative: member.uncooperative && member.leaves(),
        silent: failing.get(operator.as_str()).map(ToString::to_string),
    });
    let transition = match (&known.transition, last) {
        (Some(running), _) => Some(under_way::running(known, gist, running, now)),
        (None, Some(last)) => Some(under_way::ended(last)),
        (None, None) => None,
    };
    wire::ZoneShow {
        zone: plain(&known.record.name),
        verdict: gist.verdict(),
        headline: gist.headline(),
        rest: gist.rest(),
        state: gist.state().name().into(),
        waiting_for: match &transition {
            Some(running) if known.transition.is_some() => running.waiting_for.clone(),
            _ => gist.unsettled(),
        },
        desired: gist.desired(),
        to_repair: gist.lacking(),
        operators: operators.collect(),
        transition,
        exposures: status.exposures.iter().map(exposure).collect(),
        parent: parent(known, status),
        keys: keys(&world, status),
        rolls: rolling(&world).into_iter().map(roll).collect(),
        servers: servers(known),
        hand_to_registrar: hand_to_registrar(&world, status),
        registrar_pending: registrar_pending(&world),
        policy: policy(known),
        next: next(known, status),
        updated_at: status.observed_at.and_then(At::known),
        now: At::clock(now),
    }
}

fn on_the_wire(standing: Standing) -> wire::Standing {
    match standing {
        Standing::Outside => wire::Standing::Outside,
        Standing::Trusted => wire::Standing::Trusted,
        Standing::Serving => wire::Standing::Serving,
    }
}

/// A group in words: who serves, and who is trusted only.
pub(super) fn listed(group: &Group) -> String {
    let each = group.iter().map(|(name, standing)| match standing {
        Standing::Serving => name.clone(),
        Standing::Trusted | Standing::Outside => format!("{name} (trusted only)"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A roll to another algorithm, by names.
pub(super) fn algorithm(change: AlgorithmChange) -> wire::AlgorithmShow {
    wire::AlgorithmShow { from: algorithm_name(change.from), to: algorithm_name(change.to) }
}

pub(super) fn trusted(group: &Group) -> Vec<String> {
    group.iter().filter(|(_, standing)| **standing == Standing::Trusted).map(|(name, _)| name.clone()).collect()
}

fn next(known: &Picture, status: &Status) -> Option<String> {
    let transition = known.transition.as_ref()?;
    if transition.paused {
        return Some("resume it, stop it or undo it: by itself it does not go on".into());
    }
    let wait = awaited(status, transition)?;
    match state_on_the_wire(state_of(wait)) {
        wire::TransitionState::WaitingParent if wait.code == "parent-manual" => {
            Some("hand the DS and NS that are shown to the registrar".into())
        }
        wire::TransitionState::WaitingParent if wait.code == "parent-silent-server" => {
            Some("the parent's next scan; or hand the DS and NS that are shown to the registrar".into())
        }
        wire::TransitionState::WaitingParent if wait.code == PARENT_SERVES_ZONE => Some(
            "goes on when the copy of the zone at the parent is gone or new, or the delegation is confirmed".into(),
        ),
        wire::TransitionState::WaitingParent if wait.code == REGISTRAR_PENDING => {
            Some("goes on when the parent's servers have been seen".into())
        }
        wire::TransitionState::WaitingParent => Some("the parent's next scan".into()),
        wire::TransitionState::WaitingGuard => wait.until.map(|until| format!("goes on by itself at {until}")),
        wire::TransitionState::Blocked => Some("goes on when the reason above is gone".into()),
        wire::TransitionState::WaitingOperator if wait.code == UNCOOPERATIVE && wait.step > Step::AwaitDelegation => {
            Some("get the operator to cease to serve the zone, then let it leave with --unreachable".into())
        }
        wire::TransitionState::WaitingOperator if wait.code == "algorithm-operator" => {
            Some(by_hand(wait.step, transition.aim).into())
        }
        _ => None,
    }
}

/// What an operator does for a roll to another algorithm with the servers that are known here.
fn by_hand(step: Step, aim: Aim) -> &'static str {
    match (step, aim) {
        (Step::AwaitOldAlgorithm | Step::AwaitDs, Aim::Undoing) => {
            "with BIND: the algorithm from before in its dnssec-policy, then `rndc reconfig` (it makes new keys, as for a key \
             roll); with Knot: the algorithm from before in its policy, a `delete-delay` longer than the change, `knotc reload`, `keymgr ZONE set KEY ready=-1 active=-1 \
             retire=-1 remove=-1` for each key of the other algorithm, then `knotc zone-sign ZONE`"
        }
        (Step::AwaitOldAlgorithm, _) => {
            "with BIND: `rndc dnssec -checkds -key NEW published ZONE` and `rndc dnssec -checkds -key OLD withdrawn ZONE` for \
             the key-signing keys; with Knot: `knotc zone-ksk-submitted ZONE`"
        }
        _ => {
            "with BIND: the new algorithm in its dnssec-policy, then `rndc reconfig`, and neither `parental-agents` nor `rndc \
             dnssec -checkds` until told; with Knot: the new algorithm in its policy, then `knotc reload` and `knotc zone-sign \
             ZONE`, and neither `ksk-submission` nor `knotc zone-ksk-submitted` until told"
        }
    }
}

pub(super) fn exposure(exposure: &Exposure) -> wire::Exposure {
    let who: BTreeSet<String> = exposure.servers.iter().map(|server| server.who.to_string()).collect();
    wire::Exposure {
        from: At::clock(exposure.from),
        until: At::known(exposure.until),
        what: exposure.what.clone(),
        who: who.into_iter().collect::<Vec<_>>().join(", "),
    }
}

fn parent(known: &Picture, _status: &Status) -> wire::ParentShow {
    let shown = |kind: Kind| -> RecordSet {
        let spans = known.places.parent.iter().filter_map(|server| known.history.current(server, kind));
        spans.flat_map(|span| span.served.records.clone()).collect()
    };
    wire::ParentShow {
        mode: match known.record.parent.mode {
            ParentMode::Scan => wire::ParentMode::Scan,
            ParentMode::Manual => wire::ParentMode::Manual,
        },
        zone: plain(&known.places.parent_zone),
        servers: known.places.parent.iter().map(|server| server.address).collect(),
        ds: shown(Kind::Ds).iter().map(|ds| rdata_text(RecordType::DS, ds)).collect(),
        ns: hosts(&shown(Kind::Delegation)),
        profile: takes(&known.lifetimes.policy.parent_profile()),
        notes: known.world().with_copies().into_iter().map(copy).collect(),
    }
}

/// A server of the parent that answers with a copy of the zone.
fn copy(server: &Server) -> wire::WaitingFor {
    wire::WaitingFor {
        code: PARENT_SERVES_ZONE.into(),
        text: format!("{server} {}: resolvers that ask the parent there get this copy", Failure::ServesChild),
        until: None,
    }
}

/// What is known of what a parent takes.
pub(super) fn takes(profile: &ParentProfile) -> Option<wire::ParentTakes> {
    let takes = || wire::ParentTakes { name: profile.name.to_owned(), text: profile.describe() };
    profile.is_known().then(takes)
}

fn hosts(ns: &RecordSet) -> Vec<String> {
    ns.iter().filter_map(|ns| ns_name(ns).ok()).map(|host| plain(&host)).collect()
}

fn keys(world: &World<'_>, status: &Status) -> Vec<wire::KeyShow> {
    let mut shown = Vec::new();
    let mut all: Vec<(Rdata, Option<&String>)> = Vec::new();
    for operator in world.members.keys() {
        all.extend(world.own_keys(operator).into_iter().map(|key| (key, Some(operator))));
    }
    for operator in world.members.keys() {
        for key in world.served(operator, Kind::Dnskey) {
            if !all.iter().any(|(known, _)| *known == key) {
                all.push((key, None));
            }
        }
    }
    let wanted: RecordSet = status.parent_ds.iter().filter_map(|hex| unhex(hex)).map(Rdata::from_canonical).collect();
    for (rdata, owner) in all {
        let Some(key) = Dnskey::read(&rdata) else { continue };
        let servers = || world.members.values().flat_map(|member| &member.servers);
        let at = |kind: Kind, has: &dyn Fn(&crate::model::history::Served) -> bool| -> BTreeSet<SocketAddr> {
            let with =
                servers().filter(|server| world.history.current(server, kind).is_some_and(|span| has(&span.served)));
            with.map(|server| server.address).collect()
        };
        let published = at(Kind::Dnskey, &|served| served.records.contains(&rdata));
        let mut signing = at(Kind::Dnskey, &|served| served.signers.contains(&rdata));
        let data = at(Kind::Data, &|served| served.signers.contains(&rdata));
        // By what it does; of a key that does nothing yet, the secure entry point bit says what it is meant for.
        let leads = world.has_ds(&rdata) || owner.is_some_and(|owner| world.key_signing_keys(owner).contains(&rdata));
        let is_entry = leads || key.is_key_signing();
        let both = is_entry && !data.is_empty();
        signing.extend(data);
        shown.push(wire::KeyShow {
            tag: key.key_tag(),
            algorithm: key.algorithm,
            role: match (is_entry, both) {
                (true, true) => wire::KeyRole::Csk,
                (true, false) => wire::KeyRole::Ksk,
                (false, _) => wire::KeyRole::Zsk,
            },
            owner: owner.cloned(),
            published_at: published.into_iter().collect(),
            signing_at: signing.into_iter().collect(),
            ds: is_entry.then(|| ds_state(world, &rdata, wanted.contains(&rdata))),
        });
    }
    shown
}

fn roll(rolling: Rolling) -> wire::RollShow {
    let Rolling { key, phase, since } = rolling;
    wire::RollShow {
        operator: key.operator,
        role: match key.role {
            KeyRole::Ksk => wire::KeyRole::Ksk,
            KeyRole::Zsk => wire::KeyRole::Zsk,
            KeyRole::Csk => wire::KeyRole::Csk,
        },
        tag: key.tag,
        algorithm: key.algorithm,
        state: match phase {
            Phase::New => wire::RollState::New,
            Phase::Signing => wire::RollState::Signing,
            Phase::Retired => wire::RollState::Retired,
            Phase::Kept => wire::RollState::Kept,
        },
        since: since.and_then(At::known),
    }
}

fn ds_state(world: &World<'_>, key: &Rdata, wanted: bool) -> wire::DsState {
    // A wanted DS is there when validators can use it; one that is to go is there while it belongs to the key.
    let is_its = if wanted { key_that_ds_validates } else { key_that_ds_belongs_to };
    let has = |server: &&Server| {
        let span = world.history.current(server, Kind::Ds);
        span.is_some_and(|span| span.served.records.iter().any(|ds| is_its(world.zone, ds, [key]).is_some()))
    };
    let at = world.parent_servers.iter().filter(has).count();
    match (at, wanted) {
        (0, true) => wire::DsState::Awaited,
        (0, false) => wire::DsState::Absent,
        (_, false) => wire::DsState::Leaving,
        (some, true) if some < world.parent_servers.len() => wire::DsState::Partial,
        _ => wire::DsState::Present,
    }
}

fn servers(known: &Picture) -> Vec<wire::ServerShow> {
    let operators = known.members.values().flat_map(|member| &member.servers);
    let all = known.places.parent.iter().chain(operators);
    let shown = all.map(|server| {
        let kinds: &[Kind] = if server.who == Who::Parent { &Kind::PARENT } else { &Kind::OPERATOR };
        let last =
            kinds.iter().filter_map(|kind| known.history.current(server, *kind)).map(|span| span.last_seen).max();
        let trouble = kinds.iter().find_map(|kind| {
            let trouble = known.history.trouble(server, *kind)?;
            Some(format!("{} (asked for {kind}, since {})", trouble.failure, trouble.since))
        });
        wire::ServerShow {
            who: match &server.who {
                Who::Parent => "parent".into(),
                Who::Public => "public".into(),
                Who::Registrar => "registrar".into(),
                Who::Operator(name) => name.clone(),
            },
            host: plain(&server.host),
            address: server.address,
            last_seen: last.and_then(At::known),
            trouble,
        }
    });
    shown.collect()
}

fn hand_to_registrar(world: &World<'_>, status: &Status) -> Option<wire::HandToRegistrar> {
    status.waiting.iter().find(|wait| is_by_hand(&wait.code, wait.until, world.parent))?;
    let read = |texts: &[String]| -> RecordSet {
        texts.iter().filter_map(|hex| unhex(hex)).map(Rdata::from_canonical).collect()
    };
    // Whoever is shown what the parent has already may hand it in when it has something else.
    let missing = |kind, set: RecordSet| if has_already(world, kind, &set) { RecordSet::new() } else { set };
    let ds = missing(Kind::Ds, cds_for(world.zone, &read(&status.parent_ds), &[2]));
    let ns = read(&status.parent_ns);
    let inside = ns.iter().filter_map(|ns| ns_name(ns).ok()).filter(|host| world.zone.zone_of(host));
    let glue = inside.flat_map(|host| {
        let addresses = wanted_addresses(world, &host).into_iter();
        addresses.map(move |address| format!("{} {} {address}", name_text(&host), address_type(address)))
    });
    let ns_missing = missing(Kind::Delegation, ns.clone());
    if ds.is_empty() && ns_missing.is_empty() && !status.waiting.iter().any(|wait| wait.code == GLUE_DIFFERS) {
        return None;
    }
    Some(wire::HandToRegistrar {
        ds: ds.iter().map(|ds| rdata_text(RecordType::DS, ds)).collect(),
        glue: glue.collect(),
        ns: hosts(&ns_missing),
    })
}

/// `NS ns1.example.net, ns2.example.net`.
pub(super) fn request(request: &RegistrarRequest<'_>) -> String {
    let (rtype, records) = set_of(request);
    format!("{rtype} {}", records.join(", "))
}

fn set_of(request: &RegistrarRequest<'_>) -> (&'static str, Vec<String>) {
    match request.kind {
        Kind::Ds => ("DS", request.records.iter().map(|ds| rdata_text(RecordType::DS, ds)).collect()),
        _ => ("NS", hosts(request.records)),
    }
}

/// The sets that were shown for the registrar, are shown no more, and that a wait still counts with.
fn registrar_pending(world: &World<'_>) -> Vec<wire::RegistrarRequest> {
    let shown = pending_requests(world).into_iter().filter_map(|request| {
        let until = request.until?;
        let (rtype, records) = set_of(&request);
        Some(wire::RegistrarRequest {
            rtype: rtype.into(),
            records,
            since: At::known(request.since)?,
            until: At::known(until)?,
        })
    });
    shown.collect()
}

fn address_type(address: IpAddr) -> RecordType {
    if address.is_ipv4() { RecordType::A } else { RecordType::AAAA }
}

pub(super) fn policy(known: &Picture) -> wire::ZonePolicy {
    let policy = &known.record.policy;
    let used = known.members.keys().map(|op| known.lifetimes.data_ttl_s(op)).max().unwrap_or(DATA_TTL_MAX_UNKNOWN_S);
    let seen = known.members.keys().all(|op| known.lifetimes.zone_ttls_s.contains_key(op));
    wire::ZonePolicy {
        slack_s: policy.slack_s,
        stale_s: policy.stale_s,
        data_ttl_max_s: policy.data_ttl_max_s,
        data_ttl_max_used_s: used,
        data_ttl_max_from: match (policy.data_ttl_max_s, seen) {
            (Some(said), _) if said >= used => "as set",
            (None, false) => "default",
            _ => "zone transfer",
        }
        .into(),
        parent_pipeline_s: policy.parent_pipeline_s,
        parent_profile: known.lifetimes.policy.parent_profile.clone(),
        resolver_min_ttl_s: policy.resolver_min_ttl_s,
        resolver_max_ttl_s: policy.resolver_max_ttl_s,
        delegation: policy.delegation.clone(),
        sample_every_s: policy.sample_every_s,
        gap_max_s: policy.gap_max_s,
        registrar_max_s: policy.registrar_max_s,
    }
}

fn resolution(found: &Resolution) -> wire::Resolution {
    wire::Resolution {
        at: found.at.and_then(At::known),
        validated: found.validated,
        addresses: found.addresses.iter().cloned().collect(),
        answers: found.answers,
        resolved: found.resolved.iter().cloned().collect(),
        untried: found.untried.clone(),
    }
}

pub(super) fn certificate(certificate: &Certificate) -> wire::Certificate {
    wire::Certificate {
        transition: certificate.transition.clone(),
        zone: plain_of_stored(&certificate.zone),
        from: certificate.from.iter().cloned().collect(),
        to: certificate.to.iter().cloned().collect(),
        started: At::clock(certificate.started),
        ended: At::clock(certificate.ended),
        verdict: certificate.verdict.clone(),
        exposures: certificate.exposures.iter().map(exposure).collect(),
        pairs_checked: certificate.pairs,
        smallest_slack_s: certificate.smallest_slack_ms.map(|ms| i64::try_from(ms / 1000).unwrap_or(i64::MAX)),
        smallest_slack_what: certificate.smallest_slack_what.clone(),
        margin: certificate.margin.clone().or_else(|| old_margin(certificate)),
        assumptions: certificate.assumptions.clone(),
        not_looked_at: certificate.not_looked_at.clone(),
        resolution: certificate.resolution.as_ref().map(resolution),
        evidence: None,
    }
}

/// What a certificate from before there was a sentence knows.
fn old_margin(certificate: &Certificate) -> Option<String> {
    let (ms, what) = (certificate.smallest_slack_ms?, certificate.smallest_slack_what.as_ref()?);
    Some(format!("the smallest margin between two incompatible versions was {} s: {what}", ms / 1000))
}

/// The record type behind a kind, as presentation format has it.
pub(super) fn type_name(kind: Kind) -> String {
    kind.record_type().to_string()
}
