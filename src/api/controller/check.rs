//! Preflight: everything that can be seen before a transition, gathered and judged by the model.
//!
//! Invariant: nothing is written but what changes nothing; of a check only the largest TTLs of the zones are stored. What an interface
//! does not show is left out.

use super::changes::Wished;
use super::{Controller, of_engine, plain};
use crate::api::service::Refusal;
use crate::api::wire;
use crate::engine::Picture;
use crate::model::dns::{Dnskey, Name, Rdata, RecordSet, RecordType};
use crate::model::group::{Refused, World, dead_leavers, forecast, is_present, leavers_without_help};
use crate::model::history::Kind;
use crate::model::preflight::{self, Answered, Contents, Finding, Inspection, Severity, Unlisted};
use crate::observe::addresses::delegated_at;
use crate::observe::ask::Asker;
use crate::observe::transport::Protocol;
use crate::store::{MemberRecord, OperatorRecord};
use chorus_providers::{Listing, Provider};
use futures::future::join_all;
use hickory_proto::rr::RData;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Controller {
    pub(super) async fn check_zone(
        &self,
        name: &Name,
        change: Option<wire::Change>,
    ) -> Result<wire::ZoneCheck, Refusal> {
        let begins = change.is_some();
        let (from, to, mut known, roll) = match change {
            Some(change) => {
                let Wished { from, to, known, algorithm, .. } = self.wish(name, change).await?;
                (from.into_keys().collect(), to.into_keys().collect(), known, algorithm.map(|change| change.to))
            }
            None => {
                let (stored, status) = self.engine.ports().recall(name).await.map_err(of_engine)?;
                let known = self.engine.ports().load(stored.record, &status).await.map_err(of_engine)?;
                let present: Vec<String> = known.world().desired().cloned().collect();
                let roll = known.world().algorithm;
                (present.clone(), present, known, roll)
            }
        };
        self.engine.look(&mut known, Protocol::Tcp).await;
        let inspection = self.inspect(&mut known).await?;
        if let Err(refusal) = self.keep_listed_ttls(name, &inspection).await {
            tracing::warn!(zone = %name, "what the listings of a check showed could not be stored: {}", refusal.text);
        }
        let mut findings = findings(&World { algorithm: roll, ..known.world() }, &inspection);
        findings.extend(self.shared_interfaces(&known).await?);
        let begins = begins && known.transition.is_none();
        findings.extend(cannot_leave(&known.world(), begins));
        findings.extend(self.permissions(&known).await?);
        findings.extend(foreign_keys(&known));
        if let Some((_, text, fix)) = self.trial_left_over(name).await? {
            findings.push(Finding { code: "trial-left-over", severity: Severity::Error, text, fix });
        }
        findings.sort_by_key(|finding| finding.severity);
        Ok(wire::ZoneCheck {
            zone: plain(name),
            from,
            to,
            refused: findings.iter().any(|finding| finding.severity == Severity::Error),
            findings: findings.into_iter().map(shown).collect(),
            addresses: u32::try_from(inspection.servers.len()).unwrap_or(u32::MAX),
            now: wire::At::clock(self.engine.ports().clock.now()),
        })
    }

    /// Keeps what the listings of a check showed: whoever has lowered TTLs runs one, and waits until the old ones are dead.
    async fn keep_listed_ttls(&self, name: &Name, inspection: &Inspection) -> Result<(), Refusal> {
        let memory = self.engine.memory(name);
        // Whoever is busy with the zone lists it as well, and nobody waits for that here.
        let Ok(_holding) = memory.try_lock() else { return Ok(()) };
        let (mut stored, _) = self.engine.ports().recall(name).await.map_err(of_engine)?;
        for (operator, ttl_s) in &inspection.ttls_s {
            let listed = stored.listing_showed(operator, *ttl_s, self.engine.ports().clock.now());
            self.engine.ports().store.set_zone_ttl(name, operator, listed).await.map_err(super::of_store)?;
        }
        Ok(())
    }

    /// Looks at every address of whoever is in the zone or comes in, and lists the zones of those that allow it. On the way
    /// it sees what the largest TTL in each zone is.
    pub(super) async fn inspect(&self, known: &mut Picture) -> Result<Inspection, Refusal> {
        let zone = known.record.name.clone();
        let (mut listings, mut unlisted, mut ttls_s) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (operator, provider) in self.providers(known).await? {
            let tells_own_keys = provider.capabilities().tells_own_keys;
            let (ttl_s, listed) = match provider.list(&zone).await {
                Ok(Some(listing)) => {
                    if tells_own_keys {
                        known.stored_keys.insert(operator.name.clone(), stored_keys(&listing));
                    }
                    (Ok(largest_ttl_s(&listing)), Some(contents(listing)))
                }
                // It is larger than what is compared: its TTLs are looked at all the same.
                Ok(None) => (provider.largest_ttl_s(&zone).await, None),
                Err(e) => (Err(e), None),
            };
            let ttl_s = ttl_s.unwrap_or_else(|e| {
                let (forbidden, why, fix) = (e.forbids_listing(), e.to_string(), e.listing_advice());
                unlisted.insert(operator.name.clone(), Unlisted { forbidden, why, fix });
                None
            });
            if ttl_s.is_none() {
                unlisted.entry(operator.name.clone()).or_insert_with(|| Unlisted {
                    forbidden: false,
                    why: "its interface does not show a zone as large as this one".into(),
                    fix: "say the largest TTL by hand: `chorus zone policy ZONE --data-ttl-max`".into(),
                });
            }
            if let Some(ttl_s) = ttl_s {
                known.listing_showed(&operator.name, ttl_s, self.engine.ports().clock.now());
                ttls_s.insert(operator.name.clone(), ttl_s);
            }
            listings.extend(listed.map(|listed| (operator.name, listed)));
        }
        let world = known.world();
        // What nobody can ask any more is compared with nothing.
        listings.retain(|operator, _| is_present(&world, operator));
        let present =
            known.members.iter().filter(|(operator, m)| is_present(&world, operator) && !(m.unreachable && m.leaves()));
        let servers: Vec<_> = present.flat_map(|(_, member)| member.servers.iter().cloned()).collect();
        let ports = self.engine.ports();
        let mut inspection = ports.observe.inspect(&zone, &servers, listings).await;
        (inspection.unlisted, inspection.ttls_s) = (unlisted, ttls_s);
        inspection.given = known.places.given.clone();
        let inside = known.hosts_inside();
        let at = servers.first().into_iter().flat_map(|server| inside.iter().map(move |host| (host, server)));
        let clock = || ports.clock.now();
        let asker = Asker { transport: ports.transport.as_ref(), ids: ports, clock: &clock };
        let of_zone = &zone;
        let looked = at.map(|(host, server)| async move {
            let at = delegated_at(asker, of_zone, host, server).await?;
            Some((host.clone(), at))
        });
        inspection.delegated = join_all(looked).await.into_iter().flatten().collect();
        for operator in known.members.keys() {
            let abilities = ports.store.abilities(operator).await.map_err(super::of_store)?;
            inspection.abilities.insert(operator.clone(), abilities);
        }
        Ok(inspection)
    }

    /// Operators that do not take updates, or cannot be asked for now: each is asked for a write that changes nothing.
    async fn permissions(&self, known: &Picture) -> Result<Vec<Finding>, Refusal> {
        let mut findings = Vec::new();
        for (operator, provider) in self.providers(known).await? {
            if let Err(e) = provider.probe(&known.record.name).await {
                findings.push(Finding {
                    code: e.code(),
                    severity: if e.is_put_off() { Severity::Warning } else { Severity::Error },
                    text: format!("{}: {e}", operator.name),
                    fix: e.advice(),
                });
            }
        }
        Ok(findings)
    }

    pub(super) async fn providers(&self, known: &Picture) -> Result<Vec<(OperatorRecord, Arc<dyn Provider>)>, Refusal> {
        // Whoever is said to be gone is not asked for anything.
        let there = known.members.iter().filter(|(_, member)| !member.is_given_up());
        let names = there.map(|(name, member)| (name.clone(), MemberRecord::wanted(member.wanted)));
        let mut providers = Vec::new();
        for (operator, _) in self.engine.ports().operators(names).await.map_err(of_engine)? {
            let provider = self.engine.ports().providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
            providers.push((operator, provider));
        }
        Ok(providers)
    }
}

