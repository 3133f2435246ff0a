//! Whoever sends too much, or too slowly, over real sockets: they are not waited for, and others are answered meanwhile.

use crate::house::House;
use axum::http::StatusCode;
use chorus::access::Role;
use chorus::api::routes::BODY_MAX;
use chorus::api::serve::Door;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub fn plain() -> Door {
    Door::plain("127.0.0.1:0".parse().unwrap())
}

pub async fn asked(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

pub async fn answers(address: SocketAddr) {
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let said = timeout(Duration::from_secs(2), asked(address, request)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let house = House::new().await;
    house.account("anna", Role::Admin).await;
    let token = house.token.expose();
    let large = format!("{{\"zone\":\"{}\"}}", "x".repeat(BODY_MAX));
    for (method, path) in [("POST", "/zones"), ("POST", "/operators"), ("PUT", "/zones/example.org/operators")] {
        assert_eq!(house.api(method, path, Some(token), &large).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    assert_eq!(house.api("POST", "/zones", None, &large).await.status, StatusCode::UNAUTHORIZED);
    let link = house.invited("ben", Role::Viewer).await;
    let large = "x".repeat(BODY_MAX);
    let anna = house.signed_in("anna").await;
    assert_eq!(anna.post("/zones/add", &[("zone", &large)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let nobody = house.browser();
    for path in ["/sign-in".to_owned(), format!("/welcome/{link}")] {
        let said = nobody.post_bare(&path, &[("name", &large), ("password", "x"), ("again", "x")]).await;
        assert_eq!(said.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

/// Sends one octet of `rest` each second until the other side has enough: its answer, and after how many octets.
async fn dripped(address: SocketAddr, head: &str, rest: &str) -> (String, usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let mut said = Vec::new();
    for (sent, octet) in rest.bytes().cycle().enumerate() {
        assert!(sent < 20, "it is still being waited for");
        let _ = writes.write_all(&[octet]).await;
        match timeout(Duration::from_secs(1), reads.read_to_end(&mut said)).await {
            Err(_) => {}
            Ok(_) => return (String::from_utf8_lossy(&said).into_owned(), sent),
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let house = House::new().await;
    let (address, _end) = house.served(plain());
    let token = house.token.expose();
    let form = "POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9000\r\n\r\nname=";
    let call = format!(
        "POST /api/v1/zones HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{{"
    );
    let meanwhile = async {
        for _ in 0..5 {
            answers(address).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (form, call, ()) = tokio::join!(dripped(address, form, "a"), dripped(address, &call, " "), meanwhile);
    for (said, sent) in [form, call] {
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains("content-security-policy: default-src 'none'"), "{said}");
        assert!((8..=12).contains(&sent), "{sent}");
    }
}

#[tokio::test]
async fn a_head_that_drips_and_one_that_never_comes_are_not_waited_for() {
    let house = House::new().await;
    let (address, _end) = house.served(plain());
    let kept_open = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.map(|_| said)
    };
    let silent = async { TcpStream::connect(address).await.unwrap().read_to_end(&mut Vec::new()).await };
    let all = async {
        tokio::join!(dripped(address, "GET /healthz HTTP/1.1\r\nx-slow: ", "a"), kept_open, silent, answers(address))
    };
    let ((said, sent), kept, _, ()) = timeout(Duration::from_secs(25), all).await.expect("one is still open");
    assert!(sent <= 12 && !said.contains(" 200 "), "{sent} {said}");
    assert!(kept.unwrap().contains("ok"), "a connection that asks nothing more is closed as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_that_connect_and_say_nothing_keep_nobody_out() {
    let house = House::new().await;
    let (address, _end) = house.served(plain());
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..5 {
        answers(address).await;
    }
    let closed = futures::future::join_all(idle.iter_mut().map(|one| async { one.read(&mut [0; 64]).await }));
    timeout(Duration::from_secs(20), closed).await.expect("they are closed");
}
