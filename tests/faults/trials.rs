//! What trials of operators leave behind, and what is held against whom.

use crate::world::World;
use chorus::api::service::{RefusalKind, Service};
use chorus::api::wire::{AbilityShow, Change, OperatorChange, OperatorCheck};
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

fn check(write: bool, test_zone: bool) -> OperatorCheck {
    OperatorCheck { zone: "child.example".into(), write, test_zone }
}

fn ability<'a>(abilities: &'a [AbilityShow], code: &str) -> &'a AbilityShow {
    abilities.iter().find(|one| one.ability == code).unwrap()
}

/// A parent may act on the CDS of a trial's key, and nobody has that key.
#[tokio::test]
async fn a_trial_in_a_secure_zone_is_refused_unless_the_user_declares_a_test_zone() {
    let world = World::adopted().await;
    // As a member, and as an operator that no resolver can query: the zone is the same.
    for operator in ["a", "b"] {
        let refusal = world.controller.check_operator(operator, check(true, false)).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.code), (RefusalKind::Preflight, "trial-zone-secure"), "{}", refusal.text);
        assert!(refusal.text.contains("the parent's server example. (198.51.100.1:53) has a DS"), "{}", refusal.text);
        let command = format!("chorus operator check {operator} --zone child.example --write --test-zone");
        assert!(refusal.fix.unwrap().contains(&command));
        assert_eq!(world.lock().operator(operator).sent, 0);
        // Without a write nothing speaks against it.
        world.controller.check_operator(operator, check(false, false)).await.unwrap();
    }
    let records = |world: &World| {
        let state = world.lock();
        Kind::OPERATOR.map(|kind| state.operators["b"].zone.records(kind).clone())
    };
    let before = records(&world);
    let found = world.controller.check_operator("b", check(true, true)).await.unwrap();
    for code in ["add-dnskey", "remove-dnskey", "add-cds", "remove-cds", "add-ns", "remove-own-ns"] {
        let shown = ability(&found.abilities, code);
        assert_eq!(shown.is_there, Some(true), "{code}: {}", shown.evidence);
    }
    assert_eq!(records(&world), before, "it is left as it was");
    // What a parent that does not answer showed last counts.
    for address in &mut world.lock().parent.addresses {
        address.failure = Some(chorus::model::history::Failure::Silent);
    }
    let refusal = world.controller.check_operator("b", check(true, false)).await.unwrap_err();
    assert_eq!(refusal.code, "trial-zone-secure");
}

/// Without a DS the zone is insecure, and yet resolvers query it.
#[tokio::test]
async fn a_trial_makes_no_write_that_the_check_objects_to() {
    let world = World::new().await;
    world.lock().parent.set(Kind::Ds, RecordSet::new());
    let world = world.adopt_as_usual().await;
    let found = world.controller.check_operator("a", check(true, false)).await.unwrap();
    for code in ["add-dnskey", "add-cds", "add-csync"] {
        let shown = ability(&found.abilities, code);
        assert_eq!(shown.is_there, Some(true), "{code}: {}", shown.evidence);
    }
    let name_server = ability(&found.abilities, "add-ns");
    assert_eq!(name_server.is_there, None, "{}", name_server.evidence);
    for words in ["ns.chorus-check.invalid", "it is not known to which operator it belongs", "--test-zone"] {
        assert!(name_server.evidence.contains(words), "{}", name_server.evidence);
    }
    // A declared test zone is tried in full.
    let found = world.controller.check_operator("a", check(true, true)).await.unwrap();
    assert_eq!(ability(&found.abilities, "add-ns").is_there, Some(true));
}

#[tokio::test]
async fn keys_of_one_tag_and_unreadable_keys_end_no_check() {
    let world = World::adopted().await;
    let unreadable = Rdata::from_canonical(vec![1, 0, 3, 13]);
    {
        let mut state = world.lock();
        let twin = crate::places::twin_of(&state.operators["a"].zsk);
        let b = state.operator("b");
        let mut keys = b.zone.records(Kind::Dnskey).clone();
        keys.extend([twin, unreadable]);
        b.zone.set(Kind::Dnskey, keys);
        state.publish("b");
    }
    let join = || Some(Change::Join("b".into()));
    let checked = world.controller.check("child.example", join()).await.unwrap();
    let found = |code: &str| checked.findings.iter().any(|finding| finding.code == code);
    assert!(checked.refused && found("key-tag-collision") && found("key-unusable"), "{:?}", checked.findings);
    let plan = world.controller.plan("child.example", Change::Join("b".into())).await.unwrap();
    assert!(plan.refusals.iter().any(|refusal| refusal.code == "key-tag-collision"), "{:?}", plan.refusals);
    for (write, test_zone) in [(false, false), (true, true)] {
        let found = world.controller.check_operator("b", check(write, test_zone)).await.unwrap();
        assert_eq!(ability(&found.abilities, "add-dnskey").is_there, write.then_some(true));
    }
}
