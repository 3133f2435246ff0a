//! The pages about whoever signs in: their templates' values. The handlers are those of sessions and accounts.
//!
//! Invariant: a secret stands in [`TokenMadePage`], [`LinkMadePage`] and [`TotpPage`] alone, the answers to the request
//! that made it.

use super::here::Page;
use super::markup;
use super::trouble::Trouble;
use crate::access::{Permission, Role};
use crate::api::wire::{AccountShow, At, SessionShow, TokenShow};
use askama::Template;

/// `GET /sign-in`; posts `name`, `password`, `code` and `next`.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub page: Page,
    pub refused: Option<Trouble>,
    /// What was typed before.
    pub name: String,
    /// Where to go afterwards: a path of ours.
    pub next: String,
}

/// `GET /welcome/{link}`; posts `password` and `again` to the same path.
#[derive(Template)]
#[template(path = "welcome.html")]
pub struct WelcomePage {
    pub page: Page,
    pub refused: Option<Trouble>,
    pub name: String,
    /// The path that it posts to.
    pub action: String,
    /// In characters.
    pub least: usize,
}

/// `GET /settings/totp`; posts `code`.
#[derive(Template)]
#[template(path = "totp.html")]
pub struct TotpPage {
    pub page: Page,
    pub refused: Option<Trouble>,
    /// SVG of our own making.
    pub picture: String,
    /// The same as text.
    pub secret: String,
}

/// The answer to `POST /settings/tokens`.
#[derive(Template)]
#[template(path = "token_made.html")]
pub struct TokenMadePage {
    pub page: Page,
    pub token: TokenShow,
    pub secret: String,
}

/// The answer to `POST /settings/accounts` and to a reset.
#[derive(Template)]
#[template(path = "link_made.html")]
pub struct LinkMadePage {
    pub page: Page,
    pub account: AccountShow,
    /// The whole address.
    pub link: String,
    pub valid_until: Option<At>,
}

/// `GET /settings`. Its forms post to `/settings/password` (`old`, `password`, `again`), `/settings/totp/off`
/// (`password`), `/settings/tokens` (`label`, `scope` repeatedly, `below`, `days`), `/settings/tokens/{id}/revoke`,
/// `/settings/sessions/{id}/end`, `/settings/accounts` (`name`, `role`) and `/settings/accounts/{name}` (`role`, and
/// `do`: `role`, `disable`, `enable` or `reset`).
#[derive(Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub page: Page,
    pub refused: Option<Trouble>,
    pub account: AccountShow,
    /// The session that looks.
    pub session: String,
    pub sessions: Vec<SessionShow>,
    pub tokens: Vec<TokenShow>,
    /// What a token of this account may be given.
    pub scopes: Vec<Permission>,
    /// For administrators; else empty.
    pub accounts: Vec<AccountShow>,
    pub now: At,
}

impl SettingsPage {
    fn roles(&self) -> [Role; 3] {
        Role::ALL
    }
}
