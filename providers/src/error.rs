//! Why a write or a read at an operator came to nothing, and what a person does about it.
//!
//! Every refusal that real servers give has a variant of its own here, because each asks for something different: a
//! clock is set right elsewhere than a key. No error holds a secret. Which step of a transition waits because of an error
//! is not known here.

use crate::Rdata;
use crate::http::RestError;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Try again later, with a growing delay.
    Retry,
    /// A person has to change something at the operator or in the operator's settings here.
    AskHuman,
    /// Whether it took effect is unknown: read back before anything else is sent.
    ReadBack,
}

/// What was asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Reading,
    Updating,
    Transferring,
}

/// An RRset that is not as wanted although the server said that it had done the update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAsWanted {
    pub rtype: RecordType,
    pub missing: BTreeSet<Rdata>,
    /// Records that should be gone. Those that a server makes of its own keys come back by themselves.
    pub left_over: BTreeSet<Rdata>,
}

/// Why a transfer that began did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutShort {
    TooLarge {
        octets: usize,
    },
    TooLong {
        after_s: u64,
    },
    /// The connection ended, or nothing more came.
    Interrupted {
        records: usize,
        reason: String,
    },
    Unreadable {
        records: usize,
        reason: String,
    },
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CutShort::TooLarge { octets } => write!(f, "it is larger than {} MiB", octets / (1024 * 1024)),
            CutShort::TooLong { after_s } => write!(f, "it was not complete after {after_s} s"),
            CutShort::Interrupted { records, reason } => write!(f, "it broke off after {records} records: {reason}"),
            CutShort::Unreadable { records, reason } => {
                write!(f, "what came after {records} records cannot be read: {reason}")
            }
        }
    }
}

