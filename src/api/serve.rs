//! The listener: plain HTTP on a loopback address, until told to end.
//!
//! Invariant: the token never crosses a network in the clear, for nothing but loopback is listened on.

use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// Requests that are under way when the end is asked for get this long; a caller that holds its connection open must
/// not hold up the daemon's end.
const GRACE: Duration = Duration::from_secs(2);

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the API does not listen on {0}: it is plain HTTP, on loopback only. Use 127.0.0.1 or [::1], and a tunnel")]
    NotLoopback(SocketAddr),
    #[error("the API cannot listen on {address}: {error}. Name another address with --listen, or end what is there")]
    Bind { address: SocketAddr, error: io::Error },
    #[error("the API ended: {0}")]
    Ended(io::Error),
}

pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().to_canonical().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|error| ServeError::Bind { address, error })
}

/// Serves until `shutdown` is ready, and then lets what is under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (told, ending) = tokio::sync::oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = told.send(());
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    let given_up = async move {
        // An error means that the server ended by itself, and the other branch has it.
        if ending.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended.map_err(ServeError::Ended),
        () = given_up => Ok(()),
    }
}
