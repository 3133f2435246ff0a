//! Routes that say what they ask of whoever asks.
//!
//! Invariant: there is no way to add a route without a permission; whoever lacks it is answered before the handler is.

use super::Api;
use super::extract::{Refused, refuse, unknown};
use crate::access::{Caller, Permission};
use crate::api::controller::zone_name;
use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

/// Which zones a route is about, for callers who reach some only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The one in its path.
    Named,
    /// All, of which the answer has those that the caller reaches.
    Filtered,
    /// It is not about some zones: not for callers who are limited to some.
    Everything,
}

/// One call, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    /// Below `/api/v1`.
    pub path: &'static str,
    pub permission: Permission,
    pub reach: Reach,
}

#[derive(Default)]
pub(super) struct Declared {
    pub router: Router<Api>,
    pub table: Vec<Route>,
}

impl Declared {
    pub fn route(
        mut self,
        method: &'static str,
        path: &'static str,
        permission: Permission,
        reach: Reach,
        handler: MethodRouter<Api>,
    ) -> Declared {
        let route = Route { method, path, permission, reach };
        let guarded =
            handler.layer(middleware::from_fn(move |params, request, next| ask(route, params, request, next)));
        self.router = self.router.route(path, guarded);
        self.table.push(route);
        self
    }
}

async fn ask(route: Route, params: RawPathParams, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else { return unknown().into_response() };
    if !caller.may(route.permission) {
        let text = format!("{} does not have {}, which this needs", caller.name, route.permission);
        let fix = "Use another token, or ask an admin for one, or for another role";
        return refuse(StatusCode::FORBIDDEN, "not-permitted", &text, fix);
    }
    if caller.below.is_some() {
        let reached = match route.reach {
            Reach::Filtered => true,
            Reach::Everything => false,
            Reach::Named => {
                let named = params.iter().find(|(key, _)| *key == "zone").map(|(_, zone)| zone_name(zone));
                match named {
                    Some(Ok(zone)) => caller.reaches(&zone.to_string()),
                    Some(Err(refusal)) => return Refused::from(refusal).into_response(),
                    None => false,
                }
            }
        };
        if !reached {
            let text = "this token is limited to some zones, and this is not about them";
            let fix = "Use a token that is not, or that reaches this zone";
            return refuse(StatusCode::FORBIDDEN, "not-reached", text, fix);
        }
    }
    next.run(request).await
}
