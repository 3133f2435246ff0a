//! The store's measures: told twice and kept once, bounded, counted by parent and day, and limited to whom they are for.

use crate::world::name;
use chorus::model::group::{Group, ParentMode, Standing, Step};
use chorus::model::history::Kind;
use chorus::model::policy::Policy;
use chorus::model::time::Time;
use chorus::store::{
    Aim, Control, Forecasted, Keyring, MasterKey, ParentRecord, Past, Store, Summary, TransitionRecord,
    TransitionState, ZoneRecord,
};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;

async fn store() -> Store {
    Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap()
}

async fn zone(store: &Store, zone: &str, mode: ParentMode, pipeline_s: u64, status: &str) {
    let record = ZoneRecord {
        name: name(zone),
        parent: ParentRecord { mode, servers: Vec::new() },
        policy: Policy { parent_pipeline_s: pipeline_s, ..Policy::default() },
        members: BTreeMap::new(),
        placements: BTreeMap::new(),
        in_flight: Vec::new(),
        zone_ttls: BTreeMap::new(),
        due_at: Time(0),
        status: status.into(),
        created_at: Time(0),
    };
    store.add_zone(&record).await.unwrap();
}

fn transition(id: &str, started_at: Time) -> TransitionRecord {
    TransitionRecord {
        id: id.into(),
        author: "somebody".into(),
        reason: None,
        from: Group::new(),
        to: Group::from([("a".into(), Standing::Serving)]),
        state: TransitionState::Running,
        aim: Aim::Going,
        rest: None,
        paused: false,
        algorithm: None,
        version: 1,
        started_at,
        ended_at: None,
        certificate: None,
        evidence: None,
        departed: BTreeSet::new(),
        forecast: Some(Forecasted { earliest: started_at.plus_s(5), expected: started_at.plus_s(9) }),
    }
}

const BELOW_EXAMPLE: &str = r#"{"parent_zone": "example."}"#;
const WAITING: &str = r#"{"parent_zone": "example.", "parent_awaited": {"since": 5, "told_at": null}}"#;

#[tokio::test]
async fn parents_are_counted_with_their_modes_and_those_that_wait_and_a_damaged_status_is_as_good_as_none() {
    let store = store().await;
    zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
    zone(&store, "b.example.", ParentMode::Scan, 30, WAITING).await;
    zone(&store, "c.b.example.", ParentMode::Manual, 20, BELOW_EXAMPLE).await;
    zone(&store, "d.test.", ParentMode::Scan, 10, "{ damaged").await;
    let parents = store.parents(None).await.unwrap();
    assert_eq!(parents.keys().collect::<Vec<_>>(), ["", "example."]);
    let example = &parents["example."];
    assert_eq!((example.zones, example.waiting, example.longest_pipeline_s), (3, 1, 30));
    assert_eq!(example.modes, [ParentMode::Scan, ParentMode::Manual].into());
    // It moves with the status.
    store.set_status(&name("b.example."), Time(0), BELOW_EXAMPLE, &Summary::fresh(Time(0))).await.unwrap();
    assert_eq!(store.parents(None).await.unwrap()["example."].waiting, 0);
}

