//! What went wrong, as a page or as a box in a form: a sentence, what to do, and the code with its explanation.
//!
//! A handler answers with a [`Trouble`]; only [`super::routes`] knows who looks, and makes the page of it ([`page`]).

use super::here::{Page, Place, html_with};
use super::markup;
use super::visit::Visit;
use crate::access::Permission;
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::At;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub status: StatusCode,
    /// Explained at `/docs/reasons`.
    pub code: &'static str,
    /// One sentence, without a full stop.
    pub text: String,
    pub fix: Option<String>,
    pub retry_at: Option<At>,
}

impl Trouble {
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Trouble {
        Trouble { status, code, text: text.into(), fix: Some(fix.into()), retry_at: None }
    }

    /// What somebody typed into a form.
    pub fn typed(text: impl Into<String>) -> Trouble {
        Trouble { fix: None, ..Trouble::new(StatusCode::BAD_REQUEST, "bad-request", text, "") }
    }

    pub fn not_permitted(permission: Permission) -> Trouble {
        let text = format!("this needs the permission {permission}, which your account does not have");
        Trouble::new(StatusCode::FORBIDDEN, "not-permitted", text, "Ask an administrator of this Chorus for it")
    }

    pub fn not_here() -> Trouble {
        let fix = "Look for it in the navigation, or in the list of zones";
        Trouble::new(StatusCode::NOT_FOUND, "unknown-path", "there is nothing at this address", fix)
    }

    pub fn no_zone(name: &str) -> Trouble {
        let text = format!("there is no zone '{name}' here");
        Trouble::new(StatusCode::NOT_FOUND, "unknown-zone", text, "Look for it in the list of zones, or adopt it")
    }

    /// Not the visitor's fault.
    pub fn of_ours(error: &dyn fmt::Display) -> Trouble {
        tracing::error!(%error, "a page could not be made");
        let fix = "Look at the daemon's log, and report it";
        Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a fault of Chorus itself", fix)
    }

    /// For an answer that has a status and no words.
    fn of_status(status: StatusCode) -> Trouble {
        let (code, text, fix) = match status {
            StatusCode::NOT_FOUND => return Trouble::not_here(),
            StatusCode::METHOD_NOT_ALLOWED => ("unknown-method", "this page is not for that", "Open it by its link"),
            StatusCode::UNAUTHORIZED => ("not-authorised", "nobody is signed in", "Sign in"),
            StatusCode::FORBIDDEN => (
                "form-expired",
                "the form did not come from this session",
                "Open the page again, and send it from there",
            ),
            _ if status.is_client_error() => {
                ("bad-request", "the request cannot be read", "Go back, and look at what was typed")
            }
            _ => ("internal", "this is a fault of Chorus itself", "Look at the daemon's log, and report it"),
        };
        Trouble::new(status, code, text, fix)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Trouble {
        let status = match refusal.kind {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Preflight => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let Refusal { code, text, fix, retry_at, .. } = refusal;
        Trouble { status, code, text, fix: fix.map(String::from), retry_at }
    }
}

impl From<StatusCode> for Trouble {
    fn from(status: StatusCode) -> Trouble {
        Trouble::of_status(status)
    }
}

/// Carries the trouble as far as [`dressed`].
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Shown {
    page: Page,
    trouble: Trouble,
}

/// The page of a trouble.
pub fn page(trouble: Trouble, visit: Option<&Visit>) -> Response {
    let title = match trouble.status {
        StatusCode::NOT_FOUND => "Not here",
        StatusCode::FORBIDDEN => "Not permitted",
        StatusCode::CONFLICT => "Somebody was quicker",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        status if status.is_server_error() => "A fault of Chorus",
        _ => "Refused",
    };
    let page = match visit {
        Some(visit) => Page::of(visit, Place::Elsewhere, title),
        None => Page::outside(title),
    };
    let status = trouble.status;
    html_with(status, &Shown { page, trouble }).unwrap_or_else(|_| status.into_response())
}

/// An answer as it goes out: one that failed without a page of its own gets one.
pub fn dressed(mut response: Response, visit: Option<&Visit>) -> Response {
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        return page(trouble, visit);
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let is_page = response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if failed && !is_page { page(Trouble::of_status(status), visit) } else { response }
}
