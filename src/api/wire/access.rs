//! Accounts, tokens and sessions on the wire. What is secret is in one answer only: the one that made it.

use super::At;
use crate::access::{Permission, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An account, without what it signs in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountShow {
    pub name: String,
    pub role: Role,
    /// Whether a one-time code is asked for, too.
    pub totp: bool,
    /// Nobody signs in with it, and its tokens do not work.
    pub disabled: bool,
    /// Whether it has a password; without one its one-time link was not used yet.
    pub has_password: bool,
    pub created_at: At,
    pub last_seen_at: Option<At>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    pub accounts: Vec<AccountShow>,
    pub now: At,
}

/// `POST /accounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountAdd {
    pub name: String,
    pub role: Role,
}

/// `PATCH /accounts/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Takes the password and the second factor away, and makes another one-time link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

/// The answer to [`AccountAdd`], and to a reset: whoever has the path may choose the password, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountLink {
    pub account: AccountShow,
    /// Below the daemon's address: `/welcome/…`. `None` where no link was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<At>,
}

/// An API token, without what it signs in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenShow {
    pub id: String,
    /// What it is for.
    pub label: String,
    pub account: String,
    pub scopes: Vec<Permission>,
    /// Only zones at or below this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    pub created_at: At,
    pub expires_at: At,
    pub last_used_at: Option<At>,
    pub revoked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    pub tokens: Vec<TokenShow>,
    pub now: At,
}

/// `POST /tokens`: never more than the account that makes it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAdd {
    pub label: String,
    pub scopes: Vec<Permission>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// A year at most.
    pub valid_for_s: u64,
}

/// The answer to [`TokenAdd`]: the only one that ever holds the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    pub token: TokenShow,
    pub secret: String,
}

/// A session of the web interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionShow {
    /// No secret: it only names the session.
    pub id: String,
    pub account: String,
    pub began_at: At,
    pub last_seen_at: At,
    pub ends_at: At,
    pub address: Option<String>,
    pub browser: String,
}
