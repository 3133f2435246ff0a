//! The two commands that do not ask a daemon but are one.

use super::args::ServeArgs;
use super::exit::{Exit, Failure};
use crate::api::controller::Controller;
use crate::api::{routes, serve as listener, token};
use crate::engine;
use chorus_providers::http::AllowedNets;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// `chorus serve`: until SIGINT or SIGTERM.
pub async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display, fix: &str| Failure::new(Exit::Error, error.to_string(), fix);
    let nets = AllowedNets::with(args.allow_provider_net);
    let engine = engine::on_this_host(&args.data, args.resolver, nets).await;
    let engine = engine.map_err(|e| failed(&e, "See --data and --resolver in `chorus serve --help`"))?;
    if let Err(e) = engine.end_trials().await {
        tracing::error!("what trials left behind cannot be read: {e}");
    }
    let token = token::create_or_read(&args.data, &mut rand::rng());
    let token = token.map_err(|e| failed(&e, "See that the data directory belongs to this user"))?;
    let bound = listener::bind(args.listen).await.map_err(|e| failed(&e, "See `chorus serve --help`"))?;
    tracing::info!("serving on http://{}, data in {}", args.listen, args.data.display());
    let (stop, stopped) = watch::channel(());
    tokio::spawn(async move {
        stop_signal().await;
        drop(stop);
    });
    let wait = |mut stopped: watch::Receiver<()>| async move {
        // The sender is dropped to say so.
        while stopped.changed().await.is_ok() {}
    };
    let router = routes::router(Arc::new(Controller::new(engine.clone())), token);
    let api = listener::serve(bound, router, wait(stopped.clone()));
    let (served, ()) = tokio::join!(api, engine::run(engine, wait(stopped)));
    served.map_err(|e| failed(&e, "Start it again"))
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
