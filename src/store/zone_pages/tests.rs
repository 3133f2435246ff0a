use super::*;
use crate::model::dns::Name;
use crate::model::group::Standing;
use crate::store::{
    Aim, Control, Interface, Keyring, MasterKey, OperatorRecord, ParentRecord, Summary, TransitionState, UNFINISHED,
    ZoneRecord,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeSet;

const REASONS: [&str; 4] = ["", "guard-ttl", "operator-unreachable", UNFINISHED];
const PARENTS: [&str; 3] = ["example.", "org.", "."];

async fn store() -> Store {
    with_operators(Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap()).await
}

async fn with_operators(store: Store) -> Store {
    for name in ["a", "b", "c"] {
        let interface = Interface::Desec { url: String::new(), account: None };
        let record = OperatorRecord { name: name.into(), interface, name_servers: vec![], created_at: Time(0) };
        store.add_operator(&record, b"secret", [0; 24]).await.unwrap();
    }
    store
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn members(operators: &[&str]) -> BTreeMap<String, MemberRecord> {
    operators.iter().map(|op| ((*op).to_owned(), MemberRecord::wanted(Standing::Serving))).collect()
}

async fn add(store: &Store, zone: &str, operators: &[&str]) {
    let record = ZoneRecord {
        name: name(zone),
        parent: ParentRecord::default(),
        policy: Default::default(),
        members: members(operators),
        placements: BTreeMap::new(),
        in_flight: Vec::new(),
        zone_ttls: BTreeMap::new(),
        due_at: Time(0),
        status: "{}".into(),
        created_at: Time(0),
    };
    store.add_zone(&record).await.unwrap();
}

fn any_summary(chance: &mut StdRng, at: i64) -> Summary {
    let silent: Vec<&str> = ["a", "b"].into_iter().filter(|_| chance.random_bool(0.3)).collect();
    Summary {
        state: ZoneState::ALL[chance.random_range(0..ZoneState::ALL.len())],
        reason: REASONS[chance.random_range(0..REASONS.len())].into(),
        at: Time(at),
        until: chance.random_bool(0.5).then(|| Time(at + chance.random_range(0..100))),
        parent_zone: PARENTS[chance.random_range(0..PARENTS.len())].into(),
        late_since: chance.random_bool(0.2).then_some(Time(at)),
        silent: silent.into_iter().map(|op| (op.to_owned(), format!("{op} is silent"))).collect(),
    }
}

fn transition(id: String, at: i64) -> TransitionRecord {
    TransitionRecord {
        id,
        author: "api".into(),
        reason: None,
        from: [("a".to_owned(), Standing::Serving)].into(),
        to: [("b".to_owned(), Standing::Serving)].into(),
        state: TransitionState::Running,
        aim: Aim::Going,
        rest: None,
        paused: false,
        algorithm: None,
        version: 1,
        started_at: Time(at),
        ended_at: None,
        certificate: None,
        evidence: None,
        departed: BTreeSet::new(),
        forecast: None,
    }
}

async fn all(store: &Store, filter: &ZoneFilter) -> Vec<ZoneRow> {
    store.zone_page(filter, &PageFrom::First, 1000).await.unwrap().zones
}

#[tokio::test]
async fn counters_are_what_a_recount_gives_after_any_walk() {
    for seed in 0..8 {
        let mut chance = StdRng::seed_from_u64(seed);
        let store = store().await;
        for at in 0..150i64 {
            let zone = format!("z{}.example.", chance.random_range(0..12));
            let known = store.zone(&name(&zone)).await.unwrap().is_some();
            let running = store.running_transition(&name(&zone)).await.unwrap();
            let summary = any_summary(&mut chance, at);
            match (chance.random_range(0..4), running) {
                _ if !known => add(&store, &zone, &["a"]).await,
                (0, None) => {
                    let begun = transition(format!("t{at}"), at);
                    store.start_transition(&name(&zone), &begun, &members(&["a", "b"]), "", &summary).await.unwrap();
                }
                (0, Some(running)) => {
                    let text = String::new();
                    let transition = TransitionRecord { paused: !running.paused, ..running };
                    let members = members(&["a", "b"]);
                    let control = Control { transition, members, kind: "paused", text, at: Time(at), summary };
                    store.control_transition(&name(&zone), &control).await.unwrap();
                }
                (1, Some(running)) => {
                    store.end_transition(&name(&zone), &running, "", Time(at), "", &summary).await.unwrap();
                }
                _ => store.set_status(&name(&zone), Time(at), "{}", &summary).await.unwrap(),
            }
            // Nothing is made up for a zone that is not there.
            store.set_status(&name("nowhere.example."), Time(at), "{}", &any_summary(&mut chance, at)).await.unwrap();
            assert!(store.counters_agree().await.unwrap(), "seed {seed}, after {at}");
        }
        let overview = store.zone_overview(None, Time(1000), 20).await.unwrap();
        let rows = all(&store, &ZoneFilter::default()).await;
        assert_eq!(overview.states.iter().map(|(_, zones)| zones).sum::<u64>(), rows.len() as u64);
        // The same is said to a caller that is limited to all zones, from a recount.
        assert_eq!(store.zone_overview(Some("example."), Time(1000), 20).await.unwrap(), overview);
        sqlx::query("UPDATE zone_counts SET zones = zones + 1").execute(&store.pool).await.unwrap();
        assert!(!store.counters_agree().await.unwrap(), "a recount sees a wrong counter");
    }
}

#[tokio::test]
async fn a_zone_is_in_its_state_since_it_came_there_for_this_reason() {
    let store = store().await;
    add(&store, "child.example.", &["a"]).await;
    let found = |state, reason: &str, at| Summary { state, reason: reason.into(), ..Summary::fresh(Time(at)) };
    let waits = ZoneState::WaitingGuard;
    for (summary, since) in [
        (found(waits, "guard-ttl", 10), 10),
        (found(waits, "guard-ttl", 20), 10),
        (found(waits, "guard-answers", 30), 30),
        (found(ZoneState::Blocked, "guard-answers", 40), 40),
        // The clock was set back.
        (found(ZoneState::Blocked, "guard-answers", 5), 5),
    ] {
        store.set_status(&name("child.example."), Time(0), "{}", &summary).await.unwrap();
        let row = all(&store, &ZoneFilter::default()).await.remove(0);
        assert_eq!((row.since, row.state), (Time(since), summary.state));
    }
}

/// All pages from here on, each of `limit` zones.
async fn walk(store: &Store, mut from: PageFrom, limit: u32, mut between: impl AsyncFnMut()) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let page = store.zone_page(&ZoneFilter::default(), &from, limit).await.unwrap();
        let names: Vec<String> = page.zones.into_iter().map(|row| row.name).collect();
        let (first, last) = (names.first().unwrap().clone(), names.last().unwrap().clone());
        let forwards = !matches!(from, PageFrom::Before(_));
        if forwards {
            seen.extend(names)
        } else {
            seen.splice(0..0, names).for_each(drop)
        }
        between().await;
        from = match forwards {
            true if page.after => PageFrom::After(last),
            false if page.before => PageFrom::Before(first),
            _ => return seen,
        };
    }
}

