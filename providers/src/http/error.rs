//! Why a request to an HTTP interface came to nothing.
//!
//! As in [`ProviderError`](crate::ProviderError), each variant asks for something different of a person. `server` is the
//! interface's URL without path. No body of an answer is kept, but for the reason that a server gives for refusing a
//! write: others can hold keys.

use crate::error::{Category, Doing, NotAsWanted, not_as_wanted};
use std::net::IpAddr;

/// Whose interface it is: each has words of its own for its credential and its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    PowerDns,
    Desec,
}

impl Interface {
    fn credential(self) -> &'static str {
        match self {
            Interface::PowerDns => "API key",
            Interface::Desec => "token",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// The address is that of this machine, of a network behind it, or of nobody. Nothing was sent.
    #[error("{server} is at {address}, which is not a public address and not in a network that is allowed")]
    AddressNotAllowed { server: String, address: IpAddr },

    /// The key would go over the network for everybody to read. Nothing was sent.
    #[error("{server} is reached without TLS at {address}, which is not in a network that is allowed")]
    WithoutTls { server: String, address: IpAddr },

    /// The TLS handshake failed: mostly a certificate that is not trusted. Nothing was sent.
    #[error("{server} cannot be trusted: {reason}")]
    Tls { server: String, reason: String },

    /// HTTP 401.
    #[error("{server} does not accept the {} (HTTP 401)", interface.credential())]
    KeyRefused { server: String, interface: Interface },

    /// HTTP 403: it knows the key, or does not care for it, and forbids this.
    #[error("{server} forbids {doing} {zone} {} (HTTP 403)", forbidden_by(*interface))]
    Forbidden { server: String, zone: String, doing: Doing, interface: Interface },

    /// HTTP 404.
    #[error("{server} does not know the zone {zone} (HTTP 404 for {doing} it)")]
    NoSuchZone { server: String, zone: String, doing: Doing, interface: Interface },

    /// HTTP 400, 409, 422 and the like, for a write: nothing was done.
    #[error("{server} refuses {doing} {zone} (HTTP {status}): {reason}")]
    Rejected { server: String, zone: String, doing: Doing, status: u16, reason: String },

    /// HTTP 429.
    #[error("{server} takes no more requests for now (HTTP 429)")]
    TooManyRequests { server: String, retry_after_s: Option<u32> },

    /// We hold the request back, because the server would refuse it: `limit` says which of its limits. Nothing was sent.
    #[error("no request is made to {server} for {retry_after_s} s: {limit} would be exceeded")]
    BudgetSpent { server: String, limit: String, retry_after_s: u32 },

    /// Somebody else writes the same sets at the same moment, `tries` times in a row. Nothing was done by us.
    #[error("somebody else keeps changing {zone} at {server}: {tries} writes in a row met another one (HTTP 409)")]
    Contended { server: String, zone: String, tries: u32 },

    /// The write is stored, and the server says that it could not hand it on to the name servers. It may be served at any
    /// time, but not before something else is written.
    #[error("{server} stored the change of {zone}, but does not publish it: {reason}")]
    Unpublished { server: String, zone: String, reason: String },

    /// HTTP 5xx. A write that this is said to may have been done, which is another error.
    #[error("{server} failed at {doing} {zone} (HTTP {status})")]
    Failing { server: String, zone: String, doing: Doing, status: u16 },

    /// HTTP 3xx, which is not followed: the key is for this server only.
    #[error("{server} sends {doing} {zone} elsewhere (HTTP {status})")]
    Redirected { server: String, zone: String, doing: Doing, status: u16 },

    /// Any other status.
    #[error("{server} answers {doing} {zone} with HTTP {status}")]
    Status { server: String, zone: String, doing: Doing, status: u16 },

    /// A setting at the operator with which its zone cannot be part of a group. Nothing was changed.
    #[error("{server}: {what}")]
    Setting { server: String, code: &'static str, what: String, fix: String },

    /// The server said yes, and reading back shows what it was before. It may be that it keeps records of its own.
    #[error("{server} said that it had updated {zone}, but it had not: {}", not_as_wanted(sets))]
    Ignored { server: String, zone: String, sets: Vec<NotAsWanted> },

    /// The server said yes, and reading back shows something else, which was not there before either.
    #[error("somebody else changes {zone} at {server}: what was written is not what is there: {}", not_as_wanted(sets))]
    Overtaken { server: String, zone: String, sets: Vec<NotAsWanted> },

    /// No connection, or it ended before the answer. Nothing that changes the zone was sent.
    #[error("no connection to {server}: {reason}")]
    Connection { server: String, reason: String },

    /// A question was sent and no answer came in time. Nothing that changes the zone was sent.
    #[error("{server} did not answer within {after_ms} ms")]
    Timeout { server: String, after_ms: u64 },

    /// A write was sent, and neither its answer nor reading back shows that it was done. It may still take effect.
    #[error("whether {server} updated {zone} is unknown: {reason}")]
    OutcomeUnknown { server: String, zone: String, reason: String },

    /// An answer that is not what the interface gives to what was asked.
    #[error("the answer of {server} cannot be read: {reason}")]
    Malformed { server: String, reason: String },
}

impl RestError {
    pub fn category(&self) -> Category {
        use RestError::*;
        match self {
            AddressNotAllowed { .. } | WithoutTls { .. } | Tls { .. } | KeyRefused { .. } | Forbidden { .. } => {
                Category::AskHuman
            }
            NoSuchZone { .. } | Rejected { .. } | Redirected { .. } | Status { .. } | Setting { .. } => {
                Category::AskHuman
            }
            Ignored { .. } => Category::AskHuman,
            TooManyRequests { .. } | Failing { .. } | Overtaken { .. } | Connection { .. } | Timeout { .. } => {
                Category::Retry
            }
            BudgetSpent { .. } | Contended { .. } | Unpublished { .. } | Malformed { .. } => Category::Retry,
            OutcomeUnknown { .. } => Category::ReadBack,
        }
    }

    /// As [`ProviderError::may_have_been_done`](crate::ProviderError::may_have_been_done).
    pub fn may_have_been_done(&self) -> bool {
        use RestError::*;
        matches!(self, OutcomeUnknown { .. } | Overtaken { .. } | Unpublished { .. } | Malformed { .. })
    }

    pub fn code(&self) -> &'static str {
        use RestError::*;
        match self {
            AddressNotAllowed { .. } => "address-not-allowed",
            WithoutTls { .. } => "without-tls",
            Tls { .. } => "tls-failed",
            KeyRefused { .. } => "api-key-refused",
            Forbidden { doing: Doing::Updating, .. } => "update-refused",
            Forbidden { .. } => "read-refused",
            NoSuchZone { .. } => "zone-not-served",
            Rejected { .. } => "update-refused",
            TooManyRequests { .. } => "too-many-requests",
            BudgetSpent { .. } => "request-budget-spent",
            Contended { .. } => "update-overtaken",
            Unpublished { .. } => "update-unpublished",
            Failing { doing: Doing::Updating, .. } => "update-server-error",
            Failing { .. } => "read-server-error",
            Redirected { .. } => "redirected",
            Status { .. } => "unexpected-status",
            Setting { code, .. } => code,
            Ignored { .. } => "update-ignored",
            Overtaken { .. } => "update-overtaken",
            Connection { .. } => "no-connection",
            Timeout { .. } => "no-answer",
            OutcomeUnknown { .. } => "outcome-unknown",
            Malformed { .. } => "answer-malformed",
        }
    }

    /// What to do, in one to three sentences.
    pub fn advice(&self) -> String {
        use RestError::*;
        let text = match self {
            AddressNotAllowed { address, .. } => {
                return format!(
                    "If that is meant, whoever runs this controller has to allow the network of {address} for \
                     providers. Else correct the URL, or the name's address in DNS."
                );
            }
            WithoutTls { address, .. } => {
                return format!(
                    "Use an https URL (PowerDNS itself speaks no TLS: put a reverse proxy before it). In a network that \
                     nobody else reads, whoever runs this controller can allow the network of {address} for providers."
                );
            }
            Tls { .. } => {
                "Check that the URL has the name that is in the server's certificate, that the certificate is valid, and \
                 that this machine's certificate store has its issuer."
            }
            KeyRefused { interface: Interface::PowerDns, .. } => {
                "Hand in the API key again (`api-key` in pdns.conf) with `chorus operator rotate`."
            }
            KeyRefused { interface: Interface::Desec, .. } => {
                "Hand in a token with `chorus operator rotate` that exists, is not expired, and whose allowed subnets include \
                 this machine."
            }
            Forbidden { interface: Interface::PowerDns, .. } => {
                "Check what the API key may do, and from where (`webserver-allow-from`, or the proxy before it)."
            }
            Forbidden { interface: Interface::Desec, .. } => {
                "Add policies to the token that permit it to write DNSKEY, CDS, CDNSKEY, CSYNC and NS at the zone's own name \
                 (subname \"\"). Policies are per domain: each zone needs its own five, or a policy without a domain."
            }
            NoSuchZone { interface: Interface::PowerDns, .. } => {
                "Check that the zone is there, spelled exactly so, and that the URL and the server id are those of its \
                 interface (`api=yes`; the server id is `localhost`)."
            }
            NoSuchZone { interface: Interface::Desec, .. } => {
                "Check that the zone is a domain of the token's own account, spelled exactly so."
            }
            Rejected { .. } => "The reason is the server's own. Its log may have more.",
            TooManyRequests { .. } => "Try again later. A transition that is under way is tried again by itself.",
            BudgetSpent { .. } => {
                "Nothing needs to be done: it is done when the limit allows it. The provider can be asked for a higher \
                 limit of the account, or zones be put into another account."
            }
            Contended { .. } => {
                "Look for another program that writes the same records: a second controller, a script, a web interface. It \
                 is tried again."
            }
            Unpublished { .. } => {
                "Chorus makes it publish the zone again, until every name server shows the change. If it stays so, ask the \
                 provider's support why the zone is not handed on to its name servers."
            }
            Failing { .. } => "The server's log, or that of the proxy before it, has the reason. It is tried again.",
            Redirected { .. } => "Give the URL that the server is really at; redirections are not followed.",
            Status { .. } => "Check that the URL is that of the provider's interface.",
            Setting { fix, .. } => return fix.clone(),
            Ignored { .. } => {
                "A server keeps its own DNSKEYs that are in use: those are removed by its key roll only. Else check that \
                 nothing between answers in the server's place."
            }
            Overtaken { .. } => {
                "Look for another program that writes the same records: a second controller, a script, a web interface. It \
                 is tried again."
            }
            Connection { .. } => "Check that the server listens there, and that no firewall is between.",
            Timeout { .. } => "Check that the server is running; it is asked again.",
            OutcomeUnknown { .. } => "Nothing needs to be done: the server is read again before anything else is sent.",
            Malformed { .. } => "Check that the URL is that of the provider's interface, and not of a web page.",
        };
        text.to_owned()
    }
}

fn forbidden_by(interface: Interface) -> &'static str {
    match interface {
        Interface::PowerDns => "with this API key or from this machine",
        Interface::Desec => "by the token's policies",
    }
}
