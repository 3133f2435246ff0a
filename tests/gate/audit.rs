//! Who did what: every call and form that changes something leaves an entry, and without the entry nothing is changed.

use crate::house::{Browser, House, PASSWORD, Said, beside, open, run};
use crate::world::World;
use axum::body::Body;
use axum::http::{Request, header};
use chorus::access::{Caller, Permission, Role};
use chorus::api::controller::Controller;
use chorus::api::routes::table;
use chorus::api::serve::From;
use chorus::store::{AuditFilter, AuditRecord, ZoneRecord};
use chorus::web::events::Streams;
use sqlx::Row;
use std::sync::Arc;

const SERVERS: &str = r#""name_servers":[{"host":"ns1.x.example","addresses":["192.0.2.9:53"]}]"#;
const ADDRESS: &str = "203.0.113.5";
const UNWRITABLE: &str = "CREATE TRIGGER the_log_is_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END";

/// A house over an engine and its world, with a zone that `a` serves.
async fn with_a_world() -> (House, World) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let world = World::with(store.clone(), Arc::new(store.clone())).await;
    let world = world.adopt_as_usual().await;
    let service = Arc::new(Controller::new(world.engine.clone()));
    let house = House::of(dir, store, service, false, Streams::default());
    house.account("anna", Role::Admin).await;
    house.account("ben", Role::Admin).await;
    (house, world)
}

