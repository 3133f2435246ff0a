//! Before an NS RRset names a newcomer, Chorus validates what each of its addresses answers (RFC 4035 §5). It did so before the
//! transition started; since then it may have found more addresses, and days may have passed.
//!
//! Invariant: no NS RRset that names a newcomer is written while an answer of one of its addresses does not validate.

use super::picture::Picture;
use super::sampling::BOGUS;
use super::security::is_secure;
use super::turn::Engine;
use crate::model::group::{Change, Decision, Standing, Wait, World, Write, is_admitted};
use crate::model::history::{Kind, Server};
use crate::model::preflight::{Inspected, data_findings, signature_ends_in_caches};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::BTreeMap;

/// For each inspected address of a newcomer when it was inspected, and what is wrong with its answers.
pub(super) type Validated = BTreeMap<Server, (Time, Option<String>)>;

impl Engine {
    /// Takes the writes that name a newcomer out of a decision, and puts the reason in their place, where its data do not
    /// validate. Says whether asking took so long that what the decision rests on is old.
    pub(super) async fn validate_newcomers(
        &self,
        known: &Picture,
        decision: &mut Decision,
        validated: &mut Validated,
    ) -> bool {
        let newcomers = newcomers(known, decision);
        if newcomers.is_empty() || !is_secure(known) || self.ports.switches.without.leaves_out(Switch::DataValid) {
            validated.clear();
            return false;
        }
        let began = self.ports.clock.now();
        self.inspect_newcomers(known, &newcomers, validated).await;
        for (operator, servers) in newcomers {
            let fault = servers.iter().find_map(|server| validated.get(server)?.1.clone());
            let Some(fault) = fault else { continue };
            let world = known.world();
            let mut step = None;
            decision.writes.retain(|write| {
                let names = names(&world, write, &operator);
                step = step.or(names.then_some(write.step));
                !names
            });
            let text = format!("Waiting to add {operator} to the NS RRset: {fault}");
            let step = step.unwrap_or(decision.step);
            decision.waits.push(Wait { step, code: BOGUS, text, until: None });
        }
        began.until(self.ports.clock.now()) > self.ports.pace.quickest
    }

    /// Inspects the addresses that were not inspected lately: of all newcomers together, so that the last of them is not old
    /// when the first one is due again. After the clock was set back, a moment that lies ahead says nothing.
    async fn inspect_newcomers(&self, known: &Picture, newcomers: &Newcomers, validated: &mut Validated) {
        let (asked_at, lately) = (self.ports.clock.now(), self.ports.pace.slowest);
        let is_due = |server: &&Server| {
            validated.get(*server).is_none_or(|(at, _)| *at > asked_at || at.until(asked_at) >= lately)
        };
        let due: Vec<Server> = newcomers.iter().flat_map(|(_, servers)| servers).filter(is_due).cloned().collect();
        if due.is_empty() {
            return;
        }
        let inspection = self.ports.observe.inspect(&known.record.name, &due, BTreeMap::new()).await;
        // To ask may take longer than that.
        let now = self.ports.clock.now();
        let world = known.world();
        for (operator, servers) in newcomers {
            for server in servers.iter().filter(|server| due.contains(server)) {
                let seen = inspection.servers.iter().find(|seen| seen.server == *server);
                let fault = match seen {
                    Some(seen) => fault(&world, operator, seen),
                    None => Some(format!("{operator}: {server} was not asked, and its data could not be validated")),
                };
                validated.insert(server.clone(), (now, fault));
            }
        }
    }
}

/// Why what an address answers is not to be relied on. One that does not answer, or shows no keys, is not known to be right.
fn fault(world: &World<'_>, operator: &str, seen: &Inspected) -> Option<String> {
    let not = |what: &str| Some(format!("{operator}: {} {what}, and its data could not be validated", seen.server));
    if let (Err(failure), Err(_)) = (&seen.tcp, &seen.udp) {
        return not(&failure.to_string());
    }
    match &seen.validity.keys {
        None => return not("did not show a DNSKEY RRset that one of its keys signs"),
        Some(keys) if keys.is_empty() => return not("has no DNSKEY RRset"),
        Some(_) => {}
    }
    let of_data = data_findings(operator, seen).into_iter().next();
    let finding = of_data.or_else(|| signature_ends_in_caches(world, operator, seen))?;
    Some(format!("{}; {}", finding.text, finding.fix))
}

/// Operators with their addresses.
type Newcomers = Vec<(String, Vec<Server>)>;

/// The operators that no NS RRset names yet, and that a write of this decision would name.
fn newcomers(known: &Picture, decision: &Decision) -> Newcomers {
    let world = known.world();
    let joining = known.members.iter().filter(|(_, member)| member.wanted == Standing::Serving);
    let joining = joining.filter(|(operator, _)| decision.writes.iter().any(|write| names(&world, write, operator)));
    let new = joining.filter(|(operator, _)| !is_admitted(&world, operator));
    new.map(|(operator, member)| (operator.clone(), member.servers.clone())).collect()
}

fn names(world: &World<'_>, write: &Write, operator: &str) -> bool {
    write.sets.iter().filter(|(kind, ..)| *kind == Kind::Ns).any(|(_, _, change)| match change {
        Change::Exactly(records) => world.names(records, operator),
        Change::Partly { with, .. } => world.names(with, operator),
    })
}
