//! Who looks at a page, and the forms that they send.
//!
//! Invariant: a [`Visit`] exists only for somebody who is signed in; a [`Posted`] form only if it came from one of our own
//! pages in the same session.

use crate::access::Caller;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

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
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visit, StatusCode> {
        parts.extensions.get::<Visit>().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// A form, without its `form_token`, which has been checked.
pub struct Posted<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Posted<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, state: &S) -> Result<Posted<T>, StatusCode> {
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|axum::Form(form)| Posted(form)).map_err(|_| StatusCode::BAD_REQUEST)
    }
}
