//! Operators that change while everything goes on: another address, another credential; and secrets, which turn up nowhere.

use crate::world::{World, child};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chorus::api::controller::Controller;
use chorus::api::gate::Gate;
use chorus::api::routes::{self, Api};
use chorus::api::service::RefusalKind;
use chorus::api::service::Service;
use chorus::api::token::Token;
use chorus::api::wire::{NameServer, OperatorChange, OperatorRotate, SecretText};
use chorus::engine::{SystemClock, SystemRandom};
use chorus::store::{Keyring, MasterKey, Store};
use chorus_providers::ProviderError;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

const OLD: &[u8] = b"c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

fn rotate(secret: &str) -> OperatorRotate {
    let secret = SecretText::new(secret.to_owned().into());
    OperatorRotate { secret, tsig_name: Some("key-2.".into()), tsig_algorithm: None, zone: None }
}

fn canary() -> String {
    STANDARD.encode("canary-canary-canary-canary")
}

#[tokio::test]
async fn a_new_credential_is_used_once_it_has_been_tried_in_the_operators_zones() {
    let world = World::adopted().await;
    let rotated = world.controller.rotate_operator("a", rotate(&canary())).await.unwrap();
    assert_eq!(rotated.tried_in, ["child.example"]);
    assert_eq!(world.store.operator_secret("a").await.unwrap().as_slice(), canary().as_bytes());
    let shown = world.controller.operator("a").await.unwrap();
    assert_eq!(shown.tsig.unwrap().name, "key-2.");
}

#[tokio::test]
async fn a_new_credential_that_is_refused_or_can_be_tried_nowhere_changes_nothing() {
    let world = World::adopted().await;
    let server = world.lock().operator("a").addresses[0].server.address;
    world.lock().operator("a").refuses = Some(ProviderError::BadSig { server, key: "key-2.".into() });
    let refusal = world.controller.rotate_operator("a", rotate(&canary())).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Preflight, "tsig-badsig"));
    assert!(refusal.text.contains("the old one stays"), "{}", refusal.text);
    let refusal = world.controller.rotate_operator("b", rotate(&canary())).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Invalid, "no-zone-to-try"), "b is in no zone");
    let refusal = world.controller.rotate_operator("a", rotate("not base64 at all")).await.unwrap_err();
    assert_eq!(refusal.code, "bad-secret");
    for name in ["a", "b"] {
        assert_eq!(world.store.operator_secret(name).await.unwrap().as_slice(), OLD);
        assert!(world.store.staged_secret(name).await.unwrap().is_none());
        assert_eq!(world.controller.operator(name).await.unwrap().tsig.unwrap().name, "key.");
    }
}

#[tokio::test]
async fn the_names_of_name_servers_change_only_where_no_zone_leads_to_them() {
    let world = World::adopted().await;
    let server = NameServer { host: "ns9.example".into(), addresses: vec!["192.0.2.9:53".parse().unwrap()] };
    let change = || OperatorChange { name_servers: Some(vec![server.clone()]), ..OperatorChange::default() };
    let refusal = world.controller.change_operator("a", change()).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Conflict, "in-use"));
    let shown = world.controller.change_operator("b", change()).await.unwrap();
    assert_eq!(shown.name_servers.len(), 1);
}

#[tokio::test]
async fn what_an_interface_does_not_have_cannot_be_changed() {
    let world = World::adopted().await;
    let url = OperatorChange { url: Some("https://pdns.example".into()), ..OperatorChange::default() };
    assert_eq!(world.controller.change_operator("a", url).await.unwrap_err().code, "bad-interface");
    let nobody = OperatorChange { name_servers: Some(Vec::new()), ..OperatorChange::default() };
    assert_eq!(world.controller.change_operator("a", nobody).await.unwrap_err().code, "no-name-server");
    let change = OperatorChange { update: Some("192.0.2.7:53".parse().unwrap()), ..OperatorChange::default() };
    let shown = world.controller.change_operator("a", change).await.unwrap();
    assert_eq!(shown.update.unwrap().to_string(), "192.0.2.7:53");
    assert_eq!(shown.name_servers, world.controller.operator("a").await.unwrap().name_servers);
}

/// What is logged, kept to be looked through.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The ways in which a secret could turn up.
fn forms(secret: &str) -> Vec<String> {
    let octets = secret.as_bytes();
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut forms = vec![secret.to_owned(), STANDARD.encode(octets), URL_SAFE.encode(octets), hex.to_uppercase(), hex];
    if let Ok(decoded) = STANDARD.decode(secret) {
        forms.push(String::from_utf8(decoded).unwrap());
    }
    forms
}

fn finds<'f>(octets: &[u8], forms: &'f [String]) -> Option<&'f String> {
    forms.iter().find(|form| octets.windows(form.len()).any(|window| window == form.as_bytes()))
}

