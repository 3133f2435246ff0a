//! Groups that were there before Chorus, keys that operators copy among themselves, and a second controller.

use crate::places::key;
use crate::world::{PIPELINE_S, SLACK_S, State, TTL_S, World, child};
use chorus::api::service::Service;
use chorus::api::wire::{self, PolicyChange, ZoneAdd};
use chorus::model::dns::{RecordSet, cds_for};
use chorus::model::history::Kind;
use chorus::store::{MasterKey, Store};

/// Another process with a database of its own, that knows the same operators.
async fn another(world: &World) -> World {
    let store = Store::in_memory(MasterKey::from_octets([9; 32])).await.unwrap();
    for record in world.store.operators().await.unwrap() {
        store.add_operator(&record, b"c2VjcmV0LXNlY3JldC1zZWNyZXQ=", [2; 24]).await.unwrap();
    }
    let mut other = World::new().await;
    other.outside = world.outside.clone();
    other.with_store(store)
}

fn add(world: &World, operators: &[&str]) -> ZoneAdd {
    ZoneAdd {
        zone: "child.example".into(),
        operator: None,
        operators: operators.iter().map(|name| (*name).to_owned()).collect(),
        parent_servers: world.lock().parent.addresses.iter().map(|at| at.server.address).collect(),
        parent: wire::ParentMode::Scan,
        policy: PolicyChange {
            slack_s: Some(SLACK_S),
            stale_s: Some(0),
            data_ttl_max_s: Some(TTL_S.into()),
            parent_pipeline_s: Some(PIPELINE_S),
            ..PolicyChange::default()
        },
    }
}

/// The operators and the parent as a group that `a` and `b` made by themselves; `lacking`: what `b` leaves out.
fn made_by_hand(state: &mut State, lacking: &[Kind]) {
    let keys: RecordSet =
        ["a", "b"].iter().flat_map(|op| [state.operators[*op].ksk.clone(), state.operators[*op].zsk.clone()]).collect();
    let ksks: RecordSet = ["a", "b"].iter().map(|op| state.operators[*op].ksk.clone()).collect();
    let ns: RecordSet = ["a", "b"].iter().flat_map(|op| state.operators[*op].ns()).collect();
    let ds = cds_for(&child(), &ksks, &[2]);
    for name in ["a", "b"] {
        let sets = [(Kind::Dnskey, &keys), (Kind::Cds, &ds), (Kind::Cdnskey, &ksks), (Kind::Ns, &ns)];
        for (kind, set) in sets.into_iter().filter(|(kind, _)| name == "a" || !lacking.contains(kind)) {
            state.operator(name).zone.set(kind, set.clone());
        }
        state.publish(name);
    }
    state.parent.set(Kind::Ds, ds);
    state.parent.set(Kind::Delegation, ns);
}

fn sent(world: &World) -> usize {
    let state = world.lock();
    state.operators.values().map(|operator| operator.sent).sum()
}

async fn passes(world: &World, ms: i64) {
    let end = world.elapsed() + ms;
    while world.elapsed() < end {
        world.turn().await;
    }
}

#[tokio::test]
async fn a_stable_group_is_adopted_and_nothing_is_written() {
    let world = World::new().await;
    made_by_hand(&mut world.lock(), &[]);
    let shown = world.controller.add_zone(add(&world, &["a", "b"])).await.unwrap();
    assert!(shown.rest, "{}", shown.verdict);
    assert_eq!(shown.to_repair, Vec::<String>::new());
    assert_eq!(shown.verdict, "Signed by a and b, the parent agrees, nothing to do");
    passes(&world, 600_000).await;
    assert_eq!(sent(&world), 0, "nothing is written");
    // From then on it is a group like any other: a rollover of b is brought to a, and its old key is taken out there.
    let (old, new) = (world.lock().operators["b"].zsk.clone(), key(256, 13, "new zsk of b"));
    {
        let mut state = world.lock();
        let keys = &RecordSet::from([new.clone()]) | state.operators["b"].zone.records(Kind::Dnskey);
        state.operator("b").zone.set(Kind::Dnskey, keys);
        state.publish("b");
    }
    let has = |world: &World, key: &_| world.lock().operators["a"].zone.records(Kind::Dnskey).contains(key);
    world.until("a serves the new key", async |world| has(world, &new)).await;
    world.comes_to_rest().await;
    {
        let mut state = world.lock();
        let b = state.operator("b");
        b.zsk = new.clone();
        let mut keys = b.zone.records(Kind::Dnskey).clone();
        keys.remove(&old);
        b.zone.set(Kind::Dnskey, keys);
        for kind in [Kind::Ns, Kind::Data] {
            b.zone.0.entry(kind).and_modify(|served| served.signers = [new.clone()].into());
        }
        state.publish("b");
    }
    world.until("a gave the old key up", async |world| !has(world, &old)).await;
    world.comes_to_rest().await;
}

