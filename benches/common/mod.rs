//! A database with many zones in all states, written by SQL: for whoever measures what is read from one.
//!
//! Every zone has what a real one has: members, placements, spans of each address, transitions with their certificates,
//! events. Which zone has what follows from its number, so two databases of a size are the same.

use chorus::engine::{Certificate, Status, WaitingFor};
use chorus::model::chain::Exposure;
use chorus::model::dns::{Name, Rdata, RecordSet, cds_for, hex, ns_rdata};
use chorus::model::group::{Standing, Step};
use chorus::model::history::{Kind, Served};
use chorus::model::policy::Policy;
use chorus::model::time::Time;
use chorus::store::{ParentRecord, Summary, UNFINISHED, ZoneState};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a hundred zones are in, one after the other: mostly at rest.
fn state(class: i64) -> (ZoneState, &'static str, Step) {
    match class {
        7 | 17 | 27 | 37 | 47 => (ZoneState::WaitingGuard, "guard-ttl", Step::AwaitOldKeysAndDs),
        8 | 28 | 48 => (ZoneState::WaitingParent, "parent-pending", Step::AwaitDs),
        18 => (ZoneState::Blocked, "ds-unexpected", Step::AskForDs),
        38 => (ZoneState::WaitingOperator, "operator-unreachable", Step::ShareKeys),
        58 => (ZoneState::Exposed, "guard-ttl", Step::AwaitOldKeysAndDs),
        59 => (ZoneState::Paused, "paused", Step::NameServers),
        68 => (ZoneState::Acting, "", Step::ShareKeys),
        69 => (ZoneState::Verifying, "operator-lag", Step::NameServers),
        78 => (ZoneState::Unsettled, "parent-pending", Step::AwaitDs),
        79 => (ZoneState::Unsettled, UNFINISHED, Step::Settled),
        _ => (ZoneState::Rest, "", Step::Settled),
    }
}

fn runs(state: ZoneState) -> bool {
    !matches!(state, ZoneState::Rest | ZoneState::Unsettled | ZoneState::Exposed)
}

fn key(flags: u16, operator: u8) -> Rdata {
    let mut wire = flags.to_be_bytes().to_vec();
    wire.extend([3, 13]);
    wire.extend([operator; 64]);
    Rdata::from_canonical(wire)
}

/// A zone as the engine leaves it in this state, at `now`.
pub fn found(class: i64, now: Time) -> (Status, Summary) {
    let (state, code, step) = state(class);
    let until = (state == ZoneState::WaitingGuard).then(|| now.plus_s(600 + 3000 * class as u64));
    let text =
        "every DNSKEY set without key 4711 of b has to be dead: TTL 3600, last seen at ns1.a.example (192.0.2.1:53)";
    let waits = WaitingFor { step, code: code.into(), text: text.into(), until };
    let exposure = Exposure {
        from: now,
        until: Time::MAX,
        what: "answers of b beside keys of a".into(),
        servers: vec![],
        insecure: false,
        unusable: false,
    };
    let keys = [hex(key(257, 1).as_wire()), hex(key(257, 2).as_wire())];
    let status = Status {
        observed_at: Some(now),
        step,
        waiting: if code.is_empty() || code == UNFINISHED { vec![] } else { vec![waits] },
        standings: BTreeMap::from([("a".into(), Standing::Serving), ("b".into(), Standing::Serving)]),
        exposures: if state == ZoneState::Exposed { vec![exposure] } else { vec![] },
        parent_zone: "org.".into(),
        settled: state == ZoneState::Rest,
        secure: Some(true),
        parent_ds: keys.to_vec(),
        parent_ns: keys.to_vec(),
        trouble: (code == UNFINISHED).then(|| "no address of ns1.b.example is known".to_owned()),
        told_at: Some(now),
        ..Status::default()
    };
    let silent = (class % 50 == 0).then(|| ("b".to_owned(), "ns1.b.example (192.0.2.3:53) does not answer".to_owned()));
    let summary = Summary {
        state,
        reason: code.to_owned(),
        at: now,
        until,
        parent_zone: "org.".into(),
        late_since: (class == 8).then_some(now),
        silent: silent.into_iter().collect(),
    };
    (status, summary)
}

