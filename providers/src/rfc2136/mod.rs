//! Dynamic update (RFC 2136) with TSIG (RFC 8945) over TCP: BIND, Knot and whatever speaks it.
//!
//! Invariant: an update that may have been taken is never sent a second time without reading first. NOERROR proves
//! nothing on either server (Knot drops foreign keys silently by default), so every write is read back from the same
//! server. Which writes are safe is decided elsewhere.

mod apart;
mod axfr;
mod delegations;
mod probe;
mod read;
pub(crate) mod records;
mod tcp;
mod transfer;
mod update;

pub use records::read_message;
pub use tcp::{ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS};
pub use update::{Prerequisite, RecordChange, Update};

use crate::error::{Doing, ProviderError};
use crate::tsig::{Disbelief, Signed, TsigKey};
use crate::wanted::{self, absolute, types_of};
use crate::{Capabilities, CdsControl, Change, ForeignDnskey, Listing, Provider, Rdata, Rrset, Wanted, WriteGrouping};
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tcp::Connection;

/// Unix seconds. TSIG needs the wall clock (RFC 8945 §5.2.3).
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How often an update is tried when somebody else changed the sets in between: once, and twice again.
const TRIES: usize = 3;

/// How long a server that has accepted an update may go on serving what it served before, in milliseconds. BIND 9.20 and 9.21
/// were seen to take under 0.1 s; this is a hundred times that.
pub const SERVED_WITHIN_MS: u64 = 8_000;
/// The first pause of those that grow.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Rfc2136Config {
    /// The primary server, which is also the one that is read back.
    pub update: SocketAddr,
    pub key: TsigKey,
    /// Whether updates say what they assume (RFC 2136 §2.4). Off only for servers that do not honour it: then a change
    /// that somebody else makes at the same moment is not noticed.
    pub prerequisites: bool,
    pub connect_timeout_ms: u64,
    pub answer_timeout_ms: u64,
    /// How long what was accepted is looked for.
    pub served_within_ms: u64,
}

impl Rfc2136Config {
    pub fn new(update: SocketAddr, key: TsigKey) -> Rfc2136Config {
        Rfc2136Config {
            update,
            key,
            prerequisites: true,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            answer_timeout_ms: ANSWER_TIMEOUT_MS,
            served_within_ms: SERVED_WITHIN_MS,
        }
    }
}

/// An operator that is driven by dynamic updates.
pub struct Rfc2136 {
    config: Rfc2136Config,
    clock: UnixClock,
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rfc2136").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Rfc2136 {
    pub fn new(config: Rfc2136Config, clock: UnixClock) -> Rfc2136 {
        Rfc2136 { config, clock }
    }

    /// Sends one update, once, and takes only a signed NOERROR for a yes. Does not read back.
    ///
    /// [`ProviderError::PrerequisiteFailed`]: nothing was done. [`ProviderError::OutcomeUnknown`] and
    /// [`ProviderError::Unauthenticated`]: it may have been done.
    pub async fn submit(&self, zone: &Name, update: &Update) -> Result<(), ProviderError> {
        let server = self.config.update;
        let message = update.message(zone);
        let id = message.metadata.id;
        let (octets, mut signed) = self.sign(message)?;
        let mut connection = self.connect().await?;
        connection.send(&octets).await?;

        let unknown = |reason: String| ProviderError::OutcomeUnknown { server, zone: zone.to_string(), reason };
        let octets = connection.receive().await.map_err(|e| unknown(e.to_string()))?;
        let answer = Message::from_vec(&octets).map_err(|e| unknown(format!("its answer cannot be read: {e}")))?;
        if answer.metadata.id != id || answer.metadata.message_type != MessageType::Response {
            return Err(unknown(String::from("its answer does not belong to the update")));
        }
        match signed.check(&octets, &answer, (self.clock)()) {
            Ok(()) => outcome(server, zone, Doing::Updating, update.only_type(), answer.metadata.response_code),
            Err(disbelief) => Err(self.disbelieved(zone, Doing::Updating, update.only_type(), &answer, disbelief)),
        }
    }