/// Why a write or a read came to nothing. `server` is the address that was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// TSIG error 17. The name or algorithm of the key is not the server's; Knot answers the same when it knows the key
    /// and forbids the update. A person compares the key, then the server's permissions.
    #[error(
        "{server} does not accept the TSIG key {key} for {doing} {zone} (BADKEY): either it has no such key, or it does \
         not permit this with it"
    )]
    BadKey { server: SocketAddr, key: String, zone: String, doing: Doing },

    /// TSIG error 16: the key's name is known, its secret is another. A person hands in the right secret.
    #[error("{server} says that the secret of the TSIG key {key} is wrong (BADSIG)")]
    BadSig { server: SocketAddr, key: String },

    /// TSIG error 18: the clocks differ by more than the 300 s that a signature is good for. A person sets clocks right.
    #[error("the clocks of {server} and of this machine are too far apart (BADTIME{}): ours says {our_time}", their_clock(*their_time))]
    BadTime {
        server: SocketAddr,
        /// Unix seconds.
        our_time: u64,
        /// Unix seconds; `None` when the server did not say.
        their_time: Option<u64>,
    },

    /// RCODE 5. A person permits it at the server. `rtype` where it is known that the type made the difference; `keys_apart` as
    /// in [`ProviderError::Ignored`]. Only PowerDNS leaves the refusal of a signed update unsigned.
    #[error("{server} refuses {doing} {zone}{}", of_type(*rtype))]
    Refused {
        server: SocketAddr,
        zone: String,
        doing: Doing,
        rtype: Option<RecordType>,
        keys_apart: bool,
        signed: bool,
    },

    /// RCODE 9 without a TSIG error, or an answer that is not authoritative: the zone is not served there, or its name
    /// is that of a part of a zone. A person corrects the address or sets the zone up.
    #[error("{server} does not serve the zone {zone} (asked for {doing} it)")]
    NotAuth { server: SocketAddr, zone: String, doing: Doing },

    /// RCODE 2. Reading: the zone is not loaded. Updating: BIND says so for DNSKEYs in a zone with inline signing and for
    /// a DNSKEY that is no key. Except for inline signing it may also pass by itself, therefore it is tried again.
    /// `keys_apart` as in [`ProviderError::Ignored`].
    #[error("{server} failed at {doing} {zone}{} (SERVFAIL)", of_type(*rtype))]
    ServFail { server: SocketAddr, zone: String, doing: Doing, rtype: Option<RecordType>, keys_apart: bool },

    /// Any other RCODE.
    #[error("{server} answers {doing} {zone} with RCODE {rcode}")]
    Rcode { server: SocketAddr, zone: String, doing: Doing, rcode: u16 },

    /// Somebody else changed the sets between our reading and our update, `tries` times in a row. Nothing was changed by
    /// us; trying again is safe.
    #[error("somebody else keeps changing {zone} at {server}: the sets had changed at each of {tries} tries")]
    PrerequisiteFailed { server: SocketAddr, zone: String, tries: usize },

    /// The server said NOERROR and reading back the same server shows that it did not do it, or only some of it. A
    /// person changes the server's settings, or what is wanted of it. `keys_apart`: updates at this server were seen to compare
    /// with another DNSKEY RRset than it serves, as at PowerDNS and at BIND with `inline-signing yes`.
    #[error("{server} said that it had updated {zone}, but it had not: {}", not_as_wanted(sets))]
    Ignored { server: SocketAddr, zone: String, sets: Vec<NotAsWanted>, keys_apart: bool },

    /// No connection. Nothing was sent.
    #[error("no connection to {server}: {reason}")]
    Connection { server: SocketAddr, reason: String },

    /// A question was sent and no answer came in time. Nothing that changes the zone was sent.
    #[error("{server} did not answer within {after_ms} ms")]
    Timeout { server: SocketAddr, after_ms: u64 },

    /// An update was sent, no answer came that can be believed, and reading back did not show it done (or could not be
    /// done). It may still take effect. Read again before anything else is sent.
    #[error("whether {server} updated {zone} is unknown: {reason}")]
    OutcomeUnknown { server: SocketAddr, zone: String, reason: String },

    /// An answer that should be signed with our key is not, or wrongly, and does not say that it refuses. Either
    /// somebody between forges answers, or the server does not sign what it should.
    #[error("the answer of {server} is not signed with the key {key}: {reason}")]
    Unauthenticated { server: SocketAddr, key: String, reason: String },

    /// An answer that is not a DNS answer to what was asked.
    #[error("the answer of {server} cannot be read: {reason}")]
    Malformed { server: SocketAddr, reason: String },

    /// The server permits the transfer of the zone, and it did not come to its end. Nothing was changed.
    #[error("the transfer of {zone} from {server} failed: {why}")]
    CutShort { server: SocketAddr, zone: String, why: CutShort },

    /// The interface cannot do this, whatever its settings. Nothing was sent.
    #[error("{what}")]
    Unsupported { what: String },

    /// Of an interface that is driven over HTTP.
    #[error(transparent)]
    Rest(#[from] RestError),
}

impl ProviderError {
    pub fn category(&self) -> Category {
        use ProviderError::*;
        match self {
            BadKey { .. } | BadSig { .. } | BadTime { .. } | Refused { .. } | NotAuth { .. } => Category::AskHuman,
            Ignored { .. } | Unauthenticated { .. } | Unsupported { .. } | Rcode { .. } => Category::AskHuman,
            // BIND before 9.20 answers so to each foreign key in a zone with `inline-signing yes`: no later try ends otherwise.
            ServFail { doing: Doing::Updating, rtype: Some(RecordType::DNSKEY), keys_apart: true, .. } => {
                Category::AskHuman
            }
            CutShort { .. }
            | ServFail { .. }
            | PrerequisiteFailed { .. }
            | Connection { .. }
            | Timeout { .. }
            | Malformed { .. } => Category::Retry,
            OutcomeUnknown { .. } => Category::ReadBack,
            Rest(error) => error.category(),
        }
    }

    /// The same, of a server that was seen to keep the keys that it serves apart from those that updates see.
    pub(crate) fn with_keys_apart(mut self, seen: bool) -> ProviderError {
        use ProviderError::{Ignored, Refused, ServFail};
        if let Refused { keys_apart, .. } | ServFail { keys_apart, .. } | Ignored { keys_apart, .. } = &mut self {
            *keys_apart = seen;
        }
        self
    }