#[tokio::test]
async fn pages_visit_every_zone_once_forwards_and_backwards_while_zones_are_added() {
    let store = store().await;
    let old: Vec<String> = (0..40).map(|i| format!("m{i:02}.example.")).collect();
    for zone in &old {
        add(&store, zone, &["a"]).await;
    }
    let mut chance = StdRng::seed_from_u64(1);
    let mut more = async || {
        let zone = format!("m{:02}-{}.example.", chance.random_range(0..40), chance.random_range(0..1_000_000));
        add(&store, &zone, &["b"]).await;
    };
    for limit in [1, 7, 40] {
        for from in [PageFrom::First, PageFrom::Before("zzz.".into())] {
            let seen = walk(&store, from, limit, &mut more).await;
            assert!(seen.is_sorted_by(|a, b| a < b), "once, and in order: {seen:?}");
            assert!(old.iter().all(|zone| seen.contains(zone)), "limit {limit}: {seen:?}");
        }
    }
    let first = store.zone_page(&ZoneFilter::default(), &PageFrom::First, 1).await.unwrap();
    assert!(!first.before && first.after);
    let none = store.zone_page(&ZoneFilter::default(), &PageFrom::After("zzz.".into()), 5).await.unwrap();
    assert!(none.zones.is_empty() && none.before && !none.after);
}

fn takes(filter: &ZoneFilter, row: &ZoneRow, summary: &Summary) -> bool {
    let ZoneFilter { state, operator, parent, reason, prefix, since, below } = filter;
    state.is_none_or(|state| match state {
        InState::One(state) => summary.state == state,
        InState::Attention => summary.needs_somebody(),
    }) && operator.as_ref().is_none_or(|op| row.members.contains_key(op))
        && parent.as_ref().is_none_or(|parent| summary.parent_zone == *parent)
        && reason.as_ref().is_none_or(|reason| summary.reason == *reason)
        && prefix.as_ref().is_none_or(|prefix| row.name.starts_with(prefix))
        && since.is_none_or(|since| row.since <= since)
        && below.as_ref().is_none_or(|below| row.name == *below || row.name.ends_with(&format!(".{below}")))
}

