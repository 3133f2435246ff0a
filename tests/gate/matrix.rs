//! Every route, asked by everybody: the tables here are written down by hand, and not read out of the router.

use crate::house::House;
use axum::http::StatusCode;
use chorus::access::{Permission, Role};
use chorus::api::routes::{Reach, table};
use chorus::api::wire::AccountChange;
use chorus::web::routes;
use std::collections::BTreeSet;
use std::time::Duration;

use Permission::{
    Admin, AuditRead, OperatorsRead, OperatorsWrite, TransitionsPlan, TransitionsRun, ZonesRead, ZonesWrite,
};
use Reach::{Everything, Filtered, Named};

struct Call {
    route: &'static str,
    needs: Permission,
    reach: Reach,
    body: &'static str,
    /// For those who may.
    good: u16,
}

const fn call(route: &'static str, needs: Permission, reach: Reach, body: &'static str, good: u16) -> Call {
    Call { route, needs, reach, body, good }
}

const OPERATOR: &str = r#"{"name":"b","provider":"rfc2136","update":"192.0.2.9:53","tsig":{"name":"k","algorithm":"hmac-sha256","secret":"Y2FuYXJ5IGNhbmFyeSBjYW5hcnk="},"name_servers":[]}"#;
const CHANGE: &str = r#"{"change":{"join":"b"}}"#;
const ZONE: &str = r#"{"zone":"example.org","operator":"a","parent":"scan"}"#;