    /// How long it is to wait at least, in seconds, where that is said.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            ProviderError::Rest(RestError::TooManyRequests { retry_after_s, .. }) => *retry_after_s,
            ProviderError::Rest(RestError::BudgetSpent { retry_after_s, .. }) => Some(*retry_after_s),
            _ => None,
        }
    }

    /// Whether an account's limit lets no request through for now, which says nothing of what is permitted.
    pub fn is_put_off(&self) -> bool {
        matches!(self, ProviderError::Rest(RestError::TooManyRequests { .. } | RestError::BudgetSpent { .. }))
    }

    /// Whether some of what was sent may be served in spite of this, now or later. A refusal that is not signed with our key
    /// is nobody's word.
    pub fn may_have_been_done(&self) -> bool {
        use ProviderError::*;
        match self {
            OutcomeUnknown { .. } | Unauthenticated { .. } | Malformed { .. } => true,
            Rest(error) => error.may_have_been_done(),
            _ => false,
        }
    }

    /// Whether it is the server's word that this key may not list the zone; any other failure says nothing of that.
    pub fn forbids_listing(&self) -> bool {
        use ProviderError::*;
        match self {
            // Knot says BADKEY for a key without permission, and NOTAUTH with it.
            BadKey { doing, .. } | Refused { doing, .. } | NotAuth { doing, .. } => *doing == Doing::Transferring,
            Rcode { doing: Doing::Transferring, rcode, .. } => *rcode == u16::from(ResponseCode::NotImp),
            _ => false,
        }
    }

    /// A name that does not change from release to release, for programs.
    pub fn code(&self) -> &'static str {
        use ProviderError::*;
        match self {
            BadKey { .. } => "tsig-badkey",
            BadSig { .. } => "tsig-badsig",
            BadTime { .. } => "tsig-badtime",
            Refused { doing: Doing::Reading, .. } => "read-refused",
            Refused { doing: Doing::Updating, .. } => "update-refused",
            Refused { doing: Doing::Transferring, .. } => "transfer-refused",
            NotAuth { .. } => "zone-not-served",
            ServFail { doing: Doing::Reading, .. } => "read-servfail",
            ServFail { doing: Doing::Updating, .. } => "update-servfail",
            ServFail { doing: Doing::Transferring, .. } => "transfer-servfail",
            Rcode { .. } => "unexpected-rcode",
            PrerequisiteFailed { .. } => "update-overtaken",
            Ignored { .. } => "update-ignored",
            Connection { .. } => "no-connection",
            Timeout { .. } => "no-answer",
            OutcomeUnknown { .. } => "outcome-unknown",
            Unauthenticated { .. } => "answer-unauthenticated",
            Malformed { .. } => "answer-malformed",
            CutShort { why, .. } => match why {
                self::CutShort::TooLarge { .. } => "transfer-too-large",
                self::CutShort::TooLong { .. } => "transfer-too-long",
                self::CutShort::Interrupted { .. } => "transfer-interrupted",
                self::CutShort::Unreadable { .. } => "transfer-unreadable",
            },
            Unsupported { .. } => "unsupported",
            Rest(error) => error.code(),
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Reading => "reading",
            Doing::Updating => "updating",
            Doing::Transferring => "transferring",
        })
    }
}

fn their_clock(time: Option<u64>) -> String {
    time.map(|time| format!(", theirs says {time}")).unwrap_or_default()
}

fn of_type(rtype: Option<RecordType>) -> String {
    rtype.map(|rtype| format!(" {rtype}")).unwrap_or_default()
}

pub(crate) fn not_as_wanted(sets: &[NotAsWanted]) -> String {
    let one = |set: &NotAsWanted| {
        let mut parts = Vec::new();
        for (records, what) in [(&set.missing, "missing"), (&set.left_over, "left over")] {
            if !records.is_empty() {
                parts.push(format!("{} {what}", records.len()));
            }
        }
        format!("{} ({})", set.rtype, parts.join(", "))
    };
    sets.iter().map(one).collect::<Vec<_>>().join(", ")
}
