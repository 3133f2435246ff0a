//! The listener: TLS, or plain HTTP on loopback or to a named proxy, until told to end.
//!
//! Invariants: nothing that signs somebody in crosses a network in the clear; where a request is from is said by the connection,
//! or by a proxy that was named, and by nobody else; who sends slowly is not waited for.

use super::headers;
use super::routes::refused;
use super::tls::{Certificate, TlsError};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_server::Handle;
use futures::{StreamExt, stream};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;

/// Requests that are under way when the end is asked for get this long; a caller that holds its connection open must
/// not hold up the daemon's end.
const GRACE: Duration = Duration::from_secs(2);

/// From the first octet of a request's head to its last, and the same again for its body: 1 MiB at most, from whoever is there
/// to send it.
const SLOWEST: Duration = Duration::from_secs(10);

/// Adopting a zone asks every address of it before it answers.
const ANSWER_MAX: Duration = Duration::from_secs(150);

/// Where it is listened, and how.
#[derive(Clone, Debug)]
pub struct Door {
    pub address: SocketAddr,
    pub tls: Option<Certificate>,
    /// Proxies that say for whom they ask, and have the TLS.
    pub proxies: Vec<IpAddr>,
}

impl Door {
    pub fn plain(address: SocketAddr) -> Door {
        Door { address, tls: None, proxies: Vec::new() }
    }

    /// Whether browsers come over TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some() || !self.proxies.is_empty()
    }
}

/// Where a request is from: the peer, or whom a named proxy says it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct From(pub IpAddr);

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "{0} is not a loopback address, and plain HTTP goes to loopback only. Give --tls-cert and --tls-key, name the proxy \
         that has the TLS with --trusted-proxy, or listen on 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    #[error("the API cannot listen on {address}: {error}. Name another address with --listen, or end what is there")]
    Bind { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the API ended: {0}")]
    Ended(io::Error),
}

pub fn bind(door: &Door) -> Result<TcpListener, ServeError> {
    let address = door.address;
    if !door.is_secure() && !address.ip().to_canonical().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| ServeError::Bind { address, error })
}

/// Serves until `shutdown` is ready, and then lets what is under way end.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let proxies: Arc<[IpAddr]> = door.proxies.iter().map(IpAddr::to_canonical).collect();
    let secure = door.is_secure();
    let router = router
        .layer(middleware::from_fn(in_time))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_MAX))
        .layer(middleware::from_fn(move |request, next| whence(proxies.clone(), request, next)))
        // What is answered here, before any route is asked, is under the same rules.
        .layer(middleware::from_fn(move |request, next| headers::add(secure, request, next)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let ending = handle.clone();
    let end = tokio::spawn(async move {
        shutdown.await;
        ending.graceful_shutdown(Some(GRACE));
    });
    let served = match door.tls {
        None => {
            let mut server = axum_server::from_tcp(listener).map_err(ServeError::Ended)?.handle(handle);
            server.http_builder().http1().header_read_timeout(SLOWEST);
            server.first_request_timeout(SLOWEST).serve(service).await
        }
        Some(certificate) => {
            let config = certificate.watched().await?;
            let server = axum_server::from_tcp_rustls(listener, config).map_err(ServeError::Ended)?;
            let mut server = server.handle(handle);
            server.http_builder().http1().header_read_timeout(SLOWEST);
            server.first_request_timeout(SLOWEST).serve(service).await
        }
    };
    end.abort();
    served.map_err(ServeError::Ended)
}

/// Lets a body take its time, and no more: how often a piece of it comes does not matter, for one octet is a piece.
async fn in_time(request: Request, next: Next) -> Response {
    let late = Arc::new(AtomicBool::new(false));
    let said = late.clone();
    let request = request.map(|body| {
        let pieces = (body.into_data_stream(), Box::pin(tokio::time::sleep(SLOWEST)), said);
        Body::from_stream(stream::unfold(Some(pieces), |state| async move {
            let (mut body, mut end, said) = state?;
            tokio::select! {
                biased;
                piece = body.next() => piece.map(|piece| (piece, Some((body, end, said)))),
                () = &mut end => {
                    said.store(true, Ordering::Relaxed);
                    Some((Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut))), None))
                }
            }
        }))
    });
    let answer = next.run(request).await;
    if late.load(Ordering::Relaxed) && answer.status().is_client_error() {
        return refused(
            StatusCode::REQUEST_TIMEOUT,
            "bad-request",
            "the request's body did not come in time",
            "Send it again",
        );
    }
    answer
}