#[tokio::test]
async fn whoever_is_limited_to_zones_below_a_name_gets_what_those_show_and_no_namesake() {
    let store = store().await;
    for one in ["b.example.", "c.b.example.", "xb.example.", "example."] {
        zone(&store, one, ParentMode::Scan, 10, BELOW_EXAMPLE).await;
        store.saw_parent_act(&name(one), "example.", Kind::Ds, Time(1), Time(2)).await.unwrap();
        let started = transition(one, Time(5));
        store.start_transition(&name(one), &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
        store.enter_step(&name(one), one, Step::ShareKeys, Time(6), "").await.unwrap();
        store.end_transition(&name(one), &started, "{}", Time(9), "", &Summary::fresh(Time(0))).await.unwrap();
    }
    for (below, zones) in [(Some("b.example."), 2), (Some("."), 4), (None, 4), (Some("other."), 0)] {
        let parents = store.parents(below).await.unwrap();
        assert_eq!(parents.values().map(|known| known.zones).sum::<u64>(), zones, "{below:?}");
        assert_eq!(parents.values().map(|known| known.acts.len()).sum::<usize>() as u64, zones, "{below:?}");
        let past = store.past(Time(0), below).await.unwrap();
        let [started, done] = [
            past.days.get(&0).map_or(0, |day| day.started),
            past.days.get(&0).and_then(|day| day.ended.get("done").copied()).unwrap_or(0),
        ];
        assert_eq!((started, done), (zones, zones), "{below:?}");
        assert_eq!((past.steps.len() as u64, past.forecasts.len() as u64), (zones, zones), "{below:?}");
    }
}

#[tokio::test]
async fn of_each_parent_the_newest_thousand_are_kept_and_what_is_told_twice_is_kept_once() {
    let store = store().await;
    zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
    zone(&store, "a.test.", ParentMode::Scan, 10, r#"{"parent_zone": "test."}"#).await;
    store.saw_parent_act(&name("a.test."), "test.", Kind::Ds, Time(0), Time(1)).await.unwrap();
    for at in 0..1000 + 20 {
        let asked = Time(at * 10);
        for acted in [3, 4] {
            let acted = asked.plus(Duration::from_millis(acted));
            store.saw_parent_act(&name("a.example."), "example.", Kind::Ds, asked, acted).await.unwrap();
        }
    }
    let parents = store.parents(None).await.unwrap();
    let acts = &parents["example."].acts;
    assert_eq!(acts.len(), 1000);
    assert_eq!(acts.iter().map(|act| act.at).min(), Some(Time(203)), "the oldest went");
    assert!(acts.iter().all(|act| act.took == Duration::from_millis(3)), "what was told first counts");
    assert_eq!(parents["test."].acts.len(), 1);
}

#[tokio::test]
async fn a_step_ends_where_the_next_one_begins_and_one_that_a_person_interrupts_is_not_measured() {
    let (store, child) = (store().await, name("a.example."));
    zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
    let started = transition("t_1", Time(0));
    store.start_transition(&child, &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
    // The second time after a crash: it is told again, and begins where it began.
    for (step, at) in [(Step::ShareKeys, 100), (Step::ShareKeys, 150), (Step::AwaitDs, 400)] {
        store.enter_step(&child, "t_1", step, Time(at), "").await.unwrap();
    }
    let took = |past: &Past| past.steps.iter().map(|one| (one.step, one.took.as_millis())).collect::<Vec<_>>();
    assert_eq!(took(&store.past(Time(0), None).await.unwrap()), [(Step::ShareKeys, 300)]);
    let (kind, text, at) = ("pause", String::new(), Time(500));
    let held = TransitionRecord { paused: true, ..started.clone() };
    let control = Control { transition: held, members: BTreeMap::new(), kind, text, at, summary: Summary::fresh(at) };
    store.control_transition(&child, &control).await.unwrap();
    store.enter_step(&child, "t_1", Step::NameServers, Time(900), "").await.unwrap();
    let held = TransitionRecord { version: 2, ..started };
    store.end_transition(&child, &held, "{}", Time(950), "", &Summary::fresh(Time(0))).await.unwrap();
    let past = store.past(Time(0), None).await.unwrap();
    assert_eq!(took(&past), [(Step::NameServers, 50), (Step::ShareKeys, 300)]);
    assert!(past.forecasts[0].was_controlled);
}

#[tokio::test]
async fn what_began_on_one_day_and_ended_on_another_is_counted_on_both() {
    let (store, child) = (store().await, name("a.example."));
    zone(&store, "a.example.", ParentMode::Scan, 10, BELOW_EXAMPLE).await;
    let started = transition("t_1", Time(3 * DAY_MS - 1));
    store.start_transition(&child, &started, &BTreeMap::new(), "", &Summary::fresh(Time(0))).await.unwrap();
    let undone = TransitionRecord { aim: Aim::Undoing, ..started };
    store.end_transition(&child, &undone, "{}", Time(3 * DAY_MS), "", &Summary::fresh(Time(0))).await.unwrap();
    let past = store.past(Time(0), None).await.unwrap();
    assert_eq!(past.days.keys().collect::<Vec<_>>(), [&2, &3]);
    assert_eq!((past.days[&2].started, past.days[&2].ended.len()), (1, 0));
    assert_eq!((past.days[&3].started, past.days[&3].ended["undone"]), (0, 1));
    let later = store.past(Time(3 * DAY_MS), None).await.unwrap();
    assert_eq!(later.days.keys().collect::<Vec<_>>(), [&3], "only what was since");
    let kept = &past.forecasts[0];
    assert_eq!((kept.ended.as_str(), kept.forecast), ("undone", undone.forecast.unwrap()));
    assert_eq!(store.last_transition(&child).await.unwrap().unwrap().forecast, undone.forecast);
}

/// A list of parents is asked for by a page: no zone may be read for it.
#[tokio::test]
async fn parents_are_counted_from_an_index_alone() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path(), Keyring::of(MasterKey::from_octets([7; 32]))).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(dir.path().join("chorus.db")).connect().await.unwrap();
    let source = include_str!("../../src/store/measures.rs");
    let (_, statement) = source.split_once("const COUNTED: &str = \"").unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.split_once("\";").unwrap().0);
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(None::<&str>).fetch_all(&mut other).await.unwrap();
    let text: Vec<String> = plan.into_iter().map(|(_, _, _, text)| text).collect();
    assert_eq!(text, ["SCAN zones USING COVERING INDEX zones_of_parents"]);
}