    async fn connect(&self) -> Result<Connection, ProviderError> {
        Connection::open(self.config.update, self.config.connect_timeout_ms, self.config.answer_timeout_ms).await
    }

    fn sign(&self, message: Message) -> Result<(Vec<u8>, Signed), ProviderError> {
        let too_much = |reason| ProviderError::Unsupported { what: format!("the message cannot be signed: {reason}") };
        self.config.key.sign(message, (self.clock)()).map_err(too_much)
    }

    /// The error for an answer that cannot be believed: what it gives as its reason, if it refuses.
    fn disbelieved(
        &self,
        zone: &Name,
        doing: Doing,
        rtype: Option<RecordType>,
        answer: &Message,
        disbelief: Disbelief,
    ) -> ProviderError {
        let (server, key, zone_text) = (self.config.update, self.config.key.name().to_string(), zone.to_string());
        let reason = match disbelief {
            Disbelief::BadKey => return ProviderError::BadKey { server, key, zone: zone_text, doing },
            Disbelief::BadSig => return ProviderError::BadSig { server, key },
            Disbelief::BadTime(their_time) => {
                return ProviderError::BadTime { server, our_time: (self.clock)(), their_time };
            }
            Disbelief::Wrong(reason) => reason,
            Disbelief::Unsigned => {
                use ResponseCode::{FormErr, NotAuth, NotImp, NotZone, Refused, ServFail};
                let rcode = answer.metadata.response_code;
                // Knot does not sign that it does not serve a zone. A failed prerequisite is always signed.
                if matches!(rcode, FormErr | NotAuth | NotImp | NotZone | Refused | ServFail)
                    && let Err(mut refusal) = outcome(server, zone, doing, rtype, rcode)
                {
                    if let ProviderError::Refused { signed, .. } = &mut refusal {
                        *signed = false;
                    }
                    return refusal;
                }
                String::from("it has no signature")
            }
        };
        ProviderError::Unauthenticated { server, key, reason }
    }

    /// Reads back after an update that was, or may have been, taken. A server may serve a change only some moments after it has
    /// accepted it (BIND 9.20 with `inline-signing yes` signs a copy of the zone that is updated), so a change that was
    /// accepted is looked for with growing pauses before the server counts as one that ignored it.
    async fn confirm(
        &self,
        zone: &Name,
        wanted: &[Wanted],
        submitted: Result<(), ProviderError>,
        apart: &[RecordType],
    ) -> Result<(), ProviderError> {
        let (server, zone_text) = (self.config.update, zone.to_string());
        let (mut pause, mut left) = (LOOK_AGAIN, Duration::from_millis(self.config.served_within_ms));
        loop {
            let unmet = match self.read_at(zone, zone, &types_of(wanted)).await {
                Ok(current) => wanted::unmet(wanted, &current),
                Err(e) => {
                    submitted?;
                    let reason = format!("it said yes, but could not be read back: {e}");
                    return Err(ProviderError::OutcomeUnknown { server, zone: zone_text, reason });
                }
            };
            if unmet.is_empty() {
                return Ok(());
            }
            if left.is_zero() || submitted.is_err() {
                submitted?;
                let keys_apart = apart.contains(&RecordType::DNSKEY);
                return Err(ProviderError::Ignored { server, zone: zone_text, sets: unmet, keys_apart });
            }
            let now = pause.min(left);
            tokio::time::sleep(now).await;
            (pause, left) = ((pause * 2).min(LOOK_AGAIN_MAX), left.saturating_sub(now));
        }
    }
}

