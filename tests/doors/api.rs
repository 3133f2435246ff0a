//! The routes, without a network.

use crate::fake::{CANARY, Fake, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use chorus::api::serve::{self, Door, ServeError};
use chorus::api::token::Token;
use chorus::api::wire::{Change, Problem, SetGroup};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;

struct Api {
    router: Router,
    token: Token,
    service: Arc<Fake>,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Api {
    async fn new() -> Api {
        let (router, token, service) = router().await;
        Api { router, token, service }
    }

    async fn raw(&self, method: &str, path: &str, authorization: Option<&str>, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(text) = authorization {
            request = request.header("authorization", text);
        }
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.raw(method, path, Some(&format!("Bearer {}", self.token.expose())), body).await
    }
}

impl Answer {
    /// What every refusal has to be.
    fn problem(&self) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let problem: Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(!problem.code.is_empty() && !problem.detail.is_empty() && !problem.detail.contains('\n'));
        assert!(problem.kind.ends_with(&problem.code));
        problem
    }
}

fn operator(secret: Value) -> String {
    json!({
        "name": "a", "provider": "rfc2136", "update": "192.0.2.1:53",
        "tsig": {"name": "chorus", "algorithm": "hmac-sha256", "secret": secret},
        "name_servers": [{"host": "ns1.a.example", "addresses": ["192.0.2.1:53"]}, {"host": "ns2.a.example"}],
    })
    .to_string()
}

#[tokio::test]
async fn only_healthz_and_readyz_are_open() {
    let api = Api::new().await;
    let healthz = api.raw("GET", "/healthz", None, "").await;
    assert_eq!((healthz.status, healthz.text.as_str()), (StatusCode::OK, "ok\n"));
    let readyz = api.raw("GET", "/readyz", None, "").await;
    assert_eq!((readyz.status, readyz.text.as_str()), (StatusCode::OK, "ready\n"));
    let near = format!("Bearer {}0", &api.token.expose()[..api.token.expose().len() - 1]);
    let other = format!("Bearer {}", Token::new(&mut rand::rng()).expose());
    let basic = format!("Basic {}", api.token.expose());
    for authorization in [None, Some("Bearer "), Some("Bearer"), Some(""), Some(&*near), Some(&*other), Some(&*basic)] {
        // One in sixteen tokens ends in 0 by itself.
        if authorization == Some(&*format!("Bearer {}", api.token.expose())) {
            continue;
        }
        for path in ["/api/v1/zones", "/api/v1/nothing"] {
            let answer = api.raw("GET", path, authorization, "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {authorization:?}");
            assert_eq!(answer.problem().code, "not-authorised");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    let lower = format!("bearer {}", api.token.expose());
    assert_eq!(api.raw("GET", "/api/v1/zones", Some(&lower), "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let api = Api::new().await;
    for path in ["/", "/api/v1", "/api/v1/nothing", "/api/v1/zones/a/b/c", "/api/v2/zones"] {
        assert_eq!(api.ask("GET", path, "").await.problem().status, 404, "{path}");
    }
    let answer = api.ask("DELETE", "/api/v1/zones/example.org", "").await;
    assert_eq!(answer.problem().status, 405);
    assert!(answer.headers.contains_key("allow"));
    assert_eq!(api.ask("GET", "/api/v1/zones/%ff", "").await.problem().status, 400);
}

/// RFC 2181 §11: whatever octets a label has, the name is one part of the path.
#[tokio::test]
async fn every_name_is_one_part_of_a_path_after_percent_decoding() {
    let api = Api::new().await;
    for (path, name) in [
        ("128%2F26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa"),
        ("a%5C032b.example", "a\\032b.example"),
        ("a%5C.b%3F%23.example", "a\\.b?#.example"),
        ("b%C3%BCcher.example", "bücher.example"),
        ("child%2Eexample", "child.example"),
    ] {
        let answer = api.ask("GET", &format!("/api/v1/zones/{path}"), "").await;
        assert_eq!(
            (answer.status, serde_json::from_str::<Value>(&answer.text).unwrap()["zone"].as_str()),
            (StatusCode::OK, Some(name)),
            "{path}"
        );
        for below in ["history", "policy", "certificate", "timeline"] {
            assert_eq!(api.ask("GET", &format!("/api/v1/zones/{path}/{below}"), "").await.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn f18_bodies_and_queries_that_do_not_fit_are_answered_with_one_line() {
    let api = Api::new().await;
    let misspelt = r#"{"zone":"example.org","operator":"a","parent":"scan","parrent":"manual"}"#;
    for body in ["", "{", "[]", "null", "{\"zone\":\n\"a\",}", misspelt, r#"{"zone":"a","operator":"a","parent":"x"}"#]
    {
        let answer = api.ask("POST", "/api/v1/zones", body).await;
        assert_eq!(answer.problem().status, 400, "{body}");
    }
    assert!(api.ask("POST", "/api/v1/zones", misspelt).await.problem().detail.contains("parrent"));
    assert!(api.service.zones.lock().unwrap().is_empty());
    let large = "[".repeat(chorus::api::routes::BODY_MAX + 1);
    assert_eq!(api.ask("POST", "/api/v1/zones", large).await.problem().status, 413);
    for path in ["/api/v1/operators/a/test", "/api/v1/operators/a/test?zone=a&zne=b"] {
        assert_eq!(api.ask("POST", path, "").await.problem().status, 400, "{path}");
    }
    assert_eq!(api.ask("GET", "/api/v1/zones/example.org/history?limit=-1", "").await.problem().status, 400);
}

#[tokio::test]
async fn the_kind_of_a_refusal_is_its_status() {
    let api = Api::new().await;
    for (name, status) in [("missing", 404), ("invalid", 400), ("conflict", 409), ("unfit", 422), ("down", 503)] {
        let problem = api.ask("GET", &format!("/api/v1/zones/{name}.example"), "").await.problem();
        assert_eq!(problem.status, status);
        assert_eq!(problem.detail, format!("{name}.example is refused"));
        assert_eq!((problem.code.as_str(), problem.fix.as_deref()), ("as-asked", Some("Ask for another")));
        assert_eq!((problem.zone, problem.operator.as_deref()), (Some(format!("{name}.example")), Some("b")));
        assert_eq!(problem.retry_at, Some(crate::sample::at(60)));
    }
    let change = r#"{"change":{"join":"b"}}"#;
    assert_eq!(api.ask("PUT", "/api/v1/zones/panic/operators", change).await.problem().status, 500);
}

#[tokio::test]
async fn changes_say_what_is_wanted_in_four_forms() {
    let api = Api::new().await;
    let wanted = [
        (r#"{"change":{"set":["a","b"]},"reason":"CHG-812"}"#, Change::Set(vec!["a".to_owned(), "b".to_owned()])),
        (r#"{"change":{"join":"b"}}"#, Change::Join("b".to_owned())),
        (r#"{"change":{"leave":"a"}}"#, Change::Leave("a".to_owned())),
        (
            r#"{"change":{"replace":{"old":"a","new":"b"}}}"#,
            Change::Replace { old: "a".to_owned(), new: "b".to_owned() },
        ),
    ];
    for (body, change) in &wanted {
        let answer = api.ask("PUT", "/api/v1/zones/example.org/operators", *body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        let seen: SetGroup = api.service.sets.lock().unwrap().last().unwrap().clone();
        assert_eq!(&seen.change, change);
        assert_eq!(serde_json::from_str::<SetGroup>(&serde_json::to_string(&seen).unwrap()).unwrap(), seen);
    }
    for body in [r#"{"change":{}}"#, r#"{"change":{"join":"a","leave":"b"}}"#, r#"{"change":{"replace":{"old":"a"}}}"#]
    {
        assert_eq!(api.ask("PUT", "/api/v1/zones/example.org/operators", body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn a_check_is_of_the_present_group_or_of_a_change_and_has_every_finding() {
    let api = Api::new().await;
    let present: Value =
        serde_json::from_str(&api.ask("GET", "/api/v1/zones/example.org/check", "").await.text).unwrap();
    assert_eq!((&present["refused"], &present["from"], &present["to"]), (&json!(false), &json!(["a"]), &json!(["a"])));
    let body = r#"{"change":{"set":["a","c"]}}"#;
    let answer = api.ask("POST", "/api/v1/zones/example.org/check", body).await;
    let change: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((&change["refused"], &change["to"]), (&json!(true), &json!(["a", "c"])));
    assert_eq!(change["findings"][0]["code"], "tcp-unanswered");
    let severities: Vec<&Value> =
        change["findings"].as_array().unwrap().iter().map(|finding| &finding["severity"]).collect();
    assert_eq!(severities, ["error", "warning", "warning", "note"]);
    let back: chorus::api::wire::ZoneCheck = serde_json::from_value(change.clone()).unwrap();
    assert_eq!(serde_json::to_value(back).unwrap(), change);
    for (path, body, status) in [
        ("missing.example", body, 404),
        ("example.org", r#"{"change":{"set":["a"]},"operators":[]}"#, 400),
        ("example.org", "", 400),
    ] {
        let problem = api.ask("POST", &format!("/api/v1/zones/{path}/check"), body).await.problem();
        assert_eq!(problem.status, status, "{body}");
    }
}

#[tokio::test]
async fn each_verb_has_a_path_of_its_own_and_takes_a_reason_and_the_version_that_was_seen() {
    let api = Api::new().await;
    for verb in chorus::api::wire::Verb::ALL {
        let path = format!("/api/v1/zones/example.org/{}", verb.name());
        let answer = api.ask("POST", &path, r#"{"reason":"CHG-9","version":4}"#).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let (seen, control) = api.service.controls.lock().unwrap().pop().unwrap();
        assert_eq!((seen, control.reason.as_deref(), control.version), (verb, Some("CHG-9"), Some(4)));
        assert_eq!(api.ask("POST", &path, r#"{"force":true}"#).await.status, 400);
        assert_eq!(api.ask("GET", &path, "").await.status, 405);
        assert_eq!(api.ask("POST", "/api/v1/zones/conflict.example/undo", "{}").await.status, 409);
    }
}

#[tokio::test]
async fn a_zone_has_the_fields_that_scripts_were_promised() {
    let api = Api::new().await;
    let zone: Value = serde_json::from_str(&api.ask("GET", "/api/v1/zones/slow.example", "").await.text).unwrap();
    assert_eq!(zone["zone"], "slow.example");
    assert_eq!(zone["rest"], false);
    assert_eq!(zone["desired"], json!(["a", "b"]));
    assert_eq!(zone["operators"][0]["standing"], "Serving");
    assert_eq!(zone["transition"]["ends_at"]["expected"], "2026-11-24T13:46:40.000Z");
    assert_eq!(zone["transition"]["undo_takes"], json!({"earliest_s": 3660, "expected_s": 3660}));
    assert_eq!(zone["transition"]["stop"]["trusted"], json!(["b"]));
    assert_eq!(zone["transition"]["id"], "t-7f3a");
    assert_eq!(zone["transition"]["state"], "waiting-guard");
    assert_eq!(zone["transition"]["step"], "share the DNSKEYs");
    assert_eq!(zone["transition"]["waiting_for"]["code"], "guard-ttl");
    assert_eq!(zone["transition"]["waiting_for"]["until"], "2026-11-22T10:58:12.000Z");
    assert_eq!(zone["exposures"], json!([]));
    assert!(zone["verdict"].is_string());
    let back: chorus::api::wire::ZoneShow = serde_json::from_value(zone.clone()).unwrap();
    assert_eq!(serde_json::to_value(back).unwrap(), zone);
}

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let api = Api::new().await;
    let added = api.ask("POST", "/api/v1/operators", operator(json!(CANARY))).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    assert_eq!(api.service.operators.lock().unwrap()[0].tsig.as_ref().unwrap().secret.expose(), CANARY);
    assert!(!format!("{:?}", api.service.operators.lock().unwrap()).contains(CANARY));
    let mut answers = vec![added];
    for wrong in [json!([CANARY]), json!({"secret": CANARY}), json!(4711_4711)] {
        let answer = api.ask("POST", "/api/v1/operators", operator(wrong)).await;
        assert_eq!(answer.problem().status, 400);
        answers.push(answer);
    }
    for path in ["operators", "operators/a", "zones", "zones/example.org", "zones/example.org/policy"] {
        answers.push(api.ask("GET", &format!("/api/v1/{path}"), "").await);
    }
    for path in ["zones/example.org/history", "zones/example.org/certificate", "nothing"] {
        answers.push(api.ask("GET", &format!("/api/v1/{path}"), "").await);
    }
    answers.push(api.ask("POST", "/api/v1/operators/a/test?zone=example.org", "").await);
    for answer in answers {
        for secret in [CANARY, "canary canary", "47114711", api.token.expose()] {
            assert!(!answer.text.contains(secret), "{}", answer.text);
            assert!(!format!("{:?}", answer.headers).contains(secret));
        }
    }
}

#[tokio::test]
async fn the_api_listens_on_loopback_only_and_ends_when_told_with_half_a_request_open() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        assert!(
            matches!(serve::bind(&Door::plain(address.parse().unwrap())), Err(ServeError::NotLoopback(_))),
            "{address}"
        );
    }
    let door = Door::plain("127.0.0.1:0".parse().unwrap());
    let listener = serve::bind(&door).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(matches!(serve::bind(&Door::plain(address)), Err(ServeError::Bind { .. })));
    let (end, told) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve::serve(listener, door, router().await.0, async { drop(told.await) }));
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let client =
        reqwest::Client::builder().tls_backend_preconfigured(chorus_providers::http::trusting_nobody().unwrap());
    let answer = client.build().unwrap().get(format!("http://{address}/healthz")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok\n");
    end.send(()).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
    drop(half);
}
