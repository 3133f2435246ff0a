//! Whom the parent asks for CDS and CSYNC: the operators that it delegates to, as far as its servers were seen last (RFC 9975 §3).

use super::view::World;
use crate::model::history::{Failure, Kind, Server};

impl<'a> World<'a> {
    /// Whether any server of the parent names it now, as far as they were seen last.
    pub(super) fn is_delegated_to(&self, operator: &str) -> bool {
        let mut delegations =
            self.parent_servers.iter().filter_map(|server| self.history.current(server, Kind::Delegation));
        delegations.any(|span| self.names(&span.served.records, operator))
    }

    /// An address that the parent asks beside others for CDS and CSYNC, and that does not answer: the parent tries again for an
    /// hour or more before it goes on without it, if it does at all (RFC 9975 §3).
    pub(super) fn silent_and_delegated(&self) -> Option<String> {
        let delegated = self.members.iter().filter(|(name, _)| self.is_delegated_to(name));
        let mut servers = delegated.flat_map(|(_, member)| &member.servers);
        let is_silent = |server: &&Server| {
            Kind::OPERATOR.iter().all(|kind| {
                let trouble = self.history.trouble(server, *kind);
                trouble.is_some_and(|trouble| trouble.failure == Failure::Silent)
            })
        };
        let silent = servers.find(is_silent)?;
        Some(format!(
            "the parent asks {silent} as well, which does not answer: it tries again for an hour or more before it goes on \
             without it, or never does (RFC 9975 §3)"
        ))
    }

    /// An operator that takes no updates, and that the parent asks beside others for CDS and CSYNC: what all of them serve has to
    /// be the same (RFC 9975 §3).
    pub(super) fn uncooperative_and_delegated(&self) -> Option<&'a str> {
        let takes_none = |name: &&String| {
            let refuses = self.takes_no_updates(name) && !self.is_lost(name);
            refuses && self.is_delegated_to(name)
        };
        self.members.keys().find(takes_none).map(String::as_str)
    }

    /// Whether nobody answers whom the parent could ask for CDS and CSYNC (RFC 9975 §3).
    pub(super) fn delegation_is_silent(&self) -> bool {
        let mut delegated = self.members.keys().filter(|name| self.is_delegated_to(name)).peekable();
        delegated.peek().is_some() && delegated.all(|name| self.is_silent(name))
    }
}
