//! Sessions: from the cookie to a [`Visit`], and back at the end.
//!
//! Invariants: a session is begun by a password or a one-time link alone, under a new id; it ends after its time, whatever the
//! browser does; nothing is kept of visitors who are not signed in.

use super::visit::{Visit, is_from_here};
use crate::access::Caller;
use crate::api::gate::{ABOUT, Gate, Session, Sessions};
use crate::api::serve::From;
use crate::store::AccountRecord;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum_login::{AuthManagerLayerBuilder, AuthSession};
use std::time::Duration;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

/// That somebody is still there is kept to the minute.
const SEEN_KEPT_TO: Duration = Duration::from_secs(60);

pub type Auth = AuthSession<Gate>;

/// Lets the pages know who looks at them. `secure`: browsers come over TLS.
pub fn with_sessions(pages: Router, gate: Gate, secure: bool) -> Router {
    // A browser takes a cookie of this name over TLS only, from the host itself only, for all paths only.
    let name = if secure { "__Host-chorus" } else { "chorus-on-loopback" };
    let idle = crate::api::gate::SESSION_IDLE.as_secs();
    let idle = tower_sessions::cookie::time::Duration::seconds(i64::try_from(idle).unwrap_or(i64::MAX));
    let sessions = SessionManagerLayer::new(Sessions(gate.clone()))
        .with_name(name)
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(idle));
    let auth = AuthManagerLayerBuilder::new(gate.clone(), sessions).build();
    pages.layer(middleware::from_fn_with_state(gate, visit)).layer(auth)
}

async fn visit(State(gate): State<Gate>, auth: Auth, mut request: Request, next: Next) -> Response {
    if !request.method().is_safe() && !is_from_here(&request) {
        let text = "This was asked for by another site, and nothing was done.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let address = request.extensions().get::<From>().map(|from| from.0);
    if let Some(account) = auth.user.clone() {
        match about(&auth).await {
            Some(about) if !about.is_over(gate.now()) => {
                seen(&auth, &gate, &about).await;
                request.extensions_mut().insert(Visit {
                    caller: Caller::signed_in(&account.name, account.role, address),
                    form_token: about.form_token,
                    theme: account.theme,
                });
            }
            _ => end(auth.clone()).await,
        }
    }
    next.run(request).await
}

async fn about(auth: &Auth) -> Option<Session> {
    auth.session.get::<Session>(ABOUT).await.ok().flatten()
}

async fn seen(auth: &Auth, gate: &Gate, about: &Session) {
    let now = gate.now();
    if crate::model::time::Time(about.seen_at_ms).until(now) < SEEN_KEPT_TO {
        return;
    }
    let about = Session { seen_at_ms: now.0, ..about.clone() };
    if let Err(error) = auth.session.insert(ABOUT, about).await {
        tracing::warn!(%error, "that somebody is still there could not be kept");
    }
}

/// Begins a session for somebody who has just shown who they are.
pub async fn begin(
    auth: &mut Auth,
    gate: &Gate,
    account: &AccountRecord,
    from: Option<From>,
    headers: &axum::http::HeaderMap,
) -> Result<(), StatusCode> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a session could not be begun");
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Whatever the browser came with is no session of ours from now on.
    auth.session.flush().await.map_err(|e| failed(&e))?;
    let browser = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let about = gate.new_session(&account.name, from.map(|from| from.0.to_string()), browser);
    auth.session.insert(ABOUT, about).await.map_err(|e| failed(&e))?;
    auth.login(account).await.map_err(|e| failed(&e))
}

/// Goes on after the account's password or role was changed by its owner, under a new id.
pub async fn go_on(auth: &mut Auth, account: &AccountRecord) -> Result<(), StatusCode> {
    auth.session.cycle_id().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    auth.login(account).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

pub async fn end(mut auth: Auth) {
    if let Err(error) = auth.logout().await {
        tracing::warn!(%error, "a session could not be ended");
    }
}
