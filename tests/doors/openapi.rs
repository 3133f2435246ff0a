//! The API's description is made from the routes, and says what they answer.

use crate::fake::Fake;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chorus::access::Role;
use chorus::api::gate::Gate;
use chorus::api::routes::{self, Api, document, table};
use chorus::api::token::Token;
use chorus::engine::{Clock, SystemClock, SystemRandom};
use chorus::model::time::Time;
use chorus::store::{MasterKey, Store};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tower::ServiceExt;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    each.collect()
}

#[test]
fn the_description_in_the_sources_is_that_of_the_routes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let now = document();
    if std::env::var_os("CHORUS_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(stored == now, "docs/openapi.json is an older one: CHORUS_WRITE_OPENAPI=1 cargo test --test doors openapi");
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let described: BTreeSet<_> = operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<_> = table().into_iter().map(|route| (route.method.to_owned(), route.path)).collect();
    assert_eq!(described, routed);
    assert!(routed.len() > 35);
}

#[test]
fn every_operation_has_a_summary_answers_and_the_permission_of_its_route() {
    let table = table();
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let route = table.iter().find(|route| route.method == method && route.path == path).unwrap();
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{at}");
        assert_eq!(operation["security"][0]["bearer"][0], route.permission.name(), "{at}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
        for (status, response) in responses {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{at} {status}");
            if status.starts_with(['4', '5']) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{at} {status}");
            }
        }
        for status in ["401", "403", "500", "503"] {
            assert!(responses.contains_key(status), "{at} {status}");
        }
        if let Some(body) = operation.get("requestBody") {
            assert!(body["content"]["application/json"]["example"].is_object(), "{at} has no example");
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            let parameter = match parameter["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).unwrap(),
                None => parameter,
            };
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{at} {parameter}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_secrets_are_only_written() {
    let document = document();
    let mut references = Vec::new();
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| collect(field, into));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            _ => {}
        }
    }
    collect(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    assert_eq!(document["components"]["schemas"]["SecretText"]["writeOnly"], true);
    let text = document.to_string();
    for of_the_sources in ["[`", "`None`", "super::", "At("] {
        assert!(!text.contains(of_the_sources), "{of_the_sources}");
    }
}