/// Calls that change something: those of zones in an order in which each has something to do.
fn calls(token: &str) -> Vec<(&'static str, String, String)> {
    let tsig = r#""update":"192.0.2.9:53","tsig":{"name":"k","algorithm":"hmac-sha256","secret":"Y2FuYXJ5IGNhbmFyeSBjYW5hcnk="}"#;
    let zone = "/zones/child.example";
    let call = |method, path: &str, body: &str| (method, path.to_owned(), body.to_owned());
    vec![
        call("PATCH", &format!("{zone}/policy"), r#"{"slack_s":2}"#),
        call("POST", "/operators", &format!(r#"{{"name":"new","provider":"rfc2136",{tsig},{SERVERS}}}"#)),
        call("PATCH", "/operators/c", r#"{"update":"192.0.2.7:53"}"#),
        call("POST", "/operators/a/rotate", r#"{"secret":"Y2FuYXJ5IGNhbmFyeSBjYW5hcnk="}"#),
        call("POST", &format!("{zone}/repair"), "{}"),
        // The repair ends, and the zone is at rest for the next one.
        call("POST", &format!("{zone}/try-now"), "{}"),
        call("PUT", &format!("{zone}/operators"), r#"{"change":{"join":"b"}}"#),
        call("POST", &format!("{zone}/pause"), "{}"),
        call("POST", &format!("{zone}/resume"), "{}"),
        call("POST", &format!("{zone}/try-now"), "{}"),
        call("POST", &format!("{zone}/undo"), "{}"),
        call("POST", &format!("{zone}/stop"), "{}"),
        call("POST", "/accounts", r#"{"name":"carl","role":"viewer"}"#),
        call("PATCH", "/accounts/ben", r#"{"role":"operator"}"#),
        call("PATCH", "/accounts/ben", r#"{"disabled":true}"#),
        call("PATCH", "/accounts/ben", r#"{"reset":true}"#),
        call("POST", "/tokens", r#"{"label":"x","scopes":["zones:read"],"valid_for_s":600}"#),
        call("DELETE", &format!("/tokens/{token}"), ""),
    ]
}

/// Calls that are no GET and need no entry here, each with why.
const NO_ENTRY: [(&str, &str); 7] = [
    ("POST /zones", "in this world no parent is found: what it stores is looked at below"),
    (
        "POST /zones/{zone}/registrar-cancelled",
        "in this world nothing was shown for the registrar: tests/faults/registrar.rs looks at its entry",
    ),
    ("POST /zones/{zone}/check", "changes nothing"),
    ("POST /zones/{zone}/plan", "changes nothing"),
    ("POST /operators/{name}/test", "changes nothing"),
    ("POST /operators/{name}/check", "what it writes into a trial zone is told by the trial: tests/faults/trials.rs"),
    ("POST /key/rotate", "needs a key file: tests/faults/kept.rs"),
];

async fn ask(house: &House, secret: &str, (method, path, body): &(&str, String, String)) -> Said {
    let request = Request::builder().method(*method).uri(format!("/api/v1{path}"));
    let request = request.header(header::AUTHORIZATION, format!("Bearer {secret}"));
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let mut request = request.body(Body::from(body.clone())).unwrap();
    request.extensions_mut().insert(From(ADDRESS.parse().unwrap()));
    house.send(request).await
}

async fn newer_than(house: &House, sequence: i64) -> Vec<AuditRecord> {
    let all = house.store.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).await.unwrap();
    all.into_iter().filter(|entry| entry.sequence > sequence).collect()
}

#[tokio::test]
async fn every_call_that_changes_something_is_told_with_who_and_by_which_means_and_from_where() {
    let (house, _world) = with_a_world().await;
    let (id, secret) = house.token(("anna", Role::Admin), &Permission::ALL, None).await;
    let (other, _) = house.token(("anna", Role::Admin), &[Permission::ZonesRead], None).await;
    let calls = calls(&other);
    for call in &calls {
        let (before, _) = house.store.audit_head().await.unwrap();
        let said = ask(&house, &secret, call).await;
        assert!(said.status.is_success(), "{} {}: {} {}", call.0, call.1, said.status, said.text);
        let told = newer_than(&house, before).await;
        let by = |e: &&AuditRecord| {
            e.who == "anna" && e.via == format!("token {id}") && e.address.as_deref() == Some(ADDRESS)
        };
        assert!(told.iter().any(|entry| by(&entry)), "{} {}: {told:?}", call.0, call.1);
    }
    assert_eq!(house.store.verify_audit().await.unwrap().broken, None);
    // Whoever adds a call that changes something adds it here.
    let shape = |path: &str| {
        let path = path
            .replace("child.example", "{zone}")
            .replace("tokens/tok", "tokens/{id}=")
            .replace("/operators/a/", "/operators/{name}/");
        let path = path.replace("/operators/c", "/operators/{name}").replace("/accounts/ben", "/accounts/{name}");
        path.split('=').next().unwrap().to_owned()
    };
    for route in table().iter().filter(|route| route.method != "GET") {
        let name = format!("{} {}", route.method, route.path);
        let asked = calls.iter().any(|(method, path, _)| format!("{method} {}", shape(path)) == name);
        assert!(asked || NO_ENTRY.iter().any(|(route, _)| *route == name), "{name}");
    }
}

/// Everything that is kept but for sessions, which are seen to be used, and what was seen of zones.
async fn kept(house: &House) -> Vec<String> {
    let mut connection = beside(house.dir.path()).await;
    let mut kept = Vec::new();
    for query in [
        "SELECT quote(name)||quote(role)||quote(password)||quote(totp)||disabled||quote(link)||quote(last_seen_at) FROM accounts",
        "SELECT id||scopes||revoked FROM tokens",
        "SELECT id||account FROM sessions",
        "SELECT quote(name)||quote(settings)||quote(secret) FROM operators",
        "SELECT name||policy FROM zones",
        "SELECT quote(zone)||quote(operator) FROM members",
        "SELECT id||state FROM transitions",
        "SELECT sequence||hash FROM audit_head",
    ] {
        let rows = sqlx::query(sqlx::AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
        kept.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    kept
}

#[tokio::test]
async fn where_the_log_cannot_be_written_nothing_is_changed_by_a_call() {
    let (house, _world) = with_a_world().await;
    let (_, secret) = house.token(("anna", Role::Admin), &Permission::ALL, None).await;
    let (other, _) = house.token(("anna", Role::Admin), &[Permission::ZonesRead], None).await;
    for call in &calls(&other) {
        let mut connection = beside(house.dir.path()).await;
        run(&mut connection, UNWRITABLE).await;
        let before = kept(&house).await;
        let said = ask(&house, &secret, call).await;
        assert_eq!(said.status, 503, "{} {}: {}", call.0, call.1, said.text);
        assert_eq!(kept(&house).await, before, "{} {}", call.0, call.1);
        // Then it is done, so that the next one has something to do.
        run(&mut connection, "DROP TRIGGER the_log_is_full").await;
        let said = ask(&house, &secret, call).await;
        assert!(said.status.is_success(), "{} {}: {} {}", call.0, call.1, said.status, said.text);
        assert_ne!(kept(&house).await, before, "{} {}", call.0, call.1);
    }
    assert_eq!(house.store.verify_audit().await.unwrap().broken, None);
}

type Fields = Vec<(&'static str, String)>;

/// Forms about accounts and sessions; those about zones and operators ask the same service as the calls above.
async fn forms(house: &House, anna: &Browser<'_>) -> Vec<(String, Fields)> {
    let (other, _) = house.token(("anna", Role::Admin), &[Permission::ZonesRead], None).await;
    let ben = house.signed_in("ben").await.cookie();
    let ben = house.gate.session_name(&ben.split_once('=').unwrap().1.parse().unwrap());
    let own =
        |fields: &[(&'static str, &str)]| fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let new = "another long password";
    anna.get("/settings").await;
    vec![
        ("/settings/tokens".to_owned(), own(&[("label", "x"), ("scope", "zones:read"), ("days", "1")])),
        (format!("/settings/tokens/{other}/revoke"), own(&[])),
        (format!("/settings/sessions/{ben}/end"), own(&[])),
        ("/settings/accounts".to_owned(), own(&[("name", "dora"), ("role", "viewer")])),
        ("/settings/accounts/ben".to_owned(), own(&[("role", "viewer"), ("do", "role")])),
        ("/settings/accounts/ben".to_owned(), own(&[("role", "viewer"), ("do", "disable")])),
        ("/settings/accounts/ben".to_owned(), own(&[("role", "viewer"), ("do", "enable")])),
        ("/settings/accounts/ben".to_owned(), own(&[("role", "viewer"), ("do", "reset")])),
        ("/settings/password".to_owned(), own(&[("old", PASSWORD), ("password", new), ("again", new)])),
    ]
}

#[tokio::test]
async fn every_form_about_accounts_is_told_or_does_nothing() {
    let (house, _world) = with_a_world().await;
    let anna = house.signed_in("anna").await.at(ADDRESS);
    let sent = |fields: &Fields, token: &str| {
        let mut all: Fields = fields.clone();
        all.push(("form_token", token.to_owned()));
        all
    };
    let token = anna.form_token().await;
    for (path, fields) in forms(&house, &anna).await {
        let fields = sent(&fields, &token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut connection = beside(house.dir.path()).await;
        run(&mut connection, UNWRITABLE).await;
        let before = kept(&house).await;
        let said = anna.post_bare(&path, &fields).await;
        assert_eq!(said.status, 503, "{path} {}", said.text);
        assert_eq!(kept(&house).await, before, "{path}");
        run(&mut connection, "DROP TRIGGER the_log_is_full").await;
        let (last, _) = house.store.audit_head().await.unwrap();
        let said = anna.post_bare(&path, &fields).await;
        assert!(said.status.is_success() || said.status.is_redirection(), "{path} {}", said.text);
        let told = newer_than(&house, last).await;
        let by = |e: &&AuditRecord| e.who == "anna" && e.via == "session" && e.address.as_deref() == Some(ADDRESS);
        assert!(told.iter().any(|entry| by(&entry)), "{path}: {told:?}");
    }
    let (last, _) = house.store.audit_head().await.unwrap();
    anna.post("/sign-out", &[]).await;
    assert_eq!(newer_than(&house, last).await[0].kind, "session-ended");
}

#[tokio::test]
async fn signing_in_is_told_and_without_that_nobody_is_signed_in() {
    let (house, _world) = with_a_world().await;
    let mut connection = beside(house.dir.path()).await;
    run(&mut connection, UNWRITABLE).await;
    let browser = house.browser().at(ADDRESS);
    assert_eq!(browser.sign_in("anna", PASSWORD, "").await.status, 503);
    assert_eq!(browser.cookie(), "");
    assert_eq!(browser.sign_in("anna", "wrong wrong wrong", "").await.status, 503, "a failure is told, too");
    run(&mut connection, "DROP TRIGGER the_log_is_full").await;
    browser.sign_in("anna", PASSWORD, "").await;
    browser.sign_in("my-password-typed-here", "wrong wrong wrong", "").await;
    let told = newer_than(&house, 0).await;
    assert_eq!((told[1].kind.as_str(), told[1].who.as_str()), ("signed-in", "anna"));
    assert_eq!(told[1].address.as_deref(), Some(ADDRESS));
    assert_eq!((told[0].kind.as_str(), told[0].who.as_str()), ("sign-in-failed", "nobody"));
    assert!(!format!("{told:?}").contains("typed-here"));
}

#[tokio::test]
async fn a_zone_is_adopted_with_its_entry_or_not_at_all() {
    let (house, world) = with_a_world().await;
    let record = ZoneRecord { name: "other.example.".parse().unwrap(), ..world.stored().await };
    let signature = Caller::signed_in("anna", Role::Admin, ADDRESS.parse().ok()).signature(house.gate.now());
    let store = house.store.signed(signature);
    let mut connection = beside(house.dir.path()).await;
    run(&mut connection, UNWRITABLE).await;
    store.add_zone(&record).await.unwrap_err();
    assert!(store.zone(&record.name).await.unwrap().is_none());
    run(&mut connection, "DROP TRIGGER the_log_is_full").await;
    let (last, _) = store.audit_head().await.unwrap();
    store.add_zone(&record).await.unwrap();
    let told = newer_than(&house, last).await;
    assert_eq!((told[0].who.as_str(), told[0].zone.as_deref()), ("anna", Some("other.example.")));
}
