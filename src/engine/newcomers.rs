//! Before a newcomer is named: whether what each of its addresses answers validates (RFC 4035 §5). That was looked at before the
//! transition started; since then addresses may have been found, and days may have passed.
//!
//! Invariant: no NS RRset that names a newcomer is written while an answer of one of its addresses does not validate.

use super::picture::Picture;
use super::sampling::BOGUS;
use super::security::is_secure;
use super::turn::Engine;
use crate::model::group::{Change, Decision, Standing, Wait, World, Write, is_admitted};
use crate::model::history::{Kind, Server};
use crate::model::preflight::{Inspected, data_findings};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::collections::BTreeMap;

/// What was found at addresses of newcomers, and when: a fault in words, or none.
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
        for (operator, servers) in newcomers {
            self.look_closely(known, &operator, &servers, validated).await;
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

    /// Inspects the addresses that were not inspected lately.
    async fn look_closely(&self, known: &Picture, operator: &str, servers: &[Server], validated: &mut Validated) {
        let (asked_at, lately) = (self.ports.clock.now(), self.ports.pace.slowest);
        let is_due = |server: &&Server| validated.get(*server).is_none_or(|(at, _)| at.until(asked_at) >= lately);
        let due: Vec<Server> = servers.iter().filter(is_due).cloned().collect();
        if due.is_empty() {
            return;
        }
        let inspection = self.ports.observe.inspect(&known.record.name, &due, BTreeMap::new()).await;
        // To ask may take longer than that.
        let now = self.ports.clock.now();
        for server in due {
            let seen = inspection.servers.iter().find(|seen| seen.server == server);
            let fault = seen.and_then(|seen| fault(operator, seen));
            validated.insert(server, (now, fault));
        }
    }
}

/// Why what an address answers is not to be relied on. One that does not answer is not known to be right.
fn fault(operator: &str, seen: &Inspected) -> Option<String> {
    if let (Err(failure), Err(_)) = (&seen.tcp, &seen.udp) {
        return Some(format!("{operator}: {} {failure}, and its data could not be validated", seen.server));
    }
    let finding = data_findings(operator, seen).into_iter().next()?;
    Some(format!("{}; {}", finding.text, finding.fix))
}

/// The operators that a write is about to name, and that nobody names yet, with their addresses.
fn newcomers(known: &Picture, decision: &Decision) -> Vec<(String, Vec<Server>)> {
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
