//! What every page begins with: whoever looks, the service as it answers them, and the frame of the page.
//!
//! Invariant: a page asks the service only through [`Here::service`], which acts in the visitor's name.

use super::Web;
use super::markup::zone_path;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::access::Permission;
use crate::api::service::{Refusal, RefusalKind, Service};
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

/// What a page's handler answers: where it fails, the frame makes a page of the trouble.
pub type Answer = Result<Response, Trouble>;

/// A visit to one page.
pub struct Here {
    pub visit: Visit,
    /// Acts in the visitor's name, and sees only what they reach.
    pub service: Arc<dyn Service>,
    path: String,
    notice: Option<&'static str>,
}

impl FromRequestParts<Web> for Here {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Here, Response> {
        let visit = Visit::from_request_parts(parts, web).await?;
        let service = web.service.clone().by(&visit.caller);
        let path = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let notice = parts.uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("notice=")));
        Ok(Here { visit, service, path, notice: notice.and_then(notice_text) })
    }
}

impl Here {
    pub fn page(&self, place: Place, title: impl Into<String>) -> Page {
        let mut page = Page::of(&self.visit, place, title);
        page.path.clone_from(&self.path);
        page.notice = self.notice;
        page
    }
}

/// What was done, told on the page that a form leads to. The code is in its address; the sentence is only ever one of these.
const NOTICES: [(&str, &str); 18] = [
    ("started", "The transition has begun."),
    ("nothing", "The zone is there already: nothing was started."),
    ("paused", "Paused: new keys are still shared, nothing else is written."),
    ("resumed", "Resumed: it goes on."),
    ("stopping", "It goes on to the nearest rest state, and stops there."),
    ("undoing", "It is being undone: back to the group from before, under the same guards."),
    ("tried", "Looked at again just now; what failed was tried again."),
    ("repairing", "The repair has begun: Chorus puts right what the group lacks."),
    ("registrar-cancelled", "Chorus no longer waits for the earlier request to the registrar."),
    ("policy", "The policy is changed."),
    ("adopted", "The zone is adopted. Nothing was written anywhere."),
    ("operator-added", "The operator is added. Its credential is stored sealed, and is never shown again."),
    ("operator-changed", "The operator is changed."),
    ("rotated", "The new credential was tried and is in use; the old one is gone."),
    ("account-changed", "The account is changed."),
    ("token-revoked", "The token does not work any more."),
    ("session-ended", "The session is ended."),
    ("password-changed", "The password is changed."),
];

fn notice_text(code: &str) -> Option<&'static str> {
    NOTICES.iter().find(|(name, _)| *name == code).map(|(_, text)| *text)
}

/// Where a page is in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Overview,
    Zones,
    Operators,
    Parents,
    Statistics,
    Audit,
    Settings,
    Elsewhere,
}

/// A link in the navigation.
pub struct Link {
    pub text: &'static str,
    pub href: &'static str,
    pub current: bool,
}

/// A step of the way from the overview to this page.
pub struct Crumb {
    pub text: String,
    pub href: String,
}

/// The frame of a page. Fields are what `layout.html` shows.
pub struct Page {
    pub title: String,
    pub place: Place,
    pub crumbs: Vec<Crumb>,
    /// `None` before anybody has signed in.
    pub visit: Option<Visit>,
    pub notice: Option<&'static str>,
    /// Whether it shows what changes by itself.
    pub live: bool,
    /// The zone whose changes concern it; all, if there is none.
    pub zone: Option<String>,
    /// Path and query: where the theme's form comes back to.
    pub path: String,
}

impl Page {
    pub fn of(visit: &Visit, place: Place, title: impl Into<String>) -> Page {
        let mut page = Page::outside(title);
        page.place = place;
        page.visit = Some(visit.clone());
        page
    }