#[tokio::test]
async fn filters_combine() {
    let mut chance = StdRng::seed_from_u64(5);
    let store = store().await;
    let mut summaries = BTreeMap::new();
    for i in 0..60i64 {
        // More zones of `a` than are few, and few of `c`.
        let operators: &[&str] = [&["a"][..], &["a", "b"], &["b"]][chance.random_range(0..3)];
        let operators = if i % 20 == 0 { &["c"] } else { operators };
        let zone = format!("{}{i}.{}", ["x", "xy", "z"][chance.random_range(0..3)], PARENTS[(i % 2) as usize]);
        add(&store, &zone, operators).await;
        let summary = any_summary(&mut chance, i);
        store.set_status(&name(&zone), Time(0), "{}", &summary).await.unwrap();
        summaries.insert(zone, summary);
    }
    let every = all(&store, &ZoneFilter::default()).await;
    assert_eq!(every.len(), 60);
    let (mut some, mut none) = (0, 0);
    for _ in 0..600 {
        let mut maybe =
            |words: &[&str]| chance.random_bool(0.35).then(|| words[chance.random_range(0..words.len())].to_owned());
        let (operator, parent, reason) = (maybe(&["a", "b", "c", "nobody"]), maybe(&PARENTS), maybe(&REASONS));
        let (prefix, below) = (maybe(&["x", "xy", "q"]), maybe(&["example.", "org.", "x.org."]));
        let state = match chance.random_range(0..6) {
            0 => Some(InState::Attention),
            1 | 2 => Some(InState::One(ZoneState::ALL[chance.random_range(0..10)])),
            _ => None,
        };
        let since = chance.random_bool(0.2).then(|| Time(chance.random_range(0..60)));
        let filter = ZoneFilter { state, operator, parent, reason, prefix, since, below };
        let wanted: Vec<&ZoneRow> = every.iter().filter(|row| takes(&filter, row, &summaries[&row.name])).collect();
        let found = all(&store, &filter).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{filter:?}");
        if found.is_empty() { none += 1 } else { some += 1 }
    }
    assert!(some > 100 && none > 20, "{some} with zones, {none} without");
}

#[tokio::test]
async fn whoever_is_limited_to_a_name_sees_no_other_zone() {
    let store = store().await;
    let inside = ["a_b.example.", "sub.a_b.example."];
    for zone in [inside[0], inside[1], "axb.example.", "na_b.example.", "sub.axb.example.", "example."] {
        add(&store, zone, &["a"]).await;
        let silent = [("a".to_owned(), format!("silent for {zone}"))].into();
        let found = Summary { state: ZoneState::Blocked, late_since: Some(Time(1)), silent, ..Summary::fresh(Time(1)) };
        store.set_status(&name(zone), Time(0), "{}", &found).await.unwrap();
    }
    let below = Some("a_b.example.".to_owned());
    let names = |rows: Vec<ZoneRow>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(all(&store, &ZoneFilter { below: below.clone(), ..ZoneFilter::default() }).await), inside);
    let overview = store.zone_overview(below.as_deref(), Time(9), 20).await.unwrap();
    assert_eq!(overview.states, [(ZoneState::Blocked, 2)]);
    assert_eq!(overview.silent, [("a".to_owned(), 2, "silent for a_b.example.".to_owned())]);
    assert_eq!(names(overview.attention), inside);
    assert_eq!(names(overview.lagging), inside);
    let of_root = store.zone_overview(Some("."), Time(9), 20).await.unwrap();
    assert_eq!(of_root.states, [(ZoneState::Blocked, 6)]);
}