#[tokio::test]
async fn what_an_adopted_group_lacks_is_said_and_written_only_when_asked_for() {
    let world = World::new().await;
    made_by_hand(&mut world.lock(), &[Kind::Dnskey, Kind::Cds, Kind::Cdnskey, Kind::Ns]);
    let shown = world.controller.add_zone(add(&world, &["a", "b"])).await.unwrap();
    assert!(!shown.rest);
    let said = shown.to_repair.join("\n");
    for words in [
        "the DNSKEY RRset at b lacks",
        "of a",
        "CDS and CDNSKEY at b",
        "the NS RRset at b lacks ns1.a.example.",
        "chorus zone repair child.example",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(shown.waiting_for.unwrap().code, "needs-repair");
    passes(&world, 120_000).await;
    assert_eq!(sent(&world), 0, "nothing is written");
    world.control(wire::Verb::Repair).await.unwrap();
    world.comes_to_rest().await;
    let shown = world.shown().await;
    assert_eq!(shown.to_repair, Vec::<String>::new());
    let state = world.lock();
    for kind in [Kind::Dnskey, Kind::Cds, Kind::Ns] {
        assert_eq!(state.operators["a"].zone.records(kind), state.operators["b"].zone.records(kind), "{kind}");
    }
}

#[tokio::test]
async fn a_repair_that_is_stopped_leaves_the_zone_as_it_is() {
    let world = World::new().await;
    made_by_hand(&mut world.lock(), &[Kind::Dnskey]);
    world.controller.add_zone(add(&world, &["a", "b"])).await.unwrap();
    world.lock().operator("b").mishaps.extend(std::iter::repeat_n(crate::places::Mishap::NotApplied, 9));
    world.control(wire::Verb::Repair).await.unwrap();
    world.waits_for("operator-lag").await;
    world.control(wire::Verb::Stop).await.unwrap();
    world.until("it has ended", async |world| world.shown().await.transition.is_some_and(|t| t.state.is_over())).await;
    let written = sent(&world);
    passes(&world, 120_000).await;
    assert_eq!(sent(&world), written);
    assert!(!world.shown().await.to_repair.is_empty());
}

#[tokio::test]
async fn an_operator_that_does_not_serve_is_no_member_of_an_adopted_group() {
    let world = World::new().await;
    let refusal = world.controller.add_zone(add(&world, &["a", "b"])).await.unwrap_err();
    assert_eq!(refusal.code, "not-serving", "{}", refusal.text);
    assert!(refusal.fix.unwrap().contains("chorus zone join"));
    let neither = ZoneAdd { operators: Vec::new(), ..add(&world, &[]) };
    assert_eq!(world.controller.add_zone(neither).await.unwrap_err().code, "bad-request");
}

/// `b` shows what `a` has: a secondary of it.
fn is_secondary(state: &mut State) {
    let zone = state.operators["a"].zone.clone();
    state.operator("b").zone = zone;
    state.publish("b");
}

#[tokio::test]
async fn a_newcomer_that_serves_the_keys_of_a_member_is_refused_everywhere() {
    let world = World::adopted().await;
    is_secondary(&mut world.lock());
    let test = world.controller.test_operator("b", "child.example").await.unwrap();
    let failed = test.checks.iter().find(|check| check.code == "keys-shared").unwrap();
    assert!(failed.text.starts_with("a and b sign with the same keys (key "), "{}", failed.text);
    assert!(failed.fix.as_ref().unwrap().contains("chorus operator set a --name-server"), "{failed:?}");
    let group = || Some(wire::Change::Join("b".into()));
    let check = world.controller.check("child.example", group()).await.unwrap();
    assert!(check.refused && check.findings.iter().any(|finding| finding.code == "keys-shared"));
    assert_eq!(world.change(wire::Change::Join("b".into())).await.unwrap_err().code, "keys-shared");
    assert_eq!(sent(&world), 0);
}

#[tokio::test]
async fn a_member_that_becomes_a_secondary_of_another_is_reported_and_its_signer_cannot_leave() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    is_secondary(&mut world.lock());
    let text = world.waits_for("keys-shared").await;
    assert!(text.contains("b serves the zone that a signs"), "{text}");
    assert_eq!(world.events("keys-shared").await.len(), 1);
    let written = sent(&world);
    passes(&world, 600_000).await;
    assert_eq!(sent(&world), written);
    assert_eq!(world.change(wire::Change::Leave("a".into())).await.unwrap_err().code, "keys-shared");
    assert!(!world.is_at_rest().await);
}

