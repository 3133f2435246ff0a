//! Which path leads to which page, and what it asks for.
//!
//! Invariant: a page cannot be written into the router without the permission that it asks for ([`Pages::get`],
//! [`Pages::post`]); what is open to everybody has to say so ([`Pages::open`]). A zone that the visitor does not reach
//! does not exist for them.

use super::here::Here;
use super::trouble::{Trouble, dressed, page};
use super::visit::{Visit, to_sign_in};
use super::{
    Web, audit, change, control, events, operator_forms, operators, overview, past, policy, reasons, reports, settings,
    sign_in, statics, zone, zone_add, zones,
};
use crate::access::Permission;
use crate::api::wire::Verb;
use crate::model::dns::{read_name, stored};
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{Extension, Path, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

/// What a route says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub method: Method,
    pub path: &'static str,
    /// `None`: open to everybody.
    pub permission: Option<Permission>,
}

/// A router of pages, each with its permission.
#[derive(Default)]
pub struct Pages {
    pub router: Router<Web>,
    pub declared: Vec<Declared>,
}

impl Pages {
    pub fn get<H, T>(self, path: &'static str, permission: Permission, handler: H) -> Pages
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.guarded(Method::GET, path, permission, get(handler))
    }

    pub fn post<H, T>(self, path: &'static str, permission: Permission, handler: H) -> Pages
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.guarded(Method::POST, path, permission, post(handler))
    }

    /// For everybody, signed in or not.
    pub fn open(mut self, method: Method, path: &'static str, methods: MethodRouter<Web>) -> Pages {
        self.declared.push(Declared { method, path, permission: None });
        self.router = self.router.route(path, methods.route_layer(middleware::from_fn(dress)));
        self
    }

    fn guarded(
        mut self,
        method: Method,
        path: &'static str,
        permission: Permission,
        methods: MethodRouter<Web>,
    ) -> Pages {
        self.declared.push(Declared { method, path, permission: Some(permission) });
        self.router = self.router.route(path, methods.route_layer(middleware::from_fn_with_state(permission, admit)));
        self
    }
}

async fn dress(visit: Option<Extension<Visit>>, request: Request, next: Next) -> Response {
    dressed(next.run(request).await, visit.as_deref())
}

async fn admit(
    State(permission): State<Permission>,
    visit: Option<Extension<Visit>>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Some(Extension(visit)) = visit else { return to_sign_in(request.method(), request.uri().path_and_query()) };
    if !visit.caller.may(permission) {
        return page(Trouble::not_permitted(permission), Some(&visit));
    }
    // What is not UTF-8 names nothing.
    let Ok(params) = params else { return page(Trouble::not_here(), Some(&visit)) };
    if let Some((_, zone)) = params.iter().find(|(name, _)| *name == "zone")
        && !reaches(&visit, zone)
    {
        return page(Trouble::no_zone(zone), Some(&visit));
    }
    dressed(next.run(request).await, Some(&visit))
}

/// What is no name is left to the service, which says so; but not for whoever sees a part of the zones only.
fn reaches(visit: &Visit, zone: &str) -> bool {
    match read_name(zone) {
        Ok(name) => visit.caller.reaches(&stored(&name)),
        Err(_) => visit.caller.below.is_none(),
    }
}

/// What is nowhere.
pub async fn not_found(visit: Option<Extension<Visit>>) -> Response {
    page(Trouble::not_here(), visit.as_deref())
}

