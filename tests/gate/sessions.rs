//! Sessions: what the cookie is like, when they end, and who ends them.

use crate::house::{House, MINUTE, PASSWORD, beside};
use axum::http::StatusCode;
use chorus::access::{Caller, Role};
use chorus::api::wire::AccountChange;
use std::time::Duration;

const CHANGED: &str = "another long password";
const HOUR: Duration = Duration::from_secs(3600);

async fn two(house: &House) {
    house.account("anna", Role::Admin).await;
    house.account("vera", Role::Viewer).await;
}

async fn of(house: &House, name: &str) -> Vec<String> {
    let all = house.gate.sessions(&Caller::local(None)).await.unwrap();
    all.into_iter().filter(|session| session.account == name).map(|session| session.id).collect()
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_for_no_script() {
    for (house, name, is_secure) in
        [(House::new().await, "chorus-on-loopback=", false), (House::secure().await, "__Host-chorus=", true)]
    {
        two(&house).await;
        let said = house.browser().sign_in("anna", PASSWORD, "").await;
        let cookie = said.header("set-cookie");
        assert!(cookie.starts_with(name), "{cookie}");
        let parts: Vec<&str> = cookie.split("; ").collect();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(parts.contains(&part), "{cookie}");
        }
        assert_eq!(parts.contains(&"Secure"), is_secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[tokio::test]
async fn an_id_from_before_signing_in_is_not_the_one_after_it() {
    let house = House::new().await;
    two(&house).await;
    let planted = "chorus-on-loopback=AAAAAAAAAAAAAAAAAAAAAA";
    let browser = house.browser().with_cookie(planted);
    browser.sign_in("anna", PASSWORD, "").await;
    assert_ne!(browser.cookie(), planted);
    assert!(!house.browser().with_cookie(planted).is_signed_in().await);
    // Nor one that is somebody's own.
    let vera = house.signed_in("vera").await;
    let before = vera.cookie();
    vera.sign_in("anna", PASSWORD, "").await;
    assert_ne!(vera.cookie(), before);
    assert!(!house.browser().with_cookie(&before).is_signed_in().await);
}

#[tokio::test]
async fn a_session_ends_half_an_hour_after_it_was_used_last() {
    let house = House::new().await;
    two(&house).await;
    let anna = house.signed_in("anna").await;
    for _ in 0..3 {
        house.clock.goes_on(MINUTE * 29);
        assert!(anna.is_signed_in().await);
    }
    let kept = anna.cookie();
    house.clock.goes_on(MINUTE * 30);
    assert!(!anna.is_signed_in().await);
    assert!(!house.browser().with_cookie(&kept).is_signed_in().await);
    assert!(of(&house, "anna").await.is_empty());
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_though_it_is_used_all_the_time() {
    let house = House::new().await;
    two(&house).await;
    let anna = house.signed_in("anna").await;
    let mut passed = Duration::ZERO;
    while passed + MINUTE * 20 < HOUR * 12 {
        house.clock.goes_on(MINUTE * 20);
        passed += MINUTE * 20;
        assert!(anna.is_signed_in().await, "{passed:?}");
    }
    let kept = anna.cookie();
    house.clock.goes_on(MINUTE * 20);
    assert!(!anna.is_signed_in().await);
    assert!(!house.browser().with_cookie(&kept).is_signed_in().await);
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_not_in_the_browser_alone() {
    let house = House::new().await;
    two(&house).await;
    let (anna, other) = (house.signed_in("anna").await, house.signed_in("anna").await);
    let kept = anna.cookie();
    assert_eq!(anna.post("/sign-out", &[]).await.location(), "/sign-in");
    assert_eq!(anna.cookie(), "");
    assert!(!house.browser().with_cookie(&kept).is_signed_in().await);
    assert!(other.is_signed_in().await);
    assert_eq!(of(&house, "anna").await.len(), 1);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions_and_this_one_goes_on_under_a_new_id() {
    let house = House::new().await;
    two(&house).await;
    let (anna, other) = (house.signed_in("anna").await, house.signed_in("anna").await);
    let (before, form) = (anna.cookie(), anna.form_token().await);
    let said = anna.post("/settings/password", &[("old", PASSWORD), ("password", CHANGED), ("again", CHANGED)]).await;
    assert_eq!(said.status, StatusCode::SEE_OTHER);
    assert_ne!(anna.cookie(), before);
    assert!(anna.is_signed_in().await);
    assert_eq!(anna.form_token().await, form, "pages that are open go on, too");
    assert!(!other.is_signed_in().await);
    assert!(!house.browser().with_cookie(&before).is_signed_in().await);
    assert_eq!(house.browser().sign_in("anna", PASSWORD, "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn another_role_a_reset_and_being_disabled_end_sessions_at_once() {
    let house = House::new().await;
    two(&house).await;
    for change in [
        AccountChange { role: Some(Role::Operator), ..AccountChange::default() },
        AccountChange { disabled: Some(true), ..AccountChange::default() },
        AccountChange { reset: true, ..AccountChange::default() },
    ] {
        let vera = house.signed_in("vera").await;
        let disables = change.disabled.is_some();
        house.change("vera", change).await;
        assert!(!vera.is_signed_in().await);
        if disables {
            assert_eq!(house.browser().sign_in("vera", PASSWORD, "").await.status, StatusCode::BAD_REQUEST);
            house.change("vera", AccountChange { disabled: Some(false), ..AccountChange::default() }).await;
            assert!(!vera.is_signed_in().await, "what was ended does not come back with the permission");
        }
    }
}

#[tokio::test]
async fn sessions_are_ended_by_their_owner_and_by_admins_and_by_nobody_else() {
    let house = House::new().await;
    two(&house).await;
    let (anna, vera, elsewhere) =
        (house.signed_in("anna").await, house.signed_in("vera").await, house.signed_in("vera").await);
    let of_anna = of(&house, "anna").await.remove(0);
    let page = vera.get("/settings").await.text;
    assert!(!page.contains(&of_anna), "what others do is not shown");
    assert_eq!(vera.post(&format!("/settings/sessions/{of_anna}/end"), &[]).await.status, StatusCode::NOT_FOUND);
    assert!(anna.is_signed_in().await);
    let others: Vec<String> = of(&house, "vera").await;
    let name = |cookie: &str| others.iter().find(|id| **id == house_name(&house, cookie)).unwrap().clone();
    let ended = name(&elsewhere.cookie());
    assert_eq!(vera.post(&format!("/settings/sessions/{ended}/end"), &[]).await.status, StatusCode::SEE_OTHER);
    assert!(!elsewhere.is_signed_in().await);
    assert!(vera.is_signed_in().await);
    let ended = name(&vera.cookie());
    assert!(anna.get("/settings").await.text.contains(&ended));
    assert_eq!(anna.post(&format!("/settings/sessions/{ended}/end"), &[]).await.status, StatusCode::SEE_OTHER);
    assert!(!vera.is_signed_in().await);
}

fn house_name(house: &House, cookie: &str) -> String {
    house.gate.session_name(&cookie.split_once('=').unwrap().1.parse().unwrap())
}

#[tokio::test]
async fn a_request_that_was_under_way_brings_no_ended_session_back() {
    use chorus::api::gate::Sessions;
    use tower_sessions::SessionStore;
    let house = House::new().await;
    two(&house).await;
    let anna = house.signed_in("anna").await;
    let kept = anna.cookie();
    let sessions = Sessions(house.gate.clone());
    let record = sessions.load(&kept.split_once('=').unwrap().1.parse().unwrap()).await.unwrap().unwrap();
    anna.post("/sign-out", &[]).await;
    sessions.save(&record).await.unwrap();
    assert!(!house.browser().with_cookie(&kept).is_signed_in().await);
}

#[tokio::test]
async fn sessions_that_are_over_are_not_kept() {
    let house = House::new().await;
    two(&house).await;
    let _anna = house.signed_in("anna").await;
    let rows = async || {
        let mut connection = beside(house.dir.path()).await;
        let (rows,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM sessions").fetch_one(&mut connection).await.unwrap();
        rows
    };
    let before = rows().await;
    house.clock.goes_on(MINUTE * 60 * 24);
    let _vera = house.signed_in("vera").await;
    assert!(rows().await <= before, "{} after {before}", rows().await);
}
