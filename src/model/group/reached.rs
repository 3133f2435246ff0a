//! Addresses that are known to answer and that resolvers, or Chorus, reach only in part: over TCP alone, or not from this host.
//!
//! Invariant: what could not be observed is never supposed. A missing route is the controller's own, and accuses no operator.

use super::decision::Step;
use super::ladder::Ladder;
use super::view::World;
use crate::model::history::{Failure, Kind, Server};
use crate::model::switches::Switch;

/// What waits, findings and checks say of an address to which the controller's host has no route.
pub const NO_ROUTE: &str = "address-without-route";
pub const NO_ROUTE_FIX: &str = "run Chorus on a host that can reach the address; on a host without IPv6 start it with `chorus serve \
                                --without-ipv6`: IPv6 addresses are not observed then, and every certificate says so";
/// What waits say of an address that does not answer over UDP.
pub const UDP_UNANSWERED: &str = "udp-unanswered";

impl World<'_> {
    /// Whether an address could not be asked because the controller's host has no route to it.
    pub fn has_no_route(&self, server: &Server) -> bool {
        let mut kinds = Kind::OPERATOR.iter().chain(&Kind::PARENT);
        kinds.any(|kind| self.history.trouble(server, *kind).is_some_and(|trouble| trouble.failure == Failure::NoRoute))
    }

    /// The first address of an operator that is to serve and does not answer over UDP, by which resolvers ask first.
    fn silent_over_udp(&self) -> Option<(&str, &Server)> {
        let servers = self.serving().filter_map(|operator| Some((operator.as_str(), self.member(operator)?)));
        let mut servers = servers.flat_map(|(operator, at)| at.servers.iter().map(move |server| (operator, server)));
        servers.find(|(_, server)| {
            let trouble = self.history.trouble(server, Kind::Data);
            trouble.is_some_and(|trouble| trouble.failure == Failure::SilentOverUdp)
        })
    }
}

impl Ladder<'_> {
    /// Whether every name server that is to stay answers over UDP. Else nothing is changed about name servers: who is sent to one
    /// of the others now would be sent there then.
    pub(super) fn udp_is_answered(&mut self) -> bool {
        let world = self.world;
        let silent = world.silent_over_udp().filter(|_| !world.leaves_out(Switch::NoAnswer));
        let Some((operator, server)) = silent else { return true };
        if self.waits.iter().any(|wait| wait.code == UDP_UNANSWERED) {
            return false;
        }
        let text = format!(
            "{operator}: {server} answers over TCP, and does not answer over UDP, by which resolvers ask first: open UDP port 53 there"
        );
        self.wait(Step::NameServers, UDP_UNANSWERED, text, None);
        false
    }
}
