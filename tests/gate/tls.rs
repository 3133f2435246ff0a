//! The door itself: TLS with a certificate that is exchanged while it is open, and proxies that are named.

use crate::bodies::{asked, plain};
use crate::house::House;
use chorus::access::Role;
use chorus::api::serve::Door;
use chorus::api::tls::Certificate;
use chorus::store::AuditFilter;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Writes another certificate of its own making.
fn made(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// What somebody hears who trusts this certificate alone.
async fn heard(address: SocketAddr, trusted: &CertificateDer<'static>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    tokio::task::spawn_blocking(move || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let mut tls = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        let request = b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).map_err(|error| error.to_string())?;
        let mut said = Vec::new();
        match stream.read_to_end(&mut said) {
            Err(error) if said.is_empty() => Err(error.to_string()),
            _ => Ok(String::from_utf8_lossy(&said).into_owned()),
        }
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_served_over_tls_and_the_certificate_is_exchanged_while_it_is() {
    let house = House::secure().await;
    let files = tempfile::tempdir().unwrap();
    let first = made(files.path());
    let certificate = Certificate {
        look_every: Duration::from_millis(100),
        ..Certificate::new(files.path().join("chain.pem"), files.path().join("key.pem"))
    };
    let (address, _end) = house.served(Door { tls: Some(certificate), ..plain() });
    let said = heard(address, &first).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(said.contains("strict-transport-security: max-age=31536000"), "{said}");
    let clear = tokio::time::timeout(
        Duration::from_secs(15),
        asked(address, "GET /sign-in HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
    );
    let clear = tokio::spawn(clear).await;
    assert!(!matches!(&clear, Ok(Ok(said)) if said.contains("HTTP/1.1")), "{clear:?}");
    // Files that are half written leave the one from before.
    std::fs::write(files.path().join("key.pem"), "-----BEGIN PRIVATE KEY-----\nbroken").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(heard(address, &first).await.is_ok());
    let second = made(files.path());
    let mut waited = 0;
    while heard(address, &second).await.is_err() {
        waited += 1;
        assert!(waited < 20, "the new certificate is not used");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(heard(address, &first).await.is_err(), "nobody who trusts the old one alone gets through");
}

#[tokio::test]
async fn where_a_proxy_is_named_it_alone_says_for_whom_it_asks() {
    let house = House::secure().await;
    house.account("anna", Role::Admin).await;
    let ask = |address, headers: &str| {
        let body = "name=anna&password=wrong+wrong+wrong";
        let request = format!(
            "POST /sign-in HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        async move { asked(address, &request).await }
    };
    let last = async || {
        let newest = AuditFilter { limit: 1, ..AuditFilter::default() };
        house.store.audit(&newest).await.unwrap().remove(0).address.unwrap_or_default()
    };
    let forwarded = "x-forwarded-for: 10.9.9.9, 203.0.113.9\r\nx-forwarded-proto: https\r\n";
    let (named, _end) = house.served(Door { proxies: vec!["127.0.0.1".parse().unwrap()], ..plain() });
    assert!(ask(named, forwarded).await.starts_with("HTTP/1.1 400"));
    assert_eq!(last().await, "203.0.113.9", "what the proxy itself saw");
    for (what, headers) in [
        ("in the clear", "x-forwarded-for: 203.0.113.10\r\nx-forwarded-proto: http\r\n"),
        ("unsaid", "x-forwarded-for: 203.0.113.10\r\n"),
        ("for nobody", "x-forwarded-for: somebody\r\nx-forwarded-proto: https\r\n"),
    ] {
        let said = ask(named, headers).await;
        assert!(said.starts_with("HTTP/1.1 403"), "{what}: {said}");
        for header in [
            "content-security-policy: default-src 'none'",
            "x-frame-options: DENY",
            "strict-transport-security",
            "cache-control: no-store",
        ] {
            assert!(said.contains(header), "{what}: {said}");
        }
    }
    assert_eq!(last().await, "203.0.113.9", "they went no further");
    let (other, _end) = house.served(Door { proxies: vec!["192.0.2.10".parse().unwrap()], ..plain() });
    assert!(ask(other, forwarded).await.starts_with("HTTP/1.1 403"), "another one is named");
    let (nobody, _end) = house.served(plain());
    assert!(ask(nobody, forwarded).await.starts_with("HTTP/1.1 400"));
    assert_eq!(last().await, "127.0.0.1", "nobody is named: what is said is not believed");
}