#[tokio::test]
async fn secrets_are_in_no_answer_no_error_no_log_no_event_and_not_in_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Keyring::of(MasterKey::from_octets([7; 32]))).await.unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // Of the other tests, too: what they log has no secret in it either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = World::with(store.clone(), Arc::new(store.clone())).await.adopt_as_usual().await;
    let service: Arc<dyn Service> = Arc::new(Controller::new(world.engine.clone()));
    let token = Token::new(&mut rand::rng());
    let gate = Gate::new(store, Arc::new(SystemClock), Arc::new(SystemRandom), token.clone());
    let router = routes::router(Api { service, gate });
    let mut said = Vec::new();
    let ask = async |method: Method, path: &str, body: String| {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", token.expose()));
        let answer = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let headers = format!("{:?}", answer.headers());
        let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
        format!("{headers}{}", String::from_utf8_lossy(&body))
    };
    let (tsig, api, refused) = (canary(), "canary-of-an-api-key-0123456789", STANDARD.encode("refused-canary-refused"));
    let add = |provider: &str, rest: String| {
        let servers = "\"name_servers\":[{\"host\":\"ns1.x.example\",\"addresses\":[\"192.0.2.9:53\"]}]";
        format!("{{\"name\":\"new-{provider}\",\"provider\":\"{provider}\",{rest},{servers}}}")
    };
    let key = |secret: &str| {
        format!(
            "\"update\":\"192.0.2.9:53\",\"tsig\":{{\"name\":\"k\",\"algorithm\":\"hmac-sha256\",\"secret\":\"{secret}\"}}"
        )
    };
    said.push(ask(Method::POST, "/api/v1/operators", add("rfc2136", key(&tsig))).await);
    for provider in ["powerdns", "desec"] {
        let rest = format!("\"api\":{{\"url\":\"https://api.example\",\"key\":\"{api}\"}}");
        said.push(ask(Method::POST, "/api/v1/operators", add(provider, rest)).await);
    }
    // Wrong in every way that comes to mind.
    for body in [
        add("rfc2136", key(&format!("{api}!"))),
        add("smoke", key(&tsig)),
        add("powerdns", key(&tsig)),
        format!("{{\"name\":\"{tsig}\""),
        format!("{{\"secret\":[\"{tsig}\"]}}"),
        format!("[\"{api}\"]"),
    ] {
        said.push(ask(Method::POST, "/api/v1/operators", body).await);
    }
    let server = world.lock().operator("a").addresses[0].server.address;
    world.lock().operator("a").refuses = Some(ProviderError::BadSig { server, key: "key-2.".into() });
    said.push(ask(Method::POST, "/api/v1/operators/a/rotate", format!("{{\"secret\":\"{refused}\"}}")).await);
    world.lock().operator("a").refuses = None;
    said.push(ask(Method::POST, "/api/v1/operators/a/rotate", format!("{{\"secret\":\"{tsig}\"}}")).await);
    assert_eq!(world.store.operator_secret("a").await.unwrap().as_slice(), tsig.as_bytes(), "it is there after all");
    assert_eq!(world.store.operator_secret("new-desec").await.unwrap().as_slice(), api.as_bytes());
    world.join("b").await;
    world.comes_to_rest().await;
    let zone = "/api/v1/zones/child.example";
    for path in [
        "/healthz",
        "/readyz",
        "/api/v1/operators",
        "/api/v1/operators/a",
        "/api/v1/operators/new-rfc2136",
        "/api/v1/operators/new-powerdns",
        "/api/v1/operators/new-desec",
        "/api/v1/zones",
        zone,
        &format!("{zone}/policy"),
        &format!("{zone}/check"),
        &format!("{zone}/history"),
        &format!("{zone}/certificate"),
    ] {
        said.push(ask(Method::GET, path, String::new()).await);
    }
    for path in ["/api/v1/operators/a/test?zone=child.example"] {
        said.push(ask(Method::POST, path, String::new()).await);
    }
    let events = world.store.events(&child(), 1000).await.unwrap();
    said.push(format!("{events:?}"));
    let forms: Vec<String> = [tsig.as_str(), api, &refused].iter().flat_map(|secret| forms(secret)).collect();
    for text in &said {
        assert_eq!(finds(text.as_bytes(), &forms), None, "{text}");
    }
    let logged = log.0.lock().unwrap().clone();
    let told = String::from_utf8_lossy(&logged).into_owned();
    assert!(told.contains("b is serving"), "what happens is logged: {told}");
    assert_eq!(finds(&logged, &forms), None, "{told}");
    let mut looked_through = 0;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        assert_eq!(finds(&octets, &forms), None, "{}", path.display());
        looked_through += octets.len();
    }
    assert!(looked_through > 10_000, "the database is on disk");
}
