//! API tokens: never more than whoever makes them.

use crate::house::House;
use chorus::access::{Caller, Permission, Role};
use chorus::api::wire::{AccountChange, TokenAdd};

use Permission::{Admin, TransitionsRun, ZonesRead};

const YEAR_S: u64 = 366 * 86_400;

fn asked(scopes: &[Permission], below: Option<&str>, valid_for_s: u64) -> TokenAdd {
    let below = below.map(str::to_owned);
    TokenAdd { label: "x".to_owned(), scopes: scopes.to_vec(), below, valid_for_s }
}

fn body(scope: &str, valid_for_s: u64) -> String {
    format!("{{\"label\":\"x\",\"scopes\":[\"{scope}\"],\"valid_for_s\":{valid_for_s}}}")
}

#[tokio::test]
async fn a_token_is_never_more_than_whoever_makes_it() {
    let house = House::new().await;
    house.account("vera", Role::Viewer).await;
    house.account("anna", Role::Admin).await;
    let viewer = Caller::signed_in("vera", Role::Viewer, None);
    let refusal = house.gate.add_token(&viewer, asked(&[ZonesRead, TransitionsRun], None, 60)).await.err().unwrap();
    assert_eq!(refusal.code, "bad-token");
    let (_, reads) = house.token(("anna", Role::Admin), &[ZonesRead], None).await;
    for scope in Permission::ALL {
        let said = house.api("POST", "/tokens", Some(&reads), &body(scope.name(), 600)).await;
        assert_eq!(said.status.as_u16(), if scope == ZonesRead { 201 } else { 400 }, "{scope}");
    }
    let said = house.api("GET", "/tokens", Some(&reads), "").await;
    assert!(!said.text.contains("chorus_api_"), "a token is said once");
}

#[tokio::test]
async fn a_token_for_some_zones_makes_none_for_others() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let (_, limited) = house.token(("anna", Role::Admin), &[ZonesRead], Some("example.org")).await;
    let said = house.api("POST", "/tokens", Some(&limited), &body("zones:read", 600)).await;
    assert_eq!(said.status, 403, "it is about more than zones");
    // Beside that: the gate itself, for whatever else asks it one day.
    let caller = Caller { below: Some("example.org.".to_owned()), ..Caller::signed_in("anna", Role::Admin, None) };
    for (below, good) in [
        (None, false),
        (Some(""), false),
        (Some("org"), false),
        (Some("."), false),
        (Some("example.net"), false),
        (Some("notexample.org"), false),
        (Some("example.org"), true),
        (Some("A.Example.ORG."), true),
    ] {
        let made = house.gate.add_token(&caller, asked(&[ZonesRead], below, 600)).await;
        assert_eq!(made.is_ok(), good, "{below:?}");
    }
}

#[tokio::test]
async fn a_token_lasts_a_year_at_most_and_no_longer_than_the_token_that_made_it() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let caller = Caller::signed_in("anna", Role::Admin, None);
    for (valid_for_s, good) in
        [(0, false), (59, false), (60, true), (YEAR_S, true), (YEAR_S + 1, false), (u64::MAX, false)]
    {
        let made = house.gate.add_token(&caller, asked(&[ZonesRead], None, valid_for_s)).await;
        assert_eq!(made.is_ok(), good, "{valid_for_s}");
    }
    let (_, hour) = house.token(("anna", Role::Admin), &[ZonesRead], None).await;
    assert_eq!(house.api("POST", "/tokens", Some(&hour), &body("zones:read", 3601)).await.status, 400);
    assert_eq!(house.api("POST", "/tokens", Some(&hour), &body("zones:read", 3600)).await.status, 201);
}

#[tokio::test]
async fn tokens_of_others_are_seen_and_revoked_by_admins_alone() {
    let house = House::new().await;
    house.account("vera", Role::Viewer).await;
    house.account("anna", Role::Admin).await;
    let (id, of_anna) = house.token(("anna", Role::Admin), &[ZonesRead, Admin], None).await;
    let (of_vera_id, of_vera) = house.token(("vera", Role::Viewer), &[ZonesRead], None).await;
    assert!(!house.api("GET", "/tokens", Some(&of_vera), "").await.text.contains(&id));
    assert!(house.api("GET", "/tokens", Some(&of_anna), "").await.text.contains(&of_vera_id));
    assert_eq!(house.api("DELETE", &format!("/tokens/{id}"), Some(&of_vera), "").await.status, 404);
    let path = format!("/settings/tokens/{id}/revoke");
    assert_eq!(house.signed_in("vera").await.post(&path, &[]).await.status, 404);
    assert_eq!(house.api("GET", "/zones", Some(&of_anna), "").await.status, 200);
    assert_eq!(house.api("DELETE", &format!("/tokens/{of_vera_id}"), Some(&of_anna), "").await.status, 204);
    assert_eq!(house.api("GET", "/zones", Some(&of_vera), "").await.status, 401);
}

#[tokio::test]
async fn a_token_ends_itself_and_none_of_its_owners_others() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let (report_id, report) = house.token(("anna", Role::Admin), &[ZonesRead], None).await;
    let (strong_id, strong) = house.token(("anna", Role::Admin), &[ZonesRead, TransitionsRun], None).await;
    let refused = house.api("DELETE", &format!("/tokens/{strong_id}"), Some(&report), "").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert_eq!(house.api("GET", "/zones", Some(&strong), "").await.status, 200);
    assert_eq!(house.api("DELETE", &format!("/tokens/{report_id}"), Some(&report), "").await.status, 204);
    assert_eq!(house.api("GET", "/zones", Some(&report), "").await.status, 401);
}

#[tokio::test]
async fn a_reset_takes_the_accounts_tokens_too() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    house.account("vera", Role::Viewer).await;
    let (_, secret) = house.token(("vera", Role::Viewer), &[ZonesRead], None).await;
    let (_, of_anna) = house.token(("anna", Role::Admin), &[ZonesRead], None).await;
    assert_eq!(house.api("GET", "/zones", Some(&secret), "").await.status, 200);
    house.change("vera", AccountChange { reset: true, ..AccountChange::default() }).await;
    assert_eq!(house.api("GET", "/zones", Some(&secret), "").await.status, 401);
    assert_eq!(house.api("GET", "/zones", Some(&of_anna), "").await.status, 200, "others keep theirs");
}
