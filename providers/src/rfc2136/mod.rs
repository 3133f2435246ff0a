//! Dynamic update (RFC 2136) with TSIG (RFC 8945) over TCP: BIND, Knot and whatever speaks it.
//!
//! Invariant: an update that may have been taken is never sent a second time without reading first. NOERROR proves
//! nothing on either server (Knot drops foreign keys silently by default), so every write is read back from the same
//! server. Which writes are safe is decided elsewhere.

mod axfr;
mod delegations;
mod read;
pub(crate) mod records;
mod tcp;
mod transfer;
mod update;

pub use tcp::{ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS};
pub use update::{Prerequisite, RecordChange, Update};

use crate::error::{Doing, ProviderError};
use crate::tsig::{Disbelief, Signed, TsigKey};
use crate::wanted::{self, absolute, types_of};
use crate::{Capabilities, CdsControl, Change, ForeignDnskey, Listing, Provider, Rrset, Wanted, WriteGrouping};
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tcp::Connection;

/// Unix seconds. TSIG needs the wall clock (RFC 8945 §5.2.3).
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How often an update is tried when somebody else changed the sets in between: once, and twice again.
const TRIES: usize = 3;

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Rfc2136Config {
    /// The primary server, which is also the one that is read back.
    pub update: SocketAddr,
    pub key: TsigKey,
    /// Whether updates say what they assume (RFC 2136 §2.4). Off only for servers that do not honour it: then a change
    /// that somebody else makes at the same moment is not noticed.
    pub prerequisites: bool,
    /// The server answers with keys of its own that are not among what updates see and change, as PowerDNS does: then
    /// nothing can be said beforehand of the DNSKEY set. Keys are added and removed one by one, so nothing is lost by that.
    pub own_keys_apart: bool,
    pub connect_timeout_ms: u64,
    pub answer_timeout_ms: u64,
}

impl Rfc2136Config {
    pub fn new(update: SocketAddr, key: TsigKey) -> Rfc2136Config {
        Rfc2136Config {
            update,
            key,
            prerequisites: true,
            own_keys_apart: false,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            answer_timeout_ms: ANSWER_TIMEOUT_MS,
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

    fn is_guarded(&self, rtype: RecordType) -> bool {
        self.config.prerequisites && !(self.config.own_keys_apart && rtype == RecordType::DNSKEY)
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
                    && let Err(refusal) = outcome(server, zone, doing, rtype, rcode)
                {
                    return refusal;
                }
                String::from("it has no signature")
            }
        };
        ProviderError::Unauthenticated { server, key, reason }
    }

    /// Reads back after an update that was, or may have been, taken.
    async fn confirm(
        &self,
        zone: &Name,
        wanted: &[Wanted],
        submitted: Result<(), ProviderError>,
    ) -> Result<(), ProviderError> {
        let (server, zone_text) = (self.config.update, zone.to_string());
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
        submitted?;
        Err(ProviderError::Ignored { server, zone: zone_text, sets: unmet })
    }

    /// Whether the key may change this type: a write that changes nothing.
    async fn probe_type(&self, zone: &Name, rtype: RecordType) -> Result<(), ProviderError> {
        let mut overtaken = Overtaken::default();
        for _ in 0..TRIES {
            let current = self.read_at(zone, zone, &[rtype]).await?;
            let change = update::idle_change(zone, &current, rtype, self.config.own_keys_apart);
            let Some(change) = change else { return Ok(()) };
            let guarded = self.is_guarded(rtype);
            let prerequisites = if guarded { vec![update::as_it_is(zone, &current, rtype)] } else { Vec::new() };
            match self.submit(zone, &Update { prerequisites, changes: vec![change], ..Update::default() }).await {
                Err(ProviderError::PrerequisiteFailed { .. }) => overtaken.at(current),
                outcome => return outcome,
            }
        }
        Err(overtaken.error(self.config.update, zone, Some(rtype)))
    }
}

/// What was read before each update whose prerequisites failed.
#[derive(Default)]
struct Overtaken {
    reads: Vec<Vec<Rrset>>,
}

