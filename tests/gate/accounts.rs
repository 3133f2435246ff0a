//! Accounts: the first one, links, passwords, the second factor, and whoever guesses.

use crate::house::{House, MINUTE, PASSWORD, START};
use axum::http::StatusCode;
use chorus::access::{Caller, Role, one_time_code};
use chorus::api::wire::AccountChange;
use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(24 * 3600);
const CHANGED: &str = "another long password";

fn disabled(disabled: bool) -> AccountChange {
    AccountChange { disabled: Some(disabled), ..AccountChange::default() }
}

const RESET: fn() -> AccountChange = || AccountChange { reset: true, ..AccountChange::default() };

/// The code of a secret at a moment, by an implementation that is not asked by the gate in this way.
pub fn code(secret: &[u8], at: chorus::model::time::Time) -> String {
    let made = totp_rs::Builder::new().with_secret(secret.to_vec()).with_account_name("x").build().unwrap();
    made.generate(u64::try_from(at.0 / 1000).unwrap()).to_string()
}

/// Turns a second factor on, the way a browser does. The code of this step is used up.
pub async fn with_codes(house: &House, name: &str) -> Vec<u8> {
    let browser = house.signed_in(name).await;
    let page = browser.get("/settings/totp").await.text;
    let text = page.split("<code").nth(1).unwrap().split_once('>').unwrap().1;
    let base32: String = text.split('<').next().unwrap().chars().filter(|c| !c.is_whitespace()).collect();
    let secret = unbase32(&base32);
    let wrong = browser.post("/settings/totp", &[("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
    assert!(!house.gate.account(name).await.unwrap().has_totp);
    let said = browser.post("/settings/totp", &[("code", &code(&secret, house.gate.now()))]).await;
    assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text);
    secret
}

fn unbase32(text: &str) -> Vec<u8> {
    let digit = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap() as u8;
    let bits: Vec<u8> = text.chars().flat_map(|c| (0..5).rev().map(move |n| digit(c) >> n & 1)).collect();
    bits.chunks_exact(8).map(|octet| octet.iter().fold(0, |all, bit| all << 1 | bit)).collect()
}

#[tokio::test]
async fn each_start_makes_another_first_link_until_somebody_can_sign_in() {
    let house = House::new().await;
    let first = house.gate.first_link().await.unwrap().unwrap();
    assert_eq!((first.account.name.as_str(), first.account.role), ("admin", Role::Admin));
    let (first, second) = (first.path.unwrap(), house.gate.first_link().await.unwrap().unwrap().path.unwrap());
    let browser = house.browser();
    assert_eq!(browser.get(&first).await.status, StatusCode::NOT_FOUND);
    let chosen = [("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.post_bare(&first, &chosen).await.status, StatusCode::NOT_FOUND);
    assert!(!browser.is_signed_in().await);
    let said = browser.post_bare(&second, &chosen).await;
    assert_eq!((said.status, said.location()), (StatusCode::SEE_OTHER, "/"));
    assert!(browser.is_signed_in().await);
    assert!(house.gate.first_link().await.unwrap().is_none());
    let other = house.browser();
    assert_eq!(other.post_bare(&second, &chosen).await.status, StatusCode::NOT_FOUND, "it was used");
    assert!(!other.is_signed_in().await);
}

#[tokio::test]
async fn a_link_that_ran_out_or_whose_account_is_disabled_opens_nothing() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let chosen = [("password", PASSWORD), ("again", PASSWORD)];
    let (late, shut) = (house.invited("late", Role::Viewer).await, house.invited("shut", Role::Viewer).await);
    house.change("shut", disabled(true)).await;
    let said = house.browser().post_bare(&format!("/welcome/{shut}"), &chosen).await;
    assert_eq!(said.status, StatusCode::NOT_FOUND);
    house.clock.goes_on(DAY - Duration::from_millis(1));
    assert_eq!(house.browser().get(&format!("/welcome/{late}")).await.status, StatusCode::OK);
    house.clock.goes_on(Duration::from_millis(1));
    let said = house.browser().post_bare(&format!("/welcome/{late}"), &chosen).await;
    assert_eq!(said.status, StatusCode::NOT_FOUND);
    assert!(!house.gate.account("late").await.unwrap().has_password);
}

#[tokio::test]
async fn a_password_that_is_short_or_differs_uses_no_link_up() {
    let house = House::new().await;
    let link = format!("/welcome/{}", house.invited("anna", Role::Admin).await);
    let browser = house.browser();
    for (password, again) in [("elevenchars", "elevenchars"), (PASSWORD, "something else that is long"), ("", "")] {
        let said = browser.post_bare(&link, &[("password", password), ("again", again)]).await;
        assert_eq!(said.status, StatusCode::BAD_REQUEST, "{password}");
    }
    let said = browser.post_bare(&link, &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!(said.status, StatusCode::SEE_OTHER);
    for (old, new) in [(PASSWORD, "short"), ("not the present one", CHANGED)] {
        let said = browser.post("/settings/password", &[("old", old), ("password", new), ("again", new)]).await;
        assert_eq!(said.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(house.browser().sign_in("anna", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_last_admin_who_can_sign_in_stays_one() {
    let house = House::new().await;
    let local = Caller::local(None);
    // Before the first one has signed in there is nobody to be kept.
    house.invited("admin", Role::Admin).await;
    house.account("vera", Role::Viewer).await;
    house.change("vera", AccountChange { role: Some(Role::Operator), ..AccountChange::default() }).await;
    house.account("anna", Role::Admin).await;
    let demoted = || AccountChange { role: Some(Role::Viewer), ..AccountChange::default() };
    for change in [demoted(), disabled(true), RESET()] {
        let refusal = house.gate.change_account(&local, "anna", change).await.err().unwrap();
        assert_eq!(refusal.code, "last-admin");
    }
    let anna = house.signed_in("anna").await;
    for what in ["disable", "reset"] {
        let said = anna.post("/settings/accounts/anna", &[("role", "admin"), ("do", what)]).await;
        assert_eq!(said.status, StatusCode::CONFLICT, "{what}");
    }
    house.account("ben", Role::Admin).await;
    house.change("anna", demoted()).await;
    let refusal = house.gate.change_account(&local, "ben", disabled(true)).await.err().unwrap();
    assert_eq!(refusal.code, "last-admin");
}

#[tokio::test]
async fn whether_an_account_is_there_cannot_be_found_out() {
    let house = House::new().await;
    for (name, role) in [("anna", Role::Admin), ("shut", Role::Viewer), ("coded", Role::Viewer)] {
        house.account(name, role).await;
    }
    with_codes(&house, "coded").await;
    house.change("shut", disabled(true)).await;
    house.invited("fresh", Role::Viewer).await;
    let mut answers = Vec::new();
    let mut times = Vec::new();
    for (n, (name, password)) in [
        ("nobody-here", "wrong wrong wrong"),
        ("anna", "wrong wrong wrong"),
        ("shut", PASSWORD),
        ("coded", PASSWORD),
        ("fresh", "wrong wrong wrong"),
        ("shut", "wrong wrong wrong"),
    ]
    .into_iter()
    .enumerate()
    {
        let browser = house.browser().at(&format!("192.0.2.{}", n + 10));
        #[allow(clippy::disallowed_methods)]
        let began = Instant::now();
        let said = browser.sign_in(name, password, "123456").await;
        times.push(began.elapsed());
        answers.push((said.status, said.text.replace(name, "NAME")));
        assert_eq!(browser.cookie(), "");
    }
    assert_eq!(answers[0].0, StatusCode::BAD_REQUEST);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // Each hashes once; without a hash it would be a hundredth.
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*least * 10 > *most, "{times:?}");
}

#[tokio::test]
async fn whoever_guesses_waits_longer_and_longer() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    house.account("ben", Role::Admin).await;
    let (guesser, anna) = (house.browser().at("198.51.100.1"), house.browser());
    for _ in 0..4 {
        assert_eq!(guesser.sign_in("anna", "wrong wrong wrong", "").await.status, StatusCode::BAD_REQUEST);
    }
    let mut waits = Vec::new();
    for _ in 0..6 {
        let began = house.gate.now();
        // Right or wrong, and from wherever: the account is held.
        let said = anna.sign_in("anna", PASSWORD, "").await;
        assert_eq!(said.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(said.text.contains("too many attempts: the next one counts after 2027-01-15"), "{}", said.text);
        while anna.sign_in("anna", "wrong wrong wrong", "").await.status == StatusCode::TOO_MANY_REQUESTS {
            house.clock.goes_on(Duration::from_millis(500));
        }
        waits.push(began.until(house.gate.now()).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
    assert_eq!(
        house.browser().sign_in("ben", PASSWORD, "").await.status,
        StatusCode::SEE_OTHER,
        "who is not concerned"
    );
    house.clock.goes_on(MINUTE * 2);
    assert_eq!(anna.sign_in("anna", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
    for _ in 0..4 {
        assert_eq!(guesser.sign_in("anna", "wrong wrong wrong", "").await.status, StatusCode::BAD_REQUEST, "from new");
    }
}

#[tokio::test]
async fn an_address_that_guesses_is_held_and_one_from_which_many_sign_in_is_not() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let office = house.browser().at("198.51.100.7");
    for _ in 0..25 {
        assert_eq!(office.sign_in("anna", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
    }
    let guesser = house.browser().at("2001:db8::1");
    for n in 0..20 {
        assert_eq!(guesser.sign_in(&format!("guess-{n}"), "wrong wrong", "").await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(guesser.sign_in("anna", PASSWORD, "").await.status, StatusCode::TOO_MANY_REQUESTS);
    let neighbour = house.browser().at("2001:db8::ffff");
    assert_eq!(
        neighbour.sign_in("anna", PASSWORD, "").await.status,
        StatusCode::TOO_MANY_REQUESTS,
        "it is one network"
    );
    assert_eq!(house.browser().at("2001:db8:1::1").sign_in("anna", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_has_a_session_cannot_guess_the_password_either() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let anna = house.signed_in("anna").await;
    let token = anna.form_token().await;
    let guess = || async {
        let fields = [("old", "wrong wrong wrong"), ("password", CHANGED), ("again", CHANGED), ("form_token", &token)];
        anna.post_bare("/settings/password", &fields).await.status.as_u16()
    };
    let all = futures::future::join_all((0..12).map(|_| guess())).await;
    assert_eq!(all.iter().filter(|status| **status == 400).count(), 4, "{all:?}");
    assert_eq!(all.iter().filter(|status| **status == 429).count(), 8, "{all:?}");
    assert_eq!(anna.post("/settings/totp/off", &[("password", PASSWORD)]).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_one_time_code_is_good_once_and_a_step_around_now() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let secret = with_codes(&house, "anna").await;
    let sign_in = async |code: &str| house.browser().sign_in("anna", PASSWORD, code).await.status;
    let now = START;
    assert_eq!(sign_in(&code(&secret, now)).await, StatusCode::BAD_REQUEST, "it was used to turn it on");
    assert_eq!(sign_in("").await, StatusCode::BAD_REQUEST);
    let at = |steps: u64| START.plus(Duration::from_secs(30 * steps));
    house.clock.goes_on(DAY);
    let day = 2880;
    assert_eq!(sign_in(&code(&secret, at(day - 2))).await, StatusCode::BAD_REQUEST);
    assert_eq!(sign_in(&code(&secret, at(day + 2))).await, StatusCode::BAD_REQUEST);
    assert_eq!(sign_in(&code(&secret, at(day - 1))).await, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&code(&secret, at(day - 1))).await, StatusCode::BAD_REQUEST, "once");
    assert_eq!(sign_in(&code(&secret, at(day))).await, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&code(&secret, at(day + 1))).await, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&code(&secret, at(day))).await, StatusCode::BAD_REQUEST, "those before it are used up, too");
    assert!(one_time_code::step_of(&secret, &code(&secret, at(day)), at(day)).is_some());
}

#[tokio::test]
async fn the_second_factor_goes_with_the_password_alone() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let anna = house.signed_in("anna").await;
    let secret = with_codes(&house, "anna").await;
    // Somebody who took a session over would put one of their own in its place.
    anna.get("/settings/totp").await;
    let mine = [7; 20];
    let caller = Caller::signed_in("anna", Role::Admin, None);
    let refusal = house.gate.set_totp(&caller, &mine, &code(&mine, house.gate.now())).await.unwrap_err();
    assert!(refusal.text.contains("already"), "{refusal}");
    assert_eq!(
        anna.post("/settings/totp/off", &[("password", "wrong wrong wrong")]).await.status,
        StatusCode::BAD_REQUEST
    );
    house.clock.goes_on(MINUTE);
    let now = code(&secret, house.gate.now());
    assert_eq!(house.browser().sign_in("anna", PASSWORD, "").await.status, StatusCode::BAD_REQUEST, "still asked for");
    assert_eq!(house.browser().sign_in("anna", PASSWORD, &now).await.status, StatusCode::SEE_OTHER);
    assert_eq!(anna.post("/settings/totp/off", &[("password", PASSWORD)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.browser().sign_in("anna", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}
