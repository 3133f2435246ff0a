//! The ladder's part about the names of name servers: a resolver has to find the same addresses for them wherever it asks.
//!
//! Invariant: nothing is written here; each function says whether the ladder may go on, and puts down what it waits for.

use super::addresses::{
    GLUE_DIFFERS, GLUE_FIX, alias, glue_differs, glue_missing, has_no_address, may_be_named, unequal,
};
use super::decision::Step;
use super::denied::no_denial_is_cached;
use super::ladder::Ladder;
use super::say::names;
use super::view::{Member, Shown};
use crate::model::dns::{Name, RecordSet, ns_name};
use crate::model::history::{Failure, Kind};
use std::collections::BTreeSet;

/// What waits say of a name server that is an alias.
pub const ALIAS: &str = "name-server-is-alias";
/// What waits say of a name server without an address.
pub const NO_ADDRESS: &str = "name-server-without-address";
/// What waits say of addresses that differ between the operators.
pub const ADDRESSES_DIFFER: &str = "host-addresses-differ";

fn hosts_in(ns: &RecordSet) -> BTreeSet<Name> {
    ns.iter().filter_map(|ns| ns_name(ns).ok()).collect()
}

impl Ladder<'_> {
    /// Whether resolvers find the same addresses for every name server of `target` wherever they ask, and did so for long
    /// enough. `joiners`: operators that are to be named. Where one leaves, resolvers rely on the names of those that stay.
    pub(super) fn hosts_can_be_found(&mut self, joiners: &[&String], target: &RecordSet) -> bool {
        let world = &self.world.clone();
        if joiners.is_empty() && world.leavers().next().is_none() {
            return true;
        }
        let all = hosts_in(target);
        if let Some((host, (of, source))) = all.iter().find_map(|host| Some((host, alias(world, host)?))) {
            let text = format!(
                "{host} is an alias of {of} by {source}: resolvers do not follow it (RFC 2181 §10.3); give {host} A and AAAA \
                 records of its own"
            );
            self.wait(Step::NameServers, ALIAS, text, None);
            return false;
        }
        if let Some(host) = all.iter().find(|host| has_no_address(world, host)) {
            let text = format!(
                "the public DNS has no address for the name server {host}: no resolver reaches it; publish A and AAAA records of \
                 {host}"
            );
            self.wait(Step::NameServers, NO_ADDRESS, text, None);
            return false;
        }
        if joiners.is_empty() {
            return true;
        }
        let present: Vec<(&String, &Member)> = self.present();
        let unequal = unequal(world, &all, present);
        if let Some(first) = unequal.first() {
            let more = if unequal.len() > 1 { format!(" (and {} more)", unequal.len() - 1) } else { String::new() };
            self.wait(Step::NameServers, ADDRESSES_DIFFER, format!("{}{more}", first.text()), None);
            return false;
        }
        let mut guard = may_be_named(world, &all);
        no_denial_is_cached(world, &all, &mut guard);
        if !guard.is_open(world.now) {
            let text = format!("Waiting to add {} to the NS RRset: {}", names(joiners), guard.because);
            self.wait_for(Step::AwaitOldKeysAndDs, &guard, text);
            return false;
        }
        true
    }

    /// Whether the glue of the new name servers is as the zone has it, as far as something hangs on it: a leaver that cannot
    /// be let go, or a new name server that resolvers do not find without glue.
    pub(super) fn glue_has_followed(&mut self, target: &RecordSet) -> bool {
        let world = &self.world.clone();
        let hosts = hosts_in(target);
        let differs = if world.leavers().next().is_some() { glue_differs } else { glue_missing };
        let Some(text) = differs(world, &hosts) else { return true };
        self.wait(Step::AwaitDelegation, GLUE_DIFFERS, format!("{text}; {GLUE_FIX}"), None);
        false
    }

    /// No server of the parent shows the delegation, for each of them serves the zone itself. Says so, and returns whether
    /// that is it.
    pub(super) fn delegation_is_hidden(&self, shown: &Shown) -> bool {
        let Shown::Unknown(server, _) = shown else { return false };
        let trouble = self.world.history.trouble(server, Kind::Delegation);
        trouble.is_some_and(|trouble| trouble.failure == Failure::ServesChild)
    }
}
