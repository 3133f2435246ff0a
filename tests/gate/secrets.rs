//! What signs somebody in is nowhere in the database and nowhere in the log: as it is, in hexadecimal, or in base64.

use crate::accounts::{code, with_codes};
use crate::house::{House, PASSWORD};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chorus::access::{Permission, Role};
use std::io::Write;
use std::sync::{Arc, Mutex};

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

/// The ways in which it could be there.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    let texts = [hex.to_uppercase(), hex, STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
    let mut forms: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    forms.push(secret.to_vec());
    forms
}

fn has(octets: &[u8], form: &[u8]) -> bool {
    octets.windows(form.len()).any(|window| window == form)
}

#[tokio::test]
async fn nothing_that_signs_somebody_in_is_in_the_database_or_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    // Of the other tests, too: what they log has none of these in it either.
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let house = House::new().await;
    let unused = house.invited("ben", Role::Viewer).await;
    let used = house.invited("anna", Role::Admin).await;
    let password = "a password that is in this test alone";
    let browser = house.browser();
    browser.post_bare(&format!("/welcome/{used}"), &[("password", password), ("again", password)]).await;
    assert!(browser.is_signed_in().await);
    house.account("dora", Role::Viewer).await;
    let totp = with_codes(&house, "dora").await;
    let pending =
        house.signed_in_with("dora", &code(&totp, house.gate.now().plus(std::time::Duration::from_secs(30)))).await;
    pending.get("/settings/totp").await;
    let (_, token) = house.token(("anna", Role::Admin), &[Permission::ZonesRead], None).await;
    house.api("GET", "/zones", Some(&token), "").await;
    house.api("GET", "/zones", Some(house.token.expose()), "").await;
    browser.sign_in("anna", "a wrong password that is in this test alone", "").await;
    house.browser().sign_in(password, PASSWORD, "").await;
    let cookie = browser.cookie().split_once('=').unwrap().1.to_owned();
    let id = URL_SAFE_NO_PAD.decode(&cookie).unwrap();
    assert_eq!(id.len(), 16);
    let number = i128::from_le_bytes(id.as_slice().try_into().unwrap()).to_string();
    let mut database = Vec::new();
    for file in std::fs::read_dir(house.dir.path()).unwrap() {
        database.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let log = log.0.lock().unwrap().clone();
    let secrets: [(&str, &[u8]); 10] = [
        ("a cookie", cookie.as_bytes()),
        ("what it stands for", &id),
        ("that as a number", number.as_bytes()),
        ("a password", password.as_bytes()),
        ("a wrong password", b"a wrong password that is in this test alone"),
        ("a second factor", &totp),
        ("a link", used.as_bytes()),
        ("a link that was not used", unused.as_bytes()),
        ("an API token", token.as_bytes()),
        ("the token file's", house.token.expose().as_bytes()),
    ];
    for (what, secret) in secrets {
        for form in forms(secret) {
            assert!(!has(&database, &form), "{what} is in the database: {}", String::from_utf8_lossy(&form));
            assert!(!has(&log, &form), "{what} is in the log: {}", String::from_utf8_lossy(&form));
        }
    }
    let hexed = STANDARD.encode("anything at all");
    assert!(forms(b"anything at all").contains(&hexed.trim_end_matches('=').as_bytes().to_vec()));
    // Where it was looked at, things are found.
    assert!(has(&database, b"$argon2id$") && has(&database, b"account-added") && log.len() > 10_000);
}
