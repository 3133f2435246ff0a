//! The house that the gate is in front of: a database in a directory, a clock that the test sets, and browsers with a cookie.

use crate::fake::Fake;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use chorus::access::{Caller, Permission, Role};
use chorus::api::gate::Gate;
use chorus::api::serve::{self, Door, From};
use chorus::api::service::Service;
use chorus::api::token::Token;
use chorus::api::wire::{AccountAdd, AccountChange, TokenAdd};
use chorus::engine::{Clock, SystemRandom};
use chorus::model::time::Time;
use chorus::store::{Keyring, MasterKey, Store};
use chorus::web::events::Streams;
use chorus::web::{self, Web};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery staple";
pub const START: Time = Time(1_800_000_000_000);
pub const MINUTE: Duration = Duration::from_secs(60);

/// Set by hand.
pub struct Hands(AtomicI64);

impl Hands {
    pub fn goes_on(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, _: Time) {
        std::future::pending().await
    }
}

pub struct House {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub clock: Arc<Hands>,
    pub gate: Gate,
    /// In the data directory.
    pub token: Token,
    pub web: Web,
    pub router: Router,
    /// Dropped at the end.
    pub stop: Option<watch::Sender<()>>,
}

pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Said {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }
}

pub async fn open(dir: &Path) -> Store {
    Store::open(dir, Keyring::of(MasterKey::from_octets([7; 32]))).await.unwrap()
}

/// The database beside the daemon's own connection: whoever can write to the file.
pub async fn beside(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join("chorus.db")).create_if_missing(true);
    options.busy_timeout(Duration::from_secs(10)).connect().await.unwrap()
}

pub async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

impl House {
    pub async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        House::of(dir, store, Arc::new(Fake::default()), false, Streams::default())
    }

    /// As `secure` where browsers come over TLS.
    pub async fn secure() -> House {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        House::of(dir, store, Arc::new(Fake::default()), true, Streams::default())
    }

    pub fn of(
        dir: tempfile::TempDir,
        store: Store,
        service: Arc<dyn Service>,
        secure: bool,
        streams: Streams,
    ) -> House {
        let clock = Arc::new(Hands(AtomicI64::new(START.0)));
        let token = Token::new(&mut rand::rng());
        let gate = Gate::new(store.clone(), clock.clone(), Arc::new(SystemRandom), token.clone());
        let (stop, stopping) = watch::channel(());
        let web = Web { service, gate: gate.clone(), streams, stopping };
        let router = web::router(web.clone(), secure);
        House { dir, store, clock, gate, token, web, router, stop: Some(stop) }
    }

    pub async fn send(&self, request: Request<Body>) -> Said {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let streams = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let octets = if streams { Default::default() } else { to_bytes(body, 1 << 24).await.unwrap() };
        let text = String::from_utf8_lossy(&octets).into_owned();
        Said { status: parts.status, headers: parts.headers, text }
    }

    /// A call of the API.
    pub async fn api(&self, method: &str, path: &str, bearer: Option<&str>, body: &str) -> Said {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = match bearer {
            Some(bearer) => request.header(header::AUTHORIZATION, format!("Bearer {bearer}")),
            None => request,
        };
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// An account that is new: the secret of its link.
    pub async fn invited(&self, name: &str, role: Role) -> String {
        let add = AccountAdd { name: name.to_owned(), role };
        let made = self.gate.add_account(&Caller::local(None), add).await.unwrap();
        made.path.unwrap().strip_prefix("/welcome/").unwrap().to_owned()
    }

    pub async fn account(&self, name: &str, role: Role) {
        let link = self.invited(name, role).await;
        self.gate.choose_password(&link, PASSWORD.to_owned().into(), None).await.unwrap();
    }

    pub async fn change(&self, name: &str, change: AccountChange) {
        self.gate.change_account(&Caller::local(None), name, change).await.unwrap();
    }

    /// Listened for, on a port of loopback; the second ends it.
    pub fn served(&self, door: Door) -> (SocketAddr, oneshot::Sender<()>) {
        let listener = serve::bind(&door).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async move { drop(ended.await) };
        tokio::spawn(serve::serve(listener, door, self.router.clone(), shutdown));
        (address, end)
    }

    /// Its id, and what it signs in with.
    pub async fn token(
        &self,
        (name, role): (&str, Role),
        scopes: &[Permission],
        below: Option<&str>,
    ) -> (String, String) {
        let caller = Caller::signed_in(name, role, None);
        let below = below.map(str::to_owned);
        let add = TokenAdd { label: "test".to_owned(), scopes: scopes.to_vec(), below, valid_for_s: 3600 };
        let made = self.gate.add_token(&caller, add).await.unwrap();
        (made.token.id, made.secret)
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser { house: self, cookie: Mutex::default(), address: "192.0.2.1".parse().unwrap() }
    }

    pub async fn signed_in(&self, name: &str) -> Browser<'_> {
        self.signed_in_with(name, "").await
    }

    pub async fn signed_in_with(&self, name: &str, code: &str) -> Browser<'_> {
        let browser = self.browser();
        let said = browser.sign_in(name, PASSWORD, code).await;
        assert_eq!((said.status, said.location()), (StatusCode::SEE_OTHER, "/"), "{}", said.text);
        browser
    }
}

/// One without scripts.
pub struct Browser<'h> {
    house: &'h House,
    /// As it is sent: `name=value`.
    pub cookie: Mutex<Option<String>>,
    pub address: IpAddr,
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    let text = chorus::web::markup::encoded;
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
    pairs.join("&")
}

/// The value of the first such field of a page.
pub fn field(page: &str, name: &str) -> Option<String> {
    let behind = page.split_once(&format!("name=\"{name}\" value=\""))?.1;
    Some(behind.split('"').next().unwrap().to_owned())
}

impl Browser<'_> {
    pub fn at(mut self, address: &str) -> Self {
        self.address = address.parse().unwrap();
        self
    }

    pub fn with_cookie(self, cookie: &str) -> Self {
        *self.cookie.lock().unwrap() = Some(cookie.to_owned());
        self
    }

    pub fn cookie(&self) -> String {
        self.cookie.lock().unwrap().clone().unwrap_or_default()
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Said {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "chorus.example");
        if let Some(cookie) = self.cookie.lock().unwrap().as_deref() {
            request = request.header(header::COOKIE, cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(From(self.address));
        let said = self.house.send(request).await;
        if let Some(set) = said.headers.get(header::SET_COOKIE) {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            let gone = rest.contains("Max-Age=0");
            *self.cookie.lock().unwrap() = (!gone).then(|| pair.to_owned());
        }
        said
    }

    pub async fn get(&self, path: &str) -> Said {
        self.ask(Method::GET, path, &[], String::new()).await
    }

    /// Without a form token.
    pub async fn post_bare(&self, path: &str, fields: &[(&str, &str)]) -> Said {
        // A form that is empty is a form.
        let body = if fields.is_empty() { "x=".to_owned() } else { encoded(fields) };
        self.ask(Method::POST, path, &[], body).await
    }

    pub async fn form_token(&self) -> String {
        field(&self.get("/settings").await.text, "form_token").unwrap()
    }

    /// With the session's form token.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Said {
        let token = self.form_token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        self.post_bare(path, &fields).await
    }

    pub async fn sign_in(&self, name: &str, password: &str, code: &str) -> Said {
        self.post_bare("/sign-in", &[("name", name), ("password", password), ("code", code)]).await
    }

    pub async fn is_signed_in(&self) -> bool {
        self.get("/settings").await.status == StatusCode::OK
    }
}
