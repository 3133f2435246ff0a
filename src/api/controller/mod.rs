//! The services behind the doors: what the API's [`Service`] asks for, done with engine, store and model.
//!
//! Invariant: a request that is refused has changed nothing. Whoever changes a zone's group holds the same lock as its
//! turn.

mod abilities;
mod apart;
mod audit;
mod cds_checks;
mod changes;
mod check;
mod control;
mod credentials;
mod gist;
mod lists;
mod names;
mod operators;
mod reports;
mod requests;
mod show;
mod timeline;
mod tried;
mod under_way;
mod zones;

use super::service::{Refusal, RefusalKind, Service};
use super::wire;
use crate::access::Caller;
use crate::engine::{Engine, EngineError, Picture};
use crate::model::dns::{Name, is_wildcard, name_text, plain_of_stored, plain_text, read_name};
use crate::model::group::Standing;
use crate::store::{MemberRecord, Records, StoreError};
use async_trait::async_trait;
use std::sync::Arc;

pub struct Controller {
    engine: Arc<Engine>,
    /// Of two who change an operator at once, one is first.
    credentials: Arc<tokio::sync::Mutex<()>>,
    /// The credential that was last tried, and where it was good.
    tried: Arc<tokio::sync::Mutex<tried::Tried>>,
    /// Who asks.
    caller: Caller,
}

impl Controller {
    pub fn new(engine: Arc<Engine>) -> Controller {
        Controller { engine, credentials: Arc::default(), tried: Arc::default(), caller: Caller::local(None) }
    }

    /// The store, for what is changed because somebody asks for it: the log has their name.
    fn store(&self) -> Arc<dyn Records> {
        let ports = self.engine.ports();
        ports.store.signed(self.caller.signature(ports.clock.now()))
    }
}

#[async_trait]
impl Service for Controller {
    async fn ready(&self) -> Result<(), Refusal> {
        let trouble = match self.engine.store_trouble() {
            Some(trouble) => Some(trouble),
            None => self.engine.ports().store.operators().await.err().map(|error| error.to_string()),
        };
        let Some(text) = trouble else { return Ok(()) };
        let fix =
            "see that the disk has room and that this user may write to the data directory; nothing is sent until then";
        Err(Refusal::new(RefusalKind::Unavailable, "db-unavailable", text).with_fix(fix))
    }

    async fn operators(&self) -> Result<wire::OperatorList, Refusal> {
        self.list_operators().await
    }

    async fn operator(&self, name: &str) -> Result<wire::OperatorShow, Refusal> {
        self.show_operator(name).await
    }

    async fn add_operator(&self, operator: wire::OperatorAdd) -> Result<wire::OperatorShow, Refusal> {
        self.new_operator(operator).await
    }

    async fn change_operator(&self, name: &str, change: wire::OperatorChange) -> Result<wire::OperatorShow, Refusal> {
        self.set_operator(name, change).await
    }

    async fn rotate_operator(
        &self,
        name: &str,
        rotate: wire::OperatorRotate,
    ) -> Result<wire::OperatorRotated, Refusal> {
        self.new_credential(name, rotate).await
    }

    async fn check_operator(&self, name: &str, check: wire::OperatorCheck) -> Result<wire::Capabilities, Refusal> {
        self.check_abilities(name, check).await
    }

    async fn abilities(&self, name: &str) -> Result<Vec<wire::AbilityShow>, Refusal> {
        self.known_abilities(name).await
    }

    async fn rotate_key(&self) -> Result<wire::KeyRotated, Refusal> {
        self.new_master_key().await
    }

    async fn test_operator(&self, name: &str, zone: &str) -> Result<wire::OperatorTest, Refusal> {
        self.try_operator(name, zone).await
    }

    fn by(self: Arc<Self>, caller: &Caller) -> Arc<dyn Service> {
        Arc::new(Controller {
            caller: caller.clone(),
            engine: self.engine.clone(),
            credentials: self.credentials.clone(),
            tried: self.tried.clone(),
        })
    }

    async fn zones(&self, query: wire::ZonesQuery) -> Result<wire::ZoneList, Refusal> {
        self.list_zones(query, self.caller.below.as_deref()).await
    }

