//! What every answer says about how it may be used, whatever the answer is.

use crate::house::{House, Said};
use crate::matrix::{all_pages, filled};
use axum::http::{Method, StatusCode};
use chorus::access::Role;
use chorus::api::routes::{BODY_MAX, table};

const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                       form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const WANTED: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

pub fn assert_framed(what: &str, said: &Said, secure: bool) {
    for (name, value) in WANTED {
        assert_eq!(said.header(name), value, "{what}: {name}");
    }
    let tls = if secure { "max-age=31536000" } else { "" };
    assert_eq!(said.header("strict-transport-security"), tls, "{what}");
    let cache = said.header("cache-control");
    let fixed = what.contains("/static/") && matches!(said.status.as_u16(), 200 | 304);
    // A stream is kept by nobody either.
    let wanted: &[&str] = if fixed { &["no-cache"] } else { &["no-store", "no-cache"] };
    assert!(wanted.contains(&cache), "{what}: {cache}");
    if !fixed && !what.contains("/events") {
        assert_eq!(cache, "no-store", "{what}");
    }
}

async fn everything_is_framed(house: House, secure: bool) {
    house.account("anna", Role::Admin).await;
    let token = house.token.expose().to_owned();
    for route in table() {
        for bearer in [None, Some(token.as_str())] {
            let said = house.api(route.method, &filled(&route.path), bearer, "{").await;
            assert_framed(&format!("{} {}", route.method, route.path), &said, secure);
        }
    }
    for path in ["/nowhere", "/zones/missing.example", "/zones/down.example", "/zones/unfit.example/check"] {
        assert_framed(path, &house.api("GET", path, Some(&token), "").await, secure);
    }
    let said = house.api("BREW", "/zones", Some(&token), "").await;
    assert_eq!(said.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_framed("BREW", &said, secure);
    let large = format!("\"{}\"", "x".repeat(BODY_MAX));
    let said = house.api("POST", "/zones", Some(&token), &large).await;
    assert_eq!(said.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_framed("large", &said, secure);
    let (nobody, anna) = (house.browser(), house.signed_in("anna").await);
    for path in ["/healthz", "/readyz", "/nowhere", "/static/nothing.js", "/zones/%ff", "/zones/missing.example"] {
        assert_framed(path, &anna.get(path).await, secure);
        assert_framed(path, &nobody.get(path).await, secure);
    }
    let said = anna.ask(Method::PUT, "/settings", &[], String::new()).await;
    assert_eq!(said.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_framed("PUT /settings", &said, secure);
    let said = anna.post("/theme", &[("theme", &"x".repeat(BODY_MAX + 1))]).await;
    assert_eq!(said.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_framed("POST /theme", &said, secure);
    let style = nobody.get("/static/chorus.css").await;
    let tag = style.header("etag").to_owned();
    let same = nobody.ask(Method::GET, "/static/chorus.css", &[("if-none-match", &tag)], String::new()).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert_framed("/static/chorus.css", &same, secure);
    for (method, path, _) in all_pages() {
        let what = format!("{method} {path}");
        let method: Method = method.parse().unwrap();
        assert_framed(&what, &nobody.ask(method.clone(), &path, &[], String::new()).await, secure);
        let said = if method == Method::GET { anna.get(&path).await } else { anna.post(&path, &[]).await };
        assert_framed(&what, &said, secure);
    }
}

#[tokio::test]
async fn every_answer_says_that_nothing_is_loaded_from_elsewhere_and_nobody_frames_it() {
    everything_is_framed(House::new().await, false).await;
}

#[tokio::test]
async fn over_tls_every_answer_says_that_it_is_always_so() {
    everything_is_framed(House::secure().await, true).await;
}