#[tokio::test]
async fn a_member_that_was_a_secondary_of_another_for_ten_minutes_shares_keys_again() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let before = world.lock().operators["b"].zone.clone();
    is_secondary(&mut world.lock());
    world.waits_for("keys-shared").await;
    passes(&world, 600_000).await;
    {
        let mut state = world.lock();
        state.operator("b").zone = before;
        state.publish("b");
    }
    world.comes_to_rest().await;
    let new = key(256, 13, "new zsk of b");
    {
        let mut state = world.lock();
        let keys = &RecordSet::from([new.clone()]) | state.operators["b"].zone.records(Kind::Dnskey);
        state.operator("b").zone.set(Kind::Dnskey, keys);
        state.publish("b");
    }
    world
        .until("a serves the new key of b", async |world| {
            world.lock().operators["a"].zone.records(Kind::Dnskey).contains(&new)
        })
        .await;
}

#[tokio::test]
async fn a_key_that_an_operator_copies_to_another_by_itself_is_no_rollover_of_that_one() {
    let world = World::new().await;
    made_by_hand(&mut world.lock(), &[]);
    world.controller.add_zone(add(&world, &["a", "b"])).await.unwrap();
    let new = key(256, 13, "new zsk of b");
    {
        // The new key of b is at both at the same moment.
        let mut state = world.lock();
        for name in ["a", "b"] {
            let keys = &RecordSet::from([new.clone()]) | state.operators[name].zone.records(Kind::Dnskey);
            state.operator(name).zone.set(Kind::Dnskey, keys);
            state.publish(name);
        }
    }
    passes(&world, 600_000).await;
    assert_eq!(world.shown().await.rolls, Vec::new(), "whose it is, is not known yet");
    {
        let mut state = world.lock();
        for kind in [Kind::Ns, Kind::Data] {
            state.operator("b").zone.0.entry(kind).and_modify(|served| served.signers = [new.clone()].into());
        }
        state.publish("b");
    }
    passes(&world, 600_000).await;
    let rolls = world.shown().await.rolls;
    assert!(!rolls.is_empty() && rolls.iter().all(|roll| roll.operator == "b"), "{rolls:?}");
    let owner = |shown: wire::ZoneShow| {
        shown.keys.into_iter().find(|key| {
            key.signing_at.len() == 2 && key.role == wire::KeyRole::Zsk && key.owner.as_deref() == Some("b")
        })
    };
    assert!(owner(world.shown().await).is_some());
    assert_eq!(sent(&world), 0);
}

#[tokio::test]
async fn keys_that_a_leaver_puts_back_are_told_with_the_operator_to_switch_it_off_at() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    let keys = {
        let state = world.lock();
        RecordSet::from([state.operators["b"].ksk.clone(), state.operators["b"].zsk.clone()])
    };
    world.leave("b").await;
    let gone = |world: &World| world.lock().operators["a"].zone.records(Kind::Dnskey).is_disjoint(&keys);
    world.until("b's keys are gone at a", async |world| gone(world)).await;
    let text = loop {
        {
            let mut state = world.lock();
            let all = &keys | state.operators["a"].zone.records(Kind::Dnskey);
            state.operator("a").zone.set(Kind::Dnskey, all);
            state.publish("a");
        }
        world.look().await;
        if let Some((_, text)) = world.waiting().await.into_iter().find(|(code, _)| code == "keys-synchronised") {
            break text;
        }
        assert!(world.elapsed() < 3_600_000, "{:?}", world.waiting().await);
        world.turn().await;
    };
    assert!(text.contains("b copies its keys to a by itself (Knot: `dnskey-sync`); switch that off at b"), "{text}");
    let written = world.lock().operator("a").sent;
    world.keeps_waiting_for("keys-synchronised", 600_000).await;
    assert_eq!(world.lock().operator("a").sent, written, "no endless repair");
    world.control(wire::Verb::TryNow).await.unwrap();
    world.comes_to_rest().await;
    assert!(gone(&world));
}