    async fn overview(&self) -> Result<wire::Overview, Refusal> {
        self.show_overview(self.caller.below.as_deref()).await
    }

    async fn timeline(&self, zone: &str) -> Result<wire::Timeline, Refusal> {
        self.show_timeline(&zone_name(zone)?).await
    }

    async fn parents(&self) -> Result<wire::ParentList, Refusal> {
        self.report_parents(self.caller.below.as_deref()).await
    }

    async fn statistics(&self, days: u32) -> Result<wire::Statistics, Refusal> {
        self.report_statistics(days, self.caller.below.as_deref()).await
    }

    async fn add_zone(&self, zone: wire::ZoneAdd) -> Result<wire::ZoneShow, Refusal> {
        self.adopt(zone).await
    }

    async fn zone(&self, zone: &str) -> Result<wire::ZoneShow, Refusal> {
        self.show_zone(&zone_name(zone)?).await
    }

    async fn policy(&self, zone: &str) -> Result<wire::ZonePolicy, Refusal> {
        let (known, _) = self.engine.ports().recall(&zone_name(zone)?).await.map_err(of_engine)?;
        Ok(show::policy(&known))
    }

    async fn change_policy(&self, zone: &str, change: wire::PolicyChange) -> Result<wire::ZonePolicy, Refusal> {
        self.set_policy(&zone_name(zone)?, change).await
    }

    async fn check(&self, zone: &str, change: Option<wire::Change>) -> Result<wire::ZoneCheck, Refusal> {
        self.check_zone(&zone_name(zone)?, change).await
    }

    async fn plan(&self, zone: &str, change: wire::Change) -> Result<wire::Plan, Refusal> {
        self.make_plan(&zone_name(zone)?, change).await
    }

    async fn set_group(&self, zone: &str, set: wire::SetGroup) -> Result<wire::SetAnswer, Refusal> {
        self.start(&zone_name(zone)?, set).await
    }

    async fn control(&self, zone: &str, verb: wire::Verb, control: wire::Control) -> Result<wire::SetAnswer, Refusal> {
        fits(control.reason.as_deref())?;
        self.act(&zone_name(zone)?, verb, control).await
    }

    async fn audit(&self, query: wire::AuditQuery) -> Result<wire::AuditPage, Refusal> {
        self.show_audit(query).await
    }

    async fn verify_audit(&self) -> Result<wire::AuditVerified, Refusal> {
        self.check_audit().await
    }

    async fn history(&self, zone: &str, limit: u32) -> Result<wire::History, Refusal> {
        self.show_history(&zone_name(zone)?, limit).await
    }

    async fn certificate(
        &self,
        zone: &str,
        transition: Option<&str>,
        with_evidence: bool,
    ) -> Result<wire::Certificate, Refusal> {
        self.show_certificate(&zone_name(zone)?, transition, with_evidence).await
    }
}

/// Characters of a reason: it stays in the log for ever, and in every line of the zone.
const REASON_LONGEST: usize = 500;

fn fits(reason: Option<&str>) -> Result<(), Refusal> {
    if reason.is_none_or(|reason| reason.chars().count() <= REASON_LONGEST) {
        return Ok(());
    }
    let text = format!("the reason is longer than {REASON_LONGEST} characters");
    Err(Refusal::new(RefusalKind::Invalid, "bad-request", text).with_fix("say it in fewer words, or name the ticket"))
}

/// A zone's name as a person writes it, absolute and in lower case.
pub(crate) fn zone_name(text: &str) -> Result<Name, Refusal> {
    let invalid = |why: &str| {
        let shown: String = text.chars().take(NAME_SHOWN).collect();
        Refusal::new(RefusalKind::Invalid, "bad-name", format!("{shown:?} is not a zone that can be managed: {why}"))
            .with_fix("write it like example.org; a blank as \\032, a dot inside a label as \\.")
    };
    let name = read_name(text).map_err(|why| invalid(&why.to_string()))?;
    match &name {
        root if root.is_root() => Err(invalid("the root has no parent")),
        wildcard if is_wildcard(wildcard) => Err(invalid("its first label is a wildcard (RFC 4592 §4.2)")),
        _ => Ok(name),
    }
}

