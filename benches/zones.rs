//! How long pages take with many zones, alone and beside turns that store what they found: prints figures, asserts nothing.
//!
//! `cargo bench --bench zones [-- ZONES]`; `CHORUS_BENCH_DIR`: where the database is made, and kept for others to measure.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod common;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use chorus::api::controller::Controller;
use chorus::api::gate::Gate;
use chorus::api::serve::From;
use chorus::api::service::Service;
use chorus::api::token::Token;
use chorus::api::wire::ZonesQuery;
use chorus::engine::{Clock, Engine, SystemClock, SystemRandom, on_this_host};
use chorus::store::{PageFrom, Store, ZoneFilter};
use chorus::web::events::Streams;
use chorus::web::{self, Web};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tower::ServiceExt;

const TIMES: u32 = 150;

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

async fn measure(what: &str, work: impl AsyncFnMut(u32)) {
    println!("{}", figures(what, work).await);
}

/// p50, p95 and p99 of many times, as a line.
async fn figures(what: &str, mut work: impl AsyncFnMut(u32)) -> String {
    let mut took = Vec::new();
    for i in 0..TIMES {
        let began = Instant::now();
        work(i).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    format!("{what:<38} {:>9.2} {:>9.2} {:>9.2}", at(50), at(95), at(99))
}

/// A zone's name by its number.
fn zone(number: u32) -> String {
    format!("z{number:06}.{}", ["org", "ch", "example"][(number % 3) as usize])
}

/// A browser that has signed in. It asks for whole pages, over gate, session and template; only the network is left out.
struct Browser {
    router: Router,
    cookie: String,
    /// Its other end is dropped when the daemon ends.
    _stop: tokio::sync::watch::Sender<()>,
}

impl Browser {
    async fn signed_in(engine: &Arc<Engine>, store: Store) -> Browser {
        const PASSWORD: &str = "correct horse battery staple";
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let gate = Gate::new(store, clock, random, Token::new(&mut rand::rng()));
        if let Some(link) = gate.first_link().await.unwrap() {
            let secret = link.path.unwrap().strip_prefix("/welcome/").unwrap().to_owned();
            gate.choose_password(&secret, PASSWORD.to_owned().into(), None).await.unwrap();
        }
        let (stop, stopping) = tokio::sync::watch::channel(());
        let service = Arc::new(Controller::new(engine.clone()));
        let router = web::router(Web { service, gate, streams: Streams::default(), stopping }, false);
        let mut browser = Browser { router, cookie: String::new(), _stop: stop };
        let form = format!("name=admin&code=&password={}", PASSWORD.replace(' ', "+"));
        let form_kind = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = Request::post("/sign-in").header(form_kind.0, form_kind.1).body(Body::from(form)).unwrap();
        let answer = browser.ask(request).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let set = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        browser.cookie = set.split(';').next().unwrap().to_owned();
        browser
    }

    async fn ask(&self, mut request: Request<Body>) -> axum::response::Response {
        let headers = request.headers_mut();
        headers.insert(header::HOST, "chorus.example".parse().unwrap());
        if !self.cookie.is_empty() {
            headers.insert(header::COOKIE, self.cookie.parse().unwrap());
        }
        request.extensions_mut().insert(From(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// How many octets the page has.
    async fn page(&self, path: &str) -> usize {
        let answer = self.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        to_bytes(answer.into_body(), usize::MAX).await.unwrap().len()
    }
}

/// Pages as a browser gets them.
async fn whole_pages(browser: &Browser, engine: &Arc<Engine>, zones: u32) {
    let service = Controller::new(engine.clone());
    let middle = ZonesQuery { text: Some(format!("z{:06}", zones / 2)[..4].to_owned()), ..ZonesQuery::default() };
    let middle = service.zones(middle).await.unwrap().next.unwrap_or_default();
    let any = |i: u32| format!("/zones/{}", zone(1 + (i * 7919) % zones));
    let moving = |i: u32| format!("/zones/{}", zone((i * 100 + 7) % zones / 100 * 100 + 7));
    println!("{:<38} {:>9} {:>9} {:>9} {:>9}", "whole pages", "p50 ms", "p95 ms", "p99 ms", "KiB");
    for (what, path) in [
        ("GET /", &(|_| "/".to_owned()) as &dyn Fn(u32) -> String),
        ("GET /zones", &|_| "/zones".to_owned()),
        ("GET /zones, from the middle", &|_| format!("/zones?cursor={middle}")),
        ("GET /zones?state=blocked&operator=b", &|_| "/zones?state=blocked&operator=b".to_owned()),
        ("GET /zones/ZONE", &any),
        ("GET /zones/ZONE, in a transition", &moving),
        ("GET /zones/ZONE/history", &|i| format!("{}/history", any(i))),
        ("GET /statistics", &|_| "/statistics".to_owned()),
        ("GET /audit", &|_| "/audit".to_owned()),
    ] {
        let mut largest = 0;
        let line = figures(what, async |i| largest = browser.page(&path(i)).await.max(largest)).await;
        println!("{line} {:>9.1}", largest as f64 / 1024.0);
    }
}

async fn pages(engine: &Arc<Engine>, zones: u32) {
    let service: Arc<dyn Service> = Arc::new(Controller::new(engine.clone()));
    let ask = |query: ZonesQuery| {
        let service = service.clone();
        async move { service.zones(query).await.unwrap() }
    };
    let some = |text: &str| Some(text.to_owned());
    let none = ZonesQuery::default();
    let middle = format!("z{:06}", zones / 2);
    let middle = ask(ZonesQuery { text: some(&middle[..4]), limit: Some(5), ..none.clone() }).await.next;
    let back = ask(ZonesQuery { cursor: middle.clone(), ..none.clone() }).await.previous;
    let state = |state| ZonesQuery { state: some(state), ..none.clone() };
    println!("{:<38} {:>9} {:>9} {:>9}", "", "p50 ms", "p95 ms", "p99 ms");
    for (what, query) in [
        ("first page", none.clone()),
        ("middle page", ZonesQuery { cursor: middle.clone(), ..none.clone() }),
        ("page before the middle", ZonesQuery { cursor: back, ..none.clone() }),
        ("page of 1000", ZonesQuery { limit: Some(1000), ..none.clone() }),
        ("state=rest", state("rest")),
        ("state=blocked", state("blocked")),
        ("state=blocked, middle", ZonesQuery { cursor: middle.clone(), ..state("blocked") }),
        ("state=attention", state("attention")),
        ("operator=b", ZonesQuery { operator: some("b"), ..none.clone() }),
        ("operator=c (few)", ZonesQuery { operator: some("c"), ..none.clone() }),
        ("operator=c, state=blocked (none)", ZonesQuery { operator: some("c"), ..state("blocked") }),
        ("operator=b, state=blocked", ZonesQuery { operator: some("b"), ..state("blocked") }),
        ("parent=ch", ZonesQuery { parent: some("ch"), ..none.clone() }),
        ("parent=ch, state=verifying", ZonesQuery { parent: some("ch"), ..state("verifying") }),
        (
            "reason=guard-ttl, parent, text",
            ZonesQuery { reason: some("guard-ttl"), parent: some("org"), text: some("z0"), ..none.clone() },
        ),
        ("stuck for a year (none)", ZonesQuery { stuck_for_s: Some(365 * 86_400), ..none.clone() }),
        ("state=rest for a year (none)", ZonesQuery { stuck_for_s: Some(365 * 86_400), ..state("rest") }),
    ] {
        measure(what, async |_| drop(ask(query.clone()).await)).await;
    }
    let store = engine.ports().store.clone();
    let below = |name: &str| ZoneFilter { below: Some(name.to_owned()), ..ZoneFilter::default() };
    let (few, many) = (below("z000009.org."), below("ch."));
    measure("below one zone", async |_| drop(store.zone_page(&few, &PageFrom::First, 50).await.unwrap())).await;
    measure("below a third", async |_| drop(store.zone_page(&many, &PageFrom::First, 50).await.unwrap())).await;
    measure("overview", async |_| drop(service.overview().await.unwrap())).await;
    let day = SystemClock.now().plus_s(86_400);
    measure("overview, below a third", async |_| {
        drop(store.zone_overview(Some("ch."), day, 20).await.unwrap());
    })
    .await;
    let any = |i: u32| zone(1 + (i * 7919) % zones);
    measure("zone", async |i| drop(service.zone(&any(i)).await.unwrap())).await;
    measure("zone in a transition", async |i| {
        let number = (i * 100 + 7) % zones / 100 * 100 + 7;
        drop(service.zone(&zone(number)).await.unwrap());
    })
    .await;
    measure("history", async |i| drop(service.history(&any(i), 1000).await.unwrap())).await;
    measure("timeline", async |i| drop(service.timeline(&any(i)).await)).await;
}

/// Stores 50 statuses a second, as turns do, until `stop`; how many it stored, and the longest that one took.
async fn write(engine: Arc<Engine>, zones: u32, stop: Arc<AtomicBool>, longest_us: Arc<AtomicU64>) -> u32 {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut written = 0u32;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let number = 1 + (written.wrapping_mul(104_729)) % zones;
        let now = SystemClock.now();
        let (status, summary) = common::found(i64::from((number + written) % 100), now);
        let name = format!("{}.", zone(number)).parse().unwrap();
        let began = Instant::now();
        engine.ports().store.set_status(&name, now.plus_s(300), &status.write(), &summary).await.unwrap();
        longest_us.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
        written += 1;
    }
    written
}

fn data(kept: &Path, zones: u32) -> PathBuf {
    kept.join(format!("zones-{zones}"))
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let zones: u32 = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let own = std::env::temp_dir().join(format!("chorus-bench-{}", std::process::id()));
    let kept = std::env::var_os("CHORUS_BENCH_DIR").map(PathBuf::from);
    let dir = data(kept.as_deref().unwrap_or(&own), zones);
    std::fs::create_dir_all(&dir).unwrap();
    if !dir.join("chorus.db").exists() {
        let began = Instant::now();
        common::fill(&dir, zones, SystemClock.now()).await;
        let size = std::fs::metadata(dir.join("chorus.db")).unwrap().len() >> 20;
        println!("{zones} zones in {} MiB, made in {:.1} s\n", size, began.elapsed().as_secs_f64());
    }
    let resolver = Some("127.0.0.1:53".parse().unwrap());
    let (engine, store) = on_this_host(&dir, resolver, false, Default::default()).await.unwrap();
    let browser = Browser::signed_in(&engine, store).await;
    println!("alone");
    pages(&engine, zones).await;
    whole_pages(&browser, &engine, zones).await;
    println!("resident: {} MiB", resident_mib());
    println!("\nbeside 50 statuses a second");
    let (stop, longest_us) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let writer = tokio::spawn(write(engine.clone(), zones, stop.clone(), longest_us.clone()));
    pages(&engine, zones).await;
    whole_pages(&browser, &engine, zones).await;
    println!("resident: {} MiB", resident_mib());
    stop.store(true, Ordering::Relaxed);
    let written = f64::from(writer.await.unwrap()) / began.elapsed().as_secs_f64();
    println!("{written:.0} statuses a second, the longest took {} ms", longest_us.load(Ordering::Relaxed) / 1000);
    if kept.is_none() {
        std::fs::remove_dir_all(&own).unwrap();
    }
}