#[tokio::test]
async fn a_leavers_copies_of_the_others_keys_and_cds_are_taken_out() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.leave("b").await;
    world.comes_to_rest().await;
    world.assert_nobody_failed().await;
    let state = world.lock();
    let (b, zone) = (&state.operators["b"], &state.operators["b"].zone);
    assert_eq!(*zone.records(Kind::Dnskey), RecordSet::from([b.ksk.clone(), b.zsk.clone()]));
    assert_eq!(*zone.records(Kind::Cds), cds_for(&child(), [&b.ksk], &[2]));
    assert_eq!(*zone.records(Kind::Cdnskey), RecordSet::from([b.ksk.clone()]));
}

#[tokio::test]
async fn copies_are_taken_out_of_a_newcomer_whose_join_is_undone() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    world.control(wire::Verb::Undo).await.unwrap();
    world.until("it is undone", async |world| world.shown().await.transition.is_some_and(|t| t.state.is_over())).await;
    let state = world.lock();
    let (b, zone) = (&state.operators["b"], &state.operators["b"].zone);
    assert_eq!(*zone.records(Kind::Dnskey), RecordSet::from([b.ksk.clone(), b.zsk.clone()]));
    assert_eq!(*zone.records(Kind::Cds), cds_for(&child(), [&b.ksk], &[2]));
}

#[tokio::test]
async fn a_leaver_that_refuses_to_give_copies_up_holds_nothing_up() {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world.leave("b").await;
    world
        .until("nobody can ask b", async |world| {
            world.waiting().await.iter().all(|(code, _)| code != "guard-ns") && !world.is_named("a", "b")
        })
        .await;
    let server = world.lock().operators["b"].addresses[0].server.address;
    let refusal = chorus_providers::ProviderError::BadSig { server, key: "key.".into() };
    world.lock().operator("b").refuses = Some(refusal);
    world.comes_to_rest().await;
}

/// Two controllers with databases of their own that have taken over the group of a and b; for the first one, b is to leave.
pub async fn two_controllers(as_built: impl FnOnce(World) -> World) -> (World, World) {
    let first = World::adopted().await;
    first.join("b").await;
    first.comes_to_rest().await;
    let second = as_built(another(&first).await);
    let shown = second.controller.add_zone(add(&second, &["a", "b"])).await.unwrap();
    assert!(shown.rest, "{}", shown.verdict);
    first.leave("b").await;
    (first, second)
}

#[tokio::test]
async fn two_controllers_with_databases_of_their_own_do_not_fight() {
    let (first, second) = two_controllers(|second| second).await;
    // Both work, whichever is due.
    for _ in 0..200 {
        first.look().await;
        second.look().await;
        first.lock().pass(500);
        if first.is_at_rest().await {
            break;
        }
    }
    assert!(first.is_at_rest().await, "{:?}", first.waiting().await);
    let waiting = second.waiting().await;
    assert_eq!(waiting[0].0, "second-writer", "{waiting:?}");
    assert!(waiting[0].1.contains("chorus zone try-now child.example"), "{}", waiting[0].1);
    assert_eq!(second.events("second-writer").await.len(), 1, "told once");
    assert_eq!(second.events("wrote").await.len(), 0, "the second one writes nothing");
    assert!(!second.is_at_rest().await);
    first.assert_nobody_failed().await;
}

#[tokio::test]
async fn zone_with_a_stored_key_of_nobody_is_not_adopted() {
    let world = World::new().await;
    let stored = key(257, 13, "somebody's key");
    {
        let mut state = world.lock();
        let operator = state.operator("a");
        let mut keys = operator.zone.records(Kind::Dnskey).clone();
        keys.insert(stored.clone());
        operator.zone.set(Kind::Dnskey, keys);
        operator.foreign = Some(RecordSet::from([stored]));
        state.publish("a");
    }
    let refused = world.controller.add_zone(add(&world, &["a"])).await.unwrap_err();
    assert_eq!(refused.code, "key-stored-foreign", "{refused:?}");
    assert!(world.store.zone(&child()).await.unwrap().is_none());
    // The interface says that all keys are its own: then it is a key of a rollover.
    world.lock().operator("a").foreign = Some(RecordSet::new());
    world.controller.add_zone(add(&world, &["a"])).await.unwrap();
}