/// Says where a request is from, and refuses what came in the clear over a network.
async fn whence(proxies: Arc<[IpAddr]>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    let Some(peer) = peer else { return next.run(request).await };
    let from = match said_by_proxy(&proxies, peer, request.headers()) {
        Ok(from) => from,
        Err(text) => {
            let fix = "Come over the proxy, and let that set X-Forwarded-For and X-Forwarded-Proto: https";
            return refused(StatusCode::FORBIDDEN, "not-over-the-proxy", text, fix);
        }
    };
    request.extensions_mut().insert(From(from));
    next.run(request).await
}

/// Whom a request is for: where proxies are named, they alone may come, and this host itself.
fn said_by_proxy(proxies: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, &'static str> {
    // What is no ASCII is somebody's all the same: a header that cannot be read is not one that is not there.
    let last = |name: &str| headers.get_all(name).iter().next_back();
    let text = |name: &str| last(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if proxies.is_empty() {
        return Ok(peer);
    }
    let forwarded = text("x-forwarded-for");
    if peer.is_loopback() && forwarded.is_none() {
        return Ok(peer);
    }
    if !proxies.contains(&peer) {
        return Err("plain HTTP is for the named proxies alone");
    }
    if text("x-forwarded-proto").as_deref().map(str::trim) != Some("https") {
        return Err("the proxy does not say that the request came over TLS");
    }
    // The last one is what our own proxy saw; the others are what somebody told it.
    let last =
        forwarded.as_deref().and_then(|all| all.rsplit(',').next()).and_then(|one| one.trim().parse::<IpAddr>().ok());
    last.map(|address| address.to_canonical()).ok_or("the proxy does not say for whom it asks")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_named_proxy_is_believed_and_only_its_own_word() {
        let proxy: IpAddr = "192.0.2.10".parse().unwrap();
        let other: IpAddr = "192.0.2.11".parse().unwrap();
        let home: IpAddr = "127.0.0.1".parse().unwrap();
        let forwarded = headers(&[("x-forwarded-for", "10.0.0.1, 198.51.100.7"), ("x-forwarded-proto", "https")]);
        assert_eq!(said_by_proxy(&[], other, &forwarded), Ok(other), "nobody was named");
        assert_eq!(said_by_proxy(&[proxy], proxy, &forwarded), Ok("198.51.100.7".parse().unwrap()));
        assert!(said_by_proxy(&[proxy], other, &forwarded).is_err());
        assert!(said_by_proxy(&[proxy], home, &forwarded).is_err(), "it is not named");
        assert_eq!(said_by_proxy(&[proxy], home, &headers(&[])), Ok(home));
        assert!(said_by_proxy(&[proxy], proxy, &headers(&[("x-forwarded-for", "198.51.100.7")])).is_err());
        assert!(said_by_proxy(&[proxy], proxy, &headers(&[("x-forwarded-proto", "https")])).is_err());
        let strange = headers(&[("x-forwarded-for", "\u{e9}, 198.51.100.7")]);
        assert!(said_by_proxy(&[home], home, &strange).is_err(), "it is not this host that asks");
        let strange = headers(&[("x-forwarded-for", "\u{e9}, 198.51.100.7"), ("x-forwarded-proto", "https")]);
        assert_eq!(said_by_proxy(&[home], home, &strange), Ok("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn plain_http_is_not_listened_on_a_network() {
        let public: SocketAddr = "192.0.2.1:0".parse().unwrap();
        assert!(matches!(bind(&Door::plain(public)), Err(ServeError::NotLoopback(_))));
        assert!(bind(&Door::plain("127.0.0.1:0".parse().unwrap())).is_ok());
        assert!(bind(&Door::plain("[::ffff:127.0.0.1]:0".parse().unwrap())).is_ok());
    }
}
