//! A browser without scripts: asks for pages as somebody with a role, follows links and sends forms.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use chorus::access::{Caller, Role};
use chorus::api::gate::Gate;
use chorus::api::service::Service;
use chorus::api::token::Token;
use chorus::web::Web;
use chorus::web::events::Streams;
use chorus::web::routes::{not_found, pages};
use chorus::web::visit::Visit;
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;

/// Of every form.
pub const FORM_TOKEN: &str = "form-token-of-the-session";

pub struct Answer {
    pub status: StatusCode,
    pub location: Option<String>,
    pub kind: String,
    pub text: String,
}

pub struct Browser {
    router: Router,
}

pub fn visit(role: Role) -> Visit {
    Visit {
        caller: Caller::signed_in(role.name(), role, None),
        form_token: FORM_TOKEN.to_owned(),
        theme: "dark".to_owned(),
    }
}

/// A gate that no page of these tests goes through.
fn nobodys_gate() -> Gate {
    static GATE: OnceLock<Gate> = OnceLock::new();
    let made = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(crate::fake::gate(Token::new(&mut rand::rng())))
    };
    GATE.get_or_init(|| std::thread::spawn(made).join().unwrap()).clone()
}

impl Browser {
    pub fn of(service: Arc<dyn Service>, visit: Option<Visit>) -> Browser {
        let (_, stopping) = tokio::sync::watch::channel(());
        let web = Web { service, gate: nobodys_gate(), streams: Streams::default(), stopping };
        let router = pages().router.fallback(not_found).with_state(web);
        let router = router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
            if let Some(visit) = &visit {
                request.extensions_mut().insert(visit.clone());
            }
            next.run(request)
        }));
        Browser { router }
    }

    pub fn signed_in(service: Arc<dyn Service>, role: Role) -> Browser {
        Browser::of(service, Some(visit(role)))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// With the session's token, as every form has it.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encoded = |text: &str| chorus::web::markup::encoded(text);
        let others = fields.iter().filter(|(name, _)| *name != "form_token");
        let all = others.chain(&[("form_token", FORM_TOKEN)]);
        let pairs: Vec<String> = all.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(pairs.join("&"))).unwrap()).await
    }

    async fn send(&self, request: Request) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, kind) = (text(header::LOCATION), text(header::CONTENT_TYPE).unwrap_or_default());
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, location, kind, text: String::from_utf8(body.to_vec()).unwrap() }
    }
}