#[async_trait]
impl Provider for Rfc2136 {
    /// Of the interface, not of a server's settings: those show when a write is read back.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            foreign_dnskey: ForeignDnskey::All,
            cds: CdsControl::Unknown,
            csync: true,
            ns_add_foreign: true,
            ns_remove_own: true,
            tells_own_keys: false,
            grouping: WriteGrouping::AtomicWithPrerequisites,
            requests_are_limited: false,
        }
    }

    async fn read(&self, zone: &Name, types: &[RecordType]) -> Result<Vec<Rrset>, ProviderError> {
        let zone = absolute(zone);
        self.read_at(&zone, &zone, types).await
    }

    async fn apply(&self, zone: &Name, wanted: &[Wanted]) -> Result<Vec<Change>, ProviderError> {
        wanted::check(wanted)?;
        let zone = absolute(zone);
        let mut apart = Vec::new();
        for _ in 0..TRIES {
            let current = self.read_at(&zone, &zone, &types_of(wanted)).await?;
            let changes = wanted::difference(wanted, &current);
            if changes.is_empty() {
                return Ok(changes);
            }
            let guarded = |rtype| self.config.prerequisites && !apart.contains(&rtype);
            let update = update::plan(&zone, wanted, &current, &changes, guarded);
            let submitted = self.submit(&zone, &update).await;
            tracing::debug!(zone = %zone, server = %self.config.update, ?changes, ?submitted, ?apart, "update sent");
            match submitted {
                Err(ProviderError::PrerequisiteFailed { .. }) => {
                    let types: Vec<_> = update.prerequisites.iter().map(|required| required.rtype).collect();
                    for rtype in types {
                        if self.is_kept_apart(&zone, rtype).await? {
                            apart.push(rtype);
                        }
                    }
                }
                Ok(()) | Err(ProviderError::OutcomeUnknown { .. } | ProviderError::Unauthenticated { .. }) => {
                    return self.confirm(&zone, wanted, submitted, &apart).await.map(|()| changes);
                }
                Err(refusal) => return Err(refusal.with_keys_apart(!apart.is_empty())),
            }
        }
        Err(ProviderError::PrerequisiteFailed { server: self.config.update, zone: zone.to_string(), tries: TRIES })
    }

    async fn probe(&self, zone: &Name) -> Result<(), ProviderError> {
        let zone = absolute(zone);
        for rtype in wanted::TYPES {
            self.probe_type(&zone, rtype).await?;
        }
        Ok(())
    }

    async fn keeps_keys_apart(&self, zone: &Name) -> Result<bool, ProviderError> {
        self.is_kept_apart(&absolute(zone), RecordType::DNSKEY).await
    }

    async fn take_out(&self, zone: &Name, gone: &[(RecordType, BTreeSet<Rdata>)]) -> Result<(), ProviderError> {
        self.delete_unseen(&absolute(zone), gone).await
    }

    async fn oversteps(&self, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        self.permits_more(&absolute(zone)).await.map(Some)
    }

    async fn largest_ttl_s(&self, zone: &Name) -> Result<Option<u32>, ProviderError> {
        self.transfer_ttl_s(&absolute(zone)).await
    }

    async fn list(&self, zone: &Name) -> Result<Option<Listing>, ProviderError> {
        self.transfer_sets(&absolute(zone)).await
    }
}

/// What an RCODE means.
fn outcome(
    server: SocketAddr,
    zone: &Name,
    doing: Doing,
    rtype: Option<RecordType>,
    rcode: ResponseCode,
) -> Result<(), ProviderError> {
    use ResponseCode::{NXDomain, NXRRSet, NoError, NotAuth, NotZone, Refused, ServFail, YXDomain, YXRRSet};
    let zone = zone.to_string();
    Err(match rcode {
        NoError => return Ok(()),
        Refused => ProviderError::Refused { server, zone, doing, rtype, keys_apart: false, signed: true },
        NotAuth | NotZone => ProviderError::NotAuth { server, zone, doing },
        ServFail => ProviderError::ServFail { server, zone, doing, rtype, keys_apart: false },
        NXRRSet | YXRRSet | NXDomain | YXDomain if doing == Doing::Updating => {
            ProviderError::PrerequisiteFailed { server, zone, tries: 1 }
        }
        other => ProviderError::Rcode { server, zone, doing, rcode: other.into() },
    })
}
