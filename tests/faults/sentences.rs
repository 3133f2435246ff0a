//! What is said of a zone is true: of an operator that is silent, of ends that nobody can know, of what was not looked at.

use crate::world::World;
use chorus::api::service::{RefusalKind, Service};
use chorus::api::wire::{self, Standing, Verb, ZonesQuery};
use chorus::model::history::Failure;

async fn with_b() -> World {
    let world = World::adopted().await;
    world.join("b").await;
    world.comes_to_rest().await;
    world
}

fn silence(world: &World, operator: &str) {
    for address in &mut world.lock().operator(operator).addresses {
        address.failure = Some(Failure::Silent);
    }
}

#[tokio::test]
async fn an_operator_that_falls_silent_at_rest_is_named_and_the_other_stays_what_it_is() {
    let world = with_b().await;
    silence(&world, "b");
    world.until("it is noticed", async |world| !world.shown().await.rest).await;
    let shown = world.shown().await;
    assert!(shown.verdict.starts_with("Signed by a and b; b: ns"), "{}", shown.verdict);
    assert!(shown.headline.starts_with("Signed by a and b; ns"), "{}", shown.headline);
    assert!(shown.headline.contains(" of b does not answer"), "{}", shown.headline);
    let line = world.controller.zones(ZonesQuery::default()).await.unwrap().zones.remove(0);
    assert_eq!((line.verdict, line.headline), (shown.verdict, shown.headline));
    for one in &shown.operators {
        assert_eq!((one.standing, one.silent.is_some()), (Standing::Serving, one.operator == "b"), "{one:?}");
    }
    let events = world.controller.history("child.example", 200).await.unwrap().events;
    assert!(!events.iter().any(|event| event.kind == "standing" && event.text.contains("absent")), "{events:?}");
}

#[tokio::test]
async fn a_leave_of_an_operator_that_is_dead_is_refused_and_leads_to_unreachable() {
    let world = with_b().await;
    silence(&world, "b");
    let sent = world.lock().operator("a").sent;
    let changes = [
        wire::Change::Leave("b".into()),
        wire::Change::Set(vec!["a".into()]),
        wire::Change::Replace { old: "b".into(), new: "c".into() },
    ];
    for change in changes {
        let refusal = world.change(change.clone()).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.code), (RefusalKind::Preflight, "leaver-unreachable"), "{change:?}");
        let fix = refusal.fix.unwrap_or_default();
        assert!(fix.contains("`chorus zone leave child.example b --unreachable`"), "{fix}");
        let plan = world.controller.plan("child.example", change.clone()).await.unwrap();
        assert!(plan.refusals.iter().any(|refusal| refusal.code == "leaver-unreachable"), "{:?}", plan.refusals);
        let check = world.controller.check("child.example", Some(change)).await.unwrap();
        assert!(check.refused && check.findings.iter().any(|finding| finding.code == "leaver-unreachable"));
    }
    assert_eq!(world.lock().operator("a").sent, sent, "nothing is written");
    world.change(wire::Change::LeaveUnreachable("b".into())).await.unwrap();
    world.comes_to_rest().await;
    // What b served after it fell silent was not looked at, and is not known.
    let certificate = world.controller.certificate("child.example", None, false).await.unwrap();
    assert!(certificate.exposures.is_empty());
    assert!(!certificate.verdict.contains("no resolver could have failed"), "{}", certificate.verdict);
    assert!(certificate.not_looked_at.iter().any(|not| not.contains(" of b does not answer")), "{certificate:?}");
    let ended = world.shown().await.transition.unwrap();
    assert!(ended.left.is_empty(), "nobody can say when that operator may be switched off: {:?}", ended.left);
}

#[tokio::test]
async fn who_has_left_may_be_switched_off_only_if_resolvers_could_query_it_before() {
    let world = World::adopted().await;
    world.join("b").await;
    world.until("the parent has the DS", async |world| world.lock().parent.ds().len() == 2).await;
    world.control(Verb::Undo).await.unwrap();
    world.comes_to_rest().await;
    assert_eq!(world.shown().await.transition.unwrap().left, []);
    world.join("b").await;
    world.comes_to_rest().await;
    world.leave("b").await;
    world.comes_to_rest().await;
    let ended = world.shown().await.transition.unwrap();
    let left: Vec<&str> = ended.left.iter().map(|left| left.operator.as_str()).collect();
    assert_eq!(left, ["b"]);
    let certificate = world.controller.certificate("child.example", None, false).await.unwrap();
    assert!(certificate.verdict.starts_with("no resolver could have failed"), "{certificate:?}");
    let margin = certificate.margin.unwrap();
    let s = certificate.smallest_slack_s.unwrap();
    assert!(margin.starts_with(&format!("the smallest margin was {s} s: the ")), "{margin}");
    assert!(margin.contains(" had expired from all caches at ") && margin.contains("could be cached from"), "{margin}");
}

#[tokio::test]
async fn an_end_that_depends_on_the_parent_is_not_known_and_does_not_move_with_the_clock() {
    let world = World::adopted().await;
    world.lock().parent.acts_after_ms = None;
    world.join("b").await;
    world.waits_for("parent-pending").await;
    let running = async || world.shown().await.transition.unwrap();
    let first = running().await;
    assert_eq!((&first.ends_at, first.ends_earliest), (&None, None));
    let after = first.ends_after.clone().unwrap();
    assert_eq!(after.what, "the parent has acted");
    assert!(after.at_least_s > 0);
    let timeline = world.controller.timeline("child.example").await.unwrap();
    assert!(timeline.steps.iter().all(|step| step.earliest.is_none()), "{:?}", timeline.steps);
    world.keeps_waiting_for("parent-pending", 3_600_000).await;
    assert_eq!(running().await.ends_after, first.ends_after);
    world.control(Verb::Pause).await.unwrap();
    world.turn().await;
    assert_eq!(running().await.ends_after.unwrap().what, "the transition is resumed");
}
