//! The pages about accounts: their templates, with values such as the handlers give them.

use crate::hostile::{is_clean, texts_of_the_hostile};
use crate::html::Page;
use crate::sample::at;
use crate::stage::visit;
use askama::Template;
use axum::http::StatusCode;
use chorus::access::{Permission, Role};
use chorus::api::wire::{AccountShow, SessionShow, TokenShow};
use chorus::web::access_pages::{LinkMadePage, SettingsPage, SignInPage, TokenMadePage, TotpPage, WelcomePage};
use chorus::web::here::{Page as Frame, Place};
use chorus::web::trouble::Trouble;

fn account(name: &str, role: Role) -> AccountShow {
    let (totp, disabled, has_password) = (role == Role::Admin, role == Role::Viewer, role != Role::Viewer);
    AccountShow { name: name.into(), role, totp, disabled, has_password, created_at: at(-9), last_seen_at: None }
}

fn token(text: &str) -> TokenShow {
    TokenShow {
        id: text.into(),
        label: text.into(),
        account: text.into(),
        scopes: vec![Permission::ZonesRead, Permission::AuditRead],
        below: Some(text.into()),
        created_at: at(-9),
        expires_at: at(86_400),
        last_used_at: None,
        revoked: false,
    }
}

fn session(id: &str, text: &str) -> SessionShow {
    SessionShow {
        id: id.into(),
        account: text.into(),
        began_at: at(-900),
        last_seen_at: at(-9),
        ends_at: at(900),
        address: None,
        browser: text.into(),
    }
}

fn settings(role: Role, text: &str) -> String {
    let page = SettingsPage {
        page: Frame::of(&visit(role), Place::Settings, "Settings"),
        refused: None,
        account: account(text, role),
        session: "1".into(),
        sessions: vec![session("1", text), session("2", text)],
        tokens: vec![token(text)],
        scopes: role.permissions().to_vec(),
        accounts: if role == Role::Admin { Role::ALL.map(|role| account(text, role)).to_vec() } else { Vec::new() },
        now: at(0),
    };
    page.render().unwrap()
}

fn refused(text: &str) -> Option<Trouble> {
    Some(Trouble::new(StatusCode::UNAUTHORIZED, "wrong-password", text, text))
}

#[test]
fn each_page_about_accounts_holds_what_it_is_given_as_text() {
    let texts = [vec!["anna".to_owned()], texts_of_the_hostile()].concat();
    for text in texts.iter().map(String::as_str) {
        for role in Role::ALL {
            is_clean(&settings(role, text), "settings");
        }
        let outside = || Frame::outside("Sign in");
        let inside = || Frame::of(&visit(Role::Viewer), Place::Settings, "Settings");
        let (name, next) = (text.to_owned(), text.to_owned());
        let sign_in = SignInPage { page: outside(), refused: refused(text), name, next };
        let name = text.to_owned();
        let action = "/welcome/x".to_owned();
        let welcome = WelcomePage { page: outside(), refused: refused(text), name, action, least: 12 };
        let picture = "<svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>".to_owned();
        let totp = TotpPage { page: inside(), refused: refused(text), picture, secret: text.to_owned() };
        let made = TokenMadePage { page: inside(), token: token(text), secret: text.to_owned() };
        let account = account(text, Role::Operator);
        let link = LinkMadePage { page: inside(), account, link: text.to_owned(), valid_until: Some(at(60)) };
        for html in [sign_in.render(), welcome.render(), totp.render(), made.render(), link.render()] {
            is_clean(&html.unwrap(), "a page about accounts");
        }
    }
}

#[test]
fn accounts_of_others_are_shown_to_administrators_only() {
    let forms = |role| {
        let page = Page::read(&settings(role, "anna"));
        page.all("form")
            .filter(|form| form.get("action").is_some_and(|to| to.starts_with("/settings/accounts")))
            .count()
    };
    assert_eq!(forms(Role::Admin), 4);
    assert_eq!((forms(Role::Operator), forms(Role::Viewer)), (0, 0));
}

#[test]
fn whoever_has_not_signed_in_sees_no_navigation() {
    let page = SignInPage { page: Frame::outside("Sign in"), refused: None, name: String::new(), next: "/".into() };
    let page = Page::read(&page.render().unwrap());
    assert!(page.all("nav").next().is_none());
    assert_eq!(page.all("form").count(), 1);
}