    /// Of somebody who has not signed in.
    pub fn outside(title: impl Into<String>) -> Page {
        Page {
            title: title.into(),
            place: Place::Elsewhere,
            crumbs: Vec::new(),
            visit: None,
            notice: None,
            live: false,
            zone: None,
            path: "/".to_owned(),
        }
    }

    pub fn crumb(mut self, text: impl Into<String>, href: impl Into<String>) -> Page {
        self.crumbs.push(Crumb { text: text.into(), href: href.into() });
        self
    }

    /// Below a zone's own page.
    pub fn below_zone(self, zone: &str) -> Page {
        let href = format!("/zones/{}", zone_path(zone));
        self.crumb("Zones", "/zones").crumb(zone, href)
    }

    pub fn live(mut self, zone: Option<&str>) -> Page {
        self.live = true;
        self.zone = zone.map(str::to_owned);
        self
    }

    /// Where a page without scripts loads itself anew: what was done a while ago is not told again. `None`: where it is.
    pub fn anew(&self) -> Option<String> {
        self.notice?;
        let (path, query) = self.path.split_once('?')?;
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("notice=")).collect();
        Some(if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) })
    }

    pub fn theme(&self) -> &str {
        self.visit.as_ref().map_or("", |visit| &visit.theme)
    }

    pub fn form_token(&self) -> &str {
        self.visit.as_ref().map_or("", |visit| &visit.form_token)
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.visit.as_ref().is_some_and(|visit| visit.caller.may(permission))
    }

    pub fn may_run(&self) -> bool {
        self.may(Permission::TransitionsRun)
    }

    pub fn may_plan(&self) -> bool {
        self.may(Permission::TransitionsPlan)
    }

    pub fn may_write_zones(&self) -> bool {
        self.may(Permission::ZonesWrite)
    }

    pub fn may_read_operators(&self) -> bool {
        self.may(Permission::OperatorsRead)
    }

    pub fn may_write_operators(&self) -> bool {
        self.may(Permission::OperatorsWrite)
    }

    pub fn may_admin(&self) -> bool {
        self.may(Permission::Admin)
    }

    /// Only what the visitor may see.
    pub fn navigation(&self) -> Vec<Link> {
        let all = [
            (Place::Overview, "Overview", "/", Permission::ZonesRead),
            (Place::Zones, "Zones", "/zones", Permission::ZonesRead),
            (Place::Operators, "Operators", "/operators", Permission::OperatorsRead),
            (Place::Parents, "Parents", "/parents", Permission::ZonesRead),
            (Place::Statistics, "Statistics", "/statistics", Permission::ZonesRead),
            (Place::Audit, "Audit", "/audit", Permission::AuditRead),
        ];
        let link = |place, text, href| Link { text, href, current: place == self.place };
        let seen = all.into_iter().filter(|(.., permission)| self.may(*permission));
        let mut links: Vec<Link> = seen.map(|(place, text, href, _)| link(place, text, href)).collect();
        if self.visit.is_some() {
            links.push(link(Place::Settings, "Settings", "/settings"));
        }
        links
    }
}

/// A template as an answer.
pub fn html(template: &impl Template) -> Answer {
    html_with(StatusCode::OK, template)
}

pub fn html_with(status: StatusCode, template: &impl Template) -> Answer {
    let text = template.render().map_err(|error| Trouble::of_ours(&error))?;
    Ok((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}

/// After a form: to a page of ours, with one of the notices.
pub fn go_to(path: &str, notice: &str) -> Answer {
    let joint = if path.contains('?') { '&' } else { '?' };
    Ok(Redirect::to(&format!("{path}{joint}notice={notice}")).into_response())
}

/// A change that was begun comes to its end, whether or not whoever asked for it is still there.
pub async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(change).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended in a fault of this program");
        let text = "this is a fault of Chorus itself";
        Err(Refusal::new(RefusalKind::Unavailable, "internal", text)
            .with_fix("Look at the daemon's log, and report it"))
    })
}
