//! Routes that say what they ask of whoever asks, and stand in the document as they are.
//!
//! Invariants: there is no way to add a route without a permission, and none to add one that the document does not have; whoever
//! lacks the permission is answered before the handler is.

use super::Api;
use super::document::Document;
use super::extract::{Refused, not_utf8, refuse, unknown};
use super::tags;
use crate::access::{Caller, Permission};
use crate::api::controller::zone_name;
use crate::api::idempotency;
use crate::model::dns::stored;
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::UtoipaMethodRouter;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    /// Below `/api/v1`.
    pub path: String,
    pub permission: Permission,
    pub reach: Reach,
}

#[derive(Default)]
pub(super) struct Declared {
    pub router: Router<Api>,
    pub table: Vec<Route>,
    pub document: Document,
}

impl Declared {
    /// `handler`: from `routes!`, which has method and path from the handler's annotation.
    pub fn route(mut self, handler: UtoipaMethodRouter<Api>, permission: Permission, reach: Reach) -> Declared {
        let (schemas, paths, handler) = handler;
        self.document.define(schemas);
        let mut handler = Some(handler);
        for (path, item) in paths.paths {
            let Some(mut handler) = handler.take() else { continue };
            for (method, operation) in operations(item) {
                let route = Route { method, path: path.clone(), permission, reach };
                if tags::is_tagged(&operation) {
                    handler = handler.layer(middleware::from_fn(tags::tagged));
                }
                if method != "GET" {
                    handler = handler.layer(middleware::from_fn(idempotency::once));
                }
                self.document.add(&route, &operation);
                self.table.push(route);
            }
            let guarded = handler
                .layer(middleware::from_fn(move |params, request, next| ask(permission, reach, params, request, next)));
            self.router = self.router.route(&path, guarded);
        }
        self
    }
}

fn operations(item: PathItem) -> impl Iterator<Item = (&'static str, Operation)> {
    let all =
        [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("PATCH", item.patch), ("DELETE", item.delete)];
    all.into_iter().filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

async fn ask(
    permission: Permission,
    reach: Reach,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(params) = params else { return not_utf8().into_response() };
    let Some(caller) = request.extensions().get::<Caller>() else { return unknown().into_response() };
    if !caller.may(permission) {
        let text = format!("{} does not have {permission}, which this needs", caller.name);
        let fix = "Use another token, or ask an admin for one, or for another role";
        return refuse(StatusCode::FORBIDDEN, "not-permitted", &text, fix);
    }
    if caller.below.is_some() {
        let reached = match reach {
            Reach::Filtered => true,
            Reach::Everything => false,
            Reach::Named => {
                let named = params.iter().find(|(key, _)| *key == "zone").map(|(_, zone)| zone_name(zone));
                match named {
                    Some(Ok(zone)) => caller.reaches(&stored(&zone)),
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
