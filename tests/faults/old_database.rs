//! Databases from before: each opens, migrates, and shows what it had.
//!
//! `tests/data/database-2026-11.sqlite3` was written by the daemon of 2026-11 in a lab of real servers, with the master key
//! beside it. `rest.example` rests with a and b, `paused.example` is paused in the middle of a join of c, with a policy of its
//! own, and in `finished.example` b has joined and left. New databases are added, none is replaced.

use crate::world::World;
use chorus::api::service::Service;
use chorus::api::wire;
use chorus::engine::{Certificate, Status};
use chorus::model::dns::Name;
use chorus::model::group::Standing;
use chorus::model::history::Kind;
use chorus::store::{Keyring, MasterKey, Store, TransitionState};
use std::path::Path;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/database-2026-11.sqlite3");
const MASTER_KEY: &[u8; 32] = include_bytes!("../data/database-2026-11.master.key");

/// A copy of the database, opened and migrated by today's code.
async fn opened(dir: &Path) -> Store {
    std::fs::copy(DATABASE, dir.join("chorus.db")).unwrap();
    Store::open(dir, Keyring::of(MasterKey::from_octets(*MASTER_KEY))).await.unwrap()
}

fn zone(name: &str) -> Name {
    format!("{name}.example.").parse().unwrap()
}

#[tokio::test]
async fn a_database_of_2026_11_has_its_zones_histories_and_transitions() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    assert_eq!(store.zone_names().await.unwrap(), ["finished.example.", "paused.example.", "rest.example."]);

    let rest = store.zone(&zone("rest")).await.unwrap().unwrap();
    assert!(rest.members.values().all(|member| member.wanted == Standing::Serving));
    assert_eq!(rest.placements.keys().collect::<Vec<_>>(), ["a", "b"]);
    let status = Status::read(&rest.status);
    assert!(status.settled && status.standings.len() == 2, "{status:?}");
    let history = store.history(&zone("rest")).await.unwrap();
    for kind in [Kind::Ds, Kind::Delegation, Kind::Dnskey, Kind::Ns, Kind::Cds, Kind::Csync, Kind::Data] {
        assert!(history.spans(kind).any(|(_, span)| span.until.is_none()), "{kind}");
    }
    // A DNSKEY RRset of a alone was served before.
    assert!(history.spans(Kind::Dnskey).any(|(_, span)| span.until.is_some() && span.served.records.len() == 1));

    let paused = store.zone(&zone("paused")).await.unwrap().unwrap();
    let policy = &paused.policy;
    assert_eq!((policy.slack_s, policy.stale_s, policy.parent_pipeline_s), (2, 86_400, 6 * 3600));
    assert_eq!(policy.data_ttl_max_s, Some(7200));
    let running = store.running_transition(&zone("paused")).await.unwrap().unwrap();
    assert!(running.paused && running.forecast.is_some());
    assert_eq!(running.reason.as_deref(), Some("CHG-3"));

    let past = store.transitions(&zone("finished")).await.unwrap();
    assert_eq!(past.len(), 2);
    for ended in past {
        assert_eq!(ended.state, TransitionState::Done);
        let certificate: Certificate = serde_json::from_str(ended.certificate.as_deref().unwrap()).unwrap();
        assert!(certificate.exposures.is_empty() && certificate.pairs > 0, "{certificate:?}");
    }
}

#[tokio::test]
async fn a_database_of_2026_11_has_its_credentials_accounts_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for name in ["a", "b", "c"] {
        let operator = store.operator(name).await.unwrap().unwrap();
        assert_eq!(operator.interface.provider(), "rfc2136");
        // A TSIG secret of 32 octets, in base64.
        assert_eq!(store.operator_secret(name).await.unwrap().len(), 44);
    }
    assert!(store.account("carol").await.unwrap().is_some());
    assert_eq!(store.tokens(None).await.unwrap().len(), 1);
    assert!(store.events(&zone("finished"), 100).await.unwrap().len() > 20);
}

#[tokio::test]
async fn a_database_of_2026_11_is_shown_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let world = World::new().await.with_store(store);
    let shown = world.controller.zone("rest.example").await.unwrap();
    assert!(shown.rest && shown.verdict.starts_with("Signed by a and b"), "{shown:?}");
    assert!(shown.operators.iter().all(|one| one.standing == wire::Standing::Serving), "{shown:?}");
    let paused = world.controller.zone("paused.example").await.unwrap();
    assert_eq!(paused.state, "paused");
    let plan = world.controller.timeline("paused.example").await.unwrap();
    assert!(!plan.steps.is_empty() && !plan.lanes.is_empty());
    let certificate = world.controller.certificate("finished.example", None, false).await.unwrap();
    assert!(certificate.exposures.is_empty() && !certificate.assumptions.is_empty());
    assert!(world.controller.history("finished.example", 100).await.unwrap().events.len() > 20);
    // None of the servers of then answers: the turn says so.
    world.engine.turn(&zone("rest")).await.unwrap();
    assert!(!world.controller.zone("rest.example").await.unwrap().rest);
}
