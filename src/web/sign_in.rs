//! Signing in, by a password or for the first time by a link; and out.
//!
//! Invariants: what is wrong is not told apart; after it, the browser goes to a path of ours and nowhere else.

use super::access_pages::{SignInPage, WelcomePage};
use super::here::{Answer, Page, html_with};
use super::session::{self, Auth};
use super::trouble::Trouble;
use super::visit::{Posted, Visit};
use super::{Web, password};
use crate::access::Password;
use crate::api::gate::SignIn;
use crate::api::serve::From;
use crate::api::service::Refusal;
use axum::Form;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// A path of ours; anything else would lead somebody who has just signed in to another site.
pub(super) fn ours(next: &str) -> &str {
    let path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(|c: char| c == '\\' || c.is_control());
    if path && !next.starts_with("/sign-in") { next } else { "/" }
}

fn page(refused: Option<Trouble>, name: String, next: String) -> Answer {
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let page = Page::outside("Sign in");
    html_with(status, &SignInPage { page, refused, name, next })
}

/// `GET /sign-in`
pub async fn form(visit: Option<Extension<Visit>>, Query(Next { next }): Query<Next>) -> Answer {
    match visit {
        Some(_) => Ok(Redirect::to(ours(&next)).into_response()),
        None => page(None, String::new(), ours(&next).to_owned()),
    }
}

/// Too many attempts at a password are told apart from a daemon that cannot work.
pub(super) fn of_attempt(refusal: Refusal) -> Trouble {
    let mut trouble = Trouble::from(refusal);
    if trouble.code == "too-many-attempts" {
        trouble.status = StatusCode::TOO_MANY_REQUESTS;
    }
    trouble
}

#[derive(Deserialize)]
pub struct Typed {
    name: String,
    password: Password,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
pub async fn sign_in(
    State(web): State<Web>,
    mut auth: Auth,
    from: Option<Extension<From>>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Answer {
    let from = from.map(|Extension(from)| from);
    let (name, next) = (typed.name.trim().to_owned(), ours(&typed.next).to_owned());
    let with = SignIn { name: name.clone(), password: typed.password, code: typed.code, address: from.map(|f| f.0) };
    let account = match web.gate.sign_in(with).await {
        Ok(account) => account,
        Err(refusal) => {
            return page(Some(of_attempt(refusal)), name, next);
        }
    };
    session::begin(&mut auth, &web.gate, &account, from, &headers).await?;
    Ok(Redirect::to(&next).into_response())
}

fn welcome_page(refused: Option<Trouble>, name: String, link: &str) -> Answer {
    let status = refused.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    let action = format!("/welcome/{}", super::markup::encoded(link));
    let page = Page::outside("Welcome");
    html_with(status, &WelcomePage { page, refused, name, action, least: crate::access::PASSWORD_SHORTEST })
}

/// `GET /welcome/{link}`
pub async fn welcome(State(web): State<Web>, Path(link): Path<String>) -> Answer {
    let name = web.gate.welcome(&link).await?;
    welcome_page(None, name, &link)
}

#[derive(Deserialize)]
pub struct Chosen {
    password: Password,
    again: Password,
}

/// `POST /welcome/{link}`
pub async fn choose(
    State(web): State<Web>,
    mut auth: Auth,
    from: Option<Extension<From>>,
    headers: HeaderMap,
    Path(link): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Answer {
    let from = from.map(|Extension(from)| from);
    let name = web.gate.welcome(&link).await?;
    let password = match password::twice_the_same(chosen.password, &chosen.again) {
        Ok(password) => password,
        Err(trouble) => return welcome_page(Some(trouble), name, &link),
    };
    match web.gate.choose_password(&link, password, from.map(|from| from.0)).await {
        Ok(account) => {
            session::begin(&mut auth, &web.gate, &account, from, &headers).await?;
            Ok(Redirect::to("/").into_response())
        }
        Err(refusal) if refusal.code == "unfit-password" => welcome_page(Some(refusal.into()), name, &link),
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Deserialize)]
pub struct Nothing {}

/// `POST /sign-out`
pub async fn sign_out(State(web): State<Web>, visit: Visit, auth: Auth, Posted(Nothing {}): Posted<Nothing>) -> Answer {
    // Whoever wants to be signed out is, even where the log cannot be written.
    let name = auth.session.id().map(|id| web.gate.session_name(&id)).unwrap_or_default();
    if let Err(error) = web.gate.end_session(&visit.caller, &name).await {
        tracing::warn!(%error, "that a session was ended could not be noted");
    }
    session::end(auth).await;
    Ok(Redirect::to("/sign-in").into_response())
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn after_signing_in_the_browser_stays_here() {
        assert_eq!(ours("/zones?state=blocked"), "/zones?state=blocked");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "zones",
            "/a\r\nb",
            "/\t/evil.example",
            "/sign-in",
        ] {
            assert_eq!(ours(elsewhere), "/", "{elsewhere}");
        }
    }
}
