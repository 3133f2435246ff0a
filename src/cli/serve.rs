//! The two commands that do not ask a daemon but are one.

use super::args::ServeArgs;
use super::exit::{Exit, Failure};
use crate::api::controller::Controller;
use crate::api::gate::Gate;
use crate::api::serve::{self as listener, Door};
use crate::api::service::Service;
use crate::api::tls::Certificate;
use crate::api::token;
use crate::engine;
use crate::web::events::Streams;
use crate::web::{self, Web};
use chorus_providers::http::AllowedNets;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// `chorus serve`: until SIGINT or SIGTERM.
pub async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display, fix: &str| Failure::new(Exit::Error, error.to_string(), fix);
    let nets = AllowedNets::with(args.allow_provider_net);
    let started = engine::on_this_host(&args.data, args.resolver, args.without_ipv6, nets).await;
    let (engine, store) = started.map_err(|e| failed(&e, "See --data and --resolver in `chorus serve --help`"))?;
    if let Err(e) = engine.end_trials().await {
        tracing::error!("what trials left behind cannot be read: {e}");
    }
    let token = token::create_or_read(&args.data, &mut rand::rng());
    let token = token.map_err(|e| failed(&e, "See that the data directory belongs to this user"))?;
    let tls = args.tls_cert.zip(args.tls_key).map(|(chain, key)| Certificate::new(chain, key));
    let door = Door { address: args.listen, tls, proxies: args.trusted_proxy };
    let bound = listener::bind(&door).map_err(|e| failed(&e, "See `chorus serve --help`"))?;
    let scheme = if door.tls.is_some() { "https" } else { "http" };
    tracing::info!("serving on {scheme}://{}, data in {}", args.listen, args.data.display());
    let (stop, stopped) = watch::channel(());
    tokio::spawn(async move {
        stop_signal().await;
        drop(stop);
    });
    let wait = |mut stopped: watch::Receiver<()>| async move {
        // The sender is dropped to say so.
        while stopped.changed().await.is_ok() {}
    };
    let ports = engine.ports();
    let gate = Gate::new(store, ports.clock.clone(), ports.random.clone(), token);
    first_account(&gate, scheme, args.listen).await?;
    let service: Arc<dyn Service> = Arc::new(Controller::new(engine.clone()));
    let web = Web { service, gate, streams: Streams::default(), stopping: stopped.clone() };
    let router = web::router(web, door.is_secure());
    let api = listener::serve(bound, door, router, wait(stopped.clone()));
    let (served, ()) = tokio::join!(api, engine::run(engine, wait(stopped)));
    served.map_err(|e| failed(&e, "Start it again"))
}

/// Whoever started the daemon is the first admin: by a link that is good once.
async fn first_account(gate: &Gate, scheme: &str, address: SocketAddr) -> Result<(), Failure> {
    let link = gate.first_link().await;
    let link =
        link.map_err(|e| Failure::new(Exit::Error, e.to_string(), "See that the data directory can be written"))?;
    if let Some(path) = link.and_then(|link| link.path) {
        super::say(&format!("first account: {scheme}://{address}{path} (valid for 24 h)"))?;
    }
    Ok(())
}

async fn stop_signal() {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
}

/// `chorus parent-agent`: until SIGINT or SIGTERM.
pub async fn parent_agent(config: &Path) -> Result<(), Failure> {
    let clock = engine::SystemClock;
    let now = move || engine::Clock::now(&clock);
    let ran = crate::parent::agent::run_from_file(config, Arc::new(now)).await;
    ran.map_err(|e| Failure::new(Exit::Error, e.to_string(), "See `chorus parent-agent --help`"))
}
