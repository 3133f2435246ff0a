//! The daemon: ports made of the real clock, network and database; the schedule and the API beside each other.

use super::clock::{SystemClock, SystemRandom};
use super::ports::{ByQuestions, ConfiguredProviders, Pace, Ports, Switches};
use super::turn::Engine;
use super::{Random, schedule};
use crate::observe::net::NetTransport;
use crate::observe::resolve::{ResolveError, SystemResolver};
use crate::store::{Keyring, SealError, Store, StoreError};
use chorus_providers::http::AllowedNets;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data directory {}: {error}", path.display())]
    Directory { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

/// The engine on this host, with its data in `dir`, which is made, for its owner only, if it is not there.
/// The store is for what is no business of the engine: who may do what.
/// `without_ipv6`: IPv6 addresses are not observed.
/// `provider_nets`: where interfaces that are driven over HTTP may be.
pub async fn on_this_host(
    dir: &Path,
    resolver: Option<SocketAddr>,
    without_ipv6: bool,
    provider_nets: AllowedNets,
) -> Result<(Arc<Engine>, Store), StartError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| StartError::Directory { path: dir.to_owned(), error })?;
    let random = Arc::new(SystemRandom);
    let keys = Keyring::find(dir, |octets| random.fill(octets))?;
    let store = Store::open(dir, keys).await?;
    let fill = random.clone();
    match store.finish_rotation(Box::new(move |octets| fill.fill(octets))).await {
        Ok(0) => {}
        Ok(resealed) => {
            tracing::info!("the exchange of the master key is finished: {resealed} secrets were left to seal")
        }
        // Both keys are at hand, and zones are looked after; whose secret does not open is told.
        Err(e) => tracing::error!("the exchange of the master key cannot be finished: {e}"),
    }
    let clock = Arc::new(SystemClock);
    let resolver = match resolver {
        Some(address) => SystemResolver::at(address)?,
        None => SystemResolver::from_system()?,
    };
    let transport = Arc::new(NetTransport::default().without_ipv6(without_ipv6));
    let resolver = Arc::new(resolver);
    let observe = ByQuestions {
        clock: clock.clone(),
        random: random.clone(),
        transport: transport.clone(),
        resolver: resolver.clone(),
    };
    let engine = Arc::new(Engine::new(Ports {
        clock: clock.clone(),
        random,
        observe: Arc::new(observe),
        transport,
        resolver,
        providers: Arc::new(ConfiguredProviders { store: store.clone(), clock, nets: provider_nets }),
        store: Arc::new(store.clone()),
        pace: Pace::default(),
        switches: Switches::from_environment(),
    }));
    Ok((engine, store))
}

/// Runs the schedule until `stop` is done.
pub async fn run(engine: Arc<Engine>, stop: impl Future<Output = ()>) {
    schedule::run(engine, stop).await;
}