/// Everything that a browser gets, but for the API.
pub fn all() -> Pages {
    use Permission::{Admin, ZonesRead};
    let every = pages()
        .open(Method::GET, "/sign-in", get(sign_in::form))
        .open(Method::POST, "/sign-in", post(sign_in::sign_in))
        .open(Method::GET, "/welcome/{link}", get(sign_in::welcome))
        .open(Method::POST, "/welcome/{link}", post(sign_in::choose))
        .post("/sign-out", ZonesRead, sign_in::sign_out)
        .post("/theme", ZonesRead, settings::theme)
        .get("/events", ZonesRead, events::events)
        .get("/settings", ZonesRead, settings::show)
        .post("/settings/password", ZonesRead, settings::password)
        .get("/settings/totp", ZonesRead, settings::totp_form)
        .post("/settings/totp", ZonesRead, settings::totp)
        .post("/settings/totp/off", ZonesRead, settings::totp_off)
        .post("/settings/tokens", ZonesRead, settings::add_token)
        .post("/settings/tokens/{id}/revoke", ZonesRead, settings::revoke_token)
        .post("/settings/sessions/{id}/end", ZonesRead, settings::end_session)
        .post("/settings/accounts", Admin, settings::add_account)
        .post("/settings/accounts/{name}", Admin, settings::change_account);
    Pages { router: every.router.fallback(not_found), ..every }
}

/// All pages but those about accounts and sessions.
pub fn pages() -> Pages {
    use Permission::{
        AuditRead, OperatorsRead, OperatorsWrite, TransitionsPlan, TransitionsRun, ZonesRead, ZonesWrite,
    };
    let pages = Pages::default()
        .open(Method::GET, "/static/{file}", get(statics::file))
        .get("/", ZonesRead, overview::show)
        .get("/zones", ZonesRead, zones::list)
        .get("/zones/export.csv", ZonesRead, zones::export)
        .get("/zones/add", ZonesWrite, zone_add::form)
        .post("/zones/add", ZonesWrite, zone_add::add)
        .get("/zones/{zone}", ZonesRead, zone::show)
        .get("/zones/{zone}/history", ZonesRead, past::history)
        .get("/zones/{zone}/certificate", ZonesRead, past::certificate)
        .get("/zones/{zone}/check", TransitionsPlan, past::check)
        .get("/zones/{zone}/change", TransitionsPlan, change::choose)
        .post("/zones/{zone}/change", TransitionsRun, change::start)
        .get("/zones/{zone}/policy", ZonesRead, policy::form)
        .post("/zones/{zone}/policy", ZonesWrite, policy::change)
        .get("/operators", OperatorsRead, operators::list)
        .get("/operators/add", OperatorsWrite, operator_forms::add_form)
        .post("/operators/add", OperatorsWrite, operator_forms::add)
        .get("/operators/{name}", OperatorsRead, operators::show)
        .post("/operators/{name}/check", OperatorsWrite, operators::check)
        .get("/operators/{name}/set", OperatorsWrite, operator_forms::set_form)
        .post("/operators/{name}/set", OperatorsWrite, operator_forms::set)
        .get("/operators/{name}/rotate", OperatorsWrite, operator_forms::rotate_form)
        .post("/operators/{name}/rotate", OperatorsWrite, operator_forms::rotate)
        .get("/parents", ZonesRead, reports::parents)
        .get("/statistics", ZonesRead, reports::statistics)
        .get("/audit", AuditRead, audit::show)
        .get("/docs/reasons", ZonesRead, reasons::show);
    VERBS.into_iter().fold(pages, |pages, (path, verb)| {
        pages.get(path, TransitionsRun, move |here: Here, zone: Path<String>| control::confirm(here, zone, verb)).post(
            path,
            TransitionsRun,
            move |here, zone, posted| control::act(here, zone, posted, verb),
        )
    })
}

const VERBS: [(&str, Verb); 7] = [
    ("/zones/{zone}/pause", Verb::Pause),
    ("/zones/{zone}/resume", Verb::Resume),
    ("/zones/{zone}/stop", Verb::Stop),
    ("/zones/{zone}/undo", Verb::Undo),
    ("/zones/{zone}/try-now", Verb::TryNow),
    ("/zones/{zone}/repair", Verb::Repair),
    ("/zones/{zone}/registrar-cancelled", Verb::RegistrarCancelled),
];