/// The name of a TSIG key, as it is stored.
fn key_name(text: &str) -> Result<String, Refusal> {
    Ok(name_text(&zone_name(text)?))
}

/// Of a text that is no name, as much is repeated.
const NAME_SHOWN: usize = 100;

/// A zone's name for people: without the final dot.
fn plain(name: &Name) -> String {
    plain_text(name)
}

fn no_operator(name: &str) -> Refusal {
    Refusal::new(RefusalKind::NotFound, "unknown-operator", format!("there is no operator {name}"))
        .with_fix("add it with `chorus operator add`, or see `chorus operator list`")
        .with_operator(name)
}

fn of_engine(error: EngineError) -> Refusal {
    match error {
        EngineError::NoZone(zone) => {
            Refusal::new(RefusalKind::NotFound, "unknown-zone", format!("there is no zone {}", plain(&zone)))
                .with_fix("add it with `chorus zone add`, or see `chorus zone list`")
                .with_zone(plain(&zone))
        }
        EngineError::Place(e) => Refusal::new(RefusalKind::Preflight, "no-addresses", e.to_string()).with_fix(
            "say the addresses: --name-server HOST=ADDR for an operator, --parent-server ADDR for the parent",
        ),
        EngineError::Provider(e) => Refusal::new(RefusalKind::Unavailable, "operator-unusable", e.to_string()),
        EngineError::Store(e) => of_store(e),
    }
}

pub(crate) fn of_store(error: StoreError) -> Refusal {
    match &error {
        StoreError::Exists { what, name } => {
            Refusal::new(RefusalKind::Conflict, "exists", format!("{what} {} is there already", plain_of_stored(name)))
                .with_fix(format!("see `chorus {what} show {}`", plain_of_stored(name)))
        }
        StoreError::InTransition { .. } => Refusal::new(RefusalKind::Conflict, "in-transition", error.to_string())
            .with_fix("wait until it is done, or `chorus zone stop` or `chorus zone undo` it first"),
        StoreError::TransitionChanged { zone, .. } => Refusal::new(
            RefusalKind::Conflict,
            "transition-changed",
            "somebody else was quicker: the transition is not any more what you saw".to_owned(),
        )
        .with_fix("look at it with `chorus zone show`, and decide anew")
        .with_zone(plain_of_stored(zone)),
        StoreError::LastAdmin => Refusal::new(RefusalKind::Conflict, "last-admin", error.to_string())
            .with_fix("make another account an admin first, and let it sign in once"),
        _ => Refusal::new(RefusalKind::Unavailable, "db-unavailable", error.to_string()),
    }
}

/// Sees, once for every member that can show it, what the largest TTL in its zone is.
async fn learn_ttls(engine: &Engine, known: &mut Picture) -> Result<(), Refusal> {
    let wanted = MemberRecord::wanted(Standing::Serving);
    let names: Vec<(String, MemberRecord)> = known.members.keys().map(|name| (name.clone(), wanted)).collect();
    for (operator, _) in engine.ports().operators(names.into_iter()).await.map_err(of_engine)? {
        let provider = engine.ports().providers.provider(&operator).await.map_err(|e| of_engine(e.into()))?;
        // Whoever does not show its zone leaves the policy's value in force.
        if let Ok(Some(ttl_s)) = provider.largest_ttl_s(&known.record.name).await {
            known.listing_showed(&operator.name, ttl_s, engine.ports().clock.now());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::stored;

    #[test]
    fn a_name_is_the_same_with_either_kind_of_labels_and_as_the_store_has_it() {
        let name = zone_name("xn--bcher-kva.example").unwrap();
        for text in ["bücher.example", "BÜCHER.example.", "XN--bcher-kva.EXAMPLE.", &stored(&name)] {
            assert_eq!(zone_name(text).unwrap(), name, "{text}");
        }
        assert_eq!(plain(&name), "xn--bcher-kva.example");
        assert_eq!(plain(&zone_name("_a.example").unwrap()), "_a.example");
        for text in ["", ".", "a..b", "bü cher.example", "\u{200d}.example", "*.example", "a b.example"] {
            assert_eq!(zone_name(text).unwrap_err().code, "bad-name", "{text}");
        }
    }
}