/// Whoever adds a route says here, too, who may go there.
const CALLS: [Call; 39] = [
    call("GET /operators", OperatorsRead, Everything, "", 200),
    call("POST /operators", OperatorsWrite, Everything, OPERATOR, 201),
    call("GET /operators/{name}", OperatorsRead, Everything, "", 200),
    call("PATCH /operators/{name}", OperatorsWrite, Everything, "{}", 200),
    call("POST /operators/{name}/rotate", OperatorsWrite, Everything, r#"{"secret":"Y2FuYXJ5"}"#, 200),
    call("POST /operators/{name}/check", OperatorsWrite, Everything, r#"{"zone":"example.org"}"#, 200),
    call("POST /operators/{name}/test?zone=example.org", OperatorsWrite, Everything, "", 200),
    call("POST /key/rotate", Admin, Everything, "", 200),
    call("GET /overview", ZonesRead, Filtered, "", 200),
    call("GET /parents", ZonesRead, Filtered, "", 200),
    call("GET /statistics", ZonesRead, Filtered, "", 200),
    call("GET /zones", ZonesRead, Filtered, "", 200),
    call("POST /zones", ZonesWrite, Everything, ZONE, 201),
    call("GET /zones/{zone}", ZonesRead, Named, "", 200),
    call("GET /zones/{zone}/timeline", ZonesRead, Named, "", 200),
    call("GET /zones/{zone}/policy", ZonesRead, Named, "", 200),
    call("PATCH /zones/{zone}/policy", ZonesWrite, Named, "{}", 200),
    call("GET /zones/{zone}/check", TransitionsPlan, Named, "", 200),
    call("POST /zones/{zone}/check", TransitionsPlan, Named, CHANGE, 200),
    call("POST /zones/{zone}/plan", TransitionsPlan, Named, CHANGE, 200),
    call("PUT /zones/{zone}/operators", TransitionsRun, Named, CHANGE, 202),
    call("POST /zones/{zone}/pause", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/resume", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/stop", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/undo", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/try-now", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/repair", TransitionsRun, Named, "{}", 200),
    call("POST /zones/{zone}/registrar-cancelled", TransitionsRun, Named, "{}", 200),
    call("GET /zones/{zone}/history", ZonesRead, Named, "", 200),
    call("GET /zones/{zone}/certificate", ZonesRead, Named, "", 200),
    call("GET /accounts", Admin, Everything, "", 200),
    // No name that can be added: what is refused here was let through by the gate.
    call("POST /accounts", Admin, Everything, r#"{"name":"two words","role":"viewer"}"#, 400),
    call("GET /accounts/{name}", Admin, Everything, "", 404),
    call("PATCH /accounts/{name}", Admin, Everything, "{}", 404),
    call("GET /tokens", ZonesRead, Everything, "", 200),
    call("POST /tokens", ZonesRead, Everything, r#"{"label":"","scopes":[],"valid_for_s":60}"#, 400),
    call("DELETE /tokens/{id}", ZonesRead, Everything, "", 404),
    call("GET /audit", AuditRead, Everything, "", 200),
    call("GET /audit/verify", AuditRead, Everything, "", 200),
];

/// What each role may, as the documentation has it.
fn may(role: Role) -> BTreeSet<Permission> {
    match role {
        Role::Viewer => [ZonesRead].into(),
        Role::Operator => [ZonesRead, TransitionsPlan, TransitionsRun, OperatorsRead, AuditRead].into(),
        Role::Admin => Permission::ALL.into(),
    }
}

struct Caller {
    what: String,
    bearer: Option<String>,
    /// `None`: it is nobody's, or good no more.
    may: Option<BTreeSet<Permission>>,
    below: Option<&'static str>,
}

fn expected(caller: &Caller, call: &Call, zone: &str) -> u16 {
    let Some(may) = &caller.may else { return 401 };
    let reached = match (caller.below, call.reach) {
        (None, _) | (Some(_), Filtered) => true,
        (Some(_), Everything) => false,
        (Some(below), Named) => zone == below || zone.ends_with(&format!(".{below}")),
    };
    if may.contains(&call.needs) && reached { call.good } else { 403 }
}

async fn callers(house: &House) -> Vec<Caller> {
    for (name, role) in [("vera", Role::Viewer), ("otto", Role::Operator), ("anna", Role::Admin), ("dora", Role::Admin)]
    {
        house.account(name, role).await;
    }
    let mut callers = Vec::new();
    let mut add = |what: &str, bearer: Option<String>, may: Option<BTreeSet<Permission>>, below| {
        callers.push(Caller { what: what.to_owned(), bearer, may, below });
    };
    add("nobody", None, None, None);
    add("somebody's guess", Some(format!("chorus_api_{}", "0".repeat(64))), None, None);
    add("the token file", Some(house.token.expose().to_owned()), Some(Permission::ALL.into()), None);
    for (name, role) in [("vera", Role::Viewer), ("otto", Role::Operator), ("anna", Role::Admin)] {
        let all: Vec<Permission> = may(role).into_iter().collect();
        add(name, Some(house.token((name, role), &all, None).await.1), Some(may(role)), None);
        for scope in all {
            let secret = house.token((name, role), &[scope], None).await.1;
            add(&format!("{name} with {scope}"), Some(secret), Some([scope].into()), None);
        }
    }
    for below in ["example.org", "org", "example.net", "ample.org"] {
        let secret = house.token(("anna", Role::Admin), &Permission::ALL, Some(below)).await.1;
        add(&format!("anna below {below}"), Some(secret), Some(Permission::ALL.into()), Some(below));
    }
    let (id, secret) = house.token(("anna", Role::Admin), &Permission::ALL, None).await;
    house.gate.revoke_token(&chorus::access::Caller::local(None), &id).await.unwrap();
    add("revoked", Some(secret), None, None);
    let secret = house.token(("dora", Role::Admin), &Permission::ALL, None).await.1;
    house.change("dora", AccountChange { disabled: Some(true), ..AccountChange::default() }).await;
    add("of a disabled account", Some(secret), None, None);
    let demoted = house.token(("otto", Role::Operator), &[TransitionsRun, ZonesRead], None).await.1;
    house.change("otto", AccountChange { role: Some(Role::Viewer), ..AccountChange::default() }).await;
    add("of a role that was more", Some(demoted), Some([ZonesRead].into()), None);
    for caller in &mut callers {
        if caller.what.starts_with("otto") {
            caller.may = caller.may.take().map(|may| may.into_iter().filter(|one| *one == ZonesRead).collect());
        }
    }
    callers
}

#[tokio::test]
async fn every_call_of_the_api_is_answered_to_those_who_may_and_to_nobody_else() {
    let house = House::new().await;
    let operators = House::new().await;
    operators.account("otto", Role::Operator).await;
    let mut asked = 0;
    for caller in callers(&house).await {
        for call in &CALLS {
            let (method, path) = call.route.split_once(' ').unwrap();
            let path = path.replace("{zone}", "example.org").replace("{name}", "a").replace("{id}", "tok_0");
            let said = house.api(method, &path, caller.bearer.as_deref(), call.body).await;
            let wanted = expected(&caller, call, "example.org");
            assert_eq!(said.status.as_u16(), wanted, "{}: {}\n{}", caller.what, call.route, said.text);
            assert_eq!(said.header("cache-control"), "no-store", "{}", call.route);
            asked += 1;
        }
    }
    // The shift, who is not demoted here.
    for scope in may(Role::Operator) {
        let secret = operators.token(("otto", Role::Operator), &[scope], None).await.1;
        let caller =
            Caller { what: format!("otto with {scope}"), bearer: None, may: Some([scope].into()), below: None };
        for call in &CALLS {
            let (method, path) = call.route.split_once(' ').unwrap();
            let path = path.replace("{zone}", "example.org").replace("{name}", "a").replace("{id}", "tok_0");
            let said = operators.api(method, &path, Some(&secret), call.body).await;
            assert_eq!(said.status.as_u16(), expected(&caller, call, ""), "{}: {}", caller.what, call.route);
            asked += 1;
        }
    }
    println!("{asked} calls");
}

#[tokio::test]
async fn a_token_that_has_run_out_opens_nothing() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let secret = house.token(("anna", Role::Admin), &Permission::ALL, None).await.1;
    house.clock.goes_on(Duration::from_secs(3599));
    assert_eq!(house.api("GET", "/zones", Some(&secret), "").await.status, 200);
    house.clock.goes_on(Duration::from_secs(1));
    for call in &CALLS {
        let (method, path) = call.route.split_once(' ').unwrap();
        assert_eq!(house.api(method, path, Some(&secret), call.body).await.status, 401, "{}", call.route);
    }
}

#[test]
fn no_call_is_left_out_of_the_table_here() {
    let bare = |route: &str| route.split('?').next().unwrap().to_owned();
    let here: BTreeSet<String> = CALLS.iter().map(|call| bare(call.route)).collect();
    let there: BTreeSet<String> = table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(here, there);
}

/// `None`: open to everybody.
const PAGES: [(&str, Option<Permission>); 58] = [
    ("GET /static/{file}", None),
    ("GET /sign-in", None),
    ("POST /sign-in", None),
    ("GET /welcome/{link}", None),
    ("POST /welcome/{link}", None),
    ("GET /", Some(ZonesRead)),
    ("GET /zones", Some(ZonesRead)),
    ("GET /zones/export.csv", Some(ZonesRead)),
    ("GET /zones/add", Some(ZonesWrite)),
    ("POST /zones/add", Some(ZonesWrite)),
    ("GET /zones/{zone}", Some(ZonesRead)),
    ("GET /zones/{zone}/history", Some(ZonesRead)),
    ("GET /zones/{zone}/certificate", Some(ZonesRead)),
    ("GET /zones/{zone}/check", Some(TransitionsPlan)),
    ("GET /zones/{zone}/change", Some(TransitionsPlan)),
    ("POST /zones/{zone}/change", Some(TransitionsRun)),
    ("GET /zones/{zone}/policy", Some(ZonesRead)),
    ("POST /zones/{zone}/policy", Some(ZonesWrite)),
    ("GET /zones/{zone}/pause", Some(TransitionsRun)),
    ("POST /zones/{zone}/pause", Some(TransitionsRun)),
    ("GET /zones/{zone}/resume", Some(TransitionsRun)),
    ("POST /zones/{zone}/resume", Some(TransitionsRun)),
    ("GET /zones/{zone}/stop", Some(TransitionsRun)),
    ("POST /zones/{zone}/stop", Some(TransitionsRun)),
    ("GET /zones/{zone}/undo", Some(TransitionsRun)),
    ("POST /zones/{zone}/undo", Some(TransitionsRun)),
    ("GET /zones/{zone}/try-now", Some(TransitionsRun)),
    ("POST /zones/{zone}/try-now", Some(TransitionsRun)),
    ("GET /zones/{zone}/repair", Some(TransitionsRun)),
    ("POST /zones/{zone}/repair", Some(TransitionsRun)),
    ("GET /zones/{zone}/registrar-cancelled", Some(TransitionsRun)),
    ("POST /zones/{zone}/registrar-cancelled", Some(TransitionsRun)),
    ("GET /operators", Some(OperatorsRead)),
    ("GET /operators/add", Some(OperatorsWrite)),
    ("POST /operators/add", Some(OperatorsWrite)),
    ("GET /operators/{name}", Some(OperatorsRead)),
    ("POST /operators/{name}/check", Some(OperatorsWrite)),
    ("GET /operators/{name}/set", Some(OperatorsWrite)),
    ("POST /operators/{name}/set", Some(OperatorsWrite)),
    ("GET /operators/{name}/rotate", Some(OperatorsWrite)),
    ("POST /operators/{name}/rotate", Some(OperatorsWrite)),
    ("GET /parents", Some(ZonesRead)),
    ("GET /statistics", Some(ZonesRead)),
    ("GET /audit", Some(AuditRead)),
    ("GET /docs/reasons", Some(ZonesRead)),
    ("GET /events", Some(ZonesRead)),
    ("GET /settings", Some(ZonesRead)),
    ("POST /settings/password", Some(ZonesRead)),
    ("GET /settings/totp", Some(ZonesRead)),
    ("POST /settings/totp", Some(ZonesRead)),
    ("POST /settings/totp/off", Some(ZonesRead)),
    ("POST /settings/tokens", Some(ZonesRead)),
    ("POST /settings/tokens/{id}/revoke", Some(ZonesRead)),
    ("POST /settings/sessions/{id}/end", Some(ZonesRead)),
    ("POST /settings/accounts", Some(Admin)),
    ("POST /settings/accounts/{name}", Some(Admin)),
    ("POST /theme", Some(ZonesRead)),
    ("POST /sign-out", Some(ZonesRead)),
];

pub fn all_pages() -> impl Iterator<Item = (&'static str, String, Option<Permission>)> {
    PAGES.iter().map(|(route, needs)| {
        let (method, path) = route.split_once(' ').unwrap();
        (method, filled(path), *needs)
    })
}

/// A path with something in the place of each name.
pub fn filled(path: &str) -> String {
    let path = path.replace("{zone}", "example.org").replace("{file}", "chorus.css").replace("{link}", "0");
    path.replace("{name}", "a").replace("{id}", "0")
}

#[tokio::test]
async fn every_page_is_shown_to_those_who_may_and_to_nobody_else() {
    let house = House::new().await;
    for role in Role::ALL {
        house.account(role.name(), role).await;
    }
    for (method, path, needs) in all_pages() {
        let nobody = house.browser();
        let said = nobody.ask(method.parse().unwrap(), &path, &[], String::new()).await;
        let sent_away = said.status == StatusCode::SEE_OTHER && said.location().starts_with("/sign-in");
        assert_eq!(sent_away, needs.is_some(), "nobody: {method} {path} {}", said.status);
        assert!(said.headers.get("set-cookie").is_none(), "nothing is kept of visitors: {method} {path}");
    }
    for role in Role::ALL {
        let browser = house.signed_in(role.name()).await;
        for (method, path, needs) in all_pages() {
            let said = match method {
                "GET" => browser.get(&path).await,
                _ => browser.post(&path, &[]).await,
            };
            let wanted = needs.is_none_or(|needs| may(role).contains(&needs));
            let what = format!("{role}: {method} {path} {} {}", said.status, said.text);
            assert_eq!(said.status != StatusCode::FORBIDDEN, wanted, "{what}");
            assert!(!said.status.is_server_error(), "{what}");
            let away = said.location().starts_with("/sign-in");
            assert!(!away || path == "/sign-out", "{what}");
        }
        assert!(!browser.is_signed_in().await, "signing out was the last of them");
    }
}

#[test]
fn no_page_is_left_out_of_the_table_here() {
    let here: BTreeSet<String> = PAGES.iter().map(|(route, _)| (*route).to_owned()).collect();
    let declared = routes::all().declared;
    let there: BTreeSet<String> = declared.iter().map(|page| format!("{} {}", page.method, page.path)).collect();
    assert_eq!(here, there);
}

#[tokio::test]
async fn a_cookie_opens_no_call_of_the_api() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let browser = house.signed_in("anna").await;
    for call in &CALLS {
        let (method, path) = call.route.split_once(' ').unwrap();
        let path = format!("/api/v1{}", filled(path));
        let said = browser.ask(method.parse().unwrap(), &path, &[], String::new()).await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{}", call.route);
    }
    assert!(browser.is_signed_in().await);
}