impl Controller {
    /// Asks the interfaces that tell an operator's own keys from others for the keys of others that are stored there. An interface
    /// that does not answer tells nothing.
    pub(super) async fn learn_stored_keys(&self, known: &mut Picture) -> Result<(), Refusal> {
        for (operator, provider) in self.providers(known).await? {
            match provider.foreign_keys(&known.record.name).await {
                Ok(Some(keys)) => {
                    let keys = keys.into_iter().map(Rdata::from_canonical).collect();
                    known.stored_keys.insert(operator.name, keys);
                }
                Ok(None) => {}
                Err(e) => tracing::info!(zone = %known.record.name, operator = %operator.name, "stored keys: {e}"),
            }
        }
        Ok(())
    }
}

pub(super) fn findings(world: &World<'_>, inspection: &Inspection) -> Vec<Finding> {
    preflight::check(world, inspection, &forecast(world))
}

/// Where an interface tells an operator's own keys from others, those that it has stored are others'.
fn stored_keys(listing: &Listing) -> RecordSet {
    let stored = listing.values().filter(|set| set.rtype == RecordType::DNSKEY).flat_map(|set| &set.records);
    stored.map(|wire| Rdata::from_canonical(wire.clone())).collect()
}

/// Keys that an interface says are not its operator's own, and that no other operator of the zone has. The DNSKEY RRset does not
/// tell whose they are: Chorus would share them, and request a DS for them.
pub(super) fn foreign_keys(known: &Picture) -> Vec<Finding> {
    let world = known.world();
    let mut findings = Vec::new();
    for (operator, stored) in &known.stored_keys {
        let placed = world.member(operator).and_then(|member| member.placements.get(&Kind::Dnskey));
        let others: RecordSet =
            known.members.keys().filter(|name| *name != operator).flat_map(|name| world.own_keys(name)).collect();
        let servers = known.members.get(operator).map(|member| member.servers.as_slice()).unwrap_or_default();
        let signs = |key: &Rdata| {
            let mut spans = servers.iter().filter_map(|server| known.history.current(server, Kind::Dnskey));
            spans.any(|span| span.served.signers.contains(key))
        };
        for key in
            stored.iter().filter(|key| !others.contains(*key) && !placed.is_some_and(|placed| placed.contains(*key)))
        {
            let Some(read) = Dnskey::read(key).filter(|_| !signs(key)) else { continue };
            findings.push(Finding {
                code: "key-stored-foreign",
                severity: Severity::Error,
                text: format!(
                    "{operator} has the DNSKEY of key {} stored for {}: it is none of {operator}'s own keys, and no other operator \
                     of the zone has it",
                    read.key_tag(),
                    plain(&known.record.name)
                ),
                fix: format!("delete it from the DNSKEY RRset at {operator}, or add the operator whose key it is first"),
            });
        }
    }
    findings
}