/// Why `value` is not what the schema says; a field that the schema does not name is one that nobody was told of.
fn misfit(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfit(document, document.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let mut why: Vec<_> = choices.iter().filter_map(|one| misfit(document, one, value, at)).collect();
        return if why.len() + 1 == choices.len() { None } else { why.pop().or(Some(format!("{at} is ambiguous"))) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    if !types.contains(&kind) {
        return Some(format!("{at} is {kind} and not {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return Some(format!("{at} is {value}"));
    }
    if let (Value::Object(fields), Some(properties)) = (value, schema["properties"].as_object()) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        if let Some(missing) = required.iter().find(|name| !fields.contains_key(name.as_str().unwrap())) {
            return Some(format!("{at} has no {missing}"));
        }
        return fields.iter().find_map(|(name, field)| match properties.get(name) {
            Some(property) => misfit(document, property, field, &format!("{at}.{name}")),
            None => Some(format!("{at} has {name}, which is not described")),
        });
    }
    let items = value.as_array().into_iter().flatten();
    items.enumerate().find_map(|(n, item)| misfit(document, &schema["items"], item, &format!("{at}[{n}]")))
}

/// Status, headers and body. An `authorization` among the headers takes the token's place.
pub async fn send(
    (router, token): (&Router, &Token),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, axum::http::HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    request = request.header("content-type", "application/json");
    if headers.iter().all(|(name, _)| *name != "authorization") {
        request = request.header("authorization", format!("Bearer {}", token.expose()));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap();
    (parts.status.as_u16(), parts.headers, text)
}

/// Somebody who can sign in, so that others need not be admins.
pub async fn an_admin(store: &Store, now: Time) {
    store.add_account("root", Role::Admin, "link", now.plus_s(60)).await.unwrap();
    assert!(store.choose_password("link", now, "no hash").await.unwrap().is_some());
}

async fn api() -> (Router, Token, Arc<Fake>) {
    let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
    an_admin(&store, SystemClock.now()).await;
    let (token, service) = (Token::new(&mut rand::rng()), Arc::new(Fake::default()));
    let gate = Gate::new(store, Arc::new(SystemClock), Arc::new(SystemRandom), token.clone());
    (routes::router(Api { service: service.clone(), gate }), token, service)
}

#[tokio::test]
async fn every_example_is_taken_and_every_answer_is_a_described_one() {
    let (router, token, _) = api().await;
    let document = document();
    for (method, path, operation) in operations(&document) {
        let example = |name: &str| document["components"]["parameters"][name]["example"].as_str().unwrap();
        let kind = operation["tags"][0].as_str().unwrap();
        let mut asked = path.clone();
        if let Some(start) = path.find('{') {
            let end = path.find('}').unwrap();
            asked.replace_range(start..=end, example(kind));
        }
        if path.ends_with("/test") {
            asked += "?zone=example.org";
        }
        let body = operation["requestBody"]["content"]["application/json"]["example"].clone();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, _, text) = send((&router, &token), &method, &asked, &[], &body).await;
        assert!(operation["responses"].get(status.to_string()).is_some(), "{method} {asked}: {status} {text}");
        // What the gate does not have yet is not there; everything else is.
        assert!(status < 300 || status == 404, "{method} {asked}: {status} {text}");
        let kind = if status < 300 { "application/json" } else { "application/problem+json" };
        let schema = &operation["responses"][status.to_string()]["content"][kind]["schema"];
        assert!(schema.is_object() || text.is_empty(), "{method} {asked} has no schema");
        if schema.is_object() {
            let answer = serde_json::from_str(&text).unwrap();
            assert_eq!(misfit(&document, schema, &answer, &asked), None);
        }
    }
}

#[tokio::test]
async fn whoever_is_recognised_reads_the_description_and_nobody_else_does() {
    let (router, token, _) = api().await;
    let scopes = r#"{"label":"log","scopes":["audit:read"],"valid_for_s":3600}"#;
    let (_, _, made) = send((&router, &token), "POST", "/tokens", &[], scopes).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    for (bearer, status) in [(made["secret"].as_str().unwrap(), 200), ("chorus_api_nobody", 401)] {
        let request =
            Request::builder().uri("/api/v1/openapi.json").header("authorization", format!("Bearer {bearer}"));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let (_, _, text) = send((&router, &token), "GET", "/openapi.json", &[], "").await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document());
}

#[tokio::test]
async fn a_resource_that_is_known_already_is_not_sent_again() {
    let (router, token, _) = api().await;
    let by = (&router, &token);
    for path in ["/zones/slow.example", "/zones/slow.example/policy", "/operators/a", "/operators", "/accounts"] {
        let (status, headers, text) = send(by, "GET", path, &[], "").await;
        let tag = headers["etag"].to_str().unwrap();
        assert!(status == 200 && !text.is_empty() && tag.starts_with('"'), "{path} {tag}");
        for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let (status, headers, text) = send(by, "GET", path, &[("if-none-match", &known)], "").await;
            assert_eq!((status, text.as_str(), headers["etag"].to_str().unwrap()), (304, "", tag), "{path} {known}");
        }
        assert_eq!(send(by, "GET", path, &[("if-none-match", "\"x\"")], "").await.0, 200);
    }
    assert!(!send(by, "GET", "/zones", &[], "").await.1.contains_key("etag"));
}

#[tokio::test]
async fn what_is_not_any_more_as_it_was_seen_is_not_changed() {
    let (router, token, service) = api().await;
    let by = (&router, &token);
    let all = [
        ("PATCH", "/zones/slow.example/policy", "/zones/slow.example/policy", "{}"),
        ("PATCH", "/operators/a", "/operators/a", "{}"),
        ("POST", "/zones/slow.example/pause", "/zones/slow.example", "{}"),
        ("PUT", "/zones/slow.example/operators", "/zones/slow.example", r#"{"change":{"join":"b"}}"#),
    ];
    for (method, path, of, body) in all {
        let (_, headers, _) = send(by, "GET", of, &[], "").await;
        let tag = headers["etag"].to_str().unwrap();
        let done = || service.controls.lock().unwrap().len() + service.sets.lock().unwrap().len();
        let before = done();
        let (status, _, text) = send(by, method, path, &[("if-match", "\"other\"")], body).await;
        assert_eq!((status, done()), (412, before), "{path}");
        assert!(text.contains("precondition-failed"));
        assert!(send(by, method, path, &[("if-match", tag)], body).await.0 < 300, "{path}");
    }
    let (_, _, _) = send(by, "POST", "/accounts", &[], r#"{"name":"ann","role":"viewer"}"#).await;
    let (_, headers, _) = send(by, "GET", "/accounts/ann", &[], "").await;
    let tag = headers["etag"].to_str().unwrap();
    let to = |role: &str| format!(r#"{{"role":"{role}"}}"#);
    assert_eq!(send(by, "PATCH", "/accounts/ann", &[("if-match", tag)], &to("operator")).await.0, 200);
    assert_eq!(send(by, "PATCH", "/accounts/ann", &[("if-match", tag)], &to("viewer")).await.0, 412);
    assert_eq!(send(by, "PATCH", "/accounts/ann", &[], &to("viewer")).await.0, 200, "without it nothing is compared");
}
