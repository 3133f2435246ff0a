//! Zones: adopted, listed, their policy changed, their past shown.

use super::changes::refused_for;
use super::check::foreign_keys;
use super::{Controller, learn_ttls, no_operator, of_engine, of_store, plain, show, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire;
use crate::engine::{Certificate, Status};
use crate::model::dns::{Name, stored};
use crate::model::group::{PARENT_SERVES_ZONE, ParentMode, Refused, Standing, World, belongings, preflight};
use crate::model::history::{History, Kind, Server};
use crate::model::parent::{PROFILES, ParentProfile};
use crate::model::policy::Policy;
use crate::observe::transport::Protocol;
use crate::store::{MemberRecord, ParentRecord, StoreError, ZoneRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Longer than a year is a mistake in the unit.
const LONGEST_S: u64 = 366 * 86_400;

impl Controller {
    /// Observes, refuses what cannot be looked after, and writes to no name server.
    pub(super) async fn adopt(&self, add: wire::ZoneAdd) -> Result<wire::ZoneShow, Refusal> {
        let name = zone_name(&add.zone)?;
        let ports = self.engine.ports();
        let mut policy = Policy::default();
        change(&mut policy, &add.policy)?;
        if ports.store.zone(&name).await.map_err(of_store)?.is_some() {
            return Err(of_store(StoreError::Exists { what: "zone", name: stored(&name) }));
        }
        let names = adopted(&add)?;
        let mut operators = Vec::new();
        for operator in &names {
            let record = ports.store.operator(operator).await.map_err(of_store)?;
            let record = record.ok_or_else(|| no_operator(operator))?;
            operators.push((record, MemberRecord::wanted(Standing::Serving)));
        }
        let record = ZoneRecord {
            name: name.clone(),
            parent: ParentRecord {
                mode: match add.parent {
                    wire::ParentMode::Scan => ParentMode::Scan,
                    wire::ParentMode::Manual => ParentMode::Manual,
                },
                servers: add.parent_servers.iter().map(ToString::to_string).collect(),
            },
            policy,
            members: names.iter().map(|name| (name.clone(), MemberRecord::wanted(Standing::Serving))).collect(),
            placements: BTreeMap::new(),
            in_flight: Vec::new(),
            zone_ttls: BTreeMap::new(),
            due_at: ports.clock.now(),
            status: Status::default().write(),
            created_at: ports.clock.now(),
        };
        let picture = self.engine.ports().picture(record, History::default(), operators, None).await;
        let mut known = picture.map_err(of_engine)?;
        self.engine.look(&mut known, Protocol::Tcp).await;
        let world = known.world();
        // A zone that is not secure yet, or that is about to be made insecure, can be watched; only joining it is refused.
        let is_watched =
            |code: &str| ["zone-insecure", "cds-delete", "ds-unusable", PARENT_SERVES_ZONE].contains(&code);
        let refused = preflight(&world).into_iter().find(|refused| !is_watched(refused.code));
        self.learn_stored_keys(&mut known).await?;
        let found = self.shared_interfaces(&known).await?.into_iter().chain(foreign_keys(&known));
        let found = found.map(refused_for).next();
        let world = known.world();
        if let Some(refused) = refused.or(found).or_else(|| not_serving(&world)) {
            return Err(Refusal::new(RefusalKind::Preflight, refused.code, refused.text)
                .with_fix(refused.fix)
                .with_zone(plain(&name)));
        }
        learn_ttls(&self.engine, &mut known).await?;
        let status = Status { parent_zone: stored(&known.places.parent_zone), ..Status::default() };
        known.record.status = status.write();
        // The schedule sees the zone as soon as it is stored. A turn that began without the history would record the same
        // versions a second time, and of those one would never end.
        let memory = self.engine.memory(&name);
        let holding = memory.lock().await;
        self.store().add_zone(&known.record).await.map_err(of_store)?;
        ports.store.record(&name, &known.history, known.observed_at).await.map_err(of_store)?;
        for (operator, listed) in &known.record.zone_ttls {
            ports.store.set_zone_ttl(&name, operator, *listed).await.map_err(of_store)?;
        }
        if known.members.len() > 1 {
            // What the members have of each other is looked after as if Chorus had placed it.
            let found = belongings(&known.world());
            self.engine.keep_as_placements(&mut known, found).await.map_err(of_engine)?;
        }
        drop(holding);
        self.engine.turn(&name).await.map_err(of_engine)?;
        self.engine.wake();
        self.show_zone(&name).await
    }

    pub(super) async fn show_zone(&self, name: &Name) -> Result<wire::ZoneShow, Refusal> {
        let (known, status) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        let last = match &known.transition {
            Some(_) => None,
            None => self.engine.ports().store.last_transition(name).await.map_err(of_store)?,
        };
        let mut shown = show::zone(&known, &status, last.as_ref(), self.engine.ports().clock.now());
        if let Some((_, text, fix)) = self.trial_left_over(name).await?.filter(|_| known.transition.is_none()) {
            shown.waiting_for = Some(wire::WaitingFor { code: "trial-left-over".into(), text, until: None });
            shown.next = Some(fix);
        }
        Ok(shown)
    }

    pub(super) async fn set_policy(
        &self,
        name: &Name,
        wanted: wire::PolicyChange,
    ) -> Result<wire::ZonePolicy, Refusal> {
        // Nothing is kept of zones that are not there.
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let memory = self.engine.memory(name);
        // A turn that is under way would put its own due time over ours.
        let _holding = memory.lock().await;
        let (mut known, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        change(&mut known.record.policy, &wanted)?;
        let ports = self.engine.ports();
        let policy = &known.record.policy;
        let text = format!(
            "policy: slack {} s, stale {} s, data TTL max {}, parent pipeline {} s, sample every {} s, gap max {} s, \
             hand over max {} s",
            policy.slack_s,
            policy.stale_s,
            policy.data_ttl_max_s.map_or("as seen".into(), |s| format!("{s} s")),
            policy.parent_pipeline_s,
            policy.sample_every_s,
            policy.gap_max_s,
            policy.registrar_max_s
        );
        self.store().set_policy(name, policy, ports.clock.now(), &text).await.map_err(of_store)?;
        self.engine.wake();
        known.lifetimes.policy = known.record.policy.clone();
        known.lifetimes.policy.know_parent(&known.places.parent_zone);
        Ok(show::policy(&known))
    }

    pub(super) async fn show_history(&self, name: &Name, limit: u32) -> Result<wire::History, Refusal> {
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let limit = limit.clamp(1, 1000);
        let mut events = self.engine.ports().store.events(name, limit + 1).await.map_err(of_store)?;
        let more = events.len() > limit as usize;
        if more {
            events.remove(0);
        }
        let events = events.into_iter().map(|event| wire::Event {
            at: wire::At::clock(event.at),
            kind: event.kind,
            text: event.text,
            who: event.who,
            transition: event.transition,
            operator: event.operator,
            detail: None,
        });
        Ok(wire::History { zone: plain(name), events: events.collect(), more })
    }

    pub(super) async fn show_certificate(
        &self,
        name: &Name,
        transition: Option<&str>,
        with_evidence: bool,
    ) -> Result<wire::Certificate, Refusal> {
        self.engine.ports().recall(name).await.map_err(of_engine)?;
        let transitions = self.engine.ports().store.transitions(name).await.map_err(of_store)?;
        let found = transitions.iter().find(|t| match transition {
            Some(id) => t.id == id,
            None => t.certificate.is_some(),
        });
        let none = |text: String| {
            Refusal::new(RefusalKind::NotFound, "no-certificate", text)
                .with_fix("a transition has its certificate once it is done: see `chorus zone show`")
                .with_zone(plain(name))
        };
        let found = found.ok_or_else(|| {
            none(format!(
                "{} has no finished transition{}",
                plain(name),
                transition.map(|id| format!(" {id}")).unwrap_or_default()
            ))
        })?;
        let text = found.certificate.as_ref().ok_or_else(|| none(format!("transition {} is not done", found.id)))?;
        let certificate: Certificate = serde_json::from_str(text).map_err(|e| {
            Refusal::new(
                RefusalKind::Unavailable,
                "db-unavailable",
                format!("the certificate of {} cannot be read: {e}", found.id),
            )
        })?;
        let mut shown = show::certificate(&certificate);
        if with_evidence {
            shown.evidence = Some(self.evidence(name, &found.id).await?);
        }
        Ok(shown)
    }

    /// What the certificate of this transition rests on.
    async fn evidence(&self, name: &Name, transition: &str) -> Result<serde_json::Value, Refusal> {
        let text = self.engine.ports().store.evidence(name, transition).await.map_err(of_store)?;
        let text = text.ok_or_else(|| {
            let text = format!("transition {transition} ended before Chorus kept what certificates rest on");
            Refusal::new(RefusalKind::NotFound, "no-evidence", text)
                .with_fix("read its certificate without evidence")
                .with_zone(plain(name))
        })?;
        serde_json::from_str(&text).map_err(|e| {
            let text = format!("the evidence of {transition} cannot be read: {e}");
            Refusal::new(RefusalKind::Unavailable, "db-unavailable", text)
        })
    }
}

fn no_profile(name: &str) -> Refusal {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    Refusal::new(RefusalKind::Invalid, "unknown-parent-profile", format!("there is no parent profile {name}"))
        .with_fix(format!("say auto, or one of {}", names.join(", ")))
}

/// The operators that are said to sign and serve the zone.
fn adopted(add: &wire::ZoneAdd) -> Result<BTreeSet<String>, Refusal> {
    match (&add.operator, add.operators.as_slice()) {
        (Some(operator), []) => Ok(BTreeSet::from([operator.clone()])),
        (None, operators @ [_, ..]) => Ok(operators.iter().cloned().collect()),
        _ => {
            let text = format!("who signs and serves {} is not said, or said twice", add.zone);
            Err(Refusal::new(RefusalKind::Invalid, "bad-request", text)
                .with_fix("name the one operator as `operator`, or the operators of a group as `operators`"))
        }
    }
}

/// An operator that is said to serve the zone, and that no NS RRset names.
fn not_serving(world: &World<'_>) -> Option<Refused> {
    let named = |operator: &str| {
        let shows = |server: &Server, kind: Kind| {
            world.history.current(server, kind).is_some_and(|span| world.names(&span.served.records, operator))
        };
        let mut others = world.members.iter().filter(|(name, _)| *name != operator).flat_map(|(_, at)| &at.servers);
        world.parent_servers.iter().any(|server| shows(server, Kind::Delegation))
            || others.any(|server| shows(server, Kind::Ns))
    };
    let outside = world.members.keys().filter(|_| world.members.len() > 1).find(|name| !named(name))?;
    let staying: Vec<&str> = world.members.keys().filter(|name| *name != outside).map(String::as_str).collect();
    Some(Refused {
        code: "not-serving",
        text: format!(
            "{outside} does not serve {} yet: neither the parent nor {} names it",
            plain(world.zone),
            staying.join(", ")
        ),
        fix: format!("add the zone with {} and let {outside} join: `chorus zone join`", staying.join(",")),
    })
}

/// Takes over what a request says of the policy, if all of it is sane.
fn change(policy: &mut Policy, wanted: &wire::PolicyChange) -> Result<(), Refusal> {
    let all = [
        wanted.slack_s,
        wanted.stale_s,
        wanted.data_ttl_max_s,
        wanted.parent_pipeline_s,
        wanted.sample_every_s,
        wanted.gap_max_s,
        wanted.registrar_max_s,
    ];
    if let Some(long) = all.into_iter().flatten().find(|s| *s > LONGEST_S) {
        return Err(Refusal::new(RefusalKind::Invalid, "bad-duration", format!("{long} s is longer than a year"))
            .with_fix("check the unit"));
    }
    if let Some(name) = wanted.parent_profile.as_deref() {
        policy.parent_profile = match name {
            "auto" => None,
            name if ParentProfile::named(name).is_some() => Some(name.to_owned()),
            name => return Err(no_profile(name)),
        };
    }
    policy.parent_manual = wanted.parent.map(|mode| mode == wire::ParentMode::Manual).or(policy.parent_manual);
    if let Some(delegation) = &wanted.delegation {
        policy.delegation = confirmed(delegation)?;
    }
    policy.slack_s = wanted.slack_s.unwrap_or(policy.slack_s);
    policy.stale_s = wanted.stale_s.unwrap_or(policy.stale_s);
    // Of none at all there is nothing to say: what is seen counts.
    policy.data_ttl_max_s = wanted.data_ttl_max_s.or(policy.data_ttl_max_s).filter(|ttl_s| *ttl_s > 0);
    policy.parent_pipeline_s = wanted.parent_pipeline_s.unwrap_or(policy.parent_pipeline_s);
    policy.sample_every_s = wanted.sample_every_s.unwrap_or(policy.sample_every_s);
    policy.gap_max_s = wanted.gap_max_s.unwrap_or(policy.gap_max_s);
    policy.registrar_max_s = wanted.registrar_max_s.unwrap_or(policy.registrar_max_s);
    Ok(())
}

/// The hosts of a delegation that a person confirms, as they are kept.
fn confirmed(hosts: &str) -> Result<String, Refusal> {
    let given: Vec<&str> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    let read = crate::observe::resolve::NameServer::parse_all(given).map_err(|e| {
        Refusal::new(RefusalKind::Invalid, "bad-name", e.to_string())
            .with_fix("write the hosts of the delegation, separated by commas")
    })?;
    Ok(read.iter().map(|server| server.host.to_string()).collect::<Vec<_>>().join(","))
}
