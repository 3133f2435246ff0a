//! Name servers that have not answered for long: they are left out of what is decided (RFC 9975 §3).
//!
//! Invariant: only silence is overlooked. A server that answers anything counts, and so does one that has been silent for a
//! short time only; and one that answers has to be left.

use super::{Answer, Observed, Seen};
use crate::model::dns::Name;
use crate::model::history::Failure;
use crate::model::time::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Since when each address of a child's name servers has been silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silences(BTreeMap<(Name, SocketAddr), Time>);

impl Silences {
    /// Remembers who is silent, and leaves out of what was read whoever has been for at least `after`. Returns a sentence for
    /// each that was left out.
    pub fn leave_out(&mut self, observed: &mut Observed, after: Duration, now: Time) -> Vec<String> {
        let at = |seen: &Seen| (seen.host.clone(), seen.address);
        let silent = observed.servers.iter().filter(|seen| is_silent(seen)).map(|seen| {
            let since = self.0.get(&at(seen)).copied().unwrap_or(now);
            (at(seen), since)
        });
        self.0 = silent.collect();
        if observed.servers.iter().all(is_silent) {
            return Vec::new();
        }
        let is_out = |seen: &Seen| self.0.get(&at(seen)).is_some_and(|since| since.until(now) >= after);
        let (out, kept): (Vec<Seen>, Vec<Seen>) = observed.servers.drain(..).partition(is_out);
        observed.servers = kept;
        let said = |seen: Seen| {
            let since = self.0.get(&at(&seen)).copied().unwrap_or(now);
            format!("{seen} has not answered since {since}, and is left out")
        };
        out.into_iter().map(said).collect()
    }
}

fn is_silent(seen: &Seen) -> bool {
    let silent = |answer: &Answer| matches!(answer, Err(Failure::Silent));
    let Seen { dnskey, cds, cdnskey, csync, ns, soa_before, soa_after, .. } = seen;
    [dnskey, cds, cdnskey, csync, ns, soa_before, soa_after].into_iter().all(silent)
}
