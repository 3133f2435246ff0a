//! Pages that are told what changes: many at once, over real sockets; what they are told, and when it ends.

use crate::bodies::{answers, plain};
use crate::fake::Fake;
use crate::house::{House, open};
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use chorus::access::{Caller, Role};
use chorus::model::dns::Name;
use chorus::web::events::Streams;
use chorus::web::routes;
use chorus::web::visit::Visit;
use futures::StreamExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::ServiceExt;

const ACCOUNTS: usize = 25;
const OF_ONE: usize = 20;

fn zone(name: &str) -> Name {
    name.parse().unwrap()
}

/// MiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}

struct Stream {
    socket: TcpStream,
    heard: String,
}

impl Stream {
    async fn open(address: SocketAddr, cookie: &str, last: Option<i64>) -> Stream {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let request = format!("GET /events HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n{last}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Stream { socket, heard: String::new() };
        stream.hears("\r\n\r\n").await;
        stream
    }

    async fn hears(&mut self, text: &str) {
        let mut piece = [0; 1024];
        while !self.heard.contains(text) {
            let read = self.socket.read(&mut piece).await.unwrap();
            assert!(read > 0, "it ended: {}", self.heard);
            self.heard.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }

    async fn ends(mut self) -> String {
        // However it is closed.
        let _ = self.socket.read_to_string(&mut self.heard).await;
        self.heard
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_pages_are_told_within_two_seconds_and_end_with_the_daemon() {
    let mut house = House::new().await;
    let mut cookies = Vec::new();
    for n in 0..ACCOUNTS {
        house.account(&format!("account-{n}"), Role::Viewer).await;
        let browser = house.browser().at(&format!("198.51.100.{n}"));
        assert_eq!(browser.sign_in(&format!("account-{n}"), crate::house::PASSWORD, "").await.status, 303);
        cookies.push(browser.cookie());
    }
    let (address, end) = house.served(plain());
    answers(address).await;
    let before = memory();
    let mut streams = Vec::new();
    for cookie in &cookies {
        for _ in 0..OF_ONE {
            let mut stream = Stream::open(address, cookie, None).await;
            stream.hears(": chorus").await;
            assert!(stream.heard.starts_with("HTTP/1.1 200"), "{}", stream.heard);
            assert!(stream.heard.contains("x-accel-buffering: no"), "{}", stream.heard);
            streams.push(stream);
        }
    }
    let grown = memory() - before;
    println!("{} streams: {grown:.1} MiB more", streams.len());
    assert!(grown <= 50.0, "{grown} MiB");
    let more = Stream::open(address, &cookies[0], None).await;
    assert!(more.heard.starts_with("HTTP/1.1 429"), "{}", more.heard);
    house.store.note("noted", "x", Some(&zone("example.org.")), None).await.unwrap();
    let told = futures::future::join_all(streams.iter_mut().map(|stream| stream.hears("\"zone\":\"example.org\"")));
    let (told, ()) = tokio::join!(timeout(Duration::from_secs(2), told), answers(address));
    told.expect("each is told in time");
    // The daemon ends: so does every stream.
    drop(house.stop.take());
    end.send(()).unwrap();
    let ended = futures::future::join_all(streams.into_iter().map(Stream::ends));
    timeout(Duration::from_secs(2), ended).await.expect("each ends in time");
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_happened_meanwhile() {
    let house = House::new().await;
    house.account("anna", Role::Viewer).await;
    let cookie = house.signed_in("anna").await.cookie();
    let (address, _end) = house.served(plain());
    let (last, _) = house.store.audit_head().await.unwrap();
    for name in ["a.example.", "b.example.", "a.example."] {
        house.store.note("noted", "x", Some(&zone(name)), None).await.unwrap();
    }
    let mut stream = Stream::open(address, &cookie, Some(last)).await;
    stream.hears("\"zone\":\"a.example\"").await;
    stream.hears("\"zone\":\"b.example\"").await;
    assert!(stream.heard.contains(&format!("id: {}", last + 3)), "{}", stream.heard);
    assert_eq!(stream.heard.matches("event: changed").count(), 2, "of each zone the last one: {}", stream.heard);
    let mut nothing = Stream::open(address, &cookie, Some(last + 3)).await;
    nothing.hears(": chorus").await;
    assert!(!nothing.heard.contains("event: changed"));
    // More than is looked through: everything may be another.
    for n in 0..300 {
        house.store.note("noted", "x", Some(&zone(&format!("z{n}.example."))), None).await.unwrap();
    }
    let mut stream = Stream::open(address, &cookie, Some(last)).await;
    stream.hears(&format!("id: {}", last + 303)).await;
    assert!(stream.heard.contains("\"zone\":null"), "{}", stream.heard);
}

#[tokio::test]
async fn nobody_is_told_of_zones_that_they_do_not_reach() {
    let house = House::new().await;
    let caller = Caller { below: Some("a.example.".to_owned()), ..Caller::signed_in("vera", Role::Viewer, None) };
    let visit = Visit { caller, form_token: String::new(), theme: String::new() };
    let router = routes::all().router.with_state(house.web.clone());
    let router = router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        request.extensions_mut().insert(visit.clone());
        next.run(request)
    }));
    house.store.note("noted", "x", Some(&zone("other.example.")), None).await.unwrap();
    house.store.note("noted", "x", Some(&zone("sub.a.example.")), None).await.unwrap();
    let request = Request::get("/events").header("last-event-id", "0").body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut pieces = answer.into_body().into_data_stream();
    house.store.note("noted", "x", Some(&zone("other.example.")), None).await.unwrap();
    house.store.note("noted", "x", Some(&zone("a.example.")), None).await.unwrap();
    let mut heard = String::new();
    while let Ok(Some(piece)) = timeout(Duration::from_secs(1), pieces.next()).await {
        heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
    }
    assert!(heard.contains("\"sub.a.example\"") && heard.contains("\"a.example\""), "{heard}");
    assert!(!heard.contains("other.example"), "{heard}");
    let request = Request::get("/events?zone=other.example").header("last-event-id", "0").body(Body::empty()).unwrap();
    let mut pieces = router.oneshot(request).await.unwrap().into_body().into_data_stream();
    let mut heard = String::new();
    while let Ok(Some(piece)) = timeout(Duration::from_millis(300), pieces.next()).await {
        heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
    }
    assert!(!heard.contains("event: changed"), "{heard}");
}

#[tokio::test]
async fn a_stream_ends_by_itself_so_that_a_session_that_ended_has_none_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let streams = Streams::lasting(Duration::from_millis(500));
    let house = House::of(dir, store, Arc::new(Fake::default()), false, streams);
    house.account("anna", Role::Viewer).await;
    let anna = house.signed_in("anna").await;
    let (address, _end) = house.served(plain());
    let cookie = anna.cookie();
    let stream = Stream::open(address, &cookie, None).await;
    anna.post("/sign-out", &[]).await;
    // The last piece of a body in pieces.
    let mut stream = stream;
    timeout(Duration::from_secs(2), stream.hears("\r\n0\r\n\r\n")).await.expect("it ends");
    let back = Stream::open(address, &cookie, None).await;
    assert!(back.heard.starts_with("HTTP/1.1 303"), "{}", back.heard);
}
