//! Who looks at a page, and the forms that they send.
//!
//! Invariant: a [`Visit`] exists only for somebody who is signed in; a [`Posted`] form only if it came from one of our own
//! pages in the same session.

use crate::access::Caller;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

/// The hidden field of every form.
pub const FORM_TOKEN: &str = "form_token";

/// A signed-in person's look at a page.
#[derive(Clone, Debug)]
pub struct Visit {
    pub caller: Caller,
    /// Goes into every form, as the hidden field `form_token`.
    pub form_token: String,
    /// `light`, `dark`, or empty: as the browser has it.
    pub theme: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visit, Response> {
        parts.extensions.get::<Visit>().cloned().ok_or_else(|| to_sign_in(&parts.method, parts.uri.path_and_query()))
    }
}

/// Where nobody who is not signed in gets any further; afterwards they come back to where they wanted to go.
pub(super) fn to_sign_in(method: &Method, wanted: Option<&axum::http::uri::PathAndQuery>) -> Response {
    let wanted = wanted.map(|wanted| wanted.as_str()).filter(|wanted| *method == Method::GET && *wanted != "/");
    match wanted {
        None => Redirect::to("/sign-in").into_response(),
        Some(wanted) => {
            let query = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
            Redirect::to(&format!("/sign-in?{query}")).into_response()
        }
    }
}

/// A form, without its `form_token`, which has been checked.
pub struct Posted<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Posted<T>, Response> {
        let Some(visit) = request.extensions().get::<Visit>().cloned() else {
            return Err(to_sign_in(request.method(), None));
        };
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let bad = |_| (StatusCode::BAD_REQUEST, "this is not a form of these pages\n").into_response();
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).map_err(bad)?;
        let (tokens, rest): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name == FORM_TOKEN);
        let [(_, token)] = tokens.as_slice() else { return Err(not_ours()) };
        if !bool::from(token.as_bytes().ct_eq(visit.form_token.as_bytes())) {
            return Err(not_ours());
        }
        let rest = serde_urlencoded::to_string(rest).map_err(|_| not_ours())?;
        serde_urlencoded::from_str(&rest).map(Posted).map_err(bad)
    }
}

fn not_ours() -> Response {
    let text = "This form is not from your present session: go back, load the page again, and send it once more.\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Whether a request that changes something comes from one of our own pages, as far as the browser says.
pub(super) fn is_from_here(request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = text("host").or_else(|| request.uri().authority().map(|authority| authority.as_str()));
            let host_of_origin = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == host_of_origin
        }
        // No browser that is in use. What it sends still needs the session's own token, or a password.
        (None, None) => true,
    }
}