#[tokio::test]
async fn the_overview_has_the_longest_waiting_and_the_next_to_open_first() {
    let store = store().await;
    let found = |state, at, until: Option<i64>| Summary { state, until: until.map(Time), ..Summary::fresh(Time(at)) };
    for (zone, summary) in [
        ("a.", found(ZoneState::Blocked, 30, None)),
        ("b.", Summary { reason: "no-answer".into(), ..found(ZoneState::WaitingOperator, 10, None) }),
        ("c.", Summary { reason: UNFINISHED.into(), ..found(ZoneState::Unsettled, 20, None) }),
        ("d.", found(ZoneState::Unsettled, 5, None)),
        ("e.", found(ZoneState::WaitingGuard, 5, Some(300))),
        ("f.", found(ZoneState::WaitingGuard, 5, Some(200))),
        ("g.", found(ZoneState::WaitingGuard, 5, Some(5000))),
        ("h.", found(ZoneState::WaitingGuard, 5, None)),
        ("i.", found(ZoneState::Paused, 1, Some(100))),
    ] {
        add(&store, zone, &["a"]).await;
        store.set_status(&name(zone), Time(0), "{}", &summary).await.unwrap();
    }
    let overview = store.zone_overview(None, Time(1000), 2).await.unwrap();
    let names = |rows: &[ZoneRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&overview.attention), ["b.", "c."]);
    assert_eq!(names(&overview.guards), ["f.", "e."]);
    assert_eq!(names(&overview.lagging), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_reads_does_not_wait_for_whoever_writes_and_sees_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keyring::of(MasterKey::from_octets([7; 32]));
    let store = with_operators(Store::open(dir.path(), keys).await.unwrap()).await;
    add(&store, "child.example.", &["a"]).await;
    let mut writing = store.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("UPDATE zone_summaries SET state = 'blocked'").execute(&mut *writing).await.unwrap();
    let row = all(&store, &ZoneFilter::default()).await.remove(0);
    assert_eq!(row.state, ZoneState::Unsettled, "not committed yet");
    assert!(store.zone(&name("child.example.")).await.unwrap().is_some());
    writing.commit().await.unwrap();
    let row = all(&store, &ZoneFilter::default()).await.remove(0);
    assert_eq!(row.state, ZoneState::Blocked);
    let refused = sqlx::query("DELETE FROM zone_summaries").execute(&store.readers).await;
    assert!(refused.is_err(), "the readers' connections only read");
}

#[tokio::test]
async fn zones_from_before_there_were_summaries_have_them_after_the_migration() {
    let mut old = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    let known = sqlx::migrate!("migrations/sqlite");
    let (before, this): (Vec<_>, Vec<_>) =
        known.iter().filter(|migration| migration.version <= 8).partition(|migration| migration.version < 8);
    let run = async |old: &mut SqliteConnection, sql: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(old).await.unwrap();
    };
    for migration in before {
        run(&mut old, migration.sql.as_str()).await;
    }
    for (zone, status, transition) in [
        ("a.org.", r#"{"settled":true,"parent_zone":"org.","exposures":[],"trouble":null}"#, None),
        ("b.org.", r#"{"settled":true,"trouble":"no way"}"#, None),
        ("c.org.", "damaged", None),
        ("d.org.", r#"{"settled":true}"#, Some("FALSE")),
        ("e.org.", r#"{"settled":false}"#, Some("TRUE")),
    ] {
        run(&mut old, &format!("INSERT INTO zones VALUES ('{zone}', '{{}}', '{{}}', 0, '{status}', 3)")).await;
        if let Some(paused) = transition {
            let values = format!("'{zone}', '{zone}', 'api', '{{}}', '{{}}', 'running', 7, {paused}");
            let columns = "id, zone, author, from_group, to_group, state, started_at, paused";
            run(&mut old, &format!("INSERT INTO transitions ({columns}) VALUES ({values})")).await;
        }
    }
    run(&mut old, this[0].sql.as_str()).await;
    let rows: Vec<(String, String, i64, String)> =
        sqlx::query_as("SELECT zone, state, since, parent_zone FROM zone_summaries ORDER BY zone")
            .fetch_all(&mut old)
            .await
            .unwrap();
    let found: Vec<_> = rows.iter().map(|(z, s, at, p)| (z.as_str(), s.as_str(), *at, p.as_str())).collect();
    let wanted = [
        ("a.org.", "rest", 3, "org."),
        ("b.org.", "unsettled", 3, ""),
        ("c.org.", "unsettled", 3, ""),
        ("d.org.", "acting", 7, ""),
        ("e.org.", "paused", 7, ""),
    ];
    assert_eq!(found, wanted);
    let counts: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, zones FROM zone_counts ORDER BY state").fetch_all(&mut old).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|(state, zones)| (state.as_str(), *zones)).collect();
    assert_eq!(counts, [("acting", 1), ("paused", 1), ("rest", 1), ("unsettled", 2)]);
    old.close().await.unwrap();
}