/// The leavers that could not be made to leave, if the transition is only to begin.
pub(super) fn cannot_leave(world: &World<'_>, begins: bool) -> Vec<Finding> {
    let mut dead = if begins { dead_leavers(world) } else { Vec::new() };
    dead.extend(leavers_without_help(world));
    let finding = |(_, refused): (String, Refused)| Finding {
        code: refused.code,
        severity: Severity::Error,
        text: refused.text,
        fix: refused.fix,
    };
    dead.into_iter().map(finding).collect()
}

fn contents(listing: Listing) -> Contents {
    let sets = listing.into_iter().map(|(key, set)| {
        // The provider gives RDATA in the canonical form.
        let records = set.records.into_iter().map(Rdata::from_canonical).collect();
        (key, Answered::Records { records, ttl_s: set.ttl_s })
    });
    sets.collect()
}

/// Of any record, and of "there is none" (RFC 2308 §5); but for the sets that the name servers are asked for in every round.
fn largest_ttl_s(listing: &Listing) -> Option<u32> {
    let negative = listing.values().filter(|set| set.rtype == RecordType::SOA).flat_map(|set| &set.records);
    let negative = negative.filter_map(|wire| match Rdata::from_canonical(wire.clone()).parse(RecordType::SOA) {
        Ok(RData::SOA(soa)) => Some(soa.minimum),
        _ => None,
    });
    let is_observed = |rtype| matches!(rtype, RecordType::DNSKEY | RecordType::CDS | RecordType::CDNSKEY);
    let sets = listing.values().filter(|set| !is_observed(set.rtype));
    negative.chain(sets.map(|set| set.ttl_s)).max()
}

fn shown(finding: Finding) -> wire::Finding {
    wire::Finding {
        code: finding.code.to_owned(),
        severity: match finding.severity {
            Severity::Error => wire::Severity::Error,
            Severity::Warning => wire::Severity::Warning,
            Severity::Note => wire::Severity::Note,
        },
        text: finding.text,
        fix: finding.fix,
    }
}
