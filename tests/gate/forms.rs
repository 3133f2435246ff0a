//! Forms that other sites send with the cookie of somebody who is signed in: nothing is done.

use crate::house::{House, PASSWORD, encoded};
use crate::matrix::all_pages;
use axum::http::{Method, StatusCode};
use chorus::access::Role;

/// What is in the database beside the sessions, which are seen to be used.
async fn kept(house: &House) -> String {
    let accounts = house.store.accounts().await.unwrap();
    let tokens = house.store.tokens(None).await.unwrap();
    format!("{accounts:?} {tokens:?} {:?}", house.store.audit_head().await.unwrap())
}

#[tokio::test]
async fn a_form_that_is_not_from_the_session_itself_does_nothing() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    house.account("ben", Role::Admin).await;
    let (anna, ben) = (house.signed_in("anna").await, house.signed_in("ben").await);
    let (ours, others) = (anna.form_token().await, ben.form_token().await);
    assert_ne!(ours, others);
    let before = kept(&house).await;
    let good = [
        ("theme", "dark"),
        ("label", "x"),
        ("scope", "zones:read"),
        ("days", "1"),
        ("name", "carl"),
        ("role", "viewer"),
        ("do", "disable"),
        ("old", PASSWORD),
        ("password", "another long password"),
        ("again", "another long password"),
    ];
    let forms: Vec<String> = all_pages()
        .filter(|(method, _, needs)| *method == "POST" && needs.is_some())
        .map(|(_, path, _)| path)
        .collect();
    assert!(forms.len() > 15);
    let here = "http://chorus.example";
    for path in &forms {
        let with = |token: &str| encoded(&[&good[..], &[("form_token", token)]].concat());
        for (what, headers, body) in [
            ("without a token", vec![], encoded(&good)),
            ("with an empty token", vec![], with("")),
            ("with another session's", vec![], with(&others)),
            ("with two", vec![], format!("{}&form_token={ours}", with(&ours))),
            ("from another site", vec![("sec-fetch-site", "cross-site")], with(&ours)),
            ("from a neighbour", vec![("sec-fetch-site", "same-site"), ("origin", here)], with(&ours)),
            ("of another origin", vec![("origin", "https://evil.example")], with(&ours)),
            ("of a name like ours", vec![("origin", "http://chorus.example.evil.example")], with(&ours)),
            ("of no origin", vec![("origin", "null")], with(&ours)),
        ] {
            let said = anna.ask(Method::POST, path, &headers, body).await;
            assert_eq!(said.status, StatusCode::FORBIDDEN, "{what}: {path}\n{}", said.text);
        }
    }
    assert_eq!(kept(&house).await, before);
    assert!(anna.is_signed_in().await);
    // The same with the right token, from here.
    for headers in [vec![], vec![("sec-fetch-site", "same-origin")], vec![("origin", here)]] {
        let body = encoded(&[("theme", "dark"), ("form_token", &ours)]);
        let said = anna.ask(Method::POST, "/theme", &headers, body).await;
        assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text);
    }
    assert_ne!(kept(&house).await, before);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let link = house.invited("ben", Role::Viewer).await;
    let fields = encoded(&[("name", "anna"), ("password", PASSWORD), ("again", PASSWORD)]);
    for path in ["/sign-in".to_owned(), format!("/welcome/{link}")] {
        for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let browser = house.browser();
            let said = browser.ask(Method::POST, &path, &[header], fields.clone()).await;
            assert_eq!(said.status, StatusCode::FORBIDDEN);
            assert_eq!(browser.cookie(), "");
        }
    }
    assert_eq!(house.gate.welcome(&link).await.unwrap(), "ben", "the link is still good");
}
