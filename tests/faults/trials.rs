//! What trials of operators leave behind, and what is held against whom.

use crate::world::World;
use chorus::api::service::{RefusalKind, Service};
use chorus::api::wire::{Change, OperatorChange};
use chorus::model::ability::{Ability, Known};
use chorus::model::dns::{Rdata, RecordSet};
use chorus::model::history::Kind;
use chorus::model::time::Time;
use chorus::store::{Before, Trial};
use std::collections::BTreeMap;

/// It would count as the operator's own, be shared and asked a DS for.
#[tokio::test]
async fn no_transition_begins_where_something_of_a_trial_may_be_left() {
    let world = World::adopted().await;
    let before = Before { foreign: "0101030d07".into(), ..Before::default() };
    let of = |operator: &str, zone: &str| Trial {
        operator: operator.into(),
        zone: zone.into(),
        before: before.clone(),
        started_at: Time(0),
    };
    for trial in [of("a", "child.example."), of("b", "elsewhere.example.")] {
        world.store.begin_trial(&trial).await.unwrap();
    }
    let csync = RecordSet::from([Rdata::from_canonical(vec![0, 0, 0, 0, 0, 0, 0, 1, 0x20])]);
    world.lock().operator("a").zone.set(Kind::Csync, csync);
    let refusal = world.change(Change::Join("b".into())).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Conflict, "trial-left-over"));
    assert!(refusal.text.contains("in child.example at a"), "{}", refusal.text);
    assert_eq!(world.lock().operator("a").sent, 0);
    // As at the next start.
    world.engine.end_trials().await.unwrap();
    assert!(world.lock().operator("a").zone.records(Kind::Csync).is_empty());
    assert!(world.store.trials().await.unwrap().iter().all(|trial| trial.zone != "child.example."));
    world.join("b").await;
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}

#[tokio::test]
async fn who_was_found_unable_is_let_in_when_a_trial_or_other_settings_say_otherwise() {
    let world = World::adopted().await;
    let known = |is_there| {
        let known = Known { is_there, evidence: "update-refused".into(), zone: "test.example".into(), at: Time(0) };
        BTreeMap::from([(Ability::AddDnskey, known)])
    };
    let refused = async || world.change(Change::Join("b".into())).await.err().map(|refusal| refusal.code);
    world.store.saw_abilities("b", &known(false), true).await.unwrap();
    assert_eq!(refused().await, Some("operator-cannot-dnskey"));
    // A history from before does not outdo it.
    world.store.saw_abilities("b", &known(true), false).await.unwrap();
    assert_eq!(refused().await, Some("operator-cannot-dnskey"));
    let change = OperatorChange { update: Some("192.0.2.7:53".parse().unwrap()), ..OperatorChange::default() };
    world.controller.change_operator("b", change).await.unwrap();
    assert_eq!(world.store.abilities("b").await.unwrap(), BTreeMap::new());
    world.store.saw_abilities("b", &known(false), true).await.unwrap();
    world.store.saw_abilities("b", &known(true), true).await.unwrap();
    assert_eq!(refused().await, None);
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
}
