//! Whether the operators' addresses answer over UDP, looked at beside a round over TCP: resolvers ask by UDP first (RFC 7766 §5).
//!
//! Invariant: what an address showed over TCP stays known. Silence over UDP is its failure only where UDP works from here at all:
//! where any other address answers over it.

use crate::model::dns::{Name, RecordType};
use crate::model::history::{Failure, Kind, Outcome, Sample, Server};
use crate::observe::ask::{Asker, Question};
use crate::observe::transport::Protocol;
use futures::future::join_all;

/// Which addresses do not answer over UDP, and whether any does.
pub struct OverUdp<'s> {
    silent: Vec<&'s Server>,
    works: bool,
}

/// Asks each address for the SOA record over UDP.
pub async fn ask_over_udp<'s>(asker: Asker<'_>, zone: &Name, servers: &'s [Server]) -> OverUdp<'s> {
    let question = &Question::new(zone, RecordType::SOA);
    let asked = servers.iter().map(|server| async move {
        // An answer that is cut off came over UDP, whatever becomes of the rest.
        matches!(asker.ask(server.address, Protocol::Udp, question).await, Err(Failure::Silent | Failure::NoRoute))
    });
    let is_silent = join_all(asked).await;
    OverUdp {
        works: is_silent.contains(&false),
        silent: servers.iter().zip(is_silent).filter(|(_, is_silent)| *is_silent).map(|(server, _)| server).collect(),
    }
}

impl OverUdp<'_> {
    /// A sample of its own for each address that answers over TCP only, which says so beside what it showed in `round`.
    pub async fn failures(self, asker: Asker<'_>, zone: &Name, parent: &[Server], round: &[Sample]) -> Vec<Sample> {
        let answers = |server: &&Server| {
            let mut of_server = round.iter().filter(|sample| sample.server == **server && sample.kind == Kind::Data);
            of_server.any(|sample| matches!(sample.outcome, Outcome::Served(_)))
        };
        let over_tcp: Vec<&Server> = self.silent.into_iter().filter(answers).collect();
        if over_tcp.is_empty() || !(self.works || ask_over_udp(asker, zone, parent).await.works) {
            return Vec::new();
        }
        let at = (asker.clock)();
        let sample = |server: &Server| {
            let outcome = Outcome::Failed(Failure::SilentOverUdp);
            Sample { at, server: server.clone(), kind: Kind::Data, outcome }
        };
        over_tcp.into_iter().map(sample).collect()
    }
}