impl Overtaken {
    fn at(&mut self, read: Vec<Rrset>) {
        self.reads.push(read);
    }

    /// Sets that read the same each time were not changed by anybody: then the server compares with something else.
    fn error(self, server: SocketAddr, zone: &Name, rtype: Option<RecordType>) -> ProviderError {
        let (zone, tries) = (zone.to_string(), self.reads.len());
        let records = |read: &[Rrset]| read.iter().map(|set| (set.rtype, set.records.clone())).collect::<Vec<_>>();
        let unchanged = self.reads.windows(2).all(|pair| match pair {
            [earlier, later] => records(earlier) == records(later),
            _ => true,
        });
        if unchanged && tries > 1 {
            ProviderError::NotAsServed { server, zone, rtype }
        } else {
            ProviderError::PrerequisiteFailed { server, zone, tries }
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
        let (mut overtaken, mut rtype) = (Overtaken::default(), None);
        for _ in 0..TRIES {
            let current = self.read_at(&zone, &zone, &types_of(wanted)).await?;
            let changes = wanted::difference(wanted, &current);
            if changes.is_empty() {
                return Ok(changes);
            }
            let update = update::plan(&zone, wanted, &current, &changes, |rtype| self.is_guarded(rtype));
            let submitted = self.submit(&zone, &update).await;
            tracing::debug!(zone = %zone, server = %self.config.update, ?changes, ?submitted, "update sent");
            match submitted {
                Err(ProviderError::PrerequisiteFailed { .. }) => {
                    rtype = update.only_type();
                    overtaken.at(current);
                }
                Ok(()) | Err(ProviderError::OutcomeUnknown { .. } | ProviderError::Unauthenticated { .. }) => {
                    return self.confirm(&zone, wanted, submitted).await.map(|()| changes);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(overtaken.error(self.config.update, &zone, rtype))
    }

    async fn probe(&self, zone: &Name) -> Result<(), ProviderError> {
        let zone = absolute(zone);
        for rtype in wanted::TYPES {
            self.probe_type(&zone, rtype).await?;
        }
        Ok(())
    }

    /// Each record is added and deleted in one message: whoever permits it has nothing left of it.
    async fn oversteps(&self, zone: &Name) -> Result<Option<Vec<String>>, ProviderError> {
        let zone = absolute(zone);
        let below = Name::from_ascii(crate::CHECK_LABEL).and_then(|label| label.append_domain(&zone));
        let below = below.map_err(|e| ProviderError::Unsupported { what: format!("a name below {zone}: {e}") })?;
        let text = [&[12], b"chorus-check".as_slice()].concat();
        // With another TTL what is there would get it, too.
        let there = self.read_at(&zone, &zone, &[RecordType::TXT]).await?;
        let text_ttl_s = there.first().map_or(60, |set| set.ttl_s);
        let mut permitted = Vec::new();
        for (owner, rtype, rdata, what) in [
            (&zone, RecordType::TXT, text, crate::APEX_TEXT),
            (&below, RecordType::A, vec![192, 0, 2, 1], crate::ADDRESS_BELOW),
        ] {
            let records = std::collections::BTreeSet::from([rdata]);
            let change = Change { rtype, added: records.clone(), removed: records };
            let ttl_s = if rtype == RecordType::TXT { text_ttl_s } else { 60 };
            let changes = vec![RecordChange { owner: owner.clone(), ttl_s, change }];
            match self.submit(&zone, &Update { changes, ..Update::default() }).await {
                Ok(()) => permitted.push(what.to_owned()),
                Err(ProviderError::Refused { .. } | ProviderError::BadKey { .. } | ProviderError::NotAuth { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Some(permitted))
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
        Refused => ProviderError::Refused { server, zone, doing, rtype },
        NotAuth | NotZone => ProviderError::NotAuth { server, zone, doing },
        ServFail => ProviderError::ServFail { server, zone, doing, rtype },
        NXRRSet | YXRRSet | NXDomain | YXDomain if doing == Doing::Updating => {
            ProviderError::PrerequisiteFailed { server, zone, tries: 1 }
        }
        other => ProviderError::Rcode { server, zone, doing, rcode: other.into() },
    })
}