fn spans() -> Vec<(&'static str, String, String, Kind, Served)> {
    let zone: Name = "z.example.".parse().unwrap();
    let all: RecordSet = [1, 2].into_iter().flat_map(|i| [key(257, i), key(256, i)]).collect();
    let ksk: RecordSet = [1, 2].into_iter().map(|i| key(257, i)).collect();
    let hosts: Vec<Name> = ["ns1.a.example.", "ns1.b.example."].iter().map(|host| host.parse().unwrap()).collect();
    let ns: RecordSet = hosts.iter().map(ns_rdata).collect();
    let ds = cds_for(&zone, &ksk, &[2]);
    let mut spans = Vec::new();
    for (who, number) in [("parent", 0u8), ("operator:a", 1), ("operator:b", 2)] {
        let kinds: &[Kind] = if number == 0 { &Kind::PARENT } else { &Kind::OPERATOR };
        for (address, kind) in [1, 2].into_iter().flat_map(|i| kinds.iter().map(move |kind| (i, *kind))) {
            let (records, signer) = match kind {
                Kind::Ds => (ds.clone(), None),
                Kind::Delegation => (ns.clone(), None),
                Kind::Dnskey => (all.clone(), Some(257)),
                Kind::Cds => (ds.clone(), Some(257)),
                Kind::Cdnskey => (ksk.clone(), Some(257)),
                Kind::Csync => (RecordSet::new(), None),
                Kind::Ns => (ns.clone(), Some(256)),
                Kind::Data => (RecordSet::new(), Some(256)),
                Kind::Glue | Kind::Addresses => (RecordSet::new(), None),
            };
            let signers = signer.into_iter().map(|flags| key(flags, number)).collect();
            let served = Served { records, ttl_s: 3600, signers, expires: Some(Time(1_900_000_000_000)) };
            let host = format!("ns{address}.{}.example.", ["parent", "a", "b"][usize::from(number)]);
            spans.push((who, host, format!("192.0.{number}.{address}:53"), kind, served));
        }
    }
    spans
}

/// Makes `DIR/chorus.db` with so many zones, named `z000001.org.` and so on; `now` is the moment of their last turn.
pub async fn fill(dir: &Path, zones: u32, now: Time) {
    let file = SqliteConnectOptions::new().filename(dir.join("chorus.db")).create_if_missing(true);
    let fast = file.journal_mode(SqliteJournalMode::Off).synchronous(SqliteSynchronous::Off);
    let db = &mut fast.pragma("cache_size", "-200000").connect().await.unwrap();
    sqlx::migrate!("migrations/sqlite").run(&mut *db).await.unwrap();
    run(db, "BEGIN").await;
    for name in ["a", "b", "c"] {
        let settings = format!(
            r#"{{"name":"{name}","provider":"rfc2136","update":"192.0.2.1:53","tsig_name":"k.","tsig_algorithm":"hmac-sha256","name_servers":["ns1.{name}.example.=192.0.2.1"],"created_at":7}}"#
        );
        let sql =
            "INSERT INTO operators (name, provider, settings, secret, created_at) VALUES ($1, 'rfc2136', $2, x'00', 7)";
        sqlx::query(sql).bind(name).bind(settings).execute(&mut *db).await.unwrap();
    }
    run(
        db,
        "CREATE TEMP TABLE classes (class PRIMARY KEY, status, state, reason, until, attention, late, silent, runs)",
    )
    .await;
    for class in 0..100 {
        let (status, summary) = found(class, now);
        sqlx::query("INSERT INTO classes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(class)
            .bind(status.write())
            .bind(summary.state.name())
            .bind(&summary.reason)
            .bind(summary.until.map(|until| until.0))
            .bind(summary.needs_somebody())
            .bind(summary.late_since.map(|since| since.0))
            .bind(summary.silent.get("b"))
            .bind(runs(summary.state))
            .execute(&mut *db)
            .await
            .unwrap();
    }
    run(db, "CREATE TEMP TABLE template (who, host, address, kind, served)").await;
    for (who, host, address, kind, served) in spans() {
        sqlx::query("INSERT INTO template VALUES ($1, $2, $3, $4, $5)")
            .bind(who)
            .bind(host)
            .bind(address)
            .bind(serde_json::to_string(&kind).unwrap())
            .bind(serde_json::to_string(&served).unwrap())
            .execute(&mut *db)
            .await
            .unwrap();
    }
    let numbers = format!(
        "CREATE TEMP TABLE z AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {zones})
         SELECT i, printf('z%06d.', i) || (CASE i % 3 WHEN 0 THEN 'org.' WHEN 1 THEN 'ch.' ELSE 'example.' END) AS name,
                CASE i % 3 WHEN 0 THEN 'org.' WHEN 1 THEN 'ch.' ELSE 'example.' END AS parent, i % 100 AS class FROM n"
    );
    run(db, &numbers).await;
    let parent = serde_json::to_string(&ParentRecord::default()).unwrap();
    let policy = serde_json::to_string(&Policy::default()).unwrap();
    let (year, day) = (now.0 - 365 * 86_400_000, now.0 - 86_400_000);
    let joined = "FROM z JOIN classes c ON c.class = z.class";
    let now = now.0;
    let certificate = serde_json::to_string(&certificate(now)).unwrap();
    for sql in [
        format!(
            "INSERT INTO zones (name, parent, policy, due_at, status, created_at)
             SELECT name, '{parent}', '{policy}', {now} + i * 7 % 300000, 
                    replace(status, '\"parent_zone\":\"org.\"', '\"parent_zone\":\"' || parent || '\"'), {year} {joined} ORDER BY i"
        ),
        "INSERT INTO members SELECT name, 'a', 'Serving', FALSE FROM z ORDER BY i".to_owned(),
        "INSERT INTO members SELECT name, 'b', 'Serving', FALSE FROM z WHERE i % 10 < 9 ORDER BY i".to_owned(),
        "INSERT INTO members SELECT name, 'c', 'Serving', FALSE FROM z WHERE i % 500 = 0 ORDER BY i".to_owned(),
        format!(
            "INSERT INTO spans SELECT name, who, host, address, kind, {year}, {year}, {now}, NULL, served
             FROM z CROSS JOIN template ORDER BY i"
        ),
        format!(
            "INSERT INTO transitions (id, zone, author, from_group, to_group, state, started_at, ended_at, certificate)
             SELECT 'd' || i, name, 'api', '{{\"a\":\"Serving\"}}', '{{\"a\":\"Serving\",\"b\":\"Serving\"}}', 'done', {year},
                    {year} + 7200000, '{certificate}' FROM z ORDER BY i"
        ),
        format!(
            "INSERT INTO transitions (id, zone, author, from_group, to_group, state, started_at, paused)
             SELECT 'r' || i, name, 'api', '{{\"a\":\"Serving\"}}', '{{\"a\":\"Serving\",\"b\":\"Serving\"}}', 'running', {day},
                    state = 'paused' {joined} WHERE runs ORDER BY i"
        ),
        format!(
            "INSERT INTO audit (zone, at, kind, text, transition_id, who, via, hash)
             SELECT name, {year} + s.column1, 'step', 'every operator serves the keys of all', 'd' || i, 'chorus', '', ''
             FROM z CROSS JOIN (VALUES (1), (2), (3), (4), (5), (6)) s ORDER BY i"
        ),
        format!(
            "INSERT INTO zone_summaries
             SELECT name, state, reason, {day} - i, until, parent, attention, late {joined} ORDER BY i"
        ),
        format!("INSERT INTO zone_troubles SELECT name, 'b', silent {joined} WHERE silent IS NOT NULL ORDER BY i"),
        "INSERT INTO zone_counts SELECT state, COUNT(*) FROM zone_summaries GROUP BY state".to_owned(),
        "INSERT INTO trouble_counts SELECT operator, COUNT(*) FROM zone_troubles GROUP BY operator".to_owned(),
        "COMMIT".to_owned(),
    ] {
        run(db, &sql).await;
    }
}

fn certificate(now: i64) -> Certificate {
    Certificate {
        transition: "t".into(),
        zone: "z.example.".into(),
        from: ["a".into()].into(),
        to: ["a".into(), "b".into()].into(),
        started: Time(now),
        ended: Time(now),
        end: "done".into(),
        verdict: "no resolver could have failed".into(),
        exposures: vec![],
        pairs: 400,
        smallest_slack_ms: Some(60_000),
        smallest_slack_what: Some("DNSKEY at ns1.a.example".into()),
        margin: None,
        resolution: None,
        not_looked_at: Vec::new(),
        left: BTreeSet::new(),
        assumptions: vec!["resolvers keep nothing longer than its TTL and three days of serving stale".into(); 12],
    }
}

async fn run(db: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(db).await.unwrap();
}
